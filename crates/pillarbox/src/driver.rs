//! The one loop that drives every conversation over a socket: it asks the machine what it wants, does that, and comes
//! back. It knows sockets, TLS and time limits; it has never heard of a command or a reply.
//!
//! An idle connection holds its TLS state and this future, nothing else: bytes are read into one buffer a thread, lent
//! for the moment of reading, and the handshake's large future is boxed and gone when it is done.

use crate::binding;
use crate::client_certificates;
use crate::clock::Clock;
use crate::tls::Served;
use bytes::{Buf, Bytes};
use pillarbox_protocols::conversation::{Channel, Conversation, Job, News, Step, Until};
use rustls::ServerConfig;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What a peer can make a connection cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A handshake takes two round trips; half a minute is enough for the worst radio link.
    pub handshake: Duration,
    /// Time a peer has to take what we wrote, however little it was: as long as TCP needs to find a lost path.
    pub write_grace: Duration,
    /// And then at least this many octets a second. Slower readers hold memory without using it.
    pub write_octets_per_second_min: u64,
    /// Replies gathered before they are written even if the conversation has more: four TLS records.
    pub outbox_octets: usize,
    /// How long we wait after our end for the peer's, so that our last words are not lost to a reset.
    pub linger: Duration,
    /// What a peer may still send meanwhile.
    pub linger_octets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(30),
            write_grace: Duration::from_secs(60),
            write_octets_per_second_min: 1_024,
            outbox_octets: 64 * 1_024,
            linger: Duration::from_secs(2),
            linger_octets: 256 * 1_024,
        }
    }
}

/// Octets read at once: four TLS records, and few calls for a long literal. One buffer a thread, not a connection.
const SCRATCH_OCTETS: usize = 64 * 1_024;

/// Last words that are written together with TLS's farewell. They wait in the connection's own buffer, which takes more.
const LAST_WORDS_OCTETS: usize = 4 * 1_024;

/// Steps of a conversation whose peer is gone: it may finish what it has begun and note its end, but not stream gigabytes
/// to nobody.
const STEPS_AFTER_THE_PEER: usize = 1_000;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH_OCTETS].into());
}

/// What every connection of a listener shares.
#[derive(Clone)]
pub struct Driver {
    /// Both clocks.
    pub clock: Clock,
    /// For the handshake, at once or at [`Step::UpgradeTls`].
    pub tls: Arc<ServerConfig>,
    /// The certificate shown, where conversations are told what their connection can be bound to.
    pub bound_to: Option<Arc<Served>>,
    /// Whether clients are asked for a certificate.
    pub asks: bool,
    /// See [`Limits`].
    pub limits: Limits,
}

impl Driver {
    /// The TLS handshake of a connection that begins with it.
    pub async fn handshake(&self, socket: TcpStream) -> io::Result<Wire> {
        // Boxed: the handshake's future is several times the size of what remains.
        let accept = Box::pin(TlsAcceptor::from(self.tls.clone()).accept(socket));
        let stream = timeout(self.limits.handshake, accept)
            .await
            .map_err(|_| io::ErrorKind::TimedOut)??;
        Ok(Wire::Tls(Box::new(stream)))
    }

    /// Drives a conversation to its end and takes leave of the peer in order.
    pub async fn drive<C: Conversation>(&self, mut conversation: C, wire: Wire) {
        let mut line = Line {
            wire,
            outbox: Outbox::default(),
            limits: self.limits,
            peer_left: false,
            broken: false,
        };
        self.bind(&mut conversation, &line.wire);
        self.talk(&mut conversation, &mut line).await;
        drop(conversation); // its seat is free before we wait for the peer to hang up
        line.close().await;
    }

    async fn talk<C: Conversation>(&self, conversation: &mut C, line: &mut Line) {
        let mut moved = self.clock.moved();
        let mut told = false;
        let mut steps_left = STEPS_AFTER_THE_PEER;
        loop {
            if line.broken {
                if !line.peer_left {
                    line.peer_left = true;
                    conversation.receive(&[]);
                }
                steps_left -= 1;
                if steps_left == 0 {
                    return;
                }
                // Nothing below waits any more but for a rest's moments, and others want their turn.
                tokio::task::consume_budget().await;
            }
            match conversation.advance(self.clock.now()) {
                Step::Send(bytes) => line.send(bytes).await,
                Step::Run(job) => {
                    let answer = line.flush_while(job).await;
                    conversation.answer(answer, self.clock.now());
                    // A client that pipelines thousands of cheap commands lets others have their turn.
                    tokio::task::consume_budget().await;
                }
                Step::UpgradeTls => {
                    line.flush().await;
                    if !self.upgrade(line).await {
                        return;
                    }
                    conversation.secured();
                    self.bind(conversation, &line.wire);
                }
                Step::Read(until) => {
                    line.flush().await;
                    if line.broken && !line.peer_left {
                        continue; // first it hears of it
                    }
                    if line.peer_left {
                        return; // it was told, and wants more all the same
                    }
                    self.wait(conversation, line, until, &mut moved, &mut told)
                        .await;
                }
                Step::Rest(until) => {
                    line.flush().await;
                    sleep_until(self.clock.instant(until)).await;
                }
                Step::Close => return line.last_words().await,
            }
        }
    }

    /// Waits for bytes, news or the moment, whichever comes first, and tells the conversation.
    async fn wait<C: Conversation>(
        &self,
        conversation: &mut C,
        line: &mut Line,
        until: Until,
        moved: &mut watch::Receiver<u64>,
        told: &mut bool,
    ) {
        // A peer that never stops talking must not keep its session from ending.
        if let Some(end) = conversation.seat().ended().filter(|_| !*told) {
            *told = true;
            return conversation.hear(News::Ended(end));
        }
        tokio::select! {
            biased;
            read = line.wire.read() => match read {
                Ok(octets @ 1..) => {
                    // Still the same poll, so still the same thread and the same bytes: nothing was awaited since.
                    SCRATCH.with_borrow(|scratch| conversation.receive(&scratch[..octets]));
                }
                // A peer that vanishes without TLS's farewell has left like any other; no protocol here trusts
                // the end of the stream for the end of a message.
                Ok(0) | Err(_) => {
                    line.peer_left = true;
                    conversation.receive(&[]);
                }
            },
            news = conversation.seat().news(), if !*told => {
                *told = matches!(news, News::Ended(_));
                conversation.hear(news);
            }
            // The machine sees the time by itself when it is asked again.
            () = sleep(self.clock.until(until)) => {}
            _ = moved.changed() => {}
        }
    }

    fn bind<C: Conversation>(&self, conversation: &mut C, wire: &Wire) {
        let Wire::Tls(stream) = wire else { return };
        let (_, connection) = stream.get_ref();
        let served = self.bound_to.as_ref();
        let bindings = served.map(|served| binding::of(connection, served.end_point()));
        let certificate = self.asks.then(|| client_certificates::of(connection));
        if bindings.is_some() || certificate.is_some() {
            conversation.bind(Channel {
                bindings: bindings.unwrap_or_default(),
                certificate: certificate.flatten(),
            });
        }
    }

    async fn upgrade(&self, line: &mut Line) -> bool {
        let Wire::Plain(socket) = std::mem::replace(&mut line.wire, Wire::Gone) else {
            return false;
        };
        match self.handshake(socket).await {
            Ok(wire) => line.wire = wire,
            Err(_) => line.broken = true,
        }
        !line.broken
    }
}

/// A connection's stream.
pub enum Wire {
    /// Before STARTTLS, and where mail comes in from servers that do without.
    Plain(TcpStream),
    /// Everything else.
    Tls(Box<TlsStream<TcpStream>>),
    /// Lost in a failed handshake.
    Gone,
}

impl Wire {
    /// Reads into the thread's scratch buffer what is there, waiting for the first octet. 0 is the end. The bytes are
    /// there until the next await.
    async fn read(&mut self) -> io::Result<usize> {
        poll_fn(|context| SCRATCH.with_borrow_mut(|scratch| self.poll_fill(context, scratch))).await
    }

    fn poll_fill(
        &mut self,
        context: &mut Context<'_>,
        scratch: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(scratch);
        loop {
            let before = buffer.filled().len();
            let polled = match self {
                Self::Plain(socket) => Pin::new(socket).poll_read(context, &mut buffer),
                Self::Tls(stream) => Pin::new(&mut **stream).poll_read(context, &mut buffer),
                Self::Gone => Poll::Ready(Ok(())),
            };
            let now = buffer.filled().len();
            match polled {
                // An end or an error after some bytes is seen again by the next read.
                Poll::Ready(Ok(())) if now > before && buffer.remaining() > 0 => {}
                Poll::Pending if now == 0 => return Poll::Pending,
                Poll::Ready(Err(error)) if now == 0 => return Poll::Ready(Err(error)),
                _ => return Poll::Ready(Ok(now)),
            }
        }
    }

    async fn write(&mut self, outbox: &mut Outbox) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.write_all_buf(outbox).await,
            Self::Tls(stream) => {
                stream.write_all_buf(outbox).await?;
                stream.flush().await
            }
            Self::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.shutdown().await,
            Self::Tls(stream) => stream.shutdown().await,
            Self::Gone => Ok(()),
        }
    }
}

/// The stream with what is still to be written to it.
struct Line {
    wire: Wire,
    outbox: Outbox,
    limits: Limits,
    /// The peer ended its side.
    peer_left: bool,
    /// Nothing more can be written; the conversation is played to its end without us listening.
    broken: bool,
}

impl Line {
    async fn send(&mut self, bytes: Bytes) {
        if self.broken {
            return;
        }
        self.outbox.push(bytes);
        if self.outbox.octets >= self.limits.outbox_octets {
            self.flush().await;
        }
    }

    async fn flush(&mut self) {
        if !self.broken && self.outbox.octets > 0 {
            self.write().await;
        }
    }

    async fn write(&mut self) {
        let seconds = self.outbox.octets as u64 / self.limits.write_octets_per_second_min;
        let patience = self.limits.write_grace + Duration::from_secs(seconds);
        let written = timeout(patience, self.wire.write(&mut self.outbox)).await;
        self.broken = !matches!(written, Ok(Ok(())));
        self.outbox.trim();
    }

    /// Writes what is left and TLS's farewell in one piece: most sessions end with a few words, and two packets for them
    /// cost twice.
    async fn last_words(&mut self) {
        if self.broken || self.outbox.octets > LAST_WORDS_OCTETS {
            return self.flush().await;
        }
        let Wire::Tls(stream) = &mut self.wire else {
            return self.flush().await;
        };
        let session = stream.get_mut().1;
        while self.outbox.has_remaining() {
            let Ok(octets @ 1..) = session.writer().write(self.outbox.chunk()) else {
                return self.flush().await;
            };
            self.outbox.advance(octets);
        }
        session.send_close_notify();
        self.write().await;
    }

    /// Runs a job; if it takes more than a moment, what was sent before it is written meanwhile.
    async fn flush_while<A>(&mut self, mut job: Job<A>) -> A {
        let first = poll_fn(|context| Poll::Ready(job.as_mut().poll(context))).await;
        match first {
            Poll::Ready(answer) => answer,
            Poll::Pending => tokio::join!(job, self.flush()).0,
        }
    }

    /// Says TLS's farewell, ends our side, and gives the peer a moment to end its own.
    async fn close(mut self) {
        if self.broken {
            return;
        }
        let linger = async {
            self.wire.shutdown().await?;
            let mut left = self.limits.linger_octets;
            while !self.peer_left && left > 0 {
                let read = self.wire.read().await?;
                self.peer_left = read == 0;
                left = left.saturating_sub(read);
            }
            io::Result::Ok(())
        };
        // Whatever goes wrong now goes wrong after the end.
        let _ = timeout(self.limits.linger, linger).await;
    }
}

/// Replies on their way, written together and never copied into one buffer.
#[derive(Default)]
struct Outbox {
    parts: VecDeque<Bytes>,
    octets: usize,
}

impl Outbox {
    fn push(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.octets += bytes.len();
            self.parts.push_back(bytes);
        }
    }

    /// Gives memory back: most connections write a lot at once and then wait for hours.
    fn trim(&mut self) {
        if self.parts.is_empty() {
            self.parts = VecDeque::new();
        }
    }
}

impl Buf for Outbox {
    fn remaining(&self) -> usize {
        self.octets
    }

    fn chunk(&self) -> &[u8] {
        self.parts.front().map_or(&[], |part| part)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let pairs = slices.iter_mut().zip(&self.parts);
        pairs
            .map(|(slice, part)| *slice = IoSlice::new(part))
            .count()
    }

    fn advance(&mut self, mut count: usize) {
        self.octets -= count;
        while let Some(front) = self.parts.front_mut() {
            if front.len() > count {
                return front.advance(count);
            }
            count -= front.len();
            self.parts.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
