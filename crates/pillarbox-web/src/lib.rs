//! Sign-in, consent and account pages; OAuth and discovery endpoints.
#![forbid(unsafe_code)]
