//! What the pages ask of the running server besides people and their mail: live mail connections, what happened, how it
//! does, and in development the clock. The program answers; protocols are known here by their names for people only.

use pillarbox_oauth::Credential;
use pillarbox_store::mail::{AccountId, Millis, Naming};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// One live connection of a mail program.
#[derive(Clone, Debug)]
pub struct LiveSession {
    /// Names it in the log and in [`Control::end_session`].
    pub token: Arc<str>,
    /// IMAP, POP, SMTP.
    pub protocol: &'static str,
    /// From where.
    pub peer: IpAddr,
    /// Since when.
    pub since: Millis,
    /// What program it says it is.
    pub program: Option<Arc<str>>,
    /// Who is signed in, if anyone yet.
    pub signed_in: Option<SignedIn>,
}

/// See [`LiveSession`].
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Whose mailbox.
    pub account: AccountId,
    /// Its address.
    pub address: Arc<str>,
    /// What was presented.
    pub credential: Credential,
    /// The OAuth client's or app password's name.
    pub app: Option<Arc<str>>,
    /// When the session must end.
    pub until: Millis,
    /// Why then, in words.
    pub because: &'static str,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Happening {
    /// When.
    pub at: Millis,
    /// imap, pop, smtp, mx.
    pub about: &'static str,
    /// The connection's token.
    pub session: Arc<str>,
    /// From where.
    pub peer: IpAddr,
    /// What, in words, with the true cause.
    pub text: String,
    /// What the client was told, where that differs.
    pub told: Option<String>,
    /// Whether somebody should look at it.
    pub trouble: bool,
}

/// Which happenings.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Those of one connection.
    pub session: Option<String>,
    /// Those whose text or address contains this, without ASCII case.
    pub text: Option<String>,
    /// At most so many, the newest.
    pub limit: usize,
}

/// One line of how the server does.
#[derive(Clone, Debug)]
pub struct Condition {
    /// What.
    pub name: &'static str,
    /// How it is.
    pub text: String,
    /// Whether that is well.
    pub good: bool,
}

/// The running server as pages see it. Every method has an answer for a server that has nothing of the kind.
pub trait Control: Send + Sync {
    /// Live connections, oldest first.
    fn sessions(&self) -> Vec<LiveSession> {
        Vec::new()
    }
    /// Ends one; how many were told.
    fn end_session(&self, token: &str) -> usize {
        let _ = token;
        0
    }
    /// What happened, newest first.
    fn happenings(&self, wanted: &Wanted) -> Vec<Happening> {
        let _ = wanted;
        Vec::new()
    }
    /// How the server does; quick.
    fn conditions(&self) -> Vec<Condition> {
        Vec::new()
    }
    /// What new accounts call their system mailboxes.
    fn naming(&self) -> Naming {
        Naming::Plain
    }
    /// The domain new accounts are in.
    fn domain(&self) -> String {
        String::new()
    }
    /// Path of the certificate that mail programs must be told to trust, if it is not one they know.
    fn authority(&self) -> Option<String> {
        None
    }
    /// That certificate, in PEM, to be given to people.
    fn authority_certificate(&self) -> Option<String> {
        None
    }
    /// How far the clock of a development server is ahead; None if it cannot be moved.
    fn clock_ahead(&self) -> Option<Duration> {
        None
    }
    /// Moves that clock, or with None sets it back to the system's time.
    fn move_clock(&self, by: Option<Duration>) {
        let _ = by;
    }
}

/// A server without mail services.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoControl;

impl Control for NoControl {}
