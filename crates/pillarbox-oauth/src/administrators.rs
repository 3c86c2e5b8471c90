//! Who may look after the server: on the web a flag of the person, one row of the account; by the administration API a
//! service account with a token of its own.

use crate::rows::{self, Kind};
use crate::server::{ErrorCode, TokenError};
use crate::{Act, Client, Deed, Identity, IdentityError, RefusalKind, Result};
use pillarbox_store::mail::{AccountId, Millis, Rows};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Serialize, Deserialize)]
struct RoleRow {
    administrator: bool,
}

/// Why a token administrates nothing.
#[derive(Clone, Debug)]
pub struct NotAdministrator {
    /// What its holder is told (RFC 6750 §3.1).
    pub error: TokenError,
    /// The true cause, for the log.
    pub cause: String,
}

impl Identity {
    /// The client that administrates with this token, or what the API answers: `invalid_token`, or `insufficient_scope` for
    /// a good token of something else.
    ///
    /// # Errors
    /// [`NotAdministrator`].
    pub async fn administration(
        &self,
        token: &str,
        now: Millis,
    ) -> Result<Arc<Client>, NotAdministrator> {
        let refusal = match self.administrator(token, now).await {
            Ok(client) => return Ok(client),
            Err(refusal) => refusal,
        };
        let (code, text) = match refusal.kind {
            RefusalKind::Temporary => (
                ErrorCode::TemporarilyUnavailable,
                "The server failed. Try again.",
            ),
            _ if self.live_claims(token, now).await.is_ok() => (
                ErrorCode::InsufficientScope,
                "The token is for a mailbox, not for administration: scope pillarbox:admin is needed.",
            ),
            _ => (
                ErrorCode::InvalidToken,
                "The token is not good for administration, or no longer.",
            ),
        };
        Err(NotAdministrator {
            error: TokenError::new(code, text),
            cause: refusal.cause,
        })
    }

    /// Makes a person an administrator, or no longer one.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn set_administrator(
        &self,
        account: &AccountId,
        administrator: bool,
        now: Millis,
    ) -> Result<()> {
        let key = Kind::Role.all();
        let prefix = key.clone();
        let set = move |rows: &mut Rows| {
            if administrator {
                return rows::write(rows, &key, &RoleRow { administrator });
            }
            rows.delete(&key);
            Ok::<_, IdentityError>(())
        };
        self.inner
            .store
            .account(account)
            .update(&[&prefix], set)
            .await?;
        let detail = match administrator {
            true => "became an administrator of this server",
            false => "is no longer an administrator of this server",
        };
        self.record(account, Act::new(Deed::Changed, now).detail(detail));
        Ok(())
    }

    /// Whether a person is an administrator right now. Read anew at every call, so that taking it away works at once.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn is_administrator(&self, account: &AccountId) -> Result<bool> {
        let row = self
            .inner
            .store
            .account(account)
            .get(&Kind::Role.all())
            .await?;
        let row: Option<RoleRow> = row.map(|row| rows::decode(&row)).transpose()?;
        Ok(row.is_some_and(|row| row.administrator))
    }
}
