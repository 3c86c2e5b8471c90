//! What Outlook asks before it is set up: Autodiscover in its XML form ([MS-OXDSCLI] §2.2.3, §2.2.4). The answer is the same
//! for every address, so it tells nobody who has an account. It has no place for OAuth: Outlook uses that with its maker's
//! servers only, and here an app password.

use crate::pages::show;
use crate::{App, Site};
use askama::Template;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

/// Longest address, in characters (RFC 5321 §4.5.3.1, both parts and the sign).
const ADDRESS_CHARS_MAX: usize = 320;

#[derive(Template)]
#[template(path = "autodiscover.xml")]
struct Autodiscover<'a> {
    site: &'a Site,
    /// None: the request named none.
    address: Option<String>,
    services: Vec<Service>,
}

struct Service {
    kind: &'static str,
    port: u16,
    /// TLS from the first byte, or after STARTTLS.
    encryption: &'static str,
}

pub(crate) async fn outlook(State(app): State<App>, body: Bytes) -> Response {
    let mail = &app.web.mail;
    let smtp = mail.smtps.map(|port| (port, "SSL"));
    let smtp = smtp.or(mail.submission.map(|port| (port, "TLS")));
    let services = [
        ("IMAP", mail.imap.map(|port| (port, "SSL"))),
        ("POP3", mail.pop.map(|port| (port, "SSL"))),
        ("SMTP", smtp),
    ];
    let service = |(kind, place): (&'static str, Option<(u16, &'static str)>)| {
        let (port, encryption) = place?;
        Some(Service {
            kind,
            port,
            encryption,
        })
    };
    let page = Autodiscover {
        site: &app.site,
        address: address(&String::from_utf8_lossy(&body)),
        services: services.into_iter().filter_map(service).collect(),
    };
    let mut response = show(StatusCode::OK, &page);
    let kind = HeaderValue::from_static("application/xml; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// The text of the request's one element that matters. A whole reader of XML would bring entities and their dangers for it.
fn address(request: &str) -> Option<String> {
    let (_, rest) = request.split_once("<EMailAddress>")?;
    let (text, _) = rest.split_once('<')?;
    let mut address = text.trim().to_owned();
    for (entity, letter) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&apos;", "'"),
        ("&quot;", "\""),
    ] {
        address = address.replace(entity, letter);
    }
    let address = address.replace("&amp;", "&");
    let legal = address.contains('@')
        && address.chars().count() <= ADDRESS_CHARS_MAX
        && !address.chars().any(char::is_control);
    legal.then_some(address)
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn addresses_in_requests() {
        let asked = |text: &str| address(&format!("<Request><EMailAddress>{text}</EMailAddress>"));
        assert_eq!(
            asked(" ada@example.org\r\n").as_deref(),
            Some("ada@example.org")
        );
        assert_eq!(
            asked("o&apos;hara&amp;lt;@x.org").as_deref(),
            Some("o'hara&lt;@x.org")
        );
        assert_eq!(asked("nobody"), None);
        assert_eq!(asked(&format!("{}@x", "a".repeat(400))), None);
        assert_eq!(address("<EMailAddress>ada@example.org"), None);
        assert_eq!(address(""), None);
    }
}
