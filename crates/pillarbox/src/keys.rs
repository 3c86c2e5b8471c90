//! `pillarbox key`: the keys this server signs with, by command and on schedule. Rules live in the identity floor; this calls
//! it, writes down what was done, and ends the sessions of tokens that a withdrawn key signed.

use crate::admin;
use crate::clock::rfc3339;
use crate::commands::{Where, confirm, say, show, tell};
use crate::failure::Failure;
use crate::house::House;
use crate::journal::Level;
use clap::Subcommand;
use pillarbox_oauth::{Identity, IdentityError, KeyChange, KeyState, Rotate, ServerKey};
use pillarbox_protocols::sessions::Which;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// Why the sessions end that such tokens opened.
const WITHDRAWN: &str = "the key that signed its token was withdrawn";

#[derive(Subcommand)]
#[command(
    after_help = "Keys are replaced every 90 days by themselves.\n\nExamples:\n  pillarbox key list\n  \
                  pillarbox key rotate --leaked      nothing that the old keys signed is good any more"
)]
pub enum KeyVerb {
    /// The keys that sign tokens, now and next
    List {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Make new ones: published today, they sign from tomorrow on
    Rotate {
        /// Somebody else may know the old ones: replace them at once, and end every session that a token opened
        #[arg(long)]
        leaked: bool,
        /// Do not ask
        #[arg(long, requires = "leaked")]
        yes: bool,
    },
}

/// What is asked of the running server.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// All.
    List,
    /// New ones; true: at once.
    Rotate(bool),
}

/// The command's side.
pub fn run(verb: KeyVerb, server: &Where<'_>) -> Result<(), Failure> {
    let ask = |ask: Ask| server.ask(&admin::Request::Key { ask });
    match verb {
        KeyVerb::List { json } => {
            let columns = [
                "id",
                "algorithm",
                "purpose",
                "state",
                "created",
                "signs",
                "ends",
            ];
            show(&ask(Ask::List)?, json, &columns)
        }
        KeyVerb::Rotate { leaked, yes } => {
            if leaked && !yes {
                confirm("End every session that a token opened, for everybody?")?;
            }
            let done = ask(Ask::Rotate(leaked))?;
            let lines: Vec<&str> = done
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            if lines.is_empty() {
                return tell("New keys are announced already; see: pillarbox key list");
            }
            say(&lines.join("\n"))
        }
    }
}

/// The server's side, for who asks.
pub async fn answer(ask: Ask, house: &House, actor: &Identity) -> Result<Value, Failure> {
    let now = house.clock.wall();
    match ask {
        Ask::List => {
            let keys = house.identity.server_keys(now).await;
            let keys = keys.map_err(|error| refused(&error))?;
            Ok(keys.iter().map(in_json).collect())
        }
        Ask::Rotate(leaked) => {
            let rotate = match leaked {
                true => Rotate::AtOnce,
                false => Rotate::Announced,
            };
            let changes = actor.rotate_keys(rotate, now).await;
            let changes = changes.map_err(|error| refused(&error))?;
            Ok(note(house, &changes).into())
        }
    }
}

/// What the schedule asks for, now.
pub async fn keep(house: &House) {
    match house.identity.keep_keys(house.clock.wall()).await {
        Ok(changes) => drop(note(house, &changes)),
        Err(error) => {
            let text = format!("signing keys cannot be rotated, the old ones go on: {error}");
            house.journal.note(Level::Error, "keys", &text);
        }
    }
}

/// Ends what tokens of withdrawn keys opened; runs for ever.
pub async fn end_withdrawn(house: Arc<House>) {
    let mut withdrawn = house.identity.keys_withdrawn();
    while withdrawn.changed().await.is_ok() {
        let ended = house.registry.end(&Which::Tokens, WITHDRAWN);
        let text =
            format!("withdrawn: {ended} mail sessions ended, their tokens are not good any more");
        house.journal.note(Level::Warn, "keys", &text);
    }
}

fn note(house: &House, changes: &[KeyChange]) -> Vec<String> {
    let now = house.clock.wall();
    let text = |change: &KeyChange| match change {
        KeyChange::Made(id, purpose, signs) if *signs <= now => {
            format!("new key {id} signs {purpose} from now on")
        }
        KeyChange::Made(id, purpose, signs) => {
            let signs = house.clock.date_time(*signs);
            format!("new key {id} is published, and signs {purpose} from {signs} on")
        }
        KeyChange::Deleted(id, purpose) => format!("key {id} of {purpose} is deleted"),
    };
    let lines: Vec<String> = changes.iter().map(text).collect();
    for line in &lines {
        house.journal.note(Level::Info, "keys", line);
    }
    lines
}

fn in_json(key: &ServerKey) -> Value {
    let state = match key.state {
        KeyState::Announced => "announced",
        KeyState::Signing => "signs",
        KeyState::Replaced => "replaced",
        KeyState::Marking => "stays",
    };
    json!({
        "id": *key.id, "algorithm": key.algorithm, "purpose": key.purpose, "state": state,
        "created": rfc3339(key.created), "signs": rfc3339(key.signs), "ends": key.ends.map(rfc3339),
    })
}

fn refused(error: &IdentityError) -> Failure {
    Failure::could_not(error.to_string())
}
