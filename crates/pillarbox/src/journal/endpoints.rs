//! How a request that an endpoint of the authorization server refused is told: as a line, as JSON, and to `pillarbox why`.

use crate::journal::Level;
use pillarbox_oauth::{EndpointRefusal, ErrorCode};
use serde_json::{Value, json};

/// What it is called in the log.
pub(super) const ABOUT: &str = "oauth";

pub(super) fn level(refusal: &EndpointRefusal) -> Level {
    match refusal.told.0 {
        ErrorCode::ServerError => Level::Warn,
        // A browser that asks behind the scenes whether somebody is signed in (OpenID Connect Core §3.1.2.1, `prompt=none`), and
        // a device that asks too often, are told so and go on.
        ErrorCode::LoginRequired | ErrorCode::ConsentRequired | ErrorCode::SlowDown => Level::Debug,
        _ => Level::Info,
    }
}

pub(super) fn sentence(refusal: &EndpointRefusal) -> String {
    let app = program(refusal).unwrap_or_else(|| "a request".into());
    let method = refusal.method.map(|method| format!(" with {method}"));
    let person = refusal.person.as_ref().map(|one| format!(" for {one}"));
    format!(
        "{app} refused at {}{}{}: {}",
        refusal.endpoint,
        method.unwrap_or_default(),
        person.unwrap_or_default(),
        refusal.cause
    )
}

pub(super) fn told(refusal: &EndpointRefusal) -> String {
    let (code, text) = &refusal.told;
    format!("{}: {text}", code.name())
}

pub(super) fn story(refusal: &EndpointRefusal) -> Vec<(&'static str, String)> {
    let method = refusal.method.map(|method| format!(" with {method}"));
    let asked = format!("{}{}", refusal.endpoint, method.unwrap_or_default());
    let person = refusal.person.as_ref().map(ToString::to_string);
    [
        ("asked", Some(asked)),
        ("program", program(refusal)),
        ("person", person),
        ("refused", Some(refusal.cause.to_string())),
        ("told", Some(told(refusal))),
    ]
    .into_iter()
    .filter_map(|(word, rest)| Some((word, rest?)))
    .collect()
}

pub(super) fn fields(refusal: &EndpointRefusal) -> Value {
    json!({
        "event": "refused",
        "endpoint": refusal.endpoint,
        "method": refusal.method,
        "client": refusal.client.as_deref(),
        "app": refusal.app.as_deref(),
        "address": refusal.person.as_deref(),
        "cause": &*refusal.cause,
        "error": refusal.told.0.name(),
        "told": &*refusal.told.1,
    })
}

/// By name and id; one that is not registered by what it calls itself.
fn program(refusal: &EndpointRefusal) -> Option<String> {
    Some(match (&refusal.app, &refusal.client) {
        (Some(app), Some(id)) => format!("{app} ({id})"),
        (None, Some(id)) => format!("unknown client {id}"),
        (_, None) => return None,
    })
}
