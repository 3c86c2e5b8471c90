//! What happened, for the owner of the server: the wire stays silent about causes (wire §2.2), these do not.
//! The program prints one line an event and keeps the latest for `pillarbox why`. No secret is ever part of an event.

use crate::sessions::Protocol;
use pillarbox_oauth::Credential;
use pillarbox_store::mail::Millis;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

/// One event of one connection.
#[derive(Clone, Debug)]
pub struct Event {
    /// The wall clock.
    pub at: Millis,
    /// The service.
    pub protocol: Protocol,
    /// The session token: greeting, log and `why` speak of the same.
    pub session: Arc<str>,
    /// The peer's address.
    pub peer: IpAddr,
    /// What happened.
    pub what: What,
}

/// See [`Event`].
#[derive(Clone, Debug)]
pub enum What {
    /// A connection was opened.
    Connected,
    /// A sign-in succeeded.
    SignedIn {
        /// Whose mailbox.
        address: Arc<str>,
        /// XOAUTH2, OAUTHBEARER, PLAIN, LOGIN, USER.
        mechanism: &'static str,
        /// The OAuth client or app password that was used, by name.
        app: Option<Arc<str>>,
        /// When the session must end.
        until: Millis,
        /// What was presented, by its ids.
        credential: Credential,
    },
    /// A sign-in was refused.
    Refused {
        /// The user name as [`pillarbox_oauth::Identity::offered`] tells it; empty when it could not be read.
        offered: String,
        /// The mechanism.
        mechanism: &'static str,
        /// The true cause, in words.
        cause: String,
        /// The last line the client was told.
        told: String,
    },
    /// Messages were accepted for delivery.
    Accepted {
        /// Octets.
        bytes: u64,
        /// Recipients, cut to the first ten.
        to: Vec<String>,
        /// The queue or message id told to the client.
        id: String,
    },
    /// Some of an accepted message's recipients are elsewhere: it was kept in the captured outbox instead of sent.
    Captured {
        /// Those recipients, cut to the first ten.
        to: Vec<String>,
        /// As in [`What::Accepted`].
        id: String,
    },
    /// A command was refused in a way an owner wants to know (quota, policy, storage).
    Failed {
        /// The command.
        command: &'static str,
        /// The true cause.
        cause: String,
    },
    /// Something goes wrong on purpose, in a development server that was asked for it.
    Fault {
        /// Where, what, and how often still: "imap.login overquota, 0 times left".
        fault: String,
        /// What the client was told, if anything.
        told: Option<String>,
    },
    /// The connection ended.
    Closed {
        /// By whom and why: "client left", "idle", "shutting down", [`Limit::past`](crate::sessions::Limit::past), or the
        /// cause of [`End::Revoked`](crate::sessions::End).
        reason: Reason,
    },
}

/// Why a connection ended, in words. Copies nothing: thousands may end for one cause.
#[derive(Clone, Debug)]
pub enum Reason {
    /// By itself.
    Own(&'static str),
    /// From outside.
    Told(Arc<str>),
}

impl Deref for Reason {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Own(text) => text,
            Self::Told(text) => text,
        }
    }
}

impl From<&'static str> for Reason {
    fn from(text: &'static str) -> Self {
        Self::Own(text)
    }
}

impl From<Arc<str>> for Reason {
    fn from(text: Arc<str>) -> Self {
        Self::Told(text)
    }
}

/// Where events go.
pub type Journal = Arc<dyn Fn(Event) + Send + Sync>;
