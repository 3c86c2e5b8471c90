//! The add-on that tells Thunderbird 140 and newer how to sign in here: a manifest with an `oauth_provider` entry, nothing
//! else. It holds no secret, runs no code, and is the same for everybody.

use super::setup::file;
use crate::signed::Signed;
use crate::{App, Site, pages, zip};
use axum::extract::State;
use axum::response::Response;
use pillarbox_oauth::MAIL_SCOPE;
use serde_json::{Value, json};

pub(crate) const PATH: &str = "/account/setup/thunderbird.xpi";

/// The client that exists on every server.
const CLIENT: &str = "thunderbird";
/// Where Thunderbird waits for the answer; the port is its own choice.
const REDIRECT: &str = "http://localhost";
/// Names of a development server: Thunderbird looks up providers only for names with a dot.
const DEVELOPMENT: [&str; 5] = [
    "127.0.0.1",
    "localhost",
    "imap.localhost",
    "pop.localhost",
    "smtp.localhost",
];

pub(crate) async fn extension(State(app): State<App>, _: Signed) -> Response {
    let metadata = app.web.identity.metadata();
    let manifest = manifest(
        &app.site,
        &metadata.authorization_endpoint,
        &metadata.token_endpoint,
    );
    let text = format!("{manifest:#}\n");
    match zip::archive(&[("manifest.json", text.as_bytes())]) {
        // Not application/x-xpinstall: Firefox would try to take it for itself.
        Some(bytes) => file(
            "application/octet-stream",
            "pillarbox-thunderbird.xpi",
            bytes,
        ),
        None => pages::failed(&app, &"an add-on larger than its format"),
    }
}

fn manifest(site: &Site, authorization: &str, token: &str) -> Value {
    let hosts: Vec<&str> = match site.dev {
        true => DEVELOPMENT.to_vec(),
        false => vec![&site.mail_host],
    };
    // An id looks like an address (letters, digits, dots, hyphens behind the sign).
    let id: String = site
        .host
        .chars()
        .map(|letter| match letter {
            'a'..='z' | '0'..='9' | '.' | '-' => letter,
            _ => '-',
        })
        .collect();
    json!({
        "manifest_version": 3,
        "name": format!("{} on {}", site.product, site.host),
        "description": format!("Lets Thunderbird sign in to {} with OAuth2.", site.host),
        "version": "1.0",
        "browser_specific_settings": {
            "gecko": { "id": format!("pillarbox@{id}"), "strict_min_version": "140.0" },
        },
        "oauth_provider": {
            "issuer": site.host,
            "clientId": CLIENT,
            "authorizationEndpoint": authorization,
            "tokenEndpoint": token,
            "redirectionEndpoint": REDIRECT,
            "usePKCE": true,
            "hostnames": hosts,
            "scopes": MAIL_SCOPE,
        },
    })
}
