//! What a passed check gives, and what a refused one says.

use crate::Scopes;
use pillarbox_store::mail::{AccountId, Millis, StoreError};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;

/// What opened a session; revoking it, or what it came from, ends the session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Credential {
    /// Every token of one grant; `token` names one of them (`jti`).
    Grant {
        /// The grant's id within the account.
        grant: Arc<str>,
        /// One token of it; None means all.
        token: Option<Arc<str>>,
    },
    /// An app password, by its id.
    AppPassword(Arc<str>),
    /// An access token of an external provider, by the provider's name.
    External(Arc<str>),
    /// A client certificate, by the hash of its public key.
    Certificate(Arc<str>),
    /// The account's own password (only where the administrator allows it).
    Password,
}

impl Credential {
    /// What it belongs to: of a token the grant, else itself.
    #[must_use]
    pub fn whole(&self) -> Self {
        match self {
            Self::Grant { grant, .. } => Self::Grant {
                grant: Arc::clone(grant),
                token: None,
            },
            other => other.clone(),
        }
    }

    /// Whether ending `other` ends this: the same, or the grant this token belongs to.
    pub fn is_covered_by(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Grant { grant: a, .. },
                Self::Grant {
                    grant: b,
                    token: None,
                },
            ) => a == b,
            _ => self == other,
        }
    }
}

/// The services a credential can be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// IMAP.
    Imap,
    /// POP3.
    #[serde(rename = "pop", alias = "pop3")]
    Pop3,
    /// Message submission.
    #[serde(rename = "smtp", alias = "submission")]
    Submission,
    /// The web pages.
    Web,
}

impl Service {
    /// For causes that people read.
    pub fn name(self) -> &'static str {
        match self {
            Self::Imap => "IMAP",
            Self::Pop3 => "POP",
            Self::Submission => "sending",
            Self::Web => "the web pages",
        }
    }
}

/// Somebody whose credential was checked. Only this crate makes one.
#[derive(Clone, Debug)]
pub struct Principal {
    pub(crate) account: AccountId,
    pub(crate) address: Arc<str>,
    pub(crate) credential: Credential,
    pub(crate) app: Option<Arc<str>>,
    pub(crate) until: Option<Millis>,
    pub(crate) rights: Rights,
}

/// When the person of a web session signed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SignedIn {
    /// Here, and just now.
    #[default]
    Now,
    /// Then.
    At(Millis),
    /// At a provider elsewhere, which does not say when.
    Unsaid,
}

/// How a principal's rights differ from the usual ones, and by whom it has them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rights {
    pub read_only: bool,
    /// When the person signed in, in a web session.
    pub signed_in: SignedIn,
    /// From where, if that was just now.
    pub peer: Option<IpAddr>,
    pub sees_hidden: bool,
    /// The OAuth client, by its id.
    pub client: Option<Arc<str>>,
    /// Of its token.
    pub scopes: Scopes,
}

impl Principal {
    /// The mailbox.
    pub fn account(&self) -> &AccountId {
        &self.account
    }
    /// The account's own address (aliases resolved).
    pub fn address(&self) -> &Arc<str> {
        &self.address
    }
    /// What was presented.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }
    /// The OAuth client's, app password's or certificate's name, for people.
    pub fn app(&self) -> Option<&Arc<str>> {
        self.app.as_ref()
    }
    /// The id of the OAuth client whose token it was.
    pub fn client(&self) -> Option<&Arc<str>> {
        self.rights.client.as_ref()
    }
    /// The scopes of that token.
    pub fn scopes(&self) -> Scopes {
        self.rights.scopes
    }
    /// Whether it may change anything. If not, IMAP opens mailboxes read-only and POP removes nothing.
    pub fn may_write(&self) -> bool {
        !self.rights.read_only
    }
    /// Whether IMAP shows labels that the account hides from IMAP, and whole mailboxes whatever their limit (scope
    /// `gmail.imap_admin`).
    pub fn sees_hidden(&self) -> bool {
        self.rights.sees_hidden
    }
    /// When the person signed in; known of web sessions only, and not of those that a provider elsewhere opened without
    /// saying when they did so there.
    pub fn signed_in(&self) -> Option<Millis> {
        match self.rights.signed_in {
            SignedIn::At(when) => Some(when),
            SignedIn::Now | SignedIn::Unsaid => None,
        }
    }
    /// When its authority ends by itself (a token's `exp`); None is no limit of its own.
    pub fn until(&self) -> Option<Millis> {
        self.until
    }
}

/// What a peer may be told about a refusal. The cause is for the log only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Decides the reply.
    pub kind: RefusalKind,
    /// The true cause, in words, without secrets.
    pub cause: String,
}

/// See [`Refusal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// Wrong user, wrong secret, expired, revoked, wrong scope, wrong mailbox: one answer for all.
    Invalid,
    /// A genuine token of an account that is gone. Only who holds that token hears it, so it tells nothing of others.
    NoMailbox,
    /// A password that has not the form of an app password, where only those are taken.
    AppPasswordRequired,
    /// The account may not use this service.
    ServiceOff,
    /// Too many failures; come back later.
    TooManyAttempts,
    /// Our fault; try again.
    Temporary,
}

impl Refusal {
    pub(crate) fn new(kind: RefusalKind, cause: impl Into<String>) -> Self {
        Self {
            kind,
            cause: cause.into(),
        }
    }

    pub(crate) fn invalid(cause: impl Into<String>) -> Self {
        Self::new(RefusalKind::Invalid, cause)
    }
}

impl From<StoreError> for Refusal {
    fn from(fault: StoreError) -> Self {
        Self::new(RefusalKind::Temporary, format!("the store failed: {fault}"))
    }
}
