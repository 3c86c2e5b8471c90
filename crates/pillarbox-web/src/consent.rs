//! The authorization endpoint and the consent page behind it.

use crate::asked::Asked;
use crate::pages::{Message, failed, go, identity_for, message, show};
use crate::{App, Peer, Site, dates, endpoints, form, headers, session};
use askama::Template;
use axum::body::Bytes;
use axum::extract::{Extension, RawQuery, State};
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use pillarbox_oauth::{
    AuthorizationError, AuthorizationRequest, Brought, ErrorCode, Identity, Principal, Scope,
    Scopes, SignIn, is_loopback,
};
use url::Url;

/// Longest request by POST, in bytes: it becomes an address.
const POSTED_BYTES_MAX: usize = 8 * 1024;

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
    /// In words, if known.
    pub since: Option<String>,
    /// It registered itself, and nobody here looked at it.
    pub stranger: bool,
    /// Only people on a list may use it, and its grants end after a week.
    pub testing: bool,
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
    peer: Option<Extension<Peer>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let asked = Asked::read(query.unwrap_or_default().as_bytes());
    let identity = &identity_for(&app, peer);
    let request = match identity
        .authorization_request(&asked.pairs, app.now())
        .await
    {
        Ok(request) => request,
        Err(error) => {
            let person = session::person(&app, &headers).await;
            return refused(&app, identity, error, person.as_ref()).await;
        }
    };
    let prompt = request.prompt();
    let refuse = async |code, text: &str, person: Option<&Principal>| {
        let error = identity.refuse(&request, code, text);
        refused(&app, identity, error, person).await
    };
    let person = match signed_in(&app, &headers, &request, &asked).await {
        Ok(person) => person,
        Err(SignIn::InVain(text)) => return refuse(ErrorCode::LoginRequired, text, None).await,
        Err(_) if prompt.none => {
            let text = "Nobody is signed in, or not the person asked for, or too long ago.";
            return refuse(ErrorCode::LoginRequired, text, None).await;
        }
        Err(_) => return to_sign_in(&asked),
    };
    if let Some(error) = identity.not_admitted(&request, &person) {
        return refused(&app, identity, error, Some(&person)).await;
    }
    let other = match identity.suggests_another(&request, &person).await {
        Err(fault) => return failed(&app, &fault),
        Ok(Some(_)) if prompt.none => {
            let text = "Somebody else is signed in than the program suggests.";
            return refuse(ErrorCode::LoginRequired, text, None).await;
        }
        // Whoever agreed before may not be whom the program means now.
        Ok(other) => other.is_some(),
    };
    let needed = identity.needs_consent(&request, &person, app.now()).await;
    match needed.map(|needed| needed || other) {
        Err(fault) => failed(&app, &fault),
        Ok(true) if prompt.none => {
            let text = "The person has not agreed yet.";
            refuse(ErrorCode::ConsentRequired, text, Some(&person)).await
        }
        Ok(true) => ask(&app, &request, &person, &asked).await,
        Ok(false) => match identity.approve_unasked(&request, &person, app.now()).await {
            Ok(address) => go(&address),
            Err(fault) => failed(&app, &fault),
        },
    }
}

/// The same by POST (OpenID Connect Core §3.1.2.1). A form of another site brings no cookie, so the browser is sent on to
/// ask again by itself.
pub(crate) async fn authorize_by_post(body: Bytes) -> Response {
    if body.len() > POSTED_BYTES_MAX {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    }
    let pairs = form::read(&body);
    go(&format!("/o/oauth2/v2/auth?{}", form::print(&pairs)))
}

/// Allow or Cancel.
pub(crate) async fn answer(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = form::read(&body);
    let asked = Asked::read(form::get(&form, "then").as_bytes());
    let identity = &identity_for(&app, peer);
    let request = match identity
        .authorization_request(&asked.pairs, app.now())
        .await
    {
        Ok(request) => request,
        Err(error) => {
            let person = session::person(&app, &headers).await;
            return refused(&app, identity, error, person.as_ref()).await;
        }
    };
    if form::get(&form, "answer") != "allow" {
        let person = session::person(&app, &headers).await;
        let address = identity.deny(&request, person.as_ref(), app.now());
        return match request.leads_to_a_stranger() {
            true => parting(&app, StatusCode::OK, &request.client().name, None, &address),
            false => go(&address),
        };
    }
    // The same as before the page was shown: it may have waited for long, and a form can be made by hand.
    let person = match signed_in(&app, &headers, &request, &asked).await {
        Ok(person) => person,
        Err(SignIn::InVain(text)) => {
            let error = identity.refuse(&request, ErrorCode::LoginRequired, text);
            return refused(&app, identity, error, None).await;
        }
        Err(_) => return to_sign_in(&asked),
    };
    // Another tab may have switched accounts: what is allowed must be what the page said.
    if form::get(&form, "account") != &**person.address() {
        return ask(&app, &request, &person, &asked).await;
    }
    if let Some(error) = identity.not_admitted(&request, &person) {
        return refused(&app, identity, error, Some(&person)).await;
    }
    match identity.approve(&request, &person, app.now()).await {
        Ok(address) => go(&address),
        Err(fault) => failed(&app, &fault),
    }
}

/// Who is signed in as the request wants it.
async fn signed_in(
    app: &App,
    headers: &HeaderMap,
    request: &AuthorizationRequest,
    asked: &Asked,
) -> Result<Principal, SignIn> {
    let person = session::person(app, headers).await.ok_or(SignIn::Wanted)?;
    let brought = Brought {
        session: session::cookie(headers).unwrap_or_default(),
        request: &asked.text,
        mark: &asked.mark,
    };
    let identity = &app.web.identity;
    match identity.sign_in_for(request, &person, brought, app.now()) {
        SignIn::Enough => Ok(person),
        other => Err(other),
    }
}

fn to_sign_in(asked: &Asked) -> Response {
    go(&format!("/signin?then={}", form::encode(&asked.text)))
}

async fn ask(
    app: &App,
    request: &AuthorizationRequest,
    person: &Principal,
    asked: &Asked,
) -> Response {
    let address = &**person.address();
    let other_hint = match app.web.identity.suggests_another(request, person).await {
        Ok(other) => other,
        Err(fault) => return failed(app, &fault),
    };
    let given = app.web.identity.would_give(request, person, app.now());
    let scopes = match given.await {
        Ok(scopes) => scopes,
        Err(fault) => return failed(app, &fault),
    };
    let client = request.client();
    let page = Consent {
        site: &app.site,
        app: &client.name,
        address,
        other_hint,
        scopes: in_words(scopes, request.offline()),
        registered_by: &client.registered_by,
        since: client.registered.map(dates::day),
        stranger: !client.is_vetted(),
        testing: client.is_testing(),
        device: None,
        action: "/consent",
        next: Some(next_in_words(request.redirect_uri())),
        then: &asked.whole(),
        then_encoded: form::encode(&asked.text),
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
    let mail = scopes.has(Scope::Mail);
    let fetch = "Fetch the mail in your inbox, and delete it";
    for (granted, line) in [
        (
            mail || scopes.has(Scope::Imap),
            "Read, write and delete all your mail",
        ),
        (!mail && scopes.has(Scope::Pop), fetch),
        (mail || scopes.has(Scope::Smtp), "Send mail as you"),
        (
            !mail && scopes.has(Scope::Read),
            "Read all your mail, and change nothing",
        ),
    ] {
        if granted {
            lines.push(line);
        }
    }
    for (scope, line) in [
        (Scope::OpenId, "Know that it is you who signs in"),
        (Scope::Email, "See your mail address"),
        (
            Scope::Profile,
            "See the name you sign in with, your mail address",
        ),
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
async fn refused(
    app: &App,
    identity: &Identity,
    error: AuthorizationError,
    person: Option<&Principal>,
) -> Response {
    endpoints::take_down(app, identity, "/o/oauth2/v2/auth", &error.told(person)).await;
    if let Some(address) = error.redirect {
        if !error.stranger {
            return go(&address);
        }
        let name = error.app.as_deref().unwrap_or("The program");
        let reason = (error.code.name(), error.description.as_str());
        return parting(app, StatusCode::BAD_REQUEST, name, Some(reason), &address);
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
    let advice = match error.code {
        ErrorCode::InvalidRequestUri => {
            "Start again from the program: it makes a new request. If you allowed this one already, you can close this window."
        }
        _ => {
            "Nothing was allowed. You can close this window; the program’s author can put this right."
        }
    };
    let code = error.code.name();
    message(
        app,
        StatusCode::BAD_REQUEST,
        "You cannot go on from here",
        &[&lead, &reason, advice],
        Some(code),
    )
}

/// Where a stranger's program would have the browser sent: the person decides, knowing where it leads.
fn parting(
    app: &App,
    status: StatusCode,
    name: &str,
    reason: Option<(&str, &str)>,
    address: &str,
) -> Response {
    let lead = match reason {
        None => format!("“{name}” gets no access to your mail."),
        Some((_, text)) => {
            let text = text.trim_end_matches('.');
            format!("“{name}” sent you here with a request that this server cannot accept: {text}.")
        }
    };
    let advice = "Nobody who looks after this server has checked this program. You can close this window; go back to its site only if you know it.";
    let page = Message {
        site: &app.site,
        title: match reason {
            None => "Nothing was allowed",
            Some(_) => "You cannot go on from here",
        },
        lines: &[&lead, advice],
        code: reason.map(|(code, _)| code),
        back: Some((address, next_in_words(address))),
    };
    show(status, &page)
}
