//! Signs in by the browser and lists the newest subjects: `cargo run -p pillarbox-client --example sign_in -- ISSUER ADDRESS`,
//! such as `https://localhost:1443 ada@example.test`, with `PILLARBOX_CA` set for a development server.
#![allow(clippy::print_stdout)] // it talks to a person

use pillarbox_client::imap::{SearchKey, Session};
use pillarbox_client::oauth::{App, Issuer, Wish};
use pillarbox_client::{BoxError, Credentials, Server, Tls};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let mut arguments = std::env::args().skip(1);
    let (Some(issuer), Some(address)) = (arguments.next(), arguments.next()) else {
        return Err("which issuer, and whose mail?".into());
    };
    let tls = match std::env::var("PILLARBOX_CA") {
        Ok(file) => Tls::trusting(&std::fs::read(file)?)?,
        Err(_) => Tls::system()?,
    };
    let issuer = Issuer::discover(&issuer, tls.clone()).await?;
    let waiting = issuer
        .in_browser(&App::public("cli"), &Wish::mail().of(&address))
        .await?;
    println!("Visit {}", waiting.address());
    let tokens = waiting.finish().await?;

    let mut services = issuer.mail_services().iter();
    let imap = services.find(|url| url.scheme() == "imaps");
    let imap = imap.ok_or("this issuer does not say where the mail is")?;
    let (host, port) = (
        imap.host_str().unwrap_or_default(),
        imap.port().unwrap_or(993),
    );
    let ada = Credentials::token(&address, tokens.access);
    let mut session = Session::connect(&Server::new(host, port, tls), &ada).await?;
    session.examine("INBOX").await?;
    let uids = session.search(SearchKey::All).await?;
    for message in session
        .summaries(&uids[uids.len().saturating_sub(10)..])
        .await?
    {
        println!("{}  {}", message.uid, message.subject().unwrap_or_default());
    }
    Ok(session.logout().await?)
}
