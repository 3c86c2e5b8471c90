//! Access tokens: short signed JWTs (RFC 9068), made and checked here.
//!
//! The check is stricter than a JOSE library's: the header must be, byte for byte, the one we write with one of our keys. So
//! algorithm, `typ` and `crit` are never a token's choice, the key is one of the few we published, and nothing of the token is
//! parsed before its signature has been checked.

use crate::Result as Done;
use crate::dpop::Confirmation;
use crate::keys::Ring;
use crate::words::ago;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use pillarbox_store::mail::Millis;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Longest token looked at, in bytes (wire §2.1).
pub(crate) const TOKEN_BYTES_MAX: usize = 4096;

/// What an access token says (RFC 9068 §2.2). Times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub iss: String,
    pub aud: String,
    /// The account's id.
    pub sub: String,
    pub client_id: String,
    pub iat: i64,
    pub exp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    pub jti: String,
    /// The grant.
    pub gid: String,
    pub scope: String,
    /// Which key it is bound to (RFC 9449 §6.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
}

/// Makes a token.
pub(crate) fn sign(keys: &Ring, claims: &Claims, now: Millis) -> Done<String> {
    // Strings and numbers always serialize.
    let claims = serde_json::to_vec(claims).unwrap_or_default();
    keys.sign_access(&claims, now)
}

/// Checks header and signature, issuer and audience, and reads the claims; not the time. The error is the cause in words.
pub(crate) fn open(keys: &Ring, token: &str, iss: &str, aud: &str) -> Result<Arc<Claims>, String> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(format!("the token has more than {TOKEN_BYTES_MAX} bytes"));
    }
    let mut name = [0; 32];
    name.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    let claims = match keys.opened(&name) {
        Some(claims) => claims,
        None => {
            let claims = Arc::new(read(keys, token)?);
            keys.remember(name, &claims);
            claims
        }
    };
    if claims.iss != iss {
        return Err(format!("the token is from another issuer, {}", claims.iss));
    }
    if claims.aud != aud {
        return Err(format!("the token is for another audience, {}", claims.aud));
    }
    Ok(claims)
}

/// What a token says that one of our keys signed.
fn read(keys: &Ring, token: &str) -> Result<Claims, String> {
    let not_ours = || "the token is not one of this server's access tokens".to_owned();
    let (message, signature) = token.rsplit_once('.').ok_or_else(not_ours)?;
    let (header, claims) = message.split_once('.').ok_or_else(not_ours)?;
    let forged = || "the token's signature is wrong".to_owned();
    // What is not base64 fits no key, as nothing does.
    let signature = BASE64.decode(signature).unwrap_or_default();
    match keys.verify_access(header, message, &signature) {
        None => return Err(not_ours()),
        Some(false) => return Err(forged()),
        Some(true) => {}
    }
    let claims = BASE64.decode(claims).map_err(|_| forged())?;
    serde_json::from_slice(&claims)
        .map_err(|fault| format!("the token's claims cannot be read: {fault}"))
}

/// Whether the claims hold at `now`. No leeway: the clock that issued is the clock that checks.
pub(crate) fn check_time(claims: &Claims, now: Millis) -> Result<(), String> {
    if claims.exp.saturating_mul(1000) <= now {
        let since = now.saturating_sub(claims.exp.saturating_mul(1000));
        return Err(format!("the token expired {}", ago(since)));
    }
    if claims.nbf.is_some_and(|nbf| nbf.saturating_mul(1000) > now) {
        return Err("the token is not valid yet".into());
    }
    Ok(())
}
