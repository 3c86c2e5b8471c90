//! Grammar of IMAP, POP3, SMTP and SASL: text to values and back. No sockets, no async, no clock, no disk.
#![forbid(unsafe_code)]

pub mod dot;
pub mod imap;
pub mod line;
pub mod pop3;
pub mod sasl;
pub mod smtp;
