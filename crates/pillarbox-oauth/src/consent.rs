//! What people agreed to, and when they are asked again. Without a page a program gets what its person allowed it on one, as
//! long as that stands: the scopes, and to go on while nobody is there.
//!
//! Nothing is remembered for programs that cannot be told from others: those without a secret, and those whose answer goes to
//! the person's own computer, where any program can listen and where no secret is one (RFC 8252 §8.6, wire §7.2).

use crate::client::{Client, ClientKind, Redirect, is_loopback};
use crate::grants::millis;
use crate::rows::{self, GrantRow, Kind};
use crate::{AuthorizationRequest, Identity, Principal, Result, Scopes};
use pillarbox_store::mail::Millis;
use std::time::Duration;
use url::Url;

/// A grant that stands.
pub(crate) struct Held {
    scopes: Scopes,
    /// It has a refresh token that is still good.
    offline: bool,
}

/// The grants of one client that stand at `now`. Refresh tokens end after `unused` without use.
pub(crate) fn held(
    values: impl IntoIterator<Item = impl AsRef<[u8]>>,
    client: &str,
    unused: Duration,
    now: Millis,
) -> Result<Vec<Held>> {
    let mut all = Vec::new();
    for value in values {
        let row: GrantRow = rows::decode(value.as_ref())?;
        if row.client == client && row.is_live(now) {
            all.push(Held {
                scopes: Scopes::parse_known(&row.scope),
                offline: row.refreshes(millis(unused), now),
            });
        }
    }
    Ok(all)
}

impl GrantRow {
    /// Whether its refresh token is good at `now`; it ends after `unused` milliseconds without use.
    fn refreshes(&self, unused: Millis, now: Millis) -> bool {
        self.refresh.is_some()
            && self.refresh_ends.is_none_or(|ends| ends > now)
            && self.used.saturating_add(unused) > now
    }
}

impl Client {
    /// Whether what is sent to this address of its own reaches nobody else. Where any loopback address will do, nothing was
    /// registered: on a development server that stands for the address the program will have.
    fn answers_alone(&self, redirect_uri: &str) -> bool {
        let elsewhere = |uri: Url| uri.scheme() == "https" && !is_loopback(&uri);
        Url::parse(redirect_uri).is_ok_and(elsewhere)
            || self.redirects.contains(&Redirect::AnyLoopback)
    }
}

impl AuthorizationRequest {
    /// Whether no other program can take the answer for its own.
    fn is_told_apart(&self) -> bool {
        self.client.is_confidential() && self.client.answers_alone(&self.redirect_uri)
    }

    /// What an approval gives beside these grants (`include_granted_scopes`, wire §7.2). Who cannot be told from others gets
    /// no more than the person just saw.
    pub(crate) fn with(&self, held: &[Held]) -> Scopes {
        match self.include_granted && self.is_told_apart() {
            false => self.scopes,
            true => held
                .iter()
                .fold(self.scopes, |all, one| all.union(one.scopes)),
        }
    }

    /// Whether the person agreed before to all that an approval gives: to what is asked for at once, and where it is for going
    /// on while nobody is there, to that too.
    fn is_covered(&self, held: &[Held]) -> bool {
        let serves = |one: &&Held| one.offline || !self.offline;
        let mut serving = held.iter().filter(serves);
        let all = serving
            .clone()
            .fold(Scopes::default(), |all, one| all.union(one.scopes));
        serving.any(|one| one.scopes.covers(self.scopes)) && all.covers(self.with(held))
    }

    /// Whether an approval without a page gives a refresh token. It comes with the page that promised it (wire §7.2), so there
    /// is one already; not where several pages promised what one approval now holds together. Installed programs get one each
    /// time, for each of them needs its own.
    pub(crate) fn lacks_refresh(&self, held: &[Held]) -> bool {
        let (native, given) = (self.client.kind == ClientKind::Native, self.with(held));
        let has = |one: &Held| one.offline && one.scopes.covers(given);
        self.offline && self.is_covered(held) && (native || !held.iter().any(has))
    }
}

impl Identity {
    /// Whether the person must be asked.
    ///
    /// # Errors
    /// [`IdentityError::Store`](crate::IdentityError::Store).
    pub async fn needs_consent(
        &self,
        request: &AuthorizationRequest,
        person: &Principal,
        now: Millis,
    ) -> Result<bool> {
        let prompt = request.prompt;
        if prompt.consent || prompt.select_account || !request.is_told_apart() {
            return Ok(true);
        }
        let held = self.held(request, person, now).await?;
        Ok(!request.is_covered(&held))
    }

    /// What the person gives by allowing it: what is asked for, and with `include_granted_scopes` what they gave before.
    ///
    /// # Errors
    /// [`IdentityError::Store`](crate::IdentityError::Store).
    pub async fn would_give(
        &self,
        request: &AuthorizationRequest,
        person: &Principal,
        now: Millis,
    ) -> Result<Scopes> {
        let held = self.held(request, person, now).await?;
        Ok(request.with(&held))
    }

    async fn held(
        &self,
        request: &AuthorizationRequest,
        person: &Principal,
        now: Millis,
    ) -> Result<Vec<Held>> {
        let account = self.inner.store.account(&person.account);
        let grants = account.scan(&Kind::Grant.all(), usize::MAX).await?;
        let values = grants.iter().map(|(_, value)| value);
        let unused = self.inner.config.refresh_unused;
        held(values, &request.client.id, unused, now)
    }
}
