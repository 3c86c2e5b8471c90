//! SELECT and EXAMINE (RFC 3501 §6.3.1, §6.3.2; RFC 7162 §3.1.8; wire §3.5).

use super::desk::Desk;
use super::fetch::print;
use super::out::Out;
use super::refuse::Refused;
use super::status;
use super::task::Worked;
use super::view::{Uids, View};
use pillarbox_store::mail::Uid;
use pillarbox_wire::imap::{NumberSet, command};

/// Opens a mailbox; the one open before is left even if this fails (RFC 3501 §6.3.1).
pub async fn run(
    command: &command::Select,
    read_only: bool,
    desk: &mut Desk,
    out: &mut Out,
) -> Result<Worked, Refused> {
    desk.view = None;
    if command.qresync.is_some() {
        return Err(Refused::syntax()); // QRESYNC is not announced.
    }
    let signed = &mut desk.signed;
    let (_, known) = status::find(&command.mailbox, signed).await?;
    let (version, mailbox, mut uids) = signed.account.uids(known.id).await?;
    let limit = signed.account.settings().await?.folder_limit;
    if let Some(limit) = limit.filter(|_| !signed.sees_hidden) {
        // wire §3.6: the newest.
        uids.drain(..uids.len().saturating_sub(limit as usize));
    }
    let uids = Uids::from_ascending(uids.into_iter().map(|uid| uid.0));
    let through = if read_only {
        Uid(0)
    } else {
        Uid(uids.largest())
    };
    let recent = signed.account.claim_recent(mailbox.id, through);
    let recent = NumberSet::from_ranges(vec![(recent.0, uids.largest())]);
    signed.condstore |= command.condstore;

    let mut view = View::new(
        (mailbox.id, mailbox.name.clone(), mailbox.role),
        read_only,
        version,
        uids,
        recent,
    );
    view.keywords = print::USUAL_KEYWORDS
        .iter()
        .map(|keyword| (*keyword).into())
        .collect();
    for keyword in &signed.account.keywords().await? {
        print::add_keyword(&mut view.keywords, keyword);
    }
    print::flags_lists(&view, out);
    out.line(format_args!(
        "* OK [UIDVALIDITY {}] UIDs valid.",
        mailbox.uid_validity
    ));
    out.line(format_args!("* {} EXISTS", view.messages()));
    out.line(format_args!("* {} RECENT", view.recent_count()));
    out.line(format_args!(
        "* OK [UIDNEXT {}] Predicted next UID.",
        mailbox.uid_next.0
    ));
    out.line(format_args!(
        "* OK [HIGHESTMODSEQ {version}] Highest mod-sequence."
    ));
    let mode = if read_only { "READ-ONLY" } else { "READ-WRITE" };
    let name = command.mailbox.to_wire(signed.utf8);
    desk.view = Some(view);
    Ok(Worked::Done(format!(
        "OK [{mode}] {name} selected. (Success)"
    )))
}
