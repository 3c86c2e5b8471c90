//! The cookie of a web session. `__Host-` binds it to this host, over TLS, for all paths.

use crate::App;
use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use pillarbox_oauth::{Principal, RefusalKind, SESSION_MS, Secret};

const NAME: &str = "__Host-session";

/// The session cookie's text, as sent.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<&str> {
    named(headers, NAME)
}

/// The text of a cookie, as sent.
pub(crate) fn named<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let lines = headers
        .get_all(COOKIE)
        .into_iter()
        .filter_map(|line| line.to_str().ok());
    let mut cookies = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    cookies
        .find(|(name, _)| *name == wanted)
        .map(|(_, value)| value)
}

/// Who is signed in.
pub(crate) async fn person(app: &App, headers: &HeaderMap) -> Option<Principal> {
    match app.web.identity.session(cookie(headers)?, app.now()).await {
        Ok(person) => Some(person),
        Err(refusal) => {
            if refusal.kind == RefusalKind::Temporary {
                tracing::error!(cause = refusal.cause, "web session");
            }
            None
        }
    }
}

/// Sets the cookie, or clears it.
pub(crate) fn set(session: Option<&Secret>) -> HeaderValue {
    let (value, age) = session.map_or(("", 0), |session| (session.expose(), SESSION_MS / 1000));
    let line = format!("{NAME}={value}; Path=/; Max-Age={age}; Secure; HttpOnly; SameSite=Lax");
    // Our own texts are ASCII.
    HeaderValue::from_str(&line).unwrap_or(HeaderValue::from_static(""))
}
