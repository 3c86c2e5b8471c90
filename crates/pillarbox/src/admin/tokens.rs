//! `token revoke` by whoever administrates this machine: what came of it, in full. The revocation endpoint must not tell
//! strangers which tokens exist (RFC 7009 §2.2); this is asked by nobody else.

use super::answer::{identity, store};
use crate::clock::rfc3339;
use crate::failure::Failure;
use crate::house::House;
use pillarbox_oauth::{Credential, Identity, TokenEnd};
use pillarbox_protocols::sessions::Which;
use serde_json::{Value, json};

/// Ends what a token belongs to, and counts the live sessions that ends.
///
/// # Errors
/// It belongs to nothing here.
pub async fn revoke(house: &House, actor: &Identity, token: &str) -> Result<Value, Failure> {
    let now = house.clock.wall();
    let named = actor.grant_of_token(token).await;
    let named = named.map_err(|error| identity(&error))?;
    let opened = named.map(|(account, grant)| {
        let credential = Credential::Grant { grant, token: None };
        Which::Credential(account, credential)
    });
    // Before it is told: those told leave at once.
    let sessions = opened.map_or(0, |opened| house.registry.count(&opened));
    let end = actor.end_token(token, now).await;
    match end.map_err(|error| identity(&error))? {
        TokenEnd::Ended {
            account,
            grant,
            app,
            before,
        } => {
            let address = house.store.account(&account).address().await;
            let address = address.map_err(|error| store(&error))?;
            Ok(json!({
                "address": *address, "grant": *grant, "app": *app, "sessions": sessions,
                "ended_before": before.map(rfc3339),
            }))
        }
        TokenEnd::Administration { client } => Ok(json!({"administration_by": *client})),
        TokenEnd::Elsewhere { provider } => Err(Failure::no(format!(
            "a token of {provider}, which alone can revoke it; nothing was revoked. What it opened here ends by: \
             pillarbox session end ADDRESS"
        ))),
        TokenEnd::Unknown => Err(Failure::no(
            "not a token of this server; nothing was revoked. See: pillarbox grant list ADDRESS",
        )),
    }
}

/// What was done, for people.
pub fn in_words(done: &Value) -> String {
    let text = |field: &str| done[field].as_str().unwrap_or_default();
    if let Some(client) = done["administration_by"].as_str() {
        return format!("Revoked, with every token for administration by {client}.");
    }
    let grant = format!(
        "grant {} of {} for {}",
        text("grant"),
        text("app"),
        text("address")
    );
    match done["ended_before"].as_str() {
        Some(before) => format!("Its {grant} had ended already, at {before}."),
        None => {
            let sessions = match done["sessions"].as_u64() {
                Some(1) => "1 session has ended".to_owned(),
                Some(many @ 2..) => format!("{many} sessions have ended"),
                _ => "no session was open".to_owned(),
            };
            format!("Revoked, with its {grant}; {sessions}.")
        }
    }
}

/// A token as people paste it: in quotes, behind the name of a header and the word Bearer.
pub fn pasted(text: &str) -> &str {
    let mut text = text.trim();
    loop {
        let bare = text.trim_matches(['"', '\'']).trim();
        let first = bare.split([' ', ':']).next().unwrap_or_default();
        let rest = bare[first.len()..].trim_start_matches([' ', ':']);
        let before = ["authorization", "bearer", "dpop"];
        let is_before = before.iter().any(|word| first.eq_ignore_ascii_case(word));
        let next = if is_before { rest } else { bare };
        if next == text {
            return text;
        }
        text = next;
    }
}

#[cfg(test)]
mod tests {
    use super::pasted;

    #[test]
    fn tokens_as_people_paste_them() {
        for text in [
            "eyJ.a.b",
            " eyJ.a.b\t",
            "Bearer eyJ.a.b",
            "\"eyJ.a.b\"",
            "'bearer eyJ.a.b'",
            "\"Authorization: Bearer eyJ.a.b\"",
            "DPoP  eyJ.a.b",
        ] {
            assert_eq!(pasted(text), "eyJ.a.b", "{text:?}");
        }
        for nothing in ["", "  ", "\"\"", "Bearer", "Bearer ", "authorization:"] {
            assert_eq!(pasted(nothing), "", "{nothing:?}");
        }
    }
}
