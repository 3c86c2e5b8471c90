//! Keys of this server: Ed25519 for access tokens, RSA for id tokens (relying parties expect RS256), and one HMAC key for
//! marks of our own. Made on first start, kept as rows of the issuer's account. One algorithm a key, never a token's choice.
//!
//! The rows are the truth. What was read of them is kept until the account's version moves, so a sign-in costs no read, and
//! another node's rotation is seen with the next token. When keys come and go is decided in `rotation`.

use crate::access::Claims;
use crate::rows::{self, KeyRow, Kind};
use crate::{IdentityError, Random, Result};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ED25519, Ed25519KeyPair, KeyPair, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use pillarbox_store::mail::{Account, AccountId, Millis, Rows, Store, Version};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::sync::watch;

/// The system account of the issuer's own rows.
pub(crate) const ISSUER_ACCOUNT: &str = "oauth/issuer";
/// Most key rows: a few of each kind, while they overlap.
const KEYS_MAX: usize = 100;
/// Most tokens remembered as genuine, some 700 octets each; beyond it all are checked anew.
const OPENED_MAX: usize = 10_000;

/// What a key is for; as its row says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Access tokens.
    Access,
    /// Id tokens.
    Id,
    /// Marks of our own.
    Mark,
}

impl Use {
    pub(crate) const ALL: [Self; 3] = [Self::Access, Self::Id, Self::Mark];
    /// Those that others check, and that are rotated.
    pub(crate) const SIGNING: [Self; 2] = [Self::Access, Self::Id];

    /// The algorithm, in the words of RFC 7518 and RFC 8037.
    pub(crate) fn algorithm(self) -> &'static str {
        match self {
            Self::Access => "EdDSA",
            Self::Id => "RS256",
            Self::Mark => "HS256",
        }
    }

    /// The use of a row.
    pub(crate) fn of(row: &KeyRow) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.algorithm() == row.alg)
    }
}

/// A key pair with its JOSE header as we write it: what we signed begins with exactly this.
pub(crate) struct Signer<K> {
    /// From when it signs.
    signs: Millis,
    pair: K,
    header: String,
    jwk: Value,
}

/// The signer at a moment: the newest whose time has come. Before every time (a clock set back) it is the oldest.
fn at<K>(signers: &[Signer<K>], now: Millis) -> Result<&Signer<K>> {
    let begun = signers.iter().rev().find(|signer| signer.signs <= now);
    begun
        .or(signers.first())
        .ok_or(IdentityError::Broken("signing key"))
}

/// The signing keys as of one version, oldest first.
pub(crate) struct Ring {
    version: Version,
    access: Vec<Signer<Ed25519KeyPair>>,
    /// Their public halves, in the same order, parsed once: every sign-in asks for one.
    access_public: Vec<ParsedPublicKey>,
    /// What access tokens said whose signature was right, by the token's hash. Programs come back with the same token for an
    /// hour, and checking and reading it anew is the dearest part of a sign-in behind the handshake. Gone with these keys, so
    /// a withdrawn key takes its tokens along.
    opened: Mutex<HashMap<[u8; 32], Arc<Claims>>>,
    id: Vec<Signer<RsaKeyPair>>,
    /// All rows, less their private parts.
    pub(crate) rows: Vec<(String, KeyRow)>,
}

impl Ring {
    fn read(version: Version, found: Vec<(String, KeyRow)>) -> Result<Self> {
        let (mut access, mut access_public, mut id) = (Vec::new(), Vec::new(), Vec::new());
        for (name, row) in &found {
            match Use::of(row) {
                Some(Use::Access) => {
                    let (signer, public) = ed25519(name, row)?;
                    access.push(signer);
                    access_public.push(public);
                }
                Some(Use::Id) => id.push(rsa_key(name, row)?),
                Some(Use::Mark) | None => {}
            }
        }
        let bare = |(name, row)| {
            let private = String::new();
            (name, KeyRow { private, ..row })
        };
        Ok(Self {
            version,
            access,
            access_public,
            opened: Mutex::default(),
            id,
            rows: found.into_iter().map(bare).collect(),
        })
    }

    /// Signs an access token's claims.
    pub(crate) fn sign_access(&self, claims: &[u8], now: Millis) -> Result<String> {
        let signer = at(&self.access, now)?;
        let message = format!("{}.{}", signer.header, BASE64.encode(claims));
        let signature = BASE64.encode(signer.pair.sign(message.as_bytes()));
        Ok(format!("{message}.{signature}"))
    }

    /// Checks with the key whose header this is, byte for byte. None: the header is not one that we write.
    pub(crate) fn verify_access(
        &self,
        header: &str,
        message: &str,
        signature: &[u8],
    ) -> Option<bool> {
        let mut keys = self.access.iter().zip(&self.access_public);
        let (_, public) = keys.find(|(key, _)| key.header == header)?;
        Some(public.verify_sig(message.as_bytes(), signature).is_ok())
    }

    /// What a token says that was checked with these keys before.
    pub(crate) fn opened(&self, token: &[u8; 32]) -> Option<Arc<Claims>> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.get(token).cloned()
    }

    /// Remembers what a genuine token says.
    pub(crate) fn remember(&self, token: [u8; 32], claims: &Arc<Claims>) {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.len() >= OPENED_MAX {
            opened.clear();
        }
        opened.insert(token, Arc::clone(claims));
    }

    /// Whether one of the keys of id tokens signed it, whose header this is, byte for byte.
    pub(crate) fn verify_id(&self, header: &str, message: &str, signature: &[u8]) -> bool {
        let key = self.id.iter().find(|key| key.header == header);
        key.is_some_and(|key| {
            let public = key.pair.public_key();
            let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public.as_ref());
            public.verify(message.as_bytes(), signature).is_ok()
        })
    }

    /// Signs an id token's claims.
    pub(crate) fn sign_id(&self, claims: &Value, now: Millis) -> Result<String> {
        let signer = at(&self.id, now)?;
        let message = format!("{}.{}", signer.header, BASE64.encode(claims.to_string()));
        let mut signature = vec![0; signer.pair.public_modulus_len()];
        signer
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

    /// The public keys, as JWKs: first those that sign now, since some programs look no further, then the others, announced
    /// or replaced.
    pub(crate) fn public(&self, now: Millis) -> Result<Vec<Value>> {
        let signing = [&at(&self.id, now)?.jwk, &at(&self.access, now)?.jwk];
        let all = self.id.iter().map(|key| &key.jwk);
        let all = all.chain(self.access.iter().map(|key| &key.jwk));
        let mut keys: Vec<Value> = Vec::new();
        for jwk in signing.into_iter().chain(all) {
            if !keys.contains(jwk) {
                keys.push(jwk.clone());
            }
        }
        Ok(keys)
    }
}

/// All keys.
pub(crate) struct Keys {
    account: Account,
    watch: watch::Receiver<Version>,
    ring: RwLock<Arc<Ring>>,
    mark: hmac::Key,
    /// Counts how often keys were withdrawn before their time.
    withdrawn: watch::Sender<u64>,
}

impl Keys {
    /// Reads the keys, or makes them. `life` is that of tokens, in milliseconds.
    pub(crate) async fn open(
        store: &Store,
        random: &Random,
        life: Millis,
        now: Millis,
    ) -> Result<Self> {
        let account = store.account(&AccountId(ISSUER_ACCOUNT.into()));
        let watch = account.watch();
        let found = load(&account).await?;
        let has = |wanted: Use| found.iter().any(|(_, row)| Use::of(row) == Some(wanted));
        let mut made = Vec::new();
        for missing in Use::ALL.into_iter().filter(|one| !has(*one)) {
            made.push(new_key(missing, random, life, now).await?);
        }
        if !made.is_empty() {
            add_missing(&account, made).await?;
        }
        let version = *watch.borrow();
        let found = load(&account).await?;
        // One that another start made at the same time is as good: the oldest is everybody's.
        let mark = found
            .iter()
            .find(|(_, row)| Use::of(row) == Some(Use::Mark))
            .ok_or(IdentityError::Broken("signing key"))?;
        let mark = hmac::Key::new(hmac::HMAC_SHA256, &private(&mark.1)?);
        let keys = Self {
            ring: RwLock::new(Arc::new(Ring::read(version, found)?)),
            account,
            watch,
            mark,
            withdrawn: watch::Sender::new(0),
        };
        keys.may_last(life).await?;
        Ok(keys)
    }

    /// The signing keys as they are now, read anew if they changed.
    pub(crate) async fn ring(&self) -> Result<Arc<Ring>> {
        // The version first: what changes while we read makes this stale, never wrong.
        let version = *self.watch.borrow();
        let kept = Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner));
        if kept.version == version {
            return Ok(kept);
        }
        let fresh = Arc::new(Ring::read(version, load(&self.account).await?)?);
        let before = std::mem::replace(
            &mut *self.ring.write().unwrap_or_else(PoisonError::into_inner),
            Arc::clone(&fresh),
        );
        let known = |id: &String| before.rows.iter().any(|(other, _)| other == id);
        if fresh.rows.iter().any(|(id, row)| row.at_once && !known(id)) {
            self.withdrawn.send_modify(|times| *times += 1);
        }
        Ok(fresh)
    }

    /// Changes whenever keys were withdrawn before their time, by whichever node.
    pub(crate) fn withdrawn(&self) -> watch::Receiver<u64> {
        self.withdrawn.subscribe()
    }

    /// Notes that the keys sign what may last so long, in milliseconds, so that none goes before it ends.
    pub(crate) async fn may_last(&self, life: Millis) -> Result<()> {
        let short = move |row: &KeyRow| Use::of(row) != Some(Use::Mark) && row.life < life;
        if !self.ring().await?.rows.iter().any(|(_, row)| short(row)) {
            return Ok(());
        }
        let note = move |rows: &mut Rows| {
            for (key, value) in rows.scan(&Kind::Key.all()) {
                let mut row: KeyRow = rows::decode(&value)?;
                if short(&row) {
                    row.life = life;
                    rows::write(rows, &key, &row)?;
                }
            }
            Ok::<_, IdentityError>(())
        };
        self.account.update(&[&Kind::Key.all()], note).await
    }

    /// Where the rows are.
    pub(crate) fn account(&self) -> &Account {
        &self.account
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
}

/// The keys in the order in which they sign.
pub(crate) fn in_order(keys: &mut [(String, KeyRow)]) {
    keys.sort_by(|(a, left), (b, right)| (left.signs(), a).cmp(&(right.signs(), b)));
}

async fn load(account: &Account) -> Result<Vec<(String, KeyRow)>> {
    let rows = account.scan(&Kind::Key.all(), KEYS_MAX).await?;
    let mut keys = rows
        .iter()
        .map(|(key, value)| Ok((rows::id_of(key), rows::decode::<KeyRow>(value)?)))
        .collect::<Result<Vec<_>>>()?;
    in_order(&mut keys);
    Ok(keys)
}

/// A new key, which signs from now on unless its row is given another time.
pub(crate) async fn new_key(
    wanted: Use,
    random: &Random,
    life: Millis,
    now: Millis,
) -> Result<(String, KeyRow)> {
    let private = match wanted {
        Use::Access | Use::Mark => {
            let mut bytes = [0; 32];
            random(&mut bytes);
            bytes.to_vec()
        }
        Use::Id => new_rsa().await?,
    };
    let row = KeyRow {
        alg: wanted.algorithm().into(),
        private: BASE64.encode(private),
        created: now,
        signs: None,
        life,
        at_once: false,
    };
    Ok((crate::opaque::random_text(random, 6), row))
}

async fn new_rsa() -> Result<Vec<u8>> {
    let made = tokio::task::spawn_blocking(|| {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).ok()?;
        let der: Pkcs8V1Der<'_> = pair.as_der().ok()?;
        Some(der.as_ref().to_vec())
    });
    let made = made.await.ok().flatten();
    made.ok_or(IdentityError::Broken("random source"))
}

async fn add_missing(account: &Account, made: Vec<(String, KeyRow)>) -> Result<()> {
    let prefix = Kind::Key.all();
    account
        .update(&[&prefix.clone()], move |rows| {
            // A start that was interrupted, or another node, may have made some.
            let present = rows.scan(&prefix);
            let present = present
                .iter()
                .map(|(_, value)| Ok(rows::decode::<KeyRow>(value)?.alg))
                .collect::<Result<Vec<_>>>()?;
            for (id, row) in made.iter().filter(|(_, row)| !present.contains(&row.alg)) {
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

fn ed25519(id: &str, row: &KeyRow) -> Result<(Signer<Ed25519KeyPair>, ParsedPublicKey)> {
    let broken = |_| IdentityError::Broken("signing key");
    let pair = Ed25519KeyPair::from_seed_unchecked(&private(row)?).map_err(broken)?;
    let public = ParsedPublicKey::new(&ED25519, pair.public_key().as_ref()).map_err(broken)?;
    let x = BASE64.encode(pair.public_key().as_ref());
    let signer = Signer {
        signs: row.signs(),
        header: header(&json!({"typ": "at+jwt", "alg": "EdDSA", "kid": id})),
        jwk: json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": id, "x": x}),
        pair,
    };
    Ok((signer, public))
}

fn rsa_key(id: &str, row: &KeyRow) -> Result<Signer<RsaKeyPair>> {
    let pair =
        RsaKeyPair::from_pkcs8(&private(row)?).map_err(|_| IdentityError::Broken("signing key"))?;
    let public = pair.public_key();
    let n = BASE64.encode(public.modulus().big_endian_without_leading_zero());
    let e = BASE64.encode(public.exponent().big_endian_without_leading_zero());
    Ok(Signer {
        signs: row.signs(),
        header: header(&json!({"typ": "JWT", "alg": "RS256", "kid": id})),
        jwk: json!({"kty": "RSA", "alg": "RS256", "use": "sig", "kid": id, "n": n, "e": e}),
        pair,
    })
}

fn header(members: &Value) -> String {
    BASE64.encode(members.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed unwrap is a failed test
    use super::*;
    use crate::access;

    fn claims(number: usize) -> Claims {
        let text = |name: &str| format!("{name}{number}");
        Claims {
            iss: "https://mail.example.org".into(),
            aud: "mail.example.org".into(),
            sub: text("account"),
            client_id: text("client"),
            iat: 0,
            exp: 3600,
            nbf: None,
            jti: text("token"),
            gid: text("grant"),
            scope: "https://mail.google.com/".into(),
            cnf: None,
        }
    }

    #[tokio::test]
    async fn a_token_that_was_genuine_is_remembered_and_no_other() {
        let random: Random = Arc::new(|out: &mut [u8]| out.fill(7));
        let key = new_key(Use::Access, &random, 1, 0).await.unwrap();
        let ring = Ring::read(Version::default(), vec![key]).unwrap();
        let open =
            |token: &str, aud: &str| access::open(&ring, token, "https://mail.example.org", aud);
        let remembered = || ring.opened.lock().unwrap().len();
        let token = access::sign(&ring, &claims(1), 0).unwrap();
        for _ in 0..2 {
            assert_eq!(*open(&token, "mail.example.org").unwrap(), claims(1));
            assert_eq!(remembered(), 1);
        }
        // What is remembered is what it says, not that it is good here.
        assert!(open(&token, "elsewhere.example").is_err());
        let (message, signature) = token.rsplit_once('.').unwrap();
        let other = access::sign(&ring, &claims(2), 0).unwrap();
        let (others, _) = other.rsplit_once('.').unwrap();
        for forged in [
            format!("{message}A.{signature}"),
            format!("{others}.{signature}"),
            message.to_owned(),
        ] {
            for _ in 0..2 {
                assert!(open(&forged, "mail.example.org").is_err(), "{forged}");
            }
        }
        assert_eq!(remembered(), 1);
        for number in 0..OPENED_MAX as u64 {
            let mut name = [0; 32];
            name[..8].copy_from_slice(&number.to_le_bytes());
            ring.remember(name, &Arc::new(claims(1)));
        }
        open(&other, "mail.example.org").unwrap();
        assert!(remembered() <= OPENED_MAX, "bounded");
    }
}
