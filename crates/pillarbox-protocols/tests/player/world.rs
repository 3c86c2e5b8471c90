//! What a script plays in: a store, people, clocks.

use super::pattern::{self, Known};
use super::{external, scram};
use base64::Engine as _;
use bytes::Bytes;
use pillarbox_oauth::{AppLimits, Client, Credential, Hashing, Identity, IdentityConfig, Mint};
use pillarbox_protocols::conversation::Now;
use pillarbox_protocols::events::{Event, Journal};
use pillarbox_protocols::sessions::{Protocol, Registry, Seat, Which};
use pillarbox_store::blob::MemoryBlobs;
use pillarbox_store::engine::{LOG_KEPT_MS, LOG_KEPT_VERSIONS, MemoryEngine};
use pillarbox_store::mail::{
    AccountId, Flags, Intake, Naming, NewMessage, PopDisposition, PopWindow, Random, Role, Rows,
    Store, StoreError, SystemFlags,
};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

/// 2026-03-02T09:15:04Z, in milliseconds.
pub const BEGIN: i64 = 1_772_442_904_000;

pub struct World {
    pub store: Store,
    pub identity: Identity,
    pub registry: Registry,
    /// Everything the journal was told.
    pub events: Arc<Mutex<Vec<Event>>>,
    people: BTreeMap<String, AccountId>,
    tokens: Mutex<BTreeMap<String, String>>,
    app_passwords: Mutex<BTreeMap<String, String>>,
    wall: i64,
    mono: Duration,
}

fn random() -> Random {
    counting(Arc::new(AtomicU64::new(1)))
}

fn counting(state: Arc<AtomicU64>) -> Random {
    Arc::new(move |bytes| {
        for byte in bytes {
            // An ordinary linear congruential generator: the same in every run.
            let next = state
                .load(Ordering::Relaxed)
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            state.store(next, Ordering::Relaxed);
            *byte = (next >> 56) as u8;
        }
    })
}

/// Making keys takes most of a second, so all worlds of a process have those of the first.
static KEYS: OnceLock<Vec<(Bytes, Bytes)>> = OnceLock::new();

async fn open_identity(store: &Store, config: IdentityConfig) -> Identity {
    let issuer = store.account(&AccountId("oauth/issuer".into()));
    if let Some(keys) = KEYS.get() {
        let put = move |rows: &mut Rows| {
            keys.iter()
                .for_each(|(key, value)| rows.put(key, value.clone()));
            Ok::<(), StoreError>(())
        };
        issuer.update(&[], put).await.unwrap();
    }
    let state = Arc::new(AtomicU64::new(1));
    let random = counting(Arc::clone(&state));
    let identity = Identity::open(store.clone(), config, random, BEGIN)
        .await
        .unwrap();
    // Whether keys were made or not: what is drawn from here on is the same in every world.
    state.store(2, Ordering::Relaxed);
    if KEYS.get().is_none() {
        let _ = KEYS.set(issuer.scan(&[], 100).await.unwrap());
    }
    identity
}

impl World {
    /// ada and bob at example.com, nothing in their mailboxes.
    pub async fn new() -> Self {
        let engine = Arc::new(MemoryEngine::new());
        let store = Store::open(engine, Arc::new(MemoryBlobs::new()), random())
            .await
            .unwrap();
        let mut config = IdentityConfig::new("https://accounts.example.com", "mail.example.com");
        config.hashing = Hashing {
            memory_kib: 64,
            passes: 1,
            parallel: 2,
        };
        config.slow_down = false;
        config.clients = Client::development();
        let identity = open_identity(&store, config).await;
        let mut world = Self {
            store,
            identity,
            registry: Registry::default(),
            events: Arc::default(),
            people: BTreeMap::new(),
            tokens: Mutex::default(),
            app_passwords: Mutex::default(),
            wall: BEGIN,
            mono: Duration::from_secs(1000),
        };
        for name in ["ada", "bob"] {
            let address = format!("{name}@example.com");
            let id = world
                .identity
                .create_person(&address, None, Naming::Gmail, BEGIN)
                .await
                .unwrap();
            world.people.insert(name.into(), id);
        }
        world
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        Now {
            wall: self.wall,
            mono: self.mono,
        }
    }

    /// The account of a person.
    pub fn account(&self, name: &str) -> Result<AccountId, String> {
        self.people
            .get(name)
            .cloned()
            .ok_or_else(|| format!("nobody is called {name}"))
    }

    /// Where every client comes from.
    pub fn peer(&self) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7))
    }

    /// A place for connection `number`; its session token is `t-NUMBER`.
    pub fn seat(&self, protocol: Protocol, number: usize) -> Seat {
        self.registry
            .connect(protocol, self.peer(), &format!("t-{number}"), self.wall)
    }

    /// A journal that keeps everything.
    pub fn journal(&self) -> Journal {
        let events = Arc::clone(&self.events);
        Arc::new(move |event| events.lock().unwrap().push(event))
    }

    /// A `given` line; see the module above.
    pub async fn given(&mut self, text: &str, block: &[String]) -> Result<(), String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["token", name, "of", person, rest @ ..] => self.token(name, person, rest).await,
            [person, "has", "in", ..] => {
                let place = text.split_once(" in ").map_or("", |(_, place)| place);
                let (place, flags) = match place.split_once(" (") {
                    Some((place, flags)) => (place, flags.trim_end_matches(')')),
                    None => (place, ""),
                };
                self.deliver(person, place, flags, &(block.join("\r\n") + "\r\n"))
                    .await
            }
            [person, "has", count, "messages" | "message", "in", ..] => {
                let place = text.split_once(" in ").map_or("", |(_, place)| place);
                for number in 1..=count.parse().map_err(|_| "not a number")? {
                    let message = format!(
                        "From: Bob <bob@example.com>\r\nTo: ada@example.com\r\nSubject: Message {number}\r\n\
                         Message-ID: <{number}.{}@example.com>\r\nDate: Mon, 2 Mar 2026 09:15:04 +0000\r\n\r\nBody {number}.\r\n",
                        place.replace(|c: char| !c.is_ascii_alphanumeric(), "-")
                    );
                    self.deliver(person, place, "", &message).await?;
                }
                Ok(())
            }
            [person, "is", "new", "with", "plain", "names"] => {
                let address = format!("{person}@example.com");
                let id = self
                    .identity
                    .create_person(&address, None, Naming::Plain, BEGIN)
                    .await
                    .map_err(|fault| fault.to_string())?;
                self.people.insert((*person).into(), id);
                Ok(())
            }
            [person, "calls", role, name] => {
                let role = match *role {
                    "trash" => Role::Trash,
                    "sent" => Role::Sent,
                    "all" => Role::All,
                    other => return Err(format!("no role {other}")),
                };
                let account = self.store.account(&self.account(person)?);
                let called = account.call_system(role, name).await;
                called.map_err(|fault| fault.to_string())
            }
            [person, "registers", "her", "certificate"] => {
                let (account, certificate) = (self.account(person)?, external::ada());
                let limits = AppLimits::default();
                let added = self
                    .identity
                    .add_certificate(&account, &certificate, "laptop", limits, self.wall)
                    .await;
                added.map(drop).map_err(|fault| fault.to_string())
            }
            [person, verb @ ("hides" | "shows"), name] => {
                let account = self.store.account(&self.account(person)?);
                let done = account.show(name, *verb == "shows").await;
                done.map_err(|fault| fault.to_string())
            }
            [person, "sets", key, values @ ..] => self.set(person, key, &values.join(" ")).await,
            _ => Err(format!("cannot give {text:?}")),
        }
    }

    async fn deliver(
        &self,
        person: &str,
        place: &str,
        flags: &str,
        message: &str,
    ) -> Result<(), String> {
        let account = self.store.account(&self.account(person)?);
        let fault = |fault: StoreError| fault.to_string();
        let place = place.trim_matches('"');
        let mailbox = match account.mailbox(place).await.map_err(fault)? {
            Some(mailbox) => mailbox,
            None => account
                .create(place, None, self.wall)
                .await
                .map_err(fault)?,
        };
        let mut intake = Intake::new(&self.store, self.wall);
        intake
            .write(Bytes::from(message.to_owned()))
            .await
            .map_err(fault)?;
        let received = intake.finish().await.map_err(fault)?;
        let mut stored = Flags::default();
        for flag in flags.split_whitespace() {
            match flag {
                "\\Seen" => stored.system.0 |= SystemFlags::SEEN,
                "\\Answered" => stored.system.0 |= SystemFlags::ANSWERED,
                "\\Flagged" => stored.system.0 |= SystemFlags::FLAGGED,
                "\\Draft" => stored.system.0 |= SystemFlags::DRAFT,
                "\\Deleted" => stored.system.0 |= SystemFlags::DELETED,
                keyword => stored.keywords.push(keyword.into()),
            }
        }
        let message = NewMessage {
            blob: received.blob,
            size: received.size,
            facts: received.facts,
            digest: received.digest,
            flags: stored,
            received: self.wall,
        };
        account.append(mailbox.id, message).await.map_err(fault)?;
        Ok(())
    }

    /// `given ada sets KEY VALUE`.
    async fn set(&self, person: &str, key: &str, value: &str) -> Result<(), String> {
        let account = self.store.account(&self.account(person)?);
        let mut settings = account
            .settings()
            .await
            .map_err(|fault| fault.to_string())?;
        match (key, value) {
            ("imap", _) => settings.imap_enabled = value == "on",
            ("suspended", _) => settings.suspended = value == "on",
            ("auto-expunge", _) => settings.auto_expunge = value == "on",
            ("pop", "off") => settings.pop_window = PopWindow::Disabled,
            ("pop", "all") => settings.pop_window = PopWindow::All,
            ("pop", "now") => settings.pop_window = PopWindow::From(self.wall),
            ("popped", "keep") => settings.pop_disposition = PopDisposition::Keep,
            ("popped", "read") => settings.pop_disposition = PopDisposition::MarkRead,
            ("popped", "archive") => settings.pop_disposition = PopDisposition::Archive,
            ("popped", "trash") => settings.pop_disposition = PopDisposition::Trash,
            ("quota", octets) => settings.quota = octets.parse().ok(),
            ("folder-limit", messages) => settings.folder_limit = messages.parse().ok(),
            _ => return Err(format!("no setting {key} {value}")),
        }
        account
            .set_settings(settings)
            .await
            .map_err(|fault| fault.to_string())
    }

    async fn token(&self, name: &str, person: &str, rest: &[&str]) -> Result<(), String> {
        let mut mint = Mint::default();
        match rest {
            [] => {}
            ["expired"] => mint.expired = true,
            ["revoked"] => mint.revoked = true,
            ["lifetime", text] => mint.lifetime = Some(duration(text)?),
            ["scope", scope] => mint.scope = Some((*scope).into()),
            _ => return Err(format!("no such token: {rest:?}")),
        }
        let account = self.account(person)?;
        let minted = self
            .identity
            .mint(&account, mint, self.wall)
            .await
            .map_err(|fault| fault.to_string())?;
        self.tokens
            .lock()
            .unwrap()
            .insert(name.into(), minted.access_token.expose().into());
        Ok(())
    }

    /// The token of a name; a person's own is made when first asked for.
    async fn token_text(&self, name: &str) -> Result<String, String> {
        let known = self.tokens.lock().unwrap().get(name).cloned();
        match known {
            Some(token) => Ok(token),
            None => {
                self.token(name, name, &[]).await?;
                Ok(self.tokens.lock().unwrap()[name].clone())
            }
        }
    }

    async fn app_password(&self, person: &str) -> Result<String, String> {
        let known = self.app_passwords.lock().unwrap().get(person).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let account = self.account(person)?;
        let made = self
            .identity
            .add_app_password(&account, "test", self.wall)
            .await;
        let (_, secret) = made.map_err(|fault| fault.to_string())?;
        self.app_passwords
            .lock()
            .unwrap()
            .insert(person.into(), secret.expose().into());
        Ok(secret.expose().into())
    }

    /// Replaces macros and remembered names in a line to be sent.
    pub async fn expand(&self, text: &str, known: &Known) -> Result<Vec<u8>, String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some((inner, after)) = pattern::base64_macro(rest) {
                out.push_str(&base64(&controls(inner)));
                rest = after;
            } else if let Some((c, count, after)) = repeat(rest) {
                out.push_str(&c.to_string().repeat(count));
                rest = after;
            } else if let Some((name, after)) = pattern::name(rest) {
                match after
                    .strip_prefix('(')
                    .and_then(|inner| inner.split_once(')'))
                {
                    Some((arguments, after)) if is_macro(name) => {
                        out.push_str(&self.macro_text(name, arguments, known).await?);
                        rest = after;
                    }
                    _ => {
                        out.push_str(
                            known
                                .0
                                .get(name)
                                .ok_or_else(|| format!("${name} was not seen yet"))?,
                        );
                        rest = after;
                    }
                }
            } else {
                out.push('$');
                rest = &rest[1..];
            }
        }
        out.push_str(rest);
        Ok(out.into_bytes())
    }

    async fn macro_text(
        &self,
        name: &str,
        arguments: &str,
        known: &Known,
    ) -> Result<String, String> {
        if scram::is_macro(name) {
            let person = arguments.split([',', '@']).next().unwrap_or_default();
            let password = self.app_password(person).await?;
            return scram::expand(name, arguments, &password, known);
        }
        let mut arguments = arguments.split(',').map(str::trim);
        let user = arguments.next().unwrap_or_default();
        let other = arguments.next();
        let person = user
            .split(['@', ':'])
            .find(|part| self.people.contains_key(*part))
            .unwrap_or(user);
        let address = if user.contains('@') {
            user.to_owned()
        } else {
            format!("{user}@example.com")
        };
        Ok(match name {
            "token" => self.token_text(other.unwrap_or(person)).await?,
            "app" => self.app_password(person).await?,
            "plain" => {
                let password = self.app_password(other.unwrap_or(person)).await?;
                base64(format!("\0{address}\0{password}").as_bytes())
            }
            "xoauth2" => {
                let token = self.token_text(other.unwrap_or(person)).await?;
                base64(format!("user={address}\x01auth=Bearer {token}\x01\x01").as_bytes())
            }
            _ => {
                let token = self.token_text(other.unwrap_or(person)).await?;
                base64(format!("n,a={address},\x01host=imap.example.com\x01port=993\x01auth=Bearer {token}\x01\x01").as_bytes())
            }
        })
    }

    /// Makes so many versions that the log of before can go, and lets it go.
    async fn forget(&self, id: &AccountId) -> Result<(), String> {
        let fault = |fault: StoreError| fault.to_string();
        let account = self.store.account(id);
        for number in 0..=LOG_KEPT_VERSIONS {
            let put = move |rows: &mut Rows| {
                rows.put(b"counted", Bytes::from(number.to_string()));
                Ok::<(), StoreError>(())
            };
            account.update(&[], put).await.map_err(fault)?;
        }
        // A second purge finds nothing more: the log is trimmed a bounded number each time.
        let later = self.wall + i64::try_from(LOG_KEPT_MS).unwrap() + 1000;
        while self.store.purge(later).await.map_err(fault)? > 0 {}
        Ok(())
    }

    /// An `@` line. `leave` is told the connection whose client hangs up.
    pub async fn act(&mut self, text: &str, leave: &mut dyn FnMut(usize)) -> Result<(), String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            [step] if step.starts_with('+') => {
                let step = duration(&step[1..])?;
                self.wall += step.as_millis() as i64;
                self.mono += step;
            }
            ["wall", step] => {
                self.wall += duration(step.trim_start_matches('+'))?.as_millis() as i64
            }
            ["mono", step] => self.mono += duration(step.trim_start_matches('+'))?,
            ["revoke", person] => {
                let which = Which::Account(self.account(person)?);
                self.registry.end(&which, "by a test");
            }
            ["forgets-certificate", person] => {
                let (account, key) = (self.account(person)?, external::ada().key().clone());
                let revoked = self
                    .identity
                    .revoke_certificate(&account, &key, self.wall)
                    .await;
                revoked.map_err(|fault| fault.to_string())?;
                let which = Which::Credential(account, Credential::Certificate(key));
                self.registry.end(&which, "by a test");
            }
            ["remove", person] => self
                .store
                .remove_account(&self.account(person)?)
                .await
                .map_err(|fault| fault.to_string())?,
            ["forget", person] => self.forget(&self.account(person)?).await?,
            ["shutdown"] => {
                self.registry.shut_down();
            }
            [leaves] if leaves.ends_with("leave") => {
                let number = leaves.trim_end_matches("leave");
                leave(if number.is_empty() {
                    1
                } else {
                    number.parse().map_err(|_| "no connection")?
                });
            }
            _ => return Err(format!("cannot do {text:?}")),
        }
        Ok(())
    }
}

fn is_macro(name: &str) -> bool {
    scram::is_macro(name) || matches!(name, "token" | "app" | "plain" | "xoauth2" | "oauthbearer")
}

/// `$x*1000`
fn repeat(rest: &str) -> Option<(char, usize, &str)> {
    let mut chars = rest.strip_prefix('$')?.chars();
    let c = chars.next()?;
    let after = chars.as_str().strip_prefix('*')?;
    let end = after
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(after.len());
    Some((c, after[..end].parse().ok()?, &after[end..]))
}

/// `^A` and `^@` as the bytes they are.
pub fn controls(text: &str) -> Vec<u8> {
    text.replace("^A", "\x01").replace("^@", "\0").into_bytes()
}

pub fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.len().saturating_sub(1));
    let number: u64 = number
        .parse()
        .map_err(|_| format!("not a duration: {text}"))?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(format!("not a duration: {text}")),
    };
    Ok(Duration::from_secs(number * seconds))
}
