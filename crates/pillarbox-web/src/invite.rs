//! Where an invitation leads: its owner sets the account's password.

use crate::pages::{failed, message, show};
use crate::{App, Peer, Site, form};
use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Extension, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use pillarbox_oauth::{IdentityError, Secret};

#[derive(Template)]
#[template(path = "invite.html")]
struct Page<'a> {
    site: &'a Site,
    address: &'a str,
    text: &'a str,
    error: Option<String>,
}

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/invite", get(page).post(accept))
}

/// The address of an invitation, with the issuer's.
pub(crate) fn link(issuer: &str, text: &Secret) -> String {
    format!("{issuer}/invite?for={}", form::encode(text.expose()))
}

async fn page(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    let query = form::read(query.unwrap_or_default().as_bytes());
    ask(&app, form::get(&query, "for"), None).await
}

async fn ask(app: &App, text: &str, error: Option<String>) -> Response {
    let status = match error {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    match app.web.identity.invited(text, app.now()).await {
        Ok((_, address)) => show(
            status,
            &Page {
                site: &app.site,
                address: &address,
                text,
                error,
            },
        ),
        Err(fault) => refused(app, &fault),
    }
}

fn refused(app: &App, fault: &IdentityError) -> Response {
    if !matches!(fault, IdentityError::NoSuch(_)) {
        return failed(app, fault);
    }
    let lines = [
        "It may have been used already, be older than a week, or have been replaced by a newer one. Ask whoever sent it for another.",
    ];
    let title = "This invitation is not good any more";
    message(app, StatusCode::NOT_FOUND, title, &lines, None)
}

async fn accept(State(app): State<App>, peer: Option<Extension<Peer>>, body: Bytes) -> Response {
    let body = form::read(&body);
    let (text, password) = (form::get(&body, "for"), form::get(&body, "password"));
    if password != form::get(&body, "again") {
        let error = "The two passwords are not the same.".to_owned();
        return ask(&app, text, Some(error)).await;
    }
    let identity = match peer {
        Some(Extension(Peer(peer))) => app.web.identity.from_peer(peer),
        None => app.web.identity.clone(),
    };
    match identity.accept_invite(text, password, app.now()).await {
        Ok(_) => {
            let lines = ["You can sign in with it now."];
            message(&app, StatusCode::OK, "Your password is set", &lines, None)
        }
        Err(IdentityError::BadPassword(why)) => {
            ask(&app, text, Some(format!("Please choose another: {why}."))).await
        }
        Err(fault) => refused(&app, &fault),
    }
}
