//! What a function is, and what it can do to its neighbour and to what cleans up after it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use domain::environment::InitEnd;
use domain::names::RequestId;
use engine::ports::Answer;
use serde_json::json;
use uuid::Uuid;

use super::scene::Scene;
use crate::host::{Kind, children_of, host, in_time};

fn fields(status: &str) -> BTreeMap<&str, &str> {
    status.lines().filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim())).collect()
}

#[tokio::test]
async fn a_function_has_no_right_that_it_does_not_need() {
    let Some(scene) = Scene::set(Kind::Sandbox).await else { return };
    let status = scene.attacker.ask(json!("signals")).await;
    let status = fields(status.as_str().unwrap());
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(status[set], "0000000000000000", "{set}");
    }
    for (name, value) in [
        ("NoNewPrivs", "1"),
        ("Seccomp", "2"),
        ("Uid", "993\t993\t993\t993"),
        ("Gid", "990\t990\t990\t990"),
        ("Groups", ""),
        ("SigBlk", "0000000000000000"),
    ] {
        assert_eq!(status[name], value, "{name}");
    }
    // Rust itself ignores SIGPIPE, the C library keeps two for itself.
    let ignored = u64::from_str_radix(status["SigIgn"], 16).unwrap() & !(0b11 << 31);
    assert_eq!(ignored, 1 << 12);
    assert_eq!(scene.attacker.ask(json!({"read": "/proc/self/oom_score_adj"})).await, "500\n");
    let stat = scene.attacker.ask(json!({"read": "/proc/self/stat"})).await;
    let terminal = stat.as_str().unwrap().rsplit_once(") ").unwrap().1.split(' ').nth(4);
    assert_eq!(terminal, Some("0"), "it has a terminal");
    let limits = scene.attacker.ask(json!("limits")).await;
    let limits = limits.as_str().unwrap();
    for part in
        ["Max core file size        0                    0", "Max open files            1024                 1024"]
    {
        assert!(limits.contains(part), "{part} is not in {limits}");
    }
    // In files of its own.
    let mounts = scene.attacker.ask(json!({"read": "/proc/self/mountinfo"})).await;
    for mount in mounts.as_str().unwrap().lines() {
        let words: Vec<&str> = mount.split(' ').collect();
        let (at, options) = (words[4], words[5].split(',').collect::<Vec<_>>());
        // Without a network the file that names resolvers is the device of nothing.
        let is_device = at.starts_with("/dev/") || (words[3], at) == ("/null", "/etc/resolv.conf");
        assert!(options.contains(&"nosuid") || is_device, "{mount}");
        assert!(options.contains(&"nodev") || is_device, "{mount}");
        assert!(options.contains(&"ro") || is_device || at == "/tmp" || at == "/proc", "{mount}");
    }
}

#[tokio::test]
async fn a_busy_engine_passes_no_descriptor_on() {
    // What an engine has open is closed at exec; these are not, as those of a careless library are.
    let null = fs::File::open("/dev/null").unwrap();
    let careless: Vec<_> = (0..200).map(|_| rustix::io::dup(&null).unwrap()).collect();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let clients: Vec<_> = (0..100).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
    let served: Vec<_> = (0..100).map(|_| rustix::io::dup(listener.accept().unwrap().0).unwrap()).collect();
    for kind in [Kind::Sandbox, Kind::OwnPaths, Kind::RealFolders] {
        let Some(scene) = Scene::set(kind).await else { continue };
        let open = scene.attacker.ask(json!("descriptors")).await;
        let open: Vec<(String, String)> = serde_json::from_value::<BTreeMap<String, String>>(open)
            .unwrap()
            .into_iter()
            .filter(|(number, at)| number.parse::<u32>().unwrap() > 2 && !at.ends_with("/fd"))
            .collect();
        // Its connection to the Runtime API.
        assert!(open.len() == 1 && open[0].1.starts_with("socket:"), "{kind:?}: {open:?}");
    }
    drop((careless, clients, served));
}

#[tokio::test]
async fn no_function_answers_for_another() {
    for kind in [Kind::Sandbox, Kind::OwnPaths] {
        let Some(scene) = Scene::set(kind).await else { continue };
        let api = scene.other.ask(json!("variables")).await["AWS_LAMBDA_RUNTIME_API"].clone();
        let mut event = scene.other.event(&json!([{"print": "here\n"}, "hang"]));
        event.request_id = RequestId(Uuid::from_u128(0x5678));
        let id = event.request_id.0.to_string();
        let answer = in_time(scene.other.environment.invoke(event));
        let steal = async {
            scene.other.lines.wait_for("here\n").await;
            scene.attacker.ask(json!({"answer at": [api, id]})).await
        };
        if kind == Kind::Sandbox {
            // Loopback is the environment's own, so at the other's address is one's own Runtime API.
            tokio::select! {
                status = steal => assert_eq!(status, "400"),
                answer = answer => panic!("the other was answered: {answer:?}"),
            }
        } else {
            let (status, answer) = tokio::join!(steal, answer);
            assert_eq!(status, "202");
            assert!(matches!(&answer, Answer::Response(bytes) if bytes == "stolen"), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn files_of_two_functions_belong_to_users_that_have_nothing_in_common() {
    let Some(scene) = Scene::set(Kind::Sandbox).await else { return };
    let mut owners = Vec::new();
    for function in [&scene.attacker, &scene.other] {
        function.ask(json!({"write": "/tmp/mine"})).await;
    }
    let spawner = scene.host.linux.spawner_pid().await.unwrap();
    for init in children_of(spawner) {
        let seen = PathBuf::from(format!("/proc/{}/root/tmp/mine", init.as_raw_pid()));
        let about = fs::metadata(seen).unwrap();
        owners.push((about.uid(), about.gid()));
    }
    assert_eq!(owners.len(), 2);
    for (user, group) in &owners {
        assert!(*user >= 0x7000_0000 && *group >= 0x7000_0000, "{owners:?}");
    }
    assert!(owners[0].0.abs_diff(owners[1].0) >= 0x1_0000, "{owners:?}");
}

#[tokio::test]
async fn what_a_function_leaves_is_removed_and_nothing_else() {
    for kind in [Kind::Sandbox, Kind::OwnPaths] {
        let Some(host) = host(kind).await else { continue };
        let kept = host.folder.path().join("kept");
        fs::create_dir(&kept).unwrap();
        fs::write(kept.join("file"), "of the host").unwrap();
        let function = host.ready().await;
        // Links to what is the host's, and a path that is longer than any that can be named.
        let links = ["/", "/etc", "..", kept.to_str().unwrap()];
        for (number, target) in links.iter().enumerate() {
            function.ask(json!({"link": [target, format!("/tmp/link{number}")]})).await;
        }
        let nested = function.ask(json!({"attempt": ["nest folders", "/tmp", 1200]})).await;
        assert_eq!(nested["allowed"], true, "{nested}");
        let files = function.ask(json!({"attempt": ["make files", "/tmp", 1000]})).await;
        assert_eq!(files["allowed"], true, "{files}");
        function.ask(json!({"forbid": "/tmp/folder"})).await;
        in_time(function.environment.stop()).await;
        assert_eq!(host.environments(), Vec::<String>::new(), "{kind:?}");
        assert_eq!(fs::read_to_string(kept.join("file")).unwrap(), "of the host");
        assert!(PathBuf::from("/etc/passwd").exists());
        // And what the next one has is empty again.
        let next = host.ready().await;
        let listed = next.ask(json!({"attempt": ["list", "/tmp"]})).await;
        assert_eq!(listed["detail"], json!([]), "{kind:?}");
        in_time(next.environment.stop()).await;
    }
}

#[tokio::test]
async fn a_second_start_meets_nobody_of_the_first() {
    let Some(host) = host(Kind::Sandbox).await else { return };
    let function = host.ready().await;
    function.ask(json!("linger")).await;
    let before = host.groups.processes().len();
    assert_eq!(function.init().await, InitEnd::Ready);
    let seen = function.ask(json!({"attempt": ["see others"]})).await;
    assert_eq!(seen["detail"], "there is nobody else");
    assert!(host.groups.processes().len() < before);
}
