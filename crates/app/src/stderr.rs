//! Standard error, written by a thread of its own: a terminal that stands still or a pipe that nobody reads holds up
//! nobody else. Lines that find no more room are dropped and counted.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Bytes that may wait to be written.
const WAITING_BYTES_MAX: usize = 1024 * 1024;
/// From so many bytes on they are written without being told to.
const WAITING_BYTES_ENOUGH: usize = 64 * 1024;
/// How long anybody waits for what is not yet written.
const FINISH_WAIT: Duration = Duration::from_secs(1);

/// See the module. Clones write to the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stderr(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    /// Lines for which there was no room since the last writing.
    dropped: u64,
    is_due: bool,
    is_writing: bool,
}

impl State {
    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.dropped == 0
    }
}

impl Stderr {
    /// Starts the thread.
    ///
    /// # Errors
    /// There can be no further thread.
    pub(crate) fn start() -> io::Result<Self> {
        Self::over(io::stderr())
    }

    fn over(sink: impl Write + Send + 'static) -> io::Result<Self> {
        let stderr = Self::default();
        let shared = stderr.0.clone();
        thread::Builder::new().name("stderr".to_owned()).spawn(move || shared.write_all(sink))?;
        Ok(stderr)
    }

    /// Adds a line, given in pieces; it is written at the next [`Stderr::write_out`] or when much has come together.
    pub(crate) fn line(&self, pieces: &[&[u8]]) {
        let mut state = self.0.lock();
        let bytes: usize = pieces.iter().map(|piece| piece.len()).sum();
        if state.waiting.len() + bytes > WAITING_BYTES_MAX {
            state.dropped += 1;
            return;
        }
        for piece in pieces {
            state.waiting.extend_from_slice(piece);
        }
        if state.waiting.len() >= WAITING_BYTES_ENOUGH {
            self.0.make_due(state);
        }
    }

    /// Has what waits written, in the background.
    pub(crate) fn write_out(&self) {
        let state = self.0.lock();
        if !state.is_empty() {
            self.0.make_due(state);
        }
    }

    /// Has what waits written, and waits for it, though not for long: whoever does not read misses it.
    pub(crate) fn finish(&self) {
        self.write_out();
        let unwritten = |state: &mut State| state.is_writing || !state.is_empty();
        drop(self.0.changed.wait_timeout_while(self.0.lock(), FINISH_WAIT, unwritten));
    }
}

/// The engine's own log comes a line at a time, and people wait for it.
impl Write for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.line(&[line]);
        self.write_out();
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make_due(&self, mut state: MutexGuard<'_, State>) {
        if !state.is_due {
            state.is_due = true;
            drop(state);
            self.changed.notify_all();
        }
    }

    /// The thread's whole life. When the other end is closed there is nobody left to tell.
    fn write_all(&self, mut sink: impl Write) {
        let mut lines = Vec::new();
        loop {
            let mut state =
                self.changed.wait_while(self.lock(), |state| !state.is_due).unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut lines, &mut state.waiting);
            let dropped = std::mem::take(&mut state.dropped);
            (state.is_due, state.is_writing) = (false, true);
            drop(state);
            let _ = sink.write_all(&lines);
            if dropped > 0 {
                let _ = writeln!(sink, "lambd: {dropped} lines are missing here: standard error is read too slowly");
            }
            let _ = sink.flush();
            lines.clear();
            self.lock().is_writing = false;
            self.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Takes what is written only when the test lets it.
    struct Slow {
        let_go: mpsc::Receiver<()>,
        written: mpsc::Sender<Vec<u8>>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.let_go.recv().map_err(io::Error::other)?;
            self.written.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slow() -> (Stderr, mpsc::Sender<()>, mpsc::Receiver<Vec<u8>>) {
        let ((let_go, gate), (written, seen)) = (mpsc::channel(), mpsc::channel());
        (Stderr::over(Slow { let_go: gate, written }).unwrap(), let_go, seen)
    }

    #[test]
    fn nobody_waits_for_who_reads_slowly_and_what_is_missing_is_counted() {
        let (mut stderr, let_go, seen) = slow();
        stderr.write_all(b"first\n").unwrap();
        // The thread is at it as soon as nothing waits any more.
        while !stderr.0.lock().is_empty() {
            thread::yield_now();
        }
        let line = [b'x'; 1024];
        for _ in 0..WAITING_BYTES_MAX / line.len() + 3 {
            stderr.line(&[&line]);
        }
        assert_eq!(stderr.0.lock().waiting.len(), WAITING_BYTES_MAX);
        for expected in [6, WAITING_BYTES_MAX] {
            let_go.send(()).unwrap();
            assert_eq!(seen.recv().unwrap().len(), expected);
        }
        drop(let_go);
        stderr.finish();
    }

    #[test]
    fn lines_that_are_missing_are_counted() {
        let (stderr, let_go, seen) = slow();
        stderr.line(&[&vec![b'x'; WAITING_BYTES_MAX + 1]]);
        stderr.line(&[b"fn | ", b"printed\n"]);
        for _ in 0..9 {
            let_go.send(()).unwrap();
        }
        stderr.finish();
        drop((stderr, let_go));
        let written: Vec<u8> = seen.try_iter().flatten().collect();
        let text = String::from_utf8(written).unwrap();
        assert_eq!(text, "fn | printed\nlambd: 1 lines are missing here: standard error is read too slowly\n");
    }
}
