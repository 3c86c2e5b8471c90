//! SMTP: commands, addresses, replies and chunks of RFC 5321 and its extensions, for both sides.
//!
//! It does not know which command may come when, nor which extension is on: the conversation does. Lines come from
//! [`crate::line::LineReader`], the text of DATA through [`crate::dot::DataReader`] or, sending, through
//! [`crate::dot::DotStuffer`]; AUTH continues with [`crate::sasl::Exchange`]. DSN (RFC 3461) parameters and BINARYMIME are
//! not offered (wire §5.1) and so refused.

mod address;
mod chunk;
mod command;
mod mail;
mod reply;

pub use address::{Address, BadAddress, Domain, DomainName, ForwardPath, ReversePath};
pub use chunk::ChunkReader;
pub use command::{ClientName, Command, CommandError};
pub use mail::{AuthParam, Body, MailFrom, RcptTo};
pub use reply::{BadReply, Enhanced, Reply, ReplyReader};

/// Longest command line, CRLF included, in bytes (RFC 5321 §4.5.3.1.4).
pub const COMMAND_BYTES_MAX: usize = 512;
/// Longest MAIL or RCPT line: 512 and what SIZE, BODY, AUTH and SMTPUTF8 add (RFC 1870 §3, RFC 4954 §5, RFC 6531 §3.4),
/// rounded up because addresses may be UTF-8. In bytes.
pub const MAIL_BYTES_MAX: usize = 2048;
/// Longest AUTH line, in bytes (RFC 4954 §4, wire §2.1).
pub const AUTH_BYTES_MAX: usize = crate::line::LINE_BYTES_MAX;
