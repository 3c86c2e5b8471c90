//! The pages of administrators: people, domains, programs, live connections, what happened, how the server does.

mod accounts;
mod app;
mod apps;
mod changes;
mod domains;
mod health;
pub(crate) mod log;
mod new_app;
mod sessions;

use crate::App;
use axum::Router;
use axum::response::Redirect;
use axum::routing::{get, post};

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/admin", get(|| async { Redirect::to("/admin/accounts") }))
        .route("/admin/accounts", get(accounts::list).post(accounts::add))
        .route("/admin/accounts/view", get(accounts::view))
        .route("/admin/accounts/change", post(accounts::change))
        .route("/admin/apps", get(apps::page))
        .route("/admin/apps/change", post(apps::change))
        .route("/admin/apps/new", get(new_app::page).post(new_app::add))
        .route("/admin/apps/view", get(app::view))
        .route("/admin/apps/rotate", post(app::rotate))
        .route("/admin/apps/rekey", post(app::rekey))
        .route("/admin/apps/testers", post(app::testers))
        .route("/admin/apps/delegate", post(app::delegate))
        .route("/admin/domains", get(domains::list))
        .route("/admin/domains/view", get(domains::view))
        .route("/admin/changes", get(changes::page))
        .route("/admin/sessions", get(sessions::page))
        .route("/admin/sessions/end", post(sessions::end))
        .route("/admin/log", get(log::page))
        .route("/admin/health", get(health::page))
}
