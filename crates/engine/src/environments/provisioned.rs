//! Environments that are initialised before anybody calls, and kept.
//!
//! Never here: how many a function may have; that is [`domain::concurrency`].

use std::sync::Arc;
use std::time::Duration;

use domain::Fault;
use domain::concurrency;
use domain::environment::{InitEnd, Readiness};
use domain::log::{InitPhase, InitStart, Initialization, Record, Status};
use domain::names::FunctionName;

use super::{Environments, Room};
use crate::catalog::Serving;
use crate::invoker::{runtime_version_arn, seen};
use crate::pool::{Member, Start};
use crate::tasks;

/// How long a start waits after one that failed, at first and at most.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_mins(1);
/// How often a start on a full machine looks again, apart from when room is made.
const LOOK: Duration = Duration::from_secs(1);

impl Environments {
    /// Keeps as many provisioned environments as the functions are configured to have, for ever.
    pub async fn keep_provisioned(self: Arc<Self>) {
        loop {
            for name in self.catalog.unprovisioned().await {
                self.provision(&name);
            }
        }
    }

    /// Ends what a function has too many of, and starts what it lacks.
    fn provision(self: &Arc<Self>, name: &FunctionName) {
        let Some(entry) = self.catalog.get(name) else { return };
        for version in entry.versions.values() {
            let function = &version.function;
            // One that is not ready yet comes here again when it is.
            if function.check_invocable().is_err() {
                continue;
            }
            let wanted = concurrency::provisioned_for(&entry.settings, &entry.aliases, function.version);
            for start in version.serving.pool.provision(wanted) {
                let work = self.clone().start_provisioned(start, version.serving.clone());
                tasks::spawn("starting a provisioned environment", work).detach();
            }
        }
    }

    /// Starts one, however often that takes, as long as it is wanted.
    async fn start_provisioned(self: Arc<Self>, start: Start, serving: Arc<Serving>) {
        let mut pause = PAUSE_MIN;
        while let Some(room) = self.room_for(&start).await {
            match self.initialise(room, &serving).await {
                Ok(member) => {
                    start.done(member, self.clock.elapsed());
                    // It may have come too late.
                    self.catalog.is_unprovisioned(serving.function.arn.name.clone());
                    return;
                }
                Err(fault) => {
                    let arn = serving.function.qualified_arn();
                    tracing::warn!(function = arn, "a provisioned environment is not ready: {}", fault.chain());
                }
            }
            start.has_failed();
            self.clock.wake_at(self.clock.elapsed() + pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Waits for room; nothing where it is not wanted any more.
    async fn room_for(&self, start: &Start) -> Option<Room> {
        let mut ending = None;
        loop {
            // Made first: what becomes free from here on wakes the wait below.
            let freed = self.slots.freed.notified();
            if !start.is_wanted() {
                return None;
            }
            if let Some(slot) = self.take_slot() {
                return Some(Room(slot));
            }
            if ending.is_none() {
                ending = self.end_longest_idle(start.pool());
            }
            tokio::select! {
                () = freed => {}
                () = super::end(&mut ending) => {}
                () = self.clock.wake_at(self.clock.elapsed() + LOOK) => {}
            }
        }
    }

    /// Starts one environment and waits until it is initialised, for which it has more time than on demand (AWS
    /// developer guide, lambda-runtime-environment).
    async fn initialise(&self, room: Room, serving: &Serving) -> Result<Member, Fault> {
        let function = &serving.function;
        let configuration = &function.configuration;
        let mut member = self.start_for(room, function, Initialization::ProvisionedConcurrency).await?;
        let (initialization, phase) = (Initialization::ProvisionedConcurrency, InitPhase::Init);
        member.log.record(&Record::InitStart(InitStart {
            initialization,
            phase,
            runtime_version: configuration.runtime().map(|runtime| self.sandbox.runtime_version(runtime)),
            runtime_version_arn: configuration
                .runtime()
                .map(|runtime| runtime_version_arn(&function.arn.home(), runtime)),
            function: function.arn.name.to_string(),
            version: function.version.to_string(),
            instance: member.log.source().stream.clone(),
            memory_mb: configuration.memory_mb,
        }));
        let (begun, allowed) = (self.clock.elapsed(), configuration.provisioned_init_timeout());
        let end = member.environment.init(begun + allowed, allowed).await;
        let (status, result) = match end {
            Ok(InitEnd::Ready) => (Status::Success, Ok(())),
            Ok(InitEnd::Failed(failure)) => {
                (seen(&failure), Err(Fault::bare(format!("its initialisation failed: {}", failure.error_type()))))
            }
            Err(fault) => {
                member.end();
                return Err(fault);
            }
        };
        let duration = self.clock.elapsed().saturating_sub(begun);
        member.log.record(&Record::InitRuntimeDone { initialization, phase, status: status.clone() });
        member.log.record(&Record::InitReport { initialization, phase, status, duration });
        match result {
            Ok(()) => {
                member.readiness = Some(Readiness::Ready);
                Ok(member)
            }
            Err(fault) => {
                member.ending().end().await;
                Err(fault)
            }
        }
    }
}
