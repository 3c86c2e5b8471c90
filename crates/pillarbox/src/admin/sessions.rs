//! Live sessions for administrators: which there are, what opened each, why it will end, and its end by hand.

use super::answer::account;
use crate::clock::rfc3339;
use crate::failure::Failure;
use crate::house::House;
use crate::suggest;
use pillarbox_oauth::{Act, Credential, Deed, Identity};
use pillarbox_protocols::sessions::{Limit, Session, Which};
use serde_json::{Value, json};

/// Those of an account, or all, oldest first.
///
/// # Errors
/// No such account.
pub async fn list(house: &House, address: Option<&str>) -> Result<Value, Failure> {
    let whose = match address {
        Some(address) => Some(account(house, address).await?),
        None => None,
    };
    let wanted = |session: &&Session| {
        let who = session.signed_in.as_ref().map(|(who, _)| who.account());
        whose.is_none() || who == whose.as_ref()
    };
    let all = house.registry.list();
    Ok(all.iter().filter(wanted).map(session_json).collect())
}

/// One of `session list`.
pub fn session_json(session: &Session) -> Value {
    let mut shown = json!({
        "session": session.token, "protocol": session.protocol.name(), "peer": session.peer.to_canonical().to_string(),
        "since": rfc3339(session.since), "program": session.program.as_deref(), "address": null, "app": null,
        "credential": null, "until": null, "because": null,
    });
    if let Some((who, until)) = &session.signed_in {
        shown["address"] = (**who.address()).into();
        shown["app"] = who.app().map(|app| &**app).into();
        shown["credential"] = credential(who.credential());
        shown["until"] = rfc3339(*until).into();
        shown["because"] = Limit::of(who, *until).ahead().into();
    }
    shown
}

/// What was presented: its kind, and the id by which its list names it.
fn credential(credential: &Credential) -> Value {
    let (kind, id) = match credential {
        Credential::Grant { grant, .. } => ("grant", Some(grant)),
        Credential::AppPassword(id) => ("app-password", Some(id)),
        Credential::External(provider) => ("external", Some(provider)),
        Credential::Certificate(key) => ("client-certificate", Some(key)),
        Credential::Password => ("password", None),
    };
    json!({"kind": kind, "id": id.map(|id| &**id)})
}

/// Ends the session with this token, or all of the account with this address.
///
/// # Errors
/// There is no such session, or none of that account.
pub async fn end(house: &House, actor: &Identity, which: String) -> Result<Value, Failure> {
    let by_address = which.contains('@');
    let (whose, which_ones) = match by_address {
        true => {
            let id = account(house, &which).await?;
            (Some(id.clone()), Which::Account(id))
        }
        false => {
            let one = house.registry.session(&which);
            let whose = one.and_then(|session| session.signed_in);
            let whose = whose.map(|(who, _)| who.account().clone());
            (whose, Which::Session(which.clone()))
        }
    };
    let because = actor.because("ended by hand");
    let ended = house.registry.end(&which_ones, because);
    if let Some(id) = whose.filter(|_| ended > 0) {
        let s = if ended == 1 { "" } else { "s" };
        let act = Act::new(Deed::SessionsEnded, house.clock.wall());
        actor.record(&id, act.detail(format!("{ended} mail session{s}")));
    }
    if ended > 0 {
        return Ok(json!({"ended": ended}));
    }
    let text = match by_address {
        true => format!("no live session of {which}"),
        false => {
            let live = house.registry.list();
            let hint = suggest::hint(&which, live.iter().map(|session| session.token.as_str()));
            format!("no live session {which}{hint}")
        }
    };
    Err(Failure::not_found(text).see("pillarbox session list"))
}
