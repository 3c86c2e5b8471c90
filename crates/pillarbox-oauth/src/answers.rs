//! Answers to refreshes that may have been lost on their way.
//!
//! A refresh token that rotates is good once, and one that comes again means that two hold it (RFC 9700 §4.14.2). But its
//! rightful holder sends it again too, when the connection broke before the answer came, and must not lose the consent for
//! that. So for a minute after it was used first, while nothing of the answer was seen again, a token may be used once more: the
//! successor dies unused, another takes its place. Two holders never both go on: whoever was given the first successor brings
//! it sooner or later, and the family ends then.
//!
//! Which token that is stands in the grant's row, and changes in the commit of the rotation. Whether an access token of such an
//! answer was used is remembered here, in memory: mail sign-ins cost no commit. A restart forgets it, and then only the
//! successor's own use says that the answer came.

use crate::Identity;
use crate::rows::RotatedRow;
use crate::{Secret, opaque};
use pillarbox_store::mail::Millis;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// How long after its first use a refresh token may come again, in milliseconds: longer than a program waits for an answer
/// before it asks anew. Counted from the first use, so repeating does not prolong it.
const AGAIN_MS: u64 = 60_000;
/// How often it may within that time: enough for a bad line, and a bound on the access tokens it gives.
const AGAIN_MAX: u8 = 5;
/// Most grants whose latest answers are remembered. Beyond it they are forgotten, those that are over first.
const REMEMBERED_MAX: usize = 10_000;

impl RotatedRow {
    /// A token that is used for the first time, as its successor takes over.
    pub(crate) fn first(hash: [u8; 32], now: Millis) -> Self {
        Self {
            hash,
            at: now,
            again: 0,
        }
    }

    /// The same token used once more; None if it is another one, or too late or too often.
    pub(crate) fn again(&self, hash: &[u8], now: Millis) -> Option<Self> {
        let may = opaque::same(&self.hash, hash)
            && now.abs_diff(self.at) <= AGAIN_MS
            && self.again < AGAIN_MAX;
        may.then(|| Self {
            again: self.again + 1,
            ..self.clone()
        })
    }
}

/// Access tokens of the latest answers, by their grants.
#[derive(Default)]
pub(crate) struct Answers(Mutex<HashMap<Box<str>, Given>>);

/// What was answered since a refresh token was used first.
struct Given {
    since: Millis,
    /// Hashes of the access tokens.
    tokens: Vec<[u8; 32]>,
    seen: bool,
}

impl Given {
    fn is_over(&self, now: Millis) -> bool {
        now.abs_diff(self.since) > AGAIN_MS
    }
}

impl Answers {
    /// An answer is about to be sent; `again` says that it repeats the one before.
    fn note(&self, grant: &str, token: &str, again: bool, now: Millis) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED_MAX {
            all.retain(|_, given| !given.is_over(now));
        }
        if all.len() >= REMEMBERED_MAX {
            all.clear();
        }
        if !again {
            all.remove(grant);
        }
        let given = all.entry(grant.into()).or_insert_with(|| Given {
            since: now,
            tokens: Vec::new(),
            seen: false,
        });
        given.tokens.push(opaque::hash(token));
    }

    /// An access token opened something: if it came with one of the latest answers, that answer arrived.
    fn used(&self, grant: &str, token: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(given) = all.get_mut(grant) {
            given.seen |= given.tokens.contains(&opaque::hash(token));
        }
    }

    fn seen(&self, grant: &str) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(grant).is_some_and(|given| given.seen)
    }
}

impl Identity {
    /// Notes the access token that goes out with a new refresh token.
    pub(crate) fn note_answer(&self, grant: &str, token: &Secret, again: bool, now: Millis) {
        self.inner.answers.note(grant, token.expose(), again, now);
    }

    /// Notes that an access token opened something.
    pub(crate) fn note_arrival(&self, grant: &str, token: &str) {
        self.inner.answers.used(grant, token);
    }

    /// Whether somebody has what the latest answer to this grant's refresh gave.
    pub(crate) fn has_arrived(&self, grant: &str) -> bool {
        self.inner.answers.seen(grant)
    }
}
