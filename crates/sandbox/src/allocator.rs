//! What the C library's allocator keeps of memory that was given back to it.
//!
//! Never here: an allocator.
#![allow(unsafe_code, reason = "mallopt has no safe wrapper")]

/// Blocks from this size on are mappings of their own, and as much may lie free at the end of a heap.
#[cfg(target_env = "gnu")]
const KEPT_BYTES: libc::c_int = 1 << 20;

/// Lets large bodies be the kernel's again as soon as they are freed. By default glibc takes the size of each large block
/// that is freed as its new bound (mallopt(3), "dynamic mmap threshold"): after a few bodies of 6 MB every heap keeps up
/// to 12 MB for good. To be called before there are threads.
pub fn give_memory_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it only writes two numbers of the allocator's; there is no other thread yet.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, KEPT_BYTES);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BYTES);
    }
}
