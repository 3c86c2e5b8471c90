//! People, credentials, clients, grants, tokens, keys: any credential becomes a Principal.
#![forbid(unsafe_code)]
