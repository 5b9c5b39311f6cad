//! The private `/tmp` of an environment: 512 to 10,240 MB (AWS developer guide, configuration-ephemeral-storage) that
//! end with "no space left" and are none of the function's memory.
//!
//! An ext4 image on a loop device. What is written there is in the page cache until the disk has it, and the kernel
//! takes that back when the memory is needed; a tmpfs it could not, so a function of 128 MB would die of its files.
//! The image has no name, the device is cleared with its last mount and the mount ends with its last descriptor or
//! mount namespace: an engine that is killed leaves nothing to be swept. Never here: where it is mounted.
#![allow(dead_code, reason = "not all of it is called yet")]

mod image;
mod loop_device;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{AtFlags, Mode};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};

use self::loop_device::LoopDevice;
use crate::launcher::protocol::Refused;

/// The size that a function has when nobody says, which is also that of the trial.
const MEGABYTES_DEFAULT: u32 = 512;

/// Where files in `/tmp` are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Medium {
    /// On a disk of their own.
    Disk,
    /// In memory, where they count as the function's.
    Memory,
}

/// Makes disks, and has some ready.
#[derive(Debug)]
pub(crate) struct Storage {
    folder: PathBuf,
    mkfs: PathBuf,
    medium: Medium,
    /// Why there are no disks.
    refused: Option<Refused>,
    /// Of each size: the template, and disks that wait for an environment.
    sizes: Mutex<BTreeMap<u32, Size>>,
}

#[derive(Debug, Default)]
struct Size {
    template: Option<File>,
    ready: Vec<Disk>,
}

/// A mounted file system that has no place yet.
#[derive(Debug)]
pub(crate) struct Disk(OwnedFd);

impl Storage {
    /// Tries what can be had, disks first; refused where not even memory can. `folder` holds the templates and the
    /// space of the images. Blocks for some milliseconds, the first time for some more.
    pub(crate) fn find(folder: &Path, search_path: Option<&OsStr>) -> Result<Self, Refused> {
        let made = fs::create_dir_all(folder).map_err(|error| refused("mkdir", &error));
        let mkfs = image::find_mkfs(search_path);
        let missing = || Refused { step: "find mkfs.ext4".to_owned(), errno: libc::ENOENT };
        let mut storage = Self {
            folder: folder.to_owned(),
            mkfs: mkfs.clone().unwrap_or_default(),
            medium: Medium::Disk,
            refused: None,
            sizes: Mutex::default(),
        };
        let tried = made.and_then(|()| mkfs.ok_or_else(missing)).and_then(|_| storage.make(MEGABYTES_DEFAULT));
        match tried {
            // It is as good as any other.
            Ok(disk) => storage.sizes().entry(MEGABYTES_DEFAULT).or_default().ready.push(disk),
            Err(refused) => {
                in_memory(MEGABYTES_DEFAULT)?;
                storage.medium = Medium::Memory;
                storage.refused = Some(refused);
            }
        }
        Ok(storage)
    }

    /// What is had.
    pub(crate) fn medium(&self) -> Medium {
        self.medium
    }

    /// Why it is not a disk.
    pub(crate) fn refused(&self) -> Option<&Refused> {
        self.refused.as_ref()
    }

    /// An empty one, if one is ready.
    pub(crate) fn take_ready(&self, megabytes: u32) -> Option<Disk> {
        self.sizes().get_mut(&megabytes).and_then(|size| size.ready.pop())
    }

    /// An empty one: one that is ready, or else a new one, which takes milliseconds.
    pub(crate) fn take(&self, megabytes: u32) -> Result<Disk, Refused> {
        self.take_ready(megabytes).map_or_else(|| self.make(megabytes), Ok)
    }

    /// Makes disks until `count` of this size are ready. Blocks: for a thread beside the engine's.
    pub(crate) fn refill(&self, megabytes: u32, count: usize) -> Result<(), Refused> {
        while self.sizes().entry(megabytes).or_default().ready.len() < count {
            let disk = self.make(megabytes)?;
            self.sizes().entry(megabytes).or_default().ready.push(disk);
        }
        Ok(())
    }

    fn sizes(&self) -> MutexGuard<'_, BTreeMap<u32, Size>> {
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make(&self, megabytes: u32) -> Result<Disk, Refused> {
        match self.medium {
            Medium::Memory => in_memory(megabytes),
            Medium::Disk => {
                let template = self.template(megabytes).map_err(|error| refused("mkfs.ext4", &error))?;
                let image = image::copy(&template, &self.folder).map_err(|error| refused("copy the image", &error))?;
                on_disk(&image)
            }
        }
    }

    /// The empty image of this size, made at the first use.
    fn template(&self, megabytes: u32) -> io::Result<File> {
        if let Some(template) = self.sizes().get(&megabytes).and_then(|size| size.template.as_ref()) {
            return template.try_clone();
        }
        let path = image::template_path(&self.folder, megabytes);
        if !path.exists() {
            // Whole, or not at all; who does the same at the same time makes the same.
            let thread = std::thread::current().id();
            let unfinished = path.with_extension(format!("{}-{thread:?}", std::process::id()));
            let made = image::make(&self.mkfs, &unfinished, megabytes)
                .and_then(|()| open_writable(&unfinished))
                .and_then(|file| prepare(&file))
                .and_then(|()| fs::rename(&unfinished, &path));
            if made.is_err() {
                let _ = fs::remove_file(&unfinished);
            }
            made?;
        }
        let template = File::open(path)?;
        self.sizes().entry(megabytes).or_default().template = Some(template.try_clone()?);
        Ok(template)
    }
}

impl Disk {
    /// Gives the top folder to a user: root as the environment sees it.
    pub(crate) fn give_to(&self, user: u32, group: u32) -> Result<(), Refused> {
        let user = Some(rustix::fs::Uid::from_raw(user));
        let group = Some(rustix::fs::Gid::from_raw(group));
        rustix::fs::chownat(&self.0, ".", user, group, AtFlags::empty()).map_err(|errno| from("fchownat", errno))
    }

    /// The mount, to be moved to its place with `move_mount`, also by another process.
    pub(crate) fn into_mount(self) -> OwnedFd {
        self.0
    }
}

impl AsFd for Disk {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Once for all copies: the top folder is everybody's, and empty.
fn prepare(image: &File) -> io::Result<()> {
    let disk = on_disk(image).map_err(|refused| io::Error::from_raw_os_error(refused.errno))?;
    rustix::fs::chmodat(&disk.0, ".", Mode::from_raw_mode(0o1777), AtFlags::empty())?;
    rustix::fs::unlinkat(&disk.0, "lost+found", AtFlags::REMOVEDIR)?;
    // The copies are taken from the file, not from the device's cache.
    let top =
        rustix::fs::openat(&disk.0, ".", rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC, Mode::empty())?;
    rustix::fs::syncfs(&top)?;
    drop((top, disk));
    image.sync_all()
}

fn open_writable(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).open(path)
}

fn on_disk(image: &File) -> Result<Disk, Refused> {
    let device = LoopDevice::attach(image).map_err(|error| refused("ioctl LOOP_CONFIGURE", &error))?;
    let context = rustix::mount::fsopen("ext4", FsOpenFlags::FSOPEN_CLOEXEC).map_err(|errno| from("fsopen", errno))?;
    let set = |errno| from("fsconfig", errno);
    rustix::mount::fsconfig_set_string(&context, "source", device.path.as_path()).map_err(set)?;
    // Nothing outlives a crash, so the disk below need not be waited for; and inode tables stay holes.
    for flag in ["nobarrier", "noinit_itable"] {
        rustix::mount::fsconfig_set_flag(&context, flag).map_err(set)?;
    }
    mount(&context)
}

/// One whose files count as the function's memory.
fn in_memory(megabytes: u32) -> Result<Disk, Refused> {
    let context = rustix::mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).map_err(|errno| from("fsopen", errno))?;
    // As many inodes as a disk of this size has.
    let inodes = u64::from(megabytes) * 64;
    for (key, value) in
        [("source", "tmp"), ("mode", "1777"), ("size", &format!("{megabytes}m")), ("nr_inodes", &inodes.to_string())]
    {
        rustix::mount::fsconfig_set_string(&context, key, value).map_err(|errno| from("fsconfig", errno))?;
    }
    mount(&context)
}

fn mount(context: &OwnedFd) -> Result<Disk, Refused> {
    rustix::mount::fsconfig_create(context).map_err(|errno| from("fsconfig", errno))?;
    let attributes =
        MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOATIME;
    let mount = rustix::mount::fsmount(context, FsMountFlags::FSMOUNT_CLOEXEC, attributes);
    mount.map(Disk).map_err(|errno| from("fsmount", errno))
}

fn from(step: &str, errno: rustix::io::Errno) -> Refused {
    Refused { step: step.to_owned(), errno: errno.raw_os_error() }
}

fn refused(step: &str, error: &io::Error) -> Refused {
    Refused { step: step.to_owned(), errno: error.raw_os_error().unwrap_or(0) }
}
