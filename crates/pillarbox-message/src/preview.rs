//! The preview: the first words of a message for lists and notifications. Rough by design; nobody reads mail from it.

use crate::search::decode;
use crate::{Entity, Kind, Structure};

/// Characters of a preview.
const PREVIEW_CHARS: usize = 200;
/// Decoded bytes it is made from: HTML may carry kilobytes of styles before its first word.
const SOURCE_BYTES: usize = 16 << 10;

pub(crate) fn preview(raw: &[u8], structure: &Structure) -> String {
    let Some(entity) = chosen(structure) else {
        return String::new();
    };
    let encoding = entity.content.transfer();
    let body = &raw[entity.body.clone()];
    let body = &body[..body
        .len()
        .min(crate::transfer_decoder_input_max(encoding, SOURCE_BYTES))];
    let charset = crate::content::param(&entity.content.params, "charset").unwrap_or_default();
    let text = decode(body, encoding, charset, SOURCE_BYTES);
    if entity.content.is("text", "html") {
        squeeze(&strip_html(&text))
    } else {
        squeeze(&text)
    }
}

/// The first text that is shown; of alternatives, the plain one.
fn chosen(structure: &Structure) -> Option<&Entity> {
    let shown =
        |e: &&Entity| e.kind == Kind::Text && !e.body.is_empty() && !e.content.is_attachment();
    let first = structure.entities.iter().find(shown)?;
    let around = first
        .parent
        .map(|p| &structure.entities[p])
        .filter(|p| p.content.is("multipart", "alternative"));
    let siblings = around
        .map_or(&[][..], |p| &p.children)
        .iter()
        .map(|&c| &structure.entities[c]);
    siblings
        .filter(shown)
        .find(|e| e.content.is("text", "plain"))
        .or(Some(first))
}

/// One blank for each run of white space, without control characters, cut to length.
fn squeeze(text: &str) -> String {
    let mut out = String::new();
    let mut chars = 0;
    for word in text
        .split(|c: char| c.is_whitespace() || c.is_control() || is_invisible(c))
        .filter(|w| !w.is_empty())
    {
        if chars > 0 {
            out.push(' ');
            chars += 1;
        }
        for c in word.chars() {
            if chars >= PREVIEW_CHARS {
                out.truncate(out.trim_end().len());
                return out;
            }
            out.push(c);
            chars += 1;
        }
    }
    out
}

/// Newsletters pad their hidden first line with these.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'
    )
}

/// Text of simple HTML: tags, comments, scripts, styles and the head's title left out, common entities decoded.
pub fn strip_html(html: &str) -> String {
    let mut out = String::with_capacity(html.len() / 2);
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with('&') {
            let (text, used) = entity(rest);
            out.push_str(&text);
            rest = &rest[used..];
        } else {
            rest = behind_tag(rest, &mut out);
        }
    }
    out.push_str(rest);
    out
}

fn behind_tag<'a>(rest: &'a str, out: &mut String) -> &'a str {
    if rest.starts_with("<!--") {
        return rest.find("-->").map_or("", |end| &rest[end + 3..]);
    }
    let begins = rest[1..]
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'));
    if !begins {
        out.push('<');
        return &rest[1..];
    }
    let Some(end) = rest.find('>') else { return "" };
    let behind = &rest[end + 1..];
    let closes = rest[1..].starts_with('/');
    let name: String = rest[1..end]
        .trim_start_matches('/')
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect();
    match name.to_ascii_lowercase().as_str() {
        name @ ("script" | "style" | "title") if !closes => behind_element(behind, name),
        // Tags that do not part words.
        "b" | "i" | "u" | "em" | "strong" | "span" | "a" | "font" => behind,
        _ => {
            out.push(' ');
            behind
        }
    }
}

fn behind_element<'a>(rest: &'a str, name: &str) -> &'a str {
    let mut from = 0;
    while let Some(at) = rest[from..].find("</") {
        let tail = &rest[from + at + 2..];
        if tail
            .get(..name.len())
            .is_some_and(|t| t.eq_ignore_ascii_case(name))
        {
            return tail.find('>').map_or("", |end| &tail[end + 1..]);
        }
        from += at + 2;
    }
    ""
}

/// Decodes the entity at the start of `text`: what it means and how long it is.
fn entity(text: &str) -> (String, usize) {
    let end = text.bytes().take(12).position(|b| b == b';');
    let Some(end) = end else {
        return ("&".into(), 1);
    };
    let name = &text[1..end];
    let number = |digits: &str, radix| {
        u32::from_str_radix(digits, radix)
            .ok()
            .and_then(char::from_u32)
    };
    let found = match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some(' '),
        "zwnj" | "zwj" | "shy" => Some('\u{200b}'),
        "hellip" => Some('…'),
        "ndash" => Some('–'),
        "mdash" => Some('—'),
        "rsquo" => Some('’'),
        "auml" => Some('ä'),
        "ouml" => Some('ö'),
        "uuml" => Some('ü'),
        "szlig" => Some('ß'),
        "eacute" => Some('é'),
        _ => match name.strip_prefix('#') {
            Some(hex) if hex.starts_with(['x', 'X']) => number(&hex[1..], 16),
            Some(decimal) => number(decimal, 10),
            None => None,
        },
    };
    found.map_or_else(|| ("&".into(), 1), |c| (c.into(), end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_to_words() {
        let html = "<html><head><title>T</title><style>p {x}</style></head><body><!-- no --><p>Hello <b>w</b>orld&nbsp;&amp; 3 < 4 &#233;&x;</p><p>bye";
        assert_eq!(squeeze(&strip_html(html)), "Hello world & 3 < 4 é&x; bye");
        assert_eq!(strip_html("a<"), "a<");
    }

    #[test]
    fn cut_to_length_between_characters() {
        assert_eq!(squeeze(&"é".repeat(500)).chars().count(), PREVIEW_CHARS);
        assert_eq!(squeeze(" a \u{200b}\r\n b\0"), "a b");
    }
}
