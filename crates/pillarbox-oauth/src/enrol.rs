//! Registering a program as an administrator does it, by command, page or API: what it needs to prove itself is decided and
//! made here, and shown once.

use crate::assertion::VerifyKey;
use crate::{Client, ClientKind, Identity, NewClient, Result, Scope, Secret, opaque};
use pillarbox_store::mail::Millis;
use serde_json::{Value, json};
use std::sync::Arc;

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
