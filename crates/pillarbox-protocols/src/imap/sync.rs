//! Telling a client what is new in its mailbox: the store's log becomes EXPUNGE, EXISTS, RECENT and FETCH lines.

use super::desk::{Desk, Signed};
use super::fetch::print;
use super::out::Out;
use super::refuse::Refused;
use super::table::Numbers;
use super::view::{Uids, View};
use pillarbox_store::mail::{Change, Changes, StoreError, Uid};

/// Rows whose flags one round tells; each is one short line.
const ROWS_A_ROUND: usize = 2000;

/// Whether there is more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Call again when this was sent.
    Some,
    /// The client knows what there is.
    All,
}

/// Tells what is new, a bounded amount. Without a selected mailbox there is nothing to tell.
pub async fn tell(desk: &mut Desk, numbers: Numbers, out: &mut Out) -> Result<Told, Refused> {
    let Desk {
        signed,
        view: Some(view),
    } = desk
    else {
        return Ok(Told::All);
    };
    absorb(signed, view).await?;
    numbers_and_counts(signed, view, numbers, out);
    let changed = view.take_changed(ROWS_A_ROUND);
    let full = changed.len() == ROWS_A_ROUND;
    flags(signed, view, &changed, out).await?;
    if full {
        return Ok(Told::Some);
    }
    view.all_told();
    Ok(Told::All)
}

/// Takes in the log. Numbers stay as they are.
pub async fn absorb(signed: &Signed, view: &mut View) -> Result<(), StoreError> {
    match signed.account.changes(view.version()).await? {
        Changes::Since { version, changes } => {
            let touched = changes.contains(&Change::Mailbox {
                mailbox: view.mailbox,
            });
            view.absorb(version, &changes);
            if touched && signed.account.mailbox_by_id(view.mailbox).await?.is_none() {
                // Deleted by another session: to this one its messages are gone (RFC 2180 §3.3).
                view.compare(version, &Uids::default());
            }
        }
        Changes::TooOld { .. } => compare(signed, view).await?,
    }
    Ok(())
}

/// The log does not reach back: compares the whole mailbox.
async fn compare(signed: &Signed, view: &mut View) -> Result<(), StoreError> {
    let since = view.version();
    let (version, uids) = match signed.account.uids(view.mailbox).await {
        Ok((version, _, uids)) => (
            version,
            Uids::from_ascending(uids.into_iter().map(|uid| uid.0)),
        ),
        Err(StoreError::NoSuchMailbox) => (signed.account.version().await?, Uids::default()),
        Err(fault) => return Err(fault),
    };
    view.compare(version, &uids);
    // Whatever changed between the two reads is also in the log behind `version`; telling it twice does no harm.
    let (_, rows) = signed.account.rows(view.mailbox, &[1..=u32::MAX]).await?;
    for row in rows.iter().filter(|row| row.modseq > since) {
        view.mark_changed(row.uid.0);
    }
    Ok(())
}

/// EXPUNGE where allowed, then EXISTS and RECENT.
pub fn numbers_and_counts(signed: &Signed, view: &mut View, numbers: Numbers, out: &mut Out) {
    let expunged = if numbers == Numbers::MayShift {
        view.expunge()
    } else {
        Vec::new()
    };
    for seq in &expunged {
        out.text("* ");
        out.number(u64::from(*seq));
        out.text(" EXPUNGE\r\n");
    }
    if let Some((first, last)) = view.untold()
        && !view.read_only
    {
        let recent = signed.account.claim_recent(view.mailbox, last).max(first);
        if recent <= last {
            view.add_recent(recent, last);
        }
    }
    // After EXPUNGE the count is repeated, as Gmail does (wire §3.9).
    let exists = view.exists();
    if exists.is_some() || !expunged.is_empty() {
        out.line(format_args!("* {} EXISTS", view.messages()));
    }
    if let Some(recent) = view.recent() {
        out.line(format_args!("* {recent} RECENT"));
    }
}

/// One FETCH line for each of these, with its flags as they are now.
pub async fn flags(
    signed: &Signed,
    view: &mut View,
    uids: &[Uid],
    out: &mut Out,
) -> Result<(), StoreError> {
    if uids.is_empty() {
        return Ok(());
    }
    let ranges = super::fetch::ranges_of(uids.iter().map(|uid| uid.0));
    let (_, rows) = signed.account.rows(view.mailbox, &ranges).await?;
    for row in &rows {
        if view.knows(row.uid, row.modseq) {
            continue;
        }
        print::announce_keywords(view, &row.flags, out);
        if let Some(seq) = view.seq(row.uid) {
            print::flags_line(
                seq,
                row,
                view,
                print::Extras {
                    uid: signed.condstore,
                    modseq: signed.condstore,
                },
                out,
            );
        }
    }
    Ok(())
}
