//! One program: what it is, its secret or key, who tries it out, what it may do in everybody's name.

use crate::frame::Frame;
use crate::pages::{failed, go, message, show};
use crate::signed::{Administrator, Signed};
use crate::when::When;
use crate::{App, Site, form};
use askama::Template;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use pillarbox_oauth::{
    Act, Audience, Client, ClientKind, Deed, Enrolled, IdentityError, Scope, Scopes, Status,
    TesterChange, VerifyKey,
};
use std::sync::Arc;
use std::time::Duration;

/// Scopes a service account can be delegated, in words.
const DELEGABLE: [(Scope, &str); 7] = [
    (Scope::Mail, "Read, write and delete all mail, and send"),
    (Scope::Read, "Read all mail, and change nothing"),
    (Scope::Imap, "Read, write and delete mail (IMAP)"),
    (Scope::Pop, "Fetch mail (POP)"),
    (Scope::Smtp, "Send mail (SMTP)"),
    (
        Scope::ImapAdmin,
        "Read, write and delete mail (IMAP), also what people hide from IMAP",
    ),
    (
        Scope::Admin,
        "Administrate this server by its API; opens no mailbox",
    ),
];

/// How long a secret may go on beside the next one: value and words, the first as default.
const OVERLAPS: [(&str, &str, u64); 4] = [
    ("day", "for a day", 24 * 3_600),
    ("hour", "for an hour", 3_600),
    ("week", "for a week", 7 * 24 * 3_600),
    ("none", "no longer, from now on", 0),
];

/// A box to tick.
pub(crate) struct Tick {
    pub name: &'static str,
    pub words: &'static str,
    pub ticked: bool,
}

/// The boxes of [`DELEGABLE`].
pub(crate) fn ticks(ticked: Scopes) -> Vec<Tick> {
    let tick = |(scope, words): &(Scope, &'static str)| Tick {
        name: scope.name(),
        words,
        ticked: ticked.has(*scope),
    };
    DELEGABLE.iter().map(tick).collect()
}

/// What was ticked.
pub(crate) fn ticked(body: &[(String, String)]) -> Scopes {
    let all = body.iter().filter(|(name, _)| name == "delegated");
    all.filter_map(|(_, value)| Scope::parse(value))
        .filter(|scope| DELEGABLE.iter().any(|(one, _)| one == scope))
        .fold(Scopes::default(), Scopes::with)
}

/// What the owner of a program must see, this once.
#[derive(Default)]
pub(crate) struct Once {
    title: &'static str,
    secret: Option<String>,
    /// Until when the secret or key before is good.
    before: Option<When>,
    file: Option<String>,
    /// The key before opens nothing any more: so many grants ended with it.
    ended: Option<usize>,
}

/// What could not be done, and beside which form that is said.
struct Wrong {
    place: &'static str,
    text: String,
    /// What was typed there.
    typed: String,
}

#[derive(Template)]
#[template(path = "admin/app.html")]
struct Page<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    client: &'a Client,
    kind: &'static str,
    proof: &'static str,
    redirects: Vec<String>,
    testers: Vec<String>,
    testing: bool,
    secrets: Vec<(When, Option<When>)>,
    keys: Vec<(String, Option<When>)>,
    registered: Option<When>,
    waiting: bool,
    /// Enrolled itself and goes on without approval.
    stranger: bool,
    service: bool,
    ticks: Vec<Tick>,
    overlaps: [(&'static str, &'static str, u64); 4],
    /// Whether an administrator may give it another key.
    rekeys: bool,
    once: Option<Once>,
    wrong: Option<Wrong>,
}

impl Page<'_> {
    fn wrong(&self, place: &str) -> Option<&Wrong> {
        self.wrong.as_ref().filter(|wrong| wrong.place == place)
    }

    fn typed(&self, place: &str) -> &str {
        self.wrong(place).map_or("", |wrong| &wrong.typed)
    }
}

pub(crate) fn kind(kind: ClientKind) -> &'static str {
    match kind {
        ClientKind::Native => "Installed on a person’s device",
        ClientKind::Web => "Runs on a server",
        ClientKind::Device => "Device without a browser",
        ClientKind::Service => "Acts without a person in front of it",
    }
}

/// How it proves who it is.
pub(crate) fn proof(client: &Client) -> &'static str {
    match (client.has_secret(), client.is_confidential()) {
        (true, _) => "proves itself with a secret",
        (false, true) => "proves itself with a key",
        (false, false) => "public, no secret",
    }
}

pub(crate) async fn view(
    State(app): State<App>,
    Administrator(signed): Administrator,
    RawQuery(query): RawQuery,
) -> Response {
    let pairs = form::read(query.clone().unwrap_or_default().as_bytes());
    match named(&app, form::get(&pairs, "client")).await {
        Ok(client) => page(&app, &signed, query, &client, None, None),
        Err(response) => response,
    }
}

async fn named(app: &App, id: &str) -> Result<Arc<Client>, Response> {
    let all = app.web.identity.clients().await;
    let all = all.map_err(|fault| failed(app, &fault))?;
    all.into_iter()
        .find(|client| &*client.id == id)
        .ok_or_else(|| {
            let line = format!("No program is registered as {id}.");
            let title = "There is no such program";
            message(app, StatusCode::NOT_FOUND, title, &[&line], None)
        })
}

/// The page of a program that was just registered.
pub(crate) fn registered(app: &App, signed: &Signed, made: Enrolled) -> Response {
    let once = Once {
        title: "It is registered",
        secret: made.secret.map(|secret| secret.expose().to_owned()),
        file: made.key_file.map(|file| format!("{file:#}")),
        ..Once::default()
    };
    page(app, signed, None, &made.client, Some(once), None)
}

fn page(
    app: &App,
    signed: &Signed,
    query: Option<String>,
    client: &Client,
    once: Option<Once>,
    wrong: Option<Wrong>,
) -> Response {
    let status = match wrong {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    let now = app.now();
    let testers = match &client.audience {
        Audience::Everyone => Vec::new(),
        Audience::Testing(people) => people.iter().map(ToString::to_string).collect(),
    };
    let good = |(_, until): &(_, Option<i64>)| until.is_none_or(|until| until > now);
    let key = |key: &VerifyKey| {
        let name = key.kid.as_deref().unwrap_or("without a name");
        let until = key.until.map(|at| When::new(at, now));
        (format!("{name} ({:?})", key.algorithm), until)
    };
    let page = Page {
        site: &app.site,
        frame: Frame::admin(signed, "/admin/apps").after(query),
        client,
        kind: kind(client.kind),
        proof: proof(client),
        redirects: client.redirects.iter().map(super::apps::redirect).collect(),
        testing: client.is_testing(),
        testers,
        secrets: client
            .secrets()
            .filter(good)
            .map(|(at, until)| (When::new(at, now), until.map(|at| When::new(at, now))))
            .collect(),
        keys: client
            .keys()
            .iter()
            .filter(|key| key.is_good(now))
            .map(key)
            .collect(),
        rekeys: client.registered.is_some()
            && !client.registered_itself()
            && !client.keys().is_empty(),
        registered: client.registered.map(|at| When::new(at, now)),
        waiting: client.status == Status::Waiting,
        stranger: client.status == Status::Active && !client.is_vetted(),
        service: client.kind == ClientKind::Service,
        ticks: ticks(client.delegated()),
        overlaps: OVERLAPS,
        once,
        wrong,
    };
    show(status, &page)
}

/// Gives it another secret, which is shown this once.
pub(crate) async fn rotate(
    State(app): State<App>,
    Administrator(signed): Administrator,
    body: Bytes,
) -> Response {
    let body = form::read(&body);
    let (id, now) = (form::get(&body, "client"), app.now());
    let overlap = overlap(&body);
    let made = signed.identity.rotate_client_secret(id, overlap, now).await;
    let secret = match made {
        Ok(secret) => secret,
        Err(IdentityError::NoSuch(_) | IdentityError::BadClient(_)) => return back(id, ""),
        Err(fault) => return failed(&app, &fault),
    };
    let client = match named(&app, id).await {
        Ok(client) => client,
        Err(response) => return response,
    };
    let until = now.saturating_add(i64::try_from(overlap.as_millis()).unwrap_or(i64::MAX));
    let once = Once {
        title: "Its new secret",
        secret: Some(secret.expose().to_owned()),
        before: (until > now).then(|| When::new(until, now)),
        ..Once::default()
    };
    page(&app, &signed, None, &client, Some(once), None)
}

/// How long what is replaced goes on.
fn overlap(body: &[(String, String)]) -> Duration {
    let asked = form::get(body, "overlap");
    let overlap = OVERLAPS.iter().find(|(name, ..)| *name == asked);
    Duration::from_secs(overlap.map_or(OVERLAPS[0].2, |(.., seconds)| *seconds))
}

/// Gives it another key: one of its own, or for a service account one made here, which is shown this once.
pub(crate) async fn rekey(
    State(app): State<App>,
    Administrator(signed): Administrator,
    body: Bytes,
) -> Response {
    let body = form::read(&body);
    let (id, now) = (form::get(&body, "client"), app.now());
    let typed = form::get(&body, "key").trim();
    let client = match named(&app, id).await {
        Ok(client) => client,
        Err(response) => return response,
    };
    let keys = match typed.is_empty() {
        true => Ok(Vec::new()),
        false => VerifyKey::read_all(typed),
    };
    let made = match keys {
        Ok(keys) => {
            let made = signed
                .identity
                .rotate_client_key(id, keys, overlap(&body), now);
            made.await
        }
        Err(fault) => Err(fault),
    };
    let made = match made {
        Ok(made) => made,
        Err(fault @ IdentityError::BadClient(_)) => {
            // It may have been a private key: that is not said again.
            let wrong = wrong("key", &fault, "");
            return page(&app, &signed, None, &client, None, Some(wrong));
        }
        Err(IdentityError::NoSuch(_)) => return back(id, ""),
        Err(fault) => return failed(&app, &fault),
    };
    let client = match named(&app, id).await {
        Ok(client) => client,
        Err(response) => return response,
    };
    let once = Once {
        title: match made.key_file {
            Some(_) => "Its new key",
            None => "Its new key is registered",
        },
        before: made.until.map(|until| When::new(until, now)),
        ended: made.until.is_none().then_some(made.ended),
        file: made.key_file.map(|file| format!("{file:#}")),
        ..Once::default()
    };
    tracing::info!(by = %signed.person.address(), client = id, "app given another key");
    page(&app, &signed, None, &client, Some(once), None)
}

/// Adds people who try it out, takes one off the list, or lets everybody use it.
pub(crate) async fn testers(
    State(app): State<App>,
    Administrator(signed): Administrator,
    body: Bytes,
) -> Response {
    let body = form::read(&body);
    let id = form::get(&body, "client");
    let typed = form::get(&body, "add");
    let remove = form::get(&body, "remove");
    let change = TesterChange {
        add: super::new_app::words(typed),
        remove: super::new_app::words(remove),
        everybody: !form::get(&body, "everybody").is_empty(),
    };
    let done = match (change.everybody, remove.is_empty()) {
        (true, _) => "testers-everybody",
        (_, false) => "tester-removed",
        (_, true) => "testers-added",
    };
    let client = match named(&app, id).await {
        Ok(client) => client,
        Err(response) => return response,
    };
    match signed.identity.change_testers(id, &change, app.now()).await {
        Ok(_) => {
            tracing::info!(by = %signed.person.address(), client = id, change = done, "app changed");
            back(id, done)
        }
        Err(fault @ (IdentityError::BadClient(_) | IdentityError::TooMany(_))) => {
            let wrong = wrong("add", &fault, typed);
            page(&app, &signed, None, &client, None, Some(wrong))
        }
        Err(IdentityError::NoSuch(_)) => back(id, ""),
        Err(fault) => failed(&app, &fault),
    }
}

fn wrong(place: &'static str, fault: &IdentityError, typed: &str) -> Wrong {
    Wrong {
        place,
        text: super::new_app::sentence(fault),
        typed: typed.to_owned(),
    }
}

/// Says anew what a service account may do in everybody's name.
pub(crate) async fn delegate(
    State(app): State<App>,
    Administrator(signed): Administrator,
    body: Bytes,
) -> Response {
    let body = form::read(&body);
    let id = form::get(&body, "client");
    let client = match named(&app, id).await {
        Ok(client) => client,
        Err(response) => return response,
    };
    if client.kind != ClientKind::Service {
        return back(id, "");
    }
    let scopes = ticked(&body);
    match signed.identity.delegate(id, scopes).await {
        Ok(()) => {}
        Err(IdentityError::NoSuch(_)) => return back(id, ""),
        Err(fault) => return failed(&app, &fault),
    }
    let act = Act::new(Deed::AppDelegated, app.now()).app(Arc::clone(&client.name));
    signed.identity.record_change(match scopes.is_empty() {
        true => act.detail("nothing"),
        false => act.detail(scopes.to_string()),
    });
    back(id, "app-delegated")
}

fn back(id: &str, done: &str) -> Response {
    let id = form::encode(id);
    go(&format!("/admin/apps/view?client={id}&done={done}"))
}
