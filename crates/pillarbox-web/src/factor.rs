//! The second factor: the step behind the password, and the page where it is set up, renewed and removed.

use crate::frame::Frame;
use crate::pages::Waiting;
use crate::passkeys::{self, sentence};
use crate::signed::Signed;
use crate::{App, Peer, Site, account, form, pages};
use askama::Template;
use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use pillarbox_oauth::{IdentityError, Offers, OwnerProof, RefusalKind, Secret, TotpSetup};
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
    offers: Offers,
}

#[derive(Template)]
#[template(path = "second_factor.html")]
struct Page<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    error: Option<&'a str>,
    stands: Stands,
    /// Whether this server can have passkeys.
    script: bool,
    /// The way to sign in again, if that comes first.
    anew: Option<String>,
}

enum Stands {
    Off {
        phone: Phone,
        /// How many there are.
        passkeys: usize,
    },
    On {
        /// Recovery codes left.
        left: usize,
        passkeys: usize,
        /// What a phone must be told; None has been.
        phone: Option<Phone>,
    },
    /// Recovery codes, this once.
    Codes { codes: Vec<Secret> },
    /// Just removed.
    Removed,
}

/// What a phone must be told, as a picture and as words to type.
struct Phone {
    qr: Qr,
    secret: String,
}

/// A QR code as the path of an SVG, one square a dark module.
struct Qr {
    size: i32,
    path: String,
}

/// The page that asks for a code, after the right password.
pub(crate) async fn ask(
    app: &App,
    status: StatusCode,
    ticket: &str,
    waiting: Option<&Waiting>,
    error: Option<&str>,
) -> Response {
    let then = waiting.map_or("", |waiting| &waiting.then);
    // If it cannot be read, the answer will say so.
    let offers = app.web.identity.step_offers(ticket, app.now()).await;
    let page = Ask {
        site: &app.site,
        ticket,
        then,
        error,
        offers: offers.unwrap_or_default(),
    };
    let mut response = pages::show(status, &page);
    let next = waiting.and_then(|waiting| waiting.redirect.as_deref());
    passkeys::allow_script(app, &mut response, next);
    response
}

/// The code that was asked for, or the passkey.
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
    let shown = passkeys::shown(&headers, &form);
    let found = match shown {
        Some(shown) => {
            identity
                .passkey_second_factor(ticket, shown, app.now())
                .await
        }
        None => identity.web_second_factor(ticket, code, app.now()).await,
    };
    match found {
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
                _ if shown.is_some() => (
                    StatusCode::FORBIDDEN,
                    "This passkey is not right here, or came too late. Try again, or sign in anew.",
                ),
                _ => (
                    StatusCode::FORBIDDEN,
                    "This code is not right, was used already, or came too late. Wait for the next one, or sign in anew.",
                ),
            };
            ask(&app, status, ticket, waiting.as_ref(), Some(error)).await
        }
    }
}

/// The page where it is set up.
pub(crate) async fn page(State(app): State<App>, signed: Signed) -> Response {
    stands(&app, &signed, StatusCode::OK, None).await
}

/// What was asked of it.
pub(crate) async fn change(
    State(app): State<App>,
    signed: Signed,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = form::read(&body);
    let (identity, now) = (&signed.identity, app.now());
    let (account, code) = (signed.account(), form::get(&form, "code"));
    let (password, proof) = match passkeys::shown(&headers, &form) {
        Some((ticket, answer)) => (
            OwnerProof::Passkey(ticket, answer),
            OwnerProof::Passkey(ticket, answer),
        ),
        None => (
            OwnerProof::Password(form::get(&form, "password")),
            OwnerProof::Code(code),
        ),
    };
    let codes = |codes| Stands::Codes { codes };
    let done = match form::get(&form, "do") {
        // A borrowed session alone must not lock its owner out.
        "on" => match identity.confirm_owner(&signed.person, password, now).await {
            Ok(()) => identity.confirm_totp(account, code, now).await.map(codes),
            Err(fault) => Err(fault),
        },
        "passkeys" => match identity.confirm_owner(&signed.person, password, now).await {
            Ok(()) => identity.require_passkey(account, now).await.map(codes),
            Err(fault) => Err(fault),
        },
        "renew" => identity
            .renew_recovery_codes(account, proof, now)
            .await
            .map(codes),
        "off" => {
            let removed = identity.remove_second_factor(account, proof, now).await;
            removed.map(|()| Stands::Removed)
        }
        _ => return pages::go(PAGE),
    };
    match done {
        Ok(stands) => show(&app, &signed, StatusCode::OK, None, stands).await,
        // The page says it, and leads there.
        Err(IdentityError::SignInAnew) => stands(&app, &signed, StatusCode::FORBIDDEN, None).await,
        Err(fault @ (IdentityError::BadPassword(_) | IdentityError::TooMany(_))) => {
            let error = sentence(&fault);
            stands(&app, &signed, StatusCode::FORBIDDEN, Some(&error)).await
        }
        Err(fault) => pages::failed(&app, &fault),
    }
}

async fn stands(app: &App, signed: &Signed, status: StatusCode, error: Option<&str>) -> Response {
    let identity = &app.web.identity;
    let read = async {
        let now = identity.second_factor(signed.account()).await?;
        let passkeys = match identity.takes_passkeys() {
            true => identity.list_passkeys(signed.account()).await?.len(),
            false => 0,
        };
        let phone = match now.phone {
            true => None,
            false => Some(phone(&identity.begin_totp(signed.account()).await?)),
        };
        Ok::<_, IdentityError>((now, passkeys, phone))
    };
    let stands = match read.await {
        Ok((now, passkeys, Some(phone))) if now.since.is_none() => Stands::Off { phone, passkeys },
        Ok((now, passkeys, phone)) => Stands::On {
            left: now.recovery_codes,
            passkeys,
            phone,
        },
        Err(fault) => return pages::failed(app, &fault),
    };
    show(app, signed, status, error, stands).await
}

fn phone(setup: &TotpSetup) -> Phone {
    let letters: Vec<char> = setup.secret.expose().chars().collect();
    let words: Vec<String> = letters
        .chunks(4)
        .map(|word| word.iter().collect())
        .collect();
    Phone {
        qr: draw(setup.uri.expose()),
        secret: words.join(" "),
    }
}

async fn show(
    app: &App,
    signed: &Signed,
    status: StatusCode,
    error: Option<&str>,
    stands: Stands,
) -> Response {
    let anew = match signed.sign_in_anew(app, PAGE).await {
        Ok(anew) => anew,
        Err(fault) => return pages::failed(app, &fault),
    };
    let page = Page {
        site: &app.site,
        frame: Frame::account(signed, account::SIGN_IN),
        error,
        stands,
        script: app.web.identity.takes_passkeys(),
        anew,
    };
    let mut response = pages::show(status, &page);
    passkeys::allow_script(app, &mut response, None);
    response
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
