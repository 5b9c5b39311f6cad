//! A panic is a bug of ours; whoever met it reads so, and everybody else goes on.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use domain::arn::Home;
use domain::function::{Digest, Package};
use domain::{Error, Fault};
use engine::ports::{Kept, Packages, Removal, Wait};
use testkit::dice::LoadedDice;
use testkit::house::{Bounds, House};
use testkit::mappings::{FakeQueues, MemoryMappings};
use testkit::records::MemoryRecords;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use wire::server::Api;

/// Packages with a bug in every line.
struct Broken;

impl Packages for Broken {
    fn keep(&self, _: Bytes) -> Wait<'_, Result<Kept, Error>> {
        Box::pin(async { panic!("a bug") })
    }

    fn hold(&self, _: Package) -> Wait<'_, Result<Option<Kept>, Fault>> {
        panic!("a bug")
    }

    fn unpacked_bytes(&self, _: Digest) -> Wait<'_, Result<u64, Fault>> {
        panic!("a bug")
    }

    fn zip(&self, _: Digest) -> Wait<'_, Result<Option<Bytes>, Fault>> {
        panic!("a bug")
    }

    fn folder(&self, _: Digest) -> PathBuf {
        panic!("a bug")
    }

    fn retain(&self, _: Vec<Digest>) -> Wait<'_, Result<Removal, Fault>> {
        panic!("a bug")
    }
}

#[tokio::test]
async fn a_panic_is_answered_as_a_failure_of_ours_and_the_connection_goes_on() {
    let house = House::over(Arc::new(MemoryRecords::new()), Arc::new(Broken), Bounds::default());
    let home = Home { partition: "aws".into(), region: "us-east-1".into(), account: "000000000000".into() };
    let dice = Arc::new(LoadedDice::default());
    let queues = FakeQueues::new(house.clock.clone(), false);
    let mappings = house.mappings(Arc::new(MemoryMappings::default()), queues);
    let api = Api::new(
        home,
        (house.functions.clone(), house.layers.clone()),
        (house.invoker.clone(), house.events.clone(), mappings),
        house.queues.clone(),
        (house.clock.clone(), dice),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    engine::tasks::spawn("the API", api.serve(listener, std::future::pending())).detach();

    let body = r#"{"FunctionName":"fn","Role":"arn:aws:iam::000000000000:role/r","Runtime":"python3.12","Handler":"app.handler","Code":{"ZipFile":"UEs="}}"#;
    let create =
        format!("POST /2015-03-31/functions HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let list = "GET /2015-03-31/functions HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    stream.write_all((create + list).as_bytes()).await.unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    assert!(answers.starts_with("HTTP/1.1 500 "), "{answers}");
    // Observed on AWS: ServiceException, its Type and its text.
    assert!(answers.contains("x-amzn-errortype: ServiceException\r\n"), "{answers}");
    assert!(answers.contains(r#"{"Type":"Service","Message":"An internal error occurred."#), "{answers}");
    assert!(answers.contains("HTTP/1.1 200 OK\r\n"), "the next request on the connection: {answers}");
}
