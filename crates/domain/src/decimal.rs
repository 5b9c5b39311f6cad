//! Numbers as text without the formatting machinery, which costs several times as much: for what every invocation writes.

/// Adds a number to a text.
pub(crate) fn push_decimal(text: &mut String, number: u64) {
    if number > 9 {
        push_decimal(text, number / 10);
    }
    text.push(char::from(b"0123456789"[(number % 10) as usize]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_they_are_everywhere() {
        for number in [0, 7, 10, 99, 100, 1_769, u64::from(u32::MAX), u64::MAX] {
            let mut text = String::from("n=");
            push_decimal(&mut text, number);
            assert_eq!(text, format!("n={number}"));
        }
    }
}
