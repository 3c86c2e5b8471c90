//! Waiting for news: IDLE (RFC 2177) without a mode that a caller could forget to leave.

use super::message::Event;
use super::session::{Session, State};
use crate::Error;
use pillarbox_wire::imap::reply::Reply;
use pillarbox_wire::imap::{Body, Kind};
use tokio::time::Instant;

impl Session {
    /// The next thing the server says unasked, in IDLE unless something is there already. Any other command leaves IDLE first.
    /// Between events the connection stays in IDLE, so nothing is missed. The future may be dropped and made again.
    ///
    /// # Errors
    /// [`Error::Ended`] when the server ends the session (`Session expired`): [`Session::reconnect`], or use a
    /// [`Watch`](crate::Watch). [`Error::Unsupported`] without IDLE.
    pub async fn wait(&mut self) -> Result<Event, Error> {
        loop {
            if let Some(event) = self.next_event() {
                return Ok(event);
            }
            match &self.state {
                State::Ready => self.enter_idle()?,
                State::Idle { .. } => {}
                _ => drop(self.begin().await?), // says why not
            }
            self.idle(false).await?;
        }
    }

    /// Ends IDLE, if that is where the session is.
    pub(super) async fn leave_idle(&mut self) -> Result<(), Error> {
        while matches!(self.state, State::Idle { .. }) {
            self.idle(true).await?;
        }
        Ok(())
    }

    fn enter_idle(&mut self) -> Result<(), Error> {
        if !self.has("IDLE") {
            return Err(Error::Unsupported("IDLE"));
        }
        let tag = self.next_tag()?;
        for piece in self.print(&tag, Body::Idle) {
            self.link.queue(&piece);
        }
        let until = self.answer_due();
        self.state = State::Idle {
            tag,
            begun: false,
            done: false,
            until,
        };
        Ok(())
    }

    fn answer_due(&self) -> Instant {
        Instant::now() + self.home.dial.limits().silence
    }

    /// One step in IDLE: takes a reply, or says DONE when it is time to or when `leave`.
    async fn idle(&mut self, leave: bool) -> Result<(), Error> {
        let due = self.answer_due();
        let State::Idle {
            begun, done, until, ..
        } = &mut self.state
        else {
            return Ok(());
        };
        // DONE only after the server's `+` (RFC 2177 §3).
        if *begun && !*done && (leave || Instant::now() >= *until) {
            (*done, *until) = (true, due);
            self.link.queue(b"DONE\r\n");
        }
        let (until, awaited) = match &self.state {
            State::Idle {
                begun, done, until, ..
            } => (*until, !*begun || *done),
            _ => return Ok(()),
        };
        match self.reply_until(until).await? {
            Some(reply) => self.heard_in_idle(reply),
            None if awaited => Err(self.end(Error::Timeout("IDLE was to begin or end"))),
            None => Ok(()),
        }
    }

    fn heard_in_idle(&mut self, reply: Reply) -> Result<(), Error> {
        let again = Instant::now() + self.home.dial.limits().idle;
        let State::Idle {
            tag, begun, until, ..
        } = &mut self.state
        else {
            return Ok(());
        };
        match reply {
            Reply::Continue(_) if !*begun => {
                (*begun, *until) = (true, again);
                Ok(())
            }
            Reply::Untagged(untagged) => self.unasked(untagged),
            Reply::Tagged(answered, status) if answered == *tag => match status.kind {
                Kind::Ok if *begun => {
                    self.state = State::Ready;
                    Ok(())
                }
                Kind::Ok => Err(self.broken("IDLE was answered before it began".into())),
                _ => self.answered("IDLE", status, Vec::new()).map(drop),
            },
            Reply::Continue(_) => Err(self.broken("a second + in IDLE".into())),
            Reply::Tagged(..) => Err(self.broken("a tag we did not use".into())),
        }
    }
}
