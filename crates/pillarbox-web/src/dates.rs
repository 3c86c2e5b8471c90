//! Days in words, in UTC: what pages say about when something was made.

use pillarbox_store::mail::Millis;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// `21 November 2026`.
pub(crate) fn day(time: Millis) -> String {
    // Days since 1 March of the year 0: leap days then come last in a cycle of 400 years.
    let days = time.div_euclid(86_400_000) + 719_468;
    let (cycle, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let number = day - (153 * month + 2) / 5 + 1;
    // March is month 0.
    let index = usize::try_from((month + 2) % 12).unwrap_or(0);
    let year = cycle * 400 + year + i64::from(month >= 10);
    format!("{number} {} {year}", MONTHS[index])
}

#[cfg(test)]
mod tests {
    use super::day;

    #[test]
    fn days() {
        assert_eq!(day(0), "1 January 1970");
        assert_eq!(day(-1), "31 December 1969");
        assert_eq!(day(951_782_400_000), "29 February 2000");
        assert_eq!(day(1_795_219_200_000), "21 November 2026");
        assert_eq!(day(1_803_859_200_000), "1 March 2027");
    }
}
