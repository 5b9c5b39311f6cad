//! The engine's settings, what it refuses and in which words, `doctor`, health and metrics.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Output;

use crate::engine_process::{Connection, Engine, Request, lambd};

/// Runs a command that ends by itself.
fn run(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    lambd().args(arguments).env("HOME", folder).envs(variables.iter().copied()).current_dir(folder).output().unwrap()
}

/// Runs one that must be refused: nothing on standard output, one exit code, all of the words.
#[track_caller]
fn check_refused(folder: &Path, arguments: &[&str], code: i32, words: &[&str]) {
    // Ports that are free, where the arguments do not say others.
    let mut all = arguments.to_vec();
    for (flag, address) in [("--listen", "127.0.0.1:0"), ("--admin-listen", "127.0.0.1:0"), ("--data-dir", "data")] {
        if !arguments.contains(&flag) {
            all.extend([flag, address]);
        }
    }
    let ran = run(folder, &[], &all);
    let said = String::from_utf8(ran.stderr).unwrap();
    assert_eq!((ran.status.code(), String::from_utf8(ran.stdout).unwrap().as_str()), (Some(code), ""), "{said}");
    for word in words {
        assert!(said.contains(word), "{arguments:?} lacks {word:?} in\n{said}");
    }
    assert!(said.starts_with("error: "), "{said}");
}

#[test]
fn a_flag_goes_before_a_variable_before_the_file_before_the_default() {
    let folder = tempfile::tempdir().unwrap();
    let file = "region = \"eu-west-1\"\naccount-id = \"111111111111\"\ndrain-seconds = 3\ndisk-reserve = 500000000\n\
                [endpoints]\ns3 = \"http://127.0.0.1:1\"\nsqs = \"http://127.0.0.1:2\"\n\
                [runtimes.\"python3.12\"]\ncommand = \"/opt/python\"\n";
    fs::write(folder.path().join("engine.toml"), file).unwrap();
    let variables = [
        ("LAMBD_ACCOUNT_ID", "222222222222"),
        ("LAMBD_REGION", "us-west-2"),
        ("LAMBD_CONFIG", "engine.toml"),
        ("LAMBD_LOG_RETENTION", "36h"),
    ];
    let endpoint = ["--endpoint", "s3=http://127.0.0.1:3", "--test-clock"];
    let printed = run(
        folder.path(),
        &variables,
        &[&["serve", "--region", "sa-east-1", "--print-config"], &endpoint[..]].concat(),
    );
    assert_eq!(printed.status.code(), Some(0), "{printed:?}");
    let text = String::from_utf8(printed.stdout).unwrap();
    for line in [
        "region = \"sa-east-1\"  # flag --region\n",
        "account-id = \"222222222222\"  # environment variable LAMBD_ACCOUNT_ID\n",
        "drain-seconds = 3  # file engine.toml\n",
        "keep-warm-seconds = 600  # default\n",
        "disk-reserve = \"500MB\"  # file engine.toml\n",
        "test-clock = true  # flag --test-clock\n",
        "log-retention = \"36h,1GB\"  # environment variable LAMBD_LOG_RETENTION\n",
        "listen = \"127.0.0.1:4566\"  # default\n",
        "[endpoints]\ns3 = \"http://127.0.0.1:3\"\nsqs = \"http://127.0.0.1:2\"\n",
        "[runtimes.\"python3.12\"]\ncommand = \"/opt/python\"\n",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    // What is printed is a settings file again.
    fs::write(folder.path().join("printed.toml"), &text).unwrap();
    let again = run(folder.path(), &[("LAMBD_CONFIG", "printed.toml")], &["serve", "--print-config"]);
    let values = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split("  # ").next().unwrap().to_owned()).collect()
    };
    assert_eq!(values(&String::from_utf8(again.stdout).unwrap()), values(&text));
    // Without a home, too; nothing is made by printing.
    assert!(!folder.path().join(".local").exists());
}

#[test]
fn the_settings_reach_the_engine() {
    let engine = Engine::start_with(&["--region", "eu-central-1", "--account-id", "123456789012"]);
    let created = engine.send(&Request::create_function("fn")).json();
    assert_eq!(created["FunctionArn"], "arn:aws:lambda:eu-central-1:123456789012:function:fn");
}

#[test]
fn what_makes_no_sense_is_refused_with_its_place_and_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    fs::write(place.join("unknown.toml"), "region = \"eu-west-1\"\n\n  memry = 1\n").unwrap();
    fs::write(place.join("wrong.toml"), "listen = \"here\"\n").unwrap();
    fs::write(place.join("cobol.toml"), "[runtimes.cobol]\ncommand = \"/x\"\n").unwrap();
    fs::write(place.join("reserve.toml"), "disk-reserve = \"much\"\n").unwrap();
    fs::write(place.join("file"), "").unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let cases: Vec<(Vec<&str>, i32, Vec<&str>)> = vec![
        (
            vec!["serve", "--config", "unknown.toml"],
            1,
            vec!["unknown.toml is not right", "line 3, column 3", "unknown field `memry`", "`region`"],
        ),
        (vec!["serve", "--config", "wrong.toml"], 1, vec!["wrong.toml is not right", "line 1, column 10"]),
        (vec!["serve", "--config", "cobol.toml"], 1, vec!["cobol", "names no runtime of Lambda"]),
        (
            vec!["serve", "--config", "nowhere.toml"],
            1,
            vec!["cannot read the settings file nowhere.toml", "No such file"],
        ),
        (vec!["serve", "--listen", "0.0.0.0:0"], 1, vec!["--listen 0.0.0.0:0 is beyond loopback", "127.0.0.1:0"]),
        (vec!["serve", "--admin-listen", "[::]:0"], 1, vec!["--admin-listen [::]:0 is beyond loopback"]),
        (
            vec!["serve", "--listen", &taken],
            1,
            vec![&taken, "is another engine running?", "--listen takes another", "Address already in use"],
        ),
        (
            vec!["serve", "--admin-listen", &taken],
            1,
            vec![&taken, "--admin-listen takes another", "Address already in use"],
        ),
        (vec!["serve", "--endpoint", "s3"], 2, vec!["invalid value 's3' for '--endpoint <SERVICE=URL>'"]),
        (vec!["serve", "--endpoint", "S3=http://x"], 1, vec!["in small letters, such as s3, not \"S3\""]),
        (vec!["serve", "--endpoint", "s3=ftp://x"], 1, vec!["--endpoint s3 takes a URL such as", "\"ftp://x\""]),
        (vec!["serve", "--listen", "4566"], 2, vec!["invalid value '4566' for '--listen <IP:PORT>'"]),
        (
            vec!["serve", "--lissten", "1"],
            2,
            vec!["unexpected argument '--lissten'", "a similar argument exists: '--listen'"],
        ),
        (vec!["serve", "--account-id", "12"], 1, vec!["--account-id takes twelve digits, not \"12\""]),
        (vec!["serve", "--region", "here"], 1, vec!["--region takes a region such as us-east-1, not \"here\""]),
        (vec!["serve", "--environments-max", "0"], 1, vec!["--environments-max takes 1 to 100000, not 0"]),
        (
            vec!["serve", "--keep-warm-seconds", "9223372036854775807"],
            1,
            vec!["--keep-warm-seconds takes 0 to 604800, not 9223372036854775807"],
        ),
        (vec!["serve", "--drain-seconds", "86401"], 1, vec!["--drain-seconds takes 0 to 86400, not 86401"]),
        (
            vec!["serve", "--disk-reserve", "1G"],
            2,
            vec!["invalid value '1G' for '--disk-reserve <SIZE>'", "write it as 1GB, 500MB, 1GiB, or as plain bytes"],
        ),
        (
            vec!["serve", "--log-retention", "7"],
            2,
            vec!["invalid value '7' for '--log-retention <AGE,SIZE>'", "as in 7d, 1GB or 7d,1GB"],
        ),
        (vec!["serve", "--log-retention", "1m"], 1, vec!["--log-retention takes an age from 1h to 36525d"]),
        (vec!["serve", "--log-retention", "1kB"], 1, vec!["--log-retention takes a size from 1MB on, not 1kB"]),
        (vec!["serve", "--test-clock", "yes"], 2, vec!["unexpected argument 'yes'"]),
        (vec!["serve", "--fault", "loss=1"], 1, vec!["--fault: \"loss=1\" is no fault; there are duplicate"]),
        (vec!["serve", "--fault", "delay=1s,throttle=2"], 1, vec!["--fault: \"throttle=2\": throttle takes"]),
        (vec!["serve", "--config", "reserve.toml"], 1, vec!["reserve.toml is not right", "\"much\" is no size"]),
        (vec!["serve", "--log", "a=b=c"], 1, vec!["--log \"a=b=c\" is no filter: "]),
        (
            vec!["serve", "--data-dir", "file"],
            1,
            vec!["cannot use file: choose another data folder with --data-dir", "Not a directory"],
        ),
        (vec!["serve", "--data-dir", "/proc/lambd"], 1, vec!["cannot use /proc/lambd", "--data-dir"]),
        (
            vec!["serve", "--isolation", "most"],
            1,
            vec!["--isolation", "\"most\" is no isolation level", "process, confined, rootless and sandbox"],
        ),
        (
            vec!["serve", "--isolation", "process", "--isolation-min", "confined"],
            1,
            vec!["--isolation process is below --isolation-min confined", "add --isolation-min process"],
        ),
    ];
    for (arguments, code, words) in cases {
        check_refused(place, &arguments, code, &words);
    }
}

#[test]
fn a_second_engine_on_the_same_data_is_refused_and_the_first_goes_on() {
    let engine = Engine::start();
    let data_dir = engine.data_dir();
    let pid = engine.pid().as_raw_nonzero();
    let words = [
        format!("another engine (process {pid}) is using the data folder {}", data_dir.display()),
        "--data-dir".to_owned(),
    ];
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    check_refused(engine.folder(), &["serve", "--data-dir", data_dir.to_str().unwrap()], 1, &words);
    assert_eq!(engine.send(&Request::create_function("fn")).status, 201);
    engine.wait_until_settled("fn");
    assert_eq!(engine.send(&Request::invoke("fn", "{}")).status, 200);
}

#[test]
fn doctor_tells_what_the_start_would_do() {
    let folder = tempfile::tempdir().unwrap();
    let healthy = run(folder.path(), &[], &["doctor"]);
    let text = String::from_utf8(healthy.stdout).unwrap();
    assert_eq!(healthy.status.code(), Some(0), "{text}");
    let features = ["memory", "cpu", "pids", "tmp", "net", "fs", "uid"];
    assert!(text.starts_with("isolation: process\n"), "{text}");
    for feature in features {
        assert!(text.contains(&format!("  {feature} none\n")), "{text}");
    }
    for part in ["\npaths: functions see ", "\ncgroup: ", "provided.al2023", "result: `lambd serve` can start\n"] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }

    let pythons =
        text.lines().filter_map(|line| line.strip_prefix("  python3.")?.split(' ').next()?.parse::<u32>().ok());
    assert!(pythons.is_sorted(), "{text}");

    let json = run(folder.path(), &[], &["doctor", "--output", "json"]);
    let told: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&told["isolation"], &told["refusal"]), (&"process".into(), &serde_json::Value::Null));
    for feature in features {
        assert_eq!(told["features"][feature], "none");
    }
    assert!(told["runtimes"].as_object().unwrap().contains_key("provided.al2023"));

    for (arguments, variables) in [
        (["doctor", "--isolation-min", "sandbox"].as_slice(), [].as_slice()),
        (&["doctor"], &[("LAMBD_ISOLATION_MIN", "confined")]),
    ] {
        let refused = run(folder.path(), variables, arguments);
        let text = String::from_utf8(refused.stdout).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{text}");
        assert!(text.contains("result: `lambd serve` would refuse to start: --isolation process is below "), "{text}");
    }
    let variables = [("LAMBD_ISOLATION_MIN", "confined")];
    let refused = run(folder.path(), &variables, &["doctor", "--output", "json"]);
    assert_eq!(refused.status.code(), Some(1));
    let told: serde_json::Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert!(told["refusal"].as_str().unwrap().contains("is below --isolation-min confined"), "{told}");
}

#[test]
fn health_is_on_both_listeners_and_metrics_on_the_admin_one() {
    let engine = Engine::start();
    let get = |address: SocketAddr, path: &str| {
        let mut connection = Connection::to(address);
        connection.write(&Request::new("GET", path).bytes()).unwrap();
        connection.read("GET").unwrap()
    };
    for address in [engine.api(), engine.admin()] {
        for path in ["/_lambd/health", "/_localstack/health"] {
            let health = get(address, path);
            assert_eq!((health.status, health.header("content-type")), (200, Some("application/json")));
            assert_eq!(health.json()["services"]["lambda"], "running");
        }
    }
    assert_eq!(engine.send(&Request::create_function("fn")).status, 201);
    engine.wait_until_settled("fn");
    assert_eq!(engine.send(&Request::invoke("fn", "{}")).status, 200);
    let metrics = get(engine.admin(), "/metrics");
    let text = String::from_utf8(metrics.body).unwrap();
    assert_eq!(metrics.status, 200);
    for part in ["lambd_isolation_level{level=\"process\"} 1", "# EOF"] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    let lost = get(engine.admin(), "/2015-03-31/functions");
    assert_eq!(lost.status, 404);
    assert!(String::from_utf8(lost.body).unwrap().contains("the AWS API is on the other one"));
    assert_eq!(get(engine.api(), "/metrics").status, 404);
}
