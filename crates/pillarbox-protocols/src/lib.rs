//! IMAP, POP3 and SMTP conversations: machines without a socket.
#![forbid(unsafe_code)]
