//! The pages of a person's own account: what is in it, who may use it, and how to end that.

mod activity;
mod app_passwords;
mod apple;
mod apps;
mod labels;
mod overview;
mod sessions;
mod setup;
mod sign_in;
mod thunderbird;

pub(crate) use activity::{Entry, Trail, entries};
pub(crate) use apps::scope_words;
pub(crate) use sessions::{Live, live};

use crate::App;
use axum::Router;
use axum::routing::{get, post};

/// Where passwords, passkeys and the second factor are.
pub(crate) const SIGN_IN: &str = "/account/sign-in";

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/account", get(overview::page))
        .route("/account/apps", get(apps::page))
        .route("/account/apps/remove", post(apps::remove))
        .route(
            "/account/app-passwords",
            get(app_passwords::page).post(app_passwords::make),
        )
        .route("/account/app-passwords/revoke", post(app_passwords::revoke))
        .route("/account/sessions", get(sessions::page))
        .route("/account/sessions/end", post(sessions::end))
        .route("/account/sessions/end-all", post(sessions::end_all))
        .route("/account/sessions/web/end", post(sessions::end_web))
        .route(
            "/account/sessions/web/end-others",
            post(sessions::end_other_web),
        )
        .route(SIGN_IN, get(sign_in::page))
        .route(
            sign_in::PASSWORD,
            get(sign_in::password_page).post(sign_in::change_password),
        )
        .route("/account/setup", get(setup::page))
        .route(thunderbird::PATH, get(thunderbird::extension))
        .route(apple::PATH, get(apple::profile))
        .route(setup::AUTHORITY, get(setup::authority))
        .route("/account/labels", get(labels::page).post(labels::change))
        .route("/account/activity", get(activity::page))
}
