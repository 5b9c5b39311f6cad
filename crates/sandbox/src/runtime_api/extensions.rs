//! The extensions of one start of a function: who is there, who has registered for what, and who is still at work (AWS
//! developer guide, runtimes-extensions-api).
//!
//! The states, their names and which steps between them are allowed are those of AWS's supervisor (source of the
//! runtime interface emulator, `core/externalagent_states.go`, `core/registrations.go`).
//! Never here: HTTP, and processes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::environment::{Exit, ExtensionError, Failure};
use domain::limits;
use domain::log::Record;
use engine::ports::Event;
use tokio::sync::{Notify, oneshot};
use uuid::Uuid;

use crate::output::OutputPipe;

/// See the module.
pub(crate) struct Extensions {
    /// Most functions have none: then nothing else is looked at.
    any: AtomicBool,
    state: Mutex<State>,
    /// Somebody took a step.
    changed: Notify,
    facts: Facts,
}

/// What an extension is told of its function when it registers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub name: String,
    pub version: String,
    pub handler: String,
    pub account: String,
}

struct State {
    /// Internal ones may register until the runtime is ready, all may subscribe until everybody is.
    phase: StartPhase,
    all: Vec<Extension>,
    failure: Option<Failure>,
    /// The runtime's process runs.
    has_runtime: bool,
    /// From here on an end is no failure.
    is_ending: bool,
    /// Everything is gone.
    has_ended: bool,
    /// The last that they were told of.
    event: Option<Arc<Event>>,
    /// The identifiers given out are this one with a count in its last bits.
    seed: u128,
    given: u128,
}

/// How far a start has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum StartPhase {
    Registering,
    GettingReady,
    Started,
}

struct Extension {
    id: Uuid,
    name: String,
    /// The pipe of its own process; an internal one is part of the runtime's.
    output: Option<Arc<OutputPipe>>,
    phase: Phase,
    events: Vec<Kind>,
    /// What it said before it ended, if it did.
    reported: Option<(ExtensionError, String)>,
    is_alive: bool,
    /// It has been told that everything ends, and hears nothing more.
    knows_end: bool,
}

enum Phase {
    Started,
    Registered,
    /// It has asked for an event; the sender wakes its request.
    Ready(oneshot::Sender<Notice>),
    Running,
    InitError,
    ExitError,
    LaunchError,
    Exited,
}

/// The kinds of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Invoke,
    Shutdown,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Invoke => "INVOKE",
            Self::Shutdown => "SHUTDOWN",
        }
    }
}

/// Why everything ends, as extensions are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The environment is not needed any more.
    Spindown,
    /// Time was up.
    Timeout,
    /// Something failed.
    Failure,
}

impl Reason {
    /// In the lower case of AWS's supervisor.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Spindown => "spindown",
            Self::Timeout => "timeout",
            Self::Failure => "failure",
        }
    }

    pub(crate) fn of(failure: &Failure) -> Self {
        if matches!(failure, Failure::TimedOut(_)) { Self::Timeout } else { Self::Failure }
    }
}

/// What an extension gets when it asks for the next event.
pub(crate) struct Notice {
    /// `Lambda-Extension-Event-Identifier`.
    pub id: Uuid,
    pub what: What,
}

/// See [`Notice`].
#[derive(Clone)]
pub(crate) enum What {
    /// The function is at work.
    Invoke(Arc<Event>),
    /// Everything ends.
    Shutdown {
        /// On the calendar.
        deadline_ms: i64,
        reason: Reason,
    },
}

/// Why a request of an extension is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Nobody has that identifier.
    Unknown,
    /// The request is out of order.
    State {
        from: &'static str,
        to: &'static str,
    },
    /// The runtime is ready already.
    RegistrationClosed,
    /// Somebody else has that name.
    NameTaken,
    TooMany,
    /// An event that this kind of extension does not get.
    Event {
        name: String,
        is_known: bool,
    },
}

impl Phase {
    fn name(&self) -> &'static str {
        match self {
            Self::Started => "Started",
            Self::Registered => "Registered",
            Self::Ready(_) => "Ready",
            Self::Running => "Running",
            Self::InitError => "InitError",
            Self::ExitError => "ExitError",
            Self::LaunchError => "LaunchError",
            Self::Exited => "Exited",
        }
    }

    fn has_registered(&self) -> bool {
        matches!(self, Self::Registered | Self::Ready(_) | Self::Running)
    }
}

impl Extension {
    fn is_external(&self) -> bool {
        self.output.is_some()
    }

    fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready(_))
    }
}

impl Extensions {
    /// Nobody yet; `seed` is random.
    pub(crate) fn new(facts: Facts, seed: Uuid) -> Arc<Self> {
        let state = State {
            phase: StartPhase::Registering,
            all: Vec::new(),
            failure: None,
            has_runtime: false,
            is_ending: false,
            has_ended: false,
            event: None,
            seed: seed.as_u128(),
            given: 0,
        };
        Arc::new(Self { any: AtomicBool::new(false), state: Mutex::new(state), changed: Notify::new(), facts })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    // The extension's side.

    /// An extension registers: an external one by the name of its file, an internal one by any other name.
    pub(crate) fn register(&self, name: &str, events: &[String]) -> Result<Uuid, Refused> {
        let mut state = self.state();
        let at = state.all.iter().position(|extension| extension.is_external() && extension.name == name);
        let mut kinds = Vec::new();
        for event in events {
            let kind = match event.as_str() {
                "INVOKE" => Kind::Invoke,
                "SHUTDOWN" if at.is_some() => Kind::Shutdown,
                other => return Err(Refused::Event { name: other.to_owned(), is_known: other == "SHUTDOWN" }),
            };
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        let at = match at {
            Some(at) => match &state.all[at].phase {
                Phase::Started => at,
                other => return Err(Refused::State { from: other.name(), to: "Registered" }),
            },
            None => state.add_internal(name)?,
        };
        self.any.store(true, Ordering::Release);
        let extension = &mut state.all[at];
        extension.phase = Phase::Registered;
        extension.events = kinds;
        let id = extension.id;
        drop(state);
        self.changed.notify_waiters();
        Ok(id)
    }

    /// An extension asks for the next event, and so has done what there was to do.
    pub(crate) fn next(&self, id: Uuid) -> Result<oneshot::Receiver<Notice>, Refused> {
        let mut state = self.state();
        let extension = state.find(id)?;
        match &extension.phase {
            Phase::Registered | Phase::Running => {}
            // Its request before this one broke off.
            Phase::Ready(wake) if wake.is_closed() => {}
            other => return Err(Refused::State { from: other.name(), to: "Ready" }),
        }
        if let Some(output) = &extension.output {
            output.drain();
        }
        let (wake, woken) = oneshot::channel();
        extension.phase = Phase::Ready(wake);
        drop(state);
        self.changed.notify_waiters();
        Ok(woken)
    }

    /// An extension says that it cannot go on. It is expected to end; that is what ends the rest.
    pub(crate) fn report(&self, id: Uuid, error: ExtensionError, error_type: &str) -> Result<(), Refused> {
        let mut state = self.state();
        let extension = state.find(id)?;
        let (allowed, again, to) = match error {
            ExtensionError::Init => {
                (matches!(extension.phase, Phase::Registered), matches!(extension.phase, Phase::InitError), "InitError")
            }
            _ => (
                matches!(extension.phase, Phase::Registered | Phase::Ready(_) | Phase::Running),
                matches!(extension.phase, Phase::ExitError),
                // As AWS's supervisor names the state in its refusal.
                "Exited",
            ),
        };
        if again {
            // Only the first counts.
            return Ok(());
        }
        if !allowed {
            return Err(Refused::State { from: extension.phase.name(), to });
        }
        extension.phase = if error == ExtensionError::Init { Phase::InitError } else { Phase::ExitError };
        extension.reported = Some((error, error_type.to_owned()));
        Ok(())
    }

    /// The name of a registered extension, for those who subscribe.
    pub(crate) fn name_of(&self, id: Uuid) -> Result<String, Refused> {
        self.state().find(id).map(|extension| extension.name.clone())
    }

    /// Whether one may still subscribe.
    pub(crate) fn is_starting(&self) -> bool {
        self.state().phase < StartPhase::Started
    }

    // The platform's side.

    /// An external extension is about to be started.
    pub(crate) fn expect(&self, name: &str, output: Arc<OutputPipe>) {
        let mut state = self.state();
        let id = state.identifier();
        self.any.store(true, Ordering::Release);
        state.all.push(Extension {
            id,
            name: name.to_owned(),
            output: Some(output),
            phase: Phase::Started,
            events: Vec::new(),
            reported: None,
            is_alive: true,
            knows_end: false,
        });
    }

    /// The last one expected could not be started.
    pub(crate) fn not_launched(&self, error_type: &str) {
        if let Some(extension) = self.state().all.last_mut() {
            extension.phase = Phase::LaunchError;
            extension.is_alive = false;
            extension.reported = Some((ExtensionError::Launch, error_type.to_owned()));
        }
    }

    /// Whether there is any.
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Whether there are any with processes of their own.
    pub(crate) fn any_external(&self) -> bool {
        self.state().all.iter().any(Extension::is_external)
    }

    pub(crate) fn runtime_started(&self) {
        self.state().has_runtime = true;
    }

    pub(crate) fn runtime_ended(&self) {
        self.state().has_runtime = false;
        self.changed.notify_waiters();
    }

    /// The process of an extension has ended; tells what that means for the function.
    pub(crate) fn exited(&self, number: usize, exit: Exit) -> Option<Failure> {
        let mut state = self.state();
        let is_ending = state.is_ending;
        let extension = state.all.get_mut(number)?;
        extension.is_alive = false;
        if let Some(output) = &extension.output {
            output.drain();
        }
        let failure = (!is_ending).then(|| {
            let error = extension.reported.as_ref().map_or(ExtensionError::Crash, |(error, _)| *error);
            let text = if exit == Exit::Status(0) { "exit code 0".to_owned() } else { exit.cause() };
            Failure::Extension { error, text }
        });
        if extension.reported.is_none() {
            extension.phase = Phase::Exited;
        }
        if let Some(failure) = &failure {
            state.failure.get_or_insert_with(|| failure.clone());
        }
        drop(state);
        self.changed.notify_waiters();
        failure
    }

    /// All processes are gone.
    pub(crate) fn all_ended(&self) {
        let mut state = self.state();
        state.is_ending = true;
        state.has_ended = true;
        state.has_runtime = false;
        for extension in &mut state.all {
            extension.is_alive = false;
            if let Some(output) = &extension.output {
                output.drain();
            }
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Waits until all external ones have registered.
    pub(crate) async fn registered(&self) -> Result<(), Failure> {
        self.until(|state| state.all.iter().all(|extension| extension.phase.has_registered())).await
    }

    /// The runtime is ready: nobody registers any more, and it is waited for those who have.
    pub(crate) async fn ready(&self) -> Result<(), Failure> {
        self.state().phase = StartPhase::GettingReady;
        if !self.any() {
            self.state().phase = StartPhase::Started;
            return Ok(());
        }
        let ready = self.until(|state| state.all.iter().all(Extension::is_ready)).await;
        self.state().phase = StartPhase::Started;
        ready
    }

    /// Waits until everybody who was told of the invocation has done with it.
    pub(crate) async fn settled(&self) -> Result<(), Failure> {
        self.until(|state| {
            let mut told = state.all.iter().filter(|extension| extension.events.contains(&Kind::Invoke));
            told.all(Extension::is_ready)
        })
        .await
    }

    async fn until(&self, holds: impl Fn(&State) -> bool) -> Result<(), Failure> {
        loop {
            let changed = self.changed.notified();
            {
                let state = self.state();
                if let Some(failure) = &state.failure {
                    return Err(failure.clone());
                }
                if holds(&state) {
                    return Ok(());
                }
            }
            changed.await;
        }
    }

    /// Tells everybody concerned of an invocation.
    pub(crate) fn invoke(&self, event: &Arc<Event>) {
        if self.any() {
            let mut state = self.state();
            state.event = Some(event.clone());
            state.tell(Kind::Invoke, &What::Invoke(event.clone()));
        }
    }

    /// The invocation that they were last told of.
    pub(crate) fn last_event(&self) -> Option<Arc<Event>> {
        self.state().event.clone()
    }

    /// Whether everything is gone.
    pub(crate) fn has_ended(&self) -> bool {
        self.state().has_ended
    }

    /// From here on an end is no failure.
    pub(crate) fn begin_to_end(&self) {
        self.state().is_ending = true;
    }

    /// Whether the runtime's process runs.
    pub(crate) fn has_runtime(&self) -> bool {
        self.state().has_runtime
    }

    /// Waits until the runtime has ended.
    pub(crate) async fn runtime_gone(&self) {
        self.gone(|state| !state.has_runtime).await;
    }

    /// Tells everybody concerned that everything ends, those who are still at work as soon as they ask, and waits until
    /// they have ended.
    pub(crate) async fn shut_down(&self, deadline_ms: i64, reason: Reason) {
        self.gone(|state| {
            state.tell(Kind::Shutdown, &What::Shutdown { deadline_ms, reason });
            state.all.iter().all(|extension| !extension.is_alive || !extension.events.contains(&Kind::Shutdown))
        })
        .await;
    }

    async fn gone(&self, holds: impl Fn(&mut State) -> bool) {
        loop {
            let changed = self.changed.notified();
            if holds(&mut self.state()) {
                return;
            }
            changed.await;
        }
    }

    /// What became of each, for the log.
    pub(crate) fn statuses(&self) -> Vec<Record> {
        let state = self.state();
        let status = |extension: &Extension| Record::Extension {
            name: extension.name.clone(),
            state: extension.phase.name().to_owned(),
            events: extension.events.iter().map(|kind| kind.name().to_owned()).collect(),
            error_type: extension.reported.as_ref().map(|(_, error_type)| error_type.clone()),
        };
        state.all.iter().map(status).collect()
    }
}

impl State {
    fn identifier(&mut self) -> Uuid {
        self.given += 1;
        // A random identifier stays one when some of its random bits change.
        Uuid::from_u128(self.seed ^ self.given)
    }

    fn add_internal(&mut self, name: &str) -> Result<usize, Refused> {
        if self.phase > StartPhase::Registering {
            return Err(Refused::RegistrationClosed);
        }
        if self.all.len() >= limits::EXTENSIONS {
            return Err(Refused::TooMany);
        }
        if self.all.iter().any(|extension| extension.name == name) {
            return Err(Refused::NameTaken);
        }
        let id = self.identifier();
        self.all.push(Extension {
            id,
            name: name.to_owned(),
            output: None,
            phase: Phase::Started,
            events: Vec::new(),
            reported: None,
            is_alive: false,
            knows_end: false,
        });
        Ok(self.all.len() - 1)
    }

    /// The extension that was given this identifier.
    fn find(&mut self, id: Uuid) -> Result<&mut Extension, Refused> {
        let found = self.all.iter_mut().find(|extension| extension.id == id);
        found.filter(|extension| !matches!(extension.phase, Phase::Started)).ok_or(Refused::Unknown)
    }

    fn tell(&mut self, kind: Kind, what: &What) {
        for at in 0..self.all.len() {
            let extension = &self.all[at];
            if extension.is_ready() && extension.events.contains(&kind) && !extension.knows_end {
                let id = self.identifier();
                self.all[at].knows_end = kind == Kind::Shutdown;
                let phase = std::mem::replace(&mut self.all[at].phase, Phase::Running);
                if let Phase::Ready(wake) = phase {
                    // Where its connection has broken, it has missed the event.
                    let _ = wake.send(Notice { id, what: what.clone() });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Silent;

    impl engine::ports::Output for Silent {
        fn line(&self, _: &[u8]) {}
        fn record(&self, _: &Record) {}
    }

    fn extensions() -> Arc<Extensions> {
        Extensions::new(Facts::default(), Uuid::from_u128(0x1111_1111_1111_4111_8111_1111_1111_1111))
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn an_internal_extension_may_not_ask_for_shutdown() {
        let all = extensions();
        let refused = all.register("inside", &names(&["INVOKE", "SHUTDOWN"]));
        assert_eq!(refused, Err(Refused::Event { name: "SHUTDOWN".into(), is_known: true }));
        let refused = all.register("inside", &names(&["OTHER"]));
        assert_eq!(refused, Err(Refused::Event { name: "OTHER".into(), is_known: false }));
        assert!(all.register("inside", &names(&["INVOKE"])).is_ok());
        assert_eq!(all.register("inside", &[]), Err(Refused::NameTaken));
    }

    #[test]
    fn ten_may_register_and_each_has_an_identifier_of_its_own() {
        let all = extensions();
        let ids: std::collections::BTreeSet<Uuid> =
            (0..limits::EXTENSIONS).map(|n| all.register(&format!("e{n}"), &[]).unwrap()).collect();
        assert_eq!(ids.len(), limits::EXTENSIONS);
        assert!(ids.iter().all(|id| id.get_version_num() == 4));
        assert_eq!(all.register("one more", &[]), Err(Refused::TooMany));
    }

    #[tokio::test]
    async fn nobody_registers_after_the_runtime_is_ready() {
        let all = extensions();
        all.ready().await.unwrap();
        assert_eq!(all.register("late", &[]), Err(Refused::RegistrationClosed));
        assert!(!all.is_starting());
    }

    /// AWS's crate `lambda-extension` asks on after SHUTDOWN and ends when it is killed.
    #[tokio::test]
    async fn an_extension_hears_of_the_end_once() {
        let all = extensions();
        let (output, _writer) = OutputPipe::new(Arc::new(Silent)).unwrap();
        all.expect("outside", output);
        let id = all.register("outside", &names(&["SHUTDOWN"])).unwrap();
        let first = all.next(id).unwrap();
        let end = all.shut_down(7, Reason::Spindown);
        let asks = async {
            assert!(matches!(first.await.unwrap().what, What::Shutdown { deadline_ms: 7, reason: Reason::Spindown }));
            let mut second = all.next(id).unwrap();
            tokio::task::yield_now().await;
            assert!(second.try_recv().is_err(), "it is told again");
            all.exited(0, Exit::Status(0));
        };
        tokio::join!(end, asks);
    }

    #[tokio::test]
    async fn an_extension_is_asked_once_at_a_time() {
        let all = extensions();
        let id = all.register("inside", &names(&["INVOKE"])).unwrap();
        assert_eq!(all.next(Uuid::nil()).err(), Some(Refused::Unknown));
        let first = all.next(id).unwrap();
        assert_eq!(all.next(id).err(), Some(Refused::State { from: "Ready", to: "Ready" }));
        drop(first);
        let _again = all.next(id).unwrap();
        all.ready().await.unwrap();
        assert_eq!(all.report(id, ExtensionError::Init, "x"), Err(Refused::State { from: "Ready", to: "InitError" }));
        assert_eq!(all.report(id, ExtensionError::Exit, "x"), Ok(()));
        assert_eq!(all.report(id, ExtensionError::Exit, "y"), Ok(()), "only the first counts");
        let Record::Extension { error_type, .. } = all.statuses().remove(0) else { panic!("it is one") };
        assert_eq!(error_type.as_deref(), Some("x"));
    }
}
