//! What the sandbox must be told at its start.
//!
//! Never here: flags and files; `app` reads them.

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use domain::isolation::Isolation;

pub use crate::launcher::client::SpawnerCommand;
use crate::networking::NetworkSettings;

/// An interpreter named by hand: `[runtimes."python3.12"]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeSetting {
    /// The interpreter.
    pub command: PathBuf,
    /// A folder with packages that functions of this runtime expect, such as boto3.
    pub packages: Option<PathBuf>,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The engine's data folder; environments, runtime clients and what was found out about interpreters are kept
    /// below it.
    pub data_dir: PathBuf,
    /// The level asked for; `None` is the best to be had.
    pub isolation: Option<Isolation>,
    /// The level below which the engine does not start.
    pub isolation_min: Isolation,
    /// Interpreters named by hand, by runtime identifier.
    pub runtimes: BTreeMap<String, RuntimeSetting>,
    /// Where to look for interpreters first: the folders of the engine's `PATH`.
    pub search_path: Vec<PathBuf>,
    /// The engine's `HOME`: version managers keep interpreters there.
    pub home: Option<PathBuf>,
    /// Whether environments get `/var/task`, `/opt` and `/tmp` of their own where the kernel allows it. Without, as
    /// where it refuses, functions run on real folders, named by `LAMBDA_TASK_ROOT`.
    pub own_paths: bool,
    /// Whether environments are started ahead of use, where they are isolated.
    pub prestart: bool,
    /// What the network of isolated environments is to be.
    pub network: NetworkSettings,
    /// How to start this program as a spawner.
    pub spawner: SpawnerCommand,
}
