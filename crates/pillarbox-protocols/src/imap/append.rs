//! APPEND (RFC 3501 §6.3.11, RFC 4315 §3, RFC 7889): the message goes to the store as it comes.

use super::Limits;
use super::desk::{Desk, Signed};
use super::refuse::Refused;
use super::store::flags_of;
use super::table::{self, Spec};
use super::task::Worked;
use bytes::Bytes;
use pillarbox_store::mail::{Intake, MailboxId, Millis, NewMessage, StoreError};
use pillarbox_wire::imap::Tag;
use pillarbox_wire::imap::command::Append;

/// APPEND in the table.
pub fn spec() -> &'static Spec {
    table::get("APPEND")
}

/// A message on its way in.
pub struct Upload {
    tag: Tag,
    command: Append,
    target: Option<MailboxId>,
    intake: Option<Intake>,
    gathered: Vec<u8>,
    desk: Option<Box<Desk>>,
    /// Why it will not be stored; the rest of the literal is taken and dropped.
    refused: Option<Refused>,
    answered: bool,
}

/// What a job of an upload results in.
pub struct Received {
    /// Given back.
    pub desk: Box<Desk>,
    /// Given back.
    pub upload: Box<Upload>,
    /// What went wrong.
    pub refused: Option<Refused>,
}

/// Looks up the target, before the client is told to go ahead.
pub async fn begin(tag: Tag, command: Append, desk: Box<Desk>, now: Millis) -> Received {
    let found = target(&command, &desk.signed).await;
    let intake = found
        .is_ok()
        .then(|| Intake::new(&desk.signed.context.store, now));
    let (target, refused) = match found {
        Ok(target) => (Some(target), None),
        Err(refused) => (None, Some(refused)),
    };
    let upload = Upload {
        tag,
        command,
        target,
        intake,
        gathered: Vec::new(),
        desk: None,
        refused: None,
        answered: false,
    };
    Received {
        desk,
        upload: Box::new(upload),
        refused,
    }
}

async fn target(command: &Append, signed: &Signed) -> Result<MailboxId, Refused> {
    if command.literal.size == 0 {
        return Err(Refused::no(
            "CANNOT",
            "An empty message cannot be stored (Failure)",
        ));
    }
    match signed.account.mailbox(command.mailbox.as_str()).await? {
        Some(known) if signed.shows(&known) => Ok(known.id),
        _ => Err(Refused::try_create(command.mailbox.as_str())),
    }
}

/// Writes what was gathered.
pub async fn spool(mut upload: Box<Upload>) -> Received {
    let refused = upload.flush().await.err().map(Refused::from);
    // The desk waits inside while the message arrives; there always is one.
    match upload.desk.take() {
        Some(desk) => Received {
            desk,
            upload,
            refused,
        },
        None => std::future::pending().await,
    }
}

/// The message is complete: makes it durable and part of the mailbox.
pub async fn store(
    mut upload: Upload,
    signed: &mut Signed,
    now: Millis,
) -> Result<Worked, Refused> {
    if let Some(refused) = upload.refused.take() {
        return Err(refused);
    }
    upload.flush().await?;
    let (Some(target), Some(intake)) = (upload.target, upload.intake.take()) else {
        return Err(Refused::syntax());
    };
    let received = intake.finish().await?;
    let message = NewMessage {
        blob: received.blob,
        size: received.size,
        facts: received.facts,
        digest: received.digest,
        flags: flags_of(&upload.command.flags),
        received: date(&upload.command, now),
    };
    match signed.account.append(target, message).await {
        Ok(done) => Ok(Worked::Done(format!(
            "OK [APPENDUID {} {}] (Success)",
            done.uid_validity, done.uid.0
        ))),
        Err(StoreError::NoSuchMailbox) => Err(Refused::try_create(upload.command.mailbox.as_str())),
        Err(fault) => Err(fault.into()),
    }
}

/// INTERNALDATE: before 1970 or in the future becomes now (wire §3.9).
fn date(command: &Append, now: Millis) -> Millis {
    let wanted = command.date.map(|date| date.seconds().saturating_mul(1000));
    wanted
        .filter(|wanted| (0..=now).contains(wanted))
        .unwrap_or(now)
}

impl Upload {
    /// For the tagged reply.
    pub fn tag(&self) -> &Tag {
        &self.tag
    }

    /// The target is there: the client may go ahead.
    pub fn is_welcome(&self) -> bool {
        self.target.is_some()
    }

    /// The client was not told to go ahead yet.
    pub fn is_first(&self) -> bool {
        !self.answered
    }

    /// The client waits to be told.
    pub fn waits(&self) -> bool {
        self.command.literal.waits
    }

    /// What must follow the message.
    pub fn closing(&self) -> &'static [u8] {
        self.command.literal.form.closing()
    }

    /// Keeps the desk while the message arrives.
    pub fn settle(&mut self, desk: Box<Desk>, refused: Option<Refused>) {
        self.answered = true;
        self.desk = Some(desk);
        if refused.is_some() {
            self.intake = None;
            self.refused = refused;
        }
    }

    /// Takes a piece; true if enough is gathered to be written.
    pub fn add(&mut self, piece: Vec<u8>, limits: &Limits) -> bool {
        if self.refused.is_some() {
            return false;
        }
        match self.gathered.is_empty() {
            true => self.gathered = piece,
            false => self.gathered.extend_from_slice(&piece),
        }
        self.gathered.len() >= limits.step_bytes
    }

    async fn flush(&mut self) -> Result<(), StoreError> {
        let gathered = std::mem::take(&mut self.gathered);
        match &mut self.intake {
            Some(intake) if !gathered.is_empty() => intake.write(Bytes::from(gathered)).await,
            _ => Ok(()),
        }
    }

    /// The desk, when the message is complete.
    pub fn take_desk(&mut self) -> Option<Box<Desk>> {
        self.desk.take()
    }
}
