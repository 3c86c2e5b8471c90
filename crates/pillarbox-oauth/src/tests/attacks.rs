//! Forged access tokens: each differs in one way from a good one, and a second implementation (jsonwebtoken) makes them.

use super::*;
use crate::Service;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde_json::{Value, json};

/// The server's own private key, as an insider would use it: only the named difference can be what refuses.
async fn own_key(house: &House) -> (EncodingKey, String) {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    let issuer = house
        .store
        .account(&AccountId(crate::keys::ISSUER_ACCOUNT.into()));
    for (key, value) in issuer.scan(b"ok", 10).await.unwrap() {
        let row: Value = serde_json::from_slice(&value).unwrap();
        if row["alg"] == "EdDSA" {
            let seed = BASE64.decode(row["private"].as_str().unwrap()).unwrap();
            let pair = aws_lc_rs::signature::Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
            let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
            return (
                EncodingKey::from_ed_der(der.as_ref()),
                String::from_utf8_lossy(&key[2..]).into(),
            );
        }
    }
    panic!("there is no key");
}

fn claims_of(token: &str) -> Value {
    serde_json::from_slice(&BASE64.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

fn header_of(token: &str) -> Value {
    serde_json::from_slice(&BASE64.decode(token.split('.').next().unwrap()).unwrap()).unwrap()
}

/// Signs any header and claims with any of our algorithms.
fn forge(header: &Value, claims: &Value, key: &EncodingKey, algorithm: Algorithm) -> String {
    let message = format!(
        "{}.{}",
        BASE64.encode(header.to_string()),
        BASE64.encode(claims.to_string())
    );
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

async fn refused(house: &House, token: &str) -> String {
    house
        .identity
        .bearer(ADA, token, Service::Imap, NOW)
        .await
        .unwrap_err()
        .cause
}

const NOT_OURS: &str = "the token is not one of this server's access tokens";

#[tokio::test]
async fn a_second_implementation_reads_our_tokens() {
    let house = House::new().await;
    let token = house.token().await;
    let keys = house.identity.jwks(NOW).await.unwrap().keys;
    let key = keys
        .iter()
        .find(|key| key["kid"] == header_of(&token)["kid"])
        .unwrap();
    let key = DecodingKey::from_jwk(&serde_json::from_value(key.clone()).unwrap()).unwrap();
    let mut rules = Validation::new(Algorithm::EdDSA);
    rules.set_audience(&["localhost"]);
    rules.set_issuer(&["https://localhost:1443"]);
    rules.validate_exp = false; // it would ask the real clock
    let read = jsonwebtoken::decode::<Value>(&token, &key, &rules).unwrap();
    assert_eq!(read.header.typ.as_deref(), Some("at+jwt"));
    assert_eq!(read.claims["sub"], *house.ada.0);
    assert_eq!(read.claims["exp"], (NOW + HOUR) / 1000);
    assert!(
        token.len() < 600,
        "it travels in one line: {} bytes",
        token.len()
    );
}

#[tokio::test]
async fn header_tricks() {
    let house = House::new().await;
    let token = house.token().await;
    let (own, _) = own_key(&house).await;
    let (header, claims) = (header_of(&token), claims_of(&token));
    let same = forge(&header, &claims, &own, Algorithm::EdDSA);
    assert!(
        house
            .identity
            .bearer(ADA, &same, Service::Imap, NOW)
            .await
            .is_ok(),
        "the forger works"
    );

    let with = |name: &str, value: Value| {
        let mut header = header.clone();
        header[name] = value;
        header
    };
    for bad in [
        with("crit", json!(["exp"])),
        with("typ", json!("JWT")),
        with("typ", json!("at+JWT")),
        with("kid", json!("another")),
        with("jku", json!("https://evil.example/keys")),
        with("alg", json!("ES256")),
        json!({"alg": "EdDSA"}),
    ] {
        assert_eq!(
            refused(&house, &forge(&bad, &claims, &own, Algorithm::EdDSA)).await,
            NOT_OURS,
            "{bad}"
        );
    }
    // alg=none in all its forms.
    for alg in ["none", "None", "NONE", "nOnE"] {
        let header = BASE64.encode(json!({"alg": alg, "typ": "at+jwt"}).to_string());
        for signature in ["", "AA"] {
            let token = format!("{header}.{}.{signature}", BASE64.encode(claims.to_string()));
            assert_eq!(refused(&house, &token).await, NOT_OURS);
        }
    }
    let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
    assert_eq!(
        refused(&house, &unsigned).await,
        "the token's signature is wrong"
    );
}

#[tokio::test]
async fn key_confusion() {
    let house = House::new().await;
    let token = house.token().await;
    let claims = claims_of(&token);
    // The public keys as HMAC secrets.
    for key in house.identity.jwks(NOW).await.unwrap().keys {
        for text in [key["x"].as_str(), key["n"].as_str()].into_iter().flatten() {
            for secret in [text.as_bytes().to_vec(), BASE64.decode(text).unwrap()] {
                let secret = EncodingKey::from_secret(&secret);
                let header = json!({"alg": "HS256", "typ": "at+jwt", "kid": key["kid"]});
                assert_eq!(
                    refused(&house, &forge(&header, &claims, &secret, Algorithm::HS256)).await,
                    NOT_OURS
                );
                let forged = forge(&header_of(&token), &claims, &secret, Algorithm::HS256);
                assert_eq!(
                    refused(&house, &forged).await,
                    "the token's signature is wrong"
                );
            }
        }
    }
    // Somebody else's Ed25519 key.
    let other = House::new().await;
    let pair = aws_lc_rs::signature::Ed25519KeyPair::generate().unwrap();
    let pkcs8 = pair.to_pkcs8v1().unwrap();
    let stranger = EncodingKey::from_ed_der(pkcs8.as_ref());
    let forged = forge(&header_of(&token), &claims, &stranger, Algorithm::EdDSA);
    assert_eq!(
        refused(&other, &forged).await,
        "the token's signature is wrong"
    );
}

#[tokio::test]
async fn claim_tricks() {
    let house = House::new().await;
    let token = house.token().await;
    let (own, kid) = own_key(&house).await;
    let header = header_of(&token);
    assert_eq!(header["kid"], kid);
    let claims = claims_of(&token);
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        forge(&header, &claims, &own, Algorithm::EdDSA)
    };
    let without = |name: &str| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().remove(name);
        forge(&header, &claims, &own, Algorithm::EdDSA)
    };
    for (token, cause) in [
        (with("iss", json!("https://evil.example")), "another issuer"),
        (
            with("iss", json!("https://localhost:1443/")),
            "another issuer",
        ),
        (with("aud", json!("evil.example")), "another audience"),
        (
            with("aud", json!(["localhost", "evil.example"])),
            "cannot be read",
        ),
        (with("nbf", json!(NOW / 1000 + 1)), "not valid yet"),
        (with("exp", json!(NOW / 1000)), "expired just now"),
        (with("exp", json!(i64::MIN)), "expired"),
        (with("exp", json!("2100-01-01")), "cannot be read"),
        (with("exp", json!(1e30)), "cannot be read"),
        (with("sub", json!("nobody")), "does not exist any more"),
        (
            with("gid", json!("nothing")),
            "grant does not exist any more",
        ),
        (with("scope", json!("openid")), "is not enough"),
        (without("exp"), "cannot be read"),
        (without("iss"), "cannot be read"),
        (without("aud"), "cannot be read"),
        (without("gid"), "cannot be read"),
    ] {
        let told = refused(&house, &token).await;
        assert!(told.contains(cause), "{told} should say {cause}");
    }
    let mut bob = claims.clone();
    bob["sub"] = json!(*house.bob.0);
    let message = format!(
        "{}.{}",
        token.split('.').next().unwrap(),
        BASE64.encode(bob.to_string())
    );
    let swapped = format!("{message}.{}", token.rsplit('.').next().unwrap());
    assert_eq!(
        refused(&house, &swapped).await,
        "the token's signature is wrong"
    );
}

#[tokio::test]
async fn other_texts_are_no_tokens() {
    let house = House::new().await;
    let refresh = crate::Mint {
        refresh: true,
        ..crate::Mint::default()
    };
    let minted = house.identity.mint(&house.ada, refresh, NOW).await.unwrap();
    let long = "a".repeat(5000);
    for text in [
        "",
        ".",
        "..",
        "...",
        PASSWORD,
        minted.refresh_token.unwrap().expose(),
        "a.b.c",
        "\u{1F511}..",
    ] {
        assert_eq!(refused(&house, text).await, NOT_OURS, "{text}");
    }
    assert_eq!(
        refused(&house, &long).await,
        "the token has more than 4096 bytes"
    );
    // An id token of ours is for the program, not for the mail server.
    let id = house
        .identity
        .inner
        .keys
        .ring()
        .await
        .unwrap()
        .sign_id(&claims_of(minted.access_token.expose()), NOW)
        .unwrap();
    assert_eq!(refused(&house, &id).await, NOT_OURS);
    assert_eq!(Header::new(Algorithm::RS256).typ.as_deref(), Some("JWT"));
}
