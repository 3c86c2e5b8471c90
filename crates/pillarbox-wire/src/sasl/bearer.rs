//! Bearer tokens in SASL: XOAUTH2 (wire §2.1) and OAUTHBEARER (RFC 7628 §3.1), read and written.

use super::{Malformed, Secret, TOKEN_BYTES_MAX, USER_BYTES_MAX, is_base64_again, some, text};

/// The challenge that explains a refused XOAUTH2 token, before base64; the same for every cause (wire §2.2).
pub const XOAUTH2_FAILURE: &str =
    r#"{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}"#;

/// Separates key-value pairs in both mechanisms.
const SEPARATOR: u8 = 0x01;
/// Longest host name in an OAUTHBEARER message, in bytes (RFC 1035 §2.3.4).
const HOST_BYTES_MAX: usize = 255;

/// A user name and the token said to be theirs. Nothing about it has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    user: Option<String>,
    token: Secret,
}

impl Bearer {
    /// Makes one that both mechanisms can carry. `user` may be absent in OAUTHBEARER only, where the token itself then
    /// names the mailbox (RFC 7628 §3.1). An empty token is legal here and refused by whoever checks it, so that the
    /// client learns to fetch a new one.
    ///
    /// # Errors
    /// [`Malformed::NoUser`] for an empty name, [`Malformed::TooLong`], [`Malformed::NotText`],
    /// [`Malformed::NoBearer`] for a token with anything but visible ASCII.
    pub fn new(user: Option<&str>, token: &str) -> Result<Self, Malformed> {
        if user.is_some_and(str::is_empty) {
            return Err(Malformed::NoUser);
        }
        let user = user.map(|user| text(user.as_bytes(), USER_BYTES_MAX));
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Malformed::TooLong);
        }
        if some(token.as_bytes(), |byte| !byte.is_ascii_graphic()) {
            return Err(Malformed::NoBearer);
        }
        Ok(Self {
            user: user.transpose()?.map(str::to_owned),
            token: Secret::new(token),
        })
    }

    /// The mailbox the client wants; `None` when an OAUTHBEARER client leaves that to the token.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The access token.
    #[must_use]
    pub fn token(&self) -> &Secret {
        &self.token
    }
}

/// A whole OAUTHBEARER message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OauthBearer {
    /// Who, with which token.
    pub bearer: Bearer,
    /// The host the client believes it talks to.
    pub host: Option<String>,
    /// The port the client believes it talks to.
    pub port: Option<u16>,
}

/// Reads `user=ada@example.com^Aauth=Bearer tok^A^A` after base64 (wire §2.1). `Bearer` in any letter case; unknown
/// keys are ignored.
///
/// # Errors
/// What wire §2.3 calls malformed.
pub fn decode_xoauth2(response: &[u8]) -> Result<Bearer, Malformed> {
    if !response.contains(&SEPARATOR) && is_base64_again(response) {
        return Err(Malformed::DoubleBase64);
    }
    let fields = Fields::read(response)?;
    let user = fields.user.ok_or(Malformed::NoUser)?;
    let user = text(user, USER_BYTES_MAX)?;
    Bearer::new(Some(user), bearer_token(fields.auth)?)
}

/// Writes the XOAUTH2 response, before base64.
#[must_use]
pub fn encode_xoauth2(bearer: &Bearer) -> Vec<u8> {
    let user = bearer.user().unwrap_or_default();
    format!(
        "user={user}\x01auth=Bearer {}\x01\x01",
        bearer.token.reveal()
    )
    .into_bytes()
}

/// Reads an OAUTHBEARER message after base64:
/// `client-resp = gs2-header kvsep *kvpair kvsep` (RFC 7628 §3.1).
///
/// # Errors
/// What wire §2.3 calls malformed, and a GS2 header RFC 5801 §4 does not allow.
pub fn decode_oauthbearer(response: &[u8]) -> Result<OauthBearer, Malformed> {
    if !response.contains(&SEPARATOR) && is_base64_again(response) {
        return Err(Malformed::DoubleBase64);
    }
    let (user, rest) = gs2_header(response)?;
    let rest = match rest.split_first() {
        Some((&SEPARATOR, rest)) => rest,
        _ => return Err(Malformed::BadGs2Header),
    };
    let fields = Fields::read(rest)?;
    let host = fields
        .host
        .map(|host| text(host, HOST_BYTES_MAX).map(str::to_owned))
        .transpose()?;
    Ok(OauthBearer {
        bearer: Bearer::new(user.as_deref(), bearer_token(fields.auth)?)?,
        host,
        port: fields.port.map(port).transpose()?,
    })
}

/// Writes an OAUTHBEARER message, before base64. A host with control characters is left out.
#[must_use]
pub fn encode_oauthbearer(message: &OauthBearer) -> Vec<u8> {
    let mut out = String::from("n,");
    if let Some(user) = message.bearer.user() {
        out.push_str("a=");
        // RFC 5801 §4: saslname
        out.push_str(&user.replace('=', "=3D").replace(',', "=2C"));
    }
    out.push_str(",\x01");
    if let Some(host) = &message.host
        && text(host.as_bytes(), HOST_BYTES_MAX).is_ok()
    {
        out.push_str(&format!("host={host}\x01"));
    }
    if let Some(port) = message.port {
        out.push_str(&format!("port={port}\x01"));
    }
    out.push_str(&format!(
        "auth=Bearer {}\x01\x01",
        message.bearer.token.reveal()
    ));
    out.into_bytes()
}

/// The challenge that explains a refused OAUTHBEARER token, before base64 (RFC 7628 §3.2.2, wire §2.4). `issuer` is the
/// URL under which the discovery document lies.
#[must_use]
pub fn oauthbearer_failure(issuer: &str) -> String {
    let issuer = json_text(issuer.trim_end_matches('/'));
    format!(
        r#"{{"status":"invalid_token","scope":"https://mail.google.com/","openid-configuration":"{issuer}/.well-known/openid-configuration"}}"#
    )
}

/// The key-value pairs we know, still as bytes.
#[derive(Default)]
struct Fields<'a> {
    user: Option<&'a [u8]>,
    auth: Option<&'a [u8]>,
    host: Option<&'a [u8]>,
    port: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    /// `*kvpair kvsep`; `kvpair = key "=" value kvsep`.
    fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Self::default();
        let mut rest = bytes;
        while !rest.is_empty() && rest != [SEPARATOR] {
            let end = memchr::memchr(SEPARATOR, rest).ok_or(Malformed::NoEnd)?;
            if end == 0 {
                return Err(Malformed::NoEnd); // something follows the closing ^A^A
            }
            fields.keep(&rest[..end])?;
            rest = &rest[end + 1..];
        }
        if rest.is_empty() {
            return Err(Malformed::NoEnd);
        }
        Ok(fields)
    }

    fn keep(&mut self, pair: &'a [u8]) -> Result<(), Malformed> {
        let equals = memchr::memchr(b'=', pair).ok_or(Malformed::BadField)?;
        let (key, value) = (&pair[..equals], &pair[equals + 1..]);
        let place = match key.to_ascii_lowercase().as_slice() {
            b"user" => &mut self.user,
            b"auth" => &mut self.auth,
            b"host" => &mut self.host,
            b"port" => &mut self.port,
            // RFC 7628 §3.1: servers ignore unknown keys
            _ => return Ok(()),
        };
        match place.replace(value) {
            None => Ok(()),
            Some(_) => Err(Malformed::BadField),
        }
    }
}

/// `auth=Bearer <token>`, the scheme in any letter case (wire §2.1), then at least one space (RFC 6750 §2.1).
fn bearer_token(auth: Option<&[u8]>) -> Result<&str, Malformed> {
    const SCHEME: &[u8] = b"bearer ";
    let auth = auth.ok_or(Malformed::NoBearer)?;
    match auth.split_at_checked(SCHEME.len()) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(SCHEME) => {
            let token = text(token, TOKEN_BYTES_MAX)?;
            Ok(token.trim_start_matches(' '))
        }
        _ => Err(Malformed::NoBearer),
    }
}

/// `gs2-header = [gs2-nonstd-flag ","] gs2-cb-flag "," [gs2-authzid] ","` (RFC 5801 §4). Gives the user and what follows.
fn gs2_header(response: &[u8]) -> Result<(Option<String>, &[u8]), Malformed> {
    let mut parts = response.splitn(3, |&b| b == b',');
    let (Some(flag), Some(authzid), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Malformed::BadGs2Header);
    };
    match flag {
        // RFC 5801 §5: `y` is a client that could bind and believes we cannot. We offer no -PLUS, so it is right.
        b"n" | b"y" => {}
        [b'p', b'=', ..] => return Err(Malformed::ChannelBinding),
        // `F` marks tokens of GSS mechanisms without the standard header; this is none.
        _ => return Err(Malformed::BadGs2Header),
    }
    match authzid {
        [] => Ok((None, rest)),
        [b'a', b'=', name @ ..] => Ok((Some(saslname(name)?), rest)),
        _ => Err(Malformed::BadGs2Header),
    }
}

/// `saslname = 1*(UTF8-char-safe / "=2C" / "=3D")` (RFC 5801 §4); any other `=` is an error there.
fn saslname(name: &[u8]) -> Result<String, Malformed> {
    let name = text(name, USER_BYTES_MAX)?;
    let mut parts = name.split('=');
    let mut out = String::from(parts.next().unwrap_or_default());
    for part in parts {
        let (escaped, rest) = match part.get(..2) {
            Some("2C" | "2c") => (',', &part[2..]),
            Some("3D" | "3d") => ('=', &part[2..]),
            _ => return Err(Malformed::BadGs2Header),
        };
        out.push(escaped);
        out.push_str(rest);
    }
    Ok(out)
}

fn port(digits: &[u8]) -> Result<u16, Malformed> {
    let digits = text(digits, 5)?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Malformed::BadField);
    }
    digits.parse().map_err(|_| Malformed::BadField)
}

/// Escapes what may not stand in a JSON string (RFC 8259 §7).
fn json_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed unwrap is the failed test
    use super::super::{from_base64, to_base64};
    use super::*;
    use proptest::prelude::*;

    const USER: &str = "ada@example.com";
    const TOKEN: &str = "tok-1f2e3d4c5b6a";

    fn ada() -> Bearer {
        Bearer::new(Some(USER), TOKEN).unwrap()
    }

    #[test]
    fn xoauth2_as_on_the_wire() {
        let line = "dXNlcj1hZGFAZXhhbXBsZS5jb20BYXV0aD1CZWFyZXIgdG9rLTFmMmUzZDRjNWI2YQEB";
        assert_eq!(to_base64(encode_xoauth2(&ada())), line);
        assert_eq!(
            decode_xoauth2(&from_base64(line.as_bytes()).unwrap()),
            Ok(ada())
        );
    }

    #[test]
    fn oauthbearer_as_on_the_wire() {
        let line = "bixhPWFkYUBleGFtcGxlLmNvbSwBaG9zdD1pbWFwLmV4YW1wbGUuY29tAXBvcnQ9OTkzAWF1dGg9QmVhcmVyIHRvay0xZjJlM2Q0YzViNmEBAQ==";
        let message = OauthBearer {
            bearer: ada(),
            host: Some("imap.example.com".into()),
            port: Some(993),
        };
        assert_eq!(to_base64(encode_oauthbearer(&message)), line);
        assert_eq!(
            decode_oauthbearer(&from_base64(line.as_bytes()).unwrap()),
            Ok(message)
        );
    }

    #[test]
    fn failures_as_on_the_wire() {
        assert_eq!(
            to_base64(XOAUTH2_FAILURE),
            "eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ=="
        );
        assert_eq!(
            oauthbearer_failure("https://id.example.com/"),
            r#"{"status":"invalid_token","scope":"https://mail.google.com/","openid-configuration":"https://id.example.com/.well-known/openid-configuration"}"#
        );
        assert!(oauthbearer_failure("x\"\\\n").contains(r#""x\"\\\u000a/.well"#));
    }

    #[test]
    fn xoauth2_takes_what_clients_send() {
        for good in [
            "user=ada@example.com\x01auth=bearer tok-1f2e3d4c5b6a\x01\x01",
            "user=ada@example.com\x01auth=BEARER tok-1f2e3d4c5b6a\x01\x01",
            "user=ada@example.com\x01auth=Bearer  tok-1f2e3d4c5b6a\x01\x01",
            "auth=Bearer tok-1f2e3d4c5b6a\x01user=ada@example.com\x01\x01",
            "user=ada@example.com\x01vendor=x\x01auth=Bearer tok-1f2e3d4c5b6a\x01\x01",
        ] {
            assert_eq!(decode_xoauth2(good.as_bytes()), Ok(ada()), "{good:?}");
        }
        let empty = decode_xoauth2(b"user=ada@example.com\x01auth=Bearer \x01\x01").unwrap();
        assert_eq!(empty.token().reveal(), "");
    }

    #[test]
    fn xoauth2_malformed() {
        use Malformed::*;
        let twice = to_base64(encode_xoauth2(&ada()));
        for (bad, why) in [
            ("", NoEnd),
            ("\x01", NoUser),
            (twice.as_str(), DoubleBase64),
            ("user=a\x01auth=Bearer t", NoEnd),
            ("user=a\x01auth=Bearer t\x01", NoEnd),
            ("user=a\x01auth=Bearer t\x01\x01\x01", NoEnd),
            ("user=a\x01auth=Bearer t\x01\x01\r\n", NoEnd),
            ("auth=Bearer t\x01\x01", NoUser),
            ("user=\x01auth=Bearer t\x01\x01", NoUser),
            ("user=a\x01\x01", NoBearer),
            ("user=a\x01auth=Basic dDp0\x01\x01", NoBearer),
            ("user=a\x01auth=Bearer\x01\x01", NoBearer),
            ("user=a\x01auth=Bearer t t\x01\x01", NoBearer),
            ("user=a\x01user=b\x01auth=Bearer t\x01\x01", BadField),
            ("user=a\x01what\x01auth=Bearer t\x01\x01", BadField),
            ("user=a\r\n\x01auth=Bearer t\x01\x01", NotText),
        ] {
            assert_eq!(decode_xoauth2(bad.as_bytes()), Err(why), "{bad:?}");
        }
        assert_eq!(
            decode_xoauth2(b"user=\xff\x01auth=Bearer t\x01\x01"),
            Err(NotText)
        );
        for (token, fits) in [(TOKEN_BYTES_MAX, true), (TOKEN_BYTES_MAX + 1, false)] {
            let response = format!("user=a\x01auth=Bearer {}\x01\x01", "t".repeat(token));
            assert_eq!(decode_xoauth2(response.as_bytes()).is_ok(), fits);
        }
    }

    #[test]
    fn oauthbearer_headers() {
        use Malformed::*;
        let read = |header: &str| {
            decode_oauthbearer(format!("{header}\x01auth=Bearer t\x01\x01").as_bytes())
                .map(|message| message.bearer.user().map(str::to_owned))
        };
        assert_eq!(read("n,a=ada,"), Ok(Some("ada".into())));
        assert_eq!(read("y,a=ada,"), Ok(Some("ada".into())));
        assert_eq!(read("n,,"), Ok(None));
        assert_eq!(read("n,a=a=2Cb=3Dc=2c,"), Ok(Some("a,b=c,".into())));
        for (bad, why) in [
            ("p=tls-exporter,a=ada,", ChannelBinding),
            ("F,n,a=ada,", BadGs2Header),
            ("x,a=ada,", BadGs2Header),
            ("n,ada,", BadGs2Header),
            ("n,a=ada", BadGs2Header),
            ("n,a=a=41,", BadGs2Header),
            ("n,a=a=,", BadGs2Header),
            ("n,a=é=é,", BadGs2Header),
            ("n,a=,", NoUser),
            ("n,a=a,b,", BadGs2Header),
            ("", BadGs2Header),
        ] {
            assert_eq!(read(bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn oauthbearer_malformed() {
        use Malformed::*;
        for (bad, why) in [
            ("\x01", BadGs2Header),
            ("n,a=a,\x01\x01", NoBearer),
            ("n,a=a,\x01auth=Bearer t\x01", NoEnd),
            ("n,a=a,\x01auth=Bearer t\x01\x01x", NoEnd),
            ("n,a=a,\x01port=0x1\x01auth=Bearer t\x01\x01", BadField),
            ("n,a=a,\x01port=99999\x01auth=Bearer t\x01\x01", BadField),
            ("n,a=a,\x01port=123456\x01auth=Bearer t\x01\x01", TooLong),
            ("n,a=a,\x01port=+99\x01auth=Bearer t\x01\x01", BadField),
        ] {
            assert_eq!(decode_oauthbearer(bad.as_bytes()), Err(why), "{bad:?}");
        }
    }

    #[test]
    fn the_token_does_not_print() {
        assert!(!format!("{:?}", ada()).contains(TOKEN));
    }

    proptest! {
        #[test]
        fn round_trips(user in "[^\\x00-\\x1f\\x7f]{1,40}", token in "[!-~]{0,80}",
                       host in proptest::option::of("[a-z.]{1,20}"), port: Option<u16>) {
            let bearer = Bearer::new(Some(&user), &token).unwrap();
            prop_assert_eq!(decode_xoauth2(&encode_xoauth2(&bearer)).unwrap(), bearer.clone());
            let message = OauthBearer { bearer, host, port };
            prop_assert_eq!(decode_oauthbearer(&encode_oauthbearer(&message)).unwrap(), message);
        }

        #[test]
        fn anything_may_come(bytes: Vec<u8>) {
            let _ = decode_xoauth2(&bytes);
            let _ = decode_oauthbearer(&bytes);
        }
    }
}
