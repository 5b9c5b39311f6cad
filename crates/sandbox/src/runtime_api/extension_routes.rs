//! The Extensions API, served beside the Runtime API (AWS developer guide, runtimes-extensions-api); refusals are those
//! of AWS's supervisor (source of the runtime interface emulator, `rapi/handler`).
//!
//! Never here: who may do what when.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use domain::environment::ExtensionError;
use domain::limits;
use domain::log::Record;
use engine::ports::Output;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::connection::Connection;
use super::extensions::{Extensions, Notice, Refused, What};
use super::reply::Reply;
use super::request::Fields;
use super::{accepted, collect, error};
use crate::telemetry::{Api, Subscription, Telemetry};

const BASE: &str = "/2020-01-01/extension";
const TELEMETRY: &str = "/2022-07-01/telemetry";
const LOGS: &str = "/2020-08-15/logs";
const NAME: &str = "lambda-extension-name";
const IDENTIFIER: &str = "lambda-extension-identifier";
const ERROR_TYPE: &str = "lambda-extension-function-error-type";
const FEATURES: &str = "lambda-extension-accept-feature";
/// Bytes of a request's body: a list of events, or an error. AWS names no limit.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// What the requests of extensions are about.
pub(crate) struct ExtensionApi {
    pub extensions: Arc<Extensions>,
    pub telemetry: Arc<Telemetry>,
    /// Where it is said who has subscribed.
    pub output: Arc<dyn Output>,
}

/// Everything that an extension can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Register,
    Next,
    Error(ExtensionError),
    Subscribe(Api),
    /// The path is known, the method is not.
    OtherMethod,
}

/// `None` where it is not about extensions.
pub(super) fn route(method: &Method, path: &str) -> Option<Route> {
    let subscribe = match path {
        TELEMETRY => Some(Api::Telemetry),
        LOGS => Some(Api::Logs),
        _ => None,
    };
    if let Some(api) = subscribe {
        return Some(if method == Method::PUT { Route::Subscribe(api) } else { Route::OtherMethod });
    }
    let (expected, route) = match path.strip_prefix(BASE)? {
        "/register" => (Method::POST, Route::Register),
        "/event/next" => (Method::GET, Route::Next),
        "/init/error" => (Method::POST, Route::Error(ExtensionError::Init)),
        "/exit/error" => (Method::POST, Route::Error(ExtensionError::Exit)),
        _ => return None,
    };
    Some(if *method == expected { route } else { Route::OtherMethod })
}

pub(super) async fn answer(
    route: Route,
    api: &ExtensionApi,
    connection: &mut Connection,
    fields: &Fields,
) -> io::Result<Reply> {
    let extensions = &*api.extensions;
    Ok(match route {
        Route::Register => register(extensions, fields, connection).await,
        Route::Next => match identifier(fields) {
            Ok(id) => connection.while_open(next(extensions, id)).await?,
            Err(refused) => *refused,
        },
        Route::Error(what) => match identifier(fields) {
            Ok(id) => {
                // Read for the sake of the connection; what it says is for nobody but the extension's own log.
                let _ = collect(connection, BODY_BYTES_MAX).await;
                report(extensions, id, what, fields)
            }
            Err(refused) => *refused,
        },
        Route::Subscribe(which) => match identifier(fields) {
            Ok(id) => subscribe(api, which, id, connection).await,
            Err(refused) => *refused,
        },
        Route::OtherMethod => Reply::new(StatusCode::METHOD_NOT_ALLOWED, "text/plain", Bytes::new()),
    })
}

pub(super) fn refuse(error_type: &str, message: &str) -> Reply {
    let body = json!({"errorMessage": message, "errorType": error_type});
    Reply::new(StatusCode::FORBIDDEN, "application/json", Bytes::from(format!("{body}\n")))
}

fn text<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.text(name).unwrap_or_default()
}

/// Who asks.
pub(super) fn identifier(fields: &Fields) -> Result<Uuid, Box<Reply>> {
    match text(fields, IDENTIFIER) {
        "" => {
            let text = "Missing Lambda-Extension-Identifier header";
            Err(Box::new(refuse("Extension.MissingExtensionIdentifier", text)))
        }
        given => Uuid::try_parse(given).map_err(|_| {
            Box::new(refuse("Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier"))
        }),
    }
}

fn refusal(refused: &Refused, who: &str) -> Reply {
    match refused {
        Refused::Unknown => refuse("Extension.UnknownExtensionIdentifier", &format!("Unknown extension {who}")),
        Refused::State { from, to } => {
            let text = format!(
                "State transition from {from} to {to} failed for extension {who}. Error: State transition is not allowed"
            );
            refuse("Extension.InvalidExtensionState", &text)
        }
        Refused::RegistrationClosed => refuse("Extension.RegistrationClosed", "Extension registration closed already"),
        Refused::NameTaken => refuse("Extension.InvalidExtensionState", "Extension with this name already registered"),
        Refused::TooMany => {
            refuse("Extension.TooManyExtensions", &format!("Extension limit ({}) reached", limits::EXTENSIONS))
        }
        Refused::Event { name, is_known } => {
            let why = if *is_known { "ShutdownEventNotSupportedForInternalExtension" } else { "ErrorInvalidEventType" };
            refuse("Extension.InvalidEventType", &format!("{name}: {why}"))
        }
    }
}

async fn register(extensions: &Extensions, fields: &Fields, connection: &mut Connection) -> Reply {
    let name = text(fields, NAME).to_owned();
    if name.is_empty() {
        return refuse("Extension.InvalidExtensionName", "Empty extension name");
    }
    let with_account = text(fields, FEATURES).split(',').any(|feature| feature.trim() == "accountId");
    let Ok(body) = collect(connection, BODY_BYTES_MAX).await else {
        return refuse("InvalidRequestFormat", "unexpected end of JSON input");
    };
    let events = match events(&body) {
        Ok(events) => events,
        Err(message) => return refuse("InvalidRequestFormat", &message),
    };
    match extensions.register(&name, &events) {
        Err(refused) => refusal(&refused, &name),
        Ok(id) => {
            let facts = extensions.facts();
            let mut body = json!({
                "functionName": facts.name,
                "functionVersion": facts.version,
                "handler": facts.handler,
            });
            if with_account {
                body["accountId"] = Value::from(facts.account.as_str());
            }
            with_header(answer_json(&body), "Lambda-Extension-Identifier", id)
        }
    }
}

/// The events that a registration names.
fn events(body: &[u8]) -> Result<Vec<String>, String> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Registration {
        events: Option<Vec<String>>,
        configuration_keys: Option<Vec<String>>,
    }
    let registration: Registration = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if registration.configuration_keys.is_some_and(|keys| !keys.is_empty()) {
        return Err("configurationKeys are deprecated; use environment variables instead".to_owned());
    }
    Ok(registration.events.unwrap_or_default())
}

fn answer_json(body: &Value) -> Reply {
    Reply::new(StatusCode::OK, "application/json", Bytes::from(body.to_string()))
}

fn with_header(mut reply: Reply, name: &str, id: Uuid) -> Reply {
    reply.add(name, id.to_string().as_bytes());
    reply
}

async fn next(extensions: &Extensions, id: Uuid) -> Reply {
    let notice = match extensions.next(id) {
        Err(refused) => return refusal(&refused, &id.to_string()),
        Ok(notice) => notice.await,
    };
    let Ok(Notice { id, what }) = notice else {
        return error(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "Internal Server Error");
    };
    let body = match what {
        What::Invoke(event) => json!({
            "eventType": "INVOKE",
            "deadlineMs": event.deadline_at.as_millisecond(),
            "requestId": event.request_id.to_string(),
            "invokedFunctionArn": event.invoked_arn,
            "tracing": {"type": "X-Amzn-Trace-Id", "value": event.trace},
        }),
        What::Shutdown { deadline_ms, reason } => json!({
            "eventType": "SHUTDOWN",
            "deadlineMs": deadline_ms,
            "shutdownReason": reason.name(),
        }),
    };
    with_header(answer_json(&body), "Lambda-Extension-Event-Identifier", id)
}

fn report(extensions: &Extensions, id: Uuid, what: ExtensionError, fields: &Fields) -> Reply {
    let error_type = text(fields, ERROR_TYPE);
    if error_type.is_empty() {
        return refuse("Extension.MissingHeader", "Lambda-Extension-Function-Error-Type not found");
    }
    match extensions.report(id, what, error_type) {
        Ok(()) => accepted(),
        Err(Refused::Unknown) => refuse("Extension.UnknownExtensionIdentifier", "Unknown Lambda-Extension-Identifier"),
        Err(refused) => refusal(&refused, &id.to_string()),
    }
}

async fn subscribe(api: &ExtensionApi, which: Api, id: Uuid, connection: &mut Connection) -> Reply {
    let name = match api.extensions.name_of(id) {
        Ok(name) => name,
        Err(refused) => return refusal(&refused, &id.to_string()),
    };
    let closed = || match which {
        Api::Telemetry => refuse("Telemetry.SubscriptionClosed", "Telemetry API subscription is closed"),
        Api::Logs => refuse("Logs.SubscriptionClosed", "Logs API subscription is closed"),
    };
    let invalid = |message: &str| {
        let body = json!({"errorType": "ValidationError", "errorMessage": message});
        Reply::new(StatusCode::BAD_REQUEST, "application/json", Bytes::from(body.to_string()))
    };
    let Ok(body) = collect(connection, BODY_BYTES_MAX).await else {
        return invalid("Failed to read request body");
    };
    if !api.extensions.is_starting() {
        return closed();
    }
    let subscription = match Subscription::parse(which, &body) {
        Ok(subscription) => subscription,
        Err(message) => return invalid(&message),
    };
    let types = subscription.types.clone();
    api.telemetry.subscribe(&name, subscription);
    api.output.record(&Record::TelemetrySubscription { name, state: "Subscribed".to_owned(), types });
    Reply::new(StatusCode::OK, "application/json", Bytes::from_static(b"\"OK\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_has_its_route() {
        let (get, post) = (Method::GET, Method::POST);
        let cases = [
            (&post, "/2020-01-01/extension/register", Some(Route::Register)),
            (&get, "/2020-01-01/extension/register", Some(Route::OtherMethod)),
            (&get, "/2020-01-01/extension/event/next", Some(Route::Next)),
            (&post, "/2020-01-01/extension/init/error", Some(Route::Error(ExtensionError::Init))),
            (&post, "/2020-01-01/extension/exit/error", Some(Route::Error(ExtensionError::Exit))),
            (&Method::PUT, "/2022-07-01/telemetry", Some(Route::Subscribe(Api::Telemetry))),
            (&Method::PUT, "/2020-08-15/logs", Some(Route::Subscribe(Api::Logs))),
            (&post, "/2022-07-01/telemetry", Some(Route::OtherMethod)),
            (&get, "/2020-01-01/extension/other", None),
            (&get, "/2018-06-01/runtime/invocation/next", None),
        ];
        for (method, path, expected) in cases {
            assert_eq!(route(method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn a_registration_names_its_events() {
        assert_eq!(events(br#"{"events":["INVOKE"],"other":1}"#), Ok(vec!["INVOKE".to_owned()]));
        assert_eq!(events(b"{}"), Ok(Vec::new()));
        assert!(events(b"").is_err());
        assert!(events(br#"{"events":[],"configurationKeys":["a"]}"#).unwrap_err().starts_with("configurationKeys"));
    }
}
