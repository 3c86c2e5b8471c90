//! How each protocol says each refusal, to be read down the columns. Where the server itself has such a refusal these
//! are its words (wire §3.3, §4.3, §5.2 to §5.4, §6): clients match on them.

use super::Kind;
use super::names::{CONNECT, LOGIN, Service};

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Lines without their ends; IMAP's without the tag, SMTP's without the session token.
    pub text: String,
    /// The connection closes behind it.
    pub closes: bool,
}

/// The refusal of a command, if the kind is one that refuses. `bearer`: a token was offered.
pub fn told(service: Service, command: &str, kind: Kind, bearer: bool, help: &str) -> Option<Told> {
    let text = match service {
        Service::Imap => imap(command, kind)?.to_owned(),
        Service::Pop => pop(command, kind, bearer)?.to_owned(),
        Service::Smtp | Service::Mx => smtp(service, command, kind, help)?,
        Service::Oauth => return None,
    };
    // RFC 5321 §3.8: 421 closes.
    let closes = command == CONNECT || text.starts_with("421");
    Some(Told { text, closes })
}

fn imap(command: &str, kind: Kind) -> Option<&'static str> {
    Some(match (command, kind) {
        (CONNECT, Kind::Refuse) => "* BYE [UNAVAILABLE] Temporary System Error",
        (CONNECT, Kind::Overquota) => {
            "* BYE [OVERQUOTA] Account exceeded command or bandwidth limits."
        }
        (CONNECT, Kind::TooManyConnections) => {
            "* BYE [ALERT] Too many simultaneous connections. (Failure)"
        }
        (LOGIN, Kind::Refuse) => "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)",
        (_, Kind::Refuse) => "NO [UNAVAILABLE] Temporary System Error (Failure)",
        (_, Kind::Overquota) => "NO [OVERQUOTA] Account exceeded command or bandwidth limits.",
        (_, Kind::TooManyConnections) => "NO [ALERT] Too many simultaneous connections. (Failure)",
        _ => return None,
    })
}

fn pop(command: &str, kind: Kind, bearer: bool) -> Option<&'static str> {
    Some(match (command, kind) {
        (LOGIN, Kind::Refuse) if bearer => "-ERR [AUTH] Invalid credentials.",
        (LOGIN, Kind::Refuse) => "-ERR [AUTH] Username and password not accepted.",
        (_, Kind::Refuse) => "-ERR [SYS/TEMP] Temporary system problem. Please try again later.",
        (_, Kind::Overquota) => "-ERR [SYS/TEMP] Account exceeded command or bandwidth limits.",
        (_, Kind::TooManyConnections) => "-ERR [SYS/TEMP] Too many simultaneous connections.",
        _ => return None,
    })
}

fn smtp(service: Service, command: &str, kind: Kind, help: &str) -> Option<String> {
    let text = match (command, kind) {
        (LOGIN, Kind::Refuse) => {
            return Some(format!(
                "535-5.7.8 Username and Password not accepted. Learn more at\n535 5.7.8 {help}?p=BadCredentials"
            ));
        }
        (LOGIN, Kind::Overquota | Kind::TooManyConnections) => {
            "454 4.7.0 Too many login attempts, please try again later."
        }
        (CONNECT, Kind::Refuse) => "421 4.3.0 Temporary System Problem. Try again later",
        (CONNECT, Kind::Overquota | Kind::TooManyConnections) => {
            "421 4.4.5 Server busy, try again later."
        }
        ("rcpt", Kind::Refuse) => {
            "550 5.1.1 The email account that you tried to reach does not exist."
        }
        (_, Kind::Refuse) => "451 4.3.0 Temporary System Problem. Try again later",
        ("rcpt", Kind::Overquota) => {
            "452 4.2.2 The email account that you tried to reach is over quota."
        }
        (_, Kind::Overquota) if service == Service::Mx => {
            "452 4.2.2 The email account that you tried to reach is over quota."
        }
        (_, Kind::Overquota) => "550 5.4.5 Daily user sending limit exceeded.",
        _ => return None,
    };
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_that_refuses_has_words_wherever_it_fits() {
        for service in [Service::Imap, Service::Pop, Service::Smtp, Service::Mx] {
            for command in service.commands() {
                for kind in [Kind::Refuse, Kind::Overquota, Kind::TooManyConnections] {
                    let told = told(service, command, kind, true, "https://help");
                    assert!(
                        told.is_some() || !kind.fits(service, command),
                        "{command} {kind}"
                    );
                }
                assert_eq!(told(service, command, Kind::Drop, true, ""), None);
            }
        }
    }
}
