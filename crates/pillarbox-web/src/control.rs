//! What the pages ask of the running server besides people and their mail: live mail connections, what happened, how it
//! does, and in development the clock, faults on purpose and the wire log. The program answers; protocols are known here by their names for people only.

use crate::published::{Answer, Question};
use pillarbox_oauth::{Credential, EndpointRefusal};
use pillarbox_store::mail::{AccountId, Millis, Naming};
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
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
    /// imap, pop, smtp, mx, oauth.
    pub about: &'static str,
    /// The token of the connection, or of the refused request.
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

/// Something that goes wrong on purpose, in a development server.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Names it in [`Control::clear_faults`].
    pub id: u64,
    /// Where: a service and one of its commands.
    pub target: String,
    /// What.
    pub kind: String,
    /// How often still; None is until it is cleared.
    pub left: Option<u32>,
    /// How often it has happened.
    pub struck: u64,
    /// Whose sessions only.
    pub account: Option<String>,
    /// Of the times it could happen it happens this part.
    pub probability: f64,
    /// Not before this moment.
    pub from: Millis,
}

/// A fault to be set, as somebody wrote it.
#[derive(Clone, Debug, Default)]
pub struct FaultWanted {
    /// As in [`Fault`].
    pub target: String,
    /// One of [`FaultNames::kinds`].
    pub kind: String,
    /// What some kinds need.
    pub value: Option<String>,
    /// How often.
    pub times: Option<u32>,
    /// Whose sessions only.
    pub account: Option<String>,
    /// How likely.
    pub probability: Option<f64>,
    /// How much later, with a unit.
    pub after: Option<String>,
}

/// What can go wrong, and where.
#[derive(Clone, Debug, Default)]
pub struct FaultNames {
    /// Targets by service.
    pub targets: Vec<(&'static str, Vec<String>)>,
    /// Kinds, each with what its value is, if it needs one.
    pub kinds: Vec<(&'static str, &'static str)>,
}

/// What was said over one connection of a mail program. No secret is in it.
#[derive(Clone, Debug)]
pub struct WireConnection {
    /// Its token.
    pub token: Arc<str>,
    /// imap, pop, smtp, mx.
    pub protocol: &'static str,
    /// From where.
    pub peer: IpAddr,
    /// Since when.
    pub since: Millis,
    /// Whether it still stands.
    pub open: bool,
    /// Lines that are no longer kept.
    pub lost: u64,
    /// Oldest first.
    pub lines: Vec<WireLine>,
}

/// See [`WireConnection`].
#[derive(Clone, Debug)]
pub struct WireLine {
    /// When.
    pub at: Millis,
    /// Who.
    pub from: Speaker,
    /// What, printable.
    pub text: String,
}

/// Who said a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// The mail program.
    Client,
    /// The server.
    Server,
    /// It happened to the connection.
    Nobody,
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

/// What moving the clock forward ended. In words: "2 mail sessions ended, 3 tokens expired", and nothing where nothing did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Live mail sessions whose end came.
    pub sessions: usize,
    /// Access tokens ([`pillarbox_oauth::Identity::expired_between`]).
    pub tokens: usize,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = |count, one, became| match count {
            0 => None,
            1 => Some(format!("1 {one} {became}")),
            many => Some(format!("{many} {one}s {became}")),
        };
        let sessions = counted(self.sessions, "mail session", "ended");
        let tokens = counted(self.tokens, "token", "expired");
        let both: Vec<_> = sessions.into_iter().chain(tokens).collect();
        f.write_str(&both.join(", "))
    }
}

/// What [`Control::look_up`] brings: an answer for each question, in their order; or in a sentence why nobody is asked.
pub type LookingUp<'a> = Pin<Box<dyn Future<Output = Result<Vec<Answer>, String>> + Send + 'a>>;

/// The running server as pages see it. Every method has an answer for a server that has nothing of the kind.
pub trait Control: Send + Sync {
    /// Live connections, oldest first.
    fn sessions(&self) -> Vec<LiveSession> {
        Vec::new()
    }
    /// Ends one, and notes why, in words; how many were told.
    fn end_session(&self, token: &str, because: Arc<str>) -> usize {
        let _ = (token, because);
        0
    }
    /// What happened, newest first.
    fn happenings(&self, wanted: &Wanted) -> Vec<Happening> {
        let _ = wanted;
        Vec::new()
    }
    /// An endpoint of the authorization server refused a request: for the log.
    fn refused(&self, refusal: EndpointRefusal) {
        let _ = refusal;
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
    /// Asks the DNS, all questions at once, within a few seconds.
    fn look_up(&self, questions: Vec<Question>) -> LookingUp<'_> {
        let _ = questions;
        Box::pin(async { Err("Not asked: this server asks no name servers.".to_owned()) })
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
    /// Moves that clock, or with None sets it back to the system's time; how many live mail sessions that ends.
    fn move_clock(&self, by: Option<Duration>) -> usize {
        let _ = by;
        0
    }
    /// What goes wrong on purpose, in the order in which it is asked.
    fn faults(&self) -> Vec<Fault> {
        Vec::new()
    }
    /// What there is to go wrong.
    fn fault_names(&self) -> FaultNames {
        FaultNames::default()
    }
    /// Sets a fault.
    ///
    /// # Errors
    /// A sentence.
    fn set_fault(&self, wanted: FaultWanted) -> Result<Fault, String> {
        let _ = wanted;
        Err("nothing goes wrong on purpose here".into())
    }
    /// Clears those of a target or number, or all; how many there were.
    ///
    /// # Errors
    /// A sentence.
    fn clear_faults(&self, which: Option<&str>) -> Result<usize, String> {
        let _ = which;
        Ok(0)
    }
    /// What was said over the newest connections, newest first; `only` is one connection's token.
    fn wire(&self, only: Option<&str>, limit: usize) -> Vec<WireConnection> {
        let _ = (only, limit);
        Vec::new()
    }
}

/// A server without mail services.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoControl;

impl Control for NoControl {}
