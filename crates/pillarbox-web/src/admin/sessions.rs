//! Everybody's live mail sessions.

use crate::account::{Live, live};
use crate::frame::Frame;
use crate::pages::{go, show};
use crate::signed::Administrator;
use crate::when::many;
use crate::{App, Site, form};
use askama::Template;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use pillarbox_oauth::{Act, Deed};

/// Sessions on one page.
const SHOWN: usize = 200;

#[derive(Template)]
#[template(path = "admin/sessions.html")]
struct Page<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    search: &'a str,
    all: String,
    sessions: Vec<Live>,
    left_out: usize,
}

pub(crate) async fn page(
    State(app): State<App>,
    Administrator(signed): Administrator,
    RawQuery(query): RawQuery,
) -> Response {
    let pairs = form::read(query.clone().unwrap_or_default().as_bytes());
    let search = form::get(&pairs, "search").trim().to_lowercase();
    let found = live(&app, |who| who.address.to_lowercase().contains(&search));
    let left_out = found.len().saturating_sub(SHOWN);
    let page = Page {
        site: &app.site,
        frame: Frame::admin(&signed, "/admin/sessions").after(query),
        search: &search,
        all: many(found.len(), "session"),
        sessions: found
            .into_iter()
            .rev()
            .take(SHOWN)
            .map(|one| Live::new(&app, one))
            .collect(),
        left_out,
    };
    show(StatusCode::OK, &page)
}

pub(crate) async fn end(
    State(app): State<App>,
    Administrator(signed): Administrator,
    body: Bytes,
) -> Response {
    let body = form::read(&body);
    let token = form::get(&body, "session");
    let whose = live(&app, |_| true)
        .into_iter()
        .find(|(session, _)| &*session.token == token)
        .map(|(_, who)| who);
    let because = signed.identity.because("ended by hand");
    let ended = app.web.control.end_session(token, because);
    if ended == 0 {
        return go("/admin/sessions?done=session-gone");
    }
    let by = signed.person.address();
    tracing::info!(%by, session = token, "session ended");
    if let Some(who) = whose {
        let act = Act::new(Deed::SessionsEnded, app.now()).detail(many(ended, "mail session"));
        signed.identity.record(&who.account, act);
    }
    go("/admin/sessions?done=session-ended")
}
