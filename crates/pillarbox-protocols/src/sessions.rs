//! The registry of live connections: who is signed in, until when, and how to reach them when that ends early.
//!
//! A [`Seat`] is one connection's place in it; dropping the seat leaves the registry. Revoking a token, grant, app
//! password or account looks here, so it reaches a client in the middle of IDLE. In memory, one node.

use crate::conversation::News;
use pillarbox_oauth::{Credential, Principal, Scopes};
use pillarbox_store::mail::{AccountId, Millis, Version};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The four services a client can talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// IMAP over TLS.
    Imap,
    /// POP3 over TLS.
    Pop3,
    /// Message submission.
    Submission,
    /// Mail from other servers.
    Incoming,
}

impl Protocol {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Imap, Self::Pop3, Self::Submission, Self::Incoming];

    /// The short name used in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Imap => "imap",
            Self::Pop3 => "pop",
            Self::Submission => "smtp",
            Self::Incoming => "mx",
        }
    }
}

/// Why a session is ended from outside; each protocol has its own words for it (wire §6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Somebody ended it, or what it signed in with: told as expiry. Why, in words for its owner; never on the wire.
    Revoked(Arc<str>),
    /// The server stops.
    Shutdown,
}

/// What ends a session that nobody ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Its access token has its own end.
    Token,
    /// Its app password has.
    AppPassword,
    /// Its certificate has.
    Certificate,
    /// Its password has.
    Password,
    /// The protocol's: no connection lasts longer.
    Protocol,
}

impl Limit {
    /// Of a session that is signed in until then.
    pub fn of(who: &Principal, until: Millis) -> Self {
        if who.until().is_none_or(|own| own > until) {
            return Self::Protocol;
        }
        match who.credential() {
            Credential::Grant { .. } | Credential::External(_) => Self::Token,
            Credential::AppPassword(_) => Self::AppPassword,
            Credential::Certificate(_) => Self::Certificate,
            Credential::Password => Self::Password,
        }
    }

    /// In words, while the session lives.
    pub fn ahead(self) -> &'static str {
        match self {
            Self::Token => "its access token ends then",
            Self::AppPassword => "its app password ends then",
            Self::Certificate => "its certificate ends then",
            Self::Password => "its password ends then",
            Self::Protocol => "no connection may last longer",
        }
    }

    /// In words, when it has ended.
    pub fn past(self) -> &'static str {
        match self {
            Self::Token => "session expired: its access token ended",
            Self::AppPassword => "session expired: its app password ended",
            Self::Certificate => "session expired: its certificate ended",
            Self::Password => "session expired: its password ended",
            Self::Protocol => "session expired: no connection may last longer",
        }
    }
}

/// Which sessions to end.
#[derive(Clone, Debug)]
pub enum Which {
    /// Every session of the account.
    Account(AccountId),
    /// The sessions of one account that one credential opened.
    Credential(AccountId, Credential),
    /// Every session that an access token opened.
    Tokens,
    /// The sessions that one OAuth client opened, whoever's they are.
    Client(Arc<str>),
    /// Those of them that an access token with more than these scopes opened.
    Beyond(Arc<str>, Scopes),
    /// The session with this token (the one shown in greetings and the log).
    Session(String),
    /// Every session that is signed in.
    SignedIn,
}

impl Which {
    fn means(&self, session: &Session) -> bool {
        match (self, &session.signed_in) {
            (Self::Session(token), _) => session.token == *token,
            (Self::SignedIn, signed_in) => signed_in.is_some(),
            (Self::Client(client), Some((who, _))) => who.client() == Some(client),
            (Self::Beyond(client, left), Some((who, _))) => {
                who.client() == Some(client) && !left.covers(who.scopes())
            }
            (Self::Account(id), Some((who, _))) => who.account() == id,
            (Self::Tokens, Some((who, _))) => {
                matches!(who.credential(), Credential::Grant { .. })
            }
            (Self::Credential(id, credential), Some((who, _))) => {
                who.account() == id && who.credential().is_covered_by(credential)
            }
            (_, None) => false,
        }
    }
}

/// Why a session ends whose sign-in was under way while more was revoked than is remembered.
const TOO_MUCH: &str = "too much was revoked while it signed in to know whether it was meant";
/// Revocations remembered for sign-ins that are under way while they happen; a check takes milliseconds.
const REVOCATIONS_KEPT: usize = 1_000;

/// One live session as shown to people.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its token: greeting, log, `why`.
    pub token: String,
    /// The service.
    pub protocol: Protocol,
    /// The peer's address.
    pub peer: IpAddr,
    /// When it connected.
    pub since: Millis,
    /// What program it says it is (RFC 2971), as long as it says so.
    pub program: Option<Arc<str>>,
    /// Who is signed in, if anyone, and until when.
    pub signed_in: Option<(Principal, Millis)>,
}

/// More sessions of one account than the protocol allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

#[derive(Default)]
struct Inner {
    live: Mutex<Live>,
}

#[derive(Default)]
struct Live {
    next: u64,
    entries: HashMap<u64, Entry>,
    indexes: Indexes,
    /// Entries looked at to find those that are meant: what a revocation costs among many sessions.
    looked_at: u64,
    /// The latest revocations, oldest first, and how many there were in all: a credential that was checked before one of
    /// them and takes its seat after it would otherwise be missed.
    revoked: VecDeque<(Which, Arc<str>)>,
    revocations: u64,
    stopping: bool,
}

/// Sessions by what may be said of many of them. Whoever looks for some among ten thousand looks at those only.
#[derive(Default)]
struct Indexes {
    token: Index<Arc<str>>,
    account: Index<(AccountId, Protocol)>,
    credential: Index<(AccountId, Credential)>,
    client: Index<Arc<str>>,
}

impl Indexes {
    fn sign_in(&mut self, key: u64, protocol: Protocol, who: &Principal) {
        let account = who.account();
        self.account.add((account.clone(), protocol), key);
        let credential = who.credential().whole();
        self.credential.add((account.clone(), credential), key);
        if let Some(client) = who.client() {
            self.client.add(Arc::clone(client), key);
        }
    }

    fn leave(&mut self, key: u64, session: &Session) {
        self.token.remove(&session.token.as_str().into(), key);
        let Some((who, _)) = &session.signed_in else {
            return;
        };
        let account = who.account();
        let of_protocol = (account.clone(), session.protocol);
        self.account.remove(&of_protocol, key);
        let credential = (account.clone(), who.credential().whole());
        self.credential.remove(&credential, key);
        if let Some(client) = who.client() {
            self.client.remove(client, key);
        }
    }

    /// The sessions among which are all that are meant; None is to look at every one.
    fn find(&self, which: &Which) -> Option<Vec<u64>> {
        Some(match which {
            Which::Session(token) => self.token.get(&token.as_str().into()),
            Which::Account(account) => {
                let of = |protocol| self.account.get(&(account.clone(), protocol));
                Protocol::ALL.into_iter().flat_map(of).collect()
            }
            Which::Credential(account, credential) => {
                let whole = (account.clone(), credential.whole());
                self.credential.get(&whole)
            }
            Which::Client(client) | Which::Beyond(client, _) => self.client.get(client),
            Which::SignedIn | Which::Tokens => return None,
        })
    }
}

struct Index<K>(HashMap<K, BTreeSet<u64>>);

impl<K> Default for Index<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Index<K> {
    fn add(&mut self, of: K, key: u64) {
        self.0.entry(of).or_default().insert(key);
    }

    fn remove(&mut self, of: &K, key: u64) {
        if let Some(keys) = self.0.get_mut(of) {
            keys.remove(&key);
            if keys.is_empty() {
                self.0.remove(of);
            }
        }
    }

    fn count(&self, of: &K) -> usize {
        self.0.get(of).map_or(0, BTreeSet::len)
    }

    fn get(&self, of: &K) -> Vec<u64> {
        self.0.get(of).into_iter().flatten().copied().collect()
    }
}

impl Live {
    fn meant(&mut self, which: &Which) -> Vec<&Entry> {
        let found = self.indexes.find(which);
        let found = found.unwrap_or_else(|| self.entries.keys().copied().collect());
        self.looked_at += found.len() as u64;
        let entries = found.iter().filter_map(|key| self.entries.get(key));
        entries
            .filter(|entry| which.means(&entry.session))
            .collect()
    }

    fn tell(&mut self, which: &Which, because: &Arc<str>) -> usize {
        let meant = self.meant(which);
        for entry in &meant {
            entry.revoke(because);
        }
        meant.len()
    }

    /// Why this session's authority was revoked after the first `since` revocations, if it was. If they are no longer all
    /// known, it was: the client signs in again.
    fn revoked_since(&self, since: u64, session: &Session) -> Option<Arc<str>> {
        let later = usize::try_from(self.revocations - since).unwrap_or(usize::MAX);
        if later > self.revoked.len() {
            return Some(TOO_MUCH.into());
        }
        let mut latest = self.revoked.iter().rev().take(later).rev();
        let found = latest.find(|(which, _)| which.means(session));
        found.map(|(_, because)| Arc::clone(because))
    }
}

struct Entry {
    session: Session,
    end: watch::Sender<Option<End>>,
}

impl Entry {
    /// Tells it. The first cause stays: what is revoked behind it ended nothing.
    fn revoke(&self, because: &Arc<str>) {
        self.end.send_if_modified(|end| {
            let first = end.is_none();
            if first {
                *end = Some(End::Revoked(Arc::clone(because)));
            }
            first
        });
    }
}

/// See the module. Cheap to clone.
#[derive(Clone, Default)]
pub struct Registry(Arc<Inner>);

impl Registry {
    /// Takes a place for a new connection.
    pub fn connect(&self, protocol: Protocol, peer: IpAddr, token: &str, now: Millis) -> Seat {
        let mut live = self.live();
        let key = live.next;
        live.next += 1;
        let first = live.stopping.then_some(End::Shutdown);
        let stopping = first.is_some();
        let (end, mut ended) = watch::channel(first);
        if stopping {
            ended.mark_changed();
        }
        let session = Session {
            token: token.into(),
            protocol,
            peer,
            since: now,
            program: None,
            signed_in: None,
        };
        live.indexes.token.add(token.into(), key);
        live.entries.insert(key, Entry { session, end });
        Seat {
            registry: self.clone(),
            key,
            token: token.into(),
            checking_since: live.revocations,
            ended,
            version: None,
        }
    }

    /// Tells matching sessions that they are over, and why, in words for their owner; how many were told.
    pub fn end(&self, which: &Which, because: impl Into<Arc<str>>) -> usize {
        let because = because.into();
        let mut live = self.live();
        if live.revoked.len() == REVOCATIONS_KEPT {
            live.revoked.pop_front();
        }
        live.revoked
            .push_back((which.clone(), Arc::clone(&because)));
        live.revocations += 1;
        live.tell(which, &because)
    }

    /// How many sessions [`Registry::end`] would tell now.
    pub fn count(&self, which: &Which) -> usize {
        self.live().meant(which).len()
    }

    /// Tells every session, present and future, that the server stops.
    pub fn shut_down(&self) -> usize {
        let mut live = self.live();
        live.stopping = true;
        for entry in live.entries.values() {
            entry.end.send_replace(Some(End::Shutdown));
        }
        live.entries.len()
    }

    /// The live session with this token.
    pub fn session(&self, token: &str) -> Option<Session> {
        let live = self.live();
        let keys = live.indexes.token.get(&token.into());
        let mut entries = keys.iter().filter_map(|key| live.entries.get(key));
        entries.next().map(|entry| entry.session.clone())
    }

    /// How many entries all revocations together have looked at: clocks cannot show in a test what it costs to find some
    /// sessions among thousands, counts can.
    pub fn looked_at(&self) -> u64 {
        self.live().looked_at
    }

    /// All live sessions, oldest first.
    pub fn list(&self) -> Vec<Session> {
        let live = self.live();
        let mut all: Vec<_> = live
            .entries
            .iter()
            .map(|(key, entry)| (*key, entry.session.clone()))
            .collect();
        all.sort_by_key(|(key, _)| *key);
        all.into_iter().map(|(_, session)| session).collect()
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        // Nothing panics while holding it; a poisoned map is still whole.
        self.0.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection's place in the registry; leaves it when dropped.
pub struct Seat {
    registry: Registry,
    key: u64,
    token: Box<str>,
    checking_since: u64,
    ended: watch::Receiver<Option<End>>,
    version: Option<watch::Receiver<Version>>,
}

impl Seat {
    /// The session token `<t>` of the wire specification: letters, digits and `-`.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A credential is about to be checked: whatever is revoked from now on is held against it by [`Seat::sign_in`].
    pub fn checking(&mut self) {
        self.checking_since = self.registry.live().revocations;
    }

    /// Signs the connection in until a moment, unless `limit` sessions of the account on this protocol are there already.
    /// If the credential was revoked while it was being checked, the session is told at once that it is over.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn sign_in(
        &mut self,
        who: &Principal,
        until: Millis,
        limit: Option<usize>,
    ) -> Result<(), TooMany> {
        let mut live = self.registry.live();
        let protocol = live.entries.get(&self.key).ok_or(TooMany)?.session.protocol;
        let theirs = live
            .indexes
            .account
            .count(&(who.account().clone(), protocol));
        if limit.is_some_and(|limit| theirs >= limit) {
            return Err(TooMany);
        }
        live.indexes.sign_in(self.key, protocol, who);
        let Some(entry) = live.entries.get_mut(&self.key) else {
            return Err(TooMany);
        };
        entry.session.signed_in = Some((who.clone(), until));
        if let Some(entry) = live.entries.get(&self.key)
            && let Some(because) = live.revoked_since(self.checking_since, &entry.session)
        {
            entry.revoke(&because);
        }
        Ok(())
    }

    /// Remembers what program the client says it is, for the list of sessions.
    pub fn set_program(&self, program: &str) {
        if let Some(entry) = self.registry.live().entries.get_mut(&self.key) {
            entry.session.program = Some(program.into());
        }
    }

    /// What ends it if nobody does.
    pub fn limit(&self) -> Limit {
        let live = self.registry.live();
        let entry = live.entries.get(&self.key);
        let signed_in = entry.and_then(|entry| entry.session.signed_in.as_ref());
        signed_in.map_or(Limit::Protocol, |(who, until)| Limit::of(who, *until))
    }

    /// Listens for new versions of the session's account from now on.
    pub fn listen(&mut self, version: watch::Receiver<Version>) {
        self.version = Some(version);
    }

    /// Waits for the next news. Safe to drop and call again.
    pub async fn news(&mut self) -> News {
        tokio::select! {
            biased;
            end = ended(&mut self.ended) => News::Ended(end),
            version = changed(&mut self.version) => News::Version(version),
        }
    }

    /// Whether the session was ended from outside, without waiting.
    pub fn ended(&self) -> Option<End> {
        self.ended.borrow().clone()
    }
}

/// Each end is told once, so that a conversation that must finish a literal first is not asked over and over.
async fn ended(receiver: &mut watch::Receiver<Option<End>>) -> End {
    while receiver.changed().await.is_ok() {
        if let Some(end) = &*receiver.borrow_and_update() {
            return end.clone();
        }
    }
    // The sender lives as long as our entry in the registry; without it nobody can end us.
    std::future::pending().await
}

async fn changed(receiver: &mut Option<watch::Receiver<Version>>) -> Version {
    let Some(receiver) = receiver else {
        return std::future::pending().await;
    };
    if receiver.changed().await.is_err() {
        return std::future::pending().await; // the store is closing; the end comes by other ways
    }
    *receiver.borrow_and_update()
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut live = self.registry.live();
        let Some(entry) = live.entries.remove(&self.key) else {
            return;
        };
        live.indexes.leave(self.key, &entry.session);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn seat(registry: &Registry, token: &str) -> Seat {
        registry.connect(Protocol::Imap, Ipv4Addr::LOCALHOST.into(), token, 0)
    }

    #[tokio::test]
    async fn ending_a_session_is_told_once_and_only_to_that_session() {
        let registry = Registry::default();
        let (mut one, other) = (seat(&registry, "one"), seat(&registry, "other"));
        let which = Which::Session("one".into());
        assert_eq!(registry.count(&which), 1);
        assert_eq!(registry.end(&which, "by hand"), 1);
        let by_hand = End::Revoked("by hand".into());
        assert_eq!(one.news().await, News::Ended(by_hand.clone()));
        assert_eq!(one.ended(), Some(by_hand.clone()));
        assert_eq!(other.ended(), None);
        registry.end(&which, "something later");
        assert_eq!(one.ended(), Some(by_hand), "the first cause ended it");
        let again = tokio::time::timeout(std::time::Duration::from_millis(20), one.news()).await;
        assert!(again.is_err(), "told twice");
    }

    #[tokio::test]
    async fn shutdown_reaches_sessions_of_before_and_after() {
        let registry = Registry::default();
        let mut before = seat(&registry, "before");
        assert_eq!(registry.shut_down(), 1);
        let mut after = seat(&registry, "after");
        assert_eq!(before.news().await, News::Ended(End::Shutdown));
        assert_eq!(after.news().await, News::Ended(End::Shutdown));
    }

    #[tokio::test]
    async fn a_version_is_news_and_a_dropped_seat_leaves_the_registry() {
        let registry = Registry::default();
        let mut seat = seat(&registry, "one");
        let (send, receive) = watch::channel(4);
        seat.listen(receive);
        send.send_replace(5);
        assert_eq!(seat.news().await, News::Version(5));
        assert_eq!(registry.list().len(), 1);
        drop(seat);
        assert!(registry.list().is_empty());
    }
}
