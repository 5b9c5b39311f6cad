//! What the engine, the spawner and the inits say to one another: one message per packet, descriptors beside it.
//!
//! Never here: what anybody does about it.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use domain::environment::Exit;

/// Bytes of one message. Variables are limited to 4 KB by Lambda, paths by the kernel to 4 KB each.
pub(crate) const MESSAGE_BYTES_MAX: usize = 128 * 1024;
/// Descriptors beside one message.
pub(crate) const DESCRIPTORS_MAX: usize = 4;

/// Engine to spawner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// The first message: how views are made.
    Configure(Configuration),
    /// Start an init for a new environment; beside it the init's end of its control socket.
    Prepare(Places),
}

/// What the spawner must know at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Configuration {
    /// An empty folder on which the base view is mounted.
    pub mount_point: PathBuf,
    /// Whether to try for views at all.
    pub own_paths: bool,
}

/// Spawner to engine, once, in answer to [`Request::Configure`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    /// `None` where environments have paths of their own, else why they cannot.
    pub refused: Option<Refused>,
    /// Why there can be no environment at all.
    pub unusable: Option<Refused>,
}

/// A step that the kernel refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// What was tried, named after the system call.
    pub step: String,
    /// The kernel's answer.
    pub errno: i32,
}

/// The folders of one environment on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    /// Becomes `/var/task`, read-only.
    pub code: PathBuf,
    /// Becomes `/var/runtime`, read-only.
    pub clients: PathBuf,
    /// Becomes `/tmp`.
    pub storage: PathBuf,
    /// Become `/opt` together, read-only; a later one covers an earlier one.
    pub layers: Vec<PathBuf>,
    /// Folders of the host that the view would hide and the runtime needs: kept where they are, read-only.
    pub kept: Vec<PathBuf>,
}

/// Engine to init.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Start a runtime beside the extensions of the same serial, having ended whatever else runs; beside it the pipe for
    /// its output.
    Start(Start),
    /// Start an extension beside those of the same serial, having ended whatever else runs; beside it the pipe for its
    /// output.
    StartExtension {
        /// Told back at its end.
        number: u32,
        /// How.
        start: Start,
    },
    /// End whatever runs.
    Reset,
    /// Do something to what runs, and say nothing.
    Quietly(Deed),
}

/// What an init does without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Let everything stand still.
    Freeze,
    /// Let everything go on.
    Thaw,
    /// Ask the runtime to end.
    TerminateRuntime,
    /// End the runtime.
    KillRuntime,
}

/// How to start a runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    /// Told back in [`Told::Exited`], so that the end of an earlier runtime is not taken for that of this one.
    pub serial: u32,
    /// The first of these that is a file is run.
    pub programs: Vec<PathBuf>,
    /// Its arguments, without the program itself.
    pub arguments: Vec<OsString>,
    /// Its whole environment, `KEY=value`.
    pub variables: Vec<OsString>,
    /// Where it starts.
    pub folder: PathBuf,
}

/// Init to engine; the first one is the spawner's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// The init runs; beside it its pidfd.
    Spawned {
        /// Its pid as the spawner sees it.
        pid: i32,
    },
    /// The view stands.
    Prepared {
        /// The files in `/opt/extensions`, in the order of their names.
        extensions: Vec<PathBuf>,
    },
    /// It does not.
    Unprepared(Refused),
    /// The runtime has been executed; beside it its `/proc` files `stat` and `status`.
    Started,
    /// No program was found.
    NoProgram,
    /// The program could not be executed.
    NotExecuted {
        /// Which.
        program: PathBuf,
        /// The kernel's answer.
        errno: i32,
    },
    /// An extension has been executed; beside it its `/proc` files `stat` and `status`.
    ExtensionStarted,
    /// An extension ended.
    ExtensionExited {
        /// Of which start.
        serial: u32,
        /// Which.
        number: u32,
        /// How.
        exit: Exit,
    },
    /// The runtime ended, and everything with it unless there are extensions.
    Exited {
        /// Of which start.
        serial: u32,
        /// How.
        exit: Exit,
        /// The most memory that it ever had.
        peak_bytes: u64,
    },
    /// Everything has ended, as ordered.
    WasReset,
}

/// A message that can be put into bytes and read back.
pub(crate) trait Message: Sized {
    /// Appends itself.
    fn write(&self, out: &mut Writer);
    /// Reads itself; `None` where the bytes are not such a message.
    fn read(from: &mut Reader<'_>) -> Option<Self>;

    /// The message as one packet.
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer(Vec::with_capacity(256));
        self.write(&mut out);
        out.0
    }

    /// The message in a packet, which it fills exactly.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = Reader(bytes);
        let message = Self::read(&mut from)?;
        from.0.is_empty().then_some(message)
    }
}

/// Bytes being written: numbers little-endian, texts with their length before them.
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    fn tag(&mut self, tag: u8) {
        self.0.push(tag);
    }

    fn number(&mut self, number: i32) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn long(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn text(&mut self, text: &[u8]) {
        self.number(i32::try_from(text.len()).unwrap_or(i32::MAX));
        self.0.extend_from_slice(text);
    }

    fn path(&mut self, path: &Path) {
        self.text(path.as_os_str().as_bytes());
    }

    fn list<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.number(i32::try_from(items.len()).unwrap_or(i32::MAX));
        for item in items {
            write(self, item);
        }
    }
}

/// Bytes being read.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn tag(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn number(&mut self) -> Option<i32> {
        self.take(4).and_then(|bytes| bytes.try_into().ok()).map(i32::from_le_bytes)
    }

    fn long(&mut self) -> Option<u64> {
        self.take(8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes)
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    fn text(&mut self) -> Option<OsString> {
        let length = self.length()?;
        self.take(length).map(|bytes| OsString::from_vec(bytes.to_vec()))
    }

    fn path(&mut self) -> Option<PathBuf> {
        self.text().map(PathBuf::from)
    }

    fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let length = self.length()?;
        // Each item has at least four bytes, so a lying length cannot make us allocate.
        (length <= self.0.len() / 4).then_some(())?;
        (0..length).map(|_| read(self)).collect()
    }
}

impl Message for Request {
    fn write(&self, out: &mut Writer) {
        match self {
            Self::Configure(Configuration { mount_point, own_paths }) => {
                out.tag(0);
                out.path(mount_point);
                out.tag(u8::from(*own_paths));
            }
            Self::Prepare(Places { code, clients, storage, layers, kept }) => {
                out.tag(1);
                out.path(code);
                out.path(clients);
                out.path(storage);
                out.list(layers, |out, path| out.path(path));
                out.list(kept, |out, path| out.path(path));
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(match from.tag()? {
            0 => Self::Configure(Configuration { mount_point: from.path()?, own_paths: from.tag()? != 0 }),
            1 => Self::Prepare(Places {
                code: from.path()?,
                clients: from.path()?,
                storage: from.path()?,
                layers: from.list(Reader::path)?,
                kept: from.list(Reader::path)?,
            }),
            _ => return None,
        })
    }
}

impl Message for Refused {
    fn write(&self, out: &mut Writer) {
        out.text(self.step.as_bytes());
        out.number(self.errno);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self { step: from.text()?.into_string().ok()?, errno: from.number()? })
    }
}

impl Message for Hello {
    fn write(&self, out: &mut Writer) {
        for refused in [&self.refused, &self.unusable] {
            out.tag(u8::from(refused.is_some()));
            if let Some(refused) = refused {
                refused.write(out);
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let mut refused = || match from.tag()? {
            0 => Some(None),
            _ => Refused::read(from).map(Some),
        };
        Some(Self { refused: refused()?, unusable: refused()? })
    }
}

impl Message for Start {
    fn write(&self, out: &mut Writer) {
        out.number(self.serial.cast_signed());
        out.list(&self.programs, |out, path| out.path(path));
        out.list(&self.arguments, |out, text| out.text(text.as_bytes()));
        out.list(&self.variables, |out, text| out.text(text.as_bytes()));
        out.path(&self.folder);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            serial: from.number()?.cast_unsigned(),
            programs: from.list(Reader::path)?,
            arguments: from.list(Reader::text)?,
            variables: from.list(Reader::text)?,
            folder: from.path()?,
        })
    }
}

impl Message for Order {
    fn write(&self, out: &mut Writer) {
        match self {
            Self::Start(start) => {
                out.tag(0);
                start.write(out);
            }
            Self::Reset => out.tag(1),
            Self::StartExtension { number, start } => {
                out.tag(2);
                out.number(number.cast_signed());
                start.write(out);
            }
            Self::Quietly(deed) => {
                out.tag(3);
                out.tag(match deed {
                    Deed::Freeze => 0,
                    Deed::Thaw => 1,
                    Deed::TerminateRuntime => 2,
                    Deed::KillRuntime => 3,
                });
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(match from.tag()? {
            0 => Self::Start(Start::read(from)?),
            1 => Self::Reset,
            2 => Self::StartExtension { number: from.number()?.cast_unsigned(), start: Start::read(from)? },
            3 => Self::Quietly(match from.tag()? {
                0 => Deed::Freeze,
                1 => Deed::Thaw,
                2 => Deed::TerminateRuntime,
                3 => Deed::KillRuntime,
                _ => return None,
            }),
            _ => return None,
        })
    }
}

impl Message for Exit {
    fn write(&self, out: &mut Writer) {
        match self {
            Self::Status(status) => {
                out.tag(0);
                out.number(*status);
            }
            Self::Signal(signal) => {
                out.tag(1);
                out.number(*signal);
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(match from.tag()? {
            0 => Self::Status(from.number()?),
            _ => Self::Signal(from.number()?),
        })
    }
}

impl Message for Told {
    fn write(&self, out: &mut Writer) {
        match self {
            Self::Spawned { pid } => {
                out.tag(0);
                out.number(*pid);
            }
            Self::Prepared { extensions } => {
                out.tag(1);
                out.list(extensions, |out, path| out.path(path));
            }
            Self::Unprepared(refused) => {
                out.tag(2);
                refused.write(out);
            }
            Self::Started => out.tag(3),
            Self::NoProgram => out.tag(4),
            Self::NotExecuted { program, errno } => {
                out.tag(5);
                out.path(program);
                out.number(*errno);
            }
            Self::Exited { serial, exit, peak_bytes } => {
                out.tag(6);
                out.number(serial.cast_signed());
                out.long(*peak_bytes);
                exit.write(out);
            }
            Self::WasReset => out.tag(7),
            Self::ExtensionStarted => out.tag(8),
            Self::ExtensionExited { serial, number, exit } => {
                out.tag(9);
                out.number(serial.cast_signed());
                out.number(number.cast_signed());
                exit.write(out);
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(match from.tag()? {
            0 => Self::Spawned { pid: from.number()? },
            1 => Self::Prepared { extensions: from.list(Reader::path)? },
            2 => Self::Unprepared(Refused::read(from)?),
            3 => Self::Started,
            4 => Self::NoProgram,
            5 => Self::NotExecuted { program: from.path()?, errno: from.number()? },
            6 => {
                let serial = from.number()?.cast_unsigned();
                let peak_bytes = from.long()?;
                Self::Exited { serial, exit: Exit::read(from)?, peak_bytes }
            }
            7 => Self::WasReset,
            8 => Self::ExtensionStarted,
            9 => {
                let (serial, number) = (from.number()?.cast_unsigned(), from.number()?.cast_unsigned());
                Self::ExtensionExited { serial, number, exit: Exit::read(from)? }
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<M: Message + PartialEq + std::fmt::Debug>(message: &M) {
        let bytes = message.encode();
        assert_eq!(M::decode(&bytes).as_ref(), Some(message));
        for cut in 0..bytes.len() {
            assert_eq!(M::decode(&bytes[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn every_message_is_read_back_and_no_part_of_it_is_taken_for_one() {
        let path = PathBuf::from(OsString::from_vec(b"/data/\xff".to_vec()));
        check(&Request::Configure(Configuration { mount_point: path.clone(), own_paths: true }));
        check(&Request::Prepare(Places {
            code: path.clone(),
            clients: "/c".into(),
            storage: "/s".into(),
            layers: vec!["/l/2".into(), "/l/1".into()],
            kept: vec![path.clone(), "/opt/x".into()],
        }));
        let refused = || Some(Refused { step: "unshare".into(), errno: 1 });
        check(&Hello { refused: refused(), unusable: None });
        check(&Hello { refused: refused(), unusable: refused() });
        check(&Hello { refused: None, unusable: None });
        let start = Start {
            serial: u32::MAX,
            programs: vec![path.clone()],
            arguments: vec!["-a".into()],
            variables: vec!["A=b".into(), "C=".into()],
            folder: "/var/task".into(),
        };
        check(&Order::Start(start.clone()));
        check(&Order::StartExtension { number: 9, start });
        check(&Order::Reset);
        for deed in [Deed::Freeze, Deed::Thaw, Deed::TerminateRuntime, Deed::KillRuntime] {
            check(&Order::Quietly(deed));
        }
        for told in [
            Told::Spawned { pid: 7 },
            Told::Prepared { extensions: vec![path.clone()] },
            Told::ExtensionStarted,
            Told::ExtensionExited { serial: 3, number: 1, exit: Exit::Status(0) },
            Told::Unprepared(Refused { step: "mount".into(), errno: 22 }),
            Told::Started,
            Told::NoProgram,
            Told::NotExecuted { program: path, errno: 8 },
            Told::Exited { serial: 3, exit: Exit::Signal(9), peak_bytes: 0 },
            Told::Exited { serial: 3, exit: Exit::Status(127), peak_bytes: u64::MAX },
            Told::WasReset,
        ] {
            check(&told);
        }
    }

    #[test]
    fn a_lying_length_is_refused() {
        let mut bytes = vec![1];
        for _ in 0..4 {
            bytes.extend_from_slice(&0i32.to_le_bytes());
        }
        bytes.extend_from_slice(&i32::MAX.to_le_bytes());
        assert_eq!(Request::decode(&bytes), None);
    }
}
