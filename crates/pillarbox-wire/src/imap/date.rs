//! Dates of IMAP: INTERNALDATE and the days of SEARCH. No clock and no time zones by name.

use std::fmt;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `date = date-day "-" date-month "-" date-year` (RFC 3501 §9): a day that exists in the calendar, year 0 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// The day, or `None` if the calendar has no such day.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let legal =
            year <= 9999 && (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
        legal.then_some(Self { year, month, day })
    }

    /// The year, 0 to 9999.
    pub fn year(self) -> u16 {
        self.year
    }

    /// The month, 1 to 12.
    pub fn month(self) -> u8 {
        self.month
    }

    /// The day of the month, 1 to 31.
    pub fn day(self) -> u8 {
        self.day
    }

    /// Days since 1970-01-01; negative before.
    pub fn days_since_epoch(self) -> i32 {
        // Howard Hinnant's days_from_civil: years begin in March, so the leap day is the last of its year.
        let (y, m, d) = (
            i32::from(self.year),
            i32::from(self.month),
            i32::from(self.day),
        );
        let y = if m <= 2 { y - 1 } else { y };
        let era = y.div_euclid(400);
        let of_era = y.rem_euclid(400);
        let of_year = (153 * ((m + 9) % 12) + 2) / 5 + d - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
    }

    /// The day so many days after 1970-01-01; `None` outside the years 0 to 9999.
    pub fn from_days_since_epoch(days: i32) -> Option<Self> {
        let days = days.checked_add(719_468)?;
        let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 {
            shifted + 3
        } else {
            shifted - 9
        };
        let year = year_of_era + era * 400 + i32::from(month <= 2);
        Self::new(
            u16::try_from(year).ok()?,
            u8::try_from(month).ok()?,
            u8::try_from(day).ok()?,
        )
    }

    /// Reads `2-Mar-2026` or `02-Mar-2026`, the month in any case, without quotes.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let dash = text.iter().position(|&b| b == b'-')?;
        let (day, rest) = (number(&text[..dash], 1, 2)?, text.get(dash + 1..)?);
        let [m1, m2, m3, b'-', year @ ..] = rest else {
            return None;
        };
        Self::new(
            number(year, 4, 4)?,
            month(&[*m1, *m2, *m3])?,
            u8::try_from(day).ok()?,
        )
    }
}

impl fmt::Display for Date {
    /// `2-Mar-2026`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}-{}-{:04}",
            self.day,
            MONTHS[usize::from(self.month - 1)],
            self.year
        )
    }
}

/// `date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE` (RFC 3501 §9)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DateTime {
    seconds: i64,
    offset_minutes: i16,
}

impl DateTime {
    /// An instant in seconds since 1970-01-01T00:00:00Z, shown at an offset in minutes east of UTC. `None` if the local year is
    /// not 0 to 9999 or the offset a day or more.
    pub fn new(seconds: i64, offset_minutes: i16) -> Option<Self> {
        let it = Self {
            seconds,
            offset_minutes,
        };
        (offset_minutes.abs() < 24 * 60 && it.local_date().is_some()).then_some(it)
    }

    /// An instant shown in UTC; instants outside the years 0 to 9999 become the nearest that is inside.
    pub fn utc(seconds: i64) -> Self {
        Self {
            seconds: seconds.clamp(-62_167_219_200, 253_402_300_799),
            offset_minutes: 0,
        }
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub fn seconds(self) -> i64 {
        self.seconds
    }

    /// Minutes east of UTC it was written at.
    pub fn offset_minutes(self) -> i16 {
        self.offset_minutes
    }

    /// The day in the zone it was written in: what `SEARCH ON` of RFC 3501 §6.4.4 disregards time and timezone for.
    pub fn local_date(self) -> Option<Date> {
        let days = self.local().div_euclid(86_400);
        Date::from_days_since_epoch(i32::try_from(days).ok()?)
    }

    fn local(self) -> i64 {
        self.seconds
            .saturating_add(i64::from(self.offset_minutes) * 60)
    }

    /// Reads ` 2-Mar-2026 09:15:04 +0000`; the day may be ` 2`, `02` or `2`; without quotes. A leap second is the next second.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = text.strip_prefix(b" ").unwrap_or(text);
        let space = text.iter().position(|&b| b == b' ')?;
        let date = Date::parse(&text[..space])?;
        let [
            h1,
            h2,
            b':',
            m1,
            m2,
            b':',
            s1,
            s2,
            b' ',
            sign,
            z1,
            z2,
            z3,
            z4,
        ] = text[space + 1..]
        else {
            return None;
        };
        let two = |a, b, max| number(&[a, b], 2, 2).filter(|n| *n <= max).map(i64::from);
        let time = two(h1, h2, 23)? * 3600 + two(m1, m2, 59)? * 60 + two(s1, s2, 60)?;
        let zone = two(z1, z2, 23)? * 60 + two(z3, z4, 59)?;
        let zone = match sign {
            b'+' => zone,
            b'-' => -zone,
            _ => return None,
        };
        let local = i64::from(date.days_since_epoch()) * 86_400 + time;
        Self::new(local - zone * 60, i16::try_from(zone).ok()?)
    }
}

impl fmt::Display for DateTime {
    /// `02-Mar-2026 09:15:04 +0000`: two digits of day, as wire §3.9 sends them (a `date-day-fixed` too).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = self.local_date().unwrap_or(Date {
            year: 1970,
            month: 1,
            day: 1,
        });
        let time = self.local().rem_euclid(86_400);
        let (sign, zone) = (
            if self.offset_minutes < 0 { '-' } else { '+' },
            self.offset_minutes.unsigned_abs(),
        );
        let (day, month, year) = (date.day, MONTHS[usize::from(date.month - 1)], date.year);
        write!(
            f,
            "{day:02}-{month}-{year:04} {:02}:{:02}:{:02} ",
            time / 3600,
            time / 60 % 60,
            time % 60
        )?;
        write!(f, "{sign}{:02}{:02}", zone / 60, zone % 60)
    }
}

fn number(text: &[u8], min: usize, max: usize) -> Option<u16> {
    let legal = (min..=max).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    legal.then(|| text.iter().fold(0, |n, b| n * 10 + u16::from(b - b'0')))
}

fn month(name: &[u8; 3]) -> Option<u8> {
    let at = MONTHS
        .iter()
        .position(|m| m.as_bytes().eq_ignore_ascii_case(name))?;
    u8::try_from(at + 1).ok()
}

fn days_in(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_day_forms_read_alike() {
        let parse = |t: &str| DateTime::parse(t.as_bytes());
        let it = parse(" 2-Mar-2026 09:15:04 +0000").unwrap();
        assert_eq!(it.seconds(), 1_772_442_904);
        assert_eq!(parse("02-mar-2026 09:15:04 +0000"), Some(it));
        assert_eq!(it.to_string(), "02-Mar-2026 09:15:04 +0000");
        let west = parse("01-Mar-2026 23:15:04 -1000").unwrap();
        assert_eq!(west.seconds(), it.seconds());
        assert_eq!(west.local_date(), Date::new(2026, 3, 1));
        assert_eq!(west.to_string(), "01-Mar-2026 23:15:04 -1000");
    }

    #[test]
    fn what_no_calendar_has_is_refused() {
        for text in [
            "30-Feb-2026",
            "29-Feb-2025",
            "0-Jan-2026",
            "1-Foo-2026",
            "1-Jan-26",
            "001-Jan-2026",
            "",
            "-",
            "1-Jan-20266",
        ] {
            assert_eq!(Date::parse(text.as_bytes()), None, "{text}");
        }
        for text in [
            "2-Mar-2026 24:00:00 +0000",
            "2-Mar-2026 09:15 +0000",
            "2-Mar-2026 09:15:04 0000",
            "2-Mar-2026 09:15:04 +2460",
            " ",
        ] {
            assert_eq!(DateTime::parse(text.as_bytes()), None, "{text}");
        }
        assert!(Date::parse(b"29-Feb-2024").is_some());
        assert_eq!(DateTime::new(i64::MAX, 0), None);
    }

    proptest! {
        #[test]
        fn days_count_both_ways(days in -719_528..2_932_896i32) {
            let date = Date::from_days_since_epoch(days).unwrap();
            prop_assert_eq!(date.days_since_epoch(), days);
            prop_assert_eq!(Date::parse(date.to_string().as_bytes()), Some(date));
        }

        #[test]
        fn instants_print_and_parse(seconds in -62_000_000_000..253_000_000_000i64, zone in -1439..1440i16) {
            let it = DateTime::new(seconds, zone).unwrap();
            prop_assert_eq!(DateTime::parse(it.to_string().as_bytes()), Some(it));
        }
    }
}
