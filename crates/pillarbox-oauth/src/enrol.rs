//! Registering a program as an administrator does it, by command, page or API: what it needs to prove itself is decided and
//! made here, and shown once. Another key for a program that has one.

use crate::assertion::VerifyKey;
use crate::grants::after;
use crate::rows::ClientRow;
use crate::{
    Act, Client, ClientKind, Deed, Identity, IdentityError, NewClient, Result, Scope, Scopes,
    Secret, opaque,
};
use pillarbox_store::mail::Millis;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// A program that was just registered by an administrator. It holds secrets, so it has no `Debug`.
pub struct Enrolled {
    /// The program.
    pub client: Arc<Client>,
    /// Its secret, if it has one.
    pub secret: Option<Secret>,
    /// For a service account that brought no key: the file that Google's libraries read, with our addresses in it. It holds
    /// the private key, which is kept nowhere here, and the secret.
    pub key_file: Option<Value>,
}

/// A program that was just given another key. It holds the key, so it has no `Debug`.
pub struct Rekeyed {
    /// Of a service account that brought no key: the key file, as in [`Enrolled`], without a secret.
    pub key_file: Option<Value>,
    /// Until when the keys before are good; None if they ended at once.
    pub until: Option<Millis>,
    /// Grants that ended with the keys before.
    pub ended: usize,
}

/// Why grants of a service account end, in people's trails.
const KEY_TAKEN_BACK: &str = "the program's key was taken back";

fn bad(text: &str) -> IdentityError {
    IdentityError::BadClient(text.into())
}

impl Identity {
    /// Registers a program. Whether it gets a secret follows from what it is: one on a server has one unless it brings a key,
    /// and a service account that administrates; a service account without a key is given one.
    ///
    /// # Errors
    /// As [`Identity::add_client`]; [`crate::IdentityError::Broken`] if no key can be made.
    pub async fn enrol(&self, mut new: NewClient, now: Millis) -> Result<Enrolled> {
        let service = new.kind == ClientKind::Service;
        // A program that brings its key proves itself by it. A service account gets a secret where it must prove itself: not all
        // of its libraries sign for that.
        new.confidential = match new.kind {
            ClientKind::Service => new.delegated.has(Scope::Admin) || new.introspects,
            kind => new.keys.is_empty() && (kind == ClientKind::Web || new.introspects),
        };
        // Making a key takes a moment: not for what cannot be registered anyway.
        if let Some((_, fault)) = new.fault() {
            return Err(fault);
        }
        let mut private = None;
        if service && new.keys.is_empty() {
            let kid = opaque::random_text(&self.inner.random, 12);
            let (key, secret) = VerifyKey::generate(kid.clone()).await?;
            new.keys = vec![key];
            private = Some((kid, secret));
        }
        let (client, secret) = self.add_client(new, now).await?;
        let key_file =
            private.map(|(kid, key)| self.key_file(&client, &kid, &key, secret.as_ref()));
        Ok(Enrolled {
            client,
            secret,
            key_file,
        })
    }

    /// Gives a program other keys: those in `new`, or for a service account one that is made here and shown this once. The keys
    /// before go on for `overlap`, any older ones end now. Without an overlap whatever a service account got ends too, its
    /// tokens, its sessions and its tokens for administration: somebody else may have signed for them.
    ///
    /// # Errors
    /// [`IdentityError::NoSuch`] registered client; [`IdentityError::BadClient`] if it has no keys, or has these already, or
    /// replaces them itself (RFC 7592); [`IdentityError::Broken`] if no key can be made; [`IdentityError::Store`].
    pub async fn rotate_client_key(
        &self,
        id: &str,
        mut new: Vec<VerifyKey>,
        overlap: Duration,
        now: Millis,
    ) -> Result<Rekeyed> {
        self.know_clients().await?;
        let client = self.client(id).filter(|one| one.registered.is_some());
        let client = client.ok_or(IdentityError::NoSuch("registered client"))?;
        let service = client.kind == ClientKind::Service;
        may_be_rekeyed(&client, &new)?;
        let mut private = None;
        if new.is_empty() {
            let kid = opaque::random_text(&self.inner.random, 12);
            let (key, secret) = VerifyKey::generate(kid.clone()).await?;
            new.push(key);
            private = Some((kid, secret));
        }
        let until = Some(after(now, overlap)).filter(|until| *until > now);
        let at_once = service && until.is_none();
        self.change_client(id, move |row| {
            replace_keys(row, &new, until)?;
            if at_once {
                row.administration = None;
            }
            Ok(())
        })
        .await?;
        self.know_clients().await?;
        let act = Act::new(Deed::AppKeyRotated, now).app(Arc::clone(&client.name));
        self.record_change(match until {
            Some(_) => act,
            None => act.detail("the one before ended at once"),
        });
        let mut ended = 0;
        if at_once {
            // Before, so that nobody waits for thousands of rows; and behind, for whoever came back until its row was written.
            let because = format!("the key of {} was taken back", client.name);
            self.announce_client(id, Some(Scopes::default()), &because);
            let all = self.end_all_grants(id, &client.name, KEY_TAKEN_BACK, now);
            ended = all.await?;
            self.announce_client(id, Some(Scopes::default()), &because);
        }
        Ok(Rekeyed {
            key_file: private.map(|(kid, key)| self.key_file(&client, &kid, &key, None)),
            until,
            ended,
        })
    }

    fn key_file(&self, client: &Client, kid: &str, key: &Secret, secret: Option<&Secret>) -> Value {
        let metadata = self.metadata();
        let mut file = json!({
            "type": "service_account",
            "client_id": *client.id,
            "client_email": *client.id,
            "private_key_id": kid,
            "private_key": key.expose(),
            "auth_uri": metadata.authorization_endpoint,
            "token_uri": metadata.token_endpoint,
        });
        if let Some(secret) = secret {
            file["client_secret"] = json!(secret.expose());
        }
        file
    }
}

fn may_be_rekeyed(client: &Client, new: &[VerifyKey]) -> Result<()> {
    if client.keys.is_empty() {
        return Err(bad("this client has no key"));
    }
    if client.own.is_some() {
        return Err(bad("it registered itself, and replaces its keys itself"));
    }
    if new.is_empty() && client.kind != ClientKind::Service {
        return Err(bad(
            "it makes its keys itself: the public half of the next one is needed",
        ));
    }
    Ok(())
}

fn replace_keys(row: &mut ClientRow, new: &[VerifyKey], until: Option<Millis>) -> Result<()> {
    let is_new = |key: &VerifyKey| new.iter().any(|one| one.is_same(key));
    let present = |key: &&VerifyKey| key.until.is_none();
    let has = |one: &VerifyKey| row.keys.iter().filter(present).any(|key| key.is_same(one));
    if new.iter().all(has) {
        return Err(bad("it has this key already"));
    }
    row.keys
        .retain(|key| until.is_some() && present(&key) && !is_new(key));
    for key in &mut row.keys {
        key.until = until;
    }
    row.keys.splice(0..0, new.iter().cloned());
    Ok(())
}
