//! Live connections of the person's mail programs, and the browsers that are signed in to these pages.

use crate::control::{LiveSession, SignedIn};
use crate::frame::Frame;
use crate::pages::{failed, go, show};
use crate::signed::Signed;
use crate::when::{When, many};
use crate::{App, Site, browser, form, session};
use askama::Template;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use pillarbox_oauth::{Act, Credential, Deed, IdentityError};
use pillarbox_store::mail::AccountId;
use std::collections::HashMap;
use std::sync::Arc;

/// Why a session ends that its owner ended here.
const BY_ITS_OWNER: &str = "ended by hand, by its owner";

#[derive(Template)]
#[template(path = "account/sessions.html")]
struct Page<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    sessions: Vec<Live>,
    browsers: Vec<Browser>,
}

/// A web session as shown.
struct Browser {
    id: Arc<str>,
    name: String,
    peer: Option<String>,
    since: When,
    used: When,
    ends: When,
    here: bool,
}

/// One session as shown.
pub(crate) struct Live {
    pub token: Arc<str>,
    pub protocol: &'static str,
    /// The program as it calls itself, else what it signed in with.
    pub title: String,
    pub with: String,
    pub address: Arc<str>,
    pub peer: String,
    pub since: When,
    pub until: When,
    pub because: &'static str,
}

/// Signed-in sessions that pass.
pub(crate) fn live(app: &App, wanted: impl Fn(&SignedIn) -> bool) -> Vec<(LiveSession, SignedIn)> {
    let all = app.web.control.sessions().into_iter();
    let signed_in = all.filter_map(|session| {
        let who = session.signed_in.clone()?;
        Some((session, who))
    });
    signed_in.filter(|(_, who)| wanted(who)).collect()
}

/// How many live sessions each credential of an account opened, by one look at all of them. Tokens count for their grant.
pub(crate) struct Counts(HashMap<Credential, usize>);

impl Counts {
    pub(crate) fn new(app: &App, account: &AccountId) -> Self {
        let mut counts = HashMap::new();
        for (_, who) in live(app, |who| who.account == *account) {
            *counts.entry(who.credential.whole()).or_default() += 1;
        }
        Self(counts)
    }

    fn of(&self, credential: &Credential) -> usize {
        self.0.get(credential).copied().unwrap_or(0)
    }

    pub(crate) fn of_app_password(&self, id: &str) -> usize {
        self.of(&Credential::AppPassword(id.into()))
    }

    pub(crate) fn of_grant(&self, id: &str) -> usize {
        self.of(&Credential::Grant {
            grant: id.into(),
            token: None,
        })
    }
}

impl Live {
    pub(crate) fn new(app: &App, (session, who): (LiveSession, SignedIn)) -> Self {
        let name = who.app.as_deref();
        let with = match (&who.credential, name) {
            (Credential::Grant { .. }, Some(app)) => format!("as the app {app}"),
            (Credential::AppPassword(_), Some(name)) => format!("with the app password “{name}”"),
            (Credential::Certificate(_), Some(name)) => format!("with the certificate “{name}”"),
            (Credential::External(_), Some(app)) => format!("as the app {app}"),
            (Credential::Password, _) => "with the account’s password".into(),
            _ => String::new(),
        };
        let title = session
            .program
            .as_deref()
            .or(name)
            .unwrap_or("Mail program");
        let now = app.now();
        Self {
            title: title.to_owned(),
            token: session.token,
            protocol: session.protocol,
            with,
            address: who.address,
            peer: session.peer.to_canonical().to_string(),
            since: When::new(session.since, now),
            until: When::new(who.until, now),
            because: who.because,
        }
    }
}

pub(crate) async fn page(
    State(app): State<App>,
    signed: Signed,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let now = app.now();
    let cookie = session::cookie(&headers).unwrap_or_default();
    let web = signed.identity.web_sessions(signed.account(), cookie, now);
    let web = match web.await {
        Ok(web) => web,
        Err(fault) => return failed(&app, &fault),
    };
    let browsers = web.into_iter().map(|one| Browser {
        id: one.id,
        name: browser::name(&one.browser),
        peer: one.peer.map(|peer| peer.to_canonical().to_string()),
        since: When::new(one.created, now),
        used: When::new(one.used, now),
        ends: When::new(one.ends, now),
        here: one.here,
    });
    let mine = live(&app, |who| who.account == *signed.account());
    let page = Page {
        site: &app.site,
        frame: Frame::account(&signed, "/account/sessions").after(query),
        sessions: mine
            .into_iter()
            .rev()
            .map(|one| Live::new(&app, one))
            .collect(),
        browsers: browsers.collect(),
    };
    show(StatusCode::OK, &page)
}

pub(crate) async fn end(State(app): State<App>, signed: Signed, body: Bytes) -> Response {
    let body = form::read(&body);
    let token = form::get(&body, "session");
    // Only a session of one's own: the list decides, not what the form says.
    let mine = live(&app, |who| who.account == *signed.account());
    let one = mine
        .into_iter()
        .find(|(session, _)| &*session.token == token);
    let Some((session, _)) = one else {
        return go("/account/sessions?done=session-gone");
    };
    let control = &app.web.control;
    let ended = control.end_session(&session.token, BY_ITS_OWNER.into());
    record(&app, &signed, ended);
    go("/account/sessions?done=session-ended")
}

pub(crate) async fn end_all(State(app): State<App>, signed: Signed) -> Response {
    let mine = live(&app, |who| who.account == *signed.account());
    let because: Arc<str> = BY_ITS_OWNER.into();
    let ended = mine
        .iter()
        .map(|(session, _)| {
            let control = &app.web.control;
            control.end_session(&session.token, Arc::clone(&because))
        })
        .sum();
    record(&app, &signed, ended);
    go(&format!(
        "/account/sessions?done=sessions-ended&ended={ended}"
    ))
}

/// Signs one browser out.
pub(crate) async fn end_web(State(app): State<App>, signed: Signed, body: Bytes) -> Response {
    let body = form::read(&body);
    let id = form::get(&body, "id");
    let ended = signed
        .identity
        .end_web_session(signed.account(), id, app.now());
    match ended.await {
        Ok(()) => go("/account/sessions?done=web-session-ended"),
        Err(IdentityError::NoSuch(_)) => go("/account/sessions?done=session-gone"),
        Err(fault) => failed(&app, &fault),
    }
}

/// Signs all others out.
pub(crate) async fn end_other_web(
    State(app): State<App>,
    signed: Signed,
    headers: HeaderMap,
) -> Response {
    let cookie = session::cookie(&headers).unwrap_or_default();
    let (identity, account) = (&signed.identity, signed.account());
    let ended = identity.end_other_web_sessions(account, cookie, app.now());
    match ended.await {
        Ok(_) => go("/account/sessions?done=web-sessions-ended"),
        Err(fault) => failed(&app, &fault),
    }
}

fn record(app: &App, signed: &Signed, ended: usize) {
    if ended > 0 {
        let act = Act::new(Deed::SessionsEnded, app.now()).detail(many(ended, "mail session"));
        signed.identity.record(signed.account(), act);
    }
}
