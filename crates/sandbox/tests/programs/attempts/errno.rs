//! Names of error numbers and signals.

macro_rules! names {
    ($number:expr, $($name:ident)*) => {
        match $number {
            $(libc::$name => stringify!($name).to_owned(),)*
            other => other.to_string(),
        }
    };
}

pub(super) fn name(errno: i32) -> String {
    names!(errno,
        EACCES EADDRINUSE EADDRNOTAVAIL EAFNOSUPPORT EAGAIN EBADF EBUSY ECONNREFUSED EEXIST EFAULT EHOSTUNREACH EINVAL EIO
        EISDIR ELOOP EMFILE ENAMETOOLONG ENFILE ENETUNREACH ENODEV ENODATA ENOENT ENOEXEC ENOMEM ENOSPC ENOSYS ENOTDIR
        ENOTTY ENXIO EOPNOTSUPP EPERM EPROTONOSUPPORT ESOCKTNOSUPPORT ESRCH ESTALE ETIMEDOUT ETXTBSY EROFS EXDEV)
}

pub(super) fn signal(number: i32) -> String {
    names!(number, SIGABRT SIGBUS SIGILL SIGKILL SIGSEGV SIGSYS SIGTRAP)
}
