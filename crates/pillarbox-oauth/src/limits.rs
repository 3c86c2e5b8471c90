//! What an app password or a client certificate is limited to: services, networks of the client, an end.

use crate::{Refusal, Result, Service};
use pillarbox_store::mail::Millis;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Most networks of one of them.
pub(crate) const NETWORKS_MAX: usize = 20;

/// The limits of an app password or a client certificate; the default has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppLimits {
    /// Only these services; empty is all.
    pub only: Vec<Service>,
    /// Only from these networks; empty is from anywhere.
    pub from: Vec<Network>,
    /// Not from this moment on; the sessions it opened end then too.
    pub until: Option<Millis>,
}

/// A network of addresses in CIDR form (RFC 4632 §3.1, RFC 4291 §2.3): `192.0.2.0/24`, `2001:db8::/32`; without a length, one
/// address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    length: u8,
}

/// Not a network; bits behind its length are a likely slip, and are refused too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a network is written like 192.0.2.0/24 or 2001:db8::/32")]
pub struct NotANetwork;

impl Network {
    /// Whether the address is in it. An IPv4 address that came mapped into IPv6 is itself.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                let length = u32::from(self.length);
                (first.to_bits() ^ address.to_bits())
                    .checked_shr(32 - length)
                    .unwrap_or(0)
                    == 0
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                let length = u32::from(self.length);
                (first.to_bits() ^ address.to_bits())
                    .checked_shr(128 - length)
                    .unwrap_or(0)
                    == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (first, length) = match text.split_once('/') {
            Some((first, length)) => (first, Some(length)),
            None => (text, None),
        };
        let first: IpAddr = first.parse().map_err(|_| NotANetwork)?;
        let longest: u8 = if first.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => longest,
            Some(length) => length.parse().map_err(|_| NotANetwork)?,
        };
        let host_bits = longest.checked_sub(length).ok_or(NotANetwork)?;
        let trailing = match first {
            IpAddr::V4(first) => first.to_bits().trailing_zeros(),
            IpAddr::V6(first) => first.to_bits().trailing_zeros(),
        };
        match trailing >= u32::from(host_bits) {
            true => Ok(Self { first, length }),
            false => Err(NotANetwork),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.length)
    }
}

/// The limits as kept: words, so that rows stay readable when services are added.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LimitsRow {
    only: Vec<String>,
    from: Vec<String>,
    until: Option<Millis>,
}

const SERVICES: [(Service, &str); 4] = [
    (Service::Imap, "imap"),
    (Service::Pop3, "pop"),
    (Service::Submission, "smtp"),
    (Service::Web, "web"),
];

impl LimitsRow {
    pub(crate) fn new(limits: &AppLimits) -> Self {
        let named = SERVICES
            .iter()
            .filter(|(service, _)| limits.only.contains(service));
        Self {
            only: named.map(|(_, name)| (*name).to_owned()).collect(),
            from: limits.from.iter().map(Network::to_string).collect(),
            until: limits.until,
        }
    }

    pub(crate) fn limits(&self) -> AppLimits {
        let named = SERVICES
            .iter()
            .filter(|(_, name)| self.only.iter().any(|one| one == name));
        AppLimits {
            only: named.map(|(service, _)| *service).collect(),
            from: self
                .from
                .iter()
                .filter_map(|text| text.parse().ok())
                .collect(),
            until: self.until,
        }
    }

    /// Refuses what lies outside; a peer that is not known is outside every network. `what` is limited, in words.
    pub(crate) fn allow(
        &self,
        what: &str,
        service: Service,
        peer: Option<IpAddr>,
        now: Millis,
    ) -> Result<(), Refusal> {
        let limits = self.limits();
        // What cannot be read any more must not open what it closed.
        if !self.only.is_empty() && !limits.only.contains(&service) {
            return Err(Refusal::invalid(format!("{what} is not for this service")));
        }
        let inside = |peer| limits.from.iter().any(|network| network.contains(peer));
        if !self.from.is_empty() && !peer.is_some_and(inside) {
            return Err(Refusal::invalid(format!("{what} is not for this address")));
        }
        if self.until.is_some_and(|until| until <= now) {
            return Err(Refusal::invalid(format!("{what} has ended")));
        }
        Ok(())
    }

    pub(crate) fn until(&self) -> Option<Millis> {
        self.until
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed unwrap is a failed test
    use super::*;

    #[test]
    fn networks() {
        for (network, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.0/24", "::ffff:192.0.2.9", "2001:db8::1"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("0.0.0.0/0", "203.0.113.7", "::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::/0", "2001:db8::1", "192.0.2.1"),
            ("2001:db8::1/128", "2001:db8::1", "2001:db8::2"),
        ] {
            let read: Network = network.parse().unwrap();
            assert!(read.contains(inside.parse().unwrap()), "{network} {inside}");
            assert!(
                !read.contains(outside.parse().unwrap()),
                "{network} {outside}"
            );
            assert_eq!(read.to_string().parse(), Ok(read));
        }
        for bad in [
            "",
            "192.0.2.1/24",
            "192.0.2.0/33",
            "2001:db8::1/64",
            "x/8",
            "192.0.2.0/",
            "192.0.2.0/-1",
        ] {
            assert_eq!(bad.parse::<Network>(), Err(NotANetwork), "{bad}");
        }
    }

    #[test]
    fn what_cannot_be_read_opens_nothing() {
        let row: LimitsRow = serde_json::from_str(r#"{"only":["later"],"from":[]}"#).unwrap();
        assert!(row.allow("it", Service::Imap, None, 0).is_err());
        let row: LimitsRow = serde_json::from_str(r#"{"from":["?"]}"#).unwrap();
        assert!(
            row.allow("it", Service::Imap, Some([192, 0, 2, 1].into()), 0)
                .is_err()
        );
    }
}
