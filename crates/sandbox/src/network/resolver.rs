//! Name service for environments: what they ask at their own 127.0.0.1:53 is asked of the host's resolvers.
//!
//! The host's resolvers may be on its loopback or be the host itself, which the firewall keeps from environments. The
//! sockets are bound inside and used by the engine; nobody but the environment can reach them, and their answers go
//! nowhere else. Nothing is kept: each question is asked, and its answer is for the one who asked. So the id of the
//! question is passed on as it is; a port of its own for every question keeps strangers from answering it.
//! Never here: what is in a question, or in an answer.

use std::fmt::Write as _;
use std::fs;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use engine::ports::Clock;
use engine::tasks;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::{Semaphore, TryAcquireError};
use tokio::task::JoinSet;

/// Questions of one environment that may wait for an answer at once; more are dropped, and their askers ask again.
const PENDING_MAX: usize = 64;
/// The same of all environments of an engine: each has a descriptor.
const PENDING_OF_ALL_MAX: usize = 1024;
/// Connections of one environment at once; more wait at the socket.
const CONNECTIONS_MAX: usize = 8;
/// How long a connection may be silent.
const CONNECTION_IDLE_MAX: Duration = Duration::from_secs(10);
/// Longest message by UDP that we pass on: of the sizes that clients offer, larger ones do not get through networks.
const DATAGRAM_BYTES_MAX: usize = 4096;
/// How long one resolver has to answer before the next is asked. The C library asks again after 5 s, by which time the
/// second resolver should have answered.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// The C library uses as many (MAXNS of resolv.conf(5)).
const RESOLVERS_MAX: usize = 3;
/// Bytes of the header of a message (RFC 1035, 4.1.1).
const HEADER: usize = 12;
/// Options of the host that mean the same inside.
const OPTIONS_KEPT: [&str; 7] = ["ndots:", "timeout:", "attempts:", "edns0", "use-vc", "trust-ad", "no-aaaa"];
const PORT: u16 = 53;

/// What a resolv.conf(5) says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Configuration {
    resolvers: Vec<SocketAddr>,
    search: Option<String>,
    options: Vec<String>,
}

impl Configuration {
    fn read(text: &str) -> Self {
        let mut read = Self { resolvers: Vec::new(), search: None, options: Vec::new() };
        for line in text.lines().filter(|line| !line.starts_with(['#', ';'])) {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => read.resolvers.extend(words.next().and_then(resolver)),
                // The last of these lines holds.
                Some("search" | "domain") => read.search = Some(words.collect::<Vec<_>>().join(" ")),
                Some("options") => read.options.extend(words.map(str::to_owned)),
                _ => {}
            }
        }
        read.resolvers.truncate(RESOLVERS_MAX);
        if read.resolvers.is_empty() {
            read.resolvers.push((Ipv4Addr::LOCALHOST, PORT).into());
        }
        read
    }

    fn inside(&self) -> String {
        let mut text = "nameserver 127.0.0.1\n".to_owned();
        if let Some(search) = self.search.as_ref().filter(|search| !search.is_empty()) {
            let _ = writeln!(text, "search {search}");
        }
        let kept = |option: &&String| {
            OPTIONS_KEPT.iter().any(|kept| match kept.strip_suffix(':') {
                Some(_) => option.starts_with(kept),
                None => option.as_str() == *kept,
            })
        };
        let kept: Vec<&str> = self.options.iter().filter(kept).map(String::as_str).collect();
        if !kept.is_empty() {
            let _ = writeln!(text, "options {}", kept.join(" "));
        }
        text
    }
}

/// An address as a nameserver line has it; one that is link-local names its link after a `%`.
fn resolver(word: &str) -> Option<SocketAddr> {
    let Some((address, link)) = word.split_once('%') else {
        return Some((word.parse::<IpAddr>().ok()?, PORT).into());
    };
    let address: Ipv6Addr = address.parse().ok()?;
    let number = link.parse().ok().or_else(|| {
        let is_name = !link.contains('/');
        let text = is_name.then(|| fs::read_to_string(format!("/sys/class/net/{link}/ifindex")).ok())??;
        text.trim().parse().ok()
    })?;
    Some(std::net::SocketAddrV6::new(address, PORT, 0, number).into())
}

/// The host's resolvers, as its `resolv.conf` says at the moment.
pub struct Resolvers {
    file: PathBuf,
    clock: Arc<dyn Clock>,
    read: Mutex<(Option<SystemTime>, Arc<Configuration>)>,
    /// Which one answered last, so that one that is dead costs time only once.
    first: AtomicUsize,
    pending: Semaphore,
}

impl Resolvers {
    /// Those of `file`, which is the host's `/etc/resolv.conf`. It is read again when it has changed.
    pub fn of(file: PathBuf, clock: Arc<dyn Clock>) -> Self {
        let none = (None, Arc::new(Configuration::read("")));
        let pending = Semaphore::new(PENDING_OF_ALL_MAX);
        Self { file, clock, read: Mutex::new(none), first: AtomicUsize::new(0), pending }
    }

    /// The `resolv.conf` of an environment that has this name service. One without network has an empty one: the C library
    /// then asks at its own 127.0.0.1, where nobody listens, and says at once that there is no name service.
    pub fn inside_file(&self) -> String {
        self.configuration().inside()
    }

    fn configuration(&self) -> Arc<Configuration> {
        let changed = fs::metadata(&self.file).and_then(|file| file.modified()).ok();
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.0 != changed {
            let text = fs::read_to_string(&self.file).unwrap_or_default();
            *read = (changed, Arc::new(Configuration::read(&text)));
        }
        read.1.clone()
    }

    /// The answer of the first resolver that has one. Where all fail it is the failure of the last, or none.
    async fn ask(&self, question: &[u8], by_tcp: bool) -> Option<Vec<u8>> {
        let configuration = self.configuration();
        let resolvers = &configuration.resolvers;
        let first = self.first.load(Ordering::Relaxed);
        let mut failed = None;
        for step in 0..resolvers.len() {
            let number = (first + step) % resolvers.len();
            let asked = async {
                if by_tcp {
                    ask_by_tcp(resolvers[number], question).await
                } else {
                    ask_one(resolvers[number], question).await
                }
            };
            match self.in_time(ANSWER_WITHIN, asked).await {
                Some(Ok(answer)) if says_something(&answer) => {
                    self.first.store(number, Ordering::Relaxed);
                    return Some(answer);
                }
                Some(Ok(failure)) => failed = Some(failure),
                Some(Err(_)) | None => {}
            }
        }
        failed
    }

    async fn in_time<T>(&self, within: Duration, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        tokio::select! {
            done = &mut work => Some(done),
            () = self.clock.wake_at(self.clock.elapsed() + within) => None,
        }
    }
}

/// The sockets of an environment's name service.
#[derive(Debug)]
pub struct Sockets {
    /// For most questions.
    pub udp: std::net::UdpSocket,
    /// For those whose answers are long.
    pub tcp: TcpListener,
}

impl Sockets {
    /// Binds them in the network namespace of the thread that calls, which may bind low ports there.
    pub fn bind_inside() -> io::Result<Self> {
        let at = (Ipv4Addr::LOCALHOST, PORT);
        Ok(Self { udp: std::net::UdpSocket::bind(at)?, tcp: TcpListener::bind(at)? })
    }
}

/// Answers what an environment asks at its sockets. Ends when it is dropped, and all that is pending with it.
pub async fn serve(sockets: Sockets, resolvers: Arc<Resolvers>) -> io::Result<()> {
    sockets.udp.set_nonblocking(true)?;
    sockets.tcp.set_nonblocking(true)?;
    let udp = Arc::new(UdpSocket::from_std(sockets.udp)?);
    let tcp = tokio::net::TcpListener::from_std(sockets.tcp)?;
    tokio::join!(serve_datagrams(udp, resolvers.clone()), serve_connections(tcp, resolvers));
    Ok(())
}

async fn serve_datagrams(socket: Arc<UdpSocket>, resolvers: Arc<Resolvers>) {
    let mut pending = JoinSet::new();
    let mut bytes = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        // An error is an ICMP message about an answer that nobody wanted any more.
        let Ok((length, from)) = socket.recv_from(&mut bytes).await else {
            tasks::give_way().await;
            continue;
        };
        while pending.try_join_next().is_some() {}
        if !is_question(&bytes[..length]) || pending.len() >= PENDING_MAX {
            continue;
        }
        let (question, socket, resolvers) = (bytes[..length].to_vec(), socket.clone(), resolvers.clone());
        pending.spawn(async move {
            let answered = tasks::caught("asking for a name", async {
                let _place = match resolvers.pending.try_acquire() {
                    Ok(place) => place,
                    Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => return,
                };
                let answer = resolvers.ask(&question, false).await.unwrap_or_else(|| failure(&question));
                let _ = socket.send_to(&answer, from).await;
            });
            let _ = answered.await;
        });
    }
}

async fn serve_connections(listener: tokio::net::TcpListener, resolvers: Arc<Resolvers>) {
    let free = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut open = JoinSet::new();
    loop {
        let Ok(place) = free.clone().acquire_owned().await else { return };
        while open.try_join_next().is_some() {}
        let Ok((connection, _)) = listener.accept().await else {
            resolvers.clock.wake_at(resolvers.clock.elapsed() + Duration::from_millis(100)).await;
            continue;
        };
        let resolvers = resolvers.clone();
        open.spawn(async move {
            let _ = tasks::caught("asking for names", serve_connection(connection, &resolvers)).await;
            drop(place);
        });
    }
}

/// One question after the other, until its end.
async fn serve_connection(mut connection: TcpStream, resolvers: &Resolvers) {
    while let Some(Ok(question)) = resolvers.in_time(CONNECTION_IDLE_MAX, read_message(&mut connection)).await {
        if !is_question(&question) {
            return;
        }
        let Ok(_place) = resolvers.pending.try_acquire() else { return };
        let answer = resolvers.ask(&question, true).await.unwrap_or_else(|| failure(&question));
        match resolvers.in_time(CONNECTION_IDLE_MAX, write_message(&mut connection, &answer)).await {
            Some(Ok(())) => {}
            Some(Err(_)) | None => return,
        }
    }
}

async fn ask_one(resolver: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let any: IpAddr = if resolver.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    // The kernel chooses a port by chance, and takes nothing from anybody but the resolver.
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(resolver).await?;
    socket.send(question).await?;
    let mut answer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let length = socket.recv(&mut answer).await?;
        if is_answer(&answer[..length], question) {
            answer.truncate(length);
            return Ok(answer);
        }
    }
}

async fn ask_by_tcp(resolver: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let mut connection = TcpStream::connect(resolver).await?;
    write_message(&mut connection, question).await?;
    let answer = read_message(&mut connection).await?;
    if is_answer(&answer, question) { Ok(answer) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// A message by TCP has its length before it (RFC 1035, 4.2.2).
async fn read_message(from: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut message = vec![0; usize::from(from.read_u16().await?)];
    from.read_exact(&mut message).await?;
    Ok(message)
}

async fn write_message(to: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    to.write_all(&[&length.to_be_bytes(), message].concat()).await
}

fn is_question(message: &[u8]) -> bool {
    let (answers, operation) = (0x80, 0x78);
    message.len() > HEADER && message[2] & (answers | operation) == 0
}

fn is_answer(message: &[u8], question: &[u8]) -> bool {
    message.len() >= HEADER && message[..2] == question[..2] && message[2] & 0x80 != 0
}

/// Whether a resolver answers, also that there is no such name, rather than that it cannot or will not.
fn says_something(answer: &[u8]) -> bool {
    const NO_ERROR: u8 = 0;
    const NO_SUCH_NAME: u8 = 3;
    matches!(answer[3] & 0x0f, NO_ERROR | NO_SUCH_NAME)
}

/// That no resolver can be asked (SERVFAIL), with the question as it came.
fn failure(question: &[u8]) -> Vec<u8> {
    let mut message = question.to_vec();
    message[2] |= 0x80;
    message[3] = 0x80 | 2;
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_keeps_what_the_host_says_but_the_resolvers() {
        let text = "# by hand\nnameserver 127.0.0.53\nnameserver 10.0.0.2 x\nnameserver nonsense\ndomain old.example\n\
                    search corp.example example.com\noptions ndots:5 rotate timeout:1 edns0 debug\nsortlist 10.0.0.0\n";
        let read = Configuration::read(text);
        assert_eq!(read.resolvers, ["127.0.0.53:53".parse().unwrap(), "10.0.0.2:53".parse().unwrap()]);
        assert_eq!(
            read.inside(),
            "nameserver 127.0.0.1\nsearch corp.example example.com\noptions ndots:5 timeout:1 edns0\n"
        );
        let none = Configuration::read("");
        assert_eq!(none.resolvers, ["127.0.0.1:53".parse().unwrap()], "as resolv.conf(5) says");
        assert_eq!(none.inside(), "nameserver 127.0.0.1\n");
        assert_eq!(resolver("fe80::1%7").unwrap().to_string(), "[fe80::1%7]:53");
        assert_eq!(resolver("fe80::1%../x"), None);
    }
}
