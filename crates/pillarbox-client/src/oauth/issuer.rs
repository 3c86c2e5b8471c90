//! An authorization server: what its discovery document says, and its token endpoint.

use super::http::{self, Load};
use super::{App, Clock, Error, Tokens, Wish, clean, system_clock};
use crate::{Secret, Tls};
use hyper::StatusCode;
use serde::Deserialize;
use std::fmt;
use std::time::Duration;
use tokio::time::timeout;
use url::Url;

/// Life of a token whose issuer does not say: RFC 6749 §5.1 only recommends `expires_in`.
const LIFE_UNSAID: Duration = Duration::from_secs(300);
/// Longest life that is believed; what comes after it is refreshed for nothing, and that is all.
const LIFE_MAX: Duration = Duration::from_secs(365 * 24 * 3600);
/// Longest time to ask whether a token is still good: a program waits for it.
const CHECK_WITHIN: Duration = Duration::from_secs(3);
/// Most mail services that are looked at.
const SERVICES_MAX: usize = 32;

/// An authorization server. Cheap to clone.
#[derive(Clone)]
pub struct Issuer {
    pub(super) metadata: std::sync::Arc<Metadata>,
    pub(super) tls: Tls,
    pub(super) clock: Clock,
}

/// The members of RFC 8414 §2 that are used here.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Metadata {
    pub(super) issuer: String,
    authorization_endpoint: Option<Url>,
    token_endpoint: Option<Url>,
    device_authorization_endpoint: Option<Url>,
    revocation_endpoint: Option<Url>,
    userinfo_endpoint: Option<Url>,
    #[serde(default)]
    scopes_supported: Vec<String>,
    /// RFC 9207 §3.
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
    /// Our own member: where the mail is that the tokens open.
    #[serde(default)]
    mail_services: Vec<Url>,
}

/// The token endpoint's answer (RFC 6749 §5.1).
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    token_type: String,
    #[serde(default)]
    expires_in: Option<Seconds>,
    #[serde(default)]
    refresh_token: Option<String>,
}

/// A number of seconds, which some servers write as a string.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Seconds {
    Number(u64),
    Text(String),
}

impl Seconds {
    pub(super) fn duration(&self) -> Option<Duration> {
        let seconds = match self {
            Self::Number(seconds) => Some(*seconds),
            Self::Text(text) => text.parse().ok(),
        };
        seconds.map(Duration::from_secs)
    }
}

#[derive(Deserialize)]
struct Person {
    email: Option<String>,
}

impl Issuer {
    /// Reads the discovery document of an issuer, such as `https://accounts.google.com`: that of OpenID Connect, and
    /// where there is none, that of RFC 8414.
    ///
    /// # Errors
    /// [`Error::Insecure`], [`Error::Unreachable`], [`Error::Unavailable`], [`Error::Answer`], [`Error::AnotherIssuer`].
    pub async fn discover(address: &str, tls: Tls) -> Result<Self, Error> {
        let address = address.trim_end_matches('/');
        let base = Url::parse(address).ok();
        let base = base.filter(|url| is_secure(url) && url.query().is_none());
        let base = base.ok_or_else(|| Error::Insecure(clean(address)))?;
        let path = base.path().trim_end_matches('/');
        let mut openid = base.clone();
        openid.set_path(&format!("{path}/.well-known/openid-configuration"));
        let mut answer = http::ask(&openid, &tls, Load::Nothing).await?;
        if answer.status == StatusCode::NOT_FOUND {
            let mut oauth = base.clone();
            oauth.set_path(&format!("/.well-known/oauth-authorization-server{path}"));
            answer = http::ask(&oauth, &tls, Load::Nothing).await?;
        }
        let metadata: Metadata = answer.json()?;
        if metadata.issuer.trim_end_matches('/') != address {
            return Err(Error::AnotherIssuer {
                asked: clean(address),
                told: clean(&metadata.issuer),
            });
        }
        let endpoints = [
            &metadata.authorization_endpoint,
            &metadata.token_endpoint,
            &metadata.device_authorization_endpoint,
            &metadata.revocation_endpoint,
            &metadata.userinfo_endpoint,
        ];
        if let Some(clear) = endpoints.into_iter().flatten().find(|url| !is_secure(url)) {
            return Err(Error::Insecure(clean(clear.as_str())));
        }
        Ok(Self {
            metadata: metadata.into(),
            tls,
            clock: system_clock(),
        })
    }

    /// With another clock than the system's.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Its name, as it stands in tokens.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.metadata.issuer
    }

    /// Where the mail is that its tokens open, if it says so: `imaps://mail.example.org:993` and the like. Pillarbox
    /// does, in the member `mail_services` of its discovery document.
    #[must_use]
    pub fn mail_services(&self) -> &[Url] {
        let services = &self.metadata.mail_services;
        &services[..services.len().min(SERVICES_MAX)]
    }

    /// Where tokens come from.
    ///
    /// # Errors
    /// [`Error::Unsupported`].
    pub fn token_endpoint(&self) -> Result<&Url, Error> {
        self.endpoint(&self.metadata.token_endpoint, "token endpoint")
    }

    /// Where tokens are given back (RFC 7009), if anywhere.
    #[must_use]
    pub fn revocation_endpoint(&self) -> Option<&Url> {
        self.metadata.revocation_endpoint.as_ref()
    }

    /// Where the issuer says whose a token is (OpenID Connect Core §5.3), if anywhere.
    #[must_use]
    pub fn person_endpoint(&self) -> Option<&Url> {
        self.metadata.userinfo_endpoint.as_ref()
    }

    /// What to ask for, so that there is a refresh token: most issuers give one for the scope `offline_access` (OpenID
    /// Connect Core §11), Google and Pillarbox without.
    pub(super) fn scope(&self, wish: &Wish) -> String {
        const OFFLINE: &str = "offline_access";
        let known = self.metadata.scopes_supported.iter().any(|s| s == OFFLINE);
        match known && !wish.scope.split(' ').any(|scope| scope == OFFLINE) {
            true => format!("{} {OFFLINE}", wish.scope),
            false => wish.scope.clone(),
        }
    }

    pub(super) fn authorization_endpoint(&self) -> Result<&Url, Error> {
        let endpoint = &self.metadata.authorization_endpoint;
        self.endpoint(endpoint, "sign-in by browser")
    }

    pub(super) fn device_endpoint(&self) -> Result<&Url, Error> {
        let endpoint = &self.metadata.device_authorization_endpoint;
        self.endpoint(endpoint, "sign-in on another device")
    }

    fn endpoint<'a>(&self, found: &'a Option<Url>, what: &'static str) -> Result<&'a Url, Error> {
        found.as_ref().ok_or_else(|| Error::Unsupported {
            host: clean(&self.metadata.issuer),
            what,
        })
    }

    /// Who signed in: the address the issuer knows (OpenID Connect Core §5.3), if it tells.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Unavailable`], [`Error::Answer`], [`Error::Refused`].
    pub async fn person(&self, tokens: &Tokens) -> Result<Option<String>, Error> {
        let Some(endpoint) = &self.metadata.userinfo_endpoint else {
            return Ok(None);
        };
        let answer = http::ask(endpoint, &self.tls, Load::Bearer(&tokens.access)).await?;
        if matches!(
            answer.status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        ) {
            // Without the scope `openid` this is none of our business.
            return Ok(None);
        }
        let person: Person = answer.json()?;
        Ok(person.email.map(|email| clean(&email)))
    }

    /// The next tokens, for those who keep theirs themselves; a [`Keep`](super::Keep) does it by itself. Never send the same
    /// refresh token twice: an issuer that gives another one ends the consent then.
    ///
    /// # Errors
    /// [`Error::Refused`] with `invalid_grant` if the person has to sign in again, and what else a request can fail with.
    pub async fn refresh(&self, app: &App, token: &Secret) -> Result<Tokens, Error> {
        refresh(self.token_endpoint()?, &self.tls, &self.clock, app, token).await
    }

    /// Asks the token endpoint.
    pub(super) async fn token(&self, app: &App, fields: &[(&str, &str)]) -> Result<Tokens, Error> {
        token(self.token_endpoint()?, &self.tls, &self.clock, app, fields).await
    }
}

/// The same for an endpoint that was kept.
async fn token(
    endpoint: &Url,
    tls: &Tls,
    clock: &Clock,
    app: &App,
    fields: &[(&str, &str)],
) -> Result<Tokens, Error> {
    let mut form = fields.to_vec();
    form.push(("client_id", &app.id));
    form.extend(
        app.secret
            .iter()
            .map(|secret| ("client_secret", secret.reveal())),
    );
    // Before the request: a token lives from when it was made.
    let now = clock();
    let granted: Granted = http::ask(endpoint, tls, Load::Form(&form)).await?.json()?;
    if !granted.token_type.eq_ignore_ascii_case("bearer") {
        return Err(Error::Answer {
            host: endpoint.host_str().unwrap_or_default().to_owned(),
            what: format!("tokens of type {:?}", clean(&granted.token_type)),
        });
    }
    let life = granted.expires_in.and_then(|life| life.duration());
    Ok(Tokens {
        access: Secret::new(granted.access_token),
        expires: now + life.unwrap_or(LIFE_UNSAID).min(LIFE_MAX),
        refresh: granted.refresh_token.map(Secret::new),
    })
}

/// RFC 6749 §6. An issuer that gives no other refresh token means that this one goes on.
pub(super) async fn refresh(
    endpoint: &Url,
    tls: &Tls,
    clock: &Clock,
    app: &App,
    refresh: &Secret,
) -> Result<Tokens, Error> {
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh.reveal()),
    ];
    let mut next = token(endpoint, tls, clock, app, &fields).await?;
    next.refresh = next.refresh.or_else(|| Some(refresh.clone()));
    Ok(next)
}

/// Whether the issuer says that a token opens nothing (RFC 6750 §3.1: 401). One that does not answer says nothing.
pub(super) async fn is_refused(endpoint: &Url, tls: &Tls, token: &Secret) -> bool {
    let asked = timeout(CHECK_WITHIN, http::ask(endpoint, tls, Load::Bearer(token))).await;
    matches!(asked, Ok(Ok(answer)) if answer.status == StatusCode::UNAUTHORIZED)
}

/// Gives a token back, and with it the whole consent (RFC 7009).
pub(super) async fn revoke(
    endpoint: &Url,
    tls: &Tls,
    app: &App,
    token: &Secret,
) -> Result<(), Error> {
    let mut form = vec![("token", token.reveal()), ("client_id", &app.id)];
    form.extend(
        app.secret
            .iter()
            .map(|secret| ("client_secret", secret.reveal())),
    );
    let answer = http::ask(endpoint, tls, Load::Form(&form)).await?;
    match answer.status.is_success() {
        true => Ok(()),
        false => Err(answer.refusal()),
    }
}

fn is_secure(url: &Url) -> bool {
    url.scheme() == "https" && url.host().is_some() && url.username().is_empty()
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Issuer")
            .field(&self.metadata.issuer)
            .finish()
    }
}
