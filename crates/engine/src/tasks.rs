//! Work that goes on by itself. A panic in it is a bug and becomes a [`Fault`]; it takes nothing else with it.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::Poll;

use domain::Fault;
use tokio::runtime::Handle;
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

/// Does `work` where it is, and turns its panic into a fault as that of a task is: for what is too short to be one.
///
/// # Errors
/// The work panicked. What it was changing has been dropped.
pub async fn caught<T>(doing: &'static str, work: impl Future<Output = T>) -> Result<T, Fault> {
    let mut work = pin!(work);
    poll_fn(|context| {
        // Never polled again after a panic, so nobody sees what it left half done.
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err(Fault::new(doing, "it panicked; the panic was printed before"))),
        }
    })
    .await
}

/// Does `work` where it is, and to its end: should whoever waits for it leave, it goes on as a task. For what happens too
/// often to be a task each time.
///
/// # Errors
/// The work panicked. What it was changing has been dropped.
pub async fn to_its_end<T: Send + 'static>(
    doing: &'static str,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Fault> {
    struct Going<W: Future<Output: Send> + Send + 'static> {
        doing: &'static str,
        work: Option<Pin<Box<W>>>,
    }
    impl<W: Future<Output: Send> + Send + 'static> Drop for Going<W> {
        fn drop(&mut self) {
            if let Some(work) = self.work.take() {
                // Outside of a runtime nothing goes on: the engine is ending.
                if Handle::try_current().is_ok() {
                    spawn(self.doing, work).detach();
                }
            }
        }
    }
    let mut going = Going { doing, work: Some(Box::pin(work)) };
    caught(
        doing,
        poll_fn(|context| {
            // Taken out for as long as it is polled: where it panics nobody goes on with it.
            let mut work = going.work.take().expect("not polled after its end");
            let poll = work.as_mut().poll(context);
            if poll.is_pending() {
                going.work = Some(work);
            }
            poll
        }),
    )
    .await
}

/// Lets others that can go on do so first, without looking for what has come in meanwhile.
pub async fn give_way() {
    let mut is_first = true;
    poll_fn(|context| {
        if std::mem::take(&mut is_first) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
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

    /// Waits for its end, whatever came of it. Not to be called again after that.
    pub async fn end(&mut self) {
        let _ = (&mut self.handle).await;
    }

    /// Lets it go on alone; a panic is printed by the panic hook and ends nothing else.
    pub fn detach(self) {}

    /// Ends it at its next await.
    pub fn abort(&self) {
        self.handle.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::{Context, Waker};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn what_is_done_to_its_end_goes_on_when_nobody_waits_for_it() {
        let (go_on, ended) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let work = {
            let (go_on, ended) = (go_on.clone(), ended.clone());
            async move {
                go_on.notified().await;
                ended.notify_one();
            }
        };
        let mut waits = Box::pin(to_its_end("trying", work));
        assert!(waits.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(waits);
        go_on.notify_one();
        ended.notified().await;
        assert_eq!(to_its_end("trying", async { 7 }).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn what_panics_on_its_way_to_its_end_is_a_fault_and_goes_on_no_more() {
        let polled = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let counted = polled.clone();
        let work = poll_fn(move |_| -> Poll<()> {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            panic!("on purpose");
        });
        assert!(to_its_end("trying", work).await.unwrap_err().chain().contains("trying"));
        give_way().await;
        assert_eq!(polled.load(std::sync::atomic::Ordering::Relaxed), 1);
    }
}
