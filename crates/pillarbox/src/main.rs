//! The one program.
#![forbid(unsafe_code)]
fn main() {}
