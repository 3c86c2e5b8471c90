//! Arguments of the commands about mailboxes, and of APPEND.

use super::{Cursor, Parsed, Problem};
use crate::imap::command::{
    Append, AppendForm, AppendLiteral, Body, List, ListReturn, ListSelect, Pattern, Qresync,
    Select, StatusItem,
};
use crate::imap::frame::announced;
use crate::imap::types::decode_name;
use crate::imap::{DateTime, Mailbox, SeqNumber, SequenceSet, SpecialUse};

pub(super) fn select(c: &mut Cursor<'_>) -> Parsed<Select> {
    let mut select = Select {
        mailbox: c.sp_mailbox()?,
        condstore: false,
        qresync: None,
    };
    if c.more() {
        c.space()?;
        c.full_list(|c| {
            match c.option(&mut [0; 24])? {
                b"CONDSTORE" => select.condstore = true,
                b"QRESYNC" => select.qresync = Some(qresync(c)?),
                _ => return Err(Problem::Syntax("SELECT parameter")),
            }
            Ok(())
        })?;
    }
    Ok(select)
}

fn qresync(c: &mut Cursor<'_>) -> Parsed<Qresync> {
    c.space()?;
    c.expect(b'(', "opening parenthesis")?;
    let uid_validity = c.nz_number()?;
    c.space()?;
    let mod_seq = c.number64()?;
    if mod_seq == 0 {
        return Err(Problem::Syntax("mod-sequence above 0"));
    }
    let mut it = Qresync {
        uid_validity,
        mod_seq,
        known_uids: None,
        seq_match: None,
    };
    if c.peek() == Some(b' ') && c.rest().get(1) != Some(&b'(') {
        c.space()?;
        it.known_uids = Some(known_set(c)?);
    }
    if c.eat(b' ') {
        c.expect(b'(', "opening parenthesis")?;
        let sequence = known_set(c)?;
        c.space()?;
        it.seq_match = Some((sequence, known_set(c)?));
        c.expect(b')', "closing parenthesis")?;
    }
    c.expect(b')', "closing parenthesis")?;
    Ok(it)
}

/// `known-uids = sequence-set ; "*" is not allowed` (RFC 7162 §7)
fn known_set(c: &mut Cursor<'_>) -> Parsed<SequenceSet> {
    let set = c.sequence_set()?;
    let starred = set
        .ranges()
        .iter()
        .any(|r| r.from == SeqNumber::Largest || r.to == SeqNumber::Largest);
    if starred {
        Err(Problem::Syntax("set without *"))
    } else {
        Ok(set)
    }
}

pub(super) fn create(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.space()?;
    let name = decode_name(&c.astring()?, c.utf8).ok_or(Problem::Syntax("mailbox name"))?;
    // RFC 3501 §6.3.3: a trailing delimiter only says that children are meant to follow. Several are part of a name that
    // cannot be one; that is for the store to say.
    let name = match name.strip_suffix('/') {
        Some(stem) if !stem.ends_with('/') => stem,
        _ => &name,
    };
    let mailbox = Mailbox::new(name).ok_or(Problem::Syntax("mailbox name"))?;
    let mut special_use = Vec::new();
    if c.more() {
        c.space()?;
        c.expect(b'(', "opening parenthesis")?;
        if !c.eat_word(b"USE ") {
            return Err(Problem::Syntax("USE"));
        }
        special_use = c.list(|c| {
            c.expect(b'\\', "special use")?;
            SpecialUse::parse(c.atom()?).ok_or(Problem::Syntax("special use"))
        })?;
        c.expect(b')', "closing parenthesis")?;
    }
    Ok(Body::Create {
        mailbox,
        special_use,
    })
}

pub(super) fn rename(c: &mut Cursor<'_>) -> Parsed<Body> {
    let from = c.sp_mailbox()?;
    let to = c.sp_mailbox()?;
    if to.as_str().is_empty() {
        return Err(Problem::Syntax("mailbox name"));
    }
    Ok(Body::Rename { from, to })
}

pub(super) fn pattern(c: &mut Cursor<'_>) -> Parsed<Pattern> {
    c.space()?;
    let reference = reference(c)?;
    c.space()?;
    Ok(Pattern {
        reference,
        pattern: one_pattern(c)?,
    })
}

fn reference(c: &mut Cursor<'_>) -> Parsed<String> {
    name(&c.astring()?, c.utf8)
}

fn one_pattern(c: &mut Cursor<'_>) -> Parsed<String> {
    name(&c.list_mailbox()?, c.utf8)
}

fn name(bytes: &[u8], utf8: bool) -> Parsed<String> {
    decode_name(bytes, utf8)
        .filter(|n| !n.chars().any(char::is_control))
        .ok_or(Problem::Syntax("mailbox name"))
}

pub(super) fn list(c: &mut Cursor<'_>) -> Parsed<List> {
    c.space()?;
    let select = if c.peek() == Some(b'(') {
        let select = list_select(c)?;
        c.space()?;
        Some(select)
    } else {
        None
    };
    let reference = reference(c)?;
    c.space()?;
    let patterns_listed = c.peek() == Some(b'(');
    let patterns = if patterns_listed {
        c.full_list(one_pattern)?
    } else {
        vec![one_pattern(c)?]
    };
    let mut returns = None;
    if c.more() {
        c.space()?;
        if !c.eat_word(b"RETURN ") {
            return Err(Problem::Syntax("RETURN"));
        }
        returns = Some(list_return(c)?);
    }
    Ok(List {
        select,
        reference,
        patterns,
        patterns_listed,
        returns,
    })
}

fn list_select(c: &mut Cursor<'_>) -> Parsed<ListSelect> {
    let mut select = ListSelect::default();
    c.list(|c| {
        match c.option(&mut [0; 24])? {
            b"SUBSCRIBED" => select.subscribed = true,
            b"REMOTE" => select.remote = true,
            b"RECURSIVEMATCH" => select.recursive_match = true,
            b"SPECIAL-USE" => select.special_use = true,
            _ => return Err(Problem::Syntax("LIST selection option")),
        }
        Ok(())
    })?;
    // RFC 5258 §3.1: RECURSIVEMATCH alone, or with REMOTE only, is BAD.
    if select.recursive_match && !select.subscribed && !select.special_use {
        return Err(Problem::Syntax("what RECURSIVEMATCH matches"));
    }
    Ok(select)
}

fn list_return(c: &mut Cursor<'_>) -> Parsed<ListReturn> {
    let mut returns = ListReturn::default();
    c.list(|c| {
        match c.option(&mut [0; 24])? {
            b"SUBSCRIBED" => returns.subscribed = true,
            b"CHILDREN" => returns.children = true,
            b"SPECIAL-USE" => returns.special_use = true,
            b"STATUS" => {
                c.space()?;
                returns.status = c.full_list(status_item)?;
            }
            _ => return Err(Problem::Syntax("LIST return option")),
        }
        Ok(())
    })?;
    Ok(returns)
}

pub(super) fn status(c: &mut Cursor<'_>) -> Parsed<Body> {
    let mailbox = c.sp_mailbox()?;
    c.space()?;
    Ok(Body::Status {
        mailbox,
        items: c.full_list(status_item)?,
    })
}

fn status_item(c: &mut Cursor<'_>) -> Parsed<StatusItem> {
    StatusItem::parse(c.option(&mut [0; 24])?).ok_or(Problem::Syntax("STATUS item"))
}

pub(super) fn get_quota(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.space()?;
    Ok(Body::GetQuota(c.astring_text()?))
}

pub(super) fn append(c: &mut Cursor<'_>) -> Parsed<Body> {
    let mailbox = c.sp_mailbox()?;
    c.space()?;
    let mut flags = Vec::new();
    if c.peek() == Some(b'(') {
        flags = c.list(Cursor::flag)?;
        c.space()?;
    }
    let mut date = None;
    if c.peek() == Some(b'"') {
        date = Some(DateTime::parse(&c.string()?).ok_or(Problem::Syntax("date-time"))?);
        c.space()?;
    }
    Ok(Body::Append(Append {
        mailbox,
        flags,
        date,
        literal: append_literal(c)?,
    }))
}

/// The announcement and its line end, and then nothing: the message itself never is here.
fn append_literal(c: &mut Cursor<'_>) -> Parsed<AppendLiteral> {
    let utf8 = c.eat_word(b"UTF8 (");
    let line = c
        .rest()
        .strip_suffix(b"\n")
        .ok_or(Problem::Syntax("message literal"))?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let literal = announced(line)
        .filter(|l| l.at == 0)
        .ok_or(Problem::Syntax("message literal"))?;
    let form = match (utf8, line.starts_with(b"~")) {
        (true, true) => AppendForm::Utf8,
        (true, false) => return Err(Problem::Syntax("literal8")),
        (false, true) => AppendForm::Binary,
        (false, false) => AppendForm::Plain,
    };
    Ok(AppendLiteral {
        size: literal.size,
        waits: literal.waits,
        form,
    })
}

impl StatusItem {
    const ALL: [Self; 10] = [
        Self::Messages,
        Self::Recent,
        Self::UidNext,
        Self::UidValidity,
        Self::Unseen,
        Self::HighestModSeq,
        Self::Size,
        Self::Deleted,
        Self::AppendLimit,
        Self::MailboxId,
    ];

    /// Reads the name, in any letter case.
    pub fn parse(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|item| item.as_str().as_bytes().eq_ignore_ascii_case(name))
    }

    /// The name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Messages => "MESSAGES",
            Self::Recent => "RECENT",
            Self::UidNext => "UIDNEXT",
            Self::UidValidity => "UIDVALIDITY",
            Self::Unseen => "UNSEEN",
            Self::HighestModSeq => "HIGHESTMODSEQ",
            Self::Size => "SIZE",
            Self::Deleted => "DELETED",
            Self::AppendLimit => "APPENDLIMIT",
            Self::MailboxId => "MAILBOXID",
        }
    }
}
