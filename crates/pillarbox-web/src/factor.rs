//! The second factor: the step behind the password, and the page where it is set up, renewed and removed.

use crate::frame::Frame;
use crate::pages::Waiting;
use crate::signed::Signed;
use crate::{App, Peer, Site, form, headers, pages};
use askama::Template;
use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use pillarbox_oauth::{FirstFactor, IdentityError, RefusalKind, Secret, TotpSetup};
use qrcodegen::{QrCode, QrCodeEcc};
use std::fmt::Write as _;

/// Where the page is.
pub(crate) const PAGE: &str = "/account/second-factor";
/// White around a QR code, in modules (ISO/IEC 18004 asks for four).
const QUIET: i32 = 4;

#[derive(Template)]
#[template(path = "code.html")]
struct Ask<'a> {
    site: &'a Site,
    ticket: &'a str,
    then: &'a str,
    error: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "second_factor.html")]
struct Page<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    error: Option<&'a str>,
    stands: Stands,
}

enum Stands {
    /// Off; what the phone must be told.
    Off { qr: Qr, secret: String },
    /// On, with so many recovery codes left.
    On { left: usize },
    /// Recovery codes, this once.
    Codes { codes: Vec<Secret> },
    /// Just removed.
    Removed,
}

/// A QR code as the path of an SVG, one square a dark module.
struct Qr {
    size: i32,
    path: String,
}

/// The page that asks for a code, after the right password.
pub(crate) fn ask(
    app: &App,
    status: StatusCode,
    ticket: &str,
    waiting: Option<&Waiting>,
    error: Option<&str>,
) -> Response {
    let then = waiting.map_or("", |waiting| &waiting.then);
    let page = Ask {
        site: &app.site,
        ticket,
        then,
        error,
    };
    let mut response = pages::show(status, &page);
    let next = waiting.and_then(|waiting| waiting.redirect.as_deref());
    response
        .headers_mut()
        .insert(CONTENT_SECURITY_POLICY, headers::policy(next));
    response
}

/// The code that was asked for.
pub(crate) async fn code(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = form::read(&body);
    let waiting = pages::waiting(&app, form::get(&form, "then")).await;
    let (ticket, code) = (form::get(&form, "ticket"), form::get(&form, "code"));
    let identity = pages::identity_for(&app, peer);
    match identity.web_second_factor(ticket, code, app.now()).await {
        Ok(person) => pages::signed_in(&app, &headers, &person, waiting).await,
        Err(refusal) => {
            tracing::info!(cause = refusal.cause, "second factor refused");
            let (status, error) = match refusal.kind {
                RefusalKind::TooManyAttempts => (
                    StatusCode::TOO_MANY_REQUESTS,
                    "Too many attempts. Please wait a little before you try again.",
                ),
                RefusalKind::Temporary => (
                    StatusCode::SERVICE_UNAVAILABLE,
                    "The server could not check this just now. Please try again.",
                ),
                _ => (
                    StatusCode::FORBIDDEN,
                    "This code is not right, was used already, or came too late. Wait for the next one, or sign in anew.",
                ),
            };
            ask(&app, status, ticket, waiting.as_ref(), Some(error))
        }
    }
}

/// The page where it is set up.
pub(crate) async fn page(State(app): State<App>, signed: Signed) -> Response {
    stands(&app, &signed, StatusCode::OK, None).await
}

/// What was asked of it.
pub(crate) async fn change(State(app): State<App>, signed: Signed, body: Bytes) -> Response {
    let form = form::read(&body);
    let (identity, now) = (&signed.identity, app.now());
    let (account, code) = (signed.account(), form::get(&form, "code"));
    let done = match form::get(&form, "do") {
        "on" => {
            // A borrowed session alone must not lock its owner out.
            let password = form::get(&form, "password");
            let first = identity.web_first_factor(signed.person.address(), password, now);
            match first.await {
                Ok(FirstFactor::Enough(_)) => {
                    let codes = identity.confirm_totp(account, code, now).await;
                    codes.map(|codes| Stands::Codes { codes })
                }
                Ok(FirstFactor::HalfWay(_)) => return pages::go(PAGE),
                Err(_) => Err(IdentityError::BadPassword(
                    "the password was not accepted; please try again",
                )),
            }
        }
        "renew" => {
            let codes = identity.renew_recovery_codes(account, code, now).await;
            codes.map(|codes| Stands::Codes { codes })
        }
        "off" => {
            let removed = identity.remove_second_factor(account, code, now).await;
            removed.map(|()| Stands::Removed)
        }
        _ => return pages::go(PAGE),
    };
    match done {
        Ok(stands) => show(&app, &signed, StatusCode::OK, None, stands),
        Err(fault @ (IdentityError::BadPassword(_) | IdentityError::TooMany(_))) => {
            let error = sentence(&fault.to_string());
            stands(&app, &signed, StatusCode::FORBIDDEN, Some(&error)).await
        }
        Err(fault) => pages::failed(&app, &fault),
    }
}

async fn stands(app: &App, signed: &Signed, status: StatusCode, error: Option<&str>) -> Response {
    let identity = &app.web.identity;
    let now = match identity.second_factor(signed.account()).await {
        Ok(now) => now,
        Err(fault) => return pages::failed(app, &fault),
    };
    if now.since.is_some() {
        let left = now.recovery_codes;
        return show(app, signed, status, error, Stands::On { left });
    }
    match identity.begin_totp(signed.account()).await {
        Ok(setup) => show(app, signed, status, error, off(&setup)),
        Err(fault) => pages::failed(app, &fault),
    }
}

fn off(setup: &TotpSetup) -> Stands {
    let letters: Vec<char> = setup.secret.expose().chars().collect();
    let words: Vec<String> = letters
        .chunks(4)
        .map(|word| word.iter().collect())
        .collect();
    Stands::Off {
        qr: draw(setup.uri.expose()),
        secret: words.join(" "),
    }
}

fn show(
    app: &App,
    signed: &Signed,
    status: StatusCode,
    error: Option<&str>,
    stands: Stands,
) -> Response {
    let page = Page {
        site: &app.site,
        frame: Frame::account(signed, PAGE),
        error,
        stands,
    };
    pages::show(status, &page)
}

/// Too long an address gives an empty picture; the secret stands beside it.
fn draw(text: &str) -> Qr {
    let mut path = String::new();
    let Ok(code) = QrCode::encode_text(text, QrCodeEcc::Medium) else {
        return Qr { size: 1, path };
    };
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
            // Writing to a string does not fail.
            let _ = write!(path, "M{},{}h1v1h-1z", x + QUIET, y + QUIET);
        }
    }
    Qr {
        size: code.size() + 2 * QUIET,
        path,
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).chain(['.']).collect()
}
