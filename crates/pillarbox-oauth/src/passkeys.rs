//! Passkeys (WebAuthn Level 3): made on the pages of the account, good for signing in with nothing else, since the
//! authenticator checks its owner itself, and for the step behind the password.
//!
//! A credential is looked for in the account that the authenticator names, so the same id in two accounts is two credentials.
//! A passkey alone asks for nothing more: whether the password is enough without one is the second factor's business.

use crate::ceremonies::Purpose;
use crate::factor::{half_key, half_of};
use crate::opaque;
use crate::principal::{Rights, SignedIn};
use crate::rows::{self, FactorRow, HalfRow, Kind, PasskeyRow};
use crate::webauthn::{self, Answer, Expected, Stands};
use crate::{
    Act, Credential, Deed, Identity, IdentityError, Principal, Refusal, RefusalKind, Result,
    Secret, Service,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use pillarbox_store::mail::{AccountId, Millis, Rows, StoreError};
use serde_json::{Value, json};
use std::sync::Arc;
use url::{Host, Url};

/// Most passkeys of one account.
const PASSKEYS_MAX: usize = 20;
/// Longest name of one, in characters.
const NAME_CHARS_MAX: usize = 100;
/// How long browsers wait for their owner, in milliseconds (§15.1).
const TIMEOUT_MS: u32 = 300_000;
/// The authenticator's counter went back: somebody may have copied it.
const COPIED: &str = "the passkey's counter went back: it may have been copied";

/// What a browser is told, and what it must show again with the answer.
#[derive(Clone, Debug)]
pub struct PasskeyOptions {
    /// For a cookie: binds the ceremony to this browser.
    pub ticket: Secret,
    /// JSON of `PublicKeyCredentialCreationOptions` or `PublicKeyCredentialRequestOptions`, binary members as base64url.
    pub options: String,
}

/// One passkey as shown to its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passkey {
    /// Names it in [`Identity::remove_passkey`].
    pub id: Arc<str>,
    /// The owner's name for it.
    pub name: Arc<str>,
    /// When it was made.
    pub created: Millis,
    /// When it last signed in.
    pub used: Option<Millis>,
    /// Whether it is kept in more than one place.
    pub synced: bool,
}

/// What the step behind the password may be taken with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    /// Codes of a phone.
    pub codes: bool,
    /// A passkey.
    pub passkeys: bool,
}

impl Identity {
    /// Whether browsers can make passkeys for this server: its issuer is reached by a name, not by an address.
    pub fn takes_passkeys(&self) -> bool {
        self.rp_id().is_some()
    }

    /// The host of the issuer (§5.1.2: a domain).
    fn rp_id(&self) -> Option<String> {
        match Url::parse(&self.inner.config.issuer).ok()?.host()? {
            Host::Domain(name) => Some(name.to_owned()),
            _ => None,
        }
    }

    fn begin(
        &self,
        purpose: Purpose,
        now: Millis,
        options: impl FnOnce(&str, &str) -> Value,
    ) -> Option<PasskeyOptions> {
        let rp_id = self.rp_id()?;
        let mut challenge = [0; 32];
        (self.inner.random)(&mut challenge);
        let ticket = Secret::new(opaque::random_text(&self.inner.random, 32));
        let browser = opaque::hash(ticket.expose());
        let ceremonies = &self.inner.ceremonies;
        ceremonies.open(browser, challenge, purpose, self.peer, now);
        let options = options(&rp_id, &BASE64.encode(challenge)).to_string();
        Some(PasskeyOptions { ticket, options })
    }

    /// The challenge of a ceremony, once.
    fn challenge(&self, ticket: &str, purpose: &Purpose, now: Millis) -> Option<[u8; 32]> {
        let browser = opaque::hash(ticket);
        self.inner.ceremonies.take(&browser, purpose, now)
    }

    /// Begins to make a passkey. Whoever asks must have shown just now to be the account's owner.
    ///
    /// # Errors
    /// [`IdentityError::TooMany`], [`IdentityError::NoSuch`] where browsers make none, [`IdentityError::Store`].
    pub async fn begin_passkey(&self, account: &AccountId, now: Millis) -> Result<PasskeyOptions> {
        let address = self.inner.store.account(account).address().await?;
        let others = self.passkey_rows(account).await?;
        if others.len() >= PASSKEYS_MAX {
            return Err(IdentityError::TooMany("passkeys"));
        }
        let options = |rp_id: &str, challenge: &str| {
            json!({
                "rp": { "id": rp_id, "name": *self.inner.config.host },
                "user": { "id": BASE64.encode(&*account.0), "name": *address, "displayName": *address },
                "challenge": challenge,
                "pubKeyCredParams": webauthn::ALGORITHMS.map(|alg| json!({ "type": "public-key", "alg": alg })),
                "timeout": TIMEOUT_MS,
                "excludeCredentials": descriptors(&others),
                "authenticatorSelection":
                    { "residentKey": "required", "requireResidentKey": true, "userVerification": "required" },
                "attestation": "none",
            })
        };
        let options = self.begin(Purpose::Add(account.clone()), now, options);
        options.ok_or(IdentityError::NoSuch("passkey for a server without a name"))
    }

    /// Keeps the passkey that a browser made.
    ///
    /// # Errors
    /// [`IdentityError::BadPassword`] for an answer that does not fit, [`IdentityError::TooMany`], [`IdentityError::Store`].
    pub async fn add_passkey(
        &self,
        account: &AccountId,
        (ticket, answer): (&str, &str),
        name: &str,
        now: Millis,
    ) -> Result<()> {
        let purpose = Purpose::Add(account.clone());
        let challenge = self.challenge(ticket, &purpose, now);
        let challenge = challenge.ok_or(IdentityError::BadPassword(
            "the passkey came too late, or twice",
        ))?;
        let created = Answer::read(answer)
            .and_then(|answer| {
                self.expecting(&challenge, true, |expected| answer.created(expected))
            })
            .map_err(IdentityError::BadPassword)?;
        let name: String = name
            .chars()
            .filter(|letter| !letter.is_control())
            .take(NAME_CHARS_MAX)
            .collect();
        let row = PasskeyRow {
            name: name.clone(),
            id: BASE64.encode(&created.id),
            key: BASE64.encode(&created.key),
            counter: created.stands.counter,
            may_sync: created.stands.may_sync,
            synced: created.stands.synced,
            created: now,
            used: None,
        };
        let key = passkey_key(&created.id);
        let add = move |rows: &mut Rows| {
            if rows.get(&key).is_some() {
                return Err(IdentityError::BadPassword("this passkey is there already"));
            }
            if rows.scan(&Kind::Passkey.all()).len() >= PASSKEYS_MAX {
                return Err(IdentityError::TooMany("passkeys"));
            }
            rows::write(rows, &key, &row)
        };
        let handle = self.inner.store.account(account);
        handle.update(&[&Kind::Passkey.all()], add).await?;
        self.record(account, Act::new(Deed::PasskeyAdded, now).app(name));
        Ok(())
    }

    /// The passkeys of an account, oldest first.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn list_passkeys(&self, account: &AccountId) -> Result<Vec<Passkey>> {
        let mut all = self.passkey_rows(account).await?;
        all.sort_by_key(|(_, row)| row.created);
        let show = |(id, row): (String, PasskeyRow)| Passkey {
            id: id.into(),
            name: row.name.into(),
            created: row.created,
            used: row.used,
            synced: row.synced,
        };
        Ok(all.into_iter().map(show).collect())
    }

    /// Removes a passkey. The last one stays while the second factor rests on it alone.
    ///
    /// # Errors
    /// [`IdentityError::NoSuch`], [`IdentityError::BadPassword`], [`IdentityError::Store`].
    pub async fn remove_passkey(&self, account: &AccountId, id: &str, now: Millis) -> Result<()> {
        let key = Kind::Passkey.key(id);
        let remove = move |rows: &mut Rows| {
            let row = rows::read::<PasskeyRow>(rows, &key)?;
            let row = row.ok_or(IdentityError::NoSuch("passkey"))?;
            let factor = rows::read::<FactorRow>(rows, &Kind::Factor.all())?;
            let last = rows.scan(&Kind::Passkey.all()).len() == 1;
            if last && factor.is_some_and(|factor| factor.is_on() && !factor.has_phone()) {
                return Err(IdentityError::BadPassword(
                    "it is the only one that your second factor can be shown with; switch that off first",
                ));
            }
            rows.delete(&key);
            Ok(row.name)
        };
        let prefixes = [Kind::Passkey.all(), Kind::Factor.all()];
        let handle = self.inner.store.account(account);
        let name = handle.update(&[&prefixes[0], &prefixes[1]], remove).await?;
        self.record(account, Act::new(Deed::PasskeyRemoved, now).app(name));
        Ok(())
    }

    /// Removes all passkeys of somebody who lost them. For administrators; how many there were.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn clear_passkeys(&self, account: &AccountId, now: Millis) -> Result<usize> {
        let clear = |rows: &mut Rows| {
            let all = rows.scan(&Kind::Passkey.all());
            for (key, _) in &all {
                rows.delete(key);
            }
            Ok::<_, IdentityError>(all.len())
        };
        let handle = self.inner.store.account(account);
        let count = handle.update(&[&Kind::Passkey.all()], clear).await?;
        if count > 0 {
            let act = Act::new(Deed::PasskeyRemoved, now).app("all");
            self.record(account, act.detail("cleared by an administrator"));
        }
        Ok(count)
    }

    /// Begins a sign-in with a passkey and nothing else. Says nothing of anybody; None where browsers make none.
    pub fn begin_passkey_sign_in(&self, now: Millis) -> Option<PasskeyOptions> {
        self.begin(Purpose::SignIn, now, |rp_id, challenge| {
            request(rp_id, challenge, "required", &[])
        })
    }

    /// Signs in with a passkey whose authenticator checked its owner: both factors in one.
    ///
    /// # Errors
    /// A [`Refusal`] whose cause is precise; what people are told never is.
    pub async fn passkey_sign_in(
        &self,
        ticket: &str,
        answer: &str,
        now: Millis,
    ) -> Result<Principal, Refusal> {
        let challenge = self
            .challenge(ticket, &Purpose::SignIn, now)
            .ok_or_else(|| Refusal::invalid("no sign-in waits for a passkey in this browser"))?;
        let answer = Answer::read(answer).map_err(Refusal::invalid)?;
        let user = answer.user().map_err(Refusal::invalid)?;
        let user = user.ok_or_else(|| Refusal::invalid("the passkey does not say whose it is"))?;
        let account = person(&user).ok_or_else(|| Refusal::invalid("there is no such account"))?;
        let found = self
            .check_passkey(&account, &answer, &challenge, None, now)
            .await;
        let found = found.map(|()| SignedIn::Now);
        self.passkey_result(account, found, "passkey", now).await
    }

    /// Begins the step behind the password with a passkey; None where there is none, or no such step.
    ///
    /// # Errors
    /// A [`Refusal`].
    pub async fn begin_passkey_step(
        &self,
        half: &str,
        now: Millis,
    ) -> Result<Option<PasskeyOptions>, Refusal> {
        let Some((account, _)) = self.half_way(half, now).await? else {
            return Ok(None);
        };
        let rows = self.passkey_rows(&account).await.map_err(temporary)?;
        if rows.is_empty() {
            return Ok(None);
        }
        let purpose = Purpose::Step(opaque::hash(half));
        Ok(self.begin(purpose, now, |rp_id, challenge| {
            request(rp_id, challenge, "discouraged", &descriptors(&rows))
        }))
    }

    /// The step behind the password, with a passkey.
    ///
    /// # Errors
    /// A [`Refusal`] whose cause is precise; a ticket that is over is one.
    pub async fn passkey_second_factor(
        &self,
        half: &str,
        shown: (&str, &str),
        now: Millis,
    ) -> Result<Principal, Refusal> {
        let unknown = || Refusal::invalid("no sign-in waits for a passkey");
        let (account, signed_in) = self.half_way(half, now).await?.ok_or_else(unknown)?;
        let purpose = Purpose::Step(opaque::hash(half));
        let ends = Some(half_key(half));
        let found = self
            .shown_passkey(&account, &purpose, shown, ends, now)
            .await;
        let (found, method) = (found.map(|()| signed_in), "two steps, passkey");
        self.passkey_result(account, found, method, now).await
    }

    /// Begins to ask somebody who is signed in for a passkey; None where there is none.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn begin_passkey_confirmation(
        &self,
        account: &AccountId,
        now: Millis,
    ) -> Result<Option<PasskeyOptions>> {
        let rows = self.passkey_rows(account).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let purpose = Purpose::Confirm(account.clone());
        Ok(self.begin(purpose, now, |rp_id, challenge| {
            request(rp_id, challenge, "required", &descriptors(&rows))
        }))
    }

    /// Checks a passkey of an account that is known already. With `ends`, a step behind the password, which ends with it and
    /// takes an authenticator that did not check its owner.
    pub(crate) async fn shown_passkey(
        &self,
        account: &AccountId,
        purpose: &Purpose,
        (ticket, answer): (&str, &str),
        ends: Option<Vec<u8>>,
        now: Millis,
    ) -> Result<(), Refusal> {
        let challenge = self.challenge(ticket, purpose, now);
        let challenge =
            challenge.ok_or_else(|| Refusal::invalid("nothing waits for a passkey here"))?;
        let answer = Answer::read(answer).map_err(Refusal::invalid)?;
        let user = answer.user().map_err(Refusal::invalid)?;
        if user.is_some_and(|user| user != account.0.as_bytes()) {
            return Err(Refusal::invalid("the passkey is another account's"));
        }
        self.check_passkey(account, &answer, &challenge, ends, now)
            .await
    }

    /// What the step behind the password may be taken with; nothing if there is no such step.
    ///
    /// # Errors
    /// A [`Refusal`].
    pub async fn step_offers(&self, half: &str, now: Millis) -> Result<Offers, Refusal> {
        let Some((account, _)) = self.half_way(half, now).await? else {
            return Ok(Offers::default());
        };
        let factor = self.factor_row(&account).await.map_err(temporary)?;
        let passkeys = self.passkey_rows(&account).await.map_err(temporary)?;
        Ok(Offers {
            codes: factor.is_some_and(|factor| factor.has_phone()),
            passkeys: !passkeys.is_empty() && self.takes_passkeys(),
        })
    }

    /// Whose sign-in waits for its second step, and when they took the first.
    async fn half_way(
        &self,
        half: &str,
        now: Millis,
    ) -> Result<Option<(AccountId, SignedIn)>, Refusal> {
        let Some(account) = half_of(half) else {
            return Ok(None);
        };
        let row = self
            .inner
            .store
            .account(&account)
            .get(&half_key(half))
            .await;
        let row = match row {
            Err(StoreError::NoSuchAccount) => None,
            row => row?,
        };
        let row: Option<HalfRow> = row
            .map(|row| rows::decode(&row))
            .transpose()
            .map_err(temporary)?;
        let open = row.filter(|row| row.is_open(now));
        Ok(open.map(|row| (account, row.signed_in)))
    }

    /// Checks a signature, and counts it. With `half` it is a step behind the password, which ends with it.
    async fn check_passkey(
        &self,
        account: &AccountId,
        answer: &Answer,
        challenge: &[u8],
        half: Option<Vec<u8>>,
        now: Millis,
    ) -> Result<(), Refusal> {
        let handle = self.inner.store.account(account);
        let key = passkey_key(&answer.id().map_err(Refusal::invalid)?);
        let row = match handle.get(&key).await {
            Err(StoreError::NoSuchAccount) => {
                return Err(Refusal::invalid("there is no such account"));
            }
            row => row?.ok_or_else(|| Refusal::invalid("the account has no such passkey"))?,
        };
        let row: PasskeyRow = rows::decode(&row).map_err(temporary)?;
        let public = BASE64.decode(&row.key).map_err(temporary)?;
        let stands = self
            .expecting(challenge, half.is_none(), |expected| {
                answer.signed(&public, expected)
            })
            .map_err(Refusal::invalid)?;
        if stands.may_sync != row.may_sync {
            return Err(Refusal::invalid(
                "the passkey says otherwise about backups than when it was made",
            ));
        }
        let mut keys = vec![key.clone()];
        keys.extend(half.clone());
        let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let used = move |rows: &mut Rows| {
            let Some(mut row) = rows::read::<PasskeyRow>(rows, &key)? else {
                return Ok(Err("the passkey was removed"));
            };
            if !counts(&row, stands) {
                return Ok(Err(COPIED));
            }
            if let Some(half) = &half {
                if rows.get(half).is_none() {
                    return Ok(Err("no sign-in waits for a passkey"));
                }
                rows.delete(half);
            }
            (row.counter, row.synced) = (stands.counter, stands.synced);
            row.used = Some(now);
            rows::write(rows, &key, &row).map(Ok)
        };
        let used = handle.update::<_, IdentityError>(&keys, used).await;
        used.map_err(temporary)?.map_err(Refusal::invalid)
    }

    /// Makes a principal of a passed check, and tells the trail.
    async fn passkey_result(
        &self,
        account: AccountId,
        found: Result<SignedIn, Refusal>,
        method: &str,
        now: Millis,
    ) -> Result<Principal, Refusal> {
        let standing = self.standing(&account).await?;
        let person = found
            .and_then(|signed_in| standing.allows(Service::Web).map(|()| signed_in))
            .map(|signed_in| Principal {
                account,
                address: Arc::clone(&standing.address),
                credential: Credential::Password,
                app: None,
                until: None,
                rights: Rights {
                    signed_in,
                    peer: self.peer,
                    ..Rights::default()
                },
            });
        if let Ok(person) = &person {
            self.note_both_steps(&person.account, &standing.address, now);
        }
        self.record_web_by(&standing.address, method, &person, now);
        person
    }

    /// Shows `look` what an answer must be about.
    fn expecting<T>(
        &self,
        challenge: &[u8],
        verified: bool,
        look: impl FnOnce(&Expected<'_>) -> Result<T, webauthn::Why>,
    ) -> Result<T, webauthn::Why> {
        let rp_id = self.rp_id().ok_or("this server has no name for passkeys")?;
        look(&Expected {
            origin: &self.inner.config.issuer,
            rp_id: &rp_id,
            challenge,
            verified,
        })
    }

    async fn passkey_rows(&self, account: &AccountId) -> Result<Vec<(String, PasskeyRow)>> {
        let handle = self.inner.store.account(account);
        let rows = handle.scan(&Kind::Passkey.all(), PASSKEYS_MAX).await?;
        rows.iter()
            .map(|(key, row)| Ok((rows::id_of(key), rows::decode(row)?)))
            .collect()
    }
}

/// §7.2 step 22: a counter that counts must grow.
fn counts(row: &PasskeyRow, stands: Stands) -> bool {
    (stands.counter == 0 && row.counter == 0) || stands.counter > row.counter
}

fn request(rp_id: &str, challenge: &str, verification: &str, allowed: &[Value]) -> Value {
    json!({
        "rpId": rp_id, "challenge": challenge, "timeout": TIMEOUT_MS, "userVerification": verification,
        "allowCredentials": allowed,
    })
}

fn descriptors(rows: &[(String, PasskeyRow)]) -> Vec<Value> {
    let describe = |(_, row): &(String, PasskeyRow)| json!({ "type": "public-key", "id": row.id });
    rows.iter().map(describe).collect()
}

fn passkey_key(id: &[u8]) -> Vec<u8> {
    Kind::Passkey.key(BASE64.encode(opaque::hash_bytes(id)))
}

/// A user handle: the account's id, which is random and tells nothing (§14.6.1).
fn person(handle: &[u8]) -> Option<AccountId> {
    let name = str::from_utf8(handle).ok()?;
    // A name with a slash is a system account: nothing of a peer leads there.
    let is_one = (1..=64).contains(&name.len()) && !name.contains('/');
    is_one.then(|| AccountId(name.into()))
}

fn temporary(fault: impl std::fmt::Display) -> Refusal {
    Refusal::new(RefusalKind::Temporary, fault.to_string())
}
