//! Expected lines: text, `...` for any text, `$name` to remember and recall, `$base64(...)`.

use std::collections::BTreeMap;

/// What `$name`s stand for.
#[derive(Clone, Debug, Default)]
pub struct Known(pub BTreeMap<String, String>);

enum Piece {
    Text(String),
    Any,
    Name(String),
}

/// Matches all lines.
pub fn match_all(patterns: &[String], said: &[String], known: &mut Known) -> Result<(), String> {
    for (index, pattern) in patterns.iter().enumerate() {
        let Some(line) = said.get(index) else {
            return Err(format!("expected: {pattern}\nbut nothing more was said"));
        };
        if !matches(pattern, line, known) {
            return Err(format!(
                "expected: {pattern}\n    said: {line}\n(all: {said:#?})"
            ));
        }
    }
    match said.get(patterns.len()) {
        Some(more) => Err(format!("also said: {more}\n(all: {said:#?})")),
        None => Ok(()),
    }
}

/// The patterns that match, and what was said in place of the others.
pub fn merge(patterns: &[String], said: &[String], known: &Known) -> Vec<String> {
    let mut known = known.clone();
    let line = |(index, line): (usize, &String)| match patterns.get(index) {
        Some(pattern) if matches(pattern, line, &mut known) => pattern.clone(),
        _ => line.clone(),
    };
    said.iter().enumerate().map(line).collect()
}

fn matches(pattern: &str, line: &str, known: &mut Known) -> bool {
    let pieces = pieces(pattern);
    let mut found = known.clone();
    let matched = rest_matches(&pieces, line, &mut found);
    if matched {
        *known = found;
    }
    matched
}

fn pieces(pattern: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = pattern;
    let mut text = String::new();
    while !rest.is_empty() {
        let special = if let Some(after) = rest.strip_prefix("...") {
            Some((Piece::Any, after))
        } else if let Some((inner, after)) = base64_macro(rest) {
            text.push_str(&super::world::base64(&super::world::controls(inner)));
            rest = after;
            continue;
        } else {
            name(rest).map(|(name, after)| (Piece::Name(name.into()), after))
        };
        match special {
            Some((piece, after)) => {
                pieces.push(Piece::Text(std::mem::take(&mut text)));
                pieces.push(piece);
                rest = after;
            }
            None => {
                let next = rest.chars().next().map_or(1, char::len_utf8);
                text.push_str(&rest[..next]);
                rest = &rest[next..];
            }
        }
    }
    pieces.push(Piece::Text(text));
    pieces
}

/// `$base64(...)` at the beginning, up to its last parenthesis in the line.
pub fn base64_macro(rest: &str) -> Option<(&str, &str)> {
    let inner = rest.strip_prefix("$base64(")?;
    let end = inner.rfind(')')?;
    Some((&inner[..end], &inner[end + 1..]))
}

/// `$name` at the beginning. Keywords like `$Phishing` begin with a capital and are plain text.
pub fn name(rest: &str) -> Option<(&str, &str)> {
    let after = rest.strip_prefix('$')?;
    let end = after
        .find(|c: char| !c.is_ascii_lowercase() && c != '_' && !c.is_ascii_digit())
        .unwrap_or(after.len());
    let starts_well = after.starts_with(|c: char| c.is_ascii_lowercase());
    (starts_well && end > 0).then(|| after.split_at(end))
}

fn rest_matches(pieces: &[Piece], line: &str, known: &mut Known) -> bool {
    let Some((piece, pieces)) = pieces.split_first() else {
        return line.is_empty();
    };
    match piece {
        Piece::Text(text) => line
            .strip_prefix(text.as_str())
            .is_some_and(|rest| rest_matches(pieces, rest, known)),
        Piece::Any => {
            let mut ends = (0..=line.len()).filter(|end| line.is_char_boundary(*end));
            ends.any(|end| rest_matches(pieces, &line[end..], known))
        }
        Piece::Name(name) => match known.0.get(name).cloned() {
            Some(value) => line
                .strip_prefix(value.as_str())
                .is_some_and(|rest| rest_matches(pieces, rest, known)),
            None => {
                let legal = |c: char| c.is_ascii_alphanumeric() || "-_.@+/=".contains(c);
                let longest = line.find(|c| !legal(c)).unwrap_or(line.len());
                (1..=longest).rev().any(|end| {
                    let mut tried = known.clone();
                    tried.0.insert(name.clone(), line[..end].into());
                    let matched = rest_matches(pieces, &line[end..], &mut tried);
                    if matched {
                        *known = tried;
                    }
                    matched
                })
            }
        },
    }
}
