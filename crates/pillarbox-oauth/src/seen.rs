//! What is good once and was used: the `jti`s of assertions (RFC 7523 §3) and of proofs of possession (RFC 9449 §11.1), until
//! what bore them ends. In memory: after a restart each might be used once more.
//!
//! Nobody fills it for others. Each use is somebody's, each has a share, and whoever has filled theirs is refused until the
//! first of its own end. If all together fill it, whoever holds the most makes way: a tenth of those uses is forgotten, those
//! that end first. They might then be good a second time; those of nobody else.
//!
//! Deliberately absent: what was used. A hash of fixed size is kept, so long names take no more room (RFC 9449 §11.1).

use crate::opaque;
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Uses of clients that administrators know.
pub(crate) const OF_CLIENTS: Bounds = Bounds {
    all: 50_000,
    of_one: 20_000,
};
/// Uses of clients that registered themselves: theirs never take the room of those that administrators know.
pub(crate) const OF_STRANGERS: Bounds = Bounds {
    all: 20_000,
    of_one: 5_000,
};
/// Uses of proofs, each kept for ten minutes at most.
pub(crate) const OF_PROOFS: Bounds = Bounds {
    all: 50_000,
    of_one: 10_000,
};

/// Most uses remembered; under 150 octets each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    all: usize,
    of_one: usize,
}

/// Why something is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotGood {
    /// It was used.
    Used,
    /// Its holder has filled its share.
    ShareIsFull,
    /// All is full, and nobody holds more than its holder.
    Full,
}

type Use = [u8; 16];
type Holder = u64;

/// One memory.
pub(crate) struct Seen {
    bounds: Bounds,
    hasher: RandomState,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    uses: HashMap<Use, Holder>,
    /// Ends, in Unix seconds.
    by_end: BTreeSet<(i64, Use)>,
    shares: HashMap<Holder, usize>,
}

impl Seen {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            hasher: RandomState::new(),
            kept: Mutex::default(),
        }
    }

    /// Before each run of a fuzz target, so that none depends on those before.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn forget(&self) {
        *self.kept() = Kept::default();
    }

    /// Remembers a first use until `ends`: `jti` is the name of one thing among those `of` somebody, and the use is its
    /// `holder`'s. Times are Unix seconds.
    pub(crate) fn first(
        &self,
        holder: &str,
        (of, jti): (&str, &str),
        ends: i64,
        now: i64,
    ) -> Result<(), NotGood> {
        let holder = self.hasher.hash_one(holder);
        let mut one = Use::default();
        // The length says where the one ends and the other begins.
        let hash = opaque::hash(&format!("{} {of}{jti}", of.len()));
        one.copy_from_slice(&hash[..16]);
        let mut kept = self.kept();
        kept.forget_ended(now);
        if kept.uses.contains_key(&one) {
            return Err(NotGood::Used);
        }
        if kept.share(holder) >= self.bounds.of_one {
            return Err(NotGood::ShareIsFull);
        }
        if kept.uses.len() >= self.bounds.all && !kept.make_room(holder) {
            return Err(NotGood::Full);
        }
        kept.uses.insert(one, holder);
        kept.by_end.insert((ends, one));
        *kept.shares.entry(holder).or_default() += 1;
        Ok(())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn share(&self, holder: Holder) -> usize {
        self.shares.get(&holder).copied().unwrap_or_default()
    }

    fn forget_ended(&mut self, now: i64) {
        while let Some(first) = self.by_end.first().copied()
            && first.0 <= now
        {
            self.forget_one(first);
        }
    }

    fn forget_one(&mut self, one: (i64, Use)) {
        self.by_end.remove(&one);
        let Some(holder) = self.uses.remove(&one.1) else {
            return;
        };
        if let Some(share) = self.shares.get_mut(&holder) {
            *share -= 1;
            if *share == 0 {
                self.shares.remove(&holder);
            }
        }
    }

    /// Takes from whoever holds the most; false if that is who asks. A tenth at once, so that it is seldom that all is
    /// looked through.
    fn make_room(&mut self, asks: Holder) -> bool {
        let most = self.shares.iter().max_by_key(|(_, share)| **share);
        let Some((holder, share)) = most.map(|(holder, share)| (*holder, *share)) else {
            return false;
        };
        if self.share(asks) >= share {
            return false;
        }
        let theirs = |(_, one): &&(i64, Use)| self.uses.get(one) == Some(&holder);
        let theirs = self.by_end.iter().filter(theirs);
        let going: Vec<_> = theirs.take(share.div_ceil(10)).copied().collect();
        for one in going {
            self.forget_one(one);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use NotGood::{Full, ShareIsFull, Used};

    const BOUNDS: Bounds = Bounds {
        all: 50,
        of_one: 20,
    };

    fn fill(seen: &Seen, holder: &str, many: usize, ends: i64) {
        for number in 0..many {
            let (name, jti) = (format!("{ends}"), number.to_string());
            assert_eq!(seen.first(holder, (&name, &jti), ends, 0), Ok(()));
        }
    }

    #[test]
    fn what_was_used_is_not_good_until_it_ends() {
        let seen = Seen::new(BOUNDS);
        assert_eq!(seen.first("a", ("a", "1"), 100, 0), Ok(()));
        assert_eq!(seen.first("a", ("a", "1"), 100, 99), Err(Used));
        assert_eq!(
            seen.first("b", ("a", "1"), 100, 99),
            Err(Used),
            "whoever shows it"
        );
        assert_eq!(
            seen.first("b", ("b", "1"), 100, 99),
            Ok(()),
            "another's name"
        );
        assert_eq!(seen.first("b", ("a1", ""), 100, 99), Ok(()), "no mix-up");
        assert_eq!(seen.first("a", ("a", "1"), 200, 100), Ok(()), "it is over");
        let kept = seen.kept();
        assert_eq!((kept.uses.len(), kept.by_end.len()), (1, 1));
        assert_eq!(kept.shares.values().sum::<usize>(), 1);
    }

    #[test]
    fn who_fills_a_share_is_refused_alone() {
        let seen = Seen::new(BOUNDS);
        fill(&seen, "greedy", 20, 100);
        assert_eq!(
            seen.first("greedy", ("g", "new"), 100, 99),
            Err(ShareIsFull)
        );
        assert_eq!(seen.first("other", ("o", "new"), 100, 99), Ok(()));
        assert_eq!(
            seen.first("greedy", ("100", "7"), 100, 99),
            Err(Used),
            "nothing is forgotten"
        );
        assert_eq!(
            seen.first("greedy", ("g", "new"), 200, 100),
            Ok(()),
            "its own have ended"
        );
    }

    #[test]
    fn when_all_is_full_who_holds_the_most_makes_way() {
        let seen = Seen::new(BOUNDS);
        fill(&seen, "small", 11, 70);
        fill(&seen, "greedy", 20, 80);
        fill(&seen, "other", 19, 90);
        assert_eq!(seen.first("greedy", ("g", "new"), 100, 0), Err(ShareIsFull));
        assert_eq!(seen.first("small", ("s", "new"), 100, 0), Ok(()));
        assert_eq!(
            seen.first("new", ("n", "new"), 100, 0),
            Ok(()),
            "of two places one is left"
        );
        for number in 0..11 {
            let jti = number.to_string();
            assert_eq!(
                seen.first("small", ("70", &jti), 70, 0),
                Err(Used),
                "nothing of the small"
            );
        }
        assert_eq!(
            seen.first("other", ("o", "new"), 100, 0),
            Err(Full),
            "it holds the most now"
        );
        assert_eq!(seen.kept().uses.len(), 50);
        assert_eq!(seen.first("new", ("n", "2"), 100, 0), Ok(()));
        assert!(seen.kept().uses.len() <= 50);
    }
}
