//! Spans of time in words, for causes that people read.

/// `milliseconds` ago, in the largest unit that fits.
pub(crate) fn ago(milliseconds: i64) -> String {
    let seconds = milliseconds.max(0) / 1000;
    let (count, unit) = match seconds {
        0 => return "just now".into(),
        1..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::ago;

    #[test]
    fn the_largest_unit_that_fits() {
        assert_eq!(ago(400), "just now");
        assert_eq!(ago(59_999), "59 seconds ago");
        assert_eq!(ago(60_000), "1 minute ago");
        assert_eq!(ago(3 * 3_600_000), "3 hours ago");
        assert_eq!(ago(49 * 3_600_000), "2 days ago");
    }
}
