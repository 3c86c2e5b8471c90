//! Whom a program expects (`id_token_hint` and `login_hint`, OpenID Connect Core §3.1.2.1).
//!
//! An id token of ours, made for this program, names an account: then nobody else's consent is an answer. It may have
//! expired, and its key may have been replaced, not deleted. Any other id token names nobody: without `prompt=none` it is
//! passed over, with it nobody is the one that is meant. `login_hint` is a suggestion that nobody signed.

use crate::keys::Ring;
use crate::server::AuthorizationRequest;
use crate::{Identity, Principal, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use pillarbox_store::mail::AccountId;
use serde::Deserialize;

/// Longest id token looked at, in bytes; ours are shorter.
const ID_TOKEN_BYTES_MAX: usize = 4096;

/// Whom an `id_token_hint` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hinted {
    Account {
        account: AccountId,
        /// Only if the program was told it: the page shows it to whoever comes with the hint.
        email: Option<String>,
    },
    Nobody,
}

/// What of an id token counts.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    email: Option<String>,
}

impl Hinted {
    /// Reads a hint for one client.
    pub(crate) fn read(keys: &Ring, token: &str, issuer: &str, client: &str) -> Self {
        Self::open(keys, token)
            .filter(|claims| claims.iss == issuer && claims.aud == client)
            .map_or(Self::Nobody, |claims| Self::Account {
                account: AccountId(claims.sub.into()),
                email: claims.email,
            })
    }

    fn open(keys: &Ring, token: &str) -> Option<Claims> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let signature = BASE64.decode(signature).ok()?;
        let short = token.len() <= ID_TOKEN_BYTES_MAX;
        if !short || !keys.verify_id(header, message, &signature) {
            return None;
        }
        serde_json::from_slice(&BASE64.decode(claims).ok()?).ok()
    }
}

impl AuthorizationRequest {
    /// Whether it names, by an id token, somebody who is not this person: then they cannot answer it.
    pub fn is_for_another(&self, person: &Principal) -> bool {
        match &self.hinted {
            Some(Hinted::Account { account, .. }) => account != person.account(),
            Some(Hinted::Nobody) => self.prompt.none,
            None => false,
        }
    }
}

impl Identity {
    /// The address a program suggests, if it is not this person's.
    ///
    /// # Errors
    /// [`IdentityError::Store`](crate::IdentityError::Store).
    pub async fn suggests_another<'a>(
        &self,
        request: &'a AuthorizationRequest,
        person: &Principal,
    ) -> Result<Option<&'a str>> {
        let Some(hint) = request.login_hint.as_deref() else {
            return Ok(None);
        };
        // An id token that names them says more than a suggestion.
        if matches!(&request.hinted, Some(Hinted::Account { account, .. }) if account == person.account())
        {
            return Ok(None);
        }
        // Google's hints are addresses or account ids.
        if hint.eq_ignore_ascii_case(person.address()) || *hint == *person.account().0 {
            return Ok(None);
        }
        let named = self.inner.store.account_of(hint).await;
        let alias = matches!(named, Ok(Some(account)) if account == *person.account());
        Ok((!alias).then_some(hint))
    }
}
