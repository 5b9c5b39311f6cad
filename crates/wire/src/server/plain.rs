//! The plainest request there is, read without the model: Invoke by a bare name, which says nothing but its type.
//!
//! Never here: a refusal. What is not plainly right goes the long way, which knows what is wrong with it.

use domain::limits;

use super::request::Parts;
use crate::generated::types::{InvocationRequest, InvocationType};

/// Reads it; none where there is more to read, or where something may be wrong.
pub(super) fn invoke(parts: &Parts<'_>) -> Option<InvocationRequest> {
    if parts.query.is_some() {
        return None;
    }
    let function_name = parts.labels.get("FunctionName").filter(|name| is_bare(name))?.to_owned();
    let mut asked = InvocationRequest { function_name, ..InvocationRequest::default() };
    for (name, value) in parts.headers {
        // All members that travel as headers begin alike: any other than the type is more to read, unless it is known to be
        // none.
        let Some(name) = name.as_str().strip_prefix("x-amz-") else { continue };
        asked.invocation_type = Some(match (name, value.as_bytes(), asked.invocation_type) {
            ("invocation-type", b"Event", None) => InvocationType::Event,
            ("invocation-type", b"RequestResponse", None) => InvocationType::RequestResponse,
            // What a signature is made of.
            ("date" | "content-sha256" | "security-token" | "user-agent", ..) => continue,
            _ => return None,
        });
    }
    Some(asked)
}

fn is_bare(name: &str) -> bool {
    let fits = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
    (1..=limits::FUNCTION_NAME_CHARS).contains(&name.len()) && name.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue, Method};

    use super::*;
    use crate::generated::operations::{Invoke, Operation};
    use crate::model::Location;
    use crate::server::{request, router};

    /// Whether it is read here; if so, as the long way reads it.
    fn is_plain(target: &str, headers: &[(&'static str, &str)]) -> bool {
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let path = format!("/2015-03-31/functions/{path}/invocations");
        let route = router::route(&Method::POST, &path, query).unwrap();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        let parts = Parts { labels: &route.labels, query, headers: &map, body: b"{}" };
        let plain = invoke(&parts);
        if let Some(plain) = &plain {
            assert_eq!(*plain, request::read::<Invoke>(&parts).unwrap(), "{target} {headers:?}");
        }
        plain.is_some()
    }

    #[test]
    fn what_is_read_is_what_the_model_reads() {
        let event = ("x-amz-invocation-type", "Event");
        let signed = [
            ("x-amz-date", "20261123T000000Z"),
            ("authorization", "AWS4-HMAC-SHA256 x"),
            ("x-amzn-trace-id", "Root=1"),
            event,
            ("x-amz-content-sha256", "x"),
        ];
        for headers in [&[][..], &[event], &[("x-amz-invocation-type", "RequestResponse")], &signed] {
            assert!(is_plain("fn-1_B", headers), "{headers:?}");
        }
    }

    #[test]
    fn what_says_more_or_is_wrong_goes_the_long_way() {
        for target in ["fn?Qualifier=1", "fn?", "fn:1", "a.b", "f%20n", &"f".repeat(65)] {
            assert!(!is_plain(target, &[]), "{target}");
        }
        let event = ("x-amz-invocation-type", "Event");
        for headers in [
            &[("x-amz-invocation-type", "event")][..],
            &[("x-amz-invocation-type", "DryRun")],
            &[event, event],
            &[("x-amz-log-type", "Tail")],
            &[event, ("x-amz-client-context", "e30=")],
        ] {
            assert!(!is_plain("fn", headers), "{headers:?}");
        }
    }

    #[test]
    fn no_member_is_overlooked() {
        for member in Operation::Invoke.spec().input.members() {
            match member.location {
                Location::Header("x-amz-invocation-type") | Location::Payload | Location::Query(_) => {}
                Location::Header(name) => assert!(!is_plain("fn", &[(name, "x")]), "{name}"),
                Location::Path(name) => assert_eq!(name, "FunctionName"),
                Location::Body => panic!("{} would have to be read from the body", member.name),
            }
        }
    }
}
