//! RENAME (RFC 3501 §6.3.5).

use super::create::duplicate;
use super::desk::Signed;
use super::refuse::Refused;
use super::task::{Worked, success};
use pillarbox_store::mail::{Millis, StoreError};
use pillarbox_wire::imap::Mailbox;

/// Renames a mailbox and those below it.
pub async fn run(
    from: &Mailbox,
    to: &Mailbox,
    signed: &Signed,
    now: Millis,
) -> Result<Worked, Refused> {
    if to.as_str().starts_with('\\') {
        return Err(Refused::no("CANNOT", "Invalid folder name (Failure)"));
    }
    match signed.account.rename(from.as_str(), to.as_str(), now).await {
        Ok(()) => success(),
        Err(StoreError::NoSuchMailbox) => Err(Refused::unknown_mailbox(from.as_str())),
        Err(StoreError::MailboxExists) => Err(duplicate(to)),
        Err(fault) => Err(fault.into()),
    }
}
