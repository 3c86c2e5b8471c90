//! How a command ends when it does not end well: one sentence, and the exit status that scripts rely on.

use std::fmt;

/// Exit statuses: 0 done; 1 the answer is no; 2 wrong usage; 3 could not.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The exit status.
    pub status: u8,
    /// One or more lines for standard error; empty says nothing.
    pub text: String,
}

impl Failure {
    /// The answer is no: a check failed, nothing found.
    pub fn no(text: impl Into<String>) -> Self {
        Self {
            status: 1,
            text: text.into(),
        }
    }

    /// Wrong usage.
    pub fn usage(text: impl Into<String>) -> Self {
        Self {
            status: 2,
            text: text.into(),
        }
    }

    /// Port taken, server not running, file unreadable.
    pub fn could_not(text: impl Into<String>) -> Self {
        Self {
            status: 3,
            text: text.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}
