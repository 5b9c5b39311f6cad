//! What a crash or a timeout costs the next call, where there are no extensions: the same environment serves it, as soon
//! as the function has initialised again.

use std::time::Duration;

use serde_json::{Value, json};

use crate::engine_process::{Engine, now};
use crate::functions::Deployed;
use crate::shell_function::bootstrap;

/// What a reset may take; the function's own init comes on top.
const RESET_MAX: Duration = Duration::from_millis(400);
/// The best round counts: tests run beside one another.
const ROUNDS: u32 = 5;

#[test]
fn the_same_environment_serves_the_next_call_soon() {
    let engine = Engine::start();
    // One log stream is one environment (AWS CloudWatch Logs as recorded: test_retries).
    let handle = r#"case $(cat) in
    *crash*) kill -SEGV $$ ;;
    *hang*) sleep 1000 ;;
    *) echo "\"$AWS_LAMBDA_LOG_STREAM_NAME\"" ;;
esac"#;
    let code = bootstrap("", handle);
    let settings = json!({"Runtime": "provided.al2023", "Timeout": 1});
    let function = Deployed::create(&engine, "fn", &[("bootstrap", 0o755, code.as_bytes())], &settings);
    let first = function.run(&json!({}));
    let log = String::from_utf8(first.tail.clone()).unwrap();
    let init: f64 = log.split_once("\tInit Duration: ").unwrap().1.split_once(' ').unwrap().0.parse().unwrap();
    let init = Duration::from_secs_f64(init / 1e3);
    for deed in ["crash", "hang"] {
        let mut best = Duration::MAX;
        for _ in 0..ROUNDS {
            let failed = function.run(&Value::from(deed));
            assert_eq!(failed.error.as_deref(), Some("Unhandled"), "{deed}: {}", failed.text());
            let begun = now();
            let next = function.answer(&json!({}));
            best = best.min(begun.elapsed());
            assert_eq!(next, first.json(), "{deed}: another environment");
        }
        assert!(best <= RESET_MAX + init, "{deed}: {best:?} with an init of {init:?}");
    }
}
