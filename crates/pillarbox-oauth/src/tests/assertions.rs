//! Service accounts: assertions signed by others' code, every refusal of them, and what their tokens open.

use super::*;
use crate::{
    ClientKind, Deed, IMAP_ADMIN_SCOPE, IdentityError, NewClient, Scopes, Service, TokenError,
    TokenResponse, VerifyKey,
};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use std::time::Duration;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

struct Robot {
    id: String,
    key: EncodingKey,
    algorithm: Algorithm,
}

async fn register(house: &House, key: VerifyKey, delegated: &str) -> String {
    let new = NewClient {
        keys: vec![key],
        delegated: Scopes::parse_known(delegated),
        confidential: false,
        ..NewClient::new("Archive", ClientKind::Service)
    };
    house
        .identity
        .add_client(new, NOW)
        .await
        .unwrap()
        .0
        .id
        .to_string()
}

/// A service account with an RSA key as we make them.
async fn robot(house: &House, delegated: &str) -> Robot {
    let (public, private) = VerifyKey::generate("k1".into()).await.unwrap();
    let id = register(house, public, delegated).await;
    let key = EncodingKey::from_rsa_pem(private.expose().as_bytes()).unwrap();
    Robot {
        id,
        key,
        algorithm: Algorithm::RS256,
    }
}

impl Robot {
    fn claims(&self, changes: &Value) -> Value {
        let now = NOW / 1000;
        let mut claims = json!({
            "iss": self.id, "sub": ADA, "aud": "https://localhost:1443/token",
            "iat": now, "exp": now + 3600, "scope": "https://mail.google.com/",
        });
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => claims.as_object_mut().unwrap().remove(name),
                value => claims
                    .as_object_mut()
                    .unwrap()
                    .insert(name.clone(), value.clone()),
            };
        }
        claims
    }

    fn sign(&self, changes: &Value) -> String {
        encode(
            &Header::new(self.algorithm),
            &self.claims(changes),
            &self.key,
        )
        .unwrap()
    }
}

async fn ask(house: &House, assertion: &str, now: Millis) -> Result<TokenResponse, TokenError> {
    let form = params(&[("grant_type", GRANT), ("assertion", assertion)]);
    house.identity.token(None, &form, now).await
}

#[tokio::test]
async fn a_signed_assertion_opens_a_mailbox() {
    let house = House::new().await;
    let robot = robot(&house, "mail").await;
    let answer = ask(&house, &robot.sign(&json!({})), NOW).await.unwrap();
    assert!(answer.refresh_token.is_none() && answer.id_token.is_none());
    let access = answer.access_token.expose();
    let who = house
        .identity
        .bearer(ADA, access, Service::Imap, NOW)
        .await
        .unwrap();
    assert!(who.may_write() && !who.sees_hidden());
    assert_eq!(who.app().map(|app| &**app), Some("Archive"));
    assert!(
        house
            .identity
            .bearer(BOB, access, Service::Imap, NOW)
            .await
            .is_err()
    );

    // One grant for all its tokens; ended by its owner it stays ended, and another one begins.
    ask(&house, &robot.sign(&json!({})), NOW + 1).await.unwrap();
    let grants = house.identity.grants(&house.ada).await.unwrap();
    assert_eq!(grants.len(), 1);
    house
        .identity
        .revoke_grant(&house.ada, &grants[0].id, NOW)
        .await
        .unwrap();
    assert!(
        house
            .identity
            .bearer(ADA, access, Service::Imap, NOW)
            .await
            .is_err()
    );
    let fresh = ask(&house, &robot.sign(&json!({})), NOW).await.unwrap();
    assert!(
        house
            .identity
            .bearer(ADA, fresh.access_token.expose(), Service::Imap, NOW)
            .await
            .is_ok()
    );
    assert!(
        house
            .identity
            .bearer(ADA, access, Service::Imap, NOW)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn its_token_can_be_revoked_by_whoever_holds_it() {
    let house = House::new().await;
    let robot = robot(&house, "mail").await;
    let token = ask(&house, &robot.sign(&json!({})), NOW).await.unwrap();
    let token = token.access_token.expose();
    let opens = async || {
        let opened = house.identity.bearer(ADA, token, Service::Imap, NOW);
        opened.await.is_ok()
    };
    assert!(opens().await);
    let mut told = house.identity.revocations();
    let form = params(&[("token", token)]);
    house.identity.revoke(None, &form, NOW).await.unwrap();
    assert!(!opens().await);
    let gone = told.try_recv().unwrap();
    assert_eq!(gone.account, house.ada, "its sessions end");
    assert!(gone.because.contains("given back"), "{}", gone.because);
}

#[tokio::test]
async fn a_suspended_mailbox_gets_no_token_and_no_trace() {
    let house = House::new().await;
    let robot = robot(&house, "mail").await;
    house
        .identity
        .set_suspended(&house.ada, true)
        .await
        .unwrap();
    let told = ask(&house, &robot.sign(&json!({})), NOW).await.unwrap_err();
    assert_eq!(told.code.name(), "invalid_grant");
    assert!(house.identity.grants(&house.ada).await.unwrap().is_empty());
    house
        .identity
        .set_suspended(&house.ada, false)
        .await
        .unwrap();
    assert!(ask(&house, &robot.sign(&json!({})), NOW).await.is_ok());
}

#[tokio::test]
async fn with_a_proof_its_token_is_bound_and_opens_no_mailbox() {
    let (house, holder) = (House::new().await, dpop::Holder::new());
    let robot = robot(&house, "mail").await;
    let form = params(&[
        ("grant_type", GRANT),
        ("assertion", &robot.sign(&json!({}))),
    ]);
    let proven = house.identity.with_proof(holder.proof(&house));
    let answer = proven.token(None, &form, NOW).await.unwrap();
    assert_eq!(answer.token_type, "DPoP");
    let access = answer.access_token.expose();
    let refused = house.identity.bearer(ADA, access, Service::Imap, NOW).await;
    assert!(refused.unwrap_err().cause.contains("DPoP"));
    let twice = proven.token(None, &form, NOW).await.unwrap_err();
    assert_eq!(twice.code.name(), "invalid_dpop_proof");
}

#[tokio::test]
async fn every_refusal() {
    let house = House::new().await;
    let robot = robot(&house, "mail pillarbox:imap").await;
    let now = NOW / 1000;
    for (changes, error) in [
        (json!({"iss": "nobody"}), "invalid_grant"),
        (json!({"iss": "desktop"}), "invalid_grant"),
        (json!({"iss": null}), "invalid_grant"),
        (
            json!({"aud": "https://elsewhere.example/token"}),
            "invalid_grant",
        ),
        (json!({"aud": null}), "invalid_grant"),
        (
            json!({"aud": ["https://evil.example/token"]}),
            "invalid_grant",
        ),
        (json!({"exp": null}), "invalid_grant"),
        (json!({"exp": now - 60, "iat": now - 600}), "invalid_grant"),
        (json!({"exp": now + 3601}), "invalid_grant"),
        (
            json!({"exp": now + 7200, "iat": now + 3600}),
            "invalid_grant",
        ),
        (json!({"exp": now + 4000, "iat": null}), "invalid_grant"),
        (json!({"exp": 1e300}), "invalid_grant"),
        (json!({"iat": now + 61}), "invalid_grant"),
        (json!({"nbf": now + 61}), "invalid_grant"),
        (json!({"sub": null}), "invalid_grant"),
        (json!({"sub": "eve@example.test"}), "invalid_grant"),
        (json!({"jti": "x".repeat(257)}), "invalid_grant"),
        (json!({"scope": null}), "invalid_scope"),
        (json!({"scope": "everything"}), "invalid_scope"),
        (json!({"scope": "pillarbox:smtp"}), "unauthorized_client"),
        (json!({"scope": "mail openid"}), "unauthorized_client"),
        (json!({"scope": IMAP_ADMIN_SCOPE}), "unauthorized_client"),
        (json!({"scope": "pillarbox:admin"}), "unauthorized_client"),
    ] {
        let told = ask(&house, &robot.sign(&changes), NOW).await.unwrap_err();
        assert_eq!(told.code.name(), error, "{changes} {}", told.description);
    }
    for (changes, why) in [
        (
            json!({"aud": ["x", "https://localhost:1443"]}),
            "a list that names the issuer",
        ),
        (
            json!({"iat": now + 59, "exp": now + 3659}),
            "a clock that is a little ahead",
        ),
        (json!({"exp": now as f64 + 0.5}), "a fraction"),
        (
            json!({"scope": "pillarbox:imap"}),
            "less than was delegated",
        ),
    ] {
        assert!(
            ask(&house, &robot.sign(&changes), NOW).await.is_ok(),
            "{why}"
        );
    }
    let missing = params(&[("grant_type", GRANT)]);
    assert_eq!(
        house
            .identity
            .token(None, &missing, NOW)
            .await
            .unwrap_err()
            .code
            .name(),
        "invalid_request"
    );
    let other = params(&[
        ("grant_type", GRANT),
        ("assertion", &robot.sign(&json!({}))),
        ("client_id", "web"),
    ]);
    assert_eq!(
        house
            .identity
            .token(None, &other, NOW)
            .await
            .unwrap_err()
            .code
            .name(),
        "invalid_grant"
    );
}

#[tokio::test]
async fn an_assertion_with_a_name_is_good_once() {
    let house = House::new().await;
    let robot = robot(&house, "mail").await;
    let once = robot.sign(&json!({"jti": "1"}));
    assert!(ask(&house, &once, NOW).await.is_ok());
    assert_eq!(
        ask(&house, &once, NOW).await.unwrap_err().code.name(),
        "invalid_grant"
    );
    assert!(
        ask(&house, &robot.sign(&json!({"jti": "2"})), NOW)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn forged_and_confused_signatures() {
    let house = House::new().await;
    let robot = robot(&house, "mail").await;
    let other = self::robot(&house, "mail").await;
    let good = robot.sign(&json!({}));
    let (message, _) = good.rsplit_once('.').unwrap();
    let none = BASE64.encode(r#"{"alg":"none"}"#);
    let claims = good.split('.').nth(1).unwrap();
    let hmac = EncodingKey::from_secret(b"key");
    let hmac = encode(
        &Header::new(Algorithm::HS256),
        &robot.claims(&json!({})),
        &hmac,
    )
    .unwrap();
    let stolen = Robot {
        id: robot.id.clone(),
        ..other
    };
    let header = |more: Value| {
        let mut header = Header::new(Algorithm::RS256);
        header.kid = more["kid"].as_str().map(str::to_owned);
        encode(&header, &robot.claims(&json!({})), &robot.key).unwrap()
    };
    for (text, why) in [
        (format!("{message}."), "no signature"),
        (format!("{none}.{claims}."), "alg none"),
        (hmac, "HMAC"),
        (stolen.sign(&json!({})), "another's key"),
        (good.replace("eyJ0", "eyJ1"), "another header"),
        (header(json!({"kid": "k2"})), "another kid"),
        ("a.b.c".into(), "nonsense"),
        (String::from("x"), "no dots"),
        ("x".repeat(10_000), "too long"),
    ] {
        let told = ask(&house, &text, NOW).await.unwrap_err();
        assert_eq!(told.code.name(), "invalid_grant", "{why}");
    }
    assert!(
        ask(&house, &header(json!({"kid": "k1"})), NOW)
            .await
            .is_ok()
    );
    assert!(ask(&house, &good, NOW).await.is_ok());
    // A token of ours is signed too, and is no assertion.
    assert!(ask(&house, &house.token().await, NOW).await.is_err());
}

#[tokio::test]
async fn googles_name_stands_for_us_with_a_key_we_made() {
    let house = House::new().await;
    let robot = robot(&house, "mail").await;
    let for_google = json!({"aud": "https://oauth2.googleapis.com/token"});
    assert!(ask(&house, &robot.sign(&for_google), NOW).await.is_ok());
    let other = json!({"aud": "https://oauth2.googleapis.com/other"});
    assert!(ask(&house, &robot.sign(&other), NOW).await.is_err());
}

#[tokio::test]
async fn other_kinds_of_keys() {
    let house = House::new().await;
    let ed = Ed25519KeyPair::generate().unwrap();
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": BASE64.encode(ed.public_key().as_ref())});
    let id = register(
        &house,
        VerifyKey::read_all(&jwk.to_string()).unwrap().remove(0),
        "mail",
    )
    .await;
    let der = ed.to_pkcs8v1().unwrap();
    let robot = Robot {
        id,
        key: EncodingKey::from_ed_der(der.as_ref()),
        algorithm: Algorithm::EdDSA,
    };
    assert!(ask(&house, &robot.sign(&json!({})), NOW).await.is_ok());
    // The same key may be registered at Google, so what it signed for Google is not for us.
    let for_google = json!({"aud": "https://oauth2.googleapis.com/token"});
    let refused = ask(&house, &robot.sign(&for_google), NOW).await;
    assert!(refused.unwrap_err().description.starts_with("aud must be"));

    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = ec.public_key().as_ref();
    let jwk = json!({"keys": [{"kty": "EC", "crv": "P-256", "alg": "ES256", "x": BASE64.encode(&point[1..33]), "y": BASE64.encode(&point[33..])}]});
    let id = register(
        &house,
        VerifyKey::read_all(&jwk.to_string()).unwrap().remove(0),
        "mail",
    )
    .await;
    let der = ec.to_pkcs8v1().unwrap();
    let robot = Robot {
        id,
        key: EncodingKey::from_ec_der(der.as_ref()),
        algorithm: Algorithm::ES256,
    };
    assert!(ask(&house, &robot.sign(&json!({})), NOW).await.is_ok());

    let rsa = house
        .identity
        .jwks(NOW)
        .await
        .unwrap()
        .keys
        .into_iter()
        .find(|key| key["kty"] == "RSA")
        .unwrap();
    assert!(
        VerifyKey::read_all(&rsa.to_string()).is_ok(),
        "RSA as a JWK"
    );
    let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";
    assert!(VerifyKey::read_all(pem).is_ok(), "Ed25519 in PEM");
}

#[tokio::test]
async fn hidden_labels_are_for_delegated_imap_only() {
    let house = House::new().await;
    let robot = robot(&house, &format!("mail {IMAP_ADMIN_SCOPE}")).await;
    let answer = ask(
        &house,
        &robot.sign(&json!({"scope": IMAP_ADMIN_SCOPE})),
        NOW,
    )
    .await
    .unwrap();
    let access = answer.access_token.expose();
    let who = house
        .identity
        .bearer(ADA, access, Service::Imap, NOW)
        .await
        .unwrap();
    assert!(who.sees_hidden() && who.may_write());
    for service in [Service::Pop3, Service::Submission] {
        assert!(
            house
                .identity
                .bearer(ADA, access, service, NOW)
                .await
                .is_err()
        );
    }
    let both = format!("{IMAP_ADMIN_SCOPE} mail");
    let answer = ask(&house, &robot.sign(&json!({"scope": both})), NOW)
        .await
        .unwrap();
    let who = house
        .identity
        .bearer(ADA, answer.access_token.expose(), Service::Pop3, NOW)
        .await
        .unwrap();
    assert!(!who.sees_hidden());
    // No person can grant it.
    let asked = authorization::request(&[("scope", IMAP_ADMIN_SCOPE)]);
    assert_eq!(
        house
            .identity
            .authorization_request(&asked, NOW)
            .await
            .unwrap_err()
            .code
            .name(),
        "invalid_scope"
    );
    let form = params(&[("client_id", "tv"), ("scope", IMAP_ADMIN_SCOPE)]);
    assert_eq!(
        house
            .identity
            .device_code(None, &form, NOW)
            .await
            .unwrap_err()
            .code
            .name(),
        "invalid_scope"
    );
    // Taking the delegation back ends what it gave.
    house
        .identity
        .delegate(&robot.id, Scopes::parse_known("mail"))
        .await
        .unwrap();
    let told = ask(
        &house,
        &robot.sign(&json!({"scope": IMAP_ADMIN_SCOPE})),
        NOW,
    )
    .await
    .unwrap_err();
    assert_eq!(told.code.name(), "unauthorized_client");
}

#[tokio::test]
async fn what_is_delegated_no_more_ends_at_once() {
    let house = House::new().await;
    let robot = robot(&house, "pillarbox:imap pillarbox:smtp email").await;
    let identity = &house.identity;
    let token = async |scope: &str| {
        let answer = ask(&house, &robot.sign(&json!({"scope": scope})), NOW).await;
        answer.unwrap().access_token.expose().to_owned()
    };
    let (imap, smtp) = (
        token("pillarbox:imap email").await,
        token("pillarbox:smtp").await,
    );
    let opens = async |token: &str, service| identity.bearer(ADA, token, service, NOW).await;
    let read = opens(&imap, Service::Imap).await.unwrap();
    assert_eq!(read.scopes(), Scopes::parse_known("pillarbox:imap email"));
    assert!(opens(&smtp, Service::Submission).await.is_ok());
    assert!(identity.userinfo(&imap, NOW).await.is_ok());
    let mut told = identity.ended_clients();
    let left = Scopes::parse_known("pillarbox:smtp email");
    identity.delegate(&robot.id, left).await.unwrap();
    let less = told.try_recv().unwrap();
    assert_eq!((&*less.client, less.left), (&*robot.id, Some(left)));
    assert!(less.because.contains("taken back"), "{}", less.because);
    let refused = opens(&imap, Service::Imap).await.unwrap_err();
    assert!(refused.cause.contains("taken back"), "{}", refused.cause);
    let refused = identity.userinfo(&imap, NOW).await.unwrap_err();
    assert_eq!(refused.code.name(), "invalid_token");
    let web = crate::BasicAuth {
        id: "web".into(),
        secret: crate::Secret::new("pillarbox"),
    };
    let form = params(&[("token", &imap)]);
    assert!(
        !identity
            .introspect(Some(web), &form, NOW)
            .await
            .unwrap()
            .active
    );
    assert!(
        opens(&smtp, Service::Submission).await.is_ok(),
        "that one is still delegated"
    );
}

#[tokio::test]
async fn finer_scopes_open_what_they_name() {
    let house = House::new().await;
    for (scope, services) in [
        ("pillarbox:imap", [true, false, false]),
        ("pillarbox:pop", [false, true, false]),
        ("pillarbox:smtp", [false, false, true]),
        ("pillarbox:read", [true, true, false]),
    ] {
        let mint = crate::Mint {
            scope: Some(scope.into()),
            ..crate::Mint::default()
        };
        let token = house.mint(mint).await;
        let all = [Service::Imap, Service::Pop3, Service::Submission];
        for (service, good) in all.into_iter().zip(services) {
            let found = house.identity.bearer(ADA, &token, service, NOW).await;
            assert_eq!(found.is_ok(), good, "{scope} {service:?}");
            let read_only = scope == "pillarbox:read";
            assert!(found.is_err() || found.unwrap().may_write() != read_only);
        }
    }
}

#[tokio::test]
async fn another_key_takes_over() {
    let house = House::new().await;
    let robot = robot(&house, "mail").await;
    let identity = &house.identity;
    let day = Duration::from_secs(24 * 3600);
    let made = identity
        .rotate_client_key(&robot.id, Vec::new(), day, NOW)
        .await
        .unwrap();
    assert_eq!((made.until, made.ended), (Some(NOW + 24 * HOUR), 0));
    let file = made.key_file.unwrap();
    assert!(file.get("client_secret").is_none());
    let pem = file["private_key"].as_str().unwrap().as_bytes();
    let next = Robot {
        id: robot.id.clone(),
        key: EncodingKey::from_rsa_pem(pem).unwrap(),
        algorithm: Algorithm::RS256,
    };
    ask(&house, &next.sign(&json!({})), NOW).await.unwrap();
    ask(&house, &robot.sign(&json!({})), NOW).await.unwrap();
    // To the moment, though the assertion itself would be good.
    let later = |seconds: i64| {
        let at = NOW / 1000 + seconds;
        json!({"iat": at, "exp": at + 600})
    };
    let end = NOW + 24 * HOUR;
    let (before, then) = (later(24 * 3600 - 1), later(24 * 3600));
    ask(&house, &robot.sign(&before), end - 1).await.unwrap();
    let over = ask(&house, &robot.sign(&then), end).await.unwrap_err();
    assert_eq!(over.code.name(), "invalid_grant");
    ask(&house, &next.sign(&then), end).await.unwrap();

    // A third: of those before only the last goes on.
    let (public, _) = VerifyKey::generate("k3".into()).await.unwrap();
    let made = identity.rotate_client_key(&robot.id, vec![public.clone()], day, NOW);
    assert!(made.await.unwrap().key_file.is_none());
    assert!(ask(&house, &robot.sign(&json!({})), NOW).await.is_err());
    ask(&house, &next.sign(&json!({})), NOW).await.unwrap();
    let again = identity.rotate_client_key(&robot.id, vec![public], day, NOW);
    assert!(matches!(again.await, Err(IdentityError::BadClient(_))));
    let changes = identity.changes(9, NOW + 1).await.unwrap();
    assert_eq!(
        (changes[0].deed, changes[0].app.as_deref()),
        (Deed::AppKeyRotated, Some("Archive"))
    );
}

#[tokio::test]
async fn a_key_taken_back_at_once_takes_with_it_what_it_signed() {
    let house = House::new().await;
    let robot = robot(&house, "mail").await;
    let identity = &house.identity;
    let tokens = ask(&house, &robot.sign(&json!({})), NOW).await.unwrap();
    let mut told = identity.ended_clients();
    let made = identity.rotate_client_key(&robot.id, Vec::new(), Duration::ZERO, NOW);
    let made = made.await.unwrap();
    assert_eq!((made.until, made.ended), (None, 1));
    let less = told.try_recv().unwrap();
    let nothing = Some(Scopes::default());
    assert_eq!((&*less.client, less.left), (&*robot.id, nothing));
    assert!(less.because.contains("taken back"), "{}", less.because);
    assert!(ask(&house, &robot.sign(&json!({})), NOW).await.is_err());
    let access = tokens.access_token.expose();
    let refused = identity.bearer(ADA, access, Service::Imap, NOW).await;
    assert!(refused.unwrap_err().cause.contains("revoked"));
    let trail = identity.activity(&house.ada, 9, NOW + 1).await.unwrap();
    let ended = trail.iter().find(|one| one.deed == Deed::GrantEnded);
    assert_eq!(
        ended.unwrap().detail.as_deref(),
        Some("the program's key was taken back")
    );
}

#[tokio::test]
async fn who_has_no_key_is_given_none() {
    let house = House::new().await;
    let identity = &house.identity;
    let new = NewClient {
        redirects: vec!["https://shop.example/cb".into()],
        ..NewClient::new("Shop", ClientKind::Web)
    };
    let shop = identity.add_client(new.clone(), NOW).await.unwrap().0;
    let (public, _) = VerifyKey::generate("k".into()).await.unwrap();
    let keyed = NewClient {
        keys: vec![public],
        confidential: false,
        ..new
    };
    let keyed = identity.add_client(keyed, NOW).await.unwrap().0;
    for id in [&*shop.id, &*keyed.id, "cli", "nobody"] {
        let made = identity.rotate_client_key(id, Vec::new(), Duration::ZERO, NOW);
        assert!(made.await.is_err(), "{id}");
    }
    let secret = identity.rotate_client_secret(&keyed.id, Duration::ZERO, NOW);
    let told = secret.await.unwrap_err().to_string();
    assert!(told.contains("key"), "{told}");
}
