//! What the tests need beyond a Rust toolchain, set up once into `target/test-tools`: the AWS CLI, boto3, AWS's own
//! runtime clients for Python and Node, nextest. Versions are pinned in `xtask/tools`; where the machine's package
//! clients fetch them from is the machine's affair. What cannot be had is named, with why and how to get it.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use crate::process::{self, on_path, program, read, root, run, say};

/// The Python that awscli's pinned version asks for.
const PYTHON_MIN: (u32, u32) = (3, 10);
const PYTHONS: &[&str] = &["python3", "/usr/bin/python3", "python3.14", "python3.13", "python3.12", "python3.11"];
/// Where system packages put the AWS CLI; PATH comes last, since any `aws` may stand there.
const AWS_V2: &[&str] = &["/usr/bin/aws", "/usr/local/bin/aws"];

/// The tools, ready to be used.
pub(crate) struct Tools {
    /// `venv/` and `node_modules/` are in it.
    pub(crate) folder: PathBuf,
    /// The AWS CLI v2.
    pub(crate) aws_v2: PathBuf,
}

impl Tools {
    /// A program of the Python virtual environment.
    pub(crate) fn in_venv(&self, name: &str) -> PathBuf {
        self.folder.join("venv/bin").join(name)
    }
}

/// A thing of the system: what looks for it, the Debian package that has it, what it is for.
struct Need {
    name: &'static str,
    there: fn() -> bool,
    package: &'static str,
    purpose: &'static str,
}

const NEEDS: &[Need] = &[
    Need { name: "aws", there: || aws_v2().is_some(), package: "awscli", purpose: "AWS CLI v2, our reference" },
    Need { name: "python3", there: || python().is_some(), package: "python3-venv", purpose: "Python 3.10+ with venv" },
    Need { name: "node", there: || on_path("node").is_some(), package: "nodejs", purpose: "functions in Node" },
    Need { name: "npm", there: || on_path("npm").is_some(), package: "npm", purpose: "installs AWS's Node client" },
];

/// AWS's Node clients compile a part of themselves when they are installed.
const NATIVE_NEEDS: &[Need] = &[
    Need { name: "cmake", there: || on_path("cmake").is_some(), package: "cmake", purpose: NATIVE },
    Need { name: "g++", there: || on_path("g++").is_some(), package: "g++", purpose: NATIVE },
    Need { name: "make", there: || on_path("make").is_some(), package: "make", purpose: NATIVE },
    Need { name: "autoconf", there: || on_path("autoconf").is_some(), package: "autoconf", purpose: NATIVE },
    Need { name: "automake", there: || on_path("automake").is_some(), package: "automake", purpose: NATIVE },
    Need { name: "libtoolize", there: || on_path("libtoolize").is_some(), package: "libtool", purpose: NATIVE },
    Need { name: "xz", there: || on_path("xz").is_some(), package: "xz-utils", purpose: NATIVE },
];
const NATIVE: &str = "compiles AWS's Node runtime client";

const BENCH_NEEDS: &[Need] = &[
    Need {
        name: "wrk",
        there: || on_path("wrk").is_some(),
        package: "wrk",
        purpose: "makes the load of the benchmark",
    },
    Need { name: "python3", there: || python().is_some(), package: "python3-venv", purpose: "Python 3.10+ with venv" },
];

/// Sets up what is missing.
///
/// # Errors
/// Something cannot be had.
pub(crate) fn set_up() -> Result<Tools> {
    let folder = process::target().join("test-tools");
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    system(NEEDS)?;
    python_packages(&folder)?;
    node_packages(&folder)?;
    let aws_v2 = aws_v2().context("the AWS CLI v2 has gone again")?;
    Ok(Tools { folder, aws_v2 })
}

/// Only what `cargo xtask bench` uses; gives the Python that has AWS's runtime client.
///
/// # Errors
/// Something cannot be had.
pub(crate) fn python_for_bench() -> Result<PathBuf> {
    system(BENCH_NEEDS)?;
    let folder = process::target().join("test-tools");
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    python_packages(&folder)?;
    Ok(folder.join("venv/bin/python"))
}

fn system(needs: &[Need]) -> Result<()> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !(need.there)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
    if is_root() && on_path("apt-get").is_some() {
        let apt = |arguments: &[&str]| {
            let mut command = program("apt-get");
            command.env("DEBIAN_FRONTEND", "noninteractive").arg("-q").args(arguments);
            command
        };
        let mut install = vec!["install", "-y", "--no-install-recommends"];
        install.extend(&packages);
        run(&mut apt(&["update"])).and_then(|()| run(&mut apt(&install))).with_context(|| list(&missing))?;
    }
    let still: Vec<&Need> = missing.into_iter().filter(|need| !(need.there)()).collect();
    if still.is_empty() {
        return Ok(());
    }
    let why = if is_root() {
        "apt-get does not provide it"
    } else {
        "only root installs system packages, and you are not root"
    };
    let packages: Vec<&str> = still.iter().map(|need| need.package).collect();
    bail!(
        "{}\nwhy: {why}\nhow: sudo apt-get install {} (or what your system calls them), then run this again",
        list(&still),
        packages.join(" ")
    )
}

fn list(needs: &[&Need]) -> String {
    let mut text = "missing on this machine:".to_owned();
    for need in needs {
        write!(text, "\n  {} ({})", need.name, need.purpose).expect("writing to a String");
    }
    text
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

fn aws_v2() -> Option<PathBuf> {
    AWS_V2.iter().map(PathBuf::from).chain(on_path("aws")).find(|aws| {
        aws.is_file() && read(program(aws).arg("--version")).is_ok_and(|version| version.starts_with("aws-cli/2."))
    })
}

/// An interpreter that can make virtual environments: its own path, and its version.
fn python() -> Option<(PathBuf, String)> {
    let question = "import sys, venv, ensurepip; print(sys.executable); print('%d.%d.%d' % sys.version_info[:3])";
    PYTHONS.iter().find_map(|name| {
        let answer = read(program(name).args(["-c", question])).ok()?;
        let (path, version) = answer.trim().split_once('\n')?;
        let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
        let version_is = (numbers.next()?, numbers.next()?);
        (version_is >= PYTHON_MIN).then(|| (PathBuf::from(path), version.to_owned()))
    })
}

fn python_packages(folder: &Path) -> Result<()> {
    let wanted = root().join("xtask/tools/requirements.txt");
    let (python, version) = python().context("no Python has been found any more")?;
    let venv = folder.join("venv");
    let stamp = Stamp::of(&venv, &[&wanted], &format!("{} {version}", python.display()))?;
    if stamp.holds() {
        return Ok(());
    }
    say(&format!("setting up {} (once)", venv.display()));
    run(program(&python).args(["-m", "venv", "--clear"]).arg(&venv))?;
    run(program(venv.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
        .arg(&wanted))
    .with_context(|| {
        format!(
            "the Python packages of xtask/tools/requirements.txt cannot be had\nwhy: pip says so above\nhow: \
                 `{} -m pip install -r xtask/tools/requirements.txt` must work; pip's own settings (PIP_INDEX_URL, \
                 PIP_FIND_LINKS, pip.conf) say where from",
            python.display()
        )
    })?;
    stamp.set()
}

fn node_packages(folder: &Path) -> Result<()> {
    let files = ["package.json", "package-lock.json"].map(|name| root().join("xtask/tools").join(name));
    let node = read(program("node").args(["-p", "process.version + ' ' + process.execPath"]))?;
    let modules = folder.join("node_modules");
    let stamp = Stamp::of(&modules, &[&files[0], &files[1]], node.trim())?;
    if stamp.holds() {
        return Ok(());
    }
    say(&format!(
        "setting up {} (once; it compiles AWS's Node client, which takes a minute or two)",
        modules.display()
    ));
    system(NATIVE_NEEDS)?;
    for file in &files {
        let copy = folder.join(file.file_name().expect("files have names"));
        fs::copy(file, &copy).with_context(|| format!("writing {}", copy.display()))?;
    }
    let mut install = program("npm");
    install.current_dir(folder).args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
    // The headers that came with this Node spare node-gyp from fetching them.
    if let Some(prefix) = Path::new(node.trim().split_once(' ').map_or("", |(_, path)| path)).ancestors().nth(2)
        && prefix.join("include/node/node.h").is_file()
    {
        install.env("npm_config_nodedir", prefix);
    }
    let how = "why: npm says so above\nhow: `npm ci` in xtask/tools must work; npm's own settings (.npmrc) say where \
               from. Compiling the client needs Node's headers (node.h): Debian's libnode-dev, or a Node from \
               nodejs.org, which brings them";
    run(&mut install).with_context(|| format!("the Node packages of xtask/tools/package.json cannot be had\n{how}"))?;
    for compiled in ["aws-lambda-ric/rapid-client.node", "aws-lambda-ric-3/dist/rapid-client.node"] {
        ensure!(
            modules.join(compiled).is_file(),
            "npm has installed AWS's Node client without compiling it: node_modules/{compiled} is missing\nwhy: npm \
             did not run the install scripts\nhow: allow them (`npm config set ignore-scripts false`)"
        );
    }
    stamp.set()
}

/// A file inside a folder that says what the folder was made from.
struct Stamp {
    file: PathBuf,
    text: String,
}

impl Stamp {
    fn of(folder: &Path, sources: &[&Path], with: &str) -> Result<Self> {
        let mut text = format!("{with}\n");
        for source in sources {
            text += &fs::read_to_string(source).with_context(|| format!("reading {}", source.display()))?;
        }
        Ok(Self { file: folder.join(".made-from"), text })
    }

    fn holds(&self) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|text| text == self.text)
    }

    fn set(&self) -> Result<()> {
        fs::write(&self.file, &self.text).with_context(|| format!("writing {}", self.file.display()))
    }
}
