//! Tokens that are bound to a key (RFC 9449), and what a thief can do with them.

use super::tokens::{code, form};
use super::*;
use crate::{BasicAuth, Proof, Secret, Service, TokenError, TokenResponse};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};
use std::sync::atomic::AtomicU32;

/// A program in a browser with its key.
pub(crate) struct Holder {
    pair: EcdsaKeyPair,
    proofs: AtomicU32,
}

impl Holder {
    pub(crate) fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let proofs = AtomicU32::new(0);
        Self { pair, proofs }
    }

    fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let (x, y) = (&point[1..33], &point[33..]);
        json!({"kty": "EC", "crv": "P-256", "x": BASE64.encode(x), "y": BASE64.encode(y)})
    }

    fn jwt(&self, body: &Value) -> String {
        let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk()});
        let part = |json: &Value| BASE64.encode(json.to_string());
        let message = format!("{}.{}", part(&header), part(body));
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes());
        format!("{message}.{}", BASE64.encode(signature.unwrap()))
    }

    fn body(&self, method: &str, path: &str) -> Value {
        let number = self.proofs.fetch_add(1, Ordering::Relaxed);
        json!({
            "jti": number.to_string(), "htm": method, "iat": NOW / 1000,
            "htu": format!("https://localhost:1443{path}"),
        })
    }

    /// For the token endpoint.
    pub(crate) fn proof(&self, house: &House) -> Proof {
        let jwt = self.jwt(&self.body("POST", "/token"));
        house
            .identity
            .check_proof(&jwt, "POST", "/token", NOW)
            .unwrap()
    }

    /// For user info, with a token.
    fn proof_for(&self, house: &House, token: &Secret) -> Proof {
        let mut body = self.body("GET", "/v1/userinfo");
        body["ath"] = BASE64.encode(crate::opaque::hash(token.expose())).into();
        let identity = &house.identity;
        let proof = identity.check_proof(&self.jwt(&body), "GET", "/v1/userinfo", NOW);
        proof.unwrap()
    }

    pub(crate) async fn token(
        &self,
        house: &House,
        form: &[(String, String)],
    ) -> Result<TokenResponse, TokenError> {
        let identity = house.identity.with_proof(self.proof(house));
        identity.token(None, form, NOW).await
    }

    /// The same for the client with a secret.
    async fn web_token(&self, house: &House, form: &[(String, String)]) -> TokenResponse {
        let identity = house.identity.with_proof(self.proof(house));
        identity.token(web(), form, NOW).await.unwrap()
    }
}

fn web() -> Option<BasicAuth> {
    let (id, secret) = ("web".into(), Secret::new("pillarbox"));
    Some(BasicAuth { id, secret })
}

pub(crate) fn refresh(client: &str, token: &TokenResponse) -> Vec<(String, String)> {
    params(&[
        ("grant_type", "refresh_token"),
        ("client_id", client),
        (
            "refresh_token",
            token.refresh_token.as_ref().unwrap().expose(),
        ),
    ])
}

fn name<T: std::fmt::Debug>(answer: Result<T, TokenError>) -> &'static str {
    answer.unwrap_err().code.name()
}

#[tokio::test]
async fn a_bound_token_is_good_with_its_key_only() {
    let (house, holder, thief) = (House::new().await, Holder::new(), Holder::new());
    let code = code(&house, &[("scope", "openid email mail")]).await;
    let tokens = holder.token(&house, &form(&code, &[])).await.unwrap();
    assert_eq!(tokens.token_type, "DPoP");
    let token = &tokens.access_token;
    let claims = BASE64.decode(token.expose().split('.').nth(1).unwrap());
    let claims: Value = serde_json::from_slice(&claims.unwrap()).unwrap();
    let identity = &house.identity;
    let ask = async |proof: Option<Proof>| {
        let identity = match proof {
            Some(proof) => identity.with_proof(proof),
            None => identity.clone(),
        };
        identity.userinfo(token.expose(), NOW).await
    };
    let proof = holder.proof_for(&house, token);
    let info = ask(Some(proof.clone())).await.unwrap();
    assert_eq!(info.email.as_deref(), Some(ADA));
    assert_eq!(
        claims["cnf"]["jkt"].as_str(),
        house
            .identity
            .with_proof(proof.clone())
            .proven_key()
            .map(|key| key as &str)
    );
    assert_eq!(name(ask(Some(proof)).await), "invalid_dpop_proof", "twice");
    assert_eq!(name(ask(None).await), "invalid_token");
    let stolen = thief.proof_for(&house, token);
    assert_eq!(name(ask(Some(stolen)).await), "invalid_token");
    let body = holder.body("GET", "/v1/userinfo");
    let bare = identity
        .check_proof(&holder.jwt(&body), "GET", "/v1/userinfo", NOW)
        .unwrap();
    assert_eq!(name(ask(Some(bare)).await), "invalid_dpop_proof", "no ath");

    let refused = identity.bearer(ADA, token.expose(), Service::Imap, NOW);
    assert!(refused.await.unwrap_err().cause.contains("DPoP"));
    // A bearer token that comes as DPoP would hide that it is not bound (RFC 9449 §7.1).
    let plain = Secret::new(house.mint(crate::Mint::default()).await);
    let identity = identity.with_proof(holder.proof_for(&house, &plain));
    let answer = identity.userinfo(plain.expose(), NOW).await;
    assert_eq!(name(answer), "invalid_token");
}

#[tokio::test]
async fn refresh_tokens_of_programs_without_a_secret_are_bound() {
    let (house, holder, thief) = (House::new().await, Holder::new(), Holder::new());
    let first = code(&house, &[]).await;
    let first = holder.token(&house, &form(&first, &[])).await.unwrap();
    let again = refresh("desktop", &first);
    for answer in [
        thief.token(&house, &again).await,
        house.identity.token(None, &again, NOW).await,
    ] {
        assert_eq!(name(answer), "invalid_grant");
    }
    // What the thief tried has ended nothing, not even with a token that was good once.
    let second = holder.token(&house, &again).await.unwrap();
    assert_eq!(second.token_type, "DPoP");
    assert_eq!(name(thief.token(&house, &again).await), "invalid_grant");
    // Nor can a thief pass for somebody whose answer was lost; the holder can.
    let second = holder.token(&house, &again).await.unwrap();
    assert_eq!(name(thief.token(&house, &again).await), "invalid_grant");
    let third = holder.token(&house, &refresh("desktop", &second)).await;
    assert!(third.is_ok());
    // A grant that was a bearer's becomes bound by the first proof.
    let bearer = code(&house, &[]).await;
    let identity = &house.identity;
    let bearer = identity
        .token(None, &form(&bearer, &[]), NOW)
        .await
        .unwrap();
    let bound = holder.token(&house, &refresh("desktop", &bearer)).await;
    let next = refresh("desktop", &bound.unwrap());
    assert_eq!(
        name(identity.token(None, &next, NOW).await),
        "invalid_grant"
    );
}

#[tokio::test]
async fn a_program_with_a_secret_may_change_its_key() {
    let (house, one, other) = (House::new().await, Holder::new(), Holder::new());
    let asked = [
        ("client_id", "web"),
        ("redirect_uri", "http://localhost:3000/callback"),
        ("access_type", "offline"),
    ];
    let code = code(&house, &asked).await;
    let form = form(&code, &[("client_id", ""), asked[1]]);
    let tokens = one.web_token(&house, &form).await;
    let again = other.web_token(&house, &refresh("web", &tokens)).await;
    assert_eq!(again.token_type, "DPoP");
    let found = house
        .identity
        .introspect(
            web(),
            &params(&[("token", again.access_token.expose())]),
            NOW,
        )
        .await
        .unwrap();
    assert_eq!(found.token_type, Some("DPoP"));
    let key = other.proof(&house);
    assert_eq!(
        found.cnf.map(|cnf| cnf.jkt).as_deref(),
        house.identity.with_proof(key).proven_key()
    );
}

#[tokio::test]
async fn a_code_can_be_for_one_key() {
    let (house, holder, thief) = (House::new().await, Holder::new(), Holder::new());
    let identity = &house.identity;
    let proven = identity.with_proof(holder.proof(&house));
    let key = proven.proven_key().unwrap().to_owned();
    let code = code(&house, &[("dpop_jkt", &key)]).await;
    let form = form(&code, &[]);
    for answer in [
        identity.token(None, &form, NOW).await,
        thief.token(&house, &form).await,
    ] {
        assert_eq!(name(answer), "invalid_grant");
    }
    assert!(holder.token(&house, &form).await.is_ok());

    // A pushed request says it by its proof.
    let asked = authorization::request(&[]);
    let pushed = proven.push_request(None, &asked, NOW).await.unwrap();
    let carried = params(&[
        ("client_id", "desktop"),
        ("request_uri", &pushed.request_uri),
    ]);
    let request = identity.authorization_request(&carried, NOW).await.unwrap();
    assert_eq!(request.key.as_deref(), Some(&*key));
    let other = authorization::request(&[("dpop_jkt", &"A".repeat(43))]);
    let mixed = identity.with_proof(holder.proof(&house));
    let mixed = mixed.push_request(None, &other, NOW).await;
    assert_eq!(name(mixed), "invalid_dpop_proof");
    let bad = authorization::request(&[("dpop_jkt", "short")]);
    let bad = identity.authorization_request(&bad, NOW).await.unwrap_err();
    assert_eq!(bad.code.name(), "invalid_request");
}

#[tokio::test]
async fn tokens_for_administration_are_not_bound() {
    let (house, holder) = (House::new().await, Holder::new());
    let panel = requests::panel(&house).await;
    let form = params(&[("grant_type", "client_credentials")]);
    let identity = house.identity.with_proof(holder.proof(&house));
    let bound = identity.token(Some(panel.clone()), &form, NOW).await;
    assert_eq!(
        name(bound),
        "invalid_request",
        "a bearer token would only look bound"
    );
    assert!(house.identity.token(Some(panel), &form, NOW).await.is_ok());
}

#[tokio::test]
async fn a_proof_buys_one_answer() {
    let (house, holder) = (House::new().await, Holder::new());
    let (one, two) = (code(&house, &[]).await, code(&house, &[]).await);
    let identity = house.identity.with_proof(holder.proof(&house));
    assert!(identity.token(None, &form(&one, &[]), NOW).await.is_ok());
    let twice = identity.token(None, &form(&two, &[]), NOW).await;
    assert_eq!(name(twice), "invalid_dpop_proof");
    // It bought nothing, so nothing was spent: neither the code nor, later, the refresh token.
    let tokens = holder.token(&house, &form(&two, &[])).await.unwrap();
    let next = refresh("desktop", &tokens);
    let twice = identity.token(None, &next, NOW).await;
    assert_eq!(name(twice), "invalid_dpop_proof");
    assert!(holder.token(&house, &next).await.is_ok());
}

#[tokio::test]
async fn pushing_requests_fills_no_memory_of_proofs() {
    // The name of a program without a secret is all it takes to push: no stranger may cost others their proofs.
    let (house, holder) = (House::new().await, Holder::new());
    let proven = house.identity.with_proof(holder.proof(&house));
    let asked = authorization::request(&[]);
    for _ in 0..2 {
        proven.push_request(None, &asked, NOW).await.unwrap();
    }
    let nothing = params(&[("client_id", "desktop")]);
    assert!(proven.push_request(None, &nothing, NOW).await.is_err());
    let code = code(&house, &[]).await;
    let answer = proven.token(None, &form(&code, &[]), NOW).await;
    assert_eq!(answer.unwrap().token_type, "DPoP", "not used yet");
}

#[tokio::test]
async fn one_account_with_many_proofs_stops_no_other() {
    let (house, holder) = (House::new().await, Holder::new());
    let identity = &house.identity;
    let code = code(&house, &[]).await;
    let (now, ends) = (NOW / 1000, NOW / 1000 + 301);
    for number in 0..10_000 {
        let jti = number.to_string();
        let first = identity
            .inner
            .proofs
            .first(&house.ada.0, ("key", &jti), ends, now);
        assert_eq!(first, Ok(()));
    }
    let refused = holder.token(&house, &form(&code, &[])).await.unwrap_err();
    assert_eq!(refused.code.name(), "temporarily_unavailable");
    assert!(refused.description.contains("remembered"), "{refused:?}");
    let proven = identity.with_proof(holder.proof(&house));
    proven.first_use((&house.bob.0, "desktop"), NOW).unwrap();
    identity.inner.proofs.forget();
    let answer = holder.token(&house, &form(&code, &[])).await;
    assert!(answer.is_ok(), "the code was not spent");
}
