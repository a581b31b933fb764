//! How often somebody may ask: per key (a source's, a user's), per address for those who show none, and few wrong keys.
//! Leaky buckets: so many a second, with some at once. Whoever asks too often is answered 429 and told when to come back.

mod origin;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::Clock;
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use ipnet::IpNet;
use tokio::time::Instant;

use super::leads::token;
use super::problem::Problem;

pub(crate) use origin::Origin;
pub(super) use origin::Peer;

/// How often somebody may ask. 0 is no limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimits {
    /// Requests a second with one key.
    pub per_key_per_second: u32,
    /// Requests a second without a key from one address: web forms, signing in, curiosity.
    pub per_address_per_second: u32,
    /// Wrong keys a minute from one address; then only keys that were right before are let in from there.
    pub failures_per_minute: u32,
    /// Whose word about the address they forward for is taken, beside this machine's own.
    pub trusted_proxies: Vec<IpNet>,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            // What one process can take: it keeps one supplier's runaway loop from the others, and nobody else.
            per_key_per_second: 10_000,
            per_address_per_second: 50,
            failures_per_minute: 30,
            trusted_proxies: Vec::new(),
        }
    }
}

/// So many seconds' worth may come at once with a key: suppliers send in bursts.
const KEY_BURST_SECONDS: u32 = 4;
/// Likewise without: many people sit behind one address.
const ADDRESS_BURST_SECONDS: u32 = 10;
/// How often buckets that are full again are forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How many keys that were right are remembered.
const KNOWN_MAX: usize = 10_000;

/// The runtime's clock, which tests can stop.
#[derive(Debug, Clone)]
struct Since(Instant);

impl Clock for Since {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.elapsed().into()
    }
}

/// Buckets by key, and how many a second they let through.
struct Buckets<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, DashMapStateStore<K>, Since, StateInformationMiddleware>,
    clock: Since,
}

/// What a bucket says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Said {
    /// How many may come at once.
    limit: u32,
    /// How many still may.
    remaining: u32,
    /// When it is full again; where nothing may come, when the next may.
    reset: Duration,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    fn new(quota: Option<Quota>, clock: &Since) -> Option<Self> {
        let limiter = RateLimiter::new(quota?, DashMapStateStore::default(), clock.clone());
        Some(Self { limiter, clock: clock.clone() })
    }

    fn take(&self, key: &K) -> Result<Said, Said> {
        match self.limiter.check_key(key) {
            Ok(state) => {
                let (limit, remaining) = (state.quota().burst_size().get(), state.remaining_burst_capacity());
                let reset = state.quota().replenish_interval() * limit.saturating_sub(remaining);
                Ok(Said { limit, remaining, reset })
            }
            Err(not_yet) => {
                let limit = not_yet.quota().burst_size().get();
                Err(Said { limit, remaining: 0, reset: not_yet.wait_time_from(self.clock.now()) })
            }
        }
    }

    fn sweep(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }
}

/// The buckets of a server.
pub(super) struct Rates {
    keys: Option<Buckets<u64>>,
    addresses: Option<Buckets<Origin>>,
    failures: Option<Buckets<Origin>>,
    /// Keys that were right, as hashes under a random key of this process.
    known: Mutex<HashSet<u64>>,
    /// Addresses with too many wrong keys, and until when.
    barred: Mutex<HashMap<Origin, Instant>>,
    swept_at: Mutex<Instant>,
    hasher: RandomState,
    trusted_proxies: Vec<IpNet>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn per_second(rate: u32, burst_seconds: u32) -> Option<Quota> {
    let burst = NonZeroU32::new(rate.saturating_mul(burst_seconds))?;
    Some(Quota::per_second(NonZeroU32::new(rate)?).allow_burst(burst))
}

impl Rates {
    pub(super) fn new(limits: &RateLimits) -> Arc<Self> {
        let clock = Since(Instant::now());
        Arc::new(Self {
            keys: Buckets::new(per_second(limits.per_key_per_second, KEY_BURST_SECONDS), &clock),
            addresses: Buckets::new(per_second(limits.per_address_per_second, ADDRESS_BURST_SECONDS), &clock),
            failures: Buckets::new(NonZeroU32::new(limits.failures_per_minute).map(Quota::per_minute), &clock),
            known: Mutex::default(),
            barred: Mutex::default(),
            swept_at: Mutex::new(clock.0),
            hasher: RandomState::new(),
            trusted_proxies: limits.trusted_proxies.clone(),
        })
    }

    /// Takes a request's turn. `None` where nothing limits it.
    fn take(&self, origin: Option<Origin>, key: Option<u64>) -> Option<Result<Said, Said>> {
        self.sweep();
        let Some(key) = key else { return Some(self.addresses.as_ref()?.take(&origin?)) };
        if let Some(until) = origin.and_then(|origin| held(&self.barred).get(&origin).copied())
            && until > Instant::now()
            && !held(&self.known).contains(&key)
        {
            let reset = until - Instant::now();
            return Some(Err(Said { limit: 0, remaining: 0, reset }));
        }
        Some(self.keys.as_ref()?.take(&key))
    }

    /// Remembers whether a key was right.
    fn learn(&self, origin: Option<Origin>, key: u64, was_right: bool) {
        if was_right {
            let mut known = held(&self.known);
            if known.len() >= KNOWN_MAX {
                known.clear();
            }
            known.insert(key);
        } else if let (Some(origin), Some(failures)) = (origin, &self.failures)
            && let Err(said) = failures.take(&origin)
        {
            held(&self.barred).insert(origin, Instant::now() + said.reset);
        }
    }

    /// Forgets who has not come for long: memory is held for those who ask now.
    fn sweep(&self) {
        let now = Instant::now();
        {
            let mut swept_at = held(&self.swept_at);
            if now.duration_since(*swept_at) < SWEEP_EVERY {
                return;
            }
            *swept_at = now;
        }
        for buckets in [&self.addresses, &self.failures].into_iter().flatten() {
            buckets.sweep();
        }
        if let Some(keys) = &self.keys {
            keys.sweep();
        }
        held(&self.barred).retain(|_, until| *until > now);
    }
}

/// Whoever watches the server asks as often as it likes.
fn is_watched(path: &str) -> bool {
    path.starts_with("/health/") || path == "/metrics"
}

/// Tells whoever answers from where a request comes.
pub(super) async fn located(State(trusted): State<Arc<[IpNet]>>, mut request: Request, next: Next) -> Response {
    if let Some(origin) = Origin::of(&request, &trusted) {
        request.extensions_mut().insert(origin);
    }
    next.run(request).await
}

/// Lets a request through, or says when to come back.
pub(super) async fn limited(State(rates): State<Arc<Rates>>, request: Request, next: Next) -> Response {
    if is_watched(request.uri().path()) {
        return next.run(request).await;
    }
    let origin = Origin::of(&request, &rates.trusted_proxies);
    let key = token(request.headers()).map(|token| rates.hasher.hash_one(token));
    let said = rates.take(origin, key);
    let (mut response, said) = match said {
        Some(Err(said)) => (too_often(said), Some(said)),
        Some(Ok(said)) => (next.run(request).await, Some(said)),
        None => (next.run(request).await, None),
    };
    if let Some(key) = key
        && response.status() != StatusCode::TOO_MANY_REQUESTS
    {
        rates.learn(origin, key, response.status() != StatusCode::UNAUTHORIZED);
    }
    if let Some(said) = said {
        announce(response.headers_mut(), said);
    }
    response
}

fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

fn too_often(said: Said) -> Response {
    metrics::counter!("leadyard_http_limited_total").increment(1);
    let seconds = whole_seconds(said.reset).max(1);
    let detail = format!("too many requests at once; come back in {seconds} s");
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", detail)
        .retry_after(Duration::from_secs(seconds))
        .into_response()
}

/// The usual headers: how many at once, how many are left, and in how many seconds there is more.
fn announce(headers: &mut HeaderMap, said: Said) {
    for (name, value) in [
        ("ratelimit-limit", u64::from(said.limit)),
        ("ratelimit-remaining", u64::from(said.remaining)),
        ("ratelimit-reset", whole_seconds(said.reset)),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
    }
}
