//! Sign-in elsewhere, against a provider made of documents: its signatures are real, its wire is not.

mod mail;
mod outage;
mod recency;
mod web;

use super::{ADA, House, NOW, config};
use crate::{
    External, ExternalAnswer, ExternalBegun, ExternalProvider, ExternalRefusal, ExternalRequest,
    Fetch, Fetching, FirstFactor, IdentityConfig, Recency, Secret, Shows,
};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use pillarbox_store::mail::{Millis, Naming};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

const ISSUER: &str = "https://login.elsewhere.test";
const OTHER: &str = "https://other.elsewhere.test";
const AUDIENCE: &str = "https://localhost:1443";
const SECONDS: i64 = NOW / 1000;

/// A key of the provider's.
enum Key {
    Ed(Ed25519KeyPair),
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Key {
    fn ed() -> Self {
        Self::Ed(Ed25519KeyPair::generate().unwrap())
    }
    fn ec() -> Self {
        Self::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }
    fn rsa() -> Self {
        Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    fn alg(&self) -> &'static str {
        match self {
            Self::Ed(_) => "EdDSA",
            Self::Ec(_) => "ES256",
            Self::Rsa(_) => "RS256",
        }
    }

    fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Ed(pair) => {
                let x = BASE64.encode(pair.public_key().as_ref());
                json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "use": "sig", "x": x})
            }
            Self::Ec(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = (BASE64.encode(&point[1..33]), BASE64.encode(&point[33..]));
                json!({"kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "x": x, "y": y})
            }
            Self::Rsa(pair) => {
                let n = pair.public_key().modulus();
                let n = BASE64.encode(n.big_endian_without_leading_zero());
                json!({"kty": "RSA", "kid": kid, "n": n, "e": "AQAB"})
            }
        }
    }

    fn signature(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Ec(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message).unwrap();
                signature.as_ref().to_vec()
            }
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let random = SystemRandom::new();
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .unwrap();
                signature
            }
        }
    }

    /// Signs whatever it is given, under whatever header.
    fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let signature = BASE64.encode(self.signature(message.as_bytes()));
        format!("{message}.{signature}")
    }

    fn access_token(&self, kid: &str, claims: &Value) -> String {
        let header = json!({"alg": self.alg(), "kid": kid, "typ": "at+jwt"});
        self.sign(&header, claims)
    }

    fn id_token(&self, kid: &str, claims: &Value) -> String {
        self.sign(&json!({"alg": self.alg(), "kid": kid}), claims)
    }
}

fn message(header: &Value, claims: &Value) -> String {
    let encode = |part: &Value| BASE64.encode(part.to_string());
    format!("{}.{}", encode(header), encode(claims))
}

/// What attackers make of public keys: everything they publish as the secret of an HMAC.
fn hmac_with(secret: &[u8], header: &Value, claims: &Value) -> String {
    let message = message(header, claims);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let signature = BASE64.encode(hmac::sign(&key, message.as_bytes()));
    format!("{message}.{signature}")
}

/// The provider's side of the wire.
#[derive(Default)]
struct Elsewhere {
    documents: Mutex<HashMap<String, (bool, Value)>>,
    asked: Mutex<Vec<ExternalRequest>>,
    down: AtomicBool,
}

impl Fetch for Elsewhere {
    fn fetch(&self, request: ExternalRequest) -> Fetching<'_> {
        let address = request.address.to_string();
        self.asked.lock().unwrap().push(request);
        let found = self.documents.lock().unwrap().get(&address).cloned();
        let down = self.down.load(Ordering::SeqCst);
        Box::pin(async move {
            match found.filter(|_| !down) {
                Some((good, document)) => Ok(ExternalAnswer {
                    good,
                    document: document.to_string().into_bytes(),
                }),
                None => Err("does not answer".into()),
            }
        })
    }
}

impl Elsewhere {
    fn says(&self, address: &str, document: Value) {
        let mut documents = self.documents.lock().unwrap();
        documents.insert(address.into(), (true, document));
    }

    fn refuses(&self, address: &str, document: Value) {
        let mut documents = self.documents.lock().unwrap();
        documents.insert(address.into(), (false, document));
    }

    fn metadata(&self, issuer: &str, change: impl FnOnce(&mut Value)) {
        let mut document = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/auth?tenant=1"),
            "token_endpoint": format!("{issuer}/token"),
            "userinfo_endpoint": format!("{issuer}/me"),
            "introspection_endpoint": format!("{issuer}/introspect"),
            "jwks_uri": format!("{issuer}/keys"),
            "authorization_response_iss_parameter_supported": true,
        });
        change(&mut document);
        let address = format!("{issuer}/.well-known/openid-configuration");
        self.says(&address, document);
    }

    fn publishes(&self, issuer: &str, keys: &[Value]) {
        self.says(&format!("{issuer}/keys"), json!({"keys": keys}));
    }

    /// How often an address whose end is this was asked.
    fn times(&self, end: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked
            .iter()
            .filter(|one| one.address.path().ends_with(end))
            .count()
    }

    fn last(&self, end: &str) -> ExternalRequest {
        let asked = self.asked.lock().unwrap();
        let mut asked = asked.iter().rev();
        asked
            .find(|one| one.address.path().ends_with(end))
            .unwrap()
            .clone()
    }
}

/// A server whose people may sign in at one provider, or at two.
struct Scene {
    house: House,
    elsewhere: Arc<Elsewhere>,
    key: Key,
}

fn provider(name: &str, issuer: &str) -> ExternalProvider {
    ExternalProvider {
        name: name.into(),
        label: format!("{name} Inc.").into(),
        issuer: issuer.into(),
        client_id: "mailhost".into(),
        client_secret: Some(Secret::new("s3cret")),
        account_claim: "email".into(),
        scope: "openid email".into(),
        audience: AUDIENCE.into(),
        mail_scope: None,
        create: false,
        introspection: false,
    }
}

impl Scene {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with_slow_down() -> Self {
        let introspection = |all: &mut Vec<ExternalProvider>| all[0].introspection = true;
        Self::under(introspection, true).await
    }

    async fn with(change: impl FnOnce(&mut Vec<ExternalProvider>)) -> Self {
        Self::under(change, false).await
    }

    async fn under(change: impl FnOnce(&mut Vec<ExternalProvider>), slow_down: bool) -> Self {
        let elsewhere = Arc::new(Elsewhere::default());
        let mut providers = vec![provider("corp", ISSUER)];
        change(&mut providers);
        let external = External {
            providers,
            domains: vec!["example.test".into()],
            naming: Naming::Plain,
            fetch: elsewhere.clone(),
        };
        let settings = IdentityConfig {
            external: Some(external),
            slow_down,
            ..config()
        };
        let house = House::with(settings).await;
        let key = Key::ed();
        for issuer in [ISSUER, OTHER] {
            elsewhere.metadata(issuer, |_| {});
        }
        elsewhere.publishes(ISSUER, &[key.jwk("k1")]);
        elsewhere.publishes(OTHER, &[]);
        Self {
            house,
            elsewhere,
            key,
        }
    }

    async fn begin(&self) -> ExternalBegun {
        self.begin_for(Recency::Any).await
    }

    async fn begin_for(&self, recency: Recency) -> ExternalBegun {
        let identity = &self.house.identity;
        let begun = identity.begin_external("corp", None, recency, NOW);
        begun.await.unwrap()
    }

    /// What a well-behaved provider would say of Ada.
    fn id_claims(&self, begun: &ExternalBegun) -> Value {
        json!({
            "iss": ISSUER, "aud": "mailhost", "sub": "ada-1", "exp": SECONDS + 300, "iat": SECONDS,
            "nonce": super::query(&begun.address, "nonce").unwrap(),
            "email": "Ada@example.test", "email_verified": true,
        })
    }

    /// The provider will give this id token for any code.
    fn gives(&self, id_token: &str) {
        let tokens =
            json!({"access_token": "opaque", "token_type": "Bearer", "id_token": id_token});
        self.elsewhere.says(&format!("{ISSUER}/token"), tokens);
    }

    async fn back(
        &self,
        begun: &ExternalBegun,
        more: &[(&str, &str)],
        now: Millis,
    ) -> Result<FirstFactor, ExternalRefusal> {
        let state = super::query(&begun.address, "state").unwrap();
        let mut pairs = vec![("code", "c0de"), ("state", &*state), ("iss", ISSUER)];
        pairs.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        pairs.extend(more.iter().filter(|(_, value)| !value.is_empty()));
        let identity = &self.house.identity;
        let ticket = begun.ticket.expose();
        identity
            .finish_external("corp", ticket, &super::params(&pairs), Recency::Any, now)
            .await
    }

    /// A whole sign-in with an id token of these claims.
    async fn sign_in(
        &self,
        change: impl FnOnce(&mut Value),
    ) -> Result<FirstFactor, ExternalRefusal> {
        let begun = self.begin().await;
        let mut claims = self.id_claims(&begun);
        change(&mut claims);
        self.gives(&self.key.id_token("k1", &claims));
        self.back(&begun, &[], NOW).await
    }
}

/// Of an access token for Ada's mail.
fn access_claims() -> Value {
    json!({
        "iss": ISSUER, "aud": [AUDIENCE, "https://calendar.test"], "sub": "ada-1", "client_id": "mutt",
        "exp": SECONDS + 600, "iat": SECONDS, "jti": "1", "scope": "openid https://mail.google.com/",
        "email": ADA, "email_verified": true,
    })
}
