//! Whose a code, a token or a cookie is, by what it says of itself. This lets nobody in: whether it is still good, and who
//! holds it, is not asked.

use crate::opaque::{self, Kind as Text};
use crate::{Identity, access};
use pillarbox_store::mail::AccountId;

impl Identity {
    /// The address of the person an authorization code, refresh token, access token, answered device code or session cookie
    /// was made for; None if it is nobody's. For faults of development servers that strike one person only.
    pub async fn whose(&self, text: &str) -> Option<String> {
        let named = opaque::account_of(Text::Code, text)
            .or_else(|| opaque::account_of(Text::Session, text))
            .or_else(|| Some(opaque::read_refresh(&self.inner.keys, text)?.0));
        let account = match named {
            Some(account) => account,
            None => match self.device_account(text).await {
                Some(account) => account,
                None => self.access_account(text).await?,
            },
        };
        let address = self.inner.store.account(&account).address().await.ok()?;
        Some(address.to_string())
    }

    async fn access_account(&self, token: &str) -> Option<AccountId> {
        let config = &self.inner.config;
        let keys = self.inner.keys.ring().await.ok()?;
        let claims = access::open(&keys, token, &config.issuer, &config.host).ok()?;
        Some(AccountId(claims.sub.as_str().into()))
    }
}
