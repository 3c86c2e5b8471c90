//! Web sessions: a random text in a cookie, its hash in the account's rows.

use crate::opaque::{self, Kind as Text};
use crate::principal::Rights;
use crate::rows::{self, Kind, SessionRow};
use crate::{
    Credential, Identity, IdentityError, Principal, Refusal, RefusalKind, Result, Secret, Service,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use pillarbox_store::mail::{Millis, Rows};
use std::sync::Arc;

/// Life of a web session, in milliseconds: two weeks.
pub const SESSION_MS: Millis = 14 * 24 * 3600 * 1000;
/// Most web sessions of one account; the oldest goes.
const SESSIONS_MAX: usize = 50;

impl Identity {
    /// Begins a web session of somebody who just signed in; the text goes into a cookie.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn open_session(&self, person: &Principal, now: Millis) -> Result<Secret> {
        let text = opaque::new(Text::Session, &person.account, &self.inner.random);
        let key = session_key(text.expose());
        let prefix = Kind::Session.all();
        // Elsewhere they may have signed in long ago: then that is when.
        let created = person.signed_in().map_or(now, |when| when.min(now));
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
        Ok(Principal {
            account,
            address: Arc::clone(&standing.address),
            credential: Credential::Password,
            app: None,
            until: Some(row.ends),
            rights: Rights {
                signed_in: Some(row.created),
                ..Rights::default()
            },
        })
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
