//! What browsers are told with every answer.

use crate::App;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::middleware::Next;
use axum::response::Response;
use url::{Host, Url};

/// Two years, as the preload list wants.
const HSTS: &str = "max-age=63072000";

/// A policy without scripts, frames or anything of another host; forms may lead to ourselves and to `next`, where the
/// browser is sent after the form (browsers apply form-action to the redirects behind it).
pub(crate) fn policy(next: Option<&str>) -> HeaderValue {
    allowing("", next)
}

/// The same with one script of ours, which may ask us questions.
pub(crate) fn policy_with(origin: &str, script: &str, next: Option<&str>) -> HeaderValue {
    allowing(
        &format!("script-src {origin}{script}; connect-src 'self'; "),
        next,
    )
}

fn allowing(more: &str, next: Option<&str>) -> HeaderValue {
    let next = next
        .and_then(source)
        .map(|source| format!(" {source}"))
        .unwrap_or_default();
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; {more}form-action 'self'{next}; base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// An address as a source expression (CSP 3 §2.3.1): its origin, or where the grammar has none, its scheme.
fn source(address: &str) -> Option<String> {
    let url = Url::parse(address).ok()?;
    match url.host() {
        Some(Host::Domain(_) | Host::Ipv4(_)) if matches!(url.scheme(), "http" | "https") => {
            Some(url.origin().ascii_serialization())
        }
        _ => Some(format!("{}:", url.scheme())),
    }
}

/// Adds what a handler did not set itself.
pub(crate) async fn add(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut default = |name: HeaderName, value: HeaderValue| {
        headers.entry(name).or_insert(value);
    };
    default(CONTENT_SECURITY_POLICY, policy(None));
    default(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    default(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Not no-referrer: that would make the Origin of our own forms null.
    default(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    default(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if !app.site.dev {
        default(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HSTS));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::source;

    #[test]
    fn where_forms_may_lead() {
        assert_eq!(
            source("http://127.0.0.1:51004/cb?x=1").as_deref(),
            Some("http://127.0.0.1:51004")
        );
        assert_eq!(
            source("https://app.example/cb").as_deref(),
            Some("https://app.example")
        );
        assert_eq!(
            source("http://[::1]:51004/").as_deref(),
            Some("http:"),
            "the grammar knows no IPv6"
        );
        assert_eq!(
            source("com.example.app:/cb").as_deref(),
            Some("com.example.app:")
        );
    }
}
