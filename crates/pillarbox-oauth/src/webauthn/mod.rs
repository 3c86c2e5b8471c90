//! The checks of WebAuthn Level 3 (§7.1, §7.2) on what a browser brings from an authenticator: a new credential, or a signature
//! of one. Knows no accounts, keeps nothing, draws nothing.
//!
//! Attestation is not asked for and, if there is some, not looked at: who made a person's authenticator is not our business.
//! Extensions are read over, none is asked for.

mod cbor;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;

use crate::assertion::rsa_der;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use cbor::Item;
use serde::Deserialize;

/// Longest credential id, in octets (§4).
pub(crate) const ID_OCTETS_MAX: usize = 1023;
/// Longest public key kept, in octets: RSA with 8192 bits has 1,100.
const KEY_OCTETS_MAX: usize = 2048;
/// Longest answer looked at, in bytes of JSON.
pub(crate) const ANSWER_BYTES_MAX: usize = 32 * 1024;
/// What `pubKeyCredParams` offers, as COSE algorithms (RFC 9053 §2.1, §2.2; RFC 8812 §2): EdDSA, ES256, RS256.
pub(crate) const ALGORITHMS: [i64; 3] = [-8, -7, -257];

const PRESENT: u8 = 1;
const VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;
const HAS_CREDENTIAL: u8 = 1 << 6;
const HAS_EXTENSIONS: u8 = 1 << 7;

/// Why an answer does not count; for logs and the trail.
pub(crate) type Why = &'static str;

/// What an answer must be about.
pub(crate) struct Expected<'a> {
    /// `https://mail.example.org`.
    pub origin: &'a str,
    /// `mail.example.org`.
    pub rp_id: &'a str,
    pub challenge: &'a [u8],
    /// Whether the authenticator must have checked its owner, by PIN, finger or face.
    pub verified: bool,
}

/// What a browser brings back, as `PublicKeyCredential.toJSON()` prints it (§5.1); of members that are not here nothing is used.
#[derive(Deserialize)]
pub(crate) struct Answer {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    response: Response,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    #[serde(rename = "clientDataJSON")]
    client_data: String,
    attestation_object: Option<String>,
    authenticator_data: Option<String>,
    signature: Option<String>,
    user_handle: Option<String>,
}

/// A credential that was just made.
pub(crate) struct Created {
    pub id: Vec<u8>,
    /// A COSE key that can be used.
    pub key: Vec<u8>,
    pub stands: Stands,
}

/// What an authenticator says of a credential each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stands {
    /// Signatures so far; 0 always is one that does not count.
    pub counter: u32,
    /// Whether it may leave its device; that never changes.
    pub may_sync: bool,
    /// Whether it has.
    pub synced: bool,
}

impl Answer {
    /// Reads what a page sent.
    pub(crate) fn read(text: &str) -> Result<Self, Why> {
        if text.len() > ANSWER_BYTES_MAX {
            return Err("the passkey's answer is too long");
        }
        let answer: Self =
            serde_json::from_str(text).map_err(|_| "the passkey's answer cannot be read")?;
        match answer.kind == "public-key" {
            true => Ok(answer),
            false => Err("the answer is not a public key's"),
        }
    }

    /// The credential it is about.
    pub(crate) fn id(&self) -> Result<Vec<u8>, Why> {
        let id = octets(Some(&self.id))?;
        match (1..=ID_OCTETS_MAX).contains(&id.len()) {
            true => Ok(id),
            false => Err("the credential id is too long"),
        }
    }

    /// Whose it is, if it says so.
    pub(crate) fn user(&self) -> Result<Option<Vec<u8>>, Why> {
        let handle = self.response.user_handle.as_ref();
        handle.map(|handle| octets(Some(handle))).transpose()
    }

    /// §7.1, less what only the caller knows.
    pub(crate) fn created(&self, expected: &Expected<'_>) -> Result<Created, Why> {
        self.client_data("webauthn.create", expected)?;
        let object = octets(self.response.attestation_object.as_ref())?;
        let read = cbor::read(&object).filter(|(_, rest)| rest.is_empty());
        let (object, _) = read.ok_or("the attestation object cannot be read")?;
        let data = object.get(&Item::Text("authData")).and_then(Item::bytes);
        let data = data.ok_or("the attestation object has no authenticator data")?;
        let (stands, credential) = authenticator(data, expected)?;
        let (id, key) = credential.ok_or("the authenticator made no credential")?;
        if id != self.id()? {
            return Err("the credential has another id than the answer");
        }
        public_key(key)?;
        Ok(Created {
            id: id.to_vec(),
            key: key.to_vec(),
            stands,
        })
    }

    /// §7.2, less what only the caller knows; `key` is what [`Answer::created`] gave.
    pub(crate) fn signed(&self, key: &[u8], expected: &Expected<'_>) -> Result<Stands, Why> {
        let client = self.client_data("webauthn.get", expected)?;
        let mut message = octets(self.response.authenticator_data.as_ref())?;
        let (stands, _) = authenticator(&message, expected)?;
        message.extend_from_slice(digest(&SHA256, &client).as_ref());
        let signature = octets(self.response.signature.as_ref())?;
        let signed = public_key(key)?.verify_sig(&message, &signature);
        signed.map_err(|_| "the passkey's signature is wrong")?;
        Ok(stands)
    }

    /// The octets that were hashed, once they say what they must (§5.8.1).
    fn client_data(&self, kind: &str, expected: &Expected<'_>) -> Result<Vec<u8>, Why> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct ClientData {
            #[serde(rename = "type")]
            kind: String,
            challenge: String,
            origin: String,
            #[serde(default)]
            cross_origin: bool,
            top_origin: Option<String>,
        }
        let octets = octets(Some(&self.response.client_data))?;
        let data: ClientData =
            serde_json::from_slice(&octets).map_err(|_| "the client data cannot be read")?;
        if data.kind != kind {
            return Err("the client data is of another ceremony");
        }
        let challenge = BASE64.decode(&data.challenge).unwrap_or_default();
        if !crate::opaque::same(&challenge, expected.challenge) {
            return Err("the challenge is another one");
        }
        if data.origin != expected.origin {
            return Err("the passkey was used at another origin");
        }
        if data.cross_origin || data.top_origin.is_some() {
            return Err("the passkey was used inside another page");
        }
        Ok(octets)
    }
}

fn octets(text: Option<&String>) -> Result<Vec<u8>, Why> {
    let text = text.ok_or("the passkey's answer lacks a member")?;
    BASE64
        .decode(text)
        .map_err(|_| "the passkey's answer is not base64url")
}

/// A credential's id and key.
type Credential<'a> = (&'a [u8], &'a [u8]);

/// §6.1.
fn authenticator<'a>(
    data: &'a [u8],
    expected: &Expected<'_>,
) -> Result<(Stands, Option<Credential<'a>>), Why> {
    const SHORT: Why = "the authenticator data cannot be read";
    let (rp, rest) = data.split_at_checked(32).ok_or(SHORT)?;
    let (&flags, rest) = rest.split_first().ok_or(SHORT)?;
    let (counter, mut rest) = rest.split_first_chunk::<4>().ok_or(SHORT)?;
    if rp != digest(&SHA256, expected.rp_id.as_bytes()).as_ref() {
        return Err("the passkey is for another site");
    }
    let set = |flag| flags & flag != 0;
    if !set(PRESENT) {
        return Err("nobody touched the authenticator");
    }
    if expected.verified && !set(VERIFIED) {
        return Err("the authenticator did not check its owner");
    }
    if set(BACKED_UP) && !set(BACKUP_ELIGIBLE) {
        return Err("the authenticator contradicts itself about backups");
    }
    let mut credential = None;
    if set(HAS_CREDENTIAL) {
        let after = rest.get(16..).ok_or(SHORT)?; // its model
        let (length, after) = after.split_first_chunk::<2>().ok_or(SHORT)?;
        let length = usize::from(u16::from_be_bytes(*length));
        if !(1..=ID_OCTETS_MAX).contains(&length) {
            return Err("the credential id is too long");
        }
        let (id, after) = after.split_at_checked(length).ok_or(SHORT)?;
        let (_, end) = cbor::read(after).ok_or(SHORT)?;
        credential = Some((id, &after[..after.len() - end.len()]));
        rest = end;
    }
    if set(HAS_EXTENSIONS) {
        rest = cbor::read(rest).ok_or(SHORT)?.1;
    }
    if !rest.is_empty() {
        return Err(SHORT);
    }
    let stands = Stands {
        counter: u32::from_be_bytes(*counter),
        may_sync: set(BACKUP_ELIGIBLE),
        synced: set(BACKED_UP),
    };
    Ok((stands, credential))
}

/// A COSE key (RFC 9053 §7.1, §7.2; RFC 8230 §4) of an algorithm we offered.
fn public_key(cose: &[u8]) -> Result<ParsedPublicKey, Why> {
    const BAD: Why = "the passkey's key cannot be used";
    if cose.len() > KEY_OCTETS_MAX {
        return Err(BAD);
    }
    let (key, _) = cbor::read(cose).ok_or(BAD)?;
    let bytes = |name| key.get(&Item::Number(name)).and_then(Item::bytes);
    let coordinate = |name| bytes(name).filter(|octets| octets.len() == 32).ok_or(BAD);
    let parsed = match (key.number(1), key.number(3), key.number(-1)) {
        (Some(2), Some(-7), Some(1)) => {
            let point = [&[4], coordinate(-2)?, coordinate(-3)?].concat();
            ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
        }
        (Some(1), Some(-8), Some(6)) => ParsedPublicKey::new(&ED25519, coordinate(-2)?),
        (Some(3), Some(-257), _) => {
            let der = rsa_der(bytes(-1).ok_or(BAD)?, bytes(-2).ok_or(BAD)?);
            ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der)
        }
        _ => return Err("the passkey's key is of a kind that was not offered"),
    };
    parsed.map_err(|_| BAD)
}
