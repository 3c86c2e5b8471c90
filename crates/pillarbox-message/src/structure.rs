//! The tree of MIME parts: one pass over the bytes, no recursion, work in proportion to the size of the message.
//! Decodes nothing and judges nothing; what cannot be understood stays one part.

use std::ops::Range;

use memchr::memmem::Finder;
use memchr::{memchr, memchr_iter};

use crate::content::Content;
use crate::envelope::Envelope;
use crate::header::{header_fields, line_end, without_line_end};
use crate::{Encoding, Flags, Kind, Limits};

/// One MIME part, or the message itself, with everything its header says of its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// Index of the entity around it.
    pub parent: Option<usize>,
    /// Indices of what it holds, in order; always larger than its own.
    pub children: Vec<usize>,
    /// What it is made of.
    pub kind: Kind,
    /// Its header with the blank line.
    pub header: Range<usize>,
    /// Its body; starts where the header ends, never includes the line end that belongs to the next boundary.
    pub body: Range<usize>,
    /// Line feeds in the body.
    pub lines: usize,
    /// The `Content-*` fields.
    pub content: Content,
    /// The envelope, if this is the root of a message (the first entity, or the child of a `message/rfc822` part).
    pub envelope: Option<Box<Envelope>>,
}

/// All parts of one message in the order of its bytes; the first is the message itself, so there is always one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure {
    /// The parts.
    pub entities: Vec<Entity>,
    /// What was wrong.
    pub flags: Flags,
}

impl Structure {
    /// Reads a message. Never fails.
    pub fn parse(raw: &[u8], limits: &Limits) -> Self {
        Reader::new(raw, limits).read().0
    }

    /// The message itself.
    pub fn root(&self) -> &Entity {
        &self.entities[0]
    }
}

/// A multipart or message whose end has not come yet.
struct Open {
    entity: usize,
    /// None for messages, and for multiparts behind their end boundary.
    boundary: Option<Vec<u8>>,
    lines_before: usize,
}

/// A boundary line that belongs to an open multipart.
struct Delimiter {
    level: usize,
    last: bool,
    line: Range<usize>,
}

struct Reader<'a> {
    raw: &'a [u8],
    limits: &'a Limits,
    finder: Finder<'static>,
    open: Vec<Open>,
    entities: Vec<Entity>,
    flags: Flags,
    counted: usize,
    lines: usize,
    /// Bytes looked at: the measure that the linear-time test holds on to.
    work: usize,
}

impl<'a> Reader<'a> {
    fn new(raw: &'a [u8], limits: &'a Limits) -> Self {
        Self {
            raw,
            limits,
            finder: Finder::new(b"\n--"),
            open: Vec::new(),
            entities: Vec::new(),
            flags: Flags::default(),
            counted: 0,
            lines: 0,
            work: 0,
        }
    }

    fn read(mut self) -> (Structure, usize) {
        self.flags.damaged = memchr(0, self.raw).is_some();
        let mut begin = Some(0);
        let mut pos = 0;
        loop {
            if let Some(start) = begin.take() {
                pos = self.begin_entity(start);
                if self.innermost_is(Kind::Message) {
                    begin = Some(pos);
                    continue;
                }
            }
            let Some(found) = self.next_delimiter(pos) else {
                break;
            };
            if !found.last && self.entities.len() >= self.limits.parts_max {
                self.flags.truncated = true;
                break;
            }
            self.close_above(found.level, found.line.start);
            pos = found.line.end;
            if found.last {
                self.open[found.level].boundary = None;
            } else {
                begin = Some(pos);
            }
        }
        self.finish();
        (
            Structure {
                entities: self.entities,
                flags: self.flags,
            },
            self.work,
        )
    }

    /// Reads the header at `start` and adds the entity; returns where its body begins.
    fn begin_entity(&mut self, start: usize) -> usize {
        let parent = self.open.last().map(|o| o.entity);
        let is_message = parent.is_none_or(|p| self.entities[p].kind == Kind::Message);
        let in_digest = parent.is_some_and(|p| self.entities[p].content.is("multipart", "digest"));
        let mut content = Content::default();
        let mut envelope = is_message.then(Box::<Envelope>::default);
        let mut fields = header_fields(&self.raw[start..]);
        for (count, field) in fields.by_ref().enumerate() {
            if count >= self.limits.fields_max {
                self.flags.truncated = true;
                continue;
            }
            content.read(&field, self.limits);
            if let Some(envelope) = &mut envelope {
                envelope.read(&field, self.limits);
            }
        }
        if let Some(envelope) = &mut envelope {
            envelope.complete();
        }
        content.complete(in_digest);
        // A part may end without a blank line only by ending altogether.
        self.flags.damaged |= fields.damaged();
        let body = start + fields.ends().1;
        self.work += body - start;
        self.add(parent, start..body, content, envelope);
        body
    }

    fn add(
        &mut self,
        parent: Option<usize>,
        header: Range<usize>,
        mut content: Content,
        envelope: Option<Box<Envelope>>,
    ) {
        let index = self.entities.len();
        let kind = self.kind_of(&mut content);
        let body = header.end..header.end;
        let lines_before = self.lines_to(header.end);
        let boundary = if kind == Kind::Multipart {
            content.boundary()
        } else {
            None
        };
        if let Some(parent) = parent {
            self.entities[parent].children.push(index);
        }
        self.entities.push(Entity {
            parent,
            children: Vec::new(),
            kind,
            header,
            body,
            lines: 0,
            content,
            envelope,
        });
        self.open.push(Open {
            entity: index,
            boundary,
            lines_before,
        });
    }

    fn kind_of(&mut self, content: &mut Content) -> Kind {
        let holds_parts = content.is_type("multipart");
        if holds_parts && content.boundary().is_none() {
            self.flags.damaged = true;
            content.become_plain_text();
            return Kind::Text;
        }
        // RFC 2046 §5.2.1: an encoded message is not allowed, so what is inside cannot have sections.
        let holds_message =
            content.is("message", "rfc822") && content.transfer() == Encoding::Identity;
        let full = self.open.len() >= self.limits.depth_max
            || self.entities.len() + 1 >= self.limits.parts_max;
        if (holds_parts || holds_message) && full {
            self.flags.truncated = true;
            return Kind::Closed;
        }
        match () {
            () if holds_parts => Kind::Multipart,
            () if holds_message => Kind::Message,
            () if content.is_type("text") => Kind::Text,
            () => Kind::Leaf,
        }
    }

    fn innermost_is(&self, kind: Kind) -> bool {
        self.open
            .last()
            .is_some_and(|o| self.entities[o.entity].kind == kind)
    }

    /// The next boundary line at or after `from`, which is the start of a line.
    fn next_delimiter(&mut self, from: usize) -> Option<Delimiter> {
        let begins = self.first_bytes()?;
        let mut at = from;
        let mut start = from;
        if !self.raw[from..].starts_with(b"--") {
            start = self.next_candidate(from)?;
        }
        loop {
            let end = line_end(self.raw, start);
            self.work += end - at;
            let text = &self.raw[start + 2..without_line_end(self.raw, start + 2, end)];
            if text.first().is_some_and(|&b| begins[usize::from(b)])
                && let Some((level, last)) = self.matching(text)
            {
                return Some(Delimiter {
                    level,
                    last,
                    line: start..end,
                });
            }
            // Steps back over the line feed, which may begin the next candidate.
            at = if self.raw[end - 1] == b'\n' {
                end - 1
            } else {
                end
            };
            start = self.next_candidate(at)?;
        }
    }

    fn next_candidate(&mut self, from: usize) -> Option<usize> {
        let found = self.finder.find(&self.raw[from..]);
        if found.is_none() {
            self.work += self.raw.len() - from;
        }
        found.map(|i| from + i + 1)
    }

    /// Bytes that an open boundary begins with: most lines that begin with `--` are told apart by this alone. None if no
    /// boundary is open.
    fn first_bytes(&self) -> Option<[bool; 256]> {
        let mut begins = [false; 256];
        let mut any = false;
        for boundary in self.open.iter().filter_map(|o| o.boundary.as_deref()) {
            begins[usize::from(boundary[0])] = true;
            any = true;
        }
        any.then_some(begins)
    }

    /// RFC 2046 §5.1.1: a boundary counts where it begins the line. The innermost exact match wins (an inner multipart may
    /// reuse its parent's boundary), else the longest (one boundary may begin like another).
    fn matching(&mut self, text: &[u8]) -> Option<(usize, bool)> {
        let text = text.trim_ascii_end();
        let mut best: Option<(usize, usize)> = None;
        for (level, open) in self.open.iter().enumerate().rev() {
            self.work += 1;
            let Some(boundary) = &open.boundary else {
                continue;
            };
            let Some(rest) = text.strip_prefix(&boundary[..]) else {
                continue;
            };
            if rest.is_empty() || rest == b"--" {
                return Some((level, rest == b"--"));
            }
            if best.is_none_or(|(_, len)| len < boundary.len()) {
                best = Some((level, boundary.len()));
            }
        }
        best.map(|(level, len)| (level, text[len..].starts_with(b"--")))
    }

    /// Ends everything inside the multipart at `level`; the line end before its boundary belongs to the boundary.
    fn close_above(&mut self, level: usize, delimiter: usize) {
        // Not before the innermost body: a header may end where the line end before the boundary would be.
        let start = self
            .open
            .last()
            .map_or(0, |o| self.entities[o.entity].body.start);
        let end = without_line_end(self.raw, start.min(delimiter), delimiter);
        while self.open.len() > level + 1 {
            self.close_innermost(end);
        }
    }

    fn close_innermost(&mut self, end: usize) {
        let Some(open) = self.open.pop() else { return };
        // A multipart without its end boundary.
        self.flags.damaged |= open.boundary.is_some();
        let lines = self.lines_to(end) - open.lines_before;
        let entity = &mut self.entities[open.entity];
        entity.body.end = end;
        entity.lines = lines;
        if entity.kind == Kind::Multipart && entity.children.is_empty() {
            self.add_empty_child(open.entity, end);
        }
    }

    /// IMAP's grammar knows no multipart without a part (RFC 3501 §9, `body-type-mpart`).
    fn add_empty_child(&mut self, parent: usize, at: usize) {
        self.flags.damaged = true;
        let mut content = Content::default();
        content.complete(false);
        let index = self.entities.len();
        let (header, body) = (at..at, at..at);
        self.entities[parent].children.push(index);
        self.entities.push(Entity {
            parent: Some(parent),
            children: Vec::new(),
            kind: Kind::Text,
            header,
            body,
            lines: 0,
            content,
            envelope: None,
        });
    }

    fn finish(&mut self) {
        while !self.open.is_empty() {
            self.close_innermost(self.raw.len());
        }
    }

    /// Line feeds before `to`. Asked in rising order, so the message is counted once, however deep it nests.
    fn lines_to(&mut self, to: usize) -> usize {
        if to > self.counted {
            self.lines += memchr_iter(b'\n', &self.raw[self.counted..to]).count();
            self.counted = to;
        }
        self.lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(raw: &[u8]) -> usize {
        let limits = Limits::default();
        let mut reader = Reader::new(raw, &limits);
        reader.work = 0;
        let (structure, work) = reader.read();
        assert!(!structure.entities.is_empty());
        work
    }

    /// Work is counted, not timed: each hostile shape must cost in proportion to its size, at most the depth limit a byte.
    #[test]
    fn work_grows_with_the_size_only() {
        let nested: String = (0..60)
            .map(|i| format!("Content-Type: multipart/mixed; boundary=b{i}\r\n\r\n--b{i}\r\n"))
            .collect();
        let shapes: [(&str, &str, usize); 6] = [
            ("", "plain text line\r\n", 2),
            (&nested, "--\r\n", 20),
            (&nested, "--b\r\n", 20),
            (&nested, "--b59\r\n", 4),
            (&nested, "text\n\n\n", 2),
            (
                "Content-Type: message/rfc822\r\n\r\n",
                "Content-Type: message/rfc822\r\n\r\n",
                2,
            ),
        ];
        for (head, line, per_byte) in shapes {
            let sizes = [20_000, 80_000]
                .map(|n| [head.as_bytes(), &line.as_bytes().repeat(n / line.len())].concat());
            let [small, large] = [work(&sizes[0]), work(&sizes[1])];
            assert!(
                large <= per_byte * sizes[1].len(),
                "{line:?}: {large} steps for {} bytes",
                sizes[1].len()
            );
            assert!(
                large <= 5 * small.max(sizes[0].len()),
                "{line:?}: {small} steps, then {large}"
            );
        }
    }

    /// RFC 2046 §5.1.1 lets a boundary be followed by anything; of two that fit, the longer is meant.
    #[test]
    fn the_longest_boundary_wins_when_none_is_exact() {
        for (outer, inner, children) in [("abc", "a", [2, 1]), ("a", "abc", [1, 2])] {
            let raw = format!(
                "Content-Type: multipart/mixed; boundary={outer}\n\n--{outer}\nContent-Type: multipart/mixed; boundary={inner}\n\n\
                 --{inner}\n\nx\n--abcX\n\ny\n"
            );
            let structure = Structure::parse(raw.as_bytes(), &Limits::default());
            let found = [0, 1].map(|i: usize| structure.entities[i].children.len());
            assert_eq!(found, children, "{outer} around {inner}");
        }
    }
}
