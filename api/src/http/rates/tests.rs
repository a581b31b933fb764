//! On a clock that stands until a test moves it.

use axum::Router;
use axum::body::Body;
use axum::middleware::from_fn_with_state;
use axum::routing::any;
use tower::ServiceExt as _;

use super::*;

/// A server behind limits; the key `right` is right.
fn server(limits: RateLimits) -> (Router, Arc<Rates>) {
    let rates = Rates::new(&limits);
    let handler = async |headers: HeaderMap| match token(&headers) {
        Some("wrong") => StatusCode::UNAUTHORIZED,
        _ => StatusCode::OK,
    };
    let router = Router::new().fallback(any(handler)).layer(from_fn_with_state(Arc::clone(&rates), limited));
    (router, rates)
}

async fn ask(router: &Router, path: &str, address: &str, key: Option<&str>) -> Response {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = path.parse().unwrap();
    request.extensions_mut().insert(Peer(std::net::SocketAddr::new(address.parse().unwrap(), 1)));
    if let Some(key) = key {
        request.headers_mut().insert("authorization", format!("bearer {key}").parse().unwrap());
    }
    router.clone().oneshot(request).await.unwrap()
}

fn number(response: &Response, name: &str) -> Option<u64> {
    response.headers().get(name)?.to_str().ok()?.parse().ok()
}

fn few() -> RateLimits {
    RateLimits { per_key_per_second: 2, per_address_per_second: 1, failures_per_minute: 3, trusted_proxies: Vec::new() }
}

/// Each key has a bucket of its own; the answer says how much is left, and when there is more there is more.
#[tokio::test(start_paused = true)]
async fn keys_have_their_own_buckets() {
    let (router, _) = server(few());
    for left in (0..8).rev() {
        let answer = ask(&router, "/v1/leads", "203.0.113.7", Some("a")).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(number(&answer, "ratelimit-limit"), Some(8));
        assert_eq!(number(&answer, "ratelimit-remaining"), Some(left));
    }
    let refused = ask(&router, "/v1/leads", "203.0.113.7", Some("a")).await;
    assert_eq!(refused.status(), 429);
    assert_eq!((number(&refused, "retry-after"), number(&refused, "ratelimit-remaining")), (Some(1), Some(0)));
    assert_eq!(number(&refused, "ratelimit-reset"), Some(1));
    assert_eq!(ask(&router, "/v1/leads", "203.0.113.7", Some("b")).await.status(), 200, "another key");
    tokio::time::advance(Duration::from_secs(1)).await;
    for wanted in [200, 200, 429] {
        assert_eq!(ask(&router, "/v1/leads", "203.0.113.7", Some("a")).await.status(), wanted);
    }
}

/// Without a key the address counts; this machine's own requests and those who watch do not.
#[tokio::test(start_paused = true)]
async fn addresses_count_without_a_key() {
    let (router, _) = server(few());
    for _ in 0..10 {
        assert_eq!(ask(&router, "/f/x", "203.0.113.7", None).await.status(), 200);
    }
    assert_eq!(ask(&router, "/f/x", "203.0.113.7", None).await.status(), 429);
    assert_eq!(ask(&router, "/f/x", "203.0.113.8", None).await.status(), 200, "another address");
    assert_eq!(ask(&router, "/v1/leads", "203.0.113.7", Some("a")).await.status(), 200, "a key of its own");
    for (path, address) in [("/health/live", "203.0.113.7"), ("/metrics", "203.0.113.7"), ("/f/x", "127.0.0.1")] {
        for _ in 0..50 {
            let answer = ask(&router, path, address, None).await;
            assert_eq!((answer.status().as_u16(), number(&answer, "ratelimit-limit")), (200, None), "{path}");
        }
    }
}

/// After a few wrong keys an address gets no further, but with keys that were right before.
#[tokio::test(start_paused = true)]
async fn wrong_keys_are_few() {
    let (router, _) = server(few());
    assert_eq!(ask(&router, "/", "203.0.113.7", Some("right")).await.status(), 200);
    for _ in 0..4 {
        assert_eq!(ask(&router, "/", "203.0.113.7", Some("wrong")).await.status(), 401);
    }
    let refused = ask(&router, "/", "203.0.113.7", Some("wrong")).await;
    assert_eq!((refused.status().as_u16(), number(&refused, "retry-after")), (429, Some(20)));
    assert_eq!(ask(&router, "/", "203.0.113.7", Some("new")).await.status(), 429, "nobody knows it yet");
    assert_eq!(ask(&router, "/", "203.0.113.7", Some("right")).await.status(), 200);
    assert_eq!(ask(&router, "/", "203.0.113.8", Some("wrong")).await.status(), 401, "another address");
    tokio::time::advance(Duration::from_secs(21)).await;
    assert_eq!(ask(&router, "/", "203.0.113.7", Some("new")).await.status(), 200);
}

/// Whoever does not come back is forgotten; 0 is no limit.
#[tokio::test(start_paused = true)]
async fn memory_is_for_those_who_ask_now() {
    let (router, rates) = server(few());
    for last in 0..200 {
        ask(&router, "/", &format!("203.0.113.{last}"), None).await;
    }
    let held = |rates: &Rates| rates.addresses.as_ref().unwrap().limiter.len();
    assert_eq!(held(&rates), 200);
    tokio::time::advance(SWEEP_EVERY).await;
    ask(&router, "/", "203.0.113.250", None).await;
    assert_eq!(held(&rates), 1);
    let none = RateLimits { per_key_per_second: 0, per_address_per_second: 0, failures_per_minute: 0, ..few() };
    let (router, _) = server(none);
    for key in [None, Some("a"), Some("wrong")] {
        for _ in 0..100 {
            assert_ne!(ask(&router, "/", "203.0.113.7", key).await.status(), 429);
        }
    }
}
