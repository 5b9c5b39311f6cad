//! The firewall: one nf_tables table of an engine, loaded in one transaction and removed in one.
//!
//! The rules know environments by the beginning of their links' names and by the engine's range of addresses, so
//! nothing in them changes when an environment comes or goes.
//! Never here: which links there are.

use std::io;
use std::net::Ipv4Addr;

use super::netlink::{FIREWALL, Message, Rejected, ask, attributes, text};
use super::ranges::Range;

/// All tables of engines begin with this; the instance follows.
const TABLE_PREFIX: &str = "lambd_";
/// All links of environments, of whatever engine, begin with this.
const LINK_PREFIX_OF_ALL: &str = "lmd";
/// Longest note that the kernel keeps beside a table (`NFT_USERDATA_MAXLEN`).
const NOTE_BYTES_MAX: usize = 256;

/// What the rules are made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// How the links of the engine's environments begin.
    pub link_prefix: String,
    /// Where the addresses of environments are from.
    pub range: Range,
    /// Links of the host on which the engine has turned forwarding on.
    pub opened: Vec<u32>,
}

/// What an engine notes beside its table, for whoever has to clear up after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// Its range.
    pub range: Range,
    /// Whether the host forwarded on all links (`net.ipv4.ip_forward`) when it started.
    pub forwarded_before: bool,
    /// Links on which forwarding was off before there were engines.
    pub opened: Vec<u32>,
}

impl Note {
    fn write(&self) -> Vec<u8> {
        let mut bytes = vec![1, self.range.prefix, u8::from(self.forwarded_before)];
        bytes.extend(self.range.first.octets());
        for link in &self.opened {
            bytes.extend(link.to_be_bytes());
        }
        bytes.truncate(NOTE_BYTES_MAX);
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let [1, prefix, forwarded, a, b, c, d, links @ ..] = bytes else { return None };
        let (links, _) = links.as_chunks::<4>();
        Some(Self {
            range: Range { first: Ipv4Addr::new(*a, *b, *c, *d), prefix: *prefix },
            forwarded_before: *forwarded == 1,
            opened: links.iter().map(|link| u32::from_be_bytes(*link)).collect(),
        })
    }
}

/// Loads the table of `instance`.
pub(crate) fn load(instance: &str, rules: &Rules, note: &Note) -> Result<(), Rejected> {
    let table = format!("{TABLE_PREFIX}{instance}");
    let mut batch = Batch::default();
    batch.add(NEWTABLE, libc::NLM_F_CREATE | libc::NLM_F_EXCL, |message| {
        // Not a table that goes with us (NFT_TABLE_F_OWNER): when an engine is killed, its environments live some
        // moments longer than it, and must not have the host open to them then.
        message.put_text(TABLE_NAME, &table).put(TABLE_USERDATA, &note.write());
    });
    for chain in chains(rules) {
        batch.add(NEWCHAIN, libc::NLM_F_CREATE, |message| {
            message.put_text(CHAIN_TABLE, &table).put_text(CHAIN_NAME, chain.name);
            message.nest(CHAIN_HOOK, |hook| {
                hook.put_big_endian(HOOK_NUMBER, chain.hook.cast_unsigned());
                hook.put_big_endian(HOOK_PRIORITY, chain.priority.cast_unsigned());
            });
            message.put_text(CHAIN_TYPE, chain.kind);
        });
        for rule in chain.rules {
            batch.add(NEWRULE, libc::NLM_F_CREATE | libc::NLM_F_APPEND, |message| {
                message.put_text(RULE_TABLE, &table).put_text(RULE_CHAIN, chain.name);
                message.nest(RULE_EXPRESSIONS, |list| rule.0.iter().for_each(|one| one.write(list)));
            });
        }
    }
    batch.send()
}

/// Removes the table of `instance` with all in it. One that is not there is no error.
pub(crate) fn remove(instance: &str) -> io::Result<()> {
    let mut batch = Batch::default();
    batch.add(DELTABLE, 0, |message| {
        message.put_text(TABLE_NAME, &format!("{TABLE_PREFIX}{instance}"));
    });
    match batch.send() {
        Err(rejected) if rejected.error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|rejected| rejected.error),
    }
}

/// The instances that have tables, with what they noted.
pub(crate) fn instances() -> io::Result<Vec<(String, Option<Note>)>> {
    let told = ask(FIREWALL, &[Message::list(message_kind(GETTABLE), &family_header(INET, 0))]);
    let told = told.map_err(|rejected| rejected.error)?;
    let tables = told.iter().filter_map(|told| {
        let rest = told.payload.get(4..)?;
        let of_kind = |wanted| attributes(rest).find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
        let instance = text(of_kind(TABLE_NAME)?)?.strip_prefix(TABLE_PREFIX)?.to_owned();
        Some((instance, of_kind(TABLE_USERDATA).and_then(Note::read)))
    });
    Ok(tables.collect())
}

struct Chain {
    name: &'static str,
    kind: &'static str,
    hook: i32,
    priority: i32,
    rules: Vec<Rule>,
}

fn chains(rules: &Rules) -> [Chain; 5] {
    let ours = rules.link_prefix.as_str();
    let within = |range: Range, offset| {
        let mask = u32::MAX.checked_shl(32 - u32::from(range.prefix)).unwrap_or(0);
        vec![field(offset, 4), masked(mask.to_be_bytes()), is(range.first.octets())]
    };
    let refused = [
        Range { first: Ipv4Addr::UNSPECIFIED, prefix: 8 },
        Range { first: Ipv4Addr::new(127, 0, 0, 0), prefix: 8 },
        // Link-local; where clouds keep the metadata and the credentials of the machine.
        Range { first: Ipv4Addr::new(169, 254, 0, 0), prefix: 16 },
        // Multicast, what is reserved, and broadcast.
        Range { first: Ipv4Addr::new(224, 0, 0, 0), prefix: 3 },
        // The other environments.
        rules.range,
    ];

    // Before connections are tracked and before anybody's address translation: a port of the host that is led to
    // somewhere else would not be the host's any more where packets are filtered.
    let mut leaving = vec![
        Rule([meta(IIFNAME), is_not(ours), verdict(ACCEPT)].into()),
        Rule([meta(NFPROTO), is_not([IPV4]), verdict(DROP)].into()),
        // The sender's address is one that leads back by the same link, or it is spoofed.
        Rule([route_back(), is(0_u32.to_ne_bytes()), verdict(DROP)].into()),
    ];
    leaving.extend(refused.map(|range| Rule([within(range, DESTINATION), vec![verdict(DROP)]].concat())));
    // Any address of the host.
    leaving
        .push(Rule([kind_of_destination(), is_not(u32::from(libc::RTN_UNICAST).to_ne_bytes()), verdict(DROP)].into()));

    let mut forwarded = vec![
        Rule([meta(IIFNAME), is(ours), meta(OIFNAME), is(LINK_PREFIX_OF_ALL), verdict(DROP)].into()),
        Rule([meta(IIFNAME), is(ours), verdict(ACCEPT)].into()),
        Rule(
            [meta(OIFNAME), is(ours), connection(STATE), bits(ESTABLISHED | RELATED), is([0; 4]), verdict(DROP)].into(),
        ),
        Rule([meta(OIFNAME), is(ours), verdict(ACCEPT)].into()),
    ];
    // Where the host did not forward before us it does so for environments only: a neighbour in the network cannot
    // use it as a router. What the host leads elsewhere on purpose (published ports of containers) is left alone.
    forwarded.extend(rules.opened.iter().map(|link| {
        Rule(
            [
                vec![meta(IIF), is(link.to_ne_bytes())],
                vec![connection(STATE), bits(ESTABLISHED | RELATED), is([0; 4])],
                vec![connection(STATUS), bits(LED_ELSEWHERE), is([0; 4]), verdict(DROP)],
            ]
            .concat(),
        )
    }));

    let into_host = vec![Rule([meta(IIFNAME), is(ours), verdict(DROP)].into())];
    // The host tells environments nothing but what belongs to their own connections (a packet that was too long).
    let from_host =
        vec![Rule([meta(OIFNAME), is(ours), connection(STATE), bits(RELATED), is([0; 4]), verdict(DROP)].into())];
    let masked = [vec![meta(NFPROTO), is([IPV4])], within(rules.range, SOURCE), vec![masquerade()]].concat();

    let chain = |name, kind, hook, priority, rules| Chain { name, kind, hook, priority, rules };
    [
        chain("leaving", "filter", libc::NF_INET_PRE_ROUTING, -300, leaving),
        chain("into_host", "filter", libc::NF_INET_LOCAL_IN, 0, into_host),
        chain("from_host", "filter", libc::NF_INET_LOCAL_OUT, 0, from_host),
        chain("forwarded", "filter", libc::NF_INET_FORWARD, 0, forwarded),
        chain("masked", "nat", libc::NF_INET_POST_ROUTING, 100, vec![Rule(masked)]),
    ]
}

/// Expressions, one after the other; the rule ends at the first that does not hold.
struct Rule(Vec<Expression>);

/// A step of a rule. What is looked at goes by way of one register.
#[derive(Clone)]
struct Expression {
    name: &'static str,
    parts: Vec<Part>,
}

#[derive(Clone)]
enum Part {
    Number(u16, u32),
    Data(u16, Vec<u8>),
    Verdict(u16, u32),
}

impl Expression {
    fn write(&self, list: &mut Message) {
        list.nest(LIST_ELEMENT, |element| {
            element.put_text(EXPRESSION_NAME, self.name);
            element.nest(EXPRESSION_DATA, |data| {
                for part in &self.parts {
                    match part {
                        Part::Number(kind, number) => data.put_big_endian(*kind, *number),
                        Part::Data(kind, value) => data.nest(*kind, |inner| {
                            inner.put(DATA_VALUE, value);
                        }),
                        Part::Verdict(kind, code) => data.nest(*kind, |inner| {
                            inner.nest(DATA_VERDICT, |verdict| {
                                verdict.put_big_endian(VERDICT_CODE, *code);
                            });
                        }),
                    };
                }
            });
        });
    }
}

fn expression(name: &'static str, parts: impl Into<Vec<Part>>) -> Expression {
    Expression { name, parts: parts.into() }
}

/// Loads something about the packet.
fn meta(key: i32) -> Expression {
    expression("meta", [Part::Number(1, REGISTER), Part::Number(2, key.cast_unsigned())])
}

/// Loads something about the connection that the packet belongs to.
fn connection(key: i32) -> Expression {
    expression("ct", [Part::Number(1, REGISTER), Part::Number(2, key.cast_unsigned())])
}

/// Loads a field of the IP header.
fn field(offset: u32, length: u32) -> Expression {
    let parts =
        [Part::Number(1, REGISTER), Part::Number(2, NETWORK_HEADER), Part::Number(3, offset), Part::Number(4, length)];
    expression("payload", parts)
}

/// Loads the link by which the sender's address is reached, which is none where it is not the one it came by.
fn route_back() -> Expression {
    let (source, by_that_link) = (1, 8);
    expression("fib", [Part::Number(1, REGISTER), Part::Number(2, 1), Part::Number(3, source | by_that_link)])
}

/// Loads the kind of the receiver's address: the host's own, broadcast, multicast or another's.
fn kind_of_destination() -> Expression {
    let (destination, address_type) = (2, 3);
    expression("fib", [Part::Number(1, REGISTER), Part::Number(2, address_type), Part::Number(3, destination)])
}

/// Keeps some bits of what was loaded.
fn masked(mask: [u8; 4]) -> Expression {
    let parts = [
        Part::Number(1, REGISTER),
        Part::Number(2, REGISTER),
        Part::Number(3, 4),
        Part::Data(4, mask.into()),
        Part::Data(5, vec![0; 4]),
    ];
    expression("bitwise", parts)
}

fn bits(mask: u32) -> Expression {
    masked(mask.to_ne_bytes())
}

/// Holds where what was loaded is, or for a text begins with, `value`.
fn is(value: impl AsRef<[u8]>) -> Expression {
    compare(0, value.as_ref())
}

fn is_not(value: impl AsRef<[u8]>) -> Expression {
    compare(1, value.as_ref())
}

fn compare(how: u32, value: &[u8]) -> Expression {
    expression("cmp", [Part::Number(1, REGISTER), Part::Number(2, how), Part::Data(3, value.into())])
}

fn verdict(code: u32) -> Expression {
    let verdict_register = 0;
    expression("immediate", [Part::Number(1, verdict_register), Part::Verdict(2, code)])
}

/// Gives the packet the host's own address on its way out.
fn masquerade() -> Expression {
    expression("masq", [])
}

/// Messages that are carried out all together or not at all.
#[derive(Default)]
struct Batch(Vec<Message>);

impl Batch {
    fn add(&mut self, kind: u16, flags: i32, fill: impl FnOnce(&mut Message)) {
        let mut message = Message::new(message_kind(kind), flags, &family_header(INET, 0));
        fill(&mut message);
        self.0.push(message);
    }

    fn send(self) -> Result<(), Rejected> {
        let edge = |kind: i32| {
            let kind = u16::try_from(kind).expect("message kinds are small numbers");
            let subsystem = u16::try_from(libc::NFNL_SUBSYS_NFTABLES).expect("subsystems are small numbers");
            Message::unconfirmed(kind, &family_header(0, subsystem))
        };
        let mut messages = vec![edge(libc::NFNL_MSG_BATCH_BEGIN)];
        messages.extend(self.0);
        messages.push(edge(libc::NFNL_MSG_BATCH_END));
        ask(FIREWALL, &messages).map(drop)
    }
}

/// `struct nfgenmsg`.
fn family_header(family: u8, resource: u16) -> [u8; 4] {
    let [high, low] = resource.to_be_bytes();
    [family, 0, high, low]
}

fn message_kind(kind: u16) -> u16 {
    let subsystem = u16::try_from(libc::NFNL_SUBSYS_NFTABLES).expect("subsystems are small numbers");
    (subsystem << 8) | kind
}

// linux/netfilter.h, linux/netfilter/nf_tables.h, linux/netfilter/nf_conntrack_common.h
const INET: u8 = 1;
const IPV4: u8 = 2;
const DROP: u32 = 0;
const ACCEPT: u32 = 1;
const REGISTER: u32 = 1;
const NETWORK_HEADER: u32 = 1;
const SOURCE: u32 = 12;
const DESTINATION: u32 = 16;
const IIF: i32 = libc::NFT_META_IIF;
const IIFNAME: i32 = libc::NFT_META_IIFNAME;
const OIFNAME: i32 = libc::NFT_META_OIFNAME;
const NFPROTO: i32 = libc::NFT_META_NFPROTO;
const STATE: i32 = libc::NFT_CT_STATE;
const STATUS: i32 = libc::NFT_CT_STATUS;
const ESTABLISHED: u32 = 1 << 1;
const RELATED: u32 = 1 << 2;
const LED_ELSEWHERE: u32 = 1 << 5; // IPS_DST_NAT

const NEWTABLE: u16 = 0;
const GETTABLE: u16 = 1;
const DELTABLE: u16 = 2;
const NEWCHAIN: u16 = 3;
const NEWRULE: u16 = 6;
const TABLE_NAME: u16 = 1;
const TABLE_USERDATA: u16 = 6;
const CHAIN_TABLE: u16 = 1;
const CHAIN_NAME: u16 = 3;
const CHAIN_HOOK: u16 = 4;
const CHAIN_TYPE: u16 = 7;
const HOOK_NUMBER: u16 = 1;
const HOOK_PRIORITY: u16 = 2;
const RULE_TABLE: u16 = 1;
const RULE_CHAIN: u16 = 2;
const RULE_EXPRESSIONS: u16 = 4;
const LIST_ELEMENT: u16 = 1;
const EXPRESSION_NAME: u16 = 1;
const EXPRESSION_DATA: u16 = 2;
const DATA_VALUE: u16 = 1;
const DATA_VERDICT: u16 = 2;
const VERDICT_CODE: u16 = 1;
