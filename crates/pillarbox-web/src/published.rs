//! Whether what is to be published of a domain is published: which questions to ask the DNS, and what the answers say about
//! each record ([`check`]).
//!
//! Deliberately absent: asking (the program does, see [`Control::look_up`]); a full evaluation of SPF, which would follow
//! other people's records; whether the host's addresses are this machine's, which behind NAT it does not know.

use crate::domains::{DnsRecord, Wants, in_ascii, records};
use crate::{Control, MailServices};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Lines that are shown of what stands there instead.
const SHOWN_MAX: usize = 5;
/// Longest such line, in characters.
const SHOWN_CHARS_MAX: usize = 200;
/// Longest note, in characters: a sentence or two of ours around one name of others.
const NOTE_CHARS_MAX: usize = 500;

/// A kind of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "their names say it")]
pub enum RecordKind {
    A,
    Aaaa,
    Cname,
    Mx,
    Srv,
    Txt,
}

/// What to ask the DNS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    /// A whole name in ASCII, without a dot at its end.
    pub name: String,
    /// Which records there.
    pub kind: RecordKind,
}

/// A record that was found. Its text is foreign; names have no dot at their end, the root is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A or AAAA.
    Address(IpAddr),
    /// CNAME.
    Alias(String),
    /// MX.
    Exchange {
        /// Lower is tried first.
        preference: u16,
        /// The server.
        host: String,
    },
    /// SRV.
    Service {
        /// Lower is tried first.
        priority: u16,
        /// Share among equals.
        weight: u16,
        /// Where it listens.
        port: u16,
        /// The server.
        host: String,
    },
    /// TXT.
    Text(String),
}

/// The records; none, if there are none. Or in a sentence why there is no answer, and what to do about it.
pub type Answer = Result<Vec<Found>, String>;

/// How a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is there.
    Published,
    /// Something else is there.
    Different,
    /// It is not there.
    Missing,
    /// It is not there, and that is as good.
    NotNeeded,
    /// There was no answer.
    Unknown,
    /// Nobody was asked.
    NotAsked,
}

impl Standing {
    /// In one word, for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Different => "different",
            Self::Missing => "missing",
            Self::NotNeeded => "not-needed",
            Self::Unknown => "unknown",
            Self::NotAsked => "not-asked",
        }
    }

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::NotNeeded => "not needed",
            Self::Unknown => "could not be asked",
            Self::NotAsked => "not asked",
            other => other.name(),
        }
    }

    /// The look of its words on a page: good, bad, or neither.
    pub(crate) fn look(self) -> &'static str {
        match self {
            Self::Published => "good",
            Self::Different | Self::Missing => "bad",
            Self::NotNeeded | Self::Unknown | Self::NotAsked => "",
        }
    }
}

/// A record and how it stands.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What to publish. The host's own addresses have no value: we do not know them.
    pub record: DnsRecord,
    /// How it stands.
    pub standing: Standing,
    /// What there is to say about it; may be empty.
    pub note: String,
    /// What stands there, a line each: printable, and not too much of it.
    pub found: Vec<String>,
}

/// All records of a domain.
#[derive(Clone, Debug)]
pub struct Check {
    /// Why nobody was asked, in a sentence.
    pub not_asked: Option<String>,
    /// The mail host first, then those of [`records`].
    pub records: Vec<Checked>,
}

impl Check {
    /// How many stand so.
    pub fn count(&self, standing: Standing) -> usize {
        let all = self.records.iter();
        all.filter(|one| one.standing == standing).count()
    }
}

/// What is published of a domain. `web` is the host of the pages.
pub async fn check(domain: &str, mail: &MailServices, web: &str, control: &dyn Control) -> Check {
    let host = in_ascii(&mail.host);
    let mut all = vec![DnsRecord {
        name: format!("{host}."),
        kind: "A",
        value: String::new(),
        why: "Other servers and mail programs reach this server by these addresses (A, AAAA)",
        wants: Wants::Addresses,
    }];
    all.extend(records(domain, mail, web));
    let questions: Vec<_> = all
        .iter()
        .flat_map(questions)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let answers = match control.look_up(questions.clone()).await {
        Ok(answers) => Answers(questions.into_iter().zip(answers).collect()),
        Err(why) => {
            let not_asked = |record| Checked {
                record,
                standing: Standing::NotAsked,
                note: String::new(),
                found: Vec::new(),
            };
            return Check {
                not_asked: Some(why),
                records: all.into_iter().map(not_asked).collect(),
            };
        }
    };
    let ours = answers.addresses(&host).unwrap_or_default();
    Check {
        not_asked: None,
        records: all
            .into_iter()
            .map(|one| compare(one, &answers, &ours))
            .collect(),
    }
}

/// What must be known of a record.
fn questions(record: &DnsRecord) -> Vec<Question> {
    use RecordKind::{A, Aaaa, Cname, Mx, Srv, Txt};
    let ask = |name: &str, kind| Question {
        name: name.trim_end_matches('.').to_owned(),
        kind,
    };
    let name = &record.name;
    match &record.wants {
        Wants::Addresses => vec![ask(name, A), ask(name, Aaaa), ask(name, Cname)],
        Wants::Exchange(_) => vec![ask(name, Mx)],
        Wants::Sender(_) => vec![ask(name, Txt)],
        Wants::Service(..) => vec![ask(name, Srv)],
        Wants::Alias(target) => vec![
            ask(name, Cname),
            ask(name, A),
            ask(name, Aaaa),
            ask(target, A),
            ask(target, Aaaa),
        ],
    }
}

/// What was answered to which question.
struct Answers(BTreeMap<Question, Answer>);

impl Answers {
    fn get(&self, name: &str, kind: RecordKind) -> Answer {
        let name = name.trim_end_matches('.').to_owned();
        let answer = self.0.get(&Question { name, kind });
        answer
            .cloned()
            .unwrap_or_else(|| Err("It was not asked.".to_owned()))
    }

    /// Those of both kinds. What one kind answered is enough where the other says nothing.
    fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        let both = [
            self.get(name, RecordKind::A),
            self.get(name, RecordKind::Aaaa),
        ];
        let found: Vec<IpAddr> = both
            .iter()
            .flatten()
            .flatten()
            .filter_map(address)
            .collect();
        match both.into_iter().find_map(Result::err) {
            Some(why) if found.is_empty() => Err(why),
            _ => Ok(found),
        }
    }
}

fn address(found: &Found) -> Option<IpAddr> {
    match found {
        Found::Address(address) => Some(*address),
        _ => None,
    }
}

/// How it stands, what to say about it, and what to show of what was found.
type Verdict = (Standing, String, Vec<String>);

fn compare(record: DnsRecord, answers: &Answers, ours: &[IpAddr]) -> Checked {
    let name = &record.name;
    let verdict = match &record.wants {
        Wants::Addresses => host(name, answers),
        Wants::Exchange(host) => answers
            .get(name, RecordKind::Mx)
            .map(|found| exchange(host, &found)),
        Wants::Sender(host) => answers
            .get(name, RecordKind::Txt)
            .map(|found| sender(name, host, ours, &found)),
        Wants::Service(host, port) => answers
            .get(name, RecordKind::Srv)
            .map(|found| service(host, *port, &found)),
        Wants::Alias(target) => alias(name, target, answers),
    };
    let (standing, note, found) =
        verdict.unwrap_or_else(|why| (Standing::Unknown, why, Vec::new()));
    Checked {
        record,
        standing,
        note: printable(&note, NOTE_CHARS_MAX),
        found: shown(found),
    }
}

/// RFC 5321 §5.1: what an MX names must have addresses; RFC 2181 §10.3: and be no alias.
fn host(name: &str, answers: &Answers) -> Result<Verdict, String> {
    let aliases = answers.get(name, RecordKind::Cname).unwrap_or_default();
    let addresses = answers.addresses(name)?;
    let lines = addresses.iter().map(IpAddr::to_string).collect();
    Ok(if let Some(Found::Alias(other)) = aliases.first() {
        let note = format!(
            "It is an alias of {other}, and an MX must not name one (RFC 2181 §10.3). Give it addresses of its own."
        );
        (Standing::Different, note, lines)
    } else if addresses.is_empty() {
        let note = "The host has no address: mail and mail programs cannot find it.";
        (Standing::Missing, note.to_owned(), lines)
    } else {
        (Standing::Published, String::new(), lines)
    })
}

fn exchange(ours: &str, found: &[Found]) -> Verdict {
    let mut all: Vec<(u16, &str)> = found
        .iter()
        .filter_map(|one| match one {
            Found::Exchange { preference, host } => Some((*preference, host.as_str())),
            _ => None,
        })
        .collect();
    all.sort_unstable();
    let lines = all
        .iter()
        .map(|(preference, host)| format!("{preference} {}", dotted(host)))
        .collect();
    let Some((mine, _)) = all.iter().find(|(_, host)| same(host, ours)) else {
        return match all.first() {
            None => (Standing::Missing, String::new(), lines),
            // RFC 7505 §3.
            Some((_, "")) => (
                Standing::Different,
                "The domain says that it takes no mail.".into(),
                lines,
            ),
            Some((_, host)) => (
                Standing::Different,
                format!("Mail for the domain goes to {host}."),
                lines,
            ),
        };
    };
    let first = all
        .iter()
        .find(|(preference, host)| preference < mine && !same(host, ours));
    let other = all.iter().find(|(_, host)| !same(host, ours));
    let note = match (first, other) {
        (Some((_, host)), _) => {
            format!("It also points to {host}, which is tried before this server.")
        }
        (None, Some((_, host))) => {
            format!("It also points to {host}; what that takes must be brought here.")
        }
        (None, None) => String::new(),
    };
    let lines = if note.is_empty() { Vec::new() } else { lines };
    (Standing::Published, note, lines)
}

/// RFC 7208. Policies that let this server send count, whatever else they say: there are good reasons for others.
fn sender(domain: &str, host: &str, ours: &[IpAddr], found: &[Found]) -> Verdict {
    let policies: Vec<&str> = found
        .iter()
        .filter_map(|one| match one {
            Found::Text(text) => Some(text.as_str()),
            _ => None,
        })
        .filter(|text| {
            let first = text.split(' ').next().unwrap_or_default();
            first.eq_ignore_ascii_case("v=spf1")
        })
        .collect();
    let lines: Vec<String> = policies.iter().map(|text| format!("\"{text}\"")).collect();
    let [policy] = policies.as_slice() else {
        return match policies.len() {
            0 => (Standing::Missing, String::new(), lines),
            // RFC 7208 §4.5.
            count => {
                let note = format!(
                    "There are {count} SPF records, which receivers take for an error: leave one."
                );
                (Standing::Different, note, lines)
            }
        };
    };
    let terms: Vec<String> = policy
        .split(' ')
        .skip(1)
        .filter(|term| !term.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    if terms == ["mx", "-all"] {
        return (Standing::Published, String::new(), Vec::new());
    }
    // What stands behind `all` is ignored (§5.1).
    let end = terms
        .iter()
        .position(|term| term.trim_start_matches(['+', '-', '~', '?']) == "all");
    let (before, all) = terms.split_at(end.unwrap_or(terms.len()));
    let note = if all.first().is_some_and(|all| all == "all" || all == "+all") {
        "It lets everybody send in the domain’s name: let it end with -all."
    } else if before.iter().any(|term| names_us(term, domain, host, ours)) {
        let note = "Another policy than this one; it lets this server send too.";
        return (Standing::Published, note.into(), lines);
    } else if before
        .iter()
        .any(|term| term.starts_with("include:") || term.starts_with("redirect="))
    {
        "It does not name this server; unless what it includes does, receivers may refuse mail from here. Add mx to it."
    } else {
        "It does not name this server: receivers may refuse mail from here. Add mx to it."
    };
    (Standing::Different, note.into(), lines)
}

/// Whether a mechanism lets this server send, as far as can be told without asking more.
fn names_us(term: &str, domain: &str, host: &str, ours: &[IpAddr]) -> bool {
    let term = term.strip_prefix('+').unwrap_or(term);
    match term.split_once(':') {
        None => term == "mx",
        Some(("mx", of)) => same(of, domain),
        Some(("a", of)) => same(of, host),
        Some(("ip4", network)) => ours
            .iter()
            .any(|one| one.is_ipv4() && within(*one, network)),
        Some(("ip6", network)) => ours
            .iter()
            .any(|one| one.is_ipv6() && within(*one, network)),
        Some(_) => false,
    }
}

/// Whether an address is one of `192.0.2.0/24`.
fn within(address: IpAddr, network: &str) -> bool {
    let (base, length) = match network.split_once('/') {
        Some((base, length)) => (base, length.parse::<u32>().ok()),
        None => (network, Some(128)),
    };
    let (Ok(base), Some(length)) = (base.parse::<IpAddr>(), length) else {
        return false;
    };
    let (a, b, bits) = match (address, base) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(a.to_bits()), u128::from(b.to_bits()), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128),
        _ => return false,
    };
    let rest = bits - length.min(bits);
    a.checked_shr(rest) == b.checked_shr(rest)
}

fn service(ours: &str, port: Option<u16>, found: &[Found]) -> Verdict {
    let all: Vec<_> = found
        .iter()
        .filter_map(|one| match one {
            Found::Service {
                priority,
                weight,
                port,
                host,
            } => Some((*priority, *weight, *port, host.as_str())),
            _ => None,
        })
        .collect();
    let lines = all
        .iter()
        .map(|(priority, weight, port, host)| {
            format!("{priority} {weight} {port} {}", dotted(host))
        })
        .collect();
    let elsewhere = all.iter().find(|(_, _, _, host)| !host.is_empty());
    let right = |(_, _, at, host): &(u16, u16, u16, &str)| Some(*at) == port && same(host, ours);
    let (standing, note) = match (port, elsewhere) {
        (None, None) if all.is_empty() => (
            Standing::NotNeeded,
            "The service is closed; mail programs find nothing, which is right.".to_owned(),
        ),
        (None, None) => (Standing::Published, String::new()),
        (None, Some((.., host))) => (
            Standing::Different,
            format!("The service is closed, but mail programs are sent to {host}."),
        ),
        (Some(_), _) if all.is_empty() => (Standing::Missing, String::new()),
        (Some(_), None) => (
            Standing::Different,
            "It says that there is no such service.".to_owned(),
        ),
        (Some(_), Some((_, _, at, host))) => match all.iter().find(|one| !right(one)) {
            _ if !all.iter().any(right) => (
                Standing::Different,
                format!("Mail programs are sent to {host}, port {at}."),
            ),
            Some((_, _, at, host)) => (
                Standing::Published,
                format!("It also points to {host}, port {at}."),
            ),
            None => return (Standing::Published, String::new(), Vec::new()),
        },
    };
    (standing, note, lines)
}

fn alias(name: &str, target: &str, answers: &Answers) -> Result<Verdict, String> {
    let aliases = answers.get(name, RecordKind::Cname)?;
    let other = match aliases.first() {
        Some(Found::Alias(other)) if same(other, target) => {
            return Ok((Standing::Published, String::new(), Vec::new()));
        }
        Some(Found::Alias(other)) => Some(other.as_str()),
        _ => None,
    };
    let found = answers.addresses(name)?;
    let lines = match other {
        Some(other) => vec![dotted(other)],
        None => found.iter().map(IpAddr::to_string).collect(),
    };
    if found.is_empty() && other.is_none() {
        return Ok((Standing::Missing, String::new(), lines));
    }
    let ours = answers.addresses(target)?;
    let leads_here = !found.is_empty() && found.iter().all(|one| ours.contains(one));
    Ok(match (leads_here, other) {
        (true, _) => (
            Standing::Published,
            "It leads to the same addresses.".into(),
            lines,
        ),
        (false, Some(other)) => (
            Standing::Different,
            format!("It is an alias of {other}."),
            lines,
        ),
        (false, None) => (
            Standing::Different,
            "It leads to other addresses.".into(),
            lines,
        ),
    })
}

/// Whether two names are one (RFC 1035 §2.3.3).
fn same(one: &str, other: &str) -> bool {
    one.trim_end_matches('.')
        .eq_ignore_ascii_case(other.trim_end_matches('.'))
}

fn dotted(name: &str) -> String {
    format!("{name}.")
}

fn shown(found: Vec<String>) -> Vec<String> {
    let left_out = found.len().saturating_sub(SHOWN_MAX);
    let mut lines: Vec<String> = found
        .iter()
        .take(SHOWN_MAX)
        .map(|line| printable(line, SHOWN_CHARS_MAX))
        .collect();
    if left_out > 0 {
        lines.push(format!("and {left_out} more"));
    }
    lines
}

/// Foreign text in one line of ours: nothing moves a cursor, nothing turns the direction of reading, nothing is endless.
fn printable(text: &str, chars_max: usize) -> String {
    let unseen = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let plain = |letter| if unseen(letter) { '\u{fffd}' } else { letter };
    let mut line: String = text.chars().take(chars_max).map(plain).collect();
    if text.chars().nth(chars_max).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests;
