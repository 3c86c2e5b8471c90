//! People: their accounts, their passwords, their app passwords.

use crate::attempts::Guess;
use crate::limits::{AppLimits, LimitsRow, NETWORKS_MAX};
use crate::principal::Rights;
use crate::rows::{self, AppRow, GrantRow, Kind, PasswordRow};
use crate::{
    Act, AppPassword, Credential, Deed, Identity, IdentityError, Passwords, Principal, Refusal,
    RefusalKind, Result, Secret, Service, opaque,
};
use pillarbox_store::mail::{AccountId, Millis, Naming, Rows, StoreError};
use std::sync::Arc;

/// Longest password, in bytes: what is hashed is bounded.
const PASSWORD_BYTES_MAX: usize = 1024;
/// Shortest password, in characters (NIST SP 800-63B §3.1.1.2).
const PASSWORD_CHARS_MIN: usize = 8;
/// Most app passwords of one account.
const APP_PASSWORDS_MAX: usize = 100;
/// Letters of an app password (wire §2.5): 75 bits.
const APP_LETTERS: usize = 16;
/// Longest name of an app password, in characters.
const APP_NAME_CHARS_MAX: usize = 100;

impl Identity {
    /// Makes an account, with a password or without one.
    ///
    /// # Errors
    /// [`IdentityError::Store`], [`IdentityError::BadPassword`]: then no account is made.
    pub async fn create_person(
        &self,
        address: &str,
        password: Option<&str>,
        naming: Naming,
        now: Millis,
    ) -> Result<AccountId> {
        password.map_or(Ok(()), check_password)?;
        let account = self
            .inner
            .store
            .create_account(address, naming, now)
            .await?;
        if let Some(password) = password {
            self.set_password(&account, password, now).await?;
        }
        Ok(account)
    }

    /// Sets an account's own password. Ends its grants, app passwords, certificates and web sessions (wire §7.3).
    ///
    /// # Errors
    /// [`IdentityError::Store`], [`IdentityError::BadPassword`].
    pub async fn set_password(
        &self,
        account: &AccountId,
        password: &str,
        now: Millis,
    ) -> Result<()> {
        check_password(password)?;
        let phc = self.inner.hasher.hash(password, &self.inner.random).await?;
        let prefixes = [
            Kind::Grant,
            Kind::App,
            Kind::Certificate,
            Kind::Session,
            Kind::Half,
            Kind::Code,
        ]
        .map(Kind::all);
        let prefixes: Vec<&[u8]> = prefixes.iter().map(Vec::as_slice).collect();
        let handle = self.inner.store.account(account);
        // The address proves that there is such an account: rows alone would be kept for anybody.
        handle.address().await?;
        let end_all = move |rows: &mut Rows| {
            let ended = [
                Kind::App,
                Kind::Certificate,
                Kind::Session,
                Kind::Half,
                Kind::Code,
            ];
            for kind in ended {
                for (key, _) in rows.scan(&kind.all()) {
                    rows.delete(&key);
                }
            }
            for (key, value) in rows.scan(&Kind::Grant.all()) {
                let mut grant: GrantRow = rows::decode(&value)?;
                if grant.revoked.is_none() {
                    grant.revoked = Some(now);
                    rows::write(rows, &key, &grant)?;
                }
            }
            let row = PasswordRow {
                phc: phc.clone(),
                changed: now,
            };
            rows::write(rows, &Kind::Password.all(), &row)
        };
        handle.update(&prefixes, end_all).await?;
        self.announce(account, None, "the account’s password was changed");
        self.record(account, Act::new(Deed::PasswordChanged, now));
        Ok(())
    }

    /// Suspends an account or lets it in again. Suspended: every check refuses, live sessions end.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn set_suspended(&self, account: &AccountId, suspended: bool) -> Result<()> {
        let handle = self.inner.store.account(account);
        let mut settings = handle.settings().await?;
        settings.suspended = suspended;
        handle.set_settings(settings).await?;
        self.inner.standings.forget(account);
        if suspended {
            self.announce(account, None, "the account was suspended");
        }
        Ok(())
    }

    /// Checks an account's own password, whatever else its owner must show.
    pub(crate) async fn web_password(
        &self,
        address: &str,
        password: &str,
        now: Millis,
    ) -> Result<Principal, Refusal> {
        self.slow_down(Guess::Web, address, now)?;
        let account = self.inner.store.account_of(address).await?;
        let found = self
            .check_own_password(account, password, Service::Web)
            .await;
        self.count(Guess::Web, address, &found, now);
        if found.is_err() {
            self.record_web(address, &found, now);
        }
        found
    }

    /// Checks a password for a mail service: an app password, or the account's own where that is allowed (wire §2.5).
    ///
    /// # Errors
    /// A [`Refusal`] whose cause is precise.
    pub async fn password(
        &self,
        user: &str,
        password: &str,
        service: Service,
        now: Millis,
    ) -> Result<Principal, Refusal> {
        if self.inner.config.passwords == Passwords::Never {
            return Err(Refusal::invalid(
                "passwords are switched off on this server",
            ));
        }
        self.slow_down(Guess::Mail, user, now)?;
        let account = self.inner.store.account_of(user).await?;
        let letters = app_letters(password);
        let mut found = self
            .check_app_password(account.as_ref(), letters.as_deref(), service, now)
            .await;
        let invalid = matches!(&found, Err(refusal) if refusal.kind != RefusalKind::Temporary);
        if invalid && self.inner.config.passwords == Passwords::Account {
            found = self.check_own_password(account, password, service).await;
        }
        self.count(Guess::Mail, user, &found, now);
        found
    }

    /// Makes an app password: its id, and the 16 letters, which are shown this once.
    ///
    /// # Errors
    /// [`IdentityError::Store`], [`IdentityError::TooMany`].
    pub async fn add_app_password(
        &self,
        account: &AccountId,
        name: &str,
        now: Millis,
    ) -> Result<(Arc<str>, Secret)> {
        let limits = AppLimits::default();
        self.add_limited_app_password(account, name, limits, now)
            .await
    }

    /// The same for some services, networks or a time only.
    ///
    /// # Errors
    /// As [`Identity::add_app_password`]; [`IdentityError::BadPassword`] for one that would have ended already.
    pub async fn add_limited_app_password(
        &self,
        account: &AccountId,
        name: &str,
        limits: AppLimits,
        now: Millis,
    ) -> Result<(Arc<str>, Secret)> {
        if limits.from.len() > NETWORKS_MAX {
            return Err(IdentityError::TooMany("networks"));
        }
        if limits.until.is_some_and(|until| until <= now) {
            return Err(IdentityError::BadPassword("the end lies in the past"));
        }
        let id: Arc<str> = opaque::random_text(&self.inner.random, 9).into();
        let letters = self.random_letters();
        let handle = self.inner.store.account(account);
        let address = handle.address().await?;
        let row = AppRow {
            id: id.to_string(),
            name: name
                .chars()
                .filter(|letter| !letter.is_control())
                .take(APP_NAME_CHARS_MAX)
                .collect(),
            hash: self.app_hash(account, &letters),
            created: now,
            scram: Some(self.scram_row(&address, &letters)),
            limits: LimitsRow::new(&limits),
        };
        let made = row.name.clone();
        let add = move |rows: &mut Rows| {
            if rows.scan(&Kind::App.all()).len() >= APP_PASSWORDS_MAX {
                return Err(IdentityError::TooMany("app passwords"));
            }
            rows::write(rows, &app_key(&row.hash), &row)
        };
        handle.update(&[&Kind::App.all()], add).await?;
        self.record(account, Act::new(Deed::AppPasswordMade, now).app(made));
        Ok((id, Secret::new(letters)))
    }

    /// The app passwords of an account, oldest first.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn list_app_passwords(&self, account: &AccountId) -> Result<Vec<AppPassword>> {
        let mut all: Vec<_> = self.app_rows(account).await?;
        all.sort_by_key(|(_, row)| row.created);
        let show = |(id, row): (String, AppRow)| AppPassword {
            id: id.into(),
            name: row.name.into(),
            created: row.created,
            limits: row.limits.limits(),
        };
        Ok(all.into_iter().map(show).collect())
    }

    /// Ends an app password and the sessions it opened.
    ///
    /// # Errors
    /// [`IdentityError::NoSuch`], [`IdentityError::Store`].
    pub async fn revoke_app_password(&self, account: &AccountId, id: &str) -> Result<()> {
        let named = id.to_owned();
        let remove = move |rows: &mut Rows| {
            for (key, value) in rows.scan(&Kind::App.all()) {
                let row: AppRow = rows::decode(&value)?;
                if row.id == named {
                    rows.delete(&key);
                    return Ok(row.name);
                }
            }
            Err(IdentityError::NoSuch("app password"))
        };
        let handle = self.inner.store.account(account);
        let name = handle.update(&[&Kind::App.all()], remove).await?;
        let what = format!("the app password “{name}” was revoked");
        self.announce(account, Some(Credential::AppPassword(id.into())), what);
        Ok(())
    }

    async fn check_app_password(
        &self,
        account: Option<&AccountId>,
        letters: Option<&str>,
        service: Service,
        now: Millis,
    ) -> Result<Principal, Refusal> {
        let issuer = AccountId(crate::keys::ISSUER_ACCOUNT.into());
        // For unknown users the issuer's account stands in, which has none: the same hash, the same reads.
        let whose = account.unwrap_or(&issuer);
        let hash = self.app_hash(whose, letters.unwrap_or_default());
        let found = self.app_row(whose, &hash).await;
        let found =
            found.map_err(|fault| Refusal::new(RefusalKind::Temporary, fault.to_string()))?;
        if letters.is_none() {
            let cause = "not an app password (16 letters), and only those are taken";
            return Err(Refusal::new(RefusalKind::AppPasswordRequired, cause));
        }
        let Some(account) = account else {
            return Err(Refusal::invalid("there is no such account"));
        };
        let Some(found) = found else {
            return Err(Refusal::invalid("no app password of this account fits"));
        };
        self.app_password_opens(account.clone(), found, service, now)
            .await
    }

    /// What an app password that was shown to be known gives.
    pub(crate) async fn app_password_opens(
        &self,
        account: AccountId,
        (id, row): (String, AppRow),
        service: Service,
        now: Millis,
    ) -> Result<Principal, Refusal> {
        row.limits
            .allow("the app password", service, self.peer, now)?;
        let standing = self.standing(&account).await?;
        standing.allows(service)?;
        Ok(Principal {
            account,
            address: Arc::clone(&standing.address),
            credential: Credential::AppPassword(id.into()),
            app: Some(row.name.into()),
            until: row.limits.until(),
            rights: Rights::default(),
        })
    }

    /// For unknown users the issuer's account stands in, which has none: the same reads.
    pub(crate) async fn app_rows_or_none(
        &self,
        account: Option<&AccountId>,
    ) -> Result<Vec<(String, AppRow)>, Refusal> {
        let issuer = AccountId(crate::keys::ISSUER_ACCOUNT.into());
        let rows = self.app_rows(account.unwrap_or(&issuer)).await;
        rows.map_err(|fault| Refusal::new(RefusalKind::Temporary, fault.to_string()))
    }

    async fn check_own_password(
        &self,
        account: Option<AccountId>,
        password: &str,
        service: Service,
    ) -> Result<Principal, Refusal> {
        // As above: the issuer's account stands in, which has no password.
        let issuer = AccountId(crate::keys::ISSUER_ACCOUNT.into());
        let whose = self
            .inner
            .store
            .account(account.as_ref().unwrap_or(&issuer));
        self.inner.work.read(1);
        let row = match whose.get(&Kind::Password.all()).await {
            Err(StoreError::NoSuchAccount) => None,
            row => row?,
        };
        let row: Option<PasswordRow> = row
            .map(|row| rows::decode(&row))
            .transpose()
            .map_err(|fault| Refusal::new(RefusalKind::Temporary, fault.to_string()))?;
        // Too long can fit nothing, but costs the same.
        let bounded = if password.len() > PASSWORD_BYTES_MAX {
            ""
        } else {
            password
        };
        let phc = row.as_ref().map(|row| row.phc.as_str());
        self.inner.work.slow();
        let fits = self.inner.hasher.fits(bounded, phc).await;
        let fits = fits.map_err(|_| {
            Refusal::new(
                RefusalKind::Temporary,
                "too many password checks are waiting",
            )
        })?;
        let Some(account) = account else {
            return Err(Refusal::invalid("there is no such account"));
        };
        if row.is_none() {
            return Err(Refusal::invalid("the account has no password"));
        }
        if !fits {
            return Err(Refusal::invalid("the password is wrong"));
        }
        let standing = self.standing(&account).await?;
        standing.allows(service)?;
        Ok(Principal {
            account,
            address: Arc::clone(&standing.address),
            credential: Credential::Password,
            app: None,
            until: None,
            rights: Rights {
                peer: self.peer,
                ..Rights::default()
            },
        })
    }

    async fn app_rows(&self, account: &AccountId) -> Result<Vec<(String, AppRow)>> {
        let handle = self.inner.store.account(account);
        let rows = match handle.scan(&Kind::App.all(), APP_PASSWORDS_MAX).await {
            Err(StoreError::NoSuchAccount) => Vec::new(),
            rows => rows?,
        };
        self.inner.work.read(rows.len());
        let read = |value: &[u8]| {
            let row: AppRow = rows::decode(value)?;
            Ok((row.id.clone(), row))
        };
        rows.iter().map(|(_, value)| read(value)).collect()
    }

    /// The app password with this hash: one read whatever their number, or the time it takes would tell it.
    async fn app_row(
        &self,
        account: &AccountId,
        hash: &[u8; 32],
    ) -> Result<Option<(String, AppRow)>> {
        let handle = self.inner.store.account(account);
        self.inner.work.read(1);
        let row = match handle.get(&app_key(hash)).await {
            Err(StoreError::NoSuchAccount) => None,
            row => row?,
        };
        let row: Option<AppRow> = row.map(|row| rows::decode(&row)).transpose()?;
        let row = row.filter(|row| opaque::same(&row.hash, hash));
        Ok(row.map(|row| (row.id.clone(), row)))
    }

    /// A keyed hash: 75 random bits need no slow one, so app passwords stay quick for programs that sign in often.
    fn app_hash(&self, account: &AccountId, letters: &str) -> [u8; 32] {
        self.inner.work.quick(1);
        self.inner
            .keys
            .mark("app password", &format!("{}\0{letters}", account.0))
    }

    pub(crate) fn random_letters(&self) -> String {
        let mut letters = String::with_capacity(APP_LETTERS);
        while letters.len() < APP_LETTERS {
            let mut bytes = [0; APP_LETTERS];
            (self.inner.random)(&mut bytes);
            // Bytes of 234 and more would favour the first letters.
            let fair = bytes
                .into_iter()
                .filter(|byte| *byte < 234)
                .map(|byte| char::from(b'a' + byte % 26));
            letters.extend(fair.take(APP_LETTERS - letters.len()));
        }
        letters
    }

    pub(crate) fn slow_down(&self, guess: Guess, user: &str, now: Millis) -> Result<(), Refusal> {
        if !self.inner.config.slow_down {
            return Ok(());
        }
        match self.inner.attempts.wait(guess, self.peer, user, now) {
            None => Ok(()),
            Some(wait) => {
                let cause = format!("{PAUSED}; the next attempt counts in {} s", wait / 1000 + 1);
                Err(Refusal::new(RefusalKind::TooManyAttempts, cause))
            }
        }
    }

    pub(crate) fn count(
        &self,
        guess: Guess,
        user: &str,
        found: &Result<Principal, Refusal>,
        now: Millis,
    ) {
        match found {
            _ if !self.inner.config.slow_down => {}
            Ok(person) => {
                self.inner.attempts.passed(guess, self.peer, user);
                // The password of the pages may be half of a sign-in only: who ends it notes it.
                if guess != Guess::Web {
                    self.note_network(user, now);
                    self.note_network(&person.address, now);
                }
            }
            Err(refusal) if refusal.kind == RefusalKind::Temporary => {}
            Err(_) => self.inner.attempts.failed(guess, self.peer, user, now),
        }
    }
}

/// Why an attempt in a pause is refused; how long it still lasts follows, which is for the log.
pub(crate) const PAUSED: &str = "too many failures";

/// Where an app password is kept. Whoever reads the keys learns half of a keyed hash, which opens nothing.
fn app_key(hash: &[u8; 32]) -> Vec<u8> {
    Kind::App.key(&hash[..16])
}

pub(crate) fn check_password(password: &str) -> Result<()> {
    if password.chars().count() < PASSWORD_CHARS_MIN {
        return Err(IdentityError::BadPassword(
            "a password has at least 8 characters",
        ));
    }
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(IdentityError::BadPassword(
            "a password has at most 1024 bytes",
        ));
    }
    Ok(())
}

/// The letters, if it has the form of an app password; people paste them with blanks.
fn app_letters(password: &str) -> Option<String> {
    if password.len() > PASSWORD_BYTES_MAX {
        return None;
    }
    let letters: String = password
        .chars()
        .filter(|letter| !letter.is_whitespace())
        .collect();
    let form =
        letters.len() == APP_LETTERS && letters.bytes().all(|byte| byte.is_ascii_lowercase());
    form.then_some(letters)
}
