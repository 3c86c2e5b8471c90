//! Who wants to sign in, read off a client's line as soon as it says so. Nothing is checked here.

use super::names::Service;
use pillarbox_wire::sasl::scram::ChannelBindings;
use pillarbox_wire::sasl::{self, Exchange, Mechanism, Step};
use pillarbox_wire::{imap, pop3, smtp};

/// In front of a POP user name: all mail of the last 30 days (wire §4.4).
const RECENT: &str = "recent:";

/// What a command has to do with signing in.
pub enum Login {
    /// Everything is said.
    Complete(Offer),
    /// The client waits to be asked for more.
    Begun(Exchange),
    /// POP's USER: the password follows.
    Named(String),
}

/// Credentials as offered, less the secret.
pub struct Offer {
    /// The user name; None where it cannot be read, or a token alone names its mailbox.
    pub user: Option<String>,
    /// The exchange it came by; LOGIN and PASS have none.
    pub exchange: Option<Exchange>,
}

/// What a line means for signing in; None if nothing, or if the conversation will call it malformed.
pub fn read(
    service: Service,
    line: &[u8],
    named: Option<&str>,
    bindings: &ChannelBindings,
) -> Option<Login> {
    let by_exchange = |mechanism: &str, initial: Option<&[u8]>| {
        let offer = sasl::Offer {
            bindings: bindings.clone(),
            ..sasl::Offer::default()
        };
        let (exchange, step) = Exchange::start_bound(Mechanism::parse(mechanism)?, initial, offer);
        go_on(exchange, step)
    };
    let line = line.trim_ascii_end();
    match service {
        Service::Imap => by_imap(line, by_exchange),
        Service::Pop => match pop3::Command::parse(line).ok()? {
            pop3::Command::User(user) => Some(Login::Named(user)),
            pop3::Command::Pass(_) => Some(Login::Complete(Offer {
                user: named.map(plain),
                exchange: None,
            })),
            pop3::Command::Auth {
                mechanism: Some(mechanism),
                initial,
            } => by_exchange(
                &mechanism,
                initial.as_ref().map(|text| text.reveal().as_bytes()),
            ),
            _ => None,
        },
        Service::Smtp => match smtp::Command::parse(line).ok()? {
            smtp::Command::Auth { mechanism, initial } => by_exchange(
                &mechanism,
                initial.as_ref().map(|text| text.reveal().as_bytes()),
            ),
            _ => None,
        },
        Service::Mx | Service::Oauth => None,
    }
}

fn by_imap(
    line: &[u8],
    by_exchange: impl FnOnce(&str, Option<&[u8]>) -> Option<Login>,
) -> Option<Login> {
    let Ok(command) = imap::parse(line, false) else {
        // LOGIN with literals: its name is not here yet.
        let name = line.split(|octet| *octet == b' ').nth(1)?;
        return name
            .eq_ignore_ascii_case(b"LOGIN")
            .then_some(Login::Complete(Offer {
                user: None,
                exchange: None,
            }));
    };
    match command.body {
        imap::Body::Login { user, .. } => Some(Login::Complete(Offer {
            user: Some(user),
            exchange: None,
        })),
        imap::Body::Authenticate(command) => {
            let initial = command.initial.as_ref().map(|text| match text.expose() {
                b"" => b"=".as_slice(),
                text => text,
            });
            by_exchange(&command.mechanism, initial)
        }
        _ => None,
    }
}

/// Where an exchange stands after a step; None if it is over.
pub fn go_on(exchange: Exchange, step: Step) -> Option<Login> {
    match step {
        Step::Challenge(_) => Some(Login::Begun(exchange)),
        Step::Check(credentials) => {
            // A token alone may name its mailbox; SCRAM says who it is in its first message, and is refused right there.
            let user = Some(credentials.user()).filter(|user| !user.is_empty());
            Some(Login::Complete(Offer {
                user: user.map(plain),
                exchange: Some(exchange),
            }))
        }
        Step::Done | Step::Fail(_) => None,
    }
}

fn plain(user: &str) -> String {
    user.strip_prefix(RECENT).unwrap_or(user).to_owned()
}
