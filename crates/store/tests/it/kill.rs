//! A process killed in mid-write: what it acknowledged is there, what has a name is whole.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;

use bytes::Bytes;
use domain::function::Digest;
use engine::ports::{Packages, Records};
use rusqlite::Connection;
use testkit::contracts::{function, name, record, revision};
use testkit::packages::zip_of;

use crate::{child, child_dir, open, run};

const ROUNDS: usize = 10;
/// More than are synced one by one.
const FILES: usize = 40;

#[test]
fn kill_minus_nine_loses_nothing_that_was_acknowledged() {
    if let Some(dir) = child_dir() {
        return work(&dir);
    }
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 0..ROUNDS {
        let mut child = child("kill::kill_minus_nine_loses_nothing_that_was_acknowledged", dir.path(), &[])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut seen = Seen::default();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        while seen.acknowledged < 40 + 23 * round {
            seen.read(&lines.next().expect("the child goes on until it is killed"));
        }
        child.kill().unwrap();
        // What it said before it died counts, too.
        lines.for_each(|line| seen.read(&line));
        child.wait().unwrap();
        check(dir.path(), &seen);
        acknowledged += seen.acknowledged;
    }
    assert!(acknowledged > ROUNDS * 40);
}

/// What the child said: each function's last acknowledged step, whether its removal was begun, the packages kept.
#[derive(Default)]
struct Seen {
    acknowledged: usize,
    steps: BTreeMap<String, u128>,
    leaving: Vec<String>,
    kept: Vec<Digest>,
}

impl Seen {
    fn read(&mut self, line: &str) {
        let mut words = line.split(' ');
        match (words.next(), words.next(), words.next()) {
            (Some("acknowledged"), Some(name), Some(step)) => {
                self.steps.insert(name.into(), step.parse().unwrap());
                self.acknowledged += 1;
            }
            (Some("leaving"), Some(name), None) => self.leaving.push(name.into()),
            (Some("kept"), Some(digest), None) => {
                self.kept.push(Digest::from_hex(digest).unwrap());
                self.acknowledged += 1;
            }
            // The test harness has its own lines, and the last one may be cut.
            _ => {}
        }
    }
}

fn check(dir: &Path, seen: &Seen) {
    let store = open(dir);
    let loaded: BTreeMap<String, u128> = run(store.load())
        .unwrap()
        .into_iter()
        .map(|(record, _)| (record.latest.arn.name.to_string(), record.latest.revision.0.as_u128()))
        .collect();
    for (name, step) in &seen.steps {
        match loaded.get(name) {
            Some(found) => assert!(found >= step && *step < 3, "{name} fell from step {step} to {found}"),
            None => assert!(*step == 3 || seen.leaving.contains(name), "{name} is lost at step {step}"),
        }
    }
    for digest in &seen.kept {
        assert!(run(store.zip(*digest)).unwrap().is_some(), "{digest:?} is lost");
        assert!(store.folder(*digest).is_dir(), "the code of {digest:?} is lost");
    }
    for folder in fs::read_dir(dir.join("code")).unwrap() {
        let folder = folder.unwrap().path();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), FILES, "{} is half there", folder.display());
    }
    for zip in fs::read_dir(dir.join("packages/sha256")).unwrap() {
        let digest = Digest::from_hex(zip.unwrap().path().file_stem().unwrap().to_str().unwrap()).unwrap();
        assert!(run(store.zip(digest)).unwrap().is_some());
    }
    assert_eq!(fs::read_dir(dir.join("packages/tmp")).unwrap().count(), 0);
    let database = Connection::open(dir.join("state.db")).unwrap();
    let verdict: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

/// The child: writes until it is killed, and says what was acknowledged only after it was.
fn work(dir: &Path) {
    let store = open(dir);
    let say = |line: String| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}").and_then(|()| out.flush()).unwrap();
    };
    let me = std::process::id();
    let functions = |writer: usize| {
        let store = &store;
        async move {
            for turn in 0_u64.. {
                let text = format!("f{me}-{writer}-{turn}");
                let first = function(&text, 1);
                assert!(store.insert(record(first.clone()), Vec::new()).await.unwrap());
                say(format!("acknowledged {text} 1"));
                assert!(store.replace(revision(1), record(first.settled(revision(2))), Vec::new()).await.unwrap());
                say(format!("acknowledged {text} 2"));
                if turn % 2 == 0 {
                    say(format!("leaving {text}"));
                    assert!(store.remove(name(&text), revision(2)).await.unwrap());
                    say(format!("acknowledged {text} 3"));
                }
            }
        }
    };
    let packages = async {
        for turn in 0_u64.. {
            let kept = store.keep(package(&format!("{me}-{turn}"))).await.unwrap();
            say(format!("kept {}", kept.package.digest.hex()));
        }
    };
    run(async { tokio::join!(functions(0), functions(1), functions(2), packages) });
}

fn package(content: &str) -> Bytes {
    let names: Vec<String> = (0..FILES).map(|at| at.to_string()).collect();
    let files: Vec<(&str, u32, &[u8])> = names.iter().map(|name| (name.as_str(), 0o644, content.as_bytes())).collect();
    zip_of(&files)
}
