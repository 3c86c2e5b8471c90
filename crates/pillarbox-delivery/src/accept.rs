//! One message on its way in: its text arrives in pieces, the header is looked at and changed once it is whole, the rest
//! streams into the body; at the end everything is committed, and only then is it acknowledged.

use crate::line_ends::LineEnds;
use crate::top::{Author, Changes, Top, is_complete};
use crate::unfinished::Id;
use crate::{Delivery, Destination, Refused, Trace, join, trace, without_tag};
use bytes::Bytes;
use pillarbox_store::mail::{
    AccountId, Flags, Intake, Millis, NewMessage, Received, Role, Store, StoreError, SystemFlags,
};
use pillarbox_wire::smtp::{Address, ReversePath};
use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;

/// By which way a message comes.
#[derive(Clone, Debug)]
pub enum Way {
    /// One of our people sends it.
    Submission {
        /// Whose account; the copy in Sent lies there.
        account: AccountId,
        /// Its address: the only author it has besides its aliases.
        address: Arc<str>,
    },
    /// Another server delivers it.
    Incoming,
}

/// The envelope of one message, and how it came.
#[derive(Clone, Debug)]
pub struct Letter {
    /// See [`Way`].
    pub way: Way,
    /// MAIL FROM.
    pub sender: ReversePath,
    /// Checked by [`Delivery::recipient`]; an account named twice gets one record.
    pub recipients: Vec<Destination>,
    /// For Received.
    pub trace: Trace,
    /// When: INTERNALDATE, Received and a missing Date.
    pub at: Millis,
}

/// A message everybody it is for has, durably.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Names this acceptance; Received has it behind the session token.
    pub id: String,
    /// Octets of the text as it came.
    pub bytes: u64,
    /// Every recipient.
    pub to: Vec<String>,
    /// Those of them whose mail went to the captured outbox.
    pub captured: Vec<String>,
}

/// A message being received. Dropping it leaves nothing behind.
pub struct Acceptance {
    delivery: Delivery,
    letter: Letter,
    /// The envelope's sender after §5.5's rule; set with the header.
    sender: Option<Address>,
    id: Id,
    ends: LineEnds,
    /// Of the text as submitted: the copy in Sent is found by it when a client appends the same bytes (wire §3.9).
    text: Box<blake3::Hasher>,
    bytes: u64,
    stage: Stage,
}

enum Stage {
    /// Gathering the header; so many bytes of it were searched for its end.
    Header(Vec<u8>, usize),
    /// `sent` only if the copy in Sent differs: it keeps Bcc.
    Body { main: Intake, sent: Option<Intake> },
    /// What else comes is dropped.
    Refused(Refused),
}

impl Acceptance {
    pub(crate) fn new(delivery: Delivery, letter: Letter) -> Self {
        let mut id = Id::default();
        (delivery.0.random)(&mut id);
        let stage = Stage::Header(Vec::new(), 0);
        Self {
            delivery,
            letter,
            sender: None,
            id,
            ends: LineEnds::default(),
            text: Box::default(),
            bytes: 0,
            stage,
        }
    }

    /// Adds a piece of the text, without dot-stuffing. After a fault the rest is dropped and [`Acceptance::finish`] tells
    /// it.
    pub async fn write(&mut self, piece: Bytes) {
        if matches!(self.stage, Stage::Refused(_)) {
            return;
        }
        self.bytes += piece.len() as u64;
        let piece = match self.letter.way {
            Way::Submission { .. } => self.ends.mend(piece),
            Way::Incoming => {
                self.ends.watch(&piece);
                piece
            }
        };
        self.text.update(&piece);
        let done = match self.ends.saw_bare_lf && matches!(self.letter.way, Way::Incoming) {
            true => Err(Refused::BareLineFeed),
            false => self.take(piece).await,
        };
        if let Err(refused) = done {
            self.stage = Stage::Refused(refused);
        }
    }

    async fn take(&mut self, piece: Bytes) -> Result<(), Refused> {
        match &mut self.stage {
            Stage::Refused(_) => Ok(()),
            Stage::Body { main, sent } => {
                if let Some(sent) = sent {
                    sent.write(piece.clone()).await?;
                }
                Ok(main.write(piece).await?)
            }
            Stage::Header(held, searched) => {
                held.extend_from_slice(&piece);
                let complete = is_complete(held, *searched);
                *searched = held.len();
                let max = self.delivery.0.config.limits.header_bytes_max;
                match complete || held.len() > max {
                    true => self.open(complete).await,
                    false => Ok(()),
                }
            }
        }
    }

    /// The header is whole (or all that will come of it): looks at it, changes it, and begins the body.
    async fn open(&mut self, complete: bool) -> Result<(), Refused> {
        let Stage::Header(held, _) = &mut self.stage else {
            return Ok(());
        };
        let held = std::mem::take(held);
        let limits = self.delivery.0.config.limits;
        let top = Top::read(&held);
        if held.len() > limits.header_bytes_max && !complete && !top.is_broken_off() {
            return Err(Refused::HeaderTooLong);
        }
        if top.hops() > limits.hops_max {
            return Err(Refused::TooManyHops);
        }
        let (main, sent) = match self.letter.way.clone() {
            Way::Incoming => {
                self.sender = self.letter.sender.address().cloned();
                (top.incoming(&self.on_top()), None)
            }
            Way::Submission { account, address } => self.rewrite(&top, &account, &address).await?,
        };
        let (store, at) = (self.delivery.0.store.clone(), self.letter.at);
        let main = begin(&store, main, at).await?;
        let sent = match sent {
            Some(sent) => Some(begin(&store, sent, at).await?),
            None => None,
        };
        self.stage = Stage::Body { main, sent };
        Ok(())
    }

    /// Wire §5.5. Gives what recipients get, and what lies in Sent if that is not the same.
    async fn rewrite(
        &mut self,
        top: &Top<'_>,
        account: &AccountId,
        address: &Arc<str>,
    ) -> Result<(Vec<u8>, Option<Vec<u8>>), Refused> {
        let author = top.author()?;
        let delivery = self.delivery.clone();
        let own = delivery.is_own(&author.address, account, address).await?;
        let drop_sender = match top.sender() {
            Some(sender) => !delivery.is_own(&sender, account, address).await?,
            None => false,
        };
        let sender = self.letter.sender.clone();
        self.sender = delivery.own_sender(sender, account, address).await?;
        let date = (!top.has("Date")).then(|| trace::date(self.letter.at));
        let message_id = (!top.has("Message-ID")).then(|| self.message_id());
        let changes = Changes {
            author: (!own).then_some(&**address),
            drop_sender,
            date,
            message_id,
            drop_bcc: false,
        };
        Ok(self.compose(top, &author, changes))
    }

    fn compose(
        &self,
        top: &Top<'_>,
        author: &Author,
        kept: Changes<'_>,
    ) -> (Vec<u8>, Option<Vec<u8>>) {
        let on_top = self.on_top();
        let sent = top.has_bcc().then(|| top.submitted(&on_top, author, &kept));
        let main = top.submitted(
            &on_top,
            author,
            &Changes {
                drop_bcc: true,
                ..kept
            },
        );
        (main, sent)
    }

    fn on_top(&self) -> String {
        let config = &self.delivery.0.config;
        let only = match self.letter.recipients.as_slice() {
            [one] => Some(one.address()),
            _ => None,
        };
        let letter = &self.letter;
        let received = letter.trace.received(
            &config.host,
            &config.product,
            &self.short_id(),
            only,
            letter.at,
        );
        trace::return_path(self.sender.as_ref()) + &received
    }

    fn message_id(&self) -> String {
        format!("<{}@{}>", hex(&self.id), self.delivery.0.config.host)
    }

    fn short_id(&self) -> String {
        hex(&self.id[..4])
    }

    /// Commits the message for everybody it is for. Answers when all of that is durable.
    ///
    /// # Errors
    /// [`Refused`]: then nothing is acknowledged, and the same message may be offered again.
    pub async fn finish(mut self) -> Result<Accepted, Refused> {
        if matches!(self.stage, Stage::Header(..)) {
            self.open(true).await?;
        }
        let (main, sent) = match std::mem::replace(&mut self.stage, Stage::Header(Vec::new(), 0)) {
            Stage::Refused(refused) => return Err(refused),
            Stage::Header(..) => {
                return Err(StoreError::Corrupt("a message without a stage").into());
            }
            Stage::Body { main, sent } => (main, sent),
        };
        let (delivery, octets) = (self.delivery.clone(), main.size());
        delivery.check_room(&self.letter, octets).await?;
        let (main, sent) = match sent {
            None => (main.finish().await?, None),
            Some(sent) => {
                let mut both = join::all([main.finish(), sent.finish()]).await.into_iter();
                match (both.next(), both.next()) {
                    (Some(main), Some(sent)) => (main?, Some(sent?)),
                    _ => return Err(StoreError::Corrupt("a body that was not finished").into()),
                }
            }
        };
        self.commit(main, sent).await
    }

    async fn commit(mut self, main: Received, sent: Option<Received>) -> Result<Accepted, Refused> {
        let fingerprint = self.fingerprint();
        let at = self.letter.at;
        let before = self.delivery.unfinished().take(&fingerprint, at);
        let key = before.unwrap_or(self.id);
        let outcome = join::all(self.commits(&key, &main, sent.as_ref())).await;
        if let Some(refused) = outcome.into_iter().find_map(Result::err) {
            self.delivery.unfinished().remember(fingerprint, key, at);
            return Err(refused);
        }
        let elsewhere = |to: &Destination| {
            matches!(to, Destination::Elsewhere { .. }).then(|| to.address().to_owned())
        };
        Ok(Accepted {
            id: self.short_id(),
            bytes: self.bytes,
            captured: self
                .letter
                .recipients
                .iter()
                .filter_map(elsewhere)
                .collect(),
            to: self
                .letter
                .recipients
                .drain(..)
                .map(|to| to.address().to_owned())
                .collect(),
        })
    }

    /// One commit for each account concerned.
    fn commits(&self, key: &Id, main: &Received, sent: Option<&Received>) -> Vec<Commit> {
        let at = self.letter.at;
        let mut commits: Vec<Commit> = Vec::new();
        let mut seen = HashSet::new();
        let mut elsewhere = Vec::new();
        for to in &self.letter.recipients {
            match to {
                Destination::Elsewhere { address } => elsewhere.push(address.clone()),
                Destination::Local { account, .. } if !seen.insert(account) => {}
                Destination::Local { account, .. } => {
                    let message = new_message(main, main.digest, Flags::default(), at);
                    let dedup = dedup(key, b'r', account.0.as_bytes());
                    commits.push(self.deliver(account, Role::Inbox, message, dedup));
                }
            }
        }
        if !elsewhere.is_empty() {
            let message = new_message(main, main.digest, Flags::default(), at);
            let sender = self
                .sender
                .as_ref()
                .map(Address::to_string)
                .unwrap_or_default();
            let (delivery, dedup) = (self.delivery.clone(), dedup(key, b'o', b""));
            commits.push(Box::pin(async move {
                delivery.capture(&sender, elsewhere, message, dedup).await
            }));
        }
        if let Way::Submission { account, .. } = &self.letter.way {
            let flags = Flags {
                system: SystemFlags(SystemFlags::SEEN),
                ..Flags::default()
            };
            let digest = *self.text.finalize().as_bytes();
            let message = new_message(sent.unwrap_or(main), digest, flags, at);
            commits.push(self.deliver(account, Role::Sent, message, dedup(key, b's', b"")));
        }
        commits
    }

    fn deliver(
        &self,
        account: &AccountId,
        role: Role,
        message: NewMessage,
        dedup: [u8; 32],
    ) -> Commit {
        let account = self.delivery.0.store.account(account);
        Box::pin(async move {
            match account.deliver(&[role], message, Some(dedup)).await {
                Ok(_) => Ok(()),
                Err(StoreError::OverQuota) if role == Role::Sent => Err(Refused::SenderOverQuota),
                Err(StoreError::OverQuota) => Err(Refused::OverQuota),
                Err(fault) => Err(fault.into()),
            }
        })
    }

    /// The same text from the same sender to the same recipients.
    fn fingerprint(&self) -> [u8; 32] {
        let mut to: Vec<&str> = self
            .letter
            .recipients
            .iter()
            .map(Destination::address)
            .collect();
        to.sort_unstable();
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.text.finalize().as_bytes());
        hasher.update(self.letter.sender.to_string().as_bytes());
        for address in to {
            hasher.update(b"\n").update(address.as_bytes());
        }
        *hasher.finalize().as_bytes()
    }
}

impl Delivery {
    /// Whether an address is the account's or one of its aliases, whatever its letter case (wire §5.5), with a tag or
    /// without (`ada+tag@...`): what is delivered to the account may be its author.
    async fn is_own(
        &self,
        other: &str,
        account: &AccountId,
        address: &str,
    ) -> Result<bool, Refused> {
        if other.eq_ignore_ascii_case(address) {
            return Ok(true);
        }
        let store = &self.0.store;
        if let Some(found) = store.account_of(other).await? {
            return Ok(found == *account);
        }
        match without_tag(other) {
            Some(plain) => Ok(store.account_of(&plain).await?.as_ref() == Some(account)),
            None => Ok(false),
        }
    }

    /// The envelope sender "in the same way"; `<>` stays, for receipts must have it (RFC 8098 §3).
    async fn own_sender(
        &self,
        sender: ReversePath,
        account: &AccountId,
        address: &str,
    ) -> Result<Option<Address>, Refused> {
        let Some(given) = sender.address() else {
            return Ok(None);
        };
        if self.is_own(&given.normal(), account, address).await? {
            return Ok(Some(given.clone()));
        }
        let own = Address::parse(address).map_err(|_| StoreError::Corrupt("account address"))?;
        Ok(Some(own))
    }

    /// Before the first commit, so that one full mailbox does not leave a message half delivered.
    async fn check_room(&self, letter: &Letter, octets: u64) -> Result<(), Refused> {
        let own = match &letter.way {
            Way::Submission { account, .. } => self.may_receive(account, octets).await,
            Way::Incoming => Ok(()),
        };
        // Also of mail to themselves: they are not to read that somebody else cannot be reached.
        if let Err(Refused::Suspended) = own {
            return Err(Refused::SenderSuspended);
        }
        for to in &letter.recipients {
            if let Destination::Local { account, .. } = to {
                self.may_receive(account, octets).await?;
            }
        }
        match own {
            Err(Refused::OverQuota) => Err(Refused::SenderOverQuota),
            own => own,
        }
    }
}

async fn begin(store: &Store, header: Vec<u8>, at: Millis) -> Result<Intake, StoreError> {
    let mut intake = Intake::new(store, at);
    intake.write(header.into()).await?;
    Ok(intake)
}

type Commit = std::pin::Pin<Box<dyn Future<Output = Result<(), Refused>> + Send>>;

fn new_message(body: &Received, digest: [u8; 32], flags: Flags, at: Millis) -> NewMessage {
    NewMessage {
        blob: body.blob,
        size: body.size,
        facts: body.facts.clone(),
        digest,
        flags,
        received: at,
    }
}

fn dedup(key: &Id, kind: u8, account: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(key).update(&[kind]).update(account);
    *hasher.finalize().as_bytes()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}"); // writing to a String does not fail
        out
    })
}
