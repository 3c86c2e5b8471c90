//! What the client library fails with, as one sentence and an exit status. Servers' words are cleaned: they end on a
//! terminal.

use super::plain;
use crate::failure::Failure;
use pillarbox_client::{Error, oauth};
use std::io::ErrorKind;

/// A failure of tokens or sign-ins.
pub fn refused(error: &oauth::Error) -> Failure {
    let text = plain::line(&error.to_string());
    match error {
        oauth::Error::NotSignedIn(address) => Failure::no(format!(
            "{text} here. Sign in: pillarbox login {}",
            plain::line(address)
        )),
        oauth::Error::Refused { .. } | oauth::Error::TimedOut => Failure::no(text),
        oauth::Error::Unreachable { cause, .. } => match **cause {
            Error::Tls(_) => Failure::could_not(format!(
                "{text} (a private authority is named by --ca FILE)"
            )),
            _ => Failure::could_not(text + is_it_running(cause)),
        },
        _ => Failure::could_not(text),
    }
}

/// The same, with what the person can do about it.
pub fn of_person(error: &oauth::Error, address: &str) -> Failure {
    match error {
        oauth::Error::NotSignedIn(_) => refused(error),
        _ if error.wants_a_sign_in() => Failure::no(format!(
            "the sign-in of {address} has ended ({}). Sign in again: pillarbox login {address}",
            plain::line(&error.to_string())
        )),
        _ => refused(error),
    }
}

/// A failure of mail.
pub fn of_mail(error: &Error, address: &str) -> Failure {
    if let Error::Token(cause) = error
        && let Some(cause) = cause.downcast_ref()
    {
        return of_person(cause, address);
    }
    let text = plain::line(&error.to_string());
    match error {
        Error::No { .. } | Error::Smtp { .. } | Error::SignIn(_) | Error::Argument(_) => {
            Failure::no(text)
        }
        _ => Failure::could_not(text + is_it_running(error)),
    }
}

/// What to do about a server of this computer that does not answer.
fn is_it_running(error: &Error) -> &'static str {
    match error {
        Error::Connect { address, cause }
            if cause.kind() == ErrorKind::ConnectionRefused && is_here(address) =>
        {
            ". Is the server running? Start it: pillarbox dev"
        }
        _ => "",
    }
}

fn is_here(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    ["localhost", "127.0.0.1", "[::1]"].contains(&host) || host.ends_with(".localhost")
}
