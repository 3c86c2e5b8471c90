//! Reads a complete command, as the framer gives it. One pass, no backtracking over literals, recursion bounded.

mod cursor;
mod fetch;
mod mailbox;
mod search;
mod session;
mod store;

pub(crate) use cursor::Cursor;
pub(crate) use fetch::section;

use super::command::{Body, Command, Messages};
use super::{By, Tag};

/// A command that was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct Malformed {
    /// For the tagged reply; without one the reply is untagged.
    pub tag: Option<Tag>,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The line does not begin with a tag: `* BAD` (wire §3.4).
    #[error("no tag")]
    NoTag,
    /// No command of this name: `BAD Unknown command` (wire §3.4).
    #[error("unknown command")]
    UnknownCommand,
    /// The name is known, the rest is not; what was expected: `BAD Could not parse command` (wire §3.4).
    #[error("expected {0}")]
    Syntax(&'static str),
    /// SEARCH with a charset other than US-ASCII and UTF-8: `NO [BADCHARSET (US-ASCII UTF-8)]` (RFC 3501 §6.4.4).
    #[error("unknown charset")]
    BadCharset,
}

pub(crate) type Parsed<T> = Result<T, Problem>;

/// Reads one command: [`Event::Command`](super::Event::Command), or the head of
/// [`Event::LiteralStart`](super::Event::LiteralStart), which gives [`Body::Append`]. `utf8` after `ENABLE UTF8=ACCEPT`: names are
/// then UTF-8 and not modified UTF-7 (RFC 6855 §3). Spaces at the end are overlooked; many clients send one.
///
/// # Errors
/// [`Malformed`], with the tag where there is one.
pub fn parse(command: &[u8], utf8: bool) -> Result<Command, Malformed> {
    let mut cursor = Cursor::new(command, utf8);
    let Ok(tag) = cursor.tag() else {
        return Err(Malformed {
            tag: None,
            problem: Problem::NoTag,
        });
    };
    match body(&mut cursor) {
        Ok(body) => Ok(Command { tag, body }),
        Err(problem) => Err(Malformed {
            tag: Some(tag),
            problem,
        }),
    }
}

/// Longest command name: AUTHENTICATE and GETQUOTAROOT have 12.
const NAME_BYTES_MAX: usize = 12;

fn body(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.space().map_err(|_| Problem::Syntax("command name"))?;
    let mut name = [0; NAME_BYTES_MAX];
    let body = match c.name(&mut name)? {
        b"CAPABILITY" => Body::Capability,
        b"NOOP" => Body::Noop,
        b"LOGOUT" => Body::Logout,
        b"STARTTLS" => Body::StartTls,
        b"NAMESPACE" => Body::Namespace,
        b"IDLE" => Body::Idle,
        b"CHECK" => Body::Check,
        b"CLOSE" => Body::Close,
        b"UNSELECT" => Body::Unselect,
        b"EXPUNGE" => Body::Expunge,
        b"ID" => session::id(c)?,
        b"AUTHENTICATE" => session::authenticate(c)?,
        b"LOGIN" => session::login(c)?,
        b"ENABLE" => session::enable(c)?,
        b"COMPRESS" => session::compress(c)?,
        b"SELECT" => Body::Select(mailbox::select(c)?),
        b"EXAMINE" => Body::Examine(mailbox::select(c)?),
        b"CREATE" => mailbox::create(c)?,
        b"DELETE" => Body::Delete(c.sp_mailbox()?),
        b"RENAME" => mailbox::rename(c)?,
        b"SUBSCRIBE" => Body::Subscribe(c.sp_mailbox()?),
        b"UNSUBSCRIBE" => Body::Unsubscribe(c.sp_mailbox()?),
        b"LIST" => Body::List(mailbox::list(c)?),
        b"LSUB" => Body::Lsub(mailbox::pattern(c)?),
        b"XLIST" => Body::Xlist(mailbox::pattern(c)?),
        b"STATUS" => mailbox::status(c)?,
        b"APPEND" => return mailbox::append(c),
        b"GETQUOTA" => mailbox::get_quota(c)?,
        b"GETQUOTAROOT" => Body::GetQuotaRoot(c.sp_mailbox()?),
        b"UID" => {
            c.space()?;
            match c.name(&mut name)? {
                b"EXPUNGE" => Body::UidExpunge(sp_messages(c)?),
                other => numbered(other, By::Uid, c)?,
            }
        }
        other => numbered(other, By::Sequence, c)?,
    };
    c.end()?;
    Ok(body)
}

/// The commands that have a UID form.
fn numbered(name: &[u8], by: By, c: &mut Cursor<'_>) -> Parsed<Body> {
    Ok(match name {
        b"FETCH" => Body::Fetch(fetch::fetch(by, c)?),
        b"STORE" => Body::Store(store::store(by, c)?),
        b"SEARCH" => Body::Search(search::search(by, c)?),
        b"COPY" => Body::Copy(store::transfer(by, c)?),
        b"MOVE" => Body::Move(store::transfer(by, c)?),
        _ => return Err(Problem::UnknownCommand),
    })
}

fn sp_messages(c: &mut Cursor<'_>) -> Parsed<Messages> {
    c.space()?;
    if c.eat(b'$') {
        Ok(Messages::Saved)
    } else {
        c.sequence_set().map(Messages::Set)
    }
}
