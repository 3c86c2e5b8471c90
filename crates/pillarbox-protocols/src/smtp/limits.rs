//! Every bound of an SMTP connection, in one place.

use std::time::Duration;

/// What one connection may make us hold, do or wait for.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Longest line, in bytes: a token needs 16 KiB (wire §2.1). Commands have lower limits of their own.
    pub line_bytes_max: usize,
    /// A line that has grown to this many bytes, all dropped, will not end any more: the connection is closed.
    pub endless_line_bytes: u64,
    /// Octets of a message: what SIZE announces (wire §5.1).
    pub message_bytes_max: u64,
    /// Octets beyond that which are read and dropped before the connection is closed instead of answered in order.
    pub dropped_bytes_max: u64,
    /// Recipients of a message (wire §5.3).
    pub recipients_max: usize,
    /// Refused recipients of a connection: nobody mistypes so often, somebody tries out names.
    pub refused_recipients_max: u32,
    /// Commands not understood in one connection (wire §5.2).
    pub unknown_commands_max: u32,
    /// Commands before sign-in on a submission port (wire §5.2).
    pub unauthenticated_commands_max: u32,
    /// Refused sign-ins before the connection is closed (wire §2.2).
    pub sign_in_failures_max: u32,
    /// Live submission connections of one account.
    pub connections_of_account_max: usize,
    /// Silence, between commands and inside a message: at least five minutes (RFC 5321 §4.5.3.2.7, wire §6).
    pub silence: Duration,
    /// Silence where the dummy of wire §2.2 is due; a client that does not know of it gets its refusal after this.
    pub silence_before_dummy: Duration,
    /// The whole time before sign-in on a submission port, so that a drip of bytes does not hold a connection.
    pub before_login: Duration,
    /// The whole time for the text of one message: the largest one at 5 kB a second.
    pub message: Duration,
    /// The longest session, whatever opened it.
    pub session: Duration,
    /// How long a transaction or a message that was begun in time may go on after the session's end (wire §6: about five
    /// minutes).
    pub grace: Duration,
    /// How long a message under way may go on when the server stops.
    pub stopping: Duration,
    /// Replies gathered before they are sent although there are more commands to read, in bytes.
    pub replies_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line_bytes_max: pillarbox_wire::line::LINE_BYTES_MAX,
            endless_line_bytes: 1024 * 1024,
            message_bytes_max: 35_882_577,
            dropped_bytes_max: 4 * 35_882_577,
            recipients_max: 100,
            refused_recipients_max: 100,
            unknown_commands_max: 10,
            unauthenticated_commands_max: 30,
            sign_in_failures_max: 5,
            connections_of_account_max: 250,
            silence: Duration::from_secs(5 * 60),
            silence_before_dummy: Duration::from_secs(10),
            before_login: Duration::from_secs(10 * 60),
            message: Duration::from_secs(2 * 60 * 60),
            session: Duration::from_secs(24 * 60 * 60),
            grace: Duration::from_secs(5 * 60),
            stopping: Duration::from_secs(3),
            replies_bytes: 16 * 1024,
        }
    }
}
