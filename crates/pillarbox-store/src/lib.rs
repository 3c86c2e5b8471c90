//! Accounts as versioned ordered maps (engines), bodies (blobs), and on them mail: mailboxes, messages, labels, threads.
#![forbid(unsafe_code)]

pub mod blob;
pub mod door;
pub mod engine;
pub mod mail;
mod recent;

pub use mail::*;
