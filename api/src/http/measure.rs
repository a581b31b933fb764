//! What is counted, and `/metrics`, where Prometheus reads it. Labels are routes, methods, statuses and states: never
//! anything that was sent.

use std::sync::OnceLock;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use leadyard_entity::StoreResult;
use leadyard_entity::tasks::TaskCounts;
use leadyard_types::{Principal, SystemTask, Timestamp};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use secrecy::ExposeSecret as _;
use subtle::ConstantTimeEq as _;
use tokio::time::Instant;

use super::HttpState;
use super::leads::token;
use super::openapi::Everywhere;
use super::problem::{Problem, not_found};
use super::rates::{Origin, Peer};
use super::wire::ProblemBody;

/// From a good answer to one nobody waits for any more, seconds.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
/// What was observed is put into its buckets this often, read or not.
const UPKEEP_EVERY: Duration = Duration::from_secs(10);
/// Prometheus does not wait for a database that hangs.
const PATIENCE: Duration = Duration::from_secs(2);

/// The process's one recorder; `None` where another was installed before.
fn recorder() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    let install = || {
        let buckets = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS);
        let handle = buckets.and_then(PrometheusBuilder::install_recorder);
        handle.inspect_err(|error| tracing::warn!(%error, "nothing is measured")).ok()
    };
    RECORDER.get_or_init(install).as_ref()
}

/// Starts measuring, and keeps the memory of it bounded until the server ends.
pub(super) async fn keep() {
    let Some(recorder) = recorder() else { return std::future::pending().await };
    describe();
    loop {
        tokio::time::sleep(UPKEEP_EVERY).await;
        recorder.run_upkeep();
    }
}

fn describe() {
    metrics::describe_counter!("leadyard_http_requests_total", "Requests answered, by route, method and status.");
    metrics::describe_counter!("leadyard_http_limited_total", "Requests answered 429.");
    metrics::describe_histogram!("leadyard_http_request_seconds", "How long answers took, by route.");
    metrics::describe_gauge!("leadyard_http_connections", "Connections open.");
    metrics::describe_counter!("leadyard_leads_total", "Leads taken in, by door and by what became of them at once.");
    metrics::describe_gauge!("leadyard_leads_waiting", "Leads that wait for the writer.");
    metrics::describe_counter!("leadyard_tasks_claimed_total", "Tasks taken up by workers of this process.");
    metrics::describe_counter!("leadyard_tasks_failed_total", "Tasks that failed and are tried again.");
    metrics::describe_counter!("leadyard_tasks_given_up_total", "Tasks that were given up.");
    metrics::describe_counter!(
        "leadyard_lanes_parked_total",
        "Destinations that got a pause because they kept failing."
    );
    metrics::describe_counter!("leadyard_store_retries_total", "Statements tried again because the database was busy.");
    metrics::describe_gauge!("leadyard_store_statements", "Statements sent to the database by this process.");
    metrics::describe_gauge!("leadyard_tasks", "Tasks in the database, by state.");
    metrics::describe_gauge!("leadyard_workers_silent_seconds", "Since when no worker of any process was seen.");
    metrics::describe_gauge!("leadyard_build_info", "1, with the version.");
}

/// Counts a request and how long it took.
pub(super) async fn measured(request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().cloned();
    let method = known(request.method());
    let began = Instant::now();
    let response = next.run(request).await;
    // Addresses nobody has are one, so that nobody can fill the memory with them.
    let route = path.map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let status = response.status().as_u16().to_string();
    metrics::histogram!("leadyard_http_request_seconds", "route" => route.clone()).record(began.elapsed());
    metrics::counter!("leadyard_http_requests_total", "route" => route, "method" => method, "status" => status)
        .increment(1);
    response
}

fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "OPTIONS" => "OPTIONS",
        _ => "OTHER",
    }
}

/// A connection that is open; counted until it is dropped.
pub(super) struct OpenConnection;

impl OpenConnection {
    pub(super) fn new() -> Self {
        metrics::gauge!("leadyard_http_connections").increment(1);
        Self
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        metrics::gauge!("leadyard_http_connections").decrement(1);
    }
}

/// What is measured: for this machine's own, and for whoever has the token.
///
/// To anybody else there is nothing here.
#[utoipa::path(
    get, path = "/metrics", operation_id = "metrics", tag = "operation",
    security((), ("bearer" = [])),
    responses(
        (status = 200, description = "Figures in Prometheus' text format.", body = String, content_type = "text/plain"),
        (status = 404, description = "Nothing for this caller.", body = ProblemBody,
            content_type = "application/problem+json"),
        Everywhere
    )
)]
pub(super) async fn show(State(state): State<HttpState>, headers: HeaderMap, request: Request) -> Response {
    let is_ours = request.extensions().get::<Peer>().is_some() && Origin::of(&request, &[]).is_none();
    let right = state
        .metrics_token
        .as_ref()
        .zip(token(&headers))
        .is_some_and(|(wanted, given)| bool::from(wanted.expose_secret().as_bytes().ct_eq(given.as_bytes())));
    if !is_ours && !right {
        return not_found().await.into_response();
    }
    let Some(recorder) = recorder() else {
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "nothing is measured").into_response();
    };
    observe(&state).await;
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], recorder.render()).into_response()
}

/// What is looked up when somebody asks.
async fn observe(state: &HttpState) {
    metrics::gauge!("leadyard_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    metrics::gauge!("leadyard_leads_waiting").set(float(state.market.leads_waiting()));
    metrics::gauge!("leadyard_store_statements").set(float(state.market.store().statements()));
    match tokio::time::timeout(PATIENCE, figures(state)).await {
        Ok(Ok((tasks, seen_at))) => {
            for (name, count) in [("due", tasks.due), ("later", tasks.later), ("dead", tasks.dead)] {
                metrics::gauge!("leadyard_tasks", "state" => name).set(float(count.unsigned_abs()));
            }
            if let Some(seen_at) = seen_at {
                let silence = (state.market.clock().now() - seen_at).num_seconds().max(0);
                metrics::gauge!("leadyard_workers_silent_seconds").set(float(silence.unsigned_abs()));
            }
        }
        Ok(Err(error)) => tracing::warn!(%error, "the database's figures are those of before"),
        Err(_) => tracing::warn!("the database is slow: its figures are those of before"),
    }
}

async fn figures(state: &HttpState) -> StoreResult<(TaskCounts, Option<Timestamp>)> {
    let read = state.market.store().read(Principal::System(SystemTask::Authenticate));
    Ok((read.task_counts().await?, read.worker_seen_at().await?))
}

#[allow(clippy::cast_precision_loss, reason = "Prometheus knows floats only")]
fn float(number: u64) -> f64 {
    number as f64
}
