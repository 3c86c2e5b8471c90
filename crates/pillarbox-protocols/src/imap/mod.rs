//! IMAP4rev1 with Gmail's extensions, as a conversation (RFC 3501, wire §3).
//!
//! [`Conversation`] is the machine: it finds commands in the bytes, checks when they are legal and lends its [`Desk`] to
//! a job that does the work. A job does a bounded amount and comes back with output; long commands are resumed after
//! the output was sent, so memory stays bounded and the session's end can take effect between two replies. One command
//! is one file; [`table`] holds what the RFCs say about all of them; [`view::View`] has the sequence numbers.
//!
//! Deliberately absent: grammar (`pillarbox-wire`), what labels mean for a message (the store), sockets and clocks.

mod append;
mod authenticate;
mod capability;
mod check;
mod conversation;
mod copy;
mod create;
mod delete;
mod desk;
mod enable;
mod expunge;
mod fetch;
mod id;
mod idle;
mod labels;
mod limits;
mod list;
mod namespace;
mod out;
mod quota;
mod refuse;
mod rename;
mod search;
mod select;
mod status;
mod store;
mod subscribe;
mod sync;
pub mod table;
mod task;
pub mod view;

pub use conversation::{Answer, Conversation};
pub use limits::Limits;

use crate::events::Journal;
use pillarbox_oauth::Identity;
use pillarbox_store::mail::Store;
use pillarbox_wire::sasl::Mechanism;

/// What all IMAP connections of a server share.
pub struct Context {
    /// Where mail is.
    pub store: Store,
    /// Who may sign in.
    pub identity: Identity,
    /// See [`Limits`].
    pub limits: Limits,
    /// Told what happens.
    pub journal: Journal,
    /// The product's name, shown in the greeting and by ID.
    pub product: String,
    /// Who made it, shown by ID.
    pub vendor: String,
    /// Its version, shown by ID.
    pub version: String,
    /// Where people find help; part of some refusals.
    pub help_url: String,
    /// The authorization server, named in OAUTHBEARER's refusals.
    pub issuer: String,
    /// What AUTHENTICATE offers, in the order announced. LOGIN works as long as PLAIN is among them.
    pub mechanisms: Vec<Mechanism>,
}
