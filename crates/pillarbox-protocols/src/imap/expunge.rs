//! EXPUNGE, UID EXPUNGE and CLOSE (RFC 3501 §6.4.3, §6.4.2; RFC 4315 §2.1). The EXPUNGE lines are told from the log.

use super::desk::{Desk, Signed};
use super::out::Out;
use super::refuse::Refused;
use super::store::{read_only, uids_of};
use super::task::{Worked, success};
use super::view::View;
use pillarbox_store::mail::{Millis, Uid};
use pillarbox_wire::imap::By;
use pillarbox_wire::imap::command::Messages;

/// Follows the tag when a mailbox is left (wire §3.4).
pub const LEFT: &str = "OK Returned to authenticated state. (Success)";

/// Removes what is marked `\Deleted`, of `only` these UIDs if given.
pub async fn run(
    only: Option<&Messages>,
    signed: &Signed,
    view: &mut View,
    now: Millis,
    _out: &mut Out,
) -> Result<Worked, Refused> {
    if view.read_only {
        return Err(read_only());
    }
    let only: Option<Vec<Uid>> = match only {
        Some(messages) => Some(uids_of(messages, By::Uid, view)?),
        None => None,
    };
    signed
        .account
        .expunge(view.mailbox, only.as_deref(), now)
        .await?;
    success()
}

/// CLOSE: removes silently what is marked, and leaves the mailbox.
pub async fn close(desk: &mut Desk, now: Millis) -> Result<Worked, Refused> {
    if let Some(view) = desk.view.take()
        && !view.read_only
    {
        // RFC 3501 §6.4.2: everything marked, by whomever, as with EXPUNGE.
        desk.signed.account.expunge(view.mailbox, None, now).await?;
    }
    Ok(Worked::Done(LEFT.into()))
}
