//! How a user name that somebody offered is told to the owner of the server: as it came, if it is an account's. Any other may
//! be a password in the wrong field, and what is logged is kept, copied and read by others; then only its kind is told. Who
//! guesses is counted by address and cause all the same.

use crate::Identity;

/// What is told of a name with an `@` that is no account's.
const UNKNOWN_ADDRESS: &str = "an unknown address";
/// What is told of any other name.
const UNKNOWN_NAME: &str = "an unknown name";
/// Longest name told, in characters.
const NAME_CHARS_MAX: usize = 128;

impl Identity {
    /// A name for logs and trails; empty if none was offered. Where the store fails it counts as unknown.
    pub async fn offered(&self, user: &str) -> String {
        match self.inner.store.account_of(user).await {
            Ok(Some(_)) => user.chars().take(NAME_CHARS_MAX).collect(),
            _ if user.is_empty() => String::new(),
            _ if user.contains('@') => UNKNOWN_ADDRESS.into(),
            _ => UNKNOWN_NAME.into(),
        }
    }
}
