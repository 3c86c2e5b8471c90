//! How the server does.

use crate::control::Condition;
use crate::frame::Frame;
use crate::pages::show;
use crate::signed::Administrator;
use crate::when::{When, span};
use crate::{App, Site};
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use pillarbox_oauth::{KeyState, ServerKey};
use pillarbox_store::mail::Millis;

#[derive(Template)]
#[template(path = "admin/health.html")]
struct Page<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    conditions: Vec<Condition>,
    good: bool,
}

pub(crate) async fn page(State(app): State<App>, Administrator(signed): Administrator) -> Response {
    let mut conditions = vec![store(&app, &signed).await, keys(&app).await];
    conditions.extend(app.web.control.conditions());
    let page = Page {
        site: &app.site,
        frame: Frame::admin(&signed, "/admin/health"),
        good: conditions.iter().all(|one| one.good),
        conditions,
    };
    show(StatusCode::OK, &page)
}

/// The keys that sign tokens, with their ages. The schedule replaces them; one that is too old shows that it does not run.
async fn keys(app: &App) -> Condition {
    let now = app.now();
    let found = app.web.identity.server_keys(now).await;
    let (good, text) = match &found {
        Err(fault) => (false, fault.to_string()),
        Ok(keys) => {
            let lines: Vec<String> = keys.iter().filter_map(|key| in_words(key, now)).collect();
            (
                keys.iter().all(|key| !key.is_overdue(now)),
                lines.join("; "),
            )
        }
    };
    Condition {
        name: "Signing keys",
        text,
        good,
    }
}

fn in_words(key: &ServerKey, now: Millis) -> Option<String> {
    let what = format!("{}: {}", key.purpose, key.algorithm);
    let near = |at| When::new(at, now).near;
    Some(match key.state {
        KeyState::Signing => format!("{what}, {} old", span(now.saturating_sub(key.signs))),
        KeyState::Announced => format!("{what}, new, signs {}", near(key.signs)),
        KeyState::Replaced => format!("{what}, replaced, goes {}", near(key.ends.unwrap_or(now))),
        KeyState::Marking => return None,
    })
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
