//! A server that answers what it was told to, in order, and notes each request: what moto does not look at.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;

/// A running one. It ends after its last answer.
pub(crate) struct Recorder {
    pub(crate) url: String,
    answers: JoinHandle<Vec<Recorded>>,
}

/// A request.
pub(crate) struct Recorded {
    /// Method and path.
    pub(crate) line: String,
    /// Small letters, `name: value`.
    pub(crate) headers: Vec<String>,
    pub(crate) body: String,
}

impl Recorded {
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        found.unwrap_or_else(|| panic!("no {name} in {:?}", self.headers))
    }
}

impl Recorder {
    /// Each answer is its status, headers with their line breaks, and body.
    pub(crate) fn start(answers: &'static [(u16, &'static str, &'static str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serve = move |(status, headers, body): &(u16, &str, &str)| {
            let mut stream = BufReader::new(listener.accept().unwrap().0);
            let mut head = stream.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty());
            let line = head.next().unwrap();
            let lower = |line: String| {
                line.split_once(": ").map(|(name, value)| format!("{}: {value}", name.to_lowercase())).unwrap()
            };
            let headers_in: Vec<String> = head.map(lower).collect();
            let length = headers_in.iter().find_map(|line| line.strip_prefix("content-length: "));
            let mut whole = vec![0; length.map_or(0, |length| length.parse().unwrap())];
            stream.read_exact(&mut whole).unwrap();
            let answer = format!(
                "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
                body.len()
            );
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
            Recorded { line, headers: headers_in, body: String::from_utf8(whole).unwrap() }
        };
        Self { url, answers: std::thread::spawn(move || answers.iter().map(serve).collect()) }
    }

    /// What was asked, after all answers are given.
    pub(crate) fn finish(self) -> Vec<Recorded> {
        self.answers.join().unwrap()
    }
}
