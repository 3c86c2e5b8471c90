//! Cuts what a client sends into the pieces a server answers one by one: commands, lines of a sign-in, the octets of
//! literals and messages. It knows just enough grammar not to take the text of a message for a command; what commands
//! mean is the conversation's business, which is given every octet unchanged, unless it is told to skip a command.

use super::names::Service;
use pillarbox_wire::dot::DataReader;

/// A longer line is passed on in pieces and never taken for a command; the conversations refuse it (their limits are
/// this or lower).
const LINE_OCTETS_MAX: usize = 64 * 1_024;

/// A piece of what the client sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Unit {
    /// Its octets, line end included.
    pub octets: Vec<u8>,
    /// What they are.
    pub what: What,
}

/// See [`Unit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The first line of a command, which may be all of it.
    Command,
    /// A line the server asked for in the course of a command: a SASL response, or DONE.
    Response,
    /// What belongs to a command that was passed on: literals and what follows them, text of a message.
    Rest,
    /// The last of a text that ends with a dot.
    End,
}

/// What stands next in the stream.
#[derive(Debug)]
enum At {
    Command,
    Response,
    /// Octets that are no lines.
    Octets {
        left: u64,
        then: Then,
        skip: bool,
    },
    /// The line goes on: behind a literal, or because it is too long.
    LineRest {
        skip: bool,
    },
    /// The text of a message, up to its dot.
    Text(DataReader),
}

/// What follows counted octets.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// IMAP's line goes on.
    Line,
    /// BDAT's chunk is all.
    Command,
}

/// What comes if the server asks for it; otherwise a command.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Literal(u64),
    Response,
    Text,
}

/// The client's side of a connection. It holds at most one line and what was read behind it.
#[derive(Debug)]
pub struct Cutter {
    service: Service,
    held: Vec<u8>,
    at: At,
    asked: Option<Asked>,
}

impl Cutter {
    /// At the start of a connection.
    pub fn new(service: Service) -> Self {
        Self {
            service,
            held: Vec::new(),
            at: At::Command,
            asked: None,
        }
    }

    /// Takes what arrived.
    pub fn feed(&mut self, octets: &[u8]) {
        self.held.extend_from_slice(octets);
    }

    /// Everything held, as before TLS, behind which nothing of it survives, and at the end of the stream.
    pub fn take_all(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// The next piece, or None until more arrives. Call [`Cutter::settle`] when the server has answered it.
    pub fn next(&mut self) -> Option<Unit> {
        loop {
            let (octets, what) = match &mut self.at {
                At::Octets {
                    left: 0,
                    then,
                    skip,
                } => {
                    self.at = match then {
                        Then::Line => At::LineRest { skip: *skip },
                        Then::Command => At::Command,
                    };
                    continue;
                }
                _ if self.held.is_empty() => return None,
                At::Octets { left, skip, .. } => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX);
                    let here = here.min(self.held.len());
                    *left -= here as u64;
                    let skip = *skip;
                    let octets = self.take(here);
                    if skip {
                        continue;
                    }
                    (octets, What::Rest)
                }
                At::Text(reader) => {
                    let progress = reader.read(&self.held, |_| {});
                    let what = if progress.done {
                        self.at = At::Command;
                        What::End
                    } else {
                        What::Rest
                    };
                    (self.take(progress.used), what)
                }
                At::LineRest { skip } => {
                    let skip = *skip;
                    let (line, whole) = self.line()?;
                    if whole {
                        self.at = At::Command;
                        self.announce(&line, skip);
                    }
                    if skip {
                        continue;
                    }
                    (line, What::Rest)
                }
                At::Response => {
                    let (line, whole) = self.line()?;
                    self.at = if whole {
                        At::Command
                    } else {
                        At::LineRest { skip: false }
                    };
                    self.asked = Some(Asked::Response);
                    (line, What::Response)
                }
                At::Command => {
                    let (line, whole) = self.line()?;
                    if !whole {
                        self.at = At::LineRest { skip: false };
                        return Some(Unit {
                            octets: line,
                            what: What::Rest,
                        });
                    }
                    self.asked = self.asked_by(&line);
                    self.announce(&line, false);
                    (line, What::Command)
                }
            };
            return Some(Unit { octets, what });
        }
    }

    /// The server has answered the last piece: did it ask for more of the same command? True if the text of a message comes.
    pub fn settle(&mut self, asks: bool) -> bool {
        let Some(asked) = self.asked.take().filter(|_| asks) else {
            return false;
        };
        self.at = match asked {
            Asked::Literal(left) => At::Octets {
                left,
                then: Then::Line,
                skip: false,
            },
            Asked::Response => At::Response,
            Asked::Text => At::Text(DataReader::new()),
        };
        matches!(self.at, At::Text(_))
    }

    /// The command just given out was answered by somebody else: what the client sends of it without being asked is
    /// skipped.
    pub fn skip(&mut self) {
        self.asked = None;
        if let At::Octets { skip, .. } | At::LineRest { skip } = &mut self.at {
            *skip = true;
        }
    }

    /// The next line answers a challenge that somebody else sent.
    pub fn expect_response(&mut self) {
        self.asked = None;
        self.at = At::Response;
    }

    /// A line, and whether it is whole.
    fn line(&mut self) -> Option<(Vec<u8>, bool)> {
        // IMAP takes a bare LF for a line end; in the others only CRLF is one.
        let end = match self.service {
            Service::Imap => self
                .held
                .iter()
                .position(|octet| *octet == b'\n')
                .map(|at| at + 1),
            _ => self
                .held
                .windows(2)
                .position(|two| two == b"\r\n")
                .map(|at| at + 2),
        };
        match end {
            Some(end) => Some((self.take(end), true)),
            None if self.held.len() < LINE_OCTETS_MAX => None,
            None => {
                // A CR that may be half of the line's end waits for the other half.
                let last = usize::from(self.held.last() == Some(&b'\r'));
                Some((self.take(self.held.len() - last), false))
            }
        }
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let rest = self.held.split_off(count);
        std::mem::replace(&mut self.held, rest)
    }

    /// What the server may ask for after this command.
    fn asked_by(&self, line: &[u8]) -> Option<Asked> {
        let mut words = words(line);
        match self.service {
            Service::Imap => {
                let name = words.nth(1)?;
                let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
                (is(b"AUTHENTICATE") || is(b"IDLE")).then_some(Asked::Response)
            }
            _ => {
                let name = words.next()?;
                let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
                match self.service {
                    _ if is(b"AUTH") => Some(Asked::Response),
                    Service::Smtp | Service::Mx if is(b"DATA") => Some(Asked::Text),
                    _ => None,
                }
            }
        }
    }

    /// Notes the octets that a line announces.
    fn announce(&mut self, line: &[u8], skip: bool) {
        match self.service {
            Service::Imap => match announced(line) {
                // Of a command that was refused the client will not send it: a new command follows.
                Some((_, true)) if skip => {}
                Some((size, true)) => self.asked = Some(Asked::Literal(size)),
                Some((left, false)) => {
                    self.at = At::Octets {
                        left,
                        then: Then::Line,
                        skip,
                    };
                }
                None => {}
            },
            Service::Smtp | Service::Mx => {
                if let Some(left) = chunk(line) {
                    // RFC 3030 §2: it follows whatever the server thinks of it.
                    self.at = At::Octets {
                        left,
                        then: Then::Command,
                        skip,
                    };
                }
            }
            Service::Pop | Service::Oauth => {}
        }
    }
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let octets = line.trim_ascii().split(|octet| *octet == b' ');
    octets.filter(|word| !word.is_empty())
}

/// `literal = "{" number ["+"] "}"` at the end of a line (RFC 3501 §9, RFC 7888 §8): its size, and whether the client
/// waits for leave to send it.
fn announced(line: &[u8]) -> Option<(u64, bool)> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let inner = line.strip_suffix(b"}")?;
    let open = inner.iter().rposition(|octet| *octet == b'{')?;
    let number = &inner[open + 1..];
    let (digits, waits) = match number.strip_suffix(b"+") {
        Some(digits) => (digits, false),
        None => (number, true),
    };
    Some((number_of(digits)?, waits))
}

/// Whether a BDAT command brings the end of its message.
pub fn is_last_chunk(line: &[u8]) -> bool {
    let last = words(line).nth(2);
    chunk(line).is_some() && last.is_some_and(|word| word.eq_ignore_ascii_case(b"LAST"))
}

/// `BDAT size [LAST]` (RFC 3030 §2).
fn chunk(line: &[u8]) -> Option<u64> {
    let mut words = words(line);
    let name = words.next()?;
    if !name.eq_ignore_ascii_case(b"BDAT") {
        return None;
    }
    number_of(words.next()?)
}

fn number_of(digits: &[u8]) -> Option<u64> {
    let all = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(digits).ok().filter(|_| all)?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::What::{Command, End, Response, Rest};
    use super::*;

    /// Plays a stream in pieces; the server asks for more after the pieces that say so. Pieces of what was passed on
    /// are put together again.
    fn cut(
        service: Service,
        stream: &str,
        piece: usize,
        asks: fn(&str) -> bool,
    ) -> Vec<(What, String)> {
        let mut cutter = Cutter::new(service);
        let mut units: Vec<(What, String)> = Vec::new();
        for octets in stream.as_bytes().chunks(piece) {
            cutter.feed(octets);
            while let Some(unit) = cutter.next() {
                let text = String::from_utf8_lossy(&unit.octets).into_owned();
                match units.last_mut() {
                    Some((before, whole)) if *before == Rest && matches!(unit.what, Rest | End) => {
                        *before = unit.what;
                        whole.push_str(&text);
                    }
                    _ => units.push((unit.what, text)),
                }
                let last = units.last().map_or("", |(_, text)| text);
                cutter.settle(asks(last));
            }
        }
        assert!(cutter.take_all().is_empty());
        units
    }

    fn check(service: Service, stream: &[(What, &str)], asks: fn(&str) -> bool) {
        let whole: String = stream.iter().map(|(_, text)| *text).collect();
        for piece in 1..40 {
            let got = cut(service, &whole, piece, asks);
            let got: Vec<_> = got
                .iter()
                .map(|(what, text)| (*what, text.as_str()))
                .collect();
            assert_eq!(got, stream, "in pieces of {piece}");
        }
    }

    #[test]
    fn literals_are_no_commands() {
        check(
            Service::Imap,
            &[
                (Command, "a NOOP\r\n"),
                (Command, "b SEARCH TEXT {9}\r\n"),
                (Rest, "c LOGOUT\r SUBJECT {3+}\r\nx\ny\r\n"),
                (Command, "d APPEND INBOX {12+}\r\n"),
                (Rest, "e FETCH 1\r\n\n\r\n"),
                (Command, "f APPEND x {0+}\r\n"),
                (Rest, "\r\n"),
                (Command, "g NOOP\n"),
            ],
            |text| text.ends_with("{9}\r\n"),
        );
    }

    #[test]
    fn a_refused_literal_does_not_come() {
        check(
            Service::Imap,
            &[
                (Command, "a APPEND nowhere {900}\r\n"),
                (Command, "b NOOP\r\n"),
            ],
            |_| false,
        );
    }

    #[test]
    fn responses_are_no_commands() {
        check(
            Service::Imap,
            &[
                (Command, "a AUTHENTICATE XOAUTH2\r\n"),
                (Response, "b FETCH\r\n"),
                (Command, "b IDLE\r\n"),
                (Response, "DONE\r\n"),
                (Command, "c NOOP\r\n"),
            ],
            |text| text.ends_with("XOAUTH2\r\n") || text.ends_with("IDLE\r\n"),
        );
        check(
            Service::Pop,
            &[
                (Command, "AUTH PLAIN\r\n"),
                (Response, "RETR 1\r\n"),
                (Command, "RETR 1\r\n"),
                (Command, "AUTH PLAIN AAAA\r\n"),
                (Command, "QUIT\r\n"),
            ],
            |text| text == "AUTH PLAIN\r\n",
        );
    }

    #[test]
    fn texts_of_messages_are_no_commands() {
        check(
            Service::Smtp,
            &[
                (Command, "DATA\r\n"),
                (End, "DATA\r\n\r\nQUIT\r\n..\r\n.\r\n"),
                (Command, "BDAT 6\r\n"),
                (Rest, "QUIT\r\n"),
                (Command, "bdat 0 LAST\r\n"),
                (Command, "DATA\r\n"),
                (End, ".\r\n"),
                (Command, "QUIT\r\n"),
            ],
            |text| text == "DATA\r\n",
        );
    }

    #[test]
    fn what_belongs_to_a_skipped_command_is_skipped() {
        let mut cutter = Cutter::new(Service::Imap);
        cutter.feed(b"a APPEND x {3+}\r\nabc {2+}\r\nde\r\nb NOOP\r\n");
        assert!(cutter.next().is_some_and(|unit| unit.what == Command));
        cutter.skip();
        let next = cutter.next().map(|unit| unit.octets);
        assert_eq!(next.as_deref(), Some(b"b NOOP\r\n".as_slice()));
        let mut cutter = Cutter::new(Service::Smtp);
        cutter.feed(b"BDAT 5 LAST\r\nRSET\nQUIT\r\n");
        assert!(cutter.next().is_some());
        cutter.skip();
        let next = cutter.next().map(|unit| unit.octets);
        assert_eq!(next.as_deref(), Some(b"QUIT\r\n".as_slice()));
    }

    #[test]
    fn an_endless_line_is_passed_on() {
        let mut cutter = Cutter::new(Service::Pop);
        let mut most = 0;
        for _ in 0..100 {
            cutter.feed(&[b'x'; 10_000]);
            while let Some(unit) = cutter.next() {
                assert_eq!(unit.what, Rest);
                cutter.settle(false);
            }
            most = most.max(cutter.held.len());
        }
        assert!(most < LINE_OCTETS_MAX);
        cutter.feed(b"\r\nQUIT\r\n");
        assert!(cutter.next().is_some_and(|unit| unit.what == Rest));
        assert!(cutter.next().is_some_and(|unit| unit.what == Command));
    }
}
