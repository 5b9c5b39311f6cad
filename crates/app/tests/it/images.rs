//! Container images through the built engine.

use serde_json::{Value, json};

use crate::engine_process::{Answer, Engine, Request};
use crate::functions::ROLE;

fn create(engine: &Engine, members: &Value) -> Answer {
    let mut body = json!({
        "FunctionName": "fn", "Role": ROLE, "PackageType": "Image", "Code": { "ImageUri": "oci:/no/such/layout" },
    });
    for (member, value) in members.as_object().unwrap() {
        body[member] = value.clone();
    }
    engine.send(&Request::new("POST", "/2015-03-31/functions").body(body.to_string()))
}

#[track_caller]
fn check_refused(answer: &Answer, text: &str) {
    let (code, message) = answer.error();
    assert_eq!((answer.status, code.as_str(), message.as_str()), (400, "InvalidParameterValueException", text));
}

/// At level `process`, where functions share the machine's folders, and no function is left behind.
#[test]
fn where_functions_have_no_root_of_their_own_an_image_is_refused_and_says_what_it_takes() {
    let engine = Engine::start_with(&["--isolation", "process", "--isolation-min", "process"]);
    let together = "Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image.";
    check_refused(&create(&engine, &json!({ "Handler": "app.handler" })), together);
    check_refused(&create(&engine, &json!({ "Runtime": "python3.12" })), together);
    check_refused(
        &create(&engine, &json!({ "Code": { "ZipFile": "eA==" } })),
        "Please provide ImageUri when updating a function with packageType Image.",
    );
    let refused = create(&engine, &json!({}));
    let (code, message) = refused.error();
    assert_eq!((refused.status, code.as_str()), (400, "InvalidParameterValueException"));
    assert!(message.contains("isolation level process") && message.contains("rootless or sandbox"), "{message}");
    let found = engine.send(&Request::new("GET", "/2015-03-31/functions/fn"));
    assert_eq!(found.status, 404);
}
