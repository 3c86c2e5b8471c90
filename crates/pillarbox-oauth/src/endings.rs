//! Why live sessions end from outside: what was revoked, by whom, in words. The server's owner and the person read them in the
//! log; peers never do.

use crate::access::{self, Claims};
use crate::rows::{self, GrantRow, Kind};
use crate::{Credential, Identity, Result, Scopes, opaque};
use pillarbox_store::mail::{AccountId, Millis};
use std::fmt::Display;
use std::sync::Arc;
use tokio::sync::broadcast;

/// What was revoked of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// Whose.
    pub account: AccountId,
    /// What; None is the whole account.
    pub credential: Option<Credential>,
    /// Why, and by whom, in words: "the account was suspended, by ada@example.org".
    pub because: Arc<str>,
}

/// An OAuth client that may do less than before, for everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedClient {
    /// Its id.
    pub client: Arc<str>,
    /// Sessions end that a token with more than these scopes opened; None is all.
    pub left: Option<Scopes>,
    /// As [`Revoked::because`].
    pub because: Arc<str>,
}

/// What became of a token that whoever may do everything here wanted ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenEnd {
    /// Its grant has ended.
    Ended {
        /// Whose.
        account: AccountId,
        /// Which.
        grant: Arc<str>,
        /// The program it was for, by its name for people.
        app: Arc<str>,
        /// When it had ended, if that was before.
        before: Option<Millis>,
    },
    /// It was for administration: all of its client's have ended.
    Administration {
        /// The client's id.
        client: Arc<str>,
    },
    /// It is an external provider's; only that one can end it.
    Elsewhere {
        /// The provider's name for people.
        provider: Arc<str>,
    },
    /// Not a token of this server, or its grant is forgotten.
    Unknown,
}

/// What a token belongs to.
pub(crate) enum Meant {
    /// A person's grant.
    Grant(AccountId, String, Box<GrantRow>),
    /// The administration by a client.
    Administration(Arc<Claims>),
    /// Not a token of ours, or its grant is forgotten.
    Nothing,
}

impl Identity {
    /// Words for why something ends that this floor was asked for, with by whom ([`Identity::acting`]).
    pub fn because(&self, what: impl Display) -> Arc<str> {
        match &self.acting {
            Some(acting) => format!("{what}, {acting}").into(),
            None => what.to_string().into(),
        }
    }

    /// What was revoked, told after the commit. Whoever lags must look at all sessions anew.
    pub fn revocations(&self) -> broadcast::Receiver<Revoked> {
        self.inner.revocations.subscribe()
    }

    /// OAuth clients that are no longer registered, so that what they were allowed has ended for everybody, and service accounts
    /// that may do less. Told after the commit; whoever lags must look at all sessions anew.
    pub fn ended_clients(&self) -> broadcast::Receiver<EndedClient> {
        self.inner.ended_clients.subscribe()
    }

    /// After the commit: nothing cached may say otherwise any more, and live sessions are to end.
    pub(crate) fn announce(
        &self,
        account: &AccountId,
        credential: Option<Credential>,
        because: impl Display,
    ) {
        self.inner.standings.forget(account);
        // Nobody listening is fine.
        let _ = self.inner.revocations.send(Revoked {
            account: account.clone(),
            credential,
            because: self.because(because),
        });
    }

    /// The grant that a token of either kind belongs to, good or not any more.
    ///
    /// # Errors
    /// [`IdentityError::Store`](crate::IdentityError), [`IdentityError::Broken`](crate::IdentityError).
    pub async fn grant_of_token(&self, token: &str) -> Result<Option<(AccountId, Arc<str>)>> {
        Ok(match self.meant_by(token).await? {
            Meant::Grant(account, grant, _) => Some((account, grant.into())),
            Meant::Administration(_) | Meant::Nothing => None,
        })
    }

    /// Ends what a token belongs to, for whoever may do everything here: unlike [`Identity::revoke`], which must not tell
    /// strangers, it says what came of it.
    ///
    /// # Errors
    /// [`IdentityError::Store`](crate::IdentityError), [`IdentityError::Broken`](crate::IdentityError).
    pub async fn end_token(&self, token: &str, now: Millis) -> Result<TokenEnd> {
        match self.meant_by(token).await? {
            Meant::Grant(account, grant, row) => {
                let app = self.app_name(&row.client);
                if row.revoked.is_none() {
                    let how = Some("its token was revoked");
                    self.revoke_grant_because(&account, &grant, how, now)
                        .await?;
                }
                Ok(TokenEnd::Ended {
                    account,
                    grant: grant.into(),
                    app,
                    before: row.revoked,
                })
            }
            Meant::Administration(claims) => {
                self.end_administration(&claims).await?;
                let client = claims.client_id.as_str().into();
                Ok(TokenEnd::Administration { client })
            }
            Meant::Nothing => Ok(match self.provider_named_by(token) {
                Some(provider) => TokenEnd::Elsewhere { provider },
                None => TokenEnd::Unknown,
            }),
        }
    }

    /// What a token of either kind belongs to, good or not any more.
    pub(crate) async fn meant_by(&self, token: &str) -> Result<Meant> {
        let config = &self.inner.config;
        let (account, grant) = match opaque::read_refresh(&self.inner.keys, token) {
            Some(found) => found,
            None => {
                let keys = self.inner.keys.ring().await?;
                if let Ok(claims) = self.read_administration(&keys, token) {
                    return Ok(Meant::Administration(claims));
                }
                match access::open(&keys, token, &config.issuer, &config.host) {
                    Ok(claims) => (AccountId(claims.sub.as_str().into()), claims.gid.clone()),
                    Err(_) => return Ok(Meant::Nothing),
                }
            }
        };
        let key = Kind::Grant.key(&grant);
        let row = self.inner.store.account(&account).get(&key).await?;
        Ok(match row {
            Some(row) => Meant::Grant(account, grant, Box::new(rows::decode(&row)?)),
            None => Meant::Nothing,
        })
    }

    pub(crate) fn announce_grant(&self, account: &AccountId, grant: &str, because: impl Display) {
        let grant: Arc<str> = grant.into();
        let credential = Credential::Grant { grant, token: None };
        self.announce(account, Some(credential), because);
    }

    pub(crate) fn announce_client(
        &self,
        client: &str,
        left: Option<Scopes>,
        because: impl Display,
    ) {
        // Nobody listening is fine.
        let _ = self.inner.ended_clients.send(EndedClient {
            client: client.into(),
            left,
            because: self.because(because),
        });
    }
}
