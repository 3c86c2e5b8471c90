//! The second factor of the web pages: one-time codes of a phone (RFC 6238), and recovery codes for the day it is lost.
//!
//! Mail programs are not asked for it: app passwords and tokens were made behind it. A wrong code counts against the account
//! whatever address it came from, since whoever tries one knows the password already.

use crate::opaque::{self, Kind as Text};
use crate::rows::{self, FactorRow, HalfRow, Kind};
use crate::{Credential, Identity, IdentityError, Principal, Refusal, RefusalKind, Result, Secret};
use crate::{Service, totp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use pillarbox_store::mail::{AccountId, Millis, Rows, StoreError};
use std::sync::Arc;

/// How long somebody may look for their phone after the password, in milliseconds.
const HALF_MS: Millis = 10 * 60 * 1000;
/// Codes that may be tried after one password.
const TRIES_MAX: u32 = 5;
/// Sign-ins of one account that may wait for their code.
const HALVES_MAX: usize = 20;
/// Recovery codes made at a time.
const RECOVERY_CODES: usize = 10;
/// Letters of a recovery code: 50 bits, each good once, guesses slowed down.
const RECOVERY_LETTERS: usize = 10;
/// Longest text looked at as a code, in bytes.
const CODE_BYTES_MAX: usize = 64;
/// Said to somebody who is signed in.
const WRONG: IdentityError =
    IdentityError::BadPassword("this code is not right, or was used already");

/// What the right password gives.
#[derive(Debug)]
pub enum FirstFactor {
    /// There is no second factor.
    Enough(Principal),
    /// [`Identity::web_second_factor`] wants this back with a code; it is for a cookie or a form field.
    HalfWay(Secret),
}

/// How an account's second factor stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SecondFactor {
    /// When it was switched on; None is off.
    pub since: Option<Millis>,
    /// Recovery codes that were not used yet.
    pub recovery_codes: usize,
}

/// What a phone must be told, shown until the first code proves that it was.
#[derive(Clone, Debug)]
pub struct TotpSetup {
    /// The secret, as people type it.
    pub secret: Secret,
    /// The same as an `otpauth:` address, for a QR code.
    pub uri: Secret,
}

/// What a code turned out to be.
enum Tried {
    Right,
    Wrong,
    Over,
}

impl Identity {
    /// Checks an account's own password for the web pages, first step.
    ///
    /// # Errors
    /// A [`Refusal`] whose cause is precise; what people are told never is.
    pub async fn web_first_factor(
        &self,
        address: &str,
        password: &str,
        now: Millis,
    ) -> Result<FirstFactor, Refusal> {
        let person = self.web_password(address, password, now).await?;
        if let Some(ticket) = self.second_step(&person.account, now).await? {
            return Ok(FirstFactor::HalfWay(ticket));
        }
        self.record_web(address, &Ok(person.clone()), now);
        Ok(FirstFactor::Enough(person))
    }

    /// What somebody who has shown a first factor needs for the second; None if there is no second.
    pub(crate) async fn second_step(
        &self,
        account: &AccountId,
        now: Millis,
    ) -> Result<Option<Secret>, Refusal> {
        if !self.has_second_factor(account).await? {
            return Ok(None);
        }
        let ticket = opaque::new(Text::Half, account, &self.inner.random);
        let (all, key) = (Kind::Half.all(), half_key(ticket.expose()));
        let open = move |rows: &mut Rows| {
            let mut others = Vec::new();
            for (key, value) in rows.scan(&Kind::Half.all()) {
                let row: HalfRow = rows::decode(&value)?;
                others.push((row.ends, key));
            }
            others.sort();
            let surplus = (others.len() + 1).saturating_sub(HALVES_MAX);
            for (index, (ends, key)) in others.iter().enumerate() {
                if index < surplus || *ends <= now {
                    rows.delete(key);
                }
            }
            let ends = now.saturating_add(HALF_MS);
            rows::write(rows, &key, &HalfRow { ends, tries: 0 })
        };
        let account = self.inner.store.account(account);
        account.update(&[&all], open).await.map_err(temporary)?;
        Ok(Some(ticket))
    }

    /// Checks an account's own password where one step must do. Refuses accounts with a second factor.
    ///
    /// # Errors
    /// A [`Refusal`] whose cause is precise; what people are told never is.
    pub async fn web_sign_in(
        &self,
        address: &str,
        password: &str,
        now: Millis,
    ) -> Result<Principal, Refusal> {
        let person = self.web_password(address, password, now).await?;
        match self.has_second_factor(&person.account).await? {
            false => {
                self.record_web(address, &Ok(person.clone()), now);
                Ok(person)
            }
            true => Err(Refusal::invalid("the second factor is missing")),
        }
    }

    /// The second step: a code of the phone, or a recovery code, each good once.
    ///
    /// # Errors
    /// A [`Refusal`] whose cause is precise; a ticket that is over is one.
    pub async fn web_second_factor(
        &self,
        ticket: &str,
        code: &str,
        now: Millis,
    ) -> Result<Principal, Refusal> {
        let unknown = || Refusal::invalid("no sign-in waits for a code");
        let account = opaque::account_of(Text::Half, ticket).ok_or_else(unknown)?;
        self.slow_down_codes(&account, now)?;
        let (half, code) = (half_key(ticket), self.normal(&account, code));
        let handle = self.inner.store.account(&account);
        if handle.get(&half).await?.is_none() {
            return Err(unknown()); // a made-up ticket must not write anything
        }
        let keys = [half.clone(), Kind::Factor.all()];
        let check = move |rows: &mut Rows| {
            let Some(mut row) = rows::read::<HalfRow>(rows, &half)? else {
                return Ok(Tried::Over);
            };
            if row.ends <= now || row.tries >= TRIES_MAX {
                rows.delete(&half);
                return Ok(Tried::Over);
            }
            if try_code(rows, &code, now)? {
                rows.delete(&half);
                return Ok(Tried::Right);
            }
            row.tries += 1;
            rows::write(rows, &half, &row)?;
            Ok(Tried::Wrong)
        };
        let tried = handle
            .update::<_, IdentityError>(&[&keys[0], &keys[1]], check)
            .await
            .map_err(temporary)?;
        match tried {
            Tried::Over => return Err(unknown()),
            Tried::Wrong => {
                self.count_code(&account, false, now);
                let refused = Err(Refusal::invalid("the code is wrong, or was used already"));
                if let Ok(standing) = self.standing(&account).await {
                    self.record_web(&standing.address, &refused, now);
                }
                return refused;
            }
            Tried::Right => self.count_code(&account, true, now),
        }
        let standing = self.standing(&account).await?;
        standing.allows(Service::Web)?;
        let person = Principal {
            account,
            address: Arc::clone(&standing.address),
            credential: Credential::Password,
            app: None,
            until: None,
            rights: crate::principal::Rights::default(),
        };
        self.record_web(&standing.address, &Ok(person.clone()), now);
        Ok(person)
    }

    /// How the second factor stands.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn second_factor(&self, account: &AccountId) -> Result<SecondFactor> {
        let row = self.factor_row(account).await?;
        let stands = |row: FactorRow| SecondFactor {
            since: row.since,
            recovery_codes: row.recovery.len(),
        };
        Ok(row.map(stands).unwrap_or_default())
    }

    /// Begins to set up codes of a phone. Until [`Identity::confirm_totp`] nothing asks for them, and asking again gives the
    /// same.
    ///
    /// # Errors
    /// [`IdentityError::BadPassword`] if it is on already, [`IdentityError::Store`].
    pub async fn begin_totp(&self, account: &AccountId) -> Result<TotpSetup> {
        let handle = self.inner.store.account(account);
        let address = handle.address().await?;
        let mut secret = vec![0; totp::SECRET_BYTES];
        (self.inner.random)(&mut secret);
        let key = Kind::Factor.all();
        let begin = move |rows: &mut Rows| match rows::read::<FactorRow>(rows, &Kind::Factor.all())?
        {
            Some(FactorRow { since: Some(_), .. }) => Err(IdentityError::BadPassword(
                "a second factor is set up already; remove it first",
            )),
            Some(row) => Ok(row.secret),
            None => {
                let row = FactorRow {
                    secret: secret.clone(),
                    since: None,
                    used: 0,
                    recovery: Vec::new(),
                };
                rows::write(rows, &Kind::Factor.all(), &row)?;
                Ok(row.secret)
            }
        };
        let secret = totp::base32(&handle.update(&[&key], begin).await?);
        let mut uri =
            url::Url::parse("otpauth://totp/").map_err(|_| IdentityError::Broken("address"))?;
        let host = &self.inner.config.host;
        uri.set_path(&format!("/{host}:{address}"));
        uri.query_pairs_mut()
            .append_pair("secret", &secret)
            .append_pair("issuer", host);
        Ok(TotpSetup {
            secret: Secret::new(secret),
            uri: Secret::new(String::from(uri)),
        })
    }

    /// Switches the second factor on with the first code of the phone; the recovery codes are shown this once.
    ///
    /// # Errors
    /// [`IdentityError::BadPassword`] for a wrong code, or if nothing was begun; [`IdentityError::Store`].
    pub async fn confirm_totp(
        &self,
        account: &AccountId,
        code: &str,
        now: Millis,
    ) -> Result<Vec<Secret>> {
        let (codes, hashes) = self.recovery_codes(account);
        let code = self.normal(account, code);
        let confirm = move |rows: &mut Rows| {
            let row = rows::read::<FactorRow>(rows, &Kind::Factor.all())?;
            let Some(mut row) = row.filter(|row| row.since.is_none()) else {
                return Err(IdentityError::BadPassword(
                    "no second factor waits to be confirmed",
                ));
            };
            row.used = totp::matching(&row.secret, &code.text, 0, now).ok_or(WRONG)?;
            row.since = Some(now);
            row.recovery = hashes.clone();
            rows::write(rows, &Kind::Factor.all(), &row)
        };
        let handle = self.inner.store.account(account);
        handle.update(&[&Kind::Factor.all()], confirm).await?;
        Ok(codes)
    }

    /// New recovery codes in place of the old ones, against a code of the phone or an old one.
    ///
    /// # Errors
    /// [`IdentityError::BadPassword`] for a wrong code, [`IdentityError::TooMany`] for too many of them,
    /// [`IdentityError::Store`].
    pub async fn renew_recovery_codes(
        &self,
        account: &AccountId,
        code: &str,
        now: Millis,
    ) -> Result<Vec<Secret>> {
        let (codes, hashes) = self.recovery_codes(account);
        let renew = move |rows: &mut Rows| {
            if let Some(mut row) = rows::read::<FactorRow>(rows, &Kind::Factor.all())? {
                row.recovery = hashes.clone();
                rows::write(rows, &Kind::Factor.all(), &row)?;
            }
            Ok(())
        };
        self.with_code(account, code, now, renew).await?;
        Ok(codes)
    }

    /// Removes the second factor, against a code of the phone or a recovery code.
    ///
    /// # Errors
    /// As [`Identity::renew_recovery_codes`].
    pub async fn remove_second_factor(
        &self,
        account: &AccountId,
        code: &str,
        now: Millis,
    ) -> Result<()> {
        let remove = |rows: &mut Rows| {
            rows.delete(&Kind::Factor.all());
            Ok(())
        };
        self.with_code(account, code, now, remove).await
    }

    /// Removes the second factor of somebody who lost phone and recovery codes. For administrators.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn clear_second_factor(&self, account: &AccountId) -> Result<()> {
        let clear = |rows: &mut Rows| {
            rows.delete(&Kind::Factor.all());
            Ok::<_, IdentityError>(())
        };
        let handle = self.inner.store.account(account);
        handle.update(&[&Kind::Factor.all()], clear).await
    }

    /// Does something if a code is right; a wrong one counts.
    async fn with_code(
        &self,
        account: &AccountId,
        code: &str,
        now: Millis,
        mut then: impl FnMut(&mut Rows) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        if self.slow_down_codes(account, now).is_err() {
            return Err(IdentityError::TooMany("wrong codes; wait a little"));
        }
        let code = self.normal(account, code);
        let check = move |rows: &mut Rows| match try_code(rows, &code, now)? {
            true => then(rows).map(|()| true),
            false => Ok(false),
        };
        let handle = self.inner.store.account(account);
        let right = handle.update(&[&Kind::Factor.all()], check).await?;
        self.count_code(account, right, now);
        right.then_some(()).ok_or(WRONG)
    }

    async fn has_second_factor(&self, account: &AccountId) -> Result<bool, Refusal> {
        let row = self.factor_row(account).await.map_err(temporary)?;
        Ok(row.is_some_and(|row| row.since.is_some()))
    }

    async fn factor_row(&self, account: &AccountId) -> Result<Option<FactorRow>> {
        let row = self
            .inner
            .store
            .account(account)
            .get(&Kind::Factor.all())
            .await;
        match row {
            Err(StoreError::NoSuchAccount) => Ok(None),
            row => row?.map(|row| rows::decode(&row)).transpose(),
        }
    }

    fn recovery_codes(&self, account: &AccountId) -> (Vec<Secret>, Vec<[u8; 32]>) {
        let make = |_| {
            let letters = self.random_letters();
            let (a, b) = letters[..RECOVERY_LETTERS].split_at(RECOVERY_LETTERS / 2);
            let text = format!("{a}-{b}");
            let hash = self.normal(account, &text).hash;
            (Secret::new(text), hash)
        };
        (0..RECOVERY_CODES).map(make).unzip()
    }

    /// A code as typed, less blanks and hyphens, in either of its forms.
    fn normal(&self, account: &AccountId, code: &str) -> Code {
        let text: String = code
            .chars()
            .take(CODE_BYTES_MAX)
            .filter(|letter| !letter.is_whitespace() && *letter != '-')
            .flat_map(char::to_lowercase)
            .collect();
        self.inner.work.quick(1);
        let keys = &self.inner.keys;
        let hash = keys.mark("recovery code", &format!("{}\0{text}", account.0));
        Code { text, hash }
    }

    fn slow_down_codes(&self, account: &AccountId, now: Millis) -> Result<(), Refusal> {
        if !self.inner.config.slow_down {
            return Ok(());
        }
        match self.inner.attempts.wait(None, &counted_as(account), now) {
            None => Ok(()),
            Some(_) => Err(Refusal::new(
                RefusalKind::TooManyAttempts,
                "too many wrong codes for this account",
            )),
        }
    }

    fn count_code(&self, account: &AccountId, right: bool, now: Millis) {
        let name = counted_as(account);
        match right {
            _ if !self.inner.config.slow_down => {}
            true => self.inner.attempts.passed(None, &name),
            false => self.inner.attempts.failed(None, &name, now),
        }
    }
}

struct Code {
    text: String,
    hash: [u8; 32],
}

/// Whether a code is right; then it is not any more.
fn try_code(rows: &mut Rows, code: &Code, now: Millis) -> Result<bool> {
    let key = Kind::Factor.all();
    let row = rows::read::<FactorRow>(rows, &key)?;
    let Some(mut row) = row.filter(|row| row.since.is_some()) else {
        return Ok(false);
    };
    let before = row.recovery.len();
    row.recovery.retain(|hash| !opaque::same(hash, &code.hash));
    let recovered = row.recovery.len() < before;
    match totp::matching(&row.secret, &code.text, row.used, now) {
        Some(step) => row.used = step,
        None if recovered => {}
        None => return Ok(false),
    }
    rows::write(rows, &key, &row)?;
    Ok(true)
}

/// Addresses have no NUL, so nobody's password failures are counted here.
fn counted_as(account: &AccountId) -> String {
    format!("code\0{}", account.0)
}

fn half_key(ticket: &str) -> Vec<u8> {
    Kind::Half.key(BASE64.encode(opaque::hash(ticket)))
}

fn temporary(fault: impl std::fmt::Display) -> Refusal {
    Refusal::new(RefusalKind::Temporary, fault.to_string())
}
