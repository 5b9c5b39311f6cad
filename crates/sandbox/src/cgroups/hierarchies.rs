//! Which control group hierarchies this machine has, and in which group of each we are: both read from /proc.
//!
//! Never here: a change to a group.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};

/// What a controller of the kernel counts and limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Controller {
    /// Memory and page cache.
    Memory,
    /// The scheduler's shares and quotas.
    Cpu,
    /// Processes and threads.
    Pids,
    /// Standing still. On v2 part of every group, not a controller.
    Freezer,
}

impl Controller {
    pub(super) const ALL: [Self; 4] = [Self::Memory, Self::Cpu, Self::Pids, Self::Freezer];

    /// As the kernel names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Pids => "pids",
            Self::Freezer => "freezer",
        }
    }
}

/// A group that we see, in a hierarchy that we see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Own {
    /// Where the hierarchy is mounted: as far up as we see.
    pub(super) top: PathBuf,
    /// Our own group, at or below `top`.
    pub(super) group: PathBuf,
}

/// All of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Hierarchies {
    /// v1: one per controller; the same folder where several are mounted together.
    v1: Vec<(Controller, Own)>,
    /// v2, which also exists beside v1, then often without controllers.
    pub(super) unified: Option<Own>,
}

impl Hierarchies {
    /// Those of this process.
    pub(super) fn find() -> std::io::Result<Self> {
        Ok(Self::read(&std::fs::read("/proc/self/cgroup")?, &std::fs::read("/proc/self/mountinfo")?))
    }

    pub(super) fn v1(&self, controller: Controller) -> Option<&Own> {
        self.v1.iter().find_map(|(found, own)| (*found == controller).then_some(own))
    }

    /// From `/proc/self/cgroup` and `/proc/self/mountinfo` (cgroups(7), proc_pid_mountinfo(5)).
    fn read(groups: &[u8], mounts: &[u8]) -> Self {
        let mounts: Vec<Mount> = lines(mounts).filter_map(Mount::read).collect();
        let mut found = Self::default();
        for line in lines(groups) {
            let mut fields = line.splitn(3, |byte| *byte == b':').skip(1);
            let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
            let path = Path::new(OsStr::from_bytes(path));
            if controllers.is_empty() {
                let own = |mount: &Mount| mount.is_v2.then(|| mount.own(path)).flatten();
                found.unified = mounts.iter().find_map(own);
                continue;
            }
            let has = |list: &[u8], name: &str| list.split(|byte| *byte == b',').any(|one| one == name.as_bytes());
            for controller in Controller::ALL.into_iter().filter(|one| has(controllers, one.name())) {
                let own = |mount: &Mount| {
                    (!mount.is_v2 && has(&mount.options, controller.name())).then(|| mount.own(path)).flatten()
                };
                found.v1.extend(mounts.iter().find_map(own).map(|own| (controller, own)));
            }
        }
        found
    }
}

struct Mount {
    /// Which group of the hierarchy is seen at `at`.
    root: PathBuf,
    at: PathBuf,
    is_v2: bool,
    options: Vec<u8>,
}

impl Mount {
    fn read(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|byte| *byte == b' ');
        let root = path(fields.nth(3)?);
        let at = path(fields.next()?);
        let mut fields = fields.skip_while(|field| *field != b"-").skip(1);
        let is_v2 = match fields.next()? {
            b"cgroup2" => true,
            b"cgroup" => false,
            _ => return None,
        };
        Some(Self { root, at, is_v2, options: fields.nth(1)?.to_vec() })
    }

    /// The group `path`, if it is seen here: a path that leaves the cgroup namespace begins with `/..`.
    fn own(&self, path: &Path) -> Option<Own> {
        if path.components().any(|part| part == Component::ParentDir) {
            return None;
        }
        let below = path.strip_prefix(&self.root).ok()?;
        let group = if below.as_os_str().is_empty() { self.at.clone() } else { self.at.join(below) };
        Some(Own { top: self.at.clone(), group })
    }
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// A path of mountinfo, in which blanks and backslashes are octal.
fn path(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let octal = (*first == b'\\').then(|| std::str::from_utf8(after.get(..3)?).ok()).flatten();
        let octal = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { &after[3..] } else { after };
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(top: &str, group: &str) -> Own {
        Own { top: top.into(), group: group.into() }
    }

    #[test]
    fn a_service_of_systemd_on_v2() {
        let found = Hierarchies::read(
            b"0::/system.slice/lambd.service\n",
            b"30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
        );
        assert_eq!(found.unified, Some(own("/sys/fs/cgroup", "/sys/fs/cgroup/system.slice/lambd.service")));
        assert_eq!(found.v1, []);
    }

    #[test]
    fn v1_beside_v2_with_controllers_mounted_together() {
        let found = Hierarchies::read(
            b"9:name=systemd:/\n5:cpu,cpuacct:/a\n4:memory:/b/c\n2:freezer:/\n0::/d\n",
            b"33 32 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 master:2 - cgroup cgroup rw,cpu,cpuacct\n\
              34 32 0:30 / /mnt/my\\040groups rw - cgroup cgroup rw,memory\n\
              35 32 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n\
              36 32 0:32 / /proc rw - proc proc rw\n",
        );
        let cpu = "/sys/fs/cgroup/cpu,cpuacct";
        assert_eq!(found.v1(Controller::Cpu), Some(&own(cpu, "/sys/fs/cgroup/cpu,cpuacct/a")));
        assert_eq!(found.v1(Controller::Memory), Some(&own("/mnt/my groups", "/mnt/my groups/b/c")));
        // Bound, but mounted nowhere.
        assert_eq!(found.v1(Controller::Freezer), None);
        assert_eq!(found.unified, Some(own("/sys/fs/cgroup/unified", "/sys/fs/cgroup/unified/d")));
    }

    #[test]
    fn a_container_that_sees_its_own_group_as_the_top() {
        let found = Hierarchies::read(
            b"4:memory:/docker/77\n0::/docker/77\n",
            b"34 32 0:30 /docker/77 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
              35 32 0:31 /docker/78 /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
        );
        assert_eq!(found.v1(Controller::Memory), Some(&own("/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory")));
        // What is mounted is somebody else's.
        assert_eq!(found.unified, None);
    }

    #[test]
    fn a_group_outside_of_the_namespace_is_not_seen() {
        let mounts = b"35 32 0:31 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        assert_eq!(Hierarchies::read(b"0::/../other\n", mounts).unified, None);
    }

    #[test]
    fn nothing_odd_stops_it() {
        assert_eq!(Hierarchies::read(b"x\n::\n\xff:\xff:\xff\n", b"1 2 3\n - - -\n"), Hierarchies::default());
        assert_eq!(path(b"/a\\1"), Path::new("/a\\1"));
        assert_eq!(path(b"/a\\134b\\777"), Path::new("/a\\b\\777"));
    }
}
