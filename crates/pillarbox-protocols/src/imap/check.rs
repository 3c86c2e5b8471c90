//! CHECK (RFC 3501 §6.4.1): everything acknowledged is durable already.

use super::refuse::Refused;
use super::task::{Worked, success};

/// Nothing to do.
pub fn run() -> Result<Worked, Refused> {
    success()
}
