//! POP3 commands: one line to one value, and back.

use super::{AUTH_BYTES_MAX, COMMAND_BYTES_MAX};
use crate::sasl::Secret;

/// Digits of a number: no maildrop needs more.
const NUMBER_DIGITS_MAX: usize = 10;

/// One command. Message numbers count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `USER name` (RFC 1939 §7)
    User(String),
    /// `PASS string`: all of the line, blanks included
    Pass(Secret),
    /// `AUTH [mechanism [initial-response]]` (RFC 5034 §4); alone it asks for the list, as some clients do
    Auth {
        /// In capitals; may be one we do not know ([`crate::sasl::Mechanism::parse`]).
        mechanism: Option<String>,
        /// Base64 or `=`, as [`crate::sasl::Exchange::start`] takes it.
        initial: Option<Secret>,
    },
    /// `CAPA` (RFC 2449 §5)
    Capa,
    /// `STAT`
    Stat,
    /// `LIST [msg]`
    List(Option<u32>),
    /// `UIDL [msg]`
    Uidl(Option<u32>),
    /// `RETR msg`
    Retr(u32),
    /// `TOP msg n`
    Top {
        /// Message number.
        message: u32,
        /// Lines of the body; as many as fit if the number is larger.
        lines: u32,
    },
    /// `DELE msg`
    Dele(u32),
    /// `RSET`
    Rset,
    /// `NOOP`
    Noop,
    /// `QUIT`
    Quit,
    /// `LAST`, dropped from POP3 before RFC 1939 (RFC 1460 §5)
    Last,
}

/// Why a line is no command. The replies are in wire §4.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// A keyword we do not know.
    #[error("unknown command")]
    Unknown,
    /// Over the limit of its command.
    #[error("line too long")]
    TooLong,
    /// Control characters, a bare CR or LF, or not UTF-8.
    #[error("illegal characters")]
    BadCharacters,
    /// Too few arguments or too many.
    #[error("wrong arguments")]
    WrongArguments,
    /// A message number that is 0, too large or no number: answered like one out of range.
    #[error("bad number")]
    BadNumber,
}

impl Command {
    /// Reads a line without its CRLF. Keywords in any letter case; blanks at the end are ignored but for PASS.
    ///
    /// # Errors
    /// [`CommandError`].
    pub fn parse(line: &[u8]) -> Result<Self, CommandError> {
        let keyword_end = memchr::memchr(b' ', line).unwrap_or(line.len());
        let keyword = line[..keyword_end].to_ascii_uppercase();
        let bytes_max = match keyword.as_slice() {
            b"AUTH" => AUTH_BYTES_MAX,
            _ => COMMAND_BYTES_MAX,
        };
        if line.len() + 2 > bytes_max {
            return Err(CommandError::TooLong);
        }
        let line = std::str::from_utf8(line).map_err(|_| CommandError::BadCharacters)?;
        if line.bytes().any(|b| b.is_ascii_control()) {
            return Err(CommandError::BadCharacters);
        }
        Self::read(&keyword, line.get(keyword_end + 1..).unwrap_or_default())
    }

    fn read(keyword: &[u8], rest: &str) -> Result<Self, CommandError> {
        match keyword {
            // RFC 1939 §7: PASS has one argument, so blanks may be part of the password
            b"PASS" if rest.is_empty() => Err(CommandError::WrongArguments),
            b"PASS" => Ok(Self::Pass(Secret::new(rest))),
            b"USER" => match rest.trim_matches(' ') {
                "" => Err(CommandError::WrongArguments),
                name => Ok(Self::User(name.to_owned())),
            },
            _ => {
                let words: Vec<&str> = rest.split(' ').filter(|word| !word.is_empty()).collect();
                Self::with_words(keyword, &words)
            }
        }
    }

    fn with_words(keyword: &[u8], words: &[&str]) -> Result<Self, CommandError> {
        Ok(match (keyword, words) {
            (b"AUTH", [] | [_] | [_, _]) => Self::Auth {
                mechanism: words.first().map(|name| name.to_ascii_uppercase()),
                initial: words.get(1).copied().map(Secret::new),
            },
            (b"CAPA", []) => Self::Capa,
            (b"STAT", []) => Self::Stat,
            (b"LIST", []) => Self::List(None),
            (b"LIST", [message]) => Self::List(Some(message_number(message)?)),
            (b"UIDL", []) => Self::Uidl(None),
            (b"UIDL", [message]) => Self::Uidl(Some(message_number(message)?)),
            (b"RETR", [message]) => Self::Retr(message_number(message)?),
            (b"TOP", [message, lines]) => Self::Top {
                message: message_number(message)?,
                lines: line_count(lines)?,
            },
            (b"DELE", [message]) => Self::Dele(message_number(message)?),
            (b"RSET", []) => Self::Rset,
            (b"NOOP", []) => Self::Noop,
            (b"QUIT", []) => Self::Quit,
            (b"LAST", []) => Self::Last,
            (
                b"AUTH" | b"CAPA" | b"STAT" | b"LIST" | b"UIDL" | b"RETR" | b"TOP" | b"DELE"
                | b"RSET" | b"NOOP" | b"QUIT" | b"LAST",
                _,
            ) => return Err(CommandError::WrongArguments),
            _ => return Err(CommandError::Unknown),
        })
    }

    /// The line a client sends, CRLF included. It may hold a secret: do not log it. Control characters in a field are
    /// left out, so that no value can make a second command.
    #[must_use]
    pub fn to_line(&self) -> String {
        let mut line = match self {
            Self::User(name) => format!("USER {name}"),
            Self::Pass(password) => format!("PASS {}", password.reveal()),
            Self::Auth { mechanism, initial } => {
                let mut line = String::from("AUTH");
                let initial = initial.as_ref().map(Secret::reveal);
                for word in mechanism.as_deref().into_iter().chain(initial) {
                    line.push(' ');
                    line.push_str(word);
                }
                line
            }
            Self::Capa => "CAPA".into(),
            Self::Stat => "STAT".into(),
            Self::List(None) => "LIST".into(),
            Self::List(Some(message)) => format!("LIST {message}"),
            Self::Uidl(None) => "UIDL".into(),
            Self::Uidl(Some(message)) => format!("UIDL {message}"),
            Self::Retr(message) => format!("RETR {message}"),
            Self::Top { message, lines } => format!("TOP {message} {lines}"),
            Self::Dele(message) => format!("DELE {message}"),
            Self::Rset => "RSET".into(),
            Self::Noop => "NOOP".into(),
            Self::Quit => "QUIT".into(),
            Self::Last => "LAST".into(),
        };
        line.retain(|c| !c.is_ascii_control());
        line.push_str("\r\n");
        line
    }
}

fn message_number(digits: &str) -> Result<u32, CommandError> {
    if digits.len() > NUMBER_DIGITS_MAX || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(CommandError::BadNumber);
    }
    match digits.parse() {
        Ok(0) | Err(_) => Err(CommandError::BadNumber),
        Ok(number) => Ok(number),
    }
}

/// Clients that want all of a message ask for a great many lines.
fn line_count(digits: &str) -> Result<u32, CommandError> {
    match digits.bytes().all(|b| b.is_ascii_digit()) {
        true => Ok(digits.parse().unwrap_or(u32::MAX)),
        false => Err(CommandError::BadNumber),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed unwrap is the failed test
    use super::*;
    use proptest::prelude::*;

    fn parse(line: &str) -> Result<Command, CommandError> {
        Command::parse(line.as_bytes())
    }

    #[test]
    fn good() {
        let auth = |mechanism: Option<&str>, initial: Option<&str>| Command::Auth {
            mechanism: mechanism.map(str::to_owned),
            initial: initial.map(Secret::new),
        };
        let top = |message, lines| Command::Top { message, lines };
        for (line, command) in [
            (
                "user recent:ada@example.com ",
                Command::User("recent:ada@example.com".into()),
            ),
            ("PASS  a b ", Command::Pass(Secret::new(" a b "))),
            ("auth", auth(None, None)),
            ("AUTH xoauth2", auth(Some("XOAUTH2"), None)),
            ("AUTH PLAIN =", auth(Some("PLAIN"), Some("="))),
            ("capa", Command::Capa),
            ("LIST", Command::List(None)),
            ("LIST 2", Command::List(Some(2))),
            ("UIDL  4294967295", Command::Uidl(Some(u32::MAX))),
            ("RETR 007", Command::Retr(7)),
            ("TOP 1 0", top(1, 0)),
            ("TOP 1 99999999999999", top(1, u32::MAX)),
            ("QUIT ", Command::Quit),
            ("LAST", Command::Last),
        ] {
            assert_eq!(parse(line), Ok(command), "{line}");
        }
    }

    #[test]
    fn bad() {
        use CommandError::*;
        let long_pass = format!("PASS {}", "x".repeat(249));
        let long_auth = format!("AUTH PLAIN {}", "x".repeat(AUTH_BYTES_MAX));
        for (line, why) in [
            ("", Unknown),
            (" QUIT", Unknown),
            ("APOP a b", Unknown),
            ("STLS", Unknown),
            ("USER", WrongArguments),
            ("USER ", WrongArguments),
            ("PASS", WrongArguments),
            ("PASS ", WrongArguments),
            ("RETR", WrongArguments),
            ("RETR 1 2", WrongArguments),
            ("TOP 1", WrongArguments),
            ("QUIT now", WrongArguments),
            ("AUTH a b c", WrongArguments),
            ("RETR 0", BadNumber),
            ("RETR -1", BadNumber),
            ("RETR +1", BadNumber),
            ("RETR x", BadNumber),
            ("RETR 4294967296", BadNumber),
            ("RETR 99999999999999999999999999", BadNumber),
            ("TOP 1 -1", BadNumber),
            ("DELE 1\nDELE 2", BadCharacters),
            ("QUIT\r", BadCharacters),
            (long_pass.as_str(), TooLong),
            (long_auth.as_str(), TooLong),
        ] {
            assert_eq!(parse(line), Err(why), "{line}");
        }
        assert_eq!(Command::parse(b"USER \xff"), Err(BadCharacters));
        assert!(parse(&long_pass[..253]).is_ok());
        assert!(parse(&long_auth[..AUTH_BYTES_MAX - 2]).is_ok());
    }

    #[test]
    fn secrets_do_not_print() {
        for line in ["PASS hunter2", "AUTH PLAIN hunter2"] {
            let command = parse(line).unwrap();
            assert!(!format!("{command:?}").contains("hunter2"));
            assert_eq!(command.to_line(), format!("{line}\r\n"));
        }
    }

    fn command() -> impl Strategy<Value = Command> {
        let word = || proptest::option::of("[!-~]{1,40}".prop_map(Secret::new));
        prop_oneof![
            "[!-~é]([ -~]{0,20}[!-~])?".prop_map(Command::User),
            "[ -~é]{1,20}".prop_map(|text| Command::Pass(Secret::new(text))),
            ("[A-Z0-9-]{1,20}", word()).prop_map(|(name, initial)| Command::Auth {
                mechanism: Some(name),
                initial,
            }),
            (1..u32::MAX).prop_map(Command::Retr),
            (1..u32::MAX).prop_map(Command::Dele),
            proptest::option::of(1..u32::MAX).prop_map(Command::List),
            proptest::option::of(1..u32::MAX).prop_map(Command::Uidl),
            (1..u32::MAX, any::<u32>())
                .prop_map(|(message, lines)| Command::Top { message, lines }),
            Just(Command::Capa),
            Just(Command::Stat),
            Just(Command::Rset),
            Just(Command::Noop),
            Just(Command::Quit),
            Just(Command::Last),
        ]
    }

    proptest! {
        #[test]
        fn round_trips(command in command()) {
            let line = command.to_line();
            prop_assert_eq!(parse(line.strip_suffix("\r\n").unwrap()), Ok(command));
        }

        #[test]
        fn anything_may_come(keyword in "(TOP |RETR |AUTH |PASS |USER |)", rest: Vec<u8>) {
            let _ = Command::parse(&[keyword.as_bytes(), &rest].concat());
        }
    }
}
