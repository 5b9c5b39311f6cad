//! What the end-to-end tests ask of the streaming of AWS's Rust client: the pieces of the event, one by one; an error
//! where it has none.

use lambda_runtime::streaming::{Body, Response, channel};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(stream)).await
}

async fn stream(event: LambdaEvent<Value>) -> Result<Response<Body>, Error> {
    let pieces = event.payload["pieces"].as_array().ok_or("no pieces")?.clone();
    let (mut sender, body) = channel();
    tokio::spawn(async move {
        for piece in pieces {
            let text = piece.as_str().unwrap_or_default().to_owned();
            if sender.send_data(text.into()).await.is_err() {
                return;
            }
        }
    });
    Ok(Response::from(body))
}
