//! The programs a person allowed to use the account: one row a program, however often it was allowed, and its sign-ins below.

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
use pillarbox_oauth::{Grant, IdentityError, LastUses, Scope, Scopes};
use pillarbox_store::mail::Millis;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Most programs shown, those used last.
const PROGRAMS_SHOWN: usize = 100;
/// Most sign-ins shown of one program, those used last.
const SIGN_INS_SHOWN: usize = 20;
/// Most programs shown that ended lately.
const ENDED_SHOWN: usize = 20;

#[derive(Template)]
#[template(path = "account/apps.html")]
struct Page<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    apps: Vec<Program>,
    /// Programs that are not shown.
    more: usize,
    ended: Vec<Ended>,
}

/// One program.
struct Program {
    app: Arc<str>,
    client: Arc<str>,
    registered_by: Option<Arc<str>>,
    scopes: Vec<String>,
    offline: bool,
    since: When,
    last: When,
    from: Option<String>,
    sessions: usize,
    count: usize,
    /// One by one, if there are several.
    sign_ins: Vec<SignIn>,
    /// Sign-ins that are not shown.
    more: usize,
}

/// One approval.
struct SignIn {
    id: Arc<str>,
    /// If it may not do all that the program may.
    scopes: Vec<String>,
    since: When,
    last: When,
    from: Option<String>,
    sessions: usize,
}

struct Ended {
    app: Arc<str>,
    at: When,
}

/// What is known of an account's grants.
struct Known<'a> {
    uses: &'a LastUses,
    sessions: Counts,
    now: Millis,
}

impl Known<'_> {
    /// When a grant was last used, and from where.
    fn last(&self, grant: &Grant) -> (Millis, Option<String>) {
        let used = self.uses.grant(&grant.id);
        let at = used.map_or(grant.last_used, |used| used.at.max(grant.last_used));
        (
            at,
            used.and_then(|used| used.peer).map(|peer| peer.to_string()),
        )
    }

    fn sessions(&self, grant: &Grant) -> usize {
        self.sessions.of_grant(&grant.id)
    }
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
    let known = Known {
        uses: &uses,
        sessions: Counts::new(&app, signed.account()),
        now,
    };
    let mut by_program: BTreeMap<&str, Vec<&Grant>> = BTreeMap::new();
    for grant in grants.iter().filter(|grant| lives(grant)) {
        by_program.entry(&grant.client).or_default().push(grant);
    }
    let mut by_program: Vec<_> = by_program.into_values().collect();
    let last = |of: &Vec<&Grant>| of.iter().map(|grant| known.last(grant).0).max();
    by_program.sort_by_key(|of| std::cmp::Reverse(last(of)));
    let more = by_program.len().saturating_sub(PROGRAMS_SHOWN);
    let shown = by_program.into_iter().take(PROGRAMS_SHOWN);
    let page = Page {
        site: &app.site,
        frame: Frame::account(&signed, "/account/apps").after(query),
        apps: shown.filter_map(|of| program(&app, &known, of)).collect(),
        more,
        ended: ended(&grants, now),
    };
    show(StatusCode::OK, &page)
}

/// Programs of which something ended lately, each with the last time.
fn ended(grants: &[Grant], now: Millis) -> Vec<Ended> {
    let mut by_program: BTreeMap<&str, (Millis, &Arc<str>)> = BTreeMap::new();
    for grant in grants {
        if let Some(at) = grant.revoked {
            let latest = by_program.entry(&grant.client).or_insert((at, &grant.app));
            latest.0 = latest.0.max(at);
        }
    }
    let mut ended: Vec<_> = by_program.into_values().collect();
    ended.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let row = |(at, app): (Millis, &Arc<str>)| Ended {
        app: Arc::clone(app),
        at: When::new(at, now),
    };
    ended.into_iter().take(ENDED_SHOWN).map(row).collect()
}

/// The row of one program's approvals; None if there are none.
fn program(app: &App, known: &Known<'_>, mut grants: Vec<&Grant>) -> Option<Program> {
    grants.sort_by_key(|grant| std::cmp::Reverse(known.last(grant).0));
    let newest = grants.first()?;
    let (last, from) = known.last(newest);
    let mut words = Vec::new();
    for grant in &grants {
        for word in grant.scope.split(' ') {
            if !words.contains(&word) {
                words.push(word);
            }
        }
    }
    let scopes = scope_words(&words.join(" "));
    let count = grants.len();
    let single = |grant: &&Grant| {
        let (last, from) = known.last(grant);
        let own = scope_words(&grant.scope);
        SignIn {
            id: Arc::clone(&grant.id),
            scopes: if own == scopes { Vec::new() } else { own },
            since: When::new(grant.created, known.now),
            last: When::new(last, known.now),
            from,
            sessions: known.sessions(grant),
        }
    };
    let sign_ins: Vec<_> = match count {
        1 => Vec::new(),
        _ => grants.iter().take(SIGN_INS_SHOWN).map(single).collect(),
    };
    let first = grants.iter().map(|grant| grant.created).min()?;
    let client = app.web.identity.client(&newest.client);
    Some(Program {
        app: Arc::clone(&newest.app),
        client: Arc::clone(&newest.client),
        registered_by: client.map(|client| Arc::clone(&client.registered_by)),
        offline: grants.iter().any(|grant| grant.offline),
        since: When::new(first, known.now),
        last: When::new(last, known.now),
        from,
        sessions: grants.iter().map(|grant| known.sessions(grant)).sum(),
        more: count.saturating_sub(SIGN_INS_SHOWN),
        count,
        sign_ins,
        scopes,
    })
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

/// Ends one program, or one of its sign-ins.
pub(crate) async fn remove(State(app): State<App>, signed: Signed, body: Bytes) -> Response {
    let body = form::read(&body);
    let (program, grant) = (form::get(&body, "app"), form::get(&body, "grant"));
    match remove_from(&app, &signed, program, grant).await {
        Ok(next) => go(&next),
        // Somebody else's, or gone meanwhile: the list tells.
        Err(IdentityError::NoSuch(_)) => go("/account/apps"),
        Err(fault) => failed(&app, &fault),
    }
}

async fn remove_from(
    app: &App,
    signed: &Signed,
    program: &str,
    grant: &str,
) -> Result<String, IdentityError> {
    let (identity, account, now) = (&signed.identity, signed.account(), app.now());
    // Counted before: afterwards they are on their way out.
    let sessions = Counts::new(app, account);
    if program.is_empty() {
        let ended = sessions.of_grant(grant);
        identity.revoke_grant(account, grant, now).await?;
        return Ok(format!("/account/apps?done=sign-in-removed&ended={ended}"));
    }
    let grants = identity.grants(account).await?;
    let of_it = grants
        .iter()
        .filter(|grant| lives(grant) && *grant.client == *program);
    let ended: usize = of_it.map(|grant| sessions.of_grant(&grant.id)).sum();
    match identity.revoke_program(account, program, now).await? {
        0 => Err(IdentityError::NoSuch("grant")),
        count => Ok(format!(
            "/account/apps?done=app-removed&sign-ins={count}&ended={ended}"
        )),
    }
}
