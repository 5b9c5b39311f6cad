//! Which level this machine allows: each is tried for real, from the best on, in a process of its own, because half of
//! it cannot be taken back. Feature flags lie: some systems allow namespaces and refuse the mounts in them.
//!
//! Never here: what to do about a level that cannot be had.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::process::{WaitOptions, wait};

use super::confined::{self, Stranger};
use super::kind::Kind;
use super::packets;
use super::privileges::{GROUP, USER};
use super::probe::Probe;
use super::protocol::{
    Configuration, Furniture, Hello, Message as _, Mounting, Order, Preparation, Refused, Source, Start, Told,
};
use super::spawner::{Nursery, open_nothing};
use super::sys::{self, Cloned};
use super::view::{self, Base, Right, step};
use crate::cgroups::Entrance;
use crate::settings::Isolation;

/// How long an init may take for a step of its trial.
const STEP_LIMIT: Duration = Duration::from_secs(20);

/// Tries the levels from the best on, and puts in force what the first that works needs of the spawner itself.
pub(super) fn choose(configuration: &Configuration) -> (Kind, Hello) {
    let mut refused = Vec::new();
    for (level, right) in [(Isolation::Sandbox, Right::Own), (Isolation::Rootless, Right::UserNamespace)] {
        if level > configuration.best {
            continue;
        }
        let kind = Kind::Isolated(right);
        let tried = as_somebody_else(right)
            .and_then(|()| apart("clone", || isolated(kind, right, configuration)))
            .and_then(|()| view::establish(right, Base::Isolated, configuration));
        match tried {
            Ok(()) => return (kind, Hello { level, refused, no_paths: None, unusable: None }),
            Err(reason) => refused.push((level, reason)),
        }
    }
    if Isolation::Confined <= configuration.best {
        match confined(configuration) {
            Ok(()) => {
                let no_paths = Some(Refused { step: "level confined mounts nothing".to_owned(), errno: 0 });
                return (Kind::Confined, Hello { level: Isolation::Confined, refused, no_paths, unusable: None });
            }
            Err(reason) => refused.push((Isolation::Confined, reason)),
        }
    }
    let no_paths = own_paths(configuration);
    let kind = if no_paths.is_none() { Kind::OwnPaths } else { Kind::RealFolders };
    let unusable =
        if kind == Kind::RealFolders { apart("clone", || real_folders(kind, configuration)).err() } else { None };
    (kind, Hello { level: Isolation::Process, refused, no_paths, unusable })
}

/// What the users of a namespace of its own are on the host is the engine's user; root is root there, who may set what
/// the kernel does without any capability (`/proc/sys`).
fn as_somebody_else(right: Right) -> Result<(), Refused> {
    if right == Right::UserNamespace && rustix::process::geteuid().is_root() {
        return Err(Refused { step: "uid: the engine is root, and its functions would be, too".to_owned(), errno: 0 });
    }
    Ok(())
}

/// Tries the ways to give environments of level `process` paths of their own. `None` means that one is in force.
fn own_paths(configuration: &Configuration) -> Option<Refused> {
    if !configuration.own_paths {
        return Some(Refused { step: "not asked for".to_owned(), errno: 0 });
    }
    let mut first = None;
    for right in [Right::Own, Right::UserNamespace] {
        let tried = apart("clone", || {
            view::establish(right, Base::Host, configuration)?;
            let trial = Trial::begin(Kind::OwnPaths, configuration, &Preparation::default())?;
            trial.furnish(&Furniture::default())
        })
        .and_then(|()| view::establish(right, Base::Host, configuration));
        match tried {
            Ok(()) => return None,
            Err(refused) => first = first.or(Some(refused)),
        }
    }
    first
}

/// Puts a process behind walls that tries to get out, and has an init start another.
fn confined(configuration: &Configuration) -> Result<(), Refused> {
    let (data, folder) =
        (configuration.mount_point.ancestors().nth(2), configuration.mount_point.with_file_name(".trial"));
    let data = data.unwrap_or(&configuration.mount_point);
    let group = configuration.first_user;
    let stranger = rustix::process::geteuid().is_root().then_some(Stranger { user: group, group });
    apart("clone", || confined::trial::trial(data, &folder, stranger))?;
    apart("clone", || real_folders(Kind::Confined, configuration))
}

/// Has an init on real folders start what is a file and no program: when the kernel refuses just that, it allows all
/// that comes before.
fn real_folders(kind: Kind, configuration: &Configuration) -> Result<(), Refused> {
    let trial = Trial::begin(kind, configuration, &Preparation::default())?;
    trial.furnish(&Furniture::default())?;
    let nothing = open_nothing().map_err(step("open(/dev/null)"))?;
    let order = Order::Start(Start {
        serial: 0,
        programs: vec!["/proc/self/status".into()],
        arguments: Vec::new(),
        variables: Vec::new(),
        folder: "/".into(),
    });
    match trial.ask(&order, &nothing)? {
        Told::NotExecuted { errno: libc::EACCES, .. } => Ok(()),
        Told::NotExecuted { errno, .. } => Err(Refused { step: "start a program".to_owned(), errno }),
        _ => Err(ended_early()),
    }
}

/// Makes a whole environment and tries to get out of it.
fn isolated(kind: Kind, right: Right, configuration: &Configuration) -> Result<(), Refused> {
    view::establish(right, Base::Isolated, configuration)?;
    let storage = configuration.mount_point.with_file_name(".trial");
    fs::create_dir_all(&storage).map_err(step("mkdir"))?;
    fs::set_permissions(&storage, fs::Permissions::from_mode(0o1777)).map_err(step("chmod"))?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(step("bind"))?;
    let Ok(SocketAddr::V4(host_port)) = listener.local_addr() else { return Err(ended_early()) };

    let trial = Trial::begin(kind, configuration, &Preparation { ports: vec![9001], ..Preparation::default() })?;
    let mount = |source, at: &str| Mounting { source, at: at.into() };
    trial.furnish(&Furniture {
        mounts: vec![
            mount(Source::ReadOnly(storage.clone()), "/var/task"),
            mount(Source::Storage(storage.clone()), "/tmp"),
        ],
        extensions_in: vec!["/opt/extensions".into()],
    })?;
    let nothing = open_nothing().map_err(step("open(/dev/null)"))?;
    let probe = Probe { hidden: vec![storage.clone(), "/etc/shadow".into()], host_port: host_port.port() };
    let told = trial.ask(&Order::Probe(probe), &nothing)?;
    let owners = fs::metadata(storage.join(PROBE_FILE)).map(|about| (about.uid(), about.gid()));
    let _ = fs::remove_dir_all(&storage);
    match told {
        Told::Probed(None) => {}
        Told::Probed(Some(refused)) => return Err(refused),
        _ => return Err(ended_early()),
    }
    let first = configuration.first_user;
    match owners {
        Ok(owners) if right == Right::Own && owners != (first + USER, first + GROUP) => {
            Err(Refused { step: format!("a file of a trial belongs to user {} of the host", owners.0), errno: 0 })
        }
        owners => owners.map(|_| ()).map_err(step("stat(/tmp/probe)")),
    }
}

/// What a [`Probe`] leaves in its `/tmp`.
pub(super) const PROBE_FILE: &str = "lambd-probe";

fn ended_early() -> Refused {
    Refused { step: "the trial ended early".to_owned(), errno: 0 }
}

/// An environment on trial. It ends with its socket.
struct Trial {
    nursery: Nursery,
    control: OwnedFd,
}

impl Trial {
    fn begin(kind: Kind, configuration: &Configuration, preparation: &Preparation) -> Result<Self, Refused> {
        let (control, theirs) = packets::pair().map_err(step("socketpair"))?;
        set_socket_timeout(&control, Timeout::Recv, Some(STEP_LIMIT)).map_err(step("setsockopt(SO_RCVTIMEO)"))?;
        let mut nursery = Nursery::new(kind, &configuration.mount_point, configuration.first_user);
        nursery.prepare(preparation, &theirs, Entrance::new(Vec::new()));
        drop(theirs);
        let trial = Self { nursery, control };
        match trial.hear()? {
            Told::Entered => Ok(trial),
            Told::Unprepared(refused) => Err(refused),
            _ => Err(ended_early()),
        }
    }

    fn furnish(&self, furniture: &Furniture) -> Result<(), Refused> {
        self.nursery.furnish(furniture, std::iter::empty(), &self.control);
        match self.hear()? {
            Told::Prepared { .. } => Ok(()),
            Told::Unprepared(refused) => Err(refused),
            _ => Err(ended_early()),
        }
    }

    fn ask(&self, order: &Order, beside: &OwnedFd) -> Result<Told, Refused> {
        packets::send(&self.control, &order.encode(), &[beside.as_fd()]).map_err(step("sendmsg"))?;
        self.hear()
    }

    /// What it tells next, but for who it is.
    fn hear(&self) -> Result<Told, Refused> {
        let mut buffer = vec![0; 8192];
        loop {
            let received = packets::receive(&self.control, &mut buffer).map_err(step("recvmsg"))?;
            let (bytes, _) = received.ok_or_else(ended_early)?;
            match Told::decode(&buffer[..bytes]).ok_or_else(ended_early)? {
                Told::Spawned { .. } => {}
                told => return Ok(told),
            }
        }
    }
}

/// Does `work` in a process of its own, and all that it started has ended when this returns.
fn apart(name: &str, work: impl FnOnce() -> Result<(), Refused>) -> Result<(), Refused> {
    let (ours, theirs) = packets::pair().map_err(step("socketpair"))?;
    match sys::clone_process(0).map_err(step(name))? {
        Cloned::Child => {
            drop(ours);
            let told = match work() {
                Ok(()) => Told::Probed(None),
                Err(refused) => Told::Probed(Some(refused)),
            };
            // Whoever was started ends with its socket, which `work` has closed.
            while rustix::io::retry_on_intr(|| wait(WaitOptions::empty())).is_ok() {}
            let _ = packets::send(&theirs, &told.encode(), &[]);
            sys::end(0);
        }
        Cloned::Parent { .. } => {
            drop(theirs);
            let mut buffer = [0; 4096];
            let answer = packets::receive(&ours, &mut buffer).ok().flatten();
            let _ = rustix::io::retry_on_intr(|| wait(WaitOptions::empty()));
            match answer.and_then(|(bytes, _)| Told::decode(&buffer[..bytes])) {
                Some(Told::Probed(None)) => Ok(()),
                Some(Told::Probed(Some(refused))) => Err(refused),
                _ => Err(ended_early()),
            }
        }
    }
}
