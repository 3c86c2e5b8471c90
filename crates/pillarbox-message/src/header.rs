//! Header fields where they stand in the bytes: walk, filter, unfold. Knows nothing of what a field means.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr;

/// One header field and where it lies in the bytes it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name as written, without the colon.
    pub name: &'a [u8],
    /// The value as written: after the colon, folds included, without the last line end.
    pub value: &'a [u8],
    /// Where the value lies.
    pub value_range: Range<usize>,
    /// The whole field: name, colon, value and last line end.
    pub range: Range<usize>,
}

impl Field<'_> {
    /// Is this the field of that name (names ignore case, RFC 5322 §1.2.2)?
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// Walks the fields of the header that `raw` begins with; ends at the blank line.
///
/// An mbox `From ` line in front is passed over. A line that is no field ends the header (the blank line is missing) unless
/// a field follows it (a fold without its blank). A line beginning with `--` always ends it: it is a MIME boundary.
pub fn header_fields(raw: &[u8]) -> HeaderFields<'_> {
    HeaderFields {
        raw,
        pos: mbox_line(raw),
        end: None,
        damaged: false,
    }
}

/// The iterator of [`header_fields`].
#[derive(Clone, Debug)]
pub struct HeaderFields<'a> {
    raw: &'a [u8],
    pos: usize,
    end: Option<(usize, usize)>,
    damaged: bool,
}

impl<'a> HeaderFields<'a> {
    /// Reads to the end: where the last field ends, and where the body begins (behind the blank line, if there is one).
    pub fn finish(mut self) -> (usize, usize) {
        while self.next().is_some() {}
        self.ends()
    }

    pub(crate) fn ends(&self) -> (usize, usize) {
        self.end.unwrap_or((self.pos, self.pos))
    }

    /// Was something in it that is no field?
    pub(crate) fn damaged(&self) -> bool {
        self.damaged
    }

    fn stop(&mut self, at: usize, body: usize, damaged: bool) {
        self.end = Some((at, body));
        self.damaged |= damaged;
    }
}

impl<'a> Iterator for HeaderFields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        while self.end.is_none() {
            let start = self.pos;
            let rest = &self.raw[start..];
            if rest.is_empty() {
                // A message may be a header alone (RFC 5322 §3.5).
                self.stop(start, start, false);
            } else if let Some(blank) = blank_line(rest) {
                self.stop(start, start + blank, false);
            } else if let Some(colon) = field_colon(rest) {
                let end = field_end(self.raw, start);
                self.pos = end;
                let value_range =
                    start + colon + 1..without_line_end(self.raw, start + colon + 1, end);
                let name = self.raw[start..start + colon].trim_ascii_end();
                return Some(Field {
                    name,
                    value: &self.raw[value_range.clone()],
                    value_range,
                    range: start..end,
                });
            } else {
                let next = line_end(self.raw, start);
                if rest.starts_with(b"--") || field_colon(&self.raw[next..]).is_none() {
                    self.stop(start, start, true);
                } else {
                    self.damaged = true;
                    self.pos = next;
                }
            }
        }
        None
    }
}

/// The fields of a header whose names are (or, with `not`, are not) in `names`, byte for byte and in their order, and the
/// blank line that ends every such answer (RFC 3501 §6.4.5, HEADER.FIELDS and HEADER.FIELDS.NOT).
pub fn filter_header<N: AsRef<[u8]>>(header: &[u8], names: &[N], not: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for field in header_fields(header) {
        let named = names
            .iter()
            .any(|n| n.as_ref().eq_ignore_ascii_case(field.name));
        if named != not {
            out.extend_from_slice(&header[field.range]);
            if !out.ends_with(b"\n") {
                out.extend_from_slice(b"\r\n");
            }
        }
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// A field's value on one line (RFC 5322 §2.2.3), trimmed. Stray CR and NUL, legal nowhere, become blanks.
pub fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    let value = value.trim_ascii();
    if !value.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)) {
        return Cow::Borrowed(value);
    }
    let mut out = Vec::with_capacity(value.len());
    for (i, &b) in value.iter().enumerate() {
        match b {
            b'\n' => {}
            b'\r' if value.get(i + 1) == Some(&b'\n') => {}
            b'\r' | 0 => out.push(b' '),
            _ => out.push(b),
        }
    }
    Cow::Owned(out)
}

/// Offset behind the line that holds `from`.
pub(crate) fn line_end(raw: &[u8], from: usize) -> usize {
    memchr(b'\n', &raw[from..]).map_or(raw.len(), |i| from + i + 1)
}

/// `end` without the line end in front of it, never before `start`.
pub(crate) fn without_line_end(raw: &[u8], start: usize, end: usize) -> usize {
    let mut end = end;
    if end > start && raw[end - 1] == b'\n' {
        end -= 1;
        if end > start && raw[end - 1] == b'\r' {
            end -= 1;
        }
    }
    end
}

fn field_end(raw: &[u8], start: usize) -> usize {
    let mut end = line_end(raw, start);
    while matches!(raw.get(end), Some(b' ' | b'\t')) {
        end = line_end(raw, end);
    }
    end
}

fn blank_line(rest: &[u8]) -> Option<usize> {
    match rest {
        [b'\n', ..] => Some(1),
        [b'\r', b'\n', ..] => Some(2),
        _ => None,
    }
}

/// Where the colon stands if a field begins here: `field-name *WSP ":"` (RFC 5322 §2.2, §4.5).
fn field_colon(rest: &[u8]) -> Option<usize> {
    if rest.starts_with(b"--") {
        return None;
    }
    let name = rest
        .iter()
        .position(|&b| b == b':' || !(33..=126).contains(&b))?;
    let blanks = rest[name..]
        .iter()
        .position(|b| !matches!(b, b' ' | b'\t'))?;
    (name > 0 && rest[name + blanks] == b':').then_some(name + blanks)
}

fn mbox_line(raw: &[u8]) -> usize {
    let begins = raw.starts_with(b"From ") || raw.starts_with(b">From ");
    if begins && field_colon(raw).is_none() {
        line_end(raw, 0)
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(raw: &[u8]) -> Vec<String> {
        header_fields(raw)
            .map(|f| String::from_utf8_lossy(f.name).into_owned())
            .collect()
    }

    #[test]
    fn walks_folds_obsolete_blanks_and_lone_line_feeds() {
        let raw = b"A: 1\r\n 2\r\nB : x\nC:\n\nbody: no";
        assert_eq!(names(raw), ["A", "B", "C"]);
        let first = header_fields(raw)
            .next()
            .map(|f| (f.value.to_vec(), f.range));
        assert_eq!(first, Some((b" 1\r\n 2".to_vec(), 0..10)));
        assert_eq!(&raw[header_fields(raw).finish().1..], b"body: no");
    }

    #[test]
    fn a_missing_blank_line_ends_the_header_but_a_broken_fold_does_not() {
        let raw = b"A: 1\r\nHello world\r\nBye\r\n";
        assert_eq!(header_fields(raw).finish(), (6, 6));
        assert_eq!(names(b"A: 1\r\nbroken fold\r\nB: 2\r\n\r\n"), ["A", "B"]);
        assert_eq!(names(b"A: 1\r\n--x:y\r\nB: 2\r\n\r\n"), ["A"]);
        assert_eq!(names(b"From a@b Mon\r\nA: 1\r\n\r\n"), ["A"]);
    }

    #[test]
    fn filters_with_the_blank_line() {
        let raw = b"From: a\r\nTo: b,\r\n c\r\nX: d\r\n\r\n";
        assert_eq!(
            filter_header(raw, &["to", "FROM"], false),
            b"From: a\r\nTo: b,\r\n c\r\n\r\n"
        );
        assert_eq!(
            filter_header(raw, &["to"], true),
            b"From: a\r\nX: d\r\n\r\n"
        );
        assert_eq!(filter_header(raw, &["nope"], false), b"\r\n");
    }

    #[test]
    fn unfolds() {
        assert_eq!(&*unfold(b" a\r\n b\0c\rd "), b"a b c d");
    }
}
