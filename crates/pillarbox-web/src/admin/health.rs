//! How the server does.

use crate::control::Condition;
use crate::frame::Frame;
use crate::pages::show;
use crate::signed::Administrator;
use crate::{App, Site};
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

#[derive(Template)]
#[template(path = "admin/health.html")]
struct Page<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    conditions: Vec<Condition>,
    good: bool,
}

pub(crate) async fn page(State(app): State<App>, Administrator(signed): Administrator) -> Response {
    let mut conditions = vec![store(&app, &signed).await];
    conditions.extend(app.web.control.conditions());
    let page = Page {
        site: &app.site,
        frame: Frame::admin(&signed, "/admin/health"),
        good: conditions.iter().all(|one| one.good),
        conditions,
    };
    show(StatusCode::OK, &page)
}

/// Whether the store answers.
async fn store(app: &App, signed: &crate::signed::Signed) -> Condition {
    let read = app.web.store.account(signed.account()).version().await;
    let (good, text) = match read {
        Ok(_) => (true, "answers".to_owned()),
        Err(fault) => (false, fault.to_string()),
    };
    Condition {
        name: "Store",
        text,
        good,
    }
}
