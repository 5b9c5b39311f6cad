//! `POST /_lambd/clock/advance`: moves the calendar forward, where `--test-clock` allows it, so that minutes of waiting
//! pass at once.

use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;

use super::problem::Problem;
use super::{Admin, guard};

pub(super) const PATH: &str = "/_lambd/clock/advance";

/// A year at a time.
const SECONDS_MAX: f64 = 366.0 * 86_400.0;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    seconds: f64,
}

impl Admin {
    /// Answers when what has become due runs, or waits for room.
    pub(super) async fn advance(&self, request: Request<Incoming>) -> Result<Response<Bytes>, Problem> {
        let Some(clock) = &self.test_clock else {
            let off = "the clock runs by itself; start the engine with --test-clock to move it";
            return Err(Problem::new(StatusCode::NOT_FOUND, off));
        };
        if *request.method() != Method::POST {
            return Err(Problem::method("POST"));
        }
        let body = guard::body(request, self.address, &*self.clock).await?;
        let ask: Ask = serde_json::from_slice(&body)
            .map_err(|mistake| Problem::bad(format!(r#"the body has to be {{"seconds": NUMBER}}: {mistake}"#)))?;
        if !(0.0..=SECONDS_MAX).contains(&ask.seconds) {
            let beyond = format!("seconds is a number from 0 to {SECONDS_MAX}, not {}", ask.seconds);
            return Err(Problem::bad(beyond));
        }
        let now = clock.advance(Duration::from_secs_f64(ask.seconds));
        let now = now.ok_or_else(|| Problem::bad("the calendar does not reach so far; restart the engine"))?;
        self.events.caught_up().await;
        Ok(super::json(format!(r#"{{"Now":"{now:.3}"}}"#)))
    }
}
