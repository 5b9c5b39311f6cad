//! What the tests need as programs of their own: a spawner, and a function's `bootstrap` that does what its events say.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test program: what fails must be seen"
)]

mod attempts;

use std::env;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use serde_json::{Value, json};

fn main() {
    let mut arguments = env::args_os();
    let program = PathBuf::from(arguments.next().unwrap());
    if program.ends_with("bootstrap") {
        return bootstrap();
    }
    if program.parent().is_some_and(|folder| folder.ends_with("extensions")) {
        return extension(&program);
    }
    match arguments.next().as_deref().and_then(|mode| mode.to_str()) {
        Some("spawner") => sandbox::launcher::main(sandbox::launcher::CONTROL),
        Some("nat") => way_out(&PathBuf::from(arguments.next().unwrap())),
        Some("who") => print!("{}", rustix::process::geteuid().as_raw()),
        other => panic!("{other:?} is no mode"),
    }
}

// An engine's network with one environment in it, to be killed.

fn way_out(folder: &std::path::Path) {
    use sandbox::network::{Instance, Nat, NetworkNamespace};
    let nat = Nat::start(Instance::of(folder).unwrap()).unwrap();
    let environment = NetworkNamespace::create().unwrap();
    let link = nat.link(&environment).unwrap();
    say(&format!("linked {}", link.name()));
    hang()
}

// The function. Its event is a list of things to do; its answer what came of them.

fn bootstrap() {
    let task = env::var("LAMBDA_TASK_ROOT").unwrap();
    let at_init = fs::read(format!("{task}/init.json")).map(|bytes| serde_json::from_slice(&bytes).unwrap());
    let mut api = Api::connect();
    if let Ok(Value::Array(steps)) = at_init {
        for step in steps {
            do_step(&step, &mut api);
        }
    }
    loop {
        let (head, event) = api.ask("GET", "/runtime/invocation/next", &[], b"");
        let id = header(&head, "Lambda-Runtime-Aws-Request-Id").unwrap();
        let steps: Vec<Value> = serde_json::from_slice(&event).unwrap();
        let results: Vec<Value> =
            steps.iter().map(|step| if step == "head" { json!(head) } else { do_step(step, &mut api) }).collect();
        let path = format!("/runtime/invocation/{id}/response");
        let (head, body) = api.ask("POST", &path, &[], json!(results).to_string().as_bytes());
        assert!(head.starts_with("HTTP/1.1 202"), "{head}{}", String::from_utf8_lossy(&body));
    }
}

// An extension. `NAME.json` in the folder above says for what it registers and what it does at each event; it prints
// what it got.

fn extension(program: &std::path::Path) {
    let name = program.file_name().unwrap().to_str().unwrap().to_owned();
    let script = program.parent().unwrap().parent().unwrap().join(format!("{name}.json"));
    let script: Value = serde_json::from_slice(&fs::read(script).unwrap()).unwrap();
    be_an_extension(&name, &script, &|| {});
}

fn be_an_extension(name: &str, script: &Value, registered: &dyn Fn()) {
    let mut api = Api::connect();
    let run = |steps: &Value, api: &mut Api| {
        for step in steps.as_array().into_iter().flatten() {
            do_step(step, api);
        }
    };
    run(&script["at start"], &mut api);
    let header_of = format!("Lambda-Extension-Name: {name}\r\nLambda-Extension-Accept-Feature: accountId\r\n");
    let body = json!({"events": script["events"]}).to_string();
    let (head, body) = api.ask_at("POST", "/2020-01-01/extension/register", &[&header_of], body.as_bytes());
    say(&format!("{name} registered {}", String::from_utf8(body).unwrap()));
    registered();
    let id = header(&head, "Lambda-Extension-Identifier").unwrap().to_owned();
    let id = format!("Lambda-Extension-Identifier: {id}\r\n");
    if let Some(error) = script["init error"].as_str() {
        let error = format!("Lambda-Extension-Function-Error-Type: {error}\r\n");
        let (head, _) = api.ask_at("POST", "/2020-01-01/extension/init/error", &[&id, &error], b"{}");
        say(&format!("{name} init error {}", head.lines().next().unwrap()));
        std::process::exit(3);
    }
    if let Some(subscription) = script.get("subscribe") {
        let body = subscription.to_string();
        let (head, body) = api.ask_at("PUT", "/2022-07-01/telemetry", &[&id], body.as_bytes());
        let status = head.split(' ').nth(1).unwrap().to_owned();
        say(&format!("{name} subscribed {status} {}", String::from_utf8(body).unwrap()));
    }
    run(&script["registered"], &mut api);
    loop {
        let (_, event) = api.ask_at("GET", "/2020-01-01/extension/event/next", &[&id], b"");
        let event: Value = serde_json::from_slice(&event).unwrap();
        let what = event["eventType"].as_str().unwrap().to_owned();
        say(&format!("{name} got {event}"));
        for step in script[&what].as_array().into_iter().flatten() {
            match step.get("subscribe again") {
                Some(subscription) => {
                    let body = subscription.to_string();
                    let (head, body) = api.ask_at("PUT", "/2022-07-01/telemetry", &[&id], body.as_bytes());
                    let status = head.split(' ').nth(1).unwrap().to_owned();
                    say(&format!("again {status} {}", String::from_utf8(body).unwrap()));
                }
                None => drop(do_step(step, &mut api)),
            }
        }
        if what == "SHUTDOWN" {
            return;
        }
    }
}

fn say(line: &str) {
    println!("{line}");
    std::io::stdout().flush().unwrap();
}

fn do_step(step: &Value, api: &mut Api) -> Value {
    let (name, value) = match step {
        Value::String(name) => (name.as_str(), &Value::Null),
        Value::Object(members) => members.iter().next().map(|(name, value)| (name.as_str(), value)).unwrap(),
        other => panic!("{other} is no step"),
    };
    let text = value.as_str().unwrap_or_default();
    match name {
        "attempt" => attempts::attempt(value),
        "print" => {
            print!("{text}");
            std::io::stdout().flush().unwrap();
            Value::Null
        }
        "print error" => {
            std::io::stderr().write_all(text.as_bytes()).unwrap();
            Value::Null
        }
        "flood" => {
            let lines = value.as_u64().unwrap();
            let mut out = std::io::BufWriter::new(std::io::stdout());
            (0..lines).for_each(|n| writeln!(out, "line {n}").unwrap());
            out.flush().unwrap();
            Value::Null
        }
        "exit" => std::process::exit(i32::try_from(value.as_i64().unwrap()).unwrap()),
        "die" => {
            let signal = value.as_str().unwrap();
            std::process::Command::new("sh").args(["-c", &format!("kill -{signal} $PPID")]).status().unwrap();
            hang()
        }
        "hang" => hang(),
        "linger" => {
            // A grandchild in a session of its own, that holds the output.
            let lingering = "setsid sleep 600 & echo lingering $!";
            std::process::Command::new("sh").args(["-c", lingering]).status().unwrap();
            Value::Null
        }
        "write" => {
            fs::write(text, "kept").unwrap();
            Value::Null
        }
        "link" => {
            std::os::unix::fs::symlink(value[0].as_str().unwrap(), value[1].as_str().unwrap()).unwrap();
            Value::Null
        }
        "forbid" => {
            fs::set_permissions(text, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
            Value::Null
        }
        "answer at" => {
            // In another's name; tells the status.
            let of = |at: usize| value[at].as_str().unwrap();
            let at = of(0).to_owned();
            let mut other = Api { stream: TcpStream::connect(&at).unwrap(), at, buffer: Vec::new() };
            let (head, _) = other.ask("POST", &format!("/runtime/invocation/{}/response", of(1)), &[], b"stolen");
            json!(head.split(' ').nth(1))
        }
        "try to write" => json!(fs::write(text, "x").map_err(|error| error.kind().to_string()).err()),
        "read" => json!(fs::read_to_string(text).ok()),
        "pid" => json!(std::process::id()),
        "variables" => {
            let pairs = env::vars_os().map(|(key, value)| {
                (String::from_utf8(key.as_bytes().to_vec()).unwrap(), json!(value.to_str().unwrap()))
            });
            Value::Object(pairs.collect())
        }
        "folder" => json!(env::current_dir().unwrap()),
        "descriptors" => {
            // The one that lists them is left out, and so is the connection to the Runtime API.
            let all = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path());
            let shown = all.filter_map(|path| {
                let number = path.file_name().unwrap().to_str().unwrap().to_owned();
                fs::read_link(path).ok().map(|target| (number, json!(target)))
            });
            Value::Object(shown.collect())
        }
        "limits" => json!(fs::read_to_string("/proc/self/limits").unwrap()),
        "signals" => json!(fs::read_to_string("/proc/self/status").unwrap()),
        "touch memory" => {
            let megabytes = usize::try_from(value.as_u64().unwrap()).unwrap();
            let touched = vec![1u8; megabytes * 1024 * 1024];
            json!(touched.iter().map(|byte| u64::from(*byte)).sum::<u64>())
        }
        "internal extension" => {
            let script = value.clone();
            let name = script["name"].as_str().unwrap().to_owned();
            let (registered, wait) = std::sync::mpsc::channel();
            std::thread::spawn(move || be_an_extension(&name, &script, &|| registered.send(()).unwrap()));
            wait.recv().unwrap();
            Value::Null
        }
        "say variables" => {
            env::vars().for_each(|(key, value)| println!("{key}={value}"));
            say(&format!("folder {}", env::current_dir().unwrap().display()));
            Value::Null
        }
        "resolve" => {
            use std::net::ToSocketAddrs as _;
            json!((text, 80).to_socket_addrs().unwrap().next().unwrap().ip().to_string())
        }
        "reach" => {
            use std::net::ToSocketAddrs as _;
            let within = std::time::Duration::from_millis(value["within ms"].as_u64().unwrap_or(10_000));
            let of = value["at"].as_str().unwrap().to_socket_addrs().unwrap().next().unwrap();
            let reached = TcpStream::connect_timeout(&of, within).and_then(|mut stream| {
                let mut text = String::new();
                stream.set_read_timeout(Some(within))?;
                stream.read_to_string(&mut text).map(|_| text)
            });
            reached.map_or_else(|error| json!({"error": error.kind().to_string()}), |text| json!(text))
        }
        "await file" => {
            while !PathBuf::from(text).exists() {
                std::thread::yield_now();
            }
            Value::Null
        }
        "count on" => {
            // A busy thread, whose progress is in a file.
            let path = text.to_owned();
            std::thread::spawn(move || {
                for count in 0_u64.. {
                    fs::write(&path, count.to_string()).unwrap();
                }
            });
            Value::Null
        }
        "call" => {
            let of = |key: &str| value[key].as_str().unwrap_or_default();
            let headers: Vec<&str> =
                value["headers"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let headers: Vec<String> = headers.iter().map(|header| format!("{header}\r\n")).collect();
            let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
            let mut other = Api::connect();
            let (head, body) = other.ask_at(of("method"), of("path"), &headers, of("body").as_bytes());
            json!({"head": head, "body": String::from_utf8(body).unwrap()})
        }
        "init error" => {
            let header = ["Lambda-Runtime-Function-Error-Type: Runtime.MyInitError\r\n"];
            let (head, _) = api.ask("POST", "/runtime/init/error", &header, text.as_bytes());
            json!(head)
        }
        other => panic!("{other:?} is no step"),
    }
}

fn hang() -> ! {
    loop {
        std::thread::park();
    }
}

struct Api {
    at: String,
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Api {
    fn connect() -> Self {
        let at = env::var("AWS_LAMBDA_RUNTIME_API").unwrap();
        Self { stream: TcpStream::connect(&at).unwrap(), at, buffer: Vec::new() }
    }

    fn ask(&mut self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> (String, Vec<u8>) {
        self.ask_at(method, &format!("/2018-06-01{path}"), headers, body)
    }

    fn ask_at(&mut self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> (String, Vec<u8>) {
        let more = headers.concat();
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n{more}\r\n", self.at, body.len());
        self.stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let head_end = self.read_until(|buffer| buffer.windows(4).position(|four| four == b"\r\n\r\n")) + 4;
        let head = String::from_utf8(self.buffer.drain(..head_end).collect()).unwrap();
        let length: usize = header(&head, "Content-Length").unwrap().parse().unwrap();
        self.read_until(|buffer| (buffer.len() >= length).then_some(length));
        (head, self.buffer.drain(..length).collect())
    }

    fn read_until(&mut self, found: impl Fn(&[u8]) -> Option<usize>) -> usize {
        loop {
            if let Some(at) = found(&self.buffer) {
                return at;
            }
            let mut part = [0; 8192];
            let bytes = self.stream.read(&mut part).unwrap();
            if bytes == 0 {
                std::process::exit(99);
            }
            self.buffer.extend_from_slice(&part[..bytes]);
        }
    }
}

/// A header by its exact name: AWS's spelling is part of what is tested.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}
