//! POP3: commands and replies of RFC 1939, CAPA and response codes of RFC 2449, AUTH of RFC 5034, for both sides.
//!
//! It does not know which command may come when. Lines come from [`crate::line::LineReader`]; multi-line text goes out
//! through [`crate::dot::DotStuffer`] and comes in through [`crate::dot::DataReader`]; AUTH continues with
//! [`crate::sasl::Exchange`]. APOP and STLS are not offered and are unknown commands here (wire §1).

mod command;
mod reply;
mod top;

pub use command::{Command, CommandError};
pub use reply::{Reply, listing, unique_id};
pub use top::TopCutter;

/// Longest command line, CRLF included, in bytes (RFC 2449 §4).
pub const COMMAND_BYTES_MAX: usize = 255;
/// Longest AUTH line, in bytes: RFC 5034 §4 allows the initial response 255, wire §2.1 asks for 16 KiB.
pub const AUTH_BYTES_MAX: usize = crate::line::LINE_BYTES_MAX;
