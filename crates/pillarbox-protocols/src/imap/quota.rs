//! GETQUOTA and GETQUOTAROOT (RFC 9208): one quota root, the empty name, over the whole account (wire §3.5).

use super::desk::Signed;
use super::out::Out;
use super::refuse::Refused;
use super::task::{Worked, success};
use pillarbox_wire::imap::Mailbox;

/// `* QUOTA "" (STORAGE used limit)`, in KiB; without a limit the list is empty.
pub async fn get_quota(root: &str, signed: &Signed, out: &mut Out) -> Result<Worked, Refused> {
    if !root.is_empty() {
        return Err(Refused::no("NONEXISTENT", "Unknown quota root (Failure)"));
    }
    quota(signed, out).await?;
    success()
}

/// The root of a mailbox, and its quota.
pub async fn get_quota_root(
    mailbox: &Mailbox,
    signed: &Signed,
    out: &mut Out,
) -> Result<Worked, Refused> {
    let Some(known) = signed.account.mailbox(mailbox.as_str()).await? else {
        return Err(Refused::unknown_mailbox(mailbox.as_str()));
    };
    out.printer(signed.utf8).quota_root_line(&known.name, "");
    quota(signed, out).await?;
    success()
}

async fn quota(signed: &Signed, out: &mut Out) -> Result<(), Refused> {
    let (octets, _) = signed.account.usage().await?;
    let limit = signed.account.settings().await?.quota;
    let storage = limit.map(|limit| ("STORAGE", octets.div_ceil(1024), limit / 1024));
    out.printer(signed.utf8).quota_line("", storage.as_slice());
    Ok(())
}
