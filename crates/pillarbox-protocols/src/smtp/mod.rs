//! SMTP as a conversation, in three roles: submission over TLS, submission that begins in clear and goes on after
//! STARTTLS, and mail from other servers (RFC 5321, RFC 6409, wire §5).
//!
//! [`Conversation`] is the machine; `replies` holds every text, `refuse` turns the delivery floor's refusals into them.
//! What happens to a message is the delivery floor's business. Deliberately absent: grammar (`pillarbox-wire`), sockets
//! and clocks, outgoing mail, DSN, BURL and BINARYMIME (wire §5.1).
//!
//! **Line ends.** Only CRLF `.` CRLF ends DATA, whatever else looks like it. A submitted message with bare line feeds is
//! mended, mail of other servers is refused for one (see the delivery floor). Odd messages that must come back byte for
//! byte are stored by IMAP's APPEND.

mod auth;
mod conversation;
mod limits;
mod refuse;
mod replies;
mod text;

pub use conversation::{Answer, Conversation};
pub use limits::Limits;

use crate::events::Journal;
use crate::sessions::Protocol;
use pillarbox_delivery::Delivery;
use pillarbox_oauth::Identity;
use pillarbox_wire::sasl::Mechanism;

/// What all SMTP connections of a server share.
pub struct Context {
    /// Where messages go, and the store behind it.
    pub delivery: Delivery,
    /// Who may sign in.
    pub identity: Identity,
    /// See [`Limits`].
    pub limits: Limits,
    /// Told what happens.
    pub journal: Journal,
    /// This server's name, in the greeting and EHLO.
    pub host: String,
    /// The word behind the session token in every reply, where Gmail has `gsmtp` (wire §5.1).
    pub source: String,
    /// Where people find help; part of some refusals.
    pub help_url: String,
    /// The authorization server, named in OAUTHBEARER's refusals.
    pub issuer: String,
    /// What AUTH offers, in the order announced.
    pub mechanisms: Vec<Mechanism>,
}

/// What a listener's connections are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Port 465: TLS stands before the first byte.
    Submission,
    /// Port 587: in clear until STARTTLS.
    SubmissionStartTls,
    /// Port 25.
    Incoming {
        /// There is a certificate, so STARTTLS is offered.
        tls: bool,
    },
}

impl Role {
    /// For the registry of sessions and the log.
    #[must_use]
    pub fn protocol(self) -> Protocol {
        match self {
            Self::Submission | Self::SubmissionStartTls => Protocol::Submission,
            Self::Incoming { .. } => Protocol::Incoming,
        }
    }

    fn is_submission(self) -> bool {
        self.protocol() == Protocol::Submission
    }

    fn has_starttls(self) -> bool {
        matches!(
            self,
            Self::SubmissionStartTls | Self::Incoming { tls: true }
        )
    }
}
