//! How a command ends when it does not end well: one sentence, and the exit status that scripts rely on.

use std::fmt;

/// Exit statuses: 0 done; 1 the answer is no; 2 wrong usage; 3 could not.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The exit status.
    pub status: u8,
    /// One or more lines for standard error; empty says nothing.
    pub text: String,
    /// What kind of no, for programs that hear it over HTTP.
    pub why: Why,
    /// The command that helps, for people at a terminal; it ends the text of [`Failure::in_full`].
    pub see: Option<String>,
}

/// See [`Failure::why`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Why {
    /// Nothing more than the status says.
    #[default]
    Other,
    /// What was named does not exist.
    NotFound,
    /// It exists already.
    Exists,
}

impl Failure {
    /// With this exit status.
    pub fn with_status(status: u8, text: impl Into<String>) -> Self {
        Self {
            status,
            text: text.into(),
            why: Why::Other,
            see: None,
        }
    }

    /// The answer is no: a check failed, nothing found.
    pub fn no(text: impl Into<String>) -> Self {
        Self::with_status(1, text)
    }

    /// The answer is no: what was named does not exist.
    pub fn not_found(text: impl Into<String>) -> Self {
        Self {
            why: Why::NotFound,
            ..Self::no(text)
        }
    }

    /// The answer is no: it exists already.
    pub fn exists(text: impl Into<String>) -> Self {
        Self {
            why: Why::Exists,
            ..Self::no(text)
        }
    }

    /// Names the command that lists what there is, where something does not exist and no other command is named yet.
    #[must_use]
    pub fn see(mut self, command: impl Into<String>) -> Self {
        if self.why == Why::NotFound {
            self.see.get_or_insert_with(|| command.into());
        }
        self
    }

    /// The text with the command that helps.
    pub fn in_full(&self) -> String {
        match &self.see {
            // Who is asked whether something else was meant knows how to go on.
            Some(command) if !self.text.ends_with('?') => format!("{}. See: {command}", self.text),
            _ => self.text.clone(),
        }
    }

    /// Wrong usage.
    pub fn usage(text: impl Into<String>) -> Self {
        Self::with_status(2, text)
    }

    /// Port taken, server not running, file unreadable.
    pub fn could_not(text: impl Into<String>) -> Self {
        Self::with_status(3, text)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.in_full())
    }
}

impl std::error::Error for Failure {}
