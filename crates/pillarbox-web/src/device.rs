//! The device flow (RFC 8628): the endpoint where a device begins, and the pages where a person types its code and agrees.

use crate::consent::{Consent, in_words};
use crate::pages::{failed, go, identity_for, message, show};
use crate::{App, Peer, Site, dates, endpoints, form, session};
use askama::Template;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use pillarbox_oauth::{DeviceRefusal, DeviceRequest, Identity, Principal, TokenError};

#[derive(Template)]
#[template(path = "device.html")]
struct Page<'a> {
    site: &'a Site,
    code: &'a str,
    error: Option<&'a str>,
}

/// The device authorization endpoint as discovery names it (RFC 8628 §3.1).
pub(crate) async fn authorize(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    begin(&app, peer, &headers, &body, false).await
}

/// The same at Google's path, whose clients look for another name of the page (wire §7.4).
pub(crate) async fn code(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    begin(&app, peer, &headers, &body, true).await
}

async fn begin(
    app: &App,
    peer: Option<Extension<Peer>>,
    headers: &HeaderMap,
    body: &[u8],
    both_names: bool,
) -> Response {
    let identity = identity_for(app, peer);
    let endpoint = match both_names {
        true => "/device/code",
        false => "/device/authorize",
    };
    let answer = endpoints::asked(headers, body, async |basic, params: &form::Pairs| {
        let mut answer = identity.device_code(basic, params, app.now()).await?;
        answer.verification_url = answer.verification_url.filter(|_| both_names);
        Ok(answer)
    });
    match answer.await {
        // Cache-Control: no-store is what every answer gets that says nothing else.
        Ok(answer) => Json(answer).into_response(),
        Err(error) => endpoints::refuse(app, &identity, endpoint, error, "Basic").await,
    }
}

/// One field. A link may fill it in; going on is the person's own doing (RFC 8628 §3.3.1).
pub(crate) async fn page(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    let query = form::read(query.unwrap_or_default().as_bytes());
    enter_code(&app, StatusCode::OK, form::get(&query, "user_code"), None)
}

/// The code was typed.
pub(crate) async fn enter(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    body: Bytes,
) -> Response {
    let form = form::read(&body);
    let typed = form::get(&form, "user_code");
    let identity = identity_for(&app, peer);
    match identity.device_request(typed, app.now()).await {
        Ok(request) => go(&consent_page(request.user_code())),
        Err(refusal) => refused(&app, &identity, refusal, None, typed).await,
    }
}

/// Where the person is asked about a code.
pub(crate) fn consent_page(user_code: &str) -> String {
    format!("/device/consent?user_code={}", form::encode(user_code))
}

/// The consent page.
pub(crate) async fn ask(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let query = form::read(query.unwrap_or_default().as_bytes());
    let typed = form::get(&query, "user_code");
    let Some(person) = session::person(&app, &headers).await else {
        return sign_in_first(typed);
    };
    let identity = identity_for(&app, peer);
    match identity.device_request(typed, app.now()).await {
        Ok(request) => match request.not_admitted(&person) {
            Some(error) => not_admitted(&app, &identity, &error).await,
            None => consent(&app, &request, &person),
        },
        Err(refusal) => refused(&app, &identity, refusal, Some(&person), typed).await,
    }
}

/// Allow or Cancel.
pub(crate) async fn answer(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = form::read(&body);
    let then = form::read(form::get(&form, "then").as_bytes());
    let typed = form::get(&then, "user_code");
    let Some(person) = session::person(&app, &headers).await else {
        return sign_in_first(typed);
    };
    let identity = identity_for(&app, peer);
    let request = match identity.device_request(typed, app.now()).await {
        Ok(request) => request,
        Err(refusal) => return refused(&app, &identity, refusal, Some(&person), typed).await,
    };
    let allow = form::get(&form, "answer") == "allow";
    let stranger = request.not_admitted(&person).filter(|_| allow);
    if let Some(error) = &stranger {
        endpoints::take_down(&app, &identity, "/device", error).await;
    }
    // Another tab may have switched accounts: what is allowed must be what the page said.
    if allow && form::get(&form, "account") != &**person.address() {
        return consent(&app, &request, &person);
    }
    match identity
        .device_answer(&request, &person, allow, app.now())
        .await
    {
        Ok(true) => done(&app, &request, allow && stranger.is_none()),
        Ok(false) => {
            let refusal = DeviceRefusal::Unknown;
            refused(&app, &identity, refusal, Some(&person), typed).await
        }
        Err(fault) => failed(&app, &fault),
    }
}

fn done(app: &App, request: &DeviceRequest, allow: bool) -> Response {
    let name = &request.client().name;
    let (title, first) = match allow {
        true => (
            "The device is connected",
            format!("“{name}” goes on by itself in a few seconds."),
        ),
        false => (
            "Nothing was allowed",
            format!("“{name}” is told that you did not allow it."),
        ),
    };
    let lines = [first.as_str(), "You can close this window."];
    message(app, StatusCode::OK, title, &lines, None)
}

/// A program that is being tried out, and somebody who is not on its list.
async fn not_admitted(app: &App, identity: &Identity, error: &TokenError) -> Response {
    endpoints::take_down(app, identity, "/device", error).await;
    let lines = [
        "This program is being tried out, and you are not on the list of those who may use it.",
        "Nothing was allowed. An administrator of this server can add you.",
    ];
    let title = "You cannot go on from here";
    message(
        app,
        StatusCode::FORBIDDEN,
        title,
        &lines,
        Some("access_denied"),
    )
}

fn sign_in_first(typed: &str) -> Response {
    let then = form::print(&[("user_code".to_owned(), typed.to_owned())]);
    go(&format!("/signin?then={}", form::encode(&then)))
}

fn consent(app: &App, request: &DeviceRequest, person: &Principal) -> Response {
    let client = request.client();
    let then = form::print(&[("user_code".to_owned(), request.user_code().to_owned())]);
    let page = Consent {
        site: &app.site,
        app: &client.name,
        address: person.address(),
        other_hint: None,
        scopes: in_words(request.scopes(), true),
        registered_by: &client.registered_by,
        since: client.registered.map(dates::day),
        stranger: !client.is_vetted(),
        testing: client.is_testing(),
        device: Some(request.user_code()),
        action: "/device/consent",
        next: None,
        then_encoded: form::encode(&then),
        then: &then,
    };
    show(StatusCode::OK, &page)
}

async fn refused(
    app: &App,
    identity: &Identity,
    refusal: DeviceRefusal,
    person: Option<&Principal>,
    typed: &str,
) -> Response {
    endpoints::take_down(app, identity, "/device", &refusal.told(person)).await;
    let (status, error) = match refusal {
        DeviceRefusal::Unknown => (
            StatusCode::NOT_FOUND,
            "There is no such code, or it is over or answered already. Codes live 15 minutes. Please compare it with the device.",
        ),
        DeviceRefusal::TooMany => (
            StatusCode::TOO_MANY_REQUESTS,
            "Too many wrong codes. Please wait a little before you try again.",
        ),
        DeviceRefusal::Failed => {
            return failed(app, &"device code");
        }
    };
    enter_code(app, status, typed, Some(error))
}

fn enter_code(app: &App, status: StatusCode, code: &str, error: Option<&str>) -> Response {
    let site = &app.site;
    show(status, &Page { site, code, error })
}
