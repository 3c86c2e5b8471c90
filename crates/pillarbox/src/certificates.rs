//! `pillarbox client-certificate`: keys of certificates that open an account (EXTERNAL). Shapes, requests, and both sides of
//! each.

use crate::admin::answer::{account, identity};
use crate::admin::{self, limits};
use crate::commands::{Where, say, show, tell, text_of};
use crate::config::Mechanism;
use crate::failure::Failure;
use crate::house::House;
use clap::{Args, Subcommand};
use pillarbox_oauth::{ClientCertificate, Identity, Network};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io::Read;
use std::path::PathBuf;

/// The largest file that is read as a certificate, in octets: a chain of the largest.
const FILE_OCTETS_MAX: u64 = 1_024 * 1_024;

#[derive(Subcommand)]
#[command(
    after_help = "Examples:\n  pillarbox client-certificate add ada@example.org laptop.pem --name laptop\n  \
                  pillarbox client-certificate list ada@example.org"
)]
pub enum CertificateVerb {
    /// Let a certificate's key open an account
    Add(Add),
    /// Those of an account
    List {
        /// Whose
        address: String,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// End one, and the sessions it opened
    Revoke {
        /// Whose
        address: String,
        /// As listed
        id: String,
    },
}

#[derive(Args)]
pub struct Add {
    /// Whose
    pub address: String,
    /// The certificate in PEM; standard input without it
    pub file: Option<PathBuf>,
    /// What it is for
    #[arg(long, default_value = "certificate")]
    pub name: String,
    /// Only for these services: imap, pop, smtp
    #[arg(long, value_delimiter = ',', value_parser = ["imap", "pop", "smtp"])]
    pub only: Vec<String>,
    /// Only from these networks, such as 192.0.2.0/24
    #[arg(long, value_delimiter = ',')]
    pub from: Vec<Network>,
    /// Ends with the beginning of this day, UTC, such as 2027-01-01
    #[arg(long)]
    pub until: Option<jiff::civil::Date>,
}

/// What is asked of the running server.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// Register.
    Add {
        /// For whom.
        address: String,
        /// The certificate.
        pem: String,
        /// What it is for.
        name: String,
        /// Services, as on the command line; empty is all.
        only: Vec<String>,
        /// Networks; empty is from anywhere.
        from: Vec<String>,
        /// Its end, in milliseconds since 1970.
        until: Option<i64>,
    },
    /// All of an account.
    List {
        /// Whose.
        address: String,
    },
    /// End one.
    Revoke {
        /// Whose.
        address: String,
        /// Which.
        id: String,
    },
}

/// The command's side.
pub fn run(verb: CertificateVerb, server: &Where<'_>) -> Result<(), Failure> {
    let ask = |ask: Ask| server.ask(&admin::Request::Certificate { ask });
    match verb {
        CertificateVerb::Add(new) => {
            let made = ask(Ask::Add {
                pem: pem(new.file)?,
                address: new.address,
                name: new.name,
                only: new.only,
                from: new.from.iter().map(ToString::to_string).collect(),
                until: new.until.and_then(limits::midnight),
            })?;
            say(text_of(&made, "id"))?;
            match made.get("offered") == Some(&Value::Bool(true)) {
                true => Ok(()),
                false => {
                    tell("EXTERNAL is not among sign-in.mechanisms yet, so nobody is asked for it.")
                }
            }
        }
        CertificateVerb::List { address, json } => {
            let all = ask(Ask::List { address })?;
            let columns = ["id", "name", "created", "only", "from", "until"];
            show(&all, json, &columns)
        }
        CertificateVerb::Revoke { address, id } => {
            ask(Ask::Revoke { address, id })?;
            tell("Revoked, and the sessions it opened have ended.")
        }
    }
}

fn pem(file: Option<PathBuf>) -> Result<String, Failure> {
    let mut text = String::new();
    let (name, read) = match &file {
        None => {
            let stdin = std::io::stdin().lock();
            let read = stdin.take(FILE_OCTETS_MAX).read_to_string(&mut text);
            ("standard input".into(), read)
        }
        Some(path) => {
            let read = std::fs::File::open(path)
                .and_then(|file| file.take(FILE_OCTETS_MAX).read_to_string(&mut text));
            (path.display().to_string(), read)
        }
    };
    match read {
        Ok(_) => Ok(text),
        Err(error) => Err(Failure::could_not(format!(
            "{name} cannot be read: {error}"
        ))),
    }
}

/// The server's side.
pub async fn answer(ask: Ask, house: &House, actor: &Identity) -> Result<Value, Failure> {
    let now = house.clock.wall();
    match ask {
        Ask::Add {
            address,
            pem,
            name,
            only,
            from,
            until,
        } => {
            let account = account(house, &address).await?;
            let certificate = ClientCertificate::from_pem(&pem)
                .ok_or_else(|| Failure::no("this is not a certificate in PEM"))?;
            let limits = limits::read(&only, &from, until)?;
            let added = actor
                .add_certificate(&account, &certificate, &name, limits, now)
                .await;
            let id = added.map_err(|error| identity(&error))?;
            Ok(json!({"id": *id, "offered": house.config.offers(Mechanism::External)}))
        }
        Ask::List { address } => {
            let account = account(house, &address).await?;
            let all = actor.certificates(&account).await;
            let all = all.map_err(|error| identity(&error))?;
            let one = |one: &pillarbox_oauth::CertificateKey| {
                limits::limited(&one.id, &one.name, one.created, &one.limits)
            };
            Ok(all.iter().map(one).collect())
        }
        Ask::Revoke { address, id } => {
            let account = account(house, &address).await?;
            let revoked = actor.revoke_certificate(&account, &id, now).await;
            let see = || format!("pillarbox client-certificate list {address}");
            revoked
                .map(|()| Value::Null)
                .map_err(|error| identity(&error).see(see()))
        }
    }
}
