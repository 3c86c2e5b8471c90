//! Sign-in on another device: a short code that a person types where there is a browser (RFC 8628).

use super::http::{self, Load};
use super::issuer::Seconds;
use super::{App, Error, Issuer, Tokens, Wish, clean};
use crate::Secret;
use serde::Deserialize;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use url::Url;

/// Between two questions unless the issuer says otherwise, and what `slow_down` adds (RFC 8628 §3.5).
const INTERVAL: Duration = Duration::from_secs(5);
/// Longest pause between two questions.
const INTERVAL_MAX: Duration = Duration::from_secs(60);
/// Longest life of a code that is waited for.
const CODE_LIFE_MAX: Duration = Duration::from_secs(3600);

/// A sign-in that waits for another device.
#[derive(Debug)]
pub struct OnAnotherDevice {
    issuer: Issuer,
    app: App,
    device_code: Secret,
    user_code: String,
    address: Url,
    whole_address: Option<Url>,
    life: Duration,
    end: Instant,
    interval: Duration,
}

/// RFC 8628 §3.2. Google writes `verification_url`, some write both.
#[derive(Deserialize)]
struct Begun {
    device_code: String,
    user_code: String,
    verification_uri: Option<Url>,
    verification_url: Option<Url>,
    verification_uri_complete: Option<Url>,
    expires_in: Seconds,
    interval: Option<Seconds>,
}

impl Issuer {
    /// Begins a sign-in with a code.
    ///
    /// # Errors
    /// [`Error::Unsupported`], and what the issuer answers.
    pub async fn on_another_device(
        &self,
        app: &App,
        wish: &Wish,
    ) -> Result<OnAnotherDevice, Error> {
        let endpoint = self.device_endpoint()?;
        let scope = self.scope(wish);
        let mut form = vec![("client_id", app.id.as_str()), ("scope", &scope)];
        form.extend(
            app.secret
                .iter()
                .map(|secret| ("client_secret", secret.reveal())),
        );
        let answer = http::ask(endpoint, &self.tls, Load::Form(&form)).await?;
        let begun: Begun = answer.json()?;
        let life = begun.expires_in.duration().unwrap_or(CODE_LIFE_MAX);
        let life = life.min(CODE_LIFE_MAX);
        let interval = begun.interval.and_then(|interval| interval.duration());
        let is_web = |url: &Url| matches!(url.scheme(), "https" | "http");
        let address = begun.verification_uri.or(begun.verification_url);
        let address = address.filter(is_web);
        let address = address.ok_or_else(|| Error::Answer {
            host: clean(self.name()),
            what: "it does not say where the code is to be entered".into(),
        })?;
        Ok(OnAnotherDevice {
            issuer: self.clone(),
            app: app.clone(),
            device_code: Secret::new(begun.device_code),
            user_code: clean(&begun.user_code),
            address,
            whole_address: begun.verification_uri_complete.filter(is_web),
            life,
            end: Instant::now() + life,
            interval: interval
                .unwrap_or(INTERVAL)
                .clamp(Duration::from_secs(1), INTERVAL_MAX),
        })
    }
}

impl OnAnotherDevice {
    /// Where the person goes.
    #[must_use]
    pub fn address(&self) -> &Url {
        &self.address
    }

    /// The same with the code in it, for a QR code, if the issuer has such a one.
    #[must_use]
    pub fn whole_address(&self) -> Option<&Url> {
        self.whole_address.as_ref()
    }

    /// What the person types there.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.user_code
    }

    /// How long the code is good.
    #[must_use]
    pub fn life(&self) -> Duration {
        self.life
    }

    /// Asks at the pace the issuer wants until the person has answered there.
    ///
    /// # Errors
    /// [`Error::Refused`] with `access_denied` if the person said no; [`Error::TimedOut`].
    pub async fn finish(mut self) -> Result<Tokens, Error> {
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", self.device_code.reveal()),
        ];
        while Instant::now() + self.interval < self.end {
            sleep(self.interval).await;
            let slower = match self.issuer.token(&self.app, &fields).await {
                Ok(tokens) => return Ok(tokens),
                Err(Error::Refused { code, .. }) if code == "authorization_pending" => None,
                Err(Error::Refused { code, .. }) if code == "slow_down" => {
                    Some(self.interval + INTERVAL)
                }
                Err(Error::Refused { code, .. }) if code == "expired_token" => break,
                // RFC 8628 §3.5: back off, go on.
                Err(error) if error.is_temporary() => Some(self.interval * 2),
                Err(error) => return Err(error),
            };
            self.interval = slower.unwrap_or(self.interval).min(INTERVAL_MAX);
        }
        Err(Error::TimedOut)
    }
}
