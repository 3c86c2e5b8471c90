//! Proofs of possession, as anybody might write them.
#![allow(clippy::unwrap_used)] // a failed unwrap is a finding

use super::{Proof, WINDOW_S};
use crate::access::Claims;
use crate::dpop::Confirmation;
use crate::fuzz::{ISSUER, NOW, NOW_S, Token, choice, identity, seconds};
use crate::opaque;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};
use url::Url;

const ACCESS_TOKEN: &str = "an access token";
/// A proof for `POST /token`: let in only with everything RFC 9449 §4.3 wants, good once, and for its own token only (§7.1).
pub(crate) fn proof(data: &[u8]) -> bool {
    let Some((how, rest)) = choice(data) else {
        return false;
    };
    let Some(token) = Token::new(how, rest) else {
        return false;
    };
    let address = format!("{ISSUER}/token");
    let Ok(proof) = Proof::read(&token.text, "POST", &address, NOW) else {
        return false;
    };
    let (header, claims) = token.was_signed_by_its_own();
    assert_eq!(header["typ"], "dpop+jwt");
    assert!(
        ["d", "p", "q", "k"]
            .iter()
            .all(|name| header["jwk"].get(name).is_none()),
        "{header}"
    );
    assert_eq!(claims["htm"], "POST");
    let htu = Url::parse(claims["htu"].as_str().unwrap()).unwrap();
    assert_eq!(
        (htu.origin().ascii_serialization().as_str(), htu.path()),
        (ISSUER, "/token")
    );
    assert!(
        (seconds(&claims, "iat").unwrap() - NOW_S).abs() <= WINDOW_S,
        "{claims}"
    );
    assert!(
        (1..=256).contains(&claims["jti"].as_str().unwrap().len()),
        "{claims}"
    );
    // RFC 7638 §3: the members in the order of their names, which is how serde_json keeps them.
    let jwk = &header["jwk"];
    let members = match jwk["kty"].as_str().unwrap() {
        "EC" => json!({ "crv": jwk["crv"], "kty": "EC", "x": jwk["x"], "y": jwk["y"] }),
        "OKP" => json!({ "crv": jwk["crv"], "kty": "OKP", "x": jwk["x"] }),
        _ => json!({ "e": jwk["e"], "kty": "RSA", "n": jwk["n"] }),
    };
    assert_eq!(
        proof.thumbprint,
        BASE64.encode(opaque::hash(&members.to_string()))
    );
    uses(proof, &claims)
}

/// Shows a proof with an access token bound to its key, and with one bound to another.
fn uses(proof: Proof, said: &Value) -> bool {
    let jkt = proof.thumbprint.clone();
    let identity = identity().with_proof(proof);
    identity.inner.proofs.forget();
    let bound_to = |jkt: &str| Claims {
        iss: String::new(),
        aud: String::new(),
        sub: String::new(),
        client_id: String::new(),
        iat: 0,
        exp: 0,
        nbf: None,
        jti: String::new(),
        gid: String::new(),
        scope: String::new(),
        cnf: Some(Confirmation { jkt: jkt.into() }),
    };
    let check = |jkt: &str, token| identity.check_possession(&bound_to(jkt), token, NOW);
    assert!(check("another", ACCESS_TOKEN).is_err());
    assert!(check(&jkt, "another token").is_err());
    let good = check(&jkt, ACCESS_TOKEN).is_ok();
    let hash = BASE64.encode(opaque::hash(ACCESS_TOKEN));
    assert_eq!(
        good,
        said.get("ath").is_some_and(|ath| ath == &*hash),
        "{said}"
    );
    if good {
        assert!(check(&jkt, ACCESS_TOKEN).is_err(), "good twice");
    }
    good
}
