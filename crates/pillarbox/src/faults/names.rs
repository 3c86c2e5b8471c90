//! What a fault can be set on: `SERVICE.COMMAND`. One name for each thing a client wants, however it spells it: `login` is
//! LOGIN, AUTHENTICATE, PASS and AUTH; `fetch` is FETCH and UID FETCH; `data` is DATA and BDAT.

use crate::suggest;
use pillarbox_protocols::sessions::Protocol;
use std::fmt;

/// Where the client is talking to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "their names say it")]
pub enum Service {
    Imap,
    Pop,
    /// Submission, with TLS and with STARTTLS.
    Smtp,
    /// Mail from other servers.
    Mx,
    /// The authorization server's endpoints for programs.
    Oauth,
}

/// The moment of the greeting, before any command.
pub const CONNECT: &str = "connect";
/// The moment a client has said who it is.
pub const LOGIN: &str = "login";
/// Where a server that brings mail says for whom.
pub const RCPT: &str = "rcpt";
/// The end of a message's text, and the answer to it.
pub const MESSAGE: &str = "message";
/// The page a program sends a browser to.
pub const AUTHORIZE: &str = "authorize";

const IMAP: &[&str] = &[
    CONNECT,
    LOGIN,
    "append",
    "capability",
    "check",
    "close",
    "copy",
    "create",
    "delete",
    "enable",
    "examine",
    "expunge",
    "fetch",
    "getquota",
    "getquotaroot",
    "id",
    "idle",
    "list",
    "logout",
    "lsub",
    "move",
    "namespace",
    "noop",
    "rename",
    "search",
    "select",
    "status",
    "store",
    "subscribe",
    "unselect",
    "unsubscribe",
    "xlist",
];
const POP: &[&str] = &[
    CONNECT, LOGIN, "capa", "dele", "list", "noop", "quit", "retr", "rset", "stat", "top", "uidl",
];
const SMTP: &[&str] = &[
    CONNECT, LOGIN, "data", "ehlo", "mail", MESSAGE, "noop", "quit", RCPT, "rset", "starttls",
    "vrfy",
];
const MX: &[&str] = &[
    CONNECT, "data", "ehlo", "mail", MESSAGE, "noop", "quit", RCPT, "rset", "starttls", "vrfy",
];
/// `token` is every request to the token endpoint; those that follow it are requests with this grant.
const OAUTH: &[&str] = &[
    "token",
    "code",
    "refresh",
    "device",
    "assertion",
    "client_credentials",
    AUTHORIZE,
    "device_code",
    "discovery",
    "introspect",
    "keys",
    "par",
    "register",
    "revoke",
    "userinfo",
];

impl Service {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Imap, Self::Pop, Self::Smtp, Self::Mx, Self::Oauth];

    /// As in a target, and as in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Imap => "imap",
            Self::Pop => "pop",
            Self::Smtp => "smtp",
            Self::Mx => "mx",
            Self::Oauth => "oauth",
        }
    }

    /// Everything a fault can be set on here.
    pub fn commands(self) -> &'static [&'static str] {
        match self {
            Self::Imap => IMAP,
            Self::Pop => POP,
            Self::Smtp => SMTP,
            Self::Mx => MX,
            Self::Oauth => OAUTH,
        }
    }

    /// Whether a command of this name can tell whose it is.
    pub fn knows_whose(self, command: &str) -> bool {
        match self {
            Self::Imap | Self::Pop | Self::Smtp => command != CONNECT,
            Self::Mx => matches!(command, RCPT | "data" | MESSAGE),
            Self::Oauth => matches!(
                command,
                "token"
                    | "code"
                    | "refresh"
                    | "device"
                    | "assertion"
                    | AUTHORIZE
                    | "introspect"
                    | "revoke"
                    | "userinfo"
            ),
        }
    }

    /// The one name of a command, from what a client sends or a person types, in any case.
    pub fn command(self, word: &str) -> Option<&'static str> {
        let word = word.to_ascii_lowercase();
        let name = match (self, word.as_str()) {
            (Self::Imap, "authenticate") | (Self::Pop, "auth" | "pass") | (Self::Smtp, "auth") => {
                LOGIN
            }
            (Self::Smtp | Self::Mx, "bdat") => "data",
            (Self::Smtp | Self::Mx, "helo") => "ehlo",
            (_, other) => other,
        };
        self.commands().iter().copied().find(|known| *known == name)
    }
}

impl From<Protocol> for Service {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Imap => Self::Imap,
            Protocol::Pop3 => Self::Pop,
            Protocol::Submission => Self::Smtp,
            Protocol::Incoming => Self::Mx,
        }
    }
}

/// What a fault is set on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Which service.
    pub service: Service,
    /// One command, or all of them.
    pub command: Option<&'static str>,
}

impl Target {
    /// Reads `imap.login` or `imap.*`.
    ///
    /// # Errors
    /// A sentence with the nearest name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (service, command) = text.split_once('.').unwrap_or((text, ""));
        let found = Service::ALL
            .into_iter()
            .find(|known| known.name().eq_ignore_ascii_case(service));
        let Some(service) = found else {
            let all = Service::ALL.map(Service::name);
            let hint = suggest::hint(service, all);
            let all = all.join(", ");
            return Err(format!("no service {service}{hint} (there are {all})"));
        };
        if command == "*" {
            return Ok(Self {
                service,
                command: None,
            });
        }
        match service.command(command) {
            Some(command) => Ok(Self {
                service,
                command: Some(command),
            }),
            None => {
                let name = service.name();
                let near = suggest::nearest(command, service.commands().iter().copied());
                let hint = match near.filter(|_| !command.is_empty()) {
                    Some(near) => format!("; did you mean {name}.{near}?"),
                    None => {
                        let all = service.commands().join(", ");
                        format!(" (there are {name}.* and, behind the dot, {all})")
                    }
                };
                Err(format!("no fault can be set on {text}{hint}"))
            }
        }
    }

    /// Whether it means this command.
    pub fn covers(&self, service: Service, command: &str) -> bool {
        self.service == service && self.command.is_none_or(|own| own == command)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.service.name(), self.command.unwrap_or("*"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure is the message")]
    use super::*;

    #[test]
    fn targets_are_read_and_printed() {
        for (text, printed) in [
            ("imap.login", "imap.login"),
            ("IMAP.Authenticate", "imap.login"),
            ("pop.pass", "pop.login"),
            ("smtp.bdat", "smtp.data"),
            ("mx.*", "mx.*"),
            ("oauth.refresh", "oauth.refresh"),
        ] {
            assert_eq!(Target::parse(text).unwrap().to_string(), printed, "{text}");
        }
    }

    #[test]
    fn a_mistyped_target_suggests_the_nearest() {
        for (text, hint) in [
            ("imp.login", "did you mean imap?"),
            ("imap.logn", "did you mean imap.login?"),
            ("oauth.refesh", "did you mean oauth.refresh?"),
            ("imap", "imap.* and"),
            ("mx.login", "no fault can be set on mx.login"),
        ] {
            let said = Target::parse(text).unwrap_err();
            assert!(said.contains(hint), "{text}: {said}");
        }
    }

    #[test]
    fn lists_have_no_doubles() {
        for service in Service::ALL {
            for command in service.commands() {
                let same = service.commands().iter().filter(|other| *other == command);
                assert_eq!(same.count(), 1, "{command}");
                assert_eq!(service.command(command), Some(*command));
            }
        }
    }
}
