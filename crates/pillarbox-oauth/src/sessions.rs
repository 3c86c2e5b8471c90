//! Web sessions: a random text in a cookie, its hash in the account's rows. Their owner sees them and ends them.

use crate::opaque::{self, Kind as Text};
use crate::principal::{Rights, SignedIn};
use crate::rows::{self, Kind, SessionRow};
use crate::{
    Act, Credential, Deed, Identity, IdentityError, Principal, Refusal, RefusalKind, Result,
    Secret, Service,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use pillarbox_store::mail::{AccountId, Millis, Rows};
use std::net::IpAddr;
use std::sync::Arc;

/// Life of a web session, in milliseconds: two weeks.
pub const SESSION_MS: Millis = 14 * 24 * 3600 * 1000;
/// Most web sessions of one account; the oldest goes.
const SESSIONS_MAX: usize = 50;
/// Longest text kept of what a browser says of itself, in characters.
const BROWSER_CHARS_MAX: usize = 300;
/// The last use is written down when the one before is this old, in milliseconds: a page must not cost a commit.
const USED_MS: Millis = 10 * 60 * 1000;

/// One web session as shown to its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSession {
    /// Names it in [`Identity::end_web_session`]; opens nothing.
    pub id: Arc<str>,
    /// What the browser said of itself (`User-Agent`); empty if it said nothing.
    pub browser: Arc<str>,
    /// From where the person signed in.
    pub peer: Option<IpAddr>,
    /// When.
    pub created: Millis,
    /// When it was last used, ten minutes more or less.
    pub used: Millis,
    /// When it ends.
    pub ends: Millis,
    /// Whether it is the one that asks.
    pub here: bool,
}

impl Identity {
    /// Begins a web session of somebody who just signed in; the text goes into a cookie.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn open_session(&self, person: &Principal, now: Millis) -> Result<Secret> {
        self.open_session_in(person, "", now).await
    }

    /// The same, with what the browser says of itself.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn open_session_in(
        &self,
        person: &Principal,
        browser: &str,
        now: Millis,
    ) -> Result<Secret> {
        let peer = self.peer.or(person.rights.peer);
        let browser: String = browser
            .chars()
            .filter(|letter| !letter.is_control())
            .take(BROWSER_CHARS_MAX)
            .collect();
        let text = opaque::new(Text::Session, &person.account, &self.inner.random);
        let key = session_key(text.expose());
        let prefix = Kind::Session.all();
        // Elsewhere they may have signed in long ago: then that is when.
        let created = person.signed_in().map_or(now, |when| when.min(now));
        let unsaid = person.rights.signed_in == SignedIn::Unsaid;
        let open = move |rows: &mut Rows| {
            let mut others = Vec::new();
            for (key, value) in rows.scan(&Kind::Session.all()) {
                let row: SessionRow = rows::decode(&value)?;
                if row.ends <= now {
                    rows.delete(&key);
                } else {
                    others.push((row.created, key));
                }
            }
            others.sort();
            let surplus = (others.len() + 1).saturating_sub(SESSIONS_MAX);
            for (_, key) in &others[..surplus] {
                rows.delete(key);
            }
            rows::write(
                rows,
                &key,
                &SessionRow {
                    created,
                    ends: now.saturating_add(SESSION_MS),
                    browser: browser.clone(),
                    peer,
                    used: None,
                    unsaid,
                },
            )
        };
        self.inner
            .store
            .account(&person.account)
            .update::<_, IdentityError>(&[&prefix], open)
            .await?;
        Ok(text)
    }

    /// Who a cookie's web session belongs to.
    ///
    /// # Errors
    /// A [`Refusal`].
    pub async fn session(&self, cookie: &str, now: Millis) -> Result<Principal, Refusal> {
        let unknown = || Refusal::invalid("there is no such web session");
        let account = opaque::account_of(Text::Session, cookie).ok_or_else(unknown)?;
        let row = self
            .inner
            .store
            .account(&account)
            .get(&session_key(cookie))
            .await?
            .ok_or_else(unknown)?;
        let row: SessionRow = rows::decode(&row)
            .map_err(|fault| Refusal::new(RefusalKind::Temporary, fault.to_string()))?;
        if row.ends <= now {
            return Err(Refusal::invalid("the web session is over"));
        }
        let standing = self.standing(&account).await?;
        standing.allows(Service::Web)?;
        if now.saturating_sub(row.used.unwrap_or(row.created)) >= USED_MS {
            self.session_used(&account, cookie, now).await;
        }
        Ok(Principal {
            account,
            address: Arc::clone(&standing.address),
            credential: Credential::Password,
            app: None,
            until: Some(row.ends),
            rights: Rights {
                signed_in: match row.unsaid {
                    true => SignedIn::Unsaid,
                    false => SignedIn::At(row.created),
                },
                ..Rights::default()
            },
        })
    }

    async fn session_used(&self, account: &AccountId, cookie: &str, now: Millis) {
        let key = session_key(cookie);
        let prefix = key.clone();
        let write = move |rows: &mut Rows| {
            // It may have been ended in between.
            if let Some(mut row) = rows::read::<SessionRow>(rows, &key)? {
                row.used = Some(now);
                rows::write(rows, &key, &row)?;
            }
            Ok::<_, IdentityError>(())
        };
        let handle = self.inner.store.account(account);
        if let Err(fault) = handle.update(&[&prefix], write).await {
            tracing::warn!(%fault, "last use of a web session not written");
        }
    }

    /// The web sessions of an account, the newest first; `cookie` is that of who asks.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn web_sessions(
        &self,
        account: &AccountId,
        cookie: &str,
        now: Millis,
    ) -> Result<Vec<WebSession>> {
        let handle = self.inner.store.account(account);
        let here = session_key(cookie);
        let rows = handle.scan(&Kind::Session.all(), SESSIONS_MAX).await?;
        let mut all = Vec::new();
        for (key, row) in &rows {
            let row: SessionRow = rows::decode(row)?;
            if row.ends > now {
                all.push(WebSession {
                    id: rows::id_of(key).into(),
                    browser: row.browser.into(),
                    peer: row.peer,
                    created: row.created,
                    used: row.used.unwrap_or(row.created),
                    ends: row.ends,
                    here: here == key[..],
                });
            }
        }
        all.sort_by_key(|one| std::cmp::Reverse((one.here, one.created)));
        Ok(all)
    }

    /// Ends one web session of an account.
    ///
    /// # Errors
    /// [`IdentityError::NoSuch`], [`IdentityError::Store`].
    pub async fn end_web_session(&self, account: &AccountId, id: &str, now: Millis) -> Result<()> {
        let key = Kind::Session.key(id);
        let end = self.end_web_sessions(account, move |other| *other == key, now);
        match end.await? {
            0 => Err(IdentityError::NoSuch("web session")),
            _ => Ok(()),
        }
    }

    /// Ends all web sessions of an account but that of a cookie; how many.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn end_other_web_sessions(
        &self,
        account: &AccountId,
        cookie: &str,
        now: Millis,
    ) -> Result<usize> {
        let here = session_key(cookie);
        self.end_web_sessions(account, move |other| *other != here, now)
            .await
    }

    async fn end_web_sessions(
        &self,
        account: &AccountId,
        which: impl Fn(&Vec<u8>) -> bool + Send + 'static,
        now: Millis,
    ) -> Result<usize> {
        let end = move |rows: &mut Rows| {
            let mut ended = 0;
            for (key, _) in rows.scan(&Kind::Session.all()) {
                if which(&key.to_vec()) {
                    rows.delete(&key);
                    ended += 1;
                }
            }
            Ok::<_, IdentityError>(ended)
        };
        let handle = self.inner.store.account(account);
        let ended: usize = handle.update(&[&Kind::Session.all()], end).await?;
        if ended > 0 {
            let sessions = if ended == 1 { "session" } else { "sessions" };
            let act = Act::new(Deed::SessionsEnded, now);
            self.record(account, act.detail(format!("{ended} web {sessions}")));
        }
        Ok(ended)
    }

    /// Ends a web session; an unknown one is none.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn close_session(&self, cookie: &str) -> Result<()> {
        let Some(account) = opaque::account_of(Text::Session, cookie) else {
            return Ok(());
        };
        let account = self.inner.store.account(&account);
        let key = session_key(cookie);
        // A made-up cookie must not write anything.
        if account.get(&key).await?.is_none() {
            return Ok(());
        }
        let prefix = key.clone();
        let close = move |rows: &mut Rows| {
            rows.delete(&key);
            Ok::<_, IdentityError>(())
        };
        account.update(&[&prefix], close).await
    }
}

fn session_key(cookie: &str) -> Vec<u8> {
    Kind::Session.key(BASE64.encode(opaque::hash(cookie)))
}
