//! What `lambd invoke` has beyond the AWS CLI, and what the AWS CLI of the system is too old to show.

use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::server::Server;
use super::{Run, Surroundings, fixture, lambd};

fn invoke(arguments: &[&str]) -> Run {
    invoke_in(&Surroundings::default(), arguments)
}

fn invoke_in(around: &Surroundings<'_>, arguments: &[&str]) -> Run {
    lambd(&[&["invoke"], arguments].concat(), around, &Server::start())
}

const HERE: [&str; 2] = ["--endpoint-url", "{url}"];

#[test]
fn towards_this_machine_credentials_and_region_may_be_missing() {
    let run = invoke(&[HERE[0], HERE[1], "--function-name", "plain", "out"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.requests[0].signed_by().as_deref(), Some("test/us-east-1/lambda"));
}

#[test]
fn without_an_outfile_the_payload_goes_to_stdout_and_the_metadata_to_stderr() {
    for outfile in [&["-"] as &[&str], &[]] {
        let run = invoke(&[&HERE, &["--function-name", "failed"] as &[&str], outfile].concat());
        assert_eq!(run.code, 0);
        assert_eq!(run.stdout, r#"{"errorMessage":"boom","errorType":"Exception"}"#);
        let metadata: serde_json::Value = serde_json::from_str(&run.stderr).unwrap();
        let expected =
            serde_json::json!({"StatusCode": 200, "FunctionError": "Unhandled", "ExecutedVersion": "$LATEST"});
        assert_eq!(metadata, expected);
    }
}

#[test]
fn the_payload_may_come_from_stdin() {
    let around = Surroundings { stdin: "{\"from\": \"stdin\"}\n", ..Surroundings::default() };
    let run = invoke_in(&around, &[HERE[0], HERE[1], "--function-name", "plain", "--payload", "-", "out"]);
    assert_eq!(run.requests[0].body, b"{\"from\": \"stdin\"}\n");
}

#[test]
fn a_payload_is_plain_text_by_default() {
    let run = invoke(&[HERE[0], HERE[1], "--function-name", "plain", "--payload", "e30=", "out"]);
    assert_eq!(run.requests[0].body, b"e30=");
}

#[test]
fn parameters_of_newer_services_are_sent() {
    let run = invoke(&[
        HERE[0],
        HERE[1],
        "--function-name",
        "durable",
        "--tenant-id",
        "t 1",
        "--durable-execution-name",
        "e-1",
        "out",
    ]);
    assert_eq!(run.requests[0].header("x-amz-tenant-id"), Some("t 1"));
    assert_eq!(run.requests[0].header("x-amz-durable-execution-name"), Some("e-1"));
    assert!(
        run.stdout.contains("\"ExecutedVersion\": \"$LATEST\",\n    \"DurableExecutionArn\": \"arn:aws:lambda:x\"\n")
    );
    let run = invoke(&[HERE[0], HERE[1], "--function-name", "plain", "--tenant-id", "", "out"]);
    assert_eq!(run.code, 252);
    assert!(run.stderr.contains("Invalid length for parameter TenantId, value: 0, valid min length: 1\n"));
}

#[test]
fn a_function_error_fails_when_asked_to() {
    let run =
        |function: &str| invoke(&[HERE[0], HERE[1], "--function-name", function, "--fail-on-function-error", "out"]);
    let failed = run("failed");
    assert_eq!(failed.code, 1);
    assert!(failed.stdout.contains("\"FunctionError\": \"Unhandled\""));
    assert!(failed.outfile.is_some() && failed.stderr.is_empty());
    assert_eq!(run("plain").code, 0);
    assert_eq!(run("missing").code, 254);
}

#[test]
fn endpoints_are_found_in_the_order_of_the_aws_cli() {
    let service = "[default]\nendpoint_url = http://127.0.0.1:1\nservices = here\n\n[services here]\nlambda =\n  endpoint_url = {url}\n";
    let elsewhere = ("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    let reached: [(&[(&str, &str)], &str); 5] = [
        (&[("AWS_ENDPOINT_URL", "{url}")], ""),
        (&[("AWS_ENDPOINT_URL_LAMBDA", "{url}"), elsewhere], ""),
        (&[("AWS_ENDPOINT_URL", "{url}")], "[default]\nendpoint_url = http://127.0.0.1:1\n"),
        (&[], "[default]\nendpoint_url = {url}\n"),
        (&[], service),
    ];
    for (variables, config) in reached {
        let around = Surroundings { variables, config, ..Surroundings::default() };
        let run = invoke_in(&around, &["--function-name", "plain", "out"]);
        assert_eq!((run.code, run.requests.len()), (0, 1), "{variables:?} {config}: {}", run.stderr);
    }
    let variables = [elsewhere];
    let around = Surroundings { variables: &variables, ..Surroundings::default() };
    let run = invoke_in(&around, &[HERE[0], HERE[1], "--function-name", "plain", "out"]);
    assert_eq!((run.code, run.requests.len()), (0, 1), "the flag goes first: {}", run.stderr);
}

#[test]
fn configured_endpoints_are_ignored_when_asked_to() {
    let variables = [
        ("AWS_ENDPOINT_URL", "{url}"),
        ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
        ("AWS_MAX_ATTEMPTS", "1"),
        // Whoever answers at the engine's own port, the request must not come here.
    ];
    let around = Surroundings { variables: &variables, ..Surroundings::default() };
    let run = invoke_in(&around, &["--function-name", "plain", "out"]);
    assert!(run.requests.is_empty(), "{run:?}");
}

#[test]
fn aws_itself_is_called_only_with_credentials_and_region() {
    let variables = [("AWS_ENDPOINT_URL", "{url}")];
    let around = Surroundings { variables: &variables, ..Surroundings::default() };
    let run = invoke_in(&around, &["--aws", "--function-name", "plain", "out"]);
    assert_eq!((run.code, run.requests.len()), (253, 0));
    assert!(run.stderr.starts_with(
        "\nYou must specify a region. You can also configure your region by running \"aws configure\".\nhelp: "
    ));
    let run = invoke_in(&around, &["--aws", "--region", "us-east-1", "--function-name", "plain", "out"]);
    assert_eq!((run.code, run.requests.len()), (253, 0));
    assert!(run.stderr.starts_with(
        "\nUnable to locate credentials. You can configure credentials by running \"aws configure\".\nhelp: "
    ));
}

#[test]
fn aws_itself_is_called_at_its_endpoint_of_the_region() {
    // A proxy that nobody serves keeps the call on this machine, and shows that a proxy is used towards others.
    let variables = [("HTTPS_PROXY", "http://127.0.0.1:1"), ("AWS_MAX_ATTEMPTS", "1")];
    let around = Surroundings { variables: &variables, ..Surroundings::default() };
    let run =
        invoke_in(&around, &["--aws", "--no-sign-request", "--region", "eu-west-3", "--function-name", "plain", "out"]);
    assert_eq!(run.code, 255);
    let url = "https://lambda.eu-west-3.amazonaws.com/2015-03-31/functions/plain/invocations";
    assert!(run.stderr.contains(&format!("Could not connect to the endpoint URL: \"{url}\"\n")), "{}", run.stderr);
}

#[test]
fn no_proxy_stands_before_this_machine() {
    let variables = [
        ("HTTP_PROXY", "http://127.0.0.1:1"),
        ("http_proxy", "http://127.0.0.1:1"),
        ("ALL_PROXY", "http://127.0.0.1:1"),
    ];
    let around = Surroundings { variables: &variables, ..Surroundings::default() };
    let run = invoke_in(&around, &[HERE[0], HERE[1], "--function-name", "plain", "out"]);
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn an_endpoint_where_nobody_listens_is_named_with_the_remedy() {
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let variables = [("AWS_MAX_ATTEMPTS", "2")];
    let around = Surroundings { variables: &variables, ..Surroundings::default() };
    let endpoint = format!("http://127.0.0.1:{port}");
    let run =
        invoke_in(&around, &["--endpoint-url", &endpoint, "--function-name", "f", "--qualifier", "$LATEST", "out"]);
    assert_eq!(run.code, 255);
    let line = format!(
        "\nCould not connect to the endpoint URL: \"{endpoint}/2015-03-31/functions/f/invocations?Qualifier=%24LATEST\"\n"
    );
    assert!(run.stderr.starts_with(&line), "{}", run.stderr);
    assert!(run.stderr.contains("help: nothing listens at ") && run.stderr.contains("lambd serve"));
    assert!(run.outfile.is_none());
}

#[test]
fn a_connection_that_is_not_accepted_in_time_is_reported() {
    // When the queue of a listener that accepts nothing is full, further connections wait.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(connection) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        queue.push(connection);
    }
    let variables = [("AWS_MAX_ATTEMPTS", "1")];
    let around = Surroundings { variables: &variables, ..Surroundings::default() };
    for (scheme, more) in [("http", [].as_slice()), ("https", &[]), ("https", &["--no-verify-ssl"])] {
        let endpoint = format!("{scheme}://{address}");
        let arguments = ["--endpoint-url", &endpoint, "--function-name", "f", "--cli-connect-timeout", "1", "out"];
        let run = invoke_in(&around, &[arguments.as_slice(), more].concat());
        let line = format!("\nConnect timeout on endpoint URL: \"{endpoint}/2015-03-31/functions/f/invocations\"\n");
        assert!(run.stderr.starts_with(&line), "{more:?} {}", run.stderr);
        assert_eq!(run.code, 255);
    }
}

#[test]
fn a_payload_that_is_no_json_is_pointed_at() {
    let run = invoke(&[HERE[0], HERE[1], "--function-name", "not-json", "--payload", "{\"a\": hello}", "out"]);
    assert_eq!(run.code, 254);
    assert!(run.stderr.contains("help: the payload is no JSON: expected value at line 1 column 7\n"), "{}", run.stderr);
    let run = invoke(&[HERE[0], HERE[1], "--function-name", "not-json", "--payload", "e30=", "out"]);
    assert!(run.stderr.contains("help: it is base64 of JSON: add --cli-binary-format base64"), "{}", run.stderr);
}

#[test]
fn a_flag_nearly_right_is_named() {
    for (wrong, right) in [
        ("--fuction-name", "--function-name"),
        ("--qualifer", "--qualifier"),
        ("--endpoint", "--endpoint-url"),
        ("--log-typ=Tail", "--log-type"),
        ("--invocationtype", "--invocation-type"),
    ] {
        let run = invoke(&[HERE[0], HERE[1], wrong, "x", "--unknown-thing", "out"]);
        if right.starts_with(wrong.split('=').next().unwrap()) {
            // A beginning is as good as the whole, as with the AWS CLI.
            assert!(!run.stderr.contains(&format!("there is no {wrong}")), "{}", run.stderr);
        } else {
            assert!(
                run.stderr.contains(&format!("help: there is no {wrong}; did you mean {right}?")),
                "{}",
                run.stderr
            );
        }
        assert_eq!(run.code, 252);
        assert!(run.requests.is_empty());
    }
}

#[test]
fn a_stall_in_the_payload_ends_with_the_read_timeout() {
    let run = invoke(&[HERE[0], HERE[1], "--function-name", "stalls-midway", "--cli-read-timeout", "1", "out"]);
    assert_eq!((run.code, run.requests.len()), (255, 1), "a function that has run is not run again");
    assert!(run.stderr.starts_with("\nRead timeout on endpoint URL: \""), "{}", run.stderr);
    assert_eq!(run.outfile.as_deref(), Some("partial"));
}

#[test]
fn all_attempts_are_one_invocation() {
    let run = invoke(&[HERE[0], HERE[1], "--function-name", "throttled", "out"]);
    assert_eq!(run.requests.len(), 3);
    let ids: Vec<_> = run.requests.iter().map(|request| request.header("amz-sdk-invocation-id").unwrap()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn certificates_are_verified_unless_told_otherwise() {
    let server = Server::start_tls();
    let variables = [("AWS_MAX_ATTEMPTS", "1")];
    let around = Surroundings { variables: &variables, ..Surroundings::default() };
    let call = |more: &[&str]| {
        lambd(&[&["invoke", HERE[0], HERE[1], "--function-name", "plain", "out"], more].concat(), &around, &server)
    };
    let refused = call(&[]);
    assert_eq!((refused.code, refused.requests.len()), (255, 0));
    assert!(refused.stderr.starts_with("\nSSL validation failed for https://127.0.0.1:"), "{}", refused.stderr);

    let authority = fixture("authority.pem");
    for more in [["--ca-bundle", &authority].as_slice(), &["--no-verify-ssl"]] {
        let run = call(more);
        assert_eq!((run.code, run.requests.len()), (0, 1), "{more:?}: {}", run.stderr);
    }

    let missing = call(&["--ca-bundle", "/nowhere.pem"]);
    assert_eq!(missing.code, 255);
    assert!(missing.stderr.contains("invalid path: /nowhere.pem"), "{}", missing.stderr);
}

#[test]
fn help_pages_and_completions_know_every_flag() {
    let flags = [
        "--function-name",
        "--durable-execution-name",
        "--tenant-id",
        "--cli-read-timeout",
        "--fail-on-function-error",
    ];
    let server = Server::start();
    for arguments in [
        ["invoke", "--help"],
        ["invoke", "help"],
        ["man", "invoke"],
        ["completions", "bash"],
        ["completions", "zsh"],
        ["completions", "fish"],
    ] {
        let run = lambd(&arguments, &Surroundings::default(), &server);
        assert_eq!(run.code, 0);
        assert!(run.stderr.is_empty(), "{arguments:?}: {}", run.stderr);
        for flag in flags {
            // roff escapes hyphens, and fish has the name alone.
            let text = run.stdout.replace("\\-", "-");
            assert!(text.contains(flag.trim_start_matches("--")), "{arguments:?} does not know {flag}");
        }
    }
    let page = lambd(&["man"], &Surroundings::default(), &server);
    assert!(page.stdout.contains(".TH lambd 1") && page.stdout.contains("invoke"), "{}", page.stdout);
    let unknown = lambd(&["man", "nothing"], &Surroundings::default(), &server);
    assert_eq!(unknown.code, 1);
    assert!(unknown.stderr.starts_with("error: there is no command \"nothing\"\nhelp: "), "{}", unknown.stderr);
}

#[test]
fn env_points_an_sdk_at_the_engine() {
    let server = Server::start();
    let run = lambd(&["env"], &Surroundings::default(), &server);
    assert_eq!(
        run.stdout,
        "export AWS_ENDPOINT_URL='http://127.0.0.1:4566'\nexport AWS_REGION='us-east-1'\n\
         export AWS_DEFAULT_REGION='us-east-1'\nexport AWS_ACCESS_KEY_ID='test'\n\
         export AWS_SECRET_ACCESS_KEY='test'\nunset AWS_SESSION_TOKEN\n"
    );
    for (shell, first) in [("fish", "set -gx AWS_ENDPOINT_URL '"), ("powershell", "$Env:AWS_ENDPOINT_URL = '")] {
        let run = lambd(&["env", "--shell", shell], &Surroundings::default(), &server);
        assert!(run.stdout.starts_with(first), "{}", run.stdout);
    }
}

#[test]
fn an_interrupt_ends_the_call() {
    let server = Server::start();
    let child = Command::new(env!("CARGO_BIN_EXE_lambd"))
        .args(["invoke", "--endpoint-url", &server.url(), "--function-name", "stalled", "out"])
        .env_clear()
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    server.wait_for_request();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(130), b"\n".as_slice()));
}
