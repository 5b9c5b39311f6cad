//! `lambd invoke`: the flags, the output, the error lines and the exit codes of `aws lambda invoke` (AWS CLI v2), except
//! that `--payload` takes plain text; plus a few friendly things: an outfile is optional, `-` is stdin or stdout, and
//! each error ends with a hint.

mod failure;
mod input;

use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use clap::builder::PossibleValuesParser;
use courier::client::{ClientError, Invocation, Invoked, LambdaClient, Target};

use super::output::{self, Format, TableStyle};
use super::query::Query;
use super::value::Value;
use failure::Failure;

/// Where an engine listens unless it is told otherwise.
pub(super) const DEFAULT_ENDPOINT: &str = "http://127.0.0.1:4566";

/// What the AWS CLI waits for a connection and for an answer.
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(1);

/// Exit codes beyond those of an error (AWS CLI user guide, "Return codes").
const FUNCTION_ERROR: u8 = 1;
const INTERRUPTED: u8 = 130;

/// Invoke a function
///
/// Calls the Lambda API of an engine on this machine, of another endpoint, or of AWS itself, with the flags and the
/// output of `aws lambda invoke`. The answer's metadata is printed on stdout and the payload is written to OUTFILE;
/// without OUTFILE the payload goes to stdout and the metadata to stderr.
///
/// Exit codes: 0 the function was invoked (also when it failed, see --fail-on-function-error), 252 a mistake on the
/// command line, 253 a missing region or credential, 254 the service refused, 255 anything else, 130 interrupted.
#[derive(Debug, Args)]
#[command(
    infer_long_args = true,
    args_override_self = true,
    override_usage = "lambd invoke --function-name <NAME> [OPTIONS] [OUTFILE]",
    after_long_help = EXAMPLES
)]
pub(super) struct Arguments {
    /// File that gets the payload of the answer; - or nothing for stdout
    #[arg(value_name = "OUTFILE")]
    outfile: Option<PathBuf>,

    /// Name, partial ARN or ARN of the function
    #[arg(long, value_name = "NAME", required = true)]
    function_name: String,

    /// RequestResponse, Event or DryRun
    #[arg(long, value_name = "TYPE")]
    invocation_type: Option<String>,

    /// Tail returns the last 4 KB of the log, base64
    #[arg(long, value_name = "TYPE")]
    log_type: Option<String>,

    /// Data about the client, base64 of a JSON document
    #[arg(long, value_name = "BASE64", allow_negative_numbers = true)]
    client_context: Option<String>,

    /// Name that the durable execution shall have
    #[arg(long, value_name = "NAME", allow_negative_numbers = true)]
    durable_execution_name: Option<String>,

    /// The event: JSON text, file://PATH, fileb://PATH, or - for stdin
    #[arg(long, value_name = "JSON", allow_negative_numbers = true)]
    payload: Option<String>,

    /// Version or alias to invoke
    #[arg(long, value_name = "VERSION|ALIAS", allow_negative_numbers = true)]
    qualifier: Option<String>,

    /// Tenant of a function with tenant isolation
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    tenant_id: Option<String>,

    /// End with exit code 1 when the function failed
    #[arg(long)]
    fail_on_function_error: bool,

    /// Where to call; else AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL or the profile's endpoint_url, else
    /// http://127.0.0.1:4566
    #[arg(long, value_name = "URL", help_heading = "Global options")]
    endpoint_url: Option<String>,

    /// Call AWS itself
    #[arg(long, conflicts_with = "endpoint_url", help_heading = "Global options")]
    aws: bool,

    /// The region; else AWS_REGION, AWS_DEFAULT_REGION or the profile's
    #[arg(long, value_name = "REGION", help_heading = "Global options")]
    region: Option<String>,

    /// The profile of ~/.aws/config and ~/.aws/credentials
    #[arg(long, value_name = "PROFILE", help_heading = "Global options")]
    profile: Option<String>,

    /// Format of the metadata; else AWS_DEFAULT_OUTPUT or the profile's, else json
    #[arg(
        long,
        value_name = "FORMAT",
        value_parser = PossibleValuesParser::new(Format::NAMES),
        help_heading = "Global options"
    )]
    output: Option<String>,

    /// JMESPath expression that picks from the metadata
    #[arg(long, value_name = "JMESPATH", help_heading = "Global options")]
    query: Option<String>,

    /// Send requests without signature
    #[arg(long, help_heading = "Global options")]
    no_sign_request: bool,

    /// How --payload is written: raw-in-base64-out (plain text, which is also the default here) or base64
    #[arg(
        long,
        value_name = "FORMAT",
        value_parser = PossibleValuesParser::new(["base64", "raw-in-base64-out"]),
        hide_possible_values = true,
        help_heading = "Global options"
    )]
    cli_binary_format: Option<String>,

    /// Seconds to wait for an answer; 0 waits without limit [default: 60]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, help_heading = "Global options")]
    cli_read_timeout: Option<String>,

    /// Seconds to wait for a connection; 0 waits without limit [default: 60]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, help_heading = "Global options")]
    cli_connect_timeout: Option<String>,

    /// File with the certificates to trust (PEM)
    #[arg(long, value_name = "FILE", help_heading = "Global options")]
    ca_bundle: Option<PathBuf>,

    /// Do not verify the server's certificate
    #[arg(long, help_heading = "Global options")]
    no_verify_ssl: bool,

    /// Colours of --output table
    #[arg(
        long,
        value_name = "WHEN",
        value_parser = PossibleValuesParser::new(["on", "off", "auto"]),
        default_value = "auto",
        help_heading = "Global options"
    )]
    color: String,

    /// Tell on stderr what is done
    #[arg(long, help_heading = "Global options")]
    debug: bool,

    /// Accepted because the AWS CLI has it: nothing here is paged
    #[arg(long, hide = true)]
    no_cli_pager: bool,

    /// Accepted because the AWS CLI has it: nothing here has pages
    #[arg(long, hide = true)]
    no_paginate: bool,

    /// Accepted because the AWS CLI has it: nothing here prompts
    #[arg(long, hide = true)]
    no_cli_auto_prompt: bool,
}

const EXAMPLES: &str = "\
Examples:
  lambd invoke --function-name hello --payload '{\"name\": \"Ada\"}' out.json
  lambd invoke --function-name hello --payload file://event.json
  echo '{}' | lambd invoke --function-name hello --payload - | jq .
  lambd invoke --function-name hello --log-type Tail --query LogResult --output text out.json | base64 -d
  lambd invoke --aws --profile work --function-name hello out.json";

/// Whether the user asked as the AWS CLI would be asked: `invoke help`.
pub(super) fn asks_for_help(arguments: &[OsString]) -> bool {
    arguments.len() == 3 && is_meant(arguments) && arguments[2] == "help"
}

/// Whether a command line is for this command.
pub(super) fn is_meant(arguments: &[OsString]) -> bool {
    arguments.get(1).is_some_and(|command| command == "invoke")
}

/// What `--help` prints.
pub(super) fn print_help() -> anyhow::Result<u8> {
    let lambd = super::command();
    let invoke = lambd.find_subcommand("invoke").expect("declared in cli");
    invoke.clone().print_long_help()?;
    Ok(0)
}

/// Runs the command; the result is the exit code.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    if arguments.debug {
        let filter = tracing_subscriber::EnvFilter::new("debug");
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the I/O runtime")?;
    let code = runtime.block_on(async {
        tokio::select! {
            done = invoke(arguments) => done.unwrap_or_else(Failure::report),
            _ = tokio::signal::ctrl_c() => {
                // The AWS CLI moves to a new line and says nothing more.
                let _ = writeln!(std::io::stdout());
                INTERRUPTED
            }
        }
    });
    // A thread may still be reading stdin; it must not keep us.
    runtime.shutdown_background();
    Ok(code)
}

/// The steps in the AWS CLI's order, for the first mistake found is the one reported.
async fn invoke(arguments: &Arguments) -> Result<u8, Failure> {
    let query = match &arguments.query {
        Some(expression) => Some(
            Query::parse(expression)
                .map_err(|reason| Failure::usage(format!("Bad value for --query {expression}: {reason}")))?,
        ),
        None => None,
    };
    if let Some(url) = &arguments.endpoint_url {
        input::check_scheme(url)?;
    }
    let read_timeout = input::timeout("read", arguments.cli_read_timeout.as_deref(), DEFAULT_TIMEOUT)?;
    let connect_timeout = input::timeout("connect", arguments.cli_connect_timeout.as_deref(), DEFAULT_TIMEOUT)?;
    let mut invocation = read_parameters(arguments).await?;

    let client = LambdaClient::connect(Target {
        endpoint_url: arguments.endpoint_url.clone(),
        aws: arguments.aws,
        default_endpoint: Some(DEFAULT_ENDPOINT.to_owned()),
        region: arguments.region.clone(),
        profile: arguments.profile.clone(),
        sign: !arguments.no_sign_request,
        connect_timeout,
        read_timeout,
        ca_bundle: arguments.ca_bundle.clone(),
        verify_tls: !arguments.no_verify_ssl,
    })
    .await
    .map_err(|error| Failure::of_client(&error, None))?;
    input::check_lengths(&invocation)?;
    if arguments.cli_binary_format.as_deref() == Some("base64") {
        input::decode_payload(arguments.payload.as_deref(), &mut invocation)?;
    }

    let payload = invocation.payload.clone();
    let mut answer = client
        .invoke(invocation)
        .await
        .map_err(|error| Failure::of_client(&error, Some(&client)).with_payload_hint(payload.as_deref()))?;
    let to_stdout = arguments.outfile.as_ref().is_none_or(|path| path.as_os_str() == "-");
    match &arguments.outfile {
        Some(path) if !to_stdout => {
            let cannot_write = |error: &std::io::Error| Failure::of_outfile(error, path);
            // Only now: a call that failed leaves the file as it was.
            let mut file = File::create(path).map_err(|error| cannot_write(&error))?;
            while let Some(bytes) = answer.payload.chunk().await.map_err(|error| cut_short(&error, &client))? {
                file.write_all(&bytes).map_err(|error| cannot_write(&error))?;
            }
        }
        _ => print_payload(&mut answer, &client).await?,
    }

    let failed = answer.function_error.is_some();
    print_metadata(&metadata(answer), arguments, query.as_ref(), &client, to_stdout)?;
    Ok(if failed && arguments.fail_on_function_error { FUNCTION_ERROR } else { 0 })
}

/// Each parameter may stand in a file (`file://`, `fileb://`).
async fn read_parameters(arguments: &Arguments) -> Result<Invocation, Failure> {
    let optional = |name: &str, value: &Option<String>| {
        value.as_deref().map(|value| input::text_parameter(name, value)).transpose()
    };
    Ok(Invocation {
        function_name: input::text_parameter("--function-name", &arguments.function_name)?,
        invocation_type: optional("--invocation-type", &arguments.invocation_type)?,
        log_type: optional("--log-type", &arguments.log_type)?,
        client_context: optional("--client-context", &arguments.client_context)?,
        durable_execution_name: optional("--durable-execution-name", &arguments.durable_execution_name)?,
        payload: match arguments.payload.as_deref() {
            None => None,
            Some("-") => Some(input::stdin().await?),
            Some(value) => Some(input::parameter("--payload", value)?),
        },
        qualifier: optional("--qualifier", &arguments.qualifier)?,
        tenant_id: optional("--tenant-id", &arguments.tenant_id)?,
    })
}

fn cut_short(error: &ClientError, client: &LambdaClient) -> Failure {
    Failure::of_client(error, Some(client)).with_hint("the function has run; the connection broke while it answered")
}

async fn print_payload(answer: &mut Invoked, client: &LambdaClient) -> Result<(), Failure> {
    let mut stdout = std::io::stdout();
    let mut last = b'\n';
    while let Some(bytes) = answer.payload.chunk().await.map_err(|error| cut_short(&error, client))? {
        last = bytes.last().copied().unwrap_or(last);
        still_read(stdout.write_all(&bytes))?;
    }
    // On a terminal the prompt shall not follow the payload on its line; elsewhere the payload is not touched.
    if last != b'\n' && stdout.is_terminal() {
        still_read(stdout.write_all(b"\n"))?;
    }
    still_read(stdout.flush())
}

fn print_metadata(
    metadata: &Value,
    arguments: &Arguments,
    query: Option<&Query>,
    client: &LambdaClient,
    to_stderr: bool,
) -> Result<(), Failure> {
    let name = arguments.output.clone();
    let name = name.or_else(|| client.setting("AWS_DEFAULT_OUTPUT", "output"));
    let name = name.unwrap_or_else(|| "json".to_owned());
    let format = Format::named(&name).ok_or_else(|| {
        Failure::general(format!("Unknown output type: {name}"))
            .with_hint(format!("the formats are {}", Format::NAMES.join(", ")))
    })?;
    let picked = match query {
        Some(query) => query.search(metadata).map_err(Failure::general)?,
        None => metadata.clone(),
    };
    let is_terminal = if to_stderr { std::io::stderr().is_terminal() } else { std::io::stdout().is_terminal() };
    let style = TableStyle {
        width: terminal_width(is_terminal),
        is_coloured: arguments.color == "on" || (arguments.color == "auto" && is_terminal),
    };
    let text = output::render(&picked, format, style).map_err(Failure::general)?;
    if to_stderr {
        still_read(std::io::stderr().write_all(text.as_bytes()))
    } else {
        let mut stdout = std::io::stdout();
        still_read(stdout.write_all(text.as_bytes()))?;
        still_read(stdout.flush())
    }
}

/// A reader that has gone away (`| head`) is no error.
fn still_read(written: std::io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::general(input::os_error(&error))),
        _ => Ok(()),
    }
}

fn terminal_width(is_terminal: bool) -> usize {
    let columns =
        if is_terminal { rustix::termios::tcgetwinsize(std::io::stdout()).map(|size| size.ws_col) } else { Ok(0) };
    match columns {
        Ok(columns) if columns > 0 => columns.into(),
        _ => 80,
    }
}

/// The answer without its payload, keys in the order of the service model.
fn metadata(answer: Invoked) -> Value {
    let mut fields = vec![("StatusCode".to_owned(), Value::Number(answer.status_code.into()))];
    let optional = [
        ("FunctionError", answer.function_error),
        ("LogResult", answer.log_result),
        ("ExecutedVersion", answer.executed_version),
        ("DurableExecutionArn", answer.durable_execution_arn),
    ];
    fields.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::Text(value?)))));
    Value::Object(fields)
}
