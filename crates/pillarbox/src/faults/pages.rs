//! Faults at the endpoints of the authorization server: a layer around the pages, put there for each connection of a
//! development server. The pages know nothing of it.

use super::names::{AUTHORIZE, Service};
use super::{Faults, Kind, Strike};
use crate::web::REQUEST_WITHIN;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, COOKIE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{BoxError, Json};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body::{Frame, SizeHint};
use http_body_util::LengthLimitError;
use pillarbox_oauth::{ErrorCode, Identity};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::error::Error;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;
use url::form_urlencoded;

/// The web floor takes no longer form either.
const FORM_OCTETS_MAX: usize = 64 * 1_024;
/// Most members of a form or query that are looked at, as on the web floor.
const MEMBERS_MAX: usize = 64;
/// The members that say whose a request is.
const TOKENS: [&str; 5] = ["code", "refresh_token", "device_code", "assertion", "token"];
/// Longest answer that is cut or slowed; ours are pages and JSON.
const ANSWER_OCTETS_MAX: usize = 4 * 1_024 * 1_024;
/// A throttled answer goes out in so many pieces a second, if it has so many octets.
const PIECES_A_SECOND: u32 = 10;
/// Between half an answer and the end, so that the half is on its way and not lost with the connection.
const BEFORE_BREAKING: Duration = Duration::from_millis(50);

/// What the layer needs.
#[derive(Clone)]
struct Layer {
    faults: Faults,
    identity: Identity,
    hang_up: Arc<Notify>,
}

/// The same pages, with faults. `hang_up` is notified when the connection is to be closed without an answer.
pub fn around(pages: Router, faults: Faults, identity: Identity, hang_up: Arc<Notify>) -> Router {
    let layer = Layer {
        faults,
        identity,
        hang_up,
    };
    pages.layer(from_fn_with_state(layer, meddle))
}

/// A request as far as faults are concerned.
struct Asked {
    /// What it goes by, the narrowest first.
    names: Vec<&'static str>,
    /// Its members, of query or form, if it has a name.
    members: Vec<(String, String)>,
}

impl Asked {
    /// Whose it is: at the authorization endpoint the browser's, elsewhere the token's. Nothing is checked here.
    async fn whose(&self, identity: &Identity, headers: &HeaderMap) -> Vec<String> {
        let mut texts: Vec<&str> = Vec::new();
        let header = |name| {
            headers
                .get_all(name)
                .iter()
                .filter_map(|line| line.to_str().ok())
        };
        match self.names.last().copied() {
            Some(AUTHORIZE) => {
                let cookies = header(COOKIE).flat_map(|line| line.split(';'));
                let values = cookies.filter_map(|cookie| Some(cookie.split_once('=')?.1));
                texts.extend(values.map(str::trim).take(MEMBERS_MAX));
            }
            Some("userinfo") => {
                let tokens = header(AUTHORIZATION).filter_map(|line| Some(line.split_once(' ')?.1));
                texts.extend(tokens);
            }
            Some("token" | "revoke" | "introspect") => {
                let named = |(name, _): &&(String, String)| TOKENS.contains(&name.as_str());
                let members = self.members.iter().filter(named);
                texts.extend(members.map(|(_, value)| value.as_str()));
            }
            _ => {}
        }
        let mut found = Vec::new();
        for text in texts {
            found.extend(identity.whose(text).await.or_else(|| subject(text)));
        }
        found
    }
}

/// The address an assertion asks for (RFC 7523 §3).
fn subject(assertion: &str) -> Option<String> {
    let claims = assertion.split('.').nth(1)?;
    let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    claims.get("sub")?.as_str().map(str::to_owned)
}

async fn meddle(State(layer): State<Layer>, request: Request, next: Next) -> Response {
    let (asked, request) = match read(request).await {
        Ok(found) => found,
        Err(response) => return response,
    };
    let whose = match layer.faults.asks_whose(Service::Oauth) {
        true => asked.whose(&layer.identity, request.headers()).await,
        false => Vec::new(),
    };
    let strike = layer.faults.strike(Service::Oauth, &asked.names, || whose);
    let Some(strike) = strike else {
        return next.run(request).await;
    };
    layer.faults.note_page(&strike);
    layer.go_wrong(&strike, &asked, next.run(request)).await
}

impl Layer {
    /// The answer itself is only made if somebody is to see some of it.
    async fn go_wrong(
        &self,
        strike: &Strike,
        asked: &Asked,
        answer: impl Future<Output = Response>,
    ) -> Response {
        let name = asked.names.first().copied().unwrap_or_default();
        match strike.kind {
            Kind::Refuse if name == AUTHORIZE => {
                self.send_back(asked, ErrorCode::AccessDenied, answer).await
            }
            Kind::ServerError => self.send_back(asked, ErrorCode::ServerError, answer).await,
            Kind::TemporarilyUnavailable => {
                let code = ErrorCode::TemporarilyUnavailable;
                self.send_back(asked, code, answer).await
            }
            Kind::Refuse => refuse(name),
            Kind::Revoked => invalid_grant("Token has been expired or revoked."),
            Kind::InvalidGrant => invalid_grant("Bad Request"),
            Kind::Status(503) => {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                let mut response = error(status, "temporarily_unavailable", "Try again later.");
                response
                    .headers_mut()
                    .insert(RETRY_AFTER, HeaderValue::from_static("1"));
                response
            }
            Kind::Status(_) => {
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                error(status, "server_error", "Internal error.")
            }
            Kind::Drop => {
                self.hang_up.notify_one();
                pending().await
            }
            Kind::Delay(by) => {
                self.faults.pause(by, strike.rule).await;
                answer.await
            }
            Kind::Half => {
                trickle(answer.await, |octets| Trickle {
                    pieces: [octets.slice(..octets.len() / 2)].into(),
                    pause: BEFORE_BREAKING,
                    breaks: true,
                    waiting: None,
                    held_by: (self.faults.clone(), strike.rule),
                })
                .await
            }
            Kind::Throttle(rate) => {
                let size = (rate / PIECES_A_SECOND).max(1);
                let pause = Duration::from_secs(1) * size / rate;
                trickle(answer.await, |octets| Trickle {
                    pieces: pieces(octets, size as usize),
                    pause,
                    breaks: false,
                    waiting: None,
                    held_by: (self.faults.clone(), strike.rule),
                })
                .await
            }
            // The table lets none of these be set here.
            Kind::Overquota | Kind::TooManyConnections | Kind::Expired(_) => answer.await,
        }
    }

    /// The browser goes back to the program with an error (RFC 6749 §4.1.2.1), unless program or address are in doubt: that
    /// the real page says.
    async fn send_back(
        &self,
        asked: &Asked,
        code: ErrorCode,
        answer: impl Future<Output = Response>,
    ) -> Response {
        let checked = self
            .identity
            .authorization_request(&asked.members, self.faults.now())
            .await;
        let refused = match checked {
            Ok(request) => self.identity.refuse(&request, code, "Refused by a fault."),
            Err(_) => return answer.await,
        };
        let address = refused.redirect.unwrap_or_default();
        match HeaderValue::from_str(&address) {
            Ok(address) => {
                let head = [
                    (LOCATION, address),
                    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
                ];
                (StatusCode::SEE_OTHER, head).into_response()
            }
            Err(_) => answer.await,
        }
    }
}

/// Reads what faults are set by. The body of a form is read for that, and put back.
async fn read(request: Request) -> Result<(Asked, Request), Response> {
    let is_post = request.method() == Method::POST;
    let name = match request.uri().path() {
        "/token" | "/o/oauth2/token" if is_post => Some("token"),
        "/o/oauth2/v2/auth" | "/o/oauth2/auth" => Some(AUTHORIZE),
        "/revoke" => Some("revoke"),
        "/introspect" => Some("introspect"),
        "/par" => Some("par"),
        "/device/authorize" | "/device/code" => Some("device_code"),
        "/v1/userinfo" => Some("userinfo"),
        "/oauth2/v3/certs" => Some("keys"),
        "/.well-known/openid-configuration" | "/.well-known/oauth-authorization-server" => {
            Some("discovery")
        }
        path if path == "/register" || path.starts_with("/register/") => Some("register"),
        _ => None,
    };
    let mut asked = Asked {
        names: Vec::from_iter(name),
        members: Vec::new(),
    };
    if name.is_none() {
        return Ok((asked, request));
    }
    let query = request.uri().query().unwrap_or_default().as_bytes();
    asked.members = members(query);
    if !is_post || name == Some("register") {
        return Ok((asked, request));
    }
    let (head, body) = request.into_parts();
    // Refused as the pages would: what comes letter by letter is too late, and what is broken is not too long.
    let form = timeout(REQUEST_WITHIN, to_bytes(body, FORM_OCTETS_MAX)).await;
    let form = form.map_err(|_| StatusCode::REQUEST_TIMEOUT.into_response())?;
    let form = form.map_err(|error| {
        match error
            .source()
            .is_some_and(|why| why.is::<LengthLimitError>())
        {
            true => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
            false => StatusCode::BAD_REQUEST.into_response(),
        }
    })?;
    asked.members = members(&form);
    if name == Some("token") {
        asked.names.splice(..0, grant(&asked.members));
    }
    Ok((asked, Request::from_parts(head, form.into())))
}

fn members(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text)
        .into_owned()
        .take(MEMBERS_MAX)
        .collect()
}

/// The grant that is asked for.
fn grant(members: &[(String, String)]) -> Option<&'static str> {
    let (_, value) = members.iter().find(|(name, _)| name == "grant_type")?;
    match value.to_ascii_lowercase().as_str() {
        "authorization_code" => Some("code"),
        "refresh_token" => Some("refresh"),
        "client_credentials" => Some("client_credentials"),
        "urn:ietf:params:oauth:grant-type:device_code" => Some("device"),
        "urn:ietf:params:oauth:grant-type:jwt-bearer" => Some("assertion"),
        _ => None,
    }
}

/// The ordinary refusal of an endpoint.
fn refuse(name: &str) -> Response {
    match name {
        "device" => error(StatusCode::BAD_REQUEST, "access_denied", "Forbidden"),
        "token" | "code" | "refresh" | "assertion" => invalid_grant("Bad Request"),
        "userinfo" => {
            let status = StatusCode::UNAUTHORIZED;
            let mut response = error(status, "invalid_token", "Invalid Credentials");
            let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            response
        }
        // RFC 6749 §5.2, RFC 7662 §2.3, RFC 9126 §2.3: the program is not who it says.
        "client_credentials" | "introspect" | "par" => {
            let status = StatusCode::UNAUTHORIZED;
            error(status, "invalid_client", "Refused by a fault.")
        }
        // RFC 7591 §3.2.2.
        "register" => {
            let status = StatusCode::BAD_REQUEST;
            error(status, "invalid_client_metadata", "Refused by a fault.")
        }
        _ => error(
            StatusCode::FORBIDDEN,
            "access_denied",
            "Refused by a fault.",
        ),
    }
}

/// RFC 6749 §5.2, with Google's words (wire §7.3).
fn invalid_grant(description: &str) -> Response {
    error(StatusCode::BAD_REQUEST, "invalid_grant", description)
}

fn error(status: StatusCode, code: &str, description: &str) -> Response {
    let body = Json(json!({"error": code, "error_description": description}));
    (status, [(CACHE_CONTROL, "no-store")], body).into_response()
}

/// The same answer, whose body comes as `how` says. Its length is announced in full.
async fn trickle(answer: Response, how: impl FnOnce(Bytes) -> Trickle) -> Response {
    let (mut head, body) = answer.into_parts();
    let Ok(octets) = to_bytes(body, ANSWER_OCTETS_MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    announce(&mut head.headers, octets.len());
    Response::from_parts(head, Body::new(how(octets)))
}

fn announce(headers: &mut HeaderMap, octets: usize) {
    headers.insert(CONTENT_LENGTH, HeaderValue::from(octets));
}

fn pieces(mut octets: Bytes, size: usize) -> VecDeque<Bytes> {
    let mut pieces = VecDeque::new();
    while !octets.is_empty() {
        pieces.push_back(octets.split_to(size.min(octets.len())));
    }
    pieces
}

/// A body that comes in pieces with pauses behind them, and may break off.
struct Trickle {
    pieces: VecDeque<Bytes>,
    pause: Duration,
    breaks: bool,
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// The rule by which it comes slowly.
    held_by: (Faults, u64),
}

impl Trickle {
    /// All that is left, if the rule is gone; else the next piece.
    fn next(&mut self) -> Option<Bytes> {
        let (faults, rule) = &self.held_by;
        if self.breaks || faults.holds(*rule) {
            return self.pieces.pop_front();
        }
        let rest: Vec<Bytes> = self.pieces.drain(..).collect();
        (!rest.is_empty()).then(|| rest.concat().into())
    }
}

impl http_body::Body for Trickle {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(waiting) = &mut self.waiting {
            if waiting.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.waiting = None;
        }
        match self.next() {
            Some(piece) => {
                let ((faults, rule), pause) = (self.held_by.clone(), self.pause);
                self.waiting = Some(Box::pin(async move { faults.pause(pause, rule).await }));
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            None if self.breaks => Poll::Ready(Some(Err("cut by a fault".into()))),
            None => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_have_names() {
        for (form, name) in [
            ("a=b&grant_type=refresh_token&x", Some("refresh")),
            ("grant_type=authorization_code", Some("code")),
            ("grant_type=client_credentials", Some("client_credentials")),
            (
                "grant_type=urn%3Aietf%3aparams%3Aoauth%3Agrant-type%3Adevice_code",
                Some("device"),
            ),
            ("my_grant_type=refresh_token", None),
            ("grant_type=password", None),
            ("\u{e9}", None),
        ] {
            assert_eq!(grant(&members(form.as_bytes())), name, "{form}");
        }
    }

    #[test]
    fn pieces_are_the_whole() {
        let whole = Bytes::from_static(b"0123456789");
        let cut = pieces(whole.clone(), 3);
        assert_eq!(cut.len(), 4);
        assert_eq!(cut.iter().flatten().copied().collect::<Bytes>(), whole);
    }
}
