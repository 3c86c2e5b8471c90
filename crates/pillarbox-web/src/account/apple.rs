//! The profile that sets up Apple Mail: servers, ports and the address, and where the server has a private authority, its
//! certificate. Apple Mail signs in with passwords only, so it is used with an app password, which the device asks for; the
//! profile holds none. It is not signed: what vouches for it is that it was downloaded here.

use super::setup::file;
use crate::signed::Signed;
use crate::{App, Site, pages};
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

pub(crate) const PATH: &str = "/account/setup/apple.mobileconfig";

#[derive(Template)]
#[template(path = "account/mobileconfig.xml")]
struct Profile<'a> {
    site: &'a Site,
    address: &'a str,
    imap: u16,
    smtp: u16,
    id: String,
    mail_id: String,
    /// The certificate as the base64 of its DER.
    certificate: Option<(String, String)>,
}

pub(crate) async fn profile(State(app): State<App>, signed: Signed) -> Response {
    let mail = &app.web.mail;
    let (Some(imap), Some(smtp)) = (mail.imap, mail.smtps.or(mail.submission)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let address = &**signed.person.address();
    let origin = &app.site.origin;
    let pem = app.web.control.authority_certificate();
    let certificate = pem.as_deref().and_then(first_certificate);
    let profile = Profile {
        site: &app.site,
        address,
        imap,
        smtp,
        id: uuid(&["profile", origin, address]),
        mail_id: uuid(&["mail", origin, address]),
        certificate: certificate.map(|base64| (uuid(&["authority", origin]), base64)),
    };
    match profile.render() {
        Ok(text) => file(
            "application/x-apple-aspen-config",
            "pillarbox.mobileconfig",
            text.into(),
        ),
        Err(fault) => pages::failed(&app, &fault),
    }
}

/// The same for the same things, so that a profile that is downloaded again replaces the one before (RFC 9562 §5.8).
fn uuid(of: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in of {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let hash = hasher.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_bytes()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    [0..4, 4..6, 6..8, 8..10, 10..16]
        .map(|range| hex[range].concat())
        .join("-")
}

/// What stands between the lines of the first certificate (RFC 7468 §2).
fn first_certificate(pem: &str) -> Option<String> {
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (base64, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let base64: String = base64.split_ascii_whitespace().collect();
    (!base64.is_empty()).then_some(base64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_stable_and_told_apart() {
        let id = uuid(&["mail", "https://a.example", "ada"]);
        assert_eq!(id, uuid(&["mail", "https://a.example", "ada"]));
        assert_ne!(id, uuid(&["mail", "https://a.examplea", "da"]));
        assert_eq!(id.len(), 36);
        assert_eq!(id.as_bytes()[14], b'8');
    }

    #[test]
    fn the_certificate_without_its_armour() {
        let pem = "x\n-----BEGIN CERTIFICATE-----\nMIIB\r\nAA==\n-----END CERTIFICATE-----\n";
        assert_eq!(first_certificate(pem).as_deref(), Some("MIIBAA=="));
        assert_eq!(first_certificate("-----BEGIN CERTIFICATE-----"), None);
    }
}
