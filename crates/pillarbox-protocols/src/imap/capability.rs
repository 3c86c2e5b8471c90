//! CAPABILITY (RFC 3501 §6.1.1).

use super::{Context, table};
use pillarbox_wire::sasl::Mechanism;

/// The untagged line; also sent by the server itself right after sign-in (wire §3.1).
pub fn run(context: &Context, signed_in: bool, mechanisms: &[Mechanism]) -> String {
    let list = match signed_in {
        true => table::capabilities_after(context.limits.frame.append_bytes_max),
        false => table::capabilities_before(mechanisms),
    };
    format!("* CAPABILITY {list}\r\n")
}
