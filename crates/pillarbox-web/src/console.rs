//! The console of a development server: tokens of every kind, the clock, faults on purpose, mailboxes, what
//! happened and why, and what was said on the wire. As a page at
//! `/dev`, and as JSON below `/dev/api` for tests. There is none on a real server: these routes do not exist there.
//!
//! Nobody signs in here: a development server is open to everybody on its machine. Pages of other sites still cannot use
//! it: their forms are refused by origin, and answers are not readable for them.

mod faults;
mod wire;

use crate::admin::log::{Line, line, wanted};
use crate::control::{Ended, FaultNames, Happening};
use crate::pages::{failed, go, show};
use crate::when::{rfc3339, size, span};
use crate::{App, Site, form};
use askama::Template;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use pillarbox_oauth::{IdentityError, MAIL_SCOPE, Mint, Minted, Secret};
use pillarbox_store::mail::AccountId;
use serde_json::{Value, json};
use std::time::Duration;

/// People shown with their mailboxes.
const PEOPLE: usize = 20;
/// Happenings on the page.
const SHOWN: usize = 60;
/// Happenings in one answer of the JSON twin.
const LISTED: usize = 1_000;
/// Longest step of the clock and longest life of a token, in seconds: ten years.
const SECONDS_MAX: u64 = 10 * 366 * 24 * 3600;

#[derive(Template)]
#[template(path = "console.html")]
struct Page<'a> {
    site: &'a Site,
    people: Vec<Person>,
    clients: Vec<(String, String)>,
    minted: Option<Shown>,
    error: Option<String>,
    now: String,
    ahead: Option<String>,
    notice: Option<String>,
    search: &'a str,
    session: &'a str,
    lines: Vec<Line>,
    faults: Vec<faults::Row>,
    names: FaultNames,
    wire: Vec<wire::Column>,
    mail_scope: &'static str,
}

struct Person {
    address: String,
    used: String,
    mailboxes: Vec<Mailbox>,
}

struct Mailbox {
    name: String,
    messages: u32,
    unseen: u32,
}

/// A token just made.
struct Shown {
    what: String,
    access: String,
    refresh: Option<String>,
}

pub(crate) fn routes(development: bool) -> Router<App> {
    if !development {
        return Router::new();
    }
    Router::new()
        .route("/dev", get(page))
        .route("/dev/token", post(mint))
        .route("/dev/clock", post(clock))
        .route("/dev/faults", post(faults::change))
        .route("/dev/api", get(api))
        .route("/dev/api/people", get(api_people))
        .route("/dev/api/tokens", post(api_mint))
        .route("/dev/api/clock", get(api_clock).post(api_move_clock))
        .route(
            "/dev/api/faults",
            get(faults::api_list)
                .post(faults::api_set)
                .delete(faults::api_clear),
        )
        .route("/dev/api/wire", get(wire::api))
        .route("/dev/api/sessions", get(api_sessions))
        .route("/dev/api/events", get(api_events))
        .route("/dev/api/why/{session}", get(api_why))
}

async fn page(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    shown(&app, query, None, None).await
}

async fn shown(
    app: &App,
    query: Option<String>,
    minted: Option<Shown>,
    error: Option<String>,
) -> Response {
    let pairs = form::read(query.unwrap_or_default().as_bytes());
    let people = match people(app).await {
        Ok(people) => people,
        Err(fault) => return failed(app, &fault),
    };
    let now = app.now();
    let ahead = app.web.control.clock_ahead().unwrap_or_default();
    let ahead = i64::try_from(ahead.as_millis()).unwrap_or(i64::MAX);
    let clients = match app.web.identity.clients().await {
        Ok(clients) => clients,
        Err(fault) => return failed(app, &fault),
    };
    let status = match error {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    let found = app.web.control.happenings(&wanted(&pairs, SHOWN));
    let page = Page {
        site: &app.site,
        people,
        clients: clients
            .iter()
            .map(|client| (client.id.to_string(), client.name.to_string()))
            .collect(),
        minted,
        error,
        now: utc(now),
        ahead: (ahead > 0).then(|| span(ahead)),
        notice: match form::get(&pairs, "done") {
            "clock" => Some(clock_moved(&pairs)),
            "fault" => Some("The fault is set.".into()),
            "nobody" => Some(
                "The fault is set. No account has that address: it strikes nobody until there is one.".into(),
            ),
            "cleared" => Some("Cleared.".into()),
            _ => None,
        },
        search: form::get(&pairs, "search"),
        session: form::get(&pairs, "session"),
        lines: found.into_iter().map(|one| line(one, now)).collect(),
        faults: faults::rows(app),
        names: app.web.control.fault_names(),
        wire: wire::columns(app, form::get(&pairs, "session")),
        mail_scope: MAIL_SCOPE,
    };
    show(status, &page)
}

/// The counts come with the address the form led to.
fn clock_moved(pairs: &form::Pairs) -> String {
    let count = |name| form::get(pairs, name).parse().unwrap_or(0);
    let ended = Ended {
        sessions: count("sessions"),
        tokens: count("tokens"),
    };
    if ended == Ended::default() {
        return "The clock was moved.".into();
    }
    format!("The clock was moved: {ended}.")
}

fn utc(at: i64) -> String {
    let iso = crate::when::When::new(at, at).iso;
    iso.replace('T', " ").replace('Z', " UTC")
}

async fn people(app: &App) -> Result<Vec<Person>, IdentityError> {
    let mut people = Vec::new();
    for (address, id) in app.web.store.accounts(None, PEOPLE).await? {
        let handle = app.web.store.account(&id);
        // Removed meanwhile: not there.
        let (Ok((octets, _)), Ok((_, mailboxes))) =
            (handle.usage().await, handle.mailboxes().await)
        else {
            continue;
        };
        let mailbox = |one: &pillarbox_store::mail::Mailbox| Mailbox {
            name: one.name.to_string(),
            messages: one.messages,
            unseen: one.unseen,
        };
        people.push(Person {
            address,
            used: size(octets),
            mailboxes: mailboxes.iter().map(mailbox).collect(),
        });
    }
    Ok(people)
}

/// What a form or a JSON object asks for: names and values as text.
struct Asked<'a>(&'a [(String, String)]);

impl Asked<'_> {
    fn text(&self, name: &str) -> Option<String> {
        let text = form::get(self.0, name).trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// Seconds, bare or with a unit: 60, 60s, 10m, 1h, 7d.
    fn seconds(&self, name: &str) -> Result<Option<Duration>, String> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let wrong = || format!("{name} is a number of seconds, or like 60s, 10m, 1h, 7d");
        let (number, unit) = match text.find(|letter: char| !letter.is_ascii_digit()) {
            Some(at) => text.split_at(at),
            None => (text.as_str(), "s"),
        };
        let factor: u64 = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let seconds = number.checked_mul(factor);
        match seconds.filter(|seconds| *seconds <= SECONDS_MAX) {
            Some(seconds) => Ok(Some(Duration::from_secs(seconds))),
            None => Err(format!("{name} is at most ten years")),
        }
    }
}

/// Makes the token that was asked for. The text is for whoever asked.
async fn made(app: &App, asked: &Asked<'_>) -> Result<(String, Minted), String> {
    let address = asked.text("address").ok_or("address is missing")?;
    let found = app.web.store.account_of(&address).await;
    let account: AccountId = found
        .map_err(|fault| fault.to_string())?
        .ok_or_else(|| format!("no account {address}"))?;
    let broken = asked.text("broken").unwrap_or_default();
    let mut mint = Mint {
        lifetime: asked.seconds("lifetime")?,
        scope: asked.text("scope"),
        client: asked.text("client"),
        refresh: asked.text("refresh").is_some_and(|word| word != "false"),
        ..Mint::default()
    };
    let mut signature = false;
    match broken.as_str() {
        "" | "no" => {}
        "expired" => mint.expired = true,
        "revoked" => mint.revoked = true,
        "scope" => mint.scope = Some("openid".into()),
        "signature" => signature = true,
        _ => return Err("broken is one of no, expired, revoked, scope, signature".into()),
    }
    let minted = app.web.identity.mint(&account, mint, app.now()).await;
    let mut minted = minted.map_err(|fault| fault.to_string())?;
    if signature {
        minted.access_token = Secret::new(forged(minted.access_token.expose()));
    }
    let what = match broken.as_str() {
        "" | "no" => format!("A token for {address}, good until {}", utc(minted.expires)),
        "expired" => format!("An expired token for {address}"),
        "revoked" => format!("A revoked token for {address}"),
        "scope" => format!("A token for {address} without the mail scope"),
        _ => format!("A token for {address} with a wrong signature"),
    };
    Ok((what, minted))
}

/// The same token with another first letter of its signature.
fn forged(token: &str) -> String {
    let Some((message, signature)) = token.rsplit_once('.') else {
        return String::new();
    };
    let other = if signature.starts_with('A') { "B" } else { "A" };
    format!(
        "{message}.{other}{}",
        signature.get(1..).unwrap_or_default()
    )
}

async fn mint(State(app): State<App>, body: Bytes) -> Response {
    let body = form::read(&body);
    match made(&app, &Asked(&body)).await {
        Ok((what, minted)) => {
            let minted = Shown {
                what,
                access: minted.access_token.expose().to_owned(),
                refresh: minted.refresh_token.map(|text| text.expose().to_owned()),
            };
            shown(&app, None, Some(minted), None).await
        }
        Err(error) => {
            shown(
                &app,
                None,
                None,
                Some(format!("No token was made: {error}.")),
            )
            .await
        }
    }
}

async fn clock(State(app): State<App>, body: Bytes) -> Response {
    let body = form::read(&body);
    match moved(&app, &Asked(&body)).await {
        Ok(ended) => {
            let done = format!("clock&sessions={}&tokens={}", ended.sessions, ended.tokens);
            form_answer(&app, Ok(&done), "clock").await
        }
        Err(error) => form_answer(&app, Err(error), "clock").await,
    }
}

/// After a form: the page again, at its section, or with what was wrong.
async fn form_answer(app: &App, done: Result<&str, String>, section: &str) -> Response {
    match done {
        Ok(done) => go(&format!("/dev?done={done}#{section}")),
        Err(error) => shown(app, None, None, Some(format!("{error}."))).await,
    }
}

/// Moves the clock by `advance`, or sets it back with `reset`; what that ended.
async fn moved(app: &App, asked: &Asked<'_>) -> Result<Ended, String> {
    let control = &app.web.control;
    control.clock_ahead().ok_or("this clock cannot be moved")?;
    if asked.text("reset").is_some_and(|word| word != "false") {
        control.move_clock(None);
        return Ok(Ended::default());
    }
    let by = asked.seconds("advance")?.ok_or("advance is missing")?;
    let before = app.now();
    let sessions = control.move_clock(Some(by));
    let identity = &app.web.identity;
    let tokens = identity.expired_between(before, app.now()).await;
    Ok(Ended { sessions, tokens })
}

async fn api(State(app): State<App>) -> Response {
    let at = |path: &str| format!("{}/dev/api{path}", app.site.origin);
    Json(json!({
        "people": at("/people"),
        "tokens": at("/tokens"),
        "clock": at("/clock"),
        "faults": at("/faults"),
        "wire": at("/wire"),
        "sessions": at("/sessions"),
        "events": at("/events"),
        "why": at("/why/{session}"),
    }))
    .into_response()
}

fn wrong(error: &str) -> Response {
    (
        StatusCode::UNPROCESSABLE_ENTITY,
        Json(json!({"error": error})),
    )
        .into_response()
}

/// A JSON object of texts, numbers and yes or no; a form is good too. A member that is not `known` is refused: who mistypes
/// the name of a limit would get none.
fn asked(body: &[u8], known: &[&str]) -> Result<form::Pairs, String> {
    let pairs = members(body)?;
    match pairs.iter().find(|(name, _)| !known.contains(&&**name)) {
        None => Ok(pairs),
        Some((name, _)) => Err(format!(
            "there is no member {name} here, but {}",
            known.join(", ")
        )),
    }
}

fn members(body: &[u8]) -> Result<form::Pairs, &'static str> {
    if !body.trim_ascii_start().starts_with(b"{") {
        return Ok(form::read(body));
    }
    let object = serde_json::from_slice::<Value>(body).map_err(|_| "the body is not JSON")?;
    let pairs = object.as_object().into_iter().flatten();
    pairs
        .map(|(name, value)| match value {
            Value::String(text) => Ok((name.clone(), text.clone())),
            Value::Null => Ok((name.clone(), String::new())),
            Value::Bool(_) | Value::Number(_) => Ok((name.clone(), value.to_string())),
            Value::Array(_) | Value::Object(_) => Err("members are texts, numbers, true or false"),
        })
        .collect()
}

/// What is not there, for programs; None is a page.
pub(crate) fn nothing_there(app: &App, path: &str) -> Option<Response> {
    let ours = app.site.dev && path.starts_with("/dev/api/");
    let error = || {
        let error = json!({"error": "there is no such address; /dev/api names all"});
        (StatusCode::NOT_FOUND, Json(error)).into_response()
    };
    ours.then(error)
}

async fn api_mint(State(app): State<App>, body: Bytes) -> Response {
    let known = [
        "address", "lifetime", "scope", "client", "refresh", "broken",
    ];
    let pairs = match asked(&body, &known) {
        Ok(pairs) => pairs,
        Err(error) => return wrong(&error),
    };
    match made(&app, &Asked(&pairs)).await {
        Ok((_, minted)) => Json(json!({
            "access_token": minted.access_token.expose(),
            "refresh_token": minted.refresh_token.as_ref().map(Secret::expose),
            "expires": rfc3339(minted.expires),
            "grant": *minted.grant,
        }))
        .into_response(),
        Err(error) => wrong(&error),
    }
}

async fn api_clock(State(app): State<App>) -> Response {
    Json(clock_json(&app)).into_response()
}

fn clock_json(app: &App) -> Value {
    let ahead = app.web.control.clock_ahead().unwrap_or_default();
    json!({"now": rfc3339(app.now()), "ahead_seconds": ahead.as_secs()})
}

async fn api_move_clock(State(app): State<App>, body: Bytes) -> Response {
    let pairs = match asked(&body, &["advance", "reset"]) {
        Ok(pairs) => pairs,
        Err(error) => return wrong(&error),
    };
    match moved(&app, &Asked(&pairs)).await {
        Ok(ended) => {
            let mut answer = clock_json(&app);
            answer["sessions_ended"] = ended.sessions.into();
            answer["tokens_expired"] = ended.tokens.into();
            Json(answer).into_response()
        }
        Err(error) => wrong(&error),
    }
}

async fn api_people(State(app): State<App>) -> Response {
    let people = match people(&app).await {
        Ok(people) => people,
        Err(fault) => return failed(&app, &fault),
    };
    let mailbox =
        |one: &Mailbox| json!({"name": one.name, "messages": one.messages, "unseen": one.unseen});
    let person = |one: &Person| {
        let mailboxes: Vec<_> = one.mailboxes.iter().map(mailbox).collect();
        json!({"address": one.address, "mailboxes": mailboxes})
    };
    Json(people.iter().map(person).collect::<Value>()).into_response()
}

async fn api_sessions(State(app): State<App>) -> Response {
    let session = |one: &crate::LiveSession| {
        let who = one.signed_in.as_ref();
        json!({
            "session": *one.token, "protocol": one.protocol, "peer": one.peer.to_string(),
            "since": rfc3339(one.since), "program": one.program.as_deref(), "address": who.map(|who| &*who.address),
            "app": who.and_then(|who| who.app.as_deref()), "until": who.map(|who| rfc3339(who.until)),
            "because": who.map(|who| who.because),
        })
    };
    let all = app.web.control.sessions();
    Json(all.iter().map(session).collect::<Value>()).into_response()
}

fn event(one: &Happening) -> Value {
    json!({"at": rfc3339(one.at), "about": one.about, "session": *one.session, "peer": one.peer.to_string(),
           "text": one.text, "told": one.told, "trouble": one.trouble})
}

async fn api_events(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    let pairs = form::read(query.unwrap_or_default().as_bytes());
    let found = app.web.control.happenings(&wanted(&pairs, LISTED));
    Json(found.iter().map(event).collect::<Value>()).into_response()
}

async fn api_why(State(app): State<App>, Path(session): Path<String>) -> Response {
    let wanted = crate::Wanted {
        session: Some(session),
        text: None,
        limit: LISTED,
    };
    let mut found = app.web.control.happenings(&wanted);
    if found.is_empty() {
        let error = json!({"error": "no such session is remembered"});
        return (StatusCode::NOT_FOUND, Json(error)).into_response();
    }
    found.reverse();
    Json(found.iter().map(event).collect::<Value>()).into_response()
}
