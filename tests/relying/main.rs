//! The crates `oauth2` and `openidconnect`, relying parties that others wrote, against the real program: every grant with what
//! goes right, and what each of them makes of our refusals.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod oauth;
mod openid;
mod server;
