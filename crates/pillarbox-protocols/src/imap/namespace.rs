//! NAMESPACE (RFC 2342 §5): one personal namespace (wire §3.5).

use super::out::Out;
use super::refuse::Refused;
use super::task::{Worked, success};

/// The untagged line.
pub fn run(out: &mut Out) -> Result<Worked, Refused> {
    out.text("* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
    success()
}
