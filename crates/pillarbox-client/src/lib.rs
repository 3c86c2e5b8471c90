//! A mail client as a library: sign in, send, read, wait for news, and go on after a session has ended. It works with any
//! standard server; Gmail and Pillarbox are two of them.
//!
//! - [`Server`] says where, and whom to trust there ([`Tls`]); every size and time a server controls is bounded by its [`Limits`].
//! - [`Credentials`] say who: an account with a [`TokenSource`] (XOAUTH2, OAUTHBEARER) or with a password (PLAIN).
//! - [`imap::Session`] reads: select, list, search, fetch, store, move, append, and IDLE as a stream of [`imap::Event`]s.
//! - [`smtp::Session`] sends, over TLS (465) or STARTTLS (587).
//! - [`Watch`] is a session that waits for news and never gives up: when the server says `Session expired`, it asks the token
//!   source again, signs in again, opens the mailbox again and goes on.
//!
//! - [`oauth`] gets tokens, by the browser or on another device, and keeps them fresh for every program of a person.
//! - [`Letter`] is a message as a person reads it.
//!
//! It does not write or keep mail, speak POP3, compress, or send anything before TLS stands.
//!
//! ```no_run
//! use pillarbox_client::{Ask, Credentials, News, Secret, Server, Tls, Watch, imap, smtp};
//!
//! # async fn refreshed_token() -> Result<String, std::io::Error> { Ok(String::new()) }
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! // Asked at every sign-in, so also after the hour that a token lives.
//! let ada = Credentials::bearer("ada@example.org", |_: Ask| async {
//!     Ok(Secret::new(refreshed_token().await?))
//! });
//!
//! let mut outgoing = smtp::Session::tls(&Server::new("mail.example.org", 465, Tls::system()?), &ada).await?;
//! let text = b"From: ada@example.org\r\nTo: bob@example.org\r\nSubject: Hello\r\n\r\nIt works.\r\n";
//! outgoing.send("ada@example.org", &["bob@example.org"], text).await?;
//!
//! let server = Server::new("mail.example.org", 993, Tls::system()?);
//! let mut session = imap::Session::connect(&server, &ada).await?;
//! session.select("INBOX").await?;
//! let unread = session.search(imap::SearchKey::Unseen).await?;
//! for message in session.summaries(&unread).await? {
//!     println!("{} {:?}", message.uid, message.subject());
//! }
//!
//! let mut watch = Watch::new(session);
//! loop {
//!     match watch.next().await? {
//!         News::Changed(event) => println!("{event:?}"),
//!         News::Reconnected(mailbox) => println!("again: {} messages", mailbox.exists),
//!     }
//! }
//! # }
//! ```
#![forbid(unsafe_code)]

mod credentials;
mod error;
pub mod imap;
mod letter;
mod link;
pub mod oauth;
#[cfg(test)]
mod script;
mod server;
pub mod smtp;
mod watch;

pub use credentials::{Ask, BoxError, Credentials, TokenSource};
pub use error::{Error, Refusal};
pub use letter::{Letter, addresses};
pub use pillarbox_wire::sasl::{Mechanism, Secret};
pub use server::{Limits, Server, Tls};
pub use watch::{News, Watch};
