//! The shape all three protocols share. A conversation never waits, reads or writes by itself: [`Conversation::advance`]
//! says what it wants, and whoever drives it (the program's loop, a transcript player) does that and comes back.
//!
//! Bytes are read only when the machine says [`Step::Read`], so a busy server stops reading and TCP slows the peer down.

use crate::sessions::Seat;
use bytes::Bytes;
use pillarbox_oauth::ClientCertificate;
use pillarbox_store::mail::{Millis, Version};
use pillarbox_wire::sasl::scram::ChannelBindings;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Two clocks, given and never asked for. Tokens, session limits and dates go by the wall clock (the one `clock
/// advance` moves); inactivity and back-off by the monotonic one, which nothing moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since 1970.
    pub wall: Millis,
    /// Since an arbitrary moment before the conversation began.
    pub mono: Duration,
}

/// When to come back although no bytes arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Until {
    /// Inactivity: a moment of the monotonic clock.
    pub mono: Duration,
    /// The session's end: a moment of the wall clock.
    pub wall: Option<Millis>,
}

/// What the TLS that stands gives to sign in with.
#[derive(Clone, Debug, Default)]
pub struct Channel {
    /// What it can be bound to (RFC 5929, RFC 9266).
    pub bindings: ChannelBindings,
    /// The certificate the client showed; its signature has proved that it holds the key.
    pub certificate: Option<Arc<ClientCertificate>>,
}

/// What is new elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The account of the session has this version now.
    Version(Version),
    /// The session has lost its authority, or the server is stopping.
    Ended(crate::sessions::End),
}

/// Work for the driver: await it, then [`Conversation::answer`] with the result.
pub type Job<A> = Pin<Box<dyn Future<Output = A> + Send>>;

/// What a conversation wants next.
pub enum Step<A> {
    /// Run this to its end and come back with the answer. Nothing is read meanwhile.
    Run(Job<A>),
    /// Write these bytes.
    Send(Bytes),
    /// Flush what was sent, then start TLS; nothing read before the handshake survives it.
    UpgradeTls,
    /// Flush what was sent, wait for bytes, for news on the [`Seat`] or until this moment.
    Read(Until),
    /// Flush what was sent, then come back no sooner than at this moment of the monotonic clock. Nothing is read or heard
    /// meanwhile: it is for moments.
    Rest(Duration),
    /// Flush what was sent and close.
    Close,
}

/// One client connection's protocol state.
pub trait Conversation: Send {
    /// What its jobs result in.
    type Answer: Send + 'static;
    /// What to do next. Called until it says `Read` or `Close`, and again after anything happened.
    fn advance(&mut self, now: Now) -> Step<Self::Answer>;
    /// Bytes from the peer. An empty slice is the end of its stream.
    fn receive(&mut self, bytes: &[u8]);
    /// A job's result.
    fn answer(&mut self, answer: Self::Answer, now: Now);
    /// News that the seat brought.
    fn hear(&mut self, news: News);
    /// TLS stands (after [`Step::UpgradeTls`]).
    fn secured(&mut self) {}
    /// What the TLS that stands now gives to sign in with.
    fn bind(&mut self, _channel: Channel) {}
    /// Where news for this conversation arrives.
    fn seat(&mut self) -> &mut Seat;
}
