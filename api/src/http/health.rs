//! Whether the process lives, and whether it can do its work.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use leadyard_entity::StoreResult;
use leadyard_types::{Principal, SystemTask, Timestamp};

use super::HttpState;
use super::openapi::Everywhere;
use super::wire::{Live, Ready, ReadyChecks};

/// Whoever balances load asks every few seconds and will not wait for long.
const PATIENCE: Duration = Duration::from_secs(2);
/// Workers give a sign of life every ten seconds.
const SILENCE_MAX_SECONDS: i64 = 45;

/// It answers, so it lives.
#[utoipa::path(
    get, path = "/health/live", operation_id = "live", tag = "operation",
    responses((status = 200, description = "It lives.", body = Live), Everywhere)
)]
pub(super) async fn live() -> Json<Live> {
    Json(Live { status: "live" })
}

/// Whether the database answers, leads are placed and work is being done.
///
/// A process that only serves is ready without workers: leads are stored and wait for those of others.
#[utoipa::path(
    get, path = "/health/ready", operation_id = "ready", tag = "operation",
    responses(
        (status = 200, description = "It can do its work.", body = Ready),
        (status = 503, description = "It cannot.", body = Ready)
    )
)]
pub(super) async fn ready(State(state): State<HttpState>) -> (StatusCode, Json<Ready>) {
    let seen_at = match tokio::time::timeout(PATIENCE, look(&state)).await {
        Ok(Ok(seen_at)) => seen_at,
        Ok(Err(error)) => {
            tracing::warn!(%error, "the database does not answer");
            return answer(&state, false, "failed", "unknown");
        }
        Err(_) => return answer(&state, false, "slow", "unknown"),
    };
    let silence = seen_at.map(|seen_at| (state.market.clock().now() - seen_at).num_seconds());
    let workers = match silence {
        Some(seconds) if seconds <= SILENCE_MAX_SECONDS => "ok",
        Some(_) => "silent",
        None => "none",
    };
    answer(&state, workers == "ok" || !state.works, "ok", workers)
}

async fn look(state: &HttpState) -> StoreResult<Option<Timestamp>> {
    let read = state.market.store().read(Principal::System(SystemTask::Authenticate));
    read.config_version().await?;
    read.worker_seen_at().await
}

fn answer(
    state: &HttpState,
    is_ready: bool,
    database: &'static str,
    workers: &'static str,
) -> (StatusCode, Json<Ready>) {
    let places = state.market.places();
    let placement = if places { "ok" } else { "ended" };
    let (code, status) =
        if is_ready && places { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not_ready") };
    (code, Json(Ready { status, checks: ReadyChecks { database, placement, workers } }))
}
