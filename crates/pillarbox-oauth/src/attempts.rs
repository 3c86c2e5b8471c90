//! Slowing down guesses: failures counted in memory for one peer address and one account together, so that nobody can lock
//! out somebody else. Bounded; forgotten on restart.

use pillarbox_store::mail::Millis;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// This many failures cost nothing: people mistype.
const FREE: u32 = 5;
/// Longest pause, in milliseconds.
const PAUSE_MS_MAX: Millis = 15 * 60 * 1000;
/// Failures this old are forgotten, in milliseconds.
const MEMORY_MS: Millis = 60 * 60 * 1000;
/// Most pairs remembered; beyond it the oldest go.
const PAIRS_MAX: usize = 20_000;
/// Longest user name remembered, in bytes; longer ones share a prefix.
const USER_BYTES_MAX: usize = 256;

type Pair = (Option<IpAddr>, Box<[u8]>);

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: Millis,
}

impl Failures {
    /// When the next attempt may be made.
    fn pause_ends(self) -> Millis {
        if self.count < FREE {
            return self.last;
        }
        let pause = 1000_i64
            .checked_shl(self.count - FREE)
            .unwrap_or(PAUSE_MS_MAX);
        self.last.saturating_add(pause.clamp(1000, PAUSE_MS_MAX))
    }
}

/// The failures of all pairs.
#[derive(Default)]
pub(crate) struct Attempts(Mutex<HashMap<Pair, Failures>>);

impl Attempts {
    /// Milliseconds to wait, if an attempt may not be made at `now`.
    pub(crate) fn wait(&self, peer: Option<IpAddr>, user: &str, now: Millis) -> Option<Millis> {
        let ends = self.map().get(&pair(peer, user)).copied()?.pause_ends();
        (ends > now).then(|| ends - now)
    }

    /// One more failure.
    pub(crate) fn failed(&self, peer: Option<IpAddr>, user: &str, now: Millis) {
        let mut map = self.map();
        if map.len() >= PAIRS_MAX {
            map.retain(|_, failures| failures.last + MEMORY_MS > now);
            if map.len() >= PAIRS_MAX {
                let mut times: Vec<_> = map.values().map(|failures| failures.last).collect();
                let (_, median, _) = times.select_nth_unstable(PAIRS_MAX / 2);
                let median = *median;
                map.retain(|_, failures| failures.last > median);
            }
        }
        let failures = map.entry(pair(peer, user)).or_insert(Failures {
            count: 0,
            last: now,
        });
        if failures.last + MEMORY_MS <= now {
            failures.count = 0;
        }
        *failures = Failures {
            count: failures.count.saturating_add(1),
            last: now,
        };
    }

    /// A success: the failures before it were its owner's.
    pub(crate) fn passed(&self, peer: Option<IpAddr>, user: &str) {
        self.map().remove(&pair(peer, user));
    }

    fn map(&self) -> MutexGuard<'_, HashMap<Pair, Failures>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The network a peer is counted as: one household has a /64 of IPv6 addresses.
pub(crate) fn network(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V6(address) if address.to_ipv4_mapped().is_none() => IpAddr::V6(
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)),
        ),
        other => other.to_canonical(),
    }
}

fn pair(peer: Option<IpAddr>, user: &str) -> Pair {
    let peer = peer.map(network);
    let user = &user.as_bytes()[..user.len().min(USER_BYTES_MAX)];
    (peer, user.to_ascii_lowercase().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_begin_after_five_and_double() {
        let attempts = Attempts::default();
        let peer = Some(IpAddr::from([192, 0, 2, 1]));
        for _ in 0..FREE {
            assert_eq!(attempts.wait(peer, "ada@example.test", 0), None);
            attempts.failed(peer, "ada@example.test", 0);
        }
        assert_eq!(attempts.wait(peer, "ADA@example.test", 0), Some(1000));
        assert_eq!(attempts.wait(peer, "ada@example.test", 1000), None);
        attempts.failed(peer, "ada@example.test", 1000);
        assert_eq!(attempts.wait(peer, "ada@example.test", 1000), Some(2000));
        for _ in 0..100 {
            attempts.failed(peer, "ada@example.test", 1000);
        }
        assert_eq!(
            attempts.wait(peer, "ada@example.test", 1000),
            Some(PAUSE_MS_MAX)
        );
        let other = Some(IpAddr::from([192, 0, 2, 2]));
        assert_eq!(
            attempts.wait(other, "ada@example.test", 1000),
            None,
            "nobody locks out another"
        );
        attempts.passed(peer, "ada@example.test");
        assert_eq!(attempts.wait(peer, "ada@example.test", 1000), None);
    }

    #[test]
    fn memory_is_bounded() {
        let attempts = Attempts::default();
        for number in 0..PAIRS_MAX as i64 + 10 {
            attempts.failed(None, &number.to_string(), number);
        }
        let map = attempts.map();
        assert!(map.len() <= PAIRS_MAX);
        assert!(map.contains_key(&pair(None, &(PAIRS_MAX as i64 + 9).to_string())));
    }
}
