//! Sign-in with a provider elsewhere: its button, the way there, the way back. What its answer is worth is judged below.
//!
//! While somebody is away their browser keeps a cookie: the ticket of this sign-in, and what waits behind it. The button is
//! a link and no form, because it changes nothing here and leads to another site, where our forms may not lead.

use crate::pages::{Waiting, go, identity_for, sign_in_form, signed_in, waiting};
use crate::{App, Peer, factor, form, session};
use axum::Router;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::get;
use pillarbox_oauth::{ExternalRefusal, FirstFactor, Recency, WhyNot};

const COOKIE: &str = "__Host-external";
/// Longest cookie set, in bytes; browsers keep 4,096 (RFC 6265 §6.1).
const COOKIE_BYTES_MAX: usize = 3_900;
/// Seconds the browser keeps it; the ticket in it has an end of its own.
const COOKIE_SECONDS: u32 = 900;

/// One provider as the sign-in page offers it.
pub(crate) struct Way {
    pub label: String,
    pub href: String,
}

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/signin/external/{provider}", get(begin))
        .route("/signin/external/{provider}/back", get(back))
}

/// The ways to sign in elsewhere, and then to what waits.
pub(crate) fn ways(app: &App, waiting: Option<&Waiting>) -> Vec<Way> {
    let then = waiting.map(|waiting| form::encode(&waiting.then));
    let all = app.web.identity.external_providers();
    let way = |(name, label): (&str, &str)| Way {
        label: label.to_owned(),
        href: match &then {
            Some(then) => format!("/signin/external/{name}?then={then}"),
            None => format!("/signin/external/{name}"),
        },
    };
    all.map(way).collect()
}

/// Off to the provider.
async fn begin(
    State(app): State<App>,
    Path(provider): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = form::read(query.unwrap_or_default().as_bytes());
    let waiting = waiting(&app, form::get(&query, "then")).await;
    let person = session::person(&app, &headers).await;
    let hint = match (&waiting, &person) {
        (Some(waiting), Some(person)) if waiting.is_again() => Some(&**person.address()),
        (waiting, _) => waiting.as_ref().map(|waiting| waiting.hint.as_str()),
    };
    let recency = match wanted(waiting.as_ref()) {
        // Whoever is signed in wants to be somebody else, perhaps.
        Recency::Any if person.is_some() => Recency::Asked,
        recency => recency,
    };
    let identity = &app.web.identity;
    let begun = match identity
        .begin_external(&provider, hint, recency, app.now())
        .await
    {
        Ok(begun) => begun,
        Err(refusal) => return refused(&app, &provider, waiting.as_ref(), &refusal),
    };
    let then = waiting.as_ref().map_or("", |waiting| &waiting.then);
    let Some(cookie) = cookie(&format!("{}~{then}", begun.ticket.expose()), COOKIE_SECONDS) else {
        let error = "What the program asks for is too long to be carried to another site and back. Please sign in another way.";
        let status = StatusCode::URI_TOO_LONG;
        return sign_in_form(&app, status, waiting.as_ref(), "", Some(error));
    };
    let mut response = go(&begun.address);
    response.headers_mut().insert(SET_COOKIE, cookie);
    response
}

/// Back with the provider's answer. The cookie is good for one.
async fn back(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    Path(provider): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let params = form::read(query.unwrap_or_default().as_bytes());
    let kept = session::named(&headers, COOKIE).unwrap_or_default();
    let (ticket, then) = kept.split_once('~').unwrap_or((kept, ""));
    let waiting = waiting(&app, then).await;
    let identity = identity_for(&app, peer);
    let wanted = wanted(waiting.as_ref());
    let done = identity
        .finish_external(&provider, ticket, &params, wanted, app.now())
        .await;
    let mut response = match done {
        Ok(FirstFactor::Enough(person)) => signed_in(&app, &headers, &person, waiting).await,
        Ok(FirstFactor::HalfWay(ticket)) => {
            let (ticket, waiting) = (ticket.expose(), waiting.as_ref());
            factor::ask(&app, StatusCode::OK, ticket, waiting, None).await
        }
        Err(refusal) => refused(&app, &provider, waiting.as_ref(), &refusal),
    };
    if let Some(over) = cookie("", 0) {
        response.headers_mut().append(SET_COOKIE, over);
    }
    response
}

/// How recent the sign-in must be for what waits behind it.
fn wanted(waiting: Option<&Waiting>) -> Recency {
    waiting.map_or(Recency::Any, |waiting| waiting.recency)
}

/// Lax, because the provider sends the browser back from another site.
fn cookie(value: &str, seconds: u32) -> Option<HeaderValue> {
    let line =
        format!("{COOKIE}={value}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Lax");
    let short = line.len() <= COOKIE_BYTES_MAX;
    HeaderValue::from_str(&line).ok().filter(|_| short)
}

/// The sign-in page again, with the reason in words: there are other ways.
fn refused(
    app: &App,
    provider: &str,
    waiting: Option<&Waiting>,
    refusal: &ExternalRefusal,
) -> Response {
    let mut all = app.web.identity.external_providers();
    let label = all.find(|(name, _)| *name == provider);
    let label = label.map_or("The provider", |(_, label)| label);
    tracing::info!(
        provider = label,
        cause = refusal.cause,
        "web sign-in refused"
    );
    let (status, text) = match refusal.why {
        WhyNot::NoProvider => {
            let text = "There is no such way to sign in. These are the ways there are.".into();
            (StatusCode::NOT_FOUND, text)
        }
        WhyNot::Unreachable => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!(
                "{label} does not answer just now. Please try again in a moment, or sign in another way."
            ),
        ),
        WhyNot::NotBegun => (
            StatusCode::FORBIDDEN,
            "This sign-in was begun in another browser, or too long ago. Please begin again."
                .into(),
        ),
        WhyNot::Cancelled => (
            StatusCode::FORBIDDEN,
            format!("The sign-in with {label} was cancelled. Nothing was changed."),
        ),
        WhyNot::Unverified => (
            StatusCode::FORBIDDEN,
            format!(
                "{label} has not confirmed that the mail address there is yours. Please confirm it there, then try again."
            ),
        ),
        WhyNot::NoMailbox => (
            StatusCode::FORBIDDEN,
            format!(
                "{label} knows you, but there is no mailbox for you on this server. Its administrator can make one."
            ),
        ),
        WhyNot::NotAnew => (
            StatusCode::FORBIDDEN,
            format!(
                "{label} let you through without asking who you are, and this takes a sign-in just now. Please sign out at {label}, then try again; or sign in another way."
            ),
        ),
        WhyNot::Unsaid => (
            StatusCode::FORBIDDEN,
            format!(
                "This takes a sign-in just now, and {label} does not say when you signed in there. Please sign in another way; without one, the administrator of this server can send you a link to set a password."
            ),
        ),
        WhyNot::Refused => (
            StatusCode::FORBIDDEN,
            format!(
                "The sign-in with {label} cannot be accepted here. The administrator of this server can see the reason in its log."
            ),
        ),
        WhyNot::TooOften => (
            StatusCode::TOO_MANY_REQUESTS,
            "Too many attempts. Please wait a little before you try again.".into(),
        ),
        WhyNot::Ourselves => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The server could not check this just now. Please try again.".into(),
        ),
    };
    sign_in_form(app, status, waiting, "", Some(&text))
}
