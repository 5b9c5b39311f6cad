//! What a runtime writes: read from its pipe, cut into lines at `\n` and nowhere else (recorded:
//! `test_multi_line_prints`), handed on in order.
//!
//! Never here: what a line means.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use engine::ports;
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::launcher;

/// Bytes of one line; a longer one comes in pieces (Amazon CloudWatch Logs user guide, quotas: event size 256 KB).
pub(crate) const LINE_BYTES_MAX: usize = 256 * 1024;
/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;
/// Bytes read before others get their turn.
const TURN_BYTES: usize = 2 * READ_BYTES;
/// Bytes read at most when everything written so far is wanted: what a pipe can hold at its largest, by default of
/// `/proc/sys/fs/pipe-max-size`. A runtime that goes on writing meanwhile cannot hold us.
const DRAIN_BYTES_MAX: usize = 1024 * 1024 + READ_BYTES;

/// The reading end of a runtime's output.
pub(crate) struct OutputPipe {
    pipe: AsyncFd<OwnedFd>,
    lines: Mutex<Lines>,
}

/// Bytes becoming lines.
struct Lines {
    unfinished: Vec<u8>,
    buffer: Vec<u8>,
    sink: Arc<dyn ports::Output>,
}

/// What one read brought.
enum Brought {
    Bytes(usize),
    NothingNow,
    End,
}

impl OutputPipe {
    /// A new pipe; the other end is for the runtime.
    pub(crate) fn new(sink: Arc<dyn ports::Output>) -> std::io::Result<(Arc<Self>, OwnedFd)> {
        let (read, write) = Self::ends()?;
        Ok((Self::reading(read, sink)?, write))
    }

    /// Both ends of a pipe of which it is not known yet who will hear what is written: what is read and what is written.
    pub(crate) fn ends() -> std::io::Result<(OwnedFd, OwnedFd)> {
        Ok(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?)
    }

    /// The reading end of such a pipe.
    pub(crate) fn reading(read: OwnedFd, sink: Arc<dyn ports::Output>) -> std::io::Result<Arc<Self>> {
        // Only our end: the runtime expects writes that wait.
        rustix::io::ioctl_fionbio(&read, true)?;
        let pipe = launcher::watch(read, Interest::READABLE)?;
        let lines = Mutex::new(Lines { unfinished: Vec::new(), buffer: Vec::new(), sink });
        Ok(Arc::new(Self { pipe, lines }))
    }

    /// Hands on lines as they come, until nobody can write any more.
    pub(crate) async fn pump(self: Arc<Self>) {
        loop {
            let Ok(mut ready) = self.pipe.readable().await else { return };
            let mut turn = 0;
            while turn < TURN_BYTES {
                match self.read_once() {
                    Brought::Bytes(bytes) => turn += bytes,
                    Brought::NothingNow => {
                        ready.clear_ready();
                        break;
                    }
                    Brought::End => {
                        self.flush();
                        return;
                    }
                }
            }
            // A flood must not keep the other environments waiting; what we do not read makes the writer wait.
            tokio::task::yield_now().await;
        }
    }

    /// Hands on everything that has been written by now, the rest of an unfinished line included. Asks the pipe
    /// itself: the reactor may not yet know that there is something.
    pub(crate) fn drain(&self) {
        let mut drained = 0;
        while drained < DRAIN_BYTES_MAX
            && let Brought::Bytes(bytes) = self.read_once()
        {
            drained += bytes;
        }
        self.flush();
    }

    fn read_once(&self) -> Brought {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let Lines { buffer, .. } = &mut *lines;
        if buffer.is_empty() {
            // An idle environment has no buffer: first ask with a small one on the stack.
            let mut small = [0; 512];
            return match rustix::io::retry_on_intr(|| rustix::io::read(self.pipe.get_ref(), &mut small)) {
                Ok(0) => Brought::End,
                Ok(bytes) => {
                    lines.add(&small[..bytes]);
                    if bytes == small.len() {
                        lines.buffer.resize(READ_BYTES, 0);
                    }
                    Brought::Bytes(bytes)
                }
                Err(Errno::AGAIN) => Brought::NothingNow,
                Err(_) => Brought::End,
            };
        }
        let mut buffer = std::mem::take(buffer);
        let read = rustix::io::retry_on_intr(|| rustix::io::read(self.pipe.get_ref(), &mut buffer[..]));
        match read {
            Ok(0) => Brought::End,
            Ok(bytes) => {
                lines.add(&buffer[..bytes]);
                lines.buffer = buffer;
                Brought::Bytes(bytes)
            }
            Err(Errno::AGAIN) => Brought::NothingNow,
            Err(_) => Brought::End,
        }
    }

    fn flush(&self) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).flush();
    }
}

impl Lines {
    fn add(&mut self, bytes: &[u8]) {
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.unfinished.is_empty() && line.ends_with(b"\n") && line.len() <= LINE_BYTES_MAX {
                self.sink.line(line);
                continue;
            }
            self.add_part(line);
        }
    }

    fn add_part(&mut self, mut part: &[u8]) {
        while !part.is_empty() {
            let room = LINE_BYTES_MAX - self.unfinished.len();
            let (now, later) = part.split_at(room.min(part.len()));
            self.unfinished.extend_from_slice(now);
            part = later;
            if self.unfinished.ends_with(b"\n") || self.unfinished.len() == LINE_BYTES_MAX {
                self.flush();
            }
        }
    }

    fn flush(&mut self) {
        if !self.unfinished.is_empty() {
            self.sink.line(&self.unfinished);
            self.unfinished = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Kept(Mutex<Vec<Vec<u8>>>);

    impl ports::Output for Kept {
        fn line(&self, line: &[u8]) {
            self.0.lock().unwrap().push(line.to_vec());
        }

        fn record(&self, _: &domain::log::Record) {}
    }

    #[track_caller]
    fn check(written: &[&[u8]], expected: &[&[u8]]) {
        let kept = Arc::new(Kept::default());
        let mut lines = Lines { unfinished: Vec::new(), buffer: Vec::new(), sink: kept.clone() };
        for part in written {
            lines.add(part);
        }
        lines.flush();
        assert_eq!(*kept.0.lock().unwrap(), expected);
    }

    #[test]
    fn lines_end_at_newlines_only() {
        check(&[b"a\nb\n"], &[b"a\n", b"b\n"]);
        check(&[b"another\rline\n"], &[b"another\rline\n"]);
        check(&[b"one", b" line\nrest"], &[b"one line\n", b"rest"]);
        check(&[b"\n\n"], &[b"\n", b"\n"]);
        check(&[b"\0\xff\xfe\n"], &[b"\0\xff\xfe\n"]);
        check(&[b""], &[]);
    }

    #[test]
    fn a_line_without_end_comes_in_pieces() {
        let long = vec![b'x'; 2 * LINE_BYTES_MAX + 1];
        let full = vec![b'x'; LINE_BYTES_MAX];
        check(&[&long], &[&full, &full, b"x"]);
        check(&[&full, b"\n"], &[&full, b"\n"]);
    }
}
