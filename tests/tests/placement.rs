//! Placement under load and against refusals: caps, balances and exclusivity hold whatever runs at once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::sync::Arc;

use leadyard_connectors::fake::Behaviour;
use leadyard_entity::reports::{ProfitBy, Totals};
use leadyard_tests::market::{Selling, daily, lead, terms};
use leadyard_tests::{OPERATE, TestApp, TestDatabase};
use leadyard_types::{CostModel, Method, Percent, SaleMode, Verdict};

async fn totals(app: &TestApp) -> Totals {
    app.store().read(OPERATE).totals().await.unwrap()
}

/// Sends so many leads with 64 clients at once; answers how many were sold.
async fn send(app: &TestApp, key: &str, leads: usize) -> usize {
    let client = Arc::new(app.client(key));
    let next = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let (client, next) = (Arc::clone(&client), Arc::clone(&next));
        clients.spawn(async move {
            let mut sold = 0;
            loop {
                let number = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                if number >= leads {
                    return sold;
                }
                let (status, answer) = client.send_json("/v1/leads", &lead(number), None).await.unwrap();
                assert_eq!(status, 200, "{answer}");
                sold += usize::from(answer["status"] == "sold");
            }
        });
    }
    clients.join_all().await.into_iter().sum()
}

/// Whatever a lead's placement looks for is found by an index: nothing is read row by row that grows with the market.
#[tokio::test(flavor = "multi_thread")]
async fn placement_scans_no_table() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("Buyer", 1_000_000, vec![daily(1_000)]).await;
        let contract = leadyard_types::ContractTerms { caps: vec![daily(500)], ..terms(1_000) };
        app.contract(market.campaign_id, buyer, "all", contract).await;
        assert_eq!(send(&app, &market.key, 100).await, 100);
        // The same people again: their answers, fingerprints and sales are looked up.
        assert_eq!(send(&app, &market.key, 100).await, 100);
        assert_eq!(app.store().scans().await.unwrap(), Vec::<String>::new());
        app.finish().await;
    }
}

/// 64 clients at once against tight caps and low balances: no cap and no wallet is overshot, and the books balance
/// (domain page, sections 3 and 4).
#[tokio::test(flavor = "multi_thread")]
async fn caps_and_balances_are_never_overshot() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let capped = app.buyer("Capped", 1_000_000, vec![daily(60)]).await;
        let poor = app.buyer("Poor", 10_050, vec![]).await;
        for (buyer, name, cap) in [(capped, "a", 25), (capped, "b", 50), (poor, "c", 1_000)] {
            let contract = leadyard_types::ContractTerms { caps: vec![daily(cap)], ..terms(1_000) };
            app.contract(market.campaign_id, buyer, name, contract).await;
        }
        let sold = send(&app, &market.key, 400).await;
        // 60 by the buyer's cap, 10 by the poor buyer's balance.
        assert_eq!(sold, 70);
        let totals = totals(&app).await;
        assert_eq!((totals.received, totals.sold, totals.unsold, totals.sales), (400, 70, 330, 70));
        let lines = app.store().read(OPERATE).profit_and_loss("0000", "9999", ProfitBy::Buyer).await.unwrap();
        assert_eq!(lines.iter().map(|line| line.revenue_minor).sum::<i64>(), 70_000);
        assert_eq!(lines.iter().map(|line| line.payout_minor).sum::<i64>(), 35_000);
        app.finish().await;
    }
}

/// The next day's bucket is a new one; an edited cap acts at once and counts what was sold before.
#[tokio::test(flavor = "multi_thread")]
async fn caps_follow_the_day_and_the_edit() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("Buyer", 1_000_000, vec![]).await;
        let capped = |count| leadyard_types::ContractTerms { caps: vec![daily(count)], ..terms(1_000) };
        let contract = app.contract(market.campaign_id, buyer, "a", capped(3)).await;
        let client = app.client(&market.key);
        let mut number = 0;
        let mut sold_of = async |leads: usize| {
            let mut sold = 0;
            for _ in 0..leads {
                number += 1;
                let (_, answer) = client.send_json("/v1/leads", &lead(number), None).await.unwrap();
                sold += usize::from(answer["status"] == "sold");
            }
            sold
        };
        assert_eq!(sold_of(5).await, 3);
        app.setup().revise_contract(contract, 1, capped(5)).await.unwrap();
        assert_eq!(sold_of(5).await, 2);
        app.clock.advance(chrono::Duration::hours(13));
        assert_eq!(sold_of(7).await, 5);
        app.finish().await;
    }
}

/// A change of the configuration acts on leads that wait already, the one whose turn it is and those behind it.
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_acts_on_leads_that_wait() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("Buyer", 1_000_000, vec![]).await;
        app.contract(market.campaign_id, buyer, "a", terms(1_000)).await;
        assert_eq!(send(&app, &market.key, 1).await, 1);
        // Everybody waits for this transaction: the edit, then a lead, then another behind it in the queue.
        let blocking = app.store().write(OPERATE).await.unwrap();
        blocking.touch_configuration().await.unwrap();
        let mut waiting = tokio::task::JoinSet::new();
        let (setup, source_id) = (app.setup(), market.source_id);
        waiting.spawn(async move {
            setup.set_source_status(source_id, 1, leadyard_types::Status::Paused).await.unwrap();
            "paused".to_owned()
        });
        for number in [1, 2] {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            let client = app.client(&market.key);
            waiting.spawn(async move {
                let (_, answer) = client.send_json("/v1/leads", &lead(number), None).await.unwrap();
                answer["check"].as_str().unwrap_or("none").to_owned()
            });
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        blocking.rollback().await.unwrap();
        let mut seen = waiting.join_all().await;
        seen.sort();
        assert_eq!(seen, ["SOURCE", "SOURCE", "paused"]);
        app.finish().await;
    }
}

/// A shared lead goes to at most so many different buyers, each once; a share is paid to the supplier for each.
#[tokio::test(flavor = "multi_thread")]
async fn shared_leads_go_to_different_buyers() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let cost = CostModel::RevenueShare { percent: Percent(50.into()) };
        let selling =
            Selling { sale_mode: SaleMode::Shared { max: 2 }, method: Method::RoundRobin, cost, ..Selling::default() };
        let market = app.market(selling).await;
        for name in ["a", "b", "c"] {
            let buyer = app.buyer(name, 100_000, vec![]).await;
            app.contract(market.campaign_id, buyer, name, terms(1_001)).await;
            app.contract(market.campaign_id, buyer, &format!("{name} again"), terms(900)).await;
        }
        assert_eq!(send(&app, &market.key, 30).await, 30);
        let totals = totals(&app).await;
        assert_eq!(totals.sales, 60);
        app.finish().await;
    }
}

/// A buyer who refuses, or whose answer is lost: the next contract's turn, or an unknown that is not sold again; every
/// hold ends once (`decisions` 13 and 14 of the design).
#[tokio::test(flavor = "multi_thread")]
async fn verdicts_settle_holds_once() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let asks = |priority| leadyard_types::ContractTerms { verdict: Verdict::Sync, priority, ..terms(1_000) };
        for (priority, name, behaviour) in [
            (1, "refuses", Behaviour::Reject { reason: "no".into() }),
            (2, "loses", Behaviour::CloseAfterReading { times: 1 }),
            (3, "takes", Behaviour::Accept),
        ] {
            let buyer = app.buyer(name, 100_000, vec![]).await;
            let destination = app.webhook(buyer, &format!("/{name}")).await;
            app.receiver.program(&format!("/{name}"), behaviour);
            let contract = leadyard_types::ContractTerms { destinations: vec![destination], ..asks(priority) };
            app.contract(market.campaign_id, buyer, name, contract).await;
        }
        let client = app.client(&market.key);
        // The first is refused and then lost: it waits for the window, unsold to anybody else.
        let mut first = tokio::task::JoinSet::new();
        let early = app.client(&market.key);
        first.spawn(async move { early.send_json("/v1/leads", &lead(1), None).await.unwrap().1 });
        while app.receiver.received() < 2 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        app.idle().await;
        assert_eq!(totals(&app).await.sales, 0);
        // The second meets a buyer who answers again.
        let (_, answer) = client.send_json("/v1/leads", &lead(2), None).await.unwrap();
        assert_eq!(answer["status"], "sold", "{answer}");
        app.clock.advance(chrono::Duration::minutes(61));
        app.idle().await;
        let answer = first.join_next().await.unwrap().unwrap();
        assert!(["received", "unsold"].contains(&answer["status"].as_str().unwrap()), "{answer}");
        let totals = totals(&app).await;
        assert_eq!((totals.sold, totals.unsold, totals.sales), (1, 1, 1));
        app.finish().await;
    }
}

/// A queued lead is offered again and finds the buyer who came back; past its window it is unsold.
#[tokio::test(flavor = "multi_thread")]
async fn queued_leads_are_offered_again() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling { retry_minutes: 25, ..Selling::default() }).await;
        let client = app.client(&market.key);
        for number in [1, 2] {
            let (_, answer) = client.send_json("/v1/leads", &lead(number), None).await.unwrap();
            assert_eq!(answer["status"], "queued", "{answer}");
        }
        let buyer = app.buyer("Late", 1_000, vec![]).await;
        app.contract(market.campaign_id, buyer, "late", terms(1_000)).await;
        for _ in 0..4 {
            app.clock.advance(chrono::Duration::minutes(10));
            app.idle().await;
        }
        let totals = totals(&app).await;
        assert_eq!((totals.sold, totals.unsold, totals.queued), (1, 1, 0));
        app.finish().await;
    }
}

/// A failing destination is tried again on the schedule and gets each lead effectively once; a gone one is parked.
#[tokio::test(flavor = "multi_thread")]
async fn deliveries_are_retried_and_arrive_once() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("Buyer", 100_000, vec![]).await;
        let destination = app.webhook(buyer, "/flaky").await;
        app.receiver.program("/flaky", Behaviour::Fail { status: 500, times: 2 });
        let contract = leadyard_types::ContractTerms { destinations: vec![destination], ..terms(1_000) };
        app.contract(market.campaign_id, buyer, "a", contract).await;
        assert_eq!(send(&app, &market.key, 1).await, 1);
        app.idle().await;
        assert_eq!(totals(&app).await.pending, 1);
        for minutes in [1, 10] {
            app.clock.advance(chrono::Duration::minutes(minutes));
            app.idle().await;
        }
        let totals = totals(&app).await;
        assert_eq!((totals.accepted, totals.pending, totals.failed), (1, 0, 0));
        assert_eq!((app.receiver.taken(), app.receiver.forged()), (1, 0));
        app.finish().await;
    }
}

/// A process that has placed nothing since the vertical was made explains and verifies its leads all the same.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_process_explains_what_it_has_not_heard_of() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let (idle, other_idle) = (app.another_process(None).await, app.another_process(None).await);
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("Buyer", 1_000_000, vec![]).await;
        app.contract(market.campaign_id, buyer, "a", terms(1_000)).await;
        let (_, answer) = app.client(&market.key).send_json("/v1/leads", &lead(1), None).await.unwrap();
        let id = answer["lead_id"].as_str().unwrap().parse().unwrap();
        assert!(idle.market.snapshot().verticals.is_empty());
        let explained = idle.market.explain(id).await.unwrap().unwrap();
        assert_eq!(explained.decisions[0].contracts[0].contract, "a");
        assert_eq!(other_idle.market.verify_lead(id).await.unwrap().unwrap().differing, 0);
        app.finish().await;
    }
}
