//! Passkeys: what the one script of the pages asks for, signing in with one, and the page where they are made and removed.
//!
//! The script ([`script`]) fetches options as JSON and puts the browser's answer into a form; everything else is forms and
//! pages like the others. Where the server is reached by an address browsers make no passkeys, and none of this is shown.

use crate::frame::Frame;
use crate::signed::Signed;
use crate::when::When;
use crate::{App, Peer, Site, form, headers, pages, session};
use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Extension, RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use pillarbox_oauth::{IdentityError, OwnerProof, PasskeyOptions, Refusal, RefusalKind};
use serde_json::json;
use std::sync::Arc;

/// Where the page is.
pub(crate) const PAGE: &str = "/account/passkeys";
/// Where the script is.
pub(crate) const SCRIPT: &str = "/passkey.js";
/// What binds a ceremony to this browser.
const COOKIE: &str = "__Host-passkey";
/// Seconds the browser keeps it; the ceremony ends no later.
const COOKIE_SECONDS: u32 = 600;
/// Longest name, in characters; the identity floor cuts there too.
const NAME_CHARS_MAX: usize = 100;
const REFUSED: &str = "This passkey does not open an account here, or it came too late. Try again, or use your password.";

/// The page below "Signing in".
#[derive(Template)]
#[template(path = "account/passkeys.html")]
struct Page<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    rows: Vec<Row>,
    error: Option<String>,
    name: &'a str,
    name_max: usize,
    has_password: bool,
    /// Whether this server can have any.
    possible: bool,
    /// The way to sign in again, if that comes first.
    anew: Option<String>,
}

struct Row {
    id: Arc<str>,
    name: Arc<str>,
    since: When,
    last: Option<When>,
    synced: bool,
}

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/signin/passkey", post(sign_in))
        .route("/signin/passkey/options", post(sign_in_options))
        .route("/signin/code/options", post(step_options))
        .route(PAGE, get(page).post(change))
        .route("/account/passkeys/options", post(new_options))
        .route("/account/confirm/options", post(confirm_options))
}

/// The script itself.
pub(crate) async fn script() -> Response {
    let headers = [
        (CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (CACHE_CONTROL, "public, max-age=3600"),
    ];
    (headers, include_str!("../assets/passkey.js")).into_response()
}

/// Lets the script run on a page, and forms lead to `next`.
pub(crate) fn allow_script(app: &App, response: &mut Response, next: Option<&str>) {
    let policy = match app.web.identity.takes_passkeys() {
        true => headers::policy_with(&app.site.origin, SCRIPT, next),
        false => headers::policy(next),
    };
    response
        .headers_mut()
        .insert(CONTENT_SECURITY_POLICY, policy);
}

/// What a form shows of a passkey: the browser's cookie, and the answer.
pub(crate) fn shown<'a>(
    headers: &'a HeaderMap,
    form: &'a form::Pairs,
) -> Option<(&'a str, &'a str)> {
    let answer = Some(form::get(form, "credential")).filter(|answer| !answer.is_empty())?;
    Some((session::named(headers, COOKIE).unwrap_or_default(), answer))
}

/// What a form shows of its sender being the account's owner: a passkey, else the member that holds the password.
pub(crate) fn proof<'a>(
    headers: &'a HeaderMap,
    form: &'a form::Pairs,
    name: &str,
) -> OwnerProof<'a> {
    match shown(headers, form) {
        Some((ticket, answer)) => OwnerProof::Passkey(ticket, answer),
        None => OwnerProof::Password(form::get(form, name)),
    }
}

fn give(options: Option<PasskeyOptions>) -> Response {
    let Some(PasskeyOptions { ticket, options }) = options else {
        return told(
            StatusCode::NOT_FOUND,
            "There is no passkey to use here. Please start again.",
        );
    };
    let cookie = format!(
        "{COOKIE}={}; Path=/; Max-Age={COOKIE_SECONDS}; Secure; HttpOnly; SameSite=Strict",
        ticket.expose()
    );
    // Our own texts are ASCII.
    let cookie = HeaderValue::from_str(&cookie).unwrap_or(HeaderValue::from_static(""));
    let kind = HeaderValue::from_static("application/json");
    ([(SET_COOKIE, cookie), (CONTENT_TYPE, kind)], options).into_response()
}

/// For the script to show.
fn told(status: StatusCode, error: &str) -> Response {
    let kind = [(CONTENT_TYPE, "application/json")];
    (status, kind, json!({ "error": error }).to_string()).into_response()
}

fn refused(refusal: &Refusal) -> Response {
    tracing::error!(cause = refusal.cause, "passkey");
    told(
        StatusCode::SERVICE_UNAVAILABLE,
        "The server could not do this just now. Please try again.",
    )
}

async fn sign_in_options(State(app): State<App>, peer: Option<Extension<Peer>>) -> Response {
    let identity = pages::identity_for(&app, peer);
    give(identity.begin_passkey_sign_in(app.now()))
}

async fn sign_in(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = form::read(&body);
    let waiting = pages::waiting(&app, form::get(&form, "then")).await;
    let identity = pages::identity_for(&app, peer);
    let (ticket, answer) = shown(&headers, &form).unwrap_or_default();
    match identity.passkey_sign_in(ticket, answer, app.now()).await {
        Ok(person) => pages::signed_in(&app, &headers, &person, waiting).await,
        Err(refusal) => {
            tracing::info!(cause = refusal.cause, "sign-in with a passkey refused");
            let (status, error) = match refusal.kind {
                RefusalKind::Temporary => (
                    StatusCode::SERVICE_UNAVAILABLE,
                    "The server could not check this just now. Please try again.",
                ),
                _ => (StatusCode::FORBIDDEN, REFUSED),
            };
            pages::sign_in_form(&app, status, waiting.as_ref(), "", Some(error))
        }
    }
}

async fn step_options(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    body: Bytes,
) -> Response {
    let form = form::read(&body);
    let identity = pages::identity_for(&app, peer);
    let begun = identity.begin_passkey_step(form::get(&form, "ticket"), app.now());
    match begun.await {
        Ok(options) => give(options),
        Err(refusal) => refused(&refusal),
    }
}

async fn confirm_options(State(app): State<App>, signed: Signed) -> Response {
    let begun = signed
        .identity
        .begin_passkey_confirmation(signed.account(), app.now());
    match begun.await {
        Ok(options) => give(options),
        Err(fault) => problem(&fault),
    }
}

async fn new_options(State(app): State<App>, signed: Signed, body: Bytes) -> Response {
    let (form, now) = (form::read(&body), app.now());
    if let Err(error) = name(&form) {
        return told(StatusCode::UNPROCESSABLE_ENTITY, &error);
    }
    let proof = OwnerProof::Password(form::get(&form, "password"));
    let begun = async {
        let identity = &signed.identity;
        identity.confirm_owner(&signed.person, proof, now).await?;
        identity.begin_passkey(signed.account(), now).await
    };
    match begun.await {
        Ok(options) => give(Some(options)),
        Err(fault) => problem(&fault),
    }
}

fn problem(fault: &IdentityError) -> Response {
    match fault {
        IdentityError::SignInAnew => {
            let kind = [(CONTENT_TYPE, "application/json")];
            let answer = json!({ "error": sentence(fault), "again": true });
            (StatusCode::FORBIDDEN, kind, answer.to_string()).into_response()
        }
        IdentityError::BadPassword(_) | IdentityError::TooMany(_) | IdentityError::NoSuch(_) => {
            told(StatusCode::FORBIDDEN, &sentence(fault))
        }
        _ => {
            tracing::error!(%fault, "passkey");
            told(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The server could not do this just now. Please try again.",
            )
        }
    }
}

fn name(form: &form::Pairs) -> Result<&str, String> {
    let name = form::get(form, "name").trim();
    match (1..=NAME_CHARS_MAX).contains(&name.chars().count()) {
        true => Ok(name),
        false => Err("Give it a name of up to 100 letters, so that you know it again.".into()),
    }
}

async fn page(State(app): State<App>, signed: Signed, RawQuery(query): RawQuery) -> Response {
    list(&app, &signed, query, "", None).await
}

async fn list(
    app: &App,
    signed: &Signed,
    query: Option<String>,
    name: &str,
    error: Option<String>,
) -> Response {
    let read = async {
        let all = signed.identity.list_passkeys(signed.account()).await?;
        let password = signed.identity.password_set(signed.account()).await?;
        let anew = signed.sign_in_anew(app, PAGE).await?;
        Ok::<_, IdentityError>((all, password, anew))
    };
    let (all, password, anew) = match read.await {
        Ok(found) => found,
        Err(fault) => return pages::failed(app, &fault),
    };
    let now = app.now();
    let rows = all.into_iter().rev().map(|one| Row {
        id: one.id,
        name: one.name,
        since: When::new(one.created, now),
        last: one.used.map(|used| When::new(used, now)),
        synced: one.synced,
    });
    let status = match error {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    let page = Page {
        site: &app.site,
        frame: Frame::account(signed, crate::account::SIGN_IN).after(query),
        rows: rows.collect(),
        error,
        name,
        name_max: NAME_CHARS_MAX,
        has_password: password.is_some(),
        possible: signed.identity.takes_passkeys(),
        anew,
    };
    let mut response = pages::show(status, &page);
    allow_script(app, &mut response, None);
    response
}

async fn change(
    State(app): State<App>,
    signed: Signed,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (form, now) = (form::read(&body), app.now());
    let (identity, account) = (&signed.identity, signed.account());
    let done = match form::get(&form, "do") {
        "remove" => {
            let removed = identity.remove_passkey(account, form::get(&form, "id"), now);
            removed.await.map(|()| "passkey-removed")
        }
        _ => {
            let (name, shown) = match (name(&form), shown(&headers, &form)) {
                (Ok(name), Some(shown)) => (name, shown),
                (Err(error), _) => return list(&app, &signed, None, "", Some(error)).await,
                (Ok(name), None) => {
                    let error = "No passkey came with the form: it needs a browser that makes them, and JavaScript.";
                    return list(&app, &signed, None, name, Some(error.into())).await;
                }
            };
            let added = identity.add_passkey(account, shown, name, now);
            added.await.map(|()| "passkey-added")
        }
    };
    match done {
        Ok(done) => pages::go(&format!("{PAGE}?done={done}")),
        Err(fault @ (IdentityError::BadPassword(_) | IdentityError::TooMany(_))) => {
            let error = sentence(&fault);
            list(&app, &signed, None, form::get(&form, "name"), Some(error)).await
        }
        Err(IdentityError::NoSuch(_)) => pages::go(PAGE),
        Err(fault) => pages::failed(&app, &fault),
    }
}

/// A reason as a sentence.
pub(crate) fn sentence(fault: &IdentityError) -> String {
    let text = fault.to_string();
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).chain(['.']).collect()
}
