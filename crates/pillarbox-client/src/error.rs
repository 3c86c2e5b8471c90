//! What can go wrong, in the words of whoever has to decide what to do next.

use crate::credentials::BoxError;
use pillarbox_wire::imap::{Code, Kind};
use pillarbox_wire::sasl::Mechanism;
use pillarbox_wire::smtp::Reply;
use std::io;

/// A failure. No text in it holds a secret; texts of the server are as it sent them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nobody answers there.
    #[error("cannot connect to {address}: {}", in_words(cause))]
    Connect {
        /// Host and port.
        address: String,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    /// No TLS with this server: its certificate is not trusted, or nothing is shared. Nothing was sent.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The host of [`Server`](crate::Server) is no name, or a PEM file holds no certificate.
    #[error("{0}")]
    Setting(&'static str),
    /// The server was silent for longer than [`Limits`](crate::Limits) allow.
    #[error("the server was silent while {0}")]
    Timeout(&'static str),
    /// The server ended the session, or it ended because a command was abandoned half-way. Sign in again.
    #[error("the session has ended: {0}")]
    Ended(String),
    /// The server refused the sign-in.
    #[error("{0}")]
    SignIn(Refusal),
    /// The server offers no mechanism that fits the credentials.
    #[error("the server offers no way to sign in with these credentials; it has: {0}")]
    NoMechanism(String),
    /// A user name, token or password that no mechanism can carry.
    #[error("credentials: {0}")]
    Credentials(#[from] pillarbox_wire::sasl::Malformed),
    /// The token source failed.
    #[error("no token: {0}")]
    Token(#[source] BoxError),
    /// IMAP: the command was refused. The session goes on.
    #[error("{command}: {kind} {text}", kind = .kind.as_str())]
    No {
        /// Its name.
        command: &'static str,
        /// NO or BAD.
        kind: Kind,
        /// For programs.
        code: Option<Code>,
        /// For people.
        text: String,
    },
    /// SMTP: the command was refused. The session goes on.
    #[error("{command}: {} {}", reply.code, reply.lines.join(" "))]
    Smtp {
        /// Its verb.
        command: &'static str,
        /// What the server said.
        reply: Reply,
    },
    /// The connection broke after the message was sent and before the server answered: it may have been delivered. Sending
    /// it again may deliver it twice.
    #[error("it is not known whether the message was accepted: {0}")]
    Unconfirmed(#[source] Box<Error>),
    /// The server said something no server may say. The session has ended.
    #[error("not understood: {0}")]
    Protocol(String),
    /// The server sent more than [`Limits`](crate::Limits) allow. The session has ended.
    #[error("more than {bytes_max} bytes of {what}")]
    TooLong {
        /// Of what.
        what: &'static str,
        /// The limit.
        bytes_max: usize,
    },
    /// The server cannot do this.
    #[error("the server has no {0}")]
    Unsupported(&'static str),
    /// An argument that cannot be sent, such as an address that is none.
    #[error("cannot be sent: {0}")]
    Argument(String),
}

/// A refused sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// How it was tried.
    pub mechanism: Mechanism,
    /// The response code (IMAP) or the reply's codes (SMTP), as text; empty if there was none.
    pub code: String,
    /// The server's text.
    pub text: String,
    /// The JSON that XOAUTH2 and OAUTHBEARER explain a refused token with (RFC 7628 §3.2.2), as sent.
    pub challenge: Option<String>,
    /// The server expects that the same credentials work later.
    pub temporary: bool,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            mechanism,
            code,
            text,
            ..
        } = self;
        write!(f, "{mechanism} sign-in refused: {code} {text}")?;
        match &self.challenge {
            Some(challenge) => write!(f, " {challenge}"),
            None => Ok(()),
        }
    }
}

/// Without the number that only its platform knows.
fn in_words(cause: &io::Error) -> String {
    let text = cause.to_string();
    let number = cause
        .raw_os_error()
        .map(|number| format!(" (os error {number})"));
    match number.and_then(|number| text.strip_suffix(&number).map(str::to_owned)) {
        Some(words) => words,
        None => text,
    }
}

impl Error {
    /// After a refusal there was no other token: what the caller has to know. That the consent has ended explains the
    /// refusal; that the issuer could not be asked does not.
    pub(crate) fn without_another(refusal: Refusal, cause: BoxError) -> Self {
        let explains = cause
            .downcast_ref::<crate::oauth::Error>()
            .is_some_and(crate::oauth::Error::wants_a_sign_in);
        match explains {
            true => Self::Token(cause),
            false => Self::SignIn(refusal),
        }
    }

    /// The session is of no use any more: connect again.
    #[must_use]
    pub fn ends_session(&self) -> bool {
        !matches!(
            self,
            Self::No { .. } | Self::Smtp { .. } | Self::Unsupported(_) | Self::Argument(_)
        )
    }

    /// The same may work later without anybody doing anything.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Io(_) | Self::Timeout(_) | Self::Ended(_) => true,
            Self::SignIn(refusal) => refusal.temporary,
            Self::No { code, .. } => matches!(code, Some(Code::Unavailable | Code::InUse)),
            Self::Smtp { reply, .. } => reply.is_transient(),
            Self::Token(cause) => cause
                .downcast_ref::<crate::oauth::Error>()
                .is_some_and(crate::oauth::Error::is_temporary),
            _ => false,
        }
    }
}
