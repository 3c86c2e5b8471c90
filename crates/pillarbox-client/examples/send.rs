//! Sends a message to the account itself: `cargo run -p pillarbox-client --example send`, with the `PILLARBOX_…` variables
//! set, as `pillarbox dev -- …` does.
#![allow(clippy::print_stdout)] // it talks to a person

mod oauth;

use pillarbox_client::{BoxError, smtp};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let credentials = oauth::credentials()?;
    let me = credentials.user();
    let text = format!("From: {me}\r\nTo: {me}\r\nSubject: Hello\r\n\r\nIt works.\r\n");
    let server = oauth::server("PILLARBOX_SMTPS_PORT")?;
    let mut session = smtp::Session::tls(&server, &credentials).await?;
    let sent = session.send(me, &[me], text.as_bytes()).await?;
    println!("sent: {}", sent.reply.code);
    session.quit().await?;
    Ok(())
}
