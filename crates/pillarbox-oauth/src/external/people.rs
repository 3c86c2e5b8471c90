//! From a provider's person to an account of ours.
//!
//! The address must be verified and in one of our domains. The first person whom a provider sends with an address is, for that
//! provider and from then on, the account's owner: `sub` is what the provider never gives to another person (OpenID Connect
//! Core §5.7), addresses are. So an address that is handed on at the provider does not hand on the mailbox.

use super::claims::Claims;
use super::{Done, No, Provider, WhyNot};
use crate::opaque;
use crate::rows::{self, ExternalRow, Kind};
use crate::{Act, Credential, Deed, Identity, IdentityError, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use pillarbox_store::mail::{AccountId, Millis, Naming, Rows, StoreError};

/// What becomes of sessions and accounts whose owner a provider does not name any more.
const NO_LONGER_TIED: &str = "sign-in elsewhere is no longer tied to this account";
/// Longest `sub`, in bytes (OpenID Connect Core §2).
const SUBJECT_BYTES_MAX: usize = 255;
/// Addresses that speak for the domain (RFC 2142, and those certificate authorities write to): no provider makes such an
/// account, an administrator does.
const OF_THE_DOMAIN: [&str; 8] = [
    "abuse",
    "admin",
    "administrator",
    "hostmaster",
    "postmaster",
    "root",
    "security",
    "webmaster",
];

impl Identity {
    /// The account of the person whom these claims, already checked, are about.
    pub(super) async fn person_of(
        &self,
        provider: &Provider,
        claims: &Claims,
        now: Millis,
    ) -> Done<AccountId> {
        let label = &provider.config.label;
        let subject = claims.required("sub")?;
        if subject.len() > SUBJECT_BYTES_MAX {
            return Err(No::refused("the claim sub is too long"));
        }
        let address = self.address_in(provider, claims)?;
        let account = match self.inner.store.account_of(&address).await? {
            Some(account) => account,
            None if provider.config.create => self.create_external(provider, &address, now).await?,
            None => {
                let cause = format!("{label} says {address}, and there is no such mailbox");
                return Err(No::new(WhyNot::NoMailbox, cause));
            }
        };
        self.bind(provider, &account, subject, now).await?;
        Ok(account)
    }

    /// The address in the account claim, in small letters.
    fn address_in(&self, provider: &Provider, claims: &Claims) -> Done<String> {
        let (config, name) = (&provider.config, &provider.config.account_claim);
        let label = &config.label;
        let address = claims.required(name)?.to_lowercase();
        // OpenID Connect Core §5.1; what is not said is not so.
        if name == "email" && !claims.is_true("email_verified") {
            let cause = format!("{label} has not verified the address {address:?}");
            return Err(No::new(WhyNot::Unverified, cause));
        }
        let none = |cause: String| No::new(WhyNot::NoMailbox, cause);
        let (local, domain) = address
            .rsplit_once('@')
            .ok_or_else(|| none(format!("{label} says {address:?}, which is no address")))?;
        let domains = &self.inner.external.domains;
        if !domains.iter().any(|own| own.eq_ignore_ascii_case(domain)) {
            let cause =
                format!("{label} says {address:?}, which is not in a domain of this server");
            return Err(none(cause));
        }
        if !is_plain(local) {
            let cause = format!("{label} says {address:?}, which cannot be the name of an account");
            return Err(none(cause));
        }
        Ok(address)
    }

    async fn create_external(
        &self,
        provider: &Provider,
        address: &str,
        now: Millis,
    ) -> Done<AccountId> {
        let label = &provider.config.label;
        let local = address.split('@').next().unwrap_or_default();
        if OF_THE_DOMAIN.contains(&local) {
            let cause = format!("{label} says {address}, which only an administrator can make");
            return Err(No::new(WhyNot::NoMailbox, cause));
        }
        let naming = self.inner.external.naming.unwrap_or(Naming::Plain);
        match self.create_person(address, None, naming, now).await {
            Ok(account) => {
                tracing::info!(
                    address,
                    provider = &**label,
                    "account made at the first sign-in"
                );
                Ok(account)
            }
            // Somebody was quicker; it may well have been the same person.
            Err(IdentityError::Store(StoreError::AccountExists)) => {
                let account = self.inner.store.account_of(address).await?;
                account.ok_or_else(|| No::new(WhyNot::Ourselves, "the account is being made"))
            }
            Err(fault) => Err(fault.into()),
        }
    }

    /// Holds the person to the one who came first, or is the first.
    async fn bind(
        &self,
        provider: &Provider,
        account: &AccountId,
        subject: &str,
        now: Millis,
    ) -> Done<()> {
        let config = &provider.config;
        let key = binding_key(&config.issuer);
        let handle = self.inner.store.account(account);
        let same = |row: &ExternalRow| row.subject == subject;
        let stranger = || {
            let label = &config.label;
            No::refused(format!(
                "the account belongs to another person at {label}; an administrator can undo that: pillarbox account unbind"
            ))
        };
        if let Some(row) = handle.get(&key).await? {
            let row: ExternalRow = rows::decode(&row)?;
            return same(&row).then_some(()).ok_or_else(stranger);
        }
        let row = ExternalRow {
            issuer: config.issuer.clone(),
            subject: subject.to_owned(),
            since: now,
        };
        let prefix = key.clone();
        let bind = move |rows: &mut Rows| match rows::read::<ExternalRow>(rows, &key)? {
            Some(other) => Ok(other.subject == row.subject),
            None => rows::write(rows, &key, &row).map(|()| true),
        };
        let bound = handle.update::<_, IdentityError>(&[&prefix], bind).await?;
        if !bound {
            return Err(stranger());
        }
        let words = format!("sign-in with {} is tied to this account", config.label);
        self.record(account, Act::new(Deed::Changed, now).detail(words));
        Ok(())
    }

    /// Forgets who an account's owner is at all providers, so that the next one they send with its address is; ends the
    /// sessions they opened. How many providers there were. For administrators.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn unbind_external(&self, account: &AccountId, now: Millis) -> Result<usize> {
        let forget = |rows: &mut Rows| {
            let found = rows.scan(&Kind::External.all());
            for (key, _) in &found {
                rows.delete(key);
            }
            Ok::<_, IdentityError>(found.len())
        };
        let handle = self.inner.store.account(account);
        let count = handle.update(&[&Kind::External.all()], forget).await?;
        for provider in &self.inner.external.all {
            let credential = Credential::External(provider.config.name.clone());
            self.announce(account, Some(credential), NO_LONGER_TIED);
        }
        if count > 0 {
            self.record(account, Act::new(Deed::Changed, now).detail(NO_LONGER_TIED));
        }
        Ok(count)
    }
}

/// Whether it is a plain local part (RFC 5322 §3.2.3, dot-atom) without a `+`: what follows one belongs to the address
/// before it (RFC 5233).
fn is_plain(local: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*-/=?^_`{|}~".contains(c);
    local.len() <= 64
        && local
            .split('.')
            .all(|word| !word.is_empty() && word.chars().all(letter))
}

fn binding_key(issuer: &str) -> Vec<u8> {
    Kind::External.key(BASE64.encode(opaque::hash(issuer)))
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn names_of_accounts() {
        for good in ["ada", "ada.lovelace", "o'hara", "x-1_y"] {
            assert!(is_plain(good), "{good}");
        }
        for bad in [
            "", "ada+x", ".ada", "ada.", "a..b", "a b", "\"a\"", "a@b", "ädä", "a\0",
        ] {
            assert!(!is_plain(bad), "{bad}");
        }
        assert!(!is_plain(&"x".repeat(65)));
    }
}
