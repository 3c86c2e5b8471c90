//! How the person signs in: what there is of passwords, passkeys and a second factor, and the page that changes the password.

use super::SIGN_IN;
use crate::frame::Frame;
use crate::pages::{self, failed, show};
use crate::passkeys::{self, sentence};
use crate::signed::Signed;
use crate::when::{When, many};
use crate::{App, Site, factor, form};
use askama::Template;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use pillarbox_oauth::IdentityError;

/// Where the password is changed.
pub(super) const PASSWORD: &str = "/account/password";

#[derive(Template)]
#[template(path = "account/sign_in.html")]
struct Page<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    rows: [Row; 3],
}

struct Row {
    name: &'static str,
    tag: Option<&'static str>,
    text: String,
    link: &'static str,
    path: &'static str,
}

#[derive(Template)]
#[template(path = "account/password.html")]
struct Password<'a> {
    site: &'a Site,
    frame: Frame<'a>,
    error: Option<String>,
    has_password: bool,
    passkeys: bool,
    /// The way to sign in again, if that comes first.
    anew: Option<String>,
}

pub(super) async fn page(
    State(app): State<App>,
    signed: Signed,
    RawQuery(query): RawQuery,
) -> Response {
    match rows(&app, &signed).await {
        Ok(rows) => show(
            StatusCode::OK,
            &Page {
                site: &app.site,
                frame: Frame::account(&signed, SIGN_IN).after(query),
                rows,
            },
        ),
        Err(fault) => failed(&app, &fault),
    }
}

async fn rows(app: &App, signed: &Signed) -> Result<[Row; 3], IdentityError> {
    let (identity, account) = (&signed.identity, signed.account());
    let set = identity.password_set(account).await?;
    let keys = identity.list_passkeys(account).await?;
    let factor = identity.second_factor(account).await?;
    let password = match set {
        Some(at) => format!("Set {}.", When::new(at, app.now()).full),
        None => "You have none.".into(),
    };
    let shown_with = match (factor.since.is_some(), factor.phone, keys.is_empty()) {
        (false, ..) => "Your password alone opens these pages.",
        (true, true, true) => "After the password a code from your phone is asked for.",
        (true, true, false) => {
            "After the password a code from your phone or a passkey is asked for."
        }
        (true, false, _) => "After the password a passkey is asked for.",
    };
    let left = match factor.since {
        Some(_) => format!(" {} left.", many(factor.recovery_codes, "recovery code")),
        None => String::new(),
    };
    Ok([
        Row {
            name: "Password",
            tag: None,
            text: password,
            link: if set.is_some() { "Change" } else { "Set" },
            path: PASSWORD,
        },
        Row {
            name: "Passkeys",
            tag: None,
            text: match keys.len() {
                0 => "None yet. They are quicker than a password, and safer.".into(),
                count => format!("You have {}.", many(count, "passkey")),
            },
            link: if keys.is_empty() { "Add" } else { "Manage" },
            path: passkeys::PAGE,
        },
        Row {
            name: "Second factor",
            tag: factor.since.is_some().then_some("on"),
            text: format!("{shown_with}{left}"),
            link: if factor.since.is_some() {
                "Manage"
            } else {
                "Set up"
            },
            path: factor::PAGE,
        },
    ])
}

pub(super) async fn password_page(State(app): State<App>, signed: Signed) -> Response {
    ask(&app, &signed, StatusCode::OK, None).await
}

async fn ask(app: &App, signed: &Signed, status: StatusCode, error: Option<String>) -> Response {
    let read = async {
        let set = signed.identity.password_set(signed.account()).await?;
        let keys = signed.identity.list_passkeys(signed.account()).await?;
        let anew = signed.sign_in_anew(app, PASSWORD).await?;
        Ok::<_, IdentityError>((set, keys, anew))
    };
    let (set, keys, anew) = match read.await {
        Ok(found) => found,
        Err(fault) => return failed(app, &fault),
    };
    let page = Password {
        site: &app.site,
        frame: Frame::account(signed, SIGN_IN),
        error,
        has_password: set.is_some(),
        passkeys: set.is_some() && !keys.is_empty() && signed.identity.takes_passkeys(),
        anew,
    };
    let mut response = show(status, &page);
    passkeys::allow_script(app, &mut response, None);
    response
}

pub(super) async fn change_password(
    State(app): State<App>,
    signed: Signed,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = form::read(&body);
    let (identity, password) = (&signed.identity, form::get(&form, "password"));
    if password != form::get(&form, "again") {
        let error = "The two passwords are not the same.".to_owned();
        return ask(&app, &signed, StatusCode::UNPROCESSABLE_ENTITY, Some(error)).await;
    }
    let proof = passkeys::proof(&headers, &form, "current");
    let changed = identity.change_own_password(&signed.person, proof, password, app.now());
    match changed.await {
        Ok(()) => pages::renewed(&app, &headers, &signed, &go_on()).await,
        // The page says it, and leads there.
        Err(IdentityError::SignInAnew) => {
            ask(&app, &signed, StatusCode::UNPROCESSABLE_ENTITY, None).await
        }
        Err(fault @ (IdentityError::BadPassword(_) | IdentityError::TooMany(_))) => {
            let error = Some(sentence(&fault));
            ask(&app, &signed, StatusCode::UNPROCESSABLE_ENTITY, error).await
        }
        Err(fault) => failed(&app, &fault),
    }
}

fn go_on() -> String {
    format!("{SIGN_IN}?done=password-changed")
}
