//! Administration over HTTPS, for programs: JSON in and out, with an access token of scope `pillarbox:admin` in every request
//! (RFC 6750). The nouns, facts and names are those of the commands with `--json`: what they ask of the running server, this
//! asks ([`perform`]). Documented in `docs/reference/admin-api.md`.
//!
//! Deliberately absent: cookies, so that no page of another site can use somebody's right; anything a command cannot do; what
//! stays on the machine (tokens for others, passwords, the clock, faults, ending the server).

use super::Request as Ask;
use super::answer::{accounts_page, perform};
use super::sessions::session_json;
use crate::apps;
use crate::failure::{Failure, Why};
use crate::house::House;
use crate::journal::{self, Level};
use crate::pages;
use axum::body::{Body, to_bytes};
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, LINK, LOCATION, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Extension, Json, Router};
use pillarbox_oauth::{Client, ErrorCode, Identity, TokenError};
use pillarbox_web::{Peer, Wanted};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use url::form_urlencoded::{Serializer, byte_serialize};

/// Where it begins. Another version of it would stand beside this one.
pub const PATH: &str = "/admin/api/v1";

/// Entries in one answer, unless fewer or more are asked for.
const LISTED: usize = 100;
/// Entries in one answer at most.
const LISTED_MAX: usize = 1_000;
/// Accounts looked at for one page of a search.
const SEARCHED_MAX: usize = 100_000;
/// Longest text of a refusal that is passed on, in octets.
const TEXT_OCTETS_MAX: usize = 4 * 1_024;
/// How long a secret goes on beside the next one, unless said otherwise.
const OVERLAP: Duration = Duration::from_secs(24 * 3_600);

/// All of it. The pages' headers and the bound on bodies come with the router it is merged into.
pub fn router(house: Arc<House>) -> Router {
    let api = Router::new()
        .route("/health", get(health))
        .route("/accounts", get(accounts).post(add_account))
        .route("/accounts/{address}", get(account).delete(remove_account))
        .route("/accounts/{address}/invite", post(invite))
        .route("/accounts/{address}/suspend", post(suspend))
        .route("/accounts/{address}/resume", post(resume))
        .route("/accounts/{address}/activity", get(activity))
        .route("/accounts/{address}/grants", get(grants))
        .route("/accounts/{address}/grants/{id}", delete(revoke_grant))
        .route("/accounts/{address}/sessions", delete(end_sessions))
        .route("/apps", get(all_apps).post(add_app))
        .route("/apps/{id}", get(app).delete(remove_app))
        .route("/apps/{id}/approve", post(approve))
        .route("/apps/{id}/delegate", post(delegate))
        .route("/apps/{id}/rotate-secret", post(rotate_secret))
        .route("/apps/{id}/rotate-key", post(rotate_key))
        .route("/apps/{id}/testers", post(testers))
        .route("/domains", get(domains))
        .route("/domains/{domain}/dns", get(domain_dns))
        .route("/domains/{domain}/check", get(domain_check))
        .route("/sessions", get(sessions))
        .route("/sessions/{session}", delete(end_session))
        .route("/changes", get(changes))
        .route("/log", get(log))
        .fallback(nothing_there)
        .layer(from_fn_with_state(house.clone(), authenticate))
        .layer(map_response(in_json))
        .with_state(house);
    Router::new().nest(PATH, api)
}

/// Whoever asks: the client, and the identity floor as it acts for it. Only [`authenticate`] makes one.
#[derive(Clone)]
struct Caller {
    client: Arc<Client>,
    actor: Identity,
}

async fn authenticate(
    State(house): State<Arc<House>>,
    mut request: Request,
    next: Next,
) -> Response {
    let token = match bearer(request.headers()) {
        Ok(Some(token)) => token.to_owned(),
        Ok(None) => return unauthenticated(None),
        Err(error) => return unauthenticated(Some(error)),
    };
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let from = peer.map_or_else(String::new, |peer| format!(" from {peer}"));
    let client = match house
        .identity
        .administration(&token, house.clock.wall())
        .await
    {
        Ok(client) => client,
        Err(refused) => {
            let text = format!("API refused{from}: {}", refused.cause);
            house.journal.note(Level::Info, "admin", &text);
            return unauthenticated(Some(refused.error));
        }
    };
    let actor = house
        .identity
        .acting(format!("by {} ({}), over the API", client.name, client.id));
    let actor = match peer {
        Some(peer) => actor.from_peer(peer),
        None => actor,
    };
    let name = format!("{} ({})", client.name, client.id);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    request.extensions_mut().insert(Caller { client, actor });
    let response = next.run(request).await;
    if !matches!(method, Method::GET | Method::HEAD) {
        let status = response.status().as_u16();
        let text = format!("{name}{from}: {method} {PATH}{path}, {status}");
        house.journal.note(Level::Info, "admin", &text);
    }
    response
}

/// The token of a request; None if it brings no credentials at all.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, TokenError> {
    let wrong = |text: &str| TokenError::new(ErrorCode::InvalidRequest, text);
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    if lines.next().is_some() {
        return Err(wrong("There are two Authorization headers."));
    }
    let line = line.to_str().unwrap_or_default().trim();
    match line.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(wrong("The Authorization header is not: Bearer TOKEN.")),
    }
}

/// RFC 6750 §3: who sent nothing is told only what is wanted.
fn unauthenticated(error: Option<TokenError>) -> Response {
    let wanted = "Bearer realm=\"administration\", scope=\"pillarbox:admin\"";
    let Some(error) = error else {
        let body = Json(json!({"error": "an access token of scope pillarbox:admin is needed"}));
        let headers = [(WWW_AUTHENTICATE, HeaderValue::from_static(wanted))];
        return (StatusCode::UNAUTHORIZED, headers, body).into_response();
    };
    let status = match error.code {
        ErrorCode::InvalidRequest => StatusCode::BAD_REQUEST,
        ErrorCode::InsufficientScope => StatusCode::FORBIDDEN,
        ErrorCode::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::UNAUTHORIZED,
    };
    let (code, text) = (error.code.name(), &error.description);
    let challenge = format!("{wanted}, error=\"{code}\", error_description=\"{text}\"");
    let mut response = (status, Json(json!({"error": text, "code": code}))).into_response();
    if status != StatusCode::SERVICE_UNAVAILABLE
        && let Ok(challenge) = HeaderValue::from_str(&challenge)
    {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

/// Whatever refused, its words go out as the others' do. Nothing is kept by anybody on the way.
async fn in_json(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let json = headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind == "application/json");
    if json || response.status().as_u16() < 400 {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let text = to_bytes(body, TEXT_OCTETS_MAX).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    let reason = parts.status.canonical_reason().unwrap_or("refused");
    let text = if text.is_empty() {
        reason.to_lowercase()
    } else {
        text
    };
    let body = json!({"error": text}).to_string();
    parts
        .headers
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    parts.headers.remove("content-length");
    Response::from_parts(parts, Body::from(body))
}

async fn nothing_there() -> Refused {
    Refused(Failure::not_found("there is nothing at this address"))
}

/// A sentence for whoever asked, with its status.
struct Refused(Failure);

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl From<JsonRejection> for Refused {
    fn from(rejection: JsonRejection) -> Self {
        // Of the kinds of wrong bodies only "too large" and "not JSON at all" have a status of their own.
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self(Failure::with_status(
                TOO_LARGE,
                "the body has more octets than are taken",
            )),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                Self(Failure::usage("the body must be application/json"))
            }
            _ => Self(Failure::usage(rejection.body_text())),
        }
    }
}

impl From<QueryRejection> for Refused {
    fn from(rejection: QueryRejection) -> Self {
        Self(Failure::usage(rejection.body_text()))
    }
}

/// Stands for HTTP's 413 where exit statuses stand; no command ends so.
const TOO_LARGE: u8 = 13;

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        // Commands are not for programs.
        let Failure {
            status, text, why, ..
        } = self.0;
        let code = match (why, status) {
            (Why::NotFound, _) => StatusCode::NOT_FOUND,
            (Why::Exists, _) => StatusCode::CONFLICT,
            (Why::Other, 1) => StatusCode::UNPROCESSABLE_ENTITY,
            (Why::Other, 2) => StatusCode::BAD_REQUEST,
            (Why::Other, TOO_LARGE) => StatusCode::PAYLOAD_TOO_LARGE,
            (Why::Other, _) => StatusCode::SERVICE_UNAVAILABLE,
        };
        (code, Json(json!({"error": text}))).into_response()
    }
}

type Answer = Result<Response, Refused>;

/// A body in JSON.
struct Sent<T>(T);

impl<S: Send + Sync, T: for<'a> Deserialize<'a>> FromRequest<S> for Sent<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        let Json(sent) = Json::<T>::from_request(request, state).await?;
        Ok(Self(sent))
    }
}

/// What stands behind the question mark.
struct Asked<T>(T);

impl<S: Send + Sync, T: for<'a> Deserialize<'a> + Send> FromRequestParts<S> for Asked<T> {
    type Rejection = Refused;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        state: &S,
    ) -> Result<Self, Refused> {
        let Query(asked) = Query::<T>::from_request_parts(parts, state).await?;
        Ok(Self(asked))
    }
}

type Here = State<Arc<House>>;
type Who = Extension<Caller>;

/// Asks as a command would.
async fn ask(house: &Arc<House>, who: &Caller, request: Ask) -> Answer {
    let value = perform(request, house, &who.actor).await?;
    Ok(match value {
        Value::Null => StatusCode::NO_CONTENT.into_response(),
        value => Json(value).into_response(),
    })
}

fn made(at: &str, value: Value) -> Answer {
    let at = HeaderValue::from_str(&format!("{PATH}{at}"));
    let mut response = (StatusCode::CREATED, Json(value)).into_response();
    if let Ok(at) = at {
        response.headers_mut().insert(LOCATION, at);
    }
    Ok(response)
}

fn encoded(text: &str) -> String {
    // What a form calls a blank is a plus in a path.
    byte_serialize(text.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

async fn health(State(house): Here, Extension(who): Who) -> Answer {
    ask(&house, &who, Ask::Health).await
}

// ---- accounts

/// One page of a list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    /// What it begins behind.
    after: Option<String>,
    limit: Option<usize>,
    /// Only with this in the address, without case.
    search: Option<String>,
}

impl Page {
    fn limit(&self) -> usize {
        limit(self.limit)
    }

    /// The list, and where it goes on (RFC 8288).
    fn answer(&self, path: &str, list: Vec<Value>, next: Option<String>) -> Answer {
        let mut response = Json(Value::from(list)).into_response();
        if let Some(next) = next {
            let mut query = Serializer::new(String::new());
            query.append_pair("after", &next);
            query.append_pair("limit", &self.limit().to_string());
            if let Some(search) = &self.search {
                query.append_pair("search", search);
            }
            let link = format!("<{PATH}{path}?{}>; rel=\"next\"", query.finish());
            if let Ok(link) = HeaderValue::from_str(&link) {
                response.headers_mut().insert(LINK, link);
            }
        }
        Ok(response)
    }
}

fn limit(asked: Option<usize>) -> usize {
    asked.unwrap_or(LISTED).clamp(1, LISTED_MAX)
}

async fn accounts(State(house): Here, Asked(page): Asked<Page>) -> Answer {
    let search = page.search.as_deref().unwrap_or_default().to_lowercase();
    let (mut after, mut looked) = (page.after.clone(), 0);
    let mut list = Vec::new();
    while looked < SEARCHED_MAX {
        let found = accounts_page(&house, after.as_deref(), LISTED_MAX).await?;
        if found.is_empty() {
            return page.answer("/accounts", list, None);
        }
        for (address, shown) in found {
            if list.len() >= page.limit() {
                return page.answer("/accounts", list, after);
            }
            looked += 1;
            if address.to_lowercase().contains(&search) {
                list.push(shown);
            }
            after = Some(address);
        }
    }
    page.answer("/accounts", list, after)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    address: String,
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    administrator: bool,
    /// Also make a link by which its owner sets the password.
    #[serde(default)]
    invite: bool,
}

async fn add_account(
    State(house): Here,
    Extension(who): Who,
    Sent(new): Sent<NewAccount>,
) -> Answer {
    let add = Ask::AccountAdd {
        address: new.address.clone(),
        password: new.password,
        administrator: new.administrator,
    };
    let mut value = perform(add, &house, &who.actor).await?;
    if new.invite {
        let invite = Ask::AccountInvite {
            address: new.address.clone(),
        };
        value["invitation"] = perform(invite, &house, &who.actor).await?;
    }
    made(&format!("/accounts/{}", encoded(&new.address)), value)
}

async fn account(State(house): Here, Extension(who): Who, Path(address): Path<String>) -> Answer {
    ask(&house, &who, Ask::AccountShow { address }).await
}

async fn remove_account(
    State(house): Here,
    Extension(who): Who,
    Path(address): Path<String>,
) -> Answer {
    ask(&house, &who, Ask::AccountRemove { address }).await
}

async fn invite(State(house): Here, Extension(who): Who, Path(address): Path<String>) -> Answer {
    ask(&house, &who, Ask::AccountInvite { address }).await
}

async fn suspend(State(house): Here, Extension(who): Who, Path(address): Path<String>) -> Answer {
    let suspended = true;
    let request = Ask::AccountSuspend { address, suspended };
    ask(&house, &who, request).await
}

async fn resume(State(house): Here, Extension(who): Who, Path(address): Path<String>) -> Answer {
    let suspended = false;
    let request = Ask::AccountSuspend { address, suspended };
    ask(&house, &who, request).await
}

/// How much of a list that shows its newest entries.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Newest {
    limit: Option<usize>,
}

/// How much of a trail.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Trail {
    limit: Option<usize>,
    /// Only this sort.
    only: Option<String>,
}

async fn activity(
    State(house): Here,
    Extension(who): Who,
    Path(address): Path<String>,
    Asked(trail): Asked<Trail>,
) -> Answer {
    let request = Ask::Activity {
        address: Some(address),
        limit: limit(trail.limit),
        only: trail.only,
    };
    ask(&house, &who, request).await
}

async fn changes(State(house): Here, Extension(who): Who, Asked(newest): Asked<Newest>) -> Answer {
    let request = Ask::Activity {
        address: None,
        limit: limit(newest.limit),
        only: None,
    };
    ask(&house, &who, request).await
}

async fn grants(State(house): Here, Extension(who): Who, Path(address): Path<String>) -> Answer {
    ask(&house, &who, Ask::GrantList { address }).await
}

async fn revoke_grant(
    State(house): Here,
    Extension(who): Who,
    Path((address, id)): Path<(String, String)>,
) -> Answer {
    ask(&house, &who, Ask::GrantRevoke { address, id }).await
}

// ---- domains

async fn domains(State(house): Here, Extension(who): Who) -> Answer {
    ask(&house, &who, Ask::DomainList).await
}

async fn domain_dns(State(house): Here, Extension(who): Who, Path(domain): Path<String>) -> Answer {
    ask(&house, &who, Ask::DomainDns { domain }).await
}

async fn domain_check(
    State(house): Here,
    Extension(who): Who,
    Path(domain): Path<String>,
) -> Answer {
    ask(&house, &who, Ask::DomainCheck { domain }).await
}

// ---- sessions

async fn sessions(State(house): Here, Asked(page): Asked<Page>) -> Answer {
    let search = page.search.as_deref().unwrap_or_default().to_lowercase();
    let wanted = |address: Option<&str>| {
        search.is_empty() || address.is_some_and(|text| text.to_lowercase().contains(&search))
    };
    // Tokens are numbers that grow, so the next page has its place though the session before it may be over.
    let number = |token: &str| u64::from_str_radix(token, 16).unwrap_or(0);
    let after = page.after.as_deref().map(number);
    let live = house.registry.list();
    let by_number: BTreeMap<_, _> = live
        .iter()
        .filter(|one| {
            let who = one.signed_in.as_ref();
            wanted(who.map(|(who, _)| &**who.address()))
        })
        .map(|one| (number(&one.token), one))
        .filter(|(number, _)| after.is_none_or(|after| *number > after))
        .collect();
    let shown: Vec<_> = by_number.values().take(page.limit()).collect();
    let more = by_number.len() > shown.len();
    let next = shown.last().filter(|_| more);
    let next = next.map(|last| last.token.to_string());
    let list = shown.iter().map(|one| session_json(one)).collect();
    page.answer("/sessions", list, next)
}

async fn end_session(
    State(house): Here,
    Extension(who): Who,
    Path(session): Path<String>,
) -> Answer {
    // An address here would end all of an account's: that has a place of its own.
    if session.contains('@') {
        return Err(Failure::not_found(format!("no live session {session}")).into());
    }
    let request = Ask::SessionEnd { which: session };
    ask(&house, &who, request).await
}

async fn end_sessions(
    State(house): Here,
    Extension(who): Who,
    Path(address): Path<String>,
) -> Answer {
    let request = Ask::AccountShow {
        address: address.clone(),
    };
    perform(request, &house, &who.actor).await?; // there is such an account
    let request = Ask::SessionEnd { which: address };
    match perform(request, &house, &who.actor).await {
        Ok(ended) => Ok(Json(ended).into_response()),
        Err(none) if none.why == Why::NotFound => Ok(Json(json!({"ended": 0})).into_response()),
        Err(failure) => Err(failure.into()),
    }
}

// ---- apps

async fn ask_of_app(house: &Arc<House>, who: &Caller, ask_for: apps::Ask) -> Answer {
    ask(house, who, Ask::App { ask: ask_for }).await
}

async fn all_apps(State(house): Here, Extension(who): Who) -> Answer {
    ask_of_app(&house, &who, apps::Ask::List).await
}

async fn add_app(State(house): Here, Extension(who): Who, Sent(new): Sent<apps::NewApp>) -> Answer {
    let by = format!("{} ({})", who.client.name, who.client.id);
    let new = new.read(by)?;
    let request = Ask::App {
        ask: apps::Ask::Add(Box::new(new)),
    };
    let value = perform(request, &house, &who.actor).await?;
    let id = value["client_id"].as_str().unwrap_or_default().to_owned();
    made(&format!("/apps/{}", encoded(&id)), value)
}

async fn app(State(house): Here, Extension(who): Who, Path(id): Path<String>) -> Answer {
    ask_of_app(&house, &who, apps::Ask::Show(id)).await
}

async fn remove_app(State(house): Here, Extension(who): Who, Path(id): Path<String>) -> Answer {
    ask_of_app(&house, &who, apps::Ask::Remove(id)).await
}

async fn approve(State(house): Here, Extension(who): Who, Path(id): Path<String>) -> Answer {
    ask_of_app(&house, &who, apps::Ask::Approve(id)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Delegation {
    /// Scopes, separated by blanks; empty takes all back.
    delegated: String,
}

async fn delegate(
    State(house): Here,
    Extension(who): Who,
    Path(id): Path<String>,
    Sent(new): Sent<Delegation>,
) -> Answer {
    let scopes = new.delegated.split_whitespace().map(str::to_owned);
    let request = apps::Ask::Delegate(id, scopes.collect());
    ask_of_app(&house, &who, request).await
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotation {
    /// How long the one before goes on, as 24h.
    overlap: Option<String>,
}

async fn rotate_secret(
    State(house): Here,
    Extension(who): Who,
    Path(id): Path<String>,
    body: Result<Option<Json<Rotation>>, JsonRejection>,
) -> Answer {
    let Rotation { overlap } = body?.map(|Json(rotation)| rotation).unwrap_or_default();
    let overlap = read_overlap(overlap)?;
    let request = apps::Ask::Rotate(id, overlap.as_secs());
    ask_of_app(&house, &who, request).await
}

fn read_overlap(text: Option<String>) -> Result<Duration, Failure> {
    let Some(text) = text else {
        return Ok(OVERLAP);
    };
    crate::cli::duration(&text).map_err(|why| Failure::usage(format!("overlap {text:?}: {why}")))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyRotation {
    /// How long the one before goes on, as 24h.
    overlap: Option<String>,
    /// Its next public keys, PEM or JWKS; a service account without them gets a key made.
    keys: Option<String>,
    /// Those before end at once, and what a service account got by them.
    #[serde(default)]
    leaked: bool,
}

async fn rotate_key(
    State(house): Here,
    Extension(who): Who,
    Path(id): Path<String>,
    body: Result<Option<Json<KeyRotation>>, JsonRejection>,
) -> Answer {
    let asked = body?.map(|Json(asked)| asked).unwrap_or_default();
    let overlap = match (asked.leaked, asked.overlap) {
        (true, None) => Duration::ZERO,
        (true, Some(_)) => {
            return Err(Failure::usage("either overlap or leaked").into());
        }
        (false, overlap) => read_overlap(overlap)?,
    };
    let request = apps::Ask::RotateKey(id, asked.keys, overlap.as_secs());
    ask_of_app(&house, &who, request).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Testers {
    #[serde(default)]
    add: Vec<String>,
    #[serde(default)]
    remove: Vec<String>,
    /// It is tried out no longer.
    #[serde(default)]
    everybody: bool,
}

async fn testers(
    State(house): Here,
    Extension(who): Who,
    Path(id): Path<String>,
    Sent(asked): Sent<Testers>,
) -> Answer {
    let Testers {
        add,
        remove,
        everybody,
    } = asked;
    let request = apps::Ask::Testers(id, add, remove, everybody);
    ask_of_app(&house, &who, request).await
}

// ---- what happened

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogAsked {
    limit: Option<usize>,
    /// Of this session only.
    session: Option<String>,
    /// Only with this in the text or the address it came from.
    search: Option<String>,
}

async fn log(State(house): Here, Asked(asked): Asked<LogAsked>) -> Answer {
    let wanted = Wanted {
        session: asked.session,
        text: asked.search,
        limit: limit(asked.limit),
    };
    let found = pages::recent(&house, &wanted);
    let list: Value = found
        .iter()
        .map(|(event, text)| journal::event_json(event, text))
        .collect();
    Ok(Json(list).into_response())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed unwrap is the failed test
    use super::*;

    #[test]
    fn one_bearer_token_and_nothing_else() {
        let headers = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(AUTHORIZATION, line.parse().unwrap());
            }
            headers
        };
        assert_eq!(bearer(&headers(&[])).unwrap(), None);
        assert_eq!(bearer(&headers(&["bearer  abc"])).unwrap(), Some("abc"));
        for wrong in [&["Basic YTpi"][..], &["Bearer"], &["Bearer a", "Bearer b"]] {
            let error = bearer(&headers(wrong)).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidRequest, "{wrong:?}");
        }
    }

    #[test]
    fn addresses_in_paths() {
        assert_eq!(encoded("a+b@x.test"), "a%2Bb%40x.test");
    }
}
