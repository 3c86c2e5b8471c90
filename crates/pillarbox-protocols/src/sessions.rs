//! The registry of live connections: who is signed in, until when, and how to reach them when that ends early.
//!
//! A [`Seat`] is one connection's place in it; dropping the seat leaves the registry. Revoking a token, grant, app
//! password or account looks here, so it reaches a client in the middle of IDLE. In memory, one node.

use crate::conversation::News;
use pillarbox_oauth::{Credential, Principal};
use pillarbox_store::mail::{AccountId, Millis, Version};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its token, grant, app password or account was revoked: told as expiry.
    Revoked,
    /// The server stops.
    Shutdown,
}

/// Which sessions to end.
#[derive(Clone, Debug)]
pub enum Which {
    /// Every session of the account.
    Account(AccountId),
    /// The sessions of one account that one credential opened.
    Credential(AccountId, Credential),
    /// The session with this token (the one shown in greetings and the log).
    Session(String),
}

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
    /// Who is signed in, if anyone, and until when.
    pub signed_in: Option<(Principal, Millis)>,
}

/// More sessions of one account than the protocol allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

#[derive(Default)]
struct Inner {
    next: AtomicU64,
    live: Mutex<HashMap<u64, Entry>>,
    stopping: std::sync::atomic::AtomicBool,
}

struct Entry {
    session: Session,
    end: Arc<watch::Sender<Option<End>>>,
}

/// See the module. Cheap to clone.
#[derive(Clone, Default)]
pub struct Registry(Arc<Inner>);

impl Registry {
    /// Takes a place for a new connection.
    pub fn connect(&self, protocol: Protocol, peer: IpAddr, token: &str, now: Millis) -> Seat {
        let key = self.0.next.fetch_add(1, Ordering::Relaxed);
        let first = self
            .0
            .stopping
            .load(Ordering::SeqCst)
            .then_some(End::Shutdown);
        let (end, mut ended) = watch::channel(first);
        if first.is_some() {
            ended.mark_changed();
        }
        let session = Session {
            token: token.into(),
            protocol,
            peer,
            since: now,
            signed_in: None,
        };
        self.live().insert(
            key,
            Entry {
                session,
                end: Arc::new(end),
            },
        );
        Seat {
            registry: self.clone(),
            key,
            token: token.into(),
            ended,
            version: None,
        }
    }

    /// Tells matching sessions that they are over; how many were told.
    pub fn end(&self, which: &Which) -> usize {
        self.tell(End::Revoked, |session| match (which, &session.signed_in) {
            (Which::Session(token), _) => session.token == *token,
            (Which::Account(id), Some((who, _))) => who.account() == id,
            (Which::Credential(id, credential), Some((who, _))) => {
                who.account() == id && who.credential().is_covered_by(credential)
            }
            (_, None) => false,
        })
    }

    /// Tells every session, present and future, that the server stops.
    pub fn shut_down(&self) -> usize {
        self.0.stopping.store(true, Ordering::SeqCst);
        self.tell(End::Shutdown, |_| true)
    }

    /// All live sessions, oldest first.
    pub fn list(&self) -> Vec<Session> {
        let live = self.live();
        let mut all: Vec<_> = live
            .iter()
            .map(|(key, entry)| (*key, entry.session.clone()))
            .collect();
        all.sort_by_key(|(key, _)| *key);
        all.into_iter().map(|(_, session)| session).collect()
    }

    fn tell(&self, end: End, wanted: impl Fn(&Session) -> bool) -> usize {
        let mut told = 0;
        for entry in self.live().values().filter(|entry| wanted(&entry.session)) {
            entry.end.send_replace(Some(end));
            told += 1;
        }
        told
    }

    fn live(&self) -> MutexGuard<'_, HashMap<u64, Entry>> {
        // Nothing panics while holding it; a poisoned map is still whole.
        self.0.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection's place in the registry; leaves it when dropped.
pub struct Seat {
    registry: Registry,
    key: u64,
    token: Box<str>,
    ended: watch::Receiver<Option<End>>,
    version: Option<watch::Receiver<Version>>,
}

impl Seat {
    /// The session token `<t>` of the wire specification: letters, digits and `-`.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Signs the connection in until a moment, unless `limit` sessions of the account on this protocol are there already.
    pub fn sign_in(
        &mut self,
        who: &Principal,
        until: Millis,
        limit: Option<usize>,
    ) -> Result<(), TooMany> {
        let mut live = self.registry.live();
        let Some(protocol) = live.get(&self.key).map(|entry| entry.session.protocol) else {
            return Err(TooMany);
        };
        let theirs = live.values().filter(|entry| {
            entry.session.protocol == protocol
                && entry
                    .session
                    .signed_in
                    .as_ref()
                    .is_some_and(|(other, _)| other.account() == who.account())
        });
        if limit.is_some_and(|limit| theirs.count() >= limit) {
            return Err(TooMany);
        }
        if let Some(entry) = live.get_mut(&self.key) {
            entry.session.signed_in = Some((who.clone(), until));
        }
        Ok(())
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
        *self.ended.borrow()
    }
}

/// Each end is told once, so that a conversation that must finish a literal first is not asked over and over.
async fn ended(receiver: &mut watch::Receiver<Option<End>>) -> End {
    while receiver.changed().await.is_ok() {
        if let Some(end) = *receiver.borrow_and_update() {
            return end;
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
        self.registry.live().remove(&self.key);
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
        assert_eq!(registry.end(&Which::Session("one".into())), 1);
        assert_eq!(one.news().await, News::Ended(End::Revoked));
        assert_eq!(one.ended(), Some(End::Revoked));
        assert_eq!(other.ended(), None);
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
