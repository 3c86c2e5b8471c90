//! Keys of this server: Ed25519 for access tokens, RSA for id tokens (relying parties expect RS256), and one HMAC key for
//! marks of our own. Made on first start, kept as rows of the issuer's account. One algorithm a key, never a token's choice.

use crate::rows::{self, KeyRow, Kind};
use crate::{IdentityError, Random, Result};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ED25519, Ed25519KeyPair, KeyPair, ParsedPublicKey, RSA_PKCS1_SHA256, RsaKeyPair,
};
use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use pillarbox_store::mail::{Account, AccountId, Millis, Store};
use serde_json::{Value, json};

/// The system account of the issuer's own rows.
pub(crate) const ISSUER_ACCOUNT: &str = "oauth/issuer";

/// A key pair with its JOSE header as we write it: what we signed begins with exactly this.
pub(crate) struct Signer<K> {
    pub(crate) pair: K,
    pub(crate) header: String,
    jwk: Value,
}

/// All keys.
pub(crate) struct Keys {
    /// Signs access tokens.
    pub(crate) access: Signer<Ed25519KeyPair>,
    /// Checks them.
    pub(crate) access_public: ParsedPublicKey,
    id: Signer<RsaKeyPair>,
    mark: hmac::Key,
}

impl Keys {
    /// Reads the keys, or makes them.
    pub(crate) async fn open(store: &Store, random: &Random, now: Millis) -> Result<Self> {
        let account = store.account(&AccountId(ISSUER_ACCOUNT.into()));
        let mut found = load(&account).await?;
        if found.len() < 3 {
            make(&account, random, now).await?;
            found = load(&account).await?;
        }
        let key = |alg: &str| {
            let mut of_alg = found.iter().filter(|(_, row)| row.alg == alg);
            of_alg
                .next_back()
                .ok_or(IdentityError::Broken("signing key"))
        };
        let (ed, rsa, mark) = (key("EdDSA")?, key("RS256")?, key("HS256")?);
        let access = ed25519(&ed.0, &private(&ed.1)?)?;
        let access_public = ParsedPublicKey::new(&ED25519, access.pair.public_key().as_ref())
            .map_err(|_| IdentityError::Broken("signing key"))?;
        Ok(Self {
            access,
            access_public,
            id: rsa_key(&rsa.0, &private(&rsa.1)?)?,
            mark: hmac::Key::new(hmac::HMAC_SHA256, &private(&mark.1)?),
        })
    }

    /// Our own mark on a text, for one purpose.
    pub(crate) fn mark(&self, purpose: &str, text: &str) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.mark);
        context.update(purpose.as_bytes());
        context.update(&[0]);
        context.update(text.as_bytes());
        let mut out = [0; 32];
        out.copy_from_slice(context.sign().as_ref());
        out
    }

    /// Signs an id token's claims.
    pub(crate) fn sign_id(&self, claims: &Value) -> Result<String> {
        let message = format!("{}.{}", self.id.header, BASE64.encode(claims.to_string()));
        let mut signature = vec![0; self.id.pair.public_modulus_len()];
        self.id
            .pair
            .sign(
                &RSA_PKCS1_SHA256,
                &rand::SystemRandom::new(),
                message.as_bytes(),
                &mut signature,
            )
            .map_err(|_| IdentityError::Broken("signing key"))?;
        Ok(format!("{message}.{}", BASE64.encode(signature)))
    }

    /// The public keys, as JWKs.
    pub(crate) fn public(&self) -> Vec<Value> {
        vec![self.id.jwk.clone(), self.access.jwk.clone()]
    }
}

async fn load(account: &Account) -> Result<Vec<(String, KeyRow)>> {
    let rows = account.scan(&Kind::Key.all(), 100).await?;
    let mut keys = rows
        .iter()
        .map(|(key, value)| Ok((rows::id_of(key), rows::decode::<KeyRow>(value)?)))
        .collect::<Result<Vec<_>>>()?;
    keys.sort_by_key(|(_, row)| row.created);
    Ok(keys)
}

async fn make(account: &Account, random: &Random, now: Millis) -> Result<()> {
    let rsa = tokio::task::spawn_blocking(|| {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).ok()?;
        let der: Pkcs8V1Der<'_> = pair.as_der().ok()?;
        Some(der.as_ref().to_vec())
    });
    let rsa = rsa
        .await
        .ok()
        .flatten()
        .ok_or(IdentityError::Broken("random source"))?;
    let (mut seed, mut mark) = ([0; 32], [0; 32]);
    random(&mut seed);
    random(&mut mark);
    let keys = [
        ("EdDSA", seed.to_vec()),
        ("RS256", rsa),
        ("HS256", mark.to_vec()),
    ];
    let keys = keys.map(|(alg, private)| {
        let id = crate::opaque::random_text(random, 6);
        (
            id,
            KeyRow {
                alg: alg.into(),
                private: BASE64.encode(private),
                created: now,
            },
        )
    });
    let prefix = Kind::Key.all();
    account
        .update(&[&prefix.clone()], move |rows| {
            // A start that was interrupted, or another node, may have made some.
            let present = rows.scan(&prefix);
            let present = present
                .iter()
                .map(|(_, value)| Ok(rows::decode::<KeyRow>(value)?.alg))
                .collect::<Result<Vec<_>>>()?;
            for (id, row) in keys.iter().filter(|(_, row)| !present.contains(&row.alg)) {
                rows::write(rows, &Kind::Key.key(id), row)?;
            }
            Ok::<_, IdentityError>(())
        })
        .await
}

fn private(row: &KeyRow) -> Result<Vec<u8>> {
    BASE64
        .decode(&row.private)
        .map_err(|_| IdentityError::Broken("signing key"))
}

fn ed25519(id: &str, seed: &[u8]) -> Result<Signer<Ed25519KeyPair>> {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed)
        .map_err(|_| IdentityError::Broken("signing key"))?;
    let x = BASE64.encode(pair.public_key().as_ref());
    Ok(Signer {
        header: header(&json!({"typ": "at+jwt", "alg": "EdDSA", "kid": id})),
        jwk: json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": id, "x": x}),
        pair,
    })
}

fn rsa_key(id: &str, pkcs8: &[u8]) -> Result<Signer<RsaKeyPair>> {
    let pair = RsaKeyPair::from_pkcs8(pkcs8).map_err(|_| IdentityError::Broken("signing key"))?;
    let public = pair.public_key();
    let n = BASE64.encode(public.modulus().big_endian_without_leading_zero());
    let e = BASE64.encode(public.exponent().big_endian_without_leading_zero());
    Ok(Signer {
        header: header(&json!({"typ": "JWT", "alg": "RS256", "kid": id})),
        jwk: json!({"kty": "RSA", "alg": "RS256", "use": "sig", "kid": id, "n": n, "e": e}),
        pair,
    })
}

fn header(members: &Value) -> String {
    BASE64.encode(members.to_string())
}
