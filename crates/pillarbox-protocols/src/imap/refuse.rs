//! Refusals: what a command answers when it does not do what was asked. The store's faults become replies here and
//! nowhere else.

use pillarbox_store::mail::StoreError;

/// NO or BAD (RFC 3501 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The command was understood and cannot be done.
    No,
    /// The command makes no sense.
    Bad,
    /// A literal's bytes cannot follow its length: nothing can be said any more, only closing is left.
    Broken,
}

/// A refusal: what the peer is told, and for the owner the true cause if it is the server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// NO or BAD.
    pub kind: Kind,
    /// The response code without its brackets; may be empty.
    pub code: &'static str,
    /// The text.
    pub text: String,
    /// Set if the owner of the server wants to know.
    pub cause: Option<String>,
}

impl Refused {
    /// `NO [code] text`
    pub fn no(code: &'static str, text: impl Into<String>) -> Self {
        Self {
            kind: Kind::No,
            code,
            text: text.into(),
            cause: None,
        }
    }

    /// `BAD text`
    pub fn bad(text: impl Into<String>) -> Self {
        Self {
            kind: Kind::Bad,
            code: "",
            text: text.into(),
            cause: None,
        }
    }

    /// A stored body fails in the middle of its literal.
    pub fn broken(fault: &StoreError) -> Self {
        Self {
            kind: Kind::Broken,
            code: "",
            text: String::new(),
            cause: Some(fault.to_string()),
        }
    }

    /// What every syntax error is told (wire §3.4).
    pub fn syntax() -> Self {
        Self::bad("Could not parse command")
    }

    /// SELECT, STATUS and the like of a mailbox that is not there (wire §3.4).
    pub fn unknown_mailbox(name: &str) -> Self {
        Self::no(
            "NONEXISTENT",
            format!("Unknown Mailbox: {} (Failure)", printable(name)),
        )
    }

    /// The target of APPEND, COPY or MOVE is not there: the client may make it (RFC 3501 §6.3.11).
    pub fn try_create(name: &str) -> Self {
        Self::no(
            "TRYCREATE",
            format!("Unknown Mailbox: {} (Failure)", printable(name)),
        )
    }

    /// What follows the tag.
    pub fn reply(&self) -> String {
        let kind = match self.kind {
            Kind::No => "NO",
            Kind::Bad | Kind::Broken => "BAD",
        };
        match self.code {
            "" => format!("{kind} {}", self.text),
            code => format!("{kind} [{code}] {}", self.text),
        }
    }
}

impl From<StoreError> for Refused {
    fn from(fault: StoreError) -> Self {
        let cause = fault.to_string();
        match fault {
            StoreError::NoSuchMailbox => Self::no("NONEXISTENT", "Unknown Mailbox (Failure)"),
            StoreError::MailboxExists => {
                Self::no("ALREADYEXISTS", "Duplicate folder name (Failure)")
            }
            StoreError::BadName(_) => Self::no("CANNOT", "Invalid folder name (Failure)"),
            StoreError::SystemMailbox => Self::no("CANNOT", "System folder (Failure)"),
            StoreError::OverQuota => Self {
                cause: Some(cause),
                ..Self::no("OVERQUOTA", "Quota exceeded (Failure)")
            },
            StoreError::TooMany(what) => Self {
                cause: Some(cause),
                ..Self::no("LIMIT", format!("Too many {what} (Failure)"))
            },
            StoreError::NoSuchAccount | StoreError::AccountExists => Self {
                cause: Some(cause),
                ..Self::no("UNAVAILABLE", "Temporary System Error (Failure)")
            },
            StoreError::Damaged | StoreError::Corrupt(_) => Self {
                cause: Some(cause),
                ..Self::no("CORRUPTION", "Stored data is damaged (Failure)")
            },
            // The store may learn to fail in more ways; to a client they are all the same.
            _ => Self {
                cause: Some(cause),
                ..Self::no("UNAVAILABLE", "Temporary System Error (Failure)")
            },
        }
    }
}

/// A peer's text as it may stand in a reply line: bounded, without anything a terminal or a parser would act on.
pub fn printable(text: &str) -> String {
    let legal = |c: char| {
        if c.is_ascii() && !c.is_ascii_control() {
            c
        } else {
            '?'
        }
    };
    text.chars().take(200).map(legal).collect()
}
