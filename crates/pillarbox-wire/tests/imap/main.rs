//! The grammar of IMAP, from outside: what is read, what is refused, and that both sides understand each other.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod commands;
mod framing;
mod replies;
mod round_trips;
mod second_opinion;
