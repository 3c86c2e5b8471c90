//! `pillarbox login` and `pillarbox logout`: a consent, by the browser or on another device, kept for the commands that
//! need it.

use super::failure::refused;
use super::{Nearby, browser, clock_of, keep, plain};
use crate::commands::{Where, tell, tell_same_line};
use crate::failure::Failure;
use clap::Args;
use pillarbox_client::oauth::{App, Issuer, SignIn, Tokens, Wish};
use pillarbox_client::{Secret, Tls};
use std::path::PathBuf;

/// Our own client, which every Pillarbox knows.
const OURS: &str = "cli";
/// Largest file of a secret that is read, in bytes.
const SECRET_BYTES_MAX: u64 = 4096;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  pillarbox login ada@example.test\n  pillarbox login --server https://mail.example.org --device ada@example.org"
)]
pub struct Login {
    /// Whose mail the commands of this user may open from now on
    pub address: String,
    /// Sign in where there is a browser, on another device, with a code
    #[arg(long)]
    pub device: bool,
    /// The server to sign in at [default: the one that runs here]
    #[arg(long, alias = "issuer", value_name = "URL")]
    pub server: Option<String>,
    /// Trust the authorities in this file instead of the system's
    #[arg(long, value_name = "FILE", requires = "server")]
    pub ca: Option<PathBuf>,
    /// As another client than our own
    #[arg(long, value_name = "ID")]
    pub client_id: Option<String>,
    /// That client's secret
    #[arg(long, value_name = "FILE", requires = "client_id")]
    pub client_secret_file: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "Examples:\n  pillarbox logout\n  pillarbox logout ada@example.test")]
pub struct Logout {
    /// Who [default: who signed in last]
    pub address: Option<String>,
}

/// Signs in.
pub async fn login(options: Login, server: &Where<'_>) -> anyhow::Result<()> {
    if !options.address.contains('@') {
        return Err(Failure::usage("whose mail? Give the whole address: ada@example.test").into());
    }
    let keep = keep()?;
    let (issuer, authorities) = find(&options, server)?;
    let tls = trust(authorities.as_ref())?;
    let issuer = Issuer::discover(&issuer, tls).await;
    let issuer = issuer.map_err(|error| refused(&error))?;
    let clock = clock_of(issuer.name(), server);
    let issuer = issuer.with_clock(clock);
    let app = app(&options)?;
    let wish = Wish::mail().of(&options.address);
    let tokens = match options.device {
        true => on_another_device(&issuer, &app, &wish).await?,
        false => in_browser(&issuer, &app, &wish).await?,
    };
    let mut sign_in = SignIn::new(&options.address, &issuer, &app, tokens);
    sign_in.authorities = authorities;
    let person = issuer.person(&sign_in.tokens).await;
    let person = person.map_err(|error| refused(&error))?;
    if person.is_some() {
        sign_in.person_endpoint = issuer.person_endpoint().cloned();
    }
    // The browser decides who signs in, not we.
    let other = person.filter(|person| !person.eq_ignore_ascii_case(&options.address));
    if let Some(other) = other.map(|other| plain::line(&other)) {
        // What nobody keeps should open nothing.
        let _ = sign_in.revoke().await;
        return Err(Failure::no(format!(
            "That was {other}, not {}: nothing was kept. Switch accounts on the page, or: pillarbox login {other}",
            options.address
        ))
        .into());
    }
    keep.put(&sign_in).map_err(|error| refused(&error))?;
    let whose = match app.id.as_str() {
        OURS => format!(
            " The app \"Pillarbox command line\" may now read, send and delete mail for {}.",
            options.address
        ),
        _ => String::new(),
    };
    tell(&format!("Signed in.{whose}"))?;
    Ok(())
}

/// Forgets a sign-in, and gives it back to the server.
pub async fn logout(options: Logout) -> anyhow::Result<()> {
    let keep = keep()?;
    let address = match options.address {
        Some(address) => address,
        None => keep
            .last()
            .map_err(|error| refused(&error))?
            .ok_or_else(|| Failure::no("nobody is signed in here"))?,
    };
    let sign_in = keep.get(&address).map_err(|error| refused(&error))?;
    let revoked = sign_in.revoke().await;
    keep.remove(&address).map_err(|error| refused(&error))?;
    match revoked {
        Ok(()) => tell(&format!("{address} is signed out."))?,
        Err(error) => tell(&format!(
            "{address} is signed out here, but {} was not told: {}. It may still list the app on your account's pages.",
            plain::line(&sign_in.issuer),
            plain::line(&error.to_string())
        ))?,
    }
    Ok(())
}

/// The issuer and the file of its authorities.
fn find(options: &Login, server: &Where<'_>) -> Result<(String, Option<PathBuf>), Failure> {
    if let Some(named) = &options.server {
        let whole = match named.contains("://") {
            true => named.clone(),
            false => format!("https://{named}"),
        };
        // Commands run in other folders later.
        let ca = options.ca.as_ref().map(std::path::absolute).transpose();
        let ca = ca.map_err(|error| Failure::could_not(format!("--ca: {error}")))?;
        return Ok((whole, ca));
    }
    let nearby = Nearby::find(server).map_err(|failure| Failure {
        text: format!(
            "{}\nTo sign in elsewhere: pillarbox login --server https://mail.example.org {}",
            failure.text, options.address
        ),
        ..failure
    })?;
    Ok((nearby.issuer, nearby.authority))
}

fn trust(authorities: Option<&PathBuf>) -> Result<Tls, Failure> {
    let Some(file) = authorities else {
        return Tls::system().map_err(|error| Failure::could_not(error.to_string()));
    };
    let cannot =
        |error: &dyn std::fmt::Display| Failure::could_not(format!("{}: {error}", file.display()));
    let pem = std::fs::read(file).map_err(|error| cannot(&error))?;
    Tls::trusting(&pem).map_err(|error| cannot(&error))
}

fn app(options: &Login) -> Result<App, Failure> {
    use std::io::Read as _;
    let mut app = App::public(options.client_id.as_deref().unwrap_or(OURS));
    if let Some(file) = &options.client_secret_file {
        let mut secret = String::new();
        let read = std::fs::File::open(file)
            .and_then(|open| open.take(SECRET_BYTES_MAX).read_to_string(&mut secret));
        read.map_err(|error| Failure::could_not(format!("{}: {error}", file.display())))?;
        app.secret = Some(Secret::new(secret.trim()));
    }
    Ok(app)
}

async fn in_browser(issuer: &Issuer, app: &App, wish: &Wish) -> Result<Tokens, Failure> {
    let waiting = issuer.in_browser(app, wish).await;
    let waiting = waiting.map_err(|error| refused(&error))?;
    let address = waiting.address();
    let other_way = format!(
        "use: pillarbox login --device {}",
        wish.address.as_deref().unwrap_or_default()
    );
    match browser::open(address) {
        true => tell(&format!(
            "Opening {address}\nIf no browser opens, visit that address yourself, or {other_way}"
        ))?,
        false => tell(&format!(
            "Visit {address}\nIf there is no browser on this computer, {other_way}"
        ))?,
    }
    waiting.finish().await.map_err(|error| refused(&error))
}

async fn on_another_device(issuer: &Issuer, app: &App, wish: &Wish) -> Result<Tokens, Failure> {
    let waiting = issuer.on_another_device(app, wish).await;
    let waiting = waiting.map_err(|error| refused(&error))?;
    tell_same_line(&format!(
        "On any device visit   {}   and enter   {}   ({} minutes)\nWaiting…  ",
        waiting.address(),
        plain::line(waiting.code()),
        waiting.life().as_secs() / 60
    ))?;
    waiting.finish().await.map_err(|error| {
        let failure = refused(&error);
        Failure {
            text: format!("\n{}", failure.text),
            ..failure
        }
    })
}
