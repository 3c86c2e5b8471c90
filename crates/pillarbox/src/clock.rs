//! The one place that reads clocks. A wall clock for tokens, session limits and dates (a development server may move
//! it), a monotonic one for inactivity and back-off (nothing moves it). It knows no rule about either.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use pillarbox_protocols::conversation::{Now, Until};
use pillarbox_store::mail::Millis;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;

/// How often the system's wall clock is compared with the monotonic one, to notice that somebody set it or that the
/// machine slept. Sessions end "about" at their limit (wire §6), so a few seconds do not matter.
const SYSTEM_CLOCK_CHECK: Duration = Duration::from_secs(5);
/// A smaller difference is drift, not a jump.
const JUMP_MILLIS: i64 = 1_000;

/// Cheap to clone; all clones are one clock.
#[derive(Clone)]
pub struct Clock(Arc<Inner>);

struct Inner {
    start: Instant,
    zone: TimeZone,
    offset: AtomicI64,
    moved: watch::Sender<u64>,
}

impl Clock {
    /// A clock that is not moved, counting from now.
    pub fn new() -> Self {
        let start = Instant::now();
        Self(Arc::new(Inner {
            start,
            zone: TimeZone::system(),
            offset: AtomicI64::new(0),
            moved: watch::channel(0).0,
        }))
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        Now {
            wall: self.wall(),
            mono: self.0.start.elapsed(),
        }
    }

    /// Milliseconds since 1970, as moved.
    pub fn wall(&self) -> Millis {
        system_millis().saturating_add(self.offset())
    }

    /// How far the wall clock is moved, in milliseconds.
    pub fn offset(&self) -> i64 {
        self.0.offset.load(Ordering::SeqCst)
    }

    /// Moves the wall clock and wakes whoever waits for a moment of it.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        let add = |offset: i64| Some(offset.saturating_add(by));
        // The closure always answers Some, so this always succeeds.
        let _ = self
            .0
            .offset
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, add);
        self.wake();
    }

    /// Back to the system's time.
    pub fn reset(&self) {
        self.0.offset.store(0, Ordering::SeqCst);
        self.wake();
    }

    /// Changes whenever the wall clock jumped.
    pub fn moved(&self) -> watch::Receiver<u64> {
        self.0.moved.subscribe()
    }

    /// How long to wait for the earlier of both moments, if nobody moves the wall clock meanwhile.
    pub fn until(&self, until: Until) -> Duration {
        let now = self.now();
        let mono = until.mono.saturating_sub(now.mono);
        let wall = until
            .wall
            .map(|at| u64::try_from(at.saturating_sub(now.wall)).unwrap_or(0));
        wall.map_or(mono, |millis| mono.min(Duration::from_millis(millis)))
    }

    /// A moment of the monotonic clock, to sleep until. Not a span from now: when the sleeper wakes must not depend on when it
    /// lay down.
    pub fn instant(&self, mono: Duration) -> tokio::time::Instant {
        (self.0.start + mono).into()
    }

    /// Wakes sleepers when the system's clock was set or the machine slept; runs for ever.
    pub async fn watch_system(self) {
        let difference = |clock: &Self| system_millis() - millis(clock.0.start.elapsed());
        let mut before = difference(&self);
        loop {
            tokio::time::sleep(SYSTEM_CLOCK_CHECK).await;
            let after = difference(&self);
            if (after - before).abs() > JUMP_MILLIS {
                self.wake();
            }
            before = after;
        }
    }

    /// Hours, minutes and seconds in the owner's time zone.
    pub fn hms(&self, at: Millis) -> String {
        // By hand: every sign-in says two of them in the log.
        let time = self.civil(at).time();
        let mut text = String::with_capacity("23:59:59".len());
        for (mark, part) in [
            ("", time.hour()),
            (":", time.minute()),
            (":", time.second()),
        ] {
            text.push_str(mark);
            for digit in [part / 10, part % 10] {
                text.push(char::from(b'0' + digit.unsigned_abs()));
            }
        }
        text
    }

    /// Date and time in the owner's time zone.
    pub fn date_time(&self, at: Millis) -> String {
        self.civil(at).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    fn civil(&self, at: Millis) -> DateTime {
        let at = Timestamp::from_millisecond(at).unwrap_or(Timestamp::MAX);
        self.0.zone.to_datetime(at)
    }

    fn wake(&self) {
        self.0
            .moved
            .send_modify(|times| *times = times.wrapping_add(1));
    }
}

/// RFC 3339 in UTC, for machines.
pub fn rfc3339(at: Millis) -> String {
    Timestamp::from_millisecond(at)
        .unwrap_or(Timestamp::MAX)
        .to_string()
}

/// "one hour", "2 days 3 hours", "90 seconds": the two largest units, for people.
pub fn in_words(span: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [
        (86_400, "day"),
        (3_600, "hour"),
        (60, "minute"),
        (1, "second"),
    ];
    let mut left = span.as_secs();
    let mut words = Vec::new();
    for (size, name) in UNITS {
        let count = left / size;
        left %= size;
        match count {
            0 => {}
            1 => words.push(format!("one {name}")),
            many => words.push(format!("{many} {name}s")),
        }
    }
    words.truncate(2);
    if words.is_empty() {
        "no time".into()
    } else {
        words.join(" ")
    }
}

fn system_millis() -> i64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    millis(since)
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_day_is_that_of_the_date() {
        let clock = Clock::new();
        for at in [
            0,
            1,
            999,
            1_000,
            86_399_999,
            1_700_000_000_000,
            -1,
            Millis::MAX,
        ] {
            let (time, whole) = (clock.hms(at), clock.date_time(at));
            assert!(
                whole.ends_with(&format!(" {time}")) && time.len() == 8,
                "{time} of {whole}"
            );
        }
    }

    #[test]
    fn moving_the_wall_leaves_inactivity_alone() {
        let clock = Clock::new();
        let before = clock.now();
        let moved = clock.moved();
        clock.advance(Duration::from_secs(3_600));
        let after = clock.now();
        assert!(after.wall - before.wall >= 3_600_000);
        assert!(after.mono - before.mono < Duration::from_secs(60));
        assert!(moved.has_changed().is_ok_and(|changed| changed));
        clock.reset();
        assert_eq!(clock.offset(), 0);
    }

    #[test]
    fn waits_for_the_earlier_moment() {
        let clock = Clock::new();
        let now = clock.now();
        let until = Until {
            mono: now.mono + Duration::from_secs(1_800),
            wall: Some(now.wall + 60_000),
        };
        assert!(clock.until(until) <= Duration::from_secs(60));
        clock.advance(Duration::from_secs(61));
        assert_eq!(clock.until(until), Duration::ZERO);
    }

    #[test]
    fn spans_in_words() {
        assert_eq!(in_words(Duration::from_secs(3_600)), "one hour");
        assert_eq!(in_words(Duration::from_secs(5_400)), "one hour 30 minutes");
        assert_eq!(in_words(Duration::ZERO), "no time");
    }
}
