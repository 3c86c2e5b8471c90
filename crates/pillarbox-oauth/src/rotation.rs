//! When signing keys come and go. A new one is announced in the JWKS a day before it signs, so that everybody who keeps the
//! set has it by then; the one before stays in the set, and good, until everything it signed has ended; then it is deleted.
//! Every 90 days, or by command. A key that others may know is withdrawn at once instead: nothing it signed is good any more.
//!
//! The key of our marks stays. Nobody else checks them, and whoever knows that key opens nothing: what bears a mark must also
//! be found by its hash. App passwords and recovery codes are hashed with it, and would all end with it.

use crate::keys::{self, Use, in_order};
use crate::rows::{self, KeyRow, Kind};
use crate::{Act, Deed, Identity, IdentityError, Result};
use pillarbox_store::mail::{Millis, Rows};
use std::sync::Arc;
use tokio::sync::watch;

/// How long others may keep the JWKS (`Cache-Control: max-age`), in seconds.
pub const JWKS_KEPT_S: i64 = 3600;
const DAY_MS: Millis = 24 * 3600 * 1000;
/// How long a key signs, in milliseconds.
const PERIOD_MS: Millis = 90 * DAY_MS;
/// How long it is announced before it signs, in milliseconds.
const ANNOUNCED_MS: Millis = DAY_MS;
/// A set may be a little older than it should be, at whoever keeps it.
const _: () = assert!(ANNOUNCED_MS > 2 * JWKS_KEPT_S * 1000);
/// How much longer a key stays than what it signed, in milliseconds: clocks of others differ.
const SKEW_MS: Millis = 10 * 60 * 1000;

/// What a key does at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// It stands in the JWKS, and signs later.
    Announced,
    /// It signs.
    Signing,
    /// What it signed is good until it ends.
    Replaced,
    /// It makes marks of our own, and is never published.
    Marking,
}

/// One key of this server, as shown to administrators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerKey {
    /// `kid`.
    pub id: Arc<str>,
    /// In the words of JOSE.
    pub algorithm: &'static str,
    /// What it signs, in words.
    pub purpose: &'static str,
    /// What it does.
    pub state: KeyState,
    /// When it was made.
    pub created: Millis,
    /// From when it signs.
    pub signs: Millis,
    /// When it is deleted, if that is known: others have taken over.
    pub ends: Option<Millis>,
}

impl ServerKey {
    /// Whether it signs for longer than it should: the schedule does not run.
    pub fn is_overdue(&self, now: Millis) -> bool {
        let until = self.signs.saturating_add(PERIOD_MS + ANNOUNCED_MS);
        self.state == KeyState::Signing && until < now
    }
}

/// How keys are replaced by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotate {
    /// As on schedule, announced today.
    Announced,
    /// The old ones may have leaked: new ones sign from now on, and what the old ones signed is not good any more.
    AtOnce,
}

/// What became of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyChange {
    /// It was made, and signs from this moment on.
    Made(Arc<str>, &'static str, Millis),
    /// It is gone.
    Deleted(Arc<str>, &'static str),
}

/// What is to be done: keys to make, with the moment from which they sign, and keys to delete.
#[derive(Default)]
struct Plan {
    make: Vec<(Use, Millis)>,
    delete: Vec<(String, Use)>,
    at_once: bool,
}

impl Plan {
    fn is_empty(&self) -> bool {
        self.make.is_empty() && self.delete.is_empty()
    }
}

type Found = [(String, KeyRow)];

fn of(found: &Found, wanted: Use) -> Vec<&(String, KeyRow)> {
    let keys = found.iter();
    keys.filter(|(_, row)| Use::of(row) == Some(wanted))
        .collect()
}

/// When a key goes: what it signed until the next one took over has ended.
fn ends(row: &KeyRow, next: &KeyRow) -> Millis {
    let last = next.signs().saturating_add(row.life);
    last.saturating_add(SKEW_MS)
}

/// What the schedule asks for.
fn due(found: &Found, now: Millis) -> Plan {
    let mut plan = Plan::default();
    for one in Use::SIGNING {
        let keys = of(found, one);
        if let Some((_, newest)) = keys.last() {
            let next = newest.signs().saturating_add(PERIOD_MS);
            if next.saturating_sub(ANNOUNCED_MS) <= now {
                let signs = next.max(now.saturating_add(ANNOUNCED_MS));
                plan.make.push((one, signs));
            }
        }
        let over = keys
            .windows(2)
            .filter(|pair| ends(&pair[0].1, &pair[1].1) <= now)
            .map(|pair| (pair[0].0.clone(), one));
        plan.delete.extend(over);
    }
    plan
}

/// What an administrator asks for. Nothing, where a key is announced already.
fn by_hand(found: &Found, rotate: Rotate, now: Millis) -> Plan {
    let mut plan = Plan {
        at_once: rotate == Rotate::AtOnce,
        ..Plan::default()
    };
    for one in Use::SIGNING {
        let keys = of(found, one);
        match rotate {
            Rotate::Announced => {
                if keys.last().is_none_or(|(_, newest)| newest.signs() <= now) {
                    plan.make.push((one, now.saturating_add(ANNOUNCED_MS)));
                }
            }
            Rotate::AtOnce => {
                plan.make.push((one, now));
                let all = keys.iter().map(|(id, _)| (id.clone(), one));
                plan.delete.extend(all);
            }
        }
    }
    plan
}

impl Identity {
    /// Does what the schedule asks for; to be called now and then. What was done.
    ///
    /// # Errors
    /// [`IdentityError::Store`], [`IdentityError::Broken`].
    pub async fn keep_keys(&self, now: Millis) -> Result<Vec<KeyChange>> {
        self.change_keys(move |found| due(found, now), now).await
    }

    /// Replaces the signing keys by hand. Nothing was done where new ones are announced already.
    ///
    /// # Errors
    /// [`IdentityError::Store`], [`IdentityError::Broken`].
    pub async fn rotate_keys(&self, rotate: Rotate, now: Millis) -> Result<Vec<KeyChange>> {
        let plan = move |found: &Found| by_hand(found, rotate, now);
        let changes = self.change_keys(plan, now).await?;
        if !changes.is_empty() {
            let how = match rotate {
                Rotate::Announced => "new ones are announced",
                Rotate::AtOnce => "at once: the old ones may have leaked",
            };
            self.record_change(Act::new(Deed::KeysReplaced, now).detail(how));
        }
        Ok(changes)
    }

    /// Changes whenever keys were withdrawn before their time, here or at another node: no access token of before is good,
    /// and the sessions they opened are to end.
    pub fn keys_withdrawn(&self) -> watch::Receiver<u64> {
        self.inner.keys.withdrawn()
    }

    /// The keys of this server, those that sign next first.
    ///
    /// # Errors
    /// [`IdentityError::Store`], [`IdentityError::Broken`].
    pub async fn server_keys(&self, now: Millis) -> Result<Vec<ServerKey>> {
        let ring = self.inner.keys.ring().await?;
        let mut all = Vec::new();
        for one in Use::ALL {
            let keys = of(&ring.rows, one);
            let signing = keys.iter().rposition(|(_, row)| row.signs() <= now);
            for (index, (id, row)) in keys.iter().enumerate().rev() {
                let state = match (one, index.cmp(&signing.unwrap_or(0))) {
                    (Use::Mark, _) => KeyState::Marking,
                    (_, std::cmp::Ordering::Less) => KeyState::Replaced,
                    (_, std::cmp::Ordering::Equal) => KeyState::Signing,
                    (_, std::cmp::Ordering::Greater) => KeyState::Announced,
                };
                let next = keys.get(index + 1).filter(|_| one != Use::Mark);
                all.push(ServerKey {
                    id: id.as_str().into(),
                    algorithm: one.algorithm(),
                    purpose: purpose(one),
                    state,
                    created: row.created,
                    signs: row.signs(),
                    ends: next.map(|(_, next)| ends(row, next)),
                });
            }
        }
        Ok(all)
    }

    async fn change_keys(
        &self,
        plan: impl Fn(&Found) -> Plan + Send + 'static,
        now: Millis,
    ) -> Result<Vec<KeyChange>> {
        let inner = &self.inner;
        let asked = plan(&inner.keys.ring().await?.rows);
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let life = crate::grants::millis(inner.config.token_lifetime);
        let mut made = Vec::new();
        for (one, _) in &asked.make {
            let key = keys::new_key(*one, &inner.random, life, now).await?;
            made.push((*one, key));
        }
        let change = move |rows: &mut Rows| {
            // Another node may have done it meanwhile.
            let mut found = Vec::new();
            for (key, value) in rows.scan(&Kind::Key.all()) {
                found.push((rows::id_of(&key), rows::decode::<KeyRow>(&value)?));
            }
            in_order(&mut found);
            let plan = plan(&found);
            let mut changes = Vec::new();
            for (one, signs) in plan.make {
                let Some((_, (id, row))) = made.iter().find(|(made, _)| *made == one) else {
                    continue; // next time
                };
                let row = KeyRow {
                    signs: Some(signs),
                    at_once: plan.at_once,
                    ..row.clone()
                };
                rows::write(rows, &Kind::Key.key(id), &row)?;
                changes.push(KeyChange::Made(id.as_str().into(), purpose(one), signs));
            }
            for (id, one) in plan.delete {
                rows.delete(&Kind::Key.key(&id));
                changes.push(KeyChange::Deleted(id.into(), purpose(one)));
            }
            Ok::<_, IdentityError>(changes)
        };
        let account = inner.keys.account();
        let changes = account.update(&[&Kind::Key.all()], change).await?;
        inner.keys.ring().await?; // whoever waits for withdrawn keys hears of it now
        Ok(changes)
    }
}

fn purpose(one: Use) -> &'static str {
    match one {
        Use::Access => "access tokens",
        Use::Id => "id tokens",
        Use::Mark => "marks of our own",
    }
}
