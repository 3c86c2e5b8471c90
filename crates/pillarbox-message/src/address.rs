//! Address lists (RFC 5322 §3.4, §4.4): split, not decoded, not judged. Forgiving; never fails.

/// One element of an address list, as ENVELOPE needs it (RFC 3501 §7.4.2): groups are framed by two marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `name <@route:mailbox@host>`
    Mailbox {
        /// Display name without quotes, encoded words as written.
        name: Option<Vec<u8>>,
        /// Obsolete source route.
        route: Option<Vec<u8>>,
        /// Left of the `@`, quotes undone.
        mailbox: Vec<u8>,
        /// Right of the `@`; empty if there is none.
        host: Vec<u8>,
    },
    /// A group of this name begins.
    GroupStart(Vec<u8>),
    /// The group ends.
    GroupEnd,
}

impl Address {
    /// `mailbox@host` as text, bad UTF-8 replaced; none for group marks.
    pub fn email(&self) -> Option<String> {
        match self {
            Self::Mailbox { mailbox, host, .. } => Some(format!(
                "{}@{}",
                String::from_utf8_lossy(mailbox),
                String::from_utf8_lossy(host)
            )),
            Self::GroupStart(_) | Self::GroupEnd => None,
        }
    }
}

/// Splits the value of an address field (folds allowed) into at most `max` elements; a group that is cut is ended.
pub fn parse_address_list(value: &[u8], max: usize) -> Vec<Address> {
    let mut parser = Parser {
        bytes: value,
        pos: 0,
        words: Words::default(),
        out: Vec::new(),
        in_group: false,
    };
    while parser.pos < value.len() && parser.out.len() < max {
        parser.step();
    }
    parser.end_address();
    if parser.in_group {
        parser.out.push(Address::GroupEnd);
    }
    cut(parser.out, max)
}

/// One step of the parser may make more than one element, so the list may be some too long.
fn cut(mut list: Vec<Address>, max: usize) -> Vec<Address> {
    if list.len() <= max {
        return list;
    }
    list.truncate(max);
    let is_mark = |a: &&Address| !matches!(a, Address::Mailbox { .. });
    let last_mark = list.iter().rev().find(is_mark);
    if matches!(last_mark, Some(Address::GroupStart(_)))
        && !matches!(list.pop(), Some(Address::GroupStart(_)))
    {
        list.push(Address::GroupEnd);
    }
    list
}

/// What was read of the address at hand.
#[derive(Default)]
struct Words {
    /// Words outside of angle brackets, with single blanks between them.
    text: Vec<u8>,
    /// Where the last unquoted `@` stands in `text`.
    at: Option<usize>,
    blank: bool,
    comment: Vec<u8>,
    angle: Option<Angle>,
}

struct Angle {
    route: Option<Vec<u8>>,
    mailbox: Vec<u8>,
    host: Vec<u8>,
}

struct Parser<'a> {
    bytes: &'a [u8],
    pos: usize,
    words: Words,
    out: Vec<Address>,
    in_group: bool,
}

impl Parser<'_> {
    fn step(&mut self) {
        let b = self.bytes[self.pos];
        self.pos += 1;
        match b {
            b' ' | b'\t' | b'\r' | b'\n' | 0 => self.words.blank = true,
            b'(' => {
                let comment = self.comment();
                if self.words.comment.is_empty() {
                    self.words.comment = comment;
                }
            }
            b'"' => {
                self.space();
                let mut text = std::mem::take(&mut self.words.text);
                self.quoted(&mut text);
                self.words.text = text;
            }
            b'<' if self.words.angle.is_none() => self.angle(),
            b',' => self.end_address(),
            b':' if !self.in_group && self.words.angle.is_none() && self.words.at.is_none() => {
                let name = std::mem::take(&mut self.words).text;
                self.out.push(Address::GroupStart(name));
                self.in_group = true;
            }
            b';' if self.in_group => {
                self.end_address();
                self.out.push(Address::GroupEnd);
                self.in_group = false;
            }
            b';' => self.end_address(),
            b'@' => {
                self.words.blank = false;
                self.words.at = Some(self.words.text.len());
                self.words.text.push(b);
            }
            _ => {
                self.space();
                self.words.text.push(b);
            }
        }
    }

    /// Words are parted by one blank; none around `@` and dots (RFC 5322 §4.4 allows them there).
    fn space(&mut self) {
        let next = self.bytes.get(self.pos.wrapping_sub(1));
        let glued = self.words.at.is_some()
            && (matches!(self.words.text.last(), Some(b'@' | b'.')) || next == Some(&b'.'));
        if self.words.blank && !self.words.text.is_empty() && !glued {
            self.words.text.push(b' ');
        }
        self.words.blank = false;
    }

    fn end_address(&mut self) {
        let words = std::mem::take(&mut self.words);
        let comment = Some(words.comment).filter(|c| !c.is_empty());
        if let Some(angle) = words.angle {
            let name = Some(words.text).filter(|t| !t.is_empty()).or(comment);
            self.out.push(Address::Mailbox {
                name,
                route: angle.route,
                mailbox: angle.mailbox,
                host: angle.host,
            });
        } else if !words.text.is_empty() {
            let (mailbox, host) = split_at(&words.text, words.at);
            self.out.push(Address::Mailbox {
                name: comment,
                route: None,
                mailbox,
                host,
            });
        }
    }

    /// `"<" [route ":"] addr-spec ">"`
    fn angle(&mut self) {
        let mut text = Vec::new();
        let (mut at, mut route) = (None, None);
        while let Some(&b) = self.bytes.get(self.pos) {
            self.pos += 1;
            match b {
                b'>' => break,
                b' ' | b'\t' | b'\r' | b'\n' | 0 => {}
                b'(' => drop(self.comment()),
                b'"' => self.quoted(&mut text),
                b':' if text.first() == Some(&b'@') && route.is_none() => {
                    route = Some(std::mem::take(&mut text));
                    at = None;
                }
                _ => {
                    if b == b'@' {
                        at = Some(text.len());
                    }
                    text.push(b);
                }
            }
        }
        let (mailbox, host) = split_at(&text, at);
        self.words.angle = Some(Angle {
            route,
            mailbox,
            host,
        });
        self.words.blank = true;
    }

    fn quoted(&mut self, out: &mut Vec<u8>) {
        while let Some(&b) = self.bytes.get(self.pos) {
            self.pos += 1;
            match b {
                b'"' => return,
                b'\r' | b'\n' => {}
                b'\\' => {
                    out.extend(
                        self.bytes
                            .get(self.pos)
                            .filter(|b| !matches!(b, b'\r' | b'\n')),
                    );
                    self.pos += 1;
                }
                _ => out.push(b),
            }
        }
    }

    fn comment(&mut self) -> Vec<u8> {
        let (mut depth, mut out) = (1, Vec::new());
        while let Some(&b) = self.bytes.get(self.pos) {
            self.pos += 1;
            match b {
                b'(' => depth += 1,
                b')' if depth == 1 => break,
                b')' => depth -= 1,
                b'\r' | b'\n' => continue,
                b'\\' => {
                    out.extend(
                        self.bytes
                            .get(self.pos)
                            .filter(|b| !matches!(b, b'\r' | b'\n')),
                    );
                    self.pos += 1;
                    continue;
                }
                _ => {}
            }
            out.push(b);
        }
        out.trim_ascii().to_vec()
    }
}

fn split_at(text: &[u8], at: Option<usize>) -> (Vec<u8>, Vec<u8>) {
    match at {
        Some(at) => (text[..at].to_vec(), text[at + 1..].to_vec()),
        None => (text.to_vec(), Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(value: &str) -> Vec<String> {
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        let one = |a: &Address| match a {
            Address::Mailbox {
                name,
                route,
                mailbox,
                host,
            } => format!(
                "{}|{}|{}|{}",
                name.as_deref().map_or("-".into(), text),
                route.as_deref().map_or("-".into(), text),
                text(mailbox),
                text(host)
            ),
            Address::GroupStart(name) => format!("[{}", text(name)),
            Address::GroupEnd => "]".into(),
        };
        parse_address_list(value.as_bytes(), 100)
            .iter()
            .map(one)
            .collect()
    }

    #[test]
    fn rfc5322_examples() {
        assert_eq!(
            show("John Doe <jdoe@machine.example>"),
            ["John Doe|-|jdoe|machine.example"]
        );
        assert_eq!(
            show("\"Joe Q. Public\" <john.q.public@example.com>"),
            ["Joe Q. Public|-|john.q.public|example.com"]
        );
        assert_eq!(
            show("Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>"),
            [
                "Mary Smith|-|mary|x.test",
                "-|-|jdoe|example.org",
                "Who?|-|one|y.test"
            ]
        );
        assert_eq!(
            show("<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>")[1],
            "Giant; \"Big\" Box|-|sysservices|example.net"
        );
        assert_eq!(
            show("A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;"),
            [
                "[A Group",
                "Ed Jones|-|c|a.test",
                "-|-|joe|where.test",
                "John|-|jdoe|one.test",
                "]"
            ]
        );
        assert_eq!(
            show("Undisclosed recipients:;"),
            ["[Undisclosed recipients", "]"]
        );
        assert_eq!(
            show("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>"),
            ["Pete|-|pete|silly.test"]
        );
        assert_eq!(
            show("Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example"),
            [
                "Mary Smith|@node.test|mary|example.net",
                "-|-|jdoe|test.example"
            ]
        );
    }

    #[test]
    fn no_list_is_longer_than_asked_for() {
        for value in [
            "a@b, c@d, e@f",
            "g: a@b, c@d;, e@f",
            "g:;h:;i:;",
            "a@b g: c@d; e@f",
        ] {
            for max in 1..8 {
                let list = parse_address_list(value.as_bytes(), max);
                assert!(list.len() <= max, "{value} in {max}");
                let count = |mark: fn(&&Address) -> bool| list.iter().filter(mark).count();
                assert_eq!(
                    count(|a| matches!(a, Address::GroupStart(_))),
                    count(|a| matches!(a, Address::GroupEnd)),
                    "{value} in {max}"
                );
            }
        }
    }

    #[test]
    fn odd_ones() {
        assert_eq!(show("terry@x (Terry Gray)"), ["Terry Gray|-|terry|x"]);
        assert_eq!(show("\"a@b\"@c"), ["-|-|a@b|c"]);
        assert_eq!(show("nobody"), ["-|-|nobody|"]);
        assert_eq!(show("<>"), ["-|-||"]);
        assert_eq!(show("a <b@c"), ["a|-|b|c"]);
        assert_eq!(show("g: a@b"), ["[g", "-|-|a|b", "]"]);
        assert_eq!(parse_address_list(b"a@b,c@d,e@f", 2).len(), 2);
    }
}
