//! Work that goes on by itself. A panic in it is a bug and becomes a [`Fault`]; it takes nothing else with it.

use std::future::Future;

use domain::Fault;
use tokio::task::JoinHandle;

/// Starts `work`; its result may be awaited, and it goes on if nobody does.
#[expect(clippy::disallowed_methods, reason = "the one place that spawns: whatever panics below is logged here")]
pub fn spawn<T: Send + 'static>(doing: &'static str, work: impl Future<Output = T> + Send + 'static) -> Task<T> {
    Task { doing, handle: tokio::spawn(work) }
}

/// Runs `work` on a thread of its own, for what would hold up everybody else.
pub async fn off_thread<T: Send + 'static>(
    doing: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.map_err(|died| Fault::new(doing, died))
}

/// Work that was started by [`spawn`].
pub struct Task<T> {
    doing: &'static str,
    handle: JoinHandle<T>,
}

impl<T> Task<T> {
    /// Waits for the result.
    ///
    /// # Errors
    /// The work panicked.
    pub async fn result(self) -> Result<T, Fault> {
        self.handle.await.map_err(|died| Fault::new(self.doing, died))
    }

    /// Lets it go on alone; a panic is printed by the panic hook and ends nothing else.
    pub fn detach(self) {}

    /// Ends it at its next await.
    pub fn abort(&self) {
        self.handle.abort();
    }
}
