//! The domains whose mail is ours, what to publish of each, and whether it is published.

use crate::domains::{DomainRow, domains};
use crate::frame::Frame;
use crate::pages::{failed, message, show};
use crate::published::{Check, Checked, Standing, check};
use crate::signed::Administrator;
use crate::{App, Site, form};
use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;

/// Domains on one page.
const SHOWN: usize = 100;

#[derive(Template)]
#[template(path = "admin/domains.html")]
struct List<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    rows: Vec<Row>,
    search: &'a str,
    search_encoded: String,
    /// Where the next page begins.
    more: Option<String>,
}

struct Row {
    encoded: String,
    accounts: String,
    name: String,
}

#[derive(Template)]
#[template(path = "admin/domain.html")]
struct View<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    row: Row,
    /// What came of asking, in a sentence.
    sum: String,
    /// Why records could not be asked for, as the sum says it already.
    common: String,
    /// How that is to be taken: notice, warning, error, or empty.
    mood: &'static str,
    records: Vec<Checked>,
    /// All of them, as a zone file has them.
    zone: String,
}

fn row(found: DomainRow) -> Row {
    Row {
        encoded: form::encode(&found.name),
        accounts: match found.accounts {
            1 => "1 account".to_owned(),
            many => format!("{many} accounts"),
        },
        name: found.name,
    }
}

pub(crate) async fn list(
    State(app): State<App>,
    Administrator(signed): Administrator,
    RawQuery(query): RawQuery,
) -> Response {
    let pairs = form::read(query.unwrap_or_default().as_bytes());
    let (search, after) = (form::get(&pairs, "search"), form::get(&pairs, "after"));
    let mut found = match domains(&app.web.store, &app.web.control.domain()).await {
        Ok(found) => found,
        Err(fault) => return failed(&app, &fault),
    };
    let wanted = search.trim().to_lowercase();
    found.retain(|one| one.name.contains(&wanted));
    // One that is gone is no place any more: then it begins at the beginning.
    let from = found.iter().position(|one| one.name == after);
    found.drain(..from.map_or(0, |at| at + 1));
    let last = found.get(SHOWN - 1).filter(|_| found.len() > SHOWN);
    let page = List {
        site: &app.site,
        frame: Frame::admin(&signed, "/admin/domains"),
        search,
        search_encoded: form::encode(search),
        more: last.map(|one| form::encode(&one.name)),
        rows: found.into_iter().take(SHOWN).map(row).collect(),
    };
    show(StatusCode::OK, &page)
}

pub(crate) async fn view(
    State(app): State<App>,
    Administrator(signed): Administrator,
    RawQuery(query): RawQuery,
) -> Response {
    let pairs = form::read(query.unwrap_or_default().as_bytes());
    let name = form::get(&pairs, "domain").to_ascii_lowercase();
    let found = match domains(&app.web.store, &app.web.control.domain()).await {
        Ok(found) => found.into_iter().find(|one| one.name == name),
        Err(fault) => return failed(&app, &fault),
    };
    let Some(found) = found else {
        let line = format!("No account has an address in {name}.");
        let title = "This domain is not served here";
        return message(&app, StatusCode::NOT_FOUND, title, &[&line], None);
    };
    let control = &*app.web.control;
    let checked = check(&found.name, &app.web.mail, &app.site.host, control).await;
    let mut unknown = checked.records.iter();
    let unknown = unknown.find(|one| one.standing == Standing::Unknown);
    let common = unknown.map(|one| one.note.clone()).unwrap_or_default();
    let (mood, sum) = in_short(&checked, &common);
    let to_publish = checked.records.iter().map(|one| &one.record);
    let page = View {
        site: &app.site,
        frame: Frame::admin(&signed, "/admin/domains"),
        row: row(found),
        sum,
        mood,
        common,
        zone: to_publish
            .filter(|one| !one.value.is_empty())
            .map(|one| one.line() + "\n")
            .collect(),
        records: checked.records,
    };
    show(StatusCode::OK, &page)
}

/// The look of what came of it, and what came of it in a sentence or two.
fn in_short(checked: &Check, common: &str) -> (&'static str, String) {
    if let Some(why) = &checked.not_asked {
        return ("", why.clone());
    }
    let wrong = checked.count(Standing::Missing) + checked.count(Standing::Different);
    let unknown = checked.count(Standing::Unknown);
    let all = checked.records.len();
    match (wrong, unknown) {
        (0, 0) => ("notice", "Everything is published.".to_owned()),
        (_, 0) => (
            "error",
            format!("{wrong} of {all} records are missing or different."),
        ),
        (0, _) => (
            "warning",
            format!("{unknown} of {all} records could not be asked for. {common}"),
        ),
        _ => (
            "error",
            format!(
                "{wrong} of {all} records are missing or different; {unknown} could not be asked for. {common}"
            ),
        ),
    }
}
