//! Real groups with real processes in them. Where the kernel gives none the tests are left out by name.

use std::io::{self, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

const MB: u64 = 1 << 20;

/// An engine's groups, of a name that no other test has.
fn cgroups(test: &str, needed: &[Controller]) -> Option<Cgroups> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    named(test, &name, needed)
}

fn named(test: &str, name: &str, needed: &[Controller]) -> Option<Cgroups> {
    let cgroups = match Cgroups::find(name) {
        Ok(cgroups) => cgroups,
        Err(refused) => {
            testkit::skip::without_kernel(test, &format!("no control groups: {refused:?}"));
            return None;
        }
    };
    for controller in needed {
        if let Err(refused) = cgroups.features().of(*controller) {
            testkit::skip::without_kernel(test, &format!("no controller {}: {refused:?}", controller.name()));
            return None;
        }
    }
    Some(cgroups)
}

/// A program that begins once it is in its group.
struct Held(Child);

impl Held {
    fn new(script: &str) -> Self {
        let script = format!("read line; {script}");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.0)
    }

    /// Puts it into its group and lets it go on.
    fn begin(mut self, group: &Cgroup) -> Child {
        group.add(self.pid()).unwrap();
        group.add_to_frozen(self.pid()).unwrap();
        self.0.stdin.take().unwrap().write_all(b"\n").unwrap();
        self.0
    }
}

fn run(group: &Cgroup, script: &str) -> ExitStatus {
    Held::new(script).begin(group).wait().unwrap()
}

/// Until it holds; whoever else is to act gets its turn.
#[track_caller]
fn until(mut holds: impl FnMut() -> bool) {
    for _ in 0..20_000 {
        if holds() {
            return;
        }
        rustix::thread::sched_yield();
        rustix::event::poll(&mut [], Some(&rustix::event::Timespec { tv_sec: 0, tv_nsec: 1_000_000 })).unwrap();
    }
    panic!("it never held");
}

fn limits(memory_mb: u64, pids_max: u64) -> Limits {
    Limits { memory_bytes: memory_mb * MB, pids_max }
}

/// What the scheduler gave a process and its children that have ended, in ticks (proc_pid_stat(5): fields 14 to 17).
fn ticks(pid: Pid) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11..15].iter().map(|field| field.parse::<u64>().unwrap()).sum()
}

#[test]
fn a_memory_bomb_is_killed_and_counted_and_its_neighbour_lives() {
    let Some(cgroups) = cgroups("a_memory_bomb_is_killed", &[Controller::Memory]) else { return };
    let bombed = cgroups.create("bombed", &limits(32, 64)).unwrap();
    let quiet = cgroups.create("quiet", &limits(32, 64)).unwrap();
    let mut neighbour = Held::new("sleep 600").begin(&quiet);
    // What has no lines `tail` keeps in memory.
    let ended = run(&bombed, "exec tail /dev/zero");
    assert_eq!(ended.signal(), Some(libc::SIGKILL));
    // v2 counts the one that was chosen and then each of its group.
    assert!(bombed.oom_kills().unwrap() >= 1);
    let peak = bombed.peak_bytes().unwrap();
    assert!((31 * MB..=32 * MB).contains(&peak), "{peak}");
    assert_eq!(quiet.oom_kills().unwrap(), 0);
    assert!(quiet.peak_bytes().unwrap() < 16 * MB);
    assert!(neighbour.try_wait().unwrap().is_none());
    quiet.kill().unwrap();
    assert_eq!(neighbour.wait().unwrap().signal(), Some(libc::SIGKILL));
}

#[test]
fn a_waiting_group_gets_another_limit_up_and_down() {
    let Some(cgroups) = cgroups("a_waiting_group_gets_another_limit", &[Controller::Memory]) else { return };
    let group = cgroups.create("one", &limits(16, 64)).unwrap();
    group.set_memory(96 * MB).unwrap();
    // 40 MB without a line's end: held at once.
    let fill = "head -c 40000000 /dev/zero | tail -c +1 | tail >/dev/null";
    assert!(run(&group, fill).success());
    assert_eq!(group.oom_kills().unwrap(), 0);
    assert!(group.peak_bytes().unwrap() > 38 * MB);
    group.set_memory(24 * MB).unwrap();
    run(&group, fill);
    assert!(group.oom_kills().unwrap() >= 1);
}

#[test]
fn the_init_is_spared_when_the_memory_is_out() {
    let Some(cgroups) = cgroups("the_init_is_spared", &[Controller::Memory]) else { return };
    let group = cgroups.create("one", &limits(32, 64)).unwrap();
    let init = Held::new("while read line; do :; done; sleep 600");
    group.add(init.pid()).unwrap();
    if let Err(refused) = group.spare(init.pid()) {
        return testkit::skip::without_kernel("the_init_is_spared", &format!("oom_score_adj: {refused}"));
    }
    let mut helper = Held::new("sleep 600").begin(&group);
    assert_eq!(run(&group, "exec tail /dev/zero").signal(), Some(libc::SIGKILL));
    let mut init = init.0;
    assert!(init.try_wait().unwrap().is_none());
    if cgroups.features().memory == Ok(Version::V2) {
        // All others went with it.
        assert_eq!(helper.wait().unwrap().signal(), Some(libc::SIGKILL));
    }
    group.kill().unwrap();
    init.wait().unwrap();
    helper.wait().unwrap();
}

#[test]
fn a_fork_bomb_stops_at_the_limit() {
    let Some(cgroups) = cgroups("a_fork_bomb_stops_at_the_limit", &[Controller::Pids]) else { return };
    let group = cgroups.create("one", &limits(128, 20)).unwrap();
    let mut bomb = Held::new("while :; do sleep 600 & done").begin(&group);
    let (_, _, base) = cgroups.bases.iter().find(|(controller, ..)| *controller == Controller::Pids).unwrap();
    let group_folder = base.join("one");
    // Its shell ends, unable to fork; what it had forked is as many as were allowed.
    bomb.wait().unwrap();
    // On v2 they are in the inner group.
    let inside = [group_folder.clone(), group_folder.join(v2::INNER)];
    let alive: usize = inside.iter().filter_map(|folder| files::processes(folder).ok()).map(|all| all.len()).sum();
    assert!((15..=21).contains(&alive), "{alive}");
    let events = fs::read_to_string(group_folder.join("pids.events")).unwrap();
    assert!(!events.contains("max 0\n"), "{events}");
    // It can be ended and goes.
    drop(group);
    cgroups.close();
    assert!(!group_folder.exists());
}

#[test]
fn what_is_frozen_uses_no_processor_and_goes_on_afterwards() {
    let Some(cgroups) = cgroups("what_is_frozen_uses_no_processor", &[Controller::Freezer]) else { return };
    let group = cgroups.create("one", &limits(128, 64)).unwrap();
    // The init stays outside, and answers while the others stand still.
    let init = Held::new("read line; exit 7");
    group.add(init.pid()).unwrap();
    let mut busy = Held::new("while :; do :; done").begin(&group);
    let pid = Pid::from_child(&busy);
    until(|| ticks(pid) > 3);
    group.freeze().unwrap();
    until(|| group.is_frozen().unwrap());
    let before = ticks(pid);
    let mut init = init.0;
    init.stdin.take().unwrap().write_all(b"\n\n").unwrap();
    assert_eq!(init.wait().unwrap().code(), Some(7));
    let mut rounds = 0;
    until(|| {
        rounds += 1;
        rounds > 100
    });
    // The kernel books in ticks, of which one may be on its way; at work it would have had ten.
    assert!(ticks(pid) <= before + 1, "{before} {}", ticks(pid));
    group.thaw().unwrap();
    until(|| ticks(pid) > before + 3);
    // It dies also while it is frozen.
    group.freeze().unwrap();
    until(|| group.is_frozen().unwrap());
    group.kill().unwrap();
    assert_eq!(busy.wait().unwrap().signal(), Some(libc::SIGKILL));
}

#[test]
fn the_processor_is_limited_in_proportion_and_only_then() {
    let Some(cgroups) = cgroups("the_processor_is_limited", &[Controller::Cpu]) else { return };
    let group = cgroups.create("one", &limits(128, 64)).unwrap();
    let (_, version, base) = cgroups.bases.iter().find(|(controller, ..)| *controller == Controller::Cpu).unwrap();
    let throttled = || {
        let stat = File::open(base.join("one/cpu.stat")).unwrap();
        files::read_field(&stat, "nr_throttled").unwrap()
    };
    let read = |name: &str| fs::read_to_string(base.join("one").join(name)).unwrap();
    let mut busy = Held::new("while :; do :; done").begin(&group);
    let pid = Pid::from_child(&busy);
    until(|| ticks(pid) > 10);
    assert_eq!(throttled(), 0);
    group.limit_cpu(128).unwrap();
    until(|| throttled() > 5);
    match version {
        Version::V1 => assert_eq!((read("cpu.cfs_quota_us"), read("cpu.shares")), ("1447\n".into(), "73\n".into())),
        Version::V2 => assert_eq!((read("cpu.max"), read("cpu.weight")), ("1447 20000\n".into(), "7\n".into())),
    }
    // The most that there is.
    group.limit_cpu(10_240).unwrap();
    group.free_cpu().unwrap();
    let before = throttled();
    let used = ticks(pid);
    until(|| ticks(pid) > used + 10);
    assert_eq!(throttled(), before);
    group.kill().unwrap();
    busy.wait().unwrap();
}

#[test]
fn what_a_killed_engine_left_is_swept_and_nothing_else() {
    let test = "what_a_killed_engine_left_is_swept";
    let name = format!("test-{}-swept", std::process::id());
    let Some(earlier) = named(test, &name, &[Controller::Freezer]) else { return };
    let Some(other) = cgroups(test, &[]) else { return };
    let group = earlier.create("left", &limits(128, 64)).unwrap();
    let mut left = Held::new("sleep 600 & sleep 600").begin(&group);
    group.freeze().unwrap();
    let others = other.create("left", &limits(128, 64)).unwrap();
    let mut alive = Held::new("sleep 600").begin(&others);
    let folders = group.folders();
    // A killed engine cleans nothing up.
    std::mem::forget(group);
    std::mem::forget(earlier);

    let Some(next) = named(test, &name, &[]) else { panic!("it was there before") };
    // Somebody has to take note of the dead, as the init of the machine does.
    let reaper = std::thread::spawn(move || left.wait().unwrap());
    assert!(next.sweep().unwrap() >= 1);
    assert!(folders.iter().all(|folder| !folder.exists()), "{folders:?}");
    assert_eq!(reaper.join().unwrap().signal(), Some(libc::SIGKILL));
    assert_eq!(next.sweep().unwrap(), 0);
    assert!(alive.try_wait().unwrap().is_none());
    // The name can be used at once.
    drop(next.create("left", &limits(128, 64)).unwrap());
    let bases: Vec<PathBuf> = next.bases.iter().map(|(.., base)| base.clone()).collect();
    next.close();
    assert!(bases.iter().all(|base| !base.exists()), "{bases:?}");
    others.kill().unwrap();
    alive.wait().unwrap();
}

#[test]
fn who_enters_by_descriptor_is_in_all_groups() {
    let Some(cgroups) = cgroups("who_enters_by_descriptor", &[]) else { return };
    let group = cgroups.create("one", &limits(128, 64)).unwrap();
    let (entrance, inner) = (group.entrance().unwrap(), group.frozen_entrance().unwrap());
    // What the init does after its clone, and the runtime before its exec: here it is a shell that writes.
    let mut into = entrance.into_descriptors();
    into.extend(inner.into_descriptors());
    for entered in into {
        let mut shell = Command::new("sh");
        shell.args(["-c", "printf 0; read line"]).stdin(Stdio::piped()).stdout(File::from(entered));
        let mut shell = shell.spawn().unwrap();
        let pid = Pid::from_child(&shell);
        until(|| group.folders().iter().any(|folder| files::processes(folder).unwrap().contains(&pid)));
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }
}

#[test]
fn a_name_that_leads_elsewhere_is_refused() {
    for name in ["", ".", "a/b", "a b", "a\nb"] {
        assert!(!is_file_name(name), "{name:?}");
    }
    assert!(is_file_name("lambd-1.engine_x"));
    if let Some(cgroups) = cgroups("a_name_that_leads_elsewhere_is_refused", &[]) {
        let refused = cgroups.create("../x", &limits(1, 1)).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
        // Twice the same is an error too, and the first stays.
        let first = cgroups.create("one", &limits(128, 64)).unwrap();
        let folders = first.folders();
        assert_eq!(cgroups.create("one", &limits(128, 64)).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(folders.iter().all(|folder| folder.exists()));
    }
}
