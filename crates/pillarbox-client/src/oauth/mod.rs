//! Getting tokens: a person's consent in the browser (RFC 6749 §4.1 with RFC 7636 and RFC 8252) or on another device
//! (RFC 8628), and keeping what came of it, so that programs find a fresh access token whenever they need one.
//!
//! - [`Issuer`] is an authorization server, found by its address (OpenID Connect Discovery, RFC 8414).
//! - [`Issuer::in_browser`] and [`Issuer::on_another_device`] are the two ways to sign in; both end with [`Tokens`].
//! - [`Keep`] is a folder of sign-ins, readable by its owner alone. [`Keep::tokens_of`] is a
//!   [`TokenSource`](crate::TokenSource) that refreshes, and that several processes may use at once.
//!
//! It opens no browser and prints nothing: how a person is told where to go is the caller's business. It reads no id token:
//! [`Issuer::person`] asks the issuer who signed in. It follows no redirects and goes through no proxy.
//!
//! ```no_run
//! use pillarbox_client::oauth::{App, Issuer, Keep, SignIn, Wish};
//! use pillarbox_client::{Credentials, Server, Tls, imap};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let issuer = Issuer::discover("https://mail.example.org", Tls::system()?).await?;
//! let wish = Wish::mail().of("ada@example.org");
//! let waiting = issuer.in_browser(&App::public("my-program"), &wish).await?;
//! eprintln!("Visit {}", waiting.address());
//! let tokens = waiting.finish().await?;
//!
//! let keep = Keep::open("/home/ada/.local/state/my-program")?;
//! keep.put(&SignIn::new("ada@example.org", &issuer, &App::public("my-program"), tokens))?;
//!
//! // From now on, in this program and in others, without a person:
//! let ada = Credentials::bearer("ada@example.org", keep.tokens_of("ada@example.org"));
//! let server = Server::new("mail.example.org", 993, Tls::system()?);
//! let session = imap::Session::connect(&server, &ada).await?;
//! # drop(session);
//! # Ok(())
//! # }
//! ```

mod browser;
mod device;
mod http;
mod issuer;
mod keep;
mod page;
#[cfg(test)]
mod tests;

pub use browser::InBrowser;
pub use device::OnAnotherDevice;
pub use issuer::Issuer;
pub use keep::{Keep, KeptTokens, SignIn};

use crate::Secret;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

/// Tells the time by which tokens end. Only tests and development servers, whose clock can be moved, need another than
/// the system's.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// The system's clock.
#[must_use]
pub fn system_clock() -> Clock {
    Arc::new(SystemTime::now)
}

/// The program that asks, as the issuer knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// `client_id`
    pub id: String,
    /// `client_secret`: Google gives one even to programs that cannot keep it.
    pub secret: Option<Secret>,
}

impl App {
    /// One without a secret.
    pub fn public(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            secret: None,
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Scopes with blanks between them.
    pub scope: String,
    /// Whose consent, as a hint: the person may be another one ([`Issuer::person`]).
    pub address: Option<String>,
}

impl Wish {
    /// Mail whole, by the name that Gmail gave the scope, and who it is that signs in.
    #[must_use]
    pub fn mail() -> Self {
        Self {
            scope: "https://mail.google.com/ openid email".into(),
            address: None,
        }
    }

    /// Of this person.
    #[must_use]
    pub fn of(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }
}

/// What a consent gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// Opens the mail.
    pub access: Secret,
    /// When it ends.
    pub expires: SystemTime,
    /// Gets the next one. Most issuers give another with each refresh, and end everything if one comes twice.
    pub refresh: Option<Secret>,
}

/// A failure. No text in it holds a secret; texts of servers are shortened and hold no control characters.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The issuer cannot be reached.
    #[error("{}", match **cause { crate::Error::Connect { .. } => cause.to_string(), _ => format!("{host}: {cause}") })]
    Unreachable {
        /// Its host.
        host: String,
        /// Why.
        #[source]
        cause: Box<crate::Error>,
    },
    /// It answered with something else than what is specified.
    #[error("{host}: {what}")]
    Answer {
        /// Its host.
        host: String,
        /// In words.
        what: String,
    },
    /// It answered that it cannot now: status 5xx, or `temporarily_unavailable`.
    #[error("{host} cannot answer now: {what}")]
    Unavailable {
        /// Its host.
        host: String,
        /// In words.
        what: String,
    },
    /// The address is no https address, or the issuer names such an endpoint.
    #[error("{0} is not an https address")]
    Insecure(String),
    /// The discovery document belongs to another issuer (RFC 8414 §3.3).
    #[error("the discovery document of {asked} is that of {told}")]
    AnotherIssuer {
        /// Who was asked.
        asked: String,
        /// Who answers there.
        told: String,
    },
    /// The issuer refused: `invalid_grant` on a refresh means that the person has to sign in again.
    #[error("{}", if description.is_empty() { code } else { description })]
    Refused {
        /// The code of RFC 6749 §5.2 or §4.1.2.1.
        code: String,
        /// For people; may be empty.
        description: String,
    },
    /// The issuer has no such thing.
    #[error("{host} has no {what}")]
    Unsupported {
        /// Its host.
        host: String,
        /// What.
        what: &'static str,
    },
    /// Nobody agreed in time.
    #[error("nobody agreed in time")]
    TimedOut,
    /// There is no sign-in of this person in the folder.
    #[error("{0} is not signed in")]
    NotSignedIn(String),
    /// The access token has ended, and there is nothing to get another with.
    #[error("the token has ended, and no refresh token was given")]
    NoRefreshToken,
    /// No file can be kept for such an address.
    #[error("{0:?} cannot be kept")]
    Address(String),
    /// A file cannot be read or written, or is none of ours.
    #[error("{}: {cause}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// This computer has no port for the browser to come back to.
    #[error("no port to listen on: {0}")]
    Listen(#[source] io::Error),
    /// This computer cannot do it safely: no certificate to trust, no randomness.
    #[error(transparent)]
    Trust(Box<crate::Error>),
}

impl Error {
    /// The same may work later without anybody doing anything.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable { cause, .. } => cause.is_temporary(),
            Self::Unavailable { .. } => true,
            _ => false,
        }
    }

    /// Only the person can help, by signing in again.
    #[must_use]
    pub fn wants_a_sign_in(&self) -> bool {
        match self {
            Self::NotSignedIn(_) | Self::NoRefreshToken => true,
            Self::Refused { code, .. } => code == "invalid_grant",
            _ => false,
        }
    }
}

/// Longest text of a server that is repeated, in characters.
const SERVER_TEXT_CHARS_MAX: usize = 300;

/// A server's text as it may be shown anywhere.
fn clean(text: &str) -> String {
    let shown = text.chars().filter(|letter| !letter.is_control());
    shown.take(SERVER_TEXT_CHARS_MAX).collect()
}

/// Random bytes as base64url (RFC 4648 §5), unguessable.
fn random_text(bytes: usize) -> Result<String, Error> {
    use base64::Engine as _;
    let mut random = vec![0; bytes];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| {
        Error::Trust(Box::new(crate::Error::Setting(
            "the system has no randomness",
        )))
    })?;
    Ok(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random))
}
