//! COPY and MOVE (RFC 3501 §6.4.7, RFC 6851): a label is added, or exchanged (wire §3.6). MOVE is one commit.

use super::desk::Signed;
use super::out::Out;
use super::refuse::Refused;
use super::store::{read_only, uids_of};
use super::sync;
use super::task::Worked;
use super::view::View;
use pillarbox_store::mail::{self, Copied, Millis, Role, StoreError, Uid};
use pillarbox_wire::imap::Mailbox;
use pillarbox_wire::imap::command::Transfer;
use std::fmt::Write;

/// COPY and UID COPY.
pub async fn copy(
    transfer: &Transfer,
    signed: &Signed,
    view: &mut View,
    now: Millis,
) -> Result<Worked, Refused> {
    let (uids, target) = prepare(transfer, signed, view).await?;
    if uids.is_empty() {
        return Ok(Worked::Done("OK Success".into()));
    }
    sync::absorb(signed, view).await?;
    let before = view.version();
    let copied = signed
        .account
        .copy(view.mailbox, &uids, target.id, now)
        .await;
    if let Ok(copied) = &copied
        && !signed.condstore
        && copied.version <= before + 1
        && matches!(target.role, None | Some(Role::Important))
    {
        // A label more changes the mod-sequence and no flag: who does not count mod-sequences need not be told.
        // What another session did to them before is still to be told.
        let known: Vec<_> = uids
            .iter()
            .filter(|uid| !view.is_changed(uid.0))
            .map(|uid| (*uid, copied.version))
            .collect();
        view.shown(known);
    }
    reply(copied, &transfer.to)
}

/// MOVE and UID MOVE; the EXPUNGE lines are told from the log before the tagged reply.
pub async fn r#move(
    transfer: &Transfer,
    signed: &Signed,
    view: &mut View,
    now: Millis,
    _out: &mut Out,
) -> Result<Worked, Refused> {
    if view.read_only {
        return Err(read_only());
    }
    let (uids, target) = prepare(transfer, signed, view).await?;
    if uids.is_empty() {
        return Ok(Worked::Done("OK Success".into()));
    }
    let moved = signed
        .account
        .r#move(view.mailbox, &uids, target.id, now)
        .await;
    reply(moved, &transfer.to)
}

async fn prepare(
    transfer: &Transfer,
    signed: &Signed,
    view: &View,
) -> Result<(Vec<Uid>, mail::Mailbox), Refused> {
    let uids = uids_of(&transfer.messages, transfer.by, view)?;
    match signed.account.mailbox(transfer.to.as_str()).await? {
        Some(known) if signed.shows(&known) => Ok((uids, known)),
        _ => Err(Refused::try_create(transfer.to.as_str())),
    }
}

fn reply(copied: Result<Copied, StoreError>, to: &Mailbox) -> Result<Worked, Refused> {
    match copied {
        Ok(copied) if copied.pairs.is_empty() => Ok(Worked::Done("OK Success".into())),
        Ok(copied) => {
            let (from, to): (Vec<u32>, Vec<u32>) =
                copied.pairs.iter().map(|(from, to)| (from.0, to.0)).unzip();
            let validity = copied.uid_validity;
            // In the tagged line for MOVE too (wire §3.9).
            Ok(Worked::Done(format!(
                "OK [COPYUID {validity} {} {}] (Success)",
                in_order(&from),
                in_order(&to)
            )))
        }
        Err(StoreError::NoSuchMailbox) => Err(Refused::try_create(to.as_str())),
        Err(fault) => Err(fault.into()),
    }
}

/// UIDs in the order given, runs written short: the n-th of one set belongs to the n-th of the other (RFC 4315 §3), and
/// where the target had messages already they need not ascend.
fn in_order(uids: &[u32]) -> String {
    let mut text = String::new();
    let mut rest = uids;
    while let Some(&first) = rest.first() {
        let run = rest
            .iter()
            .zip(first..)
            .take_while(|(uid, expected)| *uid == expected)
            .count();
        let comma = if text.is_empty() { "" } else { "," };
        // Writing to a string does not fail.
        let _ = match run {
            1 => write!(text, "{comma}{first}"),
            _ => write!(text, "{comma}{first}:{}", rest[run - 1]),
        };
        rest = &rest[run..];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_keep_their_order() {
        assert_eq!(in_order(&[5, 6, 7]), "5:7");
        assert_eq!(in_order(&[9, 3, 4, 4, 1]), "9,3:4,4,1");
    }
}
