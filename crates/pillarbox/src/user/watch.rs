//! `pillarbox mail watch`: tells of new messages as they come. A session lives no longer than its token; the next one is
//! signed in with a fresh token, and what came between the two is told as well.

use super::mail::{Person, clock_time, row};
use crate::commands::{say, tell};
use crate::failure::Failure;
use pillarbox_client::imap::{Event, SearchKey, Selected, SeqNumber, SeqRange, SequenceSet};
use pillarbox_client::{Error, News, Watch};
use std::num::NonZeroU32;

/// What was told already: messages with lower UIDs.
struct Told {
    validity: Option<u32>,
    next: u32,
}

/// Runs until the server or the person ends it.
pub async fn run(person: &Person, mailbox: &str) -> Result<(), Failure> {
    let mut session = person.reading().await?;
    let failed = |error: Error| person.failure(&error);
    let selected = person.examine(&mut session, mailbox).await?;
    let mut told = Told::after(&selected);
    let name = super::plain::line(mailbox);
    tell(&format!(
        "Watching {name} of {}. Ctrl-C stops.",
        person.address
    ))?;
    let mut watch = Watch::new(session);
    loop {
        let news = watch.next().await.map_err(failed)?;
        let look = match news {
            News::Changed(Event::Exists(_) | Event::Missed) => true,
            News::Changed(_) => false,
            News::Reconnected(selected) => {
                let now = clock_time((person.clock)());
                tell(&format!("{now}  the session ended; signed in again"))?;
                told.go_on(&selected);
                true
            }
        };
        if look {
            match tell_new(&mut watch, &mut told, person).await {
                // The next session looks again.
                Err(error) if error.ends_session() => {}
                Err(error) => return Err(failed(error)),
                Ok(said) => said?,
            }
        }
    }
}

async fn tell_new(
    watch: &mut Watch,
    told: &mut Told,
    person: &Person,
) -> Result<Result<(), Failure>, Error> {
    let Some(key) = told.newer() else {
        return Ok(Ok(()));
    };
    let session = watch.session();
    let mut uids = session.search(key).await?;
    // The range names the last message, too, if all are older.
    uids.retain(|uid| *uid >= told.next);
    for message in session.summaries(&uids).await? {
        let now = (person.clock)();
        let at = jiff::Timestamp::try_from(now).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let row = row(&message, at);
        let line = format!("{}  new  {}   {}", clock_time(now), row.subject, row.sender);
        if let Err(closed) = say(&line) {
            return Ok(Err(closed));
        }
        told.next = told.next.max(message.uid.saturating_add(1));
    }
    Ok(Ok(()))
}

impl Told {
    /// All that is there.
    fn after(selected: &Selected) -> Self {
        Self {
            validity: selected.uid_validity,
            next: selected.uid_next.unwrap_or(1),
        }
    }

    /// In another session: UIDs go on, unless the mailbox is another one.
    fn go_on(&mut self, selected: &Selected) {
        if selected.uid_validity != self.validity {
            *self = Self::after(selected);
        }
    }

    fn newer(&self) -> Option<SearchKey> {
        let from = SeqNumber::Number(NonZeroU32::new(self.next)?);
        let range = SeqRange {
            from,
            to: SeqNumber::Largest,
        };
        SequenceSet::new(vec![range]).map(SearchKey::Uid)
    }
}
