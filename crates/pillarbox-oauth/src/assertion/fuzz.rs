//! Assertions of service accounts and of clients, and the keys they register, as anybody might write them.
#![allow(clippy::unwrap_used)] // a failed unwrap is a finding

use super::{LIFE_S_MAX, SKEW_S, VerifyKey};
use crate::authorize::Params;
use crate::client_auth::ASSERTION_TYPE;
use crate::fuzz::{CLIENT, ISSUER, NOW, NOW_S, SERVICE, Token, choice, identity, seconds};
use serde_json::Value;

/// One assertion, shown as a service account's grant and as a client's proof of itself: what is let in is what RFC 7523 §3 wants,
/// signed by the one it names, for us, within its hour, and not twice.
pub(crate) fn assertion(data: &[u8]) -> bool {
    let Some((how, rest)) = choice(data) else {
        return false;
    };
    let Some(token) = Token::new(how, rest) else {
        return false;
    };
    let identity = identity();
    identity.inner.seen.forget();
    identity.inner.seen_of_strangers.forget();
    let grant = identity.open_assertion(&token.text, NOW);
    if let Ok((client, _)) = &grant {
        assert_eq!(&*client.id, SERVICE);
        let claims = holds(&token, SERVICE);
        let again = identity.open_assertion(&token.text, NOW).is_ok();
        assert_eq!(
            again,
            claims.get("jti").is_none_or(Value::is_null),
            "{claims}"
        );
    }
    let form = [(
        "client_assertion_type".to_owned(),
        ASSERTION_TYPE.to_owned(),
    )];
    let params = Params::new(&form).unwrap();
    let client = identity.by_assertion(&token.text, &params, NOW);
    if let Ok(client) = &client {
        assert_eq!(&*client.id, CLIENT);
        let claims = holds(&token, CLIENT);
        assert_eq!(claims["sub"], CLIENT);
        assert!(
            identity.by_assertion(&token.text, &params, NOW).is_err(),
            "good twice"
        );
    }
    assert!(
        grant.is_err() || client.is_err(),
        "one text for two purposes"
    );
    grant.is_ok() || client.is_ok()
}

fn holds(token: &Token, client: &str) -> Value {
    let (_, claims) = token.was_signed();
    assert_eq!(claims["iss"], client);
    let all = match &claims["aud"] {
        Value::Array(all) => &all[..],
        one => std::slice::from_ref(one),
    };
    assert!(
        all.iter()
            .any(|one| one.as_str().unwrap_or_default().starts_with(ISSUER)),
        "{claims}"
    );
    let ends = seconds(&claims, "exp").unwrap();
    assert!(
        (NOW_S - SKEW_S + 1..=NOW_S + LIFE_S_MAX + SKEW_S).contains(&ends),
        "{claims}"
    );
    for name in ["iat", "nbf"] {
        let time = claims.get(name).filter(|time| !time.is_null());
        assert!(
            time.is_none_or(|time| time.as_f64().unwrap() as i64 <= NOW_S + SKEW_S),
            "{claims}"
        );
    }
    claims
}

/// Public keys as PEM, JWK or JWKS: what is read is public, can be used, and stays what it is when it is kept.
pub(crate) fn public_keys(data: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(data) else {
        return false;
    };
    let Ok(keys) = VerifyKey::read_all(text) else {
        return false;
    };
    assert!((1..=super::KEYS_MAX).contains(&keys.len()));
    for key in &keys {
        let kept = serde_json::to_string(key).unwrap();
        assert_eq!(&serde_json::from_str::<VerifyKey>(&kept).unwrap(), key);
        assert!(!key.made_here && !key.fits("", &[7; 64]), "{key:?}");
    }
    true
}
