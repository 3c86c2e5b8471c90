//! The facts of one RFC 5322 / MIME message, computed from its bytes once, at delivery.
//!
//! [`Structure::parse`] reads the whole tree of MIME parts with byte ranges; [`Facts::parse`] condenses it into the record
//! that a store keeps beside the body: ENVELOPE, BODY and BODYSTRUCTURE ready to send, the ranges of every part, the
//! header fields that lists, search and threads need, and a preview. Reading never fails: mail that breaks the rules is
//! described as well as can be and marked ([`Flags`]).
//!
//! **Why IMAP's text form lives here.** ENVELOPE and BODYSTRUCTURE are pure functions of the message, as its size is.
//! Printed once, they are copied from the record to the client for as long as the message lives; the floor that speaks IMAP
//! would otherwise parse the message again for every listing. Nothing else of IMAP is known here.
//!
//! What this crate deliberately does not do: sockets, async, clocks, disks; writing mail; judging mail (signatures, spam);
//! opening messages that are themselves in base64 or quoted-printable (RFC 2046 §5.2.1 forbids that: they stay one part).
#![forbid(unsafe_code)]

mod abridge;
mod address;
mod base_subject;
mod charset;
mod content;
mod date;
mod envelope;
mod facts;
mod header;
mod preview;
mod print;
mod search;
mod section;
mod structure;
mod transfer;
mod words;

pub use address::{Address, parse_address_list};
pub use base_subject::{BaseSubject, base_subject};
pub use charset::decode_charset;
pub use content::{Content, Disposition, Param, decode_param};
pub use date::{Date, parse_date};
pub use envelope::{Envelope, message_ids};
pub use facts::{Corrupt, Facts, FactsView, RECORD_BYTES_MAX};
pub use header::{Field, HeaderFields, filter_header, header_fields, unfold};
pub use preview::strip_html;
pub use print::{print_body, print_bodystructure, print_envelope};
pub use search::{Needle, Scope, decode_text, message_contains};
pub use section::{Section, Span, Tree, TreeNode, resolve};
pub use structure::{Entity, Structure};
pub use transfer::{decode_transfer, transfer_decoder_input_max};
pub use words::decode_words;

use std::ops::Range;

/// Bounds on what a message can make us build; what lies beyond stays inside the last part that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Deepest nesting of multiparts and messages. Real mail stays below ten; the tree is walked without recursion.
    pub depth_max: usize,
    /// Most MIME parts that are told apart.
    pub parts_max: usize,
    /// Most fields of one header that are looked at.
    pub fields_max: usize,
    /// Longest unfolded field value that is looked at, in bytes; the rest of a longer one is ignored.
    pub field_bytes_max: usize,
    /// Most parameters of one Content-Type or Content-Disposition.
    pub params_max: usize,
    /// Most addresses of one field that are told apart.
    pub addresses_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth_max: 64,
            parts_max: 10_000,
            fields_max: 10_000,
            field_bytes_max: 256 << 10,
            params_max: 64,
            addresses_max: 10_000,
        }
    }
}

/// What is wrong with a message or its record; all false for ordinary mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// The message breaks the rules (a missing blank line or end boundary, an empty multipart, NUL bytes ...).
    pub damaged: bool,
    /// A limit stopped the reading: the tree is coarser than the message.
    pub truncated: bool,
    /// The record had no room for the whole ENVELOPE, BODYSTRUCTURE or table of parts: outer parts and first entries are
    /// there. Who needs the rest parses the body again ([`Structure::parse`]).
    pub abridged: bool,
}

/// What a part is made of, so what may follow its number in a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Neither of the others.
    Leaf,
    /// `text/*`: BODYSTRUCTURE tells its lines.
    Text,
    /// `multipart/*` with a boundary: has at least one child.
    Multipart,
    /// `message/rfc822` without a transfer encoding: has exactly one child, the root of the inner message.
    Message,
    /// Has an inside that a limit kept closed; shown as `application/octet-stream`.
    Closed,
}

/// Content-Transfer-Encoding (RFC 2045 §6) as far as it changes how the bytes are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `7bit`, `8bit`, `binary`, missing or unknown: the bytes are the content.
    Identity,
    /// `base64`
    Base64,
    /// `quoted-printable`
    QuotedPrintable,
}

/// One MIME part as a record keeps it: where it lies and how to read its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Index of the part around this one; none for the first, which is the message itself.
    pub parent: Option<u32>,
    /// What it is made of.
    pub kind: Kind,
    /// Its header with the blank line, as byte offsets in the message.
    pub header: Range<u64>,
    /// Its body; starts where the header ends.
    pub body: Range<u64>,
    /// Line feeds in the body.
    pub lines: u64,
    /// Media type, lower case (`text`).
    pub media_type: String,
    /// Media subtype, lower case (`plain`).
    pub subtype: String,
    /// The `charset` parameter as given.
    pub charset: Option<String>,
    /// How the body is encoded.
    pub encoding: Encoding,
    /// Content-Disposition is `attachment`.
    pub attachment: bool,
}
