//! What the running server does for each command. Rules live below; this asks them and says what came of it.

use super::{Request, Response, sessions, tokens};
use crate::clock::{in_words, rfc3339};
use crate::failure::Failure;
use crate::faults::{Asked, Faults};
use crate::house::House;
use crate::pages::Pages;
use crate::{journal, suggest};
use pillarbox_oauth::{Act, Activity, Deed, Identity, IdentityError, Mint, Service, Sort};
use pillarbox_protocols::sessions::Which;
use pillarbox_store::mail::{AccountId, StoreError};
use pillarbox_web::{Checked, Condition, DnsRecord, DomainRow, Ended};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Accounts read at once while listing.
const ACCOUNTS_A_PAGE: usize = 1_000;
/// Accounts looked at to find the nearest name.
const ACCOUNTS_TO_SUGGEST_FROM: usize = 10_000;

/// Why the sessions of an account end that goes.
const REMOVED: &str = "the account was removed";

/// What to say, and what to do when it is said.
pub struct Answer {
    /// One line.
    pub response: Response,
    /// Afterwards.
    pub then: Option<Box<dyn FnOnce() + Send>>,
}

/// Does what a command asks.
pub async fn answer(request: Request, house: &Arc<House>) -> Answer {
    let stop = matches!(request, Request::Stop);
    let actor = house.identity.acting("on the server’s command line");
    let response = match perform(request, house, &actor).await {
        Ok(value) => Response::Ok(value),
        Err(failure) => Response::No {
            status: failure.status,
            text: failure.in_full(),
        },
    };
    let then: Option<Box<dyn FnOnce() + Send>> = if stop {
        let house = house.clone();
        Some(Box::new(move || house.stop()))
    } else {
        None
    };
    Answer { response, then }
}

/// What is asked for, done by `actor`: the identity floor as it acts for whoever asks.
///
/// # Errors
/// A sentence for whoever asked.
pub async fn perform(
    request: Request,
    house: &Arc<House>,
    actor: &Identity,
) -> Result<Value, Failure> {
    match request {
        Request::Facts => match &house.development {
            Some(development) => Ok(Value::Object(development.facts(house).await?)),
            None => Err(Failure::could_not(
                "the server running here is not a development server",
            )),
        },
        Request::Issuer => Ok(json!({
            "issuer": house.config.issuer(),
            "authority": house.authority(),
            "ahead": house.clock.offset().max(0),
        })),
        Request::Stop => Ok(Value::Null),
        Request::TokenIssue {
            address,
            lifetime,
            expired,
            revoked,
            scope,
            refresh,
        } => {
            let lifetime = lifetime.map(Duration::from_secs);
            token_issue(
                house,
                &address,
                Mint {
                    lifetime,
                    expired,
                    revoked,
                    scope,
                    refresh,
                    client: None,
                },
            )
            .await
        }
        Request::TokenInspect { token } => token_inspect(house, &token).await,
        Request::TokenRevoke { token } => tokens::revoke(house, actor, &token).await,
        Request::ClockShow => Ok(clock_text(house, Ended::default()).into()),
        Request::ClockAdvance { seconds } => {
            clock_advance(house, Duration::from_secs(seconds)).await
        }
        Request::ClockReset => {
            development_only(house, "its clock cannot be moved")?;
            house.clock.reset();
            Ok(clock_text(house, Ended::default()).into())
        }
        Request::FaultSet {
            target,
            kind,
            value,
            times,
            account,
            probability,
            after,
        } => {
            let mut set = faults(house)?.set(Asked {
                target,
                kind,
                value,
                times,
                account: account.clone(),
                probability,
                after: after.map(Duration::from_millis),
            })?;
            if let Some(address) = account
                && let Err(nobody) = self::account(house, &address).await
            {
                set["note"] = nobody.text.into();
            }
            Ok(set)
        }
        Request::FaultList => Ok(faults(house)?.list()),
        Request::FaultClear { which } => {
            let cleared = faults(house)?.clear(which.as_deref())?;
            Ok(json!({"cleared": cleared}))
        }
        Request::Why { session } => why(house, &session),
        Request::LogFollow => Ok(Value::Null), // answered line by line, before it comes here
        Request::SessionList { address } => sessions::list(house, address.as_deref()).await,
        Request::DomainList => {
            let all = domains(house).await?;
            Ok(all.iter().map(domain_json).collect())
        }
        Request::DomainDns { domain } => domain_dns(house, &domain).await,
        Request::DomainCheck { domain } => domain_check(house, &domain).await,
        Request::SessionEnd { which } => sessions::end(house, actor, which).await,
        Request::AccountAdd {
            address,
            password,
            administrator,
        } => {
            let now = house.clock.wall();
            let domain = new_domain(house, &address).await?;
            let made = actor
                .create_person(&address, password.as_deref(), house.naming, now)
                .await;
            let id = made.map_err(|error| identity(&error))?;
            actor.record(&id, Act::new(Deed::Made, now));
            if administrator {
                let set = actor.set_administrator(&id, true, now).await;
                set.map_err(|error| identity(&error))?;
            }
            let mut told = json!({"address": address, "id": *id.0});
            if let Some(domain) = domain {
                told["new_domain"] = json!(domain);
            }
            Ok(told)
        }
        Request::AccountInvite { address } => account_invite(house, actor, &address).await,
        Request::AccountAdmin {
            address,
            administrator,
        } => {
            let id = account(house, &address).await?;
            let set = actor
                .set_administrator(&id, administrator, house.clock.wall())
                .await;
            set.map(|()| Value::Null).map_err(|error| identity(&error))
        }
        Request::AccountList => account_list(house).await,
        Request::Activity {
            address,
            limit,
            only,
        } => {
            let (only, now) = (sort(only.as_deref())?, house.clock.wall());
            let found = match address {
                Some(address) => {
                    let id = account(house, &address).await?;
                    actor.activity(&id, usize::MAX, now).await
                }
                None => actor.changes(usize::MAX, now).await,
            };
            let found = found.map_err(|error| identity(&error))?;
            Ok(activity(&found, only, limit))
        }
        Request::Health => Ok(health(house).await),
        Request::AccountShow { address } => account_show(house, &address).await,
        Request::AccountPassword { address, password } => {
            let id = account(house, &address).await?;
            let set = actor.set_password(&id, &password, house.clock.wall()).await;
            set.map(|()| Value::Null).map_err(|error| identity(&error))
        }
        Request::AccountResetFactor { address, passkeys } => {
            let (id, now) = (account(house, &address).await?, house.clock.wall());
            let cleared = actor.clear_second_factor(&id, now).await;
            let was_on = cleared.map_err(|error| identity(&error))?;
            let mut removed = 0;
            if passkeys {
                let all = actor.clear_passkeys(&id, now).await;
                removed = all.map_err(|error| identity(&error))?;
            }
            Ok(json!({"was_on": was_on, "passkeys": removed}))
        }
        Request::AccountSuspend { address, suspended } => {
            let id = account(house, &address).await?;
            let set = actor.set_suspended(&id, suspended).await;
            set.map_err(|error| identity(&error))?;
            let deed = match suspended {
                true => Deed::Suspended,
                false => Deed::Resumed,
            };
            actor.record(&id, Act::new(deed, house.clock.wall()));
            Ok(Value::Null)
        }
        Request::AccountUnbind { address } => {
            let id = account(house, &address).await?;
            let now = house.clock.wall();
            let count = actor.unbind_external(&id, now).await;
            let count = count.map_err(|error| identity(&error))?;
            Ok(json!({"providers": count}))
        }
        Request::AccountRemove { address } => {
            let id = account(house, &address).await?;
            // Nobody is let in while it goes, and whoever is in leaves. Before too: suspension is not why.
            let (all, because) = (Which::Account(id.clone()), actor.because(REMOVED));
            house.registry.end(&all, Arc::clone(&because));
            actor
                .set_suspended(&id, true)
                .await
                .map_err(|error| identity(&error))?;
            house.registry.end(&all, because);
            let removed = house.store.remove_account(&id).await;
            removed.map_err(|error| store(&error))?;
            let act = Act::new(Deed::AccountRemoved, house.clock.wall());
            actor.record_change(act.detail(address));
            Ok(Value::Null)
        }
        Request::AppPasswordAdd {
            address,
            name,
            only,
            from,
            until,
        } => {
            let id = account(house, &address).await?;
            let limits = super::limits::read(&only, &from, until)?;
            let made = actor
                .add_limited_app_password(&id, &name, limits, house.clock.wall())
                .await;
            let (id, password) = made.map_err(|error| identity(&error))?;
            Ok(json!({"id": *id, "password": password.expose()}))
        }
        Request::AppPasswordList { address } => {
            let id = account(house, &address).await?;
            let all = actor
                .list_app_passwords(&id)
                .await
                .map_err(|error| identity(&error))?;
            let one = |one: &pillarbox_oauth::AppPassword| super::limits::show(one);
            Ok(all.iter().map(one).collect())
        }
        Request::AppPasswordRevoke { address, id } => {
            let account = account(house, &address).await?;
            let all = actor.list_app_passwords(&account).await;
            let all = all.map_err(|error| identity(&error))?;
            let revoked = actor.revoke_app_password(&account, &id).await;
            revoked.map_err(|error| {
                identity(&error).see(format!("pillarbox app-password list {address}"))
            })?;
            let name = all.into_iter().find(|one| *one.id == *id);
            let act = Act::new(Deed::AppPasswordEnded, house.clock.wall());
            actor.record(&account, act.app(name.map_or("?".into(), |one| one.name)));
            Ok(Value::Null)
        }
        Request::Certificate { ask } => crate::certificates::answer(ask, house, actor).await,
        Request::GrantList { address } => {
            let id = account(house, &address).await?;
            let all = actor.grants(&id).await.map_err(|error| identity(&error))?;
            Ok(all.iter().map(grant_json).collect())
        }
        Request::GrantRevoke { address, id } => {
            let account = account(house, &address).await?;
            let revoked = actor.revoke_grant(&account, &id, house.clock.wall()).await;
            revoked
                .map(|()| Value::Null)
                .map_err(|error| identity(&error).see(format!("pillarbox grant list {address}")))
        }
        Request::App { ask } => crate::apps::answer(ask, house, actor).await,
        Request::Key { ask } => crate::keys::answer(ask, house, actor).await,
        Request::Label { address, ask } => {
            let id = account(house, &address).await?;
            let (account, now) = (house.store.account(&id), house.clock.wall());
            crate::labels::answer(ask, &account, &id, actor, now).await
        }
        Request::StoreCheck => store_check(house).await,
    }
}

/// The domain of an address if no account has one in it yet.
async fn new_domain(house: &House, address: &str) -> Result<Option<String>, Failure> {
    let Some((_, domain)) = address.rsplit_once('@') else {
        return Ok(None);
    };
    let domain = domain.to_lowercase();
    let served = pillarbox_web::serves(&house.store, &house.config.domain, &domain).await;
    let served = served.map_err(|error| store(&error))?;
    Ok((!served).then_some(domain))
}

async fn token_issue(house: &House, address: &str, mint: Mint) -> Result<Value, Failure> {
    development_only(house, "tokens come from signing in")?;
    let id = account(house, address).await?;
    let minted = house
        .identity
        .mint(&id, mint, house.clock.wall())
        .await
        .map_err(|error| identity(&error))?;
    Ok(json!({
        "access_token": minted.access_token.expose(),
        "refresh_token": minted.refresh_token.as_ref().map(pillarbox_oauth::Secret::expose),
        "expires": rfc3339(minted.expires),
        "grant": *minted.grant,
    }))
}

/// The claims as they stand in the token, and whether the identity floor takes it. A token of ours names its account.
async fn token_inspect(house: &House, token: &str) -> Result<Value, Failure> {
    let claims = claims(token).ok_or_else(|| Failure::no("this is not an access token of ours"))?;
    let subject = claims
        .get("sub")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let address = house
        .store
        .account(&AccountId(subject.into()))
        .address()
        .await;
    let address = address
        .map(|address| address.to_string())
        .unwrap_or_default();
    let checked = house
        .identity
        .bearer(&address, token, Service::Imap, house.clock.wall())
        .await;
    let (good, why) = match checked {
        Ok(_) => (true, None),
        Err(refusal) => (false, Some(refusal.cause)),
    };
    Ok(json!({"good": good, "why_not": why, "address": address, "claims": claims}))
}

fn claims(token: &str) -> Option<Value> {
    use base64::Engine;
    let payload = token.split('.').nth(1)?;
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(payload)
        .ok()?;
    serde_json::from_slice::<Value>(&payload)
        .ok()
        .filter(Value::is_object)
}

/// Moves the clock, and says what that ended.
async fn clock_advance(house: &House, by: Duration) -> Result<Value, Failure> {
    development_only(house, "its clock cannot be moved")?;
    let before = house.clock.wall();
    let sessions = house.advance(by);
    let after = house.clock.wall();
    let tokens = house.identity.expired_between(before, after).await;
    Ok(clock_text(house, Ended { sessions, tokens }).into())
}

fn clock_text(house: &House, ended: Ended) -> String {
    let ahead = Duration::from_millis(u64::try_from(house.clock.offset()).unwrap_or(0));
    let now = house.clock.date_time(house.clock.wall());
    let ahead = if ahead.is_zero() {
        "the system's time".into()
    } else {
        format!("{} ahead", in_words(ahead))
    };
    let ended = match ended {
        Ended {
            sessions: 0,
            tokens: 0,
        } => String::new(),
        ended => format!(" {ended}."),
    };
    format!("The clock is now {now}, {ahead}.{ended}")
}

fn why(house: &House, session: &str) -> Result<Value, Failure> {
    if let Some(events) = house.journal.session(session) {
        return Ok(journal::explain(&events, &house.clock).into());
    }
    let known = house.journal.known();
    let hint = suggest::hint(session, known.iter().rev().map(|token| &**token));
    let text = format!("no session {session} is remembered{hint}");
    Err(Failure::not_found(text).see("pillarbox session list"))
}

async fn domains(house: &House) -> Result<Vec<DomainRow>, Failure> {
    let all = pillarbox_web::domains(&house.store, &house.config.domain).await;
    all.map_err(|error| store(&error))
}

fn domain_json(row: &DomainRow) -> Value {
    json!({"domain": row.name, "accounts": row.accounts})
}

/// A domain of ours, in its own spelling.
async fn our_domain(house: &House, domain: &str) -> Result<String, Failure> {
    let all = domains(house).await?;
    let domain = domain.to_ascii_lowercase();
    if !all.iter().any(|row| row.name == domain) {
        let hint = suggest::hint(&domain, all.iter().map(|row| row.name.as_str()));
        let text = format!("no account has an address in {domain}{hint}");
        return Err(Failure::not_found(text).see("pillarbox domain list"));
    }
    Ok(domain)
}

async fn domain_dns(house: &House, domain: &str) -> Result<Value, Failure> {
    let domain = our_domain(house, domain).await?;
    let records = pillarbox_web::records(&domain, &house.mail, &house.web_host());
    let one = |one: &DnsRecord| json!({"name": one.name, "type": one.kind, "value": one.value, "why": one.why, "line": one.line()});
    Ok(records.iter().map(one).collect())
}

async fn domain_check(house: &Arc<House>, domain: &str) -> Result<Value, Failure> {
    let domain = our_domain(house, domain).await?;
    let control = Pages(house.clone());
    let checked = pillarbox_web::check(&domain, &house.mail, &house.web_host(), &control).await;
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let not_asked = checked.not_asked.unwrap_or_default();
    let one = |one: &Checked| {
        let note = if one.note.is_empty() {
            &not_asked
        } else {
            &one.note
        };
        json!({
            "name": one.record.name, "type": one.record.kind, "value": text(&one.record.value), "why": one.record.why,
            "published": one.standing.name(), "note": text(note), "found": one.found,
        })
    };
    Ok(checked.records.iter().map(one).collect())
}

async fn account_list(house: &House) -> Result<Value, Failure> {
    let mut all: Vec<Value> = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = accounts_page(house, after.as_deref(), ACCOUNTS_A_PAGE).await?;
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        all.extend(page.into_iter().map(|(_, shown)| shown));
    }
    Ok(all.into())
}

/// Accounts by address, at most `limit` after that one, each with what is listed of it.
///
/// # Errors
/// The store's.
pub async fn accounts_page(
    house: &House,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, Value)>, Failure> {
    let page = house.store.accounts(after, limit).await;
    let page = page.map_err(|error| store(&error))?;
    let one = |(address, id): (String, AccountId)| {
        let shown = json!({"address": address, "id": *id.0});
        (address, shown)
    };
    Ok(page.into_iter().map(one).collect())
}

/// A link to set the password with.
async fn account_invite(house: &House, actor: &Identity, address: &str) -> Result<Value, Failure> {
    let (id, now) = (account(house, address).await?, house.clock.wall());
    let text = actor.invite(&id, now).await;
    let text = text.map_err(|error| identity(&error))?;
    let link = pillarbox_web::invitation(&house.config.issuer(), &text);
    Ok(json!({"link": link, "until": rfc3339(now + pillarbox_oauth::INVITE_MS)}))
}

fn sort(only: Option<&str>) -> Result<Option<Sort>, Failure> {
    let Some(name) = only else {
        return Ok(None);
    };
    let names = Sort::ALL.map(Sort::name).join(", ");
    let unknown = || Failure::usage(format!("only is one of {names}"));
    Sort::named(name).map(Some).ok_or_else(unknown)
}

fn activity(found: &[Activity], only: Option<Sort>, limit: usize) -> Value {
    let found = found
        .iter()
        .filter(|one| only.is_none_or(|only| one.deed.sort() == only));
    found.take(limit).map(activity_json).collect()
}

fn activity_json(entry: &Activity) -> Value {
    // Names, numbers and texts always serialize.
    let mut shown = serde_json::to_value(entry).unwrap_or_default();
    shown["at"] = rfc3339(entry.at).into();
    shown["first"] = rfc3339(entry.first).into();
    shown
}

/// How the server does; what the page of health shows.
async fn health(house: &House) -> Value {
    let store = match house.store.accounts(None, 1).await {
        Ok(_) => json!({"name": "Store", "text": "answers", "good": true}),
        Err(fault) => json!({"name": "Store", "text": fault.to_string(), "good": false}),
    };
    let one = |one: Condition| json!({"name": one.name, "text": one.text, "good": one.good});
    let rest = crate::pages::conditions(house).into_iter().map(one);
    let all: Vec<Value> = [store].into_iter().chain(rest).collect();
    let good = all.iter().all(|one| one["good"] == true);
    json!({"good": good, "conditions": all})
}

async fn account_show(house: &House, address: &str) -> Result<Value, Failure> {
    let id = account(house, address).await?;
    let account = house.store.account(&id);
    let address = account.address().await.map_err(|error| store(&error))?;
    let settings = account.settings().await.map_err(|error| store(&error))?;
    let (octets, messages) = account.usage().await.map_err(|error| store(&error))?;
    let (version, mailboxes) = account.mailboxes().await.map_err(|error| store(&error))?;
    let sessions = house.registry.list();
    let live = sessions.iter().filter(|session| {
        session
            .signed_in
            .as_ref()
            .is_some_and(|(who, _)| *who.account() == id)
    });
    Ok(json!({
        "address": *address, "id": *id.0, "suspended": settings.suspended, "messages": messages, "octets": octets,
        "quota": settings.quota, "mailboxes": mailboxes.len(), "version": version, "sessions": live.count(),
    }))
}

async fn store_check(house: &House) -> Result<Value, Failure> {
    let report = house
        .store
        .check(&mut |_, _| {})
        .await
        .map_err(|error| store(&error))?;
    Ok(report_json(&report))
}

/// What `store check` prints with `--json`.
pub fn report_json(report: &pillarbox_store::mail::Report) -> Value {
    json!({"accounts": report.accounts, "messages": report.messages, "bodies": report.bodies, "problems": report.problems})
}

/// The account of an address, or the nearest that exists.
pub async fn account(house: &House, address: &str) -> Result<AccountId, Failure> {
    if let Some(id) = house
        .store
        .account_of(address)
        .await
        .map_err(|error| store(&error))?
    {
        return Ok(id);
    }
    let some = house
        .store
        .accounts(None, ACCOUNTS_TO_SUGGEST_FROM)
        .await
        .unwrap_or_default();
    let hint = suggest::hint(address, some.iter().map(|(address, _)| address.as_str()));
    let text = format!("no account {address}{hint}");
    Err(Failure::not_found(text).see("pillarbox account list"))
}

fn faults(house: &House) -> Result<&Faults, Failure> {
    let development = house.development.as_ref();
    development
        .map(|development| &development.faults)
        .ok_or_else(|| Failure::no("this is a real server: nothing goes wrong on purpose here"))
}

fn development_only(house: &House, instead: &str) -> Result<(), Failure> {
    match house.development {
        Some(_) => Ok(()),
        None => Err(Failure::no(format!("this is a real server: {instead}"))),
    }
}

fn grant_json(grant: &pillarbox_oauth::Grant) -> Value {
    json!({
        "id": *grant.id, "client": *grant.client, "app": *grant.app, "scope": *grant.scope,
        "created": rfc3339(grant.created), "last_used": rfc3339(grant.last_used), "offline": grant.offline,
        "revoked": grant.revoked.map(rfc3339),
    })
}

pub fn identity(error: &IdentityError) -> Failure {
    match error {
        IdentityError::Store(error) => store(error),
        IdentityError::NoSuch(_) => Failure::not_found(error.to_string()),
        IdentityError::BadPassword(_)
        | IdentityError::SignInAnew
        | IdentityError::BadCertificate(_)
        | IdentityError::BadClient(_)
        | IdentityError::TooMany(_) => Failure::no(error.to_string()),
        IdentityError::Broken(_) | IdentityError::Config(_) => {
            Failure::could_not(error.to_string())
        }
    }
}

pub fn store(error: &StoreError) -> Failure {
    match error {
        StoreError::Unavailable(_) | StoreError::Corrupt(_) | StoreError::Damaged => {
            Failure::could_not(error.to_string())
        }
        StoreError::NoSuchAccount => Failure::not_found(error.to_string()),
        StoreError::AccountExists => Failure::exists(error.to_string()),
        _ => Failure::no(error.to_string()),
    }
}
