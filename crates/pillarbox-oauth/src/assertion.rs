//! Service accounts (RFC 7521, RFC 7523 §2.1 and §3; wire §7.5): a program signs with its own key that it acts for a mailbox,
//! and gets an access token for it, as far as the administrator has delegated that, per client and scope.
//!
//! Deliberately absent: refresh tokens (the program can sign again), keys fetched from an address (`jwks_uri`: a server that
//! can be told where to call is a tool of others), and HMAC, which would make every checker a signer.

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;

use crate::authorize::Params;
use crate::client::{Client, ClientKind, Status};
use crate::grants::{add_grant, after};
use crate::rows::{self, GrantRow, Kind};
use crate::seen::NotGood;
use crate::server::{ErrorCode, TokenError, TokenResponse};
use crate::token::{Issue, required};
use crate::{Act, Deed, Identity, IdentityError, Result as Done, Scope, Scopes};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, KeyPair, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RsaKeyPair, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64};
use pillarbox_store::mail::{AccountId, Millis, Rows};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// Longest assertion looked at, in bytes.
const ASSERTION_BYTES_MAX: usize = 8 * 1024;
/// Longest life of an assertion, in seconds (wire §7.5).
const LIFE_S_MAX: i64 = 3600;
/// How much the signer's clock may differ from ours, in seconds.
const SKEW_S: i64 = 60;
/// Longest `jti`, in bytes.
const JTI_BYTES_MAX: usize = 256;
/// Most keys of one client: some of them overlap while they are rotated.
const KEYS_MAX: usize = 10;
/// Longest text with keys, in bytes.
const KEYS_BYTES_MAX: usize = 64 * 1024;

/// What Google's libraries write as audience, whatever `token_uri` their key file names.
const GOOGLE_AUDIENCE: &str = "https://oauth2.googleapis.com/token";

/// How a key signs. A property of the key, never of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyAlgorithm {
    /// RSA with SHA-256, 2048 to 8192 bits.
    RS256,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// Ed25519.
    EdDSA,
}

impl KeyAlgorithm {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::ES256 => "ES256",
            Self::EdDSA => "EdDSA",
        }
    }

    /// Whether `alg` names it; Ed25519 has two names since RFC 9864 §2.2.
    pub(crate) fn is_named(self, alg: &str) -> bool {
        self.name() == alg || (self == Self::EdDSA && alg == "Ed25519")
    }

    fn verifier(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::RS256 => &RSA_PKCS1_2048_8192_SHA256,
            Self::ES256 => &ECDSA_P256_SHA256_FIXED,
            Self::EdDSA => &ED25519,
        }
    }
}

/// A public key that a client registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyKey {
    /// Its name, if it has one.
    pub kid: Option<String>,
    /// How it signs.
    pub algorithm: KeyAlgorithm,
    /// In base64: SubjectPublicKeyInfo, or the key as the algorithm writes it.
    key: String,
    /// Whether this server made it: then nobody else has heard of it, and what it signed was signed for us.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    made_here: bool,
    /// When it ends, if others have taken over, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Millis>,
}

impl VerifyKey {
    /// Reads public keys: PEM blocks, one JWK, or a JWKS. Private parts are refused: nobody should have sent them.
    ///
    /// # Errors
    /// [`IdentityError::BadClient`] with the reason.
    pub fn read_all(text: &str) -> Done<Vec<Self>> {
        if text.len() > KEYS_BYTES_MAX {
            return Err(bad("more than 64 kB of keys"));
        }
        let keys = match serde_json::from_str::<Value>(text) {
            Ok(json) => match json.get("keys").and_then(Value::as_array) {
                Some(keys) => keys.iter().map(read_jwk).collect::<Done<Vec<_>>>()?,
                None => vec![read_jwk(&json)?],
            },
            Err(_) => read_pem(text)?,
        };
        if keys.is_empty() || keys.len() > KEYS_MAX {
            return Err(bad(
                "between one and ten public keys are needed, as PEM or JWKS",
            ));
        }
        Ok(keys)
    }

    /// Makes an RSA key: the public half, and the private one as PKCS#8 in PEM, which is kept nowhere.
    ///
    /// # Errors
    /// [`IdentityError::Broken`] random source.
    pub async fn generate(kid: String) -> Done<(Self, crate::Secret)> {
        let made = tokio::task::spawn_blocking(|| {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).ok()?;
            let der: Pkcs8V1Der<'_> = pair.as_der().ok()?;
            Some((der.as_ref().to_vec(), pair.public_key().as_ref().to_vec()))
        });
        let made = made.await.ok().flatten();
        let (private, public) = made.ok_or(IdentityError::Broken("random source"))?;
        let mut key = Self::new(Some(kid), KeyAlgorithm::RS256, &public)?;
        key.made_here = true;
        let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
        let text = STANDARD.encode(private);
        for line in text.as_bytes().chunks(64) {
            pem.push_str(&String::from_utf8_lossy(line));
            pem.push('\n');
        }
        pem.push_str("-----END PRIVATE KEY-----\n");
        Ok((key, crate::Secret::new(pem)))
    }

    /// Reads one JWK (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2); see [`VerifyKey::read_all`].
    pub(crate) fn read_jwk(jwk: &Value) -> Done<Self> {
        read_jwk(jwk)
    }

    fn new(kid: Option<String>, algorithm: KeyAlgorithm, bytes: &[u8]) -> Done<Self> {
        ParsedPublicKey::new(algorithm.verifier(), bytes)
            .map_err(|_| bad(format!("a {} key that cannot be used", algorithm.name())))?;
        let key = STANDARD.encode(bytes);
        Ok(Self {
            kid,
            algorithm,
            key,
            made_here: false,
            until: None,
        })
    }

    /// Whether it is the same key, whatever it is called.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.algorithm, &self.key) == (other.algorithm, &other.key)
    }

    /// Whether it may sign at `now`.
    pub fn is_good(&self, now: Millis) -> bool {
        self.until.is_none_or(|until| until > now)
    }

    /// Whether the signature is this key's.
    pub(crate) fn fits(&self, message: &str, signature: &[u8]) -> bool {
        let bytes = STANDARD.decode(&self.key).unwrap_or_default();
        let key = ParsedPublicKey::new(self.algorithm.verifier(), bytes);
        key.is_ok_and(|key| key.verify_sig(message.as_bytes(), signature).is_ok())
    }
}

fn bad(text: impl Into<String>) -> IdentityError {
    IdentityError::BadClient(text.into())
}

fn read_pem(text: &str) -> Done<Vec<VerifyKey>> {
    const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
    if text.contains("PRIVATE KEY-----") {
        return Err(bad(
            "this is a private key: keep it, and register its public half",
        ));
    }
    let mut keys = Vec::new();
    for block in text.split(BEGIN).skip(1) {
        let (body, _) = block
            .split_once("-----END PUBLIC KEY-----")
            .ok_or_else(|| bad("a PEM block without its end"))?;
        let body: String = body.split_whitespace().collect();
        let der = STANDARD
            .decode(body)
            .map_err(|_| bad("PEM that is not base64"))?;
        let has = |oid: &[u8]| der.windows(oid.len()).take(32).any(|window| window == oid);
        let algorithm = if has(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01]) {
            KeyAlgorithm::RS256
        } else if has(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]) {
            KeyAlgorithm::ES256
        } else if has(&[0x2b, 0x65, 0x70]) {
            KeyAlgorithm::EdDSA
        } else {
            return Err(bad("keys are RSA, P-256 or Ed25519"));
        };
        keys.push(VerifyKey::new(None, algorithm, &der)?);
    }
    Ok(keys)
}

/// RFC 7517 §4, RFC 7518 §6, RFC 8037 §2.
pub(crate) fn read_jwk(jwk: &Value) -> Done<VerifyKey> {
    if ["d", "p", "q", "k"]
        .iter()
        .any(|name| jwk.get(name).is_some())
    {
        return Err(bad(
            "this is a private key: keep it, and register its public half",
        ));
    }
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let bytes = |name: &str| {
        let bytes = BASE64.decode(text(name).unwrap_or_default());
        bytes.map_err(|_| bad(format!("JWK member {name} is not base64url")))
    };
    // In full and nothing around it, or one key would have several thumbprints.
    let octets32 = |name: &str| match bytes(name)? {
        octets if octets.len() == 32 => Ok(octets),
        _ => Err(bad(format!("JWK member {name} does not have 32 octets"))),
    };
    let (algorithm, key) = match (text("kty"), text("crv")) {
        (Some("RSA"), _) => (KeyAlgorithm::RS256, rsa_der(&bytes("n")?, &bytes("e")?)),
        (Some("EC"), Some("P-256")) => {
            let point = [&[4], &*octets32("x")?, &*octets32("y")?].concat();
            (KeyAlgorithm::ES256, point)
        }
        (Some("OKP"), Some("Ed25519")) => (KeyAlgorithm::EdDSA, octets32("x")?),
        _ => return Err(bad("keys are RSA, P-256 or Ed25519")),
    };
    if text("alg").is_some_and(|alg| !algorithm.is_named(alg)) {
        return Err(bad("keys sign with RS256, ES256 or EdDSA"));
    }
    VerifyKey::new(text("kid").map(str::to_owned), algorithm, &key)
}

/// `RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }` (RFC 8017 appendix A.1.1).
pub(crate) fn rsa_der(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    fn element(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = body.len().to_be_bytes();
        let digits = length.iter().skip_while(|byte| **byte == 0).copied();
        let mut der = vec![tag];
        match body.len() {
            short @ 0..128 => der.push(short as u8),
            _ => {
                let digits: Vec<u8> = digits.collect();
                der.push(0x80 | digits.len() as u8);
                der.extend(digits);
            }
        }
        der.extend_from_slice(body);
        der
    }
    let number = |bytes: &[u8]| {
        let first = bytes
            .iter()
            .position(|byte| *byte != 0)
            .unwrap_or(bytes.len());
        let bytes = &bytes[first..];
        let sign: &[u8] = if bytes.first().is_none_or(|byte| *byte >= 0x80) {
            &[0]
        } else {
            &[]
        };
        element(2, &[sign, bytes].concat())
    };
    element(0x30, &[number(modulus), number(exponent)].concat())
}

/// Reads any member as true: that it is there counts, even if it is `null`.
pub(crate) fn is_there<'de, D: Deserializer<'de>>(member: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(member).map(|_| true)
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    /// Extensions that must be understood: we know none (RFC 7515 §4.1.11).
    #[serde(default, deserialize_with = "is_there")]
    crit: bool,
}

/// Times are Unix seconds.
#[derive(Deserialize)]
pub(crate) struct Claims {
    pub iss: String,
    pub sub: Option<String>,
    pub aud: Value,
    exp: f64,
    iat: Option<f64>,
    nbf: Option<f64>,
    pub jti: Option<String>,
    scope: Option<String>,
}

impl Claims {
    /// RFC 7523 §3: `exp`, `nbf`, `iat`. Until when its `jti` must be remembered, in Unix seconds.
    pub(crate) fn check_time(&self, now: Millis) -> Result<i64, &'static str> {
        // Seconds with a fraction are legal (RFC 7519 §2); casts of what is no time at all saturate.
        let (now, ends) = (now.div_euclid(1000), self.exp as i64);
        let from = self.iat.map_or(now, |iat| iat as i64);
        if ends <= now - SKEW_S {
            return Err("The assertion has expired.");
        }
        let begins = self.nbf.map_or(from, |nbf| from.max(nbf as i64));
        if begins > now + SKEW_S {
            return Err("The assertion is not valid yet.");
        }
        if ends.saturating_sub(from) > LIFE_S_MAX || ends > now + LIFE_S_MAX + SKEW_S {
            return Err("An assertion lives an hour at most.");
        }
        Ok(ends.saturating_add(SKEW_S))
    }
}

/// A signed JWT, taken apart. Nothing in it is believed before [`Assertion::signer`] has found whose it is.
pub(crate) struct Assertion<'a> {
    header: Header,
    pub(crate) claims: Claims,
    message: &'a str,
    signature: Vec<u8>,
}

impl<'a> Assertion<'a> {
    pub(crate) fn read(text: &'a str) -> Result<Self, &'static str> {
        if text.len() > ASSERTION_BYTES_MAX {
            return Err("The assertion is too long.");
        }
        let malformed = "The assertion is not a signed JWT with iss, aud and exp.";
        let (message, signature) = text.rsplit_once('.').ok_or(malformed)?;
        let (header, claims) = message.split_once('.').ok_or(malformed)?;
        let decode = |part: &str| BASE64.decode(part).map_err(|_| malformed);
        Ok(Self {
            header: serde_json::from_slice(&decode(header)?).map_err(|_| malformed)?,
            claims: serde_json::from_slice(&decode(claims)?).map_err(|_| malformed)?,
            message,
            signature: decode(signature)?,
        })
    }

    /// The key of this client that signed it: the client is known before, so that no other's keys are tried.
    pub(crate) fn signer<'c>(&self, client: &'c Client, now: Millis) -> Option<&'c VerifyKey> {
        let named = |key: &&VerifyKey| match (&self.header.kid, &key.kid) {
            (Some(asked), Some(kid)) => asked == kid,
            _ => true,
        };
        let fitting = |key: &&VerifyKey| key.algorithm.is_named(&self.header.alg);
        let good = |key: &&VerifyKey| key.is_good(now);
        let keys = client.keys.iter().filter(named).filter(fitting);
        let mut keys = keys.filter(good);
        keys.find(|key| !self.header.crit && key.fits(self.message, &self.signature))
    }
}

/// How a service account comes to what it may do, in people's trails.
const DELEGATION: &str = "delegation";

type Result<T, E = TokenError> = std::result::Result<T, E>;

fn invalid(text: impl AsRef<str>) -> TokenError {
    TokenError::new(ErrorCode::InvalidGrant, text)
}

/// What is good, but not now.
pub(crate) fn unavailable(text: &str) -> TokenError {
    TokenError::new(ErrorCode::TemporarilyUnavailable, text)
}

impl Identity {
    /// The token endpoint's side (RFC 7523 §2.1).
    pub(crate) async fn redeem_assertion(
        &self,
        params: &Params<'_>,
        now: Millis,
    ) -> Result<TokenResponse> {
        let (client, claims) = self.open_assertion(required(params, "assertion")?, now)?;
        let answer = self.redeem_read(&client, claims, params, now).await;
        answer.map_err(|error| error.of_client(Some(&client.id)))
    }

    async fn redeem_read(
        &self,
        client: &Client,
        claims: Claims,
        params: &Params<'_>,
        now: Millis,
    ) -> Result<TokenResponse> {
        if params.get("client_id").is_some_and(|id| id != &*client.id) {
            return Err(invalid("The assertion is another client's."));
        }
        let asked = claims.scope.as_deref().or(params.get("scope"));
        let scopes = crate::token::read_any_scopes(asked.unwrap_or_default())?;
        if !client.delegated.covers(scopes) || scopes.has(Scope::Admin) {
            let text = "The administrator has not delegated these scopes to this client.";
            return Err(TokenError::new(ErrorCode::UnauthorizedClient, text));
        }
        let whose = claims.sub.as_deref();
        let whose = whose.ok_or_else(|| invalid("sub is missing: whose mailbox?"))?;
        let account = self.inner.store.account_of(whose).await?;
        let account = account.ok_or_else(|| invalid("There is no such mailbox."))?;
        self.may_be_given(&account).await?;
        let grant = self.service_grant(client, &account, scopes, now).await?;
        let issue = Issue {
            account: &account,
            client,
            grant: &grant,
            scopes,
            nonce: None,
            auth_time: None,
            refresh: None,
        };
        self.issue(issue, now).await
    }

    /// Checks an assertion and reads it.
    fn open_assertion(&self, text: &str, now: Millis) -> Result<(Arc<Client>, Claims)> {
        let assertion = Assertion::read(text).map_err(invalid)?;
        let named = assertion.claims.iss.clone();
        let opened = self.open_read(assertion, now);
        opened.map_err(|error| error.of_client(Some(&named)))
    }

    fn open_read(&self, assertion: Assertion<'_>, now: Millis) -> Result<(Arc<Client>, Claims)> {
        let client = self.client(&assertion.claims.iss);
        let client = client.filter(|client| client.kind == ClientKind::Service);
        let client = client.ok_or_else(|| invalid("iss is not a service account."))?;
        if client.status != Status::Active {
            let text = "The administrator has not approved this client yet.";
            return Err(TokenError::new(ErrorCode::UnauthorizedClient, text));
        }
        let signer = assertion
            .signer(&client, now)
            .ok_or_else(|| invalid("The signature is not by a key of this service account."))?;
        self.check_claims(&client, signer, &assertion.claims, now)?;
        Ok((client, assertion.claims))
    }

    /// RFC 7523 §3. The audience must be us, for an assertion to another server would be good here otherwise; by a key that
    /// only we know, Google's fixed name may stand for us.
    fn check_claims(
        &self,
        client: &Client,
        signer: &VerifyKey,
        claims: &Claims,
        now: Millis,
    ) -> Result<()> {
        let issuer = &self.inner.config.issuer;
        let ours = [
            format!("{issuer}/token"),
            format!("{issuer}/o/oauth2/token"),
            issuer.clone(),
        ];
        let is_ours = |aud: &Value| {
            ours.iter().any(|own| aud == own.as_str())
                || (signer.made_here && aud == GOOGLE_AUDIENCE)
        };
        let for_us = match &claims.aud {
            Value::Array(all) => all.iter().any(is_ours),
            one => is_ours(one),
        };
        if !for_us {
            return Err(invalid(format!("aud must be {}", ours[0])));
        }
        let kept = claims.check_time(now).map_err(invalid)?;
        match &claims.jti {
            None => Ok(()),
            Some(jti) => self.first_time(client, jti, kept, (now, ErrorCode::InvalidGrant)),
        }
    }

    /// Refuses a `jti` that was used before, with the code of the grant or of the client's proof. Asked when the signature was
    /// right: only who holds a registered key fills the memory, and of it their client's share.
    pub(crate) fn first_time(
        &self,
        client: &Client,
        jti: &str,
        kept: i64,
        (now, refused): (Millis, ErrorCode),
    ) -> Result<()> {
        if jti.len() > JTI_BYTES_MAX {
            return Err(TokenError::new(refused, "jti is too long."));
        }
        let seen = match client.is_vetted() {
            true => &self.inner.seen,
            false => &self.inner.seen_of_strangers,
        };
        let first = seen.first(&client.id, (&client.id, jti), kept, now.div_euclid(1000));
        first.map_err(|why| match why {
            NotGood::Used => TokenError::new(refused, "The assertion was used before."),
            NotGood::ShareIsFull => unavailable(
                "This program has used as many assertions as are remembered of one. Wait until the first of them end.",
            ),
            NotGood::Full => {
                unavailable("More assertions were used than can be remembered. Try again later.")
            }
        })
    }

    /// The grant behind a service account's tokens: one per person and scope, so that its owner sees it and can end it;
    /// the next token then has another.
    async fn service_grant(
        &self,
        client: &Client,
        account: &AccountId,
        scopes: Scopes,
        now: Millis,
    ) -> Result<String> {
        let fresh = self.new_grant_id();
        let row = GrantRow {
            client: client.id.to_string(),
            scope: scopes.to_string(),
            created: now,
            used: now,
            ends: after(now, self.inner.config.token_lifetime),
            refresh: None,
            rotated: None,
            refresh_ends: None,
            key: None,
            revoked: None,
        };
        let find = move |rows: &mut Rows| {
            for (key, value) in rows.scan(&Kind::Grant.all()) {
                let mut found: GrantRow = rows::decode(&value)?;
                let same = found.client == row.client && found.scope == row.scope;
                if same && found.revoked.is_none() && found.refresh.is_none() {
                    (found.used, found.ends) = (now, found.ends.max(row.ends));
                    rows::write(rows, &key, &found)?;
                    return Ok((rows::id_of(&key), None));
                }
            }
            let evicted = add_grant(rows, &fresh, &row, now)?;
            Ok::<_, IdentityError>((fresh.clone(), Some(evicted)))
        };
        let grants = Kind::Grant.all();
        let rows = self.inner.store.account(account);
        let (grant, made) = rows.update(&[&grants], find).await?;
        if let Some(evicted) = made {
            self.announce_evicted(account, &client.id, evicted, now);
            // The administrator allowed it for everybody; its first use is when it concerns this person.
            let act = Act {
                method: Some(DELEGATION.into()),
                ..Act::new(Deed::Granted, now).app(Arc::clone(&client.name))
            };
            self.record(account, act.detail(scopes.to_string()));
        }
        Ok(grant)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed unwrap is a failed test
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_spelled_in_full() {
        // RFC 7518 §6.2.1.2: a coordinate has all its octets; RFC 8037 §2: the key and nothing around it.
        let x = BASE64
            .decode("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU")
            .unwrap();
        let y = BASE64
            .decode("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")
            .unwrap();
        let point = [x, y].concat();
        for at in 0..=64 {
            let (x, y) = point.split_at(at);
            let jwk =
                json!({"kty": "EC", "crv": "P-256", "x": BASE64.encode(x), "y": BASE64.encode(y)});
            assert_eq!(read_jwk(&jwk).is_ok(), at == 32, "{at}");
        }
        let x = BASE64
            .decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
            .unwrap();
        let wrapped = [
            &[0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0],
            &*x,
        ]
        .concat();
        for (x, good) in [(&x, true), (&wrapped, false)] {
            let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": BASE64.encode(x)});
            assert_eq!(read_jwk(&jwk).is_ok(), good, "{jwk}");
        }
    }

    #[test]
    fn private_keys_are_refused() {
        for text in [
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne"}"#,
            r#"{"kty":"oct","k":"AAAA"}"#,
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
            "nothing",
            "{}",
            r#"{"keys":[]}"#,
        ] {
            assert!(VerifyKey::read_all(text).is_err(), "{text}");
        }
        // RFC 8037 appendix A.2.
        let good = r#"{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let keys = VerifyKey::read_all(good).unwrap();
        assert_eq!(
            (keys[0].algorithm, keys[0].kid.as_deref()),
            (KeyAlgorithm::EdDSA, Some("k"))
        );
    }
}
