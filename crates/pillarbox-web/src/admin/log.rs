//! What happened lately, with true causes.

use crate::control::{Happening, Wanted};
use crate::frame::Frame;
use crate::pages::show;
use crate::signed::Administrator;
use crate::when::When;
use crate::{App, Site, form};
use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;

/// Happenings on one page.
const SHOWN: usize = 200;

#[derive(Template)]
#[template(path = "admin/log.html")]
struct Page<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    search: &'a str,
    session: &'a str,
    lines: Vec<Line>,
}

/// One happening as shown.
pub(crate) struct Line {
    pub at: When,
    pub clock: String,
    pub about: &'static str,
    pub session: String,
    pub peer: String,
    pub text: String,
    pub told: Option<String>,
    pub trouble: bool,
}

pub(crate) fn line(one: Happening, now: i64) -> Line {
    let at = When::new(one.at, now);
    Line {
        clock: at.iso.get(11..19).unwrap_or_default().to_owned(),
        at,
        about: one.about,
        session: one.session.to_string(),
        peer: one.peer.to_canonical().to_string(),
        text: one.text,
        told: one.told,
        trouble: one.trouble,
    }
}

/// What a page with `search` and `session` in its query wants to see.
pub(crate) fn wanted(pairs: &[(String, String)], limit: usize) -> Wanted {
    let text = |name: &str| {
        let text = form::get(pairs, name).trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    Wanted {
        session: text("session"),
        text: text("search"),
        limit,
    }
}

pub(crate) async fn page(
    State(app): State<App>,
    Administrator(signed): Administrator,
    RawQuery(query): RawQuery,
) -> Response {
    let pairs = form::read(query.unwrap_or_default().as_bytes());
    let (now, found) = (
        app.now(),
        app.web.control.happenings(&wanted(&pairs, SHOWN)),
    );
    let page = Page {
        site: &app.site,
        frame: Frame::admin(&signed, "/admin/log"),
        search: form::get(&pairs, "search"),
        session: form::get(&pairs, "session"),
        lines: found.into_iter().map(|one| line(one, now)).collect(),
    };
    show(StatusCode::OK, &page)
}
