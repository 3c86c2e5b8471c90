//! POP3 replies: `+OK`, `-ERR` with response codes (RFC 2449 §8), and the `+ ` of AUTH (RFC 5034 §4).

/// The first line of a reply. What follows a multi-line `+OK` is text for [`crate::dot`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `+OK text`
    Ok(String),
    /// `-ERR [CODE] text`
    Err {
        /// `AUTH`, `SYS/TEMP`, `SYS/PERM`, `IN-USE` and so on (RFC 2449 §8.1, RFC 3206).
        code: Option<String>,
        /// For people.
        text: String,
    },
    /// `+ base64`: a challenge, maybe empty
    Continue(String),
}

impl Reply {
    /// `-ERR text`.
    #[must_use]
    pub fn err(text: impl Into<String>) -> Self {
        Self::Err {
            code: None,
            text: text.into(),
        }
    }

    /// `-ERR [CODE] text`.
    #[must_use]
    pub fn err_code(code: impl Into<String>, text: impl Into<String>) -> Self {
        Self::Err {
            code: Some(code.into()),
            text: text.into(),
        }
    }

    /// Appends the line as it goes on the wire. An empty challenge is `+` and one blank (wire §4.1). Control characters
    /// become blanks, so that no text can look like a second reply.
    pub fn print(&self, out: &mut Vec<u8>) {
        let line = match self {
            Self::Ok(text) if text.is_empty() => "+OK".into(),
            Self::Ok(text) => format!("+OK {text}"),
            Self::Err { code: None, text } if text.is_empty() => "-ERR".into(),
            Self::Err { code: None, text } => format!("-ERR {text}"),
            Self::Err {
                code: Some(code),
                text,
            } => format!("-ERR [{code}] {text}"),
            Self::Continue(text) => format!("+ {text}"),
        };
        let printable = |b: u8| if b.is_ascii_control() { b' ' } else { b };
        out.extend(line.bytes().map(printable));
        out.extend_from_slice(b"\r\n");
    }

    /// Reads a server's line without its CRLF; nothing if it is no reply. Text that is not UTF-8 is repaired.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Self> {
        let line = String::from_utf8_lossy(line);
        let (status, text) = line.split_once(' ').unwrap_or((&line, ""));
        match status {
            "+OK" => Some(Self::Ok(text.to_owned())),
            "-ERR" => {
                let (code, text) = response_code(text);
                Some(Self::Err {
                    code: code.map(str::to_owned),
                    text: text.to_owned(),
                })
            }
            "+" => Some(Self::Continue(text.to_owned())),
            _ => None,
        }
    }
}

/// `resp-code = "[" resp-level *("/" resp-level) "]"` (RFC 2449 §8) and the text behind it.
fn response_code(text: &str) -> (Option<&str>, &str) {
    let legal = |b: u8| b.is_ascii_graphic() && b != b'[' && b != b']';
    match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((code, rest)) if !code.is_empty() && code.bytes().all(legal) => {
            (Some(code), rest.strip_prefix(' ').unwrap_or(rest))
        }
        _ => (None, text),
    }
}

/// Reads a line of LIST, or the text of STAT: two numbers, such as message and size in bytes (RFC 1939 §5). What servers
/// add behind them is ignored.
#[must_use]
pub fn listing(line: &[u8]) -> Option<(u32, u64)> {
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let (first, second) = (number(words.next()?)?, number(words.next()?)?);
    Some((u32::try_from(first).ok()?, second))
}

/// Reads a line of UIDL: message number and unique id, 1 to 70 visible characters (RFC 1939 §7).
#[must_use]
pub fn unique_id(line: &[u8]) -> Option<(u32, &str)> {
    let (message, id) = std::str::from_utf8(line).ok()?.split_once(' ')?;
    let fits = (1..=70).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
    fits.then_some((u32::try_from(number(message)?).ok()?, id))
}

fn number(digits: &str) -> Option<u64> {
    // `parse` alone would take a leading plus
    let fits = digits.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| digits.parse().ok()).flatten()
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

    #[test]
    fn as_on_the_wire() {
        for (reply, line) in [
            (Reply::Ok(String::new()), "+OK\r\n"),
            (Reply::Ok("Welcome.".into()), "+OK Welcome.\r\n"),
            (Reply::Continue(String::new()), "+ \r\n"),
            (Reply::err("bad command"), "-ERR bad command\r\n"),
            (
                Reply::err_code("AUTH", "Invalid credentials."),
                "-ERR [AUTH] Invalid credentials.\r\n",
            ),
            (
                Reply::err_code("SYS/TEMP", "Session expired, please login again."),
                "-ERR [SYS/TEMP] Session expired, please login again.\r\n",
            ),
        ] {
            assert_eq!(print(&reply), line);
            assert_eq!(
                Reply::parse(line.trim_end_matches("\r\n").as_bytes()),
                Some(reply)
            );
        }
        assert_eq!(print(&Reply::err("a\r\n+OK")), "-ERR a  +OK\r\n");
    }

    #[test]
    fn odd_lines() {
        assert_eq!(Reply::parse(b"+"), Some(Reply::Continue(String::new())));
        assert_eq!(Reply::parse(b"-ERR [] x"), Some(Reply::err("[] x")));
        assert_eq!(Reply::parse(b"-ERR [A"), Some(Reply::err("[A")));
        assert_eq!(Reply::parse(b"-ERR [A]x"), Some(Reply::err_code("A", "x")));
        for bad in [
            b"".as_slice(),
            b"OK",
            b"+OKAY",
            b"+ok x",
            b" +OK",
            b"* OK",
            b"\xff",
        ] {
            assert_eq!(Reply::parse(bad), None);
        }
    }

    #[test]
    fn listings() {
        assert_eq!(listing(b"2 1025"), Some((2, 1025)));
        assert_eq!(listing(b"3 221409 extra"), Some((3, 221_409)));
        for bad in [
            "",
            "1",
            "1 ",
            "a 1",
            "+1 2",
            "4294967296 1",
            "1 18446744073709551616",
        ] {
            assert_eq!(listing(bad.as_bytes()), None, "{bad}");
        }
        let id = "GmailId19cb2abee8810b2e";
        assert_eq!(unique_id(format!("1 {id}").as_bytes()), Some((1, id)));
        for bad in ["", "1", "1 ", "x id", "1 a b", "1 é"] {
            assert_eq!(unique_id(bad.as_bytes()), None, "{bad}");
        }
        let long = format!("1 {}", "x".repeat(71));
        assert_eq!(unique_id(long.as_bytes()), None);
    }

    proptest! {
        #[test]
        fn round_trips(kind in 0..4, code in "[A-Z/-]{1,10}", text in "([a-zé][ -~]{0,30})?") {
            let reply = match kind {
                0 => Reply::Ok(text),
                1 => Reply::err(text),
                2 => Reply::err_code(code, text),
                _ => Reply::Continue(text),
            };
            prop_assert_eq!(Reply::parse(print(&reply).trim_end_matches("\r\n").as_bytes()), Some(reply));
        }

        #[test]
        fn anything_may_come(line: Vec<u8>) {
            let _ = Reply::parse(&line);
            let _ = listing(&line);
            let _ = unique_id(&line);
        }
    }
}
