//! Client library: sign in, send, read, IDLE, reconnect.
#![forbid(unsafe_code)]
