//! What administrators and their programs changed of the server itself; what concerns one person stands with that person.

use crate::account::Trail;
use crate::frame::Frame;
use crate::pages::{failed, show};
use crate::signed::Administrator;
use crate::{App, Site, form};
use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;

/// Entries on one page.
const SHOWN: usize = 100;

#[derive(Template)]
#[template(path = "admin/changes.html")]
struct Page<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    trail: Trail,
}

pub(crate) async fn page(
    State(app): State<App>,
    Administrator(signed): Administrator,
    RawQuery(query): RawQuery,
) -> Response {
    let asked = form::read(query.unwrap_or_default().as_bytes());
    let (now, path) = (app.now(), "/admin/changes");
    match signed.identity.changes(usize::MAX, now).await {
        Ok(found) => show(
            StatusCode::OK,
            &Page {
                site: &app.site,
                frame: Frame::admin(&signed, path),
                trail: Trail::new(&found, &asked, (path, &[]), (SHOWN, false), now),
            },
        ),
        Err(fault) => failed(&app, &fault),
    }
}
