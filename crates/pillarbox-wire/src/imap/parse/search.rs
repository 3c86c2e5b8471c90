//! Arguments of SEARCH.

use std::borrow::Cow;

use super::cursor::text;
use super::store::bare_system_label;
use super::{Cursor, Parsed, Problem};
use crate::imap::command::{Search, SearchKey, SearchReturn};
use crate::imap::{By, Date, Keyword, Label};

/// How deep `NOT`, `OR` and parentheses may nest: more than any client writes, and little stack.
const DEPTH_MAX: usize = 64;

pub(super) fn search(by: By, c: &mut Cursor<'_>) -> Parsed<Search> {
    c.space()?;
    let returns = if c.eat_word(b"RETURN ") {
        let returns = search_return(c)?;
        c.space()?;
        Some(returns)
    } else {
        None
    };
    if c.eat_word(b"CHARSET ") {
        let charset = c.astring()?;
        if !charset.eq_ignore_ascii_case(b"UTF-8") && !charset.eq_ignore_ascii_case(b"US-ASCII") {
            return Err(Problem::BadCharset);
        }
        c.space()?;
    }
    let mut keys = vec![key(c, 0)?];
    while c.more() {
        c.space()?;
        keys.push(key(c, 0)?);
    }
    Ok(Search {
        by,
        returns,
        key: all_of(keys),
    })
}

fn search_return(c: &mut Cursor<'_>) -> Parsed<SearchReturn> {
    let mut returns = SearchReturn::default();
    let options = c.list(|c| {
        match c.option(&mut [0; 24])? {
            b"MIN" => returns.min = true,
            b"MAX" => returns.max = true,
            b"ALL" => returns.all = true,
            b"COUNT" => returns.count = true,
            b"SAVE" => returns.save = true,
            _ => return Err(Problem::Syntax("SEARCH return option")),
        }
        Ok(())
    })?;
    // RFC 4731 §3.1: an empty list is ALL.
    returns.all |= options.is_empty();
    Ok(returns)
}

fn all_of(mut keys: Vec<SearchKey>) -> SearchKey {
    match keys.len() {
        1 => keys.remove(0),
        _ => SearchKey::And(keys),
    }
}

fn key(c: &mut Cursor<'_>, depth: usize) -> Parsed<SearchKey> {
    if depth > DEPTH_MAX {
        return Err(Problem::Syntax("less nesting"));
    }
    match c.peek() {
        Some(b'(') => return c.full_list(|c| key(c, depth + 1)).map(all_of),
        Some(b'0'..=b'9' | b'*') => return c.sequence_set().map(SearchKey::Sequence),
        Some(b'$') => {
            c.eat(b'$');
            return Ok(SearchKey::Saved);
        }
        _ => {}
    }
    let mut word = [0; 24];
    let word = c.option(&mut word)?;
    if let Some(key) = plain_key(word) {
        return Ok(key);
    }
    if !takes_argument(word) {
        return Err(Problem::Syntax("SEARCH key"));
    }
    c.space()?;
    key_with_argument(word, c, depth)
}

fn plain_key(word: &[u8]) -> Option<SearchKey> {
    Some(match word {
        b"ALL" => SearchKey::All,
        b"ANSWERED" => SearchKey::Answered,
        b"UNANSWERED" => SearchKey::Unanswered,
        b"DELETED" => SearchKey::Deleted,
        b"UNDELETED" => SearchKey::Undeleted,
        b"DRAFT" => SearchKey::Draft,
        b"UNDRAFT" => SearchKey::Undraft,
        b"FLAGGED" => SearchKey::Flagged,
        b"UNFLAGGED" => SearchKey::Unflagged,
        b"SEEN" => SearchKey::Seen,
        b"UNSEEN" => SearchKey::Unseen,
        b"RECENT" => SearchKey::Recent,
        b"NEW" => SearchKey::New,
        b"OLD" => SearchKey::Old,
        _ => return None,
    })
}

fn takes_argument(word: &[u8]) -> bool {
    const WORDS: &[&str] = &[
        "NOT",
        "OR",
        "UID",
        "KEYWORD",
        "UNKEYWORD",
        "BCC",
        "CC",
        "FROM",
        "TO",
        "SUBJECT",
        "BODY",
        "TEXT",
        "HEADER",
        "BEFORE",
        "ON",
        "SINCE",
        "SENTBEFORE",
        "SENTON",
        "SENTSINCE",
        "LARGER",
        "SMALLER",
        "OLDER",
        "YOUNGER",
        "MODSEQ",
        "EMAILID",
        "THREADID",
        "X-GM-MSGID",
        "X-GM-THRID",
        "X-GM-LABELS",
        "X-GM-RAW",
    ];
    WORDS.iter().any(|w| w.as_bytes() == word)
}

fn key_with_argument(word: &[u8], c: &mut Cursor<'_>, depth: usize) -> Parsed<SearchKey> {
    Ok(match word {
        b"NOT" => SearchKey::Not(Box::new(key(c, depth + 1)?)),
        b"OR" => {
            let left = key(c, depth + 1)?;
            c.space()?;
            SearchKey::Or(Box::new(left), Box::new(key(c, depth + 1)?))
        }
        b"UID" if c.eat(b'$') => SearchKey::Saved,
        b"UID" => SearchKey::Uid(c.sequence_set()?),
        b"KEYWORD" => SearchKey::Keyword(keyword(c)?),
        b"UNKEYWORD" => SearchKey::Unkeyword(keyword(c)?),
        b"BCC" => SearchKey::Bcc(c.astring_text()?),
        b"CC" => SearchKey::Cc(c.astring_text()?),
        b"FROM" => SearchKey::From(c.astring_text()?),
        b"TO" => SearchKey::To(c.astring_text()?),
        b"SUBJECT" => SearchKey::Subject(c.astring_text()?),
        b"BODY" => SearchKey::Body(c.astring_text()?),
        b"TEXT" => SearchKey::Text(c.astring_text()?),
        b"HEADER" => {
            let field = c.astring_text()?;
            c.space()?;
            SearchKey::Header(field, c.astring_text()?)
        }
        b"BEFORE" => SearchKey::Before(date(c)?),
        b"ON" => SearchKey::On(date(c)?),
        b"SINCE" => SearchKey::Since(date(c)?),
        b"SENTBEFORE" => SearchKey::SentBefore(date(c)?),
        b"SENTON" => SearchKey::SentOn(date(c)?),
        b"SENTSINCE" => SearchKey::SentSince(date(c)?),
        b"LARGER" => SearchKey::Larger(c.number64()?),
        b"SMALLER" => SearchKey::Smaller(c.number64()?),
        b"OLDER" => SearchKey::Older(c.nz_number()?),
        b"YOUNGER" => SearchKey::Younger(c.nz_number()?),
        b"MODSEQ" => SearchKey::ModSeq(mod_seq(c)?),
        b"EMAILID" => SearchKey::EmailId(c.astring_text()?),
        b"THREADID" => SearchKey::ThreadId(c.astring_text()?),
        b"X-GM-MSGID" => SearchKey::GmMsgId(c.unsigned64()?),
        b"X-GM-THRID" => SearchKey::GmThrId(c.unsigned64()?),
        b"X-GM-LABELS" => SearchKey::GmLabels(label_as_sent(c)?),
        b"X-GM-RAW" => SearchKey::GmRaw(c.astring_text()?),
        _ => return Err(Problem::Syntax("SEARCH key")),
    })
}

fn keyword(c: &mut Cursor<'_>) -> Parsed<Keyword> {
    Keyword::parse(c.atom()?).ok_or(Problem::Syntax("keyword"))
}

fn date(c: &mut Cursor<'_>) -> Parsed<Date> {
    let text = match c.try_string()? {
        Some(text) => text,
        None => Cow::Borrowed(c.atom()?),
    };
    Date::parse(&text).ok_or(Problem::Syntax("date"))
}

/// `[SP entry-name SP entry-type-req] SP mod-sequence-valzer` (RFC 7162 §7), after the first space
fn mod_seq(c: &mut Cursor<'_>) -> Parsed<u64> {
    if c.peek() == Some(b'"') {
        let entry = c.string()?;
        if !entry.starts_with(b"/flags/") {
            return Err(Problem::Syntax("/flags/ entry"));
        }
        c.space()?;
        match c.option(&mut [0; 24])? {
            b"ALL" | b"PRIV" | b"SHARED" => c.space()?,
            _ => return Err(Problem::Syntax("entry type")),
        }
    }
    c.number64()
}

fn label_as_sent(c: &mut Cursor<'_>) -> Parsed<Label> {
    let label = match bare_system_label(c)? {
        Some(label) => Some(label),
        None => Label::new(&text(c.astring()?)?),
    };
    label.ok_or(Problem::Syntax("label"))
}
