//! How long the server waits for a client that has stopped, in a time that only the test moves.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use domain::arn::Home;
use testkit::clock::HandClock;
use testkit::dice::LoadedDice;
use testkit::house::{Bounds, House};
use testkit::mappings::{FakeQueues, MemoryMappings};
use testkit::packages::MemoryPackages;
use testkit::records::MemoryRecords;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use wire::server::Api;

/// The API on a port of its own, and the clock it goes by.
async fn served() -> (SocketAddr, Arc<HandClock>) {
    let records = Arc::new(MemoryRecords::new());
    let packages = Arc::new(MemoryPackages::beside(records.clone()));
    let house = House::over(records, packages, Bounds::default());
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
    let address = listener.local_addr().unwrap();
    engine::tasks::spawn("the API", api.serve(listener, std::future::pending())).detach();
    (address, house.clock)
}

/// Sends bytes and leaves the connection open.
async fn begun(address: SocketAddr, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    stream
}

/// All that comes until the server closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    stream.read_to_end(&mut text).await.unwrap();
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn a_body_that_stops_is_given_up_after_half_a_minute() {
    let (address, clock) = served().await;
    let head = "POST /2015-03-31/functions HTTP/1.1\r\nHost: h\r\n";
    for start in ["Content-Length: 100\r\n\r\n{}", "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"] {
        let mut stream = begun(address, &format!("{head}{start}")).await;
        while clock.sleepers() == 0 {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(29));
        assert_eq!(clock.sleepers(), 1, "it waits on");
        clock.advance(Duration::from_secs(1));
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
        let text = r#"{"Type":"User","message":"The body stopped after 2 bytes: it may be quiet for 30 seconds and take 600 in all."}"#;
        assert!(answer.ends_with(text), "{answer}");
    }
}

/// The time here is tokio's, which goes on by itself as soon as nobody has anything else to do.
#[tokio::test(start_paused = true)]
async fn a_connection_that_says_nothing_is_closed_after_a_minute() {
    let (address, _) = served().await;
    for (begins, answers) in [
        ("", ""),
        ("POST /2015-03-31/functions HTTP/1.1\r\nContent-Le", ""),
        ("GET /_lambd/health HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\n"),
    ] {
        let mut stream = begun(address, begins).await;
        let start = tokio::time::Instant::now();
        let answer = rest(&mut stream).await;
        let waited = start.elapsed();
        assert!(answer.starts_with(answers), "{begins:?}: {answer}");
        assert!((60..62).contains(&waited.as_secs()), "{begins:?}: {waited:?}");
        // Nothing is said into a connection on which nothing was asked: a client would take it for its next answer.
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{begins:?}: {answer}");
    }
}
