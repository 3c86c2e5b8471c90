//! Grants: what a person allowed a program, everything it gave, and its end.

use crate::access::{self, Claims};
use crate::dpop::Confirmation;
use crate::rows::{self, GrantRow, Kind};
use crate::scope::MAIL_SCOPE;
use crate::{Act, Deed, Grant, Identity, IdentityError, Mint, Minted, Result, Secret, opaque};
use pillarbox_store::mail::{AccountId, Millis, Rows};
use std::time::Duration;

/// Most grants with a refresh token of one person and one client; the oldest go (wire §7.3).
const OFFLINE_MAX: usize = 100;
/// Most grants with nothing but access tokens of one person and one client.
const ONLINE_MAX: usize = 1_000;
/// Grants that ended are shown, and say why they refuse, for so long, in milliseconds.
const ENDED_KEPT_MS: Millis = 7 * 24 * 3600 * 1000;

/// An access token that is about to be signed.
pub(crate) struct NewAccess<'a> {
    pub account: &'a AccountId,
    pub grant: &'a str,
    pub client: &'a str,
    pub scope: String,
    pub issued: Millis,
    pub ends: Millis,
    /// The key it is bound to.
    pub key: Option<&'a str>,
}

impl Identity {
    /// The grants of an account, oldest first; those that ended within the last week too.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn grants(&self, account: &AccountId) -> Result<Vec<Grant>> {
        let rows = self
            .inner
            .store
            .account(account)
            .scan(&Kind::Grant.all(), usize::MAX)
            .await?;
        let show = |(key, value): &(_, _)| {
            let row: GrantRow = rows::decode(bytes_of(value))?;
            Ok(Grant {
                id: rows::id_of(bytes_of(key)).into(),
                app: self.app_name(&row.client),
                client: row.client.into(),
                scope: row.scope.into(),
                created: row.created,
                last_used: row.used,
                offline: row.refresh.is_some(),
                revoked: row.revoked,
            })
        };
        let mut grants = rows.iter().map(show).collect::<Result<Vec<_>>>()?;
        grants.sort_by_key(|grant| grant.created);
        Ok(grants)
    }

    /// Ends a grant, its tokens and the sessions they opened. Ending it twice is fine.
    ///
    /// # Errors
    /// [`IdentityError::NoSuch`], [`IdentityError::Store`].
    pub async fn revoke_grant(&self, account: &AccountId, grant: &str, now: Millis) -> Result<()> {
        self.revoke_grant_because(account, grant, None, now).await
    }

    /// The same, for another reason than that somebody chose the grant.
    pub(crate) async fn revoke_grant_because(
        &self,
        account: &AccountId,
        grant: &str,
        how: Option<&str>,
        now: Millis,
    ) -> Result<()> {
        let key = Kind::Grant.key(grant);
        let prefix = key.clone();
        let end = move |rows: &mut Rows| match end_grant(rows, &key, now)? {
            true => Ok(rows::read::<GrantRow>(rows, &key)?.map(|row| row.client)),
            false => Err(IdentityError::NoSuch("grant")),
        };
        let client = self
            .inner
            .store
            .account(account)
            .update(&[&prefix], end)
            .await?;
        let app = self.app_name(&client.unwrap_or_default());
        let what = match how {
            Some(how) => how.to_owned(),
            None => format!("the grant of {app} was revoked"),
        };
        self.announce_grant(account, grant, what);
        let act = Act::new(Deed::GrantEnded, now).app(app);
        self.record(
            account,
            match how {
                Some(how) => act.detail(how),
                None => act,
            },
        );
        Ok(())
    }

    /// Ends all grants of one client, with their tokens and sessions; how many there were.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn revoke_program(
        &self,
        account: &AccountId,
        client: &str,
        now: Millis,
    ) -> Result<usize> {
        let wanted = client.to_owned();
        let end = move |rows: &mut Rows| {
            let mut ended = Vec::new();
            for (key, value) in rows.scan(&Kind::Grant.all()) {
                let row: GrantRow = rows::decode(&value)?;
                if row.client == wanted && row.revoked.is_none() {
                    end_grant(rows, &key, now)?;
                    ended.push(rows::id_of(&key));
                }
            }
            Ok::<_, IdentityError>(ended)
        };
        let handle = self.inner.store.account(account);
        let ended = handle.update(&[&Kind::Grant.all()], end).await?;
        let app = self.app_name(client);
        for grant in &ended {
            let what = format!("what {app} was allowed was taken back");
            self.announce_grant(account, grant, what);
        }
        if !ended.is_empty() {
            let act = Act::new(Deed::GrantEnded, now).app(app);
            let act = match ended.len() {
                1 => act,
                count => act.detail(format!("all its {count} sign-ins")),
            };
            self.record(account, act);
        }
        Ok(ended.len())
    }

    /// Makes a token without asking its owner: for development, and for an administrator's own sign-in. Every token has
    /// a grant of its own, so ending one leaves the others alone.
    ///
    /// # Errors
    /// [`IdentityError::Store`], [`IdentityError::NoSuch`] client.
    pub async fn mint(&self, account: &AccountId, mint: Mint, now: Millis) -> Result<Minted> {
        let client = mint.client.as_deref().unwrap_or("cli");
        self.know_clients().await?;
        self.client(client).ok_or(IdentityError::NoSuch("client"))?;
        let handle = self.inner.store.account(account);
        handle.address().await?;
        let life = mint.lifetime.unwrap_or(self.inner.config.token_lifetime);
        self.inner.keys.may_last(millis(life)).await?;
        let (issued, ends) = match mint.expired {
            false => (now, after(now, life)),
            true => (
                after(now, Duration::ZERO) - 60_000 - millis(life),
                now - 60_000,
            ),
        };
        let grant = self.new_grant_id();
        let scope = mint.scope.unwrap_or_else(|| MAIL_SCOPE.into());
        let refresh = mint
            .refresh
            .then(|| opaque::new_refresh(&self.inner.keys, account, &grant, &self.inner.random));
        let row = GrantRow {
            client: client.into(),
            scope: scope.clone(),
            created: now,
            used: now,
            ends,
            refresh: refresh.as_ref().map(|text| opaque::hash(text.expose())),
            rotated: None,
            refresh_ends: None,
            key: None,
            revoked: mint.revoked.then_some(now),
        };
        let (prefix, id) = (Kind::Grant.all(), grant.clone());
        let add = move |rows: &mut Rows| add_grant(rows, &id, &row, now);
        let evicted = handle.update(&[&prefix], add).await?;
        self.announce_evicted(account, client, evicted, now);
        let access = NewAccess {
            account,
            grant: &grant,
            client,
            scope,
            issued,
            ends,
            key: None,
        };
        Ok(Minted {
            access_token: self.sign_access(access, now).await?,
            refresh_token: refresh,
            expires: ends / 1000 * 1000,
            grant: grant.into(),
        })
    }

    pub(crate) fn new_grant_id(&self) -> String {
        opaque::random_text(&self.inner.random, 9)
    }

    /// Signs an access token. Its grant's row must be durable before anybody gets to see it.
    pub(crate) async fn sign_access(&self, new: NewAccess<'_>, now: Millis) -> Result<Secret> {
        let config = &self.inner.config;
        let keys = self.inner.keys.ring().await?;
        let claims = Claims {
            iss: config.issuer.clone(),
            aud: config.host.clone(),
            sub: new.account.0.to_string(),
            client_id: new.client.into(),
            iat: new.issued.div_euclid(1000),
            exp: new.ends.div_euclid(1000),
            nbf: None,
            jti: opaque::random_text(&self.inner.random, 9),
            gid: new.grant.into(),
            scope: new.scope,
            cnf: new.key.map(|key| Confirmation { jkt: key.into() }),
        };
        let signed = access::sign(&keys, &claims, now)?;
        let withdrawn = *self.inner.keys.withdrawn().borrow();
        self.inner.issued.note(&claims, withdrawn);
        Ok(Secret::new(signed))
    }

    /// Grants of this client that had to make room are over: their sessions are told, and the person's trail names each.
    pub(crate) fn announce_evicted(
        &self,
        account: &AccountId,
        client: &str,
        evicted: Vec<String>,
        now: Millis,
    ) {
        for grant in evicted {
            let app = self.app_name(client);
            let what = format!("its grant was the oldest of {app}, and made room for a newer one");
            self.announce_grant(account, &grant, what);
            let act = Act::new(Deed::GrantEnded, now).app(app);
            self.record(
                account,
                act.detail("it was the oldest, and made room for a newer one"),
            );
        }
    }
}

fn bytes_of(bytes: &impl AsRef<[u8]>) -> &[u8] {
    bytes.as_ref()
}

/// Marks the grant at `key` as ended; whether there is one.
pub(crate) fn end_grant(rows: &mut Rows, key: &[u8], now: Millis) -> Result<bool> {
    let Some(mut row) = rows::read::<GrantRow>(rows, key)? else {
        return Ok(false);
    };
    if row.revoked.is_none() {
        row.revoked = Some(now);
        row.refresh = None;
        row.rotated = None;
        rows::write(rows, key, &row)?;
    }
    Ok(true)
}

/// Adds a grant, and drops those that are over, and the oldest of the same client beyond the bounds. The update must have
/// asked for all grants. Those that had to make room though they were live are returned, to be announced.
pub(crate) fn add_grant(
    rows: &mut Rows,
    id: &str,
    row: &GrantRow,
    now: Millis,
) -> Result<Vec<String>> {
    let mut evicted = Vec::new();
    let (mut offline, mut online) = (Vec::new(), Vec::new());
    for (key, value) in rows.scan(&Kind::Grant.all()) {
        let other: GrantRow = rows::decode(&value)?;
        let ended = other.revoked.unwrap_or(other.ends);
        if !other.is_live(now) && ended.saturating_add(ENDED_KEPT_MS) <= now {
            rows.delete(&key);
        } else if other.client == row.client {
            let same = if other.refresh.is_some() {
                &mut offline
            } else {
                &mut online
            };
            same.push((other.used, key, other.is_live(now)));
        }
    }
    for (mut same, most) in [(offline, OFFLINE_MAX), (online, ONLINE_MAX)] {
        same.sort();
        let surplus = (same.len() + 1).saturating_sub(most);
        for (_, key, live) in &same[..surplus] {
            rows.delete(key);
            if *live {
                evicted.push(rows::id_of(key));
            }
        }
    }
    rows::write(rows, &Kind::Grant.key(id), row)?;
    Ok(evicted)
}

/// `now` and a span.
pub(crate) fn after(now: Millis, span: Duration) -> Millis {
    now.saturating_add(millis(span))
}

pub(crate) fn millis(span: Duration) -> Millis {
    Millis::try_from(span.as_millis()).unwrap_or(Millis::MAX)
}
