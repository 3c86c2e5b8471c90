//! Which labels mail programs see over IMAP (wire §3.6).

use crate::frame::Frame;
use crate::pages::{failed, go, show};
use crate::signed::Signed;
use crate::when::many;
use crate::{App, Site, form};
use askama::Template;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use pillarbox_oauth::{Act, Deed};
use pillarbox_store::mail::{Mailbox, Role, StoreError};
use std::sync::Arc;

#[derive(Template)]
#[template(path = "account/labels.html")]
struct Page<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    rows: Vec<Row>,
}

struct Row {
    name: Arc<str>,
    messages: String,
    shown: bool,
}

/// IMAP always has an INBOX.
fn can_be_hidden(mailbox: &Mailbox) -> bool {
    mailbox.role != Some(Role::Inbox)
}

pub(crate) async fn page(
    State(app): State<App>,
    signed: Signed,
    RawQuery(query): RawQuery,
) -> Response {
    let all = match app.web.store.account(signed.account()).mailboxes().await {
        Ok((_, all)) => all,
        Err(fault) => return failed(&app, &fault),
    };
    let rows = all.into_iter().filter(can_be_hidden).map(|one| Row {
        messages: many(
            usize::try_from(one.messages).unwrap_or(usize::MAX),
            "message",
        ),
        shown: one.visible,
        name: one.name,
    });
    let page = Page {
        site: &app.site,
        frame: Frame::account(&signed, "/account/setup").after(query),
        rows: rows.collect(),
    };
    show(StatusCode::OK, &page)
}

pub(crate) async fn change(State(app): State<App>, signed: Signed, body: Bytes) -> Response {
    let body = form::read(&body);
    let name = form::get(&body, "label");
    let shown = match form::get(&body, "change") {
        "show" => true,
        "hide" => false,
        _ => return go("/account/labels"),
    };
    let account = app.web.store.account(signed.account());
    let changed = async {
        match account.mailbox(name).await? {
            Some(known) if can_be_hidden(&known) => account.show(name, shown).await,
            _ => Err(StoreError::NoSuchMailbox),
        }
    };
    match changed.await {
        Ok(()) => {}
        Err(StoreError::NoSuchMailbox) => return go("/account/labels"),
        Err(fault) => return failed(&app, &fault),
    }
    let what = if shown { "shown in" } else { "hidden from" };
    let act = Act::new(Deed::Changed, app.now());
    let act = act.detail(format!("the label {name} is {what} IMAP"));
    signed.identity.record(signed.account(), act);
    let done = if shown { "label-shown" } else { "label-hidden" };
    go(&format!("/account/labels?done={done}"))
}
