//! `BODY[...]`: which bytes of a message a section means, and how it is called in the reply.

use pillarbox_message::{self as message, FactsView, Limits, Structure, filter_header};
use pillarbox_store::mail::Record;
use pillarbox_wire::imap::command::{FetchItem, Partial, Section, SectionText};
use std::ops::Range;

/// One body item of a FETCH.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// As the reply calls it: `BODY[1.2]<0>`, `RFC822`.
    pub name: String,
    /// Which bytes.
    pub section: Section,
    /// Only a range of them.
    pub partial: Option<Partial>,
}

/// Where the bytes of a section are.
pub enum Source {
    /// No such part: NIL.
    Nothing,
    /// A range of the body.
    Range(Range<u64>),
    /// These fields of the header at this range.
    Fields(Range<u64>),
    /// Known from the record.
    Ready(Vec<u8>),
    /// The record has no room for this message's structure: its body must be read.
    Unknown,
}

impl Wanted {
    /// The body item, and whether it sets `\Seen`; `None` for all others.
    pub fn of(item: &FetchItem) -> Option<(Self, bool)> {
        let plain = |name: &str, text, seen| {
            let section = Section {
                part: Vec::new(),
                text,
            };
            Some((
                Self {
                    name: name.into(),
                    section,
                    partial: None,
                },
                seen,
            ))
        };
        match item {
            FetchItem::Rfc822 => plain("RFC822", SectionText::Whole, true),
            FetchItem::Rfc822Header => plain("RFC822.HEADER", SectionText::Header, false),
            FetchItem::Rfc822Text => plain("RFC822.TEXT", SectionText::Text, true),
            FetchItem::Section {
                section,
                peek,
                partial,
            } => {
                let name = name(section, *partial);
                Some((
                    Self {
                        name,
                        section: section.clone(),
                        partial: *partial,
                    },
                    !peek,
                ))
            }
            _ => None,
        }
    }

    /// Where it is, as far as the record knows.
    pub fn find(&self, facts: &FactsView<'_>) -> Source {
        if let SectionText::HeaderFields(names) = &self.section.text
            && self.section.part.is_empty()
            && let Some(ready) = facts.header_fields(names)
        {
            return Source::Ready(ready);
        }
        let found = self.with_section(|section| facts.section(section));
        match found {
            None if facts.flags().abridged => Source::Unknown,
            found => self.source(found),
        }
    }

    /// Where it is, from the whole message.
    pub fn find_in(&self, raw: &[u8]) -> Source {
        let structure = Structure::parse(raw, &Limits::default());
        self.source(self.with_section(|section| message::resolve(&structure, section)))
    }

    fn source(&self, span: Option<Range<u64>>) -> Source {
        match (span, &self.section.text) {
            (None, _) => Source::Nothing,
            (Some(span), SectionText::HeaderFields(_) | SectionText::HeaderFieldsNot(_)) => {
                Source::Fields(span)
            }
            (Some(span), _) => Source::Range(span),
        }
    }

    fn with_section<T>(&self, f: impl FnOnce(message::Section<'_>) -> T) -> T {
        let path: Vec<u32> = self
            .section
            .part
            .iter()
            .map(|number| number.get())
            .collect();
        f(match self.section.text {
            SectionText::Whole => message::Section::Part(&path),
            SectionText::Header
            | SectionText::HeaderFields(_)
            | SectionText::HeaderFieldsNot(_) => message::Section::Header(&path),
            SectionText::Text => message::Section::Text(&path),
            SectionText::Mime => message::Section::Mime(&path),
        })
    }

    /// The wanted fields of a header.
    pub fn fields_of(&self, header: &[u8]) -> Vec<u8> {
        match &self.section.text {
            SectionText::HeaderFields(names) => filter_header(header, names, false),
            SectionText::HeaderFieldsNot(names) => filter_header(header, names, true),
            _ => header.to_vec(),
        }
    }

    /// Cuts a range to the partial asked for (RFC 3501 §6.4.5: beyond the end is the empty string).
    pub fn cut(&self, range: Range<u64>) -> Range<u64> {
        let Some(partial) = self.partial else {
            return range;
        };
        let start = range
            .start
            .saturating_add(u64::from(partial.offset))
            .min(range.end);
        let end = start
            .saturating_add(u64::from(partial.length.get()))
            .min(range.end);
        start..end
    }
}

/// Cuts a range to the body it lies in: records of damaged mail must not promise bytes that are not there.
pub fn within(range: Range<u64>, record: &Record) -> Range<u64> {
    let end = range.end.min(u64::from(record.size));
    range.start.min(end)..end
}

/// `BODY[section]<offset>` as the reply spells it.
fn name(section: &Section, partial: Option<Partial>) -> String {
    let mut name = String::from("BODY[");
    let mut dot = "";
    for number in &section.part {
        name.push_str(&format!("{dot}{number}"));
        dot = ".";
    }
    let mut text = |text: &str| {
        name.push_str(dot);
        name.push_str(text);
    };
    match &section.text {
        SectionText::Whole => {}
        SectionText::Header => text("HEADER"),
        SectionText::HeaderFields(names) => {
            text(&format!("HEADER.FIELDS ({})", field_names(names)))
        }
        SectionText::HeaderFieldsNot(names) => {
            text(&format!("HEADER.FIELDS.NOT ({})", field_names(names)))
        }
        SectionText::Text => text("TEXT"),
        SectionText::Mime => text("MIME"),
    }
    name.push(']');
    if let Some(partial) = partial {
        name.push_str(&format!("<{}>", partial.offset));
    }
    name
}

/// Names as the client wrote them, quoted where they are no atoms.
fn field_names(names: &[String]) -> String {
    let atom = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_graphic() && !b"(){%*\"\\]".contains(&b))
    };
    let spelled = names.iter().map(|name| match atom(name) {
        true => name.clone(),
        false => format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")),
    });
    spelled.collect::<Vec<_>>().join(" ")
}
