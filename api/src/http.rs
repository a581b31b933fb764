//! HTTP: the doors of suppliers and visitors, health and metrics.

mod body;
mod forms;
mod health;
mod leads;
mod measure;
mod pings;
mod problem;
pub mod rates;
mod receive;
pub mod server;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use leadyard_market::Market;
use secrecy::SecretString;

pub use problem::Problem;

/// What every handler may use.
#[derive(Debug, Clone)]
pub struct HttpState {
    /// The market.
    pub market: Arc<Market>,
    /// Whether this process has workers.
    pub works: bool,
    /// What opens `/metrics` from elsewhere.
    pub metrics_token: Option<SecretString>,
}

/// The whole of what is served.
pub fn router(state: HttpState) -> Router {
    Router::new()
        .route("/v1/leads", post(leads::submit))
        .route("/v1/pings", post(pings::ping))
        .route("/v1/posts", post(pings::post))
        .route("/f/{form}", get(forms::show).post(forms::submit))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(measure::show))
        .method_not_allowed_fallback(problem::method_not_allowed)
        .with_state(state)
        .fallback(problem::not_found)
}
