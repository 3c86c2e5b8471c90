//! Proof of possession (DPoP, RFC 9449): a program in a browser, which can keep no secret, signs every request with a key that
//! never leaves it, and the tokens it gets are good with that key only.
//!
//! Deliberately absent: nonces of the server (§8; a proof is good once within minutes, and for tokens of this server it needs a
//! code, a refresh token or an access token beside it), and DPoP in mail sign-in: SASL carries no proof, so a token that is bound
//! to a key opens no mailbox.

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;

use crate::access::Claims;
use crate::assertion::{VerifyKey, is_there, unavailable};
use crate::seen::NotGood;
use crate::server::{ErrorCode, TokenError};
use crate::{ClientKind, Identity, opaque};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use pillarbox_store::mail::Millis;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use url::Url;

/// How proofs may be signed: what every browser can do, and what other programs like.
pub(crate) const ALGORITHMS: &[&str] = &["ES256", "EdDSA", "Ed25519", "RS256"];
/// Longest proof looked at, in bytes.
const PROOF_BYTES_MAX: usize = 4096;
/// Longest `jti`, in bytes.
const JTI_BYTES_MAX: usize = 256;
/// How far `iat` may be from now, in seconds: clocks of browsers are as people set them.
const WINDOW_S: i64 = 300;

/// Which key a token is bound to (RFC 9449 §6.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// The key's thumbprint (RFC 7638).
    pub jkt: String,
}

/// A proof whose signature, method, address and time were right. Only this crate makes one.
#[derive(Clone, Debug)]
pub struct Proof {
    thumbprint: String,
    jti: String,
    issued: i64,
    /// The hash of the access token it goes with, if it goes with one.
    ath: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    typ: String,
    alg: String,
    jwk: Value,
    /// Extensions that must be understood: we know none (RFC 7515 §4.1.11).
    #[serde(default, deserialize_with = "is_there")]
    crit: bool,
}

#[derive(Deserialize)]
struct Body {
    jti: String,
    htm: String,
    htu: String,
    iat: f64,
    #[serde(default)]
    ath: Option<String>,
}

fn invalid(text: &str) -> TokenError {
    TokenError::new(ErrorCode::InvalidDpopProof, text)
}

impl Proof {
    /// Everything of RFC 9449 §4.3 that can be seen without the token; `address` is where the request came to.
    fn read(jwt: &str, method: &str, address: &str, now: Millis) -> Result<Self, TokenError> {
        if jwt.len() > PROOF_BYTES_MAX {
            return Err(invalid("The proof is too long."));
        }
        let malformed = || invalid("The proof is not a signed JWT with typ, alg and jwk.");
        let (message, signature) = jwt.rsplit_once('.').ok_or_else(malformed)?;
        let (header, body) = message.split_once('.').ok_or_else(malformed)?;
        let decode = |part: &str| BASE64.decode(part).map_err(|_| malformed());
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| malformed())?;
        if header.typ != "dpop+jwt" || header.crit {
            return Err(malformed());
        }
        // One key, public, and the algorithm is the key's.
        let key = VerifyKey::read_jwk(&header.jwk)
            .map_err(|_| invalid("jwk is not a public P-256, Ed25519 or RSA key."))?;
        if !key.algorithm.is_named(&header.alg) || !key.fits(message, &decode(signature)?) {
            return Err(invalid("The proof's signature is wrong."));
        }
        let thumbprint = thumbprint(&header.jwk).ok_or_else(malformed)?;
        let body: Body = serde_json::from_slice(&decode(body)?)
            .map_err(|_| invalid("The proof has jti, htm, htu and iat."))?;
        if body.htm != method || !same_address(&body.htu, address) {
            return Err(invalid("The proof is for another request: htm or htu."));
        }
        // Seconds with a fraction are legal (RFC 7519 §2); casts of what is no time at all saturate.
        let (issued, now) = (body.iat as i64, now.div_euclid(1000));
        if issued.saturating_sub(now).saturating_abs() > WINDOW_S {
            return Err(invalid("The proof's iat is not now."));
        }
        if body.jti.is_empty() || body.jti.len() > JTI_BYTES_MAX {
            return Err(invalid("jti is empty or too long."));
        }
        Ok(Self {
            thumbprint,
            jti: body.jti,
            issued,
            ath: body.ath,
        })
    }
}

/// RFC 7638 §3: the members that make the key, in order, without blanks.
fn thumbprint(jwk: &Value) -> Option<String> {
    let names: &[&str] = match jwk.get("kty")?.as_str()? {
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        "RSA" => &["e", "kty", "n"],
        _ => return None,
    };
    let member = |name: &&str| Some(format!("\"{name}\":{}", jwk.get(name)?));
    let members = names.iter().map(member).collect::<Option<Vec<_>>>()?;
    Some(BASE64.encode(opaque::hash(&format!("{{{}}}", members.join(",")))))
}

/// RFC 9449 §4.3, check 9: without query and fragment, in normal form.
fn same_address(htu: &str, address: &str) -> bool {
    let plain = |text: &str| {
        let mut url = Url::parse(text).ok()?;
        url.set_query(None);
        url.set_fragment(None);
        Some(url)
    };
    plain(htu).is_some_and(|htu| plain(address) == Some(htu))
}

/// Whether a text is a thumbprint (`dpop_jkt`, RFC 9449 §10).
pub(crate) fn is_thumbprint(text: &str) -> bool {
    BASE64.decode(text).is_ok_and(|hash| hash.len() == 32)
}

impl Identity {
    /// Checks the proof that came with a request (RFC 9449 §4.3); `path` is the endpoint's, of the issuer's origin. To use it,
    /// [`Identity::with_proof`].
    ///
    /// # Errors
    /// [`TokenError`] with `invalid_dpop_proof`.
    pub fn check_proof(
        &self,
        jwt: &str,
        method: &str,
        path: &str,
        now: Millis,
    ) -> Result<Proof, TokenError> {
        let address = format!("{}{path}", self.inner.config.issuer);
        Proof::read(jwt, method, &address, now)
    }

    /// The same for one request, which came with this proof: tokens are bound to its key, and bound tokens are good.
    #[must_use]
    pub fn with_proof(&self, proof: Proof) -> Self {
        Self {
            proof: Some(Arc::new(proof)),
            ..self.clone()
        }
    }

    /// The key of this request's proof.
    pub(crate) fn proven_key(&self) -> Option<&str> {
        self.proof.as_ref().map(|proof| &*proof.thumbprint)
    }

    /// A proof is good once (RFC 9449 §11.1), where it brings or opens something. Asked when everything else was right: only who
    /// holds something real, a code, a refresh token or an access token, fills the memory, and of it the share of the account
    /// that this is about (of service accounts: their own).
    pub(crate) fn first_use(
        &self,
        (account, client): (&str, &str),
        now: Millis,
    ) -> Result<(), TokenError> {
        let Some(proof) = &self.proof else {
            return Ok(());
        };
        let service = self.client(client);
        let service = service.filter(|client| client.kind == ClientKind::Service);
        let holder = service.map_or(account, |_| client);
        let ends = proof.issued.saturating_add(WINDOW_S + 1);
        let one = (&*proof.thumbprint, &*proof.jti);
        let first = self
            .inner
            .proofs
            .first(holder, one, ends, now.div_euclid(1000));
        first.map_err(|why| match why {
            NotGood::Used => invalid("The proof was used before."),
            NotGood::ShareIsFull => unavailable(
                "As many proofs were used for this account as are remembered of one. Try again in some minutes.",
            ),
            NotGood::Full => {
                unavailable("More proofs were used than can be remembered. Try again in some minutes.")
            }
        })
    }

    /// Whether who sent an access token may use it: one bound to a key needs a proof by that key for this very token, and
    /// one that is not goes without (RFC 9449 §7.1).
    pub(crate) fn check_possession(
        &self,
        claims: &Claims,
        token: &str,
        now: Millis,
    ) -> Result<(), TokenError> {
        let wrong = |text: &str| Err(TokenError::new(ErrorCode::InvalidToken, text));
        match (&claims.cnf, &self.proof) {
            (None, None) => Ok(()),
            (None, Some(_)) => wrong("The token is bound to no key: send it as Bearer."),
            (Some(_), None) => wrong("The token is bound to a key: send it as DPoP, with a proof."),
            (Some(bound), Some(proof)) if bound.jkt != proof.thumbprint => {
                wrong("The token is bound to another key.")
            }
            (Some(_), Some(proof)) => {
                let hash = BASE64.encode(opaque::hash(token));
                if proof.ath.as_deref() != Some(&*hash) {
                    return Err(invalid("ath is not the token's hash."));
                }
                self.first_use((&claims.sub, &claims.client_id), now)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed unwrap is a failed test
    use super::*;

    /// RFC 9449 §4.1, figure 2: sent to `https://server.example.com/token` on 2019-05-23.
    const EXAMPLE: &str = concat!(
        "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJo",
        "RjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.",
        "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0",
        "IjoxNTYyMjYyNjE2fQ.",
        "2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg",
    );
    const THEN: Millis = 1_562_262_616_000;
    const TOKEN: &str = "https://server.example.com/token";

    #[test]
    fn the_example_of_the_rfc() {
        let proof = Proof::read(EXAMPLE, "POST", TOKEN, THEN).unwrap();
        assert_eq!(
            proof.thumbprint, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
            "RFC 9449 §6.1"
        );
        assert_eq!(proof.jti, "-BwC3ESc6acc2lTc");
    }

    #[test]
    fn a_proof_is_for_one_request_at_one_time() {
        let query = format!("{TOKEN}?a=b#c");
        for (method, address, now, good) in [
            ("POST", TOKEN, THEN, true),
            ("POST", "https://SERVER.example.com:443/token", THEN, true),
            ("POST", &query, THEN, true),
            ("POST", TOKEN, THEN + WINDOW_S * 1000, true),
            ("POST", TOKEN, THEN - WINDOW_S * 1000, true),
            ("GET", TOKEN, THEN, false),
            ("post", TOKEN, THEN, false),
            ("POST", "https://server.example.com/token/", THEN, false),
            ("POST", "https://server.example.com/revoke", THEN, false),
            ("POST", "http://server.example.com/token", THEN, false),
            ("POST", "https://server.example.org/token", THEN, false),
            ("POST", TOKEN, THEN + (WINDOW_S + 1) * 1000, false),
            ("POST", TOKEN, THEN - (WINDOW_S + 1) * 1000, false),
        ] {
            let read = Proof::read(EXAMPLE, method, address, now);
            assert_eq!(read.is_ok(), good, "{method} {address} {now}");
        }
    }

    #[test]
    fn a_changed_proof_is_refused() {
        // Every single character counts, the signature's last too (base64 without slack).
        for at in (0..EXAMPLE.len()).step_by(7).chain([EXAMPLE.len() - 1]) {
            let mut changed = EXAMPLE.as_bytes().to_vec();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(Proof::read(&changed, "POST", TOKEN, THEN).is_err(), "{at}");
        }
        for text in ["", "a.b.c", &EXAMPLE[1..], &"x".repeat(PROOF_BYTES_MAX + 1)] {
            let refused = Proof::read(text, "POST", TOKEN, THEN).unwrap_err();
            assert_eq!(refused.code.name(), "invalid_dpop_proof");
        }
    }

    #[test]
    fn thumbprints() {
        // RFC 7638 §3.1 and RFC 8037 appendix A.3.
        let rsa = serde_json::json!({
            "kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        });
        let okp = serde_json::json!({
            "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        });
        assert_eq!(
            thumbprint(&rsa).as_deref(),
            Some("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")
        );
        assert_eq!(
            thumbprint(&okp).as_deref(),
            Some("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")
        );
        assert!(is_thumbprint("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
        assert!(!is_thumbprint("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4") && !is_thumbprint(""));
    }
}
