//! How to set up mail programs: exact settings, and files to copy for those that have them.

use crate::frame::Frame;
use crate::pages::show;
use crate::signed::Signed;
use crate::{App, Setting, Site};
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

#[derive(Template)]
#[template(path = "account/setup.html")]
struct Page<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    settings: Vec<Setting>,
    imap: Option<u16>,
    /// Port and whether it begins in clear.
    smtp: Option<(u16, bool)>,
    /// The certificate to trust, where it is not a public one.
    authority: Option<String>,
    /// Whether that certificate can be had here.
    certificate: bool,
    /// How a program gets its password.
    secret: Secret,
    /// The address as a word of a command.
    quoted: String,
}

/// How the snippets get at a secret: never written into the file itself.
struct Secret {
    command: String,
    oauth: bool,
}

/// Where the certificate of a private authority is to be had.
pub(crate) const AUTHORITY: &str = "/account/setup/authority.pem";

/// The certificate of a private authority, for programs that are to trust it.
pub(crate) async fn authority(State(app): State<App>, _: Signed) -> Response {
    match app.web.control.authority_certificate() {
        Some(pem) => file(
            "application/x-pem-file",
            "pillarbox-authority.pem",
            pem.into(),
        ),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A file to keep. The name is ours.
pub(crate) fn file(kind: &'static str, name: &'static str, bytes: Vec<u8>) -> Response {
    let keep = format!("attachment; filename=\"{name}\"");
    (
        [(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, keep)],
        bytes,
    )
        .into_response()
}

pub(crate) async fn page(State(app): State<App>, signed: Signed) -> Response {
    let mail = &app.web.mail;
    let address = &**signed.person.address();
    // Only a development server gives tokens to whoever asks on this machine.
    let secret = match app.web.dev {
        true => Secret {
            command: format!("pillarbox token {}", quoted(address)),
            oauth: true,
        },
        false => Secret {
            command: "cat ~/.mail-app-password".into(),
            oauth: false,
        },
    };
    let smtps = mail.smtps.map(|port| (port, false));
    let page = Page {
        site: &app.site,
        frame: Frame::account(&signed, "/account/setup"),
        settings: mail.settings(),
        imap: mail.imap,
        smtp: smtps.or(mail.submission.map(|port| (port, true))),
        certificate: app.web.control.authority_certificate().is_some(),
        quoted: quoted(address),
        authority: app.web.control.authority(),
        secret,
    };
    show(StatusCode::OK, &page)
}

/// An address in a shell command inside quotes of a configuration file: most need nothing; others are quoted for the shell.
fn quoted(address: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"@.-_+".contains(&byte);
    match address.bytes().all(plain) {
        true => address.to_owned(),
        false => format!("'{}'", address.replace('\'', r"'\''")),
    }
}
