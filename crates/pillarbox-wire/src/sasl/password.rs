//! User name and password: PLAIN (RFC 4616), and what LOGIN's two answers add up to.

use super::{Malformed, PASSWORD_BYTES_MAX, Secret, USER_BYTES_MAX, is_base64_again};

/// A user name and a password, not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Password {
    act_as: Option<String>,
    user: String,
    password: Secret,
}

impl Password {
    /// Makes one that PLAIN can carry. `act_as` is the authorization identity, when it was named.
    ///
    /// # Errors
    /// [`Malformed::NoUser`] and [`Malformed::NotPlain`] for an empty name or password, [`Malformed::NotText`] for a
    /// NUL anywhere or a control character in a name, [`Malformed::TooLong`].
    pub fn new(act_as: Option<&str>, user: &str, password: &str) -> Result<Self, Malformed> {
        let act_as = act_as.filter(|name| !name.is_empty());
        let parts = [
            (act_as.unwrap_or_default(), USER_BYTES_MAX),
            (user, USER_BYTES_MAX),
            (password, PASSWORD_BYTES_MAX),
        ];
        for (part, bytes_max) in parts {
            if part.len() > bytes_max {
                return Err(Malformed::TooLong);
            }
            if part.contains('\0') {
                return Err(Malformed::NotText);
            }
        }
        // RFC 4616 §2 allows them, but no name has any and names reach logs and replies
        let is_plain = |name: &str| !name.bytes().any(|b| b.is_ascii_control());
        if !is_plain(user) || !act_as.is_none_or(is_plain) {
            return Err(Malformed::NotText);
        }
        match (user, password) {
            ("", _) => Err(Malformed::NoUser),
            (_, "") => Err(Malformed::NotPlain),
            _ => Ok(Self {
                act_as: act_as.map(str::to_owned),
                user: user.to_owned(),
                password: Secret::new(password),
            }),
        }
    }

    /// The identity to act as, if the client named one (RFC 4616 §2, authzid).
    #[must_use]
    pub fn act_as(&self) -> Option<&str> {
        self.act_as.as_deref()
    }

    /// Whose password it is (authcid).
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The password.
    #[must_use]
    pub fn password(&self) -> &Secret {
        &self.password
    }
}

/// Reads `message = [authzid] UTF8NUL authcid UTF8NUL passwd` (RFC 4616 §2), after base64.
///
/// # Errors
/// [`Malformed`], by what is wrong.
pub fn decode_plain(response: &[u8]) -> Result<Password, Malformed> {
    let mut parts = response.split(|&b| b == 0);
    let (Some(act_as), Some(user), Some(password), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(match is_base64_again(response) {
            true => Malformed::DoubleBase64,
            false => Malformed::NotPlain,
        });
    };
    let utf8 = |part| std::str::from_utf8(part).map_err(|_| Malformed::NotText);
    Password::new(Some(utf8(act_as)?), utf8(user)?, utf8(password)?)
}

/// Writes the PLAIN message, before base64.
#[must_use]
pub fn encode_plain(password: &Password) -> Vec<u8> {
    let act_as = password.act_as().unwrap_or_default();
    format!(
        "{act_as}\0{}\0{}",
        password.user,
        password.password.reveal()
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed unwrap is the failed test
    use super::super::to_base64;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn good() {
        let read = decode_plain(b"\0ada\0pass word").unwrap();
        assert_eq!((read.act_as(), read.user()), (None, "ada"));
        assert_eq!(read.password().reveal(), "pass word");
        let read = decode_plain(b"bob\0ada\0x").unwrap();
        assert_eq!(read.act_as(), Some("bob"));
        assert!(!format!("{read:?}").contains('x'));
    }

    #[test]
    fn bad() {
        use Malformed::*;
        let twice = to_base64("\0ada\0secret");
        let long = format!("\0ada\0{}", "p".repeat(PASSWORD_BYTES_MAX + 1));
        for (bad, why) in [
            ("", NotPlain),
            ("ada\0x", NotPlain),
            ("\0ada\0x\0", NotPlain),
            ("\0\0x", NoUser),
            ("\0ada\r\n\0x", NotText),
            ("b\rb\0ada\0x", NotText),
            ("\0ada\0", NotPlain),
            (twice.as_str(), DoubleBase64),
            (long.as_str(), TooLong),
        ] {
            assert_eq!(decode_plain(bad.as_bytes()), Err(why), "{bad:?}");
        }
        assert_eq!(decode_plain(b"\0ada\0\xff"), Err(NotText));
    }

    proptest! {
        #[test]
        fn round_trips(act_as in proptest::option::of("[^\\x00-\\x1f\\x7f]{1,20}"), user in "[^\\x00-\\x1f\\x7f]{1,20}",
                       password in "[^\\x00]{1,20}") {
            let value = Password::new(act_as.as_deref(), &user, &password).unwrap();
            prop_assert_eq!(decode_plain(&encode_plain(&value)).unwrap(), value);
        }

        #[test]
        fn anything_may_come(bytes: Vec<u8>) {
            let _ = decode_plain(&bytes);
        }
    }
}
