//! What a request has to be like that changes something: sent by somebody who means this engine, not by a web page that
//! the user happens to have open. A page's requests carry its `Origin`; one whose name was pointed at this machine
//! carries that name as `Host`; and without asking first a browser sends no `application/json`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use engine::ports::Clock;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, ORIGIN};
use hyper::{HeaderMap, Request, StatusCode};

use super::problem::Problem;

/// Bytes of a body: some twenty thousand ids.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Bytes that are read and forgotten, so that a client that is still sending reads why they were too many.
const DISCARD_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long a body may take to come.
const BODY_WAIT: Duration = Duration::from_secs(30);

/// Checks who sends it and what, and reads it.
pub(super) async fn body(request: Request<Incoming>, address: SocketAddr, clock: &dyn Clock) -> Result<Bytes, Problem> {
    let (head, body) = request.into_parts();
    if let Some(authority) = head.uri.authority() {
        check_host(authority.as_str(), address)?;
    }
    check(&head.headers, address)?;
    tokio::select! {
        whole = read(body) => whole,
        () = clock.wake_at(clock.elapsed() + BODY_WAIT) => {
            let late = format!("the body did not come within {} s", BODY_WAIT.as_secs());
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, late))
        }
    }
}

async fn read(mut body: Incoming) -> Result<Bytes, Problem> {
    let (mut whole, mut seen) = (BytesMut::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Problem::bad(format!("the body broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        seen += data.len();
        if seen > DISCARD_BYTES_MAX {
            break;
        }
        if seen <= BODY_BYTES_MAX {
            whole.extend_from_slice(&data);
        }
    }
    if seen > BODY_BYTES_MAX {
        let large = format!("the body has more than {BODY_BYTES_MAX} bytes; name fewer ids at a time, or use filters");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, large));
    }
    Ok(whole.freeze())
}

fn check(headers: &HeaderMap, address: SocketAddr) -> Result<(), Problem> {
    let Some(host) = only(headers, &HOST)? else {
        return Err(Problem::new(StatusCode::FORBIDDEN, "a request that changes something needs a Host header"));
    };
    check_host(host, address)?;
    if let Some(origin) = only(headers, &ORIGIN)? {
        let is_ours = origin.strip_prefix("http://").is_some_and(|host| is_here(host, address));
        if !is_ours {
            let foreign = format!("the page at {origin:?} may not change anything here (Origin)");
            return Err(Problem::new(StatusCode::FORBIDDEN, foreign));
        }
    }
    let media_type = only(headers, &CONTENT_TYPE)?.unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        let other = format!("the body has to be sent as Content-Type: application/json, not {media_type:?}");
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, other));
    }
    Ok(())
}

fn check_host(host: &str, address: SocketAddr) -> Result<(), Problem> {
    if is_here(host, address) {
        return Ok(());
    }
    let foreign = format!("{host:?} is not this listener (Host); it is at http://{address}");
    Err(Problem::new(StatusCode::FORBIDDEN, foreign))
}

/// The value of a header; it may not come twice.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let is_single = values.next().is_none();
    let text = value.to_str().ok().filter(|_| is_single);
    text.map(Some)
        .ok_or_else(|| Problem::new(StatusCode::FORBIDDEN, format!("the header {name} is not one plain text")))
}

/// Whether it names this listener: its own address or the usual ones of this machine, with its port.
fn is_here(host: &str, address: SocketAddr) -> bool {
    // Port 80 is left out by clients.
    let port = address.port();
    let name = match host.rsplit_once(':').filter(|(_, port)| !port.is_empty() && !port.ends_with(']')) {
        Some((name, given)) if given.parse() == Ok(port) && !given.starts_with('+') => name,
        None if port == 80 => host,
        _ => return false,
    };
    if name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let address_named = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(name) => name.parse().map(IpAddr::V6),
        None => name.parse().map(IpAddr::V4),
    };
    let ours = [address.ip(), Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    address_named.is_ok_and(|named| ours.contains(&named))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_listener_are_its_own() {
        let at: SocketAddr = "127.0.0.2:4567".parse().unwrap();
        for host in ["127.0.0.2:4567", "127.0.0.1:4567", "localhost:4567", "LocalHost:4567", "[::1]:4567"] {
            assert!(is_here(host, at), "{host}");
        }
        for host in [
            "",
            ":4567",
            "localhost",
            "127.0.0.1",
            "[::1]",
            "127.0.0.1:4566",
            "localhost:+4567",
            "127.0.0.3:4567",
            "evil.example:4567",
            "localhost.evil.example:4567",
            "::1:4567",
            "[127.0.0.1]:4567",
            "127.0.0.1:4567:4567",
            "user@localhost:4567",
            "127.1:4567",
            "localhost:4567/x",
        ] {
            assert!(!is_here(host, at), "{host}");
        }
        let plain: SocketAddr = "127.0.0.1:80".parse().unwrap();
        for host in ["localhost", "127.0.0.1", "[::1]", "localhost:80"] {
            assert!(is_here(host, plain), "{host}");
        }
        assert!(!is_here("evil.example", plain));
    }

    #[test]
    fn what_a_foreign_page_can_send_is_refused() {
        let at: SocketAddr = "127.0.0.1:4567".parse().unwrap();
        let check = |headers: &[(&str, &str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
            }
            check(&map, at).map_err(|problem| problem.status.as_u16())
        };
        let (host, json) = (("host", "127.0.0.1:4567"), ("content-type", "application/json"));
        assert_eq!(check(&[host, json]), Ok(()));
        assert_eq!(check(&[host, ("content-type", "Application/JSON; charset=utf-8")]), Ok(()));
        assert_eq!(check(&[host, json, ("origin", "http://localhost:4567")]), Ok(()));
        for origin in
            ["null", "", "https://localhost:4567", "http://evil.example", "http://localhost:4567/", "localhost:4567"]
        {
            assert_eq!(check(&[host, json, ("origin", origin)]), Err(403), "{origin}");
        }
        assert_eq!(check(&[json]), Err(403));
        assert_eq!(check(&[host, ("host", "evil.example"), json]), Err(403));
        assert_eq!(check(&[("host", "evil.example:4567"), json]), Err(403));
        for other in ["text/plain", "application/x-www-form-urlencoded", "text/plain; application/json", ""] {
            assert_eq!(check(&[host, ("content-type", other)]), Err(415), "{other}");
        }
        assert_eq!(check(&[host]), Err(415));
    }
}
