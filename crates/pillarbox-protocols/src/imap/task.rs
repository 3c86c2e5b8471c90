//! One command on its way: from its first step to its tagged reply.

use super::desk::{Desk, Signed};
use super::out::Out;
use super::refuse::{Kind, Refused};
use super::table::{Numbers, Spec, When};
use super::view::View;
use super::{
    append, check, copy, create, delete, enable, expunge, fetch, list, namespace, quota, rename,
};
use super::{search, select, status, store, subscribe, sync};
use pillarbox_store::mail::Millis;
use pillarbox_wire::imap::{Body, Tag};

/// A command being worked on.
pub struct Task {
    /// For the tagged reply.
    pub tag: Tag,
    /// What the table says.
    pub spec: &'static Spec,
    /// The wall clock when this step began.
    pub now: Millis,
    /// What comes next.
    pub stage: Stage,
}

/// See [`Task::stage`].
pub enum Stage {
    /// The first step of an ordinary command.
    Begin(Box<Body>),
    /// FETCH goes on.
    Fetch(Box<fetch::Fetch>),
    /// STORE goes on.
    Store(Box<store::Store>),
    /// SEARCH goes on.
    Search(Box<search::Search>),
    /// The message of an APPEND has arrived.
    Append(Box<append::Upload>),
    /// News for a client in IDLE; no reply follows.
    IdleNews,
    /// The work is done: tell what else is new, then this.
    Tell(String),
    /// Nothing left.
    Over,
}

/// How a step of a command's own work ended.
pub enum Worked {
    /// There is more to do: call again after the output was sent.
    More(Stage),
    /// Done; this follows the tag (`OK Success`).
    Done(String),
}

/// `OK Success`: what most commands end with (wire §3.4).
pub fn success() -> Result<Worked, Refused> {
    Ok(Worked::Done("OK Success".into()))
}

impl Task {
    /// Whether the bytes sent so far end inside a literal, which must not be cut.
    pub fn is_mid_literal(&self) -> bool {
        matches!(&self.stage, Stage::Fetch(fetch) if fetch.is_mid_literal())
    }

    /// Whether there is nothing left to do.
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// Works a bounded amount.
    pub async fn step(&mut self, desk: &mut Desk, out: &mut Out) -> Option<Refused> {
        let stage = std::mem::replace(&mut self.stage, Stage::Over);
        let mut fault = None;
        self.stage = match stage {
            Stage::Over => Stage::Over,
            Stage::IdleNews => match sync::tell(desk, Numbers::MayShift, out).await {
                Ok(sync::Told::Some) => Stage::IdleNews,
                Ok(sync::Told::All) => Stage::Over,
                Err(refused) => {
                    fault = Some(refused);
                    Stage::Over
                }
            },
            Stage::Tell(reply) => self.tell(reply, desk, out, &mut fault).await,
            work => match work_on(work, &self.tag.clone(), desk, self.now, out).await {
                Ok(Worked::More(next)) => next,
                Ok(Worked::Done(reply)) => self.tell(reply, desk, out, &mut fault).await,
                Err(refused) if refused.kind == Kind::Broken => {
                    fault = Some(refused);
                    Stage::Over
                }
                Err(refused) => {
                    let reply = refused.reply();
                    fault = refused.cause.is_some().then_some(refused);
                    self.tell(reply, desk, out, &mut fault).await
                }
            },
        };
        fault
    }

    /// Tells what is new and, when all is told, the reply.
    async fn tell(
        &mut self,
        reply: String,
        desk: &mut Desk,
        out: &mut Out,
        fault: &mut Option<Refused>,
    ) -> Stage {
        match sync::tell(desk, self.spec.numbers, out).await {
            Ok(sync::Told::Some) => return Stage::Tell(reply),
            Ok(sync::Told::All) => {}
            // The command's own answer stands; what could not be told now is told later.
            Err(refused) => *fault = Some(refused),
        }
        out.tagged(&self.tag, format_args!("{reply}"));
        Stage::Over
    }
}

async fn work_on(
    stage: Stage,
    tag: &Tag,
    desk: &mut Desk,
    now: Millis,
    out: &mut Out,
) -> Result<Worked, Refused> {
    match stage {
        Stage::Begin(body) => begin(*body, tag, desk, now, out).await,
        Stage::Append(upload) => append::store(*upload, &mut desk.signed, now).await,
        Stage::Fetch(fetch) => {
            let (signed, view) = selected(desk)?;
            fetch.step(signed, view, now, out).await
        }
        Stage::Store(store) => {
            let (signed, view) = selected(desk)?;
            store.step(signed, view, now, out).await
        }
        Stage::Search(search) => {
            let (signed, view) = selected(desk)?;
            search.step(signed, view, now, out).await
        }
        Stage::IdleNews | Stage::Tell(_) | Stage::Over => success(),
    }
}

async fn begin(
    body: Body,
    tag: &Tag,
    desk: &mut Desk,
    now: Millis,
    out: &mut Out,
) -> Result<Worked, Refused> {
    match body {
        Body::Noop => success(),
        Body::Enable(names) => enable::run(&names, desk, out),
        Body::Select(select) => {
            let read_only = !desk.signed.may_write;
            select::run(&select, read_only, desk, out).await
        }
        Body::Examine(select) => select::run(&select, true, desk, out).await,
        Body::Create {
            mailbox,
            special_use,
        } => create::run(&mailbox, &special_use, &desk.signed, now).await,
        Body::Delete(mailbox) => delete::run(&mailbox, &desk.signed, now).await,
        Body::Rename { from, to } => rename::run(&from, &to, &desk.signed, now).await,
        Body::Subscribe(mailbox) => subscribe::run(&mailbox, true, &desk.signed).await,
        Body::Unsubscribe(mailbox) => subscribe::run(&mailbox, false, &desk.signed).await,
        Body::List(command) => list::list(&command, &desk.signed, out).await,
        Body::Lsub(pattern) => list::lsub(&pattern, &desk.signed, out).await,
        Body::Xlist(pattern) => list::xlist(&pattern, &desk.signed, out).await,
        Body::Namespace => namespace::run(out),
        Body::Status { mailbox, items } => {
            status::run(&mailbox, &items, &mut desk.signed, out).await
        }
        Body::GetQuota(root) => quota::get_quota(&root, &desk.signed, out).await,
        Body::GetQuotaRoot(mailbox) => quota::get_quota_root(&mailbox, &desk.signed, out).await,
        Body::Close => expunge::close(desk, now).await,
        Body::Unselect => {
            desk.view = None;
            Ok(Worked::Done(expunge::LEFT.into()))
        }
        body => {
            let (signed, view) = selected(desk)?;
            begin_selected(body, tag, signed, view, now, out).await
        }
    }
}

async fn begin_selected(
    body: Body,
    tag: &Tag,
    signed: &mut Signed,
    view: &mut View,
    now: Millis,
    out: &mut Out,
) -> Result<Worked, Refused> {
    match body {
        Body::Check => check::run(),
        Body::Expunge => expunge::run(None, signed, view, now, out).await,
        Body::UidExpunge(messages) => expunge::run(Some(&messages), signed, view, now, out).await,
        Body::Fetch(command) => fetch::Fetch::begin(command, signed, view, now, out).await,
        Body::Store(command) => store::Store::begin(command, signed, view, now, out).await,
        Body::Search(command) => search::Search::begin(command, tag, signed, view, now, out).await,
        Body::Copy(transfer) => copy::copy(&transfer, signed, view, now).await,
        Body::Move(transfer) => copy::r#move(&transfer, signed, view, now, out).await,
        _ => Err(Refused::bad("Unknown command")),
    }
}

fn selected(desk: &mut Desk) -> Result<(&mut Signed, &mut View), Refused> {
    match &mut desk.view {
        Some(view) => Ok((&mut desk.signed, view)),
        None => Err(Refused::bad("No mailbox selected")),
    }
}

/// Whether a command is legal now; if not, what to answer.
pub fn legal(spec: &Spec, signed_in: bool, selected: bool) -> Result<(), Refused> {
    match spec.when {
        When::Any => Ok(()),
        When::NotAuthenticated if signed_in => Err(Refused::bad("Already authenticated")),
        When::NotAuthenticated => Ok(()),
        When::Authenticated | When::Selected if !signed_in => {
            Err(Refused::bad("Please authenticate first"))
        }
        When::Selected if !selected => Err(Refused::bad("No mailbox selected")),
        When::Authenticated | When::Selected => Ok(()),
    }
}
