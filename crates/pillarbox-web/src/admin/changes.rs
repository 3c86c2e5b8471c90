//! What administrators and their programs changed of the server itself; what concerns one person stands with that person.

use crate::account::{Entry, entries};
use crate::frame::Frame;
use crate::pages::{failed, show};
use crate::signed::Administrator;
use crate::{App, Site};
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

/// Entries on the page.
const SHOWN: usize = 300;

#[derive(Template)]
#[template(path = "admin/changes.html")]
struct Page<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    entries: Vec<Entry>,
}

pub(crate) async fn page(State(app): State<App>, Administrator(signed): Administrator) -> Response {
    let now = app.now();
    match signed.identity.changes(SHOWN, now).await {
        Ok(found) => show(
            StatusCode::OK,
            &Page {
                site: &app.site,
                frame: Frame::admin(&signed, "/admin/changes"),
                entries: entries(&found, now),
            },
        ),
        Err(fault) => failed(&app, &fault),
    }
}
