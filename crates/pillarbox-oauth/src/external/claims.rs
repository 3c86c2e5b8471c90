//! Claims: members of a JSON object, each read as what it must be (RFC 7519 §4). Nothing is guessed: a number in quotes is
//! no time, a "true" in quotes is not true.

use super::{Done, No, SKEW_S};
use pillarbox_store::mail::Millis;
use serde_json::{Map, Value};

/// Longest text of a claim that is used, in bytes.
const TEXT_BYTES_MAX: usize = 4096;
/// No time lies beyond this, in Unix seconds: the year 9999.
const SECONDS_MAX: f64 = 253_402_300_799.0;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims(pub Map<String, Value>);

impl Claims {
    pub(super) fn read(document: Value) -> Option<Self> {
        match document {
            Value::Object(members) => Some(Self(members)),
            _ => None,
        }
    }

    /// A text that is there, not empty and of bearable length.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let text = self.0.get(name)?.as_str()?;
        (!text.is_empty() && text.len() <= TEXT_BYTES_MAX).then_some(text)
    }

    pub(super) fn required(&self, name: &str) -> Done<&str> {
        self.text(name)
            .ok_or_else(|| No::refused(format!("the claim {name} is missing")))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Value::Bool(true))
    }

    /// Unix seconds; seconds with a fraction are legal (RFC 7519 §2). Outer None is no such claim, inner None nonsense.
    fn seconds(&self, name: &str) -> Option<Option<i64>> {
        let number = self.0.get(name)?.as_f64();
        let sound = number.filter(|number| (0.0..=SECONDS_MAX).contains(number));
        Some(sound.map(|number| number as i64))
    }

    /// A time that must be there.
    pub(super) fn time(&self, name: &str) -> Done<i64> {
        match self.seconds(name) {
            Some(Some(seconds)) => Ok(seconds),
            Some(None) => Err(No::refused(format!("the claim {name} is not a time"))),
            None => Err(No::refused(format!("the claim {name} is missing"))),
        }
    }

    /// A time that may be there.
    pub(super) fn time_if_any(&self, name: &str) -> Done<Option<i64>> {
        self.has(name).then(|| self.time(name)).transpose()
    }

    /// Whether the audience, one text or a list, has this member.
    pub(super) fn is_for(&self, audience: &str) -> bool {
        match self.0.get("aud") {
            Some(Value::Array(all)) => all.iter().any(|one| one == audience),
            Some(one) => one == audience,
            None => false,
        }
    }

    /// How many the audience has.
    pub(super) fn audiences(&self) -> usize {
        match self.0.get("aud") {
            Some(Value::Array(all)) => all.len(),
            Some(_) => 1,
            None => 0,
        }
    }

    /// Refuses claims of another issuer; the issuer is compared octet by octet (RFC 9207 §2.4).
    pub(super) fn check_issuer(&self, issuer: &str) -> Done<()> {
        match self.text("iss") {
            Some(iss) if iss == issuer => Ok(()),
            Some(other) => Err(No::refused(format!("the issuer is another one, {other}"))),
            None => Err(No::refused("the claim iss is missing")),
        }
    }

    /// Refuses claims that do not hold yet (`nbf`, `iat`); clocks may differ by [`SKEW_S`].
    pub(super) fn check_begun(&self, now: Millis) -> Done<()> {
        let latest = now.div_euclid(1000).saturating_add(SKEW_S);
        for name in ["nbf", "iat"] {
            if self.time_if_any(name)?.is_some_and(|time| time > latest) {
                return Err(No::refused(format!(
                    "it is not valid yet: {name} lies in the future"
                )));
            }
        }
        Ok(())
    }
}
