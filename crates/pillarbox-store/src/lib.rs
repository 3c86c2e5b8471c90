//! Accounts as versioned ordered maps, blobs, and on them mailboxes, messages, labels, threads, search, queue.
#![forbid(unsafe_code)]
