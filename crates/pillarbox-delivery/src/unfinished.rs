//! Messages that some recipients have and the sender believes refused: the next attempt takes up the same id, so that
//! dedup keys made of it are the same. In memory and bounded; see the crate for what that means after a crash.

use pillarbox_store::mail::Millis;
use std::collections::{HashMap, VecDeque};

/// What text and envelope come to.
pub(crate) type Fingerprint = [u8; 32];
/// Names one acceptance; dedup keys are made of it.
pub(crate) type Id = [u8; 16];

pub(crate) struct Unfinished {
    ids: HashMap<Fingerprint, (Id, Millis)>,
    order: VecDeque<(Fingerprint, Millis)>,
    entries_max: usize,
    keep: Millis,
}

impl Unfinished {
    pub fn new(entries_max: usize, keep: Millis) -> Self {
        Self {
            ids: HashMap::new(),
            order: VecDeque::new(),
            entries_max,
            keep,
        }
    }

    /// The id to go on with, if this was tried before. It is forgotten by that: a further failure remembers it again.
    pub fn take(&mut self, what: &Fingerprint, now: Millis) -> Option<Id> {
        let (id, at) = self.ids.remove(what)?;
        (now.saturating_sub(at) <= self.keep).then_some(id)
    }

    /// Remembers a failure. The oldest is forgotten when there are too many.
    pub fn remember(&mut self, what: Fingerprint, id: Id, now: Millis) {
        self.order.push_back((what, now));
        self.ids.insert(what, (id, now));
        // `order` may name an entry that was taken and came back: it goes only with its own time.
        while self.ids.len() > self.entries_max || self.order.len() > 2 * self.entries_max {
            let Some((oldest, at)) = self.order.pop_front() else {
                return;
            };
            if self.ids.get(&oldest).is_some_and(|(_, then)| *then == at) {
                self.ids.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taken_once_forgotten_when_old_or_many() {
        let mut unfinished = Unfinished::new(2, 100);
        unfinished.remember([1; 32], [1; 16], 0);
        assert_eq!(unfinished.take(&[1; 32], 50), Some([1; 16]));
        assert_eq!(unfinished.take(&[1; 32], 50), None);
        unfinished.remember([1; 32], [1; 16], 0);
        assert_eq!(unfinished.take(&[1; 32], 101), None);
        for n in 0..100 {
            unfinished.remember([n; 32], [n; 16], i64::from(n));
        }
        assert!(unfinished.ids.len() <= 2 && unfinished.order.len() <= 4);
        assert_eq!(unfinished.take(&[99; 32], 100), Some([99; 16]));
    }
}
