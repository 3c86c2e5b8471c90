//! The programs a person allowed to use the account.

use super::sessions::Counts;
use crate::frame::Frame;
use crate::pages::{failed, go, show};
use crate::signed::Signed;
use crate::when::When;
use crate::{App, Site, form};
use askama::Template;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use pillarbox_oauth::{Grant, IdentityError, LastUse, Scope, Scopes};
use pillarbox_store::mail::Millis;
use std::collections::BTreeSet;
use std::sync::Arc;

#[derive(Template)]
#[template(path = "account/apps.html")]
struct Page<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    apps: Vec<Row>,
    ended: Vec<Ended>,
}

/// One approval.
struct Row {
    id: Arc<str>,
    app: Arc<str>,
    client: Arc<str>,
    registered_by: Option<Arc<str>>,
    scopes: Vec<String>,
    offline: bool,
    since: When,
    last: Option<When>,
    from: Option<String>,
    sessions: usize,
}

struct Ended {
    app: Arc<str>,
    at: When,
}

/// Approvals that still give something: what is neither revoked nor over.
fn lives(grant: &Grant) -> bool {
    grant.revoked.is_none()
}

/// How many different programs that is.
pub(super) fn programs(grants: &[Grant]) -> usize {
    let programs = grants.iter().filter(|grant| lives(grant));
    programs
        .map(|grant| &grant.client)
        .collect::<BTreeSet<_>>()
        .len()
}

pub(crate) async fn page(
    State(app): State<App>,
    signed: Signed,
    RawQuery(query): RawQuery,
) -> Response {
    let read = async {
        let grants = signed.identity.grants(signed.account()).await?;
        let uses = signed.identity.last_uses(signed.account()).await?;
        Ok::<_, IdentityError>((grants, uses))
    };
    let (grants, uses) = match read.await {
        Ok(found) => found,
        Err(fault) => return failed(&app, &fault),
    };
    let now = app.now();
    let counts = Counts::new(&app, signed.account());
    let row = |grant: &Grant| row(&app, &counts, grant, uses.grant(&grant.id), now);
    let newest_first = || grants.iter().rev();
    let ended = newest_first().filter_map(|grant| {
        Some(Ended {
            app: Arc::clone(&grant.app),
            at: When::new(grant.revoked?, now),
        })
    });
    let page = Page {
        site: &app.site,
        frame: Frame::account(&signed, "/account/apps").after(query),
        apps: newest_first()
            .filter(|grant| lives(grant))
            .map(row)
            .collect(),
        ended: ended.take(20).collect(),
    };
    show(StatusCode::OK, &page)
}

fn row(app: &App, counts: &Counts, grant: &Grant, used: Option<&LastUse>, now: Millis) -> Row {
    let last = used.map_or(grant.last_used, |used| used.at.max(grant.last_used));
    let client = app.web.identity.client(&grant.client);
    Row {
        id: Arc::clone(&grant.id),
        app: Arc::clone(&grant.app),
        client: Arc::clone(&grant.client),
        registered_by: client.map(|client| Arc::clone(&client.registered_by)),
        scopes: scope_words(&grant.scope),
        offline: grant.offline,
        since: When::new(grant.created, now),
        last: Some(When::new(last, now)),
        from: used.and_then(|used| used.peer).map(|peer| peer.to_string()),
        sessions: counts.of_grant(&grant.id),
    }
}

/// Scopes as they go over the wire, in words; what weighs most first.
pub(crate) fn scope_words(scope: &str) -> Vec<String> {
    let known = crate::consent::in_words(Scopes::parse_known(scope), false);
    let mut words: Vec<_> = known.into_iter().map(within).collect();
    // What this page does not know by name is shown as it is, not hidden.
    let unknown = scope
        .split(' ')
        .filter(|word| !word.is_empty() && Scope::parse(word).is_none());
    words.extend(unknown.map(str::to_owned));
    words
}

/// A line of a list as part of a sentence.
fn within(line: &str) -> String {
    let mut letters = line.chars();
    let first = letters.next().into_iter().flat_map(char::to_lowercase);
    first.chain(letters).collect()
}

pub(crate) async fn remove(State(app): State<App>, signed: Signed, body: Bytes) -> Response {
    let body = form::read(&body);
    let grant = form::get(&body, "grant");
    // Counted before: afterwards they are on their way out.
    let ended = Counts::new(&app, signed.account()).of_grant(grant);
    let removed = signed
        .identity
        .revoke_grant(signed.account(), grant, app.now());
    match removed.await {
        Ok(()) => go(&format!("/account/apps?done=app-removed&ended={ended}")),
        // Somebody else's, or gone meanwhile: the list tells.
        Err(IdentityError::NoSuch(_)) => go("/account/apps"),
        Err(fault) => failed(&app, &fault),
    }
}
