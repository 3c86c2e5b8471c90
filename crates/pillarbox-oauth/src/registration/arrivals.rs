//! How many registrations one address may make in an hour, and all together. In memory, bounded; a restart forgives.

use pillarbox_store::mail::Millis;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

/// The window, in milliseconds.
const WINDOW_MS: Millis = 3600 * 1000;
/// Registrations of one address (of IPv6: of its /64) in it.
const OF_ONE: u32 = 10;
/// Registrations of everybody in it, and so the most addresses remembered.
const OF_ALL: u32 = 200;

#[derive(Default)]
struct Counted {
    began: Millis,
    all: u32,
    by_peer: HashMap<Option<IpAddr>, u32>,
}

/// Those of this hour.
#[derive(Default)]
pub(crate) struct Arrivals(Mutex<Counted>);

impl Arrivals {
    /// Counts one; whether it may be.
    pub(crate) fn admit(&self, peer: Option<IpAddr>, now: Millis) -> bool {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Also when the clock was set back.
        if now < counted.began || counted.began.saturating_add(WINDOW_MS) <= now {
            *counted = Counted {
                began: now,
                ..Counted::default()
            };
        }
        if counted.all >= OF_ALL {
            return false;
        }
        let of_one = counted.by_peer.entry(peer.map(household)).or_default();
        if *of_one >= OF_ONE {
            return false;
        }
        *of_one += 1;
        counted.all += 1;
        true
    }
}

fn household(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_an_hour_from_one_address_and_two_hundred_from_all() {
        let arrivals = Arrivals::default();
        let v6 = |tail: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, tail]);
        for tail in 0..10 {
            assert!(arrivals.admit(Some(v6(tail)), 0));
        }
        assert!(!arrivals.admit(Some(v6(77)), 0), "the same household");
        for number in 0..19_u8 {
            for _ in 0..10 {
                assert!(arrivals.admit(Some(IpAddr::from([192, 0, 2, number])), 1));
            }
        }
        assert!(!arrivals.admit(Some(IpAddr::from([198, 51, 100, 1])), 2));
        assert!(arrivals.admit(Some(v6(1)), WINDOW_MS), "another hour");
    }
}
