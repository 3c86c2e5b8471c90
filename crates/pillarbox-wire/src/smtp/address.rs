//! Envelope addresses and paths (RFC 5321 §4.1.2, RFC 6531 §3.3). Header addresses are another grammar and not here.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Longest local part, in bytes (RFC 5321 §4.5.3.1.1).
const LOCAL_BYTES_MAX: usize = 64;
/// Longest domain, in bytes (RFC 5321 §4.5.3.1.2).
const DOMAIN_BYTES_MAX: usize = 255;
/// Longest label of a domain, in characters (RFC 1035 §2.3.4).
const LABEL_CHARS_MAX: usize = 63;
/// Longest path without its angle brackets, in bytes (RFC 5321 §4.5.3.1.3: 256 with them).
const PATH_BYTES_MAX: usize = 254;

/// `Mailbox = Local-part "@" ( Domain / address-literal )`: one address of an envelope.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    local: String,
    domain: Domain,
}

/// The right side of an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Domain {
    /// A name, in the letters it was written in. Made by [`Domain::parse`], so that its labels are legal.
    Name(DomainName),
    /// `[127.0.0.1]`
    V4(Ipv4Addr),
    /// `[IPv6:::1]`
    V6(Ipv6Addr),
}

/// A legal domain name; may hold UTF-8 (RFC 6531 §3.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DomainName(String);

/// What is wrong with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// Not a dot-string and not a quoted string.
    #[error("malformed local part")]
    Local,
    /// No `@`.
    #[error("no domain")]
    NoDomain,
    /// Neither a domain name nor an address literal.
    #[error("malformed domain")]
    Domain,
    /// The route before the address (RFC 5321 §4.1.2, A-d-l) is malformed.
    #[error("malformed source route")]
    Route,
    /// A part is over its limit.
    #[error("address too long")]
    TooLong,
}

/// Who a message comes from: MAIL FROM.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReversePath {
    /// `<>`: a report, never to be answered (RFC 5321 §4.5.5).
    Null,
    /// An address.
    Address(Address),
}

/// Who a message goes to: RCPT TO.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ForwardPath {
    /// `<Postmaster>` without a domain, which every server takes (RFC 5321 §4.5.1).
    Postmaster,
    /// An address.
    Address(Address),
}

impl Address {
    /// Reads an address without angle brackets. Quotes of the local part are kept as written.
    ///
    /// # Errors
    /// [`BadAddress`].
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        let local_end = local_end(text)?;
        let (local, rest) = text.split_at(local_end);
        let domain = rest.strip_prefix('@').ok_or(BadAddress::NoDomain)?;
        if local.len() > LOCAL_BYTES_MAX || text.len() > PATH_BYTES_MAX {
            return Err(BadAddress::TooLong);
        }
        Ok(Self {
            local: local.to_owned(),
            domain: Domain::parse(domain)?,
        })
    }

    /// The local part as written, with its quotes.
    #[must_use]
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The domain.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// Whether it can travel without SMTPUTF8.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.local.is_ascii() && !matches!(&self.domain, Domain::Name(name) if !name.0.is_ascii())
    }

    /// The form to compare and store: the domain in lower case, and quotes only where they are needed, since `"ada"@x`
    /// and `ada@x` are the same (RFC 5321 §4.1.2). The letter case of the local part is kept: who owns the domain
    /// decides whether it counts (§2.4).
    #[must_use]
    pub fn normal(&self) -> String {
        let plain = unquote(&self.local);
        let local = match is_dot_string(&plain) {
            true => plain,
            false => quote(&plain),
        };
        format!("{local}@{}", self.domain.to_string().to_lowercase())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

impl Domain {
    /// Reads a name or an address literal. `Domain = sub-domain *("." sub-domain)`; no closing dot.
    ///
    /// # Errors
    /// [`BadAddress::Domain`], [`BadAddress::TooLong`].
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        if text.len() > DOMAIN_BYTES_MAX {
            return Err(BadAddress::TooLong);
        }
        match text.strip_prefix('[') {
            Some(literal) => address_literal(literal).ok_or(BadAddress::Domain),
            None if text.split('.').all(is_label) => Ok(Self::Name(DomainName(text.to_owned()))),
            None => Err(BadAddress::Domain),
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(&name.0),
            Self::V4(address) => write!(f, "[{address}]"),
            Self::V6(address) => write!(f, "[IPv6:{address}]"),
        }
    }
}

impl DomainName {
    /// The name as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ReversePath {
    /// Reads what stands between the angle brackets.
    ///
    /// # Errors
    /// [`BadAddress`].
    pub fn parse(inner: &str) -> Result<Self, BadAddress> {
        match inner {
            "" => Ok(Self::Null),
            inner => Address::parse(without_route(inner)?).map(Self::Address),
        }
    }

    /// The address, unless it is the null sender.
    #[must_use]
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Null => None,
            Self::Address(address) => Some(address),
        }
    }
}

/// Prints with angle brackets.
impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Address(address) => write!(f, "<{address}>"),
        }
    }
}

impl ForwardPath {
    /// Reads what stands between the angle brackets.
    ///
    /// # Errors
    /// [`BadAddress`].
    pub fn parse(inner: &str) -> Result<Self, BadAddress> {
        if inner.eq_ignore_ascii_case("postmaster") {
            return Ok(Self::Postmaster);
        }
        Address::parse(without_route(inner)?).map(Self::Address)
    }

    /// The address, unless it is the bare `Postmaster`.
    #[must_use]
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Postmaster => None,
            Self::Address(address) => Some(address),
        }
    }
}

/// Prints with angle brackets.
impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postmaster => f.write_str("<Postmaster>"),
            Self::Address(address) => write!(f, "<{address}>"),
        }
    }
}

/// Splits `<...>rest`. A `>` inside a quoted local part does not close it.
pub(super) fn split_path(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('<')?;
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some((&text[..at], &text[at + 1..])),
            _ => {}
        }
    }
    None
}

/// Where the local part ends, if it is a legal one.
fn local_end(text: &str) -> Result<usize, BadAddress> {
    if text.starts_with('"') {
        return quoted_end(text).ok_or(BadAddress::Local);
    }
    let end = text.find('@').unwrap_or(text.len());
    match is_dot_string(&text[..end]) {
        true => Ok(end),
        false => Err(BadAddress::Local),
    }
}

/// `Quoted-string = DQUOTE *QcontentSMTP DQUOTE`; gives the index after the closing quote.
fn quoted_end(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some(at + 1),
            // quoted-pairSMTP = %d92 %d32-126
            '\\' => match chars.next()?.1 {
                ' '..='~' => {}
                _ => return None,
            },
            c if c.is_control() => return None,
            _ => {}
        }
    }
    None
}

/// `Dot-string = Atom *("."  Atom)`, with UTF-8 in atoms (RFC 6531 §3.3).
fn is_dot_string(text: &str) -> bool {
    let is_atext = |c: char| match c {
        c if c.is_ascii() => c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c),
        c => !c.is_control() && !c.is_whitespace(),
    };
    text.split('.')
        .all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

/// `sub-domain = Let-dig [Ldh-str]`, or a U-label.
fn is_label(label: &str) -> bool {
    let legal = |c: char| match c {
        c if c.is_ascii() => c.is_ascii_alphanumeric() || c == '-',
        c => !c.is_control() && !c.is_whitespace(),
    };
    !label.is_empty()
        && label.chars().count() <= LABEL_CHARS_MAX
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().all(legal)
}

/// The inside of an address literal and its closing bracket (RFC 5321 §4.1.3).
fn address_literal(text: &str) -> Option<Domain> {
    let text = text.strip_suffix(']')?;
    match text.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("IPv6:") => text[5..].parse().ok().map(Domain::V6),
        _ => text.parse().ok().map(Domain::V4),
    }
}

/// Takes off `@one,@two:`, which is read and ignored (RFC 5321 §4.1.2, appendix C).
fn without_route(inner: &str) -> Result<&str, BadAddress> {
    let mut rest = inner;
    if !rest.starts_with('@') {
        return Ok(inner);
    }
    loop {
        rest = rest.strip_prefix('@').ok_or(BadAddress::Route)?;
        let name_end = match rest.starts_with('[') {
            true => rest.find(']').map(|at| at + 1),
            false => rest.find([',', ':']),
        };
        let (name, after) = rest.split_at(name_end.ok_or(BadAddress::Route)?);
        Domain::parse(name).map_err(|_| BadAddress::Route)?;
        match after.split_at_checked(1) {
            Some((":", address)) => return Ok(address),
            Some((",", more)) => rest = more,
            _ => return Err(BadAddress::Route),
        }
    }
}

/// The meaning of a local part: without quotes and backslashes.
fn unquote(local: &str) -> String {
    let Some(inner) = local
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    else {
        return local.to_owned();
    };
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        out.extend(match c {
            '\\' => chars.next(),
            c => Some(c),
        });
    }
    out
}

fn quote(plain: &str) -> String {
    let escaped = plain.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed unwrap is the failed test
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn good_addresses_print_as_written() {
        for good in [
            "ada@example.com",
            "Ada.Love-lace+tag@Example.COM",
            "\"a b\"@c",
            "\"\"@c",
            "\"a>b@c\\\"d\\\\\"@e.f",
            "ada@[127.0.0.1]",
            "ada@[IPv6:2001:db8::1]",
            "o'brien/=!#$%&*?^_`{|}~@localhost",
            "jörg@bücher.example",
        ] {
            assert_eq!(Address::parse(good).unwrap().to_string(), good);
        }
    }

    #[test]
    fn bad_addresses() {
        use BadAddress as Bad;
        let long_local = format!("{}@c", "a".repeat(65));
        let long_domain = format!("a@{}", "b.".repeat(128));
        let long_path = format!("{}@{}com", "a".repeat(64), "bb.".repeat(63));
        for (bad, why) in [
            ("", Bad::Local),
            ("ada", Bad::NoDomain),
            ("@c", Bad::Local),
            ("a..b@c", Bad::Local),
            (".a@c", Bad::Local),
            ("a.@c", Bad::Local),
            ("a b@c", Bad::Local),
            ("a\"b@c", Bad::Local),
            ("\"a@c", Bad::Local),
            ("\"a\"b@c", Bad::NoDomain),
            ("\"a\tb\"@c", Bad::Local),
            ("a@", Bad::Domain),
            ("a@b..c", Bad::Domain),
            ("a@b.", Bad::Domain),
            ("a@-b", Bad::Domain),
            ("a@b-", Bad::Domain),
            ("a@b c", Bad::Domain),
            ("a@b_c", Bad::Domain),
            ("a@b@c", Bad::Domain),
            ("a@[127.0.0.1", Bad::Domain),
            ("a@[127.0.0.256]", Bad::Domain),
            ("a@[2001:db8::1]", Bad::Domain),
            ("a@[IPv6:127.0.0.1]", Bad::Domain),
            ("a@[]", Bad::Domain),
            (long_local.as_str(), Bad::TooLong),
            (long_domain.as_str(), Bad::TooLong),
            (long_path.as_str(), Bad::TooLong),
        ] {
            assert_eq!(Address::parse(bad), Err(why), "{bad}");
        }
        let long_label = format!("a@{}.com", "b".repeat(64));
        assert_eq!(Address::parse(&long_label), Err(Bad::Domain));
        assert!(Address::parse(&format!("{}@c", "a".repeat(64))).is_ok());
    }

    #[test]
    fn normal_form() {
        for (written, normal) in [
            ("Ada@Example.COM", "Ada@example.com"),
            ("\"ada\"@x", "ada@x"),
            ("\"a\\da\"@x", "ada@x"),
            ("\"a b\"@X", "\"a b\"@x"),
            ("\"a\\\"b\"@x", "\"a\\\"b\"@x"),
            ("a@[ipv6:2001:DB8:0::1]", "a@[ipv6:2001:db8::1]"),
            ("a@BÜCHER.de", "a@bücher.de"),
        ] {
            assert_eq!(Address::parse(written).unwrap().normal(), normal);
        }
    }

    #[test]
    fn paths() {
        let route = ReversePath::parse("@one.example,@[IPv6:::1]:ada@example.com").unwrap();
        assert_eq!(route.to_string(), "<ada@example.com>");
        assert_eq!(ReversePath::parse(""), Ok(ReversePath::Null));
        assert_eq!(
            ForwardPath::parse("postMASTER"),
            Ok(ForwardPath::Postmaster)
        );
        assert_eq!(ForwardPath::parse(""), Err(BadAddress::Local));
        assert_eq!(ReversePath::parse("Postmaster"), Err(BadAddress::NoDomain));
        for bad in [
            "@one.example",
            "@:a@b",
            "@a,b:c@d",
            "@a,:c@d",
            "@[x:c@d",
            "@a",
        ] {
            assert_eq!(ForwardPath::parse(bad), Err(BadAddress::Route), "{bad}");
        }
    }

    #[test]
    fn brackets() {
        assert_eq!(split_path("<a@b> SIZE=1"), Some(("a@b", " SIZE=1")));
        assert_eq!(split_path("<\"a>\\\"b\"@c>"), Some(("\"a>\\\"b\"@c", "")));
        assert_eq!(split_path("<>"), Some(("", "")));
        for bad in ["", "a@b", "<a@b", "<\"a>", "a@b>"] {
            assert_eq!(split_path(bad), None, "{bad}");
        }
    }

    #[test]
    fn ascii() {
        assert!(Address::parse("a@b").unwrap().is_ascii());
        assert!(!Address::parse("é@b").unwrap().is_ascii());
        assert!(!Address::parse("a@é").unwrap().is_ascii());
    }

    proptest! {
        #[test]
        fn what_parses_prints_the_same_and_has_a_stable_normal_form(text in "[a\"\\\\ .@é\\[\\]1:-]{0,12}@(b|\\[1.2.3.4\\])") {
            if let Ok(address) = Address::parse(&text) {
                prop_assert_eq!(address.to_string(), text);
                let normal = Address::parse(&address.normal()).unwrap();
                prop_assert_eq!(normal.normal(), address.normal());
            }
        }

        #[test]
        fn anything_may_come(text: String) {
            let _ = ReversePath::parse(&text);
            let _ = ForwardPath::parse(&text);
            let _ = split_path(&text);
        }
    }
}
