//! `cargo xtask bench [--short]`: the engine against the floor program (`bench/floor`: HTTP in, the body handed to a
//! polling runtime, HTTP out, nothing else), alternately in the same minutes, with the same runtime clients, as many
//! processes of them and the same payload; besides it what an idle engine takes and how soon it is ready. The figures
//! are compared with what `docs/promises.md` promises. With `--short` each takes seconds, and nothing is judged. With
//! `--many` only what ten thousand functions cost is measured, with `--events` only what events do.

mod events;
mod failures;
mod floor;
mod many;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value as Json;

use crate::process::{self, cargo, print, program, read, run, say};
use crate::served::Served;
use crate::test_tools;
use floor::Floor;

/// The functions that the data directory holds when readiness is measured.
const FUNCTIONS_AT_START: usize = 10;
/// Of a measured function, on both sides.
const FUNCTION_VARIABLES: &[(&str, &str)] = &[
    ("AWS_LAMBDA_FUNCTION_NAME", "echo"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1769"),
    ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
    ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/echo"),
    ("AWS_LAMBDA_LOG_STREAM_NAME", "bench"),
    ("AWS_REGION", "us-east-1"),
    ("AWS_DEFAULT_REGION", "us-east-1"),
    ("_HANDLER", "app.handler"),
];

/// At the default account concurrency AWS's rate limit, ten a second for each unit of it, would be what is measured.
const UNLIMITED: &[&str] = &["--account-concurrency", "100000"];
/// Of the host's files, an execution environment has these of its own.
const HIDDEN: &[&str] = &["/opt", "/tmp", "/var/runtime", "/var/task"];

/// How much is measured.
struct Size {
    /// Seconds of one round.
    round: u32,
    /// Rounds on each side.
    rounds: u32,
    restarts: usize,
}

const FULL: Size = Size { round: 2, rounds: 7, restarts: 15 };
const SHORT: Size = Size { round: 1, rounds: 1, restarts: 3 };

/// A runtime client: what it is called, and the clients at which it is loaded, each with what is promised there.
struct Measured {
    name: &'static str,
    loads: &'static [(u32, Promise)],
}

/// What is compared, and the worst that it may be against the floor.
#[derive(Clone, Copy)]
enum Promise {
    MedianAtMost(f64),
    RateAtLeast(f64),
}

const MEASURED: &[Measured] = &[
    Measured { name: "awslambdaric", loads: &[(1, Promise::MedianAtMost(1.5))] },
    Measured {
        name: "lambda_runtime",
        loads: &[(1, Promise::MedianAtMost(1.5)), (8, Promise::RateAtLeast(0.6)), (32, Promise::RateAtLeast(0.6))],
    },
];
const IDLE_MB_MAX: f64 = 20.0;
const READY_MS_MAX: f64 = 50.0;

/// A line of the result.
struct Figure {
    what: String,
    value: String,
    promise: String,
    kept: bool,
}

/// `cargo xtask bench [--short] [--many|--events]`
pub(crate) fn run_bench(arguments: &[String]) -> Result<()> {
    let (mut short, mut many_only, mut events_only) = (false, false, false);
    for argument in arguments {
        match argument.as_str() {
            "--short" => short = true,
            "--many" => many_only = true,
            "--events" => events_only = true,
            _ => bail!("`cargo xtask bench` takes --short, --many and --events, or nothing"),
        }
    }
    let (size, many) = if short { (&SHORT, &many::SHORT) } else { (&FULL, &many::FULL) };
    let events = if short { &events::SHORT } else { &events::FULL };
    let all = !many_only && !events_only;
    let bench = Bench::prepare(all)?;
    let mut figures = Vec::new();
    if all {
        for measured in MEASURED {
            figures.extend(bench.against_floor(measured, size)?);
        }
        figures.extend(bench.at_start(size)?);
        figures.extend(bench.after_failures(size)?);
    }
    if all || many_only {
        figures.extend(bench.many(many)?);
    }
    print("\n| promise | at most / at least | measured |  |\n|---|---|---|---|");
    let tell = |Figure { what, value, promise, kept }: &Figure| {
        print(&format!("| {what} | {promise} | {value} | {} |", if *kept { "kept" } else { "BROKEN" }));
    };
    figures.iter().for_each(tell);
    // What was measured is told, whatever comes of the rest.
    if all || events_only {
        bench.events(events, &mut |figure| {
            tell(&figure);
            figures.push(figure);
        })?;
    }
    let broken = figures.iter().filter(|figure| !figure.kept).count();
    if broken > 0 && !short {
        bail!("{broken} of {} promises are broken", figures.len());
    }
    Ok(())
}

/// The programs, built, and a folder for this run, which goes with it.
struct Bench {
    lambd: PathBuf,
    floor: PathBuf,
    durable: PathBuf,
    python: PathBuf,
    folder: PathBuf,
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            say(&format!("{} stays behind: {error}", self.folder.display()));
        }
    }
}

/// A function's bootstrap names our Python, so that it, and what it links to, must be seen from inside.
fn visible(path: &Path) -> Result<()> {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    for path in [path, &real] {
        if let Some(hidden) = HIDDEN.iter().find(|hidden| path.starts_with(hidden)) {
            bail!(
                "the Python that a measured function runs by would not be found\nwhy: {} is below {hidden}, of which \
                 an execution environment has its own\nhow: let CARGO_TARGET_DIR name a folder that is not below {}, \
                 and use a Python that is not either",
                path.display(),
                HIDDEN.join(", ")
            );
        }
    }
    Ok(())
}

impl Bench {
    /// With `runs_python` a function is measured whose interpreter is among the tools.
    fn prepare(runs_python: bool) -> Result<Self> {
        if runs_python {
            visible(&process::target())?;
        }
        let python = test_tools::python_for_bench()?;
        if runs_python {
            visible(&python)?;
        }
        run(cargo().args(["build", "--release", "--package", "app"]))?;
        let programs = process::target().join("bench");
        run(cargo()
            .args(["build", "--release", "--manifest-path", "bench/Cargo.toml", "--target-dir"])
            .arg(&programs))?;
        let folder = programs.join(format!("run-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        let bench = Self {
            lambd: process::target().join("release/lambd"),
            floor: programs.join("release/floor"),
            durable: programs.join("release/durable"),
            python,
            folder,
        };
        bench.write_bootstraps(&programs.join("release/echo"))?;
        Ok(bench)
    }

    /// One folder for each measured function, holding its bootstrap and what else it has.
    fn write_bootstraps(&self, echo: &Path) -> Result<()> {
        for measured in MEASURED {
            fs::create_dir_all(self.function(measured.name)).context("creating a function's folder")?;
        }
        let start = format!("#!/bin/sh\nexec {} -m awslambdaric \"$_HANDLER\"\n", self.python.display());
        let bootstrap = self.function("awslambdaric").join("bootstrap");
        fs::write(&bootstrap, start).context("writing a bootstrap")?;
        fs::set_permissions(&bootstrap, Permissions::from_mode(0o755)).context("making a bootstrap executable")?;
        let app = process::root().join("bench/app.py");
        fs::copy(app, self.function("awslambdaric").join("app.py")).context("copying bench/app.py")?;
        fs::copy(echo, self.function("lambda_runtime").join("bootstrap")).context("copying the echo program")?;
        Ok(())
    }

    fn function(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn serve(&self, data: &str) -> Result<Served> {
        let log = self.folder.join(format!("{data}.log"));
        Served::start(&self.lambd, &self.folder.join(data), &log, UNLIMITED)
    }

    /// Creates functions named NAME from the folders of measured ones.
    fn create(&self, served: &Served, functions: &[(String, &str)]) -> Result<()> {
        let mut command = program(&self.python);
        command.arg("bench/create_functions.py").arg(&served.endpoint);
        for (name, from) in functions {
            let folder = self.function(from);
            let mut files = vec![folder.join("bootstrap").display().to_string()];
            files.extend(Some(folder.join("app.py")).filter(|app| app.is_file()).map(|app| app.display().to_string()));
            command.arg(format!("{name}={}", files.join(",")));
        }
        read(&mut command).with_context(|| served.log())?;
        Ok(())
    }

    fn against_floor(&self, measured: &Measured, size: &Size) -> Result<Vec<Figure>> {
        let served = self.serve(&format!("data-{}", measured.name))?;
        self.create(&served, &[("echo".to_owned(), measured.name)])?;
        let mut figures = Vec::new();
        for (clients, promise) in measured.loads {
            say(&format!(
                "{}, {clients} at once: {} rounds of {} s on each side",
                measured.name, size.rounds, size.round
            ));
            let floor = Floor::start(&self.floor, &self.function(measured.name), *clients)?;
            // Environments, connections and branch predictors are warm before anything counts.
            self.load(&served, &floor, *clients, &Size { round: 1, rounds: 1, restarts: 0 })?;
            let sides = self.load(&served, &floor, *clients, size)?;
            figures.push(sides.figure(measured.name, *clients, *promise));
        }
        Ok(figures)
    }

    fn load(&self, served: &Served, floor: &Floor, clients: u32, size: &Size) -> Result<Sides> {
        let mut command = self.driver();
        command
            .args(["load", "--function", "echo", "--label", "lambd", "--endpoint", &served.endpoint])
            .args(["--b-function", "echo", "--b-label", "floor", "--b-endpoint", &floor.endpoint()])
            .args(["--concurrency", &clients.to_string(), "--duration", &size.round.to_string()])
            .args(["--repeat", &size.rounds.to_string(), "--pid", &served.id().to_string()]);
        for id in floor.ids() {
            command.args(["--b-pid", &id.to_string()]);
        }
        let text = read(&mut command).with_context(|| served.log())?;
        let mut lines = text.lines().map(|line| serde_json::from_str(line).context("reading what the driver prints"));
        let mut next = || lines.next().context("the driver printed too little")?;
        Ok(Sides { engine: next()?, floor: next()?, ratio: next()? })
    }

    fn driver(&self) -> std::process::Command {
        let mut command = program(&self.python);
        command.arg("bench/invoke_bench.py");
        command
    }

    /// Restarts over a data directory with functions: ready how soon, how large when idle.
    fn at_start(&self, size: &Size) -> Result<Vec<Figure>> {
        let served = self.serve("data-start")?;
        let functions: Vec<(String, &str)> =
            (0..FUNCTIONS_AT_START).map(|number| (format!("function-{number}"), "awslambdaric")).collect();
        self.create(&served, &functions)?;
        served.stop()?;
        say(&format!("{} restarts", size.restarts));
        let mut ready = Vec::new();
        let mut idle = Vec::new();
        for _ in 0..size.restarts {
            let served = self.serve("data-start")?;
            ready.push(served.ready_ms);
            let text = read(self.driver().args(["mem", &served.id().to_string()]))?;
            let tree: Json = serde_json::from_str(text.trim()).context("reading what the driver prints")?;
            ensure!(number(&tree, "processes") >= 2.0, "the engine runs without its spawner: {tree}");
            idle.push(number(&tree, "pss_mb"));
            served.stop()?;
        }
        let (ready, idle) = (median(&mut ready), median(&mut idle));
        Ok(vec![
            Figure {
                what: "idle engine with its spawner, PSS".to_owned(),
                value: format!("{idle:.1} MB"),
                promise: format!("{IDLE_MB_MAX} MB"),
                kept: idle <= IDLE_MB_MAX,
            },
            Figure {
                what: format!("ready after start, {FUNCTIONS_AT_START} functions, median of {}", size.restarts),
                value: format!("{ready:.1} ms"),
                promise: format!("{READY_MS_MAX} ms"),
                kept: ready <= READY_MS_MAX,
            },
        ])
    }
}

/// What the driver found: each side's medians over its rounds, and the median of the ratios of neighbouring rounds.
struct Sides {
    engine: Json,
    floor: Json,
    ratio: Json,
}

impl Sides {
    fn figure(&self, runtime: &str, clients: u32, promise: Promise) -> Figure {
        let errors = ["socket_errors", "timeouts", "http_errors"].map(|kind| number(&self.engine, kind)).iter().sum();
        let plural = if clients == 1 { "client" } else { "clients" };
        let (what, ratio, bound, kept, shown) = match promise {
            Promise::MedianAtMost(bound) => {
                let ratio = number(&self.ratio, "p50");
                ("p50", ratio, format!("{bound} × floor"), ratio <= bound, self.shown("p50_ms", "ms"))
            }
            Promise::RateAtLeast(bound) => {
                let ratio = number(&self.ratio, "rps");
                ("throughput", ratio, format!("{bound} × floor, no error"), ratio >= bound, self.shown("rps", "/s"))
            }
        };
        let cpu = |side: &Json| -> f64 {
            side["cpu_us_per_req"].as_array().into_iter().flatten().filter_map(Json::as_f64).sum()
        };
        Figure {
            what: format!("warm sync {what}, {runtime}, {clients} {plural}"),
            value: format!(
                "{ratio:.2} × ({shown}; {errors} errors; CPU {:.0} against {:.0} µs)",
                cpu(&self.engine),
                cpu(&self.floor)
            ),
            promise: bound,
            kept: kept && no(errors),
        }
    }

    fn shown(&self, name: &str, unit: &str) -> String {
        let digits = if unit == "ms" { 3 } else { 0 };
        let [engine, floor] = [&self.engine, &self.floor].map(|side| number(side, name));
        format!("{engine:.digits$} against {floor:.digits$} {unit}")
    }
}

fn no(errors: f64) -> bool {
    errors < 1.0
}

/// A number that the driver always gives; one that is not there breaks every promise.
fn number(object: &Json, name: &str) -> f64 {
    object[name].as_f64().unwrap_or(f64::NAN)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sides(p50: f64, rps: f64, timeouts: u32) -> Sides {
        Sides {
            engine: serde_json::json!({"p50_ms": 0.3, "rps": 3000.0, "socket_errors": 0, "timeouts": timeouts,
                "http_errors": 0, "cpu_us_per_req": [120.4]}),
            floor: serde_json::json!({"p50_ms": 0.2, "rps": 4000.0, "cpu_us_per_req": [60.0, 40.0]}),
            ratio: serde_json::json!({"p50": p50, "rps": rps}),
        }
    }

    #[test]
    fn promises_are_kept_or_broken() {
        let (median, rate) = (Promise::MedianAtMost(1.5), Promise::RateAtLeast(0.6));
        for (sides, promise, kept) in [
            (sides(1.5, 0.1, 0), median, true),
            (sides(1.51, 0.9, 0), median, false),
            (sides(9.0, 0.6, 0), rate, true),
            (sides(1.0, 0.59, 0), rate, false),
            (sides(1.0, 0.9, 1), rate, false),
            (sides(f64::NAN, 0.9, 0), median, false),
        ] {
            let figure = sides.figure("lambda_runtime", 8, promise);
            assert_eq!(figure.kept, kept, "{}: {}", figure.what, figure.value);
        }
        let figure = sides(1.234, 0.9, 0).figure("awslambdaric", 1, median);
        assert_eq!(figure.value, "1.23 × (0.300 against 0.200 ms; 0 errors; CPU 120 against 100 µs)");
    }

    #[test]
    fn a_python_that_functions_cannot_see_is_refused() {
        assert!(visible(Path::new("/usr/bin/env")).is_ok());
        assert!(visible(Path::new("/tmpfs/target")).is_ok());
        let refused = visible(Path::new("/tmp/clone/target")).unwrap_err().to_string();
        assert!(refused.contains("/tmp/clone/target is below /tmp,"), "{refused}");
        let link = visible(Path::new("/proc/self/root/tmp")).unwrap_err().to_string();
        assert!(link.contains("/tmp is below /tmp,"), "{link}");
    }

    #[test]
    fn the_middle_one() {
        assert!((median(&mut [3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!(median(&mut []).is_nan());
    }
}
