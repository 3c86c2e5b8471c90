//! People: found, added, invited, suspended. An administrator never learns or sets a password: a link lets its owner do so.

use crate::account::Trail;
use crate::domains::serves;
use crate::frame::Frame;
use crate::pages::{failed, go, message, show};
use crate::signed::{Administrator, Signed};
use crate::when::{many, size};
use crate::{App, Site, form};
use askama::Template;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use pillarbox_oauth::{Act, Deed, IdentityError};
use pillarbox_store::mail::{AccountId, StoreError};
use url::Host;

/// Accounts on one page.
const SHOWN: usize = 100;
/// Accounts read at once while searching.
const READ_AT_ONCE: usize = 1_000;
/// Accounts searched at most for one page.
const SEARCHED_MAX: usize = 100_000;
/// Entries of a person's trail on one page.
const ENTRIES: usize = 20;

#[derive(Template)]
#[template(path = "admin/accounts.html")]
struct List<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    search: &'a str,
    rows: Vec<Row>,
    /// Where the next page begins.
    more: Option<String>,
    search_encoded: String,
    domain: String,
    /// What was typed, when it could not be added.
    address: &'a str,
    error: Option<String>,
}

/// Asks whether a domain is meant that no account is in yet.
#[derive(Template)]
#[template(path = "admin/new_domain.html")]
struct NewDomain<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    address: &'a str,
    domain: &'a str,
}

struct Row {
    address: String,
    encoded: String,
    used: String,
    suspended: bool,
    administrator: bool,
}

#[derive(Template)]
#[template(path = "admin/account.html")]
struct View<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    address: &'a str,
    used: String,
    messages: String,
    quota: String,
    suspended: bool,
    administrator: bool,
    sessions: String,
    yourself: bool,
    /// Shown this once.
    invite: Option<String>,
    trail: Trail,
}

pub(crate) async fn list(
    State(app): State<App>,
    Administrator(signed): Administrator,
    RawQuery(query): RawQuery,
) -> Response {
    let pairs = form::read(query.clone().unwrap_or_default().as_bytes());
    let (search, after) = (form::get(&pairs, "search"), form::get(&pairs, "after"));
    shown(&app, &signed, query.clone(), search, after, "", None).await
}

async fn shown(
    app: &App,
    signed: &Signed,
    query: Option<String>,
    search: &str,
    after: &str,
    address: &str,
    error: Option<String>,
) -> Response {
    let (rows, more) = match find(app, search.trim(), after).await {
        Ok(found) => found,
        Err(fault) => return failed(app, &fault),
    };
    let status = match error {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    let page = List {
        site: &app.site,
        frame: Frame::admin(signed, "/admin/accounts").after(query),
        search,
        rows,
        more: more.map(|address| form::encode(&address)),
        search_encoded: form::encode(search),
        domain: app.web.control.domain(),
        address,
        error,
    };
    show(status, &page)
}

/// One page of accounts whose address contains `search`, and where the next begins.
async fn find(
    app: &App,
    search: &str,
    after: &str,
) -> Result<(Vec<Row>, Option<String>), IdentityError> {
    let search = search.to_lowercase();
    let mut after = Some(after.to_owned()).filter(|after| !after.is_empty());
    let (mut rows, mut looked) = (Vec::new(), 0);
    while looked < SEARCHED_MAX {
        let page = app
            .web
            .store
            .accounts(after.as_deref(), READ_AT_ONCE)
            .await?;
        if page.is_empty() {
            return Ok((rows, None));
        }
        for (address, id) in page {
            looked += 1;
            after = Some(address.clone());
            if !address.to_lowercase().contains(&search) {
                continue;
            }
            // Removed meanwhile: not there.
            if let Some(row) = row(app, address, &id).await? {
                rows.push(row);
            }
            if rows.len() >= SHOWN {
                return Ok((rows, after));
            }
        }
    }
    Ok((rows, after))
}

async fn row(app: &App, address: String, id: &AccountId) -> Result<Option<Row>, IdentityError> {
    let handle = app.web.store.account(id);
    let (settings, (octets, _)) = match (handle.settings().await, handle.usage().await) {
        (Ok(settings), Ok(usage)) => (settings, usage),
        (Err(StoreError::NoSuchAccount), _) | (_, Err(StoreError::NoSuchAccount)) => {
            return Ok(None);
        }
        (Err(fault), _) | (_, Err(fault)) => return Err(fault.into()),
    };
    Ok(Some(Row {
        encoded: form::encode(&address),
        address,
        used: size(octets),
        suspended: settings.suspended,
        administrator: app.web.identity.is_administrator(id).await?,
    }))
}

pub(crate) async fn add(
    State(app): State<App>,
    Administrator(signed): Administrator,
    body: Bytes,
) -> Response {
    let body = form::read(&body);
    let typed = form::get(&body, "address").trim();
    let domain = app.web.control.domain();
    let address = match typed.contains('@') || domain.is_empty() {
        true => typed.to_owned(),
        false => format!("{typed}@{domain}"),
    };
    match new_domain(&app, &address).await {
        Ok(Some(domain)) if !matches!(Host::parse(&domain), Ok(Host::Domain(_))) => {
            let error = Some(format!(
                "{address} could not be added: {domain} is no domain."
            ));
            return shown(&app, &signed, None, "", "", typed, error).await;
        }
        Ok(Some(domain)) if form::get(&body, "new-domain") != domain => {
            let page = NewDomain {
                site: &app.site,
                frame: Frame::admin(&signed, "/admin/accounts"),
                address: &address,
                domain: &domain,
            };
            return show(StatusCode::OK, &page);
        }
        Ok(_) => {}
        Err(fault) => return failed(&app, &fault),
    }
    let made = signed
        .identity
        .create_person(&address, None, app.web.control.naming(), app.now());
    let id = match made.await {
        Ok(id) => id,
        Err(fault) if is_ours(&fault) => return failed(&app, &fault),
        Err(fault) => {
            let error = Some(format!("{address} could not be added: {fault}."));
            return shown(&app, &signed, None, "", "", typed, error).await;
        }
    };
    tracing::info!(by = %signed.person.address(), %address, "account added");
    signed.identity.record(&id, Act::new(Deed::Made, app.now()));
    invited(&app, &signed, &id).await
}

/// The domain of an address if this server takes no mail for it yet.
async fn new_domain(app: &App, address: &str) -> Result<Option<String>, StoreError> {
    let domain = address.rsplit_once('@').map(|(_, domain)| domain);
    let Some(domain) = domain.filter(|domain| !domain.is_empty()) else {
        return Ok(None);
    };
    let domain = domain.to_lowercase();
    let served = serves(&app.web.store, &app.web.control.domain(), &domain).await?;
    Ok((!served).then_some(domain))
}

/// Whether it is the server's fault rather than the form's.
fn is_ours(fault: &IdentityError) -> bool {
    matches!(
        fault,
        IdentityError::Broken(_)
            | IdentityError::Config(_)
            | IdentityError::Store(
                StoreError::Unavailable(_) | StoreError::Corrupt(_) | StoreError::Damaged
            )
    )
}

pub(crate) async fn view(
    State(app): State<App>,
    Administrator(signed): Administrator,
    RawQuery(query): RawQuery,
) -> Response {
    let pairs = form::read(query.clone().unwrap_or_default().as_bytes());
    match named(&app, form::get(&pairs, "address")).await {
        Ok(id) => one(&app, &signed, query, &id, None).await,
        Err(response) => response,
    }
}

async fn named(app: &App, address: &str) -> Result<AccountId, Response> {
    match app.web.store.account_of(address).await {
        Ok(Some(id)) => Ok(id),
        Ok(None) => {
            let line = format!("No account has the address {address}.");
            let title = "There is no such account";
            Err(message(app, StatusCode::NOT_FOUND, title, &[&line], None))
        }
        Err(fault) => Err(failed(app, &fault)),
    }
}

async fn one(
    app: &App,
    signed: &Signed,
    query: Option<String>,
    id: &AccountId,
    invite: Option<String>,
) -> Response {
    let now = app.now();
    let read = async {
        let handle = app.web.store.account(id);
        let identity = &app.web.identity;
        let (address, settings) = (handle.address().await?, handle.settings().await?);
        let (usage, trail) = (
            handle.usage().await?,
            identity.activity(id, usize::MAX, now).await?,
        );
        let administrator = identity.is_administrator(id).await?;
        Ok::<_, IdentityError>((address, settings, usage, trail, administrator))
    };
    let (address, settings, (octets, messages), trail, administrator) = match read.await {
        Ok(found) => found,
        Err(fault) => return failed(app, &fault),
    };
    let live = crate::account::live(app, |who| who.account == *id);
    let asked = form::read(query.clone().unwrap_or_default().as_bytes());
    let kept = [("address".to_owned(), address.to_string())];
    let at = ("/admin/accounts/view", &kept[..]);
    let page = View {
        site: &app.site,
        frame: Frame::admin(signed, "/admin/accounts").after(query),
        address: &address,
        used: size(octets),
        messages: many(usize::try_from(messages).unwrap_or(usize::MAX), "message"),
        quota: settings.quota.map_or_else(|| "no limit".into(), size),
        suspended: settings.suspended,
        administrator,
        sessions: many(live.len(), "live session"),
        yourself: id == signed.account(),
        invite,
        trail: Trail::new(&trail, &asked, at, (ENTRIES, true), now),
    };
    show(StatusCode::OK, &page)
}

/// Makes an invitation and shows its link, this once.
async fn invited(app: &App, signed: &Signed, id: &AccountId) -> Response {
    match signed.identity.invite(id, app.now()).await {
        Ok(text) => {
            let link = crate::invitation(&app.site.origin, &text);
            one(app, signed, None, id, Some(link)).await
        }
        Err(fault) => failed(app, &fault),
    }
}

pub(crate) async fn change(
    State(app): State<App>,
    Administrator(signed): Administrator,
    body: Bytes,
) -> Response {
    let body = form::read(&body);
    let address = form::get(&body, "address");
    let id = match named(&app, address).await {
        Ok(id) => id,
        Err(response) => return response,
    };
    let what = form::get(&body, "change");
    let back = |done: &str| {
        go(&format!(
            "/admin/accounts/view?address={}&done={done}",
            form::encode(address)
        ))
    };
    if matches!(what, "suspend" | "administrator-off") && id == *signed.account() {
        return back("not-yourself");
    }
    let (identity, now) = (&signed.identity, app.now());
    let by = signed.person.address();
    let (changed, done) = match what {
        "invite" => {
            tracing::info!(%by, address, "invited");
            return invited(&app, &signed, &id).await;
        }
        "suspend" => (identity.set_suspended(&id, true).await, "suspended"),
        "resume" => (identity.set_suspended(&id, false).await, "resumed"),
        "administrator-on" => (identity.set_administrator(&id, true, now).await, what),
        "administrator-off" => (identity.set_administrator(&id, false, now).await, what),
        _ => return back(""),
    };
    if let Err(fault) = changed {
        return failed(&app, &fault);
    }
    tracing::info!(%by, address, change = what, "account changed");
    match what {
        "suspend" => identity.record(&id, Act::new(Deed::Suspended, now)),
        "resume" => identity.record(&id, Act::new(Deed::Resumed, now)),
        _ => {}
    }
    back(done)
}
