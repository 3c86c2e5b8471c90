//! Parenthesised data without a meaning: ENVELOPE, BODYSTRUCTURE, and what extensions send.

use crate::imap::parse::{Cursor, Parsed, Problem};

/// `tagged-ext-val` and everything like it (RFC 4466 §6)
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `NIL`
    Nil,
    /// An atom or a number, as written.
    Atom(String),
    /// A quoted string or a literal.
    Text(Vec<u8>),
    /// `(...)`; also without spaces between elements that are lists, as in ENVELOPE and BODYSTRUCTURE.
    List(Vec<Value>),
}

impl Value {
    /// The elements of a list.
    pub fn into_list(self) -> Option<Vec<Value>> {
        match self {
            Self::List(values) => Some(values),
            _ => None,
        }
    }

    /// The number an atom spells.
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Atom(word) => word.parse().ok(),
            _ => None,
        }
    }

    /// The bytes of a string; NIL and lists have none.
    pub fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text),
            Self::Atom(word) => Some(word.as_bytes()),
            Self::Nil | Self::List(_) => None,
        }
    }
}

/// Deeper than any BODYSTRUCTURE of a message that is read at all (64 parts deep, three parentheses each).
const DEPTH_MAX: usize = 256;

pub(super) fn value(c: &mut Cursor<'_>) -> Parsed<Value> {
    nested(c, 0)
}

fn nested(c: &mut Cursor<'_>, depth: usize) -> Parsed<Value> {
    if depth > DEPTH_MAX {
        return Err(Problem::Syntax("less nesting"));
    }
    if c.eat(b'(') {
        let mut values = Vec::new();
        while !c.eat(b')') {
            values.push(nested(c, depth + 1)?);
            c.eat(b' ');
        }
        return Ok(Value::List(values));
    }
    if let Some(text) = c.try_string()? {
        return Ok(Value::Text(text.into_owned()));
    }
    let word = c.take_while(|b| !matches!(b, b' ' | b'(' | b')' | b'"' | b'{' | 0..=0x1f));
    match word {
        [] => Err(Problem::Syntax("value")),
        nil if nil.eq_ignore_ascii_case(b"NIL") => Ok(Value::Nil),
        word => Ok(Value::Atom(String::from_utf8_lossy(word).into_owned())),
    }
}
