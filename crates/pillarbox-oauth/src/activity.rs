//! The audit trail of a person: who signed in with what and from where, who was refused and why, what was allowed, changed
//! or ended. Rows of the person's own account, for its owner and the administrator; never on the wire.
//!
//! Recording is a push into memory and never waits: [`Identity::write_activity`], called every few seconds, makes one
//! commit an account of what came together. So a crash may lose the last seconds of the trail; nothing else rests on it.
//! Repetitions (a program that signs in every minute, a guesser) are one entry with a count, so that they push nothing out.

use crate::rows::{self, Kind};
use crate::{Credential, Identity, IdentityError, Principal, Refusal, Result, Service};
use pillarbox_store::mail::{AccountId, Millis, Rows, StoreError};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::JoinSet;

/// Entries kept for one account; the oldest slots are written over.
pub const ACTIVITY_MAX: u16 = 1_000;
/// Entries older than this are not shown and are removed by the next day's writing, in milliseconds: 90 days.
pub const ACTIVITY_MS: Millis = 90 * DAY_MS;

const DAY_MS: Millis = 24 * 3600 * 1000;
/// The same again within this span after its first time is counted, not listed anew, in milliseconds.
const SAME_WITHIN_MS: Millis = 3600 * 1000;
/// Newest slots looked through for the same.
const LOOKED_BACK: u16 = 24;
/// A credential unused for so long has ended by itself (wire §7.3: 180 days); its last use is forgotten, in milliseconds.
const USE_KEPT_MS: Millis = 400 * DAY_MS;
/// Accounts and user names that wait to be written; a guesser can invent names, so there is an end to it.
const WAITING_NAMES_MAX: usize = 20_000;
/// Different entries of one of them that wait.
const WAITING_ENTRIES_MAX: usize = 100;
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
    /// A program was removed, and what people allowed it has ended.
    AppRemoved,
    /// Something else about how one signs in changed; [`Act::detail`] says what.
    Changed,
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
    /// The rest, in words; of a refusal the true cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Box<str>>,
}

impl Activity {
    fn new(act: Act) -> Self {
        let cut = |text: Option<Arc<str>>| text.as_deref().map(cut);
        Self {
            at: act.at,
            first: act.at,
            times: 1,
            deed: act.deed,
            service: act.service,
            method: cut(act.method),
            app: cut(act.app),
            peer: act.peer.map(|peer| peer.to_canonical()),
            detail: cut(act.detail),
        }
    }

    /// Counts `other` here if it is the same again.
    fn takes(&mut self, other: &Self) -> bool {
        let again = matches!(self.deed, Deed::SignedIn | Deed::Refused | Deed::AppRefused)
            && (self.deed, self.service, self.peer) == (other.deed, other.service, other.peer)
            && (&self.method, &self.app, &self.detail)
                == (&other.method, &other.app, &other.detail)
            && (other.at.saturating_sub(self.first)) < SAME_WITHIN_MS;
        if again {
            self.at = self.at.max(other.at);
            self.times = self.times.saturating_add(other.times);
        }
        again
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

/// Whose trail, as known when recording.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Whose {
    Account(AccountId),
    /// A user name as offered, in lower case; whether it is anybody's is looked up when writing.
    User(Box<str>),
}

#[derive(Default)]
struct Waiting {
    entries: Vec<Activity>,
    uses: HashMap<String, LastUse>,
}

impl Waiting {
    fn take(&mut self, act: Act, most: usize) -> bool {
        if let Some(id) = act.credential.as_ref().and_then(use_id)
            && act.deed == Deed::SignedIn
            && (self.uses.len() < WAITING_ENTRIES_MAX || self.uses.contains_key(&id))
        {
            let (at, peer, service) = (act.at, act.peer, act.service);
            self.uses.insert(id, LastUse { at, peer, service });
        }
        self.add(Activity::new(act), most)
    }

    fn add(&mut self, entry: Activity, most: usize) -> bool {
        if self.entries.iter_mut().rev().any(|old| old.takes(&entry)) {
            return true;
        }
        let room = self.entries.len() < most;
        if room {
            self.entries.push(entry);
        }
        room
    }

    fn join(&mut self, other: Self) {
        for entry in other.entries {
            self.add(entry, usize::MAX); // both were bounded
        }
        self.uses.extend(other.uses);
    }
}

/// What waits to be written.
#[derive(Default)]
pub(crate) struct Trail {
    waiting: Mutex<HashMap<Whose, Waiting>>,
    left_out: AtomicU64,
}

impl Trail {
    fn waiting(&self) -> MutexGuard<'_, HashMap<Whose, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, whose: Whose, act: Act) {
        // Nobody but administrators fills the trail of the server.
        let (ours, most) = match &whose {
            Whose::Account(account) if crate::changes::is_server(account) => {
                (true, usize::from(ACTIVITY_MAX))
            }
            _ => (false, WAITING_ENTRIES_MAX),
        };
        let mut waiting = self.waiting();
        let full = !ours && waiting.len() >= WAITING_NAMES_MAX && !waiting.contains_key(&whose);
        if full || !waiting.entry(whose).or_default().take(act, most) {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Where the next entry goes.
#[derive(Default, Serialize, Deserialize)]
struct Head {
    next: u64,
    /// When old entries were last removed.
    swept: Millis,
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

    /// Writes what was recorded since the last time: one commit an account. How many accounts were written.
    pub async fn write_activity(&self) -> usize {
        let mut by_account: HashMap<AccountId, Waiting> = HashMap::new();
        let waiting = std::mem::take(&mut *self.inner.trail.waiting());
        for (whose, waiting) in waiting {
            let account = match whose {
                Whose::Account(account) => Some(account),
                Whose::User(user) => self.inner.store.account_of(&user).await.ok().flatten(),
            };
            if let Some(account) = account {
                by_account.entry(account).or_default().join(waiting);
            }
        }
        let left_out = self.inner.trail.left_out.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            tracing::warn!(left_out, "activity: too much at once, entries left out");
        }
        let (mut writing, mut written) = (JoinSet::new(), 0);
        for (account, waiting) in by_account {
            if writing.len() >= WRITTEN_AT_ONCE {
                written += count(writing.join_next().await);
            }
            let identity = self.clone();
            writing.spawn(async move { identity.write_one(&account, waiting).await });
        }
        while let Some(done) = writing.join_next().await {
            written += count(Some(done));
        }
        written
    }

    async fn write_one(&self, account: &AccountId, waiting: Waiting) -> bool {
        match self.write_waiting(account, &waiting).await {
            Ok(()) => true,
            Err(IdentityError::Store(StoreError::NoSuchAccount)) => false,
            Err(fault) => {
                let entries = waiting.entries.len();
                tracing::warn!(%fault, entries, "activity not written, entries left out");
                false
            }
        }
    }

    async fn write_waiting(&self, account: &AccountId, waiting: &Waiting) -> Result<()> {
        let handle = self.inner.store.account(account);
        let head_key = Kind::ActivityHead.all();
        // Read first, so that the update asks for a few rows and not for a thousand. Should somebody else write in between,
        // repetitions are listed twice; nothing is lost.
        let head: Head = match handle.get(&head_key).await? {
            Some(row) => rows::decode(&row)?,
            None => Head::default(),
        };
        let now = waiting.entries.iter().map(|entry| entry.at).max();
        let now = now.unwrap_or(head.swept);
        let sweep = now.saturating_sub(head.swept) >= DAY_MS;
        let mut wanted = vec![head_key];
        if sweep {
            wanted.extend([Kind::Activity.all(), Kind::Use.all()]);
        } else {
            let back = u64::from(LOOKED_BACK).min(head.next);
            wanted.extend((head.next - back..head.next).map(slot));
        }
        let wanted: Vec<&[u8]> = wanted.iter().map(Vec::as_slice).collect();
        let (entries, uses) = (waiting.entries.clone(), waiting.uses.clone());
        let write = move |rows: &mut Rows| {
            if sweep {
                sweep_old(rows, now);
            }
            write_entries(rows, &entries, sweep.then_some(now))?;
            for (id, used) in &uses {
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
        let rows = handle
            .scan(&Kind::Activity.all(), usize::from(ACTIVITY_MAX))
            .await?;
        // An entry that cannot be read is left out: the others are worth more than a complaint.
        let mut waiting = Waiting::default();
        for entry in rows.iter().filter_map(|(_, row)| rows::decode(row).ok()) {
            waiting.entries.push(entry);
        }
        waiting.entries.sort_by_key(|entry: &Activity| entry.at);
        self.with_waiting(names, |found| {
            for entry in &found.entries {
                if !waiting.entries.iter_mut().rev().any(|old| old.takes(entry)) {
                    waiting.entries.push(entry.clone());
                }
            }
        });
        let mut entries = waiting.entries;
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
        self.with_waiting(&names, |found| uses.extend(found.uses.clone()));
        Ok(LastUses(uses))
    }

    /// Shows `look` what waits for an account, under its id and its address.
    fn with_waiting(&self, names: &[Whose], mut look: impl FnMut(&Waiting)) {
        let waiting = self.inner.trail.waiting();
        for whose in names {
            if let Some(found) = waiting.get(whose) {
                look(found);
            }
        }
    }
}

fn bytes(bytes: &impl AsRef<[u8]>) -> &[u8] {
    bytes.as_ref()
}

fn count(done: Option<Result<bool, tokio::task::JoinError>>) -> usize {
    usize::from(matches!(done, Some(Ok(true))))
}

fn slot(number: u64) -> Vec<u8> {
    // Below ACTIVITY_MAX, so it fits.
    let slot = (number % u64::from(ACTIVITY_MAX)) as u16;
    Kind::Activity.key(slot.to_be_bytes())
}

fn write_entries(rows: &mut Rows, entries: &[Activity], swept: Option<Millis>) -> Result<()> {
    let head_key = Kind::ActivityHead.all();
    let mut head: Head = rows::read(rows, &head_key)?.unwrap_or_default();
    head.swept = swept.unwrap_or(head.swept);
    let back = u64::from(LOOKED_BACK).min(head.next);
    let mut newest: Vec<(Vec<u8>, Activity)> = (head.next - back..head.next)
        .map(slot)
        .filter_map(|key| Some((key.clone(), rows::read(rows, &key).ok()??)))
        .collect();
    for entry in entries {
        let again = newest.iter_mut().rev().find_map(|(key, old)| {
            let again = old.takes(entry);
            again.then(|| (key.clone(), old.clone()))
        });
        let (key, entry) = again.unwrap_or_else(|| {
            let key = slot(head.next);
            head.next += 1;
            newest.push((key.clone(), entry.clone()));
            (key, entry.clone())
        });
        rows::write(rows, &key, &entry)?;
    }
    rows::write(rows, &head_key, &head)
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
