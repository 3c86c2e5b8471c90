//! Who may look after the server on the web: a flag of the person, one row of the account.

use crate::rows::{self, Kind};
use crate::{Act, Deed, Identity, IdentityError, Result};
use pillarbox_store::mail::{AccountId, Millis, Rows};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct RoleRow {
    administrator: bool,
}

impl Identity {
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
