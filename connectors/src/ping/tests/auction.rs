//! All buyers at once, the hostile ones among them.

use PingVerdict::{Bid, Failed, Invalid, Late};
use tokio::task::JoinSet;

use super::*;
use crate::Connectors;
use crate::fake::{Bidding, FakeBidder, Offer};
use crate::http::OutboundPolicy;

/// What a busy machine may add; the real figure is printed.
const SLACK: Duration = Duration::from_secs(1);

/// Every kind of hostile bidder, and what has to come of it.
fn hostile(elsewhere: &str) -> Vec<(Bidding, PingVerdict)> {
    let late = |then| Bidding::Slow { after: Duration::from_secs(30), then: Box::new(then) };
    let says = |body: &str| Bidding::Answer { status: 200, headers: Vec::new(), body: body.into() };
    vec![
        (Bidding::Silent, Late),
        (Bidding::Drip, Late),
        (late(Bidding::Bid(Offer::of("99.00"))), Late),
        (late(Bidding::Endless), Late),
        (Bidding::Endless, Invalid),
        (Bidding::GzipBomb, Invalid),
        (Bidding::Deep, Invalid),
        (Bidding::TwoPrices, Invalid),
        (Bidding::WrongCurrency, Invalid),
        (Bidding::NotANumber, Invalid),
        (Bidding::Bid(Offer::of("Infinity")), Invalid),
        (Bidding::Bid(Offer::of("-5.00")), Invalid),
        (Bidding::Bid(Offer::of("99999999")), Invalid),
        (Bidding::Bid(Offer::of("5.001")), Invalid),
        (says("<!DOCTYPE a [<!ENTITY b \"c\">]><a><price>&b;</price></a>"), Invalid),
        (says("\u{1}\u{2}"), Invalid),
        (Bidding::Redirect { to: elsewhere.to_owned() }, Failed),
        (Bidding::Fail { status: 500 }, Failed),
        (Bidding::Fail { status: 503 }, Failed),
        (Bidding::Close, Failed),
    ]
}

/// Thirty good bidders, twenty hostile ones, and a deadline: it holds, and every good bid in time counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_deadline_holds_against_everybody() {
    // A machine that is busy may answer late, but it may not be made to: what is good answers at once or soon.
    let budget = Duration::from_millis(if cfg!(debug_assertions) { 1_500 } else { 300 });
    let (good, bad, elsewhere) =
        (FakeBidder::start().await.unwrap(), FakeBidder::start().await.unwrap(), FakeBidder::start().await.unwrap());
    let policy = OutboundPolicy::new(false).allowing(good.address()).allowing(bad.address());
    let policy = policy.allowing(elsewhere.address()).with_per_host_concurrency(64);
    let connectors = Connectors::new(policy, None).unwrap();
    let mut everybody = Vec::new();
    for n in 0..30_u64 {
        let path = format!("/good/{n}");
        let bid = Bidding::Bid(Offer::of(format!("{}.00", n + 1)));
        let after = Duration::from_millis((n % 10) * 5);
        good.program(&path, Bidding::Slow { after, then: Box::new(bid) });
        everybody.push((good.url(&path), Bid, Some(i64::try_from(n + 1).unwrap() * 100)));
    }
    for (n, (bidding, verdict)) in hostile(&elsewhere.url("/")).into_iter().enumerate() {
        let path = format!("/bad/{n}");
        bad.program(&path, bidding);
        everybody.push((bad.url(&path), verdict, None));
    }
    let started = Instant::now();
    let mut asking = JoinSet::new();
    for (url, verdict, price) in everybody {
        let connectors = connectors.clone();
        asking.spawn(async move {
            let config = json!({ "url": url, "timeout_ms": 10_000 }).to_string();
            (url, verdict, price, connectors.ping(&endpoint(&config), &package(), budget).await)
        });
    }
    let mut slowest_bid = Duration::ZERO;
    for (url, verdict, price, answered) in asking.join_all().await {
        assert_eq!((answered.verdict, answered.price_minor), (verdict, price), "{url}: {answered:?}");
        if verdict == Bid {
            slowest_bid = slowest_bid.max(answered.took);
        }
    }
    let took = started.elapsed();
    println!(
        "50 bidders, 20 hostile: {took:?} of {budget:?} ({:?} over), the last good bid after {slowest_bid:?}",
        took.saturating_sub(budget)
    );
    assert!(took <= budget + SLACK, "{took:?}");
    assert_eq!((good.count(), bad.count(), elsewhere.count()), (30, 20, 0));
}
