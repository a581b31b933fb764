//! HTTP: the doors of suppliers, visitors and buyers who answer, health and metrics.

mod body;
mod forms;
mod health;
mod leads;
mod measure;
pub mod openapi;
mod pings;
mod problem;
pub mod rates;
pub(crate) mod receive;
pub mod server;
mod verdicts;
mod wire;

use std::sync::Arc;

use axum::Router;
use leadyard_market::Market;
use secrecy::SecretString;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

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

/// Every door with its description: method, path and what comes and goes stand at the handler.
fn doors() -> OpenApiRouter<HttpState> {
    OpenApiRouter::with_openapi(openapi::Head::openapi())
        .routes(routes!(leads::submit))
        .routes(routes!(pings::ping))
        .routes(routes!(pings::post))
        .routes(routes!(verdicts::tell))
        .routes(routes!(forms::show, forms::submit))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(measure::show))
        .routes(routes!(openapi::show))
}

/// The whole of what is served.
pub fn router(state: HttpState) -> Router {
    let (router, _) = doors().split_for_parts();
    router.method_not_allowed_fallback(problem::method_not_allowed).with_state(state).fallback(problem::not_found)
}
