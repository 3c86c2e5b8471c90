//! OAuth clients: which programs may ask, and where the browser may be sent for them.

use crate::assertion::VerifyKey;
use crate::rows::{OwnRow, SecretRow};
use crate::{Scopes, Secret, opaque};
use pillarbox_store::mail::Millis;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::sync::Arc;
use url::{Host, Url};

/// What kind of program a client is; decides what it must prove and what it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientKind {
    /// Runs where it can keep no secret: on a person's computer or telephone (RFC 8252). PKCE is required, refresh tokens
    /// rotate and are always given.
    Native,
    /// Runs on a server and proves itself with its secret.
    Web,
    /// Has no browser: device flow only (RFC 8628).
    Device,
    /// Acts without a person in front of it: signs assertions (RFC 7523), or proves itself for administration. The
    /// administrator says what it may do.
    Service,
}

/// Who may use a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Audience {
    /// Everybody with an account.
    #[default]
    Everyone,
    /// While it is tried out, as on Google: these addresses, and refresh tokens end after a week (wire §7.3).
    Testing(Vec<Arc<str>>),
}

/// Whether a registered client may begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// It may.
    #[default]
    Active,
    /// It registered itself, and an administrator has not looked at it yet.
    Waiting,
}

/// Life of refresh tokens of clients that are tried out, in milliseconds (wire §7.3).
const TESTING_REFRESH_MS: Millis = 7 * 24 * 3600 * 1000;

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
    /// A `client_secret` that everybody may know: development only.
    pub secret: Option<Secret>,
    /// Hashes of secrets that are good: one, or two while one takes over from the other.
    pub(crate) secrets: Vec<SecretRow>,
    /// Where the browser may go.
    pub redirects: Vec<Redirect>,
    /// Who registered it, in words, for the consent page.
    pub registered_by: Arc<str>,
    /// When, if known.
    pub registered: Option<Millis>,
    /// Who may use it.
    pub audience: Audience,
    /// Keys of its assertions: those that speak for a mailbox, and those that prove who it is.
    pub(crate) keys: Vec<VerifyKey>,
    /// What it may do in everybody's name.
    pub(crate) delegated: Scopes,
    /// Whether it may introspect everybody's tokens: a server of ours.
    pub(crate) introspects: bool,
    /// Whether it may begin.
    pub status: Status,
    /// What its tokens for administration rest on.
    pub(crate) administration: Option<Arc<str>>,
    /// If it registered itself.
    pub(crate) own: Option<OwnRow>,
}

impl Client {
    /// A client that everybody may use, with no secret and no redirects.
    pub fn new(id: &str, name: &str, kind: ClientKind, registered_by: &str) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            kind,
            secret: None,
            secrets: Vec::new(),
            redirects: Vec::new(),
            registered_by: registered_by.into(),
            registered: None,
            audience: Audience::Everyone,
            keys: Vec::new(),
            delegated: Scopes::default(),
            introspects: false,
            status: Status::Active,
            administration: None,
            own: None,
        }
    }

    /// The clients of a development server: `desktop`, `web` (secret `pillarbox`), `tv`, and [those](Self::built_in) that are everywhere. Their secrets are public.
    pub fn development() -> Vec<Self> {
        let client = |id: &str, name: &str, kind, secret: Option<&str>, redirects| Self {
            secret: secret.map(Secret::new),
            redirects,
            introspects: id == "web",
            ..Self::new(id, name, kind, "this development server")
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
        ]
        .into_iter()
        .chain(Self::built_in())
        .collect()
    }

    /// The clients that exist on every server: our own command line (`cli`) and Thunderbird (`thunderbird`), which takes
    /// its settings from a file of ours. Neither has a secret; both come back to a port of the person's own computer.
    pub fn built_in() -> Vec<Self> {
        vec![
            Self::on_the_desktop("cli", "Pillarbox command line"),
            Self::on_the_desktop("thunderbird", "Thunderbird"),
        ]
    }

    fn on_the_desktop(id: &str, name: &str) -> Self {
        let loopback = ["http://127.0.0.1/", "http://[::1]/", "http://localhost/"];
        Self {
            redirects: loopback
                .iter()
                .filter_map(|text| Url::parse(text).ok())
                .map(Redirect::Exact)
                .collect(),
            ..Self::new(id, name, ClientKind::Native, "Pillarbox itself")
        }
    }

    /// Whether it proves itself, with a secret or a key of its own.
    pub fn is_confidential(&self) -> bool {
        self.has_secret() || !self.keys.is_empty()
    }

    /// Whether it has a secret.
    pub fn has_secret(&self) -> bool {
        self.secret.is_some() || !self.secrets.is_empty()
    }

    /// Whether a secret is one of its own. All are compared, and as hashes, so that time tells nothing.
    pub(crate) fn proves(&self, offered: &str, now: Millis) -> bool {
        let offered = opaque::hash(offered);
        let fixed = self
            .secret
            .iter()
            .map(|secret| (opaque::hash(secret.expose()), None));
        let kept = self
            .secrets
            .iter()
            .map(|secret| (secret.hash, secret.until));
        fixed.chain(kept).fold(false, |found, (hash, until)| {
            let good = until.is_none_or(|until| until > now);
            (opaque::same(&hash, &offered) & good) | found
        })
    }

    /// Whether somebody may use it: everybody, or while it is tried out, those on the list.
    pub fn admits(&self, address: &str) -> bool {
        match &self.audience {
            Audience::Everyone => true,
            Audience::Testing(people) => people.iter().any(|one| one.eq_ignore_ascii_case(address)),
        }
    }

    /// Whether somebody who looks after this server has looked at it: registered it, or approved it as it is now.
    pub fn is_vetted(&self) -> bool {
        self.own.as_ref().is_none_or(|own| own.approved)
    }

    /// Whether it registered itself; then it also replaces its keys itself (RFC 7592).
    pub fn registered_itself(&self) -> bool {
        self.own.is_some()
    }

    /// Whether it registered itself, and nobody let it in or approved it yet.
    pub(crate) fn is_unused(&self) -> bool {
        self.own.as_ref().is_some_and(OwnRow::is_unused)
    }

    /// Whether it gets tokens with a proof of possession only (RFC 9449 §5.2).
    pub(crate) fn always_proves(&self) -> bool {
        self.own.as_ref().is_some_and(|own| own.proves)
    }

    /// Whether people come from it with pushed requests only (RFC 9126 §6).
    pub(crate) fn always_pushes(&self) -> bool {
        self.own.as_ref().is_some_and(|own| own.pushes)
    }

    /// Whether it may ask for this: everything, but for what a client that registered itself left out.
    pub(crate) fn may_ask_for(&self, scopes: Scopes) -> bool {
        let own = self.own.as_ref().and_then(|own| own.scope.as_deref());
        own.is_none_or(|own| Scopes::parse_known(own).covers(scopes))
    }

    /// Whether it is being tried out.
    pub fn is_testing(&self) -> bool {
        matches!(self.audience, Audience::Testing(_))
    }

    /// What it may do in everybody's name, as the administrator delegated.
    pub fn delegated(&self) -> Scopes {
        self.delegated
    }

    /// The keys of its assertions.
    pub fn keys(&self) -> &[VerifyKey] {
        &self.keys
    }

    /// When each of its secrets was made, and until when it is good.
    pub fn secrets(&self) -> impl Iterator<Item = (Millis, Option<Millis>)> {
        self.secrets
            .iter()
            .map(|secret| (secret.created, secret.until))
    }

    /// When refresh tokens given now end, whether or not they are used.
    pub(crate) fn refresh_ends(&self, now: Millis) -> Option<Millis> {
        self.is_testing()
            .then(|| now.saturating_add(TESTING_REFRESH_MS))
    }

    /// Whether the browser may be sent there; see [`Redirect::admits`].
    pub(crate) fn may_redirect_to(&self, uri: &Url, text: &str) -> bool {
        self.redirects.iter().any(|one| one.admits(uri, text))
    }
}

impl Redirect {
    /// Whether the browser may be sent there. `text` is the address as sent: what is compared after parsing could be
    /// spelled in ways that another parser reads differently, so unusual spellings are refused.
    pub(crate) fn admits(&self, uri: &Url, text: &str) -> bool {
        let authority = text
            .split_once("://")
            .map(|(_, rest)| rest.split(['/', '?']).next().unwrap_or(rest));
        if text.contains('#') || authority.is_some_and(|authority| authority.contains(['@', '%'])) {
            return false;
        }
        match self {
            Redirect::AnyLoopback => {
                is_loopback(uri)
                    && matches!(uri.scheme(), "http" | "https")
                    && is_spelled_but_for_port(uri, text)
            }
            Redirect::Exact(registered) => {
                let mut wanted = registered.clone();
                if registered.scheme() == "http"
                    && is_loopback(registered)
                    && wanted.set_port(uri.port()).is_err()
                {
                    return false;
                }
                // An empty path was made `/` by the parser, on both sides.
                wanted == *uri
                    && match is_loopback(uri) {
                        true => is_spelled_but_for_port(uri, text),
                        false => is_spelled(uri, text),
                    }
            }
        }
    }
}

/// Whether `text` is how the parser prints `uri`, but for the `/` of an empty path: RFC 9700 §2.1 wants exact strings.
fn is_spelled(uri: &Url, text: &str) -> bool {
    uri.as_str() == text || uri.as_str().strip_suffix('/') == Some(text)
}

/// The same for a loopback host, where the port is free (RFC 8252 §7.3) and the parser drops the usual one: 127.0.0.1 has
/// many spellings, and only one of them is it.
fn is_spelled_but_for_port(uri: &Url, text: &str) -> bool {
    let mut uri = uri.clone();
    let Some((scheme, rest)) = text
        .split_once("://")
        .filter(|_| uri.set_port(None).is_ok())
    else {
        return false;
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let is_port = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if is_port(port) => host,
        _ => authority,
    };
    is_spelled(&uri, &format!("{scheme}://{host}{path}"))
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
