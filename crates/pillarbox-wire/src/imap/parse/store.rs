//! Arguments of STORE, COPY and MOVE.

use super::{Cursor, Parsed, Problem, sp_messages};
use crate::imap::command::{Change, Marks, Store, Transfer};
use crate::imap::types::decode_name;
use crate::imap::{By, Flag, Label};

pub(super) fn transfer(by: By, c: &mut Cursor<'_>) -> Parsed<Transfer> {
    Ok(Transfer {
        by,
        messages: sp_messages(c)?,
        to: c.sp_mailbox()?,
    })
}

pub(super) fn store(by: By, c: &mut Cursor<'_>) -> Parsed<Store> {
    let messages = sp_messages(c)?;
    c.space()?;
    let mut unchanged_since = None;
    if c.peek() == Some(b'(') {
        c.full_list(|c| {
            if !c.eat_word(b"UNCHANGEDSINCE ") {
                return Err(Problem::Syntax("UNCHANGEDSINCE"));
            }
            unchanged_since = Some(c.number64()?);
            Ok(())
        })?;
        c.space()?;
    }
    let change = if c.eat(b'+') {
        Change::Add
    } else if c.eat(b'-') {
        Change::Remove
    } else {
        Change::Replace
    };
    let labels = if c.eat_word(b"FLAGS") {
        false
    } else if c.eat_word(b"X-GM-LABELS") {
        true
    } else {
        return Err(Problem::Syntax("FLAGS"));
    };
    let silent = c.eat_word(b".SILENT");
    c.space()?;
    let what = if labels {
        Marks::Labels(marks(c, label)?)
    } else {
        Marks::Flags(marks(c, |c| c.flag())?)
    };
    Ok(Store {
        by,
        messages,
        unchanged_since,
        change,
        silent,
        what,
    })
}

/// In parentheses, or one or more without.
fn marks<T>(
    c: &mut Cursor<'_>,
    mut mark: impl FnMut(&mut Cursor<'_>) -> Parsed<T>,
) -> Parsed<Vec<T>> {
    if c.peek() == Some(b'(') {
        return c.list(|c| mark(c));
    }
    let mut marks = vec![mark(c)?];
    while c.more() {
        c.space()?;
        marks.push(mark(c)?);
    }
    Ok(marks)
}

/// `label = "\" atom / astring`: a system label bare or quoted (wire §3.7), a name as mailbox names are.
pub(super) fn label(c: &mut Cursor<'_>) -> Parsed<Label> {
    let label = match bare_system_label(c)? {
        Some(label) => Some(label),
        None => decode_name(&c.astring()?, c.utf8).and_then(|name| Label::new(&name)),
    };
    label.ok_or(Problem::Syntax("label"))
}

/// `\Inbox` without quotes, if that is here.
pub(super) fn bare_system_label(c: &mut Cursor<'_>) -> Parsed<Option<Label>> {
    if c.peek() != Some(b'\\') {
        return Ok(None);
    }
    match c.any_flag()? {
        // The flag's own spelling, whatever the letter case was: labels are compared without it.
        flag @ (Flag::Answered
        | Flag::Flagged
        | Flag::Deleted
        | Flag::Seen
        | Flag::Draft
        | Flag::Recent
        | Flag::Extension(_)) => Ok(Label::new(&flag.to_string())),
        Flag::Keyword(_) => Err(Problem::Syntax("label")),
    }
}
