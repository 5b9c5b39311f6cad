//! Linux and the Runtime API: how a function runs on this machine.
//!
//! Functions are kept apart at one of four levels (`domain::isolation`), the best that this machine allows; which one is
//! tried for real at the start. At level `process` mount and pid namespaces, where there are any, are fidelity, not
//! protection.
//! Never here: queues, aliases, and what a failure means to the caller.

mod allocator;
mod cgroups;
pub mod clients;
mod environment;
mod folders;
mod freeze;
mod images;
pub mod launcher;
mod layers;
mod memory;
pub mod network;
mod networking;
mod output;
mod report;
mod runtime_api;
mod runtimes;
mod sandbox;
mod settings;
mod start;
mod stems;
mod stock;
mod storage;
mod telemetry;

pub use allocator::give_memory_back;
pub use folders::FoldersError;
pub use launcher::end_with_us;
pub use networking::{NetworkReport, NetworkSettings};
pub use report::{FoundRuntime, Report, Strength, View};
pub use sandbox::{Linux, OpenError, Visitors};
pub use settings::{Isolation, RuntimeSetting, Settings, SpawnerCommand};
pub use stock::StockCounts;
