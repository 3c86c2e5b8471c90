//! The grammar of IMAP, both sides: IMAP4rev1 (RFC 3501) with the extensions of wire §3.1.
//!
//! A server feeds bytes to a [`Framer`], which finds where commands and literals end, gives each complete command to [`parse`], and
//! writes replies with a [`Printer`]. A client prints commands with [`Command::print`] and reads replies with [`reply`].
//!
//! Not here: which command is legal in which state, the words of replies (the `protocols` floor has them), and anything about
//! messages; ENVELOPE and BODYSTRUCTURE are bytes made elsewhere.

pub mod code;
pub mod command;
mod command_print;
pub mod date;
pub mod frame;
pub mod mutf7;
mod parse;
pub mod print;
pub mod reply;
pub mod set;
mod types;

pub use code::Code;
pub use command::{Body, Command};
pub use command_print::Literals;
pub use date::{Date, DateTime};
pub use frame::{Event, Framer, Limits, Refusal, Refused};
pub use parse::{Malformed, Problem, parse};
pub use print::{BodyName, EsearchLine, FetchLine, Kind, ListLine, Printer};
pub use set::{NumberSet, SeqNumber, SeqRange, SequenceSet};
pub use types::{By, Flag, Keyword, Label, Mailbox, Secret, SpecialUse, Tag};
