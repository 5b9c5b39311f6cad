//! The queues' JSON and query protocols over `engine::queues`, beside the Lambda API on its listener.
//!
//! Both protocols lead to the same actions: a request becomes the JSON object that AWS JSON 1.0 has for it, and the answer
//! is written down from the one that it has for the answer. Of a `QueueUrl` only the path counts. Never here: a second queue.

mod actions;
mod errors;
mod input;
mod json;
mod query;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use domain::arn::{self, Home};
use domain::names::RequestId;
use engine::queues::Queues;
use engine::tasks;
use http::{HeaderValue, Method, Response, header, request};

use self::actions::{Action, Call};
use self::errors::{Code, Failure};
use crate::server::percent;

/// Requests from this size on are read on a thread of their own.
const READ_OFF_THREAD_BYTES: usize = 128 * 1024;
/// What `X-Amz-Target` begins with.
const TARGET: &str = "AmazonSQS.";

/// The queues' API.
pub(crate) struct Sqs {
    home: Home,
    queues: Arc<Queues>,
}

/// How a request says what it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// AWS JSON 1.0: SDKs since the end of 2023.
    Json,
    /// A form in, XML out: those before.
    Query,
}

/// Whether a request is one to the queues, and in which protocol. No path of the Lambda API is one of theirs.
pub(crate) fn protocol(head: &request::Parts) -> Option<Protocol> {
    let header = |name| head.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if head.method == Method::POST && header("x-amz-target").is_some_and(|target| target.starts_with(TARGET)) {
        return Some(Protocol::Json);
    }
    let is_here = head.uri.path() == "/" || queue_of(head.uri.path()).is_some();
    let is_form = header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let asks_in_query = head.uri.query().is_some_and(|query| query.split('&').any(|item| item.starts_with("Action=")));
    let is_query =
        (head.method == Method::POST && (is_form || asks_in_query)) || (head.method == Method::GET && asks_in_query);
    (is_here && is_query).then_some(Protocol::Query)
}

/// Account and name in the path of a queue.
fn queue_of(path: &str) -> Option<(&str, &str)> {
    let (account, name) = path.strip_prefix('/')?.split_once('/')?;
    let name = name.strip_suffix('/').unwrap_or(name);
    (arn::is_account(account) && !name.is_empty() && !name.contains('/')).then_some((account, name))
}

impl Sqs {
    pub(crate) fn new(home: Home, queues: Arc<Queues>) -> Self {
        Self { home, queues }
    }

    /// Answers a request whose body has been read, or could not be.
    pub(crate) async fn answer(
        &self,
        protocol: Protocol,
        head: &request::Parts,
        body: Option<Bytes>,
        request_id: RequestId,
    ) -> Response<Bytes> {
        match protocol {
            Protocol::Json => {
                let target = head.headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
                let answered = async {
                    let action = Action::named(target.strip_prefix(TARGET).unwrap_or_default())?;
                    let body = body.ok_or_else(too_long)?;
                    let input = off_thread_if_large(body, |body| json::read(&body)).await?;
                    self.act(action, input, head).await
                };
                json::response(answered.await)
            }
            Protocol::Query => {
                let mut asked = None;
                let answered = async {
                    let form = query::Form::read(head.uri.query(), body.ok_or_else(too_long)?);
                    let name = form.action().ok_or_else(|| Failure::missing("Action"))?.into_owned();
                    let action = Action::named(&name)?;
                    asked = Some(action);
                    let mut input = off_thread_if_large(form, query::Form::input).await?;
                    if let Some((account, name)) = queue_of(head.uri.path())
                        && action.is_of_a_queue()
                    {
                        // The path names the queue, whatever the parameter says.
                        input.insert("QueueUrl".to_owned(), format!("/{account}/{name}").into());
                    }
                    self.act(action, input, head).await
                };
                let answered = answered.await;
                query::response(asked, answered, request_id)
            }
        }
    }

    async fn act(&self, action: Action, input: input::Object, head: &request::Parts) -> Result<input::Object, Failure> {
        let authority = head.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
        Call { home: &self.home, queues: &self.queues, authority }.act(action, input).await
    }
}

/// Reads what may be large where it holds nobody up.
async fn off_thread_if_large<T: AsRef<[u8]> + Send + 'static, O: Send + 'static>(
    given: T,
    read: impl FnOnce(T) -> Result<O, Failure> + Send + 'static,
) -> Result<O, Failure> {
    if given.as_ref().len() < READ_OFF_THREAD_BYTES {
        return read(given);
    }
    tasks::off_thread("reading a request to a queue", move || read(given)).await.map_err(Failure::from)?
}

/// A body beyond what any message could be in.
fn too_long() -> Failure {
    Failure::from(domain::queue::Refusal::MessageTooLong { bytes_max: 1_048_576 })
}

/// The name of a queue in a `QueueUrl`, of which only the path counts.
fn name_in_url<'u>(home: &Home, url: &'u str) -> Result<Cow<'u, str>, Failure> {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |slash| &rest[slash..]),
        None => url,
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    match queue_of(path) {
        Some((account, name)) if account == &*home.account => Ok(percent::path_segment(name)),
        Some(_) => Err(domain::queue::Refusal::NoQueue.into()),
        None => Err(Failure::new(
            Code::InvalidAddress,
            domain::queue::Refusal::InvalidAddress { address: url.to_owned() }.to_string(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(method: &str, uri: &str, headers: &[(&str, &str)]) -> request::Parts {
        let mut request = http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn requests_to_queues_are_told_from_others() {
        let form = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
        let target = ("x-amz-target", "AmazonSQS.SendMessage");
        for (head, expected) in [
            (head("POST", "/", &[target]), Some(Protocol::Json)),
            (head("POST", "/000000000000/q", &[target]), Some(Protocol::Json)),
            (head("POST", "/", &[("x-amz-target", "DynamoDB_20120810.ListTables")]), None),
            (head("POST", "/", &[form]), Some(Protocol::Query)),
            (head("POST", "/000000000000/q/", &[form]), Some(Protocol::Query)),
            (head("GET", "/000000000000/q?Version=2012-11-05&Action=ReceiveMessage", &[]), Some(Protocol::Query)),
            (head("GET", "/", &[form]), None),
            (head("POST", "/2015-03-31/functions/q/invocations", &[form]), None),
            (head("POST", "/bucket/key", &[form]), None),
            (head("PUT", "/?Action=x", &[form]), None),
        ] {
            assert_eq!(protocol(&head), expected, "{head:?}");
        }
    }

    #[test]
    fn only_the_path_of_a_url_counts() {
        let home = Home { partition: "aws".into(), region: "us-east-1".into(), account: "000000000000".into() };
        for url in [
            "http://127.0.0.1:4566/000000000000/q",
            "https://sqs.us-east-1.amazonaws.com/000000000000/q",
            "http://elsewhere:1/000000000000/q/",
            "/000000000000/q",
        ] {
            assert_eq!(name_in_url(&home, url).unwrap(), "q", "{url}");
        }
        for (url, code) in [
            ("http://h/111111111111/q", Code::QueueDoesNotExist),
            ("http://h/", Code::InvalidAddress),
            ("http://h", Code::InvalidAddress),
            ("q", Code::InvalidAddress),
            ("http://h/0/q", Code::InvalidAddress),
            ("", Code::InvalidAddress),
        ] {
            assert_eq!(name_in_url(&home, url).unwrap_err().code, code, "{url}");
        }
    }
}
