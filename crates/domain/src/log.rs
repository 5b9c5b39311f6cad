//! The lines that the platform writes into a function's log, and the tail of it that a caller may ask for.
//!
//! Never here: where the lines are kept.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use crate::limits;
use crate::names::{RequestId, Version};

/// The name of an environment's log stream: `2024/04/23/[$LATEST]aa01…` (observed on AWS; recorded: `test_retries`).
pub fn stream_name(now: Timestamp, version: Version, random: Uuid) -> String {
    let day = now.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y/%m/%d");
    format!("{day}/[{version}]{}", random.as_simple())
}

/// `START RequestId: … Version: …`
pub fn start(request_id: RequestId, version: Version) -> String {
    format!("START RequestId: {request_id} Version: {version}\n")
}

/// `END RequestId: …`
pub fn end(request_id: RequestId) -> String {
    format!("END RequestId: {request_id}\n")
}

/// `INIT_START Runtime Version: …`
pub fn init_start(runtime_version: &str, runtime_arn: &str) -> String {
    format!("INIT_START Runtime Version: {runtime_version}\tRuntime Version ARN: {runtime_arn}\n")
}

/// How an invocation or an initialisation ended, where `REPORT` says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Well. Only the initialisation of a provisioned environment says so (AWS developer guide,
    /// lambda-runtime-environment).
    Success,
    /// Time was up.
    Timeout,
    /// The platform saw it fail, or its initialisation failed.
    Error(String),
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success => f.write_str("Status: success"),
            Self::Timeout => f.write_str("Status: timeout"),
            Self::Error(error_type) => write!(f, "Status: error\tError Type: {error_type}"),
        }
    }
}

/// Why an environment is initialised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Initialization {
    /// For an invocation that found none.
    #[default]
    OnDemand,
    /// To be there before any invocation.
    ProvisionedConcurrency,
}

impl Initialization {
    /// As `AWS_LAMBDA_INITIALIZATION_TYPE` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OnDemand => "on-demand",
            Self::ProvisionedConcurrency => "provisioned-concurrency",
        }
    }
}

/// The phase in which an initialisation ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitPhase {
    /// Before the invocation, on its own ten seconds.
    Init,
    /// Again, inside the invocation, on the function's timeout.
    Invoke,
}

/// `INIT_REPORT …`: written when an initialisation failed or timed out (AWS developer guide, lambda-runtime-environment).
pub fn init_report(took: Duration, phase: InitPhase, status: &Status) -> String {
    let phase = match phase {
        InitPhase::Init => "init",
        InitPhase::Invoke => "invoke",
    };
    format!("INIT_REPORT Init Duration: {} ms\tPhase: {phase}\t{status}\n", Milliseconds(took))
}

/// What `REPORT` says of one invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whose.
    pub request_id: RequestId,
    /// From the event to the runtime's next poll.
    pub duration: Duration,
    /// Of the initialisation before it, if there was one and it succeeded.
    pub init: Option<Duration>,
    /// Configured MB.
    pub memory_mb: u32,
    /// The most bytes that the environment has used so far.
    pub memory_used_bytes: u64,
    /// Where there is something to say; an error that the handler raised is not (recorded:
    /// `test_invocation_type_event_error`).
    pub status: Option<Status>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Billed Duration includes the initialisation since August 2025 and is rounded up
        // (AWS developer guide, lambda-runtime-environment; observed: 3.10 ms + 542.01 ms -> 546 ms).
        let billed = (self.duration + self.init.unwrap_or_default()).as_nanos().div_ceil(1_000_000);
        let used_mb = self.memory_used_bytes.div_ceil(limits::MIB);
        write!(
            f,
            "REPORT RequestId: {}\tDuration: {} ms\tBilled Duration: {billed} ms\tMemory Size: {} MB\tMax Memory Used: {used_mb} MB\t",
            self.request_id,
            Milliseconds(self.duration),
            self.memory_mb,
        )?;
        if let Some(init) = self.init {
            write!(f, "Init Duration: {} ms\t", Milliseconds(init))?;
        }
        match &self.status {
            Some(status) => writeln!(f, "{status}"),
            None => writeln!(f),
        }
    }
}

/// A length of time in milliseconds with two decimals.
struct Milliseconds(Duration);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hundredths = (self.0.as_nanos() + 5_000) / 10_000;
        write!(f, "{}.{:02}", hundredths / 100, hundredths % 100)
    }
}

/// The last 4 KB of an invocation's log. It begins at `START` and never begins inside a character.
#[derive(Debug, Default)]
pub struct Tail {
    bytes: Vec<u8>,
}

impl Tail {
    /// Adds to the end; what is older than the limit is forgotten.
    pub fn push(&mut self, line: &[u8]) {
        let line = &line[line.len().saturating_sub(limits::LOG_TAIL_BYTES)..];
        self.bytes.extend_from_slice(line);
        // Cut only when twice too long, so that a flood of lines costs no more than its own length.
        if self.bytes.len() > 2 * limits::LOG_TAIL_BYTES {
            self.cut();
        }
    }

    /// The tail as it is now, and an empty one from here on.
    pub fn take(&mut self) -> Vec<u8> {
        self.cut();
        let continues = |byte: &&u8| **byte & 0b1100_0000 == 0b1000_0000;
        let broken = self.bytes.iter().take(3).take_while(continues).count();
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.drain(..broken);
        bytes
    }

    fn cut(&mut self) {
        let surplus = self.bytes.len().saturating_sub(limits::LOG_TAIL_BYTES);
        self.bytes.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            request_id: RequestId(Uuid::nil()),
            duration: Duration::from_micros(3_010),
            init: None,
            memory_mb: 128,
            memory_used_bytes: 36 * limits::MIB - 5,
            status: None,
        }
    }

    const ID: &str = "00000000-0000-0000-0000-000000000000";

    #[test]
    fn report_lines_are_aws_lines() {
        // Recorded: test_invocation_type_event_error; AWS developer guide, lambda-runtime-environment.
        let warm = format!(
            "REPORT RequestId: {ID}\tDuration: 3.01 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t\n"
        );
        assert_eq!(report().to_string(), warm);
        let cold =
            Report { duration: Duration::from_micros(3_100), init: Some(Duration::from_micros(542_010)), ..report() };
        assert!(cold.to_string().contains("Billed Duration: 546 ms\t"), "{cold}");
        assert!(cold.to_string().ends_with("Max Memory Used: 36 MB\tInit Duration: 542.01 ms\t\n"), "{cold}");
        let timeout = Report { status: Some(Status::Timeout), ..report() };
        assert!(timeout.to_string().ends_with("36 MB\tStatus: timeout\n"), "{timeout}");
        let error = Report { status: Some(Status::Error("Runtime.ExitError".into())), ..report() };
        assert!(error.to_string().ends_with("36 MB\tStatus: error\tError Type: Runtime.ExitError\n"), "{error}");
    }

    #[test]
    fn the_stream_is_named_by_day_version_and_environment() {
        let now: Timestamp = "2024-04-23T10:00:00Z".parse().unwrap();
        let name = stream_name(now, Version::Latest, Uuid::from_u128(0xaa01_846e_bbac_447a_bcf2_0f17_cb27_c146));
        assert_eq!(name, "2024/04/23/[$LATEST]aa01846ebbac447abcf20f17cb27c146");
    }

    proptest::proptest! {
        #[test]
        fn the_tail_is_the_end_and_breaks_no_character(lines in proptest::collection::vec("[aé€😀]{0,600}", 0..40)) {
            let mut tail = Tail::default();
            let mut all = Vec::new();
            for line in &lines {
                tail.push(line.as_bytes());
                all.extend_from_slice(line.as_bytes());
            }
            let kept = tail.take();
            proptest::prop_assert!(all.ends_with(&kept));
            proptest::prop_assert!(std::str::from_utf8(&kept).is_ok());
            proptest::prop_assert!(kept.len() <= limits::LOG_TAIL_BYTES);
            proptest::prop_assert!(kept.len() + 3 >= all.len().min(limits::LOG_TAIL_BYTES));
        }
    }
}
