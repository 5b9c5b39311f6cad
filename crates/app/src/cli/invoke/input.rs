//! What the flags stand for: parameters in files, timeouts, base64; and the checks that the AWS CLI makes before it
//! calls (its `paramfile.py`, `customizations/globalargs.py` and `customizations/binaryformat.py`).

use std::time::Duration;

use courier::client::Invocation;
use data_encoding::BASE64;

use super::failure::Failure;
use crate::cli::value::python_repr;

/// A parameter: itself, the text of a file (`file://`) or its bytes (`fileb://`).
pub(super) fn parameter(name: &str, value: &str) -> Result<Vec<u8>, Failure> {
    let (path, is_text) = if let Some(path) = value.strip_prefix("file://") {
        (path, true)
    } else if let Some(path) = value.strip_prefix("fileb://") {
        (path, false)
    } else {
        return Ok(value.as_bytes().to_owned());
    };
    let path = expand(path);
    let refused = |reason: String| Failure::usage(format!("Error parsing parameter '{name}': {reason}"));
    let bytes = std::fs::read(&path).map_err(|error| {
        let failure =
            refused(format!("Unable to load paramfile {value}: {}: {}", os_error(&error), python_repr(&path)));
        match std::env::current_dir() {
            Ok(folder) if error.kind() == std::io::ErrorKind::NotFound && !path.starts_with('/') => {
                failure.with_hint(format!("looked in {}", folder.display()))
            }
            _ => failure,
        }
    })?;
    if !is_text {
        return Ok(bytes);
    }
    let text = String::from_utf8(bytes).map_err(|_| {
        refused(format!(
            "Unable to load paramfile ({path}), text contents could not be decoded.  If this is a binary file, please \
             use the fileb:// prefix instead of the file:// prefix."
        ))
    })?;
    // Python reads text with the line ends of every system.
    Ok(text.replace("\r\n", "\n").replace('\r', "\n").into_bytes())
}

/// A parameter that is text.
pub(super) fn text_parameter(name: &str, value: &str) -> Result<String, Failure> {
    let bytes = parameter(name, value)?;
    String::from_utf8(bytes)
        .map_err(|_| Failure::usage(format!("Error parsing parameter '{name}': the file is no text in UTF-8")))
}

/// All of stdin.
pub(super) async fn stdin() -> Result<Vec<u8>, Failure> {
    let read = tokio::task::spawn_blocking(|| {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin(), &mut bytes).map(|_| bytes)
    });
    let bytes = read.await.map_err(|error| Failure::general(error.to_string()))?;
    bytes.map_err(|error| {
        Failure::usage(format!("Error parsing parameter '--payload': Unable to read stdin: {}", os_error(&error)))
    })
}

/// Python's `os.path.expandvars(os.path.expanduser(path))`, without other users' homes.
#[expect(clippy::disallowed_methods, reason = "the user names the variables, in the path")]
fn expand(path: &str) -> String {
    let home = std::env::var("HOME").ok();
    let path = match (path.strip_prefix('~'), home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            home.trim_end_matches('/').to_owned() + rest
        }
        _ => path.to_owned(),
    };
    let mut expanded = String::new();
    let mut rest = path.as_str();
    while let Some(position) = rest.find('$') {
        expanded.push_str(&rest[..position]);
        let after = &rest[position + 1..];
        let braced = after.strip_prefix('{').and_then(|braced| braced.split_once('}'));
        let word = after.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(after.len());
        let (name, end) = braced.map_or((&after[..word], word), |(name, _)| (name, name.len() + 2));
        match std::env::var(name) {
            Ok(value) if !name.is_empty() => expanded.push_str(&value),
            _ => expanded.push_str(&rest[position..position + 1 + end]),
        }
        rest = &after[end..];
    }
    expanded + rest
}

/// A URL needs its scheme; the host is checked when the client is made.
pub(super) fn check_scheme(url: &str) -> Result<(), Failure> {
    let has_scheme = url.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && scheme.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '-' | '.'))
    });
    if has_scheme {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "Bad value for --endpoint-url \"{url}\": scheme is missing.  Must be of the form http://<hostname>/ or \
         https://<hostname>/"
    ))
    .with_hint(format!("perhaps --endpoint-url http://{url}")))
}

/// `None` means without limit.
pub(super) fn timeout(kind: &str, text: Option<&str>, default: Duration) -> Result<Option<Duration>, Failure> {
    let Some(text) = text else {
        return Ok(Some(default));
    };
    let seconds: i64 = text.trim().parse().map_err(|_| {
        Failure::general(format!("invalid literal for int() with base 10: {}", python_repr(text)))
            .with_hint(format!("--cli-{kind}-timeout takes a number of seconds"))
    })?;
    match u64::try_from(seconds) {
        Ok(0) => Ok(None),
        Ok(seconds) => Ok(Some(Duration::from_secs(seconds))),
        Err(_) => Err(Failure::general(format!(
            "Attempted to set {kind} timeout to {seconds}, but the timeout cannot be set to a value less than or equal \
             to 0."
        ))),
    }
}

/// The lengths that botocore checks by the service model before it calls.
pub(super) fn check_lengths(invocation: &Invocation) -> Result<(), Failure> {
    let parameters = [
        ("FunctionName", Some(&invocation.function_name)),
        ("DurableExecutionName", invocation.durable_execution_name.as_ref()),
        ("Qualifier", invocation.qualifier.as_ref()),
        ("TenantId", invocation.tenant_id.as_ref()),
    ];
    let lines: Vec<_> = parameters
        .into_iter()
        .filter(|(_, value)| value.is_some_and(String::is_empty))
        .map(|(name, _)| format!("Invalid length for parameter {name}, value: 0, valid min length: 1"))
        .collect();
    if lines.is_empty() {
        return Ok(());
    }
    Err(Failure::usage(format!("Parameter validation failed:\n{}", lines.join("\n"))))
}

/// `--cli-binary-format base64`: everything but the bytes of a `fileb://` is base64.
pub(super) fn decode_payload(written: Option<&str>, invocation: &mut Invocation) -> Result<(), Failure> {
    let is_bytes = written.is_some_and(|written| written.starts_with("fileb://"));
    if let Some(payload) = invocation.payload.as_mut().filter(|_| !is_bytes) {
        *payload = decode_base64(payload).ok_or_else(|| {
            Failure::general(format!("Invalid base64: \"{}\"", String::from_utf8_lossy(payload)))
                .with_hint("without --cli-binary-format base64 the payload is plain text")
        })?;
    }
    Ok(())
}

/// Python's `base64.b64decode`: letters beyond the alphabet are skipped, the padding must be there.
fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut letters: Vec<u8> = text
        .iter()
        .copied()
        .filter(|letter| letter.is_ascii_alphanumeric() || matches!(letter, b'+' | b'/' | b'='))
        .collect();
    // What follows complete padding is ignored.
    if let Some(padding) = letters.iter().position(|&letter| letter == b'=') {
        let end = padding.div_ceil(4) * 4;
        if letters[padding..].len() < end - padding || letters[padding..end].iter().any(|&letter| letter != b'=') {
            return None;
        }
        letters.truncate(end);
    }
    let mut lenient = data_encoding::Specification::new();
    lenient.symbols.push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    lenient.padding = Some('=');
    lenient.check_trailing_bits = false;
    lenient.encoding().ok()?.decode(&letters).ok()
}

/// Whether somebody encoded the payload for a client that wants it so.
pub(super) fn is_base64_of_json(payload: &[u8]) -> bool {
    BASE64
        .decode(payload.trim_ascii())
        .is_ok_and(|decoded| !decoded.is_empty() && serde_json::from_slice::<serde::de::IgnoredAny>(&decoded).is_ok())
}

/// An error of the operating system as Python prints it.
pub(super) fn os_error(error: &std::io::Error) -> String {
    let text = error.to_string();
    match error.raw_os_error() {
        Some(number) => {
            let text = text.strip_suffix(&format!(" (os error {number})")).unwrap_or(&text);
            format!("[Errno {number}] {text}")
        }
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_base64_as_python_does() {
        for (text, expected) in [
            ("e30=", Some("{}")),
            ("e 3\n0=", Some("{}")),
            ("***", Some("")),
            ("-5", None),
            ("e30", None),
            ("e30==", Some("{}")),
            ("e30=e30=", Some("{}")),
            ("e3==", Some("{")),
        ] {
            assert_eq!(decode_base64(text.as_bytes()).as_deref(), expected.map(str::as_bytes), "{text}");
        }
    }

    #[test]
    fn knows_a_scheme() {
        for url in ["http://x", "https://x/", "localhost:4566"] {
            assert!(check_scheme(url).is_ok(), "{url}");
        }
        for url in ["localhost", "127.0.0.1:4566", "", "//x"] {
            assert!(check_scheme(url).is_err(), "{url}");
        }
    }
}
