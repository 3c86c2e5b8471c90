//! CBOR as authenticators write it (RFC 8949, the canonical form of CTAP2 §8): definite lengths, no tags, few levels. Read in
//! place, and no more of it than keys and attestation objects have. Nothing is written.

/// Levels of maps and arrays; CTAP2 allows four.
const DEPTH_MAX: usize = 4;
/// Members of one map.
const MEMBERS_MAX: usize = 64;

/// One data item.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item<'a> {
    Number(i64),
    Bytes(&'a [u8]),
    Text(&'a str),
    Map(Vec<(Self, Self)>),
    /// Arrays, floating-point numbers, `true` and the like: read over.
    Other,
}

impl<'a> Item<'a> {
    /// A map's value.
    pub(super) fn get(&self, key: &Self) -> Option<&Self> {
        match self {
            Self::Map(members) => members
                .iter()
                .find(|(other, _)| other == key)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    pub(super) fn number(&self, key: i64) -> Option<i64> {
        match self.get(&Self::Number(key))? {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn bytes(&self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// The first item, and what follows it.
pub(super) fn read(input: &[u8]) -> Option<(Item<'_>, &[u8])> {
    item(input, DEPTH_MAX)
}

fn item(input: &[u8], levels: usize) -> Option<(Item<'_>, &[u8])> {
    let (first, rest) = input.split_first()?;
    let (kind, short) = (first >> 5, first & 31);
    if kind == 7 {
        // false, true, null, undefined; half, single and double precision.
        let length = match short {
            20..=23 => 0,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => return None,
        };
        return Some((Item::Other, rest.get(length..)?));
    }
    let (number, rest) = argument(short, rest)?;
    let length = usize::try_from(number).ok();
    match kind {
        0 => Some((Item::Number(i64::try_from(number).ok()?), rest)),
        1 => Some((Item::Number(-1 - i64::try_from(number).ok()?), rest)),
        2 => {
            let (bytes, rest) = rest.split_at_checked(length?)?;
            Some((Item::Bytes(bytes), rest))
        }
        3 => {
            let (bytes, rest) = rest.split_at_checked(length?)?;
            Some((Item::Text(str::from_utf8(bytes).ok()?), rest))
        }
        4 => {
            let (levels, mut rest) = (levels.checked_sub(1)?, rest);
            // Each takes an octet at least, so the input bounds this.
            for _ in 0..number {
                rest = item(rest, levels)?.1;
            }
            Some((Item::Other, rest))
        }
        5 => map(length?, rest, levels.checked_sub(1)?),
        _ => None,
    }
}

fn map(length: usize, mut rest: &[u8], levels: usize) -> Option<(Item<'_>, &[u8])> {
    if length > MEMBERS_MAX {
        return None;
    }
    let mut members: Vec<(Item<'_>, Item<'_>)> = Vec::new();
    for _ in 0..length {
        let (key, after) = item(rest, levels)?;
        let (value, after) = item(after, levels)?;
        let twice = members.iter().any(|(other, _)| *other == key);
        if twice || !matches!(key, Item::Number(_) | Item::Text(_)) {
            return None;
        }
        members.push((key, value));
        rest = after;
    }
    Some((Item::Map(members), rest))
}

/// The number behind an item's first octet.
fn argument(short: u8, rest: &[u8]) -> Option<(u64, &[u8])> {
    let length = match short {
        0..24 => return Some((u64::from(short), rest)),
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        _ => return None,
    };
    let (digits, rest) = rest.split_at_checked(length)?;
    let number = digits
        .iter()
        .fold(0, |number, digit| number << 8 | u64::from(*digit));
    Some((number, rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed unwrap is a failed test
    use super::*;

    #[test]
    fn what_authenticators_write() {
        // RFC 8949 appendix A, and what follows an item is left alone.
        for (octets, read_as) in [
            (&b"\x17"[..], Item::Number(23)),
            (b"\x18\x64", Item::Number(100)),
            (b"\x19\x03\xe8", Item::Number(1000)),
            (b"\x39\x03\xe7", Item::Number(-1000)),
            (b"\x44\x01\x02\x03\x04", Item::Bytes(&[1, 2, 3, 4])),
            (b"\x64IETF", Item::Text("IETF")),
            (b"\x83\x01\x02\x03", Item::Other),
            (b"\xf5", Item::Other),
            (b"\xfb\x3f\xf1\x99\x99\x99\x99\x99\x9a", Item::Other),
        ] {
            assert_eq!(read(octets).unwrap(), (read_as, &b""[..]), "{octets:?}");
        }
        let (map, rest) = read(b"\xa2\x61a\x01\x20\x41x!").unwrap();
        assert_eq!(map.get(&Item::Text("a")), Some(&Item::Number(1)));
        assert_eq!(map.get(&Item::Number(-1)).unwrap().bytes(), Some(&b"x"[..]));
        assert_eq!(rest, b"!");
    }

    #[test]
    fn what_they_must_not_write() {
        for octets in [
            &b""[..],
            b"\x18",
            b"\x44\x01",
            b"\x5f\x41a\xff",                         // without a definite length
            b"\xc0\x00",                              // a tag
            b"\x62\xff\xff",                          // not UTF-8
            b"\xa2\x01\x01\x01\x02",                  // a key twice
            b"\xa1\x41a\x01",                         // a key of bytes
            b"\x81\x81\x81\x81\x81\x01",              // five levels
            b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",  // more than there is
            b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff",  // the same
            b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff",  // beyond i64
            b"\x5b\xff\xff\xff\xff\xff\xff\xff\xffx", // longer than memory
        ] {
            assert_eq!(read(octets), None, "{octets:?}");
        }
    }

    #[test]
    fn whatever_comes_is_read_within_its_bounds() {
        // Every beginning of two octets, and behind it nothing, little, and a lot.
        for begin in 0..=u16::MAX {
            for (fill, length) in [(0, 0), (0, 9), (0xff, 9), (0x81, 40), (0xa1, 40)] {
                let mut octets = begin.to_be_bytes().to_vec();
                octets.resize(2 + length, fill);
                if let Some((_, rest)) = read(&octets) {
                    assert!(rest.len() < octets.len() && octets.ends_with(rest));
                }
            }
        }
        // An item that is cut off is none.
        let map = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x44\x01\x02\x03\x04";
        assert!(read(map).is_some_and(|(_, rest)| rest.is_empty()));
        for end in 0..map.len() {
            assert_eq!(read(&map[..end]), None, "{end}");
        }
    }
}
