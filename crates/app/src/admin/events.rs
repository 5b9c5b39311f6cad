//! `/_lambd/events`: events seen and steered. Times are RFC 3339 in UTC, with milliseconds.

use std::time::Duration;

use bytes::Bytes;
use domain::event::{Attempt, State};
use domain::names::{FunctionName, RequestId};
use engine::events::{EventView, Selection, Steered};
use engine::ports::{DeliveryShown, EventFilter, Shown};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use uuid::Uuid;
use wire::server::percent;

use super::problem::Problem;
use super::{Admin, guard, json};

/// Events of one page, at most and where nothing is said.
const LIMIT_MAX: usize = 1_000;
const LIMIT: usize = 100;
/// Ages beyond this are before the calendar: 10,000 years.
const AGE_SECONDS_MAX: f64 = 315_576_000_000.0;

const BODY: &str = "the body is an object that holds exactly one of \"ids\", some of the filters \"function\", \"state\" and \
                    \"older_than\" (seconds), or \"all\": true";

/// What is asked for.
pub(super) enum Route {
    List,
    Show(String),
    Redrive,
    Purge,
}

impl Route {
    /// What the path means; nothing where it is none of these.
    pub(super) fn of(path: &str) -> Option<Self> {
        Some(match path.strip_prefix("/_lambd/events")? {
            "" | "/" => Self::List,
            "/redrive" => Self::Redrive,
            "/purge" => Self::Purge,
            other => Self::Show(percent::path_segment(other.strip_prefix('/')?).into_owned()),
        })
    }
}

impl Admin {
    /// Answers for events.
    pub(super) async fn steer(&self, route: Route, request: Request<Incoming>) -> Result<Response<Bytes>, Problem> {
        match (route, request.method()) {
            (Route::List, &Method::GET) => self.list(request.uri().query().unwrap_or_default()).await,
            (Route::Show(id), &Method::GET) => self.show(&id).await,
            (route @ (Route::Redrive | Route::Purge), &Method::POST) => {
                let body = guard::body(request, self.address, &*self.clock).await?;
                let selection = self.selection(&body)?;
                if matches!(route, Route::Redrive) {
                    let steered = self.events.redrive(selection).await?;
                    Ok(json(to_json(&Redriven {
                        redriven: count(&steered, "redriven", "dead and delivering ones can")?,
                    })))
                } else {
                    let steered = self.events.purge(selection).await?;
                    Ok(json(to_json(&Purged { purged: count(&steered, "purged", "all but running ones can")? })))
                }
            }
            (Route::List | Route::Show(_), _) => Err(Problem::method("GET")),
            (Route::Redrive | Route::Purge, _) => Err(Problem::method("POST")),
        }
    }

    async fn list(&self, query: &str) -> Result<Response<Bytes>, Problem> {
        let (mut filter, mut limit, mut after) = (EventFilter::default(), LIMIT, None);
        let mut seen: Vec<String> = Vec::new();
        for item in query.split('&').filter(|item| !item.is_empty()) {
            let (key, value) = item.split_once('=').unwrap_or((item, ""));
            let (key, value) = (percent::query_item(key), percent::query_item(value));
            if seen.iter().any(|before| *before == key) {
                return Err(Problem::bad(format!("{key} is given twice")));
            }
            seen.push(key.clone().into_owned());
            match &*key {
                // A form sends all its fields, also those that nobody filled in.
                "function" | "state" | "older_than" | "limit" | "token" if value.is_empty() => {}
                "function" => filter.function = Some(self.function(&value)?),
                "state" => filter.state = Some(state(&value)?),
                "older_than" => filter.accepted_before = Some(self.before(value.parse().ok(), &value)?),
                "limit" => {
                    let read = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
                    limit = read.ok_or_else(|| {
                        Problem::bad(format!("limit is a number from 1 to {LIMIT_MAX}, not {value:?}"))
                    })?;
                }
                "token" => {
                    let read = token(&value);
                    let mistake = || Problem::bad("token takes what NextToken was in the answer before");
                    after = Some(read.ok_or_else(mistake)?);
                }
                _ => {
                    let known = "function, state, older_than, limit and token";
                    return Err(Problem::bad(format!("the query has {known}, and no {key:?}")));
                }
            }
        }
        let page = self.events.list(filter, after, limit).await?;
        Ok(json(to_json(&Page {
            events: page.events.into_iter().map(EventShown::from).collect(),
            next_token: page.next.map(|(at, id)| format!("{}.{id}", at.as_millisecond())),
            total: page.total,
        })))
    }

    async fn show(&self, id: &str) -> Result<Response<Bytes>, Problem> {
        let found = match request_id(id) {
            Some(id) => self.events.show(id).await?,
            None => None,
        };
        let (view, shown) = found.ok_or_else(|| unknown(id))?;
        let Shown { payload, history, deliveries, .. } = &shown;
        Ok(json(to_json(&EventAlone {
            event: view.into(),
            // A payload is JSON in UTF-8; what is none is not accepted.
            payload: &String::from_utf8_lossy(payload),
            history: history.iter().map(AttemptShown::from).collect(),
            deliveries: deliveries.iter().map(DeliveryAlone::from).collect(),
        })))
    }

    /// Reads which events are meant: exactly one of three ways to say so.
    fn selection(&self, body: &[u8]) -> Result<Selection, Problem> {
        let mut body: Map<String, Value> = serde_json::from_slice(body)
            .map_err(|mistake| Problem::bad(format!("{BODY}; this one is not: {mistake}")))?;
        let (ids, all) = (body.remove("ids"), body.remove("all"));
        match (ids, all, body.is_empty()) {
            (Some(ids), None, true) => ids_of(&ids).map(Selection::Ids),
            (None, Some(Value::Bool(true)), true) => Ok(Selection::Filter(EventFilter::default())),
            (None, None, false) => self.filter_of(&body).map(Selection::Filter),
            _ => Err(Problem::bad(BODY)),
        }
    }

    fn filter_of(&self, body: &Map<String, Value>) -> Result<EventFilter, Problem> {
        let text = |key: &str, value: &Value| {
            value.as_str().map(ToOwned::to_owned).ok_or_else(|| Problem::bad(format!("{key} is a text, not {value}")))
        };
        let mut filter = EventFilter::default();
        for (key, value) in body {
            match key.as_str() {
                "function" => filter.function = Some(self.function(&text(key, value)?)?),
                "state" => filter.state = Some(state(&text(key, value)?)?),
                "older_than" => filter.accepted_before = Some(self.before(value.as_f64(), &value.to_string())?),
                _ => return Err(Problem::bad(format!("{BODY}; there is no {key:?}"))),
            }
        }
        Ok(filter)
    }

    /// Events are steered by function, whatever qualifier they were sent to.
    fn function(&self, text: &str) -> Result<FunctionName, Problem> {
        match self.home.read(text, None) {
            Ok(target) if target.qualifier.is_none() => Ok(target.arn.name),
            _ => Err(Problem::bad(format!("function takes the name or the ARN of a function, not {text:?}"))),
        }
    }

    fn before(&self, seconds: Option<f64>, given: &str) -> Result<Timestamp, Problem> {
        let seconds = seconds.filter(|seconds| (0.0..=AGE_SECONDS_MAX).contains(seconds));
        let seconds = seconds.ok_or_else(|| Problem::bad(format!("older_than is a number of seconds, not {given}")))?;
        let age = Duration::from_secs_f64(seconds);
        Ok(self.clock.now().checked_sub(age).unwrap_or(Timestamp::MIN))
    }
}

fn count(steered: &Steered, done: &str, which: &str) -> Result<u64, Problem> {
    match steered {
        Steered::Done(count) => Ok(*count),
        Steered::Unknown(id) => Err(unknown(&id.to_string())),
        Steered::WrongState(id, state) => {
            let state = state.as_str();
            let why = format!("event {id} is {state} and cannot be {done}; {which}. No event was touched");
            Err(Problem::new(StatusCode::CONFLICT, why))
        }
    }
}

fn unknown(id: &str) -> Problem {
    let gone = format!("there is no event {id:?}; one that succeeded, or was purged, is gone");
    Problem::new(StatusCode::NOT_FOUND, gone)
}

fn state(text: &str) -> Result<State, Problem> {
    text.parse().map_err(Problem::bad)
}

fn request_id(text: &str) -> Option<RequestId> {
    Uuid::try_parse(text).ok().map(RequestId)
}

fn ids_of(value: &Value) -> Result<Vec<RequestId>, Problem> {
    let ids = value.as_array().filter(|ids| !ids.is_empty() && ids.iter().all(Value::is_string));
    let ids = ids.ok_or_else(|| Problem::bad("ids is a list of the request ids of events, one at least"))?;
    let texts = ids.iter().filter_map(Value::as_str);
    texts.map(|text| request_id(text).ok_or_else(|| unknown(text))).collect()
}

/// A place in the list: behind the event of that moment and id.
fn token(text: &str) -> Option<(Timestamp, RequestId)> {
    let (millis, id) = text.split_once('.')?;
    Some((Timestamp::from_millisecond(millis.parse().ok()?).ok()?, request_id(id)?))
}

fn to_json(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("texts and numbers are always JSON")
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Redriven {
    redriven: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Purged {
    purged: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    events: Vec<EventShown>,
    next_token: Option<String>,
    total: u64,
}

/// A moment as it is shown.
struct Moment(Timestamp);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.3}", self.0))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EventShown {
    request_id: String,
    function_name: String,
    function_arn: String,
    state: &'static str,
    attempts: u32,
    accepted_at: Moment,
    next_attempt_at: Option<Moment>,
    reason: Option<String>,
}

impl From<EventView> for EventShown {
    fn from(EventView { listed, function_arn, reason }: EventView) -> Self {
        Self {
            request_id: listed.request_id.to_string(),
            function_name: listed.function.to_string(),
            function_arn,
            state: listed.state.as_str(),
            attempts: listed.attempts,
            accepted_at: Moment(listed.accepted_at),
            next_attempt_at: listed.due_at.map(Moment),
            reason,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EventAlone<'a> {
    #[serde(flatten)]
    event: EventShown,
    payload: &'a str,
    history: Vec<AttemptShown<'a>>,
    deliveries: Vec<DeliveryAlone<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AttemptShown<'a> {
    attempt: u32,
    started_at: Moment,
    error_type: &'a str,
    error_message: &'a str,
}

impl<'a> From<&'a Attempt> for AttemptShown<'a> {
    fn from(Attempt { number, started_at, error_type, error_message }: &'a Attempt) -> Self {
        Self { attempt: *number, started_at: Moment(*started_at), error_type, error_message }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DeliveryAlone<'a> {
    target: &'a str,
    state: &'static str,
    attempts: u32,
    next_attempt_at: Option<Moment>,
    last_error: Option<&'a str>,
}

impl<'a> From<&'a DeliveryShown> for DeliveryAlone<'a> {
    fn from(DeliveryShown { target, state, attempts, due_at, error }: &'a DeliveryShown) -> Self {
        Self {
            target,
            state: state.as_str(),
            attempts: *attempts,
            next_attempt_at: due_at.map(Moment),
            last_error: error.as_deref(),
        }
    }
}
