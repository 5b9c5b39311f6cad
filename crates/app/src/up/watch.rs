//! Tells when something below a folder has changed and come to rest.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use notify::{EventKind, RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};
use tokio::sync::Notify;

/// How long files must be quiet: long enough for an editor to finish saving, short beside the second that is promised.
const QUIET: Duration = Duration::from_millis(200);

/// Tells of changes for as long as it lives.
pub(super) struct Watcher(
    #[expect(dead_code, reason = "held, so that it goes on")] Debouncer<RecommendedWatcher, RecommendedCache>,
);

/// Begins to watch the folder `root`, but not `except` in it, and tells `changed`.
pub(super) fn below(root: &Path, except: &Path, changed: Arc<Notify>) -> Result<Watcher> {
    // With all links resolved, so that what is told can be compared.
    let root = root.canonicalize().with_context(|| format!("finding {}", root.display()))?;
    let (place, except) = (root.clone(), except.to_owned());
    let mut watcher = new_debouncer(QUIET, None, move |result: DebounceEventResult| {
        let is_relevant = match result {
            // Something was missed: look at everything.
            Err(_) => true,
            Ok(events) => events.iter().any(|event| {
                !matches!(event.kind, EventKind::Access(_))
                    && event.paths.iter().any(|path| is_source(path, &place, &except))
            }),
        };
        if is_relevant {
            changed.notify_one();
        }
    })
    .context("watching files")?;
    watcher.watch(&root, RecursiveMode::Recursive).with_context(|| format!("watching {}", root.display()))?;
    Ok(Watcher(watcher))
}

/// Not our own data folder, nor git's; what is above the folder does not matter.
fn is_source(path: &Path, root: &Path, except: &Path) -> bool {
    let below = path.strip_prefix(root).map_or_else(|_| path.to_owned(), PathBuf::from);
    let is_ours = |part: Component<'_>| matches!(part, Component::Normal(name) if name == ".lambd" || name == ".git");
    !path.starts_with(except) && !below.components().any(is_ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_below_the_folder_decides() {
        let cases = [
            ("/srv/u/fns/a/x.py", true),
            ("/srv/u/fns/.lambd/state.db", false),
            ("/srv/u/fns/a/.git/HEAD", false),
            ("/srv/u/fns/state/state.db", false),
        ];
        for (path, expected) in cases {
            let is_source = is_source(Path::new(path), Path::new("/srv/u/fns"), Path::new("/srv/u/fns/state"));
            assert_eq!(is_source, expected, "{path}");
        }
        let root = Path::new("/srv/u/.git/fns");
        assert!(is_source(&root.join("a/x.py"), root, Path::new("/nowhere")));
    }
}
