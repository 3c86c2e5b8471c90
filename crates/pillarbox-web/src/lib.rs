//! The web floor: sign-in and consent pages, the endpoints of the authorization server, discovery, and what mail programs
//! ask before they are set up. An axum [`Router`]; sockets and TLS are the program's business, the time is an argument.
//!
//! Deliberately absent: scripts but the one for passkeys (every page works without), anything from another host, cookies on
//! endpoints for programs.
#![forbid(unsafe_code)]

mod account;
mod admin;
mod asked;
mod autoconfig;
mod autodiscover;
mod browser;
mod consent;
mod console;
mod control;
mod dates;
mod device;
mod domains;
mod endpoints;
mod external;
mod factor;
mod form;
mod frame;
mod headers;
mod help;
mod invite;
mod pages;
mod passkeys;
mod published;
mod registration;
mod session;
mod signed;
#[cfg(test)]
mod tests;
mod when;
mod zip;

pub use control::{
    Condition, Control, Ended, Fault, FaultNames, FaultWanted, Happening, LiveSession, LookingUp,
    NoControl, SignedIn, Speaker, Wanted, WireConnection, WireLine,
};
pub use domains::{DnsRecord, DomainRow, domains, records, serves};
pub use published::{Answer, Check, Checked, Found, Question, RecordKind, Standing, check};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Method;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, WWW_AUTHENTICATE};
use axum::routing::{get, post};
use pillarbox_oauth::{Identity, Secret};
use pillarbox_store::mail::{Millis, Store};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{Any, CorsLayer};
use tower_http::csrf::CsrfLayer;
use url::Url;

/// Tells the time of the wall clock.
pub type Clock = Arc<dyn Fn() -> Millis + Send + Sync>;

/// Begins when a password is about to be checked; over when it may be told that it was refused, whatever the cause and however
/// long it took to find out.
pub type Pause = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Who asks: the program adds it to each request's extensions, so that failures are counted for the right address.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// Longest body of a form, in bytes: an authorization request that comes back, and a password.
const FORM_BYTES_MAX: usize = 64 * 1024;
/// How long a browser need not ask again whether programs of other sites may ask.
const PREFLIGHT_KEPT: Duration = Duration::from_secs(3600);

/// Where the mail services are, for "set up your mail program"; None is closed.
#[derive(Clone, Debug, Default)]
pub struct MailServices {
    /// The host of all of them.
    pub host: String,
    /// IMAP with TLS.
    pub imap: Option<u16>,
    /// POP3 with TLS.
    pub pop: Option<u16>,
    /// SMTP with TLS.
    pub smtps: Option<u16>,
    /// SMTP with STARTTLS.
    pub submission: Option<u16>,
}

/// A service as people enter it into a mail program.
pub(crate) struct Setting {
    pub what: &'static str,
    pub port: u16,
    pub security: &'static str,
}

impl MailServices {
    /// Those that are open.
    pub(crate) fn settings(&self) -> Vec<Setting> {
        let all = [
            ("Reading mail (IMAP)", self.imap, "TLS"),
            ("Fetching mail (POP)", self.pop, "TLS"),
            ("Sending mail (SMTP)", self.smtps, "TLS"),
            ("Sending, older programs", self.submission, "STARTTLS"),
        ];
        let open = |(what, port, security): (_, Option<u16>, _)| {
            Some(Setting {
                what,
                port: port?,
                security,
            })
        };
        all.into_iter().filter_map(open).collect()
    }
}

/// What the pages need.
#[derive(Clone)]
pub struct Web {
    /// People, clients, tokens.
    pub identity: Identity,
    /// Their mail.
    pub store: Store,
    /// The wall clock.
    pub clock: Clock,
    /// See [`Pause`].
    pub pause: Pause,
    /// Our name.
    pub product: Arc<str>,
    /// Our version.
    pub version: Arc<str>,
    /// Development: says so on every page, and asks browsers to remember nothing (no HSTS).
    pub dev: bool,
    /// The mail services.
    pub mail: MailServices,
    /// The running server.
    pub control: Arc<dyn Control>,
}

/// What every page shows.
pub(crate) struct Site {
    pub product: Arc<str>,
    pub version: Arc<str>,
    pub dev: bool,
    /// The issuer.
    pub origin: String,
    /// The issuer's host.
    pub host: String,
    pub mail_host: String,
}

pub(crate) struct Inner {
    pub web: Web,
    pub site: Site,
}

pub(crate) type App = Arc<Inner>;

impl Inner {
    pub(crate) fn now(&self) -> Millis {
        (self.web.clock)()
    }
}

/// The address of the page where an invitation ([`Identity::invite`]) is accepted.
pub fn invitation(issuer: &str, text: &Secret) -> String {
    invite::link(issuer, text)
}

/// All pages and endpoints.
pub fn router(web: Web) -> Router {
    router_with(web, Router::new())
}

/// The same, and beside them what the program answers itself, with the same headers and bounds.
pub fn router_with(web: Web, more: Router) -> Router {
    let origin = web.identity.metadata().issuer;
    let host = Url::parse(&origin)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned));
    let site = Site {
        product: Arc::clone(&web.product),
        version: Arc::clone(&web.version),
        dev: web.dev,
        host: host.unwrap_or_else(|| origin.clone()),
        mail_host: web.mail.host.clone(),
        origin,
    };
    // Forms of pages carry a cookie, so they must come from our own pages. A wrong origin cannot be configured here:
    // the layer compares with the host that was asked for.
    let own_forms = Router::new()
        .route("/signin", get(pages::sign_in_page).post(pages::sign_in))
        .route("/signin/code", post(factor::code))
        .route(factor::PAGE, get(factor::page).post(factor::change))
        .route("/signout", post(pages::sign_out))
        .route("/consent", post(consent::answer))
        .route("/device", get(device::page).post(device::enter))
        .route("/device/consent", get(device::ask).post(device::answer))
        .merge(account::routes())
        .merge(passkeys::routes())
        .merge(admin::routes())
        .merge(invite::routes())
        .merge(console::routes(web.dev))
        .layer(CsrfLayer::new());
    // Programs in the browser ask these from pages of other sites. No cookie is looked at, so nobody acts in another's name.
    let cross_origin = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE, HeaderName::from_static("dpop")])
        .expose_headers([WWW_AUTHENTICATE])
        .max_age(PREFLIGHT_KEPT);
    let for_browsers_too = Router::new()
        .route("/token", post(endpoints::token))
        .route("/o/oauth2/token", post(endpoints::token))
        .route("/revoke", post(endpoints::revoke))
        .route("/par", post(endpoints::push))
        .route(
            "/v1/userinfo",
            get(endpoints::userinfo).post(endpoints::userinfo),
        )
        .route("/oauth2/v3/certs", get(endpoints::keys))
        .route(
            "/.well-known/openid-configuration",
            get(endpoints::metadata),
        )
        .route(
            "/.well-known/oauth-authorization-server",
            get(endpoints::metadata),
        )
        .layer(cross_origin);
    let app = Arc::new(Inner { web, site });
    Router::new()
        .route("/", get(pages::home))
        .route("/help", get(help::page))
        .route(
            "/o/oauth2/v2/auth",
            get(consent::authorize).post(consent::authorize_by_post),
        )
        .route(
            "/o/oauth2/auth",
            get(consent::authorize).post(consent::authorize_by_post),
        )
        .merge(own_forms)
        .merge(external::routes())
        .merge(for_browsers_too)
        .merge(more.with_state(()))
        .route("/device/authorize", post(device::authorize))
        .route("/device/code", post(device::code))
        .route("/introspect", post(endpoints::introspect))
        .merge(registration::routes())
        .route(
            "/.well-known/autoconfig/mail/config-v1.1.xml",
            get(autoconfig::mozilla),
        )
        .route("/mail/config-v1.1.xml", get(autoconfig::mozilla))
        .route(
            "/autodiscover/autodiscover.xml",
            post(autodiscover::outlook),
        )
        .route(
            "/Autodiscover/Autodiscover.xml",
            post(autodiscover::outlook),
        )
        .route("/healthz", get(endpoints::health))
        .route("/style.css", get(pages::style))
        .route("/icon.svg", get(pages::icon))
        .route(passkeys::SCRIPT, get(passkeys::script))
        .fallback(pages::anything_else)
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(&app),
            headers::add,
        ))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(CatchPanicLayer::new())
        .with_state(app)
}
