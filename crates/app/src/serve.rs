//! The engine, wired from top to bottom, from its settings to its ready lines and to its end.

use std::future::Future;
use std::io::Write as _;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use domain::arn::Home;
use domain::concurrency::Limits;
use engine::admission::Admission;
use engine::catalog::Catalog;
use engine::deliveries::Deliveries;
use engine::environments::{self, Environments};
use engine::event_source_mappings::EventSourceMappings;
use engine::events::{self, Events, Inbox};
use engine::functions::Functions;
use engine::invoker::Invoker;
use engine::layers::Layers;
use engine::pollers::Pollers;
use engine::ports::{
    Clock, Courier, Dice, EventRecords, LayerRecords, MappingRecords, Objects, Packages, Records, Sandbox, Telemetry,
};
use engine::queues::{Queues, RoutedSource};
use engine::tasks;
use sandbox::network::doors::Door;
use tokio::net::TcpListener;
use tokio::signal::unix;
use tokio::sync::watch;

use crate::admin::{self, Admin};
use crate::chance::{SystemClock, SystemDice};
use crate::config::{LogFormat, Settings};
use crate::fault_report::FaultReport;
use crate::isolation;
use crate::stderr::Stderr;
use crate::telemetry::Meters;
use crate::up::Up;

/// The argument that makes this program a spawner.
pub(crate) const SPAWNER: &str = "__spawner";
/// How often the engine ends environments that have been idle for too long and removes code that nothing uses.
const HOUSEKEEPING: Duration = Duration::from_secs(5);
/// How long work on other threads may go on after the end.
const LAST_WAIT: Duration = Duration::from_secs(1);
/// How often function logs are written out.
const LOG_PAUSE: Duration = Duration::from_millis(100);

/// Runs the engine until it is told to stop; with a folder, deploys the functions below it as well.
///
/// # Errors
/// Something that it needs cannot be had; nothing is served then.
pub(crate) fn run(settings: Settings, folder: Option<PathBuf>) -> Result<()> {
    sandbox::give_memory_back();
    let stderr = Stderr::start().context("starting the thread that writes standard error")?;
    log_to_stderr(&settings, &stderr)?;
    raise_file_limit();
    // One thread: waking another core costs more than any piece of an invocation (docs/decisions/one-thread.md).
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the asynchronous runtime")?;
    let served = runtime.block_on(serve(settings, folder, stderr.clone()));
    // Whoever looks at files or asks an interpreter on another thread may be at it for long, and nothing depends on it.
    runtime.shutdown_timeout(LAST_WAIT);
    stderr.finish();
    served
}

async fn serve(settings: Settings, folder: Option<PathBuf>, stderr: Stderr) -> Result<()> {
    let system_clock = Arc::new(SystemClock::new());
    let clock: Arc<dyn Clock> = system_clock.clone();
    let dice: Arc<dyn Dice> = Arc::new(SystemDice::default());
    let home = Home {
        partition: "aws".into(),
        region: settings.region.as_str().into(),
        account: settings.account_id.as_str().into(),
    };
    let listener = bind("api", "listen", settings.listen).await?;
    let admin_listener = bind("admin", "admin-listen", settings.admin_listen).await?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    let admin_endpoint = format!("http://{}", admin_listener.local_addr()?);

    let store = Arc::new(store::Store::open(&settings.data_dir, home.clone())?);
    let records: Arc<dyn Records> = store.clone();
    let packages: Arc<dyn Packages> = store.clone();
    let layer_records: Arc<dyn LayerRecords> = store.clone();
    let event_records: Arc<dyn EventRecords> = store.clone();
    let mapping_records: Arc<dyn MappingRecords> = store.clone();
    let queues = Queues::new(home.clone(), store, (clock.clone(), dice.clone()));
    let objects: Arc<dyn Objects> =
        Arc::new(courier::ObjectStore::new(settings.endpoints.get("s3").cloned(), settings.region.clone()));
    let logs = Arc::new(store::Logs::open(&settings.data_dir, log_bounds(&settings)?)?);
    let linux = Arc::new(sandbox::Linux::start(sandbox_settings(&settings)?, clock.clone()).await?);
    let report = linux.report().await;
    isolation::log(&report);
    let sandbox: Arc<dyn Sandbox> = linux.clone();
    let meters =
        Arc::new(Meters::new(report.level, settings.function_logs.then(|| stderr.clone())).keeping(logs.clone()));
    let telemetry: Arc<dyn Telemetry> = meters.clone();

    let admission = Arc::new(Admission::new(Limits { account: settings.account_concurrency }));
    let catalog = Arc::new(Catalog::new(admission.clone()));
    let environments = Arc::new(Environments::new(
        environments::Settings {
            environments_max: settings.environments_max,
            keep_warm: Duration::from_secs(settings.keep_warm_seconds),
            variables: std::iter::once(("AWS_ENDPOINT_URL".to_owned(), endpoint.clone()))
                .chain(settings.endpoint_variables())
                .collect(),
        },
        catalog.clone(),
        (sandbox.clone(), packages.clone(), telemetry.clone()),
        (clock.clone(), dice.clone()),
    ));
    let layers = Layers::new(home.clone(), (layer_records, packages.clone(), objects), (clock.clone(), dice.clone()));
    let functions = Functions::new(
        home.clone(),
        catalog.clone(),
        (records, packages),
        (sandbox.clone(), linux.clone()),
        layers.clone(),
        (clock.clone(), dice.clone()),
    );
    let invoker = Invoker::new(
        home.clone(),
        (catalog.clone(), admission, environments.clone()),
        (sandbox.clone(), telemetry.clone()),
        (clock.clone(), dice.clone()),
    );
    let queues_elsewhere = Arc::new(courier::Queues::new(&settings.endpoints, &settings.region));
    let courier: Arc<dyn Courier> =
        Arc::new(courier::Deliveries::new(&settings.endpoints, &settings.region, queues_elsewhere.clone()));
    let inbox = Inbox::new(event_records.clone(), telemetry.clone(), clock.clone(), event_settings(&settings));
    let deliveries = Deliveries::new(
        home.clone(),
        (catalog.clone(), inbox.clone()),
        event_records,
        (queues.clone(), courier),
        (telemetry, clock.clone()),
    );
    let events = Events::new(home.clone(), (catalog.clone(), invoker.clone()), (inbox, deliveries), dice.clone());
    let sources = RoutedSource::new(queues.clone(), queues_elsewhere);
    let pollers = Pollers::new((catalog.clone(), invoker.clone()), sources.clone(), (clock.clone(), dice.clone()));
    let mappings = EventSourceMappings::new(
        home.clone(),
        catalog.clone(),
        (mapping_records, sources),
        pollers,
        (clock.clone(), dice.clone()),
    );
    layers.load().await.map_err(|fault| anyhow::anyhow!(fault.chain()))?;
    functions.load().await.map_err(|fault| anyhow::anyhow!(fault.chain()))?;
    queues.load().await.map_err(|fault| anyhow::anyhow!(fault.chain()))?;
    events.load().await.map_err(|fault| anyhow::anyhow!(fault.chain()))?;
    mappings.load().await.map_err(|fault| anyhow::anyhow!(fault.chain()))?;

    let api = wire::server::Api::new(
        home.clone(),
        (functions.clone(), layers),
        (invoker.clone(), events.clone(), mappings.clone()),
        queues.clone(),
        (clock.clone(), dice),
    );
    let (stop, stopping) = watch::channel(false);
    if settings.test_clock {
        tracing::warn!("--test-clock: whoever reaches the admin listener can move the calendar forward");
    }
    let stocked = linux.clone();
    let admin = Admin {
        address: admin_listener.local_addr()?,
        meters: meters.clone(),
        logs: logs.clone(),
        catalog: catalog.clone(),
        home: home.clone(),
        events: events.clone(),
        clock: clock.clone(),
        test_clock: settings.test_clock.then_some(system_clock),
        isolation: serde_json::Value::from(isolation::as_json(&report)).to_string().into(),
        stock: Box::new(move || stocked.stock().unwrap_or_default()),
    };
    let admin = tasks::spawn("the admin listener", admin::serve(admin_listener, admin, stopped(&stopping)));
    let (visited, stopped_inside) = (api.clone(), stopping.clone());
    linux.serve_inside(
        listener.local_addr()?.port(),
        Arc::new(move |inside| {
            tasks::spawn("the API inside an environment", visited.clone().serve(inside, stopped(&stopped_inside)))
        }),
    );
    let api = tasks::spawn("the API", api.serve(listener, stopped(&stopping)));
    let mut faults = FaultReport::new(event_settings(&settings).faults, catalog.clone());
    faults.tell(clock.elapsed());
    tasks::spawn("telling of faults on purpose", faults.go_on(clock.clone())).detach();
    tasks::spawn("keeping provisioned environments", environments.clone().keep_provisioned()).detach();
    tasks::spawn("housekeeping", keep_house((catalog, environments, functions.clone()), (meters, logs), clock.clone()))
        .detach();
    tasks::spawn("sweeping queues", queues.clone().keep_house()).detach();
    tasks::spawn("writing function logs", write_logs(stderr.clone(), clock.clone())).detach();
    tasks::spawn("running events", events.clone().run()).detach();
    // From here on an end is an orderly one.
    let mut signals = Signals::watch()?;
    // Whoever has read that we are ready finds in the log what was said before.
    stderr.finish();
    say(&format!("api {endpoint}"))?;
    say(&format!("admin {admin_endpoint}"))?;
    if let Some(folder) = folder {
        let up = Up::new((folder, &settings.data_dir), (home, endpoint), functions, (sandbox, clock.clone()));
        tasks::spawn("deploying functions", up.run()).detach();
    }

    signals.next().await;
    let drain = Duration::from_secs(settings.drain_seconds);
    match invoker.running() {
        0 => tracing::info!("stopping"),
        running => tracing::warn!(
            "stopping: invocations that still run ({running}) get up to {} s; a second Ctrl-C ends them at once",
            drain.as_secs()
        ),
    }
    events.close();
    mappings.close();
    queues.stop();
    // Nobody listening any more means that both have ended already.
    let _ = stop.send(true);
    let ended = async {
        let _ = api.result().await;
        let _ = admin.result().await;
        // Some run on without a connection: their callers have left, or have their answers already.
        invoker.drained().await;
        events.drained().await;
        mappings.drained().await;
    };
    tokio::select! {
        () = ended => {}
        () = clock.wake_at(clock.elapsed() + drain) => tracing::warn!("invocations still run after {} s and are ended", drain.as_secs()),
        () = signals.next() => tracing::warn!("told to stop again: invocations that still run are ended"),
    }
    linux.stop().await;
    Ok(())
}

fn event_settings(settings: &Settings) -> events::Settings {
    events::Settings {
        retry_base: Duration::from_secs(settings.retry_base_seconds),
        events_max: settings.events_max,
        disk_reserve_bytes: settings.disk_reserve.0,
        // Read already: `Settings::check`.
        faults: settings.fault.parse().unwrap_or_default(),
    }
}

fn log_bounds(settings: &Settings) -> Result<store::LogBounds> {
    let age = settings.log_retention.age.try_into().context("reading --log-retention")?;
    Ok(store::LogBounds::new(age, settings.log_retention.size.0))
}

/// Each connection and each environment takes descriptors; what the machine allows at most is what the engine takes.
/// Functions get AWS's 1,024.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::warn!("the limit of open files stays at {:?}: {error}", limit.current);
    }
}

async fn bind(name: &str, flag: &str, address: std::net::SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address} for the {name}: is another engine running? --{flag} takes another address, port 0 any free one")
    })
}

/// SIGTERM and Ctrl-C, none of which is missed between two waits.
struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
}

impl Signals {
    fn watch() -> Result<Self> {
        let watch = |kind, name| unix::signal(kind).with_context(|| format!("watching for {name}"));
        let terminate = watch(unix::SignalKind::terminate(), "SIGTERM")?;
        Ok(Self { terminate, interrupt: watch(unix::SignalKind::interrupt(), "Ctrl-C")? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn stopped(stopping: &watch::Receiver<bool>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    let mut stopping = stopping.clone();
    Box::pin(async move {
        // The sender gone means the same: the engine ends.
        let _ = stopping.wait_for(|stop| *stop).await;
    })
}

async fn keep_house(
    (catalog, environments, functions): (Arc<Catalog>, Arc<Environments>, Arc<Functions>),
    (meters, logs): (Arc<Meters>, Arc<store::Logs>),
    clock: Arc<dyn Clock>,
) {
    loop {
        clock.wake_at(clock.elapsed() + HOUSEKEEPING).await;
        environments.reap();
        meters.forget(|name| catalog.get(name).is_none());
        logs.sweep(clock.now());
        if let Err(fault) = functions.sweep_packages().await {
            tracing::warn!("code that nothing uses stays on disk: {}", fault.chain());
        }
    }
}

async fn write_logs(stderr: Stderr, clock: Arc<dyn Clock>) {
    loop {
        clock.wake_at(clock.elapsed() + LOG_PAUSE).await;
        stderr.write_out();
    }
}

fn sandbox_settings(settings: &Settings) -> Result<sandbox::Settings> {
    let level = |flag: &str, text: &str| -> Result<sandbox::Isolation> {
        text.parse().map_err(|mistake: String| anyhow::anyhow!("--{flag}: {mistake}"))
    };
    let named = |runtime: crate::config::Runtime| sandbox::RuntimeSetting {
        command: runtime.command,
        packages: runtime.packages,
    };
    Ok(sandbox::Settings {
        data_dir: settings.data_dir.clone(),
        isolation: match settings.isolation.as_str() {
            "auto" => None,
            asked => Some(level("isolation", asked)?),
        },
        isolation_min: level("isolation-min", &settings.isolation_min)?,
        runtimes: settings.runtimes.clone().into_iter().map(|(name, runtime)| (name, named(runtime))).collect(),
        search_path: std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default(),
        home: std::env::var_os("HOME").map(PathBuf::from),
        own_paths: true,
        network: network_settings(settings),
        prestart: settings.prestart,
        spawner: sandbox::SpawnerCommand {
            // Not by its name: an upgrade may have put another program there, which speaks otherwise.
            program: PathBuf::from("/proc/self/exe"),
            arguments: vec![SPAWNER.into()],
        },
    })
}

fn network_settings(settings: &Settings) -> sandbox::NetworkSettings {
    let endpoints = settings.endpoints.values().filter_map(|url| Door::for_url(&url.parse().ok()?));
    let ports = settings.host_ports.iter().map(|port| Door::to_port(*port));
    sandbox::NetworkSettings {
        nat: true,
        doors: endpoints.chain(ports).collect(),
        resolv_conf: PathBuf::from("/etc/resolv.conf"),
    }
}

fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "lambd: {line}").and_then(|()| out.flush()).context("writing to standard output")
}

fn log_to_stderr(settings: &Settings, stderr: &Stderr) -> Result<()> {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_new(&settings.log)
        // Its source says the same again.
        .map_err(|mistake| anyhow::anyhow!("--log {:?} is no filter: {mistake}", settings.log))?;
    let filter = filter.add_directive(isolation::LOGGED.parse().context("reading a filter of our own")?);
    let stderr = stderr.clone();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(move || stderr.clone()).with_target(false);
    match settings.log_format {
        LogFormat::Text => log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}

/// What `lambd doctor` says.
pub(crate) struct Diagnosis {
    report: Option<sandbox::Report>,
    runtimes: Vec<sandbox::FoundRuntime>,
    environments_max: usize,
    /// Why `serve` would not start.
    pub(crate) refusal: Option<String>,
}

/// Finds out what this machine can do, by doing it.
///
/// # Errors
/// A setting makes no sense.
pub(crate) fn diagnose(settings: &Settings) -> Result<Diagnosis> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the asynchronous runtime")?;
    // A folder of its own: the engine may be running on the other one.
    let scratch = tempfile::tempdir().context("making a folder for the trial")?;
    let mut sandbox_settings = sandbox_settings(settings)?;
    scratch.path().clone_into(&mut sandbox_settings.data_dir);
    sandbox_settings.prestart = false;
    let environments_max = settings.environments_max;
    runtime.block_on(async {
        match sandbox::Linux::start(sandbox_settings, Arc::new(SystemClock::new())).await {
            Ok(linux) => {
                let (report, mut runtimes) = (linux.report().await, linux.found_runtimes().await);
                runtimes.sort_by_key(|found| (found.runtime.family(), found.runtime.version_numbers()));
                linux.stop().await;
                Ok(Diagnosis { report: Some(report), runtimes, environments_max, refusal: None })
            }
            Err(error) => {
                let error = anyhow::Error::new(error);
                Ok(Diagnosis {
                    report: None,
                    runtimes: Vec::new(),
                    environments_max,
                    refusal: Some(format!("{error:#}")),
                })
            }
        }
    })
}

impl Diagnosis {
    pub(crate) fn text(&self) -> String {
        use std::fmt::Write as _;
        let mut text = String::new();
        let mut line = |line: std::fmt::Arguments<'_>| writeln!(text, "{line}").expect("a String takes everything");
        if let Some(report) = &self.report {
            for told in isolation::as_lines(report) {
                line(format_args!("{told}"));
            }
            line(format_args!("environments at most: {}", self.environments_max));
            line(format_args!("runtimes:"));
            for found in &self.runtimes {
                line(format_args!("  {} {} ({})", found.runtime, found.command.display(), found.version));
            }
            line(format_args!("  provided.al2 provided.al2023 (the function's own bootstrap)"));
            line(format_args!("result: `lambd serve` can start"));
        }
        if let Some(refusal) = &self.refusal {
            line(format_args!("result: `lambd serve` would refuse to start: {refusal}"));
        }
        text
    }

    pub(crate) fn json(&self) -> String {
        let mut runtimes: serde_json::Map<String, serde_json::Value> = self
            .runtimes
            .iter()
            .map(|found| {
                let about = serde_json::json!({"command": found.command, "version": found.version});
                (found.runtime.to_string(), about)
            })
            .collect();
        for provided in ["provided.al2", "provided.al2023"] {
            runtimes.insert(provided.to_owned(), serde_json::json!({"command": "bootstrap"}));
        }
        let mut told = self.report.as_ref().map(isolation::as_json).unwrap_or_default();
        told.insert("environments_max".to_owned(), self.environments_max.into());
        told.insert("runtimes".to_owned(), runtimes.into());
        told.insert("refusal".to_owned(), self.refusal.clone().into());
        let json = serde_json::Value::from(told);
        format!("{json:#}\n")
    }
}
