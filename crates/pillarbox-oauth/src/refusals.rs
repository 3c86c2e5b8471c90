//! What the owner of the server is told of a request that an endpoint of the authorization server refused: the true cause,
//! which program, and whose account it concerns. The wire says less (RFC 6749 §5.2, wire §7.3), a person's trail the same.
//!
//! The floor says with each [`TokenError`] what it knows ([`Why`]); whoever sends the answer calls [`Identity::refused_at`]
//! once. Deliberately absent: anything a peer could use (codes, tokens, secrets), and people who are only claimed: a made-up
//! code that names an account writes nothing into its trail.

use crate::server::{AuthorizationError, ErrorCode, TokenError};
use crate::{Act, Deed, Identity, Principal};
use pillarbox_store::mail::{AccountId, Millis};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

/// Longest client id shown, in characters: it may be anything.
const CLIENT_CHARS_MAX: usize = 128;

/// What is known of a refusal besides what the wire says. Never sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Why {
    /// The true cause in words, where the description does not say it.
    pub cause: Option<Arc<str>>,
    /// What was asked for: a grant type.
    pub method: Option<&'static str>,
    /// The client by its id, as it names itself: not always shown to be it.
    pub client: Option<Arc<str>>,
    /// Whose account: known by something that was given for it, never by a name that somebody sent.
    pub person: Option<AccountId>,
}

/// One refused request, in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointRefusal {
    /// When.
    pub at: Millis,
    /// The path that was asked.
    pub endpoint: &'static str,
    /// From where; unspecified if nobody said.
    pub peer: IpAddr,
    /// See [`Why::method`].
    pub method: Option<&'static str>,
    /// See [`Why::client`].
    pub client: Option<Arc<str>>,
    /// The client's name for people, if there is such a client.
    pub app: Option<Arc<str>>,
    /// The person's address.
    pub person: Option<Arc<str>>,
    /// The true cause, in words.
    pub cause: Arc<str>,
    /// What the program was told: the error's code, and its description.
    pub told: (ErrorCode, Arc<str>),
}

impl TokenError {
    /// With the true cause, for the owner only.
    pub(crate) fn because(mut self, cause: impl Into<Arc<str>>) -> Self {
        self.why.cause.get_or_insert_with(|| cause.into());
        self
    }

    /// With the client that asks; who is named first stays.
    #[must_use]
    pub fn of_client(mut self, client: Option<&str>) -> Self {
        let shown = |id: &str| id.chars().take(CLIENT_CHARS_MAX).collect::<String>().into();
        self.why.client = self.why.client.or_else(|| client.map(shown));
        self
    }

    /// With the person something of ours was given for.
    pub(crate) fn about(mut self, person: &AccountId) -> Self {
        self.why.person.get_or_insert_with(|| person.clone());
        self
    }

    pub(crate) fn by(mut self, method: &'static str) -> Self {
        self.why.method.get_or_insert(method);
        self
    }
}

impl AuthorizationError {
    /// The same for one who is signed in.
    #[must_use]
    pub fn told(&self, person: Option<&Principal>) -> TokenError {
        let mut error =
            TokenError::new(self.code, &self.description).of_client(self.client.as_deref());
        error.why.person = person.map(|person| person.account.clone());
        error
    }
}

impl Identity {
    /// Takes a refusal down: into the trail of the person it concerns, if any, and as an event, for the log.
    pub async fn refused_at(
        &self,
        endpoint: &'static str,
        error: &TokenError,
        now: Millis,
    ) -> EndpointRefusal {
        let Why {
            cause,
            method,
            client,
            person,
        } = &error.why;
        let description: Arc<str> = error.description.trim_end_matches('.').into();
        let known = client.as_deref().and_then(|id| self.client(id));
        let refusal = EndpointRefusal {
            at: now,
            endpoint,
            peer: self.peer.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
            method: *method,
            client: client.clone(),
            app: known.map(|client| Arc::clone(&client.name)),
            person: self.address_of(person.as_ref()).await,
            cause: cause.clone().unwrap_or(description),
            told: (error.code, error.description.as_str().into()),
        };
        // Nothing is written for an account that is gone.
        if let Some(person) = person.as_ref().filter(|_| refusal.person.is_some()) {
            let act = Act {
                method: method.map(Into::into),
                app: refusal.app.clone().or_else(|| client.clone()),
                ..Act::new(Deed::AppRefused, now).detail(Arc::clone(&refusal.cause))
            };
            self.record(person, act);
        }
        refusal
    }

    async fn address_of(&self, person: Option<&AccountId>) -> Option<Arc<str>> {
        let address = self.inner.store.account(person?).address().await.ok()?;
        Some((*address).into())
    }
}
