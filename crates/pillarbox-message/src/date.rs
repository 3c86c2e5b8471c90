//! Dates of header fields (RFC 5322 §3.3, §4.3): read with patience. Printing dates belongs to those who write mail.

/// A date and the zone it was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// Seconds since 1970-01-01T00:00:00Z; negative before.
    pub unix: i64,
    /// Minutes east of UTC.
    pub zone_minutes: i16,
}

impl Date {
    /// Days since 1970-01-01 by the calendar of the writer: what SENTON compares (RFC 3501 §6.4.4, "disregarding time and
    /// timezone").
    pub fn local_day(&self) -> i64 {
        (self.unix + i64::from(self.zone_minutes) * 60).div_euclid(86_400)
    }
}

/// Reads a Date field: with or without weekday and seconds, two-digit years, obsolete zones, comments, and the order of
/// C's `ctime`. None if day, month or year are missing or impossible.
pub fn parse_date(value: &[u8]) -> Option<Date> {
    let text = without_comments(&value[..value.len().min(256)]);
    let text = String::from_utf8_lossy(&text);
    let (mut day, mut month, mut year, mut time, mut zone) = (None, None, None, None, None);
    for word in text
        .split(|c: char| c.is_whitespace() || c == ',')
        .filter(|w| !w.is_empty())
    {
        if word.contains(':') {
            time = time.or(parse_time(word));
        } else if let Some(found) = month_of(word).filter(|_| month.is_none()) {
            month = Some(found);
        } else if word.bytes().all(|b| b.is_ascii_digit()) {
            let number: i64 = word.parse().ok()?;
            if day.is_none() && number <= 31 && word.len() <= 2 {
                day = Some(number);
            } else if year.is_none() {
                year = Some(full_year(number, word.len()));
            }
        } else if let Some((d, m, y)) = dashed(word) {
            (day, month, year) = (Some(d), Some(m), Some(y));
        } else if time.is_some() {
            zone = zone.or(parse_zone(word));
        }
    }
    let (day, month, year) = (day?, month?, year?);
    if day == 0 || day > days_in(year, month) || !(1900..10_000).contains(&year) {
        return None;
    }
    let zone_minutes = zone.unwrap_or(0);
    let unix = days_from_civil(year, month, day) * 86_400 + time.unwrap_or(0)
        - i64::from(zone_minutes) * 60;
    Some(Date { unix, zone_minutes })
}

fn without_comments(value: &[u8]) -> Vec<u8> {
    let mut depth = 0usize;
    let mut out = Vec::with_capacity(value.len());
    for &b in value {
        match b {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => out.push(b),
            _ => {}
        }
    }
    out
}

/// RFC 5322 §4.3: two digits below 50 are this century; three digits count from 1900.
fn full_year(number: i64, digits: usize) -> i64 {
    match digits {
        1 | 2 if number < 50 => number + 2000,
        1..=3 => number + 1900,
        _ => number,
    }
}

fn month_of(word: &str) -> Option<i64> {
    const NAMES: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let head = word.get(..3)?;
    let known = NAMES.iter().position(|n| head.eq_ignore_ascii_case(n))?;
    word.bytes()
        .all(|b| b.is_ascii_alphabetic() || b == b'.')
        .then_some(known as i64 + 1)
}

fn dashed(word: &str) -> Option<(i64, i64, i64)> {
    let mut parts = word.split('-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let year = full_year(year.parse().ok()?, year.len());
    Some((day.parse().ok()?, month_of(month)?, year))
}

fn parse_time(word: &str) -> Option<i64> {
    let mut parts = word.split(':').map(|p| p.parse::<i64>().ok());
    let (hour, minute, second) = (
        parts.next()??,
        parts.next()??,
        parts.next().unwrap_or(Some(0))?,
    );
    let legal = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..=60).contains(&second);
    legal.then(|| hour * 3600 + minute * 60 + second)
}

/// Minutes east. Single letters and unknown names are `-0000` (RFC 5322 §4.3).
fn parse_zone(word: &str) -> Option<i16> {
    if let Some(sign) = word.bytes().next().filter(|b| matches!(b, b'+' | b'-')) {
        let number: i16 = word.get(1..5)?.parse().ok()?;
        let minutes = number / 100 * 60 + number % 100;
        return Some(if sign == b'-' { -minutes } else { minutes });
    }
    let hours = match word.to_ascii_uppercase().as_str() {
        "EDT" => -4,
        "EST" | "CDT" => -5,
        "CST" | "MDT" => -6,
        "MST" | "PDT" => -7,
        "PST" => -8,
        _ => 0,
    };
    Some(hours * 60)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar, counted in years that begin in March.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unix(text: &str) -> Option<i64> {
        parse_date(text.as_bytes()).map(|d| d.unix)
    }

    #[test]
    fn rfc5322_dates() {
        assert_eq!(unix("Fri, 21 Nov 1997 09:55:06 -0600"), Some(880_127_706));
        assert_eq!(
            unix(
                "Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 (Newfoundland Time)"
            ),
            Some(-27_723_480)
        );
        assert_eq!(unix("21 Nov 97 09:55:06 GMT"), Some(880_106_106));
        assert_eq!(unix("Tue, 1 Jul 2003 10:52:37 +0200"), Some(1_057_049_557));
    }

    #[test]
    fn an_impossible_time_is_none() {
        let date = parse_date(b"2 Mar 2026 999999999999999999:00:00 +0000");
        assert_eq!(date, parse_date(b"2 Mar 2026"));
    }

    #[test]
    fn odd_dates() {
        assert_eq!(unix("Mon, 29 Feb 100 00:00:00 EST"), Some(951_800_400));
        assert_eq!(unix("Fri Nov 21 09:55:06 1997"), Some(880_106_106));
        assert_eq!(unix("Fri, 21-Nov-97 09:55:06 MST"), Some(880_131_306));
        assert_eq!(unix("31 Feb 2020 00:00:00 +0000"), None);
        assert_eq!(unix(""), None);
        assert_eq!(unix("99999999999999999999999"), None);
        assert_eq!(
            parse_date(b"1 Jan 2020 00:30:00 +0100").map(|d| d.local_day()),
            Some(18262)
        );
    }
}
