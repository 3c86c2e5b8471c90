//! IMAP, POP3 and SMTP as conversations: machines that are given bytes, time, results and news, and say what they want
//! next. No sockets, no TLS, no wall clock in here; the program drives every conversation with one small loop, and
//! tests play them as transcripts.
#![forbid(unsafe_code)]

pub mod conversation;
pub mod events;
pub mod imap;
pub mod pop3;
pub mod sessions;
mod sign_in;
pub mod smtp;

pub use sign_in::REFUSED_AFTER;
