//! What is known of a provider: metadata and keys, fetched when first needed, kept for a while when it cannot be reached.
//! A key nobody has seen yet is asked for at once, but not at every stranger's word.

use super::documents::{Metadata, ProviderKeys};
use super::jwt::Header;
use super::{Done, No, Provider, Shows, WhyNot};
use crate::assertion::VerifyKey;
use crate::words::ago;
use pillarbox_store::mail::Millis;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Younger than this it is not asked for again, in milliseconds.
const FRESH_MS: Millis = 3600 * 1000;
/// When the provider cannot be reached, what is known counts for so long, in milliseconds: a day. A key that was withdrawn
/// meanwhile is believed no longer than that.
const KEPT_MS: Millis = 24 * 3600 * 1000;
/// After a failure the next attempt waits so long, in milliseconds.
const RETRY_MS: Millis = 5 * 1000;
/// Unknown keys are asked for no oftener than this, in milliseconds.
const UNKNOWN_KEY_MS: Millis = 10 * 1000;

/// See the module.
#[derive(Default)]
pub(super) struct Known {
    state: Mutex<State>,
    /// Held while fetching, so that one fetch serves all who wait.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    documents: Option<Arc<Documents>>,
    fetched: Millis,
    failed: Option<(Millis, String)>,
    asked_for_key: Option<Millis>,
}

/// One state of what a provider publishes.
pub(super) struct Documents {
    pub metadata: Metadata,
    keys: ProviderKeys,
}

/// Whether `since` is less than `span` ago. A clock that was set back makes nothing young.
fn within(since: Millis, span: Millis, now: Millis) -> bool {
    (0..span).contains(&now.saturating_sub(since))
}

impl Known {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self, now: Millis) -> Option<Arc<Documents>> {
        let state = self.state();
        let fresh = within(state.fetched, FRESH_MS, now);
        state.documents.clone().filter(|_| fresh)
    }

    fn kept(&self, now: Millis) -> Option<Arc<Documents>> {
        let state = self.state();
        let kept = now.saturating_sub(state.fetched) < KEPT_MS;
        state.documents.clone().filter(|_| kept)
    }

    fn failed_lately(&self, now: Millis) -> Option<String> {
        let state = self.state();
        let (when, cause) = state.failed.as_ref()?;
        within(*when, RETRY_MS, now).then(|| cause.clone())
    }
}

impl Provider {
    /// When it last answered, and why not if it did not the last time.
    pub(super) fn last(&self) -> (Option<Millis>, Option<String>) {
        let state = self.known.state();
        let fetched = state.documents.is_some().then_some(state.fetched);
        (
            fetched,
            state.failed.as_ref().map(|(_, cause)| cause.clone()),
        )
    }

    /// What it publishes.
    pub(super) async fn documents(&self, now: Millis) -> Done<Arc<Documents>> {
        if let Some(fresh) = self.known.fresh(now) {
            return Ok(fresh);
        }
        let kept = self.known.kept(now);
        let _fetching = match &kept {
            // Somebody else is asking already, or there was no answer just now: the old will do.
            Some(kept) => match self.known.fetching.try_lock() {
                Ok(lock) if self.known.failed_lately(now).is_none() => lock,
                _ => return Ok(Arc::clone(kept)),
            },
            None => self.known.fetching.lock().await,
        };
        if let Some(fresh) = self.known.fresh(now) {
            return Ok(fresh);
        }
        match self.refresh(now).await {
            Ok(fresh) => Ok(fresh),
            Err(no) => match kept {
                Some(kept) => {
                    tracing::warn!(
                        cause = no.cause,
                        "external provider: going on with what is known"
                    );
                    Ok(kept)
                }
                None => Err(no),
            },
        }
    }

    /// The key a token of its names.
    pub(super) async fn key(&self, header: &Header, now: Millis) -> Done<VerifyKey> {
        let documents = self.documents(now).await?;
        if let Some(key) = documents.keys.find(header) {
            return Ok(key.clone());
        }
        let _fetching = self.known.fetching.lock().await;
        // Whoever had the lock before may have brought it.
        let newer = self.known.kept(now).unwrap_or(documents);
        if let Some(key) = newer.keys.find(header) {
            return Ok(key.clone());
        }
        let label = &self.config.label;
        let unknown = |asked: Millis| {
            let when = ago(now.saturating_sub(asked));
            No::refused(format!(
                "the token names a key that {label} does not publish (asked {when})"
            ))
        };
        let asked = self.known.state().asked_for_key;
        if let Some(asked) = asked.filter(|asked| within(*asked, UNKNOWN_KEY_MS, now)) {
            return Err(unknown(asked));
        }
        self.known.state().asked_for_key = Some(now);
        let fresh = self.refresh(now).await?;
        fresh.keys.find(header).cloned().ok_or_else(|| unknown(now))
    }

    /// Fetches everything anew; the lock is held by the caller.
    async fn refresh(&self, now: Millis) -> Done<Arc<Documents>> {
        if let Some(cause) = self.known.failed_lately(now) {
            return Err(No::new(WhyNot::Unreachable, cause));
        }
        match self.fetch_all().await {
            Ok(documents) => {
                let documents = Arc::new(documents);
                let mut state = self.known.state();
                (state.documents, state.fetched) = (Some(Arc::clone(&documents)), now);
                state.failed = None;
                Ok(documents)
            }
            Err(no) => {
                self.known.state().failed = Some((now, no.cause.clone()));
                Err(no)
            }
        }
    }

    async fn fetch_all(&self) -> Done<Documents> {
        let config = &self.config;
        let metadata = self.read(&Metadata::address(&config.issuer)).await?;
        let metadata = Metadata::read(&metadata, config)?;
        let keys = self.read(&metadata.jwks).await?;
        let keys = ProviderKeys::read(&keys, &config.label)?;
        Ok(Documents { metadata, keys })
    }

    async fn read(&self, address: &str) -> Done<serde_json::Value> {
        match self.ask(address, None, Shows::Nothing).await? {
            (true, document) => Ok(document),
            (false, _) => {
                let cause = format!("{}: {address} is answered with an error", self.config.label);
                Err(No::new(WhyNot::Unreachable, cause))
            }
        }
    }
}
