//! What every part of the running server shares, made once at start.

use crate::clock::Clock;
use crate::config::{Config, TlsMode};
use crate::dns::Dns;
use crate::failure::Failure;
use crate::faults::Faults;
use crate::journal::Journal;
use crate::listen::Service;
use crate::wire_log::WireLog;
use pillarbox_oauth::{Identity, Mint, Secret};
use pillarbox_protocols::sessions::Registry;
use pillarbox_store::mail::{AccountId, Naming, Store};
use pillarbox_web::MailServices;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// The running server's parts.
pub struct House {
    /// Both clocks.
    pub clock: Clock,
    /// Told what happens.
    pub journal: Journal,
    /// Live mail connections.
    pub registry: Registry,
    /// Mail.
    pub store: Store,
    /// People and tokens.
    pub identity: Identity,
    /// Whom it asks for names.
    pub dns: Dns,
    /// How it was set up.
    pub config: Config,
    /// What new accounts call their system mailboxes.
    pub naming: Naming,
    /// Where the mail services are, for people and for the DNS.
    pub mail: MailServices,
    /// Present in a development server.
    pub development: Option<Development>,
    /// Raised when the server is to stop.
    pub stopping: watch::Sender<bool>,
    /// See [`House::session_token`].
    pub sessions: AtomicU64,
}

impl House {
    /// Begins the end.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Moves the clock forward; how many live mail sessions that ends.
    pub fn advance(&self, by: Duration) -> usize {
        let before = self.clock.wall();
        let sessions = self.registry.list();
        self.clock.advance(by);
        let passed = before..=self.clock.wall();
        let ends = sessions.iter().filter_map(|one| one.signed_in.as_ref());
        ends.filter(|(_, until)| passed.contains(until)).count()
    }

    /// The certificate of the private authority that vouches for this server, if it has such a one.
    pub fn authority(&self) -> Option<PathBuf> {
        match &self.development {
            Some(development) => Some(development.ca.clone()),
            None => (self.config.tls_mode == TlsMode::Private)
                .then(|| self.config.data.join("authority").join("ca.pem")),
        }
    }

    /// The host of the pages.
    pub fn web_host(&self) -> String {
        let issuer = url::Url::parse(&self.config.issuer()).ok();
        let host = issuer.as_ref().and_then(|url| url.host_str());
        host.unwrap_or(&self.config.host).to_owned()
    }

    /// The next connection's token: short, so that people can type it after `pillarbox why`; the first one is random,
    /// so that two runs are not mistaken for each other.
    pub fn session_token(&self) -> String {
        format!("{:04x}", self.sessions.fetch_add(1, Ordering::Relaxed))
    }
}

/// Where [`House::session_token`] begins: four digits, with room to grow before there are five.
pub fn first_session() -> AtomicU64 {
    AtomicU64::new(0x1000 + crate::random::number() % 0x7000)
}

/// What a development server tells tests about itself (first five minutes §5).
pub struct Development {
    /// Where each service listens; the first address of each.
    pub ports: Vec<(Service, u16)>,
    /// The certificate to trust.
    pub ca: PathBuf,
    /// The local socket.
    pub admin: PathBuf,
    /// The account the variables are for.
    pub user: String,
    /// Its id.
    pub account: AccountId,
    /// Its app password.
    pub app_password: Secret,
    /// What goes wrong on purpose.
    pub faults: Faults,
    /// What was said on the wire.
    pub wire: WireLog,
}

impl Development {
    /// The port of a service.
    pub fn port(&self, service: Service) -> u16 {
        let found = self.ports.iter().find(|(name, _)| *name == service);
        found.map_or(0, |(_, port)| *port)
    }

    /// The fields of `--json` and of the ready file; as variables they are upper case with `PILLARBOX_` in front. Tokens
    /// are fresh at every call.
    pub async fn facts(&self, house: &House) -> Result<Map<String, Value>, Failure> {
        let mint = Mint {
            refresh: true,
            client: Some("web".into()),
            ..Mint::default()
        };
        let minted = house
            .identity
            .mint(&self.account, mint, house.clock.wall())
            .await;
        let minted =
            minted.map_err(|error| Failure::could_not(format!("no token can be made: {error}")))?;
        let port = |service| self.port(service);
        let issuer = house.config.issuer();
        let metadata = house.identity.metadata();
        let facts = json!({
            "host": "localhost",
            "imap_port": port(Service::Imap),
            "pop_port": port(Service::Pop),
            "smtps_port": port(Service::Smtps),
            "submission_port": port(Service::Submission),
            "incoming_port": port(Service::Incoming),
            "web_port": port(Service::Web),
            "imaps": format!("imaps://localhost:{}", port(Service::Imap)),
            "pop3s": format!("pop3s://localhost:{}", port(Service::Pop)),
            "smtps": format!("smtps://localhost:{}", port(Service::Smtps)),
            "smtp": format!("smtp://localhost:{}", port(Service::Submission)),
            "issuer": issuer,
            "token_url": metadata.token_endpoint,
            "auth_url": metadata.authorization_endpoint,
            "scope": pillarbox_oauth::MAIL_SCOPE,
            "ca": self.ca,
            "user": self.user,
            "token": minted.access_token.expose(),
            "refresh_token": minted.refresh_token.as_ref().map(Secret::expose),
            "app_password": self.app_password.expose(),
            "client_id": "web",
            "client_secret": "pillarbox",
            "dev_api": format!("https://localhost:{}/dev/api", port(Service::Web)),
            "admin": self.admin,
            "pid": std::process::id(),
        });
        match facts {
            Value::Object(facts) => Ok(facts),
            _ => Ok(Map::new()),
        }
    }
}

/// A fact as a variable's value.
pub fn variable(fact: &Value) -> String {
    match fact {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
