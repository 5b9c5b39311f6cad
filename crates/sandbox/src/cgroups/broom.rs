//! Removes groups behind the engine's back: a group goes when its last process has, and the kernel takes
//! milliseconds for it under load.
//!
//! Never here: which group.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use super::sweep;

/// How long a group that is still in use is left alone before the next try.
const PAUSE: Duration = Duration::from_millis(5);
/// After so many tries it is left to the next start's sweep: a process in it cannot be killed.
const TRIES: u32 = 1000;
/// As long as this, in all, is waited at the end.
const TRIES_AT_THE_END: u32 = 400;

/// The thread that does it.
#[derive(Debug)]
pub(super) struct Broom {
    sender: Sender<Work>,
    thread: Option<JoinHandle<()>>,
}

/// Somebody who has groups to be removed.
#[derive(Clone, Debug)]
pub(super) struct Handle(Sender<Work>);

#[derive(Debug)]
enum Work {
    Remove(Vec<PathBuf>),
    End,
}

impl Broom {
    /// At its end it also removes `bases`.
    pub(super) fn start(bases: Vec<PathBuf>) -> io::Result<Self> {
        let (sender, work) = mpsc::channel();
        let thread =
            std::thread::Builder::new().name("control groups".to_owned()).spawn(move || sweep_up(&work, &bases))?;
        Ok(Self { sender, thread: Some(thread) })
    }

    pub(super) fn handle(&self) -> Handle {
        Handle(self.sender.clone())
    }
}

impl Drop for Broom {
    fn drop(&mut self) {
        let _ = self.sender.send(Work::End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Handle {
    /// Removes a group's folders, outer ones first in the list.
    pub(super) fn remove(&self, folders: Vec<PathBuf>) {
        if let Err(mpsc::SendError(Work::Remove(folders))) = self.0.send(Work::Remove(folders)) {
            // The broom is gone: what can go at once goes.
            try_remove(&folders);
        }
    }
}

fn sweep_up(work: &Receiver<Work>, bases: &[PathBuf]) {
    let mut waiting: VecDeque<(Vec<PathBuf>, u32)> = VecDeque::new();
    let mut is_ending = false;
    loop {
        let next = match (waiting.is_empty(), is_ending) {
            (true, true) => break,
            (true, false) => work.recv().map_err(|_| RecvTimeoutError::Disconnected),
            (false, _) => work.recv_timeout(PAUSE),
        };
        match next {
            Ok(Work::Remove(folders)) => waiting.push_back((folders, 0)),
            Ok(Work::End) => is_ending = true,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        // All that has come meanwhile.
        for more in work.try_iter() {
            match more {
                Work::Remove(folders) => waiting.push_back((folders, 0)),
                Work::End => is_ending = true,
            }
        }
        let tries_max = if is_ending { TRIES_AT_THE_END } else { TRIES };
        waiting.retain_mut(|(folders, tries)| {
            *tries += 1;
            if try_remove(folders) {
                return false;
            }
            // Who is still in it was left behind: the environment's end comes before its group's.
            let _ = sweep::kill_once(folders);
            if *tries >= tries_max {
                tracing::warn!(group = %folders[0].display(), "a control group cannot be removed: a process in it does not end");
                return false;
            }
            true
        });
    }
    try_remove(bases);
}

/// Removes the folders that are not in use, the last first; tells whether all are gone.
pub(super) fn try_remove(folders: &[PathBuf]) -> bool {
    let mut all = true;
    for folder in folders.iter().rev() {
        let removed = fs::remove_dir(folder);
        all &= removed.as_ref().err().is_none_or(|error| error.kind() == io::ErrorKind::NotFound);
    }
    all
}

/// Removes them here and now, with what lives in them.
pub(super) fn remove_now(folders: &[PathBuf]) -> bool {
    for _ in 0..TRIES_AT_THE_END {
        if try_remove(folders) {
            return true;
        }
        // Killing waits for those who are killed; where there is nobody the kernel is about to notice.
        if sweep::kill(folders).unwrap_or(0) == 0 {
            std::thread::sleep(PAUSE);
        }
    }
    false
}
