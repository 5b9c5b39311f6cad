//! Percent-encoding, decoded. Bytes that are no UTF-8 become U+FFFD, which no pattern of the model lets pass, so that the
//! caller reads a validation text and nothing is guessed.

use std::borrow::Cow;

/// A segment of a path: `%3A` is a colon, `+` is itself.
pub fn path_segment(text: &str) -> Cow<'_, str> {
    if text.contains('%') { decoded(text.as_bytes(), false) } else { Cow::Borrowed(text) }
}

/// A key or value of a query: as in a path, and `+` is a blank, as HTML forms write it.
pub fn query_item(text: &str) -> Cow<'_, str> {
    if text.contains(['%', '+']) { decoded(text.as_bytes(), true) } else { Cow::Borrowed(text) }
}

fn decoded(text: &[u8], plus_is_blank: bool) -> Cow<'static, str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        bytes.push(match (first, after) {
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    rest = after;
                    high << 4 | low
                }
                _ => b'%',
            },
            (b'+', _) if plus_is_blank => b' ',
            (other, _) => *other,
        });
    }
    Cow::Owned(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

fn digit(letter: u8) -> Option<u8> {
    char::from(letter).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_encode_is_decoded() {
        for (given, path, query) in [
            ("my-fn", "my-fn", "my-fn"),
            ("my%20fn%3aPROD", "my fn:PROD", "my fn:PROD"),
            ("a+b", "a+b", "a b"),
            ("%2F%2f", "//", "//"),
            ("100%", "100%", "100%"),
            ("%zz%4", "%zz%4", "%zz%4"),
            ("%ff", "\u{fffd}", "\u{fffd}"),
        ] {
            assert_eq!(path_segment(given), path);
            assert_eq!(query_item(given), query);
        }
    }
}
