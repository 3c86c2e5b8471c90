//! Waiting for news over days: IDLE, the session's end, the next session.

use crate::Error;
use crate::imap::{Event, Selected, Session};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A session that lived shorter is counted as a failed attempt: a server that throws everybody out at once is not helped by
/// clients that come back at once.
const STEADY: Duration = Duration::from_secs(30);
/// Longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Waits for news of the open mailbox. When the session ends (`Session expired`, a restart, a lost connection) it signs in
/// again with a fresh token, opens the mailbox again and goes on; after the first failure with pauses of 1, 2, 4 and at most
/// 60 seconds.
#[derive(Debug)]
pub struct Watch {
    session: Session,
    /// Attempts since a session lasted.
    failures: u32,
    /// When this session began; `None` when its end is already counted.
    began: Option<Instant>,
}

/// What a [`Watch`] has to say.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// The server said so.
    Changed(Event),
    /// There is a new session. What happened in between was not announced: compare [`Selected::uid_validity`] and
    /// [`Selected::uid_next`] with what you know.
    Reconnected(Selected),
}

impl Watch {
    /// Of the mailbox that is open in this session.
    #[must_use]
    pub fn new(session: Session) -> Self {
        Self {
            session,
            failures: 0,
            began: Some(Instant::now()),
        }
    }

    /// Waits. The future may be dropped and made again.
    ///
    /// # Errors
    /// What waiting does not mend: [`Error::SignIn`] for good, [`Error::Token`], [`Error::Tls`], a mailbox that is gone
    /// ([`Error::No`]), no IDLE ([`Error::Unsupported`]). To call it again is to try again.
    pub async fn next(&mut self) -> Result<News, Error> {
        loop {
            if !self.session.has_ended() {
                match self.session.wait().await {
                    Ok(event) => return Ok(News::Changed(event)),
                    Err(error) if error.ends_session() => {}
                    Err(error) => return Err(error),
                }
            }
            if self.began.take().is_some_and(|b| b.elapsed() >= STEADY) {
                self.failures = 0;
            }
            sleep(pause(self.failures)).await;
            self.failures = self.failures.saturating_add(1);
            match self.session.reconnect().await {
                Ok(selected) => {
                    self.began = Some(Instant::now());
                    return Ok(News::Reconnected(selected.unwrap_or_default()));
                }
                Err(error) if error.is_temporary() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The session, for other commands between two events. It may have ended: then they fail, and [`Watch::next`] mends it.
    pub fn session(&mut self) -> &mut Session {
        &mut self.session
    }
}

/// Before an attempt, after so many failed ones.
fn pause(failures: u32) -> Duration {
    match failures.checked_sub(1) {
        None => Duration::ZERO,
        Some(doublings) => Duration::from_secs(1 << doublings.min(6)).min(PAUSE_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_bounded() {
        let seconds = [0, 1, 2, 3, 6, 7, 8, u32::MAX].map(|n| pause(n).as_secs());
        assert_eq!(seconds, [0, 1, 2, 4, 32, 60, 60, 60]);
    }
}
