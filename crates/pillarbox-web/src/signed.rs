//! Handlers that need somebody signed in take one as an argument; whoever is not signed in is sent to do so, and comes back.

use crate::{App, Peer, form, pages, session};
use axum::extract::FromRequestParts;
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;
use pillarbox_oauth::{Identity, IdentityError, Principal};
use pillarbox_store::mail::AccountId;

/// Where to go on after signing in; a path of ours.
const NEXT: &str = "__Host-next";
/// Seconds that is remembered.
const NEXT_SECONDS: u32 = 600;
/// What waits behind a sign-in: the page of ours for which somebody signs in again.
pub(crate) const AGAIN: &str = "again";
/// Longest path remembered.
const NEXT_BYTES_MAX: usize = 100;

/// Somebody signed in on the web.
pub(crate) struct Signed {
    pub person: Principal,
    /// Acts for the address the request came from.
    pub identity: Identity,
    pub administrator: bool,
}

impl Signed {
    pub(crate) fn account(&self) -> &AccountId {
        self.person.account()
    }

    /// The way to sign in again and come back to `page`, if what is done there takes that: nobody who has a password is
    /// asked to, nor who signed in just now.
    pub(crate) async fn sign_in_anew(
        &self,
        app: &App,
        page: &str,
    ) -> Result<Option<String>, IdentityError> {
        let must = self.identity.must_sign_in_anew(&self.person, app.now());
        let then = form::encode(&format!("{AGAIN}={}", form::encode(page)));
        Ok(must.await?.then(|| format!("/signin?then={then}")))
    }
}

impl FromRequestParts<App> for Signed {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let Some(person) = session::person(app, &parts.headers).await else {
            let mut response = pages::go("/signin");
            if parts.method == Method::GET
                && let Some(next) = remember(parts.uri.path())
            {
                response.headers_mut().insert(SET_COOKIE, next);
            }
            return Err(response);
        };
        let identity = match parts.extensions.get::<Peer>() {
            Some(Peer(peer)) => app.web.identity.from_peer(*peer),
            None => app.web.identity.clone(),
        };
        let administrator = identity.is_administrator(person.account()).await;
        let administrator = administrator.map_err(|fault| pages::failed(app, &fault))?;
        Ok(Self {
            person,
            identity,
            administrator,
        })
    }
}

/// An administrator of this server.
pub(crate) struct Administrator(pub Signed);

impl FromRequestParts<App> for Administrator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let mut signed = Signed::from_request_parts(parts, app).await?;
        if signed.administrator {
            // What is done here is done to others: their trails say by whom.
            let by = format!("by {}", signed.person.address());
            signed.identity = signed.identity.acting(by);
            return Ok(Self(signed));
        }
        let lines = ["This page is for the administrators of this server."];
        let title = "This is not for you";
        Err(pages::message(
            app,
            StatusCode::FORBIDDEN,
            title,
            &lines,
            None,
        ))
    }
}

pub(crate) fn is_ours(path: &str) -> bool {
    let page = ["/account", "/admin"]
        .iter()
        .any(|start| path == *start || path.starts_with(&format!("{start}/")));
    page && path.len() <= NEXT_BYTES_MAX
        && path
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'/' | b'-'))
}

fn remember(path: &str) -> Option<HeaderValue> {
    let cookie =
        format!("{NEXT}={path}; Path=/; Max-Age={NEXT_SECONDS}; Secure; HttpOnly; SameSite=Lax");
    HeaderValue::from_str(&cookie)
        .ok()
        .filter(|_| is_ours(path))
}

/// Where somebody who just signed in goes on, if nothing else waits: to the page that sent them here, or to the first one.
pub(crate) fn next(headers: &HeaderMap) -> String {
    let path = session::named(headers, NEXT).filter(|path| is_ours(path));
    path.unwrap_or("/account").to_owned()
}

#[cfg(test)]
mod tests {
    use super::is_ours;

    #[test]
    fn only_pages_of_ours_come_next() {
        for path in ["/account", "/account/app-passwords", "/admin/log"] {
            assert!(is_ours(path), "{path}");
        }
        for path in [
            "",
            "/",
            "//evil.example",
            "/accountx",
            "/account//../x",
            "/account?x",
            "https://evil.example",
            "/token",
        ] {
            assert!(!is_ours(path), "{path}");
        }
        assert!(!is_ours(&format!("/account/{}", "x".repeat(200))));
    }
}
