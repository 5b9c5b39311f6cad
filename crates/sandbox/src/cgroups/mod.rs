//! Control groups: how much memory, processor and how many processes an environment has, and its standing still.
//!
//! Each controller is used where the kernel has it, v1 or v2, so v1 with an idle v2 beside it works as well as either
//! alone. The engine makes, limits, reads and removes groups by path; what enters one does so through descriptors
//! ([`Entrance`]), because a spawner's child sees no group. Never here: what a limit should be.

#![allow(dead_code, reason = "not all of it is called yet")]

mod broom;
mod clone;
mod files;
mod hierarchies;
mod sweep;
#[cfg(test)]
mod tests;
mod v1;
mod v2;

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::process::Pid;

use self::broom::Broom;
pub(crate) use self::hierarchies::Controller;
use self::hierarchies::Hierarchies;
use crate::launcher::protocol::Refused;

/// One vCPU comes with so much memory (AWS developer guide, configuration-memory: "At 1,769 MB, a function has the
/// equivalent of one vCPU").
const MB_PER_CORE: u64 = 1769;
/// How long a function that has used up its share stands still at most: short, so that a small function's answer is
/// late by milliseconds and not by a tenth of a second; long enough that 128 MB's share is more than the kernel's least.
const PERIOD_US: u64 = 20_000;
/// The kernel takes no quota below.
const QUOTA_US_MIN: u64 = 1000;

/// Which interface of the kernel a controller has here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// A hierarchy for each controller.
    V1,
    /// One hierarchy for all.
    V2,
}

/// What a new group may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Memory, page cache included. Can be changed later: [`Cgroup::set_memory`].
    pub(crate) memory_bytes: u64,
    /// Processes and threads besides the init.
    pub(crate) pids_max: u64,
}

/// Which controllers can be had, and what the kernel said to the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Features {
    /// Memory.
    pub(crate) memory: Result<Version, Refused>,
    /// The scheduler.
    pub(crate) cpu: Result<Version, Refused>,
    /// Processes.
    pub(crate) pids: Result<Version, Refused>,
    /// Standing still.
    pub(crate) freezer: Result<Version, Refused>,
}

impl Features {
    fn of(&self, controller: Controller) -> &Result<Version, Refused> {
        match controller {
            Controller::Memory => &self.memory,
            Controller::Cpu => &self.cpu,
            Controller::Pids => &self.pids,
            Controller::Freezer => &self.freezer,
        }
    }
}

/// The groups of one engine.
#[derive(Debug)]
pub(crate) struct Cgroups {
    hierarchies: Hierarchies,
    /// Of the folders that are ours.
    name: String,
    /// Ours, in each hierarchy.
    bases: Vec<(Controller, Version, PathBuf)>,
    features: Features,
    broom: Broom,
}

impl Cgroups {
    /// Finds the hierarchies, makes a folder `lambd-NAME` in each, and tries each controller on a group. Refused where
    /// not one can be had. Blocks for some milliseconds.
    pub(crate) fn find(name: &str) -> Result<Self, Refused> {
        let name = format!("lambd-{name}");
        if !is_file_name(&name) {
            return Err(Refused { step: "cgroup name".to_owned(), errno: libc::EINVAL });
        }
        let hierarchies = Hierarchies::find().map_err(|error| refused("open /proc/self/cgroup", &error))?;
        // v2's controllers are given on together: whoever sits in our group has to move once.
        let v2_wanted: Vec<Controller> = Controller::ALL
            .into_iter()
            .filter(|one| *one != Controller::Freezer && hierarchies.v1(*one).is_none())
            .collect();
        let ground = match &hierarchies.unified {
            Some(own) => v2::find_ground(own, &format!("{name}.engine"), &v2_wanted)
                .map_err(|error| refused("write cgroup.subtree_control", &error)),
            None => Err(Refused { step: "find cgroup2".to_owned(), errno: libc::ENOENT }),
        };
        let mut bases: Vec<(Controller, Version, PathBuf)> = Vec::new();
        let mut first_refused = None;
        let mut place = |controller: Controller| {
            let found: Result<(Version, PathBuf), Refused> = match hierarchies.v1(controller) {
                Some(own) => make_base(own.group.join(&name)).map(|base| (Version::V1, base)),
                None => ground.clone().and_then(|ground| {
                    if controller != Controller::Freezer && !ground.controllers.contains(&controller) {
                        return Err(Refused {
                            step: format!("find {} in cgroup.controllers", controller.name()),
                            errno: libc::ENOENT,
                        });
                    }
                    let base = make_base(ground.group.join(&name))?;
                    v2::give_on(&base, &ground.controllers)
                        .map_err(|error| refused("write cgroup.subtree_control", &error))?;
                    Ok((Version::V2, base))
                }),
            };
            let tried = found.and_then(|(version, base)| {
                try_out(controller, version, &base)?;
                bases.push((controller, version, base));
                Ok(version)
            });
            if let Err(refused) = &tried {
                first_refused.get_or_insert_with(|| refused.clone());
            }
            tried
        };
        let features = Features {
            memory: place(Controller::Memory),
            cpu: place(Controller::Cpu),
            pids: place(Controller::Pids),
            freezer: place(Controller::Freezer),
        };
        if let (true, Some(refused)) = (bases.is_empty(), first_refused) {
            return Err(refused);
        }
        let broom = Broom::start(distinct(bases.iter().map(|(.., base)| base.clone())))
            .map_err(|error| refused("clone", &error))?;
        Ok(Self { hierarchies, name, bases, features, broom })
    }

    /// Where what is frozen does not even die before it is thawed, the folder of all that may be frozen.
    pub(crate) fn thaw_before_death(&self) -> Option<&Path> {
        let freezer = |(controller, version, _): &&(Controller, Version, PathBuf)| {
            (*controller, *version) == (Controller::Freezer, Version::V1)
        };
        self.bases.iter().find(freezer).map(|(.., base)| base.as_path())
    }

    /// What can be had.
    pub(crate) fn features(&self) -> &Features {
        &self.features
    }

    /// What an administrator would call this machine: after the controller of memory, if there is one.
    pub(crate) fn version(&self) -> Version {
        let of = |controller| self.features.of(controller).as_ref().ok().copied();
        Controller::ALL.into_iter().find_map(of).unwrap_or(Version::V2)
    }

    /// Makes a group for an environment. No limit of the processor yet: at its init a function has all there is.
    pub(crate) fn create(&self, id: &str, limits: &Limits) -> io::Result<Cgroup> {
        if !is_file_name(id) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let place = |controller| {
            let (_, version, base) = self.bases.iter().find(|(found, ..)| *found == controller)?;
            Some(Place { version: *version, group: base.join(id) })
        };
        let mut group = Cgroup {
            memory: place(Controller::Memory),
            cpu: place(Controller::Cpu),
            pids: place(Controller::Pids),
            freezer: place(Controller::Freezer),
            files: MemoryFiles::default(),
            broom: self.broom.handle(),
            is_ended: AtomicBool::new(false),
        };
        let folders = group.folders();
        for (made, folder) in folders.iter().enumerate() {
            if let Err(error) = fs::create_dir(folder) {
                // Who has these folders keeps them.
                broom::try_remove(&folders[..made]);
                group.forget();
                return Err(error);
            }
        }
        // From here on dropping it removes what was made.
        if let Some(memory) = &group.memory {
            memory.set_memory(limits.memory_bytes)?;
            if memory.version == Version::V2 {
                v2::kill_all_when_out_of_memory(&memory.group, true)?;
            }
        }
        if let Some(pids) = &group.pids {
            files::write(&pids.group, "pids.max", &limits.pids_max.saturating_add(1).to_string())?;
        }
        Ok(group)
    }

    /// Removes the groups that an earlier engine of this name has left, with all that lives in them; tells how many.
    /// For the start, when there is no group of ours yet. Blocks until the kernel is done.
    pub(crate) fn sweep(&self) -> io::Result<usize> {
        sweep::sweep(
            &self.hierarchies,
            &self.name,
            &self.bases.iter().map(|(.., base)| base.as_path()).collect::<Vec<_>>(),
        )
    }

    /// Waits until all groups that were dropped are gone, and removes the folders that were made for them. Blocks.
    pub(crate) fn close(self) {
        drop(self);
    }
}

/// Makes the folder of all our groups.
fn make_base(base: PathBuf) -> Result<PathBuf, Refused> {
    v2::make_folder(&base).map_err(|error| refused("mkdir", &error))?;
    Ok(base)
}

/// Has a real group of this controller do what it will have to do.
fn try_out(controller: Controller, version: Version, base: &Path) -> Result<(), Refused> {
    let group = base.join("trial");
    v2::make_folder(&group).map_err(|error| refused("mkdir", &error))?;
    let place = Place { version, group };
    let result = try_place(controller, &place);
    broom::remove_now(std::slice::from_ref(&place.group));
    result
}

fn try_place(controller: Controller, place: &Place) -> Result<(), Refused> {
    const TRIAL_MEMORY_BYTES: u64 = 256 << 20;
    let step = |name: &'static str| move |error: io::Error| refused(name, &error);
    match controller {
        Controller::Memory => {
            place.set_memory(TRIAL_MEMORY_BYTES).map_err(step("write memory limit"))?;
            MemoryFiles::default().oom_kills(place).map_err(step("read oom_kill"))?;
        }
        Controller::Cpu => {
            place.limit_cpu(MB_PER_CORE).map_err(step("write cpu quota"))?;
            place.free_cpu().map_err(step("write cpu quota"))?;
        }
        Controller::Pids => files::write(&place.group, "pids.max", "64").map_err(step("write pids.max"))?,
        Controller::Freezer => {
            place.freeze().map_err(step("write freezer"))?;
            if !place.is_frozen().map_err(step("read freezer"))? {
                return Err(Refused { step: "freeze an empty group".to_owned(), errno: libc::EIO });
            }
            place.thaw().map_err(step("write freezer"))?;
        }
    }
    // And somebody has to come in.
    match place.version {
        Version::V2 => {
            let directory = File::open(&place.group).map_err(step("open"))?;
            clone::pass_through(&directory).map_err(step("clone3"))
        }
        Version::V1 => {
            let entrance = files::open_to_write(&place.group.join(v1::ENTRANCE)).map_err(step("open tasks"))?;
            // A thread of ours, which ends there.
            let entered = std::thread::scope(|scope| scope.spawn(|| Entrance::write(&entrance)).join());
            entered.unwrap_or_else(|_| Err(io::ErrorKind::Other.into())).map_err(step("write tasks"))
        }
    }
}

fn refused(step: &str, error: &io::Error) -> Refused {
    Refused { step: step.to_owned(), errno: error.raw_os_error().unwrap_or(0) }
}

/// One folder's name, that no list of ours could be misled by.
fn is_file_name(name: &str) -> bool {
    !name.is_empty()
        && name != "."
        && name != ".."
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn distinct(paths: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = Vec::new();
    paths.for_each(|path| {
        if !all.contains(&path) {
            all.push(path);
        }
    });
    all
}

/// Lets all go on that an engine has frozen in groups below `base`: for when it is gone.
pub(crate) fn thaw_all(base: &Path) {
    for group in fs::read_dir(base).into_iter().flatten().flatten() {
        if group.path().is_dir() {
            let _ = v1::thaw(&group.path());
        }
    }
}

/// The folder of a group in the hierarchy of one controller.
#[derive(Debug)]
struct Place {
    version: Version,
    group: PathBuf,
}

impl Place {
    fn set_memory(&self, bytes: u64) -> io::Result<()> {
        match self.version {
            Version::V1 => v1::set_memory(&self.group, bytes),
            Version::V2 => v2::set_memory(&self.group, bytes),
        }
    }

    fn limit_cpu(&self, memory_mb: u64) -> io::Result<()> {
        let quota_us = (PERIOD_US * memory_mb / MB_PER_CORE).max(QUOTA_US_MIN);
        let milli_cores = memory_mb * 1000 / MB_PER_CORE;
        match self.version {
            Version::V1 => v1::limit_cpu(&self.group, milli_cores, quota_us, PERIOD_US),
            Version::V2 => v2::limit_cpu(&self.group, milli_cores, quota_us, PERIOD_US),
        }
    }

    fn free_cpu(&self) -> io::Result<()> {
        match self.version {
            Version::V1 => v1::free_cpu(&self.group),
            Version::V2 => v2::free_cpu(&self.group),
        }
    }

    /// The group of those who are frozen. v1's freezer holds nobody else; on v2 it is one below.
    fn inner(&self) -> PathBuf {
        match self.version {
            Version::V1 => self.group.clone(),
            Version::V2 => self.group.join(v2::INNER),
        }
    }

    fn freeze(&self) -> io::Result<()> {
        match self.version {
            Version::V1 => v1::freeze(&self.group),
            Version::V2 => v2::freeze(&self.existing_inner()),
        }
    }

    fn thaw(&self) -> io::Result<()> {
        match self.version {
            Version::V1 => v1::thaw(&self.group),
            Version::V2 => v2::thaw(&self.existing_inner()),
        }
    }

    fn is_frozen(&self) -> io::Result<bool> {
        match self.version {
            Version::V1 => v1::is_frozen(&self.group),
            Version::V2 => v2::is_frozen(&self.existing_inner()),
        }
    }

    /// The trial group has no inner one.
    fn existing_inner(&self) -> PathBuf {
        let inner = self.inner();
        if inner.is_dir() { inner } else { self.group.clone() }
    }
}

/// What is read at each invocation, kept open.
#[derive(Debug, Default)]
struct MemoryFiles {
    events: OnceLock<File>,
    peak: OnceLock<Option<File>>,
    current: OnceLock<File>,
    most_bytes: AtomicU64,
}

impl MemoryFiles {
    fn oom_kills(&self, place: &Place) -> io::Result<u64> {
        let name = match place.version {
            Version::V1 => v1::MEMORY_EVENTS,
            Version::V2 => v2::MEMORY_EVENTS,
        };
        files::read_field(kept(&self.events, &place.group.join(name))?, "oom_kill")
    }

    fn current_bytes(&self, place: &Place) -> io::Result<u64> {
        let name = match place.version {
            Version::V1 => v1::MEMORY_CURRENT,
            Version::V2 => v2::MEMORY_CURRENT,
        };
        files::read_number(kept(&self.current, &place.group.join(name))?)
    }

    fn peak_bytes(&self, place: &Place) -> io::Result<u64> {
        let name = match place.version {
            Version::V1 => v1::MEMORY_PEAK,
            Version::V2 => v2::MEMORY_PEAK,
        };
        if let Some(peak) = self.peak.get_or_init(|| File::open(place.group.join(name)).ok()) {
            return files::read_number(peak);
        }
        // Kernels before 5.19 keep no peak on v2: then it is the most that we have seen.
        let now = self.current_bytes(place)?;
        Ok(self.most_bytes.fetch_max(now, Ordering::Relaxed).max(now))
    }
}

fn kept<'a>(file: &'a OnceLock<File>, path: &Path) -> io::Result<&'a File> {
    if let Some(file) = file.get() {
        return Ok(file);
    }
    let opened = File::open(path)?;
    Ok(file.get_or_init(|| opened))
}

/// The group of one environment. Dropping it has it removed, in the background, with all that is left in it.
#[derive(Debug)]
pub(crate) struct Cgroup {
    memory: Option<Place>,
    cpu: Option<Place>,
    pids: Option<Place>,
    freezer: Option<Place>,
    files: MemoryFiles,
    broom: broom::Handle,
    is_ended: AtomicBool,
}

impl Cgroup {
    /// Moves a process in, which takes milliseconds on a busy machine. One that has only one thread goes faster through
    /// [`Entrance::enter`], or is cloned into [`Self::directory`].
    pub(crate) fn add(&self, pid: Pid) -> io::Result<()> {
        for group in distinct(self.outer().map(|place| place.group.clone())) {
            files::write(&group, "cgroup.procs", &pid.as_raw_pid().to_string())?;
        }
        Ok(())
    }

    /// Moves an init in where it does not go by itself through the [entrance](Self::entrance).
    pub(crate) fn take_in(&self, init: Pid) -> io::Result<()> {
        for group in
            distinct(self.places().filter(|place| place.version == Version::V2).map(|place| place.group.clone()))
        {
            files::write(&group, "cgroup.procs", &init.as_raw_pid().to_string())?;
        }
        Ok(())
    }

    /// Moves a process in among those that are frozen.
    pub(crate) fn add_to_frozen(&self, pid: Pid) -> io::Result<()> {
        let Some(freezer) = &self.freezer else { return Ok(()) };
        files::write(&freezer.inner(), "cgroup.procs", &pid.as_raw_pid().to_string())
    }

    /// The folder of a v2 group, for CLONE_INTO_CGROUP; then it is left out of [`Self::entrance`].
    pub(crate) fn directory(&self) -> io::Result<Option<OwnedFd>> {
        let v2 = self.places().find(|place| place.version == Version::V2);
        v2.map(|place| File::open(&place.group).map(OwnedFd::from)).transpose()
    }

    /// The way in for an init.
    pub(crate) fn entrance(&self) -> io::Result<Entrance> {
        let v1 = distinct(self.outer().filter(|place| place.version == Version::V1).map(|place| place.group.clone()));
        let open = |group: &PathBuf| files::open_to_write(&group.join(v1::ENTRANCE)).map(OwnedFd::from);
        Ok(Entrance(v1.iter().map(open).collect::<io::Result<_>>()?))
    }

    /// The way in for a runtime or an extension, out of the init's group into the one that is frozen.
    pub(crate) fn frozen_entrance(&self) -> io::Result<Entrance> {
        let Some(freezer) = &self.freezer else { return Ok(Entrance(Vec::new())) };
        let name = match freezer.version {
            Version::V1 => v1::ENTRANCE,
            Version::V2 => v2::ENTRANCE,
        };
        Ok(Entrance(vec![files::open_to_write(&freezer.inner().join(name))?.into()]))
    }

    /// Where the runtime is, to be cloned into (v2).
    pub(crate) fn frozen_directory(&self) -> io::Result<Option<OwnedFd>> {
        let v2 = self.freezer.as_ref().filter(|place| place.version == Version::V2);
        v2.map(|place| File::open(place.inner()).map(OwnedFd::from)).transpose()
    }

    /// Keeps the init alive when memory is out and the kernel kills the group (v2), or its largest process (v1). Where
    /// that is not allowed, v2 kills one process too: a dead runtime that the init can tell of is better than silence.
    pub(crate) fn spare(&self, init: Pid) -> io::Result<()> {
        let spared = files::write(Path::new(&format!("/proc/{}", init.as_raw_pid())), "oom_score_adj", "-1000");
        match (&spared, &self.memory) {
            (Err(_), Some(memory)) if memory.version == Version::V2 => {
                v2::kill_all_when_out_of_memory(&memory.group, false)
            }
            _ => spared,
        }
    }

    /// From now on it has the processor in proportion to its memory.
    pub(crate) fn limit_cpu(&self, memory_mb: u64) -> io::Result<()> {
        self.cpu.as_ref().map_or(Ok(()), |cpu| cpu.limit_cpu(memory_mb))
    }

    /// It has all of the processor again: for another init.
    pub(crate) fn free_cpu(&self) -> io::Result<()> {
        self.cpu.as_ref().map_or(Ok(()), Place::free_cpu)
    }

    /// Another limit, for a waiting environment that gets its function.
    pub(crate) fn set_memory(&self, bytes: u64) -> io::Result<()> {
        self.memory.as_ref().map_or(Ok(()), |memory| memory.set_memory(bytes))
    }

    /// Whether [`Self::freeze`] can be.
    pub(crate) fn can_freeze(&self) -> bool {
        self.freezer.is_some()
    }

    /// Tells all but the init to stand still; it does not wait until they do.
    pub(crate) fn freeze(&self) -> io::Result<()> {
        self.freezer.as_ref().map_or_else(|| Err(io::ErrorKind::Unsupported.into()), Place::freeze)
    }

    /// Lets them go on.
    pub(crate) fn thaw(&self) -> io::Result<()> {
        self.freezer.as_ref().map_or_else(|| Err(io::ErrorKind::Unsupported.into()), Place::thaw)
    }

    /// Whether they all stand still.
    pub(crate) fn is_frozen(&self) -> io::Result<bool> {
        self.freezer.as_ref().map_or(Ok(false), Place::is_frozen)
    }

    /// How many processes the kernel has killed here for want of memory.
    pub(crate) fn oom_kills(&self) -> io::Result<u64> {
        self.memory.as_ref().map_or(Ok(0), |memory| self.files.oom_kills(memory))
    }

    /// The most memory that was ever in use, page cache included; 0 where nobody counts.
    pub(crate) fn peak_bytes(&self) -> io::Result<u64> {
        self.memory.as_ref().map_or(Ok(0), |memory| self.files.peak_bytes(memory))
    }

    /// The memory in use now, page cache included.
    pub(crate) fn current_bytes(&self) -> io::Result<u64> {
        self.memory.as_ref().map_or(Ok(0), |memory| self.files.current_bytes(memory))
    }

    /// Kills all that is in it, frozen or not.
    pub(crate) fn kill(&self) -> io::Result<()> {
        let folders = self.folders();
        sweep::kill_once(&folders).map(drop)
    }

    /// Has it removed, with all that is left in it. The same as dropping it: nobody waits.
    pub(crate) fn remove(self) {
        drop(self);
    }

    /// Leaves the folders to themselves.
    fn forget(&mut self) {
        (self.memory, self.cpu, self.pids, self.freezer) = (None, None, None, None);
    }

    fn places(&self) -> impl Iterator<Item = &Place> {
        [&self.memory, &self.cpu, &self.pids, &self.freezer].into_iter().flatten()
    }

    /// Where the init sits: not in v1's freezer, for what is frozen there does not even die.
    fn outer(&self) -> impl Iterator<Item = &Place> {
        let freezer = self.freezer.as_ref().filter(|place| place.version == Version::V2);
        [self.memory.as_ref(), self.cpu.as_ref(), self.pids.as_ref(), freezer].into_iter().flatten()
    }

    /// All its folders, outer ones first.
    fn folders(&self) -> Vec<PathBuf> {
        let inner = self.freezer.iter().map(Place::inner);
        distinct(self.places().map(|place| place.group.clone()).chain(inner))
    }
}

impl Cgroup {
    /// Has it removed though somebody may still keep it: nobody is to come in any more.
    pub(crate) fn end(&self) {
        let folders = self.folders();
        if !folders.is_empty() && !self.is_ended.swap(true, Ordering::Relaxed) {
            self.broom.remove(folders);
        }
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        self.end();
    }
}

/// Open files of a group, through which a process that has one thread enters. They can be handed to another process;
/// what counts is who opened them.
#[derive(Debug)]
pub(crate) struct Entrance(Vec<OwnedFd>);

impl Entrance {
    /// From descriptors that came from [`Self::into_descriptors`] of another process.
    pub(crate) fn new(descriptors: Vec<OwnedFd>) -> Self {
        Self(descriptors)
    }

    pub(crate) fn into_descriptors(self) -> Vec<OwnedFd> {
        self.0
    }

    /// Moves the calling process, which must have one thread.
    pub(crate) fn enter(&self) -> io::Result<()> {
        self.0.iter().try_for_each(Self::write)
    }

    fn write(file: impl std::os::fd::AsFd) -> io::Result<()> {
        rustix::io::write(file, b"0")?;
        Ok(())
    }
}
