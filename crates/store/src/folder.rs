//! The data folder: ours alone, on a disk that keeps its promises.
//!
//! Never here: what lies in it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FlockOperation;
use rustix::process::Pid;

use crate::error::StoreError;

/// File systems whose locks or shared memory do not hold, by `f_type` of statfs(2).
const NETWORK: [(u64, &str); 10] = [
    (0x6969, "nfs"),
    (0x517b, "smb"),
    (0xfe53_4d42, "smb2"),
    (0xff53_4d42, "cifs"),
    (0x0102_1997, "9p"),
    (0x5346_414f, "afs"),
    (0x6b41_4653, "afs"),
    (0x00c3_6400, "ceph"),
    (0x7375_7245, "coda"),
    (0x0bd0_0bd0, "lustre"),
];

/// The name of the lock file; `flock(2)` on it is the right to use the folder.
const LOCK: &str = "state.lock";

/// How long a lock without an owner is waited for: that many looks, with that much time between them.
const LOOKS: u32 = 250;
/// See [`LOOKS`].
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A data folder that no other engine can claim while this lives.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder where it is missing, and claims it.
    pub(crate) fn claim(path: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Folder { path: path.to_owned(), source };
        make_private(path).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        if let Some(kind) = network(&path).map_err(failed)? {
            return Err(StoreError::Network { path, kind });
        }
        let lock = lock(&path)?;
        Ok(Self { path, _lock: lock })
    }
}

/// Closes the folder to other users if we make it, find it empty, or have used it before; a folder that somebody
/// else also uses (`/tmp`, a home) is not ours to close, what we put into it is closed by itself.
fn make_private(path: &Path) -> io::Result<()> {
    if !path.try_exists()? {
        let is_missing = |folder: &&Path| !folder.exists();
        let made = path.ancestors().take_while(is_missing).count();
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        // A new folder is on disk only when the one that names it is.
        for above in path.canonicalize()?.ancestors().skip(1).take(made) {
            match sync(above) {
                // Not ours to read, so not ours to sync.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                synced => synced?,
            }
        }
    }
    let ours = path.join(LOCK).try_exists()? || fs::read_dir(path)?.next().is_none();
    let found = fs::metadata(path)?;
    let owned = found.uid() == rustix::process::geteuid().as_raw();
    if ours && owned && found.mode() & 0o777 != 0o700 {
        fs::set_permissions(path, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn network(path: &Path) -> io::Result<Option<&'static str>> {
    // The field's width and sign differ between architectures; the magic numbers are 32 bits.
    #[allow(clippy::cast_sign_loss, clippy::cast_lossless, clippy::unnecessary_cast, reason = "depends on the target")]
    let magic = rustix::fs::statfs(path)?.f_type as u64 & 0xffff_ffff;
    Ok(kind_of(magic))
}

fn kind_of(magic: u64) -> Option<&'static str> {
    NETWORK.iter().find(|(known, _)| *known == magic).map(|(_, kind)| *kind)
}

fn lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join(LOCK);
    let failed = |source| StoreError::Folder { path: path.clone(), source };
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    for look in 0.. {
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => break,
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let holder = holder(&file);
                // A killed engine's lock lives on in a process that it was about to start, until that process becomes
                // another program, which closes it.
                if look < LOOKS && holder.is_some_and(is_gone) {
                    std::thread::park_timeout(LOOK_EVERY);
                    continue;
                }
                let holder = holder.map(|pid| format!(" (process {pid})")).unwrap_or_default();
                return Err(StoreError::InUse { path: folder.to_owned(), holder });
            }
            Err(errno) => return Err(failed(errno.into())),
        }
    }
    file.set_len(0).and_then(|()| writeln!(&file, "{}", std::process::id())).map_err(failed)?;
    Ok(file)
}

/// Which process says that it has the lock. Only a hint: what cannot be read is nobody.
fn holder(mut file: &File) -> Option<Pid> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_string(&mut text)).ok()?;
    Pid::from_raw(text.trim().parse().ok()?)
}

fn is_gone(pid: Pid) -> bool {
    rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH)
}

/// Makes the names in a folder durable: a rename or a new file is on disk only when its folder is.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_told_from_local_ones() {
        // statfs(2): NFS_SUPER_MAGIC, SMB2_MAGIC_NUMBER, V9FS_MAGIC; EXT4, TMPFS, OVERLAYFS, BTRFS.
        assert_eq!(kind_of(0x6969), Some("nfs"));
        assert_eq!(kind_of(0xfe53_4d42), Some("smb2"));
        assert_eq!(kind_of(0x0102_1997), Some("9p"));
        for local in [0xef53, 0x0102_1994, 0x794c_7630, 0x9123_683e] {
            assert_eq!(kind_of(local), None, "{local:x}");
        }
        assert_eq!(network(&std::env::temp_dir()).unwrap(), None);
    }

    #[test]
    fn a_folder_of_ours_is_closed_and_one_of_others_is_left_alone() {
        let outer = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;

        let made = outer.path().join("new/deep");
        make_private(&made).unwrap();
        assert_eq!((mode(&made), mode(&outer.path().join("new"))), (0o700, 0o700));

        let shared = outer.path().join("shared");
        fs::create_dir(&shared).unwrap();
        fs::set_permissions(&shared, Permissions::from_mode(0o755)).unwrap();
        fs::write(shared.join("somebody's"), "").unwrap();
        make_private(&shared).unwrap();
        assert_eq!(mode(&shared), 0o755);

        fs::write(shared.join(LOCK), "").unwrap();
        make_private(&shared).unwrap();
        assert_eq!(mode(&shared), 0o700);
    }
}
