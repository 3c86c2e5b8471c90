//! Passkeys over the whole floor, with an authenticator in software that can be made to do each thing wrong.

use super::{ADA, BOB, HOUR, House, MINUTE, NOW, PASSWORD, config};
use crate::{Deed, FirstFactor, IdentityError, OwnerProof, PasskeyOptions, Principal, Refusal};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use pillarbox_store::mail::AccountId;
use serde_json::{Value, json};

const ORIGIN: &str = "https://localhost:1443";
const PRESENT: u8 = 1;
const VERIFIED: u8 = 4;
const MAY_SYNC: u8 = 8;
const SYNCED: u8 = 16;

enum Key {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

/// One credential of an authenticator in software, and a browser that reports what it is told to.
struct Device {
    key: Key,
    id: Vec<u8>,
    user: Vec<u8>,
    counter: u32,
    flags: u8,
    rp_id: String,
    origin: String,
    /// Members added to the client data.
    more: Value,
}

fn octets(head: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16).to_be_bytes();
    [&[head | 25, length[0], length[1]], body].concat()
}

impl Device {
    fn new(id: &[u8], user: &AccountId) -> Self {
        Self {
            key: Key::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap()),
            id: id.to_vec(),
            user: user.0.as_bytes().to_vec(),
            counter: 0,
            flags: PRESENT | VERIFIED,
            rp_id: "localhost".into(),
            origin: ORIGIN.into(),
            more: json!({}),
        }
    }

    /// COSE (RFC 9053 §7, RFC 8230 §4).
    fn cose(&self) -> Vec<u8> {
        match &self.key {
            Key::P256(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = (octets(0x40, &point[1..33]), octets(0x40, &point[33..]));
                [&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21], &*x, &[0x22], &*y].concat()
            }
            Key::Ed25519(pair) => {
                let x = octets(0x40, pair.public_key().as_ref());
                [&[0xa4, 1, 1, 3, 0x27, 0x20, 6, 0x21], &*x].concat()
            }
            Key::Rsa(pair) => {
                let public = pair.public_key();
                let modulus = public.modulus().big_endian_without_leading_zero().to_vec();
                let n = octets(0x40, &modulus);
                [
                    &[0xa4, 1, 3, 3, 0x39, 1, 0, 0x20],
                    &*n,
                    &[0x21, 0x43, 1, 0, 1],
                ]
                .concat()
            }
        }
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        let mut data = digest(&SHA256, self.rp_id.as_bytes()).as_ref().to_vec();
        data.push(flags);
        data.extend(self.counter.to_be_bytes());
        data
    }

    fn client(&self, kind: &str, options: &Value) -> Vec<u8> {
        let mut client =
            json!({ "type": kind, "challenge": options["challenge"], "origin": self.origin });
        for (name, value) in self.more.as_object().unwrap() {
            client[name] = value.clone();
        }
        client.to_string().into_bytes()
    }

    fn create(&self, options: &PasskeyOptions) -> String {
        let options: Value = serde_json::from_str(&options.options).unwrap();
        let mut data = self.data(self.flags | 64);
        data.extend([0; 16]);
        data.extend((self.id.len() as u16).to_be_bytes());
        data.extend(&self.id);
        data.extend(self.cose());
        let data = octets(0x40, &data);
        let object = [
            &b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData"[..],
            &data,
        ]
        .concat();
        let response = json!({
            "clientDataJSON": BASE64.encode(self.client("webauthn.create", &options)),
            "attestationObject": BASE64.encode(object),
        });
        json!({ "id": BASE64.encode(&self.id), "type": "public-key", "response": response })
            .to_string()
    }

    fn sign(&self, options: &PasskeyOptions) -> String {
        let options: Value = serde_json::from_str(&options.options).unwrap();
        let client = self.client("webauthn.get", &options);
        let data = self.data(self.flags);
        let message = [&*data, digest(&SHA256, &client).as_ref()].concat();
        let random = SystemRandom::new();
        let signature = match &self.key {
            Key::P256(pair) => pair.sign(&random, &message).unwrap().as_ref().to_vec(),
            Key::Ed25519(pair) => pair.sign(&message).as_ref().to_vec(),
            Key::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, &message, &mut signature)
                    .unwrap();
                signature
            }
        };
        let response = json!({
            "clientDataJSON": BASE64.encode(client),
            "authenticatorData": BASE64.encode(data),
            "signature": BASE64.encode(signature),
            "userHandle": BASE64.encode(&self.user),
        });
        json!({ "id": BASE64.encode(&self.id), "type": "public-key", "response": response })
            .to_string()
    }
}

async fn add(house: &House, device: &Device) -> Result<(), IdentityError> {
    let options = house.identity.begin_passkey(&house.ada, NOW).await?;
    let shown = (options.ticket.expose(), &*device.create(&options));
    house
        .identity
        .add_passkey(&house.ada, shown, "Key", NOW)
        .await
}

async fn made(house: &House) -> Device {
    let device = Device::new(b"one", &house.ada);
    add(house, &device).await.unwrap();
    device
}

async fn sign_in(house: &House, device: &Device) -> Result<Principal, Refusal> {
    let options = house.identity.begin_passkey_sign_in(NOW).unwrap();
    let answer = device.sign(&options);
    let ticket = options.ticket.expose();
    house.identity.passkey_sign_in(ticket, &answer, NOW).await
}

async fn refused(house: &House, device: &Device) -> String {
    sign_in(house, device).await.unwrap_err().cause
}

#[tokio::test]
async fn every_kind_of_key_signs_in_alone() {
    let keys = [
        Key::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap()),
        Key::Ed25519(Ed25519KeyPair::generate().unwrap()),
        Key::Rsa(RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap()),
    ];
    let house = House::new().await;
    for (number, key) in keys.into_iter().enumerate() {
        let id = [number as u8; 32];
        let device = Device {
            key,
            ..Device::new(&id, &house.ada)
        };
        add(&house, &device).await.unwrap();
        let who = sign_in(&house, &device).await.unwrap();
        assert_eq!((who.account(), &**who.address()), (&house.ada, ADA));
    }
    let all = house.identity.list_passkeys(&house.ada).await.unwrap();
    assert_eq!(all.len(), 3);
    assert!(all.iter().all(|one| one.used == Some(NOW) && !one.synced));
    let trail = house.identity.activity(&house.ada, 9, NOW).await.unwrap();
    let sign_in = trail.iter().find(|one| one.deed == Deed::SignedIn).unwrap();
    assert_eq!(sign_in.method.as_deref(), Some("passkey"));
    let added = trail.iter().find(|one| one.deed == Deed::PasskeyAdded);
    assert_eq!(added.unwrap().app.as_deref(), Some("Key"));
}

#[tokio::test]
async fn what_is_made_must_be_made_here_now_and_by_its_owner() {
    let house = House::new().await;
    let device = || Device::new(b"new", &house.ada);
    for (device, why) in [
        (
            Device {
                origin: "https://localhost".into(),
                ..device()
            },
            "another origin",
        ),
        (
            Device {
                origin: "http://localhost:1443".into(),
                ..device()
            },
            "another origin",
        ),
        (
            Device {
                rp_id: "evil.example".into(),
                ..device()
            },
            "another site",
        ),
        (
            Device {
                flags: PRESENT,
                ..device()
            },
            "did not check its owner",
        ),
        (
            Device {
                flags: VERIFIED,
                ..device()
            },
            "nobody touched",
        ),
        (
            Device {
                flags: PRESENT | VERIFIED | SYNCED,
                ..device()
            },
            "contradicts itself",
        ),
        (
            Device {
                id: vec![],
                ..device()
            },
            "too long",
        ),
        (
            Device {
                more: json!({ "crossOrigin": true }),
                ..device()
            },
            "inside another page",
        ),
        (
            Device {
                more: json!({ "topOrigin": "https://evil.example" }),
                ..device()
            },
            "inside another page",
        ),
        (
            Device {
                more: json!({ "type": "webauthn.get" }),
                ..device()
            },
            "another ceremony",
        ),
        (
            Device {
                more: json!({ "challenge": BASE64.encode([0; 32]) }),
                ..device()
            },
            "challenge",
        ),
    ] {
        let fault = add(&house, &device).await.unwrap_err().to_string();
        assert!(fault.contains(why), "{fault} should say {why}");
    }
    let options = house.identity.begin_passkey(&house.ada, NOW).await.unwrap();
    let (answer, ticket) = (device().create(&options), options.ticket.expose());
    let identity = &house.identity;
    let bobs = identity
        .add_passkey(&house.bob, (ticket, &answer), "x", NOW)
        .await;
    assert!(bobs.is_err(), "begun for Ada");
    let again = identity
        .add_passkey(&house.ada, (ticket, &answer), "x", NOW)
        .await;
    assert!(again.is_err(), "an answer is looked at once");
    for broken in ["", "{}", "[]", &answer.replace("public-key", "password")] {
        let options = identity.begin_passkey(&house.ada, NOW).await.unwrap();
        let shown = (options.ticket.expose(), broken);
        assert!(
            identity
                .add_passkey(&house.ada, shown, "x", NOW)
                .await
                .is_err()
        );
    }
    let options = identity.begin_passkey(&house.ada, NOW).await.unwrap();
    let shown = (options.ticket.expose(), &*device().create(&options));
    let late = identity
        .add_passkey(&house.ada, shown, "x", NOW + HOUR)
        .await;
    assert!(late.is_err());
    assert!(identity.list_passkeys(&house.ada).await.unwrap().is_empty());
    add(&house, &device()).await.unwrap();
    let twice = add(&house, &device()).await.unwrap_err().to_string();
    assert!(twice.contains("there already"), "{twice}");
    for number in 1..20_u8 {
        add(&house, &Device::new(&[number; 20], &house.ada))
            .await
            .unwrap();
    }
    assert!(matches!(
        add(&house, &Device::new(b"more", &house.ada)).await,
        Err(IdentityError::TooMany(_))
    ));
}

#[tokio::test]
async fn keys_that_cannot_be_used_are_not_kept() {
    let house = House::new().await;
    let device = Device::new(b"new", &house.ada);
    let options = house.identity.begin_passkey(&house.ada, NOW).await.unwrap();
    let answer: Value = serde_json::from_str(&device.create(&options)).unwrap();
    let object = BASE64
        .decode(answer["response"]["attestationObject"].as_str().unwrap())
        .unwrap();
    let at = object.len() - device.cose().len();
    let mut random = 1_u64;
    // One octet of the key changed at a time, then any octet at all: never a panic, and a key off the curve is refused.
    for round in 0..400 {
        let options = house.identity.begin_passkey(&house.ada, NOW).await.unwrap();
        let mut answer: Value = serde_json::from_str(&device.create(&options)).unwrap();
        let mut object = object.clone();
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let place = match round % 2 {
            0 => at + round / 2 % device.cose().len(),
            _ => (random >> 33) as usize % object.len(),
        };
        object[place] ^= 1 << (random >> 60 & 7);
        answer["response"]["attestationObject"] = json!(BASE64.encode(&object));
        let shown = (options.ticket.expose(), &*answer.to_string());
        let kept = house
            .identity
            .add_passkey(&house.ada, shown, "x", NOW)
            .await;
        assert!(place < at || kept.is_err(), "octet {place} of the key");
        for one in house.identity.list_passkeys(&house.ada).await.unwrap() {
            let remove = house.identity.remove_passkey(&house.ada, &one.id, NOW);
            remove.await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_sign_in_must_be_signed_here_now_and_by_its_owner() {
    let house = House::new().await;
    let mut device = made(&house).await;
    device.origin = "https://evil.example".into();
    assert!(refused(&house, &device).await.contains("another origin"));
    device.origin = ORIGIN.into();
    device.rp_id = "evil.example".into();
    assert!(refused(&house, &device).await.contains("another site"));
    device.rp_id = "localhost".into();
    device.flags = PRESENT;
    assert!(
        refused(&house, &device)
            .await
            .contains("did not check its owner")
    );
    device.flags = PRESENT | VERIFIED | MAY_SYNC;
    assert!(refused(&house, &device).await.contains("about backups"));
    device.flags = PRESENT | VERIFIED;
    device.more = json!({ "challenge": BASE64.encode([7; 32]) });
    assert!(refused(&house, &device).await.contains("challenge"));
    device.more = json!({});
    let key = std::mem::replace(&mut device.key, Device::new(b"", &house.ada).key);
    assert!(
        refused(&house, &device)
            .await
            .contains("signature is wrong")
    );
    device.key = key;
    device.id = b"two".to_vec();
    assert!(refused(&house, &device).await.contains("no such passkey"));
    device.id = b"one".to_vec();
    assert!(sign_in(&house, &device).await.is_ok());
}

#[tokio::test]
async fn a_challenge_is_for_one_browser_and_one_answer() {
    let house = House::new().await;
    let device = made(&house).await;
    let identity = &house.identity;
    let options = identity.begin_passkey_sign_in(NOW).unwrap();
    let other = identity.begin_passkey_sign_in(NOW).unwrap();
    let answer = device.sign(&options);
    let elsewhere = identity
        .passkey_sign_in(other.ticket.expose(), &answer, NOW)
        .await;
    assert!(elsewhere.unwrap_err().cause.contains("challenge"));
    let ticket = options.ticket.expose();
    assert!(identity.passkey_sign_in(ticket, &answer, NOW).await.is_ok());
    let replayed = identity.passkey_sign_in(ticket, &answer, NOW).await;
    assert!(replayed.unwrap_err().cause.contains("no sign-in waits"));
    let options = identity.begin_passkey_sign_in(NOW).unwrap();
    let answer = device.sign(&options);
    let ticket = options.ticket.expose();
    let late = identity.passkey_sign_in(ticket, &answer, NOW + 10 * MINUTE);
    assert!(late.await.is_err());
    assert!(!format!("{options:?}").contains(ticket));
}

#[tokio::test]
async fn nobody_learns_who_there_is() {
    let house = House::new().await;
    let mut device = made(&house).await;
    let known = house.identity.begin_passkey_sign_in(NOW).unwrap().options;
    let known: Value = serde_json::from_str(&known).unwrap();
    assert_eq!(known["allowCredentials"], json!([]));
    assert_eq!(known["userVerification"], "required");
    device.id = b"two".to_vec();
    let wrong = sign_in(&house, &device).await.unwrap_err();
    for user in [
        &b"nobody"[..],
        b"",
        b"oauth/issuer",
        b"\xff",
        &[b'x'; 65],
        BOB.as_bytes(),
    ] {
        device.user = user.to_vec();
        let unknown = sign_in(&house, &device).await.unwrap_err();
        assert_eq!(unknown.kind, wrong.kind);
    }
}

#[tokio::test]
async fn a_copied_authenticator_is_noticed() {
    let house = House::new().await;
    let mut device = Device {
        counter: 5,
        ..Device::new(b"one", &house.ada)
    };
    add(&house, &device).await.unwrap();
    assert!(
        refused(&house, &device).await.contains("copied"),
        "it did not grow"
    );
    device.counter = 9;
    assert!(sign_in(&house, &device).await.is_ok());
    device.counter = 8;
    assert!(refused(&house, &device).await.contains("copied"));
    device.counter = 0;
    assert!(refused(&house, &device).await.contains("copied"));
    let trail = house.identity.activity(&house.ada, 9, NOW).await.unwrap();
    let told = trail.iter().filter_map(|one| one.detail.as_deref());
    assert!(told.into_iter().any(|detail| detail.contains("copied")));
}

#[tokio::test]
async fn suspended_people_and_removed_passkeys_open_nothing() {
    let house = House::new().await;
    let device = made(&house).await;
    let identity = &house.identity;
    identity.set_suspended(&house.ada, true).await.unwrap();
    assert!(refused(&house, &device).await.contains("suspended"));
    identity.set_suspended(&house.ada, false).await.unwrap();
    let id = identity.list_passkeys(&house.ada).await.unwrap()[0]
        .id
        .clone();
    assert!(identity.remove_passkey(&house.bob, &id, NOW).await.is_err());
    identity.remove_passkey(&house.ada, &id, NOW).await.unwrap();
    assert!(refused(&house, &device).await.contains("no such passkey"));
}

#[tokio::test]
async fn it_is_the_step_behind_the_password() {
    let house = House::new().await;
    let identity = &house.identity;
    let none = identity.require_passkey(&house.ada, NOW).await;
    assert!(none.is_err(), "there is no passkey");
    let mut device = made(&house).await;
    assert!(
        matches!(
            identity.web_first_factor(ADA, PASSWORD, NOW).await,
            Ok(FirstFactor::Enough(_))
        ),
        "a passkey alone asks for nothing more"
    );
    let codes = identity.require_passkey(&house.ada, NOW).await.unwrap();
    let Ok(FirstFactor::HalfWay(half)) = identity.web_first_factor(ADA, PASSWORD, NOW).await else {
        panic!("nothing more was asked for");
    };
    let half = half.expose();
    let offers = identity.step_offers(half, NOW).await.unwrap();
    assert!(offers.passkeys && !offers.codes);
    assert!(!identity.step_offers("h~x~y", NOW).await.unwrap().passkeys);
    assert!(
        identity
            .web_second_factor(half, "000000", NOW)
            .await
            .is_err()
    );
    // The password was checked, so a touch is enough.
    device.flags = PRESENT;
    let begin = async || {
        identity
            .begin_passkey_step(half, NOW)
            .await
            .unwrap()
            .unwrap()
    };
    let alone = identity.begin_passkey_sign_in(NOW).unwrap();
    let shown = (alone.ticket.expose(), &*device.sign(&alone));
    let found = identity.passkey_second_factor(half, shown, NOW).await;
    assert!(found.is_err(), "the challenge was for something else");
    let options = begin().await;
    let answer = device.sign(&options);
    let alone = identity.passkey_sign_in(options.ticket.expose(), &answer, NOW);
    assert!(alone.await.is_err(), "and the other way round");
    let options = begin().await;
    device.user = house.bob.0.as_bytes().to_vec();
    let shown = (options.ticket.expose(), &*device.sign(&options));
    assert!(
        identity
            .passkey_second_factor(half, shown, NOW)
            .await
            .is_err()
    );
    device.user = house.ada.0.as_bytes().to_vec();
    let options = begin().await;
    let shown = (options.ticket.expose(), &*device.sign(&options));
    let who = identity
        .passkey_second_factor(half, shown, NOW)
        .await
        .unwrap();
    assert_eq!(who.account(), &house.ada);
    let again = identity.begin_passkey_step(half, NOW).await.unwrap();
    assert!(again.is_none(), "the step is taken");
    let id = identity.list_passkeys(&house.ada).await.unwrap()[0]
        .id
        .clone();
    let last = identity.remove_passkey(&house.ada, &id, NOW).await;
    assert!(last.unwrap_err().to_string().contains("only one"));
    let Ok(FirstFactor::HalfWay(half)) = identity.web_first_factor(ADA, PASSWORD, NOW).await else {
        panic!("nothing more was asked for");
    };
    let recovered = identity
        .web_second_factor(half.expose(), codes[0].expose(), NOW)
        .await;
    assert!(recovered.is_ok(), "recovery codes stand in");
    let trail = identity.activity(&house.ada, 20, NOW).await.unwrap();
    let methods: Vec<_> = trail
        .iter()
        .filter_map(|one| one.method.as_deref())
        .collect();
    for method in ["two steps, passkey", "two steps, recovery code"] {
        assert!(methods.contains(&method), "{methods:?}");
    }
    let deeds: Vec<_> = trail.iter().map(|one| one.deed).collect();
    assert!(deeds.contains(&Deed::SecondFactorOn) && deeds.contains(&Deed::RecoveryCodeUsed));
}

#[tokio::test]
async fn it_shows_who_owns_the_account() {
    let house = House::new().await;
    let mut device = made(&house).await;
    let identity = &house.identity;
    identity.require_passkey(&house.ada, NOW).await.unwrap();
    let begin = async || {
        let options = identity.begin_passkey_confirmation(&house.ada, NOW).await;
        options.unwrap().unwrap()
    };
    let options = begin().await;
    device.flags = PRESENT;
    let answer = device.sign(&options);
    let proof = OwnerProof::Passkey(options.ticket.expose(), &answer);
    let touched = identity.remove_second_factor(&house.ada, proof, NOW).await;
    assert!(touched.is_err(), "a touch alone is anybody's");
    device.flags = PRESENT | VERIFIED;
    let options = begin().await;
    let answer = device.sign(&options);
    let proof = OwnerProof::Passkey(options.ticket.expose(), &answer);
    identity
        .remove_second_factor(&house.ada, proof, NOW)
        .await
        .unwrap();
    let ada = house.ada_signed_in().await;
    let options = begin().await;
    let answer = device.sign(&options);
    let proof = OwnerProof::Passkey(options.ticket.expose(), &answer);
    let changed = identity.change_own_password(&ada, proof, "another one", NOW);
    changed.await.unwrap();
    assert!(identity.web_sign_in(ADA, "another one", NOW).await.is_ok());
    assert!(sign_in(&house, &device).await.is_ok(), "passkeys stay");
}

#[tokio::test]
async fn a_server_without_a_name_takes_none() {
    let mut config = config();
    config.issuer = "https://192.0.2.1".into();
    let house = House::with(config).await;
    assert!(!house.identity.takes_passkeys());
    assert!(house.identity.begin_passkey_sign_in(NOW).is_none());
    assert!(house.identity.begin_passkey(&house.ada, NOW).await.is_err());
}

#[tokio::test]
async fn a_passkey_makes_the_network_known() {
    let config = crate::IdentityConfig {
        slow_down: true,
        ..config()
    };
    let mut house = House::with(config).await;
    let device = made(&house).await;
    let cafe = std::net::IpAddr::from([192, 0, 2, 9]);
    house.identity = house.identity.from_peer(cafe);
    sign_in(&house, &device).await.unwrap();
    super::known_networks::guess_at_others(&house, cafe).await;
    super::known_networks::ada_is_known(&house, cafe).await;
}
