//! What the end-to-end tests ask of AWS's Rust client: an error where the event has `fail`, else what it was told of
//! the invocation, and how many it has seen.

use std::sync::atomic::{AtomicU32, Ordering};

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

static COUNT: AtomicU32 = AtomicU32::new(0);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(tell)).await
}

async fn tell(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let count = COUNT.fetch_add(1, Ordering::Relaxed) + 1;
    let LambdaEvent { payload, context } = event;
    if let Some(text) = payload["fail"].as_str() {
        return Err(text.into());
    }
    println!("call {count}");
    Ok(json!({
        "event": payload,
        "count": count,
        "id": context.request_id,
        "arn": context.invoked_function_arn,
        "deadline": context.deadline,
        "client": context.client_context.map(|client| client.custom),
        "trace": context.xray_trace_id,
        "function": context.env_config.function_name,
        "memory": context.env_config.memory,
        "version": context.env_config.version,
    }))
}
