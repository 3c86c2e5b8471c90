//! Sign-in with OpenID providers elsewhere: on the web as their relying party (OpenID Connect Core), at the mail services
//! with access tokens they issued (RFC 9068, RFC 7662). A provider's word is trusted as far as its configuration says, about
//! addresses in our own domains only; which person stands behind an address is settled at the first sign-in, by the
//! provider's `sub`, and stays so.
//!
//! How documents travel is the program's business: it hands in a [`Fetch`]. Deliberately absent: keys or addresses that a
//! token names (`jku`, `x5u`, `jwk`), HMAC, encrypted tokens, `none`, and keeping a provider's tokens.

mod claims;
mod documents;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod jwt;
mod known;
mod people;
mod sign_in;
mod token;

pub use sign_in::{ExternalBegun, ExternalRefusal, Recency, WhyNot};

use crate::{Identity, IdentityError, RefusalKind, Result, Secret};
use known::Known;
use pillarbox_store::mail::{Millis, Naming};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::Semaphore;
use url::Url;

/// Longest document of a provider, in bytes: what fetches must stop at.
pub const EXTERNAL_DOCUMENT_BYTES_MAX: usize = 256 * 1024;
/// Most providers.
const PROVIDERS_MAX: usize = 32;
/// Fetches from one provider at the same time; more are refused, so that a slow provider does not fill our memory.
const FETCHES_MAX: usize = 32;
/// How much a provider's clock may differ from ours, in seconds.
const SKEW_S: i64 = 60;

/// One provider, as the administrator describes it.
#[derive(Clone, Debug)]
pub struct ExternalProvider {
    /// Names it in addresses of ours: small letters, digits, hyphens.
    pub name: Arc<str>,
    /// What people call it: on the button, in causes.
    pub label: Arc<str>,
    /// Its issuer, exactly as it says it.
    pub issuer: String,
    /// What it calls us.
    pub client_id: String,
    /// How it knows us; None for a client without a secret.
    pub client_secret: Option<Secret>,
    /// The claim that holds the person's address.
    pub account_claim: String,
    /// What is asked for at a web sign-in.
    pub scope: String,
    /// What access tokens must be meant for.
    pub audience: String,
    /// A scope of the provider that opens all of a mailbox, beside our own scopes.
    pub mail_scope: Option<String>,
    /// Whether people it knows and we do not get an account.
    pub create: bool,
    /// Whether tokens that are not JWTs are asked about there.
    pub introspection: bool,
}

/// Sign-in elsewhere, whole.
#[derive(Clone)]
pub struct External {
    /// In the order of their buttons.
    pub providers: Vec<ExternalProvider>,
    /// Our domains: no provider speaks about others.
    pub domains: Vec<String>,
    /// What new accounts call their system mailboxes.
    pub naming: Naming,
    /// Brings documents.
    pub fetch: Arc<dyn Fetch>,
}

impl fmt::Debug for External {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.providers).finish()
    }
}

/// What to bring from a provider.
#[derive(Clone, Debug)]
pub struct ExternalRequest {
    /// Whose it is, by [`ExternalProvider::name`].
    pub provider: Arc<str>,
    /// Where: `https` always.
    pub address: Url,
    /// A form to send (`application/x-www-form-urlencoded`); None only reads.
    pub form: Option<Secret>,
    /// What is shown with it.
    pub shows: Shows,
}

/// How we say who asks.
#[derive(Clone, Debug)]
pub enum Shows {
    /// Not at all.
    Nothing,
    /// With our id and secret (RFC 6749 §2.3.1).
    Client(String, Secret),
    /// With a person's access token (RFC 6750 §2.1).
    Token(Secret),
}

/// What came.
#[derive(Clone, Debug)]
pub struct ExternalAnswer {
    /// Whether it is what was asked for, and not the description of an error.
    pub good: bool,
    /// JSON, at most [`EXTERNAL_DOCUMENT_BYTES_MAX`].
    pub document: Vec<u8>,
}

/// The answer, or in words why there is none.
pub type Fetching<'a> =
    Pin<Box<dyn Future<Output = std::result::Result<ExternalAnswer, String>> + Send + 'a>>;

/// Brings documents of providers, over verified TLS, within a few seconds, without following redirects.
pub trait Fetch: Send + Sync {
    /// Brings one.
    fn fetch(&self, request: ExternalRequest) -> Fetching<'_>;
}

/// What the floor keeps of it.
#[derive(Default)]
pub(crate) struct Externals {
    all: Vec<Arc<Provider>>,
    domains: Vec<String>,
    naming: Option<Naming>,
}

/// One provider and what is known of it.
pub(crate) struct Provider {
    config: ExternalProvider,
    fetch: Arc<dyn Fetch>,
    fetches: Semaphore,
    known: Known,
}

impl Externals {
    pub(crate) fn new(external: Option<External>, issuer: &str) -> Result<Self> {
        let Some(external) = external else {
            return Ok(Self::default());
        };
        external.check(issuer).map_err(IdentityError::Config)?;
        let providers = external.providers;
        let known = |config| {
            Arc::new(Provider {
                config,
                fetch: Arc::clone(&external.fetch),
                fetches: Semaphore::new(FETCHES_MAX),
                known: Known::default(),
            })
        };
        Ok(Self {
            all: providers.into_iter().map(known).collect(),
            domains: external.domains,
            naming: Some(external.naming),
        })
    }

    fn named(&self, name: &str) -> Option<&Arc<Provider>> {
        self.all.iter().find(|one| &*one.config.name == name)
    }
}

impl External {
    /// Whether the providers can work, alone and together, as far as that can be seen without asking them. `issuer` is ours.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn check(&self, issuer: &str) -> std::result::Result<(), String> {
        if self.providers.len() > PROVIDERS_MAX {
            return Err(format!("more than {PROVIDERS_MAX} providers"));
        }
        let mut asked = self.providers.iter().filter(|one| one.introspection);
        if let (Some(one), Some(other)) = (asked.next(), asked.next()) {
            return Err(format!(
                "introspection is on for {} and for {}: a token that is no JWT does not say whose it is, so one provider \
                 at most can be asked",
                one.name, other.name
            ));
        }
        for (index, one) in self.providers.iter().enumerate() {
            one.check()?;
            if one.issuer == issuer {
                return Err(format!("{}: this server itself is the issuer", one.name));
            }
            let same =
                |other: &&ExternalProvider| other.name == one.name || other.issuer == one.issuer;
            if let Some(other) = self.providers[..index].iter().find(same) {
                let (other, one) = (&other.name, &one.name);
                return Err(format!("{other} and {one} are the same provider"));
            }
        }
        Ok(())
    }
}

impl ExternalProvider {
    fn check(&self) -> std::result::Result<(), String> {
        let name = &self.name;
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > 32 || !name.bytes().all(letter) {
            return Err(format!(
                "{name:?} cannot name a provider: small letters, digits and hyphens, at most 32"
            ));
        }
        if !is_https(&self.issuer) || self.issuer.contains(['?', '#']) {
            return Err(format!("{name}: issuer must be an https:// address"));
        }
        for (what, text) in [
            ("client-id", &self.client_id),
            ("account-claim", &self.account_claim),
            ("audience", &self.audience),
        ] {
            if text.is_empty() {
                return Err(format!("{name}: {what} is missing"));
            }
        }
        if !self.scope.split(' ').any(|word| word == "openid") {
            return Err(format!("{name}: the scope must contain openid"));
        }
        if self.introspection && self.client_secret.is_none() {
            return Err(format!("{name}: introspection needs a client secret"));
        }
        Ok(())
    }
}

/// How a provider did when it was last asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalCondition {
    /// Its name for people.
    pub label: Arc<str>,
    /// When what is known of it was fetched, if anything is.
    pub fetched: Option<Millis>,
    /// Why the last attempt failed, if it did.
    pub failed: Option<String>,
}

impl Identity {
    /// How the providers do, for those who look after the server.
    pub fn external_conditions(&self) -> Vec<ExternalCondition> {
        let condition = |one: &Arc<Provider>| {
            let (fetched, failed) = one.last();
            let label = Arc::clone(&one.config.label);
            ExternalCondition {
                label,
                fetched,
                failed,
            }
        };
        self.inner.external.all.iter().map(condition).collect()
    }
}

fn is_https(address: &str) -> bool {
    Url::parse(address).is_ok_and(|url| url.scheme() == "https" && url.host().is_some())
}

impl Provider {
    /// Brings a document and reads it.
    async fn ask(
        &self,
        address: &str,
        form: Option<String>,
        shows: Shows,
    ) -> std::result::Result<(bool, serde_json::Value), No> {
        let label = &self.config.label;
        let unreachable = |text: &str| No::new(WhyNot::Unreachable, format!("{label}: {text}"));
        let address = Url::parse(address).map_err(|_| unreachable("not an address"))?;
        let _permit = self
            .fetches
            .try_acquire()
            .map_err(|_| unreachable("too many questions wait for its answers"))?;
        let request = ExternalRequest {
            provider: Arc::clone(&self.config.name),
            address,
            form: form.map(Secret::new),
            shows,
        };
        let answer = self.fetch.fetch(request).await;
        let answer = answer.map_err(|why| unreachable(&why))?;
        if answer.document.len() > EXTERNAL_DOCUMENT_BYTES_MAX {
            return Err(unreachable("the answer is too long"));
        }
        match serde_json::from_slice(&answer.document) {
            Ok(document) => Ok((answer.good, document)),
            Err(_) => Err(unreachable("the answer is not JSON")),
        }
    }
}

/// A refusal on its way; the web pages and the mail services say it differently.
#[derive(Debug)]
pub(crate) struct No {
    why: WhyNot,
    cause: String,
}

type Done<T> = std::result::Result<T, No>;

impl No {
    fn new(why: WhyNot, cause: impl Into<String>) -> Self {
        Self {
            why,
            cause: cause.into(),
        }
    }

    fn refused(cause: impl Into<String>) -> Self {
        Self::new(WhyNot::Refused, cause)
    }
}

impl From<crate::Refusal> for No {
    fn from(refusal: crate::Refusal) -> Self {
        let why = match refusal.kind {
            RefusalKind::Temporary => WhyNot::Ourselves,
            RefusalKind::TooManyAttempts => WhyNot::TooOften,
            _ => WhyNot::Refused,
        };
        Self::new(why, refusal.cause)
    }
}

impl From<pillarbox_store::mail::StoreError> for No {
    fn from(fault: pillarbox_store::mail::StoreError) -> Self {
        crate::Refusal::from(fault).into()
    }
}

impl From<IdentityError> for No {
    fn from(fault: IdentityError) -> Self {
        Self::new(WhyNot::Ourselves, fault.to_string())
    }
}

impl From<No> for crate::Refusal {
    fn from(no: No) -> Self {
        let kind = match no.why {
            WhyNot::Unreachable | WhyNot::Ourselves => RefusalKind::Temporary,
            // Its holder was shown to be genuine, and hears of nobody else.
            WhyNot::NoMailbox => RefusalKind::NoMailbox,
            WhyNot::TooOften => RefusalKind::TooManyAttempts,
            _ => RefusalKind::Invalid,
        };
        Self::new(kind, no.cause)
    }
}
