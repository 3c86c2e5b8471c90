//! STATUS (RFC 3501 §6.3.10, RFC 7162 §3.1.7, RFC 7889 §4).

use super::desk::Signed;
use super::out::Out;
use super::refuse::Refused;
use super::task::{Worked, success};
use pillarbox_store::mail::{self, StoreError, Uid, Version};
use pillarbox_wire::imap::Mailbox;
use pillarbox_wire::imap::command::StatusItem;

/// Answers with what is kept; nothing is counted but RECENT.
pub async fn run(
    name: &Mailbox,
    items: &[StatusItem],
    signed: &mut Signed,
    out: &mut Out,
) -> Result<Worked, Refused> {
    let (version, known) = find(name, signed).await?;
    signed.condstore |= items.contains(&StatusItem::HighestModSeq); // RFC 7162 §3.1
    line(&known, version, items, signed, out).await?;
    success()
}

/// A mailbox shown in IMAP, and the account's version.
pub async fn find(name: &Mailbox, signed: &Signed) -> Result<(Version, mail::Mailbox), Refused> {
    let version = signed.account.version().await?;
    match signed.account.mailbox(name.as_str()).await? {
        Some(known) if signed.shows(&known) => Ok((version, known)),
        _ => Err(Refused::unknown_mailbox(name.as_str())),
    }
}

/// `* STATUS "name" (...)`
pub async fn line(
    mailbox: &mail::Mailbox,
    version: Version,
    items: &[StatusItem],
    signed: &Signed,
    out: &mut Out,
) -> Result<(), StoreError> {
    let mut values = Vec::with_capacity(items.len());
    for &item in items {
        let value = match item {
            StatusItem::Messages => u64::from(mailbox.messages),
            StatusItem::Recent => recent(mailbox, signed).await?,
            StatusItem::UidNext => u64::from(mailbox.uid_next.0),
            StatusItem::UidValidity => u64::from(mailbox.uid_validity),
            StatusItem::Unseen => u64::from(mailbox.unseen),
            // wire §3.5: one counter for the account.
            StatusItem::HighestModSeq => version,
            StatusItem::Size => mailbox.bytes,
            StatusItem::Deleted => u64::from(mailbox.deleted),
            StatusItem::AppendLimit => signed.context.limits.frame.append_bytes_max,
            StatusItem::MailboxId => continue, // OBJECTID is not announced.
        };
        values.push((item, value));
    }
    out.printer(signed.utf8).status_line(&mailbox.name, &values);
    Ok(())
}

/// Messages nobody was told of yet. Asking does not tell.
async fn recent(mailbox: &mail::Mailbox, signed: &Signed) -> Result<u64, StoreError> {
    let first = signed.account.claim_recent(mailbox.id, Uid(0));
    if first >= mailbox.uid_next {
        return Ok(0);
    }
    let (_, rows) = signed
        .account
        .rows(mailbox.id, &[first.0..=u32::MAX])
        .await?;
    Ok(rows.len() as u64)
}
