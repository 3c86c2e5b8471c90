//! The authorization endpoint and the consent page behind it.

use crate::pages::{failed, go, message, show};
use crate::{App, Site, form, headers, session};
use askama::Template;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use pillarbox_oauth::{
    AuthorizationError, AuthorizationRequest, ErrorCode, Principal, Scope, Scopes, is_loopback,
};
use url::Url;

/// What is asked, for the browser or for a device elsewhere.
#[derive(Template)]
#[template(path = "consent.html")]
pub(crate) struct Consent<'a> {
    pub site: &'a Site,
    pub app: &'a str,
    pub address: &'a str,
    pub other_hint: Option<&'a str>,
    pub scopes: Vec<&'static str>,
    pub registered_by: &'a str,
    /// The code another device shows.
    pub device: Option<&'a str>,
    /// Where the answer goes.
    pub action: &'static str,
    /// Where the browser goes after it.
    pub next: Option<String>,
    pub then: &'a str,
    pub then_encoded: String,
}

/// What a request says and who is there to answer it.
pub(crate) async fn authorize(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let pairs = form::read(query.unwrap_or_default().as_bytes());
    let request = match app
        .web
        .identity
        .authorization_request(&pairs, app.now())
        .await
    {
        Ok(request) => request,
        Err(error) => return refused(&app, error),
    };
    let prompt = request.prompt();
    let refuse = |code, text: &str| refused(&app, app.web.identity.refuse(&request, code, text));
    let person = session::person(&app, &headers).await;
    let Some(person) = person.filter(|_| !prompt.login) else {
        if prompt.none {
            return refuse(ErrorCode::LoginRequired, "Nobody is signed in.");
        }
        // Signing in is what prompt=login asked for: it must not ask again.
        let then = form::print(&without_login(pairs));
        return go(&format!("/signin?then={}", form::encode(&then)));
    };
    match app
        .web
        .identity
        .needs_consent(&request, &person, app.now())
        .await
    {
        Err(fault) => failed(&app, &fault),
        Ok(true) if prompt.none => {
            refuse(ErrorCode::ConsentRequired, "The person has not agreed yet.")
        }
        Ok(true) => ask(&app, &request, &person, &form::print(&pairs)).await,
        Ok(false) => approve(&app, &request, &person).await,
    }
}

/// Allow or Cancel.
pub(crate) async fn answer(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Response {
    let form = form::read(&body);
    let pairs = form::read(form::get(&form, "then").as_bytes());
    let request = match app
        .web
        .identity
        .authorization_request(&pairs, app.now())
        .await
    {
        Ok(request) => request,
        Err(error) => return refused(&app, error),
    };
    let then = form::print(&pairs);
    if form::get(&form, "answer") != "allow" {
        return go(&app.web.identity.deny(&request));
    }
    let Some(person) = session::person(&app, &headers).await else {
        return go(&format!("/signin?then={}", form::encode(&then)));
    };
    // Another tab may have switched accounts: what is allowed must be what the page said.
    if form::get(&form, "account") != &**person.address() {
        return ask(&app, &request, &person, &then).await;
    }
    approve(&app, &request, &person).await
}

async fn approve(app: &App, request: &AuthorizationRequest, person: &Principal) -> Response {
    match app.web.identity.approve(request, person, app.now()).await {
        Ok(address) => go(&address),
        Err(fault) => failed(app, &fault),
    }
}

async fn ask(
    app: &App,
    request: &AuthorizationRequest,
    person: &Principal,
    then: &str,
) -> Response {
    let address = &**person.address();
    let mut other_hint = request
        .login_hint()
        .filter(|hint| !hint.eq_ignore_ascii_case(address));
    if let Some(hint) = other_hint
        && let Ok(Some(account)) = app.web.store.account_of(hint).await
        && account == *person.account()
    {
        other_hint = None; // an alias
    }
    let client = request.client();
    let page = Consent {
        site: &app.site,
        app: &client.name,
        address,
        other_hint,
        scopes: in_words(request.scopes(), request.offline()),
        registered_by: &client.registered_by,
        device: None,
        action: "/consent",
        next: Some(next_in_words(request.redirect_uri())),
        then,
        then_encoded: form::encode(then),
    };
    let mut response = show(StatusCode::OK, &page);
    let policy = headers::policy(Some(request.redirect_uri()));
    response
        .headers_mut()
        .insert(CONTENT_SECURITY_POLICY, policy);
    response
}

pub(crate) fn in_words(scopes: Scopes, offline: bool) -> Vec<&'static str> {
    let mut lines = Vec::new();
    // What weighs most comes first.
    if scopes.has(Scope::Mail) {
        lines.extend(["Read, write and delete all your mail", "Send mail as you"]);
    }
    for (scope, line) in [
        (Scope::OpenId, "Know that it is you who signs in"),
        (Scope::Email, "See your mail address"),
        (Scope::Profile, "See your name"),
    ] {
        if scopes.has(scope) {
            lines.push(line);
        }
    }
    if offline {
        lines.push("Go on doing this while you are away, until it is revoked");
    }
    lines
}

fn next_in_words(address: &str) -> String {
    let Ok(url) = Url::parse(address) else {
        return address.into();
    };
    let host = url.host_str().unwrap_or_default();
    match url.scheme() {
        "http" | "https" if is_loopback(&url) => format!("a program on this computer ({host})"),
        "http" | "https" => host.to_owned(),
        scheme => format!("a program on this device ({scheme})"),
    }
}

/// An error goes to the program if its address is known good, else on a page.
fn refused(app: &App, error: AuthorizationError) -> Response {
    if let Some(address) = error.redirect {
        return go(&address);
    }
    if error.code == ErrorCode::ServerError {
        return failed(app, &error.description);
    }
    let name = error
        .app
        .as_deref()
        .map_or_else(|| "The program".to_owned(), |name| format!("“{name}”"));
    let lead = format!("{name} sent you here with a request that this server cannot accept.");
    let reason = format!("The reason: {}.", error.description.trim_end_matches('.'));
    let advice =
        "Nothing was allowed. You can close this window; the program’s author can put this right.";
    let code = error.code.name();
    message(
        app,
        StatusCode::BAD_REQUEST,
        "You cannot go on from here",
        &[&lead, &reason, advice],
        Some(code),
    )
}

fn without_login(pairs: form::Pairs) -> form::Pairs {
    let keep = |(name, value): (String, String)| {
        if name != "prompt" {
            return Some((name, value));
        }
        let rest: Vec<&str> = value.split(' ').filter(|word| *word != "login").collect();
        (!rest.is_empty()).then(|| (name, rest.join(" ")))
    };
    pairs.into_iter().filter_map(keep).collect()
}
