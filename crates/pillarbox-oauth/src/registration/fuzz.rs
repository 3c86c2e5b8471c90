//! What programs say of themselves, as anybody might write it, and the redirect addresses they then ask for.
#![allow(clippy::unwrap_used)] // a failed unwrap is a finding

use super::metadata::Wanted;
use super::read_object;
use crate::authorize::check_redirect;
use crate::client::{Client, ClientKind, Redirect};
use crate::clients::new_redirect;
use crate::fuzz::{NOW, choice, identity, line};
use crate::rows::ClientRow;
use crate::server::ErrorCode;
use crate::{Scopes, Secret};
use serde_json::Value;

/// The first byte says what the rest is: 0 a registration, else a line with a registered redirect address (1 of a program on a
/// server, 2 of a native one, 3 none: any loopback address will do) and the one asked for.
pub(crate) fn registration(data: &[u8]) -> bool {
    let Some((what, rest)) = choice(data) else {
        return false;
    };
    match what % 4 {
        0 => program(rest),
        1 => redirect(Some(ClientKind::Web), rest),
        2 => redirect(Some(ClientKind::Native), rest),
        _ => redirect(None, rest),
    }
}

/// What is registered, told (RFC 7591 §3.2.1) and sent back as it was told (RFC 7592 §2.2) is the same registration.
fn program(body: &[u8]) -> bool {
    let Ok(object) = read_object(body) else {
        return false;
    };
    let row = match row(&object) {
        Ok(row) => row,
        Err(code) => {
            let codes = [
                ErrorCode::InvalidRedirectUri,
                ErrorCode::InvalidClientMetadata,
            ];
            assert!(codes.contains(&code), "{code:?}");
            return false;
        }
    };
    safe(&row);
    let told = identity().told("id", &row, &Secret::new("token"));
    let again = self::row(&told).unwrap_or_else(|code| panic!("{code:?}: {told}"));
    assert_eq!(as_kept(&row), as_kept(&again), "{told}");
    // Members that are null are members that are not there (RFC 7592 §2.2).
    let mut plain = object.clone();
    plain
        .as_object_mut()
        .unwrap()
        .retain(|_, value| !value.is_null());
    assert!(
        self::row(&plain).is_ok_and(|plain| as_kept(&plain) == as_kept(&row)),
        "{object}"
    );
    true
}

fn row(object: &Value) -> Result<ClientRow, ErrorCode> {
    let read = || {
        let wanted = Wanted::read(object)?;
        identity().check_name(&wanted.name, None)?;
        identity().row_of(&wanted, [0; 32], NOW)
    };
    read().map_err(|error: crate::TokenError| error.code)
}

/// A row as it is kept. What its client sent as its keys comes back as it was sent.
fn as_kept(row: &ClientRow) -> Value {
    serde_json::to_value(row).unwrap()
}

fn safe(row: &ClientRow) {
    assert!(
        (1..=60).contains(&row.name.chars().count()),
        "{:?}",
        row.name
    );
    assert!(
        !row.name
            .contains(['"', '<', '>', '@', '“', '”', '\n', '\u{202e}']),
        "{:?}",
        row.name
    );
    let own = row.own.as_ref().unwrap();
    assert!(row.kind != ClientKind::Service && !own.approved && !row.introspects);
    assert!(Scopes::parse_known(&row.delegated).is_empty());
    let proves = own.method.has_secret() || !row.keys.is_empty();
    assert!(
        proves || row.kind != ClientKind::Web,
        "a server that proves nothing"
    );
    assert_eq!(row.redirects.is_empty(), row.kind == ClientKind::Device);
    let url = |text: &String| Redirect::Exact(url::Url::parse(text).unwrap());
    let client = Client {
        redirects: row.redirects.iter().map(url).collect(),
        ..Client::new("id", "name", row.kind, "a fuzz target")
    };
    for address in &row.redirects {
        assert!(
            check_redirect(&client, Some(address)).is_ok(),
            "{address} can never be asked for"
        );
        let (scheme, rest) = address.split_once(':').unwrap();
        let host = host(rest);
        match &*scheme.to_ascii_lowercase() {
            "https" => {}
            "http" => assert!(is_loopback(&host), "{address}"),
            own => assert!(
                row.kind == ClientKind::Native && own.contains('.'),
                "{address}"
            ),
        }
        assert!(!address.contains(['#', '*', '\\', ' ']), "{address}");
    }
}

/// A registered address and the one a request names: where the browser would go is where it was registered to go, by the letters of
/// both, without a parser of addresses.
fn redirect(kind: Option<ClientKind>, rest: &[u8]) -> bool {
    let (registered, asked) = line(rest);
    let (Ok(registered), Ok(asked)) = (str::from_utf8(registered), str::from_utf8(asked)) else {
        return false;
    };
    let allowed = match kind.map(|kind| new_redirect(kind, registered)) {
        None => Redirect::AnyLoopback,
        Some(Ok(url)) => Redirect::Exact(url),
        Some(Err(_)) => return false,
    };
    let client = Client {
        redirects: vec![allowed],
        ..Client::new(
            "id",
            "name",
            kind.unwrap_or(ClientKind::Native),
            "a fuzz target",
        )
    };
    let Ok(goes) = check_redirect(&client, Some(asked)) else {
        return false;
    };
    // What is sent to the browser may be asked for again, and means the same.
    assert_eq!(check_redirect(&client, Some(&goes)).as_ref(), Ok(&goes));
    let (scheme, rest) = asked.split_once(':').unwrap();
    let lower = registered.to_ascii_lowercase();
    match kind {
        None => assert!(
            is_loopback(&host(rest)) && matches!(scheme, "http" | "https"),
            "{asked}"
        ),
        Some(_) if scheme == "http" => assert!(is_loopback(&host(rest)), "{asked}"),
        Some(_) => assert!(lower.starts_with(&format!("{scheme}:")), "{asked}"),
    }
    assert!(!asked.contains(['#', '\\', ' ']), "{asked}");
    true
}

/// The host behind `scheme:`, if there is one.
fn host(rest: &str) -> String {
    let authority = rest.trim_start_matches('/');
    let end = authority.find(['/', '?', '#']).unwrap_or(authority.len());
    let authority = &authority[..end];
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
        _ => authority,
    };
    host.to_ascii_lowercase()
}

fn is_loopback(host: &str) -> bool {
    matches!(host, "127.0.0.1" | "[::1]" | "localhost")
}
