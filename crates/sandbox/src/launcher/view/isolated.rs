//! The base view of levels `sandbox` and `rootless`: the host's programs and libraries, read-only, and hardly anything
//! else. What a function sees as `/etc` is written here, not the host's.
//!
//! Never here: what is mounted for one function.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, mount};

use super::{open_folder, put, step, take_tree};
use crate::launcher::protocol::Refused;
use crate::launcher::sys::{self, NO_DEVICES, NO_SETUID, READ_ONLY};

/// Folders of the host that are shown as they are.
pub(super) const SHOWN: [&str; 8] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store"];
/// What is shown of the host's `/etc`, where it is there: what the linker, TLS and programs in `/usr` look for, nothing
/// that tells of the host's users or settings.
const SHOWN_IN_ETC: [&str; 18] = [
    "alternatives",
    "ca-certificates",
    "crypto-policies",
    "debian_version",
    "fonts",
    "java-11-openjdk",
    "java-17-openjdk",
    "java-21-openjdk",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "magic",
    "mime.types",
    "os-release",
    "pki",
    "protocols",
    "services",
    "ssl",
];
/// Devices that a program may expect (AWS shows these, and no `/dev/shm`).
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];
/// Folders in which something of the environment is mounted, or which programs expect.
const FOLDERS: [&str; 16] = [
    "proc",
    "dev",
    "etc",
    "tmp",
    "opt",
    "run",
    "home",
    "root",
    "mnt",
    "srv",
    "var/task",
    "var/runtime",
    "var/lib",
    "var/lang",
    "var/local",
    "data",
];
/// The user and group that a function is (recorded: `test_runtime_introspection_*`: `sbx_user1051`, 993 and 990).
const PASSWD: &str = "root:x:0:0:root:/root:/sbin/nologin\nsbx_user1051:x:993:990::/home/sbx_user1051:/sbin/nologin\n\
    nobody:x:65534:65534:nobody:/:/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nsbx_user1051:x:990:\nnobody:x:65534:\n";
const NSSWITCH: &str = "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n";
/// Extensions listen for telemetry at the second of these names (AWS developer guide, telemetry-api).
const HOSTS: &str = "127.0.0.1 localhost\n127.0.0.1 sandbox.localdomain sandbox\n127.0.0.1 host.lambd.internal\n";

/// Makes it on `mount_point`; `resolv_conf` says where names are asked for.
pub(super) fn build(mount_point: &Path, resolv_conf: &str) -> Result<(), Refused> {
    // All trees are taken before anything is mounted: the mount point lies in one of them.
    let programs: Vec<_> = SHOWN.iter().filter_map(|path| Part::of(Path::new(path))).collect();
    let etc: Vec<_> = SHOWN_IN_ETC.iter().filter_map(|name| Part::of(&Path::new("/etc").join(name))).collect();
    let devices: Vec<_> =
        DEVICES.iter().filter_map(|name| Some((name, take_tree(&Path::new("/dev").join(name)).ok()?))).collect();

    mount("tmpfs", mount_point, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, Some(c"mode=755,size=1m"))
        .map_err(step("mount(tmpfs)"))?;
    for name in FOLDERS {
        fs::create_dir_all(mount_point.join(name)).map_err(step("mkdir"))?;
    }
    for part in programs.into_iter().chain(etc) {
        part.place(mount_point)?;
    }
    for (name, device) in devices {
        let at = mount_point.join("dev").join(name);
        fs::File::create(&at).map_err(step("create"))?;
        put(&device, &at).map_err(step("move_mount"))?;
    }
    let links = [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")];
    for (name, target) in links {
        symlink(target, mount_point.join("dev").join(name)).map_err(step("symlink"))?;
    }
    let files: [(&str, &[u8]); 6] = [
        ("passwd", PASSWD.as_bytes()),
        ("group", GROUP.as_bytes()),
        ("nsswitch.conf", NSSWITCH.as_bytes()),
        ("hosts", HOSTS.as_bytes()),
        ("resolv.conf", resolv_conf.as_bytes()),
        ("hostname", b"sandbox\n"),
    ];
    for (name, text) in files {
        fs::write(mount_point.join("etc").join(name), text).map_err(step("write(/etc)"))?;
    }
    let base = open_folder(mount_point).map_err(step("open"))?;
    sys::restrict(&base, READ_ONLY, false).map_err(step("mount_setattr"))
}

/// Something of the host that is shown where it is.
struct Part {
    path: PathBuf,
    what: What,
}

enum What {
    Link(PathBuf),
    Folder(OwnedFd),
    File(OwnedFd),
}

impl Part {
    /// `None` where the host has no such thing, or it cannot be shown.
    fn of(path: &Path) -> Option<Self> {
        let kind = fs::symlink_metadata(path).ok()?.file_type();
        let what = if kind.is_symlink() {
            What::Link(fs::read_link(path).ok()?)
        } else {
            let tree = locked(path).ok()?;
            if kind.is_dir() { What::Folder(tree) } else { What::File(tree) }
        };
        Some(Self { path: path.to_owned(), what })
    }

    fn place(&self, mount_point: &Path) -> Result<(), Refused> {
        let at = mount_point.join(self.path.strip_prefix("/").unwrap_or(&self.path));
        if let Some(above) = at.parent() {
            fs::create_dir_all(above).map_err(step("mkdir"))?;
        }
        match &self.what {
            What::Link(target) => symlink(target, &at).map_err(step("symlink")),
            What::Folder(tree) => {
                fs::create_dir(&at).map_err(step("mkdir"))?;
                put(tree, &at).map_err(step("move_mount"))
            }
            What::File(tree) => {
                fs::File::create(&at).map_err(step("create"))?;
                put(tree, &at).map_err(step("move_mount"))
            }
        }
    }
}

fn locked(path: &Path) -> io::Result<OwnedFd> {
    let tree = take_tree(path)?;
    sys::restrict(&tree, READ_ONLY | NO_SETUID | NO_DEVICES, true)?;
    Ok(tree)
}
