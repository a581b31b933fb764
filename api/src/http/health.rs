//! Whether the process lives, and whether it can do its work.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use leadyard_entity::StoreResult;
use leadyard_types::{Principal, SystemTask, Timestamp};
use serde_json::{Value, json};

use super::HttpState;

/// Whoever balances load asks every few seconds and will not wait for long.
const PATIENCE: Duration = Duration::from_secs(2);
/// Workers give a sign of life every ten seconds.
const SILENCE_MAX_SECONDS: i64 = 45;

/// It answers, so it lives.
pub(super) async fn live() -> Json<Value> {
    Json(json!({ "status": "live" }))
}

/// Whether the database answers and work is being done. A process that only serves is ready without workers: leads are
/// stored and wait for those of others.
pub(super) async fn ready(State(state): State<HttpState>) -> (StatusCode, Json<Value>) {
    let seen_at = match tokio::time::timeout(PATIENCE, look(&state)).await {
        Ok(Ok(seen_at)) => seen_at,
        Ok(Err(error)) => {
            tracing::warn!(%error, "the database does not answer");
            return answer(false, "failed", "unknown");
        }
        Err(_) => return answer(false, "slow", "unknown"),
    };
    let silence = seen_at.map(|seen_at| (state.market.clock().now() - seen_at).num_seconds());
    let workers = match silence {
        Some(seconds) if seconds <= SILENCE_MAX_SECONDS => "ok",
        Some(_) => "silent",
        None => "none",
    };
    answer(workers == "ok" || !state.works, "ok", workers)
}

async fn look(state: &HttpState) -> StoreResult<Option<Timestamp>> {
    let read = state.market.store().read(Principal::System(SystemTask::Authenticate));
    read.config_version().await?;
    read.worker_seen_at().await
}

fn answer(is_ready: bool, database: &str, workers: &str) -> (StatusCode, Json<Value>) {
    let (code, status) =
        if is_ready { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not_ready") };
    (code, Json(json!({ "status": status, "checks": { "database": database, "workers": workers } })))
}
