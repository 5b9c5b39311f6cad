//! Functions in a running engine: created, run, and what came of it in a form that can be compared.

use regex::Regex;
use serde_json::{Value, json};

use crate::engine_process::{Engine, Request, encoded, zip_of};

/// A role as every function must name one.
pub(crate) const ROLE: &str = "arn:aws:iam::111111111111:role/r";

/// The function that does what its event asks for, in Python.
pub(crate) const PYTHON: &[u8] = include_bytes!("../data/functions/app.py");
/// The same in Node.
pub(crate) const NODE: &[u8] = include_bytes!("../data/functions/app.mjs");

/// A function that can be run.
pub(crate) struct Deployed<'a> {
    engine: &'a Engine,
    pub(crate) name: String,
}

/// What came of one invocation.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) id: String,
    /// `X-Amz-Function-Error`
    pub(crate) error: Option<String>,
    pub(crate) payload: Vec<u8>,
    pub(crate) tail: Vec<u8>,
}

impl<'a> Deployed<'a> {
    /// Creates a function from files and waits until it is active; `settings` are further members of the request.
    pub(crate) fn create(engine: &'a Engine, name: &str, files: &[(&str, u32, &[u8])], settings: &Value) -> Self {
        let mut body = json!({
            "FunctionName": name,
            "Role": ROLE,
            "Handler": "app.handler",
            "Code": { "ZipFile": data_encoding::BASE64.encode(&zip_of(files)) },
        });
        for (member, value) in settings.as_object().unwrap() {
            body[member] = value.clone();
        }
        let created = engine.send(&Request::new("POST", "/2015-03-31/functions").body(body.to_string()));
        assert_eq!(created.status, 201, "{}", created.json());
        engine.wait_until_settled(name);
        Self { engine, name: name.to_owned() }
    }

    /// Creates the function that does what its event asks for. Its name is the runtime's, without the dot.
    pub(crate) fn create_asked(engine: &'a Engine, runtime: &str, suffix: &str, settings: &Value) -> Self {
        let name = format!("{}{suffix}", runtime.replace('.', "-"));
        let file: (&str, u32, &[u8]) =
            if is_python(runtime) { ("app.py", 0o644, PYTHON) } else { ("app.mjs", 0o644, NODE) };
        let mut settings = settings.clone();
        settings["Runtime"] = runtime.into();
        Self::create(engine, &name, &[file], &settings)
    }

    /// The request that runs it.
    pub(crate) fn request(&self, event: impl Into<Vec<u8>>) -> Request {
        Request::invoke(&self.name, event).header("X-Amz-Log-Type", "Tail")
    }

    /// Runs it.
    pub(crate) fn run(&self, event: &Value) -> Ran {
        self.send(&self.request(event.to_string()))
    }

    /// Runs it by a request of one's own.
    pub(crate) fn send(&self, request: &Request) -> Ran {
        let answer = self.engine.send(request);
        assert_eq!(answer.status, 200, "{}: {}", self.name, String::from_utf8_lossy(&answer.body));
        let header = |name: &str| answer.header(name).map(str::to_owned);
        let tail = header("x-amz-log-result").unwrap_or_default();
        Ran {
            id: header("x-amzn-requestid").unwrap(),
            error: header("x-amz-function-error"),
            tail: data_encoding::BASE64.decode(tail.as_bytes()).unwrap(),
            payload: answer.body,
        }
    }

    /// Runs it and takes its answer, which is no error.
    #[track_caller]
    pub(crate) fn answer(&self, event: &Value) -> Value {
        let ran = self.run(event);
        assert_eq!(ran.error, None, "{}: {}", self.name, ran.text());
        ran.json()
    }

    /// Removes it.
    pub(crate) fn delete(&self) {
        let request = Request::new("DELETE", &format!("/2015-03-31/functions/{}", encoded(&self.name)));
        assert_eq!(self.engine.send(&request).status, 204);
    }
}

impl Ran {
    /// The payload as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.payload).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The payload as text, the request id as `ID`.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).replace(&self.id, "ID")
    }

    /// The log, normal.
    pub(crate) fn log(&self) -> String {
        normal(&String::from_utf8_lossy(&self.tail).replace(&self.id, "ID"))
    }
}

/// A log with what differs from run to run replaced: `TIME`, and `N` for each measured number.
pub(crate) fn normal(log: &str) -> String {
    let measured = Regex::new(r"(Duration|Max Memory Used): \d+(\.\d\d)? (ms|MB)").unwrap();
    let time = Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z").unwrap();
    time.replace_all(&measured.replace_all(log, "$1: N $3"), "TIME").into_owned()
}

/// The log of a first invocation that wrote `output` (recorded: `test_invocation_with_logs`); after `REPORT`'s
/// measurements comes `status`.
pub(crate) fn cold_log(output: &str, status: &str) -> String {
    warm_log(output, &format!("Init Duration: N ms\t{status}"))
}

/// The log of a further one.
pub(crate) fn warm_log(output: &str, status: &str) -> String {
    format!(
        "START RequestId: ID Version: $LATEST\n{output}END RequestId: ID\nREPORT RequestId: ID\tDuration: N ms\tBilled \
         Duration: N ms\tMemory Size: 128 MB\tMax Memory Used: N MB\t{status}\n"
    )
}

/// What the platform answers in a function's place (recorded: `test_lambda_invoke_with_timeout`,
/// `test_lambda_runtime_exit`).
pub(crate) fn platform_error(error_type: &str, text: &str) -> String {
    format!(r#"{{"errorType":"{error_type}","errorMessage":"RequestId: ID Error: {text}"}}"#)
}

/// Which of the two languages a runtime is.
pub(crate) fn is_python(runtime: &str) -> bool {
    runtime.starts_with("python")
}
