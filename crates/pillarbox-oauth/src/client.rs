//! OAuth clients: which programs may ask, and where the browser may be sent for them.

use crate::Secret;
use pillarbox_store::mail::Millis;
use std::net::Ipv4Addr;
use std::sync::Arc;
use url::{Host, Url};

/// What kind of program a client is; decides what it must prove and what it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// Runs where it can keep no secret: on a person's computer or telephone (RFC 8252). PKCE is required, refresh tokens
    /// rotate and are always given.
    Native,
    /// Runs on a server and proves itself with its secret.
    Web,
    /// Has no browser: device flow only (RFC 8628).
    Device,
}

/// Where the browser may be sent with the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redirect {
    /// This address. For `http` to a loopback host the port is free (RFC 8252 §7.3), and an empty path equals `/`.
    Exact(Url),
    /// Any path and port of `http` or `https` on a loopback host: for development, where nobody registers anything.
    AnyLoopback,
}

/// One registered program.
#[derive(Clone, Debug)]
pub struct Client {
    /// `client_id`.
    pub id: Arc<str>,
    /// For people.
    pub name: Arc<str>,
    /// What it is.
    pub kind: ClientKind,
    /// `client_secret`; None for public clients.
    pub secret: Option<Secret>,
    /// Where the browser may go.
    pub redirects: Vec<Redirect>,
    /// Who registered it, in words, for the consent page.
    pub registered_by: Arc<str>,
    /// When, if known.
    pub registered: Option<Millis>,
}

impl Client {
    /// The clients of a development server: `desktop`, `web` (secret `pillarbox`), `tv`, `cli`. Their secrets are public.
    pub fn development() -> Vec<Self> {
        let client = |id: &str, name: &str, kind, secret: Option<&str>, redirects| Self {
            id: id.into(),
            name: name.into(),
            kind,
            secret: secret.map(Secret::new),
            redirects,
            registered_by: "this development server".into(),
            registered: None,
        };
        vec![
            client(
                "desktop",
                "Desktop program",
                ClientKind::Native,
                None,
                vec![Redirect::AnyLoopback],
            ),
            client(
                "web",
                "Web application",
                ClientKind::Web,
                Some("pillarbox"),
                vec![Redirect::AnyLoopback],
            ),
            client("tv", "Television", ClientKind::Device, None, Vec::new()),
            Self::command_line(),
        ]
    }

    /// Our own command line, the client `cli`: exists on every server.
    pub fn command_line() -> Self {
        let loopback = ["http://127.0.0.1/", "http://[::1]/", "http://localhost/"];
        Self {
            id: "cli".into(),
            name: "Pillarbox command line".into(),
            kind: ClientKind::Native,
            secret: None,
            redirects: loopback
                .iter()
                .filter_map(|text| Url::parse(text).ok())
                .map(Redirect::Exact)
                .collect(),
            registered_by: "Pillarbox itself".into(),
            registered: None,
        }
    }

    /// Whether it proves itself with a secret.
    pub fn is_confidential(&self) -> bool {
        self.secret.is_some()
    }

    /// Whether the browser may be sent there. `text` is the address as sent: what is compared after parsing could be
    /// spelled in ways that another parser reads differently, so unusual spellings are refused.
    pub(crate) fn may_redirect_to(&self, uri: &Url, text: &str) -> bool {
        let authority = text
            .split_once("://")
            .map(|(_, rest)| rest.split(['/', '?']).next().unwrap_or(rest));
        if text.contains('#') || authority.is_some_and(|authority| authority.contains(['@', '%'])) {
            return false;
        }
        self.redirects.iter().any(|allowed| match allowed {
            Redirect::AnyLoopback => is_loopback(uri) && matches!(uri.scheme(), "http" | "https"),
            Redirect::Exact(registered) => {
                let mut wanted = registered.clone();
                if registered.scheme() == "http"
                    && is_loopback(registered)
                    && wanted.set_port(uri.port()).is_err()
                {
                    return false;
                }
                // An empty path was made `/` by the parser, on both sides.
                wanted == *uri && (is_loopback(uri) || is_spelled(uri, text))
            }
        })
    }
}

/// Whether `text` is how the parser prints `uri`, but for the `/` of an empty path: RFC 9700 §2.1 wants exact strings.
fn is_spelled(uri: &Url, text: &str) -> bool {
    uri.as_str() == text || uri.as_str().strip_suffix('/') == Some(text)
}

/// Whether an address leads to a program on this computer: 127.0.0.1, [::1] or localhost, spelled so.
pub fn is_loopback(uri: &Url) -> bool {
    match uri.host() {
        Some(Host::Ipv4(host)) => host == Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(host)) => host.is_loopback(),
        Some(Host::Domain(host)) => host == "localhost",
        None => false,
    }
}
