//! The endpoint where programs register themselves (RFC 7591), and where each looks after its own registration (RFC 7592): JSON,
//! no cookies. Where programs may not register themselves the endpoint does not exist.

use crate::endpoints::{credentials, refuse};
use crate::pages::{identity_for, not_found};
use crate::{App, Peer};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, PRAGMA};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use pillarbox_oauth::{ErrorCode, REGISTRATION_BYTES_MAX, Registration, TokenError};
use serde_json::Value;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/register", post(register))
        .route("/register/{client}", get(read).put(replace).delete(remove))
        .layer(DefaultBodyLimit::max(REGISTRATION_BYTES_MAX))
}

async fn register(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if app.web.identity.registration() == Registration::Off {
        return not_found(State(app)).await;
    }
    let answer = async {
        is_json(&headers)?;
        identity_for(&app, peer).register(&body, app.now()).await
    };
    answered(answer.await, StatusCode::CREATED)
}

async fn read(State(app): State<App>, Path(client): Path<String>, headers: HeaderMap) -> Response {
    let answer = async {
        app.web
            .identity
            .own_registration(&client, token(&headers)?)
            .await
    };
    answered(answer.await, StatusCode::OK)
}

async fn replace(
    State(app): State<App>,
    Path(client): Path<String>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answer = async {
        let token = token(&headers)?;
        is_json(&headers)?;
        let identity = identity_for(&app, peer);
        identity
            .register_anew(&client, token, &body, app.now())
            .await
    };
    answered(answer.await, StatusCode::OK)
}

async fn remove(
    State(app): State<App>,
    Path(client): Path<String>,
    headers: HeaderMap,
) -> Response {
    let answer = async {
        let token = token(&headers)?;
        app.web.identity.unregister(&client, token, app.now()).await
    };
    match answer.await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refused(error),
    }
}

/// The registration access token (RFC 7592 §2).
fn token(headers: &HeaderMap) -> Result<&str, TokenError> {
    let line = headers.get(AUTHORIZATION);
    let line = line.and_then(|line| line.to_str().ok());
    let token = line.and_then(|line| credentials(line, "bearer"));
    token.ok_or_else(|| TokenError {
        code: ErrorCode::InvalidToken,
        description: "The registration access token is missing.".into(),
    })
}

/// Also what keeps a form of another site out: a browser asks before it sends JSON there.
fn is_json(headers: &HeaderMap) -> Result<(), TokenError> {
    let kind = headers.get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    match kind.eq_ignore_ascii_case("application/json") {
        true => Ok(()),
        false => Err(TokenError {
            code: ErrorCode::InvalidClientMetadata,
            description: "The body must be application/json.".into(),
        }),
    }
}

fn answered(answer: Result<Value, TokenError>, status: StatusCode) -> Response {
    match answer {
        Ok(told) => (
            status,
            [(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")],
            Json(told),
        )
            .into_response(),
        Err(error) => refused(error),
    }
}

fn refused(error: TokenError) -> Response {
    let hasty = error.code == ErrorCode::SlowDown;
    let mut response = refuse(error, "Bearer");
    if hasty {
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    }
    response
}
