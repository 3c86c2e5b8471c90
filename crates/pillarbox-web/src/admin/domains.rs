//! The domains whose mail is ours, and what to publish of each.

use crate::domains::{DnsRecord, DomainRow, domains, records};
use crate::frame::Frame;
use crate::pages::{failed, message, show};
use crate::signed::Administrator;
use crate::{App, Site, form};
use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;

/// Domains on the page.
const SHOWN: usize = 500;

#[derive(Template)]
#[template(path = "admin/domains.html")]
struct List<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    rows: Vec<Row>,
    left_out: usize,
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
    records: Vec<DnsRecord>,
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

pub(crate) async fn list(State(app): State<App>, Administrator(signed): Administrator) -> Response {
    let found = match domains(&app.web.store, &app.web.control.domain()).await {
        Ok(found) => found,
        Err(fault) => return failed(&app, &fault),
    };
    let page = List {
        site: &app.site,
        frame: Frame::admin(&signed, "/admin/domains"),
        left_out: found.len().saturating_sub(SHOWN),
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
    let records = records(&found.name, &app.web.mail, &app.site.host);
    let page = View {
        site: &app.site,
        frame: Frame::admin(&signed, "/admin/domains"),
        row: row(found),
        zone: records.iter().map(|one| one.line() + "\n").collect(),
        records,
    };
    show(StatusCode::OK, &page)
}
