//! `pillarbox label`: which labels of a person mail programs see over IMAP (wire §3.6). Both sides of it.

use crate::admin;
use crate::commands::{Where, show, tell};
use crate::failure::Failure;
use crate::suggest;
use clap::Subcommand;
use pillarbox_oauth::{Act, Deed, Identity};
use pillarbox_store::mail::{Account, AccountId, Mailbox, Millis, Role, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Subcommand)]
#[command(after_help = "Example:\n  pillarbox label hide ada@example.org Receipts")]
pub enum LabelVerb {
    /// Those of an account
    List {
        /// Whose
        address: String,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Mail programs no longer see it over IMAP; its mail stays as it is
    Hide {
        /// Whose
        address: String,
        /// As listed
        label: String,
    },
    /// They see it again
    Show {
        /// Whose
        address: String,
        /// As listed
        label: String,
    },
}

/// What is asked of the running server.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// All.
    List,
    /// Show the label of this name, or hide it.
    Set(String, bool),
}

/// The command's side.
pub fn run(verb: LabelVerb, server: &Where<'_>) -> Result<(), Failure> {
    let ask = |address: String, ask: Ask| server.ask(&admin::Request::Label { address, ask });
    match verb {
        LabelVerb::List { address, json } => {
            let all = ask(address, Ask::List)?;
            show(&all, json, &["label", "messages", "shown"])
        }
        LabelVerb::Hide { address, label } => {
            ask(address, Ask::Set(label.clone(), false))?;
            tell(&format!("{label} is hidden from mail programs."))
        }
        LabelVerb::Show { address, label } => {
            ask(address, Ask::Set(label.clone(), true))?;
            tell(&format!("Mail programs see {label}."))
        }
    }
}

/// The server's side, for the account `id`.
pub async fn answer(
    ask: Ask,
    account: &Account,
    id: &AccountId,
    actor: &Identity,
    now: Millis,
) -> Result<Value, Failure> {
    let (_, all) = account.mailboxes().await.map_err(|error| store(&error))?;
    let (name, shown) = match ask {
        Ask::List => return Ok(all.iter().map(in_json).collect()),
        Ask::Set(name, shown) => (name, shown),
    };
    let Some(known) = all.iter().find(|one| *one.name == *name) else {
        let hint = suggest::hint(&name, all.iter().map(|one| &*one.name));
        return Err(Failure::not_found(format!("no label {name}{hint}")));
    };
    if known.role == Some(Role::Inbox) && !shown {
        return Err(Failure::no("INBOX cannot be hidden: IMAP always has it"));
    }
    let done = account.show(&name, shown).await;
    done.map_err(|error| store(&error))?;
    let what = if shown { "shown in" } else { "hidden from" };
    let act = Act::new(Deed::Changed, now);
    actor.record(id, act.detail(format!("the label {name} is {what} IMAP")));
    Ok(Value::Null)
}

fn in_json(mailbox: &Mailbox) -> Value {
    json!({"label": *mailbox.name, "messages": mailbox.messages, "shown": mailbox.visible})
}

fn store(error: &StoreError) -> Failure {
    match error {
        StoreError::NoSuchAccount | StoreError::NoSuchMailbox => {
            Failure::not_found(error.to_string())
        }
        _ => Failure::could_not(error.to_string()),
    }
}
