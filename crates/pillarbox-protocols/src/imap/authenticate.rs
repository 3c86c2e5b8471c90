//! AUTHENTICATE and LOGIN: from what a client claims to a principal, or to one of the refusals of wire §3.3.

use super::Context;
use crate::conversation::Channel;
use crate::sign_in::{self, Outcome};
use pillarbox_oauth::{Principal, Refusal, RefusalKind, Service};
use pillarbox_store::mail::Millis;
use pillarbox_wire::imap::Tag;
use pillarbox_wire::sasl::{Credentials, Dummy, Exchange, Failure, Mechanism, Password, Step};
use std::net::IpAddr;

/// Over the limit of connections (wire §3.3).
pub const TOO_MANY: &str = "NO [ALERT] Too many simultaneous connections. (Failure)";

/// A sign-in under way: an exchange of AUTHENTICATE, or the one step of LOGIN.
pub struct Sasl {
    /// For the tagged reply.
    pub tag: Tag,
    /// The exchange; LOGIN has one that only carries the password.
    pub exchange: Exchange,
    /// LOGIN has no challenges.
    login: bool,
    credentials: Option<Credentials>,
    /// The user name, for events.
    pub offered: String,
    /// The refusal to send when the exchange is over.
    pub told: String,
    /// Set once the check passed.
    pub principal: Option<Principal>,
}

impl Sasl {
    /// AUTHENTICATE.
    pub fn new(tag: Tag, exchange: Exchange) -> Self {
        Self {
            tag,
            exchange,
            login: false,
            credentials: None,
            offered: String::new(),
            told: invalid(),
            principal: None,
        }
    }

    /// LOGIN. Not readable if the name or the password cannot be one.
    pub fn login(tag: Tag, user: &str, password: &[u8]) -> Self {
        let (exchange, _) = Exchange::start(Mechanism::Plain, None);
        let sasl = Self {
            login: true,
            ..Self::new(tag, exchange)
        };
        let text = std::str::from_utf8(password).ok();
        match text.and_then(|text| Password::new(None, user, text).ok()) {
            Some(password) => sasl.offering(Credentials::Password(password)),
            None => sasl,
        }
    }

    /// Whether there is something to check.
    pub fn is_readable(&self) -> bool {
        self.credentials.is_some()
    }

    /// With what the client sent.
    #[must_use]
    pub fn offering(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// The name of the way in, for events.
    pub fn name(&self) -> &'static str {
        if self.login {
            "LOGIN"
        } else {
            self.exchange.mechanism().name()
        }
    }

    /// The check passed.
    pub fn accepted(&mut self, signature: Option<[u8; 32]>) -> Step {
        if self.login {
            Step::Done
        } else {
            self.exchange.accepted(signature)
        }
    }

    /// The check did not pass.
    pub fn refused(&mut self, issuer: &str) -> Step {
        if self.login {
            Step::Fail(Failure::Refused(Dummy::NotAsked))
        } else {
            self.exchange.refused(issuer)
        }
    }
}

/// A sign-in whose credential was looked at.
pub struct Checked {
    /// Where it stands.
    pub sasl: Sasl,
    /// Who it is, with the account's settings; or how the exchange goes on.
    pub outcome: Result<Outcome, Refusal>,
}

/// Checks the credential.
pub async fn check(
    context: &Context,
    peer: IpAddr,
    channel: &Channel,
    mut sasl: Sasl,
    now: Millis,
) -> Checked {
    let outcome = match sasl.credentials.take() {
        Some(credentials) => {
            let identity = context.identity.from_peer(peer);
            let checked = sign_in::check(
                &context.store,
                &identity,
                channel,
                &credentials,
                credentials.user(),
                Service::Imap,
                now,
            )
            .await;
            sasl.offered = checked.offered;
            checked.outcome
        }
        None => Err(Refusal {
            kind: RefusalKind::Temporary,
            cause: "no credential to check".into(),
        }),
    };
    Checked { sasl, outcome }
}

/// Bad password or token (wire §3.3).
pub fn invalid() -> String {
    "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)".into()
}

/// What a client is told (wire §3.3). Clients match on these words.
pub fn told(kind: RefusalKind, context: &Context, token: &str) -> String {
    match kind {
        RefusalKind::Invalid => invalid(),
        RefusalKind::NoMailbox => format!("NO Lookup failed {token}"),
        RefusalKind::AppPasswordRequired => {
            format!(
                "NO [ALERT] Application-specific password required: {} (Failure)",
                context.help_url
            )
        }
        RefusalKind::ServiceOff => format!(
            "NO [ALERT] Your account is not enabled for IMAP use. Please visit your {} settings page and enable your \
             account for IMAP access. (Failure)",
            context.product
        ),
        RefusalKind::TooManyAttempts => {
            "NO [LIMIT] Too many login attempts, please try again later. (Failure)".into()
        }
        RefusalKind::Temporary => "NO [UNAVAILABLE] Temporary System Error (Failure)".into(),
    }
}
