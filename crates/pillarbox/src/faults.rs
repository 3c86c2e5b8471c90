//! Faults on purpose, for developers whose clients should be seen to survive them: a table of rules, each of which says
//! what goes wrong (`overquota`), where (`imap.login`), for whom and how often. Development servers only: `serve` makes
//! none of what is in here.
//!
//! This file is the table alone, without clock, randomness or sockets. [`faulty`] puts the faults into mail
//! conversations and [`pages`] into the endpoints of the authorization server; the floors below know nothing of it.

mod cutter;
pub mod faulty;
mod live;
mod login;
pub mod names;
pub mod pages;
mod words;

pub use live::{Asked, Faults};

use crate::suggest;
use names::{AUTHORIZE, CONNECT, LOGIN, Service, Target};
use pillarbox_store::mail::Millis;
use std::fmt;
use std::time::Duration;

/// Rules at a time; spent ones make room.
const RULES_MAX: usize = 100;
/// Longest delay, and latest end of a session: a day is longer than any session.
const DURATION_MAX: Duration = Duration::from_secs(86_400);

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The ordinary refusal of that command.
    Refuse,
    /// Gmail's words for too much traffic (wire §6).
    Overquota,
    /// Gmail's words for too many sessions (wire §3.3).
    TooManyConnections,
    /// The command waits so long before it is looked at.
    Delay(Duration),
    /// The connection closes without a word.
    Drop,
    /// The answer comes at so many octets a second.
    Throttle(u32),
    /// The session ends so long after the command, in the words of the protocol.
    Expired(Duration),
    /// Half of the answer, then the connection closes.
    Half,
    /// The token endpoint: `invalid_grant`, the token was revoked.
    Revoked,
    /// The token endpoint: `invalid_grant`, for no stated reason.
    InvalidGrant,
    /// The authorization endpoint sends the browser back with this error (RFC 6749 §4.1.2.1).
    ServerError,
    /// The same, with this one.
    TemporarilyUnavailable,
    /// HTTP 500 or 503.
    Status(u16),
}

/// Every kind, with what stands behind it on the command line.
const KINDS: [(&str, &str); 14] = [
    ("refuse", ""),
    ("overquota", ""),
    ("too-many-connections", ""),
    ("delay", "DURATION"),
    ("drop", ""),
    ("throttle", "OCTETS-PER-SECOND"),
    ("expired", "DURATION"),
    ("half", ""),
    ("revoked", ""),
    ("invalid_grant", ""),
    ("server_error", ""),
    ("temporarily_unavailable", ""),
    ("500", ""),
    ("503", ""),
];

/// Every kind, with what its value is if it needs one.
pub fn kinds() -> Vec<(&'static str, &'static str)> {
    KINDS.into()
}

impl Kind {
    /// Reads a kind with its value.
    ///
    /// # Errors
    /// A sentence with the nearest name, or with what the value should be.
    pub fn parse(name: &str, value: Option<&str>) -> Result<Self, String> {
        let canonical = name.to_ascii_lowercase();
        let Some((name, wants)) = KINDS.into_iter().find(|(known, _)| *known == canonical) else {
            let all = KINDS.map(|(name, _)| name);
            let hint = suggest::hint(name, all);
            let all = all.join(", ");
            return Err(format!(
                "no kind of fault is called {name}{hint} (there are {all})"
            ));
        };
        let example = match wants {
            "DURATION" => "as 500ms, 5s or 1m",
            _ => "as 1000",
        };
        let value = match (wants, value) {
            ("", None) => "",
            ("", Some(value)) => return Err(format!("{name} takes no value, so what is {value}?")),
            (_, Some(value)) => value,
            (wants, None) => return Err(format!("{name} needs a value: {wants}, {example}")),
        };
        let bad = || format!("{value} is no {wants} for {name}; write it {example}");
        Ok(match name {
            "refuse" => Self::Refuse,
            "overquota" => Self::Overquota,
            "too-many-connections" => Self::TooManyConnections,
            "delay" => Self::Delay(duration(value).ok_or_else(bad)?),
            "drop" => Self::Drop,
            "throttle" => {
                let rate = value.parse().ok().filter(|rate| *rate > 0);
                Self::Throttle(rate.ok_or_else(bad)?)
            }
            "expired" => Self::Expired(duration(value).ok_or_else(bad)?),
            "half" => Self::Half,
            "revoked" => Self::Revoked,
            "server_error" => Self::ServerError,
            "temporarily_unavailable" => Self::TemporarilyUnavailable,
            "500" => Self::Status(500),
            "503" => Self::Status(503),
            _ => Self::InvalidGrant,
        })
    }

    /// Whether this can happen to that command.
    pub fn fits(self, service: Service, command: &str) -> bool {
        let oauth = service == Service::Oauth;
        match self {
            Self::Refuse | Self::Delay(_) | Self::Drop | Self::Throttle(_) | Self::Half => true,
            Self::Overquota => !oauth,
            Self::TooManyConnections => !oauth && matches!(command, CONNECT | LOGIN),
            Self::Expired(_) => matches!(service, Service::Imap | Service::Pop | Service::Smtp),
            Self::Revoked | Self::InvalidGrant => {
                let of_tokens = ["token", "code", "refresh", "device", "assertion"];
                oauth && of_tokens.contains(&command)
            }
            Self::ServerError | Self::TemporarilyUnavailable => oauth && command == AUTHORIZE,
            Self::Status(_) => oauth,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refuse => f.write_str("refuse"),
            Self::Overquota => f.write_str("overquota"),
            Self::TooManyConnections => f.write_str("too-many-connections"),
            Self::Delay(by) => write!(f, "delay {by:?}"),
            Self::Drop => f.write_str("drop"),
            Self::Throttle(rate) => write!(f, "throttle {rate}"),
            Self::Expired(after) => write!(f, "expired {after:?}"),
            Self::Half => f.write_str("half"),
            Self::Revoked => f.write_str("revoked"),
            Self::InvalidGrant => f.write_str("invalid_grant"),
            Self::ServerError => f.write_str("server_error"),
            Self::TemporarilyUnavailable => f.write_str("temporarily_unavailable"),
            Self::Status(status) => write!(f, "{status}"),
        }
    }
}

/// `500ms`, or what configuration takes: a client's patience is often shorter than a second.
pub fn duration(text: &str) -> Option<Duration> {
    let millis = text.strip_suffix("ms").map(|number| {
        let number: u64 = number.trim().parse().ok()?;
        Some(Duration::from_millis(number))
    });
    let found = match millis {
        Some(found) => found,
        None => crate::config::parse_duration(text),
    };
    found.filter(|found| !found.is_zero() && *found <= DURATION_MAX)
}

/// A rule as somebody wants it.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Where.
    pub target: Target,
    /// What.
    pub kind: Kind,
    /// How often; None is until it is cleared.
    pub times: Option<u32>,
    /// Whose sessions only.
    pub account: Option<String>,
    /// Of the commands it could hit it hits this part: above 0, at most 1.
    pub probability: f64,
    /// Not before this moment of the wall clock.
    pub not_before: Millis,
}

impl Wanted {
    /// Whether the parts go together.
    ///
    /// # Errors
    /// A sentence.
    pub fn check(&self) -> Result<(), String> {
        let Target { service, command } = self.target;
        let kind = self.kind;
        let meant = |one: &&&str| command.is_none_or(|own| own == **one);
        let hits = service.commands().iter().filter(meant).copied();
        let hits: Vec<_> = hits.filter(|one| kind.fits(service, one)).collect();
        if hits.is_empty() {
            let target = self.target;
            let instead = match kind {
                Kind::TooManyConnections => "it happens at connect and login",
                Kind::Revoked | Kind::InvalidGrant => "try oauth.token or oauth.refresh",
                Kind::ServerError | Kind::TemporarilyUnavailable => {
                    "try oauth.authorize, or 500 and 503"
                }
                Kind::Status(_) => "HTTP statuses are for oauth",
                Kind::Expired(_) => "sessions of imap, pop and smtp expire",
                _ => "there are no words for it",
            };
            return Err(format!("{kind} cannot happen to {target}: {instead}"));
        }
        if self.account.is_some() && !hits.iter().any(|one| service.knows_whose(one)) {
            let target = self.target;
            let why = match service {
                Service::Mx => "mail that comes in says for whom at rcpt, data and message",
                Service::Oauth => {
                    "a person is known at authorize, token, code, refresh, device, assertion, revoke, introspect and userinfo"
                }
                _ => "nobody has signed in yet",
            };
            return Err(format!("{target} cannot be for one account only: {why}"));
        }
        if self.times == Some(0) {
            return Err("0 times would never happen".into());
        }
        if !(self.probability > 0.0 && self.probability <= 1.0) {
            return Err("a probability is above 0 and at most 1".into());
        }
        Ok(())
    }
}

/// A rule in the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// For `fault clear`.
    pub id: u64,
    /// As it was set; `times` counts down.
    pub wanted: Wanted,
    /// How often it has happened.
    pub struck: u64,
}

/// A command about to be looked at.
#[derive(Clone, Copy, Debug)]
pub struct Occasion<'a> {
    /// Where.
    pub service: Service,
    /// All names it goes by: a refresh is also a request for a token.
    pub commands: &'a [&'static str],
    /// Who is signed in, or wants to be; for whom a message is.
    pub accounts: &'a [String],
    /// The wall clock.
    pub now: Millis,
}

/// A rule that matched: this goes wrong now.
#[derive(Clone, Debug, PartialEq)]
pub struct Strike {
    /// The rule's number: what it holds is released when it is gone.
    pub rule: u64,
    /// What goes wrong.
    pub kind: Kind,
    /// "imap.login overquota, 0 times left", for the log.
    pub text: String,
}

/// The table. Rules are asked in the order in which they were set; the first that matches strikes.
#[derive(Debug, Default)]
pub struct Rules {
    last_id: u64,
    rules: Vec<Rule>,
}

impl Rules {
    /// Adds a rule, in place of one for the same kind, target and account.
    ///
    /// # Errors
    /// A sentence: the parts do not go together, or there are too many rules.
    pub fn set(&mut self, wanted: Wanted) -> Result<&Rule, String> {
        wanted.check()?;
        let same = |rule: &Rule| {
            let old = &rule.wanted;
            let same_kind =
                std::mem::discriminant(&old.kind) == std::mem::discriminant(&wanted.kind);
            old.target == wanted.target && old.account == wanted.account && same_kind
        };
        self.rules.retain(|rule| !same(rule));
        if self.rules.len() >= RULES_MAX {
            self.rules.retain(|rule| rule.wanted.times != Some(0));
        }
        if self.rules.len() >= RULES_MAX {
            return Err(format!("{RULES_MAX} faults are set already; clear some"));
        }
        self.last_id += 1;
        self.rules.push(Rule {
            id: self.last_id,
            wanted,
            struck: 0,
        });
        // It was pushed one line above.
        self.rules.last().ok_or_else(String::new)
    }

    /// In the order in which they are asked.
    pub fn list(&self) -> &[Rule] {
        &self.rules
    }

    /// Removes those that are meant; how many there were.
    pub fn clear(&mut self, meant: impl Fn(&Rule) -> bool) -> usize {
        let before = self.rules.len();
        self.rules.retain(|rule| !meant(rule));
        before - self.rules.len()
    }

    /// Whether something goes wrong now. `chance` draws a number from 0 up to but not including 1; it is asked only for
    /// rules that have a probability.
    pub fn strike(
        &mut self,
        occasion: &Occasion<'_>,
        mut chance: impl FnMut() -> f64,
    ) -> Option<Strike> {
        for rule in &mut self.rules {
            let Some(command) = rule.hits(occasion) else {
                continue;
            };
            let wanted = &mut rule.wanted;
            if wanted.probability < 1.0 && chance() >= wanted.probability {
                continue;
            }
            rule.struck += 1;
            let left = wanted.times.as_mut().map(|times| {
                *times -= 1; // a rule that hits has some left
                match *times {
                    1 => ", 1 time left".to_owned(),
                    left => format!(", {left} times left"),
                }
            });
            let (service, kind) = (occasion.service.name(), wanted.kind);
            let left = left.unwrap_or_default();
            return Some(Strike {
                rule: rule.id,
                kind,
                text: format!("{service}.{command} {kind}{left}"),
            });
        }
        None
    }
}

impl Rule {
    /// The command it would strike, if it would.
    fn hits(&self, occasion: &Occasion<'_>) -> Option<&'static str> {
        let wanted = &self.wanted;
        let spent = wanted.times == Some(0);
        let theirs = wanted.account.as_ref().is_none_or(|own| {
            let mut accounts = occasion.accounts.iter();
            accounts.any(|other| own.eq_ignore_ascii_case(other))
        });
        if spent || !theirs || occasion.now < wanted.not_before {
            return None;
        }
        let service = occasion.service;
        let hit = |command: &&'static str| {
            wanted.target.covers(service, command) && wanted.kind.fits(service, command)
        };
        occasion
            .commands
            .iter()
            .copied()
            .find(|command| hit(command))
    }
}

#[cfg(test)]
mod tests;
