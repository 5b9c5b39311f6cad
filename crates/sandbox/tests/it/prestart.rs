//! Environments that wait ahead of use: a function gets one, and sees nothing of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::environment::InitEnd;
use domain::names::EnvironmentId;
use domain::runtime::Runtime;
use domain::variables::Variables;
use engine::ports::{Answer, EnvironmentSpec, Sandbox as _};
use sandbox::{Linux, StockCounts};
use serde_json::{Value, json};

use crate::groups::Groups;
use crate::host::{Function, Host, Kind, Lines, host, in_time, settings, until};
use crate::machine::{any_of, surroundings};

/// What a Python function can see of itself. Left out is `/proc/self/environ`, which nobody can rewrite.
const PYTHON: &str = "import os, sys, time, one\n\
    try:\n    \
        import ctypes\n    \
        ctypes.CDLL('liblate.so')\n    \
        library = 'found'\n\
    except ImportError:\n    \
        library = 'this interpreter cannot say'\n\
    except OSError as error:\n    \
        library = str(error)\n\
    def handler(event, context):\n    \
        read = lambda name: open('/proc/self/' + name).read()\n    \
        status = [line for line in read('status').splitlines() if line.split(':')[0] in\n        \
            ('Uid', 'Gid', 'Umask', 'CapEff', 'CapBnd', 'NoNewPrivs', 'SigIgn', 'SigBlk', 'Threads', 'NSpid')]\n    \
        return {'argv': sys.argv, 'cmdline': read('cmdline'), 'limits': read('limits'), 'status': status, 'cwd': os.getcwd(),\n        \
            'environ': dict(os.environ), 'child': sorted(os.popen('env').read().split('\\n')), 'path': sys.path,\n        \
            'zone': time.strftime('%Z', time.localtime(0)),\n        \
            'task': sorted(os.listdir('/var/task')), 'opt': sorted(os.listdir('/opt')), 'tmp': os.listdir('/tmp'),\n        \
            'word': one.WORD, 'library': library, 'session': os.getsid(0), 'group': os.getpgrp(), 'pid': os.getpid()}\n";

/// The same of a Node function.
const NODE: &str = "const fs = require('fs'); const { execSync } = require('child_process');\n\
    exports.handler = async () => ({ argv: process.argv, execArgv: process.execArgv, cwd: process.cwd(), title: process.title,\n  \
        cmdline: fs.readFileSync('/proc/self/cmdline', 'utf8'), limits: fs.readFileSync('/proc/self/limits', 'utf8'),\n  \
        environ: process.env, child: execSync('env').toString().split('\\n').sort(), globalPaths: require('module').globalPaths,\n  \
        zone: new Date(0).toString(), task: fs.readdirSync('/var/task'), opt: fs.readdirSync('/opt'), tmp: fs.readdirSync('/tmp'),\n  \
        main: typeof require.main, word: require('one'), loaded: Object.keys(require.cache), pid: process.pid,\n  \
        listeners: process.eventNames().map((name) => [String(name), process.listenerCount(name)]), \n  \
        handles: process.getActiveResourcesInfo().sort() });\n";

async fn sandbox(kind_of: &str, is_prestarting: bool) -> Option<(Host, Runtime)> {
    let mut host = host(Kind::Sandbox).await?;
    let mut wanted = settings(&host.folder.path().join("other"), Kind::Sandbox);
    wanted.prestart = is_prestarting;
    (wanted.search_path, wanted.home) = surroundings();
    host.linux = Linux::start(wanted, host.clock.clone()).await.unwrap();
    host.groups = Groups::of(&host.folder.path().join("other"));
    let runtime = any_of(&host, kind_of).await?;
    in_time(host.linux.supports(runtime)).await.unwrap();
    Some((host, runtime))
}

fn counts(host: &Host) -> StockCounts {
    host.linux.stock().unwrap()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let file = folder.join(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, bytes).unwrap();
}

/// A layer with a module for both languages, and a library that the loader must find by its name alone.
fn layer(host: &Host) -> PathBuf {
    let layer = host.folder.path().join("layer");
    write(&layer, "python/one.py", b"WORD = 'one'\n");
    write(&layer, "nodejs/node_modules/one/index.js", b"module.exports = 'one';\n");
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let library = maps.split_whitespace().find(|word| word.contains("/libgcc_s")).unwrap();
    write(&layer, "lib/liblate.so", &fs::read(library).unwrap());
    layer
}

async fn start(host: &Host, runtime: Runtime, code: &str, variables: &[(&str, &str)], has_layer: bool) -> Function {
    let folder = host.folder.path().join("function");
    write(&folder, "app.py", code.as_bytes());
    write(&folder, "app.js", code.as_bytes());
    let pairs = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let mut spec = EnvironmentSpec {
        // The same each time, or the functions could tell.
        id: EnvironmentId(uuid::Uuid::from_u128(7)),
        code: folder,
        runtime,
        layers: has_layer.then(|| layer(host)).into_iter().collect(),
        variables: Variables::new(pairs).unwrap(),
        ..host.spec()
    };
    for (key, value) in [("_HANDLER", "app.handler"), ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")] {
        spec.platform_variables.retain(|(known, _)| known != key);
        spec.platform_variables.push((key.to_owned(), value.to_owned()));
    }
    spec.memory_mb = 128;
    let lines = Arc::new(Lines::default());
    let environment = in_time(host.linux.start(spec, lines.clone())).await.unwrap();
    let function = Function { environment, lines, clock: host.clock.clone() };
    let end = function.init().await;
    assert_eq!(end, InitEnd::Ready, "{:?}", function.lines.take());
    function
}

async fn ask(function: &Function) -> Value {
    let answer = function.invoke(json!({})).await;
    let Answer::Response(bytes) = answer else { panic!("{answer:?} {:?}", function.lines.take()) };
    in_time(function.environment.settle()).await.unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

async fn a_stem_serves_as_an_ordinary_start_would(family: &str, code: &str) {
    let variables = [("TZ", "Asia/Tokyo"), ("WORD", "\u{e9}\n\"'"), ("HOME", "/tmp"), ("NODE_ENV", "production")];
    let Some((cold, runtime)) = sandbox(family, false).await else { return };
    assert_eq!(cold.linux.stock(), None);
    let expected = ask(&start(&cold, runtime, code, &variables, true).await).await;
    let Some((host, runtime)) = sandbox(family, true).await else { return };
    until(|| counts(&host).stems > 0).await;
    let function = start(&host, runtime, code, &variables, true).await;
    let seen = ask(&function).await;
    assert_eq!(counts(&host).found_stem, 1);
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&seen[name], value, "{name}");
    }
    assert_eq!(seen["word"], "one");
    function.environment.stop().await;
    host.linux.stop().await;
}

#[tokio::test]
async fn a_python_that_booted_ahead_serves_as_an_ordinary_start_would() {
    a_stem_serves_as_an_ordinary_start_would("python", PYTHON).await;
}

#[tokio::test]
async fn a_node_that_booted_ahead_serves_as_an_ordinary_start_would() {
    a_stem_serves_as_an_ordinary_start_would("nodejs", NODE).await;
}

#[tokio::test]
async fn what_an_interpreter_reads_at_its_start_asks_for_a_blank() {
    let Some((host, runtime)) = sandbox("python", true).await else { return };
    until(|| counts(&host).blanks > 0 && counts(&host).stems > 0).await;
    let code = "import sys\ndef handler(event, context):\n    return sys.flags.hash_randomization\n";
    let function = start(&host, runtime, code, &[("PYTHONHASHSEED", "0")], false).await;
    assert_eq!(ask(&function).await, 0);
    let counts = counts(&host);
    assert_eq!((counts.found_stem, counts.found_blank, counts.found_nothing), (0, 1, 0));
}

#[tokio::test]
async fn a_runtime_that_failed_is_started_again_in_the_ordinary_way() {
    let Some((host, runtime)) = sandbox("python", true).await else { return };
    until(|| counts(&host).stems > 0).await;
    let code = "import os\ndef handler(event, context):\n    return os.environ['AWS_LAMBDA_FUNCTION_NAME']\n";
    let function = start(&host, runtime, code, &[], false).await;
    let before = ask(&function).await;
    assert_eq!(counts(&host).found_stem, 1);
    assert_eq!(function.init().await, InitEnd::Ready);
    assert_eq!(ask(&function).await, before);
}

#[tokio::test]
async fn nothing_is_left_of_what_waits_when_the_sandbox_stops() {
    let Some((host, _)) = sandbox("python", true).await else { return };
    until(|| counts(&host).blanks == 4 && counts(&host).stems == 2).await;
    let spawner = host.linux.spawner_pid().await.unwrap();
    assert!(crate::host::children_of(spawner).len() >= 6);
    in_time(host.linux.stop()).await;
    assert_eq!(host.linux.stock(), None);
    assert!(!Path::new(&format!("/proc/{spawner}")).exists());
}
