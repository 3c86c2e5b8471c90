//! Arguments of the commands about the session itself: ID, AUTHENTICATE, LOGIN, ENABLE, COMPRESS.

use super::cursor::text;
use super::{Cursor, Parsed, Problem};
use crate::imap::Secret;
use crate::imap::command::{Authenticate, Body};

/// RFC 2971 §3.3 allows 30 pairs; more are not worth reading.
const ID_PAIRS_MAX: usize = 30;

pub(super) fn id(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.space()?;
    if c.eat_word(b"NIL") {
        return Ok(Body::Id(None));
    }
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let pairs = c.list(|c| {
        let field = lossy(&c.string()?);
        c.space()?;
        Ok((field, c.nstring()?.map(|value| lossy(&value))))
    })?;
    if pairs.len() > ID_PAIRS_MAX {
        return Err(Problem::Syntax("at most 30 fields"));
    }
    Ok(Body::Id(Some(pairs)))
}

pub(super) fn authenticate(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.space()?;
    let mechanism = c.upper_atom()?;
    let initial = if c.more() {
        c.space()?;
        let response = c.take_while(|b| b > b' ' && b != 0x7f);
        // RFC 4959 §3: "=" is a response of no bytes.
        Some(Secret::new(if response == b"=" { b"" } else { response }))
    } else {
        None
    };
    Ok(Body::Authenticate(Authenticate { mechanism, initial }))
}

pub(super) fn login(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.space()?;
    let user = text(c.astring()?)?;
    c.space()?;
    let password = Secret::new(c.astring()?.into_owned());
    Ok(Body::Login { user, password })
}

pub(super) fn enable(c: &mut Cursor<'_>) -> Parsed<Body> {
    let mut names = Vec::new();
    c.space()?;
    names.push(c.upper_atom()?);
    while c.more() {
        c.space()?;
        names.push(c.upper_atom()?);
    }
    Ok(Body::Enable(names))
}

pub(super) fn compress(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.space()?;
    Ok(Body::Compress(c.upper_atom()?))
}
