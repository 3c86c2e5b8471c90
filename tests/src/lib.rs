//! Whole-server tests, by kind: the house itself, clients, crash, browser.
#![forbid(unsafe_code)]
