//! The items of a FETCH reply.

use super::value::{Value, value};
use super::{Cursor, Flag, Parsed, Problem, decode, section};
use crate::imap::DateTime;
use crate::imap::command::Section;

/// `msg-att-static / msg-att-dynamic` (RFC 3501 §7.4.2) and what extensions add.
#[derive(Clone, Debug, PartialEq)]
pub enum FetchData {
    /// `FLAGS`
    Flags(Vec<Flag>),
    /// `UID`
    Uid(u32),
    /// `INTERNALDATE`
    InternalDate(DateTime),
    /// `RFC822.SIZE`, in bytes
    Size(u64),
    /// `ENVELOPE`
    Envelope(Value),
    /// `BODY`, the structure without extension data
    Body(Value),
    /// `BODYSTRUCTURE`
    BodyStructure(Value),
    /// `BODY[...]<n>`; no data is NIL.
    Section(Section, Option<u32>, Option<Vec<u8>>),
    /// `RFC822`
    Rfc822(Option<Vec<u8>>),
    /// `RFC822.HEADER`
    Rfc822Header(Option<Vec<u8>>),
    /// `RFC822.TEXT`
    Rfc822Text(Option<Vec<u8>>),
    /// `MODSEQ`
    ModSeq(u64),
    /// `X-GM-MSGID`
    GmMsgId(u64),
    /// `X-GM-THRID`
    GmThrId(u64),
    /// `X-GM-LABELS`, decoded; system labels begin with a backslash.
    GmLabels(Vec<String>),
    /// `PREVIEW`
    Preview(Option<Vec<u8>>),
    /// Any other item.
    Other(String, Value),
}

pub(super) fn data(c: &mut Cursor<'_>) -> Parsed<FetchData> {
    let mut name = [0; 24];
    let name = c.option(&mut name)?;
    if name == b"BODY" && c.peek() == Some(b'[') {
        return body_section(c);
    }
    c.space()?;
    Ok(match name {
        b"FLAGS" => FetchData::Flags(c.list(|c| c.any_flag())?),
        b"UID" => FetchData::Uid(c.number()?),
        b"INTERNALDATE" => FetchData::InternalDate(
            DateTime::parse(&c.string()?).ok_or(Problem::Syntax("date-time"))?,
        ),
        b"RFC822.SIZE" => FetchData::Size(c.number64()?),
        b"ENVELOPE" => FetchData::Envelope(value(c)?),
        b"BODY" => FetchData::Body(value(c)?),
        b"BODYSTRUCTURE" => FetchData::BodyStructure(value(c)?),
        b"RFC822" => FetchData::Rfc822(bytes(c)?),
        b"RFC822.HEADER" => FetchData::Rfc822Header(bytes(c)?),
        b"RFC822.TEXT" => FetchData::Rfc822Text(bytes(c)?),
        b"MODSEQ" => {
            c.expect(b'(', "opening parenthesis")?;
            let mod_seq = c.number64()?;
            c.expect(b')', "closing parenthesis")?;
            FetchData::ModSeq(mod_seq)
        }
        b"X-GM-MSGID" => FetchData::GmMsgId(c.unsigned64()?),
        b"X-GM-THRID" => FetchData::GmThrId(c.unsigned64()?),
        b"X-GM-LABELS" => FetchData::GmLabels(c.list(label)?),
        b"PREVIEW" => FetchData::Preview(bytes(c)?),
        other => FetchData::Other(String::from_utf8_lossy(other).into_owned(), value(c)?),
    })
}

fn bytes(c: &mut Cursor<'_>) -> Parsed<Option<Vec<u8>>> {
    Ok(c.nstring()?.map(|bytes| bytes.into_owned()))
}

fn body_section(c: &mut Cursor<'_>) -> Parsed<FetchData> {
    let section = section(c)?;
    let mut origin = None;
    if c.eat(b'<') {
        origin = Some(c.number()?);
        c.expect(b'>', "closing angle bracket")?;
    }
    c.space()?;
    Ok(FetchData::Section(section, origin, bytes(c)?))
}

fn label(c: &mut Cursor<'_>) -> Parsed<String> {
    if c.peek() == Some(b'\\') {
        return c.any_flag().map(|flag| flag.to_string());
    }
    decode(&c.astring()?, c.utf8)
}
