//! The trail of the server: what administrators and their programs changed that is no single person's affair, such as which
//! programs there are. Kept as a person's trail is ([`crate::Activity`]), in an account of the system. What strangers' programs do to
//! themselves, where they may register themselves, pushes nothing out of it.

use crate::{Act, Activity, Identity, Result};
use pillarbox_store::mail::{AccountId, Millis};

/// The system account of the trail.
const ACCOUNT: &str = "oauth/changes";

impl Identity {
    /// Records a change of the server itself. Never waits.
    pub fn record_change(&self, act: Act) {
        self.push(&AccountId(ACCOUNT.into()), act);
    }

    /// What was changed lately, newest first; what waits to be written is among it.
    ///
    /// # Errors
    /// [`crate::IdentityError::Store`].
    pub async fn changes(&self, limit: usize, now: Millis) -> Result<Vec<Activity>> {
        let server = AccountId(ACCOUNT.into());
        self.trail_of_server(&server, limit, now).await
    }
}
