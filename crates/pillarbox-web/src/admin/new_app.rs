//! Registers a program. What cannot be is said beside the field where it was filled in, and nothing that was typed is lost.

use super::app::{Tick, registered, ticked, ticks};
use crate::frame::Frame;
use crate::pages::{failed, show};
use crate::signed::{Administrator, Signed};
use crate::{App, Site, form};
use askama::Template;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use pillarbox_oauth::{ClientField, ClientKind, IdentityError, NewClient, Scopes};
use pillarbox_store::mail::StoreError;

/// The kinds as chosen: value, words, what it means.
const KINDS: [(ClientKind, &str, &str, &str); 4] = [
    (
        ClientKind::Web,
        "web",
        "Runs on a server",
        "Confidential: proves itself with a secret.",
    ),
    (
        ClientKind::Native,
        "native",
        "Installed on people’s computers and telephones",
        "Public: keeps no secret.",
    ),
    (
        ClientKind::Device,
        "device",
        "Device without a browser",
        "Public: people type a code elsewhere.",
    ),
    (
        ClientKind::Service,
        "service",
        "Service account",
        "Acts without a person in front of it, signs with a key of its own, and does what you delegate to it.",
    ),
];

/// What was filled in.
struct Filled {
    name: String,
    kind: ClientKind,
    redirects: String,
    testing: bool,
    testers: String,
    delegated: Scopes,
}

impl Default for Filled {
    fn default() -> Self {
        Self {
            name: String::new(),
            kind: ClientKind::Web,
            redirects: String::new(),
            testing: false,
            testers: String::new(),
            delegated: Scopes::default(),
        }
    }
}

#[derive(Template)]
#[template(path = "admin/new_app.html")]
struct Page<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    filled: &'a Filled,
    domain: String,
    kinds: [(ClientKind, &'static str, &'static str, &'static str); 4],
    ticks: Vec<Tick>,
    wrong: Option<(ClientField, String)>,
}

impl Page<'_> {
    /// What is wrong with a field.
    fn wrong(&self, field: ClientField) -> Option<&str> {
        let found = self.wrong.as_ref().filter(|(wrong, _)| *wrong == field);
        found.map(|(_, text)| text.as_str())
    }

    /// Where that is on the page, and what it is called.
    fn place(&self) -> Option<(&'static str, &'static str)> {
        self.wrong.as_ref().map(|(field, _)| match field {
            ClientField::Name => ("name", "the name"),
            ClientField::Kind => ("kind-web", "what it is"),
            ClientField::Redirects => ("redirects", "the redirect addresses"),
            ClientField::Testers => ("testers", "who tries it out"),
            ClientField::Delegated => ("delegation", "what it may do"),
        })
    }
}

pub(crate) async fn page(State(app): State<App>, Administrator(signed): Administrator) -> Response {
    shown(&app, &signed, &Filled::default(), None)
}

fn shown(
    app: &App,
    signed: &Signed,
    filled: &Filled,
    wrong: Option<(ClientField, String)>,
) -> Response {
    let status = match wrong {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    let page = Page {
        site: &app.site,
        frame: Frame::admin(signed, "/admin/apps"),
        filled,
        domain: app.web.control.domain(),
        kinds: KINDS,
        ticks: ticks(filled.delegated),
        wrong,
    };
    show(status, &page)
}

fn read(body: &[u8]) -> Filled {
    let body = form::read(body);
    let text = |name| form::get(&body, name).to_owned();
    let kind = form::get(&body, "kind");
    let kind = KINDS.iter().find(|(_, value, ..)| *value == kind);
    Filled {
        name: text("name"),
        kind: kind.map_or(ClientKind::Web, |(kind, ..)| *kind),
        redirects: text("redirects"),
        testing: form::get(&body, "audience") == "testing",
        testers: text("testers"),
        delegated: ticked(&body),
    }
}

/// One to a line; blanks and commas part them too, and none of these words has them inside.
pub(super) fn words(text: &str) -> Vec<String> {
    let parts = text.split(|letter: char| letter.is_whitespace() || letter == ',');
    let parts = parts.filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

pub(crate) async fn add(
    State(app): State<App>,
    Administrator(signed): Administrator,
    body: Bytes,
) -> Response {
    let filled = read(&body);
    let testers = words(&filled.testers);
    match check_testers(&app, &filled, &testers).await {
        Ok(None) => {}
        Ok(Some(text)) => {
            return shown(&app, &signed, &filled, Some((ClientField::Testers, text)));
        }
        Err(fault) => return failed(&app, &fault),
    }
    let new = NewClient {
        redirects: words(&filled.redirects),
        registered_by: signed.person.address().to_string(),
        testers: filled.testing.then_some(testers),
        delegated: filled.delegated,
        ..NewClient::new(filled.name.trim(), filled.kind)
    };
    if let Some((field, fault)) = new.fault() {
        let wrong = Some((field, sentence(&fault)));
        return shown(&app, &signed, &filled, wrong);
    }
    match signed.identity.enrol(new, app.now()).await {
        Ok(made) => {
            tracing::info!(by = %signed.person.address(), client = %made.client.id, "app registered");
            registered(&app, &signed, made)
        }
        Err(fault @ (IdentityError::BadClient(_) | IdentityError::TooMany(_))) => {
            let wrong = Some((ClientField::Name, sentence(&fault)));
            shown(&app, &signed, &filled, wrong)
        }
        Err(fault) => failed(&app, &fault),
    }
}

/// A mistyped address would shut out whom it was meant for, and nobody would know why.
async fn check_testers(
    app: &App,
    filled: &Filled,
    testers: &[String],
) -> Result<Option<String>, StoreError> {
    if !filled.testing {
        return Ok(None);
    }
    if testers.is_empty() {
        let text = "Say who tries it out: at least one address.";
        return Ok(Some(text.to_owned()));
    }
    for address in testers {
        if app.web.store.account_of(address).await?.is_none() {
            return Ok(Some(format!("Nobody here has the address {address}.")));
        }
    }
    Ok(None)
}

pub(super) fn sentence(fault: &IdentityError) -> String {
    let text = fault.to_string();
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    format!("{}{}.", first.collect::<String>(), letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn one_to_a_line_or_not() {
        let all = words(" https://a.example/\r\nhttps://b.example/, https://c.example/ \n\n");
        assert_eq!(
            all,
            [
                "https://a.example/",
                "https://b.example/",
                "https://c.example/"
            ]
        );
    }
}
