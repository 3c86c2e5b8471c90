//! The programs this server knows.

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

#[derive(Template)]
#[template(path = "admin/apps.html")]
struct Page<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    apps: Vec<Row>,
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
    let page = Page {
        site: &app.site,
        frame: Frame::admin(&signed, "/admin/apps").after(query),
        apps: clients.iter().map(|client| row(client)).collect(),
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
    match changed {
        Ok(()) => {
            if let (Some(name), "approve") = (name, what) {
                let act = Act::new(Deed::AppApproved, app.now());
                identity.record_change(act.app(name));
            }
            tracing::info!(by = %signed.person.address(), client, change = what, "app changed");
            go(&format!("/admin/apps?done={done}"))
        }
        Err(IdentityError::NoSuch(_)) => go("/admin/apps"),
        Err(fault) => failed(&app, &fault),
    }
}
