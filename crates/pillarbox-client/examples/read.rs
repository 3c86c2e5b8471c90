//! Lists the newest messages of the INBOX and shows the last: `cargo run -p pillarbox-client --example read`, with the
//! `PILLARBOX_…` variables set, as `pillarbox dev -- …` does.
#![allow(clippy::print_stdout)] // it talks to a person

mod oauth;

use pillarbox_client::BoxError;
use pillarbox_client::imap::{SearchKey, Session};

/// Messages in the list.
const NEWEST: usize = 10;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let server = oauth::server("PILLARBOX_IMAP_PORT")?;
    let mut session = Session::connect(&server, &oauth::credentials()?).await?;
    let inbox = session.examine("INBOX").await?;
    println!("{} messages", inbox.exists);
    let uids = session.search(SearchKey::All).await?;
    let newest = &uids[uids.len().saturating_sub(NEWEST)..];
    for message in session.summaries(newest).await? {
        println!("{}  {}", message.uid, message.subject().unwrap_or_default());
    }
    if let Some(last) = newest.last()
        && let Some(text) = session.body(*last).await?
    {
        println!("\n{}", String::from_utf8_lossy(&text));
    }
    session.logout().await?;
    Ok(())
}
