//! What the C library's allocator keeps of memory that was given back to it.
//!
//! Never here: an allocator.
#![allow(unsafe_code, reason = "mallopt and malloc_trim have no safe wrappers")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine::ports::Clock;
use engine::tasks;

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

/// How long after the end of an environment its memory is given back: those that end together have it done once.
const GIVEN_BACK_AFTER: Duration = Duration::from_millis(500);

/// Gives back what lies free between blocks that are still in use.
///
/// Each thread that works for a while has a heap of its own, of which only the end is given back by itself: after an
/// hour of load there were 8 MB of free pages in a dozen heaps, and more with every time that was busier than those
/// before.
#[derive(Clone, Debug, Default)]
pub(crate) struct GiveBack {
    is_due: Arc<AtomicBool>,
}

impl GiveBack {
    /// An environment has ended, and what the engine kept for it has been freed, or will be soon.
    pub(crate) fn soon(&self, clock: &Arc<dyn Clock>) {
        if self.is_due.swap(true, Ordering::Relaxed) {
            return;
        }
        let (is_due, clock) = (self.is_due.clone(), clock.clone());
        let work = async move {
            clock.wake_at(clock.elapsed() + GIVEN_BACK_AFTER).await;
            is_due.store(false, Ordering::Relaxed);
            // A millisecond or two, in which those who share a heap with it wait.
            let _ = tasks::off_thread("giving memory back", trim).await;
        };
        tasks::spawn("giving memory back", work).detach();
    }
}

fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it touches nothing but pages that are free, under the allocator's own locks.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
#[cfg(target_env = "gnu")]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const PAGE: usize = 4096;

    /// How many of these pages have memory.
    fn resident(pages: &BTreeSet<usize>) -> usize {
        let has_memory = |page: &&usize| {
            let mut state = 0;
            // SAFETY: it writes one byte, which is ours; a page that is no longer mapped is refused.
            let told = unsafe { libc::mincore(std::ptr::without_provenance_mut(**page), PAGE, &raw mut state) };
            told == 0 && state & 1 == 1
        };
        pages.iter().filter(has_memory).count()
    }

    #[test]
    fn what_lies_free_between_blocks_in_use_is_given_back() {
        const BLOCKS: usize = 16 * 1024;
        let mut blocks: Vec<Option<Box<[u8]>>> = (0..BLOCKS).map(|_| Some(vec![1; 1024].into())).collect();
        let pages: BTreeSet<usize> =
            blocks.iter().flatten().map(|block| block.as_ptr().addr().next_multiple_of(PAGE)).collect();
        assert!(pages.len() > BLOCKS / 5, "{}", pages.len());
        // The last one stays, so that nothing is free at the end.
        for block in &mut blocks[..BLOCKS - 1] {
            *block = None;
        }
        let kept = resident(&pages);
        assert!(kept > pages.len() * 9 / 10, "it is given back by itself: {kept} of {}", pages.len());
        trim();
        let left = resident(&pages);
        assert!(left < pages.len() / 5, "{left} of {} stay", pages.len());
        drop(blocks);
    }
}
