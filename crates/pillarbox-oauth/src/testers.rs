//! Who may use a program that is tried out, said anew: people are added, taken off the list, or the trying ends and everybody
//! with an account may.
//!
//! Deliberately absent: putting a program that everybody uses back to a list, which would end the consent of people who did
//! nothing. Whoever wants that registers another.

use crate::clients::TESTERS_MAX;
use crate::rows::ClientRow;
use crate::{Act, Deed, Identity, IdentityError, Result};
use pillarbox_store::mail::{AccountId, Millis};
use std::sync::{Arc, Mutex, PoisonError};

/// What to change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TesterChange {
    /// Addresses of accounts that may use it from now on.
    pub add: Vec<String>,
    /// Addresses that may no longer.
    pub remove: Vec<String>,
    /// It is tried out no longer: everybody may use it.
    pub everybody: bool,
}

impl TesterChange {
    fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty() && !self.everybody
    }
}

fn bad(text: impl Into<String>) -> IdentityError {
    IdentityError::BadClient(text.into())
}

/// Somebody to be taken off the list: the address as it was asked for, and whose it is, if anybody's.
struct Leaving {
    address: String,
    account: Option<AccountId>,
    /// The address of that account.
    own: String,
}

impl Leaving {
    fn is(&self, listed: &str) -> bool {
        listed.eq_ignore_ascii_case(&self.address) || listed.eq_ignore_ascii_case(&self.own)
    }
}

impl Identity {
    /// Changes who may use a program that is tried out. What those who leave the list allowed it ends, with its sessions; how
    /// many grants that were. When everybody may use it, refresh tokens given from then on do not end after 7 days; those
    /// given before still do.
    ///
    /// # Errors
    /// [`IdentityError::NoSuch`] registered client; [`IdentityError::BadClient`] names what cannot be;
    /// [`IdentityError::TooMany`] testers; [`IdentityError::Store`].
    pub async fn change_testers(
        &self,
        id: &str,
        change: &TesterChange,
        now: Millis,
    ) -> Result<usize> {
        if change.is_empty() {
            return Err(bad("nobody is added, and nobody removed"));
        }
        if change.everybody && !(change.add.is_empty() && change.remove.is_empty()) {
            return Err(bad("either everybody may use it, or those on a list"));
        }
        if change.add.len().max(change.remove.len()) > TESTERS_MAX {
            return Err(IdentityError::TooMany("testers"));
        }
        let mut add = Vec::new();
        for address in &change.add {
            let account = self.inner.store.account_of(address).await?;
            let account = account.ok_or_else(|| bad(format!("no account {address}")))?;
            add.push(self.inner.store.account(&account).address().await?);
        }
        let mut leaving = Vec::new();
        for address in &change.remove {
            leaving.push(self.leaving(address).await?);
        }
        let (leaving, missing) = (Arc::new(leaving), Arc::new(Mutex::new(Vec::new())));
        let (everybody, going, absent) = (change.everybody, leaving.clone(), missing.clone());
        self.change_client(id, move |row| {
            let not_listed = apply(row, everybody, &add, &going)?;
            *absent.lock().unwrap_or_else(PoisonError::into_inner) = not_listed;
            Ok(())
        })
        .await?;
        self.know_clients().await?;
        let mut ended = 0;
        for one in leaving.iter() {
            if let Some(account) = &one.account {
                ended += self.revoke_program(account, id, now).await?;
            }
        }
        let missing = std::mem::take(&mut *missing.lock().unwrap_or_else(PoisonError::into_inner));
        // Somebody who is off the list already may still have had grants, if the server stopped in between.
        if ended == 0 && missing.len() == change.remove.len() && change.add.is_empty() && !everybody
        {
            return Err(bad(format!("not on the list: {}", missing.join(", "))));
        }
        let act = Act::new(Deed::AppTestersChanged, now).app(self.app_name(id));
        self.record_change(act.detail(in_words(change)));
        Ok(ended)
    }

    async fn leaving(&self, address: &str) -> Result<Leaving> {
        let account = self.inner.store.account_of(address).await?;
        let own = match &account {
            Some(account) => self
                .inner
                .store
                .account(account)
                .address()
                .await?
                .to_string(),
            None => address.to_owned(),
        };
        Ok(Leaving {
            address: address.to_owned(),
            account,
            own,
        })
    }
}

/// Who was to be removed and is not on the list.
fn apply(
    row: &mut ClientRow,
    everybody: bool,
    add: &[Arc<str>],
    leaving: &[Leaving],
) -> Result<Vec<String>> {
    if everybody {
        row.testers = None;
        return Ok(Vec::new());
    }
    let Some(listed) = &mut row.testers else {
        return Err(bad(
            "everybody with an account may use it: it is not being tried out",
        ));
    };
    let missing = leaving
        .iter()
        .filter(|one| !listed.iter().any(|listed| one.is(listed)))
        .map(|one| one.address.clone())
        .collect();
    listed.retain(|listed| !leaving.iter().any(|one| one.is(listed)));
    for address in add {
        if !listed.iter().any(|one| one.eq_ignore_ascii_case(address)) {
            listed.push(address.to_string());
        }
    }
    match listed.len() > TESTERS_MAX {
        true => Err(IdentityError::TooMany("testers")),
        false => Ok(missing),
    }
}

fn in_words(change: &TesterChange) -> String {
    if change.everybody {
        return "everybody with an account".to_owned();
    }
    let mut words = Vec::new();
    for (word, who) in [("added", &change.add), ("removed", &change.remove)] {
        if !who.is_empty() {
            words.push(format!("{word}: {}", who.join(", ")));
        }
    }
    words.join("; ")
}
