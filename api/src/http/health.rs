//! Whether the process lives, and whether it can do its work.

use axum::extract::State;
use axum::http::StatusCode;
use leadyard_types::{Principal, SystemTask};

use super::HttpState;

pub(super) async fn live() -> &'static str {
    "live\n"
}

pub(super) async fn ready(State(state): State<HttpState>) -> (StatusCode, &'static str) {
    let read = state.market.store().read(Principal::System(SystemTask::Authenticate));
    match read.config_version().await {
        Ok(_) => (StatusCode::OK, "ready\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    }
}
