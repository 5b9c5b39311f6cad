//! The engine's settings: one declaration each, from which the flag, its environment variable, the key in the settings
//! file and `--print-config` all come.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::builder::BoolishValueParser;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args};
use serde::{Deserialize, Serialize};

use crate::units::{Retention, Size};

/// Declares the settings. Each line: doc, name, flag, variable, type, default; and what else the flag has of its own.
macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $(#[flag($($more:tt)+)])? $name:ident, $flag:literal, $variable:literal, $value_name:literal: $type:ty = $default:expr;)+) => {
        /// The flags of `serve` and `up`.
        #[derive(Args, Clone, Debug, Default)]
        pub(crate) struct Flags {
            /// Read settings from this file (TOML; keys are the flags without the dashes in front)
            #[arg(long, env = "LAMBD_CONFIG", value_name = "FILE")]
            config: Option<PathBuf>,
            /// Print what holds, and where each value came from, and exit
            #[arg(long)]
            print_config: bool,
            /// Where another AWS service is served, such as s3=http://127.0.0.1:9000; may be given several times
            #[arg(long = "endpoint", env = "LAMBD_ENDPOINT", value_name = "SERVICE=URL", value_delimiter = ',')]
            endpoints: Vec<Endpoint>,
            /// A port of this machine's loopback that isolated functions have on theirs, too; may be given several times
            #[arg(long = "host-port", env = "LAMBD_HOST_PORT", value_name = "PORT", value_delimiter = ',')]
            host_ports: Vec<u16>,
            $(
                $(#[doc = $doc])+
                #[arg(long = $flag, env = $variable, value_name = $value_name $(, $($more)+)?)]
                $name: Option<$type>,
            )+
        }

        /// The settings file.
        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        struct File {
            #[serde(default)]
            runtimes: BTreeMap<String, Runtime>,
            #[serde(default)]
            endpoints: BTreeMap<String, String>,
            #[serde(default)]
            host_port: Vec<u16>,
            $($name: Option<$type>,)+
        }

        /// What holds.
        #[derive(Clone, Debug)]
        pub(crate) struct Settings {
            /// Interpreters named by hand, by runtime identifier.
            pub(crate) runtimes: BTreeMap<String, Runtime>,
            /// Where other services are served, by the name that AWS's settings have for them: `s3`.
            pub(crate) endpoints: BTreeMap<String, String>,
            /// Ports of this machine's loopback that isolated functions have.
            pub(crate) host_ports: BTreeSet<u16>,
            $($(#[doc = $doc])+ pub(crate) $name: $type,)+
            origins: Vec<(&'static str, String, String)>,
        }

        impl Settings {
            fn merge(flags: Flags, matches: &ArgMatches, file: File, file_name: &str, places: &Places) -> Result<Self> {
                let mut origins = Vec::new();
                $(
                    let key: &'static str = $flag;
                    let (value, origin) = match (flags.$name, file.$name) {
                        (Some(value), _) => match matches.value_source(stringify!($name)) {
                            Some(ValueSource::EnvVariable) => (value, format!("environment variable {}", $variable)),
                            _ => (value, format!("flag --{key}")),
                        },
                        (None, Some(value)) => (value, format!("file {file_name}")),
                        (None, None) => {
                            let default: fn(&Places) -> $type = $default;
                            (default(places), "default".to_owned())
                        }
                    };
                    let shown = toml::Value::try_from(&value).with_context(|| format!("showing the setting {key}"))?;
                    origins.push((key, shown.to_string(), origin));
                    let $name = value;
                )+
                let mut endpoints = file.endpoints;
                endpoints.extend(flags.endpoints.into_iter().map(|Endpoint(service, url)| (service, url)));
                let host_ports = file.host_port.into_iter().chain(flags.host_ports).collect();
                Ok(Self { runtimes: file.runtimes, endpoints, host_ports, $($name,)+ origins })
            }
        }
    };
}

settings! {
    /// Where the AWS API is answered; port 0 takes any free one
    listen, "listen", "LAMBD_LISTEN", "IP:PORT": SocketAddr = |_| SocketAddr::from(([127, 0, 0, 1], 4566));
    /// Where health, metrics and the admin API are answered
    admin_listen, "admin-listen", "LAMBD_ADMIN_LISTEN", "IP:PORT": SocketAddr = |_| SocketAddr::from(([127, 0, 0, 1], 4567));
    /// Where functions and their code are kept
    data_dir, "data-dir", "LAMBD_DATA_DIR", "DIR": PathBuf = |places| places.data_dir.clone();
    /// The account of every ARN, twelve digits
    account_id, "account-id", "LAMBD_ACCOUNT_ID", "DIGITS": String = |_| "000000000000".to_owned();
    /// The region of every ARN
    region, "region", "LAMBD_REGION", "REGION": String = |_| "us-east-1".to_owned();
    /// How well functions are isolated: sandbox, rootless, confined, process (not at all), or auto, the best to be had
    isolation, "isolation", "LAMBD_ISOLATION", "LEVEL": String = |_| "auto".to_owned();
    /// The least isolation with which the engine starts
    isolation_min, "isolation-min", "LAMBD_ISOLATION_MIN", "LEVEL": String = |_| "confined".to_owned();
    /// Concurrent executions of the account, as on AWS
    account_concurrency, "account-concurrency", "LAMBD_ACCOUNT_CONCURRENCY", "N": u32 = |_| domain::limits::ACCOUNT_CONCURRENCY;
    /// Execution environments that this machine bears, 1 to 100,000
    environments_max, "environments-max", "LAMBD_ENVIRONMENTS_MAX", "N": usize = |_| 2_000;
    /// Start environments before they are asked for, so that cold starts are short; isolated ones only; costs 10 MB for each Python that waits, 40 MB for each Node
    prestart, "prestart", "LAMBD_PRESTART", "BOOL": bool = |_| true;
    /// Seconds that an idle execution environment is kept, at most 604,800
    keep_warm_seconds, "keep-warm-seconds", "LAMBD_KEEP_WARM_SECONDS", "SECONDS": u64 = |_| 600;
    /// Seconds after which an event that failed is tried again; the second time it is twice that
    retry_base_seconds, "retry-base-seconds", "LAMBD_RETRY_BASE_SECONDS", "SECONDS": u64 = |_| 60;
    /// Events that are kept at most, dead ones included; beyond that they are refused with 503
    events_max, "events-max", "LAMBD_EVENTS_MAX", "N": u64 = |_| 10_000_000;
    /// How much of the disk stays free, such as 500MB: with less than that, events are refused with 503
    disk_reserve, "disk-reserve", "LAMBD_DISK_RESERVE", "SIZE": Size = |_| Size(1_000_000_000);
    /// Faults on purpose: events that come twice, are throttled, or are late, as in duplicate=0.1,throttle=0.05,delay=200ms
    fault, "fault", "LAMBD_FAULT", "NAME=VALUE": String = |_| String::new();
    /// Let the calendar be moved forward by POST /_lambd/clock/advance, for tests of retries and ages
    #[flag(num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    test_clock, "test-clock", "LAMBD_TEST_CLOCK", "BOOL": bool = |_| false;
    /// How long and up to which size in all execution logs are kept: 7d, 1GB, or both as in 7d,1GB
    log_retention, "log-retention", "LAMBD_LOG_RETENTION", "AGE,SIZE": Retention = |_| Retention::default();
    /// Seconds that running invocations get to finish after SIGTERM or Ctrl-C, at most 86,400
    drain_seconds, "drain-seconds", "LAMBD_DRAIN_SECONDS", "SECONDS": u64 = |_| 30;
    /// Print the functions' execution logs to standard error
    function_logs, "function-logs", "LAMBD_FUNCTION_LOGS", "BOOL": bool = |places| places.function_logs;
    /// What the engine logs to standard error: error, warn, info, debug, or a filter such as `sandbox=debug`
    log, "log", "LAMBD_LOG", "FILTER": String = |_| "warn".to_owned();
    /// How it logs
    log_format, "log-format", "LAMBD_LOG_FORMAT", "FORMAT": LogFormat = |_| LogFormat::Text;
}

/// More than the processes that Linux has by default.
const ENVIRONMENTS_MAX: u64 = 100_000;
/// A week.
const KEEP_WARM_SECONDS_MAX: u64 = 604_800;
/// The age that an event may have on AWS.
const RETRY_BASE_SECONDS_MAX: u64 = 21_600;
/// A day.
const DRAIN_SECONDS_MAX: u64 = 86_400;
/// What is too old is looked for once in an hour.
const LOG_AGE: RangeInclusive<Duration> = Duration::from_hours(1)..=Duration::from_hours(24 * 36_525);
/// Some segments have to fit.
const LOG_BYTES_MIN: u64 = 1_000_000;

/// How the engine's own log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// `SERVICE=URL`.
#[derive(Clone, Debug)]
struct Endpoint(String, String);

impl std::str::FromStr for Endpoint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (service, url) = text.split_once('=').ok_or("SERVICE=URL is needed, such as s3=http://127.0.0.1:9000")?;
        Ok(Self(service.to_owned(), url.to_owned()))
    }
}

/// One interpreter named by hand: `[runtimes."python3.12"]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Runtime {
    /// The interpreter.
    pub(crate) command: PathBuf,
    /// A folder with packages that functions of this runtime expect, such as boto3.
    pub(crate) packages: Option<PathBuf>,
}

/// Defaults that depend on the command.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// Of `data-dir`.
    pub(crate) data_dir: PathBuf,
    /// Of `function-logs`.
    pub(crate) function_logs: bool,
}

impl Places {
    /// The defaults of `serve`: `/var/lib/lambd` as root, else below `$XDG_DATA_HOME`.
    #[expect(clippy::disallowed_methods, reason = "the environment is read here and nowhere else")]
    pub(crate) fn of_serve(is_root: bool) -> Self {
        let below_home = || std::env::var("HOME").map(|home| PathBuf::from(home).join(".local/share"));
        let data_dir = if is_root {
            PathBuf::from("/var/lib/lambd")
        } else {
            let data_home = std::env::var("XDG_DATA_HOME").ok().filter(|home| home.starts_with('/')).map(PathBuf::from);
            data_home.or_else(|| below_home().ok()).unwrap_or_else(|| PathBuf::from(".")).join("lambd")
        };
        Self { data_dir, function_logs: false }
    }

    /// The defaults of `up DIR`.
    pub(crate) fn of_up(folder: &Path) -> Self {
        Self { data_dir: folder.join(".lambd"), function_logs: true }
    }
}

impl Flags {
    /// What holds: flag before variable before file before default.
    ///
    /// # Errors
    /// The file cannot be read, a key is unknown, a value makes no sense.
    pub(crate) fn settings(self, matches: &ArgMatches, places: &Places) -> Result<Settings> {
        let (file, name) = match &self.config {
            None => (File::default(), String::new()),
            Some(path) => {
                let name = path.display().to_string();
                let text =
                    std::fs::read_to_string(path).with_context(|| format!("cannot read the settings file {name}"))?;
                let file = toml::from_str(&text).with_context(|| format!("the settings file {name} is not right"))?;
                (file, name)
            }
        };
        let settings = Settings::merge(self, matches, file, &name, places)?;
        settings.check()?;
        Ok(settings)
    }

    /// Whether only to print.
    pub(crate) fn only_prints(&self) -> bool {
        self.print_config
    }
}

impl Settings {
    /// The variables by which functions find other services (AWS SDKs and Tools reference guide, "Service-specific
    /// endpoints").
    pub(crate) fn endpoint_variables(&self) -> impl Iterator<Item = (String, String)> {
        let variable = |service: &str| format!("AWS_ENDPOINT_URL_{}", service.to_ascii_uppercase().replace('-', "_"));
        self.endpoints.iter().map(move |(service, url)| (variable(service), url.clone()))
    }

    fn check(&self) -> Result<()> {
        if !domain::arn::is_account(&self.account_id) {
            bail!("--account-id takes twelve digits, not {:?}", self.account_id);
        }
        if !domain::arn::is_region(&self.region) {
            bail!("--region takes a region such as us-east-1, not {:?}", self.region);
        }
        for (flag, address) in [("listen", self.listen), ("admin-listen", self.admin_listen)] {
            if !address.ip().is_loopback() {
                bail!(
                    "--{flag} {address} is beyond loopback, where anyone could call: \
                     callers are not asked who they are yet; use an address such as 127.0.0.1:{}",
                    address.port()
                );
            }
        }
        let environments_max = u64::try_from(self.environments_max).unwrap_or(u64::MAX);
        for (flag, value, least, most) in [
            ("environments-max", environments_max, 1, ENVIRONMENTS_MAX),
            ("keep-warm-seconds", self.keep_warm_seconds, 0, KEEP_WARM_SECONDS_MAX),
            ("retry-base-seconds", self.retry_base_seconds, 0, RETRY_BASE_SECONDS_MAX),
            ("events-max", self.events_max, 1, u64::from(u32::MAX)),
            ("drain-seconds", self.drain_seconds, 0, DRAIN_SECONDS_MAX),
        ] {
            if !(least..=most).contains(&value) {
                bail!("--{flag} takes {least} to {most}, not {value}");
            }
        }
        if !LOG_AGE.contains(&self.log_retention.age) {
            bail!("--log-retention takes an age from 1h to 36525d, not {:?}", self.log_retention.to_string());
        }
        if self.log_retention.size.0 < LOG_BYTES_MIN {
            bail!("--log-retention takes a size from {} on, not {}", Size(LOG_BYTES_MIN), self.log_retention.size);
        }
        if let Err(mistake) = self.fault.parse::<domain::fault::Faults>() {
            bail!("--fault: {mistake}");
        }
        for (service, url) in &self.endpoints {
            let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
            if service.is_empty() || !service.bytes().all(fits) {
                bail!("--endpoint takes the name of a service in small letters, such as s3, not {service:?}");
            }
            let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")).unwrap_or_default();
            if host.is_empty() || host.starts_with('/') {
                bail!("--endpoint {service} takes a URL such as http://127.0.0.1:9000, not {url:?}");
            }
        }
        for port in &self.host_ports {
            // What functions have there themselves: name service, and the Runtime API.
            if matches!(port, 0 | 53 | 9001) {
                bail!("--host-port takes 1 to 65535 but 53 and 9001, which functions have of their own, not {port}");
            }
            if *port == self.listen.port() {
                bail!("--host-port {port} is where the engine itself is, which functions reach without it");
            }
        }
        for name in self.runtimes.keys() {
            if domain::runtime::Runtime::parse(name).is_err() {
                bail!("[runtimes.{name:?}] in the settings file names no runtime of Lambda");
            }
        }
        Ok(())
    }

    /// All settings as TOML, each with where it came from.
    pub(crate) fn print(&self) -> String {
        let mut text = String::new();
        for (key, value, origin) in &self.origins {
            writeln!(text, "{key} = {value}  # {origin}").expect("a String takes everything");
        }
        if !self.host_ports.is_empty() {
            let ports = toml::Value::from(self.host_ports.iter().map(|port| i64::from(*port)).collect::<Vec<_>>());
            writeln!(text, "host-port = {ports}").expect("a String takes everything");
        }
        if !self.endpoints.is_empty() {
            text.push_str("\n[endpoints]\n");
        }
        for (service, url) in &self.endpoints {
            let url = toml::Value::String(url.clone());
            writeln!(text, "{service} = {url}").expect("a String takes everything");
        }
        for (name, runtime) in &self.runtimes {
            let command = toml::Value::String(runtime.command.display().to_string());
            writeln!(text, "\n[runtimes.{name:?}]\ncommand = {command}").expect("a String takes everything");
            if let Some(packages) = &runtime.packages {
                let packages = toml::Value::String(packages.display().to_string());
                writeln!(text, "packages = {packages}").expect("a String takes everything");
            }
        }
        text
    }
}
