//! People, credentials, clients, grants, tokens and keys: any credential that passes its check becomes a [`Principal`].
//! It has never heard of HTTP, HTML or a protocol's spelling; the time is always an argument.
#![forbid(unsafe_code)]

mod client;
mod principal;
mod scope;
mod server;

pub use client::{Client, ClientKind, Redirect};
pub use principal::{Credential, Principal, Refusal, RefusalKind, Service};
pub use scope::{MAIL_SCOPE, MAIL_SCOPE_ALIAS, Scope, Scopes};
pub use server::{
    AuthorizationError, AuthorizationRequest, BasicAuth, ErrorCode, Jwks, Metadata, Prompt,
    TokenError, TokenResponse, UserInfo,
};

use pillarbox_store::mail::{AccountId, Millis, Naming, Store, StoreError};
use serde::Serialize;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;

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
    /// The OAuth clients that exist.
    pub clients: Vec<Client>,
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
            clients: Vec::new(),
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
    /// There is no such app password, grant or client.
    #[error("no such {0}")]
    NoSuch(&'static str),
    /// A bound was reached.
    #[error("too many {0}")]
    TooMany(&'static str),
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
pub struct Identity {}

type Result<T, E = IdentityError> = std::result::Result<T, E>;

fn stub<T>() -> Result<T> {
    Err(IdentityError::Broken("nothing"))
}

fn refused<T>() -> Result<T, Refusal> {
    Err(Refusal::new(RefusalKind::Temporary, "not built yet"))
}

#[allow(unused_variables, clippy::unused_async)]
impl Identity {
    /// Opens it; makes signing keys on first start (Ed25519 for access tokens, RSA for id tokens).
    ///
    /// # Errors
    /// [`IdentityError::Store`], [`IdentityError::Broken`], [`IdentityError::Config`].
    pub async fn open(
        store: Store,
        config: IdentityConfig,
        random: Random,
        now: Millis,
    ) -> Result<Self> {
        stub()
    }

    /// The same for one peer: failures are counted for its address and the account together.
    #[must_use]
    pub fn from_peer(&self, peer: IpAddr) -> Self {
        self.clone()
    }

    /// Checks a bearer token for `user` (compared without ASCII case; aliases are good).
    ///
    /// # Errors
    /// A [`Refusal`] whose cause is precise.
    pub async fn bearer(
        &self,
        user: &str,
        token: &str,
        service: Service,
        now: Millis,
    ) -> Result<Principal, Refusal> {
        refused()
    }

    /// Checks a password for a mail service (wire §2.5).
    ///
    /// # Errors
    /// A [`Refusal`] whose cause is precise.
    pub async fn password(
        &self,
        user: &str,
        password: &str,
        service: Service,
        now: Millis,
    ) -> Result<Principal, Refusal> {
        refused()
    }

    /// Checks an account's own password for the web pages.
    ///
    /// # Errors
    /// A [`Refusal`] whose cause is precise; what is shown never is.
    pub async fn web_sign_in(
        &self,
        address: &str,
        password: &str,
        now: Millis,
    ) -> Result<Principal, Refusal> {
        refused()
    }

    /// Begins a web session; the text goes into a cookie.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn open_session(&self, person: &Principal, now: Millis) -> Result<Secret> {
        stub()
    }

    /// Who a cookie's web session belongs to.
    ///
    /// # Errors
    /// A [`Refusal`].
    pub async fn session(&self, cookie: &str, now: Millis) -> Result<Principal, Refusal> {
        refused()
    }

    /// Ends a web session; an unknown one is none.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn close_session(&self, cookie: &str) -> Result<()> {
        stub()
    }

    /// Makes an account, with a password or without one.
    ///
    /// # Errors
    /// [`IdentityError::Store`], [`IdentityError::BadPassword`].
    pub async fn create_person(
        &self,
        address: &str,
        password: Option<&str>,
        naming: Naming,
        now: Millis,
    ) -> Result<AccountId> {
        stub()
    }

    /// Sets an account's own password. Ends its grants, app passwords and web sessions if it had one before.
    ///
    /// # Errors
    /// [`IdentityError::Store`], [`IdentityError::BadPassword`].
    pub async fn set_password(
        &self,
        account: &AccountId,
        password: &str,
        now: Millis,
    ) -> Result<()> {
        stub()
    }

    /// Suspends an account or lets it in again. Suspended: every check refuses, live sessions end.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn set_suspended(&self, account: &AccountId, suspended: bool) -> Result<()> {
        stub()
    }

    /// Makes an app password: its id, and the 16 letters, which are shown this once.
    ///
    /// # Errors
    /// [`IdentityError::Store`], [`IdentityError::TooMany`].
    pub async fn add_app_password(
        &self,
        account: &AccountId,
        name: &str,
        now: Millis,
    ) -> Result<(Arc<str>, Secret)> {
        stub()
    }

    /// The app passwords of an account, oldest first.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn list_app_passwords(&self, account: &AccountId) -> Result<Vec<AppPassword>> {
        stub()
    }

    /// Ends an app password and the sessions it opened.
    ///
    /// # Errors
    /// [`IdentityError::NoSuch`], [`IdentityError::Store`].
    pub async fn revoke_app_password(&self, account: &AccountId, id: &str) -> Result<()> {
        stub()
    }

    /// Checks the parameters of the authorization endpoint (RFC 6749 §4.1.1, RFC 7636 §4.3).
    ///
    /// # Errors
    /// [`AuthorizationError`]: for a page, or for the client by a redirect.
    pub async fn authorization_request(
        &self,
        params: &[(String, String)],
        now: Millis,
    ) -> Result<AuthorizationRequest, AuthorizationError> {
        Err(AuthorizationError::page(
            ErrorCode::ServerError,
            "not built yet",
        ))
    }

    /// Whether the person must be asked: false when the same is already granted to a client that can prove itself.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn needs_consent(
        &self,
        request: &AuthorizationRequest,
        person: &Principal,
        now: Millis,
    ) -> Result<bool> {
        stub()
    }

    /// The person allows it: where to send the browser, with `code`, `state` and `iss` (RFC 9207).
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn approve(
        &self,
        request: &AuthorizationRequest,
        person: &Principal,
        now: Millis,
    ) -> Result<String> {
        stub()
    }

    /// The person does not: where to send the browser, with `error=access_denied`.
    pub fn deny(&self, request: &AuthorizationRequest) -> String {
        String::new()
    }

    /// The token endpoint (RFC 6749 §3.2).
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn token(
        &self,
        basic: Option<BasicAuth>,
        params: &[(String, String)],
        now: Millis,
    ) -> Result<TokenResponse, TokenError> {
        Err(TokenError::new(ErrorCode::ServerError, "not built yet"))
    }

    /// The revocation endpoint (RFC 7009): either token ends its grant; an unknown one is fine.
    ///
    /// # Errors
    /// [`TokenError`] if client credentials are given and wrong, or the store fails.
    pub async fn revoke(
        &self,
        basic: Option<BasicAuth>,
        params: &[(String, String)],
        now: Millis,
    ) -> Result<(), TokenError> {
        Err(TokenError::new(ErrorCode::ServerError, "not built yet"))
    }

    /// The user info endpoint (OpenID Connect Core §5.3).
    ///
    /// # Errors
    /// [`TokenError`] with `invalid_token` or `insufficient_scope` (RFC 6750 §3.1).
    pub async fn userinfo(&self, token: &str, now: Millis) -> Result<UserInfo, TokenError> {
        Err(TokenError::new(ErrorCode::ServerError, "not built yet"))
    }

    /// The public keys (RFC 7517).
    pub fn jwks(&self) -> Jwks {
        Jwks { keys: Vec::new() }
    }

    /// Both discovery documents (RFC 8414, OpenID Connect Discovery).
    pub fn metadata(&self) -> Metadata {
        Metadata::default()
    }

    /// The client of an id.
    pub fn client(&self, id: &str) -> Option<Arc<Client>> {
        None
    }

    /// Makes a token without asking its owner: development, and the administrator's own sign-in.
    ///
    /// # Errors
    /// [`IdentityError::Store`], [`IdentityError::NoSuch`] client.
    pub async fn mint(&self, account: &AccountId, mint: Mint, now: Millis) -> Result<Minted> {
        stub()
    }

    /// The grants of an account, oldest first; recently ended ones too.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn grants(&self, account: &AccountId) -> Result<Vec<Grant>> {
        stub()
    }

    /// Ends a grant, its tokens and the sessions they opened.
    ///
    /// # Errors
    /// [`IdentityError::NoSuch`], [`IdentityError::Store`].
    pub async fn revoke_grant(&self, account: &AccountId, grant: &str, now: Millis) -> Result<()> {
        stub()
    }

    /// What was revoked, told after the commit; None is the whole account. Whoever lags must look at all sessions anew.
    pub fn revocations(&self) -> broadcast::Receiver<(AccountId, Option<Credential>)> {
        broadcast::channel(1).1
    }
}
