//! Tests of the sandbox through its doors.

#![expect(clippy::unwrap_used, reason = "a test ends where what it needs is not there")]

mod breakout;
mod clients;
mod environment;
mod extensions;
mod freeze;
mod groups;
mod host;
mod killed;
mod machine;
mod network;
mod network_inside;
mod prestart;
mod rootless;
mod runtime_api;
mod telemetry;
