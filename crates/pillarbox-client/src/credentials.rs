//! Who signs in, and with what. Tokens are asked for at every sign-in and kept nowhere.

use crate::Error;
use pillarbox_wire::sasl::{
    Bearer, Mechanism, OauthBearer, Password, Secret, encode_oauthbearer, encode_plain,
    encode_xoauth2, to_base64,
};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// Whatever a token source fails with.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What is asked of a [`TokenSource`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A token for a new connection; one that is kept and still good will do.
    Token,
    /// The last one was refused: refresh, do not give it again.
    Another,
}

/// Gives access tokens. A closure from [`Ask`] to a future of a [`Secret`] is one.
pub trait TokenSource: Send + Sync + 'static {
    /// An access token for the mail of this account.
    fn token(&self, ask: Ask) -> impl Future<Output = Result<Secret, BoxError>> + Send;
}

impl<F, T> TokenSource for F
where
    F: Fn(Ask) -> T + Send + Sync + 'static,
    T: Future<Output = Result<Secret, BoxError>> + Send,
{
    fn token(&self, ask: Ask) -> impl Future<Output = Result<Secret, BoxError>> + Send {
        self(ask)
    }
}

/// Who signs in, and with what. `Debug` shows the user only.
#[derive(Clone)]
pub struct Credentials {
    user: String,
    means: Means,
    only: Option<Mechanism>,
}

#[derive(Clone)]
enum Means {
    Tokens(Arc<dyn Source>),
    Password(Secret),
}

/// [`TokenSource`] behind a pointer.
trait Source: Send + Sync {
    fn ask(&self, ask: Ask) -> Pin<Box<dyn Future<Output = Result<Secret, BoxError>> + Send + '_>>;
}

impl<T: TokenSource> Source for T {
    fn ask(&self, ask: Ask) -> Pin<Box<dyn Future<Output = Result<Secret, BoxError>> + Send + '_>> {
        Box::pin(self.token(ask))
    }
}

/// The one token it was made with.
struct Fixed(Secret);

impl TokenSource for Fixed {
    async fn token(&self, ask: Ask) -> Result<Secret, BoxError> {
        match ask {
            Ask::Token => Ok(self.0.clone()),
            Ask::Another => Err("there is no other token".into()),
        }
    }
}

impl Credentials {
    /// An account whose tokens come from `tokens`: OAUTHBEARER where it is offered, else XOAUTH2.
    pub fn bearer(user: impl Into<String>, tokens: impl TokenSource) -> Self {
        Self {
            user: user.into(),
            means: Means::Tokens(Arc::new(tokens)),
            only: None,
        }
    }

    /// An account with one token: good for one session, as it ends with its token.
    pub fn token(user: impl Into<String>, token: Secret) -> Self {
        Self::bearer(user, Fixed(token))
    }

    /// An account with a password (at Gmail an app password): PLAIN.
    pub fn password(user: impl Into<String>, password: Secret) -> Self {
        Self {
            user: user.into(),
            means: Means::Password(password),
            only: None,
        }
    }

    /// Uses this mechanism or none.
    #[must_use]
    pub fn only(mut self, mechanism: Mechanism) -> Self {
        self.only = Some(mechanism);
        self
    }

    /// The account.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Whether another token could help after a refusal.
    pub(crate) fn has_tokens(&self) -> bool {
        matches!(self.means, Means::Tokens(_))
    }

    /// The best of the mechanisms a server offers.
    pub(crate) fn choose(&self, offered: &[&str]) -> Result<Mechanism, Error> {
        let fitting: &[Mechanism] = match self.means {
            Means::Tokens(_) => &[Mechanism::OauthBearer, Mechanism::Xoauth2],
            Means::Password(_) => &[Mechanism::Plain],
        };
        let is_offered = |m: &Mechanism| {
            offered
                .iter()
                .any(|name| name.eq_ignore_ascii_case(m.name()))
        };
        fitting
            .iter()
            .copied()
            .filter(|m| self.only.is_none_or(|only| only == *m))
            .find(is_offered)
            .ok_or_else(|| Error::NoMechanism(offered.join(" ")))
    }

    /// The password, or a token that was asked for just now.
    pub(crate) async fn secret(&self, ask: Ask) -> Result<Secret, Error> {
        match &self.means {
            Means::Password(password) => Ok(password.clone()),
            Means::Tokens(source) => source.ask(ask).await.map_err(Error::Token),
        }
    }

    /// The whole SASL message of the client, in base64.
    pub(crate) fn response(
        &self,
        mechanism: Mechanism,
        (host, port): (&str, u16),
        secret: &Secret,
    ) -> Result<Secret, Error> {
        let bearer = || Bearer::new(Some(&self.user), secret.reveal());
        let message = match mechanism {
            Mechanism::Xoauth2 => encode_xoauth2(&bearer()?),
            Mechanism::OauthBearer => encode_oauthbearer(&OauthBearer {
                bearer: bearer()?,
                host: Some(host.to_owned()),
                port: Some(port),
            }),
            Mechanism::Plain | Mechanism::Login => {
                encode_plain(&Password::new(None, &self.user, secret.reveal())?)
            }
            // Not among those that `choose` takes: SCRAM is a conversation, not one message.
            // EXTERNAL needs a certificate, which this library does not show.
            Mechanism::ScramSha256 | Mechanism::ScramSha256Plus | Mechanism::External => {
                return Err(Error::NoMechanism(mechanism.name().into()));
            }
        };
        Ok(Secret::new(to_base64(message)))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// What a client answers to the challenge that explains a refusal: nothing (wire §2.2), or one ^A (RFC 7628 §3.2.3).
pub(crate) fn dummy(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::OauthBearer => "AQ==",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed unwrap is the failed test
    use super::*;

    #[test]
    fn the_standard_mechanism_comes_first_and_passwords_never_go_as_tokens() {
        let token = Credentials::token("ada", Secret::new("t"));
        let offered = ["XOAUTH2", "PLAIN", "oauthbearer"];
        assert_eq!(token.choose(&offered).unwrap(), Mechanism::OauthBearer);
        assert_eq!(token.choose(&offered[..2]).unwrap(), Mechanism::Xoauth2);
        let only = token.clone().only(Mechanism::Xoauth2);
        assert_eq!(only.choose(&offered).unwrap(), Mechanism::Xoauth2);
        assert!(matches!(
            token.choose(&["PLAIN"]),
            Err(Error::NoMechanism(_))
        ));
        let password = Credentials::password("ada", Secret::new("p"));
        assert_eq!(password.choose(&offered).unwrap(), Mechanism::Plain);
        assert!(password.choose(&["XOAUTH2"]).is_err());
    }

    #[test]
    fn secrets_are_not_shown() {
        for shown in [
            Credentials::password("ada", Secret::new("hunter2")),
            Credentials::token("ada", Secret::new("hunter2")),
        ] {
            assert_eq!(format!("{shown:?}"), r#"Credentials { user: "ada", .. }"#);
        }
    }
}
