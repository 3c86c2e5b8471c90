//! The programs this server knows: searched, a page at a time, or only those that wait for an administrator.

use crate::frame::Frame;
use crate::pages::{failed, go, show};
use crate::signed::Administrator;
use crate::when::When;
use crate::{App, Site, form};
use askama::Template;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use pillarbox_oauth::{Act, Audience, Client, Deed, IdentityError, Redirect, Status};

/// Programs on one page.
const SHOWN: usize = 100;

#[derive(Template)]
#[template(path = "admin/apps.html")]
struct Page<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    apps: Vec<Row>,
    search: &'a str,
    search_encoded: String,
    /// Only those that nobody approved.
    unapproved: bool,
    /// How many those are.
    waiting: usize,
    /// Where the next page begins.
    more: Option<String>,
}

/// Whether an administrator has to look at it: it waits, or began by itself.
fn is_unapproved(client: &Client) -> bool {
    client.status == Status::Waiting || !client.is_vetted()
}

/// Whether `search`, in lower case, stands in anything by which a program is known.
fn matches(client: &Client, search: &str) -> bool {
    let within = |text: &str| text.to_lowercase().contains(search);
    [&client.name, &client.id, &client.registered_by]
        .into_iter()
        .any(|text| within(text))
        || client.redirects.iter().any(|one| within(&redirect(one)))
}

struct Row {
    id: String,
    encoded: String,
    name: String,
    kind: &'static str,
    proof: &'static str,
    redirects: Vec<String>,
    registered_by: String,
    registered: Option<When>,
    /// Registered itself, and may not begin yet.
    waiting: bool,
    /// Registered itself and may begin, and no administrator looked at it.
    stranger: bool,
    /// Tried out by so many people.
    testers: Option<usize>,
}

pub(crate) async fn page(
    State(app): State<App>,
    Administrator(signed): Administrator,
    RawQuery(query): RawQuery,
) -> Response {
    let now = app.now();
    let pairs = form::read(query.clone().unwrap_or_default().as_bytes());
    let search = form::get(&pairs, "search");
    let unapproved = !form::get(&pairs, "unapproved").is_empty();
    let row = |client: &Client| Row {
        id: client.id.to_string(),
        encoded: form::encode(&client.id),
        name: client.name.to_string(),
        kind: super::app::kind(client.kind),
        proof: super::app::proof(client),
        redirects: client.redirects.iter().map(redirect).collect(),
        registered_by: client.registered_by.to_string(),
        registered: client.registered.map(|at| When::new(at, now)),
        waiting: client.status == Status::Waiting,
        stranger: client.status == Status::Active && !client.is_vetted(),
        testers: match &client.audience {
            Audience::Everyone => None,
            Audience::Testing(people) => Some(people.len()),
        },
    };
    let clients = match app.web.identity.clients().await {
        Ok(clients) => clients,
        Err(fault) => return failed(&app, &fault),
    };
    let wanted = search.trim().to_lowercase();
    let found: Vec<_> = clients
        .iter()
        .filter(|client| matches(client, &wanted) && (!unapproved || is_unapproved(client)))
        .collect();
    // One that was removed meanwhile is no place any more: then it begins at the beginning.
    let after = form::get(&pairs, "after");
    let from = found.iter().position(|client| *client.id == *after);
    let rest = &found[from.map_or(0, |at| at + 1)..];
    let shown = &rest[..rest.len().min(SHOWN)];
    let last = shown.last().filter(|_| rest.len() > SHOWN);
    let page = Page {
        site: &app.site,
        frame: Frame::admin(&signed, "/admin/apps").after(query.clone()),
        apps: shown.iter().map(|client| row(client)).collect(),
        search,
        search_encoded: form::encode(search),
        unapproved,
        waiting: clients
            .iter()
            .filter(|client| is_unapproved(client))
            .count(),
        more: last.map(|client| form::encode(&client.id)),
    };
    show(StatusCode::OK, &page)
}

pub(crate) fn redirect(redirect: &Redirect) -> String {
    match redirect {
        Redirect::Exact(address) => address.to_string(),
        Redirect::AnyLoopback => "any program on the same computer".into(),
    }
}

/// Lets a program begin that registered itself, or removes one.
pub(crate) async fn change(
    State(app): State<App>,
    Administrator(signed): Administrator,
    body: Bytes,
) -> Response {
    let body = form::read(&body);
    let (client, what) = (form::get(&body, "client"), form::get(&body, "change"));
    let identity = &signed.identity;
    let name = identity.client(client).map(|client| client.name.clone());
    let (changed, done) = match what {
        "approve" => (identity.approve_client(client).await, "app-approved"),
        "remove" => {
            let removed = identity.remove_client(client, app.now()).await;
            (removed.map(drop), "app-unregistered")
        }
        _ => return go("/admin/apps"),
    };
    let search = form::encode(form::get(&body, "search"));
    let unapproved = form::encode(form::get(&body, "unapproved"));
    let list = format!("/admin/apps?search={search}&unapproved={unapproved}");
    match changed {
        Ok(()) => {
            if let (Some(name), "approve") = (name, what) {
                let act = Act::new(Deed::AppApproved, app.now());
                identity.record_change(act.app(name));
            }
            tracing::info!(by = %signed.person.address(), client, change = what, "app changed");
            go(&format!("{list}&done={done}"))
        }
        Err(IdentityError::NoSuch(_)) => go(&list),
        Err(fault) => failed(&app, &fault),
    }
}
