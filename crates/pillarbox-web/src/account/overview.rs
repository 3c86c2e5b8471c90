//! The first page: how full the account is, who signed in lately, what needs attention.

use super::{Entry, entries};
use crate::frame::Frame;
use crate::pages::{failed, show};
use crate::signed::Signed;
use crate::when::{many, size};
use crate::{App, Site};
use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use pillarbox_oauth::{Activity, Deed, IdentityError, OTHERS_MAX};
use std::collections::BTreeSet;

/// Sign-ins on the page.
const SIGN_INS: usize = 5;
/// Refusals this old need no attention any more, in milliseconds: a day. An entry may have begun a day before.
const RECENT_MS: i64 = 24 * 3600 * 1000;
/// So full, in percent, an account needs attention.
const NEARLY_FULL: u64 = 90;

#[derive(Template)]
#[template(path = "account/overview.html")]
struct Page<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    attention: Vec<Attention>,
    messages: String,
    used: String,
    /// Of how much, and how full that is in percent.
    quota: Option<(String, u64)>,
    sign_ins: Vec<Entry>,
    apps: usize,
    app_passwords: usize,
    sessions: usize,
}

struct Attention {
    text: String,
    link: &'static str,
    name: &'static str,
}

pub(crate) async fn page(
    State(app): State<App>,
    signed: Signed,
    RawQuery(query): RawQuery,
) -> Response {
    match read(&app, &signed, query).await {
        Ok(page) => show(StatusCode::OK, &page),
        Err(fault) => failed(&app, &fault),
    }
}

async fn read<'a>(
    app: &'a App,
    signed: &'a Signed,
    query: Option<String>,
) -> Result<Page<'a>, IdentityError> {
    let (now, account) = (app.now(), signed.account());
    let handle = app.web.store.account(account);
    let (octets, messages) = handle.usage().await?;
    let quota = handle.settings().await?.quota;
    let found = signed.identity.activity(account, usize::MAX, now).await?;
    let grants = signed.identity.grants(account).await?;
    let app_passwords = signed.identity.list_app_passwords(account).await?;
    let sessions = super::live(app, |session| session.account == *account);
    let quota = quota.map(|quota| {
        let full = octets.saturating_mul(100) / quota.max(1);
        (size(quota), full.min(100))
    });
    let mut attention = refusals(&found, now);
    if let Some((_, full)) = quota.as_ref().filter(|(_, full)| *full >= NEARLY_FULL) {
        attention.push(Attention {
            text: format!("The account is {full} % full. When it is full, no more mail arrives: delete what you do not need."),
            link: "",
            name: "",
        });
    }
    let sign_ins = found.iter().filter(|one| one.deed == Deed::SignedIn);
    let sign_ins: Vec<_> = sign_ins.take(SIGN_INS).cloned().collect();
    Ok(Page {
        site: &app.site,
        frame: Frame::account(signed, "/account").after(query),
        attention,
        messages: many(usize::try_from(messages).unwrap_or(usize::MAX), "message"),
        used: size(octets),
        quota,
        sign_ins: entries(&sign_ins, now),
        apps: super::apps::programs(&grants),
        app_passwords: app_passwords.len(),
        sessions: sessions.len(),
    })
}

fn refusals(found: &[Activity], now: i64) -> Vec<Attention> {
    let recent = || {
        found
            .iter()
            .filter(|one| one.deed == Deed::Refused && one.at > now - RECENT_MS)
    };
    let times: u64 = recent().map(|one| one.times).sum();
    if times == 0 {
        return Vec::new();
    }
    let listed: BTreeSet<_> = recent().filter_map(|one| one.peer).collect();
    let others = recent().filter_map(|one| one.others);
    let peers = listed.len() + others.clone().map(usize::from).sum::<usize>();
    let more = if others.max() == Some(OTHERS_MAX) {
        " or more"
    } else {
        ""
    };
    let from = match (peers, listed.first()) {
        (0, _) => String::new(),
        (1, Some(peer)) => format!(" from {peer}"),
        (1, None) => " from 1 address".into(),
        _ => format!(" from {peers}{more} addresses"),
    };
    let attempts = many(usize::try_from(times).unwrap_or(usize::MAX), "sign-in");
    let were = if times == 1 { "was" } else { "were" };
    vec![Attention {
        text: format!(
            "{attempts} {were} refused in the last two days{from}. If that was not you or your programs, nothing is lost, but a good password matters."
        ),
        link: "/account/activity",
        name: "See why",
    }]
}
