//! A client's X.509 certificate as far as signing in needs it: the key it speaks for, and between which moments.
//!
//! Names, issuers and extensions are not read: a certificate opens an account because its key was registered for it, never
//! because of what it says. That the client holds the key is shown by its signature in the TLS handshake, not here.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pillarbox_store::mail::Millis;
use std::fmt::Write as _;
use std::sync::Arc;

/// Longest certificate that is read from a file or a form, in bytes: the largest keys in use need some 10,000.
const DER_BYTES_MAX: usize = 32 * 1024;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
/// `[0] EXPLICIT Version`.
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// A certificate that can be read. Whether anybody holds its key is another question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    key: Arc<str>,
    not_before: Millis,
    not_after: Millis,
}

impl ClientCertificate {
    /// Reads a certificate in DER (RFC 5280 §4.1); None if it is not one.
    #[must_use]
    pub fn from_der(der: &[u8]) -> Option<Self> {
        if der.len() > DER_BYTES_MAX {
            return None;
        }
        let (certificate, _) = element(der, SEQUENCE)?;
        let (fields, _) = element(certificate, SEQUENCE)?;
        // Only the first version leaves it out.
        let fields = element(fields, VERSION).map_or(fields, |(_, after)| after);
        let (_serial, after) = element(fields, INTEGER)?;
        let (_signature, after) = element(after, SEQUENCE)?;
        let (_issuer, after) = element(after, SEQUENCE)?;
        let (validity, after) = element(after, SEQUENCE)?;
        let (_subject, key) = element(after, SEQUENCE)?;
        let (_, behind) = element(key, SEQUENCE)?;
        let key = key.get(..key.len() - behind.len())?;
        let (not_before, after) = time(validity)?;
        let (not_after, _) = time(after)?;
        Some(Self {
            key: hex(digest(&SHA256, key).as_ref()).into(),
            not_before,
            not_after,
        })
    }

    /// Reads the first certificate of a PEM text (RFC 7468 §5); None if there is none that can be read.
    #[must_use]
    pub fn from_pem(text: &str) -> Option<Self> {
        let (_, text) = text.split_once("-----BEGIN CERTIFICATE-----")?;
        let (body, _) = text.split_once("-----END CERTIFICATE-----")?;
        if body.len() > 2 * DER_BYTES_MAX {
            return None;
        }
        let body: String = body.split_ascii_whitespace().collect();
        Self::from_der(&STANDARD.decode(body).ok()?)
    }

    /// SHA-256 of its public key (`SubjectPublicKeyInfo`), in lower-case hex: the same for every certificate of that key.
    #[must_use]
    pub fn key(&self) -> &Arc<str> {
        &self.key
    }

    /// When it ends, in milliseconds since 1970.
    #[must_use]
    pub fn not_after(&self) -> Millis {
        self.not_after
    }

    /// Whether it is good at this moment.
    #[must_use]
    pub fn is_current(&self, now: Millis) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }
}

/// The content of the element that stands first if it has this tag, and what stands behind it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        short @ ..0x80 => (usize::from(*short), rest),
        long => {
            let count = usize::from(long & 0x7f);
            if !(1..=4).contains(&count) {
                return None;
            }
            let (bytes, rest) = rest.split_at_checked(count)?;
            let length = bytes.iter().fold(0, |sum, &b| sum << 8 | usize::from(b));
            (length, rest)
        }
    };
    (*first == tag).then_some(())?;
    rest.split_at_checked(length)
}

/// A moment in UTC (RFC 5280 §4.1.2.5): two digits of a year before 2050, four from then on; always with seconds and `Z`.
fn time(der: &[u8]) -> Option<(Millis, &[u8])> {
    let (text, after, century) = match der.first()? {
        &UTC_TIME => {
            let (text, after) = element(der, UTC_TIME)?;
            let year = number(text.get(..2)?)?;
            (text, after, if year >= 50 { 1900 } else { 2000 })
        }
        _ => {
            let (text, after) = element(der, GENERALIZED_TIME)?;
            let century = number(text.get(..2)?)? * 100;
            (text.get(2..)?, after, century)
        }
    };
    if text.len() != 13 || text[12] != b'Z' {
        return None;
    }
    let part = |at: usize| number(&text[at..at + 2]);
    let (year, month, day) = (century + part(0)?, part(2)?, part(4)?);
    let (hour, minute, second) = (part(6)?, part(8)?, part(10)?);
    if !(1..=12).contains(&month) {
        return None;
    }
    let last = days(year + month / 12, month % 12 + 1, 1) - days(year, month, 1);
    if !(1..=last).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some((seconds * 1000, after))
}

fn number(digits: &[u8]) -> Option<i64> {
    let all = digits.iter().all(u8::is_ascii_digit);
    let sum = |sum, digit: &u8| sum * 10 + i64::from(digit - b'0');
    all.then(|| digits.iter().fold(0, sum))
}

/// Days from 1970-01-01, in the Gregorian calendar. Years begin in March here, so that the leap day is the last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)] // a failed unwrap is a failed test
    use super::*;

    /// P-256, made with `openssl ca -selfsign -startdate 20260101000000Z -enddate 20270101000000Z`.
    pub(crate) const ADA: &str = include_str!("tests/ada.pem");
    /// Another certificate of the same key: `-startdate 20270101000000Z -enddate 20500101000000Z`, the latter a GeneralizedTime.
    pub(crate) const ADA_LATER: &str = include_str!("tests/ada-later.pem");

    #[test]
    fn the_key_and_the_dates() {
        let ada = ClientCertificate::from_pem(ADA).unwrap();
        let later = ClientCertificate::from_pem(ADA_LATER).unwrap();
        // openssl x509 -pubkey -noout | openssl pkey -pubin -outform der | sha256sum
        assert_eq!(&**ada.key(), include_str!("tests/ada.sha256").trim());
        assert_eq!(ada.key(), later.key());
        assert_eq!(ada.not_before, 1_767_225_600_000);
        assert_eq!(ada.not_after, 1_798_761_600_000);
        assert_eq!(later.not_after, 2_524_608_000_000);
        assert!(!ada.is_current(ada.not_before - 1) && ada.is_current(ada.not_before));
        assert!(ada.is_current(ada.not_after) && !ada.is_current(ada.not_after + 1));
    }

    #[test]
    fn what_is_cut_or_changed_is_no_certificate_or_another_but_never_a_panic() {
        let body: String = ADA.lines().filter(|line| !line.starts_with('-')).collect();
        let der = STANDARD.decode(body).unwrap();
        let whole = ClientCertificate::from_der(&der).unwrap();
        for cut in 0..der.len() {
            assert_eq!(ClientCertificate::from_der(&der[..cut]), None, "{cut}");
        }
        for at in 0..der.len() {
            for bit in 0..8 {
                let mut other = der.clone();
                other[at] ^= 1 << bit;
                let _ = ClientCertificate::from_der(&other);
            }
        }
        assert!(ClientCertificate::from_pem(&ADA.replace('\n', "\r\n")) == Some(whole));
        assert_eq!(
            ClientCertificate::from_pem("-----BEGIN CERTIFICATE-----"),
            None
        );
    }

    #[test]
    fn a_date_is_a_day_that_exists() {
        for (text, good) in [
            ("270228000000Z", true),
            ("270229000000Z", false),
            ("280229000000Z", true),
            ("280230000000Z", false),
            ("261231235959Z", true),
            ("270431000000Z", false),
        ] {
            let der = [&[UTC_TIME, 13], text.as_bytes()].concat();
            assert_eq!(time(&der).is_some(), good, "{text}");
        }
    }

    #[test]
    fn calendars_agree() {
        for (year, month, day, expected) in [
            (1970, 1, 1, 0),
            (1969, 12, 31, -1),
            (2000, 2, 29, 11_016),
            (2000, 3, 1, 11_017),
            (2100, 3, 1, 47_541),
            (2049, 12, 31, 29_219),
        ] {
            assert_eq!(days(year, month, day), expected, "{year}-{month}-{day}");
        }
    }
}
