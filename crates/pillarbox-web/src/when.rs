//! Moments, spans and sizes for people. Pages do not know the reader's time zone, so they say how long ago, and UTC.

use jiff::Timestamp;
use pillarbox_store::mail::Millis;

/// A moment as a page shows it.
pub(crate) struct When {
    /// For machines.
    pub iso: String,
    /// "21 Nov 2026, 14:02 UTC".
    pub full: String,
    /// "3 minutes ago", "in 2 hours".
    pub near: String,
}

impl When {
    pub(crate) fn new(at: Millis, now: Millis) -> Self {
        let stamp = Timestamp::from_millisecond(at).unwrap_or(Timestamp::MAX);
        Self {
            iso: stamp.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            full: stamp.strftime("%-d %b %Y, %H:%M UTC").to_string(),
            near: near(at.saturating_sub(now)),
        }
    }
}

/// A moment for programs (RFC 3339), as the commands print it with `--json`.
pub(crate) fn rfc3339(at: Millis) -> String {
    let stamp = Timestamp::from_millisecond(at).unwrap_or(Timestamp::MAX);
    stamp.to_string()
}

fn near(distance: Millis) -> String {
    let words = span(distance.saturating_abs());
    match distance {
        -59_999..=0 => "just now".into(),
        1..60_000 => "in less than a minute".into(),
        60_000.. => format!("in {words}"),
        _ => format!("{words} ago"),
    }
}

/// A span in its largest unit, rounded.
pub(crate) fn span(millis: Millis) -> String {
    let minutes = (millis + 30_000) / 60_000;
    let (count, unit) = match minutes {
        0 => return "less than a minute".into(),
        1..60 => (minutes, "minute"),
        60..2_880 => ((minutes + 30) / 60, "hour"),
        _ => ((minutes + 720) / 1_440, "day"),
    };
    many(usize::try_from(count).unwrap_or(usize::MAX), unit)
}

/// "1 session", "2 sessions".
pub(crate) fn many(count: usize, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}

/// A size as people say it: 3.4 MB.
pub(crate) fn size(octets: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if octets < 1_000 {
        return format!("{octets} bytes");
    }
    let mut size = octets as f64;
    let mut unit = "";
    for next in UNITS {
        if size < 999.95 && !unit.is_empty() {
            break;
        }
        (size, unit) = (size / 1_000.0, next);
    }
    format!("{size:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let when = When::new(1_795_219_200_000, 1_795_219_200_000 + 3 * 60_000);
        assert_eq!(when.iso, "2026-11-21T00:00:00Z");
        assert_eq!(when.full, "21 Nov 2026, 00:00 UTC");
        assert_eq!(when.near, "3 minutes ago");
        for (distance, text) in [
            (0, "just now"),
            (-59_999, "just now"),
            (30_000, "in less than a minute"),
            (-60_000, "1 minute ago"),
            (47 * 3_600_000, "in 47 hours"),
            (-49 * 3_600_000, "2 days ago"),
        ] {
            assert_eq!(near(distance), text, "{distance}");
        }
        let sizes = [
            0,
            999,
            1_000,
            999_949,
            999_950,
            3_400_000,
            7_000_000_000_000_000,
        ];
        let words = [
            "0 bytes",
            "999 bytes",
            "1.0 kB",
            "999.9 kB",
            "1.0 MB",
            "3.4 MB",
            "7000.0 TB",
        ];
        assert_eq!(sizes.map(size), words);
    }
}
