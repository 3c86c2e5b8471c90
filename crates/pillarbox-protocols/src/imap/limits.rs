//! Every bound of an IMAP connection, in one place.

use pillarbox_wire::imap::frame;
use std::time::Duration;

/// What one connection may make us hold, do or wait for.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Lines, literals and commands; `append_bytes_max` is the announced APPENDLIMIT.
    pub frame: frame::Limits,
    /// The same before anybody signed in, when nobody is owed anything but a token's line (wire §2.1).
    pub frame_before_login: frame::Limits,
    /// Live connections of one account (wire §6).
    pub connections_of_account_max: usize,
    /// Refused sign-ins before the connection is closed (wire §2.2).
    pub sign_in_failures_max: u32,
    /// Commands in a row that were not understood before the connection is closed: a program that talks something else
    /// never gets one right, a person typing does now and then.
    pub bad_commands_max: u32,
    /// Silence before sign-in.
    pub silence_before_login: Duration,
    /// Silence where the dummy of wire §2.2 is due: it costs its client no thought, and those that do not know of it
    /// (isync 1.4) wait for ever. They get their refusal after this.
    pub silence_before_dummy: Duration,
    /// The whole time before sign-in, so that a drip of bytes does not hold a connection.
    pub before_login: Duration,
    /// Silence after sign-in. Clients are owed 30 minutes (RFC 3501 §5.4); the one more is for their clocks.
    pub silence: Duration,
    /// The longest session, whatever opened it (wire §6).
    pub session: Duration,
    /// How long a running command may go on after the session's end (wire §6).
    pub grace: Duration,
    /// How long a literal may go on after the session's end (wire §6: at most five minutes). It is not to be cut, but one
    /// byte a second must not prolong what was revoked.
    pub literal_after_end: Duration,
    /// Output one step of a command gathers before it is sent, in bytes. Bounds memory; a step may go over by one
    /// message's headers.
    pub step_bytes: usize,
    /// Messages one step of a command looks at.
    pub step_messages: u32,
    /// One read of a stored body, in bytes.
    pub body_read_bytes: u64,
    /// A message whose text must be decoded for SEARCH BODY or TEXT is read up to this many bytes.
    pub search_body_bytes_max: u64,
    /// Pairs of an ID command that are looked at (RFC 2971 §3.3 allows 30).
    pub id_pairs_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let frame = frame::Limits::default();
        Self {
            frame,
            frame_before_login: frame::Limits {
                line_bytes_max: 20 * 1024,
                literal_bytes_max: 8 * 1024,
                command_bytes_max: 32 * 1024,
                ..frame
            },
            connections_of_account_max: 15,
            sign_in_failures_max: 5,
            bad_commands_max: 20,
            silence_before_login: Duration::from_secs(60),
            silence_before_dummy: Duration::from_secs(10),
            before_login: Duration::from_secs(3 * 60),
            silence: Duration::from_secs(31 * 60),
            session: Duration::from_secs(24 * 60 * 60),
            grace: Duration::from_secs(30),
            literal_after_end: Duration::from_secs(5 * 60),
            step_bytes: 256 * 1024,
            step_messages: 500,
            body_read_bytes: 256 * 1024,
            search_body_bytes_max: 64 * 1024 * 1024,
            id_pairs_max: 30,
        }
    }
}
