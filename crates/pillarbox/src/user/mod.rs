//! The commands of a user, not of an administrator: signing in, tokens for other programs, a small mail client. They speak
//! to any server over the same wire as everyone; all that is known of a running server of this machine is where it is and
//! what time it has.

mod browser;
mod compose;
mod failure;
mod login;
mod mail;
mod plain;
mod watch;

pub use login::{Login, Logout, login, logout};
pub use mail::{MailVerb, mail};

use crate::admin::Request;
use crate::commands::{Where, say};
use crate::failure::Failure;
use failure::refused;
use pillarbox_client::oauth::{Clock, Keep, system_clock};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use url::Url;

/// What a server of this machine says to whoever wants to sign in to it.
#[derive(Deserialize)]
struct Nearby {
    issuer: String,
    /// Its private authority, if it has one.
    authority: Option<PathBuf>,
    /// How far its clock was moved forward, in milliseconds.
    ahead: u64,
}

impl Nearby {
    fn find(server: &Where<'_>) -> Result<Self, Failure> {
        let answer = server.ask(&Request::Issuer)?;
        serde_json::from_value(answer).map_err(|_| {
            Failure::could_not("the server running here is of another version: name it by --server")
        })
    }
}

/// Where sign-ins are kept: `$XDG_STATE_HOME/pillarbox/sign-ins`, else `~/.local/state/pillarbox/sign-ins`.
fn keep() -> Result<Keep, Failure> {
    let set = |name: &str| {
        let value = std::env::var_os(name).filter(|value| !value.is_empty());
        value.map(PathBuf::from).filter(|path| path.is_absolute())
    };
    let state = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")));
    let state = state.ok_or_else(|| {
        Failure::could_not(
            "neither HOME nor XDG_STATE_HOME is set: no place for what a sign-in gives",
        )
    })?;
    Keep::open(state.join("pillarbox/sign-ins")).map_err(|error| refused(&error))
}

/// The clock by which an issuer's tokens end: the system's, unless it is a development server of this machine, whose
/// clock can be moved at any time. Without it a token that has ended there would look good here.
fn clock_of(issuer: &str, server: &Where<'_>) -> Clock {
    let here = Url::parse(issuer).is_ok_and(|url| pillarbox_oauth::is_loopback(&url));
    if !here {
        return system_clock();
    }
    let issuer = issuer.to_owned();
    let admin = server.admin.map(Path::to_owned);
    let config = server.config.map(Path::to_owned);
    Arc::new(move || {
        let server = Where {
            admin: admin.as_deref(),
            config: config.as_deref(),
        };
        // One that does not run any more has no time of its own.
        let nearby = Nearby::find(&server).ok();
        let nearby = nearby.filter(|nearby| nearby.issuer == issuer);
        let ahead = nearby.map_or(0, |nearby| nearby.ahead);
        SystemTime::now() + Duration::from_millis(ahead)
    })
}

/// `pillarbox token --for ADDRESS`: the token, a newline, nothing else. Who takes it cannot ask for another when it is
/// refused.
pub async fn token_for(address: String, server: &Where<'_>) -> anyhow::Result<()> {
    let keep = keep()?;
    let sign_in = keep.get(&address).map_err(|error| refused(&error))?;
    let clock = clock_of(&sign_in.issuer, server);
    let tokens = keep.tokens_of(&address).with_clock(clock);
    let token = tokens.checked().await;
    let token = token.map_err(|error| failure::of_person(&error, &address))?;
    Ok(say(token.reveal())?)
}
