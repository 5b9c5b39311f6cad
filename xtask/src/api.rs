//! The Lambda API by plain HTTP/1.1, for measurements and the soak: one connection, kept open, and requests by hand, so
//! that the client costs little beside what is measured.

use std::io::{BufRead as _, BufReader, Cursor, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use data_encoding::BASE64;
use serde_json::Value as Json;
use zip::write::{SimpleFileOptions, ZipWriter};

/// Longer than any answer may take here; it keeps a hanging engine from hanging us.
const PATIENCE: Duration = Duration::from_mins(2);
pub(crate) const FUNCTIONS: &str = "/2015-03-31/functions";
const ROLE: &str = "arn:aws:iam::000000000000:role/r";

/// A connection to the API, which is made anew after the engine has closed it.
pub(crate) struct Api {
    address: String,
    stream: Option<BufReader<TcpStream>>,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; `null` where it is none.
    pub(crate) fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl Api {
    /// A client of an endpoint, `http://HOST:PORT`.
    pub(crate) fn of(endpoint: &str) -> Self {
        Self { address: endpoint.trim_start_matches("http://").to_owned(), stream: None }
    }

    /// Sends a request and reads the answer. One that the engine closed while it was idle is sent again.
    ///
    /// # Errors
    /// The engine cannot be reached, or breaks off.
    pub(crate) fn send(&mut self, method: &str, target: &str, body: &[u8]) -> Result<Answer> {
        self.send_with(method, target, "", body)
    }

    /// [`Api::send`] with header lines, each ended by CRLF.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn send_with(&mut self, method: &str, target: &str, headers: &str, body: &[u8]) -> Result<Answer> {
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\n{headers}Content-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        let request = [head.as_bytes(), body].concat();
        let was_open = self.stream.is_some();
        let first = self.try_send(&request);
        if was_open && first.is_err() {
            return self.try_send(&request).with_context(|| format!("{method} {target}"));
        }
        first.with_context(|| format!("{method} {target}"))
    }

    fn try_send(&mut self, request: &[u8]) -> Result<Answer> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect()?,
        };
        stream.get_mut().write_all(request).context("sending the request")?;
        let answer = answer(&mut stream)?;
        if answer.header("connection") != Some("close") {
            self.stream = Some(stream);
        }
        Ok(answer)
    }

    fn connect(&self) -> Result<BufReader<TcpStream>> {
        let stream = TcpStream::connect(&self.address).with_context(|| format!("connecting to {}", self.address))?;
        stream.set_nodelay(true).context("setting up a connection")?;
        stream.set_read_timeout(Some(PATIENCE)).context("setting up a connection")?;
        Ok(BufReader::new(stream))
    }

    /// Calls over a connection of its own, and reads the body while it comes, in chunks (RFC 9112, section 7.1). Leaves
    /// when `at_most` bytes or more of it have come.
    ///
    /// # Errors
    /// The engine cannot be reached, breaks off, or answers otherwise than with a stream.
    pub(crate) fn read_stream(&self, target: &str, body: &[u8], at_most: usize) -> Result<Vec<u8>> {
        let mut stream = self.connect()?;
        let head =
            format!("POST {target} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n", self.address, body.len());
        stream.get_mut().write_all(&[head.as_bytes(), body].concat()).context("sending the request")?;
        let (status, headers) = read_head(&mut stream)?;
        if status != 200 || !headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked") {
            bail!("{target} answers {status} with {headers:?}, which is no stream");
        }
        let mut streamed = Vec::new();
        let mut line = String::new();
        while streamed.len() < at_most {
            line.clear();
            stream.read_line(&mut line).context("reading a stream")?;
            let length = usize::from_str_radix(line.trim_end(), 16)
                .with_context(|| format!("the stream of {target} breaks off: {line:?}"))?;
            if length == 0 {
                return Ok(streamed);
            }
            let begin = streamed.len();
            streamed.resize(begin + length + 2, 0);
            stream.read_exact(&mut streamed[begin..]).context("reading a piece of a stream")?;
            streamed.truncate(begin + length);
        }
        Ok(streamed)
    }

    /// Sends bytes over a connection of their own and leaves without reading an answer.
    ///
    /// # Errors
    /// The engine cannot be reached.
    pub(crate) fn send_and_leave(&self, bytes: &[u8]) -> Result<()> {
        self.connect()?.get_mut().write_all(bytes).context("sending what nobody waits for")
    }
}

fn answer(stream: &mut BufReader<TcpStream>) -> Result<Answer> {
    let (status, headers) = read_head(stream)?;
    let mut answer = Answer { status, headers, body: Vec::new() };
    let length = answer.header("content-length").map(str::parse).transpose().context("reading a length")?;
    if status != 204 {
        answer.body = vec![0; length.context("an answer without a length")?];
        stream.read_exact(&mut answer.body).context("reading the body of an answer")?;
    }
    Ok(answer)
}

/// The status and the headers, their names in small letters.
fn read_head(stream: &mut BufReader<TcpStream>) -> Result<(u16, Vec<(String, String)>)> {
    let mut line = String::new();
    stream.read_line(&mut line).context("reading an answer")?;
    let Some(status) = line.split(' ').nth(1).and_then(|status| status.parse().ok()) else {
        bail!("the engine answers {line:?}");
    };
    let mut headers = Vec::new();
    loop {
        line.clear();
        stream.read_line(&mut line).context("reading the head of an answer")?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
            None if line == "\r\n" => return Ok((status, headers)),
            None => bail!("the head of the answer breaks off: {headers:?}"),
        }
    }
}

/// A package: paths, with what they hold; all may be executed.
pub(crate) fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, content) in files {
        let written = zip
            .start_file(*path, SimpleFileOptions::default().unix_permissions(0o755))
            .and_then(|()| Ok(zip.write_all(content)?));
        written.expect("memory takes it");
    }
    zip.finish().expect("memory takes it").into_inner()
}

/// The body of CreateFunction; `more` is further members.
pub(crate) fn new_function(name: &str, runtime: &str, zip: &[u8], more: &Json) -> Vec<u8> {
    let mut body = serde_json::json!({
        "FunctionName": name,
        "Runtime": runtime,
        "Handler": "app.handler",
        "Role": ROLE,
        "Code": {"ZipFile": BASE64.encode(zip)},
    });
    for (member, value) in more.as_object().into_iter().flatten() {
        body[member] = value.clone();
    }
    body.to_string().into_bytes()
}

/// Where a function is.
pub(crate) fn function(name: &str) -> String {
    format!("{FUNCTIONS}/{name}")
}

/// Where it is invoked.
pub(crate) fn invocations(name: &str) -> String {
    format!("{FUNCTIONS}/{name}/invocations")
}
