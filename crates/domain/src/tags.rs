//! Tags of a function or a layer: keys with values, in the order in which they came.
//!
//! Never here: what has them.

use crate::error::Refusal;
use crate::limits;

/// Tags in order.
pub type Tags = Vec<(String, String)>;

/// The tags with more of them; of one key the newer value holds.
///
/// # Errors
/// No tag is added (recorded: `test_tag_exceptions`, `tag_empty_tags`), or there would be too many.
pub fn with(before: &[(String, String)], more: Tags) -> Result<Tags, Refusal> {
    if more.is_empty() {
        return Err(Refusal::NoTags);
    }
    let mut tags = before.to_vec();
    for (key, value) in more {
        match tags.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = value,
            None => tags.push((key, value)),
        }
    }
    if tags.len() > limits::TAGS { Err(Refusal::TooManyTags) } else { Ok(tags) }
}

/// The tags without those of some keys. One that is not there is as good as removed (recorded: `test_tag_exceptions`,
/// `untag_nomatch`).
pub fn without(before: &[(String, String)], keys: &[String]) -> Tags {
    before.iter().filter(|(key, _)| !keys.contains(key)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_newer_value_takes_the_place_of_the_older() {
        let before = tags(&[("a", "1"), ("b", "2")]);
        assert_eq!(with(&before, tags(&[("a", "3"), ("c", "4")])), Ok(tags(&[("a", "3"), ("b", "2"), ("c", "4")])));
        assert_eq!(without(&before, &["a".to_owned(), "none".to_owned()]), tags(&[("b", "2")]));
        assert_eq!(with(&before, Tags::new()), Err(Refusal::NoTags));
    }

    #[test]
    fn there_is_a_limit_that_a_known_key_does_not_reach() {
        let many: Tags = (0..limits::TAGS).map(|number| (number.to_string(), String::new())).collect();
        let full = with(&[], many).unwrap();
        assert!(with(&full, tags(&[("0", "new")])).is_ok());
        assert_eq!(with(&full, tags(&[("one more", "")])), Err(Refusal::TooManyTags));
    }
}
