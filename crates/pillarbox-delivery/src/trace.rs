//! What a server writes on top of a message: Return-Path, Received (RFC 5321 §4.4), and dates.

use jiff::{Timestamp, tz::TimeZone};
use pillarbox_store::mail::Millis;
use pillarbox_wire::smtp::Address;
use std::fmt::Write as _;
use std::net::IpAddr;

/// How a message came to us: what Received says.
#[derive(Clone, Debug)]
pub struct Trace {
    /// What the client called itself in EHLO or HELO.
    pub client: String,
    /// Where it connected from.
    pub peer: IpAddr,
    /// The session token.
    pub session: String,
    /// It said EHLO.
    pub extended: bool,
    /// Over TLS.
    pub tls: bool,
    /// Somebody was signed in.
    pub authenticated: bool,
    /// With SMTPUTF8 (RFC 6531).
    pub utf8: bool,
}

impl Trace {
    /// The word after `with` (RFC 3848, RFC 6531 §4.3).
    pub(crate) fn protocol(&self) -> String {
        let base = match (self.extended, self.utf8) {
            (_, true) => "UTF8SMTP",
            (true, false) => "ESMTP",
            (false, false) => return "SMTP".into(),
        };
        let tls = if self.tls { "S" } else { "" };
        let authenticated = if self.authenticated { "A" } else { "" };
        format!("{base}{tls}{authenticated}")
    }

    /// The Received field, folded, line end included. `only` is the recipient if there is just one: several are not
    /// told of each other.
    pub(crate) fn received(
        &self,
        host: &str,
        product: &str,
        id: &str,
        only: Option<&str>,
        at: Millis,
    ) -> String {
        let peer = match self.peer.to_canonical() {
            IpAddr::V4(peer) => format!("[{peer}]"),
            IpAddr::V6(peer) => format!("[IPv6:{peer}]"),
        };
        let shown = |text: &str| self.utf8 || text.is_ascii();
        let client = if shown(&self.client) {
            &self.client
        } else {
            &peer
        };
        let mut field = format!("Received: from {client} ({peer})\r\n");
        let protocol = self.protocol();
        // Writing to a String does not fail.
        let _ = write!(
            field,
            "\tby {host} ({product}) with {protocol} id {}.{id}",
            self.session
        );
        if let Some(address) = only.filter(|address| shown(address)) {
            let _ = write!(field, "\r\n\tfor <{address}>");
        }
        let _ = write!(field, ";\r\n\t{}\r\n", date(at));
        field
    }
}

/// The Return-Path field: who reports go to.
pub(crate) fn return_path(sender: Option<&Address>) -> String {
    match sender {
        Some(address) => format!("Return-Path: <{address}>\r\n"),
        None => "Return-Path: <>\r\n".into(),
    }
}

/// `date-time` of RFC 5322 §3.3, in UTC.
pub(crate) fn date(at: Millis) -> String {
    let moment = Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
    moment
        .to_zoned(TimeZone::UTC)
        .strftime("%a, %d %b %Y %H:%M:%S +0000")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn received_as_in_the_rfc() {
        let trace = Trace {
            client: "laptop.example.com".into(),
            peer: [203, 0, 113, 7].into(),
            session: "t1".into(),
            extended: true,
            tls: true,
            authenticated: true,
            utf8: false,
        };
        assert_eq!(
            trace.received(
                "smtp.example.com",
                "Pillarbox",
                "1f",
                Some("bob@example.org"),
                1_772_442_904_000
            ),
            "Received: from laptop.example.com ([203.0.113.7])\r\n\tby smtp.example.com (Pillarbox) with ESMTPSA id t1.1f\r\n\
             \tfor <bob@example.org>;\r\n\tMon, 02 Mar 2026 09:15:04 +0000\r\n"
        );
        let v6 = Trace {
            client: "ünï".into(),
            peer: "2001:db8::1".parse().unwrap_or(trace.peer),
            ..trace.clone()
        };
        let field = v6.received("h", "P", "1", None, 0);
        assert!(
            field.starts_with("Received: from [IPv6:2001:db8::1] ([IPv6:2001:db8::1])\r\n"),
            "{field}"
        );
        assert!(!field.contains("for <") && field.is_ascii());
    }

    #[test]
    fn protocols_of_rfc_3848() {
        let trace = |extended, tls, authenticated, utf8| {
            let (client, session) = (String::new(), String::new());
            Trace {
                client,
                peer: [0; 4].into(),
                session,
                extended,
                tls,
                authenticated,
                utf8,
            }
            .protocol()
        };
        assert_eq!(trace(false, true, false, false), "SMTP");
        assert_eq!(trace(true, false, false, false), "ESMTP");
        assert_eq!(trace(true, true, false, false), "ESMTPS");
        assert_eq!(trace(true, true, true, true), "UTF8SMTPSA");
    }
}
