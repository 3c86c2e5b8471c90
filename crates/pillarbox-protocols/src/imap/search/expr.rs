//! A SEARCH as an expression over one message, decided from as little as possible: the mailbox row first, then the
//! record with its header fields, and the body only when nothing else can tell.

use crate::imap::view::View;
use pillarbox_message::{
    FactsView, Needle, Scope, decode_text, decode_words, header_fields, message_contains,
    strip_html,
};
use pillarbox_message::{Kind, Part};
use pillarbox_store::mail::{MailboxId, Record, Row};
use pillarbox_wire::imap::NumberSet;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

/// Milliseconds of a day.
pub const DAY: i64 = 86_400_000;
/// No time zone is further than this from UTC, in milliseconds.
const ZONE_MAX: i64 = 14 * 3_600_000;

/// What a message must be. Compiled once for a mailbox.
pub enum Expr {
    /// Every message.
    All,
    /// No message.
    Nothing,
    /// All of these.
    And(Vec<Expr>),
    /// One of these.
    Or(Vec<Expr>),
    /// Not this.
    Not(Box<Expr>),
    /// One of these UIDs.
    Uids(NumberSet),
    /// Has a system flag.
    Flag(u8),
    /// Has a keyword, compared without case.
    Keyword(String),
    /// `\Recent`
    Recent,
    /// INTERNALDATE, in milliseconds.
    Received(Range<i64>),
    /// The day of the Date field as written there, in days since 1970.
    SentDay(Range<i64>),
    /// Octets.
    Size(RangeInclusive<u64>),
    /// Changed at or after.
    ModSeq(u64),
    /// X-GM-MSGID
    Message(u64),
    /// X-GM-THRID
    Thread(u64),
    /// Has a label.
    In(MailboxId),
    /// Has a label that is not one of these system ones.
    UserLabel(Arc<[MailboxId]>),
    /// A header field contains a text.
    Header(String, Needle),
    /// One of these header fields has the words.
    Words(&'static [&'static str], Words),
    /// The words are in the header fields people see, or in the text.
    Anywhere(Words),
    /// SEARCH BODY or TEXT.
    Text(Scope, Needle),
    /// Carries a file.
    Attachment,
    /// Carries a file of such a name.
    Filename(Needle),
    /// Message-ID, without its brackets.
    MessageId(String),
}

/// What is known of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It matches.
    Yes,
    /// It does not.
    No,
    /// The record must be read.
    NeedsRecord,
    /// The body must be read.
    NeedsBody,
}

impl From<bool> for Truth {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// One message, as far as it has been read.
pub struct Subject<'a> {
    /// Always there.
    pub row: &'a Row,
    /// The record, and its facts.
    pub record: Option<(&'a Record, FactsView<'a>)>,
    /// The whole body.
    pub body: Option<&'a [u8]>,
}

impl Expr {
    /// Decides.
    pub fn of(&self, subject: &Subject<'_>, view: &View) -> Truth {
        let row = subject.row;
        match self {
            Self::All => Truth::Yes,
            Self::Nothing => Truth::No,
            Self::And(all) => combine(all, subject, view, Truth::No, Truth::Yes),
            Self::Or(some) => combine(some, subject, view, Truth::Yes, Truth::No),
            Self::Not(inner) => match inner.of(subject, view) {
                Truth::Yes => Truth::No,
                Truth::No => Truth::Yes,
                open => open,
            },
            Self::Uids(uids) => uids.contains(row.uid.0).into(),
            Self::Flag(bit) => (row.flags.system.0 & bit != 0).into(),
            Self::Keyword(word) => row
                .flags
                .keywords
                .iter()
                .any(|keyword| keyword.eq_ignore_ascii_case(word))
                .into(),
            Self::Recent => view.is_recent(row.uid.0).into(),
            Self::Received(when) => when.contains(&row.received).into(),
            Self::SentDay(days) => sent(days, subject),
            Self::Size(octets) => octets.contains(&u64::from(row.size)).into(),
            Self::ModSeq(since) => (row.modseq >= *since).into(),
            Self::Message(id) => (row.message.0 == *id).into(),
            Self::Thread(id) => (row.thread.0 == *id).into(),
            Self::In(mailbox) if *mailbox == view.mailbox => Truth::Yes,
            Self::In(mailbox) => {
                subject.with_record(|record, _| record.places.iter().any(|(id, _)| id == mailbox))
            }
            Self::UserLabel(system) => subject
                .with_record(|record, _| record.places.iter().any(|(id, _)| !system.contains(id))),
            Self::Header(name, needle) => subject.header(name, needle),
            Self::Words(names, words) => {
                subject.with_record(|_, facts| in_fields(facts, names, words))
            }
            Self::Anywhere(words) => subject.anywhere(words),
            Self::Text(scope, needle) => subject.text(*scope, needle),
            Self::Attachment => subject.with_record(|_, facts| facts.has_attachment()),
            Self::Filename(needle) => subject
                .with_record(|_, facts| facts.attachment_names().any(|name| needle.is_in(&name))),
            Self::MessageId(id) => subject.with_record(|_, facts| {
                facts
                    .message_id()
                    .is_some_and(|own| own.eq_ignore_ascii_case(id))
            }),
        }
    }
}

/// AND and OR: the first `decisive` answer ends it; otherwise the cheapest thing to read is read.
fn combine(
    all: &[Expr],
    subject: &Subject<'_>,
    view: &View,
    decisive: Truth,
    otherwise: Truth,
) -> Truth {
    let mut result = otherwise;
    for expr in all {
        match expr.of(subject, view) {
            truth if truth == decisive => return decisive,
            Truth::NeedsRecord => result = Truth::NeedsRecord,
            Truth::NeedsBody if result != Truth::NeedsRecord => result = Truth::NeedsBody,
            _ => {}
        }
    }
    result
}

/// SENTBEFORE, SENTON, SENTSINCE: the date as written, whatever its zone (RFC 3501 §6.4.4). The row has the moment only,
/// which decides unless midnight is near.
fn sent(days: &Range<i64>, subject: &Subject<'_>) -> Truth {
    let Some(sent) = subject.row.sent else {
        return Truth::No;
    };
    let day = |moment: i64| days.contains(&moment.div_euclid(DAY));
    let sure = day(sent - ZONE_MAX) == day(sent + ZONE_MAX) && day(sent) == day(sent + ZONE_MAX);
    if sure {
        return day(sent).into();
    }
    subject.with_record(|_, facts| {
        let written = facts
            .date()
            .map(|date| (date.unix + i64::from(date.zone_minutes) * 60).div_euclid(86_400));
        written.is_some_and(|day| days.contains(&day))
    })
}

impl Subject<'_> {
    fn with_record(&self, decide: impl FnOnce(&Record, &FactsView<'_>) -> bool) -> Truth {
        match &self.record {
            Some((record, facts)) => decide(record, facts).into(),
            None => Truth::NeedsRecord,
        }
    }

    fn header(&self, name: &str, needle: &Needle) -> Truth {
        let Some((_, facts)) = &self.record else {
            return Truth::NeedsRecord;
        };
        match (facts.header_contains(name, needle), self.body) {
            (Some(known), _) => known.into(),
            (None, None) => Truth::NeedsBody,
            (None, Some(raw)) => header_fields(raw)
                .any(|field| field.is(name) && needle.is_in(&decode_words(field.value)))
                .into(),
        }
    }

    fn text(&self, scope: Scope, needle: &Needle) -> Truth {
        match (&self.record, self.body) {
            (None, _) => Truth::NeedsRecord,
            (Some(_), None) => Truth::NeedsBody,
            (Some((_, facts)), Some(raw)) => {
                message_contains(raw, &facts.parts(), needle, scope).into()
            }
        }
    }

    fn anywhere(&self, words: &Words) -> Truth {
        const SEEN: &[&str] = &["Subject", "From", "To", "Cc", "Bcc"];
        let Some((_, facts)) = &self.record else {
            return Truth::NeedsRecord;
        };
        if in_fields(facts, SEEN, words) || facts.attachment_names().any(|name| words.are_in(&name))
        {
            return Truth::Yes;
        }
        match self.body {
            None => Truth::NeedsBody,
            Some(raw) => facts
                .parts()
                .iter()
                .any(|part| words.are_in(&text_of(raw, part)))
                .into(),
        }
    }
}

fn in_fields(facts: &FactsView<'_>, names: &[&str], words: &Words) -> bool {
    facts.kept_fields().any(|field| {
        names.iter().any(|name| field.is(name)) && words.are_in(&decode_words(field.value))
    })
}

/// The readable text of a text part.
fn text_of(raw: &[u8], part: &Part) -> String {
    if part.kind != Kind::Text {
        return String::new();
    }
    let (start, end) = (part.body.start as usize, part.body.end as usize);
    let text = decode_text(
        raw.get(start..end.min(raw.len())).unwrap_or_default(),
        part,
        usize::MAX,
    );
    if part.subtype == "html" {
        strip_html(&text)
    } else {
        text
    }
}

/// Whole words, in order, as X-GM-RAW matches them (wire §3.8); case ignored.
#[derive(Clone, Debug)]
pub struct Words {
    folded: String,
}

impl Words {
    /// The word or phrase to look for.
    pub fn new(text: &str) -> Self {
        Self {
            folded: text
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .to_lowercase(),
        }
    }

    /// Whether they are in a text, not inside of longer words.
    pub fn are_in(&self, text: &str) -> bool {
        if self.folded.is_empty() {
            return true;
        }
        let mut text = text.to_lowercase();
        if self.folded.contains(' ') {
            text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        }
        let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        let mut from = 0;
        while let Some(found) = text[from..].find(&self.folded) {
            let (start, end) = (from + found, from + found + self.folded.len());
            if edge(text[..start].chars().next_back()) && edge(text[end..].chars().next()) {
                return true;
            }
            from = start + text[start..].chars().next().map_or(1, char::len_utf8);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_whole() {
        assert!(Words::new("bob").are_in("Bob <bob@example.com>"));
        assert!(!Words::new("bo").are_in("Bob"));
        assert!(Words::new("exact  Phrase").are_in("an exact\r\n phrase."));
        assert!(!Words::new("exact phrase").are_in("exact phrases"));
        assert!(Words::new("x").are_in("xx x"));
        assert!(Words::new("ä").are_in("Ä!"));
    }
}
