//! Waits for mail, over as many sessions as it takes: `cargo run -p pillarbox-client --example idle`, with the `PILLARBOX_…`
//! variables set, as `pillarbox dev -- …` does. Try `pillarbox clock advance 1h` meanwhile.
#![allow(clippy::print_stdout)] // it talks to a person

mod oauth;

use pillarbox_client::imap::{Event, Session};
use pillarbox_client::{BoxError, News, Watch};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let server = oauth::server("PILLARBOX_IMAP_PORT")?;
    let mut session = Session::connect(&server, &oauth::credentials()?).await?;
    let inbox = session.select("INBOX").await?;
    println!("watching, {} messages", inbox.exists);
    let mut watch = Watch::new(session);
    loop {
        match watch.next().await? {
            News::Changed(Event::Exists(count)) => println!("now {count} messages"),
            News::Changed(event) => println!("{event:?}"),
            News::Reconnected(inbox) => println!("signed in again, {} messages", inbox.exists),
        }
    }
}
