//! What the examples share: the servers and the account of the `PILLARBOX_…` variables, and a token source that refreshes
//! (RFC 6749 §6). Against Gmail set the same variables to Google's hosts, and leave `PILLARBOX_CA` unset.

use pillarbox_client::oauth::{App, Issuer};
use pillarbox_client::{Ask, BoxError, Credentials, Secret, Server, Tls, TokenSource};
use std::env::var;

/// The service whose port this variable holds.
pub fn server(port: &str) -> Result<Server, BoxError> {
    Ok(Server::new(
        var("PILLARBOX_HOST")?,
        var(port)?.parse()?,
        tls()?,
    ))
}

fn tls() -> Result<Tls, BoxError> {
    Ok(match var("PILLARBOX_CA") {
        Ok(file) => Tls::trusting(&std::fs::read(file)?)?,
        Err(_) => Tls::system()?,
    })
}

/// Signs in with `PILLARBOX_TOKEN` where it is still good, and refreshes where it is not.
pub fn credentials() -> Result<Credentials, BoxError> {
    Ok(Credentials::bearer(var("PILLARBOX_USER")?, Refresh))
}

struct Refresh;

impl TokenSource for Refresh {
    async fn token(&self, ask: Ask) -> Result<Secret, BoxError> {
        match ask {
            Ask::Token => Ok(Secret::new(var("PILLARBOX_TOKEN")?)),
            Ask::Another => refresh().await,
        }
    }
}

/// The secret of `web` keeps the refresh token good for many times; where it is good once, keep the next one
/// ([`pillarbox_client::oauth::Keep`]).
async fn refresh() -> Result<Secret, BoxError> {
    let issuer = Issuer::discover(&var("PILLARBOX_ISSUER")?, tls()?).await?;
    let app = App {
        id: var("PILLARBOX_CLIENT_ID")?,
        secret: var("PILLARBOX_CLIENT_SECRET").ok().map(Secret::new),
    };
    let token = Secret::new(var("PILLARBOX_REFRESH_TOKEN")?);
    Ok(issuer.refresh(&app, &token).await?.access)
}
