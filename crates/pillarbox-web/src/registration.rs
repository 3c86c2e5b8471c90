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
use pillarbox_oauth::{ErrorCode, Identity, REGISTRATION_BYTES_MAX, Registration, TokenError};
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
    let identity = identity_for(&app, peer);
    let answer = async {
        is_json(&headers)?;
        identity.register(&body, app.now()).await
    };
    answered(&app, &identity, None, answer.await, StatusCode::CREATED).await
}

async fn read(
    State(app): State<App>,
    Path(client): Path<String>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Response {
    let identity = identity_for(&app, peer);
    let answer = async { identity.own_registration(&client, token(&headers)?).await };
    answered(&app, &identity, Some(&client), answer.await, StatusCode::OK).await
}

async fn replace(
    State(app): State<App>,
    Path(client): Path<String>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let identity = identity_for(&app, peer);
    let answer = async {
        let token = token(&headers)?;
        is_json(&headers)?;
        identity
            .register_anew(&client, token, &body, app.now())
            .await
    };
    answered(&app, &identity, Some(&client), answer.await, StatusCode::OK).await
}

async fn remove(
    State(app): State<App>,
    Path(client): Path<String>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Response {
    let identity = identity_for(&app, peer);
    let answer = async {
        let token = token(&headers)?;
        identity.unregister(&client, token, app.now()).await
    };
    match answer.await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refused(&app, &identity, Some(&client), error).await,
    }
}

/// The registration access token (RFC 7592 §2).
fn token(headers: &HeaderMap) -> Result<&str, TokenError> {
    let line = headers.get(AUTHORIZATION);
    let line = line.and_then(|line| line.to_str().ok());
    let token = line.and_then(|line| credentials(line, "bearer"));
    token.ok_or_else(|| {
        let text = "The registration access token is missing.";
        TokenError::new(ErrorCode::InvalidToken, text)
    })
}

/// Also what keeps a form of another site out: a browser asks before it sends JSON there.
fn is_json(headers: &HeaderMap) -> Result<(), TokenError> {
    let kind = headers.get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    match kind.eq_ignore_ascii_case("application/json") {
        true => Ok(()),
        false => {
            let text = "The body must be application/json.";
            Err(TokenError::new(ErrorCode::InvalidClientMetadata, text))
        }
    }
}

async fn answered(
    app: &App,
    identity: &Identity,
    client: Option<&str>,
    answer: Result<Value, TokenError>,
    status: StatusCode,
) -> Response {
    match answer {
        Ok(told) => (
            status,
            [(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")],
            Json(told),
        )
            .into_response(),
        Err(error) => refused(app, identity, client, error).await,
    }
}

async fn refused(
    app: &App,
    identity: &Identity,
    client: Option<&str>,
    error: TokenError,
) -> Response {
    let hasty = error.code == ErrorCode::SlowDown;
    let error = error.of_client(client);
    let mut response = refuse(app, identity, "/register", error, "Bearer").await;
    if hasty {
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    }
    response
}
