//! A file as a block device.
#![allow(unsafe_code, reason = "the loop driver is told everything by ioctl")]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

/// Of linux/loop.h.
const GET_FREE: libc::Ioctl = 0x4C82;
const CONFIGURE: libc::Ioctl = 0x4C0A;
const AUTOCLEAR: u32 = 4;
const DIRECT_IO: u32 = 16;
/// Others look for a free device at the same time; so often somebody was faster.
const TRIES: usize = 64;

/// `struct loop_info64`.
#[repr(C)]
struct Info {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

/// `struct loop_config`.
#[repr(C)]
struct Configuration {
    descriptor: u32,
    block_size: u32,
    info: Info,
    reserved: [u64; 8],
}

/// A device that shows a file. It lives as long as this, or what is mounted from it.
#[derive(Debug)]
pub(super) struct LoopDevice {
    pub(super) path: PathBuf,
    _open: File,
}

impl LoopDevice {
    /// Without the page cache between the two file systems, where the lower one can do without.
    pub(super) fn attach(image: impl AsFd) -> io::Result<Self> {
        let control = open("/dev/loop-control".into())?;
        let mut refused = io::Error::from_raw_os_error(libc::EBUSY);
        for _ in 0..TRIES {
            // SAFETY: this request takes no argument.
            let number = unsafe { libc::ioctl(control.as_raw_fd(), GET_FREE) };
            if number < 0 {
                return Err(io::Error::last_os_error());
            }
            let path = PathBuf::from(format!("/dev/loop{number}"));
            let device = open(path.clone())?;
            match configure(&device, image.as_fd(), AUTOCLEAR | DIRECT_IO) {
                // The lower file system has no direct access.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                    match configure(&device, image.as_fd(), AUTOCLEAR) {
                        Ok(()) => return Ok(Self { path, _open: device }),
                        Err(error) => refused = error,
                    }
                }
                Err(error) => refused = error,
                Ok(()) => return Ok(Self { path, _open: device }),
            }
            if refused.raw_os_error() != Some(libc::EBUSY) {
                break;
            }
        }
        Err(refused)
    }
}

fn open(path: PathBuf) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).custom_flags(libc::O_CLOEXEC).open(path)
}

fn configure(device: &File, image: impl AsFd, flags: u32) -> io::Result<()> {
    // SAFETY: both structs are plain numbers, for which zeros are values.
    let mut configuration: Configuration = unsafe { std::mem::zeroed() };
    configuration.descriptor = image.as_fd().as_raw_fd().cast_unsigned();
    configuration.info.flags = flags;
    // SAFETY: `Configuration` has the layout of `struct loop_config`, which the kernel only reads.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), CONFIGURE, &raw const configuration) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
