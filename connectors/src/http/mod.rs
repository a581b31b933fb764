//! The guarded client: the only way out over HTTP.
//!
//! The remote is hostile. A URL is checked before anything happens; the name's addresses are checked by the resolver the
//! connector asks, and exactly those are dialled; redirects, proxies and compressed answers do not exist; an answer is
//! read up to [`ANSWER_BYTES_MAX`]; connecting, the whole exchange and the number of requests to one host are bounded.

mod address;
mod exchange;
mod policy;
mod resolve;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use url::Url;

pub use address::forbidden as forbidden_address;
pub use exchange::{ANSWER_BYTES_MAX, Method, OutboundAnswer, OutboundRequest, SendFailure};
pub(crate) use exchange::{client_builder, exchange};
pub use policy::OutboundPolicy;
use resolve::GuardedResolver;
pub use resolve::{NameAnswer, NameResolver, SystemResolver};

/// Shorter than the five seconds after which common servers (Node, Apache) close an idle connection: a request sent just
/// when the other side hangs up would count as a lost answer.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// How many hosts' counters may be kept before unused ones are swept.
const HOSTS_BEFORE_SWEEP: usize = 1_024;

/// The machine's clients could not be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the connectors cannot be set up: {0}")]
pub struct SetupFailure(pub String);

/// The only HTTP client for addresses that other people chose. Cheap to clone; clones share connections and limits.
#[derive(Clone)]
pub struct GuardedClient {
    client: reqwest::Client,
    shared: Arc<Shared>,
}

/// What clients have in common whose connections are their own.
struct Shared {
    policy: OutboundPolicy,
    resolver: Arc<dyn NameResolver>,
    hosts: Mutex<HashMap<String, Weak<Semaphore>>>,
    trusts_system: bool,
}

impl std::fmt::Debug for GuardedClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GuardedClient").field("policy", &self.shared.policy).finish_non_exhaustive()
    }
}

impl GuardedClient {
    /// A client under these rules, with the system's resolver.
    pub fn new(policy: OutboundPolicy) -> Result<Self, SetupFailure> {
        Self::with_resolver(policy, Arc::new(SystemResolver))
    }

    /// A client that asks this resolver; its answers are guarded all the same.
    pub fn with_resolver(policy: OutboundPolicy, resolver: Arc<dyn NameResolver>) -> Result<Self, SetupFailure> {
        let (client, trusts_system) = guarded(&policy, &resolver)?;
        let shared = Shared { policy, resolver, hosts: Mutex::new(HashMap::new()), trusts_system };
        Ok(Self { client, shared: Arc::new(shared) })
    }

    /// One under the same rules and limits with connections of its own. A connection is served by the runtime that opened
    /// it: who works on another one would wait for whatever that is busy with.
    pub fn apart(&self) -> Result<Self, SetupFailure> {
        let (client, _) = guarded(&self.shared.policy, &self.shared.resolver)?;
        Ok(Self { client, shared: Arc::clone(&self.shared) })
    }

    /// The rules this client keeps.
    #[must_use]
    pub fn policy(&self) -> &OutboundPolicy {
        &self.shared.policy
    }

    /// False on a machine without root certificates: every https request will fail.
    #[must_use]
    pub fn trusts_system_certificates(&self) -> bool {
        self.shared.trusts_system
    }

    /// Sends a request, if the rules allow it, and reads the answer.
    pub async fn send(&self, request: OutboundRequest) -> Result<OutboundAnswer, SendFailure> {
        let started = Instant::now();
        let url = self.shared.policy.check_url(&request.url).map_err(SendFailure::Forbidden)?;
        let gate = self.gate(&url);
        let _permit: OwnedSemaphorePermit = match timeout_at(started + request.timeout, gate.acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) | Err(_) => {
                return Err(SendFailure::NotSent("too many requests to this host are under way"));
            }
        };
        exchange(&self.client, url, request, started, ANSWER_BYTES_MAX).await
    }

    /// The counter of requests under way to a URL's host and port.
    fn gate(&self, url: &Url) -> Arc<Semaphore> {
        let host =
            format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default());
        let mut hosts = self.shared.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() >= HOSTS_BEFORE_SWEEP {
            hosts.retain(|_, gate| gate.strong_count() > 0);
        }
        if let Some(gate) = hosts.get(&host).and_then(Weak::upgrade) {
            return gate;
        }
        let gate = Arc::new(Semaphore::new(self.shared.policy.per_host_concurrency));
        hosts.insert(host, Arc::downgrade(&gate));
        gate
    }
}

/// A client that keeps the rules where it connects.
fn guarded(policy: &OutboundPolicy, resolver: &Arc<dyn NameResolver>) -> Result<(reqwest::Client, bool), SetupFailure> {
    build_client(|| {
        client_builder()
            .dns_resolver(GuardedResolver(Arc::clone(resolver)))
            .connect_timeout(policy.connect_timeout)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(policy.per_host_concurrency)
            .https_only(policy.is_production())
    })
}

/// Builds a client on the system's root certificates; on a machine that has none, one that trusts nobody, so that
/// whoever needs no https can still start. The second value says which it is.
pub(crate) fn build_client(
    builder: impl Fn() -> reqwest::ClientBuilder,
) -> Result<(reqwest::Client, bool), SetupFailure> {
    if let Ok(client) = builder().build() {
        return Ok((client, true));
    }
    tracing::warn!("no root certificates on this machine: https requests will fail");
    match builder().tls_certs_only([]).build() {
        Ok(client) => Ok((client, false)),
        Err(_) => Err(SetupFailure("the HTTP client cannot be built".to_owned())),
    }
}
