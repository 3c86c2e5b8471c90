//! The `Content-*` fields of a part (RFC 2045, 2183, 2231, 3282, 2557), kept as written; RFC 2231 names are decoded on demand.

use crate::charset::decode_charset;
use crate::header::{Field, unfold};
use crate::words::decode_words;
use crate::{Encoding, Limits};

/// A parameter as written: the value without its quotes, the name with its RFC 2231 marks.
pub type Param = (Vec<u8>, Vec<u8>);

/// `Content-Disposition` (RFC 2183).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disposition {
    /// `inline`, `attachment` or another word, as written.
    pub kind: Vec<u8>,
    /// Its parameters.
    pub params: Vec<Param>,
}

/// What the header of a part says of its content, text undecoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Media type as written; `text` if there is none.
    pub media_type: Vec<u8>,
    /// Media subtype as written; `plain` if there is none.
    pub subtype: Vec<u8>,
    /// Parameters of Content-Type.
    pub params: Vec<Param>,
    /// Content-ID
    pub id: Option<Vec<u8>>,
    /// Content-Description
    pub description: Option<Vec<u8>>,
    /// Content-Transfer-Encoding as written.
    pub encoding: Option<Vec<u8>>,
    /// Content-MD5
    pub md5: Option<Vec<u8>>,
    /// Content-Disposition
    pub disposition: Option<Disposition>,
    /// Tags of Content-Language.
    pub language: Vec<Vec<u8>>,
    /// Content-Location
    pub location: Option<Vec<u8>>,
}

impl Content {
    /// Is the media type this one (case ignored)?
    pub fn is_type(&self, media_type: &str) -> bool {
        self.media_type.eq_ignore_ascii_case(media_type.as_bytes())
    }

    /// Are media type and subtype these (case ignored)?
    pub fn is(&self, media_type: &str, subtype: &str) -> bool {
        self.is_type(media_type) && self.subtype.eq_ignore_ascii_case(subtype.as_bytes())
    }

    /// How the body is encoded.
    pub fn transfer(&self) -> Encoding {
        let word = self.encoding.as_deref().unwrap_or_default();
        if word.eq_ignore_ascii_case(b"base64") {
            Encoding::Base64
        } else if word.eq_ignore_ascii_case(b"quoted-printable") {
            Encoding::QuotedPrintable
        } else {
            Encoding::Identity
        }
    }

    /// The name a person would save it under: `filename` of the disposition or `name` of the type, decoded.
    pub fn filename(&self) -> Option<String> {
        let disposition = self
            .disposition
            .as_ref()
            .and_then(|d| decode_param(&d.params, "filename"));
        disposition
            .or_else(|| decode_param(&self.params, "name"))
            .filter(|name| !name.is_empty())
    }

    /// Meant to be saved rather than shown: marked so, or named and not shown inside another part by its id.
    pub fn is_attachment(&self) -> bool {
        match &self.disposition {
            Some(d) if d.kind.eq_ignore_ascii_case(b"attachment") => true,
            Some(d) if d.kind.eq_ignore_ascii_case(b"inline") && self.id.is_some() => false,
            _ => !(self.id.is_some() && self.is_type("image")) && self.filename().is_some(),
        }
    }

    pub(crate) fn boundary(&self) -> Option<Vec<u8>> {
        let value = param(&self.params, "boundary")?.trim_ascii_end();
        (!value.is_empty()).then(|| value.to_vec())
    }

    /// Takes what one header field says; the first of several with a name counts.
    pub(crate) fn read(&mut self, field: &Field<'_>, limits: &Limits) {
        let Some((prefix, name)) = field.name.split_at_checked(8) else {
            return;
        };
        if !prefix.eq_ignore_ascii_case(b"content-") {
            return;
        }
        let value = &field.value[..field.value.len().min(limits.field_bytes_max)];
        let text = || Some(unfold(value).into_owned()).filter(|v| !v.is_empty());
        match name.to_ascii_lowercase().as_slice() {
            b"type" if self.media_type.is_empty() => self.read_type(value, limits),
            b"transfer-encoding" if self.encoding.is_none() => self.encoding = first_word(value),
            b"id" if self.id.is_none() => self.id = text(),
            b"description" if self.description.is_none() => self.description = text(),
            b"md5" if self.md5.is_none() => self.md5 = text(),
            b"location" if self.location.is_none() => self.location = text(),
            b"disposition" if self.disposition.is_none() => {
                let (kind, params) = parse_value(&unfold(value), limits.params_max);
                self.disposition = (!kind.is_empty()).then_some(Disposition { kind, params });
            }
            b"language" if self.language.is_empty() => {
                self.language = languages(&unfold(value), limits.params_max)
            }
            _ => {}
        }
    }

    fn read_type(&mut self, value: &[u8], limits: &Limits) {
        let (word, params) = parse_value(&unfold(value), limits.params_max);
        let Some(slash) = word.iter().position(|&b| b == b'/') else {
            return;
        };
        let (media_type, subtype) = (word[..slash].trim_ascii(), word[slash + 1..].trim_ascii());
        if !media_type.is_empty() && !subtype.is_empty() {
            self.media_type = media_type.to_vec();
            self.subtype = subtype.to_vec();
            self.params = params;
        }
    }

    /// Fills in the defaults of RFC 2045 §5.2 and RFC 2046 §5.1.5.
    pub(crate) fn complete(&mut self, in_digest: bool) {
        if !self.media_type.is_empty() {
            return;
        }
        if in_digest {
            (self.media_type, self.subtype) = (b"message".to_vec(), b"rfc822".to_vec());
        } else {
            self.become_plain_text();
        }
    }

    pub(crate) fn become_plain_text(&mut self) {
        (self.media_type, self.subtype) = (b"text".to_vec(), b"plain".to_vec());
        self.params = vec![(b"charset".to_vec(), b"us-ascii".to_vec())];
    }
}

/// The value of the parameter with exactly this name (case ignored).
pub(crate) fn param<'a>(params: &'a [Param], name: &str) -> Option<&'a [u8]> {
    params
        .iter()
        .find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes()))
        .map(|(_, v)| v.as_slice())
}

/// A parameter decoded: RFC 2231 pieces joined and their charset read, else RFC 2047 words, which are not allowed there but
/// widely sent.
pub fn decode_param(params: &[Param], name: &str) -> Option<String> {
    let mut pieces: Vec<(u32, bool, &[u8])> = params
        .iter()
        .filter_map(|(n, v)| Some((piece(n, name)?, v)))
        .map(|((i, enc), v)| (i, enc, v.as_slice()))
        .collect();
    if pieces.is_empty() {
        return param(params, name).map(decode_words);
    }
    pieces.sort_by_key(|(index, ..)| *index);
    let mut charset = Vec::new();
    let mut bytes = Vec::new();
    for (i, (_, encoded, value)) in pieces.into_iter().enumerate() {
        let mut value = value;
        if encoded && i == 0 {
            let mut parts = value.splitn(3, |&b| b == b'\'');
            if let (Some(cs), Some(_language), Some(rest)) =
                (parts.next(), parts.next(), parts.next())
            {
                charset = cs.to_vec();
                value = rest;
            }
        }
        if encoded {
            percent_decode(value, &mut bytes)
        } else {
            bytes.extend_from_slice(value)
        }
    }
    Some(decode_charset(&charset, &bytes))
}

/// `name*`, `name*0`, `name*0*`: index of the piece and whether it is percent-encoded (RFC 2231 §3, §4).
fn piece(written: &[u8], name: &str) -> Option<(u32, bool)> {
    let (head, tail) = written.split_at_checked(name.len())?;
    if !head.eq_ignore_ascii_case(name.as_bytes()) {
        return None;
    }
    let tail = tail.strip_prefix(b"*")?;
    if tail.is_empty() {
        return Some((0, true));
    }
    let (digits, encoded) = tail.strip_suffix(b"*").map_or((tail, false), |d| (d, true));
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, encoded))
}

fn percent_decode(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value;
    while let [first, tail @ ..] = rest {
        if let ([b'%', hi, lo, ..], true) = (rest, rest.len() >= 3)
            && let (Some(hi), Some(lo)) = ((*hi as char).to_digit(16), (*lo as char).to_digit(16))
        {
            out.push((hi * 16 + lo) as u8);
            rest = &rest[3..];
            continue;
        }
        out.push(*first);
        rest = tail;
    }
}

/// `word *(";" name "=" value)` with comments and quoted strings, forgiving.
fn parse_value(value: &[u8], params_max: usize) -> (Vec<u8>, Vec<Param>) {
    let mut scan = Scan {
        bytes: value,
        pos: 0,
    };
    let word = scan.until(b";");
    let mut params = Vec::new();
    while scan.pos < value.len() && params.len() < params_max {
        scan.pos += 1;
        let name = scan.until(b"=;");
        if scan.peek() != Some(b'=') {
            continue;
        }
        scan.pos += 1;
        let value = scan.until(b";");
        if !name.is_empty() {
            params.push((name, value));
        }
    }
    (word, params)
}

struct Scan<'a> {
    bytes: &'a [u8],
    pos: usize,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.pos).copied()
    }

    /// Text up to one of `stops`, quotes undone, comments left out, trimmed outside of quotes.
    fn until(&mut self, stops: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut solid = 0;
        while let Some(b) = self.peek().filter(|b| !stops.contains(b)) {
            self.pos += 1;
            match b {
                b'"' => {
                    self.quoted(&mut out);
                    solid = out.len();
                }
                b'(' => self.comment(),
                b' ' | b'\t' if out.is_empty() => {}
                b' ' | b'\t' => out.push(b),
                _ => {
                    out.push(b);
                    solid = out.len();
                }
            }
        }
        out.truncate(solid);
        out
    }

    fn quoted(&mut self, out: &mut Vec<u8>) {
        while let Some(b) = self.peek() {
            self.pos += 1;
            match b {
                b'"' => return,
                b'\\' => {
                    out.extend(self.peek());
                    self.pos += 1;
                }
                _ => out.push(b),
            }
        }
    }

    fn comment(&mut self) {
        let mut depth = 1;
        while let Some(b) = self.peek().filter(|_| depth > 0) {
            self.pos += 1;
            match b {
                b'(' => depth += 1,
                b')' => depth -= 1,
                b'\\' => self.pos += 1,
                _ => {}
            }
        }
    }
}

fn first_word(value: &[u8]) -> Option<Vec<u8>> {
    let (word, _) = parse_value(&unfold(value), 0);
    let word = word
        .split(|b| b.is_ascii_whitespace())
        .next()
        .unwrap_or_default()
        .to_vec();
    (!word.is_empty()).then_some(word)
}

fn languages(value: &[u8], max: usize) -> Vec<Vec<u8>> {
    let mut scan = Scan {
        bytes: value,
        pos: 0,
    };
    let mut tags = Vec::new();
    while scan.pos < value.len() && tags.len() < max {
        let tag = scan.until(b",");
        scan.pos += 1;
        if !tag.is_empty() {
            tags.push(tag);
        }
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(value: &[u8]) -> Vec<(String, String)> {
        let show = |b: Vec<u8>| String::from_utf8_lossy(&b).into_owned();
        parse_value(value, 64)
            .1
            .into_iter()
            .map(|(n, v)| (show(n), show(v)))
            .collect()
    }

    #[test]
    fn rfc2045_comments_and_quotes() {
        assert_eq!(
            pairs(b"text/plain; charset=us-ascii (Plain text)"),
            [("charset".into(), "us-ascii".into())]
        );
        assert_eq!(
            pairs(br#"a/b; x="a; \"b\" (c)" ; ; y = z;w"#),
            [
                ("x".into(), "a; \"b\" (c)".into()),
                ("y".into(), "z".into())
            ]
        );
    }

    #[test]
    fn rfc2231_examples() {
        let value = br#"application/x-stuff; title*0*=us-ascii'en'This%20is%20even%20more%20;
 title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2="isn't it!""#;
        let params = parse_value(&unfold(value), 64).1;
        assert_eq!(
            decode_param(&params, "title").as_deref(),
            Some("This is even more ***fun*** isn't it!")
        );
        let params = parse_value(b"a/b; filename*=UTF-8''na%C3%AFve%20file.txt", 64).1;
        assert_eq!(
            decode_param(&params, "filename").as_deref(),
            Some("naïve file.txt")
        );
        let params = parse_value(b"a/b; url*1=\"b\"; URL*0=a", 64).1;
        assert_eq!(decode_param(&params, "url").as_deref(), Some("ab"));
    }
}
