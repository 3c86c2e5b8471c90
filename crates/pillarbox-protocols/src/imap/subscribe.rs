//! SUBSCRIBE and UNSUBSCRIBE (RFC 3501 §6.3.6, §6.3.7).

use super::desk::Signed;
use super::refuse::Refused;
use super::task::{Worked, success};
use pillarbox_store::mail::StoreError;
use pillarbox_wire::imap::Mailbox;

/// Sets or clears the mark.
pub async fn run(mailbox: &Mailbox, on: bool, signed: &Signed) -> Result<Worked, Refused> {
    match signed.account.subscribe(mailbox.as_str(), on).await {
        Ok(()) => success(),
        Err(StoreError::NoSuchMailbox) => Err(Refused::unknown_mailbox(mailbox.as_str())),
        Err(fault) => Err(fault.into()),
    }
}
