//! The pages of people: start, sign in and out, messages.

use crate::asked::{Asked, with_mark};
use crate::signed::Signed;
use crate::{
    App, Peer, Setting, Site, browser, console, device, external, factor, form, passkeys, session,
    signed,
};
use askama::Template;
use axum::body::Bytes;
use axum::extract::{Extension, RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use pillarbox_oauth::{
    AuthorizationRequest, FirstFactor, Identity, Principal, Recency, RefusalKind, Secret,
};

#[derive(Template)]
#[template(path = "home.html")]
struct Home<'a> {
    site: &'a Site,
    address: Option<&'a str>,
    initial: String,
    lines: Vec<Setting>,
}

#[derive(Template)]
#[template(path = "signin.html")]
struct SignIn<'a> {
    site: &'a Site,
    app: Option<&'a str>,
    /// Whether somebody signed in must sign in again for a page of ours.
    again: bool,
    error: Option<&'a str>,
    address: &'a str,
    then: &'a str,
    /// Who is signed in, though the program asks for somebody else.
    other: Option<&'a str>,
    /// Whether the error is about what was typed.
    marked: bool,
    /// Providers elsewhere.
    ways: Vec<external::Way>,
    passkeys: bool,
}

#[derive(Template)]
#[template(path = "message.html")]
pub(crate) struct Message<'a> {
    pub site: &'a Site,
    pub title: &'a str,
    pub lines: &'a [&'a str],
    pub code: Option<&'a str>,
    /// A way to another site, and its name.
    pub back: Option<(&'a str, String)>,
}

/// A page, or the little there is to say when it cannot be made.
pub(crate) fn show(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(page) => (status, Html(page)).into_response(),
        Err(fault) => {
            tracing::error!(%fault, "page");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A page that says one thing. With a code it is an error.
pub(crate) fn message(
    app: &App,
    status: StatusCode,
    title: &str,
    lines: &[&str],
    code: Option<&str>,
) -> Response {
    show(
        status,
        &Message {
            site: &app.site,
            title,
            lines,
            code,
            back: None,
        },
    )
}

/// Our fault; the cause is in the log.
pub(crate) fn failed(app: &App, cause: &dyn std::fmt::Display) -> Response {
    tracing::error!(%cause, "page");
    let lines = [
        "The server could not do this just now. Nothing was changed. Please try again in a moment.",
    ];
    message(
        app,
        StatusCode::INTERNAL_SERVER_ERROR,
        "That did not work",
        &lines,
        Some("server_error"),
    )
}

/// Sends the browser on with a GET.
pub(crate) fn go(address: &str) -> Response {
    match HeaderValue::from_str(address) {
        Ok(address) => (StatusCode::SEE_OTHER, [(LOCATION, address)]).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

pub(crate) async fn home(State(app): State<App>, headers: HeaderMap) -> Response {
    let person = session::person(&app, &headers).await;
    let address = person.as_ref().map(|person| &**person.address());
    let initial = address
        .unwrap_or_default()
        .chars()
        .take(1)
        .flat_map(char::to_uppercase)
        .collect();
    let lines = app.web.mail.settings();
    show(
        StatusCode::OK,
        &Home {
            site: &app.site,
            address,
            initial,
            lines,
        },
    )
}

/// What waits behind the sign-in.
pub(crate) struct Waiting {
    /// The program it is for.
    app: Option<String>,
    /// Whose account it expects.
    pub(crate) hint: String,
    /// Where the browser is sent by the answer.
    pub(crate) redirect: Option<String>,
    pub(crate) then: String,
    /// Where to go when somebody is signed in.
    next: String,
    /// How recently they must have signed in, wherever they do.
    pub(crate) recency: Recency,
    /// Whether it must be told that they signed in for it.
    marked: bool,
    request: Option<AuthorizationRequest>,
}

impl Waiting {
    /// A page of ours.
    fn page(then: String, next: String) -> Self {
        Self {
            app: None,
            hint: String::new(),
            redirect: None,
            then,
            next,
            recency: Recency::Any,
            marked: false,
            request: None,
        }
    }

    /// Whether it is a page of ours that takes a sign-in anew.
    pub(crate) fn is_again(&self) -> bool {
        self.request.is_none() && self.recency == Recency::ANEW
    }

    /// Where to go with the session that was opened for it.
    fn next(&self, app: &App, session: &Secret) -> String {
        if !self.marked {
            return self.next.clone();
        }
        let identity = &app.web.identity;
        let mark = identity.signed_in_for(session.expose(), &self.then, app.now());
        with_mark(&self.next, &mark)
    }
}

/// The authorization request, device code or page of ours that waits behind the sign-in, if `then` holds one. Anything else
/// is dropped, so that this page leads nowhere but to ourselves.
pub(crate) async fn waiting(app: &App, then: &str) -> Option<Waiting> {
    if then.is_empty() {
        return None;
    }
    let Asked {
        pairs, text: then, ..
    } = Asked::read(then.as_bytes());
    if let [(name, value)] = &pairs[..] {
        match &**name {
            "user_code" => return Some(Waiting::page(then, device::consent_page(value))),
            signed::AGAIN if signed::is_ours(value) => {
                return Some(Waiting {
                    recency: Recency::ANEW,
                    ..Waiting::page(then, value.clone())
                });
            }
            _ => {}
        }
    }
    let request = app
        .web
        .identity
        .authorization_request(&pairs, app.now())
        .await
        .ok()?;
    Some(Waiting {
        app: Some(request.client().name.to_string()),
        hint: request.login_hint().unwrap_or_default().to_owned(),
        redirect: Some(request.redirect_uri().to_owned()),
        next: format!("/o/oauth2/v2/auth?{then}"),
        then,
        recency: request.recency(),
        marked: request.wants_a_mark(),
        request: Some(request),
    })
}

pub(crate) async fn sign_in_page(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = form::read(query.unwrap_or_default().as_bytes());
    let waiting = waiting(&app, form::get(&query, "then")).await;
    let person = session::person(&app, &headers).await;
    let request = waiting
        .as_ref()
        .and_then(|waiting| waiting.request.as_ref());
    let other = person
        .as_ref()
        .filter(|person| request.is_some_and(|request| request.is_for_another(person)));
    let other = other.map(|person| &**person.address());
    let hint = waiting.as_ref().map_or("", |waiting| waiting.hint.as_str());
    form_for(&app, StatusCode::OK, waiting.as_ref(), hint, None, other)
}

pub(crate) fn sign_in_form(
    app: &App,
    status: StatusCode,
    waiting: Option<&Waiting>,
    address: &str,
    error: Option<&str>,
) -> Response {
    form_for(app, status, waiting, address, error, None)
}

fn form_for(
    app: &App,
    status: StatusCode,
    waiting: Option<&Waiting>,
    address: &str,
    error: Option<&str>,
    other: Option<&str>,
) -> Response {
    let name = waiting.and_then(|waiting| waiting.app.as_deref());
    let then = waiting.map_or("", |waiting| &waiting.then);
    let mut response = show(
        status,
        &SignIn {
            site: &app.site,
            app: name,
            again: waiting.is_some_and(Waiting::is_again),
            error,
            address,
            then,
            other,
            marked: error.is_some() && !address.is_empty(),
            ways: external::ways(app, waiting),
            passkeys: app.web.identity.takes_passkeys(),
        },
    );
    let next = waiting.and_then(|waiting| waiting.redirect.as_deref());
    passkeys::allow_script(app, &mut response, next);
    response
}

pub(crate) async fn sign_in(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = form::read(&body);
    let waiting = waiting(&app, form::get(&form, "then")).await;
    let (address, password) = (
        form::get(&form, "address").trim(),
        form::get(&form, "password"),
    );
    let from = peer.map(|Extension(Peer(address))| address.to_canonical());
    let identity = identity_for(&app, peer);
    let pause = (app.web.pause)();
    let first = identity.web_first_factor(address, password, app.now());
    let person = match first.await {
        Ok(FirstFactor::Enough(person)) => person,
        Ok(FirstFactor::HalfWay(ticket)) => {
            return factor::ask(
                &app,
                StatusCode::OK,
                ticket.expose(),
                waiting.as_ref(),
                None,
            )
            .await;
        }
        Err(refusal) => {
            let offered = identity.offered(address).await;
            let peer = from.map(tracing::field::display);
            tracing::info!(offered, peer, cause = refusal.cause, "web sign-in refused");
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
                    "This address and password do not belong together. Please check both.",
                ),
            };
            let page = sign_in_form(&app, status, waiting.as_ref(), address, Some(error));
            pause.await;
            return page;
        }
    };
    signed_in(&app, &headers, &person, waiting).await
}

/// Opens the session of somebody who has shown enough, and goes on.
pub(crate) async fn signed_in(
    app: &App,
    headers: &HeaderMap,
    person: &Principal,
    waiting: Option<Waiting>,
) -> Response {
    // A new session for every sign-in; the one before, if any, is over.
    if let Some(old) = session::cookie(headers)
        && let Err(fault) = app.web.identity.close_session(old).await
    {
        return failed(app, &fault);
    }
    let identity = &app.web.identity;
    let opened = identity.open_session_in(person, browser::agent(headers), app.now());
    let session = match opened.await {
        Ok(session) => session,
        Err(fault) => return failed(app, &fault),
    };
    let next = waiting.map_or_else(
        || signed::next(headers),
        |waiting| waiting.next(app, &session),
    );
    with_session(&next, &session)
}

/// Goes on with a new session after something that ended all of a person's sessions.
pub(crate) async fn renewed(
    app: &App,
    headers: &HeaderMap,
    signed: &Signed,
    next: &str,
) -> Response {
    let identity = &signed.identity;
    let opened = identity.open_session_in(&signed.person, browser::agent(headers), app.now());
    match opened.await {
        Ok(session) => with_session(next, &session),
        Err(fault) => failed(app, &fault),
    }
}

fn with_session(next: &str, session: &Secret) -> Response {
    let mut response = go(next);
    response
        .headers_mut()
        .insert(SET_COOKIE, session::set(Some(session)));
    response
}

pub(crate) fn identity_for(app: &App, peer: Option<Extension<Peer>>) -> Identity {
    match peer {
        Some(Extension(Peer(address))) => app.web.identity.from_peer(address),
        None => app.web.identity.clone(),
    }
}

pub(crate) async fn sign_out(State(app): State<App>, headers: HeaderMap) -> Response {
    if let Some(session) = session::cookie(&headers)
        && let Err(fault) = app.web.identity.close_session(session).await
    {
        return failed(&app, &fault);
    }
    let mut response = go("/");
    response
        .headers_mut()
        .insert(SET_COOKIE, session::set(None));
    response
}

/// For every address that leads nowhere.
pub(crate) async fn anything_else(State(app): State<App>, address: Uri) -> Response {
    match console::nothing_there(&app, address.path()) {
        Some(answer) => answer,
        None => not_found(State(app)).await,
    }
}

pub(crate) async fn not_found(State(app): State<App>) -> Response {
    message(
        &app,
        StatusCode::NOT_FOUND,
        "There is no such page",
        &["The address may be mistyped."],
        None,
    )
}

/// Assets change with the program only.
fn asset(kind: &'static str, text: &'static str) -> Response {
    (
        [
            (CONTENT_TYPE, kind),
            (CACHE_CONTROL, "public, max-age=3600"),
        ],
        text,
    )
        .into_response()
}

pub(crate) async fn style() -> Response {
    asset(
        "text/css; charset=utf-8",
        include_str!("../assets/style.css"),
    )
}

pub(crate) async fn icon() -> Response {
    asset("image/svg+xml", include_str!("../assets/icon.svg"))
}
