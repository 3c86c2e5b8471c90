//! Clients that prove themselves with a key of their own (`private_key_jwt`), signed by a second implementation.

use super::authorization::request;
use super::*;
use crate::{BasicAuth, ClientKind, NewClient, Scope, Scopes, Secret, TokenError, VerifyKey};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

const WEB: &str = "https://app.example/cb";
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

struct Program {
    id: String,
    key: EncodingKey,
    algorithm: Algorithm,
    signed: AtomicU64,
}

/// An Ed25519 pair: ours to register, and to sign with.
fn ed25519() -> (VerifyKey, EncodingKey) {
    let pair = Ed25519KeyPair::generate().unwrap();
    let x = BASE64.encode(pair.public_key().as_ref());
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "e"}).to_string();
    let key = VerifyKey::read_all(&jwk).unwrap().remove(0);
    let private = EncodingKey::from_ed_der(pair.to_pkcs8v1().unwrap().as_ref());
    (key, private)
}

async fn add(house: &House, new: NewClient) -> String {
    let added = house.identity.add_client(new, NOW).await.unwrap();
    added.0.id.to_string()
}

async fn program(house: &House) -> Program {
    let (public, key) = ed25519();
    let new = NewClient {
        redirects: vec![WEB.into()],
        keys: vec![public],
        confidential: false,
        introspects: true,
        ..NewClient::new("Shop", ClientKind::Web)
    };
    Program {
        id: add(house, new).await,
        key,
        algorithm: Algorithm::EdDSA,
        signed: AtomicU64::new(0),
    }
}

impl Program {
    fn sign(&self, changes: &Value) -> String {
        let (now, jti) = (NOW / 1000, self.signed.fetch_add(1, Ordering::Relaxed));
        let mut claims = json!({
            "iss": self.id, "sub": self.id, "aud": "https://localhost:1443", "iat": now, "exp": now + 300,
            "jti": jti.to_string(),
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            }
        }
        encode(&Header::new(self.algorithm), &claims, &self.key).unwrap()
    }

    /// A form with a fresh assertion.
    fn form(&self, pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        with_assertion(&self.sign(&json!({})), pairs)
    }
}

fn with_assertion(assertion: &str, pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let proof = [
        ("client_assertion_type", TYPE),
        ("client_assertion", assertion),
    ];
    params(&[pairs, &proof].concat())
}

/// What the token endpoint thinks of a form: a wrong code is refused later than a wrong client.
async fn code_of(house: &House, form: &[(String, String)], now: Millis) -> &'static str {
    let answer = house.identity.token(None, form, now).await;
    answer.map_or_else(|error| error.code.name(), |_| "ok")
}

fn wrong_code() -> Vec<(&'static str, &'static str)> {
    vec![
        ("grant_type", "authorization_code"),
        ("code", "x"),
        ("redirect_uri", WEB),
    ]
}

#[tokio::test]
async fn it_opens_every_endpoint() {
    let house = House::new().await;
    let program = program(&house).await;
    house.identity.clients().await.unwrap();
    let client = house.identity.client(&program.id).unwrap();
    assert!(client.is_confidential() && !client.has_secret());

    let pushed = program.form(&[
        ("response_type", "code"),
        ("redirect_uri", WEB),
        ("scope", "openid mail"),
        ("access_type", "offline"),
    ]);
    let pushed = house.identity.push_request(None, &pushed, NOW).await;
    let reference = pushed.unwrap().request_uri;
    let asked = params(&[("client_id", &program.id), ("request_uri", &reference)]);
    let asked = house.identity.authorization_request(&asked, NOW).await;
    let person = house.ada_signed_in().await;
    let left = house.identity.approve(&asked.unwrap(), &person, NOW).await;
    let code = query(&left.unwrap(), "code").unwrap();

    let form = program.form(&[
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", WEB),
    ]);
    let tokens = house.identity.token(None, &form, NOW).await.unwrap();
    let refresh = tokens.refresh_token.unwrap();
    let form = program.form(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh.expose()),
    ]);
    let fresh = house.identity.token(None, &form, NOW).await.unwrap();
    let form = program.form(&[("token", fresh.access_token.expose())]);
    let found = house.identity.introspect(None, &form, NOW).await.unwrap();
    assert!(found.active && found.username.as_deref() == Some(ADA));
    let form = program.form(&[("scope", "mail")]);
    assert!(
        house
            .identity
            .device_code(None, &form, NOW)
            .await
            .is_err_and(|error: TokenError| error.code.name() == "unauthorized_client"),
        "known, but no device"
    );
    let form = program.form(&[("token", refresh.expose())]);
    house.identity.revoke(None, &form, NOW).await.unwrap();
    let form = program.form(&[("token", fresh.access_token.expose())]);
    let found = house.identity.introspect(None, &form, NOW).await.unwrap();
    assert!(!found.active);
}

#[tokio::test]
async fn a_device_with_a_key() {
    let house = House::new().await;
    let (public, key) = ed25519();
    let new = NewClient {
        keys: vec![public],
        ..NewClient::new("Box", ClientKind::Device)
    };
    let device = Program {
        id: add(&house, new).await,
        key,
        algorithm: Algorithm::EdDSA,
        signed: AtomicU64::new(0),
    };
    let bare = params(&[("client_id", &device.id), ("scope", "mail")]);
    let refused = house.identity.device_code(None, &bare, NOW).await;
    assert_eq!(refused.unwrap_err().code.name(), "invalid_client");
    let form = device.form(&[("scope", "mail")]);
    assert!(house.identity.device_code(None, &form, NOW).await.is_ok());
}

#[tokio::test]
async fn every_refusal() {
    let house = House::new().await;
    let program = program(&house).await;
    let good = program.form(&wrong_code());
    assert_eq!(code_of(&house, &good, NOW).await, "invalid_grant", "proven");
    assert_eq!(
        code_of(&house, &good, NOW).await,
        "invalid_client",
        "good once"
    );
    let now = NOW / 1000;
    for changes in [
        json!({"aud": "https://other.example"}),
        json!({"aud": "https://localhost:1443/"}),
        json!({"aud": "https://localhost:14430/token"}),
        json!({"aud": "https://localhost:1443.evil.example/token"}),
        json!({"aud": ["https://localhost:1443", "https://other.example"]}),
        json!({"aud": []}),
        json!({"aud": null}),
        json!({"sub": "web"}),
        json!({"sub": null}),
        json!({"iss": "web", "sub": "web"}),
        json!({"iss": "nobody", "sub": "nobody"}),
        json!({"exp": now - 61}),
        json!({"exp": now + 3700}),
        json!({"exp": null}),
        json!({"iat": now + 120, "exp": now + 300}),
        json!({"nbf": now + 120}),
        json!({"jti": null}),
        json!({"jti": "x".repeat(300)}),
    ] {
        let form = with_assertion(&program.sign(&changes), &wrong_code());
        assert_eq!(
            code_of(&house, &form, NOW).await,
            "invalid_client",
            "{changes}"
        );
    }
    for aud in [
        "https://localhost:1443",
        "https://localhost:1443/token",
        "https://localhost:1443/o/oauth2/token",
        "https://localhost:1443/par",
    ] {
        for aud in [json!(aud), json!([aud])] {
            let form = with_assertion(&program.sign(&json!({"aud": aud})), &wrong_code());
            assert_eq!(code_of(&house, &form, NOW).await, "invalid_grant", "{aud}");
        }
    }
    // Another key, another algorithm, none.
    let stranger = Program {
        id: program.id.clone(),
        key: ed25519().1,
        algorithm: Algorithm::EdDSA,
        signed: AtomicU64::new(1000),
    };
    let secret = Program {
        id: program.id.clone(),
        key: EncodingKey::from_secret(b"e"),
        algorithm: Algorithm::HS256,
        signed: AtomicU64::new(2000),
    };
    let (header, rest) = (json!({"alg": "none"}).to_string(), program.sign(&json!({})));
    let none = format!(
        "{}.{}.",
        BASE64.encode(header),
        rest.split('.').nth(1).unwrap()
    );
    for bad in [
        stranger.sign(&json!({})),
        secret.sign(&json!({})),
        none,
        "x".into(),
        "a.b.c".into(),
        "x".repeat(9000),
    ] {
        let form = with_assertion(&bad, &wrong_code());
        assert_eq!(code_of(&house, &form, NOW).await, "invalid_client");
    }
}

#[tokio::test]
async fn one_way_at_a_time_and_the_right_one() {
    let house = House::new().await;
    let program = program(&house).await;
    let mut named = wrong_code();
    named.push(("client_id", "web"));
    let form = program.form(&named);
    assert_eq!(code_of(&house, &form, NOW).await, "invalid_client");
    let mut twice = wrong_code();
    twice.push(("client_secret", "pillarbox"));
    let form = program.form(&twice);
    assert_eq!(code_of(&house, &form, NOW).await, "invalid_request");
    let basic = Some(BasicAuth {
        id: program.id.clone(),
        secret: Secret::new("x"),
    });
    let form = program.form(&wrong_code());
    let refused = house.identity.token(basic, &form, NOW).await;
    assert_eq!(refused.unwrap_err().code.name(), "invalid_request");
    let mut untyped = program.form(&wrong_code());
    untyped.retain(|(name, _)| name != "client_assertion_type");
    assert_eq!(code_of(&house, &untyped, NOW).await, "invalid_request");
    // A client with a key is not public, and has no secret that would do.
    for more in [&[][..], &[("client_secret", "")], &[("client_secret", "x")]] {
        let mut pairs = wrong_code();
        pairs.push(("client_id", program.id.as_str()));
        pairs.extend(more);
        assert_eq!(
            code_of(&house, &params(&pairs), NOW).await,
            "invalid_client"
        );
    }
    // One that waits for approval proves itself in vain.
    let (public, key) = ed25519();
    let new = NewClient {
        redirects: vec![WEB.into()],
        keys: vec![public],
        confidential: false,
        status: crate::Status::Waiting,
        ..NewClient::new("Other", ClientKind::Web)
    };
    let waiting = Program {
        id: add(&house, new).await,
        key,
        algorithm: Algorithm::EdDSA,
        signed: AtomicU64::new(0),
    };
    let form = waiting.form(&wrong_code());
    assert_eq!(code_of(&house, &form, NOW).await, "unauthorized_client");
}

#[tokio::test]
async fn other_kinds_of_keys_and_a_service_account_without_a_secret() {
    let house = House::new().await;
    let (rsa, private) = VerifyKey::generate("r".into()).await.unwrap();
    let rsa_key = EncodingKey::from_rsa_pem(private.expose().as_bytes()).unwrap();
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = pair.public_key().as_ref();
    let (x, y) = (BASE64.encode(&point[1..33]), BASE64.encode(&point[33..]));
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y}).to_string();
    let ec = VerifyKey::read_all(&jwk).unwrap().remove(0);
    let ec_key = EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref());
    for (public, key, algorithm) in [
        (rsa, rsa_key, Algorithm::RS256),
        (ec, ec_key, Algorithm::ES256),
    ] {
        let new = NewClient {
            keys: vec![public],
            delegated: Scopes::default().with(Scope::Admin),
            confidential: false,
            ..NewClient::new("Robot", ClientKind::Service)
        };
        let robot = Program {
            id: add(&house, new).await,
            key,
            algorithm,
            signed: AtomicU64::new(0),
        };
        let form = robot.form(&[("grant_type", "client_credentials")]);
        let answer = house.identity.token(None, &form, NOW).await.unwrap();
        let token = answer.access_token.expose();
        assert!(house.identity.administrator(token, NOW).await.is_ok());
    }
}

#[tokio::test]
async fn what_proves_a_client_is_no_grant_and_the_other_way_round() {
    let house = House::new().await;
    let (public, key) = ed25519();
    let new = NewClient {
        keys: vec![public],
        delegated: Scopes::default().with(Scope::Mail).with(Scope::Admin),
        confidential: false,
        ..NewClient::new("Robot", ClientKind::Service)
    };
    let robot = Program {
        id: add(&house, new).await,
        key,
        algorithm: Algorithm::EdDSA,
        signed: AtomicU64::new(0),
    };
    let own = robot.sign(&json!({"scope": "mail"}));
    let bearer = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let form = params(&[("grant_type", bearer), ("assertion", &own)]);
    assert_eq!(code_of(&house, &form, NOW).await, "invalid_grant");
    let for_ada = robot.sign(&json!({"sub": ADA, "scope": "mail"}));
    let form = with_assertion(&for_ada, &[("grant_type", "client_credentials")]);
    assert_eq!(code_of(&house, &form, NOW).await, "invalid_client");
    // Both together, as RFC 7521 §4.1 allows: each is checked.
    let for_ada = robot.sign(&json!({"sub": ADA, "scope": "mail"}));
    let both = robot.form(&[("grant_type", bearer), ("assertion", &for_ada)]);
    assert_eq!(code_of(&house, &both, NOW).await, "ok");
    let for_ada = robot.sign(&json!({"sub": ADA, "scope": "mail"}));
    let both = with_assertion("x.y.z", &[("grant_type", bearer), ("assertion", &for_ada)]);
    assert_eq!(code_of(&house, &both, NOW).await, "invalid_client");
}

#[tokio::test]
async fn discovery_says_so_and_a_key_still_wants_pkce_where_it_was_asked_for() {
    let house = House::new().await;
    let metadata = serde_json::to_value(house.identity.metadata()).unwrap();
    for endpoint in ["token", "revocation", "introspection"] {
        let methods = &metadata[format!("{endpoint}_endpoint_auth_methods_supported")];
        assert!(
            methods
                .as_array()
                .unwrap()
                .contains(&json!("private_key_jwt"))
        );
        let name = format!("{endpoint}_endpoint_auth_signing_alg_values_supported");
        assert_eq!(
            metadata[name],
            json!(["RS256", "ES256", "EdDSA", "Ed25519"])
        );
    }
    let program = program(&house).await;
    let changes = [("client_id", program.id.as_str()), ("redirect_uri", WEB)];
    let changes = request(&changes);
    let asked = house.identity.authorization_request(&changes, NOW).await;
    let person = house.ada_signed_in().await;
    let left = house.identity.approve(&asked.unwrap(), &person, NOW).await;
    let code = query(&left.unwrap(), "code").unwrap();
    let mut pairs = vec![
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", WEB),
    ];
    let bare = program.form(&pairs);
    assert_eq!(code_of(&house, &bare, NOW).await, "invalid_grant");
    pairs.push(("code_verifier", VERIFIER));
    assert_eq!(code_of(&house, &program.form(&pairs), NOW).await, "ok");
}

#[tokio::test]
async fn a_stranger_with_many_assertions_stops_nobody_else() {
    let config = IdentityConfig {
        registration: crate::Registration::Open,
        ..config()
    };
    let house = House::with(config).await;
    let known = program(&house).await;
    let mut strangers = Vec::new();
    for _ in 0..2 {
        let pair = Ed25519KeyPair::generate().unwrap();
        let x = BASE64.encode(pair.public_key().as_ref());
        let metadata = json!({
            "client_name": "Stranger", "redirect_uris": [WEB], "token_endpoint_auth_method": "private_key_jwt",
            "jwks": {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x}]},
        });
        let metadata = metadata.to_string();
        let told = house.identity.register(metadata.as_bytes(), NOW).await;
        let told = serde_json::to_value(told.unwrap()).unwrap();
        strangers.push(Program {
            id: told["client_id"].as_str().unwrap().into(),
            key: EncodingKey::from_ed_der(pair.to_pkcs8v1().unwrap().as_ref()),
            algorithm: Algorithm::EdDSA,
            signed: AtomicU64::new(0),
        });
    }
    let code = async |program: &Program| {
        let form = program.form(&wrong_code());
        house.identity.token(None, &form, NOW).await.unwrap_err()
    };
    let mut refused = None;
    for _ in 0..20_500 {
        let error = code(&strangers[0]).await;
        if error.code.name() != "invalid_grant" {
            refused = Some(error);
            break;
        }
    }
    let refused = refused.unwrap();
    assert_eq!(refused.code.name(), "temporarily_unavailable");
    assert!(refused.description.contains("remembered"), "{refused:?}");
    assert_eq!(code(&known).await.code.name(), "invalid_grant");
    assert_eq!(code(&strangers[1]).await.code.name(), "invalid_grant");
    let (now, later) = (NOW / 1000 + 500, NOW + 500_000);
    let fresh = strangers[0].sign(&json!({"iat": now, "exp": now + 300}));
    let form = with_assertion(&fresh, &wrong_code());
    let later = house.identity.token(None, &form, later);
    assert_eq!(
        later.await.unwrap_err().code.name(),
        "invalid_grant",
        "its own ended"
    );
}
