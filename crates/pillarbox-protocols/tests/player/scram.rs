//! The client's side of SCRAM in scripts. Its nonce is always the same, and so is the server's in every world.
//!
//! ```text
//! $scram(ada)                       the first message, `n,,`; $scram_y(ada) believes that there is no PLUS
//! $scram_exporter(ada)              bound by tls-exporter; $scram_end_point(ada) by tls-server-end-point
//! $proof(ada, challenge)            the last message, to the remembered challenge; after `proof` the same endings as above
//! $wrong(ada, challenge)            the same with another password
//! $verified(ada, challenge, last)   nothing, if the server's remembered last word is right; the script fails otherwise
//! ```

use super::pattern::Known;
use super::world::base64;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use aws_lc_rs::pbkdf2::{PBKDF2_HMAC_SHA256, derive};
use pillarbox_protocols::conversation::Channel;
use pillarbox_wire::sasl::from_base64;
use pillarbox_wire::sasl::scram::{
    BindingType, ChannelBindings, ClientFirst, Flag, ServerFirst, Signed, decode_server_final,
};
use std::num::NonZeroU32;

const NONCE: &str = "fyko+d2lbbFgONRv9qkxdawL";

/// The channel of connections that are bound.
pub fn bound() -> Channel {
    Channel {
        bindings: bindings(),
        certificate: None,
    }
}

/// What connections of these scripts are bound to.
fn bindings() -> ChannelBindings {
    ChannelBindings {
        exporter: Some([5; 32]),
        server_end_point: Some([6; 32].into()),
    }
}

pub fn is_macro(name: &str) -> bool {
    let (name, _) = split(name);
    matches!(name, "scram" | "proof" | "wrong" | "verified")
}

fn split(name: &str) -> (&str, &str) {
    name.split_once('_').unwrap_or((name, ""))
}

pub fn expand(
    name: &str,
    arguments: &str,
    password: &str,
    known: &Known,
) -> Result<String, String> {
    let (name, flag) = split(name);
    let mut arguments = arguments.split(',').map(str::trim);
    let user = arguments.next().unwrap_or_default();
    let user = match user.contains('@') {
        true => user.to_owned(),
        false => format!("{user}@example.com"),
    };
    let first = ClientFirst::new(self::flag(flag)?, None, &user, NONCE).unwrap();
    if name == "scram" {
        return Ok(base64(first.encode().as_bytes()));
    }
    let mut remembered = || {
        let name = arguments.next().ok_or("an argument is missing")?;
        let text = known
            .0
            .get(name)
            .ok_or(format!("${name} was not seen yet"))?;
        from_base64(text.as_bytes()).map_err(|fault| fault.to_string())
    };
    let server = ServerFirst::decode(&remembered()?).map_err(|fault| fault.to_string())?;
    let signed = Signed::new(&first, &server, &bindings()).unwrap();
    let password = if name == "wrong" {
        "aaaabbbbccccdddd"
    } else {
        password
    };
    let mut salted = [0; 32];
    let iterations = NonZeroU32::new(server.iterations()).unwrap();
    derive(
        PBKDF2_HMAC_SHA256,
        iterations,
        server.salt(),
        password.as_bytes(),
        &mut salted,
    );
    if name == "verified" {
        let theirs = decode_server_final(&remembered()?).map_err(|fault| fault.to_string())?;
        let ours = mac(&mac(&salted, "Server Key"), signed.message());
        return match ours == theirs {
            true => Ok(String::new()),
            false => Err("the server's signature is wrong".into()),
        };
    }
    let mut proof = mac(&salted, "Client Key");
    let stored = digest(&SHA256, &proof);
    let stored: [u8; 32] = stored.as_ref().try_into().unwrap();
    let signature = mac(&stored, signed.message());
    proof.iter_mut().zip(signature).for_each(|(a, b)| *a ^= b);
    Ok(base64(signed.encode(&proof).as_bytes()))
}

fn flag(name: &str) -> Result<Flag, String> {
    Ok(match name {
        "" => Flag::Cannot,
        "y" => Flag::ServerCannot,
        "exporter" => Flag::Bound(BindingType::TlsExporter),
        "end_point" => Flag::Bound(BindingType::TlsServerEndPoint),
        other => return Err(format!("no such flag: {other}")),
    })
}

fn mac(key: &[u8; 32], text: &str) -> [u8; 32] {
    let tag = sign(&Key::new(HMAC_SHA256, key), text.as_bytes());
    tag.as_ref().try_into().unwrap()
}
