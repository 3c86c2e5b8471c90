//! Answers of browsers and authenticators, as anybody might write them.
#![allow(clippy::unwrap_used)] // a failed unwrap is a finding

use super::cbor::{self, Item};
use super::{Answer, Expected, PRESENT, VERIFIED, public_key};
use crate::fuzz::{choice, line, sign};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

const EXPECTED: Expected<'static> = Expected {
    origin: "https://mail.example.test",
    rp_id: "mail.example.test",
    challenge: b"a challenge",
    verified: true,
};
const ID: &[u8] = b"credential";

/// The first byte says what the rest is: 0 an item of CBOR, 1 a COSE key, 2 an answer as JSON; else a line of client data, and
/// behind it 3 an attestation object, 4 authenticator data that a fixed credential signs.
pub(crate) fn passkey(data: &[u8]) -> bool {
    let Some((what, rest)) = choice(data) else {
        return false;
    };
    match what % 5 {
        0 => item(rest),
        1 => public_key(rest).is_ok(),
        2 => answer(&String::from_utf8_lossy(rest)),
        3 => created(rest),
        _ => signed(rest),
    }
}

/// An item ends within its input and is the same whatever follows; printed canonically it is read as the same again.
fn item(input: &[u8]) -> bool {
    let Some((item, rest)) = cbor::read(input) else {
        return false;
    };
    assert!(rest.len() < input.len() && input.ends_with(rest));
    let whole = &input[..input.len() - rest.len()];
    assert_eq!(cbor::read(whole).unwrap().0, item);
    assert!(
        cbor::read(&whole[..whole.len() - 1]).is_none(),
        "ends too late"
    );
    let printed = print(&item);
    let (again, rest) = cbor::read(&printed).unwrap();
    assert!(again == item && rest.is_empty());
    true
}

/// CTAP2 §8, but for the order of members; what the reader reads over is `null`.
fn print(item: &Item<'_>) -> Vec<u8> {
    fn head(kind: u8, number: u64) -> Vec<u8> {
        let octets = number.to_be_bytes();
        let (short, length) = match number {
            0..24 => (number as u8, 0),
            24..0x100 => (24, 1),
            0x100..0x1_0000 => (25, 2),
            0x1_0000..0x1_0000_0000 => (26, 4),
            _ => (27, 8),
        };
        [&[kind << 5 | short], &octets[8 - length..]].concat()
    }
    let sized = |kind, octets: &[u8]| [&head(kind, octets.len() as u64), octets].concat();
    match item {
        Item::Number(number) if *number >= 0 => head(0, *number as u64),
        Item::Number(number) => head(1, (-1 - number) as u64),
        Item::Bytes(octets) => sized(2, octets),
        Item::Text(text) => sized(3, text.as_bytes()),
        Item::Map(members) => {
            let head = head(5, members.len() as u64);
            let members = members
                .iter()
                .flat_map(|(key, value)| [print(key), print(value)]);
            head.into_iter().chain(members.flatten()).collect()
        }
        Item::Other => vec![0xf6],
    }
}

/// No answer of somebody who holds no key is let in.
fn answer(text: &str) -> bool {
    let Ok(answer) = Answer::read(text) else {
        return false;
    };
    let _ = (answer.id(), answer.user());
    assert!(answer.signed(&cose(), &EXPECTED).is_err());
    answer.created(&EXPECTED).is_ok()
}

fn created(rest: &[u8]) -> bool {
    let (client, object) = line(rest);
    let text = json!({
        "id": BASE64.encode(ID), "type": "public-key",
        "response": { "clientDataJSON": BASE64.encode(client), "attestationObject": BASE64.encode(object) },
    });
    let Ok(created) = Answer::read(&text.to_string()).unwrap().created(&EXPECTED) else {
        return false;
    };
    said(client, "webauthn.create");
    assert_eq!(created.id, ID);
    assert!(public_key(&created.key).is_ok());
    // The authenticator's data stands somewhere in the object, and in it the id and the key.
    let credential = [&(ID.len() as u16).to_be_bytes(), ID, &created.key].concat();
    let is_it = |at: usize| {
        let behind = object.get(at + 37 + 16..).unwrap_or_default();
        is_touched(&object[at..]) && behind.starts_with(&credential)
    };
    assert!((0..object.len()).any(is_it));
    // Nobody signs in with the answer that made it.
    let answer = Answer::read(&text.to_string()).unwrap();
    assert!(answer.signed(&created.key, &EXPECTED).is_err());
    true
}

fn signed(rest: &[u8]) -> bool {
    let (client, data) = line(rest);
    let hash = digest(&SHA256, client);
    let message = [data, hash.as_ref()].concat();
    let signature = sign("EdDSA", &message);
    let check = |signature: &[u8], expected: &Expected<'_>| {
        let text = json!({
            "id": BASE64.encode(ID), "type": "public-key",
            "response": {
                "clientDataJSON": BASE64.encode(client), "authenticatorData": BASE64.encode(data),
                "signature": BASE64.encode(signature),
            },
        });
        Answer::read(&text.to_string())
            .unwrap()
            .signed(&cose(), expected)
    };
    let Ok(stands) = check(&signature, &EXPECTED) else {
        return false;
    };
    said(client, "webauthn.get");
    assert!(is_touched(data));
    assert_eq!(stands.counter.to_be_bytes(), data[33..37]);
    assert!(stands.may_sync || !stands.synced);
    let mut altered = signature.clone();
    let at = usize::from(hash.as_ref()[0]) % altered.len();
    altered[at] ^= 1;
    assert!(check(&altered, &EXPECTED).is_err(), "altered and let in");
    for other in [
        Expected {
            challenge: b"another",
            ..EXPECTED
        },
        Expected {
            origin: "https://mail.example.test:444",
            ..EXPECTED
        },
        Expected {
            rp_id: "example.test",
            ..EXPECTED
        },
    ] {
        assert!(check(&signature, &other).is_err());
    }
    true
}

/// WebAuthn Level 3 §5.8.1.
fn said(client: &[u8], kind: &str) {
    // Half a surrogate in a member that nobody asks for: only a reader that skips it can read this.
    let Ok(said) = serde_json::from_slice::<Value>(client) else {
        return;
    };
    assert_eq!(said["type"], kind);
    assert_eq!(said["origin"], EXPECTED.origin);
    assert_eq!(said["challenge"], BASE64.encode(EXPECTED.challenge));
    assert!(
        matches!(said.get("crossOrigin"), None | Some(Value::Bool(false))),
        "{said}"
    );
    assert!(said.get("topOrigin").is_none_or(Value::is_null), "{said}");
}

/// §6.1: for this site, with its owner there and checked.
fn is_touched(data: &[u8]) -> bool {
    let rp = digest(&SHA256, EXPECTED.rp_id.as_bytes());
    let flags = data.get(32).copied().unwrap_or_default();
    data.starts_with(rp.as_ref()) && flags & (PRESENT | VERIFIED) == PRESENT | VERIFIED
}

/// The key of RFC 8037 appendix A.1 as COSE writes it (RFC 9053 §7.2).
fn cose() -> Vec<u8> {
    let x = BASE64
        .decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
        .unwrap();
    [&[0xa4, 1, 1, 3, 0x27, 0x20, 6, 0x21, 0x58, 32], &*x].concat()
}
