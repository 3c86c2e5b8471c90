//! A value as somebody wrote it, and the ways to read it: durations and sizes carry their units.

use super::Mechanism;
use crate::suggest;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use toml::de::DeValue;

/// Name servers that can be set: whoever needs more has another fault.
const NAME_SERVERS_MAX: usize = 8;

/// A value before its option has read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Raw {
    /// Of a string, or of a variable.
    Text(String),
    /// Of a number without a unit.
    Number(u64),
    /// Of an array of strings.
    List(Vec<String>),
    /// `true` or `false`.
    Truth(bool),
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{}", quoted(text)),
            Self::Number(number) => write!(f, "{number}"),
            Self::Truth(truth) => write!(f, "{truth}"),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(|item| quoted(item)).collect();
                write!(f, "[{}]", items.join(", "))
            }
        }
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

impl Raw {
    /// A variable's text; lists are separated by commas.
    pub fn from_variable(text: &str) -> Self {
        Self::Text(text.trim().to_owned())
    }

    /// A value of the file.
    pub(super) fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        match value {
            DeValue::String(text) => Ok(Self::Text(text.to_string())),
            DeValue::Integer(number) => {
                let digits = number.as_str().replace('_', "");
                let number = u64::from_str_radix(&digits, number.radix());
                number
                    .map(Self::Number)
                    .map_err(|_| "not a number that can be used here".into())
            }
            DeValue::Array(items) => {
                let texts = items
                    .iter()
                    .map(|item| item.get_ref().as_str().map(str::to_owned));
                texts
                    .collect::<Option<_>>()
                    .map(Self::List)
                    .ok_or_else(|| "a list of strings is expected".into())
            }
            DeValue::Boolean(truth) => Ok(Self::Truth(*truth)),
            other => Err(format!("a {} is not expected here", other.type_str())),
        }
    }

    pub(super) fn text(&self) -> Result<&str, String> {
        match self {
            Self::Text(text) => Ok(text),
            _ => Err("text in quotes is expected".into()),
        }
    }

    pub(super) fn list(&self) -> Result<Vec<String>, String> {
        match self {
            Self::List(items) => Ok(items.clone()),
            Self::Text(text) => {
                let items = text
                    .split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty());
                Ok(items.map(str::to_owned).collect())
            }
            Self::Number(_) | Self::Truth(_) => Err("a list is expected".into()),
        }
    }

    pub(super) fn truth(&self) -> Result<bool, String> {
        match self {
            Self::Truth(truth) => Ok(*truth),
            // A variable's.
            Self::Text(text) if text == "true" => Ok(true),
            Self::Text(text) if text == "false" => Ok(false),
            _ => Err("true or false is expected".into()),
        }
    }

    pub(super) fn count(&self, max: u64) -> Result<usize, String> {
        let number = match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
            Self::List(_) | Self::Truth(_) => None,
        };
        let number = number.filter(|number| (1..=max).contains(number));
        number
            .and_then(|number| usize::try_from(number).ok())
            .ok_or_else(|| format!("a number from 1 to {max} is expected"))
    }

    pub(super) fn duration(&self) -> Result<Duration, String> {
        let example = || {
            "a duration with its unit is expected, as \"90s\", \"30m\", \"24h\" or \"7d\""
                .to_owned()
        };
        parse_duration(self.text().map_err(|_| example())?).ok_or_else(example)
    }

    pub(super) fn octets(&self) -> Result<u64, String> {
        let example = || "a size with its unit is expected, as \"25 MiB\" or \"64 KiB\"".to_owned();
        let text = self.text().map_err(|_| example())?;
        let (number, unit) = split_unit(text).ok_or_else(example)?;
        let factor: u64 = match unit {
            "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "kB" | "KB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            _ => return Err(example()),
        };
        number
            .checked_mul(factor)
            .filter(|octets| *octets > 0)
            .ok_or_else(example)
    }

    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T, String> {
        let text = self.text()?;
        if let Some((_, found)) = choices.iter().find(|(name, _)| *name == text) {
            return Ok(*found);
        }
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        let hint = suggest::hint(text, names.iter().copied());
        Err(format!("one of {} is expected{hint}", names.join(", ")))
    }

    pub(super) fn mechanisms(&self) -> Result<Vec<Mechanism>, String> {
        const NAMES: [(&str, Mechanism); 7] = [
            ("XOAUTH2", Mechanism::XOAuth2),
            ("OAUTHBEARER", Mechanism::OAuthBearer),
            ("PLAIN", Mechanism::Plain),
            ("LOGIN", Mechanism::Login),
            ("SCRAM-SHA-256", Mechanism::ScramSha256),
            ("SCRAM-SHA-256-PLUS", Mechanism::ScramSha256Plus),
            ("EXTERNAL", Mechanism::External),
        ];
        self.list()?
            .into_iter()
            .map(|name| Self::Text(name.to_ascii_uppercase()).choice(&NAMES))
            .collect()
    }

    /// Addresses, with or without a port.
    pub(super) fn name_servers(&self) -> Result<Vec<SocketAddr>, String> {
        let list = self.list()?;
        if list.len() > NAME_SERVERS_MAX {
            return Err(format!("at most {NAME_SERVERS_MAX} are expected"));
        }
        let read = |item: String| {
            let plain = item.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53));
            plain.or_else(|_| item.parse()).map_err(|_| {
                format!("{item} is not an address; write \"192.0.2.53\" or \"127.0.0.1:5353\"")
            })
        };
        list.into_iter().map(read).collect()
    }

    /// Addresses, each with an optional word behind a slash.
    pub(super) fn addresses(&self) -> Result<Vec<(SocketAddr, Option<String>)>, String> {
        let read = |item: String| {
            let (address, word) = match item.split_once('/') {
                Some((address, word)) => (address, Some(word.to_owned())),
                None => (item.as_str(), None),
            };
            let address = address.parse().map_err(|_| {
                format!("{item} is not an address with a port; write \"[::]:993\", \"127.0.0.1:993\" or \"[::1]:993\"")
            })?;
            Ok((address, word))
        };
        self.list()?.into_iter().map(read).collect()
    }
}

/// "90s", "30m", "24h", "7d", and several in a row: "1h30m".
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut seconds: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let letters = rest
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        let factor = match &rest[..letters] {
            "s" | "sec" => 1,
            "m" | "min" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 7 * 86_400,
            _ => return None,
        };
        seconds = seconds.checked_add(number.checked_mul(factor)?)?;
        rest = rest[letters..].trim_start();
    }
    // A hundred years is for ever; beyond it sums with the present overflow somewhere.
    (1..=100 * 365 * 86_400)
        .contains(&seconds)
        .then(|| Duration::from_secs(seconds))
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    Some((text[..digits].parse().ok()?, text[digits..].trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_units() {
        assert_eq!(parse_duration("24h"), Some(Duration::from_secs(86_400)));
        assert_eq!(parse_duration("1h30m"), Some(Duration::from_secs(5_400)));
        for wrong in [
            "",
            "60",
            "1x",
            "-1h",
            "0s",
            "99999999999999999999h",
            "1000000000d",
        ] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes_need_units() {
        let size = |text: &str| Raw::Text(text.into()).octets().ok();
        assert_eq!(size("25 MiB"), Some(25 << 20));
        assert_eq!(size("25MiB"), Some(25 << 20));
        assert_eq!(
            (size("25"), size("0 MiB"), size("99999999999 GiB")),
            (None, None, None)
        );
    }
}
