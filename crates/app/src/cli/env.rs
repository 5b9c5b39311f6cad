//! `lambd env`: what an SDK reads to call the engine instead of AWS.

use std::fmt::Write as _;
use std::io::Write as _;

use clap::{Args, ValueEnum};

use super::invoke::DEFAULT_ENDPOINT;

/// Print the variables that point an AWS SDK at the engine
///
/// For sh, bash and zsh: eval "$(lambd env)"
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The shell that shall read them
    #[arg(long, value_enum, default_value_t = Shell::Sh)]
    shell: Shell,
    /// Where the engine listens
    #[arg(long, value_name = "URL", default_value = DEFAULT_ENDPOINT)]
    endpoint_url: String,
    /// The region of the engine
    #[arg(long, default_value = "us-east-1")]
    region: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    /// sh, bash, zsh and their kin
    #[value(alias = "bash", alias = "zsh")]
    Sh,
    /// fish
    Fish,
    /// PowerShell
    #[value(alias = "pwsh")]
    Powershell,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let variables = [
        ("AWS_ENDPOINT_URL", arguments.endpoint_url.as_str()),
        ("AWS_REGION", &arguments.region),
        ("AWS_DEFAULT_REGION", &arguments.region),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ];
    let mut text = String::new();
    for (name, value) in variables {
        match arguments.shell {
            Shell::Sh => writeln!(text, "export {name}='{}'", value.replace('\'', r"'\''"))?,
            Shell::Fish => {
                writeln!(text, "set -gx {name} '{}'", value.replace('\\', r"\\").replace('\'', r"\'"))?;
            }
            Shell::Powershell => writeln!(text, "$Env:{name} = '{}'", value.replace('\'', "''"))?,
        }
    }
    // A token left over from another session would be sent along with these keys.
    text.push_str(match arguments.shell {
        Shell::Sh => "unset AWS_SESSION_TOKEN\n",
        Shell::Fish => "set -e AWS_SESSION_TOKEN\n",
        Shell::Powershell => "Remove-Item Env:AWS_SESSION_TOKEN -ErrorAction SilentlyContinue\n",
    });
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(0)
}
