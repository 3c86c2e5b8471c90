//! SASL as IMAP, POP3 and SMTP share it: the texts of XOAUTH2, OAUTHBEARER, PLAIN, LOGIN, SCRAM and EXTERNAL, and the [`Exchange`]
//! of challenges around them.
//!
//! It decides what was said, never whether it is true: checking a credential is asynchronous and belongs to the oauth
//! floor, between [`Step::Check`] and [`Exchange::accepted`] or [`Exchange::refused`]. The words around a challenge
//! (`+ `, `334 `) and after a failure belong to each protocol.

mod bearer;
mod exchange;
mod external;
mod password;
pub mod scram;

pub use bearer::{
    Bearer, OauthBearer, XOAUTH2_FAILURE, decode_oauthbearer, decode_xoauth2, encode_oauthbearer,
    encode_xoauth2, oauthbearer_failure,
};
pub use exchange::{Credentials, Dummy, Exchange, Failure, Offer, Step};
pub use external::decode_external;
pub use password::{Password, decode_plain, encode_plain};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

/// Longest user name accepted in any mechanism, in bytes: a full address (64 + 1 + 255) and room for `recent:`.
pub const USER_BYTES_MAX: usize = 512;
/// Longest bearer token, in bytes (wire §2.1).
pub const TOKEN_BYTES_MAX: usize = 4096;
/// Longest password, in bytes. RFC 4616 §2 asks for 255; people also paste tokens here.
pub const PASSWORD_BYTES_MAX: usize = 4096;
/// Longest base64 line of an exchange, in bytes: RFC 4954 §4 asks for 12,288, wire §2.1 for 16 KiB.
pub const RESPONSE_BYTES_MAX: usize = 16 * 1024;

/// A mechanism the service may offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// Google's bearer form (wire §2.1).
    Xoauth2,
    /// RFC 7628.
    OauthBearer,
    /// RFC 4616.
    Plain,
    /// Two prompts, user name and password; never standardised, offered by SMTP (wire §5.1).
    Login,
    /// RFC 7677.
    ScramSha256,
    /// RFC 7677, bound to the TLS connection.
    ScramSha256Plus,
    /// RFC 4422 appendix A: the certificate that the client showed in TLS.
    External,
}

impl Mechanism {
    /// Every mechanism.
    pub const ALL: [Self; 7] = [
        Self::Xoauth2,
        Self::OauthBearer,
        Self::Plain,
        Self::Login,
        Self::ScramSha256,
        Self::ScramSha256Plus,
        Self::External,
    ];

    /// Finds a mechanism by its name, in any letter case (RFC 4422 §3.1 writes them in capitals, clients do not).
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }

    /// The name as it is advertised.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Xoauth2 => "XOAUTH2",
            Self::OauthBearer => "OAUTHBEARER",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::External => "EXTERNAL",
        }
    }

    /// Whether a failed check is first explained by a JSON challenge (wire §2.2, RFC 7628 §3.2.2).
    #[must_use]
    pub fn is_bearer(self) -> bool {
        matches!(self, Self::Xoauth2 | Self::OauthBearer)
    }

    /// Whether it is one of RFC 7677.
    #[must_use]
    pub fn is_scram(self) -> bool {
        matches!(self, Self::ScramSha256 | Self::ScramSha256Plus)
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a SASL response could not be read (wire §2.3). For the log; peers get one text for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not padded base64 of RFC 4648 §4.
    #[error("not base64")]
    NotBase64,
    /// Base64 of base64: the client encoded twice.
    #[error("base64 was applied twice")]
    DoubleBase64,
    /// Text that is not UTF-8, or holds a control character.
    #[error("not UTF-8 text without control characters")]
    NotText,
    /// No `user=`, or an empty user name.
    #[error("no user name")]
    NoUser,
    /// No `auth=Bearer `.
    #[error("no `auth=Bearer`")]
    NoBearer,
    /// The closing `^A^A` is missing, or something follows it.
    #[error("no closing ^A^A")]
    NoEnd,
    /// A field that is not `key=value`, came twice or holds a value that cannot be.
    #[error("a field is malformed or repeated")]
    BadField,
    /// The GS2 header of RFC 5801 §4 is malformed.
    #[error("malformed GS2 header")]
    BadGs2Header,
    /// Channel binding was asked for in a mechanism without it (RFC 5801 §5), of a type that is not offered, or not used
    /// by a client that could although it was offered (RFC 5802 §6).
    #[error("channel binding that does not go with this mechanism and what was offered")]
    ChannelBinding,
    /// Not the three parts of PLAIN (RFC 4616 §2), or an empty password.
    #[error("not a PLAIN message")]
    NotPlain,
    /// Not the SCRAM message that was due (RFC 5802 §7).
    #[error("not the SCRAM message that was due")]
    NotScram,
    /// The client's channel, or the offer it met, is not ours (RFC 5802 §6): somebody may be in between.
    #[error("the client's channel binding is not this connection's; somebody may be in between")]
    BindingDiffers,
    /// A part is longer than its limit.
    #[error("longer than the limit")]
    TooLong,
}

/// Something that must not reach a log: its `Debug` prints `[secret]`.
#[derive(Clone, Default)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one place that checks or sends it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Looks at every byte whatever the first difference, so that time tells an onlooker the length at most.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
        let differences = a.iter().zip(b).fold(0, |seen, (x, y)| seen | (x ^ y));
        a.len() == b.len() && std::hint::black_box(differences) == 0
    }
}

impl Eq for Secret {}

/// Decodes padded base64 of RFC 4648 §4: no line breaks, no missing padding, no stray bits.
///
/// # Errors
/// [`Malformed::NotBase64`], or [`Malformed::TooLong`] over [`RESPONSE_BYTES_MAX`].
pub fn from_base64(text: &[u8]) -> Result<Vec<u8>, Malformed> {
    if text.len() > RESPONSE_BYTES_MAX {
        return Err(Malformed::TooLong);
    }
    STANDARD.decode(text).map_err(|_| Malformed::NotBase64)
}

/// Encodes with padding and without line breaks (RFC 4648 §4).
#[must_use]
pub fn to_base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// Whether this decoded response is base64 once more. Only asked when the response made no sense as it was.
fn is_base64_again(response: &[u8]) -> bool {
    response.len() >= 8 && STANDARD.decode(response).is_ok()
}

/// Whether there is such a byte. All are looked at, which lets the compiler look at many together: tokens are long, and
/// hardly ever bad.
fn some(bytes: &[u8], is: impl Fn(&u8) -> bool) -> bool {
    bytes.iter().fold(false, |found, byte| found | is(byte))
}

/// Checks one piece of text from a peer: UTF-8, no control characters, not over `bytes_max`.
fn text(bytes: &[u8], bytes_max: usize) -> Result<&str, Malformed> {
    if bytes.len() > bytes_max {
        return Err(Malformed::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed::NotText)?;
    if some(bytes, u8::is_ascii_control) {
        return Err(Malformed::NotText);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed unwrap is the failed test
    use super::*;

    #[test]
    fn mechanisms_are_found_in_any_case() {
        for mechanism in Mechanism::ALL {
            assert_eq!(
                Mechanism::parse(&mechanism.name().to_lowercase()),
                Some(mechanism)
            );
        }
        assert_eq!(Mechanism::parse("XOAUTH"), None);
        assert_eq!(Mechanism::parse(""), None);
    }

    #[test]
    fn base64_is_strict() {
        assert_eq!(from_base64(b"YQ==").unwrap(), b"a");
        assert_eq!(from_base64(b"").unwrap(), b"");
        for bad in [
            "YQ", "YQ=", "YR==", "YQ==\n", "Y Q==", "=", "*", "Y-_=", "YQ==YQ==",
        ] {
            assert_eq!(
                from_base64(bad.as_bytes()),
                Err(Malformed::NotBase64),
                "{bad}"
            );
        }
        let long = vec![b'A'; RESPONSE_BYTES_MAX + 4];
        assert_eq!(from_base64(&long), Err(Malformed::TooLong));
    }

    #[test]
    fn secrets_do_not_print() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), "[secret]");
        assert_eq!(secret, Secret::new("hunter2"));
        assert_ne!(secret, Secret::new("hunter3"));
        assert_ne!(secret, Secret::new("hunter"));
        assert_ne!(secret, Secret::new(""));
    }
}
