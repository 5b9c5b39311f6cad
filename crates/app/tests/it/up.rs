//! `lambd up`: what is found, deployed, printed, deployed again, left alone and deleted.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::engine_process::{Engine, Request, clean, now, poll};
use crate::{processes, shell_function};

/// What the promise allows between a change and its answer, builds not counted (issue: "within a second").
const PROMISED: Duration = Duration::from_secs(1);

/// A folder of functions, in a temporary one that is also where everything runs.
struct Functions {
    place: tempfile::TempDir,
}

impl Functions {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("functions")).unwrap();
        Self { place }
    }

    fn root(&self) -> PathBuf {
        self.place.path().join("functions")
    }

    fn write(&self, path: &str, text: &str) {
        write(&self.root().join(path), text);
    }

    /// A function that answers with what is in its folder's `answer` and in its variable `WORD`.
    fn add(&self, folder: &str, answer: &str) {
        self.write(&format!("{folder}/bootstrap"), &bootstrap());
        self.write(&format!("{folder}/answer"), answer);
        let bootstrap = self.root().join(folder).join("bootstrap");
        fs::set_permissions(bootstrap, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn up(self, flags: &[&str]) -> Engine {
        let program: [OsString; 3] = [env!("CARGO_BIN_EXE_lambd").into(), "up".into(), "functions".into()];
        let mut engine = Engine::not_started(self.place, program.into(), flags);
        engine.begin();
        engine
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn root(engine: &Engine) -> PathBuf {
    engine.folder().join("functions")
}

/// Answers with what is in its folder's `answer` and in its variables.
fn bootstrap() -> String {
    shell_function::bootstrap(
        r#"text="\"$(cat "$LAMBDA_TASK_ROOT/answer") $WORD $AWS_LAMBDA_FUNCTION_MEMORY_SIZE\"""#,
        r#"printf %s "$text""#,
    )
}

/// What the function answers, if it is there.
fn answer(engine: &Engine, name: &str) -> Option<String> {
    let answer = engine.send(&Request::invoke(name, "{}"));
    (answer.status == 200).then(|| String::from_utf8(answer.body).unwrap())
}

#[track_caller]
fn answers(engine: &Engine, name: &str, expected: &str) {
    poll(&format!("{name} answers {expected}"), || (answer(engine, name)? == format!("\"{expected}\"")).then_some(()));
}

fn configuration(engine: &Engine, name: &str) -> Option<serde_json::Value> {
    let shown = engine.send(&Request::new("GET", &format!("/2015-03-31/functions/{name}/configuration")));
    (shown.status == 200).then(|| shown.json())
}

fn revision(engine: &Engine, name: &str) -> String {
    configuration(engine, name).unwrap()["RevisionId"].as_str().unwrap().to_owned()
}

/// Whatever `up` was told of before this line, it has seen: a folder that is no mistake appears, and is told of.
#[track_caller]
fn everything_is_seen(engine: &Engine, mark: &str) {
    let after = engine.printed().len();
    write(&root(engine).join(mark).join("lambd.toml"), "runtime = 1\n");
    engine.wait_for_line(after, &[mark, "is left out"]);
}

#[test]
fn the_examples_are_served_and_the_commands_printed_run_as_they_stand() {
    let test = "the_examples_are_served_and_the_commands_printed_run_as_they_stand";
    if !Path::new("/usr/bin/aws").exists() {
        return testkit::skip::test(test, "no /usr/bin/aws (package awscli)");
    }
    let functions = Functions::new();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let copied = Command::new("cp").arg("-r").arg(&examples).arg(functions.root()).status().unwrap();
    assert!(copied.success());
    // One real compilation is proven elsewhere; here any program will do, made by a build.
    let thumbnail = functions.root().join("examples/thumbnail");
    let _ = fs::remove_dir_all(thumbnail.join("target"));
    write(&thumbnail.join("answer"), "small");
    write(&thumbnail.join("made-from"), &bootstrap());
    let toml = "runtime = \"provided.al2023\"\n\
                build = \"mkdir -p target/release && install -m 755 made-from target/release/bootstrap\"\n\
                package = [\"target/release/bootstrap\", \"answer\"]\n";
    write(&thumbnail.join("lambd.toml"), toml);
    let engine = functions.up(&[]);

    let names = ["csv-summary", "disk-report", "order-queue", "thumbnail", "webhook-check"];
    for name in names {
        engine.wait_for_line(0, &[&format!("lambd: {name} ("), "is ready, from functions/examples/"]);
        let aws = engine.wait_for_line(0, &["  aws lambda invoke", name]);
        let lambd = engine.wait_for_line(0, &["lambd invoke", name]);
        assert_eq!(lambd, aws + 1);
        let printed = engine.printed();
        // The AWS CLI that the system has, with nothing of its user's.
        let aws = printed[aws].replacen("aws", "/usr/bin/aws", 1);
        let answers = [aws, printed[lambd].clone()].map(|command| {
            let ran = clean(Command::new("sh"))
                .args(["-c", &command])
                .env("HOME", engine.folder())
                .current_dir(engine.folder())
                .output()
                .unwrap();
            assert!(ran.status.success(), "{command}\n{ran:?}");
            let answer = String::from_utf8(ran.stdout).unwrap();
            assert!(!answer.contains("FunctionError") && !answer.contains("errorType"), "{command}\n{answer}");
            answer
        });
        // The AWS CLI prints what it knows of the call behind the payload; how full the disk is changes all the time.
        let payload = answers[1].trim_end();
        assert!(payload.len() > 2 && answers[0].contains("\"StatusCode\": 200"), "{answers:?}");
        assert!(name == "disk-report" || answers[0].starts_with(payload), "{answers:?}");
    }
}

#[test]
fn a_change_is_served_within_a_second() {
    let functions = Functions::new();
    functions.add("greet", "one");
    let engine = functions.up(&[]);
    let path = root(&engine).join("greet");
    answers(&engine, "greet", "one  128");

    let changes: [(&str, &str, &str); 4] = [
        ("answer", "two", "two  128"),
        ("lambd.toml", "memory = 256\n", "two  256"),
        ("lambd.toml", "memory = 256\n[environment]\nWORD = \"and more\"\n", "two and more 256"),
        ("lambd.toml", "", "two  128"),
    ];
    // The best of three tries counts: the machine has other work.
    for (file, text, expected) in changes {
        let took = (0..3).map(|_| {
            let before = fs::read_to_string(path.join(file)).unwrap_or_default();
            let begun = now();
            fs::write(path.join(file), text).unwrap();
            answers(&engine, "greet", expected);
            let took = begun.elapsed();
            if took > PROMISED {
                let had = answer(&engine, "greet").unwrap();
                fs::write(path.join(file), before).unwrap();
                poll("it is as before", || (answer(&engine, "greet")? != had).then_some(()));
            }
            took
        });
        let took: Vec<Duration> = took.take_while(|took| *took > PROMISED).collect();
        assert!(took.len() < 3, "{file}: {took:?}");
    }
}

#[test]
fn new_folders_appear_and_removed_ones_go() {
    let functions = Functions::new();
    functions.add("stays", "here");
    let engine = functions.up(&[]);
    answers(&engine, "stays", "here  128");

    let outside = Functions::new();
    outside.add("deep/er/comes", "new");
    fs::rename(outside.root().join("deep"), root(&engine).join("deep")).unwrap();
    answers(&engine, "comes", "new  128");
    fs::remove_dir_all(root(&engine).join("deep")).unwrap();
    engine.wait_for_line(0, &["comes is deleted", "it was deep/er/comes"]);
    assert_eq!(configuration(&engine, "comes"), None);

    // Moved, a function with a name of its own stays itself.
    write(&root(&engine).join("stays/lambd.toml"), "name = \"named\"\nruntime = \"provided.al2023\"\n");
    answers(&engine, "named", "here  128");
    engine.wait_for_line(0, &["stays is deleted"]);
    let before = engine.printed().len();
    fs::rename(root(&engine).join("stays"), root(&engine).join("moved")).unwrap();
    engine.wait_for_line(before, &["named (provided.al2023) is ready, from functions/moved"]);
    answers(&engine, "named", "here  128");
    assert!(!engine.printed()[before..].iter().any(|line| line.contains("deleted")), "{:?}", engine.printed());
    fs::remove_dir_all(root(&engine).join("moved")).unwrap();
    engine.wait_for_line(before, &["named is deleted"]);
}

#[test]
fn mistakes_are_named_and_take_nothing_away() {
    let functions = Functions::new();
    functions.add("greet", "one");
    functions.write("wrong/lambd.toml", "runtime = \"provided.al2023\"\nmemry = 1\n");
    functions.add("wrong", "never");
    functions.add("no-runtime", "never");
    functions.write("no-runtime/lambd.toml", "runtime = \"cobol\"\nhandler = \"x\"\n");
    functions.add("too-small", "never");
    functions.write("too-small/lambd.toml", "memory = 1\n");
    let engine = functions.up(&[]);
    answers(&engine, "greet", "one  128");
    let at = engine.wait_for_line(0, &["functions/wrong is left out: lambd.toml is not right", "line 2, column 1"]);
    engine.wait_for_line(at, &["unknown field `memry`"]);
    engine.wait_for_line(0, &["functions/no-runtime is left out", "cobol"]);
    engine.wait_for_line(0, &["functions/too-small is left out", "memory 128 to 10240 MB"]);

    // What was deployed before a mistake goes on, and is deployed again after it.
    let before = revision(&engine, "greet");
    write(&root(&engine).join("greet/lambd.toml"), "memory = \"much\"\n");
    engine.wait_for_line(0, &["functions/greet stays as it was deployed before: lambd.toml", "line 1, column 10"]);
    assert_eq!(revision(&engine, "greet"), before);
    answers(&engine, "greet", "one  128");
    write(&root(&engine).join("greet/lambd.toml"), "build = \"echo the reason >&2; exit 3\"\n");
    let at = engine
        .wait_for_line(0, &["functions/greet stays as it was deployed before: its build failed", "exit status: 3"]);
    engine.wait_for_line(at, &["  the reason"]);
    write(&root(&engine).join("greet/lambd.toml"), "build = \"no-such-tool --release\"\n");
    engine.wait_for_line(0, &["its build needs a tool that is missing here", "no-such-tool --release"]);
    engine.wait_for_line(0, &["no-such-tool", "not found"]);
    assert_eq!(revision(&engine, "greet"), before);
    write(&root(&engine).join("greet/lambd.toml"), "memory = 512\n");
    answers(&engine, "greet", "one  512");
    // The mistake of one held up nobody: nothing was said twice either.
    let said = engine.printed().iter().filter(|line| line.contains("functions/wrong is left out")).count();
    assert_eq!(said, 1, "{:?}", engine.printed());
}

#[test]
fn others_are_served_while_one_is_built() {
    let functions = Functions::new();
    let fifo = functions.place.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    functions.add("a-slow", "slow");
    functions.write("a-slow/lambd.toml", &format!("build = \"cat '{}'\"\n", fifo.display()));
    functions.add("b-built", "built");
    functions.write("b-built/lambd.toml", "build = \"true\"\n");
    functions.add("c-plain", "plain");
    let mut engine = functions.up(&[]);
    engine.wait_for_line(0, &["a-slow is being built: cat"]);
    answers(&engine, "b-built", "built  128");
    answers(&engine, "c-plain", "plain  128");
    // And deployed again.
    write(&root(&engine).join("b-built/answer"), "again");
    answers(&engine, "b-built", "again  128");
    assert_eq!(configuration(&engine, "a-slow"), None);
    fs::write(&fifo, "go on").unwrap();
    answers(&engine, "a-slow", "slow  128");

    // A build that hangs ends with its description, and with the engine.
    write(&root(&engine).join("a-slow/answer"), "changed");
    engine.wait_for_line(engine.printed().len().saturating_sub(1), &["a-slow is being built: cat"]);
    let building = |engine: &Engine| {
        let tree = processes::tree(engine.pid().as_raw_pid());
        tree.into_iter().find(|pid| processes::arguments(*pid).contains("fifo"))
    };
    let first = poll("it builds", || building(&engine));
    write(&root(&engine).join("a-slow/lambd.toml"), &format!("build = \"cat '{}' # two\"\n", fifo.display()));
    poll("the first build is given up", || (!processes::is_alive(first)).then_some(()));
    let second = poll("it builds", || building(&engine).filter(|pid| *pid != first));
    processes::send(engine.pid().as_raw_pid(), Signal::TERM);
    assert_eq!(engine.wait().code(), Some(0));
    poll("the build has ended with the engine", || (!processes::is_alive(second)).then_some(()));
}

#[test]
fn changes_during_a_build_are_built_and_what_it_writes_is_no_change() {
    let functions = Functions::new();
    let fifo = functions.place.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    functions.add("made", "");
    functions.write("made/source", "one");
    // Reads its source first, waits, and also writes beside it, every time something else.
    let build = format!("cp source kept; cat '{}'; cp kept answer; date +%N >stamp", fifo.display());
    functions.write("made/lambd.toml", &format!("build = \"{build}\"\n"));
    functions.write("made/stamp", "0");
    let engine = functions.up(&[]);
    let source = root(&engine).join("made/source");
    engine.wait_for_line(0, &["made is being built"]);
    poll("the build has read its source", || {
        fs::read_to_string(root(&engine).join("made/kept")).ok().filter(|kept| kept == "one")
    });
    fs::write(&source, "two").unwrap();
    // As often as it wants to build.
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                // Without anyone who reads, opening fails at once and does not wait.
                let open = rustix::fs::open(
                    &fifo,
                    rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::NONBLOCK,
                    rustix::fs::Mode::empty(),
                );
                drop(open);
                std::thread::park_timeout(Duration::from_millis(5));
            }
        });
        answers(&engine, "made", "two  128");
        // It comes to rest: what `up` is told of next is another thing.
        let builds = || engine.printed().iter().filter(|line| line.contains("made is being built")).count();
        let mut rounds = 0;
        loop {
            let before = builds();
            everything_is_seen(&engine, &format!("mark-{rounds}"));
            rounds += 1;
            if builds() == before {
                break;
            }
            assert!(rounds < 20, "{:?}", engine.printed());
        }
        assert!(builds() <= 6, "{:?}", engine.printed());
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn of_two_folders_with_one_name_one_is_left_out_until_the_other_goes() {
    let functions = Functions::new();
    functions.add("a/same", "first");
    functions.add("b/same", "second");
    let engine = functions.up(&[]);
    answers(&engine, "same", "first  128");
    engine.wait_for_line(0, &["functions/b/same is left out: functions/a/same has the same name, same"]);
    fs::remove_dir_all(root(&engine).join("a")).unwrap();
    answers(&engine, "same", "second  128");
    // Whoever has the name keeps it.
    let other = Functions::new();
    other.add("same", "third");
    let before = engine.printed().len();
    fs::rename(other.root(), root(&engine).join("a")).unwrap();
    engine.wait_for_line(before, &["functions/a/same is left out: functions/b/same has the same name, same"]);
    answers(&engine, "same", "second  128");
}

#[test]
fn functions_that_others_created_are_never_touched() {
    let functions = Functions::new();
    functions.add("mine", "mine");
    let engine = functions.up(&[]);
    answers(&engine, "mine", "mine  128");
    let created = engine.send(&Request::create_function("theirs"));
    assert_eq!(created.status, 201, "{created:?}");
    engine.wait_until_settled("theirs");
    let before = revision(&engine, "theirs");
    let other = Functions::new();
    other.add("theirs", "mine");
    fs::rename(other.root().join("theirs"), root(&engine).join("theirs")).unwrap();
    engine
        .wait_for_line(0, &["functions/theirs is left out: a function called theirs exists that `up` did not deploy"]);
    fs::remove_dir_all(root(&engine).join("theirs")).unwrap();
    everything_is_seen(&engine, "mark");
    assert_eq!(revision(&engine, "theirs"), before);
    assert_eq!(answer(&engine, "theirs").as_deref(), Some("{}"));
}

#[test]
fn what_is_unchanged_is_not_deployed_again() {
    let functions = Functions::new();
    functions.add("kept", "kept");
    functions.add("gone", "gone");
    functions.write("built/lambd.toml", "build = \"true\"\nmemory = 256\n");
    functions.add("built", "built");
    let mut engine = functions.up(&[]);
    answers(&engine, "kept", "kept  128");
    answers(&engine, "built", "built  256");
    answers(&engine, "gone", "gone  128");
    let before = [revision(&engine, "kept"), revision(&engine, "built")];
    // Saved again with nothing changed, and a file that belongs to nobody.
    let printed = engine.printed().len();
    write(&root(&engine).join("kept/answer"), "kept");
    engine.wait_for_line(printed, &["kept (provided.al2023) is unchanged"]);
    assert_eq!(revision(&engine, "kept"), before[0]);

    engine.kill();
    fs::remove_dir_all(root(&engine).join("gone")).unwrap();
    engine.begin();
    engine.wait_for_line(0, &["gone is deleted"]);
    engine.wait_for_line(0, &["kept (provided.al2023) is ready"]);
    engine.wait_for_line(0, &["built (provided.al2023) is ready"]);
    answers(&engine, "kept", "kept  128");
    assert_eq!([revision(&engine, "kept"), revision(&engine, "built")], before);
}

#[test]
fn functions_stay_while_their_folder_cannot_be_seen() {
    let functions = Functions::new();
    functions.add("a/one", "one");
    functions.add("two", "two");
    let data_dir = functions.place.path().join("data");
    let mut engine = functions.up(&["--data-dir", data_dir.to_str().unwrap()]);
    answers(&engine, "one", "one  128");
    answers(&engine, "two", "two  128");

    // The whole folder is moved away, and something else put in its place.
    let aside = engine.folder().join("aside");
    fs::rename(root(&engine), &aside).unwrap();
    fs::create_dir(root(&engine)).unwrap();
    engine.wait_for_line(0, &["functions: it is not the folder that it was", "functions from there stay as they are"]);
    answers(&engine, "one", "one  128");
    answers(&engine, "two", "two  128");
    fs::remove_dir(root(&engine)).unwrap();
    fs::rename(&aside, root(&engine)).unwrap();

    // A part of it cannot be read. Root reads everything, so a description stands in that is no file.
    engine.restart();
    engine.wait_for_line(0, &["two (provided.al2023) is ready"]);
    fs::create_dir(root(&engine).join("a/one/lambd.toml")).unwrap();
    engine.wait_for_line(0, &["functions/a/one stays as it was deployed before: lambd.toml cannot be read"]);
    answers(&engine, "one", "one  128");
}

#[test]
fn a_data_folder_among_the_functions_is_not_taken_for_one() {
    let functions = Functions::new();
    functions.add("greet", "one");
    let data_dir = functions.root().join("state");
    let engine = functions.up(&["--data-dir", data_dir.to_str().unwrap()]);
    answers(&engine, "greet", "one  128");
    everything_is_seen(&engine, "mark");
    let listed = engine.send(&Request::new("GET", "/2015-03-31/functions")).json();
    assert_eq!(listed["Functions"].as_array().unwrap().len(), 1, "{listed}");
}

#[test]
fn a_folder_without_functions_is_told_and_watched() {
    let functions = Functions::new();
    let engine = functions.up(&[]);
    let at = engine.wait_for_line(0, &["no function is below functions yet", "lambd.toml"]);
    write(&root(&engine).join("greet/app.py"), "def handler(event, context):\n    return 1\n");
    engine.wait_for_line(at, &["greet"]);
}

#[test]
fn a_folder_that_is_not_there_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let ran = clean(Command::new(env!("CARGO_BIN_EXE_lambd")))
        .args(["up", "nowhere", "--listen", "127.0.0.1:0"])
        .current_dir(place.path())
        .output()
        .unwrap();
    assert_eq!((ran.status.code(), ran.stdout.len()), (Some(1), 0));
    let said = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(said, "error: nowhere is no folder; `lambd up DIR` deploys the functions below DIR\n");
}
