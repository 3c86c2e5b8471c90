//! The limits of an app password between the command line, the socket and the identity floor.

use crate::clock::rfc3339;
use crate::failure::Failure;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use pillarbox_oauth::{AppLimits, AppPassword, Network, Service};
use serde_json::{Value, json};

const SERVICES: [(Service, &str); 3] = [
    (Service::Imap, "imap"),
    (Service::Pop3, "pop"),
    (Service::Submission, "smtp"),
];

/// The beginning of a day, UTC, in milliseconds.
pub fn midnight(day: Date) -> Option<i64> {
    let moment = day.to_zoned(TimeZone::UTC).ok()?;
    Some(moment.timestamp().as_millisecond())
}

/// What a request asks for.
pub fn read(only: &[String], from: &[String], until: Option<i64>) -> Result<AppLimits, Failure> {
    let service = |name: &String| {
        let found = SERVICES.iter().find(|(_, known)| known == name);
        found
            .map(|(service, _)| *service)
            .ok_or_else(|| Failure::no(format!("{name} is not imap, pop or smtp")))
    };
    let network = |text: &String| {
        text.parse::<Network>()
            .map_err(|fault| Failure::no(format!("{text}: {fault}")))
    };
    Ok(AppLimits {
        only: only.iter().map(service).collect::<Result<_, _>>()?,
        from: from.iter().map(network).collect::<Result<_, _>>()?,
        until,
    })
}

/// An app password as listed.
pub fn show(one: &AppPassword) -> Value {
    limited(&one.id, &one.name, one.created, &one.limits)
}

/// Something with limits as listed.
pub fn limited(id: &str, name: &str, created: i64, limits: &AppLimits) -> Value {
    let named = SERVICES.iter().filter(|(s, _)| limits.only.contains(s));
    let only: Vec<&str> = named.map(|(_, name)| *name).collect();
    let from: Vec<String> = limits.from.iter().map(Network::to_string).collect();
    let text = |words: String| Some(words).filter(|words| !words.is_empty());
    json!({
        "id": id, "name": name, "created": rfc3339(created),
        "only": text(only.join(",")), "from": text(from.join(",")), "until": limits.until.map(rfc3339),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed unwrap is the failed test
    use super::*;

    #[test]
    fn limits_are_read() {
        let day = midnight("2027-01-01".parse().unwrap());
        assert_eq!(day, Some(1_798_761_600_000));
        let words = |text: &str| vec![text.to_owned()];
        let limits = read(&words("smtp"), &words("192.0.2.0/24"), day).unwrap();
        assert_eq!(limits.only, [Service::Submission]);
        assert!(limits.from[0].contains([192, 0, 2, 7].into()));
        assert!(read(&words("ftp"), &[], None).is_err());
        assert!(read(&[], &words("192.0.2.1/24"), None).is_err());
    }
}
