//! EXTERNAL (RFC 4422 appendix A): the proof was given below, by TLS and a client certificate; what is left to say is whom
//! to act for, if anybody else than the one the proof is for. Which certificates open what is not known here.

use super::{Malformed, USER_BYTES_MAX, text};

/// Reads the one message: the authorization identity (`extern-initial-resp = *( UTF8-char-no-nul )`), None if it is empty.
///
/// # Errors
/// [`Malformed::NotText`], [`Malformed::TooLong`] over [`USER_BYTES_MAX`].
pub fn decode_external(response: &[u8]) -> Result<Option<String>, Malformed> {
    let identity = text(response, USER_BYTES_MAX)?;
    Ok((!identity.is_empty()).then(|| identity.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_or_none() {
        assert_eq!(decode_external(b""), Ok(None));
        assert_eq!(
            decode_external(b"ada@example.com"),
            Ok(Some("ada@example.com".into()))
        );
        assert_eq!(
            decode_external("\u{e4}da".as_bytes()),
            Ok(Some("\u{e4}da".into()))
        );
        assert_eq!(decode_external(b"a\0b"), Err(Malformed::NotText));
        assert_eq!(decode_external(b"\xff"), Err(Malformed::NotText));
        let long = vec![b'a'; USER_BYTES_MAX + 1];
        assert_eq!(decode_external(&long), Err(Malformed::TooLong));
    }
}
