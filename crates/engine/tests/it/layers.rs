//! Layers: publishing and deleting them, who may use them, and functions that do.

use std::sync::Arc;

use domain::error::Refusal;
use domain::function::{Configuration, Function};
use domain::layer::{LayerArn, LayerStatement, LayerVersion};
use domain::{Error, limits};
use engine::access::{Action, Caller};
use engine::contents::{Contents, Source};
use engine::functions::{CodeUpdate, Edit};
use engine::layers::{Filter, NewVersion};
use engine::ports::{ObjectName, Packages};
use testkit::contracts::home;
use testkit::house::{Bounds, House};
use testkit::layers::MemoryLayers;
use testkit::packages::{MemoryPackages, zip_of};
use testkit::records::MemoryRecords;

struct Shop {
    house: House,
    packages: Arc<MemoryPackages>,
}

fn shop() -> Shop {
    let (records, layers) = (Arc::new(MemoryRecords::new()), Arc::new(MemoryLayers::default()));
    let packages = Arc::new(MemoryPackages::of(records.clone(), layers.clone()));
    Shop { house: House::with_layers((records, packages.clone(), layers), Bounds::default()), packages }
}

fn layer(name: &str) -> LayerArn {
    home().read_layer(name).unwrap()
}

fn refusal<T: std::fmt::Debug>(answer: Result<T, impl Into<Error>>) -> Refusal {
    match answer.unwrap_err().into() {
        Error::Refused(refusal) => refusal,
        Error::Fault(fault) => panic!("{}", fault.chain()),
    }
}

fn new_version(name: &str) -> NewVersion {
    NewVersion {
        layer: layer(name),
        description: String::new(),
        license: None,
        runtimes: Vec::new(),
        architectures: Vec::new(),
    }
}

impl Shop {
    async fn publish_of(&self, new: NewVersion, content: &[u8]) -> Arc<LayerVersion> {
        let zip = zip_of(&[("f", 0o644, content)]);
        self.house.layers.publish_layer_version(&Caller::Anyone, new, zip.into()).await.unwrap()
    }

    async fn publish(&self, name: &str, content: &[u8]) -> Arc<LayerVersion> {
        self.publish_of(new_version(name), content).await
    }

    async fn create(&self, name: &str, layers: &[&str]) -> Result<Arc<Function>, Error> {
        let code = Source::Zip(zip_of(&[("app.py", 0o644, b"code")]));
        let contents = Contents { code: code.into(), layers: layers.iter().map(|&arn| arn.to_owned()).collect() };
        self.house.functions.create_function(&Caller::Anyone, self.house.new_function(name), contents, false).await
    }

    async fn use_layers(&self, name: &str, layers: &[&str]) -> Result<Arc<Function>, Error> {
        let layers = Some(layers.iter().map(|&arn| arn.to_owned()).collect());
        let edit = Edit { layers, ..Edit::of_settings(|current: &Configuration| Ok(current.clone())) };
        let target = self.house.target(name);
        self.house.functions.update_function_configuration(&Caller::Anyone, &target, edit, None).await
    }

    async fn sweep(&self) {
        self.house.functions.sweep_packages().await.unwrap();
    }
}

#[tokio::test]
async fn numbers_go_up_and_are_never_given_twice() {
    // LocalStack, whose tests are checked against AWS: test_layer_lifecycle, test_layer_deterministic_version.
    let shop = shop();
    let layers = &shop.house.layers;
    assert_eq!(shop.publish("l", b"one").await.arn(), "arn:aws:lambda:us-east-1:000000000000:layer:l:1");
    assert_eq!(shop.publish("l", b"one").await.number, 2, "the same contents are a version of their own");
    for number in [1, 2, 2, 9] {
        layers.delete_layer_version(&Caller::Anyone, &layer("l"), number).await.unwrap();
    }
    assert_eq!(refusal(layers.get_layer_version(&Caller::Anyone, &layer("l"), 2)), Refusal::LayerVersionUnknown);
    assert_eq!(shop.publish("l", b"two").await.number, 3);
    // Many at once get numbers of their own.
    let (a, b, c) = tokio::join!(shop.publish("l", b"a"), shop.publish("l", b"b"), shop.publish("l", b"c"));
    let mut numbers = [a.number, b.number, c.number];
    numbers.sort_unstable();
    assert_eq!(numbers, [4, 5, 6]);
}

#[tokio::test]
async fn listings_are_filtered_and_paged() {
    let shop = shop();
    let for_runtime = |name, runtime: &str| NewVersion { runtimes: vec![runtime.to_owned()], ..new_version(name) };
    shop.publish_of(for_runtime("a", "python3.12"), b"1").await;
    shop.publish_of(for_runtime("a", "nodejs22.x"), b"2").await;
    shop.publish_of(for_runtime("b", "nodejs22.x"), b"3").await;
    shop.publish("c", b"4").await;
    let (layers, caller) = (&shop.house.layers, Caller::Anyone);
    let list = |filter, after: Option<&str>, items| {
        let after = after.map(|name| layer(name).name);
        let page = layers.list_layers(&caller, filter, after.as_ref(), items).unwrap();
        let found: Vec<String> =
            page.items.iter().map(|found| format!("{}:{}", found.layer.name, found.number)).collect();
        (found.join(" "), page.next.map(|next| next.to_string()))
    };
    assert_eq!(list(Filter::default(), None, 2), ("a:2 b:1".into(), Some("b".into())));
    assert_eq!(list(Filter::default(), Some("b"), 2), ("c:1".into(), None));
    let python = Filter { runtime: Some("python3.12"), architecture: None };
    assert_eq!(list(python, None, 9), ("a:1".into(), None));
    let versions = |filter, below, items| {
        let page = layers.list_layer_versions(&caller, &layer("a"), filter, below, items).unwrap();
        (page.items.iter().map(|version| version.number).collect::<Vec<_>>(), page.next)
    };
    assert_eq!(versions(Filter::default(), None, 1), (vec![2], Some(2)));
    assert_eq!(versions(Filter::default(), Some(2), 1), (vec![1], None));
    assert_eq!(versions(python, None, 9), (vec![1], None));
    let none = layers.list_layer_versions(&caller, &layer("none"), Filter::default(), None, 9).unwrap();
    assert_eq!((none.items.len(), none.next), (0, None));
}

#[tokio::test]
async fn a_function_is_given_its_layers_in_order() {
    let shop = shop();
    let (one, two) = (shop.publish("one", b"1").await, shop.publish("two", b"2").await);
    shop.create("fn", &[&two.arn(), &one.arn()]).await.unwrap();
    let made = shop.house.settled("fn").await;
    let uses = |function: &Function| -> Vec<String> {
        function.configuration.layers.iter().map(|layer| layer.arn.clone()).collect()
    };
    assert_eq!(uses(&made), [two.arn(), one.arn()]);
    shop.house.invoke(shop.house.ask("fn", "1")).await.unwrap();
    let folders = shop.house.sandbox.started.lock().unwrap()[0].layers.clone();
    let expected = [&two, &one].map(|version| shop.packages.folder(version.package.digest));
    assert_eq!(folders, expected);

    shop.use_layers("fn", &[]).await.unwrap();
    assert!(uses(&*shop.house.settled("fn").await).is_empty());
}

#[tokio::test]
async fn a_deleted_version_stays_with_the_functions_that_have_it() {
    let shop = shop();
    let version = shop.publish("l", b"1").await;
    let digest = version.package.digest;
    shop.create("fn", &[&version.arn()]).await.unwrap();
    shop.house.settled("fn").await;
    shop.house.layers.delete_layer_version(&Caller::Anyone, &layer("l"), 1).await.unwrap();
    shop.sweep().await;
    assert!(shop.packages.folder(digest).is_dir(), "the function lost its layer");
    // Named anew it is gone.
    let gone = Refusal::LayerVersionNotFound { arn: version.arn(), is_for_function: true };
    assert_eq!(refusal(shop.use_layers("fn", &[&version.arn()]).await), gone);
    shop.use_layers("fn", &[]).await.unwrap();
    shop.house.settled("fn").await;
    shop.sweep().await;
    assert!(!shop.packages.folder(digest).exists(), "nobody has it any more");
}

#[tokio::test]
async fn what_a_function_cannot_have_is_refused() {
    // LocalStack, whose tests are checked against AWS: test_layer_function_exceptions, test_layer_function_quota_exception.
    let shop = shop();
    let mut arns = Vec::new();
    for name in ["a", "b", "c", "d", "e", "f"] {
        arns.push(shop.publish(name, name.as_bytes()).await.arn());
    }
    let second = shop.publish("a", b"2").await.arn();
    let all: Vec<&str> = arns.iter().map(String::as_str).collect();
    let other = if cfg!(target_arch = "aarch64") { "x86_64" } else { "arm64" };
    let foreign = NewVersion { architectures: vec![other.to_owned()], ..new_version("foreign") };
    let foreign = shop.publish_of(foreign, b"x").await.arn();
    let missing = "arn:aws:lambda:us-east-1:000000000000:layer:none:1";
    let elsewhere = "arn:aws:lambda:eu-west-1:000000000000:layer:a:1";
    let theirs = "arn:aws:lambda:us-east-1:123456789012:layer:a:1";
    let not_found = |arn: &str| Refusal::LayerVersionNotFound { arn: arn.to_owned(), is_for_function: true };
    let of_another = Refusal::LayerOfAnotherAccount {
        arn: theirs.to_owned(),
        action: "GetLayerVersion".to_owned(),
        account: "000000000000".to_owned(),
    };
    for (layers, expected) in [
        (&all[..], Refusal::TooManyLayers),
        (&[all[0], second.as_str()], Refusal::LayerTwice { first: arns[0].clone(), second: second.clone() }),
        (&[missing], not_found(missing)),
        (&[elsewhere], Refusal::LayerOfAnotherRegion { here: "us-east-1".to_owned() }),
        (&[theirs], of_another),
    ] {
        assert_eq!(refusal(shop.create("fn", layers).await), expected, "{layers:?}");
    }
    let refused = refusal(shop.create("fn", &[&foreign]).await);
    assert!(matches!(&refused, Refusal::LayerOfOtherArchitecture { asked, .. } if asked == other), "{refused:?}");
    shop.create("fn", &all[..5]).await.unwrap();
    shop.house.settled("fn").await;
    assert_eq!(refusal(shop.use_layers("fn", &[missing]).await), not_found(missing));
}

#[tokio::test]
async fn code_and_layers_share_one_limit() {
    let shop = shop();
    let most = usize::try_from(limits::UNZIPPED_BYTES).unwrap();
    let half = shop.publish("half", &vec![0; most / 2]).await.arn();
    let rest = shop.publish("rest", &vec![0; most / 2 - 3]).await.arn();
    // Four bytes of code, one too many.
    let refused = refusal(shop.create("fn", &[&half, &rest]).await);
    assert_eq!(refused, Refusal::LayersTooLarge { bytes: limits::UNZIPPED_BYTES + 1 });
    shop.create("fn", &[&half]).await.unwrap();
    shop.house.settled("fn").await;
    assert_eq!(refusal(shop.use_layers("fn", &[&rest, &half]).await), refused);
    let code = zip_of(&[("app.py", 0o644, &vec![0; most / 2 + 1])]);
    let target = shop.house.target("fn");
    let updated =
        shop.house.functions.update_function_code(&Caller::Anyone, &target, None, CodeUpdate::default(), code).await;
    assert_eq!(refusal(updated), refused);
}

#[tokio::test]
async fn policies_are_kept_with_their_version() {
    // LocalStack, whose tests are checked against AWS: test_layer_policy_lifecycle, test_layer_policy_exceptions.
    let shop = shop();
    let (layers, caller, name) = (&shop.house.layers, Caller::Anyone, layer("l"));
    shop.publish("l", b"1").await;
    let statement =
        |id: &str| LayerStatement { id: id.to_owned(), principal: "123456789012".to_owned(), organization: None };
    let missing = layers.add_layer_version_permission(&caller, (&name, 2), statement("s"), None).await;
    let arn = name.version(2);
    assert_eq!(refusal(missing), Refusal::LayerVersionNotFound { arn, is_for_function: false });
    assert_eq!(refusal(layers.get_layer_version_policy(&caller, &name, 1)), Refusal::NoPolicy);
    let one = layers.add_layer_version_permission(&caller, (&name, 1), statement("s1"), None).await.unwrap();
    let revision = one.policy.as_ref().unwrap().revision.to_string();
    layers.add_layer_version_permission(&caller, (&name, 1), statement("s2"), Some(revision.clone())).await.unwrap();
    let stale = layers.remove_layer_version_permission(&caller, (&name, 1), "s1".to_owned(), Some(revision)).await;
    assert_eq!(refusal(stale), Refusal::LayerRevisionMismatch);
    layers.remove_layer_version_permission(&caller, (&name, 1), "s1".to_owned(), None).await.unwrap();
    let left = layers.get_layer_version_policy(&caller, &name, 1).unwrap();
    let left: Vec<&str> = left.policy.as_ref().unwrap().statements.iter().map(|left| left.id.as_str()).collect();
    assert_eq!(left, ["s2"]);
    // Each about 240 bytes.
    let mut refused = None;
    for number in 0..200 {
        let added =
            layers.add_layer_version_permission(&caller, (&name, 1), statement(&number.to_string()), None).await;
        if let Err(error) = added {
            refused = Some(refusal(Err::<(), _>(error)));
            break;
        }
    }
    assert!(matches!(refused, Some(Refusal::PolicyTooLarge { bytes }) if bytes > limits::POLICY_BYTES), "{refused:?}");
}

#[tokio::test]
async fn code_comes_from_an_object_store() {
    // Recorded: test_lambda_code_location_s3, test_lambda_code_location_s3_errors, test_layer_s3_content.
    let shop = shop();
    let zip = zip_of(&[("app.py", 0o644, b"from a bucket")]);
    shop.house.objects.put("bucket", "key.zip", zip.clone());
    let object = |bucket: &str, key: &str| {
        Source::Object(ObjectName { bucket: bucket.to_owned(), key: key.to_owned(), version: None })
    };
    let create = async |source: Source| {
        let contents = Contents { code: source.into(), layers: Vec::new() };
        shop.house.functions.create_function(&Caller::Anyone, shop.house.new_function("fn"), contents, false).await
    };
    for (bucket, key, expected) in [("none", "key.zip", "NoSuchBucket"), ("bucket", "none", "NoSuchKey")] {
        let refused = refusal(create(object(bucket, key)).await);
        assert!(matches!(&refused, Refusal::ObjectRefused { code, .. } if code == expected), "{refused:?}");
    }
    let made = create(object("bucket", "key.zip")).await.unwrap();
    assert_eq!(made.code.bytes(), zip.len() as u64);
    let version =
        shop.house.layers.publish_layer_version(&Caller::Anyone, new_version("l"), object("bucket", "key.zip"));
    assert_eq!(Some(version.await.unwrap().package), made.code.package());
    shop.house.settled("fn").await;
    let target = shop.house.target("fn");
    let functions = &shop.house.functions;
    let updated = functions
        .update_function_code(&Caller::Anyone, &target, None, CodeUpdate::default(), object("none", "k"))
        .await;
    assert!(matches!(refusal(updated), Refusal::ObjectRefused { .. }));
    let (shown, _) = functions.get_function(&Caller::Anyone, Action::GetFunction, &target).unwrap();
    assert_eq!(shown.code, made.code);
    // Only what comes with the request is bounded by its own size.
    let bytes = usize::try_from(limits::ZIPPED_BYTES).unwrap() + 1;
    let refused = refusal(create(Source::Zip(vec![0; bytes].into())).await);
    assert_eq!(refused, Refusal::FunctionExists { name: shown.arn.name.clone() });
    functions.delete_function(&Caller::Anyone, &target).await.unwrap();
    assert_eq!(refusal(create(Source::Zip(vec![0; bytes].into())).await), Refusal::ZippedTooLarge);
}
