//! Which operation a request asks for: one table from the model, read top to bottom in `generated::operations`.
//! A label is decoded only after the path has been split, since clients send whole ARNs as one segment.

use std::borrow::Cow;
use std::sync::LazyLock;

use http::Method;

use super::percent;
use crate::generated::operations::Operation;

/// An operation, and what the path says to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route<'p> {
    /// The operation.
    pub operation: Operation,
    /// The labels of its path, decoded.
    pub labels: Labels<'p>,
}

/// The values of a path's labels, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels<'p>(Vec<(&'static str, Cow<'p, str>)>);

impl Labels<'_> {
    /// The same, apart from the path they were read from.
    pub fn to_owned(&self) -> Labels<'static> {
        Labels(self.0.iter().map(|(label, value)| (*label, Cow::Owned(value.clone().into_owned()))).collect())
    }

    /// The value of that label.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(label, _)| *label == name).map(|(_, value)| value.as_ref())
    }
}

/// Why a request reaches no operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unroutable {
    /// The API has no such path.
    #[error("No operation of the Lambda API has the path {path}")]
    UnknownPath {
        /// The path, as it came.
        path: String,
    },
    /// The path is there, for other methods.
    #[error("The path {path} does not take {method}, only {}", listed(allowed))]
    MethodNotAllowed {
        /// The path, as it came.
        path: String,
        /// The method that came.
        method: Method,
        /// The methods that the path takes.
        allowed: Vec<Method>,
    },
}

fn listed(methods: &[Method]) -> String {
    methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ")
}

/// Finds the operation.
pub fn route<'p>(method: &Method, path: &'p str, query: Option<&str>) -> Result<Route<'p>, Unroutable> {
    if let Some(route) = invoke(method, path) {
        return Ok(route);
    }
    // Clients from before 2025 end some paths with a slash.
    let trimmed = path.strip_suffix('/').unwrap_or(path);
    let unknown = || Unroutable::UnknownPath { path: path.to_owned() };
    let found = ROUTES.at(trimmed).map_err(|_| unknown())?;
    let here = found.value;
    let of_method = || here.iter().copied().filter(|operation| operation.spec().method == method);
    let literal = of_method().find(|operation| {
        operation.spec().query_literal.is_some_and(|literal| query_has(query.unwrap_or(""), literal))
    });
    let plain = || of_method().find(|operation| operation.spec().query_literal.is_none());
    let Some(operation) = literal.or_else(plain) else {
        // The path with this method exists only with a query item that is missing: then the path as sent does not.
        if of_method().next().is_some() {
            return Err(unknown());
        }
        let mut allowed: Vec<Method> = Vec::new();
        for operation in here {
            let method = &operation.spec().method;
            if !allowed.contains(method) {
                allowed.push(method.clone());
            }
        }
        return Err(Unroutable::MethodNotAllowed { path: path.to_owned(), method: method.clone(), allowed });
    };
    let labels = found.params.iter().map(|(name, value)| (name, percent::path_segment(value)));
    Ok(Route { operation, labels: Labels(labels.collect()) })
}

/// Whether a request is Invoke: the hot path, before any table is asked.
pub(super) fn invoke<'p>(method: &Method, path: &'p str) -> Option<Route<'p>> {
    let name = path.strip_prefix("/2015-03-31/functions/")?.strip_suffix("/invocations")?;
    if method != Method::POST || name.is_empty() || name.contains('/') {
        return None;
    }
    Some(Route { operation: Operation::Invoke, labels: Labels(vec![("FunctionName", percent::path_segment(name))]) })
}

fn query_has(query: &str, (key, value): (&str, &str)) -> bool {
    query.split('&').any(|item| item.split_once('=') == Some((key, value)))
}

/// The operations of each path.
static ROUTES: LazyLock<matchit::Router<Vec<Operation>>> = LazyLock::new(|| {
    let mut by_path: Vec<(&'static str, Vec<Operation>)> = Vec::new();
    for operation in Operation::ALL {
        let path = operation.spec().path;
        match by_path.iter_mut().find(|(known, _)| *known == path) {
            Some((_, operations)) => operations.push(operation),
            None => by_path.push((path, vec![operation])),
        }
    }
    let mut routes = matchit::Router::new();
    for (path, operations) in by_path {
        routes.insert(path, operations).expect("the model's paths do not contradict one another");
    }
    routes
});

#[cfg(test)]
mod tests {
    use super::*;

    /// A request line that reaches the operation, as a client would write it.
    fn request_of(operation: Operation, label: &str) -> (Method, String, Option<String>) {
        let spec = operation.spec();
        let mut path = String::new();
        for segment in spec.path.split('/').skip(1) {
            path.push('/');
            path.push_str(if segment.starts_with('{') { label } else { segment });
        }
        (spec.method.clone(), path, spec.query_literal.map(|(key, value)| format!("{key}={value}")))
    }

    #[test]
    fn every_operation_is_reached_by_its_own_request() {
        for operation in Operation::ALL {
            let (method, path, query) = request_of(operation, "arn%3Aaws%3Alambda%2Fx%20y");
            for path in [path.clone(), format!("{path}/")] {
                let route = route(&method, &path, query.as_deref()).unwrap();
                assert_eq!(route.operation, operation, "{method} {path}");
                for segment in operation.spec().path.split('/').filter(|segment| segment.starts_with('{')) {
                    let name = segment.trim_matches(['{', '}']);
                    assert_eq!(route.labels.get(name), Some("arn:aws:lambda/x y"));
                }
            }
        }
    }

    #[test]
    fn every_label_is_a_member_and_every_member_a_label() {
        use crate::model::Location;
        for operation in Operation::ALL {
            let mut labels: Vec<&str> = operation
                .spec()
                .path
                .split('/')
                .filter(|segment| segment.starts_with('{'))
                .map(|segment| segment.trim_matches(['{', '}']))
                .collect();
            let members = operation.spec().input.members().iter();
            let mut members: Vec<&str> = members
                .filter_map(|member| match member.location {
                    Location::Path(name) => Some(name),
                    _ => None,
                })
                .collect();
            labels.sort_unstable();
            members.sort_unstable();
            assert_eq!(labels, members, "{}", operation.name());
        }
    }

    #[test]
    fn a_query_item_picks_among_operations_of_one_path() {
        let path = "/2019-09-30/functions/f/provisioned-concurrency";
        for (query, operation) in [
            (Some("List=ALL&MaxItems=3"), Operation::ListProvisionedConcurrencyConfigs),
            (Some("Qualifier=1"), Operation::GetProvisionedConcurrencyConfig),
            (None, Operation::GetProvisionedConcurrencyConfig),
        ] {
            assert_eq!(route(&Method::GET, path, query).unwrap().operation, operation);
        }
        let layers = "/2018-10-31/layers";
        assert_eq!(route(&Method::GET, layers, None).unwrap().operation, Operation::ListLayers);
        let by_arn = route(&Method::GET, layers, Some("find=LayerVersion&Arn=a")).unwrap();
        assert_eq!(by_arn.operation, Operation::GetLayerVersionByArn);
    }

    #[test]
    fn what_leads_nowhere_is_told_apart() {
        let unknown = |path: &str| Err(Unroutable::UnknownPath { path: path.to_owned() });
        for path in [
            "",
            "/",
            "*",
            "/2015-03-31/functions/a/b/invocations",
            "/2015-03-31/functions//invocations",
            "/2015-03-31/nothing",
            "/2014-11-13/functions/f/invocations",
            "/2015-03-31/functions/{FunctionName}/x/y/z",
        ] {
            assert_eq!(route(&Method::POST, path, None), unknown(path), "{path}");
        }
        let refused = route(&Method::PATCH, "/2015-03-31/functions/f", None).unwrap_err();
        assert_eq!(refused.to_string(), "The path /2015-03-31/functions/f does not take PATCH, only DELETE, GET");
        let refused = route(&Method::GET, "/2015-03-31/functions/f/invocations", None).unwrap_err();
        assert_eq!(refused.to_string(), "The path /2015-03-31/functions/f/invocations does not take GET, only POST");
    }
}
