//! Client certificates that open an account: their keys, registered for one person each.
//!
//! A certificate is good because its public key is registered, whoever signed it: people need no authority of their own, a
//! key is ended by one command and not by a revocation list, and a renewed certificate of the same key goes on. Authorities
//! whose signature alone would open accounts are deliberately absent.
//!
//! The row in the person's account decides. Rows of a system account say whose a key is, for clients that name nobody; one
//! that points at an account without such a row means nothing and is written over.

use crate::certificate::ClientCertificate;
use crate::limits::{AppLimits, LimitsRow, NETWORKS_MAX};
use crate::principal::Rights;
use crate::rows::{self, Kind};
use crate::{
    Act, Credential, Deed, Identity, IdentityError, Principal, Refusal, RefusalKind, Result,
    Service,
};
use pillarbox_store::mail::{AccountId, Millis, Rows, StoreError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The system account of the rows that say whose a key is.
const ACCOUNT: &str = "oauth/certificates";
/// Most keys of one account.
const KEYS_MAX: usize = 100;
/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 100;
/// What limits call it.
const WHAT: &str = "the certificate";

/// A registered key as shown to its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateKey {
    /// SHA-256 of the public key, in hex; names it in [`Identity::revoke_certificate`].
    pub id: Arc<str>,
    /// The owner's name for it.
    pub name: Arc<str>,
    /// When it was registered.
    pub created: Millis,
    /// What it is limited to.
    pub limits: AppLimits,
}

#[derive(Serialize, Deserialize)]
struct CertificateRow {
    name: String,
    created: Millis,
    #[serde(default)]
    limits: LimitsRow,
}

/// Whose a key is.
#[derive(Serialize, Deserialize)]
struct OwnerRow {
    account: String,
}

impl Identity {
    /// Registers a certificate's key for an account; its id.
    ///
    /// # Errors
    /// [`IdentityError::BadCertificate`] for one of somebody else or registered already, or limits in the past;
    /// [`IdentityError::TooMany`], [`IdentityError::Store`].
    pub async fn add_certificate(
        &self,
        account: &AccountId,
        certificate: &ClientCertificate,
        name: &str,
        limits: AppLimits,
        now: Millis,
    ) -> Result<Arc<str>> {
        if limits.from.len() > NETWORKS_MAX {
            return Err(IdentityError::TooMany("networks"));
        }
        if limits.until.is_some_and(|until| until <= now) {
            return Err(IdentityError::BadCertificate("the end lies in the past"));
        }
        if certificate.not_after() < now {
            return Err(IdentityError::BadCertificate("the certificate has ended"));
        }
        let id = Arc::clone(certificate.key());
        // Whose it is comes first: without the row in the account it means nothing.
        self.claim(account, &id).await?;
        let row = CertificateRow {
            name: name
                .chars()
                .filter(|letter| !letter.is_control())
                .take(NAME_CHARS_MAX)
                .collect(),
            created: now,
            limits: LimitsRow::new(&limits),
        };
        let (made, prefix, key) = (
            row.name.clone(),
            Kind::Certificate.all(),
            Kind::Certificate.key(&*id),
        );
        let add = move |rows: &mut Rows| {
            if rows.get(&key).is_some() {
                return Err(REGISTERED);
            }
            if rows.scan(&Kind::Certificate.all()).len() >= KEYS_MAX {
                return Err(IdentityError::TooMany("certificates"));
            }
            rows::write(rows, &key, &row)
        };
        let handle = self.inner.store.account(account);
        handle.update(&[&prefix], add).await?;
        let detail = format!("the client certificate “{made}” was registered");
        self.record(account, Act::new(Deed::Changed, now).detail(detail));
        Ok(id)
    }

    /// The registered keys of an account, oldest first.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn certificates(&self, account: &AccountId) -> Result<Vec<CertificateKey>> {
        let handle = self.inner.store.account(account);
        let rows = handle.scan(&Kind::Certificate.all(), KEYS_MAX).await?;
        let mut all = Vec::new();
        for (key, value) in &rows {
            let row: CertificateRow = rows::decode(value)?;
            all.push(CertificateKey {
                id: rows::id_of(key).into(),
                name: row.name.into(),
                created: row.created,
                limits: row.limits.limits(),
            });
        }
        all.sort_by_key(|one| one.created);
        Ok(all)
    }

    /// Ends a registered key and the sessions it opened.
    ///
    /// # Errors
    /// [`IdentityError::NoSuch`], [`IdentityError::Store`].
    pub async fn revoke_certificate(
        &self,
        account: &AccountId,
        id: &str,
        now: Millis,
    ) -> Result<()> {
        let key = Kind::Certificate.key(id);
        let prefix = key.clone();
        let remove = move |rows: &mut Rows| {
            let row = rows::read::<CertificateRow>(rows, &key)?;
            rows.delete(&key);
            row.map(|row| row.name)
                .ok_or(IdentityError::NoSuch("certificate"))
        };
        let handle = self.inner.store.account(account);
        let name = handle.update(&[&prefix], remove).await?;
        let detail = format!("the client certificate “{name}” was revoked");
        self.announce(account, Some(Credential::Certificate(id.into())), &detail);
        self.record(account, Act::new(Deed::Changed, now).detail(detail));
        Ok(())
    }

    /// Checks the certificate of a connection whose client holds its key, for `user`; an empty one is whose key it is. The
    /// principal's authority ends with the certificate.
    ///
    /// # Errors
    /// A [`Refusal`] whose cause is precise.
    pub async fn certificate(
        &self,
        certificate: &ClientCertificate,
        user: &str,
        service: Service,
        now: Millis,
    ) -> Result<Principal, Refusal> {
        let id = certificate.key();
        let Some((account, row)) = self.certificate_row(id).await? else {
            let cause = format!("the certificate’s key is registered for nobody: {id}");
            return Err(Refusal::invalid(cause));
        };
        let opened = self.opens_with(&account, certificate, row, user, service, now);
        let opened = opened.await;
        if let Ok(person) = &opened {
            self.note_network(&person.address, now);
        }
        if let (Err(refusal), "") = (&opened, user) {
            // Who is not named is not found by name when the refusal is recorded.
            let act = Act {
                service: Some(service),
                method: Some("EXTERNAL".into()),
                ..Act::new(Deed::Refused, now)
            };
            self.record(&account, act.detail(refusal.cause.as_str()));
        }
        opened
    }

    async fn opens_with(
        &self,
        account: &AccountId,
        certificate: &ClientCertificate,
        row: CertificateRow,
        user: &str,
        service: Service,
        now: Millis,
    ) -> Result<Principal, Refusal> {
        let standing = self.standing(account).await?;
        if !user.is_empty()
            && !standing.address.eq_ignore_ascii_case(user)
            && self.inner.store.account_of(user).await?.as_ref() != Some(account)
        {
            let cause = format!("the certificate belongs to {}", standing.address);
            return Err(Refusal::invalid(cause));
        }
        if !certificate.is_current(now) {
            let cause = match certificate.not_after() < now {
                true => "the certificate has ended",
                false => "the certificate is not good yet",
            };
            return Err(Refusal::invalid(cause));
        }
        row.limits.allow(WHAT, service, self.peer, now)?;
        standing.allows(service)?;
        let own = certificate.not_after();
        Ok(Principal {
            account: account.clone(),
            address: Arc::clone(&standing.address),
            credential: Credential::Certificate(Arc::clone(certificate.key())),
            app: Some(row.name.into()),
            until: Some(row.limits.until().map_or(own, |until| until.min(own))),
            rights: Rights::default(),
        })
    }

    /// The account a key is registered for.
    async fn certificate_row(
        &self,
        id: &str,
    ) -> Result<Option<(AccountId, CertificateRow)>, Refusal> {
        let broken = |fault: IdentityError| Refusal::new(RefusalKind::Temporary, fault.to_string());
        let key = Kind::Certificate.key(id);
        let Some(account) = self.owner(id).await.map_err(broken)? else {
            return Ok(None);
        };
        let row = match self.inner.store.account(&account).get(&key).await {
            Err(StoreError::NoSuchAccount) => None,
            row => row?,
        };
        let row = row.map(|row| rows::decode(&row)).transpose();
        Ok(row.map_err(broken)?.map(|row| (account, row)))
    }

    async fn owner(&self, id: &str) -> Result<Option<AccountId>> {
        let handle = self.inner.store.account(&AccountId(ACCOUNT.into()));
        let Some(row) = handle.get(&Kind::Certificate.key(id)).await? else {
            return Ok(None);
        };
        let row: OwnerRow = rows::decode(&row)?;
        Ok(Some(AccountId(row.account.into())))
    }

    /// Notes that a key is this account's, unless it is another's.
    async fn claim(&self, account: &AccountId, id: &str) -> Result<()> {
        let before = self.owner(id).await?;
        if let Some(other) = before.as_ref().filter(|other| *other != account) {
            let theirs = self.inner.store.account(other);
            let live = match theirs.get(&Kind::Certificate.key(id)).await {
                Err(StoreError::NoSuchAccount) => None,
                row => row?,
            };
            if live.is_some() {
                return Err(REGISTERED);
            }
        }
        let key = Kind::Certificate.key(id);
        let (prefix, account) = (key.clone(), account.clone());
        let write = move |rows: &mut Rows| {
            let now: Option<OwnerRow> = rows::read(rows, &key)?;
            // Somebody else was quicker.
            if now.map(|row| AccountId(row.account.into())) != before {
                return Err(REGISTERED);
            }
            let row = OwnerRow {
                account: account.0.to_string(),
            };
            rows::write(rows, &key, &row)
        };
        let handle = self.inner.store.account(&AccountId(ACCOUNT.into()));
        handle.update(&[&prefix], write).await
    }
}

const REGISTERED: IdentityError =
    IdentityError::BadCertificate("the certificate’s key is registered already");
