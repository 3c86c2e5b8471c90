//! Signed tokens of others (RFC 7515, compact form). The signature is checked with a key of the provider that the token
//! claims to be from, by that key's own algorithm; only then are the claims believed.

use super::claims::Claims;
use super::{Done, No};
use crate::assertion::{VerifyKey, is_there};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::Deserialize;
use serde_json::Value;

/// Longest token looked at, in bytes: an id token with many claims.
const JWT_BYTES_MAX: usize = 32 * 1024;

/// What of a header counts. Where keys could be found (`jku`, `jwk`, `x5u`, `x5c`) is not read at all.
#[derive(Deserialize)]
pub(super) struct Header {
    alg: String,
    #[serde(default)]
    pub kid: Option<String>,
    #[serde(default)]
    typ: Option<String>,
    /// Extensions that must be understood: we know none (RFC 7515 §4.1.11).
    #[serde(default, deserialize_with = "is_there")]
    crit: bool,
}

/// A token taken apart; nothing of it is believed yet.
pub(super) struct Jwt<'a> {
    pub header: Header,
    claims: Claims,
    message: &'a str,
    signature: Vec<u8>,
}

impl<'a> Jwt<'a> {
    /// Takes a token apart; None if it is not a signed JWT.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        if text.len() > JWT_BYTES_MAX {
            return None;
        }
        let (message, signature) = text.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let header = serde_json::from_slice(&BASE64.decode(header).ok()?).ok()?;
        let claims: Value = serde_json::from_slice(&BASE64.decode(claims).ok()?).ok()?;
        Some(Self {
            header,
            claims: Claims::read(claims)?,
            message,
            signature: BASE64.decode(signature).ok()?,
        })
    }

    /// Who it says it is from: decides only whose keys it is checked with.
    pub(super) fn alleged_issuer(&self) -> Option<&str> {
        self.claims.text("iss")
    }

    /// Whether it is an access token by its own words (RFC 9068 §2.1).
    pub(super) fn is_access_token(&self) -> bool {
        let typ = self.header.typ.as_deref().unwrap_or_default();
        ["at+jwt", "application/at+jwt"]
            .iter()
            .any(|good| typ.eq_ignore_ascii_case(good))
    }

    /// Whether it may be an id token: those have no type, or none of their own.
    pub(super) fn may_be_id_token(&self) -> bool {
        let typ = self.header.typ.as_deref();
        typ.is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"))
    }

    pub(super) fn type_in_words(&self) -> String {
        match &self.header.typ {
            Some(typ) => format!("{:?}", typ.chars().take(40).collect::<String>()),
            None => "missing".into(),
        }
    }

    /// The claims, if this key signed them.
    pub(super) fn open(self, key: &VerifyKey) -> Done<Claims> {
        if self.header.crit {
            return Err(No::refused(
                "the token wants extensions understood that nobody here knows",
            ));
        }
        if !key.algorithm.is_named(&self.header.alg) {
            let alg: String = self.header.alg.chars().take(20).collect();
            return Err(No::refused(format!(
                "the token says {alg:?}, its key signs with {} only",
                key.algorithm.name()
            )));
        }
        if !key.fits(self.message, &self.signature) {
            return Err(No::refused("the token's signature is wrong"));
        }
        Ok(self.claims)
    }
}
