//! The audit trail of a person: who signed in with what and from where, who was refused and why, what was allowed, changed
//! or ended. Rows of the person's own account, for its owner and the administrator; never on the wire.
//!
//! Recording is a push into memory and never waits: [`Identity::write_activity`], called every few seconds and when much has
//! come together, makes one commit an account of it. So a crash may lose the last seconds of the trail; nothing else rests on it.
//! Repetitions (a program that signs in every minute, a guesser) are one entry with a count.
//!
//! No sort of entries pushes out another ([`Sort`]): changes, sign-ins and refusals are counted, kept and wait apart. Of
//! refusals, which strangers cause as they like, a day has few entries; what is more is one with a count. So there is room for
//! 90 days of them whatever is tried, and a flood writes over nothing, itself included.

mod rings;
mod waiting;

use crate::factor::SECOND_STEP;
use crate::people::PAUSED;
use crate::rows::{self, Kind};
use crate::{Credential, Identity, IdentityError, Principal, Refusal, Result, Service};
use pillarbox_store::mail::{AccountId, Millis, Rows, StoreError};
use rings::Row;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::task::JoinSet;
pub(crate) use waiting::Trail;
use waiting::{Own, Taken, Whose};

/// Changes kept for one account; the oldest are written over.
pub const CHANGES_MAX: u16 = 1_000;
/// Sign-ins kept for one account, repetitions counted as one; the oldest are written over.
pub const SIGN_INS_MAX: u16 = 1_000;
/// Refusals of one kind ([`Proof`]) that a day lists each by itself.
pub const REFUSALS_LISTED: u16 = 8;
/// Entries of a day for all its other refusals of one kind: by their cause, and the last of them for all other causes.
pub const REFUSALS_FOLDED: u16 = 4;
/// Refusals kept for one account: as many as 90 days can have, and one begun, so that none is written over before its time.
pub const REFUSALS_MAX: u16 =
    (REFUSALS_LISTED + REFUSALS_FOLDED) * Proof::KINDS * (ACTIVITY_DAYS + 1);
/// Entries of all sorts kept for one account.
pub const ACTIVITY_MAX: usize =
    CHANGES_MAX as usize + SIGN_INS_MAX as usize + REFUSALS_MAX as usize;
/// Different addresses counted in one entry: this many are this many or more.
pub const OTHERS_MAX: u16 = 256;
/// Days.
const ACTIVITY_DAYS: u16 = 90;
/// Entries older than this are not shown and are removed by the next day's writing, in milliseconds: 90 days.
pub const ACTIVITY_MS: Millis = ACTIVITY_DAYS as Millis * DAY_MS;

const DAY_MS: Millis = 24 * 3600 * 1000;
/// The same sign-in again within this span after its first time is counted, not listed anew, in milliseconds.
const SAME_WITHIN_MS: Millis = 3600 * 1000;
/// The same for refusals.
const REFUSED_WITHIN_MS: Millis = DAY_MS;
/// A credential unused for so long has ended by itself (wire §7.3: 180 days); its last use is forgotten, in milliseconds.
const USE_KEPT_MS: Millis = 400 * DAY_MS;
/// Accounts written at the same time: their commits share flushes.
const WRITTEN_AT_ONCE: usize = 64;
/// Longest text kept in an entry, in characters.
const TEXT_CHARS_MAX: usize = 200;

/// What somebody did, or tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    /// A sign-in succeeded.
    SignedIn,
    /// A sign-in was refused; [`Act::detail`] is the true cause.
    Refused,
    /// A program that shows something of this person's was refused by the authorization server; [`Act::detail`] is the true
    /// cause.
    AppRefused,
    /// A program was allowed something.
    Granted,
    /// The person was asked whether a program may, and said no.
    Denied,
    /// What a program was allowed has ended.
    GrantEnded,
    /// An app password was made.
    AppPasswordMade,
    /// An app password was revoked.
    AppPasswordEnded,
    /// The account's own password was set.
    PasswordChanged,
    /// The password is not enough any more to sign in on the web.
    SecondFactorOn,
    /// It is again.
    SecondFactorOff,
    /// New recovery codes were made; older ones have ended.
    RecoveryCodesMade,
    /// A recovery code was used; [`Act::detail`] says how many are left.
    RecoveryCodeUsed,
    /// A passkey was made.
    PasskeyAdded,
    /// A passkey was removed.
    PasskeyRemoved,
    /// An invitation to set a password was made.
    Invited,
    /// The account was suspended.
    Suspended,
    /// It may be used again.
    Resumed,
    /// Sessions were ended by hand.
    SessionsEnded,
    /// The account was made by an administrator.
    Made,
    /// An account was removed; [`Act::detail`] is its address. In the trail of the server.
    AccountRemoved,
    /// A program was registered. In the trail of the server, as those that follow.
    AppRegistered,
    /// A program changed its own registration; [`Act::detail`] is its name before.
    AppChanged,
    /// The signing keys were replaced by hand; [`Act::detail`] says how.
    KeysReplaced,
    /// A program that registered itself may begin.
    AppApproved,
    /// What a service account may do in everybody's name was said anew; [`Act::detail`] are the scopes.
    AppDelegated,
    /// A program was given another secret.
    AppSecretRotated,
    /// A program was given another key.
    AppKeyRotated,
    /// Who may try a program out was said anew; [`Act::detail`] says who.
    AppTestersChanged,
    /// A program was removed, and what people allowed it has ended.
    AppRemoved,
    /// Something else about how one signs in changed; [`Act::detail`] says what.
    Changed,
}

/// Sorts of entries. Each has bounds of its own, so that none pushes out another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sort {
    /// Who may use the account, and how, changed: by its owner, an administrator, or a program that was let in.
    Change,
    /// Somebody showed what opens the account.
    SignIn,
    /// Somebody did not.
    Refusal,
}

impl Sort {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Change, Self::SignIn, Self::Refusal];

    /// Its name on the command line, in the API and in addresses of pages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Change => "changes",
            Self::SignIn => "sign-ins",
            Self::Refusal => "refused",
        }
    }

    /// The sort of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sort| sort.name() == name)
    }
}

impl Deed {
    /// Which sort it is.
    #[must_use]
    pub fn sort(self) -> Sort {
        match self {
            Self::SignedIn => Sort::SignIn,
            Self::Refused | Self::AppRefused => Sort::Refusal,
            _ => Sort::Change,
        }
    }
}

/// What somebody who was refused had shown before. Each kind has its own place in a day's list: guesses of strangers do not
/// hide that somebody knew the password.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    Nothing,
    /// The password, and then no right code.
    Password,
    /// A code, token or the like that had been given for this account.
    Token,
}

impl Proof {
    /// How many there are.
    const KINDS: u16 = 3;
}

/// One thing to record. Texts are cut to 200 characters; no secret belongs here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// When.
    pub at: Millis,
    /// What.
    pub deed: Deed,
    /// Where to, for sign-ins.
    pub service: Option<Service>,
    /// How, for sign-ins: XOAUTH2, PLAIN, password.
    pub method: Option<Arc<str>>,
    /// The program or app password, by its name for people.
    pub app: Option<Arc<str>>,
    /// From where.
    pub peer: Option<IpAddr>,
    /// The rest, in words.
    pub detail: Option<Arc<str>>,
    /// What was used: its last use is remembered too.
    pub credential: Option<Credential>,
    /// Whether a stranger's program did it to itself; it then stands with refusals, where it pushes out no change.
    pub unasked: bool,
}

impl Act {
    /// Only when and what.
    pub fn new(deed: Deed, at: Millis) -> Self {
        Self {
            at,
            deed,
            service: None,
            method: None,
            app: None,
            peer: None,
            detail: None,
            credential: None,
            unasked: false,
        }
    }

    /// Done by a stranger's program to itself.
    #[must_use]
    pub(crate) fn unasked(self) -> Self {
        Self {
            unasked: true,
            ..self
        }
    }

    /// With the rest in words.
    #[must_use]
    pub fn detail(self, detail: impl Into<Arc<str>>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }

    /// About a program or an app password.
    #[must_use]
    pub fn app(self, app: impl Into<Arc<str>>) -> Self {
        Self {
            app: Some(app.into()),
            ..self
        }
    }

    /// From an address.
    #[must_use]
    pub fn from(self, peer: Option<IpAddr>) -> Self {
        Self { peer, ..self }
    }
}

/// One entry of the trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// When it happened; the last time, if several times.
    pub at: Millis,
    /// The first time.
    pub first: Millis,
    /// How often.
    pub times: u64,
    /// What.
    pub deed: Deed,
    /// Where to, for sign-ins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// How, for sign-ins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Box<str>>,
    /// The program or app password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<Box<str>>,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<IpAddr>,
    /// The rest, in words; of a refusal the true cause, none for several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Box<str>>,
    /// Of an entry for all refusals that are not listed: from how many different addresses (of IPv6, networks of 64 bits) they
    /// came; [`OTHERS_MAX`] is that many or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub others: Option<u16>,
}

impl Activity {
    fn new(act: Act) -> Self {
        let cut = |text: Option<Arc<str>>| text.as_deref().map(cut);
        let mut detail = cut(act.detail);
        if act.deed.sort() == Sort::Refusal {
            detail = detail.map(|cause| lasting(&cause).into());
        }
        Self {
            at: act.at,
            first: act.at,
            times: 1,
            deed: act.deed,
            service: act.service,
            method: cut(act.method),
            app: cut(act.app),
            peer: act.peer.map(|peer| peer.to_canonical()),
            detail,
            others: None,
        }
    }

    /// Counts `other` here if it is the same again.
    fn takes(&mut self, other: &Self) -> bool {
        let within = match self.deed.sort() {
            Sort::Change => return false,
            Sort::SignIn => SAME_WITHIN_MS,
            Sort::Refusal => REFUSED_WITHIN_MS,
        };
        let again = (self.deed, self.service, self.peer) == (other.deed, other.service, other.peer)
            && (&self.method, &self.app, &self.detail)
                == (&other.method, &other.app, &other.detail)
            && self.others.is_none()
            && other.others.is_none()
            && other.at.saturating_sub(self.first) < within;
        if again {
            self.count(other);
        }
        again
    }

    fn count(&mut self, other: &Self) {
        self.at = self.at.max(other.at);
        self.times = self.times.saturating_add(other.times);
    }

    fn is_second_step(&self) -> bool {
        let method = self.method.as_deref();
        method.is_some_and(|method| method.starts_with(SECOND_STEP))
    }

    fn proof(&self) -> Proof {
        match self.deed {
            Deed::AppRefused => Proof::Token,
            _ if self.is_second_step() => Proof::Password,
            _ => Proof::Nothing,
        }
    }
}

/// A cause without what changes from second to second: the log has the countdown of a pause, the trail one entry for all of it.
fn lasting(cause: &str) -> &str {
    match cause.starts_with(PAUSED) {
        true => PAUSED,
        false => cause,
    }
}

fn cut(text: &str) -> Box<str> {
    text.chars().take(TEXT_CHARS_MAX).collect()
}

/// When and from where a credential was last used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastUse {
    /// When.
    pub at: Millis,
    /// From where.
    pub peer: Option<IpAddr>,
    /// For what.
    pub service: Option<Service>,
}

/// The last uses of an account's grants, app passwords and certificates.
#[derive(Clone, Debug, Default)]
pub struct LastUses(HashMap<String, LastUse>);

impl LastUses {
    /// Of a grant, any token of it.
    pub fn grant(&self, id: &str) -> Option<&LastUse> {
        self.0.get(&format!("g{id}"))
    }
    /// Of a client certificate, by its key.
    pub fn certificate(&self, id: &str) -> Option<&LastUse> {
        self.0.get(&format!("t{id}"))
    }
    /// Of an app password.
    pub fn app_password(&self, id: &str) -> Option<&LastUse> {
        self.0.get(&format!("a{id}"))
    }
}

fn use_id(credential: &Credential) -> Option<String> {
    match credential {
        Credential::Grant { grant, .. } => Some(format!("g{grant}")),
        Credential::AppPassword(id) => Some(format!("a{id}")),
        Credential::Certificate(id) => Some(format!("t{id}")),
        _ => None,
    }
}

impl Identity {
    /// Records something of an account. Never waits.
    pub fn record(&self, account: &AccountId, act: Act) {
        // System accounts are nobody's.
        if !account.0.contains('/') {
            self.push(account, act);
        }
    }

    /// Records something of an account or of the server, with who does it.
    pub(crate) fn push(&self, account: &AccountId, act: Act) {
        let peer = act.peer.or(self.peer);
        let mut act = act.from(peer);
        if let Some(acting) = &self.acting {
            act.detail = Some(match act.detail {
                // Who did it must not be cut off by what was done.
                Some(detail) => {
                    let room = TEXT_CHARS_MAX.saturating_sub(acting.chars().count() + 2);
                    let detail: String = detail.chars().take(room).collect();
                    format!("{detail}, {acting}").into()
                }
                None => Arc::clone(acting),
            });
        }
        self.inner.trail.push(Whose::Account(account.clone()), act);
    }

    /// Records something under a user name as offered, which may be nobody's: then it is dropped later. Never waits.
    pub fn record_for(&self, user: &str, act: Act) {
        let user = user.trim().to_ascii_lowercase();
        if user.contains('@') {
            self.inner.trail.push(Whose::User(cut(&user)), act);
        }
    }

    /// What the account's trail says of a web sign-in with a password.
    pub(crate) fn record_web(
        &self,
        address: &str,
        found: &Result<Principal, Refusal>,
        now: Millis,
    ) {
        self.record_web_by(address, "password", found, now);
    }

    /// What the account's trail says of a web sign-in by a method.
    pub(crate) fn record_web_by(
        &self,
        address: &str,
        method: &str,
        found: &Result<Principal, Refusal>,
        now: Millis,
    ) {
        let act = |deed| Act {
            service: Some(Service::Web),
            method: Some(method.into()),
            ..Act::new(deed, now).from(self.peer)
        };
        match found {
            Ok(person) => self.record(&person.account, act(Deed::SignedIn)),
            Err(refusal) => {
                self.record_for(address, act(Deed::Refused).detail(refusal.cause.as_str()));
            }
        }
    }

    /// Waits until so much is to be written that it should be, before its time.
    pub async fn much_activity(&self) {
        self.inner.trail.much().await;
    }

    #[cfg(test)]
    pub(crate) fn waiting_refusals(&self) -> usize {
        self.inner.trail.refusals()
    }

    /// Writes what was recorded since the last time: one commit an account. How many accounts were written.
    pub async fn write_activity(&self) -> usize {
        let (taken, left_out) = self.inner.trail.take();
        let mut by_account: HashMap<AccountId, Taken> = HashMap::new();
        for (whose, taken) in taken {
            let account = match &whose {
                Whose::Account(account) => Ok(Some(account.clone())),
                Whose::User(user) => self.inner.store.account_of(user).await,
            };
            match account {
                Ok(Some(account)) => by_account.entry(account).or_default().join(taken),
                Ok(None) => {}
                Err(_) => self.inner.trail.put_back(whose, taken.own),
            }
        }
        if left_out > 0 {
            tracing::warn!(left_out, "activity: too much at once, refusals left out");
        }
        let (mut writing, mut written) = (JoinSet::new(), 0);
        for (account, taken) in by_account {
            if writing.len() >= WRITTEN_AT_ONCE {
                written += count(writing.join_next().await);
            }
            let identity = self.clone();
            writing.spawn(async move { identity.write_one(account, taken).await });
        }
        while let Some(done) = writing.join_next().await {
            written += count(Some(done));
        }
        written
    }

    async fn write_one(&self, account: AccountId, taken: Taken) -> bool {
        match self.write_taken(&account, &taken).await {
            Ok(()) => true,
            Err(IdentityError::Store(StoreError::NoSuchAccount)) => false,
            Err(IdentityError::Store(fault)) => {
                tracing::warn!(%fault, "activity not written, refusals left out, the rest waits");
                self.inner
                    .trail
                    .put_back(Whose::Account(account), taken.own);
                false
            }
            Err(fault) => {
                tracing::warn!(%fault, "activity cannot be written, entries left out");
                false
            }
        }
    }

    async fn write_taken(&self, account: &AccountId, taken: &Taken) -> Result<()> {
        let handle = self.inner.store.account(account);
        // Read first, so that the update asks for a few rows and not for thousands. Should somebody else write in between,
        // repetitions are listed twice; nothing is lost.
        let head: rings::Head = match handle.get(&Kind::ActivityHead.all()).await? {
            Some(row) => rows::decode(&row)?,
            None => rings::Head::default(),
        };
        let sweep = rings::sweep_due(&head, taken);
        let wanted = match sweep {
            Some(_) => vec![
                Kind::ActivityHead.all(),
                Kind::Activity.all(),
                Kind::Use.all(),
            ],
            None => rings::wanted(&head, taken),
        };
        let wanted: Vec<&[u8]> = wanted.iter().map(Vec::as_slice).collect();
        let taken = taken.clone();
        let write = move |rows: &mut Rows| {
            if let Some(now) = sweep {
                sweep_old(rows, now);
            }
            rings::write(rows, &taken, sweep)?;
            for (id, used) in &taken.own.uses {
                rows::write(rows, &Kind::Use.key(id), used)?;
            }
            Ok::<_, IdentityError>(())
        };
        handle.update(&wanted, write).await
    }

    /// The newest entries of an account's trail, newest first; what waits to be written is among them.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn activity(
        &self,
        account: &AccountId,
        limit: usize,
        now: Millis,
    ) -> Result<Vec<Activity>> {
        let address = self.inner.store.account(account).address().await?;
        let user = Whose::User(cut(&address.to_ascii_lowercase()));
        let names = [Whose::Account(account.clone()), user];
        self.trail(account, &names, limit, now).await
    }

    /// The newest entries of the server's trail, newest first.
    pub(crate) async fn trail_of_server(
        &self,
        server: &AccountId,
        limit: usize,
        now: Millis,
    ) -> Result<Vec<Activity>> {
        let names = [Whose::Account(server.clone())];
        self.trail(server, &names, limit, now).await
    }

    async fn trail(
        &self,
        account: &AccountId,
        names: &[Whose],
        limit: usize,
        now: Millis,
    ) -> Result<Vec<Activity>> {
        let handle = self.inner.store.account(account);
        let rows = handle.scan(&Kind::Activity.all(), ACTIVITY_MAX).await?;
        // An entry that cannot be read is left out: the others are worth more than a complaint.
        let mut found: Vec<Row> = rows
            .iter()
            .filter_map(|(_, row)| rows::decode(row).ok())
            .collect();
        found.sort_by_key(|row| row.entry.at);
        self.inner.trail.look(names, |own, strangers| {
            let own = own.into_iter().flat_map(Own::entries);
            for row in own.chain(strangers.into_iter().flatten()) {
                rings::add(&mut found, row.clone());
            }
        });
        let mut entries: Vec<Activity> = found.into_iter().map(|row| row.entry).collect();
        entries.retain(|entry| entry.at > now.saturating_sub(ACTIVITY_MS));
        entries.reverse(); // of one moment, the later one first
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
        entries.truncate(limit);
        Ok(entries)
    }

    /// When an account's grants and app passwords were last used to sign in.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn last_uses(&self, account: &AccountId) -> Result<LastUses> {
        let handle = self.inner.store.account(account);
        let rows = handle.scan(&Kind::Use.all(), usize::MAX).await?;
        let read =
            |(key, row): &(_, _)| Some((rows::id_of(bytes(key)), rows::decode(bytes(row)).ok()?));
        let mut uses: HashMap<String, LastUse> = rows.iter().filter_map(read).collect();
        let address = handle.address().await?;
        let user = Whose::User(cut(&address.to_ascii_lowercase()));
        let names = [Whose::Account(account.clone()), user];
        self.inner.trail.look(&names, |own, _| {
            uses.extend(own.into_iter().flat_map(|own| own.uses.clone()));
        });
        Ok(LastUses(uses))
    }
}

fn bytes(bytes: &impl AsRef<[u8]>) -> &[u8] {
    bytes.as_ref()
}

fn count(done: Option<Result<bool, tokio::task::JoinError>>) -> usize {
    usize::from(matches!(done, Some(Ok(true))))
}

fn sweep_old(rows: &mut Rows, now: Millis) {
    for (key, row) in rows.scan(&Kind::Activity.all()) {
        let entry = rows::decode::<Activity>(&row);
        if !entry.is_ok_and(|entry| entry.at > now.saturating_sub(ACTIVITY_MS)) {
            rows.delete(&key);
        }
    }
    for (key, row) in rows.scan(&Kind::Use.all()) {
        let used = rows::decode::<LastUse>(&row);
        if !used.is_ok_and(|used| used.at > now.saturating_sub(USE_KEPT_MS)) {
            rows.delete(&key);
        }
    }
}
