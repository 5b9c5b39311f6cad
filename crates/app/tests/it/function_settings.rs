//! Settings of functions as a client sees them: whole answers.

use serde_json::{Value, json};

use crate::engine_process::{Engine, Request, zip_of};
use crate::functions::ROLE;

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

struct Client(Engine);

impl Client {
    /// An engine with a function `f`, its version 1 and the alias `live` of that.
    fn start() -> Self {
        let client = Self(Engine::start());
        let zip = data_encoding::BASE64.encode(&zip_of(&[("bootstrap", 0o755, b"#!/bin/sh\n")]));
        let function = json!({
            "FunctionName": "f", "Runtime": "provided.al2023", "Handler": "h", "Role": ROLE, "Code": {"ZipFile": zip},
        });
        client.check("POST", "/2015-03-31/functions", Some(function), 201);
        client.0.wait_until_settled("f");
        client.check("POST", "/2015-03-31/functions/f/versions", Some(json!({})), 201);
        let alias = json!({"Name": "live", "FunctionVersion": "1"});
        client.check("POST", "/2015-03-31/functions/f/aliases", Some(alias), 201);
        client
    }

    /// Sends it and takes the answer, which has this status; null where it has no body.
    #[track_caller]
    fn check(&self, method: &str, target: &str, body: Option<Value>, status: u16) -> Value {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let answer = self.0.send(&Request::new(method, target).body(body));
        assert_eq!(answer.status, status, "{method} {target}: {}", String::from_utf8_lossy(&answer.body));
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    }

    fn get(&self, target: &str) -> Value {
        self.check("GET", target, None, 200)
    }
}

#[test]
fn tags_are_added_replaced_and_removed() {
    // Recorded: test_tag_lifecycle.
    let client = Client::start();
    let path = format!("/2017-03-31/tags/{}", ARN.replace(':', "%3A"));
    assert_eq!(client.get(&path), json!({"Tags": {}}));
    let tags = |tags: Value| client.check("POST", &path, Some(json!({ "Tags": tags })), 204);
    assert_eq!(tags(json!({"a": "1", "b": "2"})), Value::Null);
    tags(json!({"b": "3", "c": "4"}));
    assert_eq!(client.get(&path), json!({"Tags": {"a": "1", "b": "3", "c": "4"}}));
    assert_eq!(client.check("DELETE", &format!("{path}?tagKeys=a&tagKeys=none"), None, 204), Value::Null);
    assert_eq!(client.get(&path), json!({"Tags": {"b": "3", "c": "4"}}));
    assert_eq!(client.get("/2015-03-31/functions/f")["Tags"], json!({"b": "3", "c": "4"}));
}

#[test]
fn a_policy_is_shown_as_it_was_built() {
    // Recorded: test_add_lambda_permission_aws, test_lambda_permission_fn_versioning.
    let client = Client::start();
    let permission = |source: &str| {
        json!({
            "StatementId": "s3", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com", "SourceArn": source,
        })
    };
    for (query, resource) in
        [("", ARN.to_owned()), ("?Qualifier=1", format!("{ARN}:1")), ("?Qualifier=live", format!("{ARN}:live"))]
    {
        let path = format!("/2015-03-31/functions/f/policy{query}");
        let added = client.check("POST", &path, Some(permission("arn:aws:s3:::b")), 201);
        let statement = format!(
            r#"{{"Sid":"s3","Effect":"Allow","Principal":{{"Service":"s3.amazonaws.com"}},"Action":"lambda:InvokeFunction","Resource":"{resource}","Condition":{{"ArnLike":{{"AWS:SourceArn":"arn:aws:s3:::b"}}}}}}"#
        );
        assert_eq!(added, json!({ "Statement": statement }));
        let shown = client.get(&path);
        let policy = format!(r#"{{"Version":"2012-10-17","Id":"default","Statement":[{statement}]}}"#);
        let revision = if query == "?Qualifier=live" {
            client.get("/2015-03-31/functions/f/aliases/live")["RevisionId"].clone()
        } else {
            client.get(&format!("/2015-03-31/functions/f/configuration{query}"))["RevisionId"].clone()
        };
        assert_eq!(shown, json!({"Policy": policy, "RevisionId": revision}));
    }
    assert_eq!(client.check("DELETE", "/2015-03-31/functions/f/policy/s3", None, 204), Value::Null);
    client.check("GET", "/2015-03-31/functions/f/policy", None, 404);
    client.get("/2015-03-31/functions/f/policy?Qualifier=1");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a moment is compared with the test's own clock")]
fn event_invoke_settings_are_put_updated_listed_and_deleted() {
    // Recorded: test_lambda_eventinvokeconfig_lifecycle, test_lambda_eventinvokeconfig_exceptions.
    let client = Client::start();
    let path = "/2019-09-25/functions/f/event-invoke-config";
    let list = || client.get(&format!("{path}/list"));
    assert_eq!(list(), json!({"FunctionEventInvokeConfigs": []}));
    let put = client.check("PUT", path, Some(json!({"MaximumRetryAttempts": 0})), 200);
    let modified = put["LastModified"].as_f64().unwrap();
    assert!((modified - jiff::Timestamp::now().as_duration().as_secs_f64()).abs() < 60.0, "{put}");
    let none = json!({"OnSuccess": {}, "OnFailure": {}});
    let expected = json!({
        "LastModified": put["LastModified"], "FunctionArn": format!("{ARN}:$LATEST"), "MaximumRetryAttempts": 0,
        "DestinationConfig": none,
    });
    assert_eq!(put, expected);
    assert_eq!(client.get(&format!("{path}?Qualifier=%24LATEST")), expected);

    let queue = "arn:aws:sqs:us-east-1:000000000000:q";
    let whole = json!({"MaximumEventAgeInSeconds": 60, "DestinationConfig": {"OnFailure": {"Destination": queue}}});
    let alias = format!("{path}?Qualifier=live");
    client.check("PUT", &alias, Some(whole), 200);
    let updated = client.check("POST", &alias, Some(json!({"MaximumRetryAttempts": 1})), 200);
    let expected = json!({
        "LastModified": updated["LastModified"], "FunctionArn": format!("{ARN}:live"), "MaximumRetryAttempts": 1,
        "MaximumEventAgeInSeconds": 60,
        "DestinationConfig": {"OnSuccess": {}, "OnFailure": {"Destination": queue}},
    });
    assert_eq!(updated, expected);
    assert_eq!(list(), json!({"FunctionEventInvokeConfigs": [put, updated]}));
    let page = client.get(&format!("{path}/list?MaxItems=1"));
    assert_eq!(page["FunctionEventInvokeConfigs"], json!([put]));
    let marker = page["NextMarker"].as_str().unwrap().replace('=', "%3D");
    assert_eq!(client.get(&format!("{path}/list?Marker={marker}")), json!({"FunctionEventInvokeConfigs": [updated]}));
    assert_eq!(client.check("DELETE", path, None, 204), Value::Null);
    assert_eq!(list(), json!({"FunctionEventInvokeConfigs": [updated]}));
}

#[test]
fn a_looping_function_is_refused_unless_its_loops_are_allowed() {
    // AWS developer guide, invocation-recursion. The name of the text's key is the model's.
    let client = Client::start();
    let path = "/2024-08-31/functions/f/recursion-config";
    assert_eq!(client.get(path), json!({"RecursiveLoop": "Terminate"}));
    let known = mark_of(&client);
    let looping = || {
        let trace = format!("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Lineage=1:{known}:15");
        let dry = Request::invoke("f", "{}").header("X-Amz-Invocation-Type", "DryRun");
        client.0.send(&dry.header("X-Amzn-Trace-Id", &trace))
    };
    let refused = looping();
    assert_eq!((refused.status, refused.header("x-amzn-errortype")), (400, Some("RecursiveInvocationException")));
    let text = "Lambda has detected your function being invoked in a recursive loop with other Amazon Web Services \
                resources and stopped your function's invocation.";
    assert_eq!(refused.json(), json!({"Type": "User", "Message": text}));
    let allowed = client.check("PUT", path, Some(json!({"RecursiveLoop": "Allow"})), 200);
    assert_eq!((allowed, client.get(path)), (json!({"RecursiveLoop": "Allow"}), json!({"RecursiveLoop": "Allow"})));
    assert_eq!(looping().status, 204);
}

/// What stands for `f` in a lineage, taken from an answer: its bootstrap ends at once, which the caller is told.
fn mark_of(client: &Client) -> String {
    let answer = client.0.send(&Request::invoke("f", "{}"));
    let trace = answer.header("x-amzn-trace-id").unwrap().to_owned();
    let (_, lineage) = trace.split_once(";Lineage=1:").unwrap();
    lineage.strip_suffix(":0").unwrap().to_owned()
}

#[test]
fn the_account_tells_limits_and_usage() {
    // Recorded: test_account_settings, test_account_settings_total_code_size.
    let client = Client::start();
    let bytes = client.get("/2015-03-31/functions/f/configuration")["CodeSize"].as_u64().unwrap();
    let expected = json!({
        "AccountLimit": {
            "TotalCodeSize": 80_530_636_800_u64, "CodeSizeUnzipped": 262_144_000, "CodeSizeZipped": 52_428_800,
            "ConcurrentExecutions": 1_000, "UnreservedConcurrentExecutions": 1_000,
        },
        "AccountUsage": {"TotalCodeSize": bytes * 2, "FunctionCount": 1},
    });
    assert_eq!(client.get("/2016-08-19/account-settings"), expected);
}

#[test]
fn what_a_function_has_nothing_of_is_told_so() {
    // Recorded: test_code_signing_not_found_excs.
    let client = Client::start();
    let path = "/2020-06-30/functions/f/code-signing-config";
    assert_eq!(client.get(path), json!({}));
    assert_eq!(client.check("DELETE", path, None, 204), Value::Null);
    client.check("GET", "/2020-06-30/functions/none/code-signing-config", None, 404);
    client.check("DELETE", "/2020-06-30/functions/none/code-signing-config", None, 404);
    let path = "/2021-07-20/functions/f/runtime-management-config";
    let auto = json!({"UpdateRuntimeOn": "Auto", "FunctionArn": ARN});
    assert_eq!(client.get(path), auto);
    assert_eq!(client.check("PUT", path, Some(json!({"UpdateRuntimeOn": "Auto"})), 200), auto);
    client.check("PUT", path, Some(json!({"UpdateRuntimeOn": "FunctionUpdate"})), 501);
    client.check("GET", "/2021-07-20/functions/none/runtime-management-config", None, 404);
}
