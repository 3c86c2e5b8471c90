//! Where fuzz targets enter: one function for each reader of what strangers send, each of which holds what it reads against its
//! promise and says whether it was let in.
//!
//! The readers are private, and stay so. What is here exists in builds with `cfg(fuzzing)`, which `fuzz/run` sets as every build
//! for libFuzzer does, and in this crate's own tests, which try the seeds. A feature would do as well, but features add up over a
//! build, so that whoever depends on this crate could turn it on in the program; this nobody's manifest can.
//!
//! What lies behind a signature is reached because the input only says what is signed: the signing is done here, with keys that
//! everybody knows from RFCs.
#![allow(clippy::unwrap_used)] // a failed unwrap is a finding

use crate::{Client, ClientKind, Identity, IdentityConfig, Random, VerifyKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
    Ed25519KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use pillarbox_store::blob::MemoryBlobs;
use pillarbox_store::engine::MemoryEngine;
use pillarbox_store::mail::{Millis, Store};
use serde_json::Value;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

/// 2026-11-21. Seeds tell this time.
pub(crate) const NOW: Millis = 1_795_219_200_000;
pub(crate) const NOW_S: i64 = NOW / 1000;
pub(crate) const ISSUER: &str = "https://mail.example.test";
/// The client that signs with the keys here to say who it is.
pub(crate) const CLIENT: &str = "app-client";
/// The service account with the same keys.
pub(crate) const SERVICE: &str = "app-service";
/// RFC 8037 appendix A.1 and RFC 7515 appendix A.3 and A.2, in this order: keys whose private halves everybody knows.
pub(crate) const JWKS: &str = r#"{"keys":[
{"kty":"OKP","crv":"Ed25519","kid":"o","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
{"kty":"EC","crv":"P-256","kid":"e","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
{"kty":"RSA","kid":"r","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}
]}"#;

static ED25519_KEY: LazyLock<Ed25519KeyPair> = LazyLock::new(|| {
    let seed = BASE64.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    Ed25519KeyPair::from_seed_unchecked(&seed.unwrap()).unwrap()
});
static P256_KEY: LazyLock<EcdsaKeyPair> = LazyLock::new(|| {
    let private = BASE64.decode("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI");
    let (kind, public) = (&ECDSA_P256_SHA256_FIXED_SIGNING, point(&jwk("ES256")));
    EcdsaKeyPair::from_private_key_and_public_key(kind, &private.unwrap(), &public).unwrap()
});

/// Signed texts of strangers: the first byte says for which reader, the second how it is signed ([`Token::new`]).
pub fn token(data: &[u8]) -> bool {
    let Some((reader, rest)) = choice(data) else {
        return false;
    };
    match reader % 3 {
        0 => crate::external::fuzz::token(rest),
        1 => crate::dpop::fuzz::proof(rest),
        _ => crate::assertion::fuzz::assertion(rest),
    }
}

/// Keys of strangers, and what a provider publishes; the first byte says which.
pub fn keys(data: &[u8]) -> bool {
    let Some((reader, rest)) = choice(data) else {
        return false;
    };
    match reader % 2 {
        0 => crate::external::fuzz::documents(rest),
        _ => crate::assertion::fuzz::public_keys(rest),
    }
}

/// What authenticators and browsers bring; the first byte says what.
pub fn passkey(data: &[u8]) -> bool {
    crate::webauthn::fuzz::passkey(data)
}

/// What programs say of themselves, and where they want the browser sent.
pub fn registration(data: &[u8]) -> bool {
    crate::registration::fuzz::registration(data)
}

/// The first byte, with which an input chooses how, and the rest.
pub(crate) fn choice(data: &[u8]) -> Option<(u8, &[u8])> {
    data.split_first().map(|(how, rest)| (*how, rest))
}

/// The first line, and the rest.
pub(crate) fn line(data: &[u8]) -> (&[u8], &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n');
    let end = end.unwrap_or(data.len());
    (&data[..end], data.get(end + 1..).unwrap_or_default())
}

/// The member of [`JWKS`] for an algorithm.
fn jwk(alg: &str) -> Value {
    let all: Value = serde_json::from_str(JWKS).unwrap();
    let at = match alg {
        "EdDSA" | "Ed25519" => 0,
        "ES256" => 1,
        "RS256" => 2,
        _ => panic!("{alg} was let in"),
    };
    all["keys"][at].clone()
}

fn member(jwk: &Value, name: &str) -> Vec<u8> {
    BASE64.decode(jwk[name].as_str().unwrap()).unwrap()
}

/// A key of P-256 as SEC 1 writes it (RFC 7518 §6.2.1: both coordinates in full).
fn point(jwk: &Value) -> Vec<u8> {
    let (x, y) = (member(jwk, "x"), member(jwk, "y"));
    assert_eq!((x.len(), y.len()), (32, 32), "{jwk}");
    [vec![4], x, y].concat()
}

/// Signs with the key of an algorithm, EdDSA or ES256.
pub(crate) fn sign(alg: &str, message: &[u8]) -> Vec<u8> {
    match alg {
        "ES256" => {
            let signature = P256_KEY.sign(&SystemRandom::new(), message);
            signature.unwrap().as_ref().to_vec()
        }
        _ => ED25519_KEY.sign(message).as_ref().to_vec(),
    }
}

/// A token as an input wants it.
pub(crate) struct Token {
    pub text: String,
    /// Whether something was changed after it was signed: it must not be let in.
    altered: bool,
}

impl Token {
    /// The low bits of `how` say: 0, the token stands there as it is; else there are a line of header and claims, signed 1 with
    /// Ed25519, 2 with P-256, 3 with Ed25519 and altered afterwards, where the other bits say.
    ///
    /// None if its parts are no JSON for a reader that skips nothing: half a surrogate in a member that nobody asks for is let in,
    /// and there is nothing to hold it against.
    pub(crate) fn new(how: u8, rest: &[u8]) -> Option<Self> {
        let token = Self::made(how, rest);
        let mut parts = token.text.split('.').take(2);
        let read = |part: &str| serde_json::from_slice::<Value>(&BASE64.decode(part).ok()?).ok();
        (token.altered || parts.all(|part| read(part).is_some())).then_some(token)
    }

    fn made(how: u8, rest: &[u8]) -> Self {
        if how & 3 == 0 {
            return Self {
                text: String::from_utf8_lossy(rest).into(),
                altered: false,
            };
        }
        let (header, claims) = line(rest);
        let mut message =
            format!("{}.{}", BASE64.encode(header), BASE64.encode(claims)).into_bytes();
        let mut signature = sign(if how & 3 == 2 { "ES256" } else { "EdDSA" }, &message);
        let altered = how & 3 == 3;
        if altered {
            let at = usize::from(how >> 2);
            match at.checked_sub(32) {
                None => signature[at * 2] ^= 1 << (at % 8),
                Some(at) => {
                    let at = at * message.len() / 32;
                    // Another letter, a dot perhaps.
                    message[at] = if message[at] == b'A' { b'B' } else { b'A' };
                }
            }
        }
        let message = String::from_utf8_lossy(&message);
        Self {
            text: format!("{message}.{}", BASE64.encode(signature)),
            altered,
        }
    }

    /// What holds of every token that was let in: signed, as its header says, with a key of [`JWKS`], by the eyes of the library
    /// alone. Gives header and claims as anybody reads them.
    pub(crate) fn was_signed(&self) -> (Value, Value) {
        self.was_signed_with(|header| jwk(header["alg"].as_str().unwrap()))
    }

    /// The same for a key that stands in the header.
    pub(crate) fn was_signed_by_its_own(&self) -> (Value, Value) {
        self.was_signed_with(|header| header["jwk"].clone())
    }

    fn was_signed_with(&self, key: impl Fn(&Value) -> Value) -> (Value, Value) {
        assert!(!self.altered, "altered and let in: {}", self.text);
        let parts: Vec<&str> = self.text.split('.').collect();
        assert_eq!(parts.len(), 3);
        let decode = |part: &str| BASE64.decode(part).unwrap();
        let header: Value = serde_json::from_slice(&decode(parts[0])).unwrap();
        let claims: Value = serde_json::from_slice(&decode(parts[1])).unwrap();
        assert!(header.get("crit").is_none(), "{header}");
        let (key, signature) = (key(&header), decode(parts[2]));
        let message = format!("{}.{}", parts[0], parts[1]).into_bytes();
        let good = match (
            header["alg"].as_str().unwrap(),
            key["kty"].as_str().unwrap(),
        ) {
            ("RS256", "RSA") => {
                let plain = |name| {
                    let octets = member(&key, name).into_iter();
                    octets.skip_while(|octet| *octet == 0).collect::<Vec<u8>>()
                };
                let (n, e) = (plain("n"), plain("e"));
                RsaPublicKeyComponents { n, e }.verify(
                    &RSA_PKCS1_2048_8192_SHA256,
                    &message,
                    &signature,
                )
            }
            ("ES256", "EC") => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point(&key))
                .verify(&message, &signature),
            ("EdDSA" | "Ed25519", "OKP") => {
                let x = member(&key, "x");
                assert_eq!(x.len(), 32, "{key}");
                UnparsedPublicKey::new(&ED25519, x).verify(&message, &signature)
            }
            other => panic!("{other:?} was let in"),
        };
        assert!(good.is_ok(), "not signed and let in: {}", self.text);
        (header, claims)
    }
}

/// A number of seconds in claims, cut to whole ones.
pub(crate) fn seconds(claims: &Value, name: &str) -> Option<i64> {
    claims.get(name).map(|time| time.as_f64().unwrap() as i64)
}

/// What is ready at once, without a runtime.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("nothing here has to wait"),
    }
}

/// A floor with [`CLIENT`] and [`SERVICE`].
pub(crate) fn identity() -> &'static Identity {
    static IDENTITY: LazyLock<Identity> = LazyLock::new(|| {
        let client = |id: &str, kind| Client {
            keys: VerifyKey::read_all(JWKS).unwrap(),
            ..Client::new(id, id, kind, "a fuzz target")
        };
        let config = IdentityConfig {
            hashing: crate::Hashing {
                memory_kib: 8,
                passes: 1,
                parallel: 1,
            },
            clients: vec![
                client(CLIENT, ClientKind::Web),
                client(SERVICE, ClientKind::Service),
            ],
            ..IdentityConfig::new(ISSUER, "mail.example.test")
        };
        // Kept for good: what the store began goes on in it.
        let runtime = Box::leak(Box::new(
            tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap(),
        ));
        std::thread::scope(|scope| {
            let opened = scope.spawn(|| {
                runtime.block_on(async {
                    let random: Random = Arc::new(|out: &mut [u8]| out.fill(7));
                    let (engine, blobs) = (MemoryEngine::new(), MemoryBlobs::new());
                    let store = Store::open(Arc::new(engine), Arc::new(blobs), Arc::clone(&random));
                    Identity::open(store.await.unwrap(), config, random, NOW)
                        .await
                        .unwrap()
                })
            });
            opened.join().unwrap()
        })
    });
    &IDENTITY
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    /// Every seed does what its name says: what begins with `good` is let in, and nothing else.
    #[test]
    fn seeds() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
        let mut tried = BTreeMap::new();
        type Entrance = fn(&[u8]) -> bool;
        let targets: [(&str, Entrance); 4] = [
            ("identity_token", super::token),
            ("identity_keys", super::keys),
            ("passkey", super::passkey),
            ("registration", super::registration),
        ];
        for (target, entrance) in targets {
            for seed in fs::read_dir(folder.join(target)).unwrap() {
                let path = seed.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap();
                let data = fs::read(&path).unwrap();
                let let_in = std::panic::catch_unwind(|| entrance(&data));
                let let_in = let_in.unwrap_or_else(|_| panic!("{target} {name} breaks a promise"));
                assert_eq!(let_in, name.starts_with("good"), "{target} {name}");
                *tried.entry((target, let_in)).or_insert(0) += 1;
            }
        }
        assert_eq!(tried.len(), 2 * targets.len(), "{tried:?}");
    }
}
