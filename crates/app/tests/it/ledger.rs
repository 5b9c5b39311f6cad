//! A book that functions write into: it belongs to the test, so it outlives any engine, and a line is in it before the
//! function goes on.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use crate::engine_process::GUARD;

/// Python that writes a line: `tell(text)`, in a function whose variable `LEDGER` names the port.
pub(crate) const TELL: &str = r#"
import os, socket
def tell(line):
    with socket.create_connection(("127.0.0.1", int(os.environ["LEDGER"]))) as ledger:
        ledger.sendall(line.encode() + b"\n")
        ledger.recv(1)
"#;

/// See the module.
pub(crate) struct Ledger<T> {
    port: u16,
    book: Arc<Book<T>>,
}

struct Book<T> {
    kept: Mutex<T>,
    more: Condvar,
}

impl<T: Default + Send + 'static> Ledger<T> {
    /// Opens one; `write` takes in each line.
    pub(crate) fn open(write: impl Fn(&mut T, &str) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let book = Arc::new(Book { kept: Mutex::new(T::default()), more: Condvar::new() });
        let written = book.clone();
        let write = Arc::new(Mutex::new(write));
        // Ends with the test's process: the next line may come at any time.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (written, write) = (written.clone(), write.clone());
                // One each: a function that is ended in mid-line holds up nobody.
                std::thread::spawn(move || {
                    let mut line = String::new();
                    let mut stream: BufReader<TcpStream> = BufReader::new(stream.unwrap());
                    if stream.read_line(&mut line).is_ok() && line.ends_with('\n') {
                        write.lock().unwrap()(&mut written.kept.lock().unwrap(), line.trim_end());
                        written.more.notify_all();
                        // Nor does one that was ended meanwhile wait for the answer.
                        let _ = stream.get_mut().write_all(b".");
                    }
                });
            }
        });
        Self { port, book }
    }

    /// The value of `LEDGER`.
    pub(crate) fn port(&self) -> String {
        self.port.to_string()
    }

    /// What it says at this moment.
    pub(crate) fn read(&self) -> MutexGuard<'_, T> {
        self.book.kept.lock().unwrap()
    }

    /// Writes a line of the test's own.
    pub(crate) fn write(&self, change: impl FnOnce(&mut T)) {
        change(&mut self.read());
        self.book.more.notify_all();
    }

    /// Waits until nothing is missing any more, for as long as a test may take; says what was missing at the end.
    #[track_caller]
    pub(crate) fn wait(&self, missing: impl Fn(&T) -> Option<String>) {
        let book = self.read();
        let (kept, _) = self.book.more.wait_timeout_while(book, GUARD, |kept| missing(kept).is_some()).unwrap();
        let left = missing(&kept);
        drop(kept);
        assert_eq!(left, None, "not within {} s", GUARD.as_secs());
    }
}
