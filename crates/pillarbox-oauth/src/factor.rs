//! The second factor of the web pages: one-time codes of a phone (RFC 6238) or a passkey, and recovery codes for the day they
//! are lost.
//!
//! Mail programs are not asked for it: app passwords and tokens were made behind it. Whoever tries a code knows the password
//! already, so wrong ones count for the network it came from and, far above that, for the account; what that allows is computed in
//! the module of attempts.

use crate::attempts::{Guess, network};
use crate::opaque::{self, Kind as Text};
use crate::principal::SignedIn;
use crate::rows::{self, FactorRow, HalfRow, Kind};
use crate::{
    Act, Credential, Deed, Identity, IdentityError, OwnerProof, Principal, Refusal, RefusalKind,
    Result, Secret,
};
use crate::{Service, totp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use pillarbox_store::mail::{AccountId, Millis, Rows, StoreError};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How long somebody may look for their phone after the password, in milliseconds.
const HALF_MS: Millis = 10 * 60 * 1000;
/// Sign-ins of one account that may wait for their code.
const HALVES_MAX: usize = 20;
/// Recovery codes made at a time.
const RECOVERY_CODES: usize = 10;
/// Letters of a recovery code: 47 bits, each good once, guesses slowed down.
const RECOVERY_LETTERS: usize = 10;
/// Longest text looked at as a code, in bytes.
const CODE_BYTES_MAX: usize = 64;
/// How the trail calls what follows a password begins with this.
pub(crate) const SECOND_STEP: &str = "two steps";
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
    /// Whether a phone shows codes; if not, it is passkeys that are asked for.
    pub phone: bool,
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
    Right(Used, SignedIn),
    Wrong,
    Over,
}

/// What a right code was.
#[derive(Clone, Copy)]
enum Used {
    Phone,
    /// So many recovery codes are left.
    Recovery(usize),
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
        if let Some(ticket) = self.second_step(&person, now).await? {
            return Ok(FirstFactor::HalfWay(ticket));
        }
        self.signed_in_by_password(address, &person, now);
        Ok(FirstFactor::Enough(person))
    }

    /// What somebody who has shown a first factor needs for the second; None if there is no second.
    pub(crate) async fn second_step(
        &self,
        person: &Principal,
        now: Millis,
    ) -> Result<Option<Secret>, Refusal> {
        let (account, signed_in) = (&person.account, person.rights.signed_in);
        if !self.has_second_factor(account).await? {
            return Ok(None);
        }
        let ticket = opaque::new(Text::Half, account, &self.inner.random);
        let (all, key) = (Kind::Half.all(), half_key(ticket.expose()));
        let network = self.peer.map(|peer| network(peer).to_string());
        let open = move |rows: &mut Rows| {
            make_room(rows, now)?;
            let network = network.clone();
            let ends = now.saturating_add(HALF_MS);
            let half = HalfRow {
                ends,
                tries: 0,
                signed_in,
                network,
            };
            rows::write(rows, &key, &half)
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
                self.signed_in_by_password(address, &person, now);
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
        let account = half_of(ticket).ok_or_else(unknown)?;
        let (half, code) = (half_key(ticket), self.normal(&account, code));
        let guess = code.guess();
        self.slow_down_codes(guess, &account, now)?;
        let handle = self.inner.store.account(&account);
        if handle.get(&half).await?.is_none() {
            return Err(unknown()); // a made-up ticket must not write anything
        }
        let keys = [half.clone(), Kind::Factor.all()];
        let check = move |rows: &mut Rows| {
            let Some(mut row) = rows::read::<HalfRow>(rows, &half)? else {
                return Ok(Tried::Over);
            };
            if !row.is_open(now) {
                rows.delete(&half);
                return Ok(Tried::Over);
            }
            if let Some(used) = try_code(rows, &code, now)? {
                rows.delete(&half);
                return Ok(Tried::Right(used, row.signed_in));
            }
            row.tries += 1;
            rows::write(rows, &half, &row)?;
            Ok(Tried::Wrong)
        };
        let tried = handle
            .update::<_, IdentityError>(&[&keys[0], &keys[1]], check)
            .await
            .map_err(temporary)?;
        let (method, signed_in) = match tried {
            Tried::Over => return Err(unknown()),
            Tried::Wrong => {
                self.count_code(guess, &account, false, now);
                let refused = Err(Refusal::invalid("the code is wrong, or was used already"));
                if let Ok(standing) = self.standing(&account).await {
                    self.record_web_by(&standing.address, "two steps, code", &refused, now);
                }
                return refused;
            }
            Tried::Right(used, signed_in) => {
                self.count_code(guess, &account, true, now);
                self.record_recovery(&account, used, now);
                let method = match used {
                    Used::Phone => "two steps, code",
                    Used::Recovery(_) => "two steps, recovery code",
                };
                (method, signed_in)
            }
        };
        let standing = self.standing(&account).await?;
        standing.allows(Service::Web)?;
        let person = Principal {
            account,
            address: Arc::clone(&standing.address),
            credential: Credential::Password,
            app: None,
            until: None,
            rights: crate::principal::Rights {
                signed_in,
                peer: self.peer,
                ..crate::principal::Rights::default()
            },
        };
        self.note_both_steps(&person.account, &standing.address, now);
        self.record_web_by(&standing.address, method, &Ok(person.clone()), now);
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
            phone: row.has_phone(),
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
        let begin = move |rows: &mut Rows| {
            let row = rows::read::<FactorRow>(rows, &Kind::Factor.all())?;
            let mut row = row.unwrap_or_default();
            if row.has_phone() {
                return Err(IdentityError::BadPassword(
                    "a second factor is set up already; remove it first",
                ));
            }
            if row.fresh.is_empty() {
                row.fresh = secret.clone();
                rows::write(rows, &Kind::Factor.all(), &row)?;
            }
            Ok(row.fresh)
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

    /// Switches codes of a phone on with the first of them; the recovery codes are shown this once.
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
            let Some(mut row) = row.filter(|row| !row.fresh.is_empty()) else {
                return Err(IdentityError::BadPassword(
                    "no second factor waits to be confirmed",
                ));
            };
            row.used = totp::matching(&row.fresh, &code.text, 0, now).ok_or(WRONG)?;
            row.secret = std::mem::take(&mut row.fresh);
            row.since = row.since.or(Some(now));
            row.recovery = hashes.clone();
            rows::write(rows, &Kind::Factor.all(), &row)
        };
        let handle = self.inner.store.account(account);
        handle.update(&[&Kind::Factor.all()], confirm).await?;
        self.note_network(&counted_as(account), now);
        let act = Act::new(Deed::SecondFactorOn, now);
        self.record(account, act.detail("codes of a phone"));
        Ok(codes)
    }

    /// Switches the second factor on with the passkeys there are; the recovery codes are shown this once.
    ///
    /// # Errors
    /// [`IdentityError::BadPassword`] if it is on, or if there is no passkey; [`IdentityError::Store`].
    pub async fn require_passkey(&self, account: &AccountId, now: Millis) -> Result<Vec<Secret>> {
        let (codes, hashes) = self.recovery_codes(account);
        let switch = move |rows: &mut Rows| {
            let row = rows::read::<FactorRow>(rows, &Kind::Factor.all())?;
            let mut row = row.unwrap_or_default();
            if row.is_on() {
                return Err(IdentityError::BadPassword("the second factor is on"));
            }
            if rows.scan(&Kind::Passkey.all()).is_empty() {
                return Err(IdentityError::BadPassword("make a passkey first"));
            }
            row.since = Some(now);
            row.secret.clear();
            row.recovery = hashes.clone();
            rows::write(rows, &Kind::Factor.all(), &row)
        };
        let prefixes = [Kind::Factor.all(), Kind::Passkey.all()];
        let handle = self.inner.store.account(account);
        handle.update(&[&prefixes[0], &prefixes[1]], switch).await?;
        self.note_network(&counted_as(account), now);
        let act = Act::new(Deed::SecondFactorOn, now);
        self.record(account, act.detail("passkeys"));
        Ok(codes)
    }

    /// New recovery codes in place of the old ones, against a code of the phone, an old one, or a passkey.
    ///
    /// # Errors
    /// [`IdentityError::BadPassword`] for a wrong one, [`IdentityError::TooMany`] for too many of them,
    /// [`IdentityError::Store`].
    pub async fn renew_recovery_codes(
        &self,
        account: &AccountId,
        proof: OwnerProof<'_>,
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
        self.with_owner_proof(account, proof, now, renew).await?;
        self.record(account, Act::new(Deed::RecoveryCodesMade, now));
        Ok(codes)
    }

    /// Removes the second factor, against a code of the phone, a recovery code, or a passkey.
    ///
    /// # Errors
    /// As [`Identity::renew_recovery_codes`].
    pub async fn remove_second_factor(
        &self,
        account: &AccountId,
        proof: OwnerProof<'_>,
        now: Millis,
    ) -> Result<()> {
        let remove = |rows: &mut Rows| {
            rows.delete(&Kind::Factor.all());
            Ok(())
        };
        self.with_owner_proof(account, proof, now, remove).await?;
        self.record(account, Act::new(Deed::SecondFactorOff, now));
        Ok(())
    }

    /// Removes the second factor of somebody who lost phone and recovery codes; whether it was on. For administrators.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn clear_second_factor(&self, account: &AccountId, now: Millis) -> Result<bool> {
        let clear = |rows: &mut Rows| {
            let row = rows::read::<FactorRow>(rows, &Kind::Factor.all())?;
            rows.delete(&Kind::Factor.all());
            Ok::<_, IdentityError>(row.is_some_and(|row| row.is_on()))
        };
        let handle = self.inner.store.account(account);
        let was_on = handle.update(&[&Kind::Factor.all()], clear).await?;
        if was_on {
            let act = Act::new(Deed::SecondFactorOff, now);
            self.record(account, act.detail("cleared by an administrator"));
        }
        Ok(was_on)
    }

    fn record_recovery(&self, account: &AccountId, used: Used, now: Millis) {
        if let Used::Recovery(left) = used {
            let act = Act::new(Deed::RecoveryCodeUsed, now).detail(format!("{left} left"));
            self.record(account, act);
        }
    }

    /// Does something if what is shown is right; a wrong code counts.
    async fn with_owner_proof(
        &self,
        account: &AccountId,
        proof: OwnerProof<'_>,
        now: Millis,
        mut then: impl FnMut(&mut Rows) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let code = match proof {
            OwnerProof::Code(code) => code,
            OwnerProof::Passkey(ticket, answer) => {
                self.confirm_by_passkey(account, (ticket, answer), now)
                    .await?;
                let handle = self.inner.store.account(account);
                return handle.update(&[&Kind::Factor.all()], then).await;
            }
            OwnerProof::Password(_) => {
                return Err(IdentityError::BadPassword("a password is not enough here"));
            }
        };
        let code = self.normal(account, code);
        let guess = code.guess();
        if self.slow_down_codes(guess, account, now).is_err() {
            return Err(IdentityError::TooMany("wrong codes; wait a little"));
        }
        let check = move |rows: &mut Rows| match try_code(rows, &code, now)? {
            Some(used) => then(rows).map(|()| Some(used)),
            None => Ok(None),
        };
        let handle = self.inner.store.account(account);
        let used = handle.update(&[&Kind::Factor.all()], check).await?;
        self.count_code(guess, account, used.is_some(), now);
        self.record_recovery(account, used.ok_or(WRONG)?, now);
        Ok(())
    }

    async fn has_second_factor(&self, account: &AccountId) -> Result<bool, Refusal> {
        let row = self.factor_row(account).await.map_err(temporary)?;
        Ok(row.is_some_and(|row| row.is_on()))
    }

    pub(crate) async fn factor_row(&self, account: &AccountId) -> Result<Option<FactorRow>> {
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

    fn slow_down_codes(
        &self,
        guess: Guess,
        account: &AccountId,
        now: Millis,
    ) -> Result<(), Refusal> {
        let refused = |_| {
            let cause = "too many wrong codes for this account";
            Refusal::new(RefusalKind::TooManyAttempts, cause)
        };
        let slowed = self.slow_down(guess, &counted_as(account), now);
        slowed.map_err(refused)
    }

    fn count_code(&self, guess: Guess, account: &AccountId, right: bool, now: Millis) {
        let (attempts, name) = (&self.inner.attempts, counted_as(account));
        match right {
            _ if !self.inner.config.slow_down => {}
            true => attempts.passed(guess, self.peer, &name),
            false => attempts.failed(guess, self.peer, &name, now),
        }
    }

    /// The password was all there is to show. Known becomes the name that was typed, which may be an alias, and the account's.
    fn signed_in_by_password(&self, typed: &str, person: &Principal, now: Millis) {
        self.note_network(typed, now);
        self.note_network(&person.address, now);
        self.record_web(typed, &Ok(person.clone()), now);
    }

    /// Both steps were passed, or a passkey that is both: the network is known for passwords and for codes.
    pub(crate) fn note_both_steps(&self, account: &AccountId, address: &str, now: Millis) {
        self.note_network(address, now);
        self.note_network(&counted_as(account), now);
    }
}

struct Code {
    text: String,
    hash: [u8; 32],
}

impl Code {
    /// What was guessed: only ten letters can be a recovery code.
    fn guess(&self) -> Guess {
        let letters = self.text.bytes().all(|byte| byte.is_ascii_lowercase());
        match letters && self.text.len() == RECOVERY_LETTERS {
            true => Guess::Recovery,
            false => Guess::Phone,
        }
    }
}

/// What a code is, if it is right; then it is not any more.
fn try_code(rows: &mut Rows, code: &Code, now: Millis) -> Result<Option<Used>> {
    let key = Kind::Factor.all();
    let row = rows::read::<FactorRow>(rows, &key)?;
    let Some(mut row) = row.filter(FactorRow::is_on) else {
        return Ok(None);
    };
    let before = row.recovery.len();
    row.recovery.retain(|hash| !opaque::same(hash, &code.hash));
    let recovered = row.recovery.len() < before;
    let step = match row.has_phone() {
        true => totp::matching(&row.secret, &code.text, row.used, now),
        false => None,
    };
    let used = match step {
        Some(step) => {
            row.used = step;
            Used::Phone
        }
        None if recovered => Used::Recovery(row.recovery.len()),
        None => return Ok(None),
    };
    rows::write(rows, &key, &row)?;
    Ok(Some(used))
}

/// Room for one more sign-in that waits. Those that ended go; if there are too many, the oldest of the network that has the most:
/// whoever begins many does not end those of others.
fn make_room(rows: &mut Rows, now: Millis) -> Result<()> {
    let mut networks = BTreeMap::<Option<String>, Vec<(Millis, Vec<u8>)>>::new();
    for (key, value) in rows.scan(&Kind::Half.all()) {
        let row: HalfRow = rows::decode(&value)?;
        match row.ends > now {
            true => networks
                .entry(row.network)
                .or_default()
                .push((row.ends, key.to_vec())),
            false => rows.delete(&key),
        }
    }
    let waiting: usize = networks.values().map(Vec::len).sum();
    let most = networks.values().max_by_key(|waiting| waiting.len());
    let oldest = most.and_then(|waiting| waiting.iter().min());
    if let Some((_, key)) = oldest.filter(|_| waiting >= HALVES_MAX) {
        rows.delete(key);
    }
    Ok(())
}

/// Addresses have no NUL, so nobody's password failures are counted here.
fn counted_as(account: &AccountId) -> String {
    format!("code\0{}", account.0)
}

/// The account whose sign-in a ticket stands for.
pub(crate) fn half_of(ticket: &str) -> Option<AccountId> {
    opaque::account_of(Text::Half, ticket)
}

pub(crate) fn half_key(ticket: &str) -> Vec<u8> {
    Kind::Half.key(BASE64.encode(opaque::hash(ticket)))
}

fn temporary(fault: impl std::fmt::Display) -> Refusal {
    Refusal::new(RefusalKind::Temporary, fault.to_string())
}
