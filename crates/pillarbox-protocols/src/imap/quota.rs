//! GETQUOTA and GETQUOTAROOT (RFC 9208): one quota root, the empty name, over the whole account (wire §3.5).

use super::desk::Signed;
use super::out::Out;
use super::refuse::Refused;
use super::task::{Worked, success};
use pillarbox_wire::imap::Mailbox;

/// `* QUOTA "" (STORAGE used limit)`, in KiB.
pub async fn get_quota(root: &str, signed: &Signed, out: &mut Out) -> Result<Worked, Refused> {
    match limit(signed).await? {
        Some(limit) if root.is_empty() => quota(limit, signed, out).await?,
        _ => return Err(Refused::no("NONEXISTENT", "Unknown quota root (Failure)")),
    }
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
    match limit(signed).await? {
        Some(limit) => {
            out.printer(signed.utf8).quota_root_line(&known.name, "");
            quota(limit, signed, out).await?;
        }
        // RFC 9208 §4.2.2: without a limit the mailbox has no quota root.
        None => {
            let mut printer = out.printer(signed.utf8);
            printer.raw(b"* QUOTAROOT ");
            printer.mailbox(&known.name);
            printer.raw(b"\r\n");
        }
    }
    success()
}

async fn limit(signed: &Signed) -> Result<Option<u64>, Refused> {
    Ok(signed.account.settings().await?.quota)
}

async fn quota(limit: u64, signed: &Signed, out: &mut Out) -> Result<(), Refused> {
    let (octets, _) = signed.account.usage().await?;
    let storage = ("STORAGE", octets.div_ceil(1024), limit / 1024);
    out.printer(signed.utf8).quota_line("", &[storage]);
    Ok(())
}
