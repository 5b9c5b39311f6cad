//! An ARN of something that another service has, taken apart.

/// Where a thing is, and which. `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arn<'a> {
    /// Empty where the service has none in its ARNs.
    pub(crate) region: &'a str,
    /// The account that owns it.
    pub(crate) account: &'a str,
    /// The rest, colons included.
    pub(crate) resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Reads one of a service; none where it is another's, or no ARN.
    pub(crate) fn read(text: &'a str, service: &str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let (head, _partition, found) = (parts.next()?, parts.next()?, parts.next()?);
        let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        (head == "arn" && found == service && !resource.is_empty()).then_some(Self { region, account, resource })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        let arn = |region, account, resource| Some(Arn { region, account, resource });
        for (text, service, expected) in [
            ("arn:aws:sqs:eu-west-1:111111111111:q", "sqs", arn("eu-west-1", "111111111111", "q")),
            ("arn:aws-cn:lambda:cn-north-1:1:function:f:live", "lambda", arn("cn-north-1", "1", "function:f:live")),
            ("arn:aws:sqs:eu-west-1:111111111111:q", "sns", None),
            ("arn:aws:sqs:eu-west-1:111111111111:", "sqs", None),
            ("arn:aws:sqs:eu-west-1", "sqs", None),
            ("http://sqs", "sqs", None),
        ] {
            assert_eq!(Arn::read(text, service), expected, "{text}");
        }
    }
}
