//! A conversation that is written down. It stands between the driver and whatever it drives, and changes nothing.

use super::{From, Pen, WireLog};
use pillarbox_protocols::conversation::{Channel, Conversation, News, Now, Step};
use pillarbox_protocols::sessions::{Protocol, Seat};
use std::net::IpAddr;

/// See the module.
pub struct Watched<C> {
    inner: C,
    pen: Pen,
    now: Now,
}

impl<C: Conversation> Watched<C> {
    /// Around a conversation that has not begun.
    pub fn new(mut inner: C, log: &WireLog, protocol: Protocol, peer: IpAddr, now: Now) -> Self {
        let pen = log.open(inner.seat().token(), protocol, peer, now.wall);
        Self { inner, pen, now }
    }
}

impl<C: Conversation> Conversation for Watched<C> {
    type Answer = C::Answer;

    fn advance(&mut self, now: Now) -> Step<Self::Answer> {
        self.now = now;
        let step = self.inner.advance(now);
        if let Step::Send(bytes) = &step {
            self.pen.said(From::Server, bytes, now.wall);
        }
        step
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.pen.said(From::Client, bytes, self.now.wall);
        self.inner.receive(bytes);
    }

    fn answer(&mut self, answer: Self::Answer, now: Now) {
        self.inner.answer(answer, now);
    }

    fn hear(&mut self, news: News) {
        self.inner.hear(news);
    }

    fn secured(&mut self) {
        self.pen.note("TLS begins", self.now.wall);
        self.inner.secured();
    }

    fn bind(&mut self, channel: Channel) {
        self.inner.bind(channel);
    }

    fn seat(&mut self) -> &mut Seat {
        self.inner.seat()
    }
}

impl<C> Drop for Watched<C> {
    fn drop(&mut self) {
        self.pen.end(self.now.wall);
    }
}
