//! Asks the DNS, for whoever needs it: the one module that knows the library behind. Names are asked as the world sees them:
//! whole (no search list), not from the hosts file of this machine.
//!
//! Deliberately absent: what an answer means; whether it is signed (DNSSEC), which only sending by DANE needs to know; a bound
//! on questions at once, which is whoever asks's.

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use thiserror::Error;

/// Time the servers have for one try.
const TRY_TIME: Duration = Duration::from_secs(2);
/// Tries after the first one.
const TRIES_MORE: usize = 1;
/// Answers remembered; one has at most 64 KiB on the wire.
const REMEMBERED_MAX: u64 = 256;
/// Longest time an answer is remembered, whatever its time to live.
const REMEMBERED_FOR_MAX: Duration = Duration::from_secs(300);
/// The same where there was no such record: whoever publishes one looks whether it is there.
const ABSENCE_REMEMBERED_FOR_MAX: Duration = Duration::from_secs(30);
/// Records of one answer that are read.
const RECORDS_MAX: usize = 256;

/// A kind of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
    /// Another name for the same.
    Cname,
    /// Where mail for a domain goes.
    Mx,
    /// Where a service is (RFC 2782).
    Srv,
    /// Text.
    Txt,
}

/// What a record says. Names have no dot at their end; the root is empty. Foreign text, nothing is taken out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Of [`Kind::A`] and [`Kind::Aaaa`].
    Address(IpAddr),
    /// Of [`Kind::Cname`].
    Alias(String),
    /// Of [`Kind::Mx`].
    Exchange {
        /// Lower is tried first.
        preference: u16,
        /// The server.
        host: String,
    },
    /// Of [`Kind::Srv`].
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
    /// Of [`Kind::Txt`]: its strings in a row, without anything between them (RFC 7208 §3.3).
    Text(String),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unanswered {
    /// Not a name the DNS can have.
    #[error("this is not a name that the DNS can have")]
    Name,
    /// Nobody said anything in time.
    #[error("no name server answered")]
    Late,
    /// SERVFAIL.
    #[error("the name server could not find out (SERVFAIL)")]
    Failed,
    /// REFUSED.
    #[error("the name server refuses to answer us (REFUSED)")]
    Refused,
    /// More records than are read; how many.
    #[error("the answer has {0} records, more than are read")]
    TooMany(usize),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// Who is asked, with what was answered lately. Copies share it.
#[derive(Clone, Debug)]
pub struct Resolver(TokioResolver);

impl Resolver {
    /// Asks the servers this machine asks: those of `/etc/resolv.conf`, as it is now.
    ///
    /// # Errors
    /// A sentence: the file cannot be read, or names no server.
    pub fn of_this_machine() -> Result<Self, String> {
        let (config, _) = read_system_conf()
            .map_err(|error| format!("/etc/resolv.conf cannot be used: {}", plain(error)))?;
        Self::asking(config.name_servers)
    }

    /// Asks these, by UDP, and by TCP where an answer is too long for that.
    ///
    /// # Errors
    /// A sentence.
    pub fn of(servers: &[SocketAddr]) -> Result<Self, String> {
        let server = |address: &SocketAddr| {
            let mut ways = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
            for way in &mut ways {
                way.port = address.port();
            }
            NameServerConfig::new(address.ip(), true, ways.into())
        };
        Self::asking(servers.iter().map(server).collect())
    }

    fn asking(servers: Vec<NameServerConfig>) -> Result<Self, String> {
        let mut options = ResolverOpts::default();
        options.timeout = TRY_TIME;
        options.attempts = TRIES_MORE;
        options.cache_size = REMEMBERED_MAX;
        options.positive_max_ttl = Some(REMEMBERED_FOR_MAX);
        options.negative_max_ttl = Some(ABSENCE_REMEMBERED_FOR_MAX);
        options.use_hosts_file = ResolveHosts::Never;
        let config = ResolverConfig::from_name_servers(servers);
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            .with_options(options);
        builder.build().map(Self).map_err(plain)
    }

    /// The records of one kind at a name in ASCII; none if there is no such name or record. Where the name is an alias,
    /// those of the name it stands for. Takes a few seconds at most.
    ///
    /// # Errors
    /// See [`Unanswered`].
    pub async fn ask(&self, name: &str, kind: Kind) -> Result<Vec<Record>, Unanswered> {
        let mut whole = Name::from_ascii(name).map_err(|_| Unanswered::Name)?;
        whole.set_fqdn(true);
        let wanted = match kind {
            Kind::A => RecordType::A,
            Kind::Aaaa => RecordType::AAAA,
            Kind::Cname => RecordType::CNAME,
            Kind::Mx => RecordType::MX,
            Kind::Srv => RecordType::SRV,
            Kind::Txt => RecordType::TXT,
        };
        let answer = match self.0.lookup(whole, wanted).await {
            Ok(answer) => answer,
            Err(error) if error.is_no_records_found() => return Ok(Vec::new()),
            Err(error) => return Err(unanswered(error)),
        };
        let of_kind = || {
            let answers = answer.answers().iter();
            answers.filter(|one| one.record_type() == wanted)
        };
        let count = of_kind().count();
        if count > RECORDS_MAX {
            return Err(Unanswered::TooMany(count));
        }
        Ok(of_kind().filter_map(|one| read(&one.data)).collect())
    }
}

fn read(data: &RData) -> Option<Record> {
    Some(match data {
        RData::A(address) => Record::Address(address.0.into()),
        RData::AAAA(address) => Record::Address(address.0.into()),
        RData::CNAME(alias) => Record::Alias(text(&alias.0)),
        RData::MX(mx) => Record::Exchange {
            preference: mx.preference,
            host: text(&mx.exchange),
        },
        RData::SRV(srv) => Record::Service {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            host: text(&srv.target),
        },
        RData::TXT(txt) => {
            let octets = txt.txt_data.concat();
            Record::Text(String::from_utf8_lossy(&octets).into_owned())
        }
        _ => return None,
    })
}

fn text(name: &Name) -> String {
    let text = name.to_ascii();
    text.strip_suffix('.').map_or(text.clone(), str::to_owned)
}

fn unanswered(error: NetError) -> Unanswered {
    match error {
        NetError::Timeout => Unanswered::Late,
        NetError::Dns(DnsError::ResponseCode(ResponseCode::ServFail)) => Unanswered::Failed,
        NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused)) => Unanswered::Refused,
        other => Unanswered::Other(plain(other)),
    }
}

/// An error's words without the library's labels.
fn plain(error: NetError) -> String {
    match error {
        NetError::Io(error) => error.to_string(),
        NetError::Dns(DnsError::ResponseCode(code)) => format!("the name server answered: {code}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed unwrap is the failed test
    use super::*;
    use hickory_resolver::proto::rr::rdata::{MX, TXT};

    #[test]
    fn records_are_read_as_they_are() {
        let strings = vec!["v=spf1 mx ".to_owned(), "-all\u{7}".to_owned()];
        let txt = RData::TXT(TXT::new(strings));
        assert_eq!(read(&txt), Some(Record::Text("v=spf1 mx -all\u{7}".into())));
        let mx = RData::MX(MX::new(10, Name::from_ascii("Mail.Example.").unwrap()));
        let host = "Mail.Example".to_owned();
        assert_eq!(
            read(&mx),
            Some(Record::Exchange {
                preference: 10,
                host
            })
        );
        let none = RData::MX(MX::new(0, Name::root()));
        let host = String::new();
        assert_eq!(
            read(&none),
            Some(Record::Exchange {
                preference: 0,
                host
            })
        );
    }

    #[tokio::test]
    async fn what_is_no_name_is_not_asked() {
        let nobody = Resolver::of(&["127.0.0.1:9".parse().unwrap()]).unwrap();
        for name in [&"a".repeat(64), &"a.".repeat(130), "a..b"] {
            let answer = nobody.ask(name, Kind::Mx).await;
            assert_eq!(answer, Err(Unanswered::Name), "{name}");
        }
    }
}
