//! The built program, run as a person or a test suite runs it: real ports, real signals, exit statuses. Everything that
//! waits has a deadline, nothing sleeps for luck.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a failure is the message")]

mod dev;
mod minutes;
mod serve;
mod stage;
