//! What mail programs ask before they are set up: Mozilla's autoconfig, with the OAuth block.

use crate::pages::show;
use crate::{App, Site, form};
use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

#[derive(Template)]
#[template(path = "autoconfig.xml")]
struct Autoconfig<'a> {
    site: &'a Site,
    domain: &'a str,
    servers: Vec<Server>,
}

struct Server {
    tag: &'static str,
    kind: &'static str,
    port: u16,
    socket: &'static str,
}

pub(crate) async fn mozilla(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    let query = form::read(query.unwrap_or_default().as_bytes());
    let address = form::get(&query, "emailaddress");
    let domain = address
        .rsplit_once('@')
        .map_or(&*app.site.mail_host, |(_, domain)| domain);
    let mail = &app.web.mail;
    let servers = [
        ("incomingServer", "imap", mail.imap, "SSL"),
        ("incomingServer", "pop3", mail.pop, "SSL"),
        ("outgoingServer", "smtp", mail.smtps, "SSL"),
        ("outgoingServer", "smtp", mail.submission, "STARTTLS"),
    ];
    let server = |(tag, kind, port, socket): (_, _, Option<u16>, _)| {
        Some(Server {
            tag,
            kind,
            port: port?,
            socket,
        })
    };
    let servers = servers.into_iter().filter_map(server).collect();
    let mut response = show(
        StatusCode::OK,
        &Autoconfig {
            site: &app.site,
            domain,
            servers,
        },
    );
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/xml; charset=utf-8"),
    );
    response
}
