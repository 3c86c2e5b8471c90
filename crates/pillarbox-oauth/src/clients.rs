//! Registered clients: rows of a system account, all of them kept in memory, because every request names one and there are
//! thousands of people to one program. Secrets are made here, shown once, kept as hashes, and rotated with an overlap.
//!
//! Deliberately absent: changing what a client is. Whoever wants another program registers one; so what a person agreed to
//! stays what it was. Who tries it out changes in `testers`, its keys in `enrol`.

use crate::assertion::VerifyKey;
use crate::client::{Audience, Client, ClientKind, Redirect, Status};
use crate::grants::{end_grant, millis};
use crate::rows::{self, ClientRow, GrantRow, Kind, SecretRow};
use crate::{Act, Deed, Identity, IdentityError, Result, Scopes, Secret, opaque};
use pillarbox_store::mail::{Account, AccountId, Millis, Rows, Store, Version};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use url::Url;

/// The system account of registered clients.
const ACCOUNT: &str = "oauth/clients";
/// Most registered clients: all of them are kept in memory.
pub(crate) const CLIENTS_MAX: usize = 2_000;
/// Most redirect addresses of one client.
pub(crate) const REDIRECTS_MAX: usize = 20;
/// Most people who try out one client, as with Google.
pub(crate) const TESTERS_MAX: usize = 100;
/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 100;
/// Longest redirect address, in bytes.
const REDIRECT_BYTES_MAX: usize = 2048;
/// Accounts whose grants end at the same time when a client goes: their commits share flushes.
const ACCOUNTS_AT_ONCE: usize = 64;
/// Accounts looked at together when a client goes.
const ACCOUNTS_A_PAGE: usize = 500;

/// What to register.
#[derive(Clone, Debug)]
pub struct NewClient {
    /// For people.
    pub name: String,
    /// What it is.
    pub kind: ClientKind,
    /// Whether it gets a secret.
    pub confidential: bool,
    /// Where the browser may go.
    pub redirects: Vec<String>,
    /// Who registers it, in words.
    pub registered_by: String,
    /// If only some may use it: their addresses.
    pub testers: Option<Vec<String>>,
    /// Keys its assertions are signed with: PEM or JWKS.
    pub keys: Vec<VerifyKey>,
    /// What it may do in everybody's name (service accounts).
    pub delegated: Scopes,
    /// Whether it may introspect tokens: our own servers.
    pub introspects: bool,
    /// Whether an administrator has agreed.
    pub status: Status,
}

impl NewClient {
    /// A client that everybody may use, with nothing more than a name.
    pub fn new(name: impl Into<String>, kind: ClientKind) -> Self {
        Self {
            name: name.into(),
            kind,
            confidential: matches!(kind, ClientKind::Web | ClientKind::Service),
            redirects: Vec::new(),
            registered_by: "the administrator".into(),
            testers: None,
            keys: Vec::new(),
            delegated: Scopes::default(),
            introspects: false,
            status: Status::Active,
        }
    }
}

/// What of a [`NewClient`] somebody filled in wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each is the field of its name
pub enum ClientField {
    Name,
    Kind,
    Redirects,
    Testers,
    Delegated,
}

/// All clients: those of the configuration, and the rows.
pub(crate) struct Clients {
    fixed: HashMap<Arc<str>, Arc<Client>>,
    kept: RwLock<Kept>,
    watch: watch::Receiver<Version>,
}

#[derive(Default)]
struct Kept {
    version: Option<Version>,
    all: HashMap<Arc<str>, Arc<Client>>,
}

impl Clients {
    pub(crate) fn new(store: &Store, fixed: Vec<Client>) -> Result<Self> {
        let mut by_id = HashMap::new();
        for client in fixed {
            let id = Arc::clone(&client.id);
            if by_id.insert(id, Arc::new(client)).is_some() {
                return Err(IdentityError::Config("two clients of one id".into()));
            }
        }
        Ok(Self {
            fixed: by_id,
            kept: RwLock::default(),
            watch: store.account(&AccountId(ACCOUNT.into())).watch(),
        })
    }

    fn get(&self, id: &str) -> Option<Arc<Client>> {
        if let Some(client) = self.fixed.get(id) {
            return Some(Arc::clone(client));
        }
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        kept.all.get(id).cloned()
    }
}

impl Clients {
    /// Whether there is one of this kind, among those known now.
    pub(crate) fn any(&self, wanted: impl Fn(&Arc<Client>) -> bool) -> bool {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        self.fixed.values().chain(kept.all.values()).any(wanted)
    }
}

impl Identity {
    /// The client of an id.
    pub fn client(&self, id: &str) -> Option<Arc<Client>> {
        self.inner.clients.get(id)
    }

    /// Reads the registered clients anew if they changed. What comes from outside calls this before it asks for a client.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub(crate) async fn know_clients(&self) -> Result<()> {
        let clients = &self.inner.clients;
        // The version first: what changes while we read makes this stale, never wrong.
        let version = *clients.watch.borrow();
        let fresh = |kept: &Kept| kept.version == Some(version);
        if fresh(&clients.kept.read().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(());
        }
        let prefix = Kind::Client.all();
        let rows = self.client_rows().scan(&prefix, CLIENTS_MAX).await?;
        let mut all = HashMap::new();
        for (key, value) in rows {
            let id: Arc<str> = rows::id_of(&key).into();
            let client = read(&id, rows::decode(&value)?)?;
            all.insert(id, Arc::new(client));
        }
        *clients.kept.write().unwrap_or_else(PoisonError::into_inner) = Kept {
            version: Some(version),
            all,
        };
        Ok(())
    }

    /// All clients, those of the configuration first, then by the time of their registration.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn clients(&self) -> Result<Vec<Arc<Client>>> {
        self.know_clients().await?;
        let clients = &self.inner.clients;
        let kept = clients.kept.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = clients
            .fixed
            .values()
            .chain(kept.all.values())
            .cloned()
            .collect();
        drop(kept);
        all.sort_by(|a, b| (a.registered, &a.id).cmp(&(b.registered, &b.id)));
        Ok(all)
    }

    /// Registers a client: it, and its secret if it gets one, which is shown this once.
    ///
    /// # Errors
    /// [`IdentityError::BadClient`] names what cannot be; [`IdentityError::TooMany`], [`IdentityError::Store`].
    pub async fn add_client(
        &self,
        new: NewClient,
        now: Millis,
    ) -> Result<(Arc<Client>, Option<Secret>)> {
        let id = self.new_client_id();
        let secret = new.confidential.then(|| self.new_secret());
        let row = check(new, now)?;
        let row = ClientRow {
            secrets: secret
                .iter()
                .map(|secret| new_secret_row(secret, now))
                .collect(),
            ..row
        };
        let client = Arc::new(read(&id, row.clone())?);
        let (key, all) = (Kind::Client.key(&*id), Kind::Client.all());
        let add = move |rows: &mut Rows| {
            if rows.scan(&Kind::Client.all()).len() >= CLIENTS_MAX {
                return Err(IdentityError::TooMany("clients"));
            }
            rows::write(rows, &key, &row)
        };
        self.client_rows().update(&[&all], add).await?;
        let act = Act::new(Deed::AppRegistered, now).detail(format!("as {id}"));
        self.record_change(act.app(Arc::clone(&client.name)));
        Ok((client, secret))
    }

    /// Gives a client another secret. The one before goes on for `overlap`, any older ones end now.
    ///
    /// # Errors
    /// [`IdentityError::NoSuch`] registered client; [`IdentityError::BadClient`] if it has no secret.
    pub async fn rotate_client_secret(
        &self,
        id: &str,
        overlap: Duration,
        now: Millis,
    ) -> Result<Secret> {
        let secret = self.new_secret();
        let fresh = new_secret_row(&secret, now);
        self.change_client(id, move |row| {
            let newest = row
                .secrets
                .iter()
                .max_by_key(|secret| secret.created)
                .cloned();
            let mut before = newest.ok_or(bad(match row.keys.is_empty() {
                true => "this client has no secret",
                false => "this client has no secret, it has a key: rotate that",
            }))?;
            before.until = Some(now.saturating_add(millis(overlap)));
            row.secrets = vec![before, fresh.clone()];
            row.secrets
                .retain(|secret| secret.until.is_none_or(|until| until > now));
            Ok(())
        })
        .await?;
        self.know_clients().await?;
        self.record_change(Act::new(Deed::AppSecretRotated, now).app(self.app_name(id)));
        Ok(secret)
    }

    /// Lets a client that registered itself begin, after an administrator looked at it.
    ///
    /// # Errors
    /// [`IdentityError::NoSuch`], [`IdentityError::Store`].
    pub async fn approve_client(&self, id: &str) -> Result<()> {
        let approve = |row: &mut ClientRow| {
            row.status = Status::Active;
            if let Some(own) = &mut row.own {
                own.approved = true;
            }
            Ok(())
        };
        self.change_client(id, approve).await
    }

    /// Says anew what a service account may do in everybody's name. What it may do no more ends at once: tokens of these scopes
    /// open nothing from now on, and the sessions they opened are told.
    ///
    /// # Errors
    /// [`IdentityError::NoSuch`], [`IdentityError::Store`].
    pub async fn delegate(&self, id: &str, scopes: Scopes) -> Result<()> {
        self.change_client(id, move |row| {
            row.delegated = scopes.to_string();
            Ok(())
        })
        .await?;
        self.know_clients().await?;
        let app = self.app_name(id);
        let what = format!("what {app} may do in everybody’s name was taken back");
        self.announce_client(id, Some(scopes), what);
        Ok(())
    }

    /// Removes a client: its grants end for everybody, and the sessions they opened. How many grants there were.
    ///
    /// # Errors
    /// [`IdentityError::NoSuch`], [`IdentityError::Store`]; then some grants may be left, but none gives a token any more.
    pub async fn remove_client(&self, id: &str, now: Millis) -> Result<usize> {
        let key = Kind::Client.key(id);
        let prefix = key.clone();
        self.know_clients().await?;
        let name = self.app_name(id);
        let remove = move |rows: &mut Rows| {
            if rows.get(&key).is_none() {
                return Err(IdentityError::NoSuch("registered client"));
            }
            rows.delete(&key);
            Ok(())
        };
        self.client_rows().update(&[&prefix], remove).await?;
        self.record_change(Act::new(Deed::AppRemoved, now).app(Arc::clone(&name)));
        self.know_clients().await?;
        // From here on none of its tokens opens anything, so sessions are told before thousands of rows are written.
        self.announce_client(id, None, format!("the app {name} was removed"));
        self.end_all_grants(id, &name, "the program was removed", now)
            .await
    }

    /// Ends the grants of a client for everybody; how many there were. Its sessions are told by whoever calls this.
    pub(crate) async fn end_all_grants(
        &self,
        id: &str,
        name: &Arc<str>,
        why: &'static str,
        now: Millis,
    ) -> Result<usize> {
        let (mut ended, mut after) = (0, None::<String>);
        loop {
            let page = self
                .inner
                .store
                .accounts(after.as_deref(), ACCOUNTS_A_PAGE)
                .await?;
            let Some((last, _)) = page.last() else {
                return Ok(ended);
            };
            after = Some(last.clone());
            let mut ending = JoinSet::new();
            for (_, account) in page {
                if ending.len() >= ACCOUNTS_AT_ONCE {
                    ended += joined(ending.join_next().await)?;
                }
                let (identity, client, name) = (self.clone(), id.to_owned(), Arc::clone(name));
                let end = async move {
                    let ended = identity.end_grants_of(&account, client, name, why, now);
                    ended.await
                };
                ending.spawn(end);
            }
            while let Some(done) = ending.join_next().await {
                ended += joined(Some(done))?;
            }
        }
    }

    /// Its sessions were told already, all at once.
    async fn end_grants_of(
        &self,
        account: &AccountId,
        client: String,
        name: Arc<str>,
        why: &'static str,
        now: Millis,
    ) -> Result<usize> {
        let handle = self.inner.store.account(account);
        let (mut theirs, mut live) = (Vec::new(), false);
        for (key, value) in handle.scan(&Kind::Grant.all(), usize::MAX).await? {
            let grant: GrantRow = rows::decode(&value)?;
            if grant.client == client && grant.revoked.is_none() {
                live |= grant.is_live(now);
                theirs.push(key);
            }
        }
        if theirs.is_empty() {
            return Ok(0);
        }
        let keys = theirs.clone();
        let end = move |rows: &mut Rows| {
            for key in &keys {
                end_grant(rows, key, now)?;
            }
            Ok::<_, IdentityError>(())
        };
        let prefixes: Vec<&[u8]> = theirs.iter().map(AsRef::as_ref).collect();
        handle.update(&prefixes, end).await?;
        self.inner.standings.forget(account);
        if live {
            let act = Act::new(Deed::GrantEnded, now).app(name);
            self.record(account, act.detail(why));
        }
        Ok(theirs.len())
    }

    pub(crate) async fn change_client(
        &self,
        id: &str,
        change: impl Fn(&mut ClientRow) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let key = Kind::Client.key(id);
        let prefix = key.clone();
        let apply = move |rows: &mut Rows| {
            let row = rows::read::<ClientRow>(rows, &key)?;
            let mut row = row.ok_or(IdentityError::NoSuch("registered client"))?;
            change(&mut row)?;
            rows::write(rows, &key, &row)
        };
        self.client_rows().update(&[&prefix], apply).await
    }

    pub(crate) fn client_rows(&self) -> Account {
        self.inner.store.account(&AccountId(ACCOUNT.into()))
    }

    /// A first letter of our own: a hyphen there would look like an option to command lines.
    pub(crate) fn new_client_id(&self) -> Arc<str> {
        format!("app-{}", opaque::random_text(&self.inner.random, 9)).into()
    }

    pub(crate) fn new_secret(&self) -> Secret {
        Secret::new(format!(
            "pb-{}",
            opaque::random_text(&self.inner.random, 24)
        ))
    }
}

fn joined(done: Option<Result<Result<usize>, JoinError>>) -> Result<usize> {
    match done {
        None => Ok(0),
        Some(Ok(ended)) => ended,
        Some(Err(_)) => Err(IdentityError::Broken("grant")),
    }
}

pub(crate) fn new_secret_row(secret: &Secret, now: Millis) -> SecretRow {
    SecretRow {
        hash: opaque::hash(secret.expose()),
        created: now,
        until: None,
    }
}

fn bad(text: impl Into<String>) -> IdentityError {
    IdentityError::BadClient(text.into())
}

/// Letters that show nothing, or that change how what follows is shown: with them a name could look like another, or like our
/// own words around it (Unicode Technical Report 36 §2 and §3.7, by blocks).
fn is_unseen(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0e}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{ffff}'
        | '\u{e0000}'..='\u{10ffff}')
}

impl NewClient {
    /// What cannot be registered so, and why, in words for whoever filled it in.
    pub fn fault(&self) -> Option<(ClientField, IdentityError)> {
        use ClientField::{Delegated, Kind, Name, Redirects, Testers};
        let name = self.name.trim();
        if name.is_empty()
            || name.chars().count() > NAME_CHARS_MAX
            || name
                .chars()
                .any(|letter| letter.is_control() || is_unseen(letter))
        {
            let text =
                format!("a name has 1 to {NAME_CHARS_MAX} characters, all of them to be seen");
            return Some((Name, bad(text)));
        }
        if self.kind == ClientKind::Web && !self.confidential && self.keys.is_empty() {
            let text = "a program on a server proves itself with a secret or a key; one that cannot keep it is native";
            return Some((Kind, bad(text)));
        }
        let needs_redirect = matches!(self.kind, ClientKind::Native | ClientKind::Web);
        if needs_redirect == self.redirects.is_empty() {
            let text = match needs_redirect {
                true => "a redirect address is missing",
                false => {
                    "this kind of program has no redirect addresses: no browser comes back to it"
                }
            };
            return Some((Redirects, bad(text)));
        }
        if self.redirects.len() > REDIRECTS_MAX {
            return Some((Redirects, IdentityError::TooMany("redirect addresses")));
        }
        for text in &self.redirects {
            if let Err(why) = new_redirect(self.kind, text) {
                return Some((Redirects, bad(format!("redirect address {text:?}: {why}"))));
            }
        }
        let service = self.kind == ClientKind::Service;
        if !service && !self.delegated.is_empty() {
            let text = "delegation is for service accounts";
            return Some((Delegated, bad(text)));
        }
        let testers = self.testers.as_ref().map_or(0, Vec::len);
        (testers > TESTERS_MAX).then_some((Testers, IdentityError::TooMany("testers")))
    }
}

/// What is asked for, as a row without secrets.
pub(crate) fn check(new: NewClient, now: Millis) -> Result<ClientRow> {
    if let Some((_, fault)) = new.fault() {
        return Err(fault);
    }
    let name = new.name.trim();
    Ok(ClientRow {
        name: name.to_owned(),
        kind: new.kind,
        secrets: Vec::new(),
        redirects: new.redirects,
        registered_by: new.registered_by,
        registered: now,
        testers: new.testers,
        keys: new.keys,
        delegated: new.delegated.to_string(),
        introspects: new.introspects,
        status: new.status,
        administration: None,
        own: None,
    })
}

/// A redirect address that may be registered (RFC 8252 §7, RFC 9700 §2.1): `https`; `http` for loopback only; a native
/// program also a scheme of its own, which is a domain name reversed, so it has a dot.
pub(crate) fn read_redirect(kind: ClientKind, text: &str) -> Result<Url, &'static str> {
    let plain = text.len() <= REDIRECT_BYTES_MAX
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let url = plain
        .then(|| Url::parse(text).ok())
        .flatten()
        .ok_or("not an address")?;
    if text.contains('#') {
        return Err("a fragment never reaches a server");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it names a user");
    }
    if text.contains('*') {
        return Err("addresses are compared as they are: no wildcards");
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if crate::is_loopback(&url) => Ok(url),
        "http" => Err("http is for loopback addresses only"),
        scheme if kind == ClientKind::Native && scheme.contains('.') => Ok(url),
        _ if kind == ClientKind::Native => Err("a scheme of its own has a dot, as com.example.app"),
        _ => Err("https is needed"),
    }
}

/// The same for one to be registered now. It must be spelled as addresses are asked for, or nobody could ever ask for it; those kept
/// from before stay readable.
pub(crate) fn new_redirect(kind: ClientKind, text: &str) -> Result<Url, &'static str> {
    let url = read_redirect(kind, text)?;
    match Redirect::Exact(url.clone()).admits(&url, text) {
        true => Ok(url),
        false => Err(
            "it must be spelled as browsers show it: small letters in the host, no usual port, no dots as steps",
        ),
    }
}

fn read(id: &Arc<str>, row: ClientRow) -> Result<Client> {
    let redirect = |text: &String| {
        let url = read_redirect(row.kind, text).map_err(|_| IdentityError::Broken("client"))?;
        Ok(Redirect::Exact(url))
    };
    Ok(Client {
        id: Arc::clone(id),
        redirects: row.redirects.iter().map(redirect).collect::<Result<_>>()?,
        name: row.name.into(),
        kind: row.kind,
        secret: None,
        secrets: row.secrets,
        registered_by: row.registered_by.into(),
        registered: Some(row.registered),
        audience: match row.testers {
            None => Audience::Everyone,
            Some(testers) => Audience::Testing(testers.into_iter().map(Into::into).collect()),
        },
        keys: row.keys,
        delegated: Scopes::parse_known(&row.delegated),
        introspects: row.introspects,
        status: row.status,
        administration: row.administration.map(Into::into),
        own: row.own,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed unwrap is a failed test
    use super::*;

    #[test]
    fn redirects_that_may_be_registered() {
        use ClientKind::{Native, Web};
        for (kind, text, good) in [
            (Web, "https://app.example/cb", true),
            (Web, "http://localhost:3000/cb", true),
            (Web, "http://app.example/cb", false),
            (Web, "https://app.example/cb#x", false),
            (Web, "https://user@app.example/cb", false),
            (Web, "https://*.example/cb", false),
            (Web, "com.example.app:/cb", false),
            (Native, "com.example.app:/cb", true),
            (Native, "myapp:/cb", false),
            (Native, "javascript:alert(1)", false),
            (Native, "data:text/html,x", false),
            (Native, "http://127.0.0.1/", true),
            (Native, "http://[::1]/x", true),
            (Native, "http://127.0.0.2/", false),
            (Native, "https://app.example\\@evil.example/", false),
            (Native, "not an address", false),
        ] {
            assert_eq!(new_redirect(kind, text).is_ok(), good, "{kind:?} {text}");
        }
    }

    #[test]
    fn what_is_registered_can_be_asked_for() {
        for (text, good) in [
            ("https://app.example/cb", true),
            ("https://app.example", true),
            ("https://app.example:8443/cb?a=b", true),
            ("http://localhost:80/cb", true),
            ("http://127.0.0.1:4711/", true),
            ("com.example.app:/cb", true),
            ("http://127.0.0.01/", false),
            ("http://2130706433/", false),
            ("https://APP.example/cb", false),
            ("https://app.example:443/cb", false),
            ("https://app.example/a/../cb", false),
            ("https:app.example/cb", false),
            ("HTTPS://app.example/cb", false),
        ] {
            let kind = ClientKind::Native;
            let url = Url::parse(text).unwrap();
            let client = Client {
                redirects: vec![Redirect::Exact(url.clone())],
                ..Client::new("id", "name", kind, "a test")
            };
            assert_eq!(client.may_redirect_to(&url, text), good, "{text}");
            assert_eq!(new_redirect(kind, text).is_ok(), good, "{text}");
        }
    }
}
