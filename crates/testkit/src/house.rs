//! A whole engine over fakes, for tests of its use cases.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::arn::{Home, Target};
use domain::concurrency::Limits;
use domain::function::{Configuration, Function, NewFunction};
use domain::names::{FunctionName, RequestId};
use domain::runtime::Runtime;
use domain::{Error, limits};
use engine::access::{Action, Caller};
use engine::admission::Admission;
use engine::catalog::Catalog;
use engine::deliveries::Deliveries;
use engine::environments::{Environments, Settings};
use engine::event_source_mappings::EventSourceMappings;
use engine::events::{self, Events, Inbox};
use engine::functions::Functions;
use engine::invoker::{Answered, Ask, Invoker, Streaming};
use engine::layers::Layers;
use engine::pollers::Pollers;
use engine::ports::{Clock, Dice, LayerRecords, MappingRecords, Packages, QueueSource, Records, Sandbox, Telemetry};
use engine::queues::Queues;

use crate::clock::HandClock;
use crate::courier::FakeCourier;
use crate::dice::LoadedDice;
use crate::events::MemoryEvents;
use crate::faulty::Faulty;
use crate::images::FakeImages;
use crate::layers::MemoryLayers;
use crate::objects::MemoryObjects;
use crate::queues::MemoryQueues;
use crate::sandbox::FakeSandbox;
use crate::telemetry::Remembered;

/// What a test may choose.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Concurrent executions of the account.
    pub account_concurrency: u32,
    /// Environments of the machine.
    pub environments_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { account_concurrency: limits::ACCOUNT_CONCURRENCY, environments_max: 100 }
    }
}

/// What outlives an engine: a second one over the same finds all of it.
#[derive(Clone)]
pub struct Outside {
    /// The functions on disk.
    pub records: Arc<dyn Records>,
    /// Their code.
    pub packages: Arc<dyn Packages>,
    /// The layers on disk.
    pub layers: Arc<dyn LayerRecords>,
    /// The events on disk.
    pub kept: Arc<Faulty>,
    /// Where deliveries go.
    pub courier: Arc<FakeCourier>,
    /// The clock.
    pub clock: Arc<HandClock>,
    /// The dice.
    pub dice: Arc<LoadedDice>,
}

impl Outside {
    /// Nothing yet but what is given; events in memory.
    pub fn new(records: Arc<dyn Records>, packages: Arc<dyn Packages>, layers: Arc<dyn LayerRecords>) -> Self {
        let clock = Arc::new(HandClock::default());
        let kept = Faulty::over(Arc::new(MemoryEvents::default()));
        let courier = FakeCourier::new(clock.clone());
        Self { records, packages, layers, kept, courier, clock, dice: Arc::default() }
    }
}

/// An engine with everything around it in the test's hands.
pub struct House {
    /// The clock, moved by hand.
    pub clock: Arc<HandClock>,
    /// What runs functions, or pretends to.
    pub sandbox: Arc<FakeSandbox>,
    /// What images there are.
    pub images: Arc<FakeImages>,
    /// What was logged and counted.
    pub telemetry: Arc<Remembered>,
    /// Where code may come from.
    pub objects: Arc<MemoryObjects>,
    /// The layers.
    pub layers: Arc<Layers>,
    /// The functions.
    pub functions: Arc<Functions>,
    /// Their environments.
    pub environments: Arc<Environments>,
    /// Their invocations.
    pub invoker: Arc<Invoker>,
    /// The queues, in memory.
    pub queues: Arc<Queues>,
    /// What they all look at.
    pub catalog: Arc<Catalog>,
    /// The events; [`House::start_events`] makes them run.
    pub events: Arc<Events>,
    /// Where they are kept.
    pub kept: Arc<Faulty>,
    /// Where deliveries go.
    pub courier: Arc<FakeCourier>,
    home: Home,
    dice: Arc<LoadedDice>,
}

impl House {
    /// Builds it over a store, with layers in memory.
    pub fn over(records: Arc<dyn Records>, packages: Arc<dyn Packages>, bounds: Bounds) -> Self {
        Self::with_layers((records, packages, Arc::new(MemoryLayers::default())), bounds)
    }

    /// Builds it over a store of layers, too.
    pub fn with_layers(
        (records, packages, layers): (Arc<dyn Records>, Arc<dyn Packages>, Arc<dyn LayerRecords>),
        bounds: Bounds,
    ) -> Self {
        Self::within(&Outside::new(records, packages, layers), bounds, events::Settings::default())
    }

    /// Builds it over everything that outlives it.
    pub fn within(outside: &Outside, bounds: Bounds, of_events: events::Settings) -> Self {
        let home = Home { partition: "aws".into(), region: "us-east-1".into(), account: "000000000000".into() };
        let (records, packages, layers) = (outside.records.clone(), outside.packages.clone(), outside.layers.clone());
        let (clock, dice) = (outside.clock.clone(), outside.dice.clone());
        let sandbox = FakeSandbox::new(clock.clone());
        let telemetry = Arc::new(Remembered::default());
        let (time, chance): (Arc<dyn Clock>, Arc<dyn Dice>) = (clock.clone(), dice.clone());
        let (box_, told): (Arc<dyn Sandbox>, Arc<dyn Telemetry>) = (sandbox.clone(), telemetry.clone());
        let admission = Arc::new(Admission::new(Limits { account: bounds.account_concurrency }));
        let catalog = Arc::new(Catalog::new(admission.clone()));
        let settings = Settings {
            environments_max: bounds.environments_max,
            keep_warm: Duration::from_mins(10),
            variables: Vec::new(),
        };
        let environments = Arc::new(Environments::new(
            settings,
            catalog.clone(),
            (box_.clone(), packages.clone(), told.clone()),
            (time.clone(), chance.clone()),
        ));
        let objects = Arc::new(MemoryObjects::default());
        let layers =
            Layers::new(home.clone(), (layers, packages.clone(), objects.clone()), (time.clone(), chance.clone()));
        let images = Arc::new(FakeImages::default());
        let functions = Functions::new(
            home.clone(),
            catalog.clone(),
            (records, packages),
            (box_.clone(), images.clone()),
            layers.clone(),
            (time.clone(), chance.clone()),
        );
        engine::tasks::spawn("keeping provisioned environments", environments.clone().keep_provisioned()).detach();
        let queues = Queues::new(home.clone(), Arc::new(MemoryQueues::default()), (time.clone(), chance.clone()));
        let invoker = Invoker::new(
            home.clone(),
            (catalog.clone(), admission, environments.clone()),
            (box_, told.clone()),
            (time.clone(), chance.clone()),
        );
        let (kept, courier) = (outside.kept.clone(), outside.courier.clone());
        let inbox = Inbox::new(kept.clone(), told.clone(), time.clone(), of_events);
        let deliveries = Deliveries::new(
            home.clone(),
            (catalog.clone(), inbox.clone()),
            kept.clone(),
            (queues.clone(), courier.clone()),
            (told, time),
        );
        let events = Events::new(home.clone(), (catalog.clone(), invoker.clone()), (inbox, deliveries), chance);
        Self {
            clock,
            sandbox,
            images,
            telemetry,
            objects,
            layers,
            functions,
            environments,
            invoker,
            queues,
            catalog,
            events,
            kept,
            courier,
            home,
            dice,
        }
    }

    /// Event source mappings that feed its functions.
    pub fn mappings(&self, records: Arc<dyn MappingRecords>, queues: Arc<dyn QueueSource>) -> Arc<EventSourceMappings> {
        let (time, chance): (Arc<dyn Clock>, Arc<dyn Dice>) = (self.clock.clone(), self.dice.clone());
        let pollers =
            Pollers::new((self.catalog.clone(), self.invoker.clone()), queues.clone(), (time.clone(), chance.clone()));
        let catalog = self.catalog.clone();
        EventSourceMappings::new(self.home.clone(), catalog, (records, queues), pollers, (time, chance))
    }

    /// Finds the events that are kept and runs them, as the engine does when it starts.
    pub async fn start_events(&self) {
        self.events.load().await.expect("the events can be read");
        engine::tasks::spawn("running events", self.events.clone().run()).detach();
    }

    /// Accepts an event, as Invoke does; the answer is its id.
    ///
    /// # Errors
    /// It was refused, or the engine failed.
    pub async fn send(&self, name: &str, payload: &'static str) -> Result<RequestId, Error> {
        let ask = self.ask(name, payload);
        let id = ask.request_id;
        self.events.invoke(&Caller::Anyone, ask).await.map(|_| id)
    }

    /// Moves the clock on by so many seconds, one at a time, with time for everything to go on between them.
    pub async fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            self.breathe().await;
            self.clock.advance(Duration::from_secs(1));
        }
        self.breathe().await;
    }

    /// The function that a name means.
    pub fn target(&self, name: &str) -> Target {
        self.home.read(name, None).expect("a test names functions rightly")
    }

    /// What CreateFunction is given for a plain Python function.
    pub fn new_function(&self, name: &str) -> NewFunction {
        NewFunction {
            arn: self.home.function_arn(&FunctionName::parse(name).expect("a test names functions rightly")),
            configuration: Configuration::new(
                Runtime::parse("python3.12").expect("a current runtime"),
                "app.handler".to_owned(),
                "arn:aws:iam::000000000000:role/r".to_owned(),
            ),
            tags: Vec::new(),
        }
    }

    /// Creates a plain function and waits until it is active.
    pub async fn create(&self, name: &str) -> Arc<Function> {
        let zip = crate::packages::zip_of(&[("app.py", 0o644, name.as_bytes())]);
        let new = self.new_function(name);
        self.functions
            .create_function(&Caller::Anyone, new, zip, false)
            .await
            .expect("a plain function can be created");
        self.settled(name).await
    }

    /// Waits until no work on a function is under way.
    pub async fn settled(&self, name: &str) -> Arc<Function> {
        loop {
            let found = self.functions.get_function(&Caller::Anyone, Action::GetFunction, &self.target(name));
            let (function, _) = found.expect("the function is there");
            if !function.is_settling() {
                return function;
            }
            tokio::task::yield_now().await;
        }
    }

    /// What a plain synchronous call asks.
    pub fn ask(&self, name: &str, payload: &'static str) -> Ask {
        Ask {
            target: self.target(name),
            request_id: RequestId(self.dice.uuid()),
            payload: Bytes::from_static(payload.as_bytes()),
            client_context: None,
            trace: None,
            tail: false,
        }
    }

    /// Invokes, as a caller would.
    ///
    /// # Errors
    /// The call was refused, or the engine failed.
    pub async fn invoke(&self, ask: Ask) -> Result<Answered, Error> {
        self.invoker.invoke(&Caller::Anyone, ask).await
    }

    /// Invokes, as a caller would who takes a stream.
    ///
    /// # Errors
    /// The call was refused, or the engine failed.
    pub async fn stream(&self, ask: Ask) -> Result<Streaming, Error> {
        self.invoker.invoke_with_response_stream(&Caller::Anyone, ask).await
    }

    /// Lets everything that can go on go on, without moving the clock.
    pub async fn breathe(&self) {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }
}
