//! Mail in and out: checks, trace headers, routing to local accounts or the outbox.
#![forbid(unsafe_code)]
