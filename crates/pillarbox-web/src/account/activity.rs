//! What happened in an account, in words.

use crate::frame::Frame;
use crate::pages::{failed, show};
use crate::signed::Signed;
use crate::when::When;
use crate::{App, Site};
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use pillarbox_oauth::{Activity, Deed, Service};

/// Entries on the page; older ones are not worth a second page.
const SHOWN: usize = 300;

#[derive(Template)]
#[template(path = "account/activity.html")]
struct Page<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    entries: Vec<Entry>,
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

pub(crate) async fn page(State(app): State<App>, signed: Signed) -> Response {
    let now = app.now();
    let found = signed.identity.activity(signed.account(), SHOWN, now);
    match found.await {
        Ok(found) => show(
            StatusCode::OK,
            &Page {
                site: &app.site,
                frame: Frame::account(&signed, "/account/activity"),
                entries: entries(&found, now),
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
        Deed::AppRemoved => ("bad", format!("{app} was removed")),
    };
    let rest = match (activity.deed, detail) {
        (Deed::Refused | Deed::AppRefused, Some(cause)) => Some(format!("Reason: {cause}")),
        (Deed::AppDelegated, Some(scopes)) => Some(format!("Scopes: {scopes}")),
        (Deed::Granted | Deed::Denied, Some(scope)) => Some(super::scope_words(scope).join(", ")),
        (_, detail) => detail.map(str::to_owned),
    };
    let mut around = Vec::new();
    if let Some(peer) = activity.peer {
        around.push(format!("from {peer}"));
    }
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
