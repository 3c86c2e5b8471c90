//! `pillarbox app`: OAuth clients by command. Shapes, requests, and both sides of each.

use crate::clock::rfc3339;
use crate::commands::{Where, confirm, say, show, show_one, tell, text_of};
use crate::failure::Failure;
use crate::house::House;
use crate::journal::Level;
use crate::{admin, suggest};
use clap::{Args, Subcommand};
use pillarbox_oauth::{
    Act, Audience, Client, ClientKind, Deed, Identity, IdentityError, NewClient, Scope, Scopes,
    Status, TesterChange, VerifyKey,
};
use pillarbox_store::mail::Millis;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Subcommand)]
#[command(
    after_help = "Examples:\n  pillarbox app add Shop --redirect https://shop.example/cb > secret.txt\n  \
                  pillarbox app add Archive --service --delegate https://mail.google.com/ > key.json"
)]
pub enum AppVerb {
    /// Register an app; its secret or key is printed once
    Add(Add),
    /// All apps
    List {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// One app
    Show {
        /// As listed
        id: String,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Give it another secret; the one before goes on for a while
    RotateSecret {
        /// As listed
        id: String,
        /// How long the one before goes on
        #[arg(long, value_parser = crate::cli::duration, default_value = "24h", value_name = "DURATION")]
        overlap: Duration,
    },
    /// Give it another key; the one before goes on for a while
    RotateKey {
        /// As listed
        id: String,
        /// Its next public keys, PEM or JWKS; a service account without it gets a key made, which is printed once
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// How long the one before goes on
        #[arg(long, value_parser = crate::cli::duration, default_value = "24h", value_name = "DURATION")]
        overlap: Duration,
        /// Somebody else may know the one before: end it at once, and what a service account got by it
        #[arg(long, conflicts_with = "overlap")]
        leaked: bool,
    },
    /// Say who tries it out, or let everybody use it; without an option, list them
    Testers {
        /// As listed
        id: String,
        /// Let this address use it; may be given several times
        #[arg(long, value_name = "ADDRESS")]
        add: Vec<String>,
        /// Take this address off the list and end what it allowed; may be given several times
        #[arg(long, value_name = "ADDRESS")]
        remove: Vec<String>,
        /// It is tried out no longer: everybody may use it, and new refresh tokens last
        #[arg(long, conflicts_with_all = ["add", "remove"])]
        everybody: bool,
    },
    /// Let an app that registered itself begin
    Approve {
        /// As listed
        id: String,
    },
    /// Say anew what a service account may do in everybody's name
    Delegate {
        /// As listed
        id: String,
        /// Scopes; none takes all back
        scopes: Vec<String>,
    },
    /// Remove it: what it was allowed ends for everybody
    Remove {
        /// As listed
        id: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args, Serialize, Deserialize)]
pub struct Add {
    /// Its name, for people
    pub name: String,
    /// Where the browser may go after consent; may be given several times
    #[arg(long = "redirect", value_name = "URL")]
    pub redirects: Vec<String>,
    /// Runs on people's own computers and keeps no secret
    #[arg(long, group = "kind")]
    pub native: bool,
    /// Has no browser: device flow
    #[arg(long, group = "kind")]
    pub device: bool,
    /// Acts without a person: signs with a key of its own
    #[arg(long, group = "kind")]
    pub service: bool,
    /// Only this address may use it, while it is tried out; may be given several times
    #[arg(long = "tester", value_name = "ADDRESS")]
    pub testers: Vec<String>,
    /// Public keys, PEM or JWKS: it proves itself by them, not by a secret; a service account without it gets a key made
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// What a service account may do in everybody's name; may be given several times
    #[arg(long = "delegate", value_name = "SCOPE", requires = "service")]
    pub delegated: Vec<String>,
    /// A server of our own: may ask what any token is worth
    #[arg(long)]
    pub introspects: bool,
    /// What is in the file of `key`.
    #[arg(skip)]
    pub key_text: Option<String>,
    /// Who registers it, in words; None is the administrator.
    #[arg(skip)]
    pub registered_by: Option<String>,
}

/// What a program asks for, with the names by which an app is shown.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewApp {
    name: String,
    kind: Option<String>,
    #[serde(default)]
    redirects: Vec<String>,
    #[serde(default)]
    testers: Vec<String>,
    #[serde(default)]
    delegated: String,
    /// PEM or JWKS.
    keys: Option<String>,
    #[serde(default)]
    introspects: bool,
}

impl NewApp {
    /// As the command line asks for it.
    ///
    /// # Errors
    /// There is no such kind.
    pub fn read(self, registered_by: String) -> Result<Add, Failure> {
        let kind = self.kind.as_deref().unwrap_or("web");
        if !["web", "native", "device", "service"].contains(&kind) {
            let text = format!("kind {kind:?} is not web, native, device or service");
            return Err(Failure::usage(text));
        }
        Ok(Add {
            name: self.name,
            native: kind == "native",
            device: kind == "device",
            service: kind == "service",
            redirects: self.redirects,
            testers: self.testers,
            key: None,
            delegated: self
                .delegated
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
            introspects: self.introspects,
            key_text: self.keys,
            registered_by: Some(registered_by),
        })
    }
}

/// What is asked of the running server.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// Register.
    Add(Box<Add>),
    /// All.
    List,
    /// One.
    Show(String),
    /// Another secret; the one before goes on for so many seconds.
    Rotate(String, u64),
    /// Another key, as PEM or JWKS or made by the server; the one before goes on for so many seconds, or ends at
    /// once.
    RotateKey(String, Option<String>, u64),
    /// Who tries it out: whom to add, whom to remove, or everybody.
    Testers(String, Vec<String>, Vec<String>, bool),
    /// Let it begin.
    Approve(String),
    /// What it may do in everybody's name.
    Delegate(String, Vec<String>),
    /// Remove.
    Remove(String),
}

/// The command's side.
pub fn run(verb: AppVerb, server: &Where<'_>) -> Result<(), Failure> {
    let ask = |ask: Ask| server.ask(&admin::Request::App { ask });
    match verb {
        AppVerb::Add(mut new) => {
            new.key_text = new.key.take().map(|file| read_key(&file)).transpose()?;
            added(&ask(Ask::Add(Box::new(new)))?)
        }
        AppVerb::List { json } => {
            let all = ask(Ask::List)?;
            show(
                &all,
                json,
                &[
                    "id",
                    "name",
                    "kind",
                    "audience",
                    "approved",
                    "registered_by",
                    "registered",
                ],
            )
        }
        AppVerb::Show { id, json } => show_one(&ask(Ask::Show(id))?, json),
        AppVerb::RotateSecret { id, overlap } => {
            let made = ask(Ask::Rotate(id, overlap.as_secs()))?;
            let text = text_of(&made, "until");
            tell(&format!(
                "Shown this once. The secret before it is good until {text}."
            ))?;
            say(text_of(&made, "client_secret"))
        }
        AppVerb::RotateKey {
            id,
            key,
            overlap,
            leaked,
        } => {
            let key = key.map(|file| read_key(&file)).transpose()?;
            let seconds = if leaked { 0 } else { overlap.as_secs() };
            let asked = Ask::RotateKey(id.clone(), key, seconds);
            rekeyed(&id, &ask(asked)?)
        }
        AppVerb::Testers {
            id,
            add,
            remove,
            everybody,
        } => {
            if add.is_empty() && remove.is_empty() && !everybody {
                return say_testers(&ask(Ask::Show(id))?);
            }
            let removes = !remove.is_empty();
            let ended = ask(Ask::Testers(id.clone(), add, remove, everybody))?;
            let count = ended.get("grants").and_then(Value::as_u64).unwrap_or(0);
            tell(&match (everybody, removes) {
                (true, _) => format!(
                    "Everybody with an account may use {id}. Refresh tokens it is given from now on do not end after 7 days; those from before still do."
                ),
                (_, true) => format!("The list of {id} is changed; {count} grants ended."),
                _ => format!("The list of {id} is changed."),
            })
        }
        AppVerb::Approve { id } => {
            ask(Ask::Approve(id.clone()))?;
            tell(&format!("{id} may begin."))
        }
        AppVerb::Delegate { id, scopes } => {
            let none = scopes.is_empty();
            ask(Ask::Delegate(id.clone(), scopes))?;
            tell(&match none {
                true => format!("{id} may do nothing in other people's names any more."),
                false => format!(
                    "{id} may do so in everybody's name from its next token on. What it may do no more has ended."
                ),
            })
        }
        AppVerb::Remove { id, yes } => {
            if !yes {
                confirm(&format!(
                    "Remove {id}, and end what it was allowed, for everybody?"
                ))?;
            }
            let ended = ask(Ask::Remove(id.clone()))?;
            let count = ended.get("grants").and_then(Value::as_u64).unwrap_or(0);
            tell(&format!("{id} is removed; {count} grants ended."))
        }
    }
}

fn read_key(file: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(file);
    text.map_err(|error| Failure::could_not(format!("{} cannot be read: {error}", file.display())))
}

fn rekeyed(id: &str, made: &Value) -> Result<(), Failure> {
    match made.get("until").and_then(Value::as_str) {
        Some(until) => tell(&format!("The key before it is good until {until}."))?,
        None => {
            let count = made.get("grants").and_then(Value::as_u64).unwrap_or(0);
            tell(&format!(
                "The key before it opens nothing any more; {count} grants ended."
            ))?;
        }
    }
    let Some(key) = made.get("key") else {
        return tell(&format!("The new key of {id} is registered."));
    };
    tell(
        "The new key is shown this once. A secret that stood in the file before it is still good: rotate-secret makes another.",
    )?;
    say(&format!("{key:#}"))
}

fn say_testers(app: &Value) -> Result<(), Failure> {
    if text_of(app, "audience") != "testing" {
        return tell("Everybody with an account may use it.");
    }
    let all = app.get("testers").and_then(Value::as_array);
    let mut all = all.into_iter().flatten().filter_map(Value::as_str);
    all.try_for_each(say)
}

fn added(made: &Value) -> Result<(), Failure> {
    let id = text_of(made, "client_id");
    if let Some(key) = made.get("key") {
        tell(&format!(
            "Made service account {id}. Its key is shown this once:"
        ))?;
        return say(&format!("{key:#}"));
    }
    tell(&format!("Made app {id}."))?;
    match made.get("client_secret").and_then(Value::as_str) {
        Some(secret) => {
            tell("Its secret is shown this once:")?;
            say(secret)
        }
        None => say(id),
    }
}

/// The server's side.
pub async fn answer(ask: Ask, house: &House, identity: &Identity) -> Result<Value, Failure> {
    let now = house.clock.wall();
    match ask {
        Ask::Add(new) => add(*new, identity, now).await,
        Ask::List => {
            let all = identity.clients().await.map_err(|error| refused(&error))?;
            Ok(all.iter().map(|client| in_json(client)).collect())
        }
        Ask::Show(id) => Ok(in_json(&*find(house, &id).await?)),
        Ask::Rotate(id, seconds) => {
            find(house, &id).await?;
            let overlap = Duration::from_secs(seconds);
            let secret = identity.rotate_client_secret(&id, overlap, now).await;
            let secret = secret.map_err(|error| refused(&error))?;
            let until = now.saturating_add(i64::try_from(overlap.as_millis()).unwrap_or(i64::MAX));
            Ok(json!({"client_secret": secret.expose(), "until": rfc3339(until)}))
        }
        Ask::RotateKey(id, key, seconds) => {
            find(house, &id).await?;
            let keys = key.as_deref().map(VerifyKey::read_all).transpose();
            let keys = keys.map_err(|error| refused(&error))?.unwrap_or_default();
            let overlap = Duration::from_secs(seconds);
            let made = identity.rotate_client_key(&id, keys, overlap, now).await;
            let made = made.map_err(|error| refused(&error))?;
            let mut told = json!({"until": made.until.map(rfc3339), "grants": made.ended});
            if let Some(file) = made.key_file {
                told["key"] = file;
            }
            Ok(told)
        }
        Ask::Testers(id, add, remove, everybody) => {
            find(house, &id).await?;
            let change = TesterChange {
                add,
                remove,
                everybody,
            };
            let ended = identity.change_testers(&id, &change, now).await;
            ended
                .map(|count| json!({"grants": count}))
                .map_err(|error| refused(&error))
        }
        Ask::Approve(id) => {
            let client = find(house, &id).await?;
            let done = identity.approve_client(&id).await;
            done.map_err(|error| refused(&error))?;
            let act = Act::new(Deed::AppApproved, now);
            identity.record_change(act.app(client.name.clone()));
            Ok(Value::Null)
        }
        Ask::Delegate(id, scopes) => {
            let client = find(house, &id).await?;
            let scopes = read_scopes(&scopes)?;
            let done = identity.delegate(&id, scopes).await;
            done.map_err(|error| refused(&error))?;
            let act = Act::new(Deed::AppDelegated, now).app(client.name.clone());
            identity.record_change(match scopes.is_empty() {
                true => act.detail("nothing"),
                false => act.detail(scopes.to_string()),
            });
            Ok(Value::Null)
        }
        Ask::Remove(id) => {
            find(house, &id).await?;
            let ended = identity.remove_client(&id, now).await;
            ended
                .map(|count| json!({"grants": count}))
                .map_err(|error| refused(&error))
        }
    }
}

/// Forgets programs that registered themselves and that nobody used.
pub async fn forget_unused(house: &House) {
    let forgotten = house
        .identity
        .forget_unused_clients(house.clock.wall())
        .await;
    let (level, text) = match forgotten {
        Ok(names) if names.is_empty() => return,
        Ok(names) => {
            let text = format!(
                "programs that nobody used are forgotten: {}",
                names.join(", ")
            );
            (Level::Info, text)
        }
        Err(error) => (Level::Error, format!("unused programs stay: {error}")),
    };
    house.journal.note(level, "oauth", &text);
}

async fn add(new: Add, identity: &Identity, now: Millis) -> Result<Value, Failure> {
    let kind = match (new.native, new.device, new.service) {
        (true, ..) => ClientKind::Native,
        (_, true, _) => ClientKind::Device,
        (.., true) => ClientKind::Service,
        _ => ClientKind::Web,
    };
    let keys = new.key_text.as_deref().map(VerifyKey::read_all);
    let mut asked = NewClient {
        redirects: new.redirects,
        testers: (!new.testers.is_empty()).then_some(new.testers),
        keys: keys
            .transpose()
            .map_err(|error| refused(&error))?
            .unwrap_or_default(),
        delegated: read_scopes(&new.delegated)?,
        introspects: new.introspects,
        ..NewClient::new(new.name, kind)
    };
    if let Some(by) = new.registered_by {
        asked.registered_by = by;
    }
    let made = identity.enrol(asked, now).await;
    let made = made.map_err(|error| refused(&error))?;
    let mut told = json!({"client_id": *made.client.id});
    if let Some(secret) = &made.secret {
        told["client_secret"] = json!(secret.expose());
    }
    if let Some(file) = made.key_file {
        told["key"] = file;
    }
    Ok(told)
}

fn read_scopes(words: &[String]) -> Result<Scopes, Failure> {
    words.iter().try_fold(Scopes::default(), |scopes, word| {
        let scope = Scope::parse(word).ok_or_else(|| {
            let hint = suggest::hint(word, Scope::ALL.iter().map(|scope| scope.name()));
            Failure::usage(format!("there is no scope {word}{hint}"))
        })?;
        Ok(scopes.with(scope))
    })
}

async fn find(house: &House, id: &str) -> Result<std::sync::Arc<Client>, Failure> {
    let all = house
        .identity
        .clients()
        .await
        .map_err(|error| refused(&error))?;
    if let Some(found) = all.iter().find(|client| *client.id == *id) {
        return Ok(found.clone());
    }
    let hint = suggest::hint(id, all.iter().map(|client| &*client.id));
    Err(Failure::not_found(format!("no app {id}{hint}")).see("pillarbox app list"))
}

fn in_json(client: &Client) -> Value {
    let kind = match client.kind {
        ClientKind::Native => "native",
        ClientKind::Web => "web",
        ClientKind::Device => "device",
        ClientKind::Service => "service",
    };
    let (audience, testers) = match &client.audience {
        Audience::Everyone => ("everyone", Vec::new()),
        Audience::Testing(people) => ("testing", people.iter().map(ToString::to_string).collect()),
    };
    let secret = |(created, until): (i64, Option<i64>)| json!({"created": rfc3339(created), "until": until.map(rfc3339)});
    let key = |key: &VerifyKey| json!({"kid": key.kid, "algorithm": format!("{:?}", key.algorithm), "until": key.until.map(rfc3339)});
    json!({
        "id": *client.id, "name": *client.name, "kind": kind, "confidential": client.is_confidential(),
        "redirects": client.redirects.iter().map(redirect).collect::<Vec<_>>(),
        "audience": audience, "testers": testers,
        "delegated": client.delegated().to_string(),
        "secrets": client.secrets().map(secret).collect::<Vec<_>>(),
        "keys": client.keys().iter().map(key).collect::<Vec<_>>(),
        "approved": client.status == Status::Active && client.is_vetted(),
        "waiting": client.status == Status::Waiting,
        "registered_by": *client.registered_by, "registered": client.registered.map(rfc3339),
    })
}

fn redirect(redirect: &pillarbox_oauth::Redirect) -> String {
    match redirect {
        pillarbox_oauth::Redirect::Exact(url) => url.to_string(),
        pillarbox_oauth::Redirect::AnyLoopback => "any loopback address".into(),
    }
}

fn refused(error: &IdentityError) -> Failure {
    match error {
        IdentityError::NoSuch(_) => Failure::not_found(error.to_string()),
        IdentityError::BadClient(_) | IdentityError::TooMany(_) => Failure::no(error.to_string()),
        _ => Failure::could_not(error.to_string()),
    }
}
