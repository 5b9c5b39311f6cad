//! `lambd up`: every function below a folder deployed, and again when its files change.
//!
//! It does what a client would do, through the same use cases.

mod folder;
mod package;
mod watch;

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use domain::arn::{Home, Target};
use domain::function::{Configuration, Function, NewFunction};
use domain::limits;
use domain::names::FunctionName;
use domain::runtime::Runtime;
use domain::variables::Variables;
use engine::access::{Action, Caller};
use engine::functions::Functions;
use engine::ports::{Clock, Sandbox};
use engine::tasks;
use tokio::sync::Mutex;

use self::folder::{Folder, Wanted};

/// Marks a function as ours, with the folder that it came from.
const TAG: &str = "lambd:folder";
/// How often a deployment looks whether the one before has come to its end.
const SETTLE_POLL: Duration = Duration::from_millis(5);
/// How much of a failed build's output is shown.
const BUILD_LINES: usize = 30;

/// Deploys the functions below one folder.
pub(crate) struct Up {
    root: PathBuf,
    home: Home,
    endpoint: String,
    functions: Arc<Functions>,
    sandbox: Arc<dyn Sandbox>,
    clock: Arc<dyn Clock>,
    /// What was last deployed, or tried, of each folder.
    seen: Mutex<BTreeMap<PathBuf, u64>>,
    /// Builds go one after the other: each uses the whole machine anyway.
    building: Mutex<()>,
}

/// What became of a folder.
enum Deployed {
    Created(Arc<Function>),
    Updated(Arc<Function>),
    Unchanged(Arc<Function>),
}

impl Up {
    pub(crate) fn new(
        (root, endpoint): (PathBuf, String),
        home: Home,
        functions: Arc<Functions>,
        (sandbox, clock): (Arc<dyn Sandbox>, Arc<dyn Clock>),
    ) -> Arc<Self> {
        Arc::new(Self {
            root,
            home,
            endpoint,
            functions,
            sandbox,
            clock,
            seen: Mutex::default(),
            building: Mutex::default(),
        })
    }

    /// Deploys what is there, and again what changes, for ever.
    pub(crate) async fn run(self: Arc<Self>) -> Result<()> {
        let changes = watch::Changes::below(&self.root)?;
        loop {
            self.clone().scan().await;
            changes.next().await;
        }
    }

    /// Looks at every folder once and deploys those whose files are not what was last deployed.
    async fn scan(self: Arc<Self>) {
        let root = self.root.clone();
        let Ok(found) = tasks::off_thread("looking for functions", move || {
            let found = folder::find(&root);
            found.into_iter().map(|found| (fingerprint(&found), found)).collect::<Vec<_>>()
        })
        .await
        else {
            return;
        };
        let mut names: BTreeMap<FunctionName, PathBuf> = BTreeMap::new();
        let mut paths = HashSet::new();
        for (fingerprint, found) in found {
            let path = match &found {
                Ok(folder) => folder.path.clone(),
                Err(unclear) => unclear.path.clone(),
            };
            paths.insert(path.clone());
            if let Ok(folder) = &found {
                if let Some(other) = names.insert(folder.name.clone(), path.clone()) {
                    names.insert(folder.name.clone(), other.clone());
                    self.say_once(&path, fingerprint, || {
                        format!("{} is left out: {} has the same name", path.display(), other.display())
                    })
                    .await;
                    continue;
                }
            }
            if self.seen.lock().await.insert(path.clone(), fingerprint) == Some(fingerprint) {
                continue;
            }
            match found {
                Ok(folder) => {
                    let up = self.clone();
                    tasks::spawn("deploying a function", async move { up.deploy_and_tell(folder).await }).detach();
                }
                Err(unclear) => {
                    say(&format!("{} is left out: {}", unclear.path.display(), unclear.why));
                }
            }
        }
        self.seen.lock().await.retain(|path, _| paths.contains(path));
        self.delete_missing(&paths).await;
    }

    async fn say_once(&self, path: &Path, fingerprint: u64, text: impl FnOnce() -> String) {
        if self.seen.lock().await.insert(path.to_owned(), fingerprint) != Some(fingerprint) {
            say(&text());
        }
    }

    /// Deletes the functions that were deployed from folders that are gone.
    async fn delete_missing(&self, paths: &HashSet<PathBuf>) {
        let Ok(page) = self.functions.list_functions(&Caller::Anyone, None, usize::MAX) else { return };
        let kept: HashSet<String> = paths.iter().map(|path| self.mark(path)).collect();
        for function in page.functions {
            let Some(mark) = mark_of(&function).filter(|mark| !kept.contains(*mark)) else { continue };
            let target = Target { arn: function.arn.clone(), qualifier: None };
            match self.functions.delete_function(&Caller::Anyone, &target).await {
                Ok(()) => say(&format!("{} is deleted: its folder {mark} is gone", function.arn.name)),
                Err(error) => say(&format!("{} cannot be deleted: {}", function.arn.name, wire::explain(error))),
            }
        }
    }

    /// What the tag says of a folder: its place below the root.
    fn mark(&self, path: &Path) -> String {
        let below = path.strip_prefix(&self.root).unwrap_or(path);
        if below.as_os_str().is_empty() { ".".to_owned() } else { below.display().to_string() }
    }

    async fn deploy_and_tell(&self, folder: Folder) {
        let begun = self.clock.elapsed();
        match self.deploy(&folder).await {
            Ok(Deployed::Created(function) | Deployed::Unchanged(function)) => {
                say(&format!(
                    "{} ({}) is ready, from {}",
                    folder.name,
                    function.configuration.runtime,
                    folder.path.display()
                ));
                self.print_commands(&folder);
            }
            Ok(Deployed::Updated(function)) => {
                let took = self.clock.elapsed().saturating_sub(begun).as_millis();
                say(&format!("{} ({}) is updated, in {took} ms", folder.name, function.configuration.runtime));
            }
            Err(error) => say(&format!("{} is left out: {error:#}", folder.path.display())),
        }
    }

    async fn deploy(&self, folder: &Folder) -> Result<Deployed> {
        let runtime = self.runtime(&folder.runtime).await?;
        if let Some(build) = &folder.description.build {
            self.build(folder, build).await?;
        }
        let packed = folder.clone();
        let zip = tasks::off_thread("packing a function", move || package::zip(&packed))
            .await
            .map_err(|fault| anyhow::anyhow!(fault.chain()))??;
        let configuration = self.configuration(folder, runtime)?;
        self.settle(&folder.name).await;
        let target = Target { arn: self.home.function_arn(&folder.name), qualifier: None };
        let told = |error| anyhow::anyhow!(wire::explain(error));
        let Ok(current) = self.functions.get_function(&Caller::Anyone, Action::GetFunction, &target) else {
            let tags = vec![(TAG.to_owned(), self.mark(&folder.path))];
            let new = NewFunction { arn: target.arn, configuration, tags };
            let created = self.functions.create_function(&Caller::Anyone, new, zip.into()).await.map_err(told)?;
            self.settle(&folder.name).await;
            return Ok(Deployed::Created(created));
        };
        if mark_of(&current).is_none() {
            bail!(
                "a function called {} exists that `up` did not deploy; delete it or give this one another name",
                folder.name
            );
        }
        let zip = Bytes::from(zip);
        let tried = self
            .functions
            .update_function_code(&Caller::Anyone, &target, zip.clone(), None, true)
            .await
            .map_err(told)?;
        let mut deployed = Deployed::Unchanged(current.clone());
        if tried.package != current.package {
            let updated =
                self.functions.update_function_code(&Caller::Anyone, &target, zip, None, false).await.map_err(told)?;
            self.settle(&folder.name).await;
            deployed = Deployed::Updated(updated);
        }
        if configuration != current.configuration {
            let edit = Box::new(move |_: &Configuration| Ok(configuration));
            let updated = self
                .functions
                .update_function_configuration(&Caller::Anyone, &target, edit, None)
                .await
                .map_err(told)?;
            self.settle(&folder.name).await;
            deployed = Deployed::Updated(updated);
        }
        Ok(deployed)
    }

    /// The runtime that a folder wants, if this machine has it.
    async fn runtime(&self, wanted: &Wanted) -> Result<Runtime> {
        match wanted {
            Wanted::Exactly(identifier) => {
                let runtime =
                    Runtime::parse(identifier).map_err(|refusal| anyhow::anyhow!(wire::explain(refusal.into())))?;
                self.sandbox.supports(runtime).await.map_err(|remedy| anyhow::anyhow!(remedy))?;
                Ok(runtime)
            }
            Wanted::Newest(family) => {
                let mut runtimes: Vec<Runtime> =
                    Runtime::all().filter(|runtime| runtime.identifier().starts_with(family)).collect();
                let number = |runtime: &Runtime| -> Vec<u32> {
                    runtime.version().split('.').map(|part| part.parse().unwrap_or(0)).collect()
                };
                runtimes.sort_by_key(|runtime| std::cmp::Reverse(number(runtime)));
                let mut remedy = format!("there is no {family} runtime");
                for runtime in runtimes {
                    match self.sandbox.supports(runtime).await {
                        Ok(()) => return Ok(runtime),
                        Err(missing) => remedy = missing,
                    }
                }
                bail!(remedy)
            }
        }
    }

    fn configuration(&self, folder: &Folder, runtime: Runtime) -> Result<Configuration> {
        let described = &folder.description;
        let told = |refusal: domain::Refusal| anyhow::anyhow!(wire::explain(refusal.into()));
        let variables = (!described.environment.is_empty())
            .then(|| Variables::new(described.environment.clone().into_iter().collect()))
            .transpose()
            .map_err(told)?;
        let configuration = Configuration {
            runtime,
            handler: folder.handler.clone(),
            role: format!("arn:{}:iam::{}:role/lambd-up", self.home.partition, self.home.account),
            description: described.description.clone().unwrap_or_default(),
            timeout_seconds: described.timeout.unwrap_or(limits::TIMEOUT_SECONDS_DEFAULT),
            memory_mb: described.memory.unwrap_or(limits::MEMORY_MB_DEFAULT),
            storage_mb: limits::STORAGE_MB_DEFAULT,
            variables,
            log_group: None,
            network: None,
        };
        if configuration.timeout_seconds == 0 || configuration.memory_mb < limits::MEMORY_MB_DEFAULT {
            bail!(
                "timeout takes 1 to {} seconds, memory {} to {} MB",
                limits::TIMEOUT_SECONDS_MAX,
                limits::MEMORY_MB_DEFAULT,
                limits::MEMORY_MB_MAX
            );
        }
        Ok(configuration)
    }

    /// Runs a folder's own build command.
    async fn build(&self, folder: &Folder, build: &str) -> Result<()> {
        let _alone = self.building.lock().await;
        say(&format!("{} is being built: {build}", folder.name));
        let output = tokio::process::Command::new("sh")
            .args(["-c", build])
            .current_dir(&folder.path)
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .context("running the build")?;
        if output.status.success() {
            return Ok(());
        }
        let mut lines: Vec<String> = [output.stdout, output.stderr]
            .iter()
            .flat_map(|text| String::from_utf8_lossy(text).lines().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        let shown = lines.split_off(lines.len().saturating_sub(BUILD_LINES)).join("\n  ");
        // What a shell answers when it does not find the command.
        if output.status.code() == Some(127) {
            bail!("its build needs a tool that is missing here: `{build}`\n  {shown}");
        }
        bail!("its build failed ({}): `{build}`\n  {shown}", output.status);
    }

    /// Waits until no work on a function is under way.
    async fn settle(&self, name: &FunctionName) {
        let target = Target { arn: self.home.function_arn(name), qualifier: None };
        while self
            .functions
            .get_function(&Caller::Anyone, Action::GetFunction, &target)
            .is_ok_and(|function| function.is_settling())
        {
            self.clock.wake_at(self.clock.elapsed() + SETTLE_POLL).await;
        }
    }

    /// The commands that invoke a function, ready to paste.
    fn print_commands(&self, folder: &Folder) {
        let event = folder.path.join("event.json");
        let payload = if event.is_file() { format!(" --payload fileb://{}", shell(&event)) } else { String::new() };
        let (endpoint, region, name) = (&self.endpoint, &self.home.region, &folder.name);
        let lambd = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("lambd"));
        let here = std::env::current_dir().unwrap_or_default();
        let lambd = shell(lambd.strip_prefix(&here).unwrap_or(&lambd));
        say(&format!(
            "  aws lambda invoke --endpoint-url {endpoint} --region {region} --no-sign-request --function-name {name}{payload} /dev/stdout"
        ));
        say(&format!("  {lambd} invoke --endpoint-url {endpoint} --function-name {name}{payload}"));
    }
}

/// What a function was deployed from, if it was by `up`.
fn mark_of(function: &Function) -> Option<&str> {
    function.tags.iter().find(|(key, _)| key == TAG).map(|(_, value)| value.as_str())
}

/// A path as one word for a shell.
fn shell(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@,+".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// One line on standard output. When it is closed there is nobody left to tell.
fn say(text: &str) {
    let _ = writeln!(anstream::stdout().lock(), "lambd: {text}");
}

/// Changes when a file of the folder does: names, sizes and times of everything but what the build makes.
fn fingerprint(found: &Result<Folder, folder::Unclear>) -> u64 {
    let mut hasher = DefaultHasher::new();
    match found {
        Ok(folder) => {
            let made: Vec<PathBuf> =
                folder.description.package.iter().flatten().map(|part| folder.path.join(part)).collect();
            let built = folder.description.build.is_some();
            hash_files(&folder.path, built, &made, 0, &mut hasher);
        }
        Err(unclear) => (&unclear.path, &unclear.why).hash(&mut hasher),
    }
    hasher.finish()
}

fn hash_files(path: &Path, built: bool, made: &[PathBuf], depth: usize, hasher: &mut DefaultHasher) {
    let Ok(entries) = std::fs::read_dir(path) else { return };
    let mut entries: Vec<std::fs::DirEntry> = entries.flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        let outputs = built && ["target", "node_modules", "dist", "build"].iter().any(|output| name == *output);
        let built_here = built && made.contains(&path);
        if outputs || built_here || [".git", ".lambd", "__pycache__"].iter().any(|other| name == *other) {
            continue;
        }
        let Ok(data) = std::fs::metadata(&path) else { continue };
        if data.is_dir() {
            if depth < 64 {
                hash_files(&path, built, made, depth + 1, hasher);
            }
        } else {
            (path, data.len(), data.modified().ok()).hash(hasher);
        }
    }
}
