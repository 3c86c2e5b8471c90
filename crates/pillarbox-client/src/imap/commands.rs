//! What a session can be asked to do.

use super::message::{Folder, Message, Selected};
use super::session::{Place, Session};
use crate::Error;
use pillarbox_wire::imap::command::{
    Append, AppendForm, AppendLiteral, Change, Fetch, FetchItem, List, Marks, Messages, Search,
    SearchKey, SearchReturn, Section, SectionText, Select, Store, Transfer,
};
use pillarbox_wire::imap::reply::{FetchData, Untagged};
use pillarbox_wire::imap::{
    Body, By, Code, Flag, Mailbox, NumberSet, SeqNumber, SeqRange, SequenceSet,
};
use std::collections::BTreeMap;
use std::num::NonZeroU32;

/// Ranges in one command: with ten digits each a line of less than 8,000 bytes (RFC 7162 §4).
const RANGES_MAX: usize = 300;

impl Session {
    /// Opens a mailbox (RFC 3501 §6.3.1).
    ///
    /// # Errors
    /// [`Error::No`] if there is none; no mailbox is open then.
    pub async fn select(&mut self, mailbox: &str) -> Result<Selected, Error> {
        self.open_mailbox(mailbox, false).await
    }

    /// Opens a mailbox to read only (RFC 3501 §6.3.2).
    ///
    /// # Errors
    /// As [`Session::select`].
    pub async fn examine(&mut self, mailbox: &str) -> Result<Selected, Error> {
        self.open_mailbox(mailbox, true).await
    }

    pub(super) async fn open_mailbox(
        &mut self,
        mailbox: &str,
        read_only: bool,
    ) -> Result<Selected, Error> {
        let select = Select {
            mailbox: name(mailbox)?,
            condstore: false,
            qresync: None,
        };
        self.leave_idle().await?;
        // A failed SELECT leaves no mailbox open (RFC 3501 §6.3.1), but one that was not answered is to be opened again.
        let before = self.selected.clone();
        let answer = self.run(match read_only {
            true => Body::Examine(select),
            false => Body::Select(select),
        });
        let answer = match answer.await {
            Ok(answer) => answer,
            Err(error) => {
                self.selected = before.filter(|_| error.ends_session());
                return Err(error);
            }
        };
        // What was said of the mailbox that was open before means nothing now.
        self.take_events();
        self.selected = Some(Place {
            mailbox: mailbox.to_owned(),
            read_only,
        });
        let mut selected = Selected {
            mailbox: mailbox.to_owned(),
            read_only: answer.status.code == Some(Code::ReadOnly) || read_only,
            ..Selected::default()
        };
        for untagged in answer.untagged {
            selected.read(untagged);
        }
        Ok(selected)
    }

    /// The mailboxes whose names match: `*` is any text, `%` any without the delimiter (RFC 3501 §6.3.8).
    ///
    /// # Errors
    /// [`Error::No`].
    pub async fn list(&mut self, pattern: &str) -> Result<Vec<Folder>, Error> {
        let list = List {
            select: None,
            reference: String::new(),
            patterns: vec![pattern.to_owned()],
            patterns_listed: false,
            returns: None,
        };
        let answer = self.run(Body::List(list)).await?;
        let mut folders = Vec::new();
        for untagged in answer.untagged {
            match untagged {
                Untagged::List(listed) => folders.push(Folder::read(listed)),
                other => self.keep([other]),
            }
        }
        Ok(folders)
    }

    /// The UIDs of the messages that match, ascending (RFC 3501 §6.4.4).
    ///
    /// # Errors
    /// [`Error::No`].
    pub async fn search(&mut self, key: SearchKey) -> Result<Vec<u32>, Error> {
        // RFC 4731: a thousand UIDs in a row are one range.
        let returns = self.has("ESEARCH").then_some(SearchReturn {
            all: true,
            ..SearchReturn::default()
        });
        let by = By::Uid;
        let answer = self.run(Body::Search(Search { by, returns, key })).await?;
        let mut found = Vec::new();
        for untagged in answer.untagged {
            match untagged {
                Untagged::Search(uids, _) => found.extend(uids),
                Untagged::Esearch(esearch) => {
                    // A range is a claim of the size of a number, not of a list.
                    let room = self.home.dial.limits().answer_bytes_max / size_of::<u32>();
                    if esearch.all.count() > room as u64 {
                        return Err(self.broken("more messages found than can be".into()));
                    }
                    found.extend(esearch.all.iter());
                }
                other => self.keep([other]),
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// UID, flags, arrival, size and envelope: what a list of messages shows. Does not mark anything as seen.
    ///
    /// # Errors
    /// [`Error::No`].
    pub async fn summaries(&mut self, uids: &[u32]) -> Result<Vec<Message>, Error> {
        let items = [
            FetchItem::Flags,
            FetchItem::InternalDate,
            FetchItem::Size,
            FetchItem::Envelope,
        ];
        self.fetch(uids, &items).await
    }

    /// The whole message as it was sent; `None` if there is none with this UID. Does not mark it as seen.
    ///
    /// # Errors
    /// [`Error::No`]; [`Error::TooLong`] if it is larger than [`Limits::reply_bytes_max`](crate::Limits::reply_bytes_max).
    pub async fn body(&mut self, uid: u32) -> Result<Option<Vec<u8>>, Error> {
        let whole = FetchItem::Section {
            section: Section {
                part: Vec::new(),
                text: SectionText::Whole,
            },
            peek: true,
            partial: None,
        };
        let mut messages = self.fetch(&[uid], &[whole]).await?;
        let others = messages.pop().map(|m| m.others).unwrap_or_default();
        Ok(others.into_iter().find_map(|item| match item {
            FetchData::Section(_, _, bytes) => bytes,
            _ => None,
        }))
    }

    /// These items of these messages, by UID ascending; messages that are gone are left out (RFC 3501 §6.4.5).
    ///
    /// # Errors
    /// [`Error::No`].
    pub async fn fetch(
        &mut self,
        uids: &[u32],
        items: &[FetchItem],
    ) -> Result<Vec<Message>, Error> {
        let mut all = vec![FetchItem::Uid];
        all.extend(
            items
                .iter()
                .filter(|item| **item != FetchItem::Uid)
                .cloned(),
        );
        let asked = numbers(uids);
        let mut found: BTreeMap<u32, Message> = BTreeMap::new();
        for messages in sets(uids) {
            let fetch = Fetch {
                by: By::Uid,
                messages,
                items: all.clone(),
                changed_since: None,
                vanished: false,
            };
            for untagged in self.run(Body::Fetch(fetch)).await?.untagged {
                match untagged {
                    Untagged::Fetch(sequence, data) => match uid(&data) {
                        Some(uid) if asked.contains(uid) => found.entry(uid).or_default().add(data),
                        _ => self.keep([Untagged::Fetch(sequence, data)]),
                    },
                    other => self.keep([other]),
                }
            }
        }
        Ok(found.into_values().collect())
    }

    /// Changes flags (RFC 3501 §6.4.6). Messages that are gone are passed over.
    ///
    /// # Errors
    /// [`Error::No`].
    pub async fn store(
        &mut self,
        uids: &[u32],
        change: Change,
        flags: &[Flag],
    ) -> Result<(), Error> {
        for messages in sets(uids) {
            let store = Store {
                by: By::Uid,
                messages,
                unchanged_since: None,
                change,
                silent: true,
                what: Marks::Flags(flags.to_vec()),
            };
            self.told(Body::Store(store)).await?;
        }
        Ok(())
    }

    /// Moves messages to another mailbox: by MOVE (RFC 6851), or by COPY, `\Deleted` and UID EXPUNGE (RFC 4315).
    ///
    /// # Errors
    /// [`Error::No`]; [`Error::Unsupported`] if the server has neither, as nothing else would spare other deleted messages.
    pub async fn move_to(&mut self, uids: &[u32], mailbox: &str) -> Result<(), Error> {
        let to = name(mailbox)?;
        let by_copy = !self.has("MOVE");
        if by_copy && !self.has("UIDPLUS") {
            return Err(Error::Unsupported("MOVE or UIDPLUS"));
        }
        for messages in sets(uids) {
            let transfer = Transfer {
                by: By::Uid,
                messages: messages.clone(),
                to: to.clone(),
            };
            if !by_copy {
                self.told(Body::Move(transfer)).await?;
                continue;
            }
            self.told(Body::Copy(transfer)).await?;
            let store = Store {
                by: By::Uid,
                messages: messages.clone(),
                unchanged_since: None,
                change: Change::Add,
                silent: true,
                what: Marks::Flags(vec![Flag::Deleted]),
            };
            self.told(Body::Store(store)).await?;
            self.told(Body::UidExpunge(messages)).await?;
        }
        Ok(())
    }

    /// Puts a message into a mailbox; its UIDVALIDITY and UID there, if the server says them (RFC 4315 §3). Line ends must be
    /// CRLF.
    ///
    /// # Errors
    /// [`Error::No`], with [`Code::TryCreate`] if there is no such mailbox.
    pub async fn append(
        &mut self,
        mailbox: &str,
        flags: &[Flag],
        message: &[u8],
    ) -> Result<Option<(u32, u32)>, Error> {
        let append = Append {
            mailbox: name(mailbox)?,
            flags: flags.to_vec(),
            date: None,
            literal: AppendLiteral {
                size: message.len() as u64,
                waits: true,
                form: AppendForm::Plain,
            },
        };
        let tag = self.begin().await?;
        let mut untagged = Vec::new();
        for piece in self.print(&tag, Body::Append(append)) {
            self.link.queue(&piece);
            if let Some(status) = self.until(&tag, &mut untagged, true).await? {
                // Refused before the message was sent, or the name was.
                let answer = self.answered("APPEND", status, untagged)?;
                self.keep(answer.untagged);
                return Err(self.broken("APPEND was answered without its message".into()));
            }
        }
        if let Err(error) = self.link.send(message).await {
            return Err(self.end(error));
        }
        self.link.queue(b"\r\n");
        let answer = self.finish("APPEND", &tag, untagged).await?;
        self.keep(answer.untagged);
        Ok(match answer.status.code {
            Some(Code::AppendUid(validity, uids)) => uids.first().map(|uid| (validity, uid)),
            _ => None,
        })
    }

    /// Lets the server say what is new (RFC 3501 §6.1.2); [`Session::take_events`] has it.
    ///
    /// # Errors
    /// [`Error::Ended`] if it is not there any more.
    pub async fn noop(&mut self) -> Result<(), Error> {
        self.told(Body::Noop).await
    }

    /// Runs a command whose answer is nothing but news.
    async fn told(&mut self, body: Body) -> Result<(), Error> {
        let answer = self.run(body).await?;
        self.keep(answer.untagged);
        Ok(())
    }
}

impl Selected {
    fn read(&mut self, untagged: Untagged) {
        match untagged {
            Untagged::Exists(count) => self.exists = count,
            Untagged::Flags(flags) => self.flags = flags,
            Untagged::Status(status) => match status.code {
                Some(Code::UidValidity(number)) => self.uid_validity = Some(number),
                Some(Code::UidNext(number)) => self.uid_next = Some(number),
                Some(Code::HighestModSeq(number)) => self.highest_mod_seq = Some(number),
                Some(Code::PermanentFlags { flags, .. }) => self.permanent_flags = flags,
                _ => {}
            },
            _ => {}
        }
    }
}

fn name(mailbox: &str) -> Result<Mailbox, Error> {
    Mailbox::new(mailbox).ok_or_else(|| Error::Argument(format!("mailbox name {mailbox:?}")))
}

fn uid(data: &[FetchData]) -> Option<u32> {
    data.iter().find_map(|item| match item {
        FetchData::Uid(uid) => Some(*uid),
        _ => None,
    })
}

fn numbers(uids: &[u32]) -> NumberSet {
    NumberSet::from_ranges(uids.iter().map(|uid| (*uid, *uid)).collect())
}

/// Sets whose text a server takes in one line; none for no messages, as there is no way to say that.
fn sets(uids: &[u32]) -> Vec<Messages> {
    let number = |n| NonZeroU32::new(n).map(SeqNumber::Number);
    let range = |&(from, to): &(u32, u32)| {
        Some(SeqRange {
            from: number(from)?,
            to: number(to)?,
        })
    };
    let uids = numbers(uids);
    let lines = uids.ranges().chunks(RANGES_MAX);
    lines
        .filter_map(|line| SequenceSet::new(line.iter().filter_map(range).collect()))
        .map(Messages::Set)
        .collect()
}
