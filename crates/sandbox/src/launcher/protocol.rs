//! What the engine, the spawner and the inits say to one another: one message per packet, descriptors beside it.
//!
//! Never here: what anybody does about it.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use domain::environment::Exit;

use super::probe::Probe;
use crate::network::Inside;
use crate::settings::Isolation;

/// Bytes of one message. Variables are limited to 4 KB by Lambda, paths by the kernel to 4 KB each.
pub(crate) const MESSAGE_BYTES_MAX: usize = 128 * 1024;
/// Descriptors beside one message: mounts or sockets of an environment.
pub(crate) const DESCRIPTORS_MAX: usize = 32;

/// Engine to spawner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// The first message: how environments are made.
    Configure(Configuration),
    /// Start an init for a new environment; beside it the init's end of its control socket.
    Prepare(Preparation),
    /// Give an environment its folders; beside it the engine's end of the init's control socket, so that the spawner
    /// can order in the engine's name, and the mounts that are given.
    Furnish(Furniture),
    /// When the engine is gone, thaw the groups in this folder: what v1 has frozen does not die.
    ThawAtEnd(PathBuf),
}

/// What the spawner must know at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Configuration {
    /// An empty folder on which the base view is mounted.
    pub mount_point: PathBuf,
    /// The best level to try for.
    pub best: Isolation,
    /// Whether to try for views at level `process`.
    pub own_paths: bool,
    /// The first user and group number of the host that environments may use.
    pub first_user: u32,
    /// What isolated environments see as `/etc/resolv.conf`.
    pub resolv_conf: String,
}

/// Spawner to engine, once, in answer to [`Request::Configure`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    /// The level in force.
    pub level: Isolation,
    /// Why no better one: each that was tried, the best first.
    pub refused: Vec<(Isolation, Refused)>,
    /// `None` where environments have paths of their own, else why they cannot.
    pub no_paths: Option<Refused>,
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

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.errno {
            0 => f.write_str(&self.step),
            errno => write!(f, "{}: {}", self.step, std::io::Error::from_raw_os_error(errno)),
        }
    }
}

/// What an environment is before it has a function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Preparation {
    /// Ports of its own loopback interface to listen at; the listening sockets come beside [`Told::Entered`] in this
    /// order. Nobody listens where it shares the host's network.
    pub ports: Vec<u16>,
    /// Where to listen in behalf of the host; these sockets come next.
    pub doors: Vec<SocketAddr>,
    /// Whether to bind the sockets of a name service, by UDP and by TCP; they come last.
    pub name_service: bool,
    /// Whether its root is made of an image's layers, and not the runtimes' base view.
    pub is_image: bool,
    /// These layers, a later one over an earlier one.
    pub root: Vec<PathBuf>,
}

/// Folders of an environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Furniture {
    /// What is to be where.
    pub mounts: Vec<Mounting>,
    /// Where extensions may be; of two of one name the later one is started.
    pub extensions_in: Vec<PathBuf>,
}

/// Something of the host at a place of the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mounting {
    /// What.
    pub source: Source,
    /// Where.
    pub at: PathBuf,
}

/// What can be mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A folder of the host, to be read.
    ReadOnly(PathBuf),
    /// A folder of the host that the function may fill.
    Storage(PathBuf),
    /// The mount beside the message.
    Given,
    /// Folders over one another, to be read; a later one covers an earlier one.
    Layers {
        /// The folders.
        folders: Vec<PathBuf>,
        /// Names of folders that must be there below it, because something else is mounted on them.
        places: Vec<PathBuf>,
    },
}

/// Engine to init.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Mount what is beside it at these places. The spawner gives this order.
    Furnish {
        /// Where; storage is the one place that may be written to.
        at: Vec<PathBuf>,
        /// Where extensions may be.
        extensions_in: Vec<PathBuf>,
    },
    /// Let whatever runs reach these and nothing else of the host that is not everybody's. The spawner gives this
    /// order.
    Confine {
        /// Folders to read.
        read: Vec<PathBuf>,
        /// Folders to fill.
        write: Vec<PathBuf>,
        /// Where extensions may be.
        extensions_in: Vec<PathBuf>,
    },
    /// What was to be mounted could not be had; to be told back. The spawner gives this order.
    Unfurnished(Refused),
    /// Make a socket in the environment's network.
    Socket,
    /// Configure its network; answered by [`Told::Networked`].
    Network(Inside),
    /// Try to get out.
    Probe(Probe),
    /// Start a runtime beside the extensions of the same serial, having ended whatever else runs; beside it the pipe for
    /// its output.
    Start(Start),
    /// The same of a runtime whose function is not known yet; between the pipe for its output and the rest stands the one
    /// on which it hears of it.
    StartStem(Start),
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
    /// The init runs; beside it its pidfd, and its network namespace where it has one of its own.
    Spawned {
        /// Its pid as the spawner sees it.
        pid: i32,
    },
    /// It waits for its folders; beside it the listening sockets that were asked for.
    Entered,
    /// The folders are there.
    Prepared {
        /// The files in the folders of extensions, in the order of their names.
        extensions: Vec<PathBuf>,
    },
    /// A step of making the environment failed.
    Unprepared(Refused),
    /// Its network is as ordered.
    Networked,
    /// What of an attempt to get out went otherwise than it should.
    Probed(Option<Refused>),
    /// Beside it a TCP socket of the environment's network, or nothing where there could be none.
    Socket,
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
            Self::Configure(Configuration { mount_point, best, own_paths, first_user, resolv_conf }) => {
                out.tag(0);
                out.path(mount_point);
                best.write(out);
                out.tag(u8::from(*own_paths));
                out.number(first_user.cast_signed());
                out.text(resolv_conf.as_bytes());
            }
            Self::Prepare(Preparation { ports, doors, name_service, is_image, root }) => {
                out.tag(1);
                out.tag(u8::from(*is_image));
                out.list(ports, |out, port| out.number(i32::from(*port)));
                out.list(doors, |out, door| out.text(door.to_string().as_bytes()));
                out.tag(u8::from(*name_service));
                out.list(root, |out, path| out.path(path));
            }
            Self::Furnish(Furniture { mounts, extensions_in }) => {
                out.tag(2);
                out.list(mounts, |out, mounting| mounting.write(out));
                out.list(extensions_in, |out, path| out.path(path));
            }
            Self::ThawAtEnd(base) => {
                out.tag(3);
                out.path(base);
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(match from.tag()? {
            0 => Self::Configure(Configuration {
                mount_point: from.path()?,
                best: Isolation::read(from)?,
                own_paths: from.tag()? != 0,
                first_user: from.number()?.cast_unsigned(),
                resolv_conf: from.text()?.into_string().ok()?,
            }),
            1 => Self::Prepare(Preparation {
                is_image: from.tag()? != 0,
                ports: from.list(|from| from.number()?.try_into().ok())?,
                doors: from.list(|from| from.text()?.to_str()?.parse().ok())?,
                name_service: from.tag()? != 0,
                root: from.list(Reader::path)?,
            }),
            2 => {
                Self::Furnish(Furniture { mounts: from.list(Mounting::read)?, extensions_in: from.list(Reader::path)? })
            }
            3 => Self::ThawAtEnd(from.path()?),
            _ => return None,
        })
    }
}

impl Message for Mounting {
    fn write(&self, out: &mut Writer) {
        out.path(&self.at);
        match &self.source {
            Source::ReadOnly(path) => {
                out.tag(0);
                out.path(path);
            }
            Source::Storage(path) => {
                out.tag(1);
                out.path(path);
            }
            Source::Given => out.tag(3),
            Source::Layers { folders, places } => {
                out.tag(2);
                out.list(folders, |out, path| out.path(path));
                out.list(places, |out, path| out.path(path));
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let at = from.path()?;
        let source = match from.tag()? {
            0 => Source::ReadOnly(from.path()?),
            1 => Source::Storage(from.path()?),
            3 => Source::Given,
            2 => Source::Layers { folders: from.list(Reader::path)?, places: from.list(Reader::path)? },
            _ => return None,
        };
        Some(Self { source, at })
    }
}

impl Message for Isolation {
    fn write(&self, out: &mut Writer) {
        out.tag(match self {
            Self::Process => 0,
            Self::Confined => 1,
            Self::Rootless => 2,
            Self::Sandbox => 3,
        });
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        [Self::Process, Self::Confined, Self::Rootless, Self::Sandbox].get(usize::from(from.tag()?)).copied()
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
        self.level.write(out);
        out.list(&self.refused, |out, (level, refused)| {
            level.write(out);
            refused.write(out);
        });
        for refused in [&self.no_paths, &self.unusable] {
            out.tag(u8::from(refused.is_some()));
            if let Some(refused) = refused {
                refused.write(out);
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let level = Isolation::read(from)?;
        let refused = from.list(|from| Some((Isolation::read(from)?, Refused::read(from)?)))?;
        let mut perhaps = || match from.tag()? {
            0 => Some(None),
            _ => Refused::read(from).map(Some),
        };
        Some(Self { level, refused, no_paths: perhaps()?, unusable: perhaps()? })
    }
}

impl Message for Inside {
    fn write(&self, out: &mut Writer) {
        match self {
            Self::Loopback => out.tag(0),
            Self::Linked { address, gateway } => {
                out.tag(1);
                out.number(address.to_bits().cast_signed());
                out.number(gateway.to_bits().cast_signed());
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let address = |from: &mut Reader<'_>| Some(Ipv4Addr::from_bits(from.number()?.cast_unsigned()));
        Some(match from.tag()? {
            0 => Self::Loopback,
            1 => Self::Linked { address: address(from)?, gateway: address(from)? },
            _ => return None,
        })
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
            Self::StartStem(start) => {
                out.tag(8);
                start.write(out);
            }
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
            Self::Furnish { at, extensions_in } => {
                out.tag(4);
                out.list(at, |out, path| out.path(path));
                out.list(extensions_in, |out, path| out.path(path));
            }
            Self::Unfurnished(refused) => {
                out.tag(5);
                refused.write(out);
            }
            Self::Socket => out.tag(6),
            Self::Network(inside) => {
                out.tag(9);
                inside.write(out);
            }
            Self::Probe(Probe { hidden, host_port }) => {
                out.tag(7);
                out.list(hidden, |out, path| out.path(path));
                out.number(i32::from(*host_port));
            }
            Self::Confine { read, write, extensions_in } => {
                out.tag(10);
                for paths in [read, write, extensions_in] {
                    out.list(paths, |out, path| out.path(path));
                }
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(match from.tag()? {
            0 => Self::Start(Start::read(from)?),
            1 => Self::Reset,
            8 => Self::StartStem(Start::read(from)?),
            2 => Self::StartExtension { number: from.number()?.cast_unsigned(), start: Start::read(from)? },
            3 => Self::Quietly(match from.tag()? {
                0 => Deed::Freeze,
                1 => Deed::Thaw,
                2 => Deed::TerminateRuntime,
                3 => Deed::KillRuntime,
                _ => return None,
            }),
            4 => Self::Furnish { at: from.list(Reader::path)?, extensions_in: from.list(Reader::path)? },
            5 => Self::Unfurnished(Refused::read(from)?),
            6 => Self::Socket,
            9 => Self::Network(Inside::read(from)?),
            7 => Self::Probe(Probe { hidden: from.list(Reader::path)?, host_port: from.number()?.try_into().ok()? }),
            10 => Self::Confine {
                read: from.list(Reader::path)?,
                write: from.list(Reader::path)?,
                extensions_in: from.list(Reader::path)?,
            },
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
            Self::Entered => out.tag(10),
            Self::Socket => out.tag(11),
            Self::Networked => out.tag(13),
            Self::Probed(refused) => {
                out.tag(12);
                out.tag(u8::from(refused.is_some()));
                if let Some(refused) = refused {
                    refused.write(out);
                }
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
            10 => Self::Entered,
            11 => Self::Socket,
            13 => Self::Networked,
            12 => Self::Probed(match from.tag()? {
                0 => None,
                _ => Some(Refused::read(from)?),
            }),
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
        check(&Request::Configure(Configuration {
            mount_point: path.clone(),
            best: Isolation::Sandbox,
            own_paths: true,
            first_user: 0x7000_0000,
            resolv_conf: "nameserver 127.0.0.1\n".to_owned(),
        }));
        check(&Request::Prepare(Preparation {
            ports: vec![9001, u16::MAX],
            doors: vec!["127.0.0.1:80".parse().unwrap(), "[::1]:443".parse().unwrap()],
            name_service: true,
            is_image: true,
            root: vec!["/l/1".into(), path.clone()],
        }));
        let sources = [
            Source::ReadOnly(path.clone()),
            Source::Storage("/s".into()),
            Source::Given,
            Source::Layers { folders: vec!["/l/2".into(), "/l/1".into()], places: vec!["python".into()] },
        ];
        let mounts = sources.map(|source| Mounting { source, at: path.clone() }).into();
        check(&Request::Furnish(Furniture { mounts, extensions_in: vec!["/opt/extensions".into()] }));
        check(&Request::ThawAtEnd(path.clone()));
        let refused = || Refused { step: "unshare".into(), errno: 1 };
        let hello = |no_paths, unusable| Hello {
            level: Isolation::Rootless,
            refused: vec![(Isolation::Sandbox, refused())],
            no_paths,
            unusable,
        };
        check(&hello(Some(refused()), None));
        check(&hello(Some(refused()), Some(refused())));
        check(&hello(None, None));
        check(&Order::Furnish { at: vec!["/tmp".into()], extensions_in: vec![path.clone()] });
        check(&Order::Confine {
            read: vec![path.clone(), "/c".into()],
            write: vec!["/s".into()],
            extensions_in: vec![path.clone()],
        });
        check(&Order::Unfurnished(refused()));
        check(&Order::Socket);
        check(&Order::Network(Inside::Loopback));
        check(&Order::Network(Inside::Linked { address: [100, 64, 0, 1].into(), gateway: [100, 64, 0, 0].into() }));
        check(&Told::Networked);
        check(&Order::Probe(Probe { hidden: vec![path.clone()], host_port: u16::MAX }));
        let start = Start {
            serial: u32::MAX,
            programs: vec![path.clone()],
            arguments: vec!["-a".into()],
            variables: vec!["A=b".into(), "C=".into()],
            folder: "/var/task".into(),
        };
        check(&Order::Start(start.clone()));
        check(&Order::StartStem(start.clone()));
        check(&Order::StartExtension { number: 9, start });
        check(&Order::Reset);
        for deed in [Deed::Freeze, Deed::Thaw, Deed::TerminateRuntime, Deed::KillRuntime] {
            check(&Order::Quietly(deed));
        }
        for told in [
            Told::Spawned { pid: 7 },
            Told::Entered,
            Told::Socket,
            Told::Probed(None),
            Told::Probed(Some(refused())),
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
        let mut bytes = vec![1, 0];
        bytes.extend_from_slice(&0i32.to_le_bytes());
        bytes.extend_from_slice(&i32::MAX.to_le_bytes());
        assert_eq!(Request::decode(&bytes), None);
    }
}
