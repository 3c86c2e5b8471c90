//! What a development server remembers of the access tokens it gave, so that whoever moves its clock hears how many tokens
//! that ended. Nothing is decided by it: tokens are checked by their signature, their time and their grant.
//!
//! In memory and bounded; a real server remembers none. Deliberately not here: refresh tokens, which end by not being used,
//! and tokens of runs before this one.

use crate::Identity;
use crate::access::Claims;
use pillarbox_store::mail::{AccountId, Millis};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Most access tokens remembered; the oldest are forgotten.
const REMEMBERED_MAX: usize = 10_000;

/// One access token: what it says, never its text.
#[derive(Clone)]
struct Given {
    account: AccountId,
    grant: Box<str>,
    client: Box<str>,
    ends: Millis,
    /// How often keys had been withdrawn when it was signed.
    keys: u64,
}

/// The latest tokens; None where they are not remembered.
pub(crate) struct Issued(Option<Mutex<VecDeque<Given>>>);

impl Issued {
    pub(crate) fn new(remember: bool) -> Self {
        Self(remember.then(Mutex::default))
    }

    /// Remembers a token that was just signed.
    pub(crate) fn note(&self, claims: &Claims, keys: u64) {
        let Some(all) = &self.0 else { return };
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED_MAX {
            all.pop_front();
        }
        all.push_back(Given {
            account: AccountId(claims.sub.as_str().into()),
            grant: claims.gid.as_str().into(),
            client: claims.client_id.as_str().into(),
            ends: claims.exp.saturating_mul(1000),
            keys,
        });
    }

    /// Those that were in time at `from` and no longer are at `to`.
    fn between(&self, from: Millis, to: Millis) -> Vec<Given> {
        let Some(all) = &self.0 else {
            return Vec::new();
        };
        let all = all.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = |one: &&Given| from < one.ends && one.ends <= to;
        all.iter().filter(ended).cloned().collect()
    }
}

impl Identity {
    /// How many access tokens expired between two moments: of the latest 10,000 that this run of a development server
    /// issued, those that were good at `from` and, for their age alone, are not at `to`. Tokens whose grant or
    /// key was withdrawn, whose account is gone or whose program is no longer registered were over before; refresh tokens are not counted. A real
    /// server answers 0.
    pub async fn expired_between(&self, from: Millis, to: Millis) -> usize {
        let mut expired = 0;
        let keys = *self.inner.keys.withdrawn().borrow();
        for one in self.inner.issued.between(from, to) {
            if one.keys == keys
                && self.client(&one.client).is_some()
                && let Ok(standing) = self.standing(&one.account).await
                && self
                    .grant_lives(&one.account, &standing, &one.grant, from)
                    .await
                    .is_ok()
            {
                expired += 1;
            }
        }
        expired
    }
}
