//! The record of a message's facts: built at delivery, kept by the store, read in place.
//!
//! A record is one run of bytes: a fixed head with the lengths of its sections, then the sections. Reading one section is a
//! slice, so a list of 20,000 envelopes costs 20,000 copies and no parsing. The first byte is the version of this layout.

use std::borrow::Cow;

use crate::address::{Address, parse_address_list};
use crate::base_subject::{BaseSubject, base_subject};
use crate::date::{Date, parse_date};
use crate::envelope::message_ids;
use crate::header::{Field, HeaderFields, filter_header, header_fields};
use crate::print::{print_body, print_bodystructure, print_envelope};
use crate::search::Needle;
use crate::section::{Section, Span, resolve};
use crate::words::decode_words;
use crate::{Encoding, Flags, Kind, Limits, Part, Structure};

const VERSION: u8 = 1;
const SECTIONS: usize = 8;
/// Version, flags, size, date, zone, lengths.
const HEAD_BYTES: usize = 2 + 8 + 8 + 2 + SECTIONS * 4;

/// No record is larger: a store's value holds 64 kB, and a message's other data has to fit beside this.
pub const RECORD_BYTES_MAX: usize = 48_000;

// The shares of the sections in RECORD_BYTES_MAX; together with the head they stay below it.
const ENVELOPE_BYTES_MAX: usize = 11_000;
const STRUCTURE_BYTES_MAX: usize = 24_000; // BODY, BODYSTRUCTURE and the table of parts
const FIELDS_BYTES_MAX: usize = 9_000;
const FIELD_BYTES_MAX: usize = 3_000;
const OTHERS_MAX: usize = 256; // two bytes each
const ATTACHMENTS_BYTES_MAX: usize = 2_000;
const ATTACHMENT_NAME_BYTES_MAX: usize = 255;

/// Message ids kept of one References field; the last are the nearest ancestors.
const REFERENCES_MAX: usize = 100;

const FLAG_DAMAGED: u8 = 1;
const FLAG_TRUNCATED: u8 = 2;
const FLAG_ABRIDGED: u8 = 4;
const FLAG_DATE: u8 = 8;
/// Some header field is neither kept nor among the others: absence cannot be told.
const FLAG_HEADER_OPEN: u8 = 16;
const FLAG_ATTACHMENT: u8 = 32;

/// Header fields kept in the record: those that lists, searches, sorting and threads ask for.
const KEPT: [&str; 26] = [
    "From",
    "To",
    "Cc",
    "Bcc",
    "Reply-To",
    "Sender",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "List-Id",
    "Delivered-To",
    "Content-Type",
    "MIME-Version",
    "Content-Transfer-Encoding",
    "Content-Disposition",
    "List-Post",
    "List-Unsubscribe",
    "Importance",
    "Priority",
    "X-Priority",
    "X-Label",
    "Mail-Followup-To",
    "Newsgroups",
    "Auto-Submitted",
];

/// A record whose bytes make no sense, or one of a later version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

impl std::fmt::Display for Corrupt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("message record is damaged or of an unknown version")
    }
}

impl std::error::Error for Corrupt {}

/// The facts of one message, owned. Read them through [`Facts::view`].
#[derive(Clone, PartialEq, Eq)]
pub struct Facts {
    record: Vec<u8>,
}

impl std::fmt::Debug for Facts {
    /// Without the text of the mail, which does not belong into logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Facts({} bytes)", self.record.len())
    }
}

impl Facts {
    /// Reads a message and keeps what a store needs of it. Never fails; the record never exceeds [`RECORD_BYTES_MAX`].
    pub fn parse(raw: &[u8], limits: &Limits) -> Self {
        Self::of(raw, Structure::parse(raw, limits))
    }

    /// The same, from a structure read before.
    pub fn of(raw: &[u8], structure: Structure) -> Self {
        build(raw, structure)
    }

    /// The record as it is kept.
    pub fn encode(&self) -> Vec<u8> {
        self.record.clone()
    }

    /// The record as it is kept, without a copy.
    pub fn into_bytes(self) -> Vec<u8> {
        self.record
    }

    /// Takes a kept record, checking all of it.
    pub fn decode(record: &[u8]) -> Result<Self, Corrupt> {
        let view = FactsView::new(record)?;
        view.checked_parts()?;
        Ok(Self {
            record: record.to_vec(),
        })
    }

    /// Looks into the record.
    pub fn view(&self) -> FactsView<'_> {
        // Checked when made; an empty view would only show nothing.
        FactsView::new(&self.record).unwrap_or_default()
    }
}

/// A record read in place: every accessor is a slice or decodes only what it returns.
#[derive(Clone, Copy, Default)]
pub struct FactsView<'a> {
    flags: u8,
    size: u64,
    date: i64,
    zone: i16,
    sections: [&'a [u8]; SECTIONS],
}

impl std::fmt::Debug for FactsView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FactsView({} byte message)", self.size)
    }
}

impl<'a> FactsView<'a> {
    /// Reads the head of a record; the cost does not depend on the record's size.
    pub fn new(record: &'a [u8]) -> Result<Self, Corrupt> {
        let (head, mut rest) = record.split_at_checked(HEAD_BYTES).ok_or(Corrupt)?;
        if head[0] != VERSION {
            return Err(Corrupt);
        }
        let mut sections = [&[][..]; SECTIONS];
        for (i, section) in sections.iter_mut().enumerate() {
            let len = u32::from_le_bytes(array(head, 20 + i * 4)) as usize;
            (*section, rest) = rest.split_at_checked(len).ok_or(Corrupt)?;
        }
        if !rest.is_empty() {
            return Err(Corrupt);
        }
        let (size, date) = (
            u64::from_le_bytes(array(head, 2)),
            i64::from_le_bytes(array(head, 10)),
        );
        Ok(Self {
            flags: head[1],
            size,
            date,
            zone: i16::from_le_bytes(array(head, 18)),
            sections,
        })
    }

    /// Size of the message in octets (RFC822.SIZE).
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What is wrong with the message or this record.
    pub fn flags(&self) -> Flags {
        let has = |bit| self.flags & bit != 0;
        Flags {
            damaged: has(FLAG_DAMAGED),
            truncated: has(FLAG_TRUNCATED),
            abridged: has(FLAG_ABRIDGED),
        }
    }

    /// The Date field.
    pub fn date(&self) -> Option<Date> {
        (self.flags & FLAG_DATE != 0).then_some(Date {
            unix: self.date,
            zone_minutes: self.zone,
        })
    }

    /// ENVELOPE's parenthesised list, ready to send.
    pub fn envelope(&self) -> &'a [u8] {
        self.sections[0]
    }

    /// BODY's parenthesised list, ready to send.
    pub fn body(&self) -> &'a [u8] {
        self.sections[1]
    }

    /// BODYSTRUCTURE's parenthesised list, ready to send.
    pub fn bodystructure(&self) -> &'a [u8] {
        self.sections[2]
    }

    /// The first words of the text, about 200 characters.
    pub fn preview(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.sections[6])
    }

    /// Does it carry a file meant to be saved?
    pub fn has_attachment(&self) -> bool {
        self.flags & FLAG_ATTACHMENT != 0
    }

    /// Decoded names of its attachments; long names are cut and long lists end early.
    pub fn attachment_names(&self) -> impl Iterator<Item = Cow<'a, str>> {
        self.sections[7]
            .split(|&b| b == 0)
            .filter(|n| !n.is_empty())
            .map(String::from_utf8_lossy)
    }

    /// All parts, the message itself first.
    pub fn parts(&self) -> Vec<Part> {
        self.checked_parts().unwrap_or_default()
    }

    /// Where a section lies; `None`: no such part (if [`Flags::abridged`], ask the body's own structure).
    pub fn section(&self, section: Section<'_>) -> Option<Span> {
        if section == Section::Part(&[]) {
            return Some(0..self.size);
        }
        resolve(self.parts().as_slice(), section)
    }

    /// The kept header fields as they stand in the message (a long one is cut).
    pub fn kept_fields(&self) -> HeaderFields<'a> {
        header_fields(self.sections[4])
    }

    /// The first kept field of that name.
    pub fn field(&self, name: &str) -> Option<Field<'a>> {
        self.kept_fields().find(|f| f.is(name))
    }

    /// The first kept field of that name, decoded on one line.
    pub fn text(&self, name: &str) -> Option<String> {
        self.field(name).map(|f| decode_words(f.value))
    }

    /// BODY[HEADER.FIELDS (names)] if the record alone can tell: byte for byte what the header gives. `None`: read the body.
    pub fn header_fields<N: AsRef<[u8]>>(&self, names: &[N]) -> Option<Vec<u8>> {
        let known = |name: &[u8]| {
            self.flags & FLAG_HEADER_OPEN == 0 && !self.others().any(|hash| hash == name_hash(name))
        };
        names
            .iter()
            .all(|n| known(n.as_ref()))
            .then(|| filter_header(self.sections[4], names, false))
    }

    /// SEARCH HEADER name needle, if the record alone can tell. `None`: read the body.
    pub fn header_contains(&self, name: &str, needle: &Needle) -> Option<bool> {
        if self
            .kept_fields()
            .any(|f| f.is(name) && needle.is_in(&decode_words(f.value)))
        {
            return Some(true);
        }
        let open = self.flags & FLAG_HEADER_OPEN != 0
            || self.others().any(|hash| hash == name_hash(name.as_bytes()));
        (!open).then_some(false)
    }

    /// Addresses of all kept fields of that name.
    pub fn addresses(&self, name: &str) -> Vec<Address> {
        self.kept_fields()
            .filter(|f| f.is(name))
            .flat_map(|f| parse_address_list(f.value, usize::MAX))
            .collect()
    }

    /// Subject, decoded; empty if there is none.
    pub fn subject(&self) -> String {
        self.text("Subject").unwrap_or_default()
    }

    /// The base subject (RFC 5256 §2.1).
    pub fn base_subject(&self) -> BaseSubject {
        base_subject(&self.subject())
    }

    /// Message-ID without its brackets.
    pub fn message_id(&self) -> Option<String> {
        self.ids("Message-ID").into_iter().next_back()
    }

    /// Ids of In-Reply-To.
    pub fn in_reply_to(&self) -> Vec<String> {
        self.ids("In-Reply-To")
    }

    /// Ids of References, the nearest last; at most a hundred.
    pub fn references(&self) -> Vec<String> {
        self.ids("References")
    }

    /// What stands between the brackets of List-Id (RFC 2919).
    pub fn list_id(&self) -> Option<String> {
        self.ids("List-Id").into_iter().next_back()
    }

    fn ids(&self, name: &str) -> Vec<String> {
        self.field(name)
            .map(|f| message_ids(f.value, REFERENCES_MAX))
            .unwrap_or_default()
    }

    fn others(&self) -> impl Iterator<Item = u16> + use<'a> {
        self.sections[5]
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
    }

    fn checked_parts(&self) -> Result<Vec<Part>, Corrupt> {
        decode_parts(self.sections[3]).ok_or(Corrupt)
    }
}

fn build(raw: &[u8], structure: Structure) -> Facts {
    let mut flags = 0;
    let root = structure.root();
    let header = &raw[root.header.clone()];
    let date = root
        .envelope
        .as_ref()
        .and_then(|e| e.date.as_deref())
        .and_then(parse_date);
    let fields = kept_fields(header);
    let preview = crate::preview::preview(raw, &structure);
    let attachments = attachments(&structure);
    let (printed, abridged) = printed(&structure);
    for (set, bit) in [
        (structure.flags.damaged, FLAG_DAMAGED),
        (structure.flags.truncated, FLAG_TRUNCATED),
        (abridged, FLAG_ABRIDGED),
        (date.is_some(), FLAG_DATE),
        (fields.cut, FLAG_HEADER_OPEN),
        (attachments.any, FLAG_ATTACHMENT),
    ] {
        flags |= if set { bit } else { 0 };
    }
    let [envelope, body, bodystructure, parts] = printed;
    let sections = [
        envelope,
        body,
        bodystructure,
        parts,
        fields.kept,
        fields.others,
        preview.into_bytes(),
        attachments.names,
    ];
    let mut record = Vec::with_capacity(HEAD_BYTES + sections.iter().map(Vec::len).sum::<usize>());
    record.extend_from_slice(&[VERSION, flags]);
    record.extend_from_slice(&(raw.len() as u64).to_le_bytes());
    record.extend_from_slice(&date.map_or(0, |d| d.unix).to_le_bytes());
    record.extend_from_slice(&date.map_or(0, |d| d.zone_minutes).to_le_bytes());
    for section in &sections {
        record.extend_from_slice(&(section.len() as u32).to_le_bytes());
    }
    for section in &sections {
        record.extend_from_slice(section);
    }
    Facts { record }
}

/// ENVELOPE, BODY, BODYSTRUCTURE and the parts within their shares; true if something had to go.
fn printed(structure: &Structure) -> ([Vec<u8>; 4], bool) {
    /// Parts, bytes of a string, entries of a list: the last always fits.
    const STEPS: [(usize, usize, usize); 6] = [
        (10_000, 2_000, 10_000),
        (200, 1_000, 200),
        (100, 500, 50),
        (40, 250, 20),
        (10, 120, 10),
        (1, 60, 4),
    ];
    let envelope = print_envelope(structure);
    let tree = print_tree(structure);
    if envelope.len() <= ENVELOPE_BYTES_MAX && total(&tree) <= STRUCTURE_BYTES_MAX {
        let [body, bodystructure, parts] = tree;
        return ([envelope, body, bodystructure, parts], false);
    }
    let mut envelope = (envelope.len() <= ENVELOPE_BYTES_MAX).then_some(envelope);
    let mut tree = (total(&tree) <= STRUCTURE_BYTES_MAX).then_some(tree);
    for (parts, string, list) in STEPS {
        if envelope.is_some() && tree.is_some() {
            break;
        }
        let smaller = crate::abridge::abridge(structure, parts, string, list);
        envelope = envelope
            .or_else(|| Some(print_envelope(&smaller)).filter(|e| e.len() <= ENVELOPE_BYTES_MAX));
        tree =
            tree.or_else(|| Some(print_tree(&smaller)).filter(|t| total(t) <= STRUCTURE_BYTES_MAX));
    }
    let [body, bodystructure, parts] = tree.unwrap_or_default();
    (
        [envelope.unwrap_or_default(), body, bodystructure, parts],
        true,
    )
}

fn print_tree(structure: &Structure) -> [Vec<u8>; 3] {
    [
        print_body(structure),
        print_bodystructure(structure),
        encode_parts(structure),
    ]
}

fn total(sections: &[Vec<u8>]) -> usize {
    sections.iter().map(Vec::len).sum()
}

struct KeptFields {
    kept: Vec<u8>,
    others: Vec<u8>,
    /// Not every field could be kept or marked.
    cut: bool,
}

/// The fields of [`KEPT`] as written, and marks of the names of all others.
fn kept_fields(header: &[u8]) -> KeptFields {
    let mut out = KeptFields {
        kept: Vec::new(),
        others: Vec::new(),
        cut: false,
    };
    let mut others = Vec::new();
    for field in header_fields(header) {
        if KEPT.iter().any(|name| field.is(name)) {
            let whole = &header[field.range];
            let room = FIELDS_BYTES_MAX
                .saturating_sub(out.kept.len() + 2)
                .min(FIELD_BYTES_MAX);
            out.cut |= whole.len() > room;
            let cut = &whole[..whole.len().min(room)];
            // A field cut within its name would be another field.
            if cut.len() > field.name.len() + 1 {
                out.kept.extend_from_slice(cut.trim_ascii_end());
                let line_end = if whole.ends_with(b"\r\n") || !whole.ends_with(b"\n") {
                    &b"\r\n"[..]
                } else {
                    b"\n"
                };
                restore_end(&mut out.kept, whole, cut, line_end);
            }
        } else {
            let hash = name_hash(field.name);
            if !others.contains(&hash) {
                out.cut |= others.len() >= OTHERS_MAX;
                others.truncate(OTHERS_MAX - 1);
                others.push(hash);
            }
        }
    }
    out.others = others.into_iter().flat_map(u16::to_le_bytes).collect();
    out
}

/// Whole fields keep their own end byte for byte; a cut one gets a line end, so that the next field stands alone.
fn restore_end(kept: &mut Vec<u8>, whole: &[u8], cut: &[u8], line_end: &[u8]) {
    if cut.len() == whole.len() && whole.ends_with(b"\n") {
        kept.extend_from_slice(&whole[whole.trim_ascii_end().len()..]);
    } else {
        kept.extend_from_slice(line_end);
    }
}

/// FNV-1a of the name in lower case, folded to 16 bits. A collision only costs a look into the body.
fn name_hash(name: &[u8]) -> u16 {
    let hash = name.iter().fold(0x811c_9dc5_u32, |h, b| {
        (h ^ u32::from(b.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
    });
    (hash ^ hash >> 16) as u16
}

struct Attachments {
    any: bool,
    names: Vec<u8>,
}

fn attachments(structure: &Structure) -> Attachments {
    let mut out = Attachments {
        any: false,
        names: Vec::new(),
    };
    for entity in &structure.entities {
        if entity.kind == Kind::Multipart || !entity.content.is_attachment() {
            continue;
        }
        out.any = true;
        let name: String = entity
            .content
            .filename()
            .unwrap_or_default()
            .replace('\0', "");
        let cut = name.floor_char_boundary(ATTACHMENT_NAME_BYTES_MAX);
        if out.names.len() + cut + 1 > ATTACHMENTS_BYTES_MAX {
            break;
        }
        out.names.extend_from_slice(&name.as_bytes()[..cut]);
        out.names.push(0);
    }
    out
}

const MEDIA_NAME_BYTES_MAX: usize = 100;

fn encode_parts(structure: &Structure) -> Vec<u8> {
    let mut out = Vec::new();
    let mut last_start = 0;
    put(structure.entities.len() as u64, &mut out);
    for (index, entity) in structure.entities.iter().enumerate() {
        put(entity.parent.map_or(0, |p| (index - p) as u64), &mut out);
        let encoding = entity.content.transfer();
        let attachment = entity
            .content
            .disposition
            .as_ref()
            .is_some_and(|d| d.kind.eq_ignore_ascii_case(b"attachment"));
        out.push(entity.kind as u8 | (encoding as u8) << 3 | u8::from(attachment) << 5);
        put((entity.header.start - last_start) as u64, &mut out);
        last_start = entity.header.start;
        put(entity.header.len() as u64, &mut out);
        put(entity.body.len() as u64, &mut out);
        put(entity.lines as u64, &mut out);
        put_text(&entity.content.media_type.to_ascii_lowercase(), &mut out);
        put_text(&entity.content.subtype.to_ascii_lowercase(), &mut out);
        put_text(
            crate::content::param(&entity.content.params, "charset").unwrap_or_default(),
            &mut out,
        );
    }
    out
}

fn decode_parts(bytes: &[u8]) -> Option<Vec<Part>> {
    let mut rest = bytes;
    let count = take(&mut rest)?;
    // Each part takes at least nine bytes, so a lie about their number reserves nothing.
    let mut parts = Vec::with_capacity(usize::try_from(count).ok()?.min(bytes.len() / 9 + 1));
    let mut start = 0u64;
    for index in 0..count {
        let up = take(&mut rest)?;
        let (&bits, tail) = rest.split_first()?;
        rest = tail;
        start = start.checked_add(take(&mut rest)?)?;
        let header_end = start.checked_add(take(&mut rest)?)?;
        let body_end = header_end.checked_add(take(&mut rest)?)?;
        let lines = take(&mut rest)?;
        let parent = match up {
            0 if index == 0 => None,
            0 => return None,
            up => Some(u32::try_from(index.checked_sub(up)?).ok()?),
        };
        let (media_type, subtype) = (take_text(&mut rest)?, take_text(&mut rest)?);
        let charset = Some(take_text(&mut rest)?).filter(|c| !c.is_empty());
        let (kind, encoding) = (kind_of(bits & 7)?, encoding_of(bits >> 3 & 3)?);
        let attachment = bits & 32 != 0;
        parts.push(Part {
            parent,
            kind,
            header: start..header_end,
            body: header_end..body_end,
            lines,
            media_type,
            subtype,
            charset,
            encoding,
            attachment,
        });
    }
    (rest.is_empty() && !parts.is_empty()).then_some(parts)
}

fn kind_of(bits: u8) -> Option<Kind> {
    [
        Kind::Leaf,
        Kind::Text,
        Kind::Multipart,
        Kind::Message,
        Kind::Closed,
    ]
    .into_iter()
    .find(|k| *k as u8 == bits)
}

fn encoding_of(bits: u8) -> Option<Encoding> {
    [
        Encoding::Identity,
        Encoding::Base64,
        Encoding::QuotedPrintable,
    ]
    .into_iter()
    .find(|e| *e as u8 == bits)
}

/// LEB128.
fn put(mut n: u64, out: &mut Vec<u8>) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn take(rest: &mut &[u8]) -> Option<u64> {
    let mut n = 0u64;
    for shift in (0..63).step_by(7) {
        let (&b, tail) = rest.split_first()?;
        *rest = tail;
        n |= u64::from(b & 0x7f) << shift;
        if b < 0x80 {
            return Some(n);
        }
    }
    None
}

fn put_text(text: &[u8], out: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(&text[..text.len().min(MEDIA_NAME_BYTES_MAX)]);
    put(text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

fn take_text(rest: &mut &[u8]) -> Option<String> {
    let len = usize::try_from(take(rest)?).ok()?;
    let (text, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    Some(std::str::from_utf8(text).ok()?.to_owned())
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}
