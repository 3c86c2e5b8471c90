//! One account as its users see it: a cheap handle. What can be done with it stands in the files named for it; here are the
//! account's own things.

use std::sync::Arc;

use tokio::sync::watch;

use super::{AccountId, Change, MailboxId, Settings, StoreError, Uid, Version, writer::Shared};

type Result<T> = std::result::Result<T, StoreError>;

/// A handle on one account. Cheap to clone; handles of the same [`Store`](super::Store) share one writer.
///
/// Every method that changes something answers after the change is durable. A dropped future may or may not have taken
/// effect. Every method may fail with [`StoreError::NoSuchAccount`], [`StoreError::Unavailable`] and
/// [`StoreError::Corrupt`]; only further errors are listed.
#[derive(Clone)]
pub struct Account {
    pub(super) shared: Arc<Shared>,
}

impl Account {
    /// Who it is.
    #[must_use]
    pub fn id(&self) -> &AccountId {
        &self.shared.id
    }

    /// Its primary address.
    ///
    /// # Errors
    /// Only those of every method.
    pub async fn address(&self) -> Result<Arc<str>> {
        Ok(self.shared.head().await?.address.clone())
    }

    /// The newest version: changes with every durable change, of mail or not. Versions may be skipped.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Version> {
        self.shared.watch()
    }

    /// The newest version.
    ///
    /// # Errors
    /// Only those of every method.
    pub async fn version(&self) -> Result<Version> {
        if self.shared.id.0.contains('/') {
            // A system account has no head.
            let newest = *self.shared.watch().borrow();
            return Ok(self.shared.reload(newest).await?.0);
        }
        Ok(self.shared.head().await?.version)
    }

    /// The account's settings.
    ///
    /// # Errors
    /// Only those of every method.
    pub async fn settings(&self) -> Result<Settings> {
        Ok(self.shared.head().await?.settings.clone())
    }

    /// Replaces the settings.
    ///
    /// # Errors
    /// Only those of every method.
    pub async fn set_settings(&self, settings: Settings) -> Result<()> {
        self.shared
            .run(move |txn| {
                let settings = settings.clone();
                Box::pin(async move {
                    if txn.head()?.settings == settings {
                        return Ok(());
                    }
                    let head = txn.head_mut()?;
                    // Another window may show older mail again.
                    head.numbers.pop_from = 0;
                    head.settings = settings;
                    txn.log(Change::Other);
                    Ok(())
                })
            })
            .await?;
        Ok(())
    }

    /// Octets and messages, each message counted once; without tombstones.
    ///
    /// # Errors
    /// Only those of every method.
    pub async fn usage(&self) -> Result<(u64, u64)> {
        let head = self.shared.head().await?;
        Ok((head.numbers.octets, head.numbers.messages))
    }

    /// The keywords ever used in the account, as first spelled: what SELECT's FLAGS lists.
    ///
    /// # Errors
    /// Only those of every method.
    pub async fn keywords(&self) -> Result<Vec<Arc<str>>> {
        let head = self.shared.head().await?;
        Ok(head.keywords.all().to_vec())
    }

    /// The first UID that is recent for this caller (RFC 3501 §2.3.2), who saw UIDs up to `through`: from here on nobody
    /// else is told of them. Remembered at once, made durable by the next commit.
    #[must_use]
    pub fn claim_recent(&self, mailbox: MailboxId, through: Uid) -> Uid {
        self.shared.claim_recent(mailbox, through)
    }
}
