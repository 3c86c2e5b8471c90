//! Texts that mean something to this server only: codes, refresh tokens, session cookies. Each names its account, so that
//! none needs a global index, and carries 256 random bits (a refresh token: 128 and our own mark); stored is its hash.

use crate::keys::Keys;
use crate::{Random, Secret};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use pillarbox_store::mail::AccountId;

/// Longest text looked at, in bytes: account ids are short, the rest is fixed.
const TEXT_BYTES_MAX: usize = 512;

/// What a text is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Code,
    Session,
    Invite,
    Half,
}

impl Kind {
    fn letter(self) -> &'static str {
        match self {
            Self::Code => "c",
            Self::Session => "s",
            Self::Invite => "i",
            Self::Half => "h",
        }
    }
}

/// SHA-256: enough for texts nobody can guess.
pub(crate) fn hash(text: &str) -> [u8; 32] {
    hash_bytes(text.as_bytes())
}

/// The same of bytes.
pub(crate) fn hash_bytes(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

/// `bytes` random bytes, but for the first bit, as text. It begins with a letter: people type ids as arguments of commands, where
/// a hyphen would begin an option.
pub(crate) fn random_text(random: &Random, bytes: usize) -> String {
    let mut raw = vec![0; bytes];
    random(&mut raw);
    if let Some(first) = raw.first_mut() {
        *first &= 0x7f;
    }
    BASE64.encode(raw)
}

/// A new text of an account.
pub(crate) fn new(kind: Kind, account: &AccountId, random: &Random) -> Secret {
    let (account, random) = (BASE64.encode(account.0.as_bytes()), random_text(random, 32));
    Secret::new(format!("{}~{account}~{random}", kind.letter()))
}

/// The account a text of this kind names.
pub(crate) fn account_of(kind: Kind, text: &str) -> Option<AccountId> {
    let mut parts = Some(text)
        .filter(|text| text.len() <= TEXT_BYTES_MAX)?
        .split('~');
    let (letter, account, _, end) = (parts.next()?, parts.next()?, parts.next()?, parts.next());
    (letter == kind.letter() && end.is_none()).then_some(())?;
    read_account(account)
}

fn read_account(text: &str) -> Option<AccountId> {
    let name = String::from_utf8(BASE64.decode(text).ok()?).ok()?;
    // A name with a slash is a system account (no person's): nothing of a peer leads there.
    (!name.is_empty() && !name.contains('/')).then(|| AccountId(name.into()))
}

/// A new refresh token of a grant. Its last part is a mark only we can make: a token that bears it but is not the grant's
/// newest was used before, while a forged one is just wrong. So reuse is noticed without keeping old hashes, but for the
/// one that may come again because its answer was lost.
pub(crate) fn new_refresh(
    keys: &Keys,
    account: &AccountId,
    grant: &str,
    random: &Random,
) -> Secret {
    let account = BASE64.encode(account.0.as_bytes());
    let body = format!("r~{account}~{grant}~{}", random_text(random, 16));
    let mark = BASE64.encode(&keys.mark("refresh", &body)[..16]);
    Secret::new(format!("{body}~{mark}"))
}

/// The account and grant of a refresh token that we made.
pub(crate) fn read_refresh(keys: &Keys, text: &str) -> Option<(AccountId, String)> {
    let text = Some(text).filter(|text| text.len() <= TEXT_BYTES_MAX)?;
    let (body, mark) = text.rsplit_once('~')?;
    let mark = BASE64.decode(mark).ok()?;
    same(&keys.mark("refresh", body)[..16], &mark).then_some(())?;
    let mut parts = body.split('~');
    let ("r", account, grant) = (parts.next()?, parts.next()?, parts.next()?) else {
        return None;
    };
    Some((read_account(account)?, grant.into()))
}

/// Equality in constant time.
pub(crate) fn same(left: &[u8], right: &[u8]) -> bool {
    subtle::ConstantTimeEq::ct_eq(left, right).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn no_text_begins_with_a_hyphen() {
        for byte in 0..=255 {
            let random: Random = Arc::new(move |raw: &mut [u8]| raw.fill(byte));
            let text = random_text(&random, 9);
            assert!(text.starts_with(|letter: char| letter.is_ascii_alphabetic()));
        }
    }
}
