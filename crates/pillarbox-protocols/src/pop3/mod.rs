//! POP3 as a conversation (RFC 1939, wire §4): a maildrop is a window on an account, popped messages leave it.
//!
//! [`Conversation`] is the machine, [`Maildrop`] has the message numbers. Deliberately absent: grammar
//! (`pillarbox-wire`), what popping does to a message (the store's `pop_done`), locks (Gmail has none, and UIDLs that
//! depend on nothing but the message make two sessions harmless), sockets and clocks.

mod conversation;
mod maildrop;

pub use conversation::{Answer, Conversation};
pub use maildrop::Maildrop;

use crate::events::Journal;
use pillarbox_oauth::Identity;
use pillarbox_store::mail::Store;
use pillarbox_wire::sasl::Mechanism;
use std::time::Duration;

/// What all POP connections of a server share.
pub struct Context {
    /// Where mail is.
    pub store: Store,
    /// Who may sign in.
    pub identity: Identity,
    /// See [`Limits`].
    pub limits: Limits,
    /// Told what happens.
    pub journal: Journal,
    /// The product's name, shown in the greeting.
    pub product: String,
    /// Where people find help; part of some refusals.
    pub help_url: String,
    /// The authorization server, named in OAUTHBEARER's refusals.
    pub issuer: String,
    /// What AUTH offers, in the order announced. USER and PASS work as long as PLAIN is among them.
    pub mechanisms: Vec<Mechanism>,
}

/// What one connection may make us hold, do or wait for.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Longest line, in bytes: a token needs 16 KiB (wire §2.1).
    pub line_bytes_max: usize,
    /// Refused sign-ins before the connection is closed (wire §2.2).
    pub sign_in_failures_max: u32,
    /// Commands in a row that were not understood before the connection is closed.
    pub bad_commands_max: u32,
    /// Silence before sign-in.
    pub silence_before_login: Duration,
    /// Silence where the dummy of wire §2.2 is due; a client that does not know of it gets its refusal after this.
    pub silence_before_dummy: Duration,
    /// The whole time before sign-in, so that a drip of bytes does not hold a connection.
    pub before_login: Duration,
    /// Silence after sign-in: RFC 1939 §3 asks for at least ten minutes.
    pub silence: Duration,
    /// The longest session, whatever opened it (wire §6).
    pub session: Duration,
    /// How long an expired session waits for the command it can answer with the reason (wire §6).
    pub grace: Duration,
    /// How long a message on its way may go on after the session's end (wire §6: at most five minutes).
    pub text_after_end: Duration,
    /// One read of a stored body, in bytes.
    pub body_read_bytes: u64,
    /// Live connections of one account.
    pub connections_of_account_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line_bytes_max: pillarbox_wire::line::LINE_BYTES_MAX,
            sign_in_failures_max: 5,
            bad_commands_max: 20,
            silence_before_login: Duration::from_secs(60),
            silence_before_dummy: Duration::from_secs(10),
            before_login: Duration::from_secs(3 * 60),
            silence: Duration::from_secs(11 * 60),
            session: Duration::from_secs(7 * 24 * 60 * 60),
            grace: Duration::from_secs(60),
            text_after_end: Duration::from_secs(5 * 60),
            body_read_bytes: 256 * 1024,
            connections_of_account_max: 15,
        }
    }
}
