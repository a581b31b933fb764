//! Serving: bounded connections, bounded headers, bounded bodies, bounded waiting, and an orderly end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tower_http::catch_panic::CatchPanicLayer;

use super::measure::{self, OpenConnection, measured};
use super::problem::Problem;
use super::rates::{Peer, RateLimits, Rates, limited, located};
use super::receive::receive;

/// How much of everything a server takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerLimits {
    /// How many connections are open at once; more wait to be accepted.
    pub connections_max: usize,
    /// The longest head of a request, in bytes; it is looked at between reads, so up to twice as much may pass.
    pub header_bytes_max: usize,
    /// How long a connection may be silent before a request's head is whole; bare `axum::serve` would wait for ever.
    pub header_timeout: Duration,
    /// How long a body may take after its head.
    pub body_timeout: Duration,
    /// The longest a request may take, the waiting for buyers' verdicts included.
    pub request_timeout: Duration,
    /// How long an orderly end waits for requests under way.
    pub drain: Duration,
    /// How often somebody may ask; `None` is as often as they like.
    pub rates: Option<RateLimits>,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections_max: 4_096,
            header_bytes_max: 32 * 1024,
            // Together ten seconds, after which no slow connection is left.
            header_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            drain: Duration::from_secs(20),
            rates: None,
        }
    }
}

/// A server that is listening.
#[derive(Debug)]
pub struct Server {
    /// Where.
    pub address: SocketAddr,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Listens and serves in the background.
    pub async fn start(listen: SocketAddr, router: Router) -> std::io::Result<Self> {
        Self::start_with(listen, router, ServerLimits::default()).await
    }

    /// Listens and serves in the background, within limits of its own.
    pub async fn start_with(listen: SocketAddr, router: Router, limits: ServerLimits) -> std::io::Result<Self> {
        let listener = bind(listen)?;
        let address = listener.local_addr()?;
        let mut router = router
            .layer(from_fn_with_state(limits.body_timeout, receive))
            .layer(from_fn_with_state(limits.request_timeout, in_time));
        let trusted: Arc<[_]> = limits.rates.iter().flat_map(|rates| rates.trusted_proxies.clone()).collect();
        router = router.layer(from_fn_with_state(trusted, located));
        if let Some(rates) = &limits.rates {
            router = router.layer(from_fn_with_state(Rates::new(rates), limited));
        }
        router = router.layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| fault().into_response()));
        router = router.layer(from_fn(measured));
        let stop = CancellationToken::new();
        let serving = serve(listener, router, limits, stop.clone());
        let running = tokio::spawn(async move {
            tokio::select! {
                () = serving => {}
                () = measure::keep() => {}
            }
        });
        Ok(Self { address, stop, running })
    }

    /// Stops accepting, lets requests under way finish within bounds, and ends.
    pub async fn shutdown(self) {
        self.stop.cancel();
        let _ = self.running.await;
    }
}

/// How many connections the kernel keeps for us until they are accepted (it may keep fewer): where there are more at
/// once, each tries again only after a second.
const BACKLOG: u32 = 4_096;

fn bind(listen: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if listen.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As std does: a server that was restarted takes its address at once.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(listen)?;
    socket.listen(BACKLOG)
}

/// The file descriptors that others need: the database, buyers' servers, the log.
const FILES_KEPT: usize = 256;
/// Below so many connections nobody is served.
const PLACES_MIN: usize = 64;

/// How many connections are taken where the process may have so many files open.
fn places(connections_max: usize, files_max: Option<usize>) -> usize {
    let fit = files_max.map_or(connections_max, |files| files.saturating_sub(FILES_KEPT).max(PLACES_MIN));
    if fit < connections_max {
        tracing::warn!(fit, connections_max, "the limit of open files allows fewer connections: raise it (ulimit -n)");
    }
    fit.min(connections_max)
}

/// The soft limit of open files, as Linux tells it in `/proc/self/limits`; `None` elsewhere, and where there is none.
fn open_files_max(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A defect of this program. What was thrown is in the log, not in the answer.
fn fault() -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "FAULT", "this is a fault of the server; it is in its log")
}

/// Gives up on requests that take too long. Whatever they committed is committed.
async fn in_time(State(timeout): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "TIMEOUT",
            "this took too long; send it again with the same Idempotency-Key",
        )
        .retry_after(Duration::from_secs(2))
        .into_response(),
    }
}

async fn serve(listener: TcpListener, router: Router, limits: ServerLimits, stop: CancellationToken) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.header_timeout).max_buf_size(limits.header_bytes_max);
    let graceful = GracefulShutdown::new();
    let files = std::fs::read_to_string("/proc/self/limits").ok().as_deref().and_then(open_files_max);
    let places = Arc::new(Semaphore::new(places(limits.connections_max, files)));
    let cut = CancellationToken::new();
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            () = stop.cancelled() => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of file descriptors, most likely: give connections time to end.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Answers are small and wait for nobody.
        let _ = stream.set_nodelay(true);
        let service = router.clone().map_request(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            request
        });
        let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        let connection = graceful.watch(connection);
        let (cut, open) = (cut.clone(), OpenConnection::new());
        tokio::spawn(async move {
            tokio::select! {
                ended = connection => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection ended early");
                    }
                }
                () = cut.cancelled() => {}
            }
            drop((place, open));
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(limits.drain, graceful.shutdown()).await;
    cut.cancel();
}

#[cfg(test)]
mod tests;
