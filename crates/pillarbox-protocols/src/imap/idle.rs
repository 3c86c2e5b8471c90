//! IDLE (RFC 2177): the client waits, we tell it what happens. The waiting itself is the conversation's.

use super::table::{self, Spec};

/// Follows the tag when IDLE ends (wire §3.4).
pub const TERMINATED: &str = "OK IDLE terminated (Success)";

/// Whether a line ends IDLE.
pub fn is_done(line: &[u8]) -> bool {
    line.trim_ascii_end().eq_ignore_ascii_case(b"DONE")
}

/// IDLE in the table.
pub fn spec() -> &'static Spec {
    table::get("IDLE")
}
