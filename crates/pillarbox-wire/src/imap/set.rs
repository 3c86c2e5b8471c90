//! Sets of message numbers: as a client writes them ([`SequenceSet`]) and as plain numbers ([`NumberSet`]).
//!
//! Neither knows which messages exist. A set is a few ranges however many numbers it covers; intersect ranges with what
//! exists instead of walking a set a peer wrote.

use std::fmt;
use std::num::NonZeroU32;

use super::parse::{Cursor, Problem};

/// `seq-number = nz-number / "*"` (RFC 3501 §9)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SeqNumber {
    /// A sequence number or UID.
    Number(NonZeroU32),
    /// `*`: the largest number in use.
    Largest,
}

/// `seq-range = seq-number ":" seq-number`, in either order; a single number is a range of one (RFC 3501 §9)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SeqRange {
    /// As written before the colon.
    pub from: SeqNumber,
    /// As written after the colon.
    pub to: SeqNumber,
}

/// `sequence-set = (seq-number / seq-range) *("," sequence-set)` (RFC 3501 §9). Never empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SequenceSet(Vec<SeqRange>);

impl SequenceSet {
    /// A set of these ranges; `None` if there are none.
    pub fn new(ranges: Vec<SeqRange>) -> Option<Self> {
        (!ranges.is_empty()).then_some(Self(ranges))
    }

    /// `1:*`
    pub fn all() -> Self {
        Self(vec![SeqRange {
            from: SeqNumber::Number(NonZeroU32::MIN),
            to: SeqNumber::Largest,
        }])
    }

    /// Reads a whole text.
    ///
    /// # Errors
    /// [`Problem::Syntax`] if it is anything but a sequence set.
    pub fn parse(text: &[u8]) -> Result<Self, Problem> {
        let mut cursor = Cursor::new(text, false);
        let set = cursor.sequence_set()?;
        cursor.end()?;
        Ok(set)
    }

    /// As written.
    pub fn ranges(&self) -> &[SeqRange] {
        &self.0
    }

    /// The numbers meant when `largest` is the largest in use (0: none is). `*` is then that number, and `5:*` includes it even
    /// if it is below 5 (RFC 3501 §6.4.8); with nothing in use ranges with `*` mean nothing.
    pub fn resolve(&self, largest: u32) -> NumberSet {
        let number = |n| match n {
            SeqNumber::Number(n) => n.get(),
            SeqNumber::Largest => largest,
        };
        let mut ranges: Vec<(u32, u32)> = Vec::with_capacity(self.0.len());
        for range in &self.0 {
            let (a, b) = (number(range.from), number(range.to));
            if a != 0 && b != 0 {
                ranges.push((a.min(b), a.max(b)));
            }
        }
        NumberSet::from_ranges(ranges)
    }

    /// The largest plain number written in the set, 0 if there is only `*`: to refuse sequence numbers beyond the mailbox.
    pub fn largest_written(&self) -> u32 {
        let number = |n| match n {
            SeqNumber::Number(n) => NonZeroU32::get(n),
            SeqNumber::Largest => 0,
        };
        self.0
            .iter()
            .map(|r| number(r.from).max(number(r.to)))
            .max()
            .unwrap_or(0)
    }
}

impl fmt::Display for SeqNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(n) => write!(f, "{n}"),
            Self::Largest => f.write_str("*"),
        }
    }
}

impl fmt::Display for SequenceSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, range) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            write!(f, "{}", range.from)?;
            if range.to != range.from {
                write!(f, ":{}", range.to)?;
            }
        }
        Ok(())
    }
}

impl From<&NumberSet> for Option<SequenceSet> {
    fn from(set: &NumberSet) -> Self {
        let number = |n| NonZeroU32::new(n).map(SeqNumber::Number);
        let ranges = set.0.iter().filter_map(|&(a, b)| {
            Some(SeqRange {
                from: number(a)?,
                to: number(b)?,
            })
        });
        SequenceSet::new(ranges.collect())
    }
}

/// Numbers without `*`: ascending, disjoint ranges. Prints as `uid-set` (`2,4:7`, RFC 4315 §4); may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct NumberSet(Vec<(u32, u32)>);

impl NumberSet {
    /// Of ranges `(first, last)` in any order, overlapping or not; a range with `first > last` or a first of 0 is left out.
    pub fn from_ranges(mut ranges: Vec<(u32, u32)>) -> Self {
        ranges.retain(|&(a, b)| a != 0 && a <= b);
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (a, b) in ranges {
            match merged.last_mut() {
                Some(last) if a <= last.1.saturating_add(1) => last.1 = last.1.max(b),
                _ => merged.push((a, b)),
            }
        }
        Self(merged)
    }

    /// Adds a number; cheap when it is above all others.
    pub fn insert(&mut self, number: u32) {
        let last = self.last().unwrap_or(0);
        if number > last {
            match self.0.last_mut() {
                Some(range) if range.1.checked_add(1) == Some(number) => range.1 = number,
                _ => self.0.push((number, number)),
            }
        } else if number != 0 && !self.contains(number) {
            self.0.push((number, number));
            *self = Self::from_ranges(std::mem::take(&mut self.0));
        }
    }

    /// The ranges `(first, last)`, ascending and disjoint.
    pub fn ranges(&self) -> &[(u32, u32)] {
        &self.0
    }

    /// Whether `number` is in the set; logarithmic.
    pub fn contains(&self, number: u32) -> bool {
        let after = self.0.partition_point(|&(first, _)| first <= number);
        after > 0 && number <= self.0[after - 1].1
    }

    /// No number at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many numbers.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|&(a, b)| u64::from(b - a) + 1).sum()
    }

    /// The smallest number.
    pub fn first(&self) -> Option<u32> {
        self.0.first().map(|r| r.0)
    }

    /// The largest number.
    pub fn last(&self) -> Option<u32> {
        self.0.last().map(|r| r.1)
    }

    /// Every number, ascending. Only for sets we made: a peer's `1:4294967295` is four thousand million of them.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().flat_map(|&(a, b)| a..=b)
    }
}

impl FromIterator<u32> for NumberSet {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for number in numbers {
            match ranges.last_mut() {
                Some(last) if last.1.checked_add(1) == Some(number) => last.1 = number,
                _ => ranges.push((number, number)),
            }
        }
        Self::from_ranges(ranges)
    }
}

impl fmt::Display for NumberSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, &(a, b)) in self.0.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            if a == b {
                write!(f, "{comma}{a}")?;
            } else {
                write!(f, "{comma}{a}:{b}")?;
            }
        }
        Ok(())
    }
}
