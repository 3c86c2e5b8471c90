//! Who waits for news of which account, in this process.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use super::{AccountKey, Version};

/// Channels nobody listens to are swept out when there are this many more than after the last sweep.
const SWEEP_EVERY: usize = 1024;

#[derive(Default)]
pub(crate) struct Watchers(Mutex<Channels>);

#[derive(Default)]
struct Channels {
    senders: HashMap<AccountKey, watch::Sender<Version>>,
    after_sweep: usize,
}

impl Watchers {
    pub(crate) fn subscribe(&self, account: &AccountKey) -> watch::Receiver<Version> {
        let mut channels = self.lock();
        if channels.senders.len() >= channels.after_sweep + SWEEP_EVERY {
            channels.senders.retain(|_, sender| !sender.is_closed());
            channels.after_sweep = channels.senders.len();
        }
        channels
            .senders
            .entry(account.clone())
            .or_insert_with(|| watch::Sender::new(0))
            .subscribe()
    }

    /// Tells those who wait, unless they know of a newer version already.
    pub(crate) fn announce(&self, account: &AccountKey, version: Version) {
        let channels = self.lock();
        if let Some(sender) = channels.senders.get(account) {
            sender.send_if_modified(|known| {
                let newer = version > *known;
                *known = version.max(*known);
                newer
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Channels> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    #[test]
    fn channels_without_listeners_are_swept_out() {
        let watchers = Watchers::default();
        let kept = watchers.subscribe(&AccountKey::new(&b"kept"[..]).unwrap());
        for n in 0..3 * SWEEP_EVERY {
            let key = AccountKey::new(n.to_be_bytes().to_vec()).unwrap();
            drop(watchers.subscribe(&key));
        }
        assert!(watchers.lock().senders.len() <= SWEEP_EVERY + 1);
        watchers.announce(&AccountKey::new(&b"kept"[..]).unwrap(), 7);
        watchers.announce(&AccountKey::new(&b"kept"[..]).unwrap(), 5);
        assert_eq!(*kept.borrow(), 7);
    }
}
