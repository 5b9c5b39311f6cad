//! Functions of container images, over images that the test names.

use std::sync::Arc;

use domain::function::{Configuration, Digest, Function, LastUpdate, NewFunction, Program, State};
use domain::image::{ImageConfig, ImageProblem};
use domain::{Error, Refusal};
use engine::access::{Action, Caller};
use engine::contents::{CodeSource, Contents};
use engine::functions::{CodeUpdate, Edit, Publication};
use testkit::house::{Bounds, House};
use testkit::packages::zip_of;

use crate::invoker::house;

const ONE: Digest = Digest([1; 32]);
const TWO: Digest = Digest([2; 32]);

fn new(house: &House, name: &str) -> NewFunction {
    let configuration =
        Configuration::of(Program::Image(ImageConfig::default()), "arn:aws:iam::000000000000:role/r".into());
    NewFunction { configuration, ..house.new_function(name) }
}

fn of(uri: &str) -> Contents {
    Contents { code: CodeSource::Image(uri.to_owned()), layers: Vec::new() }
}

async fn create(house: &House, name: &str, uri: &str) -> Result<Arc<Function>, Error> {
    house.functions.create_function(&Caller::Anyone, new(house, name), of(uri), false).await
}

async fn update(house: &House, name: &str, code: CodeSource) -> Result<Arc<Function>, Error> {
    let how = CodeUpdate::default();
    house.functions.update_function_code(&Caller::Anyone, &house.target(name), None, how, code).await
}

fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> Refusal {
    match result {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

fn state(function: &Function) -> (State, Option<LastUpdate>, Option<&str>) {
    (function.state, function.last_update, function.failing.as_ref().map(|failing| failing.reason.as_str()))
}

#[tokio::test]
async fn the_digest_is_fixed_when_the_function_is_created_and_when_it_is_updated() {
    let house = house(Bounds::default());
    house.images.put("a.b/c:v1", ONE);
    let created = create(&house, "fn", "a.b/c:v1").await.unwrap();
    assert_eq!((created.code.digest(), state(&created)), (ONE, (State::Pending, None, None)));
    // The tag moves, the function does not.
    house.images.put("a.b/c:v1", TWO);
    let active = house.settled("fn").await;
    assert_eq!((active.code.digest(), active.state), (ONE, State::Active));
    assert_eq!(house.images.pulled(), [ONE]);
    house.invoke(house.ask("fn", "{}")).await.unwrap();
    let image = active.code.image().unwrap().clone();
    let started = house.sandbox.started.lock().unwrap()[0].image.clone().unwrap();
    assert_eq!((started.image, started.config), (image, ImageConfig::default()));

    update(&house, "fn", CodeSource::Image("a.b/c:v1".into())).await.unwrap();
    assert_eq!(house.settled("fn").await.code.digest(), TWO);
    assert_eq!(house.images.pulled(), [ONE, TWO]);
    house.invoke(house.ask("fn", "{}")).await.unwrap();
    house.functions.sweep_packages().await.unwrap();
    assert!(house.images.retained().contains(&TWO));
}

#[tokio::test]
async fn an_image_that_is_not_there_is_told_at_once() {
    let house = house(Bounds::default());
    let uri = "a.b/c".to_owned();
    let (problem, why) = (ImageProblem::NotFound, "The test has no such image".to_owned());
    let absent = Refusal::Image { uri, problem, why };
    assert_eq!(refusal(create(&house, "fn", "a.b/c").await), absent);
    let unknown = house.functions.get_function(&Caller::Anyone, Action::GetFunction, &house.target("fn"));
    assert!(matches!(refusal(unknown), Refusal::FunctionNotFound { .. }));
    house.images.put("a.b/d", ONE);
    create(&house, "fn", "a.b/d").await.unwrap();
    house.settled("fn").await;
    assert_eq!(refusal(update(&house, "fn", CodeSource::Image("a.b/c".into())).await), absent);
    assert_eq!(house.settled("fn").await.code.digest(), ONE);
}

#[tokio::test]
async fn where_no_image_runs_none_is_taken() {
    let house = house(Bounds::default());
    house.images.put("a.b/c", ONE);
    house.images.be_unsupported("not at this level");
    let why = "not at this level".to_owned();
    assert_eq!(refusal(create(&house, "fn", "a.b/c").await), Refusal::ImagesNotHere { why });
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_makes_the_function_fail_until_it_is_updated() {
    let house = house(Bounds::default());
    house.images.put("a.b/c:torn", ONE);
    house.images.put("a.b/c:well", TWO);
    house.images.refuse(ONE, ImageProblem::Broken, "torn");
    let created = house.functions.create_function(&Caller::Anyone, new(&house, "fn"), of("a.b/c:torn"), true);
    created.await.unwrap();
    let failed = house.settled("fn").await;
    assert_eq!(state(&failed), (State::Failed, Some(LastUpdate::Failed), Some("torn")));
    let invoked = house.invoke(house.ask("fn", "{}")).await;
    assert_eq!(refusal(invoked), Refusal::WrongState { state: "Failed" });
    let version = house.functions.get_function(&Caller::Anyone, Action::GetFunction, &house.target("fn:1"));
    assert_eq!(version.unwrap().0.state, State::Failed);
    update(&house, "fn", CodeSource::Image("a.b/c:well".into())).await.unwrap();
    let well = house.settled("fn").await;
    assert_eq!(state(&well), (State::Active, Some(LastUpdate::Successful), None));
    house.invoke(house.ask("fn", "{}")).await.unwrap();
}

#[tokio::test]
async fn an_update_that_cannot_be_pulled_leaves_what_was_served() {
    let house = house(Bounds::default());
    house.images.put("a.b/c:well", TWO);
    house.images.put("a.b/c:torn", ONE);
    house.images.refuse(ONE, ImageProblem::AccessDenied, "nobody answers");
    create(&house, "fn", "a.b/c:well").await.unwrap();
    house.settled("fn").await;
    update(&house, "fn", CodeSource::Image("a.b/c:torn".into())).await.unwrap();
    let kept = house.settled("fn").await;
    assert_eq!(state(&kept), (State::Active, Some(LastUpdate::Failed), Some("nobody answers")));
    assert_eq!(kept.code.digest(), TWO);
    house.invoke(house.ask("fn", "{}")).await.unwrap();
    // And a version of it is one of what is served.
    let target = house.target("fn");
    let version = house.functions.publish_version(&Caller::Anyone, &target, Publication::default()).await.unwrap();
    assert_eq!(version.code.digest(), TWO);
}

#[tokio::test]
async fn a_zip_stays_a_zip_and_an_image_an_image() {
    // Recorded: test_lambda_image_crud, test_lambda_zip_file_to_image.
    let house = house(Bounds::default());
    house.images.put("a.b/c", ONE);
    house.create("zip").await;
    create(&house, "image", "a.b/c").await.unwrap();
    house.settled("image").await;
    let zip = zip_of(&[("app.py", 0o644, b"x")]);
    assert_eq!(refusal(update(&house, "zip", CodeSource::Image("a.b/c".into())).await), Refusal::ImageForZip);
    assert_eq!(refusal(update(&house, "image", zip.into()).await), Refusal::ZipForImage);
    let layers = Some(vec!["arn:aws:lambda:us-east-1:000000000000:layer:l:1".to_owned()]);
    let edit = Edit { layers, ..Edit::of_settings(|current: &Configuration| Ok(current.clone())) };
    let target = house.target("image");
    let edited = house.functions.update_function_configuration(&Caller::Anyone, &target, edit, None).await;
    assert_eq!(refusal(edited), Refusal::ImageWithRuntime);
}
