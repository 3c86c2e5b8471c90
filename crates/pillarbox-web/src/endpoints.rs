//! Endpoints for programs: plain form posts, no cookies, no redirects, JSON with its length (wire §7).

use crate::pages::identity_for;
use crate::{App, Peer, form};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, PRAGMA, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use pillarbox_oauth::{
    BasicAuth, ErrorCode, Identity, JWKS_KEPT_S, Metadata, REQUEST_PARAMS_MAX, Secret, TokenError,
};
use serde::Serialize;
use serde_json::json;

const USERINFO: &str = "/v1/userinfo";

/// The discovery document with a member of our own: where the mail is that tokens open (RFC 8414 §2 allows more members).
#[derive(Serialize)]
struct Discovery {
    #[serde(flatten)]
    metadata: Metadata,
    mail_services: Vec<String>,
}

pub(crate) async fn token(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let identity = identity_for(&app, peer);
    let answer = asked(&headers, &body, async |basic, params: &form::Pairs| {
        let proven = proven(&app, &identity, &headers, "POST", uri.path())?;
        proven.token(basic, params, app.now()).await
    });
    match answer.await {
        Ok(answer) => (
            [(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")],
            Json(answer),
        )
            .into_response(),
        Err(error) => refuse(&app, &identity, "/token", error, "Basic").await,
    }
}

pub(crate) async fn revoke(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let identity = identity_for(&app, peer);
    let answer = asked(&headers, &body, async |basic, params: &form::Pairs| {
        identity.revoke(basic, params, app.now()).await
    });
    match answer.await {
        Ok(()) => Json(json!({})).into_response(),
        Err(error) => refuse(&app, &identity, "/revoke", error, "Basic").await,
    }
}

pub(crate) async fn introspect(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let identity = identity_for(&app, peer);
    let answer = asked(&headers, &body, async |basic, params: &form::Pairs| {
        identity.introspect(basic, params, app.now()).await
    });
    match answer.await {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => refuse(&app, &identity, "/introspect", error, "Basic").await,
    }
}

/// Pushed authorization requests (RFC 9126 §2).
pub(crate) async fn push(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let identity = identity_for(&app, peer);
    let answer = asked(&headers, &body, async |basic, params: &form::Pairs| {
        let proven = proven(&app, &identity, &headers, "POST", uri.path())?;
        proven.push_request(basic, params, app.now()).await
    });
    match answer.await {
        Ok(answer) => (StatusCode::CREATED, Json(answer)).into_response(),
        Err(error) => refuse(&app, &identity, "/par", error, "Basic").await,
    }
}

pub(crate) async fn userinfo(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let identity = identity_for(&app, peer);
    let line = headers
        .get(AUTHORIZATION)
        .and_then(|line| line.to_str().ok());
    let bearer = line.and_then(|line| credentials(line, "bearer"));
    let bound = line.and_then(|line| credentials(line, "dpop"));
    let posted = match method == Method::POST {
        true => posted_token(&headers, &body),
        false => Ok(None),
    };
    let posted = match posted {
        Ok(posted) => posted,
        Err(error) => return refuse(&app, &identity, USERINFO, error, "Bearer").await,
    };
    let Some(token) = bearer.or(bound).or(posted.as_deref()) else {
        // RFC 6750 §3.1: who sent nothing is told the schemes only.
        let error = TokenError::new(ErrorCode::InvalidToken, "No token was sent.");
        take_down(&app, &identity, USERINFO, &error).await;
        let schemes = [
            (WWW_AUTHENTICATE, "Bearer".to_owned()),
            (WWW_AUTHENTICATE, format!("DPoP {}", algorithms(&app))),
        ];
        return (StatusCode::UNAUTHORIZED, AppendHeaders(schemes)).into_response();
    };
    let answer = async {
        // A proof beside a bearer token says nothing about it; by the other scheme there must be one (RFC 9449 §7.1).
        let identity = match bound {
            Some(_) if !headers.contains_key("dpop") => return Err(not_one_proof()),
            Some(_) => proven(&app, &identity, &headers, method.as_str(), uri.path())?,
            None => identity.clone(),
        };
        identity.userinfo(token, app.now()).await
    };
    match answer.await {
        Ok(info) => Json(info).into_response(),
        Err(error) => {
            let scheme = if bound.is_some() { "DPoP" } else { "Bearer" };
            refuse(&app, &identity, USERINFO, error, scheme).await
        }
    }
}

/// The access token in a form (RFC 6750 §2.2), if there is one. An address is no place for it (§5.3).
fn posted_token(headers: &HeaderMap, body: &[u8]) -> Result<Option<String>, TokenError> {
    let refused = |text: &str| Err(TokenError::new(ErrorCode::InvalidRequest, text));
    let form = match is_form(headers) {
        true => form::read(body),
        false => return Ok(None),
    };
    if form.len() > REQUEST_PARAMS_MAX {
        return refused("There are too many parameters.");
    }
    let tokens = form.into_iter().filter(|(name, _)| name == "access_token");
    let mut tokens = tokens.map(|(_, token)| token);
    match (tokens.next(), tokens.next()) {
        (None, _) => Ok(None),
        (Some(token), None) if !headers.contains_key(AUTHORIZATION) => Ok(Some(token)),
        // RFC 6750 §2: one way in a request, and once (§3.1).
        _ => refused("The access token is there twice."),
    }
}

pub(crate) async fn keys(State(app): State<App>) -> Response {
    match app.web.identity.jwks(app.now()).await {
        Ok(keys) => public(Json(keys)),
        Err(fault) => {
            tracing::error!(%fault, "keys endpoint");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

pub(crate) async fn metadata(State(app): State<App>) -> Response {
    let mail = &app.web.mail;
    let services = [
        ("imaps", mail.imap),
        ("pop3s", mail.pop),
        ("smtps", mail.smtps),
        ("smtp", mail.submission), // STARTTLS
    ];
    let address = |(scheme, port): (&str, Option<u16>)| {
        let port = port?;
        Some(format!("{scheme}://{}:{port}", mail.host))
    };
    public(Json(Discovery {
        metadata: app.web.identity.metadata(),
        mail_services: services.into_iter().filter_map(address).collect(),
    }))
}

pub(crate) async fn health() -> &'static str {
    "ok\n"
}

/// Others may keep it for as long as keys allow.
fn public(body: impl IntoResponse) -> Response {
    let kept = format!("public, max-age={JWKS_KEPT_S}");
    ([(CACHE_CONTROL, kept)], body).into_response()
}

/// The identity floor for this request: with its proof of possession, if it came with one (RFC 9449 §4.3; exactly one).
fn proven(
    app: &App,
    identity: &Identity,
    headers: &HeaderMap,
    method: &str,
    path: &str,
) -> Result<Identity, TokenError> {
    let mut proofs = headers.get_all("dpop").iter();
    match (proofs.next(), proofs.next()) {
        (None, _) => Ok(identity.clone()),
        (Some(_), Some(_)) => Err(not_one_proof()),
        (Some(proof), None) => {
            let jwt = proof.to_str().map_err(|_| not_one_proof())?;
            let proof = identity.check_proof(jwt, method, path, app.now())?;
            Ok(identity.with_proof(proof))
        }
    }
}

fn not_one_proof() -> TokenError {
    let text = "One proof, in one DPoP header, is needed.";
    TokenError::new(ErrorCode::InvalidDpopProof, text)
}

/// What proofs may be signed with, as a challenge says it (RFC 9449 §7.1).
fn algorithms(app: &App) -> String {
    let metadata = app.web.identity.metadata();
    let all = metadata.dpop_signing_alg_values_supported.join(" ");
    format!("algs=\"{all}\"")
}

/// Reads a form and asks with it; an error names the client as the form does, unless it is known better.
pub(crate) async fn asked<T>(
    headers: &HeaderMap,
    body: &[u8],
    ask: impl AsyncFnOnce(Option<BasicAuth>, &form::Pairs) -> Result<T, TokenError>,
) -> Result<T, TokenError> {
    let (basic, params) = read(headers, body)?;
    let named = basic.as_ref().map(|basic| basic.id.clone());
    let named = named.or_else(|| Some(form::get(&params, "client_id").to_owned()));
    let named = named.filter(|id| !id.is_empty());
    let answer = ask(basic, &params).await;
    answer.map_err(|error| error.of_client(named.as_deref()))
}

type Request = (Option<BasicAuth>, form::Pairs);

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn read(headers: &HeaderMap, body: &[u8]) -> Result<Request, TokenError> {
    if !is_form(headers) {
        let text = "The body must be application/x-www-form-urlencoded.";
        return Err(TokenError::new(ErrorCode::InvalidRequest, text));
    }
    let basic = match headers.get(AUTHORIZATION) {
        None => None,
        Some(line) => Some(read_basic(line).ok_or_else(|| {
            let text = "The Authorization header cannot be read.";
            TokenError::new(ErrorCode::InvalidClient, text)
        })?),
    };
    Ok((basic, form::read(body)))
}

/// RFC 6749 §2.3.1: id and secret are form-encoded before they are joined.
fn read_basic(line: &HeaderValue) -> Option<BasicAuth> {
    let text = BASE64
        .decode(credentials(line.to_str().ok()?, "basic")?)
        .ok()?;
    let text = String::from_utf8(text).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |text: &str| {
        form::read(format!("x={}", text.replace('&', "%26")).as_bytes())
            .pop()
            .map(|(_, value)| value)
    };
    Some(BasicAuth {
        id: decode(id)?,
        secret: Secret::new(decode(secret)?),
    })
}

/// What follows the scheme, if it is that one.
pub(crate) fn credentials<'a>(line: &'a str, scheme: &str) -> Option<&'a str> {
    let (found, rest) = line.trim().split_once(' ')?;
    found.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

/// Tells the owner of a refusal. A device whose person has not answered yet is not refused.
pub(crate) async fn take_down(
    app: &App,
    identity: &Identity,
    endpoint: &'static str,
    error: &TokenError,
) {
    if error.code != ErrorCode::AuthorizationPending {
        let refusal = identity.refused_at(endpoint, error, app.now()).await;
        app.web.control.refused(refusal);
    }
}

/// What a program is told, and what its owner is: every refusal of an endpoint for programs comes by here.
pub(crate) async fn refuse(
    app: &App,
    identity: &Identity,
    endpoint: &'static str,
    error: TokenError,
    scheme: &str,
) -> Response {
    take_down(app, identity, endpoint, &error).await;
    let status = match error.code {
        ErrorCode::InvalidClient | ErrorCode::InvalidToken => StatusCode::UNAUTHORIZED,
        ErrorCode::InvalidDpopProof if scheme == "DPoP" => StatusCode::UNAUTHORIZED,
        ErrorCode::InsufficientScope => StatusCode::FORBIDDEN,
        ErrorCode::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorCode::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    };
    let told = |scheme: &str| {
        let (code, text) = (error.code.name(), &error.description);
        format!("{scheme} error=\"{code}\", error_description=\"{text}\"")
    };
    let challenge = match scheme {
        "Bearer" => told(scheme),
        "DPoP" => format!("{}, {}", told(scheme), algorithms(app)),
        _ => "Basic realm=\"token\"".to_owned(),
    };
    let mut response = (status, [(CACHE_CONTROL, "no-store")], Json(error)).into_response();
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
        && let Ok(challenge) = HeaderValue::from_str(&challenge)
    {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}
