//! A host with something to steal, and two environments on it.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener};
use std::path::{Path, PathBuf};

use domain::environment::InitEnd;
use domain::names::EnvironmentId;
use serde_json::json;
use uuid::Uuid;

use crate::host::{Function, Host, Kind, children_of, host, skipped};

/// See the module.
pub(super) struct Scene {
    pub(super) attacker: Function,
    pub(super) other: Function,
    pub(super) host: Host,
    /// On every interface.
    pub(super) service: TcpListener,
    pub(super) abstract_name: String,
    pub(super) socket: PathBuf,
    _listeners: [UnixListener; 2],
    /// The other one's init and runtime.
    pub(super) pids_of_other: [i32; 2],
}

impl Scene {
    pub(super) async fn set(kind: Kind) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            skipped("what is denied to root's functions needs root");
            return None;
        }
        let host = host(kind).await?;
        let folder = host.folder.path();
        // What keeps others from it shall be nothing but the walls.
        open_to_all(folder);
        fs::write(folder.join("secret"), "of the host").unwrap();
        open_to_all(&folder.join("secret"));
        let service = TcpListener::bind("0.0.0.0:0").unwrap();
        let abstract_name = format!("lambd-test-{}", folder.display());
        let socket = folder.join("socket");
        let listeners = [
            UnixListener::bind_addr(&UnixAddress::from_abstract_name(&abstract_name).unwrap()).unwrap(),
            UnixListener::bind(&socket).unwrap(),
        ];

        let other = start(&host, "other", "of the other", 2).await;
        let spawner = host.linux.spawner_pid().await.unwrap();
        let init = children_of(spawner)[0].as_raw_pid();
        let runtime = children_of(init.cast_unsigned())[0].as_raw_pid();
        let attacker = start(&host, "attacker", "of the attacker", 1).await;
        other.ask(json!({"write": own_tmp(kind, &host, "other").join("kept")})).await;
        Some(Self {
            attacker,
            other,
            host,
            service,
            abstract_name,
            socket,
            _listeners: listeners,
            pids_of_other: [init, runtime],
        })
    }

    /// A path of the host's, in what is this test's own.
    pub(super) fn path(&self, name: &str) -> String {
        self.host.folder.path().join(name).display().to_string()
    }
}

/// Where a function may write: what all share is no place for a test to write to.
fn own_tmp(kind: Kind, host: &Host, name: &str) -> PathBuf {
    match kind {
        Kind::Sandbox | Kind::Rootless | Kind::OwnPaths => "/tmp".into(),
        Kind::Confined | Kind::RealFolders => host.folder.path().join(name),
    }
}

/// A function whose code and layer anybody may write to, were they not mounted read-only.
async fn start(host: &Host, name: &str, data: &str, number: u128) -> Function {
    let program = env!("CARGO_BIN_EXE_sandbox-test-process");
    let code = host.folder.path().join(name);
    let layer = host.folder.path().join(format!("{name}-layer"));
    for folder in [&code, &layer] {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("data"), data).unwrap();
        open_to_all(&folder.join("data"));
        open_to_all(folder);
    }
    // No link: who runs it may write to it.
    fs::copy(program, code.join("bootstrap")).unwrap();
    open_to_all(&code.join("bootstrap"));
    fs::copy(program, code.join("setuid")).unwrap();
    fs::set_permissions(code.join("setuid"), Permissions::from_mode(0o4755)).unwrap();
    let mut spec = host.spec();
    spec.id = EnvironmentId(Uuid::from_u128(number));
    spec.code = code;
    spec.layers = vec![layer];
    let function = host.start(spec).await;
    assert_eq!(function.init().await, InitEnd::Ready);
    function
}

fn open_to_all(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o777)).unwrap();
}
