//! Reading mail: one signed-in IMAP connection (RFC 3501, RFC 9051) and what it can be asked.
//!
//! Messages are named by UID everywhere; sequence numbers are in events only, because servers announce expunged messages by
//! them. Whatever the server says unasked is kept as an [`Event`] until [`Session::wait`] or [`Session::take_events`].

mod commands;
mod idle;
mod message;
mod session;

pub use message::{Event, Folder, Message, Selected};
pub use pillarbox_message::{Address, Envelope};
pub use pillarbox_wire::imap::command::{Change, FetchItem, SearchKey, Section, SectionText};
pub use pillarbox_wire::imap::reply::Value;
pub use pillarbox_wire::imap::{
    Code, Date, DateTime, Flag, Keyword, Kind, NumberSet, SeqNumber, SeqRange, SequenceSet,
    SpecialUse,
};
pub use session::Session;

#[cfg(test)]
mod tests;
