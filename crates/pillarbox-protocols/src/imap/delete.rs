//! DELETE (RFC 3501 §6.3.4): removes a label; its messages stay in All Mail (wire §3.6).

use super::desk::Signed;
use super::refuse::Refused;
use super::task::{Worked, success};
use pillarbox_store::mail::{Millis, StoreError};
use pillarbox_wire::imap::Mailbox;

/// Removes it.
pub async fn run(mailbox: &Mailbox, signed: &Signed, now: Millis) -> Result<Worked, Refused> {
    match signed.account.delete(mailbox.as_str(), now).await {
        Ok(()) => success(),
        Err(StoreError::NoSuchMailbox) => Err(Refused::no("NONEXISTENT", "Unknown folder.")),
        Err(fault) => Err(fault.into()),
    }
}
