//! Makes what waits in the stock, with the spawner.
//!
//! Never here: how many.

use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::{Arc, Weak};

use domain::network::Network;
use engine::ports::Wait;

use super::{Kind, Maker};
use crate::cgroups::Cgroup;
use crate::environment::{self, EnvironmentError};
use crate::launcher::client::{Init, LaunchError, Spawner};
use crate::launcher::protocol::{Furniture, Mounting, Order, Source, Told};
use crate::output::OutputPipe;
use crate::sandbox::Shared;
use crate::start::Paths;
use crate::stems::{self, Stem, StemKind};

/// What it may use until its function says how much.
const BOOT_MEMORY_MB: u32 = 256;

/// See the module.
pub(crate) struct Nursery {
    /// Of which the stock is a part.
    pub shared: Weak<Shared>,
}

/// An environment without a function. Dropping it ends it.
pub(crate) struct Waiting {
    pub spawner: Arc<Spawner>,
    pub init: Init,
    pub group: Option<Arc<Cgroup>>,
    pub stem: Option<Stem>,
}

impl Maker for Nursery {
    type Made = Waiting;
    type Error = EnvironmentError;

    fn make(&self, kind: Kind) -> Wait<'_, Result<Waiting, EnvironmentError>> {
        Box::pin(async move {
            let shared = self.shared.upgrade().ok_or(LaunchError::Ended { who: "sandbox" })?;
            let spawner = shared.spawner().await?;
            let group = environment::make_group(&shared, "waiting", BOOT_MEMORY_MB).await?;
            let nat = shared.networking.nat(Network::Usual);
            let preparation = environment::preparation(&shared, nat.is_some());
            let mut init = spawner.prepare(preparation, group.as_deref(), nat).await?;
            let stem = match kind {
                Kind::Blank => None,
                Kind::Stem(kind) => Some(start_stem(&shared, (&spawner, group.as_ref()), &mut init, kind).await?),
            };
            Ok(Waiting { spawner, init, group, stem })
        })
    }

    fn is_there(&self, waiting: &Waiting) -> bool {
        waiting.init.is_there(&waiting.spawner)
    }

    fn memory_available(&self) -> f64 {
        self.shared.upgrade().map_or(0.0, |shared| shared.memory.available())
    }
}

async fn start_stem(
    shared: &Shared,
    (spawner, group): (&Spawner, Option<&Arc<Cgroup>>),
    init: &mut Init,
    kind: StemKind,
) -> Result<Stem, EnvironmentError> {
    let failed = |source| EnvironmentError::Resources { doing: "make a pipe for a stem", source };
    let interpreter = shared.runtimes.interpreter(kind.runtime).await;
    let interpreter = interpreter.map_err(|remedy| EnvironmentError::Interpreter { remedy })?;
    let read_only = |path: &Path, at: &Path| Mounting { source: Source::ReadOnly(path.into()), at: at.into() };
    let placeholder = &shared.folders.placeholder;
    let mut mounts = vec![
        read_only(placeholder, Path::new("/var/task")),
        read_only(placeholder, Path::new("/opt")),
        read_only(&shared.folders.client(kind.runtime.family()), Path::new("/var/runtime")),
    ];
    mounts.extend(environment::kept(&interpreter, spawner.base()).iter().map(|path| read_only(path, path)));
    spawner.furnish(init, Furniture { mounts, extensions_in: Vec::new() }, None).await?;
    let (output, written_to) = OutputPipe::ends().map_err(failed)?;
    let (told, tell) = OutputPipe::ends().map_err(failed)?;
    let start = stems::start(kind, &interpreter, &Paths::own());
    let entrance = environment::frozen_entrance(group)?;
    let descriptors: Vec<_> = [&written_to, &told].into_iter().chain(&entrance).map(|end| end.as_fd()).collect();
    init.order(&Order::StartStem(start), &descriptors).await?;
    drop(descriptors);
    loop {
        match init.told().await {
            Some((Told::Started, files)) => return Ok(Stem { output, tell, files }),
            Some((Told::NoProgram, _)) => return Err(failed(std::io::ErrorKind::NotFound.into())),
            Some((Told::NotExecuted { errno, .. }, _)) => {
                return Err(failed(std::io::Error::from_raw_os_error(errno)));
            }
            Some(_) => {}
            None => return Err(LaunchError::Ended { who: "init" }.into()),
        }
    }
}
