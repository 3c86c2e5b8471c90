//! Challenges that wait for a passkey's answer, in memory: each for one browser, one purpose, a few minutes and one answer,
//! right or wrong. A restart forgets them, and people press the button again.
//!
//! Anybody may ask for a challenge to sign in with, so there is a bound for all and a lower one for each network: who floods
//! pushes out their own first.

use crate::attempts::network;
use pillarbox_store::mail::{AccountId, Millis};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// How long a challenge waits, in milliseconds; browsers are told five minutes.
const CEREMONY_MS: Millis = 10 * 60 * 1000;
/// Challenges that wait, from everywhere.
const WAITING_MAX: usize = 4_096;
/// Challenges that wait, from one network.
const NETWORK_MAX: usize = 50;

/// What an answer is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Signing in with nothing else.
    SignIn,
    /// The step behind the password; the hash of its ticket.
    Step([u8; 32]),
    /// A new passkey of an account.
    Add(AccountId),
    /// Something that only the account's owner may do.
    Confirm(AccountId),
}

struct Ceremony {
    challenge: [u8; 32],
    purpose: Purpose,
    ends: Millis,
    network: Option<IpAddr>,
}

/// All that wait, by the hash of what their browser holds.
#[derive(Default)]
pub(crate) struct Ceremonies(Mutex<HashMap<[u8; 32], Ceremony>>);

impl Ceremonies {
    /// Begins to wait.
    pub(crate) fn open(
        &self,
        browser: [u8; 32],
        challenge: [u8; 32],
        purpose: Purpose,
        peer: Option<IpAddr>,
        now: Millis,
    ) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, one| one.ends > now);
        let network = peer.map(network);
        let of_network = waiting.values().filter(|one| one.network == network);
        let crowded = of_network.count() >= NETWORK_MAX;
        if crowded || waiting.len() >= WAITING_MAX {
            let among = waiting
                .iter()
                .filter(|(_, one)| !crowded || one.network == network);
            let oldest = among.min_by_key(|(_, one)| one.ends).map(|(key, _)| *key);
            oldest.map(|oldest| waiting.remove(&oldest));
        }
        let ceremony = Ceremony {
            challenge,
            purpose,
            ends: now.saturating_add(CEREMONY_MS),
            network,
        };
        waiting.insert(browser, ceremony);
    }

    /// The challenge that this browser was given for this, once.
    pub(crate) fn take(
        &self,
        browser: &[u8; 32],
        purpose: &Purpose,
        now: Millis,
    ) -> Option<[u8; 32]> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = waiting.remove(browser)?;
        (found.ends > now && found.purpose == *purpose).then_some(found.challenge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> [u8; 32] {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&number.to_be_bytes());
        key
    }

    #[test]
    fn once_for_one_purpose_and_not_for_ever() {
        let all = Ceremonies::default();
        let open = |number| all.open(key(number), key(number), Purpose::SignIn, None, 0);
        open(1);
        assert_eq!(all.take(&key(2), &Purpose::SignIn, 1), None);
        assert_eq!(all.take(&key(1), &Purpose::SignIn, 1), Some(key(1)));
        assert_eq!(all.take(&key(1), &Purpose::SignIn, 1), None);
        open(3);
        assert_eq!(all.take(&key(3), &Purpose::Step(key(3)), 1), None);
        assert_eq!(
            all.take(&key(3), &Purpose::SignIn, 1),
            None,
            "tried is over"
        );
        open(4);
        assert_eq!(all.take(&key(4), &Purpose::SignIn, CEREMONY_MS), None);
    }

    #[test]
    fn a_flood_pushes_out_its_own() {
        let all = Ceremonies::default();
        let waiting = || all.0.lock().unwrap_or_else(PoisonError::into_inner).len();
        let ada = Some(IpAddr::from([192, 0, 2, 1]));
        all.open(key(0), key(0), Purpose::SignIn, ada, 0);
        for number in 1..1000 {
            let peer = Some(IpAddr::from([198, 51, 100, 7]));
            all.open(
                key(number),
                key(0),
                Purpose::SignIn,
                peer,
                i64::from(number),
            );
        }
        assert_eq!(waiting(), NETWORK_MAX + 1);
        assert!(all.take(&key(0), &Purpose::SignIn, 1000).is_some());
        for number in 0..WAITING_MAX as u32 + 100 {
            let peer = Some(IpAddr::V4(number.into()));
            all.open(
                key(number),
                key(0),
                Purpose::SignIn,
                peer,
                i64::from(number),
            );
        }
        assert_eq!(waiting(), WAITING_MAX);
    }
}
