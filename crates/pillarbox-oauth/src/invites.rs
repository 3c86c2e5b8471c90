//! Invitations: a link by which a person sets the password of an account that an administrator made (or whose password was
//! forgotten), so that no administrator ever knows it. Good once, for a week; a new one ends the one before.

use crate::opaque::{self, Kind as Text};
use crate::rows::{self, Kind};
use crate::{Act, Deed, Identity, IdentityError, Result, Secret};
use pillarbox_store::mail::{AccountId, Millis, Rows};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Life of an invitation, in milliseconds: a week.
pub const INVITE_MS: Millis = 7 * 24 * 3600 * 1000;

#[derive(Serialize, Deserialize)]
struct InviteRow {
    hash: [u8; 32],
    ends: Millis,
}

const NONE: IdentityError = IdentityError::NoSuch("invitation");

impl Identity {
    /// Makes an invitation to set an account's password; its text goes into a link.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn invite(&self, account: &AccountId, now: Millis) -> Result<Secret> {
        let text = opaque::new(Text::Invite, account, &self.inner.random);
        let row = InviteRow {
            hash: opaque::hash(text.expose()),
            ends: now.saturating_add(INVITE_MS),
        };
        let key = Kind::Invite.all();
        let prefix = key.clone();
        let write = move |rows: &mut Rows| rows::write(rows, &key, &row);
        self.inner
            .store
            .account(account)
            .update(&[&prefix], write)
            .await?;
        self.record(account, Act::new(Deed::Invited, now));
        Ok(text)
    }

    /// The account an invitation is for, and its address.
    ///
    /// # Errors
    /// [`IdentityError::NoSuch`] if it is unknown, used or over; [`IdentityError::Store`].
    pub async fn invited(&self, text: &str, now: Millis) -> Result<(AccountId, Arc<str>)> {
        let account = opaque::account_of(Text::Invite, text).ok_or(NONE)?;
        let handle = self.inner.store.account(&account);
        let row = handle.get(&Kind::Invite.all()).await?.ok_or(NONE)?;
        fits(&rows::decode(&row)?, text, now)?;
        let address = handle.address().await?;
        Ok((account, address))
    }

    /// Sets the password of the invited person and uses the invitation up. As with every new password, what was signed in
    /// with the one before ends.
    ///
    /// # Errors
    /// As [`Identity::invited`]; [`IdentityError::BadPassword`]: then the invitation stays good.
    pub async fn accept_invite(
        &self,
        text: &str,
        password: &str,
        now: Millis,
    ) -> Result<AccountId> {
        crate::people::check_password(password)?;
        let (account, _) = self.invited(text, now).await?;
        // Used up first: of two who hold the link only one may set a password.
        let key = Kind::Invite.all();
        let (prefix, text) = (key.clone(), text.to_owned());
        let take = move |rows: &mut Rows| {
            let row: InviteRow = rows::read(rows, &key)?.ok_or(NONE)?;
            fits(&row, &text, now)?;
            rows.delete(&key);
            Ok::<_, IdentityError>(())
        };
        self.inner
            .store
            .account(&account)
            .update(&[&prefix], take)
            .await?;
        self.set_password(&account, password, now).await?;
        Ok(account)
    }
}

fn fits(row: &InviteRow, text: &str, now: Millis) -> Result<()> {
    let good = opaque::same(&row.hash, &opaque::hash(text)) && row.ends > now;
    good.then_some(()).ok_or(NONE)
}
