//! Slowing down guesses. Failures are counted in memory, three ways at once:
//!
//! - **one network at one account** (an address; of IPv6 a /64): five mistakes are free, then pauses double from a second to a
//!   quarter of an hour;
//! - **one network at all accounts**: fifty are free, which is a household or an office that mistypes; then the same pauses, so
//!   who tries one password at many accounts gets about one a minute;
//! - **all networks at one account**: a hundred are free; then one guess a minute is looked at, whoever makes it.
//!
//! Nobody locks out an owner: where somebody signed in to an account within the last 30 days, by whatever means, only the first
//! count is asked, and that is one's own. What is guessed is counted apart ([`Guess`]), so guesses at the password of the pages never slow a mail
//! program with its app password. Tokens of ours are not counted at all: nobody guesses a signature, and programs that offer a
//! password as XOAUTH2, as some SASL plug-ins do before they try PLAIN, are not attackers. Tokens that only a provider elsewhere
//! can judge are counted apart, so that nobody makes us ask it without end.
//!
//! One-time codes have six digits, so they are counted more strictly, by network and account and for the account as a whole
//! ([`PHONE_ACCOUNT`] has the arithmetic). Only where both steps were passed before the second of these counts is not asked: the
//! password alone, or a token, makes no network known for codes. Recovery codes have a count of their own.
//!
//! An unknown account is counted like a known one, by the name that was typed, and an attempt during a pause is neither looked
//! at nor counted; so the answer and its time say nothing of who there is.
//!
//! Memory is bounded: keys are kept as keyed hashes, tables have a fixed size, and when one is full the smallest counts go
//! first, so that a flood of invented names pushes out itself and not the counts of a real attack. All is forgotten on restart.

use crate::Identity;
use pillarbox_store::mail::Millis;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

const MINUTE: Millis = 60 * 1000;

/// How one way of counting behaves.
#[derive(Clone, Copy)]
struct Rule {
    /// So many failures cost nothing.
    free: f64,
    /// One failure is forgiven after so long, in milliseconds.
    forgiven: Millis,
    /// Longest pause, in milliseconds.
    pause_max: Millis,
}

const PAIR: Rule = Rule {
    free: 5.0,
    forgiven: 12 * MINUTE,
    pause_max: 15 * MINUTE,
};
const NETWORK: Rule = Rule {
    free: 50.0,
    forgiven: MINUTE,
    pause_max: 15 * MINUTE,
};
const ACCOUNT: Rule = Rule {
    free: 100.0,
    forgiven: MINUTE,
    pause_max: MINUTE,
};

/// One-time codes, one network at one account: after some eighteen in a few hours one every two hours, half of what
/// [`PHONE_ACCOUNT`] forgives, so one or two networks alone never use that up.
const PHONE_PAIR: Rule = Rule {
    free: 5.0,
    forgiven: 120 * MINUTE,
    pause_max: 120 * MINUTE,
};
/// One-time codes, all networks at one account: fifty are free, a dozen more pass while the pauses grow, then one an hour.
///
/// Of a million codes three are right at any time (this step and one either way), so a guess succeeds with 3 in 10^6. Whoever
/// knows the password and has as many networks as they like makes 62 + 24 guesses in a day (1 - (1 - 3/10^6)^86 = 0.03 %),
/// 62 + 720 in a month (0.2 %), 62 + 8760 in a year (2.6 %); all the while each is in the owner's trail. A network where both steps
/// were passed before is not held back by this, but by [`PHONE_PAIR`]: 18 + 12 a day, 1.3 % in a year.
const PHONE_ACCOUNT: Rule = Rule {
    free: 50.0,
    forgiven: 60 * MINUTE,
    pause_max: 60 * MINUTE,
};

/// Entries of each table.
const ENTRIES_MAX: usize = 20_000;
/// Entries of the tables of one-time codes: one must know a password to be counted there.
const PHONE_ENTRIES_MAX: usize = 5_000;
/// A success so long ago is no longer one, in milliseconds.
const KNOWN_MS: Millis = 30 * 24 * 60 * MINUTE;

/// What is guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Guess {
    /// The account's own password, on the pages.
    Web,
    /// A password of a mail protocol.
    Mail,
    /// A token that a provider elsewhere must be asked about; only the pair counts.
    Token,
    /// A device's code, tried by somebody who is signed in; only the pair counts.
    Code,
    /// A one-time code, by somebody who knows the password.
    Phone,
    /// A recovery code, the same: ten of 26^10, so guessing needs no more bounds than the pair.
    Recovery,
}

impl Guess {
    /// Whether guesses are counted for the network and the account as well.
    fn is_password(self) -> bool {
        matches!(self, Self::Web | Self::Mail)
    }
}

#[derive(Clone, Copy)]
struct Failures {
    /// Those that are not forgiven at `last`.
    count: f64,
    last: Millis,
}

impl Failures {
    fn at(self, rule: Rule, now: Millis) -> f64 {
        let passed = now.saturating_sub(self.last).max(0);
        (self.count - passed as f64 / rule.forgiven as f64).max(0.0)
    }

    /// When the next attempt may be made.
    fn pause_ends(self, rule: Rule) -> Millis {
        let over = (self.count - rule.free).round();
        if over < 0.0 {
            return self.last;
        }
        let pause = 1000.0 * over.min(32.0).exp2();
        self.last
            .saturating_add((pause as Millis).min(rule.pause_max))
    }
}

/// One way of counting, by the hashes of who is counted.
struct Table {
    rule: Rule,
    max: usize,
    entries: HashMap<u64, Failures>,
}

impl Table {
    fn new(rule: Rule, max: usize) -> Self {
        Self {
            rule,
            max,
            entries: HashMap::new(),
        }
    }

    fn wait(&self, key: u64, now: Millis) -> Option<Millis> {
        let ends = self.entries.get(&key)?.pause_ends(self.rule);
        (ends > now).then(|| ends - now)
    }

    fn failed(&mut self, key: u64, now: Millis) {
        if self.entries.len() >= self.max && !self.entries.contains_key(&key) {
            self.make_room(now);
        }
        let rule = self.rule;
        let entry = self.entries.entry(key);
        let failures = entry.or_insert(Failures {
            count: 0.0,
            last: now,
        });
        *failures = Failures {
            count: failures.at(rule, now) + 1.0,
            last: now.max(failures.last),
        };
    }

    /// Lets what is forgiven go, and if that is not enough the smaller half.
    fn make_room(&mut self, now: Millis) {
        let rule = self.rule;
        self.entries.retain(|_, one| one.at(rule, now) > 0.0);
        if self.entries.len() < self.max {
            return;
        }
        let mut by_count: Vec<_> = self
            .entries
            .iter()
            .map(|(key, one)| (one.at(rule, now), one.last, *key))
            .collect();
        by_count.sort_unstable_by(|(a, a_last, _), (b, b_last, _)| {
            a.total_cmp(b).then(a_last.cmp(b_last))
        });
        for (_, _, key) in &by_count[..self.max / 2] {
            self.entries.remove(key);
        }
    }
}

struct Tables {
    pairs: Table,
    networks: Table,
    accounts: Table,
    phone_pairs: Table,
    phone_accounts: Table,
}

impl Tables {
    fn pairs(&mut self, guess: Guess) -> &mut Table {
        match guess {
            Guess::Phone => &mut self.phone_pairs,
            _ => &mut self.pairs,
        }
    }

    fn accounts(&mut self, guess: Guess) -> &mut Table {
        match guess {
            Guess::Phone => &mut self.phone_accounts,
            _ => &mut self.accounts,
        }
    }
}

/// All that is counted.
pub(crate) struct Attempts {
    hasher: RandomState,
    tables: Mutex<Tables>,
    /// When somebody last signed in to an account from a network. Every sign-in comes by here, so it has a lock of its own.
    known: Mutex<HashMap<u64, Millis>>,
}

impl Default for Attempts {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            tables: Mutex::new(Tables {
                pairs: Table::new(PAIR, ENTRIES_MAX),
                networks: Table::new(NETWORK, ENTRIES_MAX),
                accounts: Table::new(ACCOUNT, ENTRIES_MAX),
                phone_pairs: Table::new(PHONE_PAIR, PHONE_ENTRIES_MAX),
                phone_accounts: Table::new(PHONE_ACCOUNT, PHONE_ENTRIES_MAX),
            }),
            known: Mutex::default(),
        }
    }
}

/// The hashes under which an attempt is counted.
struct Keys {
    pair: u64,
    /// None where there is nothing to count.
    network: Option<u64>,
    account: Option<u64>,
}

impl Attempts {
    /// Of a name as the directory of accounts compares it: the sign for Kelvin is a k too. Every sign-in with a token comes by
    /// here, so a name as they are kept is hashed as it is.
    fn hash(&self, what: (&str, Option<Guess>), network: Option<IpAddr>, user: &str) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        (what, network).hash(&mut hasher);
        let user = user.trim();
        let changes = |byte: u8| byte.is_ascii_uppercase() || !byte.is_ascii();
        match user.bytes().any(changes) {
            true => user.to_lowercase().hash(&mut hasher),
            false => user.hash(&mut hasher),
        }
        hasher.finish()
    }

    fn keys(&self, guess: Guess, peer: Option<IpAddr>, user: &str) -> Keys {
        let network = peer.map(network);
        let counted = network.is_some() && guess.is_password();
        Keys {
            pair: self.hash(("pair", Some(guess)), network, user),
            network: counted.then(|| self.hash(("network", Some(guess)), network, "")),
            account: (counted || guess == Guess::Phone)
                .then(|| self.hash(("account", Some(guess)), None, user)),
        }
    }

    fn known_key(&self, peer: IpAddr, user: &str) -> u64 {
        self.hash(("known", None), Some(network(peer)), user)
    }

    /// Milliseconds to wait, if an attempt may not be made at `now`.
    pub(crate) fn wait(
        &self,
        guess: Guess,
        peer: Option<IpAddr>,
        user: &str,
        now: Millis,
    ) -> Option<Millis> {
        let keys = self.keys(guess, peer, user);
        let is_known = self.is_known(peer, user, now);
        let mut tables = self.tables();
        let pair = tables.pairs(guess).wait(keys.pair, now);
        if is_known {
            return pair;
        }
        let network = keys.network.and_then(|key| tables.networks.wait(key, now));
        let account = keys
            .account
            .and_then(|key| tables.accounts(guess).wait(key, now));
        pair.max(network).max(account)
    }

    /// One more failure.
    pub(crate) fn failed(&self, guess: Guess, peer: Option<IpAddr>, user: &str, now: Millis) {
        let keys = self.keys(guess, peer, user);
        let mut tables = self.tables();
        tables.pairs(guess).failed(keys.pair, now);
        if let Some(key) = keys.network {
            tables.networks.failed(key, now);
        }
        if let Some(key) = keys.account {
            tables.accounts(guess).failed(key, now);
        }
    }

    /// A success: the failures before it were its owner's. Those of the network and the account stay, or an attacker with an
    /// account of their own would clear them. That somebody is signed in by it, [`Attempts::signed_in`] is told.
    pub(crate) fn passed(&self, guess: Guess, peer: Option<IpAddr>, user: &str) {
        let keys = self.keys(guess, peer, user);
        self.tables().pairs(guess).entries.remove(&keys.pair);
    }

    /// Somebody signed in to an account from this network.
    pub(crate) fn signed_in(&self, peer: IpAddr, user: &str, now: Millis) {
        let key = self.known_key(peer, user);
        let mut known = self.known();
        if known.len() >= ENTRIES_MAX && !known.contains_key(&key) {
            let mut times: Vec<_> = known.values().copied().collect();
            let (_, median, _) = times.select_nth_unstable(ENTRIES_MAX / 2);
            let median = *median;
            known.retain(|_, at| *at > median);
        }
        known.insert(key, now);
    }

    fn is_known(&self, peer: Option<IpAddr>, user: &str, now: Millis) -> bool {
        let key = peer.map(|peer| self.known_key(peer, user));
        let at = key.and_then(|key| self.known().get(&key).copied());
        at.is_some_and(|at| now.saturating_sub(at) < KNOWN_MS)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<u64, Millis>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Identity {
    /// Notes that somebody signed in: from this network guesses of others do not slow them down.
    pub(crate) fn note_network(&self, address: &str, now: Millis) {
        if let (true, Some(peer)) = (self.inner.config.slow_down, self.peer) {
            self.inner.attempts.signed_in(peer, address, now);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use Guess::{Code, Mail, Web};

    const ADA: &str = "ada@example.test";

    fn address(number: u32) -> IpAddr {
        IpAddr::V4((0xc612_0000 + number).into())
    }

    fn peer(number: u32) -> Option<IpAddr> {
        Some(address(number))
    }

    #[test]
    fn pauses_begin_after_five_and_double() {
        let attempts = Attempts::default();
        for _ in 0..5 {
            assert_eq!(attempts.wait(Web, peer(1), ADA, 0), None);
            attempts.failed(Web, peer(1), ADA, 0);
        }
        assert_eq!(
            attempts.wait(Web, peer(1), " ADA@example.test", 0),
            Some(1000)
        );
        assert_eq!(attempts.wait(Web, peer(1), ADA, 1000), None);
        attempts.failed(Web, peer(1), ADA, 1000);
        assert_eq!(attempts.wait(Web, peer(1), ADA, 1000), Some(2000));
        attempts.failed(Web, peer(9), "\u{212A}im@example.test", 0);
        attempts.passed(Web, peer(9), "KIM@example.test");
        assert!(
            attempts.tables().pairs.entries.len() == 1,
            "a name has one spelling"
        );
        for _ in 0..100 {
            attempts.failed(Web, peer(1), ADA, 1000);
        }
        assert_eq!(attempts.wait(Web, peer(1), ADA, 1000), Some(15 * MINUTE));
        attempts.passed(Web, peer(1), ADA);
        attempts.signed_in(address(1), ADA, 1000);
        assert_eq!(attempts.wait(Web, peer(1), ADA, 1000), None);
    }

    #[test]
    fn a_day_later_all_is_forgiven() {
        let attempts = Attempts::default();
        for second in 0..100 {
            attempts.failed(Web, peer(1), ADA, second * 1000);
        }
        let later = 24 * 60 * MINUTE;
        for _ in 0..5 {
            assert_eq!(attempts.wait(Web, peer(1), ADA, later), None);
            attempts.failed(Web, peer(1), ADA, later);
        }
    }

    #[test]
    fn one_network_at_many_accounts() {
        let attempts = Attempts::default();
        let user = |number: u32| format!("user{number}@example.test");
        for number in 0..50 {
            assert_eq!(attempts.wait(Web, peer(1), &user(number), 0), None);
            attempts.failed(Web, peer(1), &user(number), 0);
        }
        assert_eq!(attempts.wait(Web, peer(1), &user(99), 0), Some(1000));
        assert_eq!(attempts.wait(Web, peer(2), &user(99), 0), None);
        // As fast as it may for an hour: about one a minute.
        let (mut tried, mut now) = (0, 0);
        while now < 60 * MINUTE {
            match attempts.wait(Web, peer(1), &user(1000 + tried), now) {
                Some(wait) => now += wait,
                None => {
                    attempts.failed(Web, peer(1), &user(1000 + tried), now);
                    tried += 1;
                }
            }
        }
        assert!((30..80).contains(&tried), "{tried} guesses in an hour");
        // A household has a /64, and an IPv4 address inside IPv6 is itself.
        let of = |text: &str| text.parse().ok();
        for host in 0..50 {
            let text = format!("2001:db8:1:2::{host:x}");
            attempts.failed(Web, of(&text), &user(host), 0);
        }
        assert!(
            attempts
                .wait(Web, of("2001:db8:1:2:ffff::1"), ADA, 0)
                .is_some()
        );
        assert!(attempts.wait(Web, of("2001:db8:1:3::1"), ADA, 0).is_none());
        assert!(
            attempts
                .wait(Web, of("::ffff:198.18.0.1"), ADA, 0)
                .is_some()
        );
    }

    #[test]
    fn many_networks_at_one_account_do_not_lock_its_owner_out() {
        let attempts = Attempts::default();
        attempts.signed_in(address(7), " ADA@example.test", 0);
        for number in 1000..1100 {
            assert_eq!(attempts.wait(Web, peer(number), ADA, 0), None);
            attempts.failed(Web, peer(number), ADA, 0);
        }
        assert!(attempts.wait(Web, peer(2000), ADA, 0).is_some());
        for number in 1100..9000 {
            attempts.failed(Web, peer(number), ADA, 0);
        }
        let longest = attempts.wait(Web, peer(2001), ADA, 0);
        assert_eq!(longest, Some(MINUTE), "a new place waits a minute at most");
        assert_eq!(
            attempts.wait(Web, peer(7), ADA, 0),
            None,
            "where Ada was before"
        );
        for _ in 0..5 {
            attempts.failed(Web, peer(7), ADA, 0);
        }
        assert_eq!(
            attempts.wait(Web, peer(7), ADA, 0),
            Some(1000),
            "the pair counts"
        );
        let other = "bob@example.test";
        assert_eq!(attempts.wait(Web, peer(2001), other, 0), None);
        // A month later the place is any place.
        attempts.signed_in(address(8), ADA, 0);
        for number in 0..200 {
            attempts.failed(Web, peer(20_000 + number), ADA, KNOWN_MS);
        }
        assert!(attempts.wait(Web, peer(8), ADA, KNOWN_MS).is_some());
    }

    #[test]
    fn what_is_guessed_is_counted_apart() {
        let attempts = Attempts::default();
        for number in 0..200 {
            attempts.failed(Web, peer(1), ADA, 0);
            attempts.failed(Web, peer(number), ADA, 0);
        }
        assert!(attempts.wait(Web, peer(1), ADA, 0).is_some());
        assert_eq!(attempts.wait(Mail, peer(1), ADA, 0), None);
        assert_eq!(attempts.wait(Mail, peer(500), ADA, 0), None);
        for number in 0..200 {
            attempts.failed(Code, peer(number), "a code", 0);
            attempts.failed(Code, peer(1), &number.to_string(), 0);
        }
        assert_eq!(attempts.wait(Code, peer(900), "a code", 0), None);
        assert_eq!(attempts.wait(Code, peer(1), "another", 0), None);
    }

    /// How many guesses somebody makes who waits as told, from so many networks in turn.
    fn guesses(attempts: &Attempts, networks: u32, until: Millis) -> u32 {
        let (mut made, mut now) = (0, 0);
        while now < until {
            let waits = (1..=networks).map(|number| {
                let wait = attempts.wait(Guess::Phone, peer(number), ADA, now);
                (wait.unwrap_or_default(), number)
            });
            match waits.min() {
                Some((0, number)) => {
                    attempts.failed(Guess::Phone, peer(number), ADA, now);
                    made += 1;
                }
                Some((wait, _)) => now += wait,
                None => break,
            }
        }
        made
    }

    #[test]
    fn one_time_codes_are_hopeless_to_guess() {
        const DAY: Millis = 24 * 60 * MINUTE;
        let attempts = Attempts::default();
        let month = guesses(&attempts, 100, 30 * DAY);
        assert!((700..=62 + 720).contains(&month), "{month}");
        let attempts = Attempts::default();
        attempts.signed_in(address(1), ADA, 0);
        let month = guesses(&attempts, 1, 30 * DAY);
        assert!((300..=18 + 360).contains(&month), "{month}");
        // Two networks alone do not use up what all have together; whoever comes from a third is let try.
        for networks in [1, 2] {
            let attempts = Attempts::default();
            guesses(&attempts, networks, 30 * DAY);
            let other = attempts.wait(Guess::Phone, peer(99), ADA, 30 * DAY);
            assert_eq!(other, None, "{networks}");
        }
        assert_eq!(attempts.wait(Guess::Recovery, peer(1), ADA, 0), None);
    }

    #[test]
    fn a_flood_costs_little_memory_and_no_count() {
        let attempts = Attempts::default();
        for _ in 0..150 {
            attempts.failed(Web, peer(1), ADA, 0);
        }
        for number in 0..60_000_u32 {
            let user = format!("{number}@{}", "x".repeat(200));
            attempts.failed(Web, peer(2 + number), &user, 1000);
            attempts.passed(Web, peer(2 + number), &user);
            attempts.signed_in(address(2 + number), &user, 1000 + i64::from(number));
            attempts.failed(Guess::Phone, peer(2 + number), &user, 1000);
            attempts.failed(Web, peer(2 + number), &user, 1000);
        }
        let tables = attempts.tables();
        let five = [
            &tables.pairs,
            &tables.networks,
            &tables.accounts,
            &tables.phone_pairs,
            &tables.phone_accounts,
        ];
        let places: usize = five.iter().map(|table| table.entries.capacity()).sum();
        let known = attempts.known();
        let octets = (places + known.capacity()) * (size_of::<(u64, Failures)>() + 1);
        assert!(five.iter().all(|table| table.entries.len() <= table.max));
        assert!(known.len() <= ENTRIES_MAX);
        drop(known);
        assert!(octets < 4 << 20, "{octets} octets");
        drop(tables);
        assert_eq!(
            attempts.wait(Web, peer(1), ADA, 1000),
            Some(15 * MINUTE - 1000)
        );
        let elsewhere = attempts.wait(Web, peer(1 << 20), ADA, 1000);
        assert_eq!(elsewhere, Some(MINUTE - 1000), "the attack is remembered");
    }
}
