//! The clients that people have, unmodified, against the built engine: AWS CLI v1 and v2, and boto3. Each creates,
//! lists, updates, runs and removes functions, waits with its own waiters, and meets errors.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::engine_process::{Engine, Request, zip_of};
use crate::functions::{PYTHON, ROLE, normal, platform_error, warm_log};
use crate::tools::{self, Interpreters};

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function";
/// What the function in Python writes when it is asked to log.
const OUTPUT: &str =
    "printed\nanother\rline\nto standard error\n[INFO]\tTIME\tID\tinformed of 7\n[ERROR]\tTIME\tID\ttwo\nlines\n";

/// A client in a folder of its own, with no variable but these.
struct Client<'a> {
    program: PathBuf,
    manner: Manner,
    engine: &'a Engine,
    folder: TempDir,
}

/// In what the two versions of the AWS CLI differ.
#[derive(Clone, Copy)]
struct Manner {
    /// What makes `--payload` raw text, where that needs saying.
    raw_payload: &'static [&'static str],
    /// The exit code for an error that the service answered.
    refused_code: i32,
}

const V1: Manner = Manner { raw_payload: &[], refused_code: 255 };
const V2: Manner = Manner { raw_payload: &["--cli-binary-format", "raw-in-base64-out"], refused_code: 254 };

/// What a run of it left behind.
#[derive(Debug)]
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

impl<'a> Client<'a> {
    fn new(program: PathBuf, manner: Manner, engine: &'a Engine) -> Self {
        Self { program, manner, engine, folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self) -> Command {
        let mut command = tools::alone(&self.program, self.folder.path());
        command.env("AWS_PAGER", "");
        command
    }

    /// Runs `aws lambda …`.
    fn lambda(&self, arguments: &[&str]) -> Run {
        let mut command = self.command();
        let output = command
            .args(["--endpoint-url", &self.engine.endpoint(), "--output", "json", "lambda"])
            .args(arguments)
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Run { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Whether it is younger than November 2023: a client leaves out what its own model does not have.
    fn knows_logging_config(&self) -> bool {
        let told = self.command().arg("--version").output().unwrap().stdout;
        let told = String::from_utf8(told).unwrap();
        let version = told.strip_prefix("aws-cli/").and_then(|rest| rest.split(' ').next()).unwrap();
        let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap());
        match (numbers.next().unwrap(), numbers.next().unwrap()) {
            (1, minor) => minor >= 31,
            newer => newer >= (2, 14),
        }
    }

    /// Runs a command that succeeds; what it prints.
    #[track_caller]
    fn does(&self, arguments: &[&str]) -> Value {
        let run = self.lambda(arguments);
        assert_eq!((run.code, run.stderr.trim()), (0, ""), "{arguments:?}: {}", run.stdout);
        if run.stdout.is_empty() { Value::Null } else { serde_json::from_str(&run.stdout).unwrap() }
    }

    /// Runs a command that the engine refuses.
    #[track_caller]
    fn is_refused(&self, arguments: &[&str], line: &str) {
        let run = self.lambda(arguments);
        let expected = (self.manner.refused_code, line, "");
        assert_eq!((run.code, run.stderr.trim(), run.stdout.as_str()), expected, "{arguments:?}");
    }

    /// Runs `invoke`; what it prints, and the payload.
    #[track_caller]
    fn invokes(&self, arguments: &[&str]) -> (Value, Vec<u8>) {
        let out = self.path("out");
        let mut all = vec!["invoke"];
        all.extend(arguments);
        all.extend(self.manner.raw_payload);
        all.push(out.to_str().unwrap());
        let printed = self.does(&all);
        (printed, fs::read(&out).unwrap())
    }
}

#[test]
fn the_aws_cli_v1_works() {
    let test = "real_clients::the_aws_cli_v1_works";
    let (Some(aws), Some(interpreters)) = (tools::aws_v1(test), Interpreters::find(test)) else { return };
    check_cli(aws, V1, &interpreters);
}

#[test]
fn the_aws_cli_v2_works() {
    let test = "real_clients::the_aws_cli_v2_works";
    let (Some(aws), Some(interpreters)) = (tools::aws_v2(test), Interpreters::find(test)) else { return };
    check_cli(aws, V2, &interpreters);
}

fn check_cli(program: PathBuf, manner: Manner, interpreters: &Interpreters) {
    let engine = Engine::start_with(&["--config", interpreters.settings()]);
    let aws = Client::new(program, manner, &engine);
    check_life(&aws, interpreters.python());
    check_invoke(&aws);
    check_lists(&aws);
    check_layers(&aws);
    aws.does(&["delete-function", "--function-name", "one"]);
    aws.is_refused(
        &["get-function", "--function-name", "one"],
        &format!("An error occurred (ResourceNotFoundException) when calling the GetFunction operation: Function not found: {ARN}:one"),
    );
}

/// A layer from its first version to its last permission, and a function that has it.
fn check_layers(aws: &Client<'_>) {
    let layer = "arn:aws:lambda:us-east-1:000000000000:layer:shared";
    let zip = zip_of(&[("python/shared.py", 0o644, b"WORD = 'layer'\n")]);
    fs::write(aws.path("layer.zip"), &zip).unwrap();
    let publish = ["publish-layer-version", "--layer-name", "shared", "--zip-file", "fileb://layer.zip"];
    let about = ["--description", "d", "--license-info", "MIT", "--compatible-runtimes", "python3.12", "nodejs22.x"];
    // Recorded: test_layer_compatibilities, test_layer_lifecycle.
    let listed = json!({
        "LayerVersionArn": format!("{layer}:1"),
        "Version": 1,
        "Description": "d",
        "CreatedDate": "TIME",
        "CompatibleRuntimes": ["python3.12", "nodejs22.x"],
        "LicenseInfo": "MIT",
    });
    let mut whole = listed.clone();
    whole["LayerArn"] = layer.into();
    whole["Content"] = json!({"Location": "URL", "CodeSha256": digest(&zip), "CodeSize": zip.len()});
    let timeless = |mut shown: Value| {
        let time = shown["CreatedDate"].as_str().unwrap().to_owned();
        assert!(time.len() == 28 && time.ends_with("+0000"), "{time}");
        shown["CreatedDate"] = "TIME".into();
        if shown["Content"].is_object() {
            shown["Content"]["Location"] = "URL".into();
        }
        shown
    };
    let published = aws.does(&[&publish[..], &about[..]].concat());
    let location = published["Content"]["Location"].as_str().unwrap().to_owned();
    assert_eq!(timeless(published), whole);
    let path = location.split_once("/_lambd").unwrap().1;
    assert_eq!(aws.engine.send(&Request::new("GET", &format!("/_lambd{path}"))).body, zip);
    assert_eq!(aws.does(&publish)["Version"], 2);

    let of = ["--layer-name", "shared", "--version-number", "1"];
    let with = |operation: &'static str| [&[operation][..], &of[..]].concat();
    assert_eq!(timeless(aws.does(&with("get-layer-version"))), whole);
    assert_eq!(timeless(aws.does(&["get-layer-version-by-arn", "--arn", &format!("{layer}:1")])), whole);
    let versions = aws.does(&["list-layer-versions", "--layer-name", layer, "--compatible-runtime", "python3.12"]);
    assert_eq!(versions["LayerVersions"].as_array().unwrap().len(), 1);
    assert_eq!(timeless(versions["LayerVersions"][0].clone()), listed);
    let layers = aws.does(&["list-layers"]);
    let newest = &layers["Layers"][0];
    assert_eq!((&newest["LayerName"], &newest["LayerArn"]), (&json!("shared"), &json!(layer)));
    assert_eq!(newest["LatestMatchingVersion"]["Version"], 2);

    // LocalStack, whose tests are checked against AWS: test_layer_policy_lifecycle, test_layer_policy_exceptions.
    let gone = |operation: &str, text: &str| {
        format!("An error occurred (ResourceNotFoundException) when calling the {operation} operation: {text}")
    };
    aws.is_refused(
        &with("get-layer-version-policy"),
        &gone("GetLayerVersionPolicy", "No policy is associated with the given resource."),
    );
    let grant = ["--statement-id", "s1", "--action", "lambda:GetLayerVersion", "--principal", "*"];
    let added = aws.does(&[&with("add-layer-version-permission")[..], &grant[..]].concat());
    let statement = json!({
        "Sid": "s1",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "lambda:GetLayerVersion",
        "Resource": format!("{layer}:1"),
    });
    let read = |text: &Value| serde_json::from_str::<Value>(text.as_str().unwrap()).unwrap();
    assert_eq!(read(&added["Statement"]), statement);
    aws.is_refused(
        &[&with("add-layer-version-permission")[..], &grant[..]].concat(),
        "An error occurred (ResourceConflictException) when calling the AddLayerVersionPermission operation: The \
         statement id (s1) provided already exists. Please provide a new statement id, or remove the existing \
         statement.",
    );
    let policy = aws.does(&with("get-layer-version-policy"));
    assert_eq!(policy["RevisionId"], added["RevisionId"]);
    let document = json!({"Version": "2012-10-17", "Id": "default", "Statement": [statement]});
    assert_eq!(read(&policy["Policy"]), document);
    let revoke = with("remove-layer-version-permission");
    aws.is_refused(
        &[&revoke[..], &["--statement-id", "s1", "--revision-id", "wrong"]].concat(),
        "An error occurred (PreconditionFailedException) when calling the RemoveLayerVersionPermission operation: The \
         Revision Id provided does not match the latest Revision Id. Call the GetLayerPolicy API to retrieve the \
         latest Revision Id",
    );
    aws.is_refused(
        &[&revoke[..], &["--statement-id", "s2"]].concat(),
        &gone("RemoveLayerVersionPermission", "Statement s2 is not found in resource policy."),
    );
    aws.does(&[&revoke[..], &["--statement-id", "s1"]].concat());

    // A function shows its layers, and keeps them when they are deleted.
    let arn = format!("{layer}:1");
    let update = ["update-function-configuration", "--function-name", "one", "--layers"];
    let shown = aws.does(&[&update[..], &[&arn]].concat());
    assert_eq!(shown["Layers"], json!([{"Arn": arn, "CodeSize": zip.len()}]));
    aws.engine.wait_until_settled("one");
    aws.does(&with("delete-layer-version"));
    aws.does(&with("delete-layer-version"));
    aws.is_refused(&with("get-layer-version"), &gone("GetLayerVersion", "The resource you requested does not exist."));
    aws.is_refused(
        &[&update[..], &[&arn]].concat(),
        &format!(
            "An error occurred (InvalidParameterValueException) when calling the UpdateFunctionConfiguration \
             operation: Layer version {arn} does not exist."
        ),
    );
    let shown = aws.does(&["get-function-configuration", "--function-name", "one"]);
    assert_eq!(shown["Layers"][0]["Arn"], arn);
    assert_eq!(aws.does(&update).get("Layers"), None, "an empty list takes them away");
    aws.engine.wait_until_settled("one");
}

/// Create, wait, show, fetch the code, update both.
fn check_life(aws: &Client<'_>, runtime: &str) {
    let zip = zip_of(&[("app.py", 0o644, PYTHON)]);
    fs::write(aws.path("code.zip"), &zip).unwrap();
    let create = [
        "create-function",
        "--function-name",
        "one",
        "--runtime",
        runtime,
        "--handler",
        "app.handler",
        "--role",
        ROLE,
        "--zip-file",
        "fileb://code.zip",
        "--environment",
        "Variables={GREETING=hallo}",
        "--tags",
        "team=blue",
    ];
    let mut created = aws.does(&create);
    let digest = digest(&zip);
    // Recorded: test_function_state; the order of the members is the client's.
    let mut expected = json!({
        "FunctionName": "one",
        "FunctionArn": format!("{ARN}:one"),
        "Runtime": runtime,
        "Role": ROLE,
        "Handler": "app.handler",
        "CodeSize": zip.len(),
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "LastModified": "TIME",
        "CodeSha256": digest,
        "Version": "$LATEST",
        "Environment": {"Variables": {"GREETING": "hallo"}},
        "TracingConfig": {"Mode": "PassThrough"},
        "RevisionId": "ID",
        "State": "Pending",
        "StateReason": "The function is being created.",
        "StateReasonCode": "Creating",
        "PackageType": "Zip",
        "Architectures": [if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }],
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "RuntimeVersionConfig": {"RuntimeVersionArn": "ARN"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/one"},
    });
    if !aws.knows_logging_config() {
        expected.as_object_mut().unwrap().remove("LoggingConfig");
    }
    hide_what_differs(&mut created);
    assert_eq!(created, expected);
    assert_eq!(aws.does(&["wait", "function-active-v2", "--function-name", "one"]), Value::Null);

    let mut shown = aws.does(&["get-function", "--function-name", "one"]);
    let location = shown["Code"]["Location"].take();
    assert_eq!(shown["Code"], json!({"RepositoryType": "S3", "Location": null}));
    assert_eq!(shown["Tags"], json!({"team": "blue"}));
    hide_what_differs(&mut shown["Configuration"]);
    let mut active = expected;
    for pending in ["StateReason", "StateReasonCode"] {
        active.as_object_mut().unwrap().remove(pending);
    }
    active["State"] = "Active".into();
    active["LastUpdateStatus"] = "Successful".into();
    assert_eq!(shown["Configuration"], active);
    let path = location.as_str().unwrap().strip_prefix(&aws.engine.endpoint()).unwrap();
    assert_eq!(aws.engine.send(&Request::new("GET", path)).body, zip);

    let other = zip_of(&[("app.py", 0o644, PYTHON), ("data.txt", 0o644, b"new")]);
    fs::write(aws.path("other.zip"), &other).unwrap();
    let updated = aws.does(&["update-function-code", "--function-name", "one", "--zip-file", "fileb://other.zip"]);
    assert_eq!(updated["CodeSha256"], self::digest(&other));
    // AWS's words on updates too (recorded: test_lambda_concurrent_code_updates).
    let status = ["LastUpdateStatus", "LastUpdateStatusReason", "LastUpdateStatusReasonCode"].map(|key| &updated[key]);
    assert_eq!(status, ["InProgress", "The function is being created.", "Creating"]);
    aws.does(&["wait", "function-updated-v2", "--function-name", "one"]);
    let configure = ["update-function-configuration", "--function-name", "one", "--timeout", "5", "--description", "ä"];
    let updated = aws.does(&configure);
    assert_eq!((&updated["Timeout"], &updated["Description"]), (&5.into(), &"ä".into()));
    aws.does(&["wait", "function-updated-v2", "--function-name", "one"]);
    let shown = aws.does(&["get-function-configuration", "--function-name", "one", "--qualifier", "$LATEST"]);
    assert_eq!((&shown["Timeout"], &shown["FunctionArn"]), (&5.into(), &format!("{ARN}:one:$LATEST").into()));
    assert_eq!(shown["Environment"]["Variables"]["GREETING"], "hallo", "what an update does not name stays");
    assert_ne!(
        shown["RevisionId"], updated["RevisionId"],
        "a new one when the update is done (recorded: TestLambdaRevisions)"
    );
}

fn hide_what_differs(configuration: &mut Value) {
    for (key, stands_for) in [("LastModified", "TIME"), ("RevisionId", "ID")] {
        assert!(configuration[key].is_string(), "{key}");
        configuration[key] = stands_for.into();
    }
    let version = &mut configuration["RuntimeVersionConfig"]["RuntimeVersionArn"];
    assert!(version.as_str().unwrap().starts_with("arn:aws:lambda:us-east-1::runtime:"));
    *version = "ARN".into();
}

/// `CodeSha256`.
fn digest(zip: &[u8]) -> String {
    use sha2::Digest as _;
    data_encoding::BASE64.encode(&sha2::Sha256::digest(zip))
}

fn check_invoke(aws: &Client<'_>) {
    let echo = r#"{"do":"echo","value":"ä 1"}"#;
    let done = json!({"StatusCode": 200, "ExecutedVersion": "$LATEST"});
    // The other forms: by boto3, which starts faster.
    for name in ["one:$LATEST", &format!("{ARN}:one")] {
        let (printed, payload) = aws.invokes(&["--function-name", name, "--payload", echo]);
        assert_eq!((&printed, String::from_utf8(payload).unwrap().as_str()), (&done, "\"ä 1\""), "{name}");
    }
    fs::write(aws.path("event.json"), r#"{"do":"environment"}"#).unwrap();
    let qualified = ["--function-name", "one", "--qualifier", "$LATEST", "--payload", "fileb://event.json"];
    let (printed, payload) = aws.invokes(&qualified);
    let variables: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!((&printed, &variables["GREETING"]), (&done, &"hallo".into()));
    let (printed, payload) = aws.invokes(&["--function-name", "one"]);
    assert_eq!((&printed, payload.as_slice()), (&done, b"{}".as_slice()), "no payload is the event {{}}");

    let context = data_encoding::BASE64.encode(br#"{"custom":{"key":"value"},"client":{"app_title":"t"},"env":{}}"#);
    let event = r#"{"do":"context"}"#;
    let (_, payload) = aws.invokes(&["--function-name", "one", "--client-context", &context, "--payload", event]);
    let told: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(told["client"], json!({"custom": {"key": "value"}, "env": {}, "title": "t"}));

    let exit = r#"{"do":"exit","status":3}"#;
    let (mut printed, payload) = aws.invokes(&["--function-name", "one", "--log-type", "Tail", "--payload", exit]);
    let log = printed["LogResult"].take();
    let log = data_encoding::BASE64.decode(log.as_str().unwrap().as_bytes()).unwrap();
    let log = String::from_utf8(log).unwrap();
    let id = log["START RequestId: ".len()..].split(' ').next().unwrap().to_owned();
    assert_eq!(normal(&log.replace(&id, "ID")), warm_log("leaving\n", "Status: error\tError Type: Runtime.ExitError"));
    let failed =
        json!({"StatusCode": 200, "FunctionError": "Unhandled", "LogResult": null, "ExecutedVersion": "$LATEST"});
    assert_eq!(printed, failed);
    let text = String::from_utf8(payload).unwrap().replace(&id, "ID");
    assert_eq!(text, platform_error("Runtime.ExitError", "Runtime exited with error: exit status 3"));

    let refused =
        |code: &str, text: &str| format!("An error occurred ({code}) when calling the Invoke operation: {text}");
    let none = refused("ResourceNotFoundException", &format!("Function not found: {ARN}:none:$LATEST"));
    aws.is_refused(&["invoke", "--function-name", "none", "out"], &none);
    // Recorded: test_invocation_type_event.
    let (printed, payload) = aws.invokes(&["--function-name", "one", "--invocation-type", "Event", "--payload", "{}"]);
    assert_eq!((printed, payload.as_slice()), (json!({"StatusCode": 202}), b"".as_slice()));
}

/// Paging, the client's and the service's.
fn check_lists(aws: &Client<'_>) {
    for name in ["two", "three", "four", "five"] {
        assert_eq!(aws.engine.send(&Request::create_function(name)).status, 201);
        aws.engine.wait_until_settled(name);
    }
    let names = |page: &Value| -> Vec<String> {
        page["Functions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["FunctionName"].as_str().unwrap().to_owned())
            .collect()
    };
    // Of a page's items AWS shows no state (recorded: test_list_functions); `--page-size` makes the CLI turn pages.
    let all = aws.does(&["list-functions", "--page-size", "2"]);
    assert_eq!(names(&all), ["five", "four", "one", "three", "two"]);
    assert!(all["Functions"].as_array().unwrap().iter().all(|one| one.get("State").is_none()), "{all}");
    let first = aws.does(&["list-functions", "--max-items", "2"]);
    assert_eq!(names(&first), ["five", "four"]);
    let token = first["NextToken"].as_str().unwrap();
    let rest = aws.does(&["list-functions", "--starting-token", token]);
    assert_eq!(names(&rest), ["one", "three", "two"]);
}

/// The script asserts what boto3 makes of the answers, as its exceptions and its own types; what it prints is compared.
#[test]
fn boto3_works() {
    let test = "real_clients::boto3_works";
    let (Some(python), Some(interpreters)) = (tools::tool(test, "venv/bin/python"), Interpreters::find(test)) else {
        return;
    };
    let engine = Engine::start_with(&["--config", interpreters.settings()]);
    let client = Client::new(python, V1, &engine);
    fs::write(client.path("code.zip"), zip_of(&[("app.py", 0o644, PYTHON)])).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/boto3_client.py");
    let output = client.command().arg(script).args([&engine.endpoint(), interpreters.python()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = json!({
        "created": ["Pending", null],
        "active": ["Active", "Successful"],
        "pages": [["five", "four"], ["one", "three"], ["two"]],
        "invoked": {
            "StatusCode": 200, "ExecutedVersion": "$LATEST", "FunctionError": null, "ContentType": "application/json",
            "Payload": "\"text\"",
        },
        "names": ["\"same\"", "\"same\"", "\"same\"", "\"same\"", "\"same\"", "\"same\"", "\"same\""],
        "log": warm_log(OUTPUT, ""),
        "raised": ["Unhandled", "it went wrong: ä", "Mishap"],
        "errors": {
            "taken": ["ResourceConflictException", 409, "User", "Function already exist: one"],
            "not JSON": ["InvalidRequestContentException", 400, "User"],
            "too large": ["RequestEntityTooLargeException", 413, null, "Request must be smaller than 6291456 bytes for the InvokeFunction operation"],
            "revision": ["PreconditionFailedException", 412, "User", "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id"],
        },
        "deleted": 204,
    });
    let mut printed = printed;
    let id = printed["log id"].take();
    printed.as_object_mut().unwrap().remove("log id");
    printed["log"] = normal(&printed["log"].as_str().unwrap().replace(id.as_str().unwrap(), "ID")).into();
    assert_eq!(printed, expected);
}
