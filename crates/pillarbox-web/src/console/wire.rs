//! The wire log on the console: one column a connection. Secrets were cut before they came here.

use super::LISTED;
use crate::control::{Speaker, WireConnection, WireLine};
use crate::when::{When, rfc3339};
use crate::{App, form};
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::Arc;

/// Connections on the page.
const SHOWN: usize = 8;

/// A connection on the page.
pub(super) struct Column {
    pub token: Arc<str>,
    pub protocol: &'static str,
    pub peer: String,
    pub since: When,
    pub open: bool,
    pub lost: u64,
    pub lines: Vec<Shown>,
}

/// A line on the page.
pub(super) struct Shown {
    pub class: &'static str,
    /// For those who do not see colours.
    pub who: &'static str,
    pub text: String,
}

pub(super) fn columns(app: &App, session: &str) -> Vec<Column> {
    let only = (!session.is_empty()).then_some(session);
    let found = app.web.control.wire(only, SHOWN);
    let now = app.now();
    let shown = |line: WireLine| {
        let (class, who) = match line.from {
            Speaker::Client => ("c", "C:"),
            Speaker::Server => ("s", "S:"),
            Speaker::Nobody => ("n", "–"),
        };
        Shown {
            class,
            who,
            text: line.text,
        }
    };
    let column = |one: WireConnection| Column {
        token: one.token,
        protocol: one.protocol,
        peer: one.peer.to_string(),
        since: When::new(one.since, now),
        open: one.open,
        lost: one.lost,
        lines: one.lines.into_iter().map(shown).collect(),
    };
    found.into_iter().map(column).collect()
}

pub(super) async fn api(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    let pairs = form::read(query.unwrap_or_default().as_bytes());
    let session = form::get(&pairs, "session");
    let only = (!session.is_empty()).then_some(session);
    let line = |line: &WireLine| {
        let from = match line.from {
            Speaker::Client => "client",
            Speaker::Server => "server",
            Speaker::Nobody => "note",
        };
        json!({"at": rfc3339(line.at), "from": from, "text": line.text})
    };
    let connection = |one: &WireConnection| {
        json!({"session": *one.token, "protocol": one.protocol, "peer": one.peer.to_string(),
               "since": rfc3339(one.since), "open": one.open, "lost": one.lost, "lines": one.lines.iter().map(line).collect::<Value>()})
    };
    let all = app.web.control.wire(only, LISTED);
    Json(all.iter().map(connection).collect::<Value>()).into_response()
}
