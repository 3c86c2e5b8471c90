//! SMTP commands: one line to one value, and back.

use super::{
    AUTH_BYTES_MAX, BadAddress, COMMAND_BYTES_MAX, Domain, MAIL_BYTES_MAX, MailFrom, RcptTo,
};
use crate::sasl::Secret;
use std::fmt;

/// Longest name in EHLO, in bytes.
const CLIENT_NAME_BYTES_MAX: usize = 255;
/// Digits of a BDAT size: no legal number needs more.
const CHUNK_DIGITS_MAX: usize = 20;

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `EHLO name` (RFC 5321 §4.1.1.1)
    Ehlo(ClientName),
    /// `HELO name`
    Helo(ClientName),
    /// `MAIL FROM:<...>`
    Mail(MailFrom),
    /// `RCPT TO:<...>`
    Rcpt(RcptTo),
    /// `DATA`
    Data,
    /// `BDAT size [LAST]` (RFC 3030 §2)
    Bdat {
        /// Bytes that follow the line.
        size: u64,
        /// The message ends with them.
        last: bool,
    },
    /// `RSET`
    Rset,
    /// `VRFY text`
    Vrfy(String),
    /// `EXPN text`
    Expn(String),
    /// `NOOP`, whatever follows it
    Noop,
    /// `QUIT`
    Quit,
    /// `HELP [text]`
    Help(Option<String>),
    /// `STARTTLS` (RFC 3207 §4)
    StartTls,
    /// `AUTH mechanism [initial-response]` (RFC 4954 §4)
    Auth {
        /// In capitals; may be one we do not know ([`crate::sasl::Mechanism::parse`]).
        mechanism: String,
        /// Base64 or `=`, as [`crate::sasl::Exchange::start`] takes it.
        initial: Option<Secret>,
    },
}

/// Why a line is no command. Each has its reply in wire §5.2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// A verb we do not know: 502 5.5.1.
    #[error("unrecognized command")]
    Unknown,
    /// Over the limit of its command: 500 5.5.2 (RFC 5321 §4.5.3.1.9).
    #[error("line too long")]
    TooLong,
    /// Control characters, a bare CR or LF, or not UTF-8: 500 5.5.2.
    #[error("illegal characters")]
    BadCharacters,
    /// EHLO or HELO without a name: 501 5.5.4.
    #[error("empty HELO/EHLO argument")]
    EmptyName,
    /// EHLO or HELO with something that is no name: 501 5.5.4.
    #[error("invalid HELO/EHLO argument")]
    BadName,
    /// MAIL or RCPT that is not `FROM:<...>` or `TO:<...>` and parameters: 555 5.5.2.
    #[error("syntax error in MAIL or RCPT")]
    PathSyntax,
    /// What stands between the brackets of MAIL is no address: 553 5.1.7.
    #[error("sender <{0}>: {1}")]
    BadSender(String, BadAddress),
    /// What stands between the brackets of RCPT is no address: 553 5.1.3 (wire §5.2 has 5.1.2 for its domain).
    #[error("recipient <{0}>: {1}")]
    BadRecipient(String, BadAddress),
    /// A UTF-8 sender without SMTPUTF8: 550 5.6.7 (RFC 6531 §3.5).
    #[error("the address needs SMTPUTF8")]
    NeedsSmtpUtf8,
    /// A parameter, or a value of BODY, that we do not offer: 555 5.5.4 (RFC 5321 §4.1.1.11).
    #[error("unknown parameter {0}")]
    UnknownParameter(String),
    /// A known parameter with a wrong value, or given twice: 501 5.5.4.
    #[error("bad parameter {0}")]
    BadParameter(String),
    /// BDAT without a number we can count to: 501 5.5.4. The bytes that follow cannot be told from commands, so close.
    #[error("bad chunk size")]
    BadChunk,
    /// STARTTLS with something behind it: 501 5.7.11.
    #[error("STARTTLS takes no parameters")]
    StartTlsArgument,
    /// A command that takes nothing was given something: 501 5.5.4.
    #[error("no argument allowed")]
    UnexpectedArgument,
    /// A command that takes something was given nothing, or too much: 501 5.5.4.
    #[error("wrong arguments")]
    WrongArguments,
}

impl Command {
    /// Reads a line without its CRLF. Verbs in any letter case; blanks at the end are ignored (RFC 5321 §4.1.1).
    ///
    /// # Errors
    /// [`CommandError`].
    pub fn parse(line: &[u8]) -> Result<Self, CommandError> {
        let verb_end = memchr::memchr(b' ', line).unwrap_or(line.len());
        let verb = line[..verb_end].to_ascii_uppercase();
        if line.len() + 2 > bytes_max(&verb) {
            return Err(CommandError::TooLong);
        }
        let line = std::str::from_utf8(line).map_err(|_| CommandError::BadCharacters)?;
        let line = line.trim_end_matches(' ');
        if line.bytes().any(|b| b.is_ascii_control()) {
            return Err(CommandError::BadCharacters);
        }
        let rest = line.get(verb_end..).unwrap_or_default();
        Self::read(&verb, rest.trim_start_matches(' '))
    }

    fn read(verb: &[u8], rest: &str) -> Result<Self, CommandError> {
        match verb {
            b"EHLO" => ClientName::parse(rest).map(Self::Ehlo),
            b"HELO" => ClientName::parse(rest).map(Self::Helo),
            b"MAIL" => MailFrom::parse(rest).map(Self::Mail),
            b"RCPT" => RcptTo::parse(rest).map(Self::Rcpt),
            b"DATA" => alone(Self::Data, rest),
            b"BDAT" => chunk(rest),
            b"RSET" => alone(Self::Rset, rest),
            b"VRFY" => argument(rest).map(Self::Vrfy),
            b"EXPN" => argument(rest).map(Self::Expn),
            b"NOOP" => Ok(Self::Noop),
            b"QUIT" => alone(Self::Quit, rest),
            b"HELP" => Ok(Self::Help(argument(rest).ok())),
            b"STARTTLS" => alone(Self::StartTls, rest).map_err(|_| CommandError::StartTlsArgument),
            b"AUTH" => auth(rest),
            _ => Err(CommandError::Unknown),
        }
    }

    /// The line a client sends, CRLF included. It may hold a secret: do not log it. Control characters in a field are
    /// left out, so that no value can make a second command.
    #[must_use]
    pub fn to_line(&self) -> String {
        let mut line = match self {
            Self::Ehlo(name) => format!("EHLO {name}"),
            Self::Helo(name) => format!("HELO {name}"),
            Self::Mail(mail) => format!("MAIL {mail}"),
            Self::Rcpt(rcpt) => format!("RCPT {rcpt}"),
            Self::Data => "DATA".into(),
            Self::Bdat { size, last: false } => format!("BDAT {size}"),
            Self::Bdat { size, last: true } => format!("BDAT {size} LAST"),
            Self::Rset => "RSET".into(),
            Self::Vrfy(text) => format!("VRFY {text}"),
            Self::Expn(text) => format!("EXPN {text}"),
            Self::Noop => "NOOP".into(),
            Self::Quit => "QUIT".into(),
            Self::Help(None) => "HELP".into(),
            Self::Help(Some(text)) => format!("HELP {text}"),
            Self::StartTls => "STARTTLS".into(),
            Self::Auth { mechanism, initial } => match initial {
                None => format!("AUTH {mechanism}"),
                Some(initial) => format!("AUTH {mechanism} {}", initial.reveal()),
            },
        };
        line.retain(|c| !c.is_ascii_control());
        line.push_str("\r\n");
        line
    }
}

/// What a client calls itself: a domain, an address literal, or something near enough. Loose, because it is only ever
/// logged and shown: real clients send names with underscores, a closing dot or a bare IPv6 address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientName(String);

impl ClientName {
    /// Reads the argument of EHLO or HELO.
    ///
    /// # Errors
    /// [`CommandError::EmptyName`], [`CommandError::BadName`].
    pub fn parse(text: &str) -> Result<Self, CommandError> {
        let legal = |c: char| match c {
            c if c.is_ascii() => c.is_ascii_graphic() && !"<>()[]\\,;@\"".contains(c),
            c => c.is_alphanumeric(),
        };
        let fits = match text {
            "" => return Err(CommandError::EmptyName),
            text if text.len() > CLIENT_NAME_BYTES_MAX => false,
            text if text.starts_with('[') => Domain::parse(text).is_ok(),
            text => text.chars().all(legal),
        };
        match fits {
            true => Ok(Self(text.to_owned())),
            false => Err(CommandError::BadName),
        }
    }

    /// The name as sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn bytes_max(verb: &[u8]) -> usize {
    match verb {
        b"AUTH" => AUTH_BYTES_MAX,
        b"MAIL" | b"RCPT" => MAIL_BYTES_MAX,
        _ => COMMAND_BYTES_MAX,
    }
}

fn alone(command: Command, rest: &str) -> Result<Command, CommandError> {
    match rest {
        "" => Ok(command),
        _ => Err(CommandError::UnexpectedArgument),
    }
}

fn argument(rest: &str) -> Result<String, CommandError> {
    match rest {
        "" => Err(CommandError::WrongArguments),
        rest => Ok(rest.to_owned()),
    }
}

fn chunk(rest: &str) -> Result<Command, CommandError> {
    let mut words = rest.split(' ').filter(|word| !word.is_empty());
    let digits = words.next().unwrap_or_default();
    let last = match words.next() {
        None => false,
        Some(word) if word.eq_ignore_ascii_case("LAST") => true,
        Some(_) => return Err(CommandError::BadChunk),
    };
    // a number too large must never be read as its first digits: what follows would become commands
    let fits = digits.len() <= CHUNK_DIGITS_MAX && digits.bytes().all(|b| b.is_ascii_digit());
    match digits.parse() {
        Ok(size) if fits && words.next().is_none() => Ok(Command::Bdat { size, last }),
        _ => Err(CommandError::BadChunk),
    }
}

fn auth(rest: &str) -> Result<Command, CommandError> {
    let mut words = rest.split(' ').filter(|word| !word.is_empty());
    let mechanism = words.next().ok_or(CommandError::WrongArguments)?;
    let initial = words.next().map(Secret::new);
    match words.next() {
        None => Ok(Command::Auth {
            mechanism: mechanism.to_ascii_uppercase(),
            initial,
        }),
        Some(_) => Err(CommandError::WrongArguments),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed unwrap is the failed test
    use super::super::{Address, AuthParam, Body, ForwardPath, ReversePath};
    use super::*;
    use proptest::prelude::*;

    fn parse(line: &str) -> Result<Command, CommandError> {
        Command::parse(line.as_bytes())
    }

    fn mail(line: &str) -> MailFrom {
        match parse(line) {
            Ok(Command::Mail(mail)) => mail,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn rcpt(line: &str) -> ForwardPath {
        match parse(line) {
            Ok(Command::Rcpt(rcpt)) => rcpt.recipient,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn plain_commands_in_any_case() {
        for (line, command) in [
            ("DATA", Command::Data),
            ("data  ", Command::Data),
            ("Rset", Command::Rset),
            ("NOOP anything", Command::Noop),
            ("QUIT", Command::Quit),
            ("HELP", Command::Help(None)),
            ("HELP mail", Command::Help(Some("mail".into()))),
            ("starttls", Command::StartTls),
            ("VRFY ada", Command::Vrfy("ada".into())),
            ("EXPN all staff", Command::Expn("all staff".into())),
        ] {
            assert_eq!(parse(line), Ok(command), "{line}");
        }
    }

    #[test]
    fn refusals_have_their_kind() {
        use CommandError::*;
        let long_noop = format!("NOOP {}", "x".repeat(506));
        let long_auth = format!("AUTH PLAIN {}", "x".repeat(AUTH_BYTES_MAX));
        for (line, why) in [
            ("", Unknown),
            (" NOOP", Unknown),
            ("XYZZY", Unknown),
            ("DATAX", Unknown),
            ("DATA now", UnexpectedArgument),
            ("QUIT x", UnexpectedArgument),
            ("STARTTLS x", StartTlsArgument),
            ("VRFY", WrongArguments),
            ("EHLO", EmptyName),
            ("HELO ", EmptyName),
            ("EHLO a b", BadName),
            ("EHLO <a>", BadName),
            ("EHLO [1.2.3]", BadName),
            ("AUTH", WrongArguments),
            ("AUTH PLAIN a b", WrongArguments),
            ("NOOP a\nQUIT", BadCharacters),
            ("NOOP a\rQUIT", BadCharacters),
            ("NOOP \0", BadCharacters),
            ("DATA\n", BadCharacters),
            ("DATA\r", BadCharacters),
            ("DATA \n", BadCharacters),
            (long_noop.as_str(), TooLong),
            (long_auth.as_str(), TooLong),
            ("MAIL", PathSyntax),
            ("MAIL FROM", PathSyntax),
            ("MAIL FROM:", PathSyntax),
            ("MAIL FROM:a@b", PathSyntax),
            ("MAIL FROM:<a@b", PathSyntax),
            ("MAIL FROM:<a@b>SIZE=1", PathSyntax),
            ("MAIL FROM:<a@b> SIZE=", PathSyntax),
            ("MAIL FROM:<a@b> =1", PathSyntax),
            ("MAIL TO:<a@b>", PathSyntax),
            ("RCPT FROM:<a@b>", PathSyntax),
            ("MAIL FROM:<a@b> RET=FULL", UnknownParameter("RET".into())),
            (
                "MAIL FROM:<a@b> BODY=BINARYMIME",
                UnknownParameter("BODY".into()),
            ),
            (
                "RCPT TO:<a@b> notify=NEVER",
                UnknownParameter("NOTIFY".into()),
            ),
            ("MAIL FROM:<a@b> SIZE", BadParameter("SIZE".into())),
            ("MAIL FROM:<a@b> SIZE=1x", BadParameter("SIZE".into())),
            ("MAIL FROM:<a@b> SIZE=+1", BadParameter("SIZE".into())),
            (
                "MAIL FROM:<a@b> SIZE=123456789012345678901",
                BadParameter("SIZE".into()),
            ),
            ("MAIL FROM:<a@b> SIZE=1 size=1", BadParameter("SIZE".into())),
            (
                "MAIL FROM:<a@b> SMTPUTF8=1",
                BadParameter("SMTPUTF8".into()),
            ),
            ("MAIL FROM:<a@b> AUTH=a+4", BadParameter("AUTH".into())),
            ("MAIL FROM:<a@b> AUTH=a+4zb", BadParameter("AUTH".into())),
            ("MAIL FROM:<é@b>", NeedsSmtpUtf8),
            (
                "MAIL FROM:<Postmaster>",
                BadSender("Postmaster".into(), BadAddress::NoDomain),
            ),
            ("RCPT TO:<>", BadRecipient("".into(), BadAddress::Local)),
            (
                "RCPT TO:<a@b@c>",
                BadRecipient("a@b@c".into(), BadAddress::Domain),
            ),
            (
                "RCPT TO:< a@b >",
                BadRecipient(" a@b ".into(), BadAddress::Local),
            ),
        ] {
            assert_eq!(parse(line), Err(why), "{line}");
        }
        assert_eq!(Command::parse(b"NOOP \xff"), Err(BadCharacters));
        assert!(parse(&long_noop[..510]).is_ok());
    }

    #[test]
    fn client_names() {
        for good in [
            "laptop.example.com",
            "[203.0.113.7]",
            "[IPv6:::1]",
            "Adas_PC",
            "host.",
            "::1",
            "bücher.example",
        ] {
            assert_eq!(ClientName::parse(good).unwrap().as_str(), good);
        }
        assert!(ClientName::parse(&"a".repeat(256)).is_err());
    }

    #[test]
    fn mail_parameters() {
        let all = mail(
            "mail from: <Ada@Example.com>  size=405 body=8bitmime SMTPUTF8 AUTH=a+2Bb@example.com",
        );
        assert_eq!(all.sender.to_string(), "<Ada@Example.com>");
        assert_eq!(
            (all.size, all.body, all.smtputf8),
            (Some(405), Some(Body::EightBitMime), true)
        );
        let submitter = Address::parse("a+b@example.com").unwrap();
        assert_eq!(all.auth, Some(AuthParam::Submitter(submitter)));
        assert_eq!(mail("MAIL FROM:<> AUTH=<>").auth, Some(AuthParam::Unknown));
        assert_eq!(mail("MAIL FROM:<>").sender, ReversePath::Null);
        let most = mail("MAIL FROM:<> SIZE=99999999999999999999");
        assert_eq!(most.size, Some(u64::MAX));
        assert_eq!(mail("MAIL FROM:<é@b> SMTPUTF8").sender.to_string(), "<é@b>");
    }

    // The next five are traps other parsers have fallen into; the sixth, a lone dot, is tested in `dot`.

    #[test]
    fn quotes_of_a_local_part_are_kept() {
        assert_eq!(rcpt("RCPT TO:<\"a b\"@c>").to_string(), "<\"a b\"@c>");
        assert_eq!(mail("MAIL FROM:<\"a>b\"@c> SIZE=1").size, Some(1));
    }

    #[test]
    fn postmaster_needs_no_domain() {
        assert_eq!(rcpt("RCPT TO:<Postmaster>"), ForwardPath::Postmaster);
    }

    #[test]
    fn address_literals_are_addresses() {
        assert_eq!(
            rcpt("RCPT TO:<ada@[127.0.0.1]>").to_string(),
            "<ada@[127.0.0.1]>"
        );
    }

    #[test]
    fn an_overlong_chunk_size_is_an_error() {
        let bdat = |size, last| Ok(Command::Bdat { size, last });
        assert_eq!(parse("BDAT 0"), bdat(0, false));
        assert_eq!(parse("bdat 86 last"), bdat(86, true));
        assert_eq!(parse("BDAT 18446744073709551615"), bdat(u64::MAX, false));
        for bad in [
            "BDAT",
            "BDAT LAST",
            "BDAT -1",
            "BDAT +1",
            "BDAT 1x",
            "BDAT 1 FIRST",
            "BDAT 1 LAST x",
            "BDAT 18446744073709551616",
            "BDAT 100000000000000000000000",
            "BDAT 000000000000000000000000001",
        ] {
            assert_eq!(parse(bad), Err(CommandError::BadChunk), "{bad}");
        }
    }

    #[test]
    fn bare_line_feeds_do_not_end_commands() {
        let mut reader = crate::line::LineReader::new(AUTH_BYTES_MAX);
        reader.feed(b"RCPT TO:<a@b>\nDATA\r\n");
        let line = reader.next_line().unwrap().unwrap().to_vec();
        assert_eq!(Command::parse(&line), Err(CommandError::BadCharacters));
        assert_eq!(reader.next_line(), None);
    }

    #[test]
    fn auth_hides_its_secret() {
        let command = parse("auth xoauth2 dXNlcj1h").unwrap();
        assert!(!format!("{command:?}").contains("dXNl"));
        assert_eq!(command.to_line(), "AUTH XOAUTH2 dXNlcj1h\r\n");
        let long = format!("AUTH XOAUTH2 {}", "A".repeat(12_288));
        assert!(parse(&long).is_ok());
    }

    #[test]
    fn a_printed_value_stays_one_line() {
        let line = Command::Vrfy("a\r\nQUIT".into()).to_line();
        assert_eq!(line, "VRFY aQUIT\r\n");
    }

    fn address() -> impl Strategy<Value = Address> {
        "([a-z+=']{1,8}|\"[ -!#-\\[\\]-~é]{0,8}\")@([A-Z0-9]{1,5}\\.com|\\[10\\.0\\.0\\.[1-9]\\]|\\[IPv6:fe80::[1-9]\\])"
            .prop_map(|text| Address::parse(&text).unwrap())
    }

    fn command() -> impl Strategy<Value = Command> {
        let mail_strategy = (
            proptest::option::of(address()),
            proptest::option::of(any::<u64>()),
            proptest::option::of(prop_oneof![Just(Body::SevenBit), Just(Body::EightBitMime)]),
            proptest::option::of(proptest::option::of(address())),
        )
            .prop_map(|(sender, size, body, auth)| {
                Command::Mail(MailFrom {
                    sender: sender.map_or(ReversePath::Null, ReversePath::Address),
                    size,
                    body,
                    smtputf8: true,
                    auth: auth.map(|who| who.map_or(AuthParam::Unknown, AuthParam::Submitter)),
                })
            });
        prop_oneof![
            mail_strategy,
            address().prop_map(|address| {
                let recipient = ForwardPath::Address(address);
                Command::Rcpt(RcptTo { recipient })
            }),
            (any::<u64>(), any::<bool>()).prop_map(|(size, last)| Command::Bdat { size, last }),
            "[a-z_.:-]{1,20}".prop_map(|name| Command::Ehlo(ClientName::parse(&name).unwrap())),
            "[!-~é]([ -~]{0,20}[!-~])?".prop_map(Command::Vrfy),
            ("[A-Z0-9-]{1,20}", proptest::option::of("[!-~]{1,50}")).prop_map(
                |(mechanism, initial)| Command::Auth {
                    mechanism,
                    initial: initial.map(Secret::new)
                }
            ),
            Just(Command::Data),
            Just(Command::StartTls),
            Just(Command::Help(None)),
        ]
    }

    proptest! {
        #[test]
        fn round_trips(command in command()) {
            let line = command.to_line();
            let line = line.strip_suffix("\r\n").unwrap();
            prop_assert_eq!(parse(line), Ok(command));
        }

        #[test]
        fn anything_may_come(verb in "(MAIL FROM:|RCPT TO:|BDAT |AUTH |EHLO |)", rest: Vec<u8>) {
            let _ = Command::parse(&[verb.as_bytes(), &rest].concat());
        }

        #[test]
        fn almost_paths_may_come(line in "(MAIL FROM:|RCPT TO:) ?<[a@\"\\\\:,\\[\\]. é>]{0,20}>?( [A-Z]{0,8}=?[0-9+<>A-F]{0,22}){0,3}") {
            if let Ok(command) = parse(&line) {
                let again = command.to_line();
                prop_assert_eq!(parse(again.trim_end()), Ok(command));
            }
        }
    }
}
