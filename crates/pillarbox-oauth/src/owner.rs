//! What somebody who is signed in must show again before something that outlives the session: a borrowed browser alone must
//! neither lock its owner out nor open a way in that stays.

use crate::ceremonies::Purpose;
use crate::rows::{self, Kind, PasswordRow};
use crate::{Identity, IdentityError, Principal, RefusalKind, Result};
use pillarbox_store::mail::{AccountId, Millis};

/// A sign-in so young is proof enough for people who have no password, in milliseconds.
const FRESH_MS: Millis = 10 * 60 * 1000;

/// What is shown.
#[derive(Clone, Copy)]
pub enum OwnerProof<'a> {
    /// The account's password.
    Password(&'a str),
    /// A code of the phone, or a recovery code.
    Code(&'a str),
    /// A passkey: what the browser holds ([`crate::PasskeyOptions::ticket`]), and its answer.
    Passkey(&'a str, &'a str),
}

impl Identity {
    /// When the account's own password was set; None is never.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn password_set(&self, account: &AccountId) -> Result<Option<Millis>> {
        let handle = self.inner.store.account(account);
        let row = handle.get(&Kind::Password.all()).await?;
        let row: Option<PasswordRow> = row.map(|row| rows::decode(&row)).transpose()?;
        Ok(row.map(|row| row.changed))
    }

    /// Whether somebody signed in shows to be the account's owner: by its password or a passkey. People without a password
    /// must have signed in within the last ten minutes: here, or by what a provider elsewhere says. When somebody arrives
    /// from a provider that does not say when they signed in there proves nothing, since it may not have asked them.
    ///
    /// # Errors
    /// [`IdentityError::BadPassword`] if not, [`IdentityError::SignInAnew`] if they must sign in first,
    /// [`IdentityError::TooMany`] after too many wrong passwords, [`IdentityError::Store`].
    pub async fn confirm_owner(
        &self,
        person: &Principal,
        proof: OwnerProof<'_>,
        now: Millis,
    ) -> Result<()> {
        let password = match proof {
            OwnerProof::Passkey(ticket, answer) => {
                return self
                    .confirm_by_passkey(&person.account, (ticket, answer), now)
                    .await;
            }
            OwnerProof::Code(_) => {
                return Err(IdentityError::BadPassword("a code is not enough here"));
            }
            OwnerProof::Password(password) => password,
        };
        if self.password_set(&person.account).await?.is_none() {
            let fresh = is_fresh(person, now);
            return fresh.then_some(()).ok_or(IdentityError::SignInAnew);
        }
        let found = self.web_password(&person.address, password, now).await;
        found.map(|_| ()).map_err(|refusal| match refusal.kind {
            RefusalKind::TooManyAttempts => {
                IdentityError::TooMany("wrong passwords; wait a little")
            }
            RefusalKind::Temporary => IdentityError::Broken("password check"),
            _ => IdentityError::BadPassword("the password is not right"),
        })
    }

    /// Whether somebody signed in has no password to show, and the sign-in is not recent enough to do without.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn must_sign_in_anew(&self, person: &Principal, now: Millis) -> Result<bool> {
        Ok(!is_fresh(person, now) && self.password_set(&person.account).await?.is_none())
    }

    /// The same by a passkey.
    pub(crate) async fn confirm_by_passkey(
        &self,
        account: &AccountId,
        shown: (&str, &str),
        now: Millis,
    ) -> Result<()> {
        let purpose = Purpose::Confirm(account.clone());
        let found = self.shown_passkey(account, &purpose, shown, None, now);
        found.await.map_err(|refusal| {
            tracing::info!(cause = refusal.cause, "passkey refused");
            match refusal.kind {
                RefusalKind::Temporary => IdentityError::Broken("passkey check"),
                _ => IdentityError::BadPassword("the passkey was not right"),
            }
        })
    }

    /// Sets the password of somebody signed in who shows to be the owner; ends what [`Identity::set_password`] ends, the
    /// session it is done in too.
    ///
    /// # Errors
    /// As [`Identity::confirm_owner`] and [`Identity::set_password`].
    pub async fn change_own_password(
        &self,
        person: &Principal,
        proof: OwnerProof<'_>,
        password: &str,
        now: Millis,
    ) -> Result<()> {
        // What cannot be set must not cost a right answer of the passkey, which is good once.
        crate::people::check_password(password)?;
        if matches!(proof, OwnerProof::Password(old) if old == password) {
            return Err(IdentityError::BadPassword(
                "the new password is the one you have",
            ));
        }
        self.confirm_owner(person, proof, now).await?;
        self.set_password(&person.account, password, now).await
    }
}

fn is_fresh(person: &Principal, now: Millis) -> bool {
    let signed_in = person.signed_in();
    signed_in.is_some_and(|at| now.saturating_sub(at) < FRESH_MS)
}
