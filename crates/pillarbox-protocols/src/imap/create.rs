//! CREATE (RFC 3501 §6.3.3): makes a label.

use super::desk::Signed;
use super::refuse::{Refused, printable};
use super::task::{Worked, success};
use pillarbox_store::mail::{Millis, StoreError};
use pillarbox_wire::imap::{Mailbox, SpecialUse};

/// Makes it. Every special use is taken by a system mailbox already (RFC 6154 §3).
pub async fn run(
    mailbox: &Mailbox,
    uses: &[SpecialUse],
    signed: &Signed,
    now: Millis,
) -> Result<Worked, Refused> {
    if !uses.is_empty() {
        return Err(Refused::no("USEATTR", "Special use is taken (Failure)"));
    }
    // wire §3.7: names that begin with a backslash would be read as system labels.
    if mailbox.as_str().starts_with('\\') {
        return Err(Refused::no("CANNOT", "Invalid folder name (Failure)"));
    }
    match signed.account.create(mailbox.as_str(), None, now).await {
        Ok(_) => success(),
        Err(StoreError::MailboxExists) => Err(duplicate(mailbox)),
        Err(fault) => Err(fault.into()),
    }
}

/// The name is taken (wire §3.4).
pub fn duplicate(mailbox: &Mailbox) -> Refused {
    Refused::no(
        "ALREADYEXISTS",
        format!(
            "Duplicate folder name {} (Failure)",
            printable(mailbox.as_str())
        ),
    )
}
