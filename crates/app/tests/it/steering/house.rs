//! An engine with functions whose events can be made to fail, and its admin API.

use std::cell::RefCell;
use std::process::Output;

use serde_json::{Value, json};

use crate::engine_process::{Answer, Connection, Engine, Request, encoded, lambd, poll};
use crate::shell_function::bootstrap;

/// See the module.
pub(super) struct House(pub(super) Engine, RefCell<Vec<String>>);

/// What a function of this house makes of an event: it logs the event as it came, and fails if `fail` stands in it,
/// until [`House::heal`].
const HANDLE: &str = r#"
printf 'RUN %s %s\n' "$id" "$(base64 -w0 "$event")" >&2
verdict=response
if grep -q fail "$event" && [ -z "$HEALED" ]; then
  verdict=error
  printf '{"errorType":"Shell.Failed","errorMessage":"it went wrong: ä"}'
else
  cat "$event"
fi
"#;

impl House {
    pub(super) fn start(flags: &[&str]) -> Self {
        Self(Engine::start_with(flags), RefCell::default())
    }

    /// Creates the function of the module.
    pub(super) fn create(&self, name: &str) {
        let script = bootstrap("", HANDLE);
        let told =
            script.replace("%s/%s/response", "%s/%s/%s").replace("\"$id\" \"$(wc", "\"$id\" \"$verdict\" \"$(wc");
        assert_eq!(told.len(), script.len() - "response".len() + "%s".len() + "\"$verdict\" ".len());
        let created = self.0.send(&Request::create_function_of(name, &told));
        assert_eq!(created.status, 201, "{created:?}");
        self.0.wait_until_settled(name);
        self.1.borrow_mut().push(name.to_owned());
    }

    /// From now on nothing fails.
    pub(super) fn heal(&self) {
        let body = json!({"Environment": {"Variables": {"HEALED": "1"}}}).to_string();
        for name in self.1.borrow().iter() {
            let target = format!("/2015-03-31/functions/{name}/configuration");
            let answer = self.0.send(&Request::new("PUT", &target).body(body.clone()));
            assert_eq!(answer.status, 200, "{answer:?}");
            self.0.wait_until_settled(name);
        }
    }

    /// Nothing is tried again, or so often.
    pub(super) fn retries(&self, name: &str, retries: u32) {
        let body = json!({"MaximumRetryAttempts": retries}).to_string();
        let target = format!("/2019-09-25/functions/{name}/event-invoke-config");
        let answer = self.0.send(&Request::new("PUT", &target).body(body));
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// How many of the function run at a time.
    pub(super) fn reserve(&self, name: &str, reserved: u32) {
        let body = json!({"ReservedConcurrentExecutions": reserved}).to_string();
        let target = format!("/2017-10-31/functions/{name}/concurrency");
        let answer = self.0.send(&Request::new("PUT", &target).body(body));
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// Sends an event; its id.
    pub(super) fn event(&self, name: &str, payload: &str) -> String {
        let answer = self.0.send(&Request::invoke(name, payload).header("X-Amz-Invocation-Type", "Event"));
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.header("x-amzn-requestid").unwrap().to_owned()
    }

    /// With what payloads it ran under that id.
    pub(super) fn runs_of(&self, id: &str) -> Vec<Vec<u8>> {
        let mut runs = Vec::new();
        for name in self.1.borrow().iter() {
            let log = self.get(&format!("/_lambd/logs/{name}"));
            assert_eq!(log["last"], true);
            for line in log["events"].as_array().unwrap() {
                let of_it = line["message"].as_str().unwrap().strip_prefix(&format!("RUN {id} "));
                runs.extend(of_it.map(|code| data_encoding::BASE64.decode(code.trim_end().as_bytes()).unwrap()));
            }
        }
        runs
    }

    /// Sends a request to the admin API, with these headers and nothing but its length beside them.
    pub(super) fn raw(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut text = format!("{method} {target} HTTP/1.1\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            text.extend([*name, ": ", *value, "\r\n"]);
        }
        let mut connection = Connection::to(self.0.admin());
        // What is refused for its length need not be read to its end.
        let _ = connection.write(format!("{text}\r\n{body}").as_bytes());
        connection.read(method).unwrap()
    }

    /// As a client would send it.
    pub(super) fn ask(&self, method: &str, target: &str, body: &str) -> Answer {
        let host = self.0.admin().to_string();
        self.raw(method, target, &[("Host", &host), ("Content-Type", "application/json")], body)
    }

    #[track_caller]
    pub(super) fn get(&self, target: &str) -> Value {
        let answer = self.ask("GET", target, "");
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        answer.json()
    }

    #[track_caller]
    pub(super) fn post(&self, target: &str, body: &Value) -> Value {
        let answer = self.ask("POST", target, &body.to_string());
        assert_eq!(answer.status, 200, "{target}: {}", answer.json());
        answer.json()
    }

    /// Moves the clock.
    #[track_caller]
    pub(super) fn advance(&self, seconds: f64) -> String {
        self.post("/_lambd/clock/advance", &json!({"seconds": seconds}))["Now"].as_str().unwrap().to_owned()
    }

    /// One event; null where there is none.
    pub(super) fn show(&self, id: &str) -> Value {
        let answer = self.ask("GET", &format!("/_lambd/events/{id}"), "");
        if answer.status == 404 { Value::Null } else { answer.json() }
    }

    /// Waits until the event is like that.
    #[track_caller]
    pub(super) fn wait_for(&self, id: &str, state: &str, attempts: u32) -> Value {
        poll(&format!("event {id} is {state} after {attempts} attempts"), || {
            Some(self.show(id)).filter(|event| event["State"] == state && event["Attempts"] == attempts)
        })
    }

    #[track_caller]
    pub(super) fn wait_until_gone(&self, id: &str) {
        poll(&format!("event {id} is gone"), || Some(()).filter(|()| self.show(id).is_null()));
    }

    /// The ids of a list, in its order; all in one page.
    #[track_caller]
    pub(super) fn ids(&self, query: &str) -> Vec<String> {
        let page = self.get(&format!("/_lambd/events?{query}"));
        let ids: Vec<String> = ids_of(&page);
        assert_eq!((&page["Total"], &page["NextToken"]), (&json!(ids.len()), &Value::Null), "{query}");
        ids
    }

    /// Runs `lambd events`.
    pub(super) fn events(&self, arguments: &[&str]) -> Output {
        let url = format!("http://{}", self.0.admin());
        lambd().arg("events").args(arguments).env("LAMBD_ADMIN_URL", url).output().unwrap()
    }

    /// What it prints where all is well.
    #[track_caller]
    pub(super) fn printed(&self, arguments: &[&str]) -> String {
        let output = self.events(arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), told.as_ref()), (Some(0), ""), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// The ids of a page.
pub(super) fn ids_of(page: &Value) -> Vec<String> {
    let events = page["Events"].as_array().unwrap().iter();
    events.map(|event| event["RequestId"].as_str().unwrap().to_owned()).collect()
}

/// An ARN in a query.
pub(super) fn function_query(name: &str) -> String {
    format!("function={}", encoded(name))
}
