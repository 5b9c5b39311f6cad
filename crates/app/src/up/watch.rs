//! Tells when something below a folder has changed and come to rest.

use std::path::{Component, Path};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use notify::{EventKind, RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};
use tokio::sync::Notify;

/// How long files must be quiet: long enough for an editor to finish saving, short beside the second that is promised.
const QUIET: Duration = Duration::from_millis(200);

/// The changes below one folder.
pub(super) struct Changes {
    changed: Arc<Notify>,
    _watcher: Debouncer<RecommendedWatcher, RecommendedCache>,
}

impl Changes {
    /// Begins to watch.
    pub(super) fn below(root: &Path) -> Result<Self> {
        let changed = Arc::new(Notify::new());
        let tell = changed.clone();
        let mut watcher = new_debouncer(QUIET, None, move |result: DebounceEventResult| {
            let relevant = match result {
                // Something was missed: look at everything.
                Err(_) => true,
                Ok(events) => events.iter().any(|event| {
                    !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(|path| is_source(path))
                }),
            };
            if relevant {
                tell.notify_one();
            }
        })
        .context("watching files")?;
        watcher.watch(root, RecursiveMode::Recursive).with_context(|| format!("watching {}", root.display()))?;
        Ok(Self { changed, _watcher: watcher })
    }

    /// Waits for the next change.
    pub(super) async fn next(&self) {
        self.changed.notified().await;
    }
}

/// Not our own data folder, nor git's.
fn is_source(path: &Path) -> bool {
    !path.components().any(|part| matches!(part, Component::Normal(name) if name == ".lambd" || name == ".git"))
}
