//! Replies (RFC 5321 §4.2) with enhanced status codes (RFC 2034, RFC 3463): printed by servers, read by clients.

use std::fmt;

/// Most lines of one reply a client reads: an EHLO list is the longest in practice, about 30.
const REPLY_LINES_MAX: usize = 256;

/// `class "." subject "." detail` (RFC 3463 §2), such as 5.7.8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Enhanced(pub u8, pub u16, pub u16);

/// One reply, of one line or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Three digits.
    pub code: u16,
    /// Repeated on every line (RFC 2034 §4); none in greetings, EHLO, 334 and 354 replies.
    pub enhanced: Option<Enhanced>,
    /// The texts, at least one; it may be empty.
    pub lines: Vec<String>,
}

/// A line of a server that is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReply {
    /// No three digits followed by a blank, a hyphen or nothing.
    #[error("not a reply line")]
    Syntax,
    /// Lines of one reply had different codes.
    #[error("the reply changed its code")]
    CodeChanged,
    /// More lines than a reply may have.
    #[error("the reply has too many lines")]
    TooLong,
}

impl Reply {
    /// A reply of one line.
    #[must_use]
    pub fn new(code: u16, enhanced: Option<Enhanced>, line: impl Into<String>) -> Self {
        Self {
            code,
            enhanced,
            lines: vec![line.into()],
        }
    }

    /// Appends the reply as it goes on the wire. The blank stands also before an empty text (`334 `, wire §5.1).
    /// Control characters become blanks, so that no text can look like a second reply.
    pub fn print(&self, out: &mut Vec<u8>) {
        let last = self.lines.len().saturating_sub(1);
        let empty = [String::new()];
        let lines = match self.lines.as_slice() {
            [] => &empty,
            lines => lines,
        };
        for (index, line) in lines.iter().enumerate() {
            let mark = if index == last { ' ' } else { '-' };
            out.extend_from_slice(format!("{:03}{mark}", self.code).as_bytes());
            if let Some(enhanced) = self.enhanced {
                out.extend_from_slice(format!("{enhanced} ").as_bytes());
            }
            out.extend(
                line.bytes()
                    .map(|b| if b.is_ascii_control() { b' ' } else { b }),
            );
            out.extend_from_slice(b"\r\n");
        }
    }

    /// 2yz: done.
    #[must_use]
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// 4yz: may work later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.code / 100 == 4
    }

    /// 3yz: more is wanted.
    #[must_use]
    pub fn is_intermediate(&self) -> bool {
        self.code / 100 == 3
    }
}

impl fmt::Display for Enhanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// Puts a server's lines together to replies.
#[derive(Debug, Default)]
pub struct ReplyReader {
    code: Option<u16>,
    lines: Vec<String>,
}

impl ReplyReader {
    /// A reader before the first line.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one line without its CRLF; gives the reply when it was the last one. Text that is not UTF-8 is repaired:
    /// it is only shown.
    ///
    /// # Errors
    /// [`BadReply`]; the connection is of no use afterwards.
    pub fn push(&mut self, line: &[u8]) -> Result<Option<Reply>, BadReply> {
        let (code, mark, text) = split(line).ok_or(BadReply::Syntax)?;
        if self.code.is_some_and(|before| before != code) {
            return Err(BadReply::CodeChanged);
        }
        if self.lines.len() == REPLY_LINES_MAX {
            return Err(BadReply::TooLong);
        }
        self.code = Some(code);
        self.lines.push(String::from_utf8_lossy(text).into_owned());
        match mark {
            b'-' => Ok(None),
            _ => Ok(Some(self.finish(code))),
        }
    }

    fn finish(&mut self, code: u16) -> Reply {
        self.code = None;
        let mut lines = std::mem::take(&mut self.lines);
        let enhanced = lines
            .first()
            .and_then(|line| enhanced(line))
            .map(|(enhanced, _)| enhanced)
            // RFC 2034 §4: the class equals the first digit, so 250-8BITMIME or 334 texts are not taken for one
            .filter(|enhanced| u16::from(enhanced.0) == code / 100);
        if let Some(expected) = enhanced {
            for line in &mut lines {
                if let Some((found, text)) = self::enhanced(line)
                    && found == expected
                {
                    *line = text.to_owned();
                }
            }
        }
        Reply {
            code,
            enhanced,
            lines,
        }
    }
}

/// `Reply-code ( SP / "-" ) [ textstring ]`; a code alone is read too (RFC 5321 §4.2.1).
fn split(line: &[u8]) -> Option<(u16, u8, &[u8])> {
    let (&[a @ b'2'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9'], rest) =
        line.split_first_chunk::<3>()?
    else {
        return None;
    };
    let code = u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0');
    match rest {
        [] => Some((code, b' ', rest)),
        [mark @ (b' ' | b'-'), text @ ..] => Some((code, *mark, text)),
        _ => None,
    }
}

fn enhanced(line: &str) -> Option<(Enhanced, &str)> {
    let (word, text) = line.split_once(' ').unwrap_or((line, ""));
    let mut numbers = word.split('.').map(|digits| {
        let fits = (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| digits.parse::<u16>().ok()).flatten()
    });
    let class = match numbers.next()?? {
        class @ (2 | 4 | 5) => class as u8,
        _ => return None,
    };
    let (subject, detail) = (numbers.next()??, numbers.next()??);
    match numbers.next() {
        None => Some((Enhanced(class, subject, detail), text)),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed unwrap is the failed test
    use super::*;
    use proptest::prelude::*;

    fn print(reply: &Reply) -> String {
        let mut out = Vec::new();
        reply.print(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn read(text: &str) -> Result<Option<Reply>, BadReply> {
        let (mut reader, mut last) = (ReplyReader::new(), Ok(None));
        for line in text.split_terminator("\r\n") {
            assert_eq!(last, Ok(None), "a reply ended early");
            last = reader.push(line.as_bytes());
        }
        last
    }

    #[test]
    fn as_on_the_wire() {
        let refused = Reply {
            code: 535,
            enhanced: Some(Enhanced(5, 7, 8)),
            lines: vec![
                "Username and Password not accepted. Learn more at".into(),
                "https://mail.example.com/help?p=BadCredentials t1 - pillarbox".into(),
            ],
        };
        let text = "535-5.7.8 Username and Password not accepted. Learn more at\r\n535 5.7.8 https://mail.example.com/help?p=BadCredentials t1 - pillarbox\r\n";
        assert_eq!(print(&refused), text);
        assert_eq!(read(text), Ok(Some(refused)));
        assert_eq!(print(&Reply::new(334, None, "")), "334 \r\n");
        let accepted = Reply::new(235, Some(Enhanced(2, 7, 0)), "Accepted");
        assert_eq!(print(&accepted), "235 2.7.0 Accepted\r\n");
        let none = Reply {
            code: 250,
            enhanced: None,
            lines: Vec::new(),
        };
        assert_eq!(print(&none), "250 \r\n");
    }

    #[test]
    fn an_extension_list_has_no_status_codes() {
        let reply = read(
            "250-host at your service\r\n250-SIZE 35882577\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
        );
        let reply = reply.unwrap().unwrap();
        assert_eq!(reply.enhanced, None);
        assert_eq!(reply.lines[1..], ["SIZE 35882577", "8BITMIME", "SMTPUTF8"]);
    }

    #[test]
    fn odd_replies_are_read() {
        assert_eq!(read("250"), Ok(Some(Reply::new(250, None, ""))));
        let code_only = Reply::new(250, Some(Enhanced(2, 1, 0)), "");
        assert_eq!(read("250 2.1.0"), Ok(Some(code_only)));
        let wrong_class = Reply::new(550, None, "2.1.0 no");
        assert_eq!(read("550 2.1.0 no"), Ok(Some(wrong_class)));
        let address = Reply::new(250, None, "2.1.0.7 is your address");
        assert_eq!(read("250 2.1.0.7 is your address"), Ok(Some(address)));
    }

    #[test]
    fn bad_replies() {
        for bad in ["", "25", "2500 x", "150 x", "650 x", "abc", "250x", "\r"] {
            assert_eq!(
                ReplyReader::new().push(bad.as_bytes()),
                Err(BadReply::Syntax),
                "{bad}"
            );
        }
        assert_eq!(read("250-a\r\n251 b\r\n"), Err(BadReply::CodeChanged));
        let endless = "250-a\r\n".repeat(REPLY_LINES_MAX + 1);
        assert_eq!(read(&endless), Err(BadReply::TooLong));
    }

    #[test]
    fn a_text_stays_one_line() {
        let reply = Reply::new(550, None, "no\r\n250 yes");
        assert_eq!(print(&reply), "550 no  250 yes\r\n");
    }

    proptest! {
        #[test]
        fn round_trips(class in 0..3usize, rest in 0..100u16, with_enhanced: bool, subject in 0..1000u16,
                       detail in 0..1000u16, lines in proptest::collection::vec("([a-zé][ -~]{0,30})?", 1..5)) {
            let class = [2u8, 4, 5][class];
            let reply = Reply {
                code: u16::from(class) * 100 + rest,
                enhanced: with_enhanced.then_some(Enhanced(class, subject, detail)),
                lines,
            };
            prop_assert_eq!(read(&print(&reply)), Ok(Some(reply)));
        }

        #[test]
        fn anything_may_come(lines: Vec<Vec<u8>>) {
            let mut reader = ReplyReader::new();
            for line in &lines {
                let _ = reader.push(line);
            }
        }
    }
}
