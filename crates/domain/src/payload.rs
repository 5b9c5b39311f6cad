//! Whether bytes are the JSON text that Lambda wants as an event, and AWS's words where they are not.
//!
//! AWS reads payloads with the Jackson parser and passes on its text. The prefix, the place and the three most
//! common sentences are Jackson's; for rarer mistakes the sentence is ours.

use crate::error::Refusal;

const SOURCE: &str = "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled)";

/// Checks that `bytes` are one JSON value in UTF-8. An empty payload is not: callers make it `{}` before.
///
/// # Errors
/// [`Refusal::PayloadNotJson`] with the reason and the place.
pub fn check(bytes: &[u8]) -> Result<(), Refusal> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(bad) => return Err(not_utf8(bytes, bad.valid_up_to())),
    };
    serde_json::from_str::<serde::de::IgnoredAny>(text).map(|_| ()).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let said = error.to_string();
        let said = said.split(" at line ").next().unwrap_or_default();
        let sentence = match bare_word(text, line, column) {
            Some(word) => format!(
                "Unrecognized token '{word}': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
            ),
            None => said.to_owned(),
        };
        refused(&sentence, line, column.max(1))
    })
}

/// Bytes that are not UTF-8: Jackson names an unexpected byte at the start of a value differently from one inside
/// a word (recorded: `test_lambda_invoke_payload_encoding_error`).
fn not_utf8(bytes: &[u8], at: usize) -> Refusal {
    let line = bytes[..at].split(|&c| c == b'\n').count();
    let column = at - bytes[..at].iter().rposition(|&c| c == b'\n').map_or(0, |newline| newline + 1) + 1;
    let byte = bytes[at];
    let in_word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || is_inside_string(&bytes[..at]));
    if in_word {
        // Jackson has already read the byte when it complains, so its column is one further.
        return refused(&format!("Invalid UTF-8 start byte {byte:#04x}"), line, column + 1);
    }
    refused(
        &format!(
            "Unexpected character ((CTRL-CHAR, code {byte})): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
        ),
        line,
        column,
    )
}

fn is_inside_string(before: &[u8]) -> bool {
    let mut inside = false;
    let mut escaped = false;
    for &c in before {
        match c {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            _ => {}
        }
    }
    inside
}

/// The unquoted word around the place where the parser stopped.
fn bare_word(text: &str, line: usize, column: usize) -> Option<&str> {
    let line = text.split('\n').nth(line.checked_sub(1)?)?;
    let at = column.saturating_sub(1).min(line.len());
    let in_word = |c: u8| c.is_ascii_alphanumeric() || c == b'_' || c == b'$';
    let bytes = line.as_bytes();
    let start = bytes[..at].iter().rposition(|&c| !in_word(c)).map_or(0, |before| before + 1);
    let end = bytes[at..].iter().position(|&c| !in_word(c)).map_or(bytes.len(), |after| at + after);
    // The column counts bytes, so it may lie inside a letter; no word is there then.
    let word = line.get(start..end)?;
    let quoted = start > 0 && bytes[start - 1] == b'"';
    (word.starts_with(|c: char| c.is_ascii_alphabetic()) && !quoted).then_some(word)
}

fn refused(sentence: &str, line: usize, column: usize) -> Refusal {
    Refusal::PayloadNotJson { reason: format!("{sentence}\n at {SOURCE}; line: {line}, column: {column}]") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(bytes: &[u8]) -> String {
        match check(bytes) {
            Err(Refusal::PayloadNotJson { reason }) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn recorded_texts_come_out_to_the_letter() {
        // Recorded: test_lambda_invoke_payload_encoding_error.
        let source =
            "\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: ";
        assert_eq!(reason(b"n\x87x"), format!("Invalid UTF-8 start byte 0x87{source}3]"));
        assert_eq!(
            reason(b"\x99x"),
            format!(
                "Unexpected character ((CTRL-CHAR, code 153)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false'){source}1]"
            )
        );
        // Observed on AWS: the newer text for a bare word.
        assert!(reason(b"value").starts_with(
            "Unrecognized token 'value': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')\n at [Source"
        ));
    }

    #[test]
    fn any_json_value_passes() {
        for json in ["null", "\"text\"", "3.5", "[]", "{\"a\":{\"b\":[1,2]}}", " true\n"] {
            assert_eq!(check(json.as_bytes()), Ok(()), "{json}");
        }
    }

    #[test]
    fn a_text_that_ends_within_a_string_is_told_and_not_died_of() {
        // The parser's column counts bytes: it may point into the middle of a letter.
        for cut in ["\"é", "{\"日", "\"é\\u00e", "é"] {
            assert!(check(cut.as_bytes()).is_err(), "{cut}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_or_read_but_never_crashes() {
        let _ = check("[".repeat(200_000).as_bytes());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
            let _ = check(&bytes);
        }

        #[test]
        fn no_text_that_is_almost_json_makes_it_panic(text in "[\"\\\\u0-9a-fé日{}:\n]{0,12}") {
            let _ = check(text.as_bytes());
        }
    }
}
