//! How many connections may be open: in all, a service, and a peer. Counted from accept to the last byte.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bounds on open connections.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A service. An idle connection costs tens of kilobytes, so this is one to two gigabytes of memory at worst; the
    /// limit on open files is usually met first.
    pub per_service: usize,
    /// One peer: an IPv4 address or an IPv6 network of 64 bits. Generous, since a whole office or a provider's users
    /// may share one address.
    pub per_peer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            per_service: 50_000,
            per_peer: 2_000,
        }
    }
}

/// The doors of one service. Cheap to clone.
#[derive(Clone)]
pub struct Doors(Arc<Inner>);

struct Inner {
    limits: Limits,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    all: usize,
    peers: HashMap<IpAddr, usize>,
}

impl Doors {
    /// Nobody inside yet.
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Inner {
            limits,
            open: Mutex::default(),
        }))
    }

    /// Lets a peer in, if there is room. Loopback peers are bounded by the service alone: behind a proxy on the same
    /// machine, and in tests, they are everybody.
    pub fn enter(&self, peer: IpAddr) -> Option<Inside> {
        let peer = network(peer);
        let mut open = self.open();
        let theirs = open.peers.get(&peer).copied().unwrap_or(0);
        let room = peer.is_loopback() || theirs < self.0.limits.per_peer;
        if !room || open.all >= self.0.limits.per_service {
            return None;
        }
        open.all += 1;
        open.peers.insert(peer, theirs + 1);
        Some(Inside {
            doors: self.clone(),
            peer,
        })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection that was let in; leaves when dropped.
pub struct Inside {
    doors: Doors,
    peer: IpAddr,
}

impl Drop for Inside {
    fn drop(&mut self) {
        let mut open = self.doors.open();
        open.all -= 1;
        if let Some(theirs) = open.peers.get_mut(&self.peer) {
            *theirs -= 1;
            if *theirs == 0 {
                open.peers.remove(&self.peer);
            }
        }
    }
}

/// Whoever has one IPv6 address has 2^64 of them.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_and_a_service_have_their_limits() {
        let doors = Doors::new(Limits {
            per_service: 3,
            per_peer: 2,
        });
        let ada = IpAddr::from([192, 0, 2, 1]);
        let inside = [doors.enter(ada), doors.enter(ada)];
        assert!(inside.iter().all(Option::is_some));
        assert!(doors.enter(ada).is_none());
        let bob = doors.enter(IpAddr::from([192, 0, 2, 2]));
        assert!(bob.is_some());
        assert!(doors.enter(IpAddr::from([192, 0, 2, 3])).is_none());
        drop(inside);
        assert!(doors.enter(ada).is_some());
    }

    #[test]
    fn an_ipv6_network_is_one_peer() {
        let doors = Doors::new(Limits {
            per_service: 9,
            per_peer: 1,
        });
        let first = doors.enter(IpAddr::from([0x2001, 0xdb8, 0, 0, 1, 2, 3, 4]));
        assert!(first.is_some());
        assert!(
            doors
                .enter(IpAddr::from([0x2001, 0xdb8, 0, 0, 9, 9, 9, 9]))
                .is_none()
        );
    }
}
