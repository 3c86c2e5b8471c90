//! Passwords for programs that know no OAuth: made, shown once, revoked.

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
use pillarbox_oauth::{Act, AppLimits, Deed, IdentityError, Network, Secret, Service};
use pillarbox_store::mail::Millis;
use std::sync::Arc;

/// Longest name, in characters; the identity floor cuts there too.
const NAME_CHARS_MAX: usize = 100;

/// Services one can be limited to, and their boxes in the form; none ticked is all.
const SERVICES: [(Service, &str); 3] = [
    (Service::Imap, "imap"),
    (Service::Pop3, "pop"),
    (Service::Submission, "smtp"),
];

#[derive(Template)]
#[template(path = "account/app_passwords.html")]
struct Page<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    rows: Vec<Row>,
    /// Its name, and the letters in groups: this once.
    made: Option<(String, String)>,
    error: Option<&'a str>,
    name_max: usize,
    /// What stood in the form that was not right.
    typed: Typed<'a>,
}

/// The form as it was sent.
#[derive(Clone, Copy, Default)]
struct Typed<'a> {
    name: &'a str,
    /// The boxes of [`SERVICES`].
    only: [bool; 3],
    from: &'a str,
    until: &'a str,
    /// The member that is not right.
    wrong: &'static str,
}

/// A member of the form and what is wrong with it.
type Wrong = (&'static str, String);

impl<'a> Typed<'a> {
    fn read(form: &'a form::Pairs) -> Self {
        Self {
            name: form::get(form, "name").trim(),
            only: SERVICES.map(|(_, field)| !form::get(form, field).is_empty()),
            from: form::get(form, "from").trim(),
            until: form::get(form, "until").trim(),
            wrong: "",
        }
    }

    /// What it limits the password to, or what is wrong with it.
    fn limits(self, now: Millis) -> Result<AppLimits, Wrong> {
        let wrong = |field, text: &str| Err((field, text.to_owned()));
        if self.name.is_empty() || self.name.chars().count() > NAME_CHARS_MAX {
            let text = "Give it a name of up to 100 letters, so that you know it again.";
            return wrong("name", text);
        }
        let ticked = SERVICES.iter().zip(self.only).filter(|(_, ticked)| *ticked);
        let separators = |letter: char| letter == ',' || letter.is_whitespace();
        let networks = self.from.split(separators).filter(|text| !text.is_empty());
        let network = |text: &str| {
            text.parse::<Network>().map_err(|_| {
                let told = format!(
                    "“{text}” is not a network: write it like 192.0.2.0/24 or 2001:db8::/32."
                );
                ("from", told)
            })
        };
        let until = match (self.until, midnight(self.until)) {
            ("", _) => None,
            (_, None) => return wrong("until", "The day it ends is written like 2027-01-31."),
            (_, Some(until)) if until <= now => {
                return wrong("until", "The day it ends lies in the past.");
            }
            (_, until) => until,
        };
        Ok(AppLimits {
            only: ticked.map(|((service, _), _)| *service).collect(),
            from: networks.map(network).collect::<Result<_, _>>()?,
            until,
        })
    }
}

/// The beginning of a day, UTC.
fn midnight(day: &str) -> Option<Millis> {
    let day: jiff::civil::Date = day.parse().ok()?;
    let moment = day.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(moment.timestamp().as_millisecond())
}

struct Row {
    id: Arc<str>,
    name: Arc<str>,
    limits: Vec<String>,
    since: When,
    last: Option<When>,
    from: Option<String>,
    sessions: usize,
}

pub(crate) async fn page(
    State(app): State<App>,
    signed: Signed,
    RawQuery(query): RawQuery,
) -> Response {
    list(&app, &signed, query, None, None, Typed::default()).await
}

async fn list(
    app: &App,
    signed: &Signed,
    query: Option<String>,
    made: Option<(String, String)>,
    error: Option<&str>,
    typed: Typed<'_>,
) -> Response {
    let read = async {
        let all = signed.identity.list_app_passwords(signed.account()).await?;
        let uses = signed.identity.last_uses(signed.account()).await?;
        Ok::<_, IdentityError>((all, uses))
    };
    let (all, uses) = match read.await {
        Ok(found) => found,
        Err(fault) => return failed(app, &fault),
    };
    let now = app.now();
    let counts = Counts::new(app, signed.account());
    let rows = all.iter().rev().map(|one| {
        let used = uses.app_password(&one.id);
        Row {
            id: Arc::clone(&one.id),
            name: Arc::clone(&one.name),
            limits: limits(&one.limits, now),
            since: When::new(one.created, now),
            last: used.map(|used| When::new(used.at, now)),
            from: used.and_then(|used| used.peer).map(|peer| peer.to_string()),
            sessions: counts.of_app_password(&one.id),
        }
    });
    let status = match error {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    let page = Page {
        site: &app.site,
        frame: Frame::account(signed, "/account/app-passwords").after(query),
        rows: rows.collect(),
        made,
        error,
        name_max: NAME_CHARS_MAX,
        typed,
    };
    show(status, &page)
}

pub(crate) async fn make(State(app): State<App>, signed: Signed, body: Bytes) -> Response {
    let body = form::read(&body);
    let typed = Typed::read(&body);
    let limits = match typed.limits(app.now()) {
        Ok(limits) => limits,
        Err((wrong, error)) => {
            let typed = Typed { wrong, ..typed };
            return list(&app, &signed, None, None, Some(&error), typed).await;
        }
    };
    let made =
        signed
            .identity
            .add_limited_app_password(signed.account(), typed.name, limits, app.now());
    match made.await {
        Ok((_, letters)) => {
            let made = Some((typed.name.to_owned(), grouped(&letters)));
            list(&app, &signed, None, made, None, Typed::default()).await
        }
        Err(IdentityError::TooMany("networks")) => {
            let error = "These are more networks than one app password may have.";
            let typed = Typed {
                wrong: "from",
                ..typed
            };
            list(&app, &signed, None, None, Some(error), typed).await
        }
        Err(IdentityError::TooMany(_)) => {
            let error = "You have as many app passwords as an account may have. Revoke those you do not use.";
            list(&app, &signed, None, None, Some(error), typed).await
        }
        Err(fault) => failed(&app, &fault),
    }
}

/// What an app password is limited to, in words.
fn limits(limits: &AppLimits, now: i64) -> Vec<String> {
    let name = |service: &Service| match service {
        Service::Imap => "reading mail (IMAP)",
        Service::Pop3 => "fetching mail (POP)",
        Service::Submission => "sending mail (SMTP)",
        Service::Web => "the web",
    };
    let mut words = Vec::new();
    if !limits.only.is_empty() {
        let only: Vec<_> = limits.only.iter().map(name).collect();
        words.push(format!("Only for {}", only.join(" and ")));
    }
    if !limits.from.is_empty() {
        let from: Vec<_> = limits.from.iter().map(ToString::to_string).collect();
        words.push(format!("Only from {}", from.join(", ")));
    }
    if let Some(until) = limits.until {
        words.push(format!("Until {}", When::new(until, now).full));
    }
    words
}

/// Four letters at a time can be typed; programs take it with the blanks or without.
fn grouped(letters: &Secret) -> String {
    let letters: Vec<char> = letters.expose().chars().collect();
    let groups: Vec<String> = letters
        .chunks(4)
        .map(|four| four.iter().collect())
        .collect();
    groups.join(" ")
}

pub(crate) async fn revoke(State(app): State<App>, signed: Signed, body: Bytes) -> Response {
    let body = form::read(&body);
    let id = form::get(&body, "id");
    let read = signed.identity.list_app_passwords(signed.account()).await;
    let all = match read {
        Ok(all) => all,
        Err(fault) => return failed(&app, &fault),
    };
    let Some(one) = all.into_iter().find(|one| &*one.id == id) else {
        return go("/account/app-passwords");
    };
    let ended = Counts::new(&app, signed.account()).of_app_password(id);
    let revoked = signed.identity.revoke_app_password(signed.account(), id);
    match revoked.await {
        Ok(()) => {
            let act = Act::new(Deed::AppPasswordEnded, app.now()).app(one.name);
            signed.identity.record(signed.account(), act);
            go(&format!(
                "/account/app-passwords?done=password-revoked&ended={ended}"
            ))
        }
        Err(IdentityError::NoSuch(_)) => go("/account/app-passwords"),
        Err(fault) => failed(&app, &fault),
    }
}
