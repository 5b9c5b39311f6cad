//! The same command line through the AWS CLI v2 and through `lambd invoke`: what is printed, the error line, the exit
//! code, the outfile and the requests must be the same.

use std::path::Path;

use super::server::{Request, Server};
use super::{Run, Surroundings, lambd, run};
use crate::tools;

const CREDENTIALS: [(&str, &str); 3] =
    [("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "secret"), ("AWS_REGION", "eu-west-1")];

/// What of a request matters to the service.
fn essence(request: &Request) -> (String, String, Vec<Option<&str>>, Option<String>, Vec<u8>) {
    let names = ["x-amz-invocation-type", "x-amz-log-type", "x-amz-client-context", "content-length"];
    let headers = names.iter().map(|name| request.header(name)).collect();
    (request.method.clone(), request.target.clone(), headers, request.signed_by(), request.body.clone())
}

/// The error without the usage lines before it and the hints after it; the name of the program is nobody's business.
fn error_line(stderr: &str) -> String {
    let lines: Vec<_> = stderr.trim().lines().filter(|line| !line.starts_with("help: ")).collect();
    let start = lines
        .iter()
        .position(|line| {
            line.starts_with("aws: error:") || line.starts_with("lambd: error:") || line.starts_with("Unknown options:")
        })
        .unwrap_or(0);
    let rest = lines[start..].join("\n");
    rest.trim_start_matches("aws: ").trim_start_matches("lambd: ").trim().to_owned()
}

fn check(aws: &Path, server: &Server, around: &Surroundings<'_>, arguments: &[&str]) {
    let theirs = run(aws.as_os_str(), &[&["lambda", "invoke"], arguments].concat(), around, server);
    let ours = lambd(&[&["invoke"], arguments].concat(), around, server);
    let about = |run: &Run| format!("{arguments:?} {:?}\n{run:#?}", around.variables);
    let both = format!("theirs: {}\nours: {}", about(&theirs), about(&ours));
    assert_eq!(theirs.code, ours.code, "exit code; {both}");
    assert_eq!(theirs.stdout, ours.stdout, "stdout; {both}");
    assert_eq!(error_line(&theirs.stderr), error_line(&ours.stderr), "error line; {both}");
    assert_eq!(theirs.outfile, ours.outfile, "outfile; {both}");
    let essences = |run: &Run| run.requests.iter().map(|request| format!("{:?}", essence(request))).collect::<Vec<_>>();
    assert_eq!(essences(&theirs), essences(&ours), "requests; {both}");
}

/// Each line is a command line without endpoint and outfile; words are separated by blanks, `'…'` keeps them together.
fn check_all(test: &str, around: &Surroundings<'_>, lines: &[&str]) {
    let Some(aws) = tools::aws_v2(test) else { return };
    let server = Server::start();
    for line in lines {
        let mut arguments = vec!["--endpoint-url", "{url}"];
        for (index, part) in line.split('\'').enumerate() {
            if index % 2 == 1 {
                arguments.push(part);
            } else {
                arguments.extend(part.split_whitespace());
            }
        }
        check(&aws, &server, around, &arguments);
    }
}

fn signed<'a>() -> Surroundings<'a> {
    Surroundings { variables: &CREDENTIALS, ..Surroundings::default() }
}

#[test]
fn answers_are_printed_alike() {
    check_all(
        "answers_are_printed_alike",
        &signed(),
        &[
            "--function-name plain out",
            "--function-name failed out",
            "--function-name logged --log-type Tail out",
            "--function-name versioned --qualifier 7 out",
            "--function-name queued --invocation-type Event out",
            "--function-name tried --invocation-type DryRun out",
            "--function-name plain /dev/stdout",
            "--function-name failed --output text out",
            "--function-name versioned --output yaml out",
            "--function-name failed --output yaml-stream out",
            "--function-name failed --output table out",
            "--function-name long-log --output table out",
            "--function-name queued --output table out",
            "--function-name queued --output text out",
            "--function-name plain --color on --output json out",
        ],
    );
}

#[test]
fn queries_are_answered_alike() {
    check_all(
        "queries_are_answered_alike",
        &signed(),
        &[
            "--function-name failed --query StatusCode out",
            "--function-name failed --query StatusCode --output text out",
            "--function-name failed --query StatusCode --output yaml out",
            "--function-name failed --query StatusCode --output table out",
            "--function-name failed --query '{s:StatusCode,v:ExecutedVersion,e:FunctionError}' out",
            "--function-name failed --query '{s:StatusCode,v:ExecutedVersion,e:FunctionError}' --output text out",
            "--function-name failed --query '{s:StatusCode,v:ExecutedVersion,e:FunctionError}' --output yaml out",
            "--function-name failed --query '[{z:StatusCode,a:{y:FunctionError,b:StatusCode}}]' out",
            "--function-name failed --query '[StatusCode,Nope,FunctionError]' out",
            "--function-name failed --query '[StatusCode,FunctionError]' --output text out",
            "--function-name failed --query '[StatusCode,FunctionError]' --output table out",
            "--function-name failed --query '[StatusCode,FunctionError]' --output yaml-stream out",
            "--function-name failed --query '{s:StatusCode,l:[`1`,`2.5`,`true`,`null`],x:{y:FunctionError}}' --output table out",
            "--function-name failed --query '{s:StatusCode,l:[`1`,`2.5`,`true`,`null`],x:{y:FunctionError}}' --output text out",
            "--function-name failed --query '{s:StatusCode,l:[`1`,`2.5`,`true`,`null`],x:{y:FunctionError}}' --output yaml out",
            "--function-name failed --query '[{a:StatusCode},{b:FunctionError,a:`1`}]' --output text out",
            "--function-name failed --query '[{a:StatusCode},{b:FunctionError,a:`1`}]' --output table out",
            "--function-name failed --query '[[StatusCode,`1`],[`2`,`3`]]' --output table out",
            "--function-name failed --query '[[StatusCode,`1`],[`2`]]' --output table out",
            "--function-name failed --query 'keys(@)' out",
            "--function-name failed --query '*' out",
            "--function-name failed --query '`{\"b\": 1, \"a\": [], \"é\": \"\\u0001\\\"\"}`' out",
            "--function-name failed --query '`[\"1\",\"true\",\"yes\",\"\",\"a: b\",\"- x\",\"0x1f\",\"2020-01-01\",\"x:\",\"~\",\"1e3\",\"12:30\"]`' --output yaml out",
            "--function-name failed --query '[`\"a long text with many words that goes on and on until it is longer than eighty letters, is it not\"`]' --output yaml out",
            "--function-name failed --query Nope out",
            "--function-name failed --query Nope --output text out",
            "--function-name failed --query Nope --output table out",
            "--function-name failed --query 'StatusCode == `200`' out",
            "--function-name failed --query [ out",
            "--function-name failed --query 'foo(' out",
            "--function-name failed --query '' out",
            "--function-name failed --query foo. out",
            "--function-name failed --query 'a b' out",
            "--function-name failed --query ) out",
            "--function-name failed --query $x out",
            "--function-name failed --query '\"a' out",
            "--function-name failed --query a=b out",
            "--function-name failed --query 'length(@, @)' out",
            "--function-name failed --query 'abs(FunctionError)' out",
            "--function-name failed --query {} out",
            "--function-name failed --query 'unknown(@)' out",
        ],
    );
}

#[test]
fn parameters_go_out_alike() {
    let files: [(&str, &[u8]); 4] = [
        ("event.json", b"{\"a\": \"\xc3\xa9\"}\r\n"),
        ("event.bin", b"\xff\xfe\r\n"),
        ("event.b64", b"eyJhIjogMX0="),
        ("name", b"plain"),
    ];
    let around = Surroundings { files: &files, ..signed() };
    check_all(
        "parameters_go_out_alike",
        &around,
        &[
            "--function-name plain --cli-binary-format raw-in-base64-out --payload '{\"a\": 1}' out",
            "--function-name plain --cli-binary-format raw-in-base64-out --payload file://event.json out",
            "--function-name plain --cli-binary-format raw-in-base64-out --payload fileb://event.bin out",
            "--function-name plain --cli-binary-format raw-in-base64-out --payload file://$HOME/../work/event.json out",
            "--function-name plain --cli-binary-format raw-in-base64-out --payload '' out",
            "--function-name plain --cli-binary-format raw-in-base64-out --payload -5 out",
            "--function-name plain --cli-binary-format base64 --payload eyJhIjogMX0= out",
            "--function-name plain --cli-binary-format base64 --payload file://event.b64 out",
            "--function-name plain --cli-binary-format base64 --payload fileb://event.b64 out",
            "--function-name plain --cli-binary-format base64 --payload '{\"a\": 1}' out",
            "--function-name file://name out",
            "--function-name plain --qualifier $LATEST --client-context e30= --log-type None out",
            "--function-name plain --invocation-type Bogus --log-type Bogus out",
            "--function-name arn:aws:lambda:us-east-1:000000000000:function:plain:PROD out",
            "--function-name 'a b/ü' --qualifier 'x!y' out",
            "--function-name plain --no-sign-request out",
            "--function-name plain --region us-west-2 out",
            "--function-n plain --qual 1 out",
            "--function-name missing --function-name plain out",
            "--function-name=plain --qualifier=1 out",
        ],
    );
}

#[test]
fn errors_of_the_service_are_reported_alike() {
    check_all(
        "errors_of_the_service_are_reported_alike",
        &signed(),
        &[
            "--function-name missing out",
            "--function-name not-json --cli-binary-format raw-in-base64-out --payload hello out",
            "--function-name page out",
            "--function-name silent out",
            "--function-name null-message out",
            "--function-name code-in-body out",
            "--function-name type-in-body out",
            "--function-name moved out",
            "--function-name cut out",
            "--function-name plain nowhere/out",
            "--function-name plain .",
        ],
    );
}

#[test]
fn attempts_are_made_alike() {
    check_all(
        "attempts_are_made_alike",
        &signed(),
        &[
            "--function-name throttled out",
            "--function-name broken out",
            "--function-name proxy out",
            "--function-name hung-up out",
        ],
    );
    let once = [CREDENTIALS.as_slice(), &[("AWS_MAX_ATTEMPTS", "1")]].concat();
    let around = Surroundings { variables: &once, ..Surroundings::default() };
    check_all(
        "attempts_are_made_alike",
        &around,
        &[
            "--function-name missing out",
            "--function-name throttled out",
            "--function-name stalled --cli-read-timeout 1 out",
        ],
    );
}

#[test]
fn mistakes_are_reported_alike() {
    check_all(
        "mistakes_are_reported_alike",
        &signed(),
        &[
            "--function-name",
            "out",
            "--function-name plain --bogus out",
            "--function-name plain --bogus x out",
            "--function-name plain out extra",
            "--function-name plain --payload -- out",
            "--function-name plain --output xml out",
            "--function-name plain --cli-binary-format x out",
            "--function-name plain --color x out",
            "--function-name '' out",
            "--function-name plain --qualifier '' out",
            "--function-name '' --qualifier '' out",
            "--function-name plain --payload file://nowhere out",
            "--function-name plain --payload fileb://nowhere out",
            "--function-name plain --payload fileb:// out",
            "--function-name plain --payload file:///usr/bin/env out",
            "--function-name plain --client-context file://nowhere out",
            "--function-name plain --cli-read-timeout x out",
            "--function-name plain --cli-read-timeout -1 out",
            "--function-name plain --cli-connect-timeout -1 out",
            "--function-name plain --profile nobody out",
            "--function-name plain --region 'bad region' out",
            "--function-name plain --cli-binary-format base64 --payload -5 out",
            "--endpoint-url 127.0.0.1:{port} --function-name plain out",
            "--endpoint-url localhost --function-name plain out",
            "--endpoint-url 'http://bad host/' --function-name plain out",
            "--endpoint-url http:// --function-name plain out",
            "--endpoint-url ftp://x --function-name plain out",
        ],
    );
}

#[test]
fn the_environment_is_read_alike() {
    let with = |variables: &[(&str, &str)], config: &str, lines: &[&str]| {
        let around = Surroundings { variables, config, ..Surroundings::default() };
        check_all("the_environment_is_read_alike", &around, lines);
    };
    let keys = [("AWS_ACCESS_KEY_ID", "AK"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    let profiles = "[default]\nregion = eu-central-1\noutput = text\n\n[profile work]\nregion = eu-north-1\noutput = yaml\n\
                    aws_access_key_id = AKWORK\naws_secret_access_key = x\n";
    let plain = ["--function-name plain out"];
    with(&keys, profiles, &plain);
    with(&keys, profiles, &["--function-name plain --profile work out"]);
    with(&[("AWS_PROFILE", "work")], profiles, &plain);
    with(&[("AWS_DEFAULT_PROFILE", "work")], profiles, &plain);
    with(&[keys[0], keys[1], ("AWS_PROFILE", "work")], profiles, &plain);
    with(&[("AWS_PROFILE", "nobody")], profiles, &plain);
    with(&[keys[0], keys[1], ("AWS_DEFAULT_REGION", "sa-east-1")], profiles, &plain);
    with(&[keys[0], keys[1], ("AWS_DEFAULT_OUTPUT", "table")], profiles, &plain);
    with(&[keys[0], keys[1], ("AWS_REGION", "us-east-1"), ("AWS_DEFAULT_OUTPUT", "xml")], "", &plain);
    with(&[keys[0], keys[1], ("AWS_REGION", "us-east-1"), ("AWS_MAX_ATTEMPTS", "0")], "", &plain);
    with(&[keys[0], keys[1], ("AWS_REGION", "us-east-1"), ("AWS_RETRY_MODE", "legacy")], "", &plain);
    with(&[keys[0], ("AWS_REGION", "us-east-1")], "", &plain);
    with(&keys, "garbage\n", &["--function-name plain --region us-east-1 out"]);
    // Beyond this machine nothing is assumed.
    let elsewhere = "--endpoint-url http://lambda.invalid --function-name plain";
    with(&[], "", &[&format!("{elsewhere} out"), &format!("{elsewhere} --region us-east-1 out")]);
    with(&keys, "", &[&format!("{elsewhere} out")]);
    let once = [keys[0], keys[1], ("AWS_REGION", "us-east-1"), ("AWS_MAX_ATTEMPTS", "1")];
    with(&once, "", &[&format!("{elsewhere} --qualifier $LATEST out")]);
}
