//! Programs that register themselves (RFC 7591), and what they may change about it later (RFC 7592).
//!
//! Whoever registers is a stranger: the name is checked for tricks and for names that others here bear, what is kept is
//! bounded, and people are told that nobody looked at it until an administrator did. Strangers never become service accounts.
//!
//! Deliberately absent: addresses of pictures and pages (consent shows nothing of a stranger's but its name and where the browser
//! goes), `jwks_uri` (this server fetches nothing a stranger names), software statements, and initial access tokens.

mod arrivals;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod metadata;
mod names;

pub(crate) use arrivals::Arrivals;
pub(crate) use metadata::Method;
use metadata::Wanted;

use crate::client::{Client, ClientKind, Status};
use crate::clients::{self, CLIENTS_MAX, NewClient, new_secret_row};
use crate::rows::{self, ClientRow, Kind, OwnRow};
use crate::server::{ErrorCode, TokenError};
use crate::{Act, Deed, Identity, IdentityError, Secret, opaque};
use pillarbox_store::mail::{Millis, Rows};
use serde_json::{Value, json};
use std::sync::Arc;

/// Longest body, in bytes: names, addresses and a few keys.
pub const REGISTRATION_BYTES_MAX: usize = 16 * 1024;
/// Most clients that registered themselves and that no administrator looked at.
const STRANGERS_MAX: usize = 500;
/// When there are too many, those that nobody used for so long make room, in milliseconds.
const MAKES_ROOM_MS: Millis = 3600 * 1000;
/// Those that nobody ever used are forgotten after so long, in milliseconds.
const UNUSED_MS: Millis = 30 * 24 * 3600 * 1000;

/// Whether programs may register themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Registration {
    /// No: administrators register them.
    #[default]
    Off,
    /// Yes, and each waits until an administrator approved it.
    Approval,
    /// Yes, and they may begin at once.
    Open,
}

type Result<T, E = TokenError> = std::result::Result<T, E>;

fn invalid(text: impl AsRef<str>) -> TokenError {
    TokenError::new(ErrorCode::InvalidClientMetadata, text)
}

fn unauthorized() -> TokenError {
    let text = "The registration is unknown or its token is wrong.";
    TokenError::new(ErrorCode::InvalidToken, text)
}

fn too_many() -> TokenError {
    let text = "Too many programs registered. Try again later.";
    TokenError::new(ErrorCode::TemporarilyUnavailable, text)
}

impl Identity {
    /// Whether programs may register themselves.
    pub fn registration(&self) -> Registration {
        self.inner.config.registration
    }

    /// Registers a client that asks for it itself (RFC 7591 §3); `body` is JSON. What it is told, secret and token included.
    ///
    /// # Errors
    /// [`TokenError`]: `invalid_redirect_uri`, `invalid_client_metadata`; `slow_down`, `temporarily_unavailable`.
    pub async fn register(&self, body: &[u8], now: Millis) -> Result<Value> {
        if self.registration() == Registration::Off {
            let text = "Programs are registered by the administrator here.";
            return Err(TokenError::new(ErrorCode::AccessDenied, text));
        }
        self.may_register(now)?;
        let wanted = Wanted::read(&read_object(body)?)?;
        self.know_clients().await?;
        self.check_name(&wanted.name, None)?;
        let id = self.new_client_id();
        let secret = wanted.method.has_secret().then(|| self.new_secret());
        let token = Secret::new(format!(
            "pbr-{}",
            opaque::random_text(&self.inner.random, 24)
        ));
        let mut row = self.row_of(&wanted, opaque::hash(token.expose()), now)?;
        row.secrets = secret
            .iter()
            .map(|secret| new_secret_row(secret, now))
            .collect();
        let (key, kept) = (Kind::Client.key(&*id), row.clone());
        let add = move |rows: &mut Rows| {
            make_room(rows, now)?;
            rows::write(rows, &key, &kept)
        };
        let all = Kind::Client.all();
        match self.client_rows().update(&[&all], add).await {
            Ok(()) => {}
            Err(IdentityError::TooMany(_)) => return Err(too_many()),
            Err(fault) => return Err(fault.into()),
        }
        let act = Act::new(Deed::AppRegistered, now).app(row.name.as_str());
        let by = &row.registered_by;
        self.record_change(act.detail(format!("as {id}, by {by}")).unasked());
        let mut told = self.told(&id, &row, &token);
        if let Some(secret) = secret {
            told["client_secret"] = json!(secret.expose());
            told["client_secret_expires_at"] = json!(0);
        }
        Ok(told)
    }

    /// What a client registered (RFC 7592 §2.1). The secret was shown once.
    ///
    /// # Errors
    /// [`TokenError`] with `invalid_token`.
    pub async fn own_registration(&self, id: &str, token: &str) -> Result<Value> {
        let row = self.own_row(id, token).await?;
        Ok(self.told(id, &row, &Secret::new(token)))
    }

    /// Replaces what a client registered (RFC 7592 §2.2). What kind of program it is, and how it proves itself, stays; what people
    /// see is looked at anew.
    ///
    /// # Errors
    /// [`TokenError`] as in [`Identity::register`], and `invalid_token`, `invalid_request`.
    pub async fn register_anew(
        &self,
        id: &str,
        token: &str,
        body: &[u8],
        now: Millis,
    ) -> Result<Value> {
        let before = self.own_row(id, token).await?;
        self.may_register(now)?;
        let body = read_object(body)?;
        self.know_clients().await?;
        self.check_replacement(id, &body, now)?;
        let wanted = Wanted::read(&body)?;
        self.check_name(&wanted.name, Some(id))?;
        let fresh = self.row_of(&wanted, [0; 32], now)?;
        let registration = self.registration();
        let change = move |row: &mut ClientRow| {
            let Some(own) = &mut row.own else {
                return Err(IdentityError::NoSuch("registered client"));
            };
            let Some(new) = fresh.own.clone() else {
                return Err(IdentityError::NoSuch("registered client"));
            };
            if (fresh.kind, &new.method) != (row.kind, &own.method) {
                return Err(IdentityError::BadClient(
                    "what kind of program it is, and how it proves itself, cannot change: register another".into(),
                ));
            }
            let same = fresh.name == row.name
                && fresh.redirects == row.redirects
                && fresh.keys == row.keys
                && new.scope == own.scope;
            own.approved &= same;
            (own.scope, own.jwks, own.grant_types) = (new.scope, new.jwks, new.grant_types);
            (own.proves, own.pushes) = (new.proves, new.pushes);
            row.name.clone_from(&fresh.name);
            row.redirects.clone_from(&fresh.redirects);
            row.keys.clone_from(&fresh.keys);
            if !same && registration != Registration::Open {
                row.status = Status::Waiting;
            }
            Ok(())
        };
        match self.change_client(id, change).await {
            Ok(()) => {}
            Err(IdentityError::NoSuch(_)) => return Err(unauthorized()),
            Err(IdentityError::BadClient(text)) => return Err(invalid(text)),
            Err(fault) => return Err(fault.into()),
        }
        let row = self.own_row(id, token).await?;
        let act = Act::new(Deed::AppChanged, now).app(row.name.as_str());
        self.record_change(act.detail(format!("before: {}", before.name)).unasked());
        Ok(self.told(id, &row, &Secret::new(token)))
    }

    /// Ends a registration by the client's own wish (RFC 7592 §2.3), and everything people allowed it.
    ///
    /// # Errors
    /// [`TokenError`] with `invalid_token`.
    pub async fn unregister(&self, id: &str, token: &str, now: Millis) -> Result<()> {
        self.own_row(id, token).await?;
        match self.remove_client(id, now).await {
            Ok(_) => Ok(()),
            Err(IdentityError::NoSuch(_)) => Err(unauthorized()),
            Err(fault) => Err(fault.into()),
        }
    }

    /// Forgets clients that registered themselves and that nobody used or approved within 30 days; to be called now and then.
    /// Their names.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn forget_unused_clients(&self, now: Millis) -> Result<Vec<String>, IdentityError> {
        let over = move |row: &ClientRow| {
            let unused = row.own.as_ref().is_some_and(OwnRow::is_unused);
            unused && row.registered.saturating_add(UNUSED_MS) <= now
        };
        let all = self.clients().await?;
        let any = all.iter().any(|client| {
            let since = client.registered.unwrap_or(now);
            client.is_unused() && since.saturating_add(UNUSED_MS) <= now
        });
        if !any {
            return Ok(Vec::new());
        }
        let forget = move |rows: &mut Rows| {
            let mut names = Vec::new();
            for (key, value) in rows.scan(&Kind::Client.all()) {
                let row: ClientRow = rows::decode(&value)?;
                if over(&row) {
                    rows.delete(&key);
                    names.push(row.name);
                }
            }
            Ok::<_, IdentityError>(names)
        };
        let prefix = Kind::Client.all();
        let names = self.client_rows().update(&[&prefix], forget).await?;
        for name in &names {
            let act = Act::new(Deed::AppRemoved, now).app(name.as_str());
            self.record_change(act.detail("nobody used it for 30 days").unasked());
        }
        Ok(names)
    }

    /// Notes that somebody lets a client in for the first time: it is not forgotten any more.
    pub(crate) async fn note_use(&self, client: &Client, now: Millis) -> Result<(), IdentityError> {
        if !client.is_unused() {
            return Ok(());
        }
        let note = move |row: &mut ClientRow| {
            if let Some(own) = &mut row.own {
                own.used.get_or_insert(now);
            }
            Ok(())
        };
        match self.change_client(&client.id, note).await {
            Err(IdentityError::NoSuch(_)) => Ok(()),
            done => done,
        }
    }

    fn may_register(&self, now: Millis) -> Result<()> {
        let bounded = self.inner.config.slow_down;
        match !bounded || self.inner.arrivals.admit(self.peer, now) {
            true => Ok(()),
            false => Err(TokenError::new(
                ErrorCode::SlowDown,
                "Too many registrations from this address. Try again in an hour.",
            )),
        }
    }

    /// Refuses names that look like those of clients whom an administrator knows, and like this server's own.
    fn check_name(&self, name: &str, own: Option<&str>) -> Result<()> {
        let wanted = names::skeleton(name);
        if wanted.is_empty() {
            return Err(invalid("client_name has no letters."));
        }
        let taken = |client: &Arc<Client>| {
            Some(&*client.id) != own
                && client.is_vetted()
                && names::skeleton(&client.name) == wanted
        };
        if names::is_reserved(name, &self.inner.config.host) || self.inner.clients.any(taken) {
            return Err(invalid(
                "client_name is taken here, or looks like one that is.",
            ));
        }
        Ok(())
    }

    fn row_of(&self, wanted: &Wanted, token: [u8; 32], now: Millis) -> Result<ClientRow> {
        let from = self.peer.map(|peer| peer.to_canonical());
        let new = NewClient {
            confidential: wanted.method.has_secret(),
            redirects: wanted.redirects.clone(),
            registered_by: from.map_or("itself".into(), |from| format!("itself, from {from}")),
            keys: wanted.keys.clone(),
            status: match self.registration() {
                Registration::Open => Status::Active,
                Registration::Off | Registration::Approval => Status::Waiting,
            },
            ..NewClient::new(wanted.name.clone(), wanted.kind)
        };
        let row = clients::check(new, now).map_err(|fault| match fault {
            IdentityError::BadClient(text) => invalid(text),
            other => invalid(other.to_string()),
        })?;
        let own = OwnRow {
            token,
            method: wanted.method,
            grant_types: wanted.grant_types.clone(),
            scope: wanted.scope.clone(),
            jwks: wanted.jwks.clone(),
            proves: wanted.proves,
            pushes: wanted.pushes,
            approved: false,
            used: None,
        };
        Ok(ClientRow {
            own: Some(own),
            ..row
        })
    }

    /// The row of a client whose registration token this is.
    async fn own_row(&self, id: &str, token: &str) -> Result<ClientRow> {
        // Ids are short; nothing longer needs to be looked up.
        if id.len() > 64 {
            return Err(unauthorized());
        }
        let row = self.client_rows().get(&Kind::Client.key(id)).await?;
        let row: Option<ClientRow> = row.map(|row| rows::decode(&row)).transpose()?;
        let hash = opaque::hash(token);
        let own = |row: &ClientRow| {
            let kept = row.own.as_ref().map(|own| own.token);
            kept.is_some_and(|kept| opaque::same(&kept, &hash))
        };
        row.filter(own).ok_or_else(unauthorized)
    }

    /// RFC 7592 §2.2: the id must be its own, a secret its own, and what the server decides must not be there.
    fn check_replacement(&self, id: &str, body: &Value, now: Millis) -> Result<()> {
        let wrong = |text: &str| TokenError::new(ErrorCode::InvalidRequest, text);
        if body["client_id"] != id {
            return Err(wrong("client_id must be there, and its own."));
        }
        for name in [
            "registration_access_token",
            "registration_client_uri",
            "client_secret_expires_at",
            "client_id_issued_at",
        ] {
            if body.get(name).is_some() {
                return Err(wrong(&format!("{name} is not for clients to say.")));
            }
        }
        match &body["client_secret"] {
            Value::Null => Ok(()),
            Value::String(secret)
                if self
                    .client(id)
                    .is_some_and(|client| client.proves(secret, now)) =>
            {
                Ok(())
            }
            _ => Err(wrong("client_secret is not its own.")),
        }
    }

    /// RFC 7591 §3.2.1, RFC 7592 §3.
    fn told(&self, id: &str, row: &ClientRow, token: &Secret) -> Value {
        let issuer = &self.inner.config.issuer;
        let mut told = json!({
            "client_id": id,
            "client_id_issued_at": row.registered.div_euclid(1000),
            "client_name": row.name,
            "registration_access_token": token.expose(),
            "registration_client_uri": format!("{issuer}/register/{id}"),
        });
        if let Some(own) = &row.own {
            told["token_endpoint_auth_method"] = json!(own.method);
            told["grant_types"] = json!(own.grant_types);
            if let Some(scope) = &own.scope {
                told["scope"] = json!(scope);
            }
            if let Some(jwks) = &own.jwks {
                told["jwks"] = jwks.clone();
            }
            for (name, on) in [
                ("dpop_bound_access_tokens", own.proves),
                ("require_pushed_authorization_requests", own.pushes),
            ] {
                if on {
                    told[name] = json!(on);
                }
            }
        }
        if row.kind != ClientKind::Device {
            told["redirect_uris"] = json!(row.redirects);
            told["response_types"] = json!(["code"]);
            told["application_type"] = json!(match row.kind {
                ClientKind::Native => "native",
                _ => "web",
            });
        }
        told
    }
}

fn read_object(body: &[u8]) -> Result<Value> {
    if body.len() > REGISTRATION_BYTES_MAX {
        return Err(invalid("The registration is too long."));
    }
    let object = serde_json::from_slice::<Value>(body).ok();
    let object = object.filter(Value::is_object);
    object.ok_or_else(|| invalid("The body is not a JSON object."))
}

/// Room for one more. Strangers whom nobody used have to make way for strangers, and never for anybody else.
fn make_room(rows: &mut Rows, now: Millis) -> Result<(), IdentityError> {
    let (mut count, mut strangers, mut unused) = (0, 0, Vec::new());
    for (key, value) in rows.scan(&Kind::Client.all()) {
        let row: ClientRow = rows::decode(&value)?;
        count += 1;
        let Some(own) = row.own.filter(|own| !own.approved) else {
            continue;
        };
        strangers += 1;
        if own.is_unused() && row.registered.saturating_add(MAKES_ROOM_MS) <= now {
            unused.push((row.registered, key));
        }
    }
    if strangers < STRANGERS_MAX && count < CLIENTS_MAX {
        return Ok(());
    }
    let oldest = unused.into_iter().min();
    let (_, key) = oldest.ok_or(IdentityError::TooMany("clients"))?;
    rows.delete(&key);
    Ok(())
}
