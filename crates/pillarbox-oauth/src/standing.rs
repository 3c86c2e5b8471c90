//! How an account and its grants stand right now, and the check of bearer tokens that rests on it.
//!
//! What was read is kept until the account's version moves, so a sign-in with a token costs one signature and no read.

use crate::principal::Rights;
use crate::rows::{self, GrantRow, Kind};
use crate::scope::{Access, Scope};
use crate::words::ago;
use crate::{
    ClientKind, Credential, Identity, Principal, Refusal, RefusalKind, Scopes, Service, access,
};
use pillarbox_store::mail::{AccountId, Millis, PopWindow, StoreError, Version};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Most accounts kept; beyond it all are read anew.
const ACCOUNTS_MAX: usize = 10_000;
/// Most grants of one account kept.
const GRANTS_MAX: usize = 1_000;

/// An account as of one version.
pub(crate) struct Standing {
    version: Version,
    pub(crate) address: Arc<str>,
    suspended: bool,
    imap: bool,
    pop: bool,
    grants: Mutex<HashMap<Box<str>, GrantState>>,
}

#[derive(Clone)]
enum GrantState {
    Absent,
    Revoked(Millis),
    Live,
}

impl Standing {
    /// Refuses what the account may not do.
    pub(crate) fn allows(&self, service: Service) -> Result<(), Refusal> {
        if self.suspended {
            return Err(Refusal::invalid(format!(
                "the account {} is suspended",
                self.address
            )));
        }
        let (on, name) = match service {
            Service::Imap => (self.imap, "IMAP"),
            Service::Pop3 => (self.pop, "POP"),
            Service::Submission | Service::Web => (true, ""),
        };
        if !on {
            let cause = format!("{name} is switched off for {}", self.address);
            return Err(Refusal::new(RefusalKind::ServiceOff, cause));
        }
        Ok(())
    }
}

/// All that is kept.
#[derive(Default)]
pub(crate) struct Standings(Mutex<HashMap<AccountId, Kept>>);

/// What was read, and where to hear that it is no longer so.
type Kept = (watch::Receiver<Version>, Arc<Standing>);

impl Standings {
    /// Reads the account anew next time.
    pub(crate) fn forget(&self, account: &AccountId) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(account);
    }

    fn fresh(&self, account: &AccountId) -> Option<Arc<Standing>> {
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (watch, standing) = map.get(account)?;
        (*watch.borrow() == standing.version).then(|| Arc::clone(standing))
    }

    fn keep(&self, account: &AccountId, watch: watch::Receiver<Version>, standing: &Arc<Standing>) {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if map.len() >= ACCOUNTS_MAX {
            map.clear();
        }
        map.insert(account.clone(), (watch, Arc::clone(standing)));
    }
}

impl Identity {
    /// How an account stands.
    pub(crate) async fn standing(&self, id: &AccountId) -> Result<Arc<Standing>, Refusal> {
        self.standing_or(id, RefusalKind::Invalid).await
    }

    /// The same; `gone` is what is told if there is no such account.
    async fn standing_or(
        &self,
        id: &AccountId,
        gone: RefusalKind,
    ) -> Result<Arc<Standing>, Refusal> {
        if let Some(standing) = self.inner.standings.fresh(id) {
            return Ok(standing);
        }
        let account = self.inner.store.account(id);
        // The version first: what changes while we read makes this entry stale, never wrong.
        let watch = account.watch();
        let version = *watch.borrow();
        let told = |fault| match fault {
            StoreError::NoSuchAccount => Refusal::new(gone, "the account does not exist any more"),
            other => Refusal::from(other),
        };
        let address = account.address().await.map_err(told)?;
        let settings = account.settings().await.map_err(told)?;
        let standing = Arc::new(Standing {
            version,
            address,
            suspended: settings.suspended,
            imap: settings.imap_enabled,
            pop: settings.pop_window != PopWindow::Disabled,
            grants: Mutex::default(),
        });
        self.inner.standings.keep(id, watch, &standing);
        Ok(standing)
    }

    /// Refuses tokens of a grant that is not live.
    pub(crate) async fn grant_lives(
        &self,
        id: &AccountId,
        standing: &Standing,
        grant: &str,
        now: Millis,
    ) -> Result<(), Refusal> {
        let kept = standing
            .grants
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(grant)
            .cloned();
        let state = match kept {
            Some(state) => state,
            None => {
                let row = self
                    .inner
                    .store
                    .account(id)
                    .get(&Kind::Grant.key(grant))
                    .await?;
                let row = row.map(|row| rows::decode::<GrantRow>(&row)).transpose();
                let row =
                    row.map_err(|fault| Refusal::new(RefusalKind::Temporary, fault.to_string()))?;
                let state = match row {
                    None => GrantState::Absent,
                    Some(GrantRow {
                        revoked: Some(when),
                        ..
                    }) => GrantState::Revoked(when),
                    Some(_) => GrantState::Live,
                };
                let mut kept = standing
                    .grants
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                if kept.len() >= GRANTS_MAX {
                    kept.clear();
                }
                kept.insert(grant.into(), state.clone());
                state
            }
        };
        match state {
            GrantState::Live => Ok(()),
            GrantState::Absent => Err(Refusal::invalid(
                "the token's grant does not exist any more",
            )),
            GrantState::Revoked(when) => {
                let cause = format!("the grant was revoked {}", ago(now.saturating_sub(when)));
                Err(Refusal::invalid(cause))
            }
        }
    }

    /// An access token's claims, if it is ours, in time, and everything it rests on still stands.
    pub(crate) async fn live_claims(
        &self,
        token: &str,
        now: Millis,
    ) -> Result<(Arc<access::Claims>, AccountId, Arc<Standing>), Refusal> {
        let config = &self.inner.config;
        let keys = self.inner.keys.ring().await;
        let keys = keys.map_err(|fault| Refusal::new(RefusalKind::Temporary, fault.to_string()))?;
        let claims =
            access::open(&keys, token, &config.issuer, &config.host).map_err(Refusal::invalid)?;
        access::check_time(&claims, now).map_err(Refusal::invalid)?;
        let account = AccountId(claims.sub.as_str().into());
        // The token is genuine and in time: its holder may hear that the mailbox is gone (wire §3.3).
        let standing = self.standing_or(&account, RefusalKind::NoMailbox).await?;
        self.grant_lives(&account, &standing, &claims.gid, now)
            .await?;
        self.still_delegated(&claims)?;
        self.note_arrival(&claims.gid, token);
        Ok((claims, account, standing))
    }

    /// What was delegated to a service account when it signed may have been taken back since.
    fn still_delegated(&self, claims: &access::Claims) -> Result<(), Refusal> {
        let client = self.client(&claims.client_id);
        let service = client.filter(|client| client.kind == ClientKind::Service);
        match service {
            Some(client) if !client.delegated.covers(Scopes::parse_known(&claims.scope)) => {
                let text = "the administrator has taken back the delegation of this token's scope";
                Err(Refusal::invalid(text))
            }
            _ => Ok(()),
        }
    }

    /// Checks a bearer token for `user` (compared without ASCII case; aliases are good). The principal's authority ends
    /// with the token.
    ///
    /// # Errors
    /// A [`Refusal`] whose cause is precise: expired, revoked, somebody else's, wrong scope, forged, malformed.
    pub async fn bearer(
        &self,
        user: &str,
        token: &str,
        service: Service,
        now: Millis,
    ) -> Result<Principal, Refusal> {
        if self.external_providers().next().is_some() {
            // Boxed: sign-ins with our own tokens do not pay for its size.
            let external = Box::pin(self.external_bearer(user, token, service, now));
            if let Some(found) = external.await {
                return found;
            }
        }
        let (claims, account, standing) = self.live_claims(token, now).await?;
        if !standing.address.eq_ignore_ascii_case(user)
            && self.inner.store.account_of(user).await?.as_ref() != Some(&account)
        {
            return Err(Refusal::invalid(format!(
                "the token belongs to {}",
                standing.address
            )));
        }
        if service == Service::Web {
            return Err(Refusal::invalid("the web pages take no bearer tokens"));
        }
        if claims.cnf.is_some() {
            let cause = "the token is bound to a key (DPoP), which sign-in to mail cannot prove";
            return Err(Refusal::invalid(cause));
        }
        let scopes = Scopes::parse_known(&claims.scope);
        let Some(access) = scopes.opens(service) else {
            return Err(Refusal::invalid(format!(
                "scope {:?} is not enough for {}",
                claims.scope,
                service.name()
            )));
        };
        let Some(client) = self.client(&claims.client_id) else {
            let cause = format!("the program {} is no longer registered", claims.client_id);
            return Err(Refusal::invalid(cause));
        };
        standing.allows(service)?;
        self.note_network(&standing.address, now);
        Ok(Principal {
            account,
            address: Arc::clone(&standing.address),
            credential: Credential::Grant {
                grant: claims.gid.as_str().into(),
                token: Some(claims.jti.as_str().into()),
            },
            app: Some(Arc::clone(&client.name)),
            until: Some(claims.exp.saturating_mul(1000)),
            rights: Rights {
                read_only: access == Access::Read,
                sees_hidden: service == Service::Imap && scopes.has(Scope::ImapAdmin),
                client: Some(Arc::clone(&client.id)),
                scopes,
                ..Rights::default()
            },
        })
    }
}
