//! People, credentials, clients, grants, tokens and keys: any credential that passes its check becomes a [`Principal`].
//! It has never heard of HTTP, HTML or a protocol's spelling; the time is always an argument.
#![forbid(unsafe_code)]

mod access;
mod activity;
mod administrators;
mod answers;
mod assertion;
mod attempts;
mod authorize;
mod ceremonies;
mod certificate;
mod certificates;
mod changes;
mod client;
mod client_auth;
mod clients;
mod consent;
mod device;
mod dpop;
mod endings;
mod enrol;
mod external;
mod factor;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod grant_type;
mod grants;
mod hashing;
mod hint;
mod introspect;
mod invites;
mod issued;
mod keys;
mod limits;
mod offered;
mod opaque;
mod owner;
mod passkeys;
mod people;
mod principal;
mod pushed;
mod recent;
mod redeem;
mod refusals;
mod registration;
mod rotation;
mod rows;
mod scope;
mod scram;
mod seen;
mod server;
mod sessions;
mod standing;
mod testers;
#[cfg(test)]
mod tests;
mod token;
mod totp;
mod webauthn;
mod whose;
mod words;
mod work;

pub use activity::{
    ACTIVITY_MAX, ACTIVITY_MS, Act, Activity, CHANGES_MAX, Deed, LastUse, LastUses, OTHERS_MAX,
    REFUSALS_FOLDED, REFUSALS_LISTED, REFUSALS_MAX, SIGN_INS_MAX, Sort,
};
pub use administrators::NotAdministrator;
pub use assertion::{KeyAlgorithm, VerifyKey};
pub use authorize::REQUEST_PARAMS_MAX;
pub use certificate::ClientCertificate;
pub use certificates::CertificateKey;
pub use client::{Audience, Client, ClientKind, Redirect, Status, is_loopback};
pub use clients::{ClientField, NewClient};
pub use device::{DeviceRefusal, DeviceRequest, DeviceResponse};
pub use dpop::{Confirmation, Proof};
pub use endings::{EndedClient, Revoked, TokenEnd};
pub use enrol::{Enrolled, Rekeyed};
pub use external::{
    EXTERNAL_DOCUMENT_BYTES_MAX, External, ExternalAnswer, ExternalBegun, ExternalCondition,
    ExternalProvider, ExternalRefusal, ExternalRequest, Fetch, Fetching, Recency, Shows, WhyNot,
};
pub use factor::{FirstFactor, SecondFactor, TotpSetup};
pub use introspect::Introspection;
pub use invites::INVITE_MS;
pub use limits::{AppLimits, Network, NotANetwork};
pub use owner::OwnerProof;
pub use passkeys::{Offers, Passkey, PasskeyOptions};
pub use principal::{Credential, Principal, Refusal, RefusalKind, Service};
pub use pushed::PushedResponse;
pub use recent::{Brought, SignIn};
pub use refusals::{EndpointRefusal, Why};
pub use registration::{REGISTRATION_BYTES_MAX, Registration};
pub use rotation::{JWKS_KEPT_S, KeyChange, KeyState, Rotate, ServerKey};
pub use scope::{Access, IMAP_ADMIN_SCOPE, MAIL_SCOPE, MAIL_SCOPE_ALIAS, Scope, Scopes};
pub use scram::ScramChallenge;
pub use server::{
    AuthorizationError, AuthorizationRequest, BasicAuth, ErrorCode, Jwks, Metadata, Prompt,
    TokenError, TokenResponse, UserInfo,
};
pub use sessions::{SESSION_MS, WebSession};
pub use testers::TesterChange;

use pillarbox_store::mail::{Millis, Store, StoreError};
use serde::Serialize;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;
use url::Url;

/// Fills a slice with random bytes.
pub type Random = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// A text that is shown or sent on purpose only: it never appears in `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Which passwords mail protocols take (wire §2.5). The web pages always take the account's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passwords {
    /// App passwords only.
    App,
    /// App passwords, and the account's own.
    Account,
    /// None at all.
    Never,
}

/// What one Argon2id hash costs (RFC 9106), and how many may be computed at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hashing {
    /// Memory of one hash, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Hashes computed at the same time: bounds memory and processors.
    pub parallel: usize,
}

impl Default for Hashing {
    /// OWASP's first choice for Argon2id: 19 MiB, 2 passes.
    fn default() -> Self {
        Self {
            memory_kib: 19 * 1024,
            passes: 2,
            parallel: 2,
        }
    }
}

/// How the identity floor behaves. Nothing here is read twice: changing it means opening anew.
#[derive(Clone, Debug)]
pub struct IdentityConfig {
    /// The issuer, an origin without a slash at its end: `https://mail.example.org`.
    pub issuer: String,
    /// The mail host: the audience of access tokens.
    pub host: String,
    /// Life of an access token.
    pub token_lifetime: Duration,
    /// A refresh token unused for so long ends (wire §7.3).
    pub refresh_unused: Duration,
    /// Which passwords mail protocols take.
    pub passwords: Passwords,
    /// What a password hash costs.
    pub hashing: Hashing,
    /// Whether repeated failures are slowed down. Off for development (first answers within a second always).
    pub slow_down: bool,
    /// Whether [`Identity::expired_between`] can tell of the tokens of this run: for development.
    pub remember_issued: bool,
    /// Whether programs may register themselves.
    pub registration: Registration,
    /// The OAuth clients that exist.
    pub clients: Vec<Client>,
    /// Providers elsewhere whose people may sign in here.
    pub external: Option<External>,
}

impl IdentityConfig {
    /// The defaults of a real server with this issuer and mail host: app passwords only, no clients.
    pub fn new(issuer: impl Into<String>, host: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            host: host.into(),
            token_lifetime: Duration::from_secs(3600),
            refresh_unused: Duration::from_secs(180 * 24 * 3600),
            passwords: Passwords::App,
            hashing: Hashing::default(),
            slow_down: true,
            remember_issued: false,
            registration: Registration::Off,
            clients: Vec::new(),
            external: None,
        }
    }
}

/// Why something about people, keys or grants could not be done.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The store's fault, in its words.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A password outside the bounds, named.
    #[error("{0}")]
    BadPassword(&'static str),
    /// The last sign-in does not say enough of who asks now.
    #[error("this takes a sign-in just now; please sign in again first")]
    SignInAnew,
    /// There is no such app password, grant or client.
    #[error("no such {0}")]
    NoSuch(&'static str),
    /// A bound was reached.
    #[error("too many {0}")]
    TooMany(&'static str),
    /// A certificate that cannot be registered so; the reason.
    #[error("{0}")]
    BadCertificate(&'static str),
    /// A client that cannot be registered so; the reason.
    #[error("{0}")]
    BadClient(String),
    /// A stored key or hash cannot be used.
    #[error("stored {0} cannot be used")]
    Broken(&'static str),
    /// The configuration cannot work.
    #[error("{0}")]
    Config(String),
}

/// What to mint for `pillarbox token`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mint {
    /// Life of the access token; None is the configured one.
    pub lifetime: Option<Duration>,
    /// It ended a minute ago.
    pub expired: bool,
    /// Its grant has been revoked.
    pub revoked: bool,
    /// Scopes, separated by blanks, known or not; None is [`MAIL_SCOPE`].
    pub scope: Option<String>,
    /// Also a refresh token.
    pub refresh: bool,
    /// For which client; None is `cli`.
    pub client: Option<String>,
}

/// See [`Identity::mint`].
#[derive(Clone, Debug)]
pub struct Minted {
    /// The bearer token.
    pub access_token: Secret,
    /// If asked for.
    pub refresh_token: Option<Secret>,
    /// When the access token ends.
    pub expires: Millis,
    /// The grant it belongs to.
    pub grant: Arc<str>,
}

/// One app password as shown to its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppPassword {
    /// Names it in [`Identity::revoke_app_password`].
    pub id: Arc<str>,
    /// The owner's name for it.
    pub name: Arc<str>,
    /// When it was made.
    pub created: Millis,
    /// What it is limited to.
    pub limits: AppLimits,
}

/// One approval as shown to its owner: which program may do what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Names it in [`Identity::revoke_grant`].
    pub id: Arc<str>,
    /// The client's id.
    pub client: Arc<str>,
    /// The client's name for people.
    pub app: Arc<str>,
    /// What was approved.
    pub scope: Arc<str>,
    /// When.
    pub created: Millis,
    /// When a token was last issued under it.
    pub last_used: Millis,
    /// Whether it goes on by itself (has a refresh token).
    pub offline: bool,
    /// When it was ended, if it was.
    pub revoked: Option<Millis>,
}

/// The identity floor of one server. Cheap to clone.
#[derive(Clone)]
pub struct Identity {
    inner: Arc<Inner>,
    /// Whom failures are counted for.
    peer: Option<IpAddr>,
    /// What this request was signed with.
    proof: Option<Arc<Proof>>,
    /// Who acts on others, in words for their audit trails.
    acting: Option<Arc<str>>,
}

struct Inner {
    store: Store,
    config: IdentityConfig,
    clients: clients::Clients,
    seen: seen::Seen,
    seen_of_strangers: seen::Seen,
    arrivals: registration::Arrivals,
    proofs: seen::Seen,
    random: Random,
    keys: keys::Keys,
    issued: issued::Issued,
    answers: answers::Answers,
    hasher: hashing::Hasher,
    attempts: attempts::Attempts,
    work: work::Work,
    ceremonies: ceremonies::Ceremonies,
    device: device::Waiting,
    external: external::Externals,
    standings: standing::Standings,
    trail: activity::Trail,
    revocations: broadcast::Sender<Revoked>,
    ended_clients: broadcast::Sender<EndedClient>,
}

/// Revocations a receiver may be behind before it loses some.
const REVOCATIONS_WAITING_MAX: usize = 1024;

type Result<T, E = IdentityError> = std::result::Result<T, E>;

impl Identity {
    /// Opens it; makes signing keys on first start (Ed25519 for access tokens, RSA for id tokens).
    ///
    /// # Errors
    /// [`IdentityError::Store`], [`IdentityError::Broken`], [`IdentityError::Config`].
    pub async fn open(
        store: Store,
        mut config: IdentityConfig,
        random: Random,
        now: Millis,
    ) -> Result<Self> {
        let issuer = Url::parse(&config.issuer);
        if issuer.is_err() || config.issuer.ends_with('/') {
            let text = format!(
                "issuer {:?} is not an origin like https://mail.example.org",
                config.issuer
            );
            return Err(IdentityError::Config(text));
        }
        let clients = clients::Clients::new(&store, std::mem::take(&mut config.clients))?;
        let external = external::Externals::new(config.external.take(), &config.issuer)?;
        let life = grants::millis(config.token_lifetime);
        let keys = keys::Keys::open(&store, &random, life, now).await?;
        let hasher = hashing::Hasher::new(config.hashing, &random).await?;
        let issued = issued::Issued::new(config.remember_issued);
        let inner = Inner {
            store,
            config,
            clients,
            seen: seen::Seen::new(seen::OF_CLIENTS),
            seen_of_strangers: seen::Seen::new(seen::OF_STRANGERS),
            arrivals: registration::Arrivals::default(),
            proofs: seen::Seen::new(seen::OF_PROOFS),
            random,
            keys,
            issued,
            answers: answers::Answers::default(),
            hasher,
            attempts: attempts::Attempts::default(),
            work: work::Work::default(),
            ceremonies: ceremonies::Ceremonies::default(),
            device: device::Waiting::default(),
            external,
            standings: standing::Standings::default(),
            trail: activity::Trail::default(),
            revocations: broadcast::Sender::new(REVOCATIONS_WAITING_MAX),
            ended_clients: broadcast::Sender::new(REVOCATIONS_WAITING_MAX),
        };
        let identity = Self {
            inner: Arc::new(inner),
            peer: None,
            proof: None,
            acting: None,
        };
        identity.know_clients().await?;
        Ok(identity)
    }

    /// The same for one peer: failures are counted for its address and the account together.
    #[must_use]
    pub fn from_peer(&self, peer: IpAddr) -> Self {
        Self {
            peer: Some(peer),
            ..self.clone()
        }
    }

    /// The same for somebody who acts on others: every entry of an audit trail that comes of it ends with these words, as
    /// "by ada@example.org".
    #[must_use]
    pub fn acting(&self, how: impl Into<Arc<str>>) -> Self {
        Self {
            acting: Some(how.into()),
            ..self.clone()
        }
    }

    /// A program's name for people.
    fn app_name(&self, client: &str) -> Arc<str> {
        self.client(client)
            .map_or_else(|| client.into(), |client| Arc::clone(&client.name))
    }
}
