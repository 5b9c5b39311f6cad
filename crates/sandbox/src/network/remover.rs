//! The thread that removes links: the kernel takes its time over each removal, but not more over many at once.
//!
//! Mostly a link is gone before, with the namespace at its other end.
//! Never here: which links are to go.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::links;
use super::ranges::Slots;

/// A link that nobody needs any more.
#[derive(Debug)]
pub(crate) struct Leaving {
    /// Its name, which is its own until the slot is given back.
    pub name: String,
    /// What is free when it is gone.
    pub slot: Option<u16>,
}

#[derive(Debug)]
pub(crate) struct Remover {
    leaving: Option<Sender<Leaving>>,
    thread: Option<JoinHandle<()>>,
}

impl Remover {
    /// Starts it in the network namespace of the thread that calls.
    pub(crate) fn start(group: u32, slots: Arc<Mutex<Slots>>) -> io::Result<Self> {
        let (leaving, come) = channel();
        let remove = move || run(&come, group, &slots);
        let thread = thread::Builder::new().name("links".to_owned()).spawn(remove)?;
        Ok(Self { leaving: Some(leaving), thread: Some(thread) })
    }

    /// Has a link removed soon.
    pub(crate) fn take(&self, link: Leaving) {
        if let Some(leaving) = &self.leaving {
            let _ = leaving.send(link);
        }
    }

    /// Waits until all are removed.
    pub(crate) fn end(&mut self) {
        self.leaving = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(come: &Receiver<Leaving>, group: u32, slots: &Mutex<Slots>) {
    while let Ok(first) = come.recv() {
        let all: Vec<Leaving> = [first].into_iter().chain(come.try_iter()).collect();
        if let Err(error) = links::remove_all(all.iter().map(|link| link.name.as_str()), group) {
            // Their slots are not used again, so that their names and addresses mean nothing else.
            tracing::warn!(%error, "links could not be removed; the end of the engine does, or the next start");
            continue;
        }
        let mut slots = slots.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter_map(|link| link.slot).for_each(|slot| slots.give_back(slot));
    }
}
