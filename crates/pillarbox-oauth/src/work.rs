//! How many hashes and rows checks have cost. Whoever asks for an unknown person must cost what a wrong secret costs; clocks cannot
//! show that in a test, counts can.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the start.
#[derive(Default)]
pub(crate) struct Work {
    slow: AtomicU64,
    quick: AtomicU64,
    read: AtomicU64,
}

impl Work {
    /// One Argon2id.
    pub(crate) fn slow(&self) {
        self.slow.fetch_add(1, Ordering::Relaxed);
    }

    /// So many HMACs.
    pub(crate) fn quick(&self, count: u64) {
        self.quick.fetch_add(count, Ordering::Relaxed);
    }

    /// So many rows were read.
    pub(crate) fn read(&self, count: usize) {
        self.read.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Rows read in search of a password.
    #[cfg(test)]
    pub(crate) fn rows(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Slow and quick ones.
    #[cfg(test)]
    pub(crate) fn done(&self) -> (u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (read(&self.slow), read(&self.quick))
    }
}
