//! Arguments of FETCH, and the section names its replies repeat.

use std::num::NonZeroU32;

use super::cursor::ascii;
use super::{Cursor, Parsed, Problem, sp_messages};
use crate::imap::By;
use crate::imap::command::{Fetch, FetchItem, Partial, Section, SectionText};

pub(super) fn fetch(by: By, c: &mut Cursor<'_>) -> Parsed<Fetch> {
    let messages = sp_messages(c)?;
    c.space()?;
    let items = if c.peek() == Some(b'(') {
        c.full_list(item)?
    } else {
        macro_or_item(c)?
    };
    let mut fetch = Fetch {
        by,
        messages,
        items,
        changed_since: None,
        vanished: false,
    };
    if c.more() {
        c.space()?;
        c.full_list(|c| modifier(c, &mut fetch))?;
    }
    // RFC 7162 §3.2.6: VANISHED only in UID FETCH and with CHANGEDSINCE, otherwise BAD.
    if fetch.vanished && (by == By::Sequence || fetch.changed_since.is_none()) {
        return Err(Problem::Syntax("UID FETCH with CHANGEDSINCE for VANISHED"));
    }
    Ok(fetch)
}

fn modifier(c: &mut Cursor<'_>, fetch: &mut Fetch) -> Parsed<()> {
    match c.option(&mut [0; 24])? {
        b"CHANGEDSINCE" => {
            c.space()?;
            fetch.changed_since = Some(c.number64()?);
        }
        b"VANISHED" => fetch.vanished = true,
        _ => return Err(Problem::Syntax("FETCH modifier")),
    }
    Ok(())
}

fn macro_or_item(c: &mut Cursor<'_>) -> Parsed<Vec<FetchItem>> {
    use FetchItem::{Body, Envelope, Flags, InternalDate, Size};
    let end = c
        .rest()
        .iter()
        .position(|b| *b == b' ')
        .unwrap_or(c.rest().len());
    let word = &c.rest()[..end];
    let items = if word.eq_ignore_ascii_case(b"ALL") {
        vec![Flags, InternalDate, Size, Envelope]
    } else if word.eq_ignore_ascii_case(b"FAST") {
        vec![Flags, InternalDate, Size]
    } else if word.eq_ignore_ascii_case(b"FULL") {
        vec![Flags, InternalDate, Size, Envelope, Body]
    } else {
        return Ok(vec![item(c)?]);
    };
    c.eat_word(word);
    Ok(items)
}

fn item(c: &mut Cursor<'_>) -> Parsed<FetchItem> {
    Ok(match c.option(&mut [0; 24])? {
        b"FLAGS" => FetchItem::Flags,
        b"UID" => FetchItem::Uid,
        b"INTERNALDATE" => FetchItem::InternalDate,
        b"ENVELOPE" => FetchItem::Envelope,
        b"BODYSTRUCTURE" => FetchItem::BodyStructure,
        b"RFC822" => FetchItem::Rfc822,
        b"RFC822.SIZE" => FetchItem::Size,
        b"RFC822.HEADER" => FetchItem::Rfc822Header,
        b"RFC822.TEXT" => FetchItem::Rfc822Text,
        b"BODY" if c.peek() == Some(b'[') => body_section(c, false)?,
        b"BODY" => FetchItem::Body,
        b"BODY.PEEK" => body_section(c, true)?,
        b"MODSEQ" => FetchItem::ModSeq,
        b"EMAILID" => FetchItem::EmailId,
        b"THREADID" => FetchItem::ThreadId,
        b"PREVIEW" => FetchItem::Preview {
            lazy: c.eat_word(b" (LAZY)"),
        },
        b"X-GM-MSGID" => FetchItem::GmMsgId,
        b"X-GM-THRID" => FetchItem::GmThrId,
        b"X-GM-LABELS" => FetchItem::GmLabels,
        _ => return Err(Problem::Syntax("FETCH item")),
    })
}

fn body_section(c: &mut Cursor<'_>, peek: bool) -> Parsed<FetchItem> {
    let section = section(c)?;
    let mut partial = None;
    if c.eat(b'<') {
        let offset = c.number()?;
        c.expect(b'.', "dot")?;
        partial = Some(Partial {
            offset,
            length: c.nz_number()?,
        });
        c.expect(b'>', "closing angle bracket")?;
    }
    Ok(FetchItem::Section {
        section,
        peek,
        partial,
    })
}

/// MIME nests 64 deep in the message floor; no part number can be longer than twice that.
const PART_NUMBERS_MAX: usize = 128;

pub(crate) fn section(c: &mut Cursor<'_>) -> Parsed<Section> {
    c.expect(b'[', "section")?;
    let mut part: Vec<NonZeroU32> = Vec::new();
    let mut dot = false;
    while c.peek().is_some_and(|b| b.is_ascii_digit()) {
        part.push(c.nz_number()?);
        if part.len() > PART_NUMBERS_MAX {
            return Err(Problem::Syntax("part number of a possible part"));
        }
        dot = c.eat(b'.');
        if !dot {
            break;
        }
    }
    let text = if part.is_empty() || dot {
        section_text(c, !part.is_empty())?
    } else {
        SectionText::Whole
    };
    c.expect(b']', "closing bracket")?;
    Ok(Section { part, text })
}

fn section_text(c: &mut Cursor<'_>, of_part: bool) -> Parsed<SectionText> {
    if c.peek() == Some(b']') && !of_part {
        return Ok(SectionText::Whole);
    }
    Ok(match c.option(&mut [0; 24])? {
        b"HEADER" => SectionText::Header,
        b"TEXT" => SectionText::Text,
        b"MIME" if of_part => SectionText::Mime,
        b"HEADER.FIELDS" => SectionText::HeaderFields(field_names(c)?),
        b"HEADER.FIELDS.NOT" => SectionText::HeaderFieldsNot(field_names(c)?),
        _ => return Err(Problem::Syntax("section")),
    })
}

fn field_names(c: &mut Cursor<'_>) -> Parsed<Vec<String>> {
    c.space()?;
    c.full_list(|c| {
        let name = c.astring()?;
        let legal = !name.is_empty() && name.iter().all(|b| (0x20..0x7f).contains(b));
        if legal {
            Ok(ascii(&name))
        } else {
            Err(Problem::Syntax("header field name"))
        }
    })
}
