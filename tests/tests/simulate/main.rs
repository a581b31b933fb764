//! Simulation: history comes out as it was, whatever happened in it, and a change is priced to the cent (domain page;
//! `decisions` 3 and 6).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

mod changed;
mod turbulence;

use std::time::Duration;

use leadyard_market::MarketSettings;
use leadyard_market::simulation::{Simulation, SimulationRequest};
use leadyard_tests::market::{TestMarket, lead};
use leadyard_tests::{OPERATE, TestApp, TestDatabase, TestOptions, on_both};
use leadyard_types::Timestamp;
use serde_json::Value;

use turbulence::{Dice, Turbulence};

/// An application whose suppliers are not kept waiting for verdicts.
async fn start(database: TestDatabase) -> TestApp {
    let market = MarketSettings { verdict_wait: Duration::ZERO, ..MarketSettings::default() };
    TestApp::start_with(database, TestOptions { market, ..TestOptions::default() }).await
}

/// Sends a lead and answers what its sender was told.
async fn send(app: &TestApp, market: &TestMarket, number: usize) -> Value {
    let (status, answer) = app.client(&market.key).send_json("/v1/leads", &lead(number), None).await.unwrap();
    assert_eq!(status, 200, "{answer}");
    answer
}

async fn simulate(app: &TestApp, request: SimulationRequest) -> Simulation {
    app.app.market.simulate(request, |_| {}).await.unwrap()
}

/// A span of history as it was.
async fn unchanged(app: &TestApp, since: Option<Timestamp>, until: Option<Timestamp>) -> Simulation {
    let found = simulate(app, SimulationRequest { since, until, ..SimulationRequest::default() }).await;
    assert_eq!(found.inputs_differing, 0, "{:?}", found.differences);
    assert_eq!((found.changed_leads, found.repriced_leads), (0, 0), "{:?}", found.changes);
    assert_eq!((found.revenue_delta_minor, found.profit_delta_minor), (Some(0), Some(0)));
    assert!(found.assumed_verdicts.is_empty() && found.unknown_bids.is_empty(), "{found:?}");
    assert!(found.currencies.iter().all(|sums| sums.credits.delta == 0 && sums.clawbacks.delta == 0), "{found:?}");
    found
}

/// Whatever happened – caps full, wallets dry, top-ups and credit lines, edits, refusals, lost answers, late acceptances,
/// queued leads, complaints that give room back, bids, batches, the same person in several campaigns – every decision
/// finds again exactly what it found, the sums are the ledger's, and nothing is written.
#[tokio::test(flavor = "multi_thread")]
async fn history_comes_out_as_it_was() {
    for seed in 1..=3 {
        on_both(async |database| {
            let mut app = start(database).await;
            let middle = Turbulence::prepare(&app).await.live(Dice::new(seed), 90).await;
            app.rest().await;
            // Workers leave their signs of life even when they rest.
            let contents = async || {
                let mut contents = app.store().read(OPERATE).contents().await.unwrap();
                contents.remove("worker");
                contents
            };
            let before = contents().await;
            let all = unchanged(&app, None, None).await;
            let halves = [unchanged(&app, None, Some(middle)).await, unchanged(&app, Some(middle), None).await];
            let after = contents().await;
            let changed: Vec<&String> = before.keys().filter(|table| before.get(*table) != after.get(*table)).collect();
            assert!(changed.is_empty() && before.len() == after.len(), "a simulation wrote to {changed:?}");
            app.work();

            let totals = app.store().read(OPERATE).totals().await.unwrap();
            assert_eq!(i64::try_from(all.leads).unwrap(), totals.received, "seed {seed}");
            assert_eq!(all.sold_leads.before, totals.sold);
            let [sums] = &all.currencies[..] else { panic!("{all:?}") };
            let ledger = async |kind: &str| {
                let sql = format!("SELECT CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT) AS figure FROM ledger_transfer WHERE kind = '{kind}'");
                app.store().read(OPERATE).figure(&sql).await.unwrap()
            };
            assert_eq!(sums.revenue.after, ledger("SALE").await);
            assert_eq!(sums.payout.after, ledger("PAYOUT").await);
            assert_eq!(sums.credits.after, ledger("COMPLAINT_CREDIT").await);
            assert_eq!(sums.clawbacks.after, ledger("CLAWBACK").await);
            let of_halves: i64 = halves.iter().flat_map(|half| &half.currencies).map(|sums| sums.revenue.before).sum();
            assert_eq!(of_halves, sums.revenue.before);
            assert_eq!(halves.iter().map(|half| half.decisions).sum::<u64>(), all.decisions);
            // The test tests something only if all of it happened.
            assert!(totals.sold > 20 && totals.unsold > 3 && sums.credits.before > 0 && all.decisions > all.leads / 2);
            finish(app).await;
        })
        .await;
    }
}

/// Ends a test in which some answers stay lost: their windows end first.
async fn finish(app: TestApp) {
    app.clock.advance(chrono::Duration::days(2));
    app.idle().await;
    app.finish().await;
}

/// A span that is none is refused; one in which nothing happened is empty.
#[tokio::test(flavor = "multi_thread")]
async fn spans_are_checked() {
    let app = start(TestDatabase::sqlite()).await;
    let now = app.clock_now();
    let request = SimulationRequest { since: Some(now), until: Some(now), ..SimulationRequest::default() };
    let refused = app.app.market.simulate(request, |_| {}).await.unwrap_err();
    assert_eq!(refused.to_string(), "until must be after since");
    let nothing = unchanged(&app, None, None).await;
    assert_eq!((nothing.leads, nothing.decisions, nothing.currencies.len()), (0, 0, 0));
    app.finish().await;
}
