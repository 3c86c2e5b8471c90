//! The domains of this server, and what to publish of each in the DNS so that mail arrives and mail programs set themselves up:
//! MX, the SRV records of RFC 6186 and RFC 8314 §5.1, where Mozilla's programs and Outlook look, and who may send (RFC 7208).
//!
//! Deliberately absent: whether it is published, which is [`crate::published`]'s question; DKIM and DMARC, as long as nothing
//! is signed.

use crate::MailServices;
use pillarbox_store::mail::{Store, StoreError};
use std::collections::BTreeMap;
use url::Host;

/// Accounts read at once while counting.
const READ_AT_ONCE: usize = 1_000;

/// A domain whose mail is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainRow {
    /// Its name, in lower case.
    pub name: String,
    /// Addresses of accounts in it.
    pub accounts: u64,
}

/// The domains of the accounts, and the one of the configuration, which comes first.
///
/// # Errors
/// The store's.
pub async fn domains(store: &Store, first: &str) -> Result<Vec<DomainRow>, StoreError> {
    let first = first.to_ascii_lowercase();
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    if !first.is_empty() {
        counts.insert(first.clone(), 0);
    }
    let mut after: Option<String> = None;
    loop {
        let page = store.accounts(after.as_deref(), READ_AT_ONCE).await?;
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        for (address, _) in &page {
            if let Some((_, domain)) = address.rsplit_once('@') {
                *counts.entry(domain.to_ascii_lowercase()).or_default() += 1;
            }
        }
    }
    let mut rows: Vec<_> = counts
        .into_iter()
        .map(|(name, accounts)| DomainRow { name, accounts })
        .collect();
    rows.sort_by_key(|row| row.name != first);
    Ok(rows)
}

/// Whether mail for a domain is ours already: an account has an address in it, or it is the one of the configuration.
///
/// # Errors
/// The store's.
pub async fn serves(store: &Store, first: &str, domain: &str) -> Result<bool, StoreError> {
    if domain.eq_ignore_ascii_case(first) {
        return Ok(true);
    }
    let mut after: Option<String> = None;
    loop {
        let page = store.accounts(after.as_deref(), READ_AT_ONCE).await?;
        let Some((last, _)) = page.last() else {
            return Ok(false);
        };
        after = Some(last.clone());
        let mut names = page.iter().filter_map(|(one, _)| one.rsplit_once('@'));
        if names.any(|(_, name)| name.eq_ignore_ascii_case(domain)) {
            return Ok(true);
        }
    }
}

/// One record to publish. Names end with their dot, as in a zone file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsRecord {
    /// Where.
    pub name: String,
    /// MX, SRV, CNAME, TXT.
    pub kind: &'static str,
    /// What.
    pub value: String,
    /// What it is good for, in words.
    pub why: &'static str,
    /// What must stand there.
    pub(crate) wants: Wants,
}

/// What makes a record the right one. Hosts are in ASCII and have no dot at their end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    /// Addresses of its own: it is the mail host.
    Addresses,
    /// Mail goes to this host.
    Exchange(String),
    /// Mail may come from this host.
    Sender(String),
    /// The service is on this host at this port; None, if it is closed.
    Service(String, Option<u16>),
    /// The same as this host.
    Alias(String),
}

impl DnsRecord {
    /// As a line of a zone file.
    pub fn line(&self) -> String {
        format!("{} IN {} {}", self.name, self.kind, self.value)
    }
}

/// A name as the DNS knows it: in lower case, beyond ASCII as an A-label (RFC 5890 §2.3.2.1).
pub(crate) fn in_ascii(name: &str) -> String {
    match Host::parse(name) {
        Ok(Host::Domain(ascii)) => ascii.trim_end_matches('.').to_owned(),
        // What is no host is said as it is; whoever is asked for it says so.
        _ => name.to_ascii_lowercase(),
    }
}

/// What to publish for a domain. `web` is the host of the pages.
pub fn records(domain: &str, mail: &MailServices, web: &str) -> Vec<DnsRecord> {
    let (domain, host, web) = (in_ascii(domain), in_ascii(&mail.host), in_ascii(web));
    // RFC 6186 §3.4: the lower number is preferred, and a service that is not there has the root as its target.
    let srv = |service: &str, priority: u8, port: Option<u16>, why| DnsRecord {
        name: format!("_{service}._tcp.{domain}."),
        kind: "SRV",
        value: match port {
            Some(port) => format!("{priority} 1 {port} {host}."),
            None => "0 0 0 .".to_owned(),
        },
        why,
        wants: Wants::Service(host.clone(), port),
    };
    let alias = |name: &str, why| DnsRecord {
        name: format!("{name}.{domain}."),
        kind: "CNAME",
        value: format!("{web}."),
        why,
        wants: Wants::Alias(web.clone()),
    };
    vec![
        DnsRecord {
            name: format!("{domain}."),
            kind: "MX",
            value: format!("10 {host}."),
            why: "Mail for the domain comes here",
            wants: Wants::Exchange(host.clone()),
        },
        DnsRecord {
            name: format!("{domain}."),
            kind: "TXT",
            value: "\"v=spf1 mx -all\"".to_owned(),
            why: "Mail from the domain comes from here and from nowhere else (SPF)",
            wants: Wants::Sender(host.clone()),
        },
        srv("imaps", 0, mail.imap, "Mail programs find IMAP with TLS"),
        srv("pop3s", 10, mail.pop, "Mail programs find POP with TLS"),
        srv(
            "submissions",
            0,
            mail.smtps,
            "Mail programs find sending with TLS",
        ),
        srv(
            "submission",
            10,
            mail.submission,
            "Older mail programs find sending with STARTTLS",
        ),
        alias(
            "autoconfig",
            "Thunderbird and others fetch all settings; the certificate must name this host too",
        ),
        alias(
            "autodiscover",
            "Outlook fetches all settings; the certificate must name this host too",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_closed_is_said_to_be() {
        let mail = MailServices {
            host: "mail.example.org".into(),
            imap: Some(993),
            smtps: Some(465),
            submission: Some(587),
            ..MailServices::default()
        };
        let lines: Vec<String> = records("example.org", &mail, "web.example.org")
            .iter()
            .map(DnsRecord::line)
            .collect();
        assert_eq!(
            lines,
            [
                "example.org. IN MX 10 mail.example.org.",
                "example.org. IN TXT \"v=spf1 mx -all\"",
                "_imaps._tcp.example.org. IN SRV 0 1 993 mail.example.org.",
                "_pop3s._tcp.example.org. IN SRV 0 0 0 .",
                "_submissions._tcp.example.org. IN SRV 0 1 465 mail.example.org.",
                "_submission._tcp.example.org. IN SRV 10 1 587 mail.example.org.",
                "autoconfig.example.org. IN CNAME web.example.org.",
                "autodiscover.example.org. IN CNAME web.example.org.",
            ]
        );
    }

    #[test]
    fn names_beyond_ascii_are_published_as_the_dns_knows_them() {
        let mail = MailServices {
            host: "Post.Bücher.example".into(),
            ..MailServices::default()
        };
        let first = &records("München.example", &mail, "web.example.org")[0];
        assert_eq!(
            first.line(),
            "xn--mnchen-3ya.example. IN MX 10 post.xn--bcher-kva.example."
        );
        assert_eq!(in_ascii("no host"), "no host");
    }
}
