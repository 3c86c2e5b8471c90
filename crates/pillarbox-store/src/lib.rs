//! Accounts as versioned ordered maps, blobs, and on them mailboxes, messages, labels, threads, search, queue.
#![forbid(unsafe_code)]

pub mod blob;
pub mod engine;
pub mod mail;

pub use mail::*;
