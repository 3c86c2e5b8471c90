//! The captured outbox: mail for elsewhere that a development server keeps instead of sending. Its messages lie in the
//! inbox of an account of its own, where any mail program can read them; who they were for is a row beside each.

use crate::{Delivery, Refused};
use bytes::Bytes;
use pillarbox_store::mail::{MessageId, NewMessage, Role, StoreError};

/// Rows of this floor begin with it.
const ENVELOPE: u8 = b'd';

/// One message that was kept instead of sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// In the outbox's account.
    pub message: MessageId,
    /// The envelope's sender; empty for reports.
    pub sender: String,
    /// Who it was for.
    pub recipients: Vec<String>,
}

impl Delivery {
    /// What the outbox holds, oldest first, at most `limit`.
    ///
    /// # Errors
    /// Whatever the store says.
    pub async fn captured(&self, limit: usize) -> Result<Vec<Captured>, StoreError> {
        let Some(account) = &self.0.outbox else {
            return Ok(Vec::new());
        };
        let rows = self
            .0
            .store
            .account(account)
            .scan(&[ENVELOPE], limit)
            .await?;
        rows.iter()
            .map(|(key, value)| decode(key, value).ok_or(StoreError::Corrupt("captured envelope")))
            .collect()
    }

    pub(crate) async fn capture(
        &self,
        sender: &str,
        recipients: Vec<String>,
        message: NewMessage,
        dedup: [u8; 32],
    ) -> Result<(), Refused> {
        let Some(account) = &self.0.outbox else {
            return Err(Refused::NoOutgoing);
        };
        let account = self.0.store.account(account);
        let kept = account
            .deliver(&[Role::Inbox], message, Some(dedup))
            .await?;
        let key = key(kept.message);
        let mut lines = vec![sender.to_owned()];
        lines.extend(recipients);
        let value = Bytes::from(lines.join("\n")); // an address has no control characters
        let prefix = key.clone();
        account
            .update(&[&prefix], move |rows| -> Result<(), StoreError> {
                rows.put(&key, value.clone());
                Ok(())
            })
            .await?;
        Ok(())
    }
}

fn key(message: MessageId) -> Vec<u8> {
    let mut key = vec![ENVELOPE];
    key.extend_from_slice(&message.0.to_be_bytes());
    key
}

fn decode(key: &[u8], value: &[u8]) -> Option<Captured> {
    let id: [u8; 8] = key.get(1..)?.try_into().ok()?;
    let mut lines = std::str::from_utf8(value)
        .ok()?
        .split('\n')
        .map(str::to_owned);
    Some(Captured {
        message: MessageId(u64::from_be_bytes(id)),
        sender: lines.next()?,
        recipients: lines.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_row_is_read_back() {
        let want = Captured {
            message: MessageId(7 << 20),
            sender: String::new(),
            recipients: vec!["a@b".into(), "c@d".into()],
        };
        assert_eq!(decode(&key(want.message), b"\na@b\nc@d"), Some(want));
    }
}
