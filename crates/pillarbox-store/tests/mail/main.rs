//! The mail level over the memory engine (and over the embedded one where a restart matters).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod house;
mod labels;
mod model;
mod pop;
mod speed;
mod stores;
mod threads;
