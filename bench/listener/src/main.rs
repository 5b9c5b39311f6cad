//! What the end-to-end tests ask of AWS's Rust crate for extensions: it prints a line for each event and for each record
//! of telemetry that it is told of.

use std::net::TcpListener;

use lambda_extension::{
    Error, Extension, LambdaEvent, LambdaTelemetry, LambdaTelemetryRecord as Record, NextEvent, SharedService,
    service_fn,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    // The crate takes a number only: one that is free a moment before.
    let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let extension = Extension::new()
        .with_events(&["INVOKE", "SHUTDOWN"])
        .with_events_processor(service_fn(event))
        .with_telemetry_types(&["platform", "function"])
        .with_telemetry_port_number(port)
        .with_telemetry_processor(SharedService::new(service_fn(telemetry)))
        .register()
        .await?;
    let (name, version, handler) = (&extension.function_name, &extension.function_version, &extension.handler);
    println!("listener registered {name} {version} {handler}");
    extension.run().await
}

async fn event(event: LambdaEvent) -> Result<(), Error> {
    match event.next {
        NextEvent::Invoke(event) => {
            println!("listener INVOKE {} {}", event.request_id, event.invoked_function_arn);
        }
        NextEvent::Shutdown(event) => println!("listener SHUTDOWN {}", event.shutdown_reason),
    }
    Ok(())
}

async fn telemetry(events: Vec<LambdaTelemetry>) -> Result<(), Error> {
    for event in events {
        match event.record {
            // As they are written, so that a test sees what came.
            Record::Function(line) => println!("listener function {line:?}"),
            record => println!("listener told {}", serde_json::to_string(&record)?),
        }
    }
    Ok(())
}
