//! What happened in an account, in words; in pages, and by its sort.

use crate::frame::Frame;
use crate::pages::{failed, show};
use crate::signed::Signed;
use crate::when::When;
use crate::{App, Site, form};
use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use pillarbox_oauth::{
    Activity, CHANGES_MAX, Deed, OTHERS_MAX, REFUSALS_LISTED, SIGN_INS_MAX, Service, Sort,
};

/// Entries on one page.
const SHOWN: usize = 100;

#[derive(Template)]
#[template(path = "account/activity.html")]
struct Page<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    trail: Trail,
    sign_ins_max: String,
    changes_max: String,
    refusals_listed: u16,
}

/// One page of a trail.
pub(crate) struct Trail {
    pub entries: Vec<Entry>,
    /// What can be chosen to be seen: a label, its address, whether it is seen now. Empty if nothing can.
    pub choices: Vec<(&'static str, String, bool)>,
    pub newer: Option<String>,
    pub older: Option<String>,
    /// "101 to 200 of 640"; nothing if all fits.
    pub range: Option<String>,
}

impl Trail {
    /// The page and the sort that a query asks for.
    pub(crate) fn new(
        found: &[Activity],
        asked: &form::Pairs,
        (path, kept): (&str, &[(String, String)]),
        (shown, choice): (usize, bool),
        now: i64,
    ) -> Self {
        let sort = Sort::named(form::get(asked, "show")).filter(|_| choice);
        let chosen = found
            .iter()
            .filter(|one| sort.is_none_or(|sort| one.deed.sort() == sort));
        let chosen: Vec<&Activity> = chosen.collect();
        let pages = chosen.len().div_ceil(shown).max(1);
        let number: usize = form::get(asked, "page").parse().unwrap_or(1);
        let number = number.clamp(1, pages);
        let address = |sort: Option<Sort>, number: usize| {
            let mut pairs = kept.to_vec();
            pairs.extend(sort.map(|sort| ("show".to_owned(), sort.name().to_owned())));
            if number > 1 {
                pairs.push(("page".to_owned(), number.to_string()));
            }
            match pairs.is_empty() {
                true => path.to_owned(),
                false => format!("{path}?{}", form::print(&pairs)),
            }
        };
        let labels = [
            ("Everything", None),
            ("Sign-ins", Some(Sort::SignIn)),
            ("Refused", Some(Sort::Refusal)),
            ("Changes", Some(Sort::Change)),
        ];
        let choices = labels.iter().filter(|_| choice);
        let begin = (number - 1) * shown;
        let end = chosen.len().min(begin + shown);
        Self {
            entries: chosen[begin..end]
                .iter()
                .map(|one| entry(one, now))
                .collect(),
            choices: choices
                .map(|(label, one)| (*label, address(*one, 1), *one == sort))
                .collect(),
            newer: (number > 1).then(|| address(sort, number - 1)),
            older: (number < pages).then(|| address(sort, number + 1)),
            range: (pages > 1).then(|| format!("{} to {end} of {}", begin + 1, chosen.len())),
        }
    }
}

/// One entry as shown.
pub(crate) struct Entry {
    /// A word for the style sheet: good, bad, change.
    pub kind: &'static str,
    pub title: String,
    /// Why, or what exactly.
    pub rest: Option<String>,
    /// From where, with what, how often.
    pub around: String,
    pub at: When,
}

pub(crate) async fn page(
    State(app): State<App>,
    signed: Signed,
    RawQuery(query): RawQuery,
) -> Response {
    let asked = form::read(query.unwrap_or_default().as_bytes());
    let (now, path) = (app.now(), "/account/activity");
    let found = signed.identity.activity(signed.account(), usize::MAX, now);
    match found.await {
        Ok(found) => show(
            StatusCode::OK,
            &Page {
                site: &app.site,
                frame: Frame::account(&signed, path),
                trail: Trail::new(&found, &asked, (path, &[]), (SHOWN, true), now),
                sign_ins_max: thousands(SIGN_INS_MAX),
                changes_max: thousands(CHANGES_MAX),
                refusals_listed: REFUSALS_LISTED,
            },
        ),
        Err(fault) => failed(&app, &fault),
    }
}

pub(crate) fn entries(found: &[Activity], now: i64) -> Vec<Entry> {
    found.iter().map(|activity| entry(activity, now)).collect()
}

fn entry(activity: &Activity, now: i64) -> Entry {
    let app = activity.app.as_deref().unwrap_or("a program");
    let detail = activity.detail.as_deref();
    let place = match activity.service {
        Some(Service::Imap) => " to read mail (IMAP)",
        Some(Service::Pop3) => " to fetch mail (POP)",
        Some(Service::Submission) => " to send mail (SMTP)",
        Some(Service::Web) => " on the web",
        None => "",
    };
    let (kind, title) = match activity.deed {
        Deed::SignedIn if activity.app.is_some() => ("good", format!("{app} signed in{place}")),
        Deed::SignedIn => ("good", format!("Signed in{place}")),
        Deed::Refused if activity.others.is_some() => ("bad", "More sign-ins refused".into()),
        Deed::AppRefused if activity.others.is_some() => {
            ("bad", "More requests of programs refused".into())
        }
        Deed::Refused => ("bad", format!("Sign-in refused{place}")),
        Deed::AppRefused => ("bad", format!("{app} was refused")),
        Deed::Granted if activity.method.is_some() => (
            "change",
            format!("{app} began to use your account, as the administrator allowed"),
        ),
        Deed::Granted => ("change", format!("You allowed {app} to use your account")),
        Deed::Denied => (
            "change",
            format!("You did not allow {app} to use your account"),
        ),
        Deed::GrantEnded => ("change", format!("{app} may no longer use your account")),
        Deed::AppPasswordMade => ("change", format!("App password “{app}” was made")),
        Deed::AppPasswordEnded => ("change", format!("App password “{app}” was revoked")),
        Deed::PasswordChanged => ("change", "The password was set".into()),
        Deed::SecondFactorOn => ("change", "The second factor was switched on".into()),
        Deed::SecondFactorOff => ("change", "The second factor was switched off".into()),
        Deed::RecoveryCodesMade => ("change", "New recovery codes were made".into()),
        Deed::RecoveryCodeUsed => ("change", "A recovery code was used".into()),
        Deed::PasskeyAdded => ("change", format!("Passkey “{app}” was added")),
        Deed::PasskeyRemoved if app == "all" => ("change", "All passkeys were removed".into()),
        Deed::PasskeyRemoved => ("change", format!("Passkey “{app}” was removed")),
        Deed::Invited => (
            "change",
            "An invitation to set the password was made".into(),
        ),
        Deed::Suspended => ("bad", "The account was suspended".into()),
        Deed::Resumed => ("change", "The account may be used again".into()),
        Deed::SessionsEnded => ("change", "Sessions were ended by hand".into()),
        Deed::Changed => ("change", "Settings of the account changed".into()),
        Deed::Made => ("change", "The account was made".into()),
        Deed::AccountRemoved => ("bad", "An account was removed".into()),
        Deed::AppChanged => ("change", format!("{app} changed its own registration")),
        Deed::KeysReplaced => ("change", "The signing keys were replaced".into()),
        Deed::AppRegistered => ("change", format!("{app} was registered")),
        Deed::AppApproved => ("change", format!("{app} was approved")),
        Deed::AppDelegated => (
            "change",
            format!("{app} may act in everybody’s name as follows"),
        ),
        Deed::AppSecretRotated => ("change", format!("{app} was given a new secret")),
        Deed::AppKeyRotated => ("change", format!("{app} was given a new key")),
        Deed::AppTestersChanged => ("change", format!("Who may use {app} was said anew")),
        Deed::AppRemoved => ("bad", format!("{app} was removed")),
    };
    let rest = match (activity.deed, detail) {
        (Deed::Refused | Deed::AppRefused, Some(cause)) => Some(format!("Reason: {cause}")),
        (Deed::Refused | Deed::AppRefused, None) if activity.others.is_some() => {
            Some("For several reasons".into())
        }
        (Deed::AppDelegated, Some(scopes)) => Some(format!("Scopes: {scopes}")),
        (Deed::Granted | Deed::Denied, Some(scope)) => Some(super::scope_words(scope).join(", ")),
        (_, detail) => detail.map(str::to_owned),
    };
    let mut around = Vec::new();
    if let Some(peer) = activity.peer {
        around.push(format!("from {peer}"));
    }
    around.extend(activity.others.and_then(from_others));
    if let Some(method) = &activity.method {
        around.push(format!("with {method}"));
    }
    if activity.times > 1 {
        let since = When::new(activity.first, now).full;
        around.push(format!("{} times since {since}", activity.times));
    }
    Entry {
        kind,
        title,
        rest,
        around: around.iter().map(|one| format!(" · {one}")).collect(),
        at: When::new(activity.at, now),
    }
}

/// Where refusals came from that are not listed each by itself.
fn from_others(others: u16) -> Option<String> {
    match others {
        0 => None,
        1 => Some("from 1 other address".into()),
        OTHERS_MAX.. => Some(format!("from {others} or more other addresses")),
        _ => Some(format!("from {others} other addresses")),
    }
}

/// A number as people read it: 1,000.
fn thousands(number: u16) -> String {
    match number {
        1_000.. => format!("{},{:03}", number / 1_000, number % 1_000),
        _ => number.to_string(),
    }
}
