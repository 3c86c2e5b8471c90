//! The programs this server knows.

use crate::frame::Frame;
use crate::pages::{failed, show};
use crate::signed::Administrator;
use crate::when::When;
use crate::{App, Site};
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use pillarbox_oauth::{Client, ClientKind, Redirect};

#[derive(Template)]
#[template(path = "admin/apps.html")]
struct Page<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    apps: Vec<Row>,
}

struct Row {
    id: String,
    name: String,
    kind: &'static str,
    proof: &'static str,
    redirects: Vec<String>,
    registered_by: String,
    registered: Option<When>,
}

pub(crate) async fn page(State(app): State<App>, Administrator(signed): Administrator) -> Response {
    let now = app.now();
    let row = |client: &Client| Row {
        id: client.id.to_string(),
        name: client.name.to_string(),
        kind: match client.kind {
            ClientKind::Native => "Installed on a person’s device",
            ClientKind::Web => "Runs on a server",
            ClientKind::Device => "Device without a browser",
            ClientKind::Service => "Acts for people by delegation",
        },
        proof: match client.is_confidential() {
            true => "proves itself with a secret",
            false => "public, no secret",
        },
        redirects: client.redirects.iter().map(redirect).collect(),
        registered_by: client.registered_by.to_string(),
        registered: client.registered.map(|at| When::new(at, now)),
    };
    let clients = match app.web.identity.clients().await {
        Ok(clients) => clients,
        Err(fault) => return failed(&app, &fault),
    };
    let page = Page {
        site: &app.site,
        frame: Frame::admin(&signed, "/admin/apps"),
        apps: clients.iter().map(|client| row(client)).collect(),
    };
    show(StatusCode::OK, &page)
}

fn redirect(redirect: &Redirect) -> String {
    match redirect {
        Redirect::Exact(address) => address.to_string(),
        Redirect::AnyLoopback => "any program on the same computer".into(),
    }
}
