//! Facts of one RFC 5322/MIME message: structure, envelope, search text, preview. No sockets, no async, no clock, no disk.
#![forbid(unsafe_code)]
