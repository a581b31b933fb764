//! Test mode: a supplier and a buyer try the way through without anything being billed, capped, counted or delivered to
//! where leads go.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use leadyard_connectors::fake::{Behaviour, Bidding, Offer};
use leadyard_market::complaints::{ComplaintError, NewComplaint};
use leadyard_market::explain::Explanation;
use leadyard_market::setup::{NewContract, SetupError};
use leadyard_tests::market::{Selling, TestMarket, daily, lead, terms};
use leadyard_tests::{OPERATE, TestApp, TestDatabase};
use leadyard_types::{
    AuctionTerms, ComplaintReason, ContractTerms, LeadId, LeadState, Margin, Method, SaleMode, SourceTerms, Verdict,
};
use serde_json::{Value, json};

/// The market's source sends tests from now on.
async fn trying(app: &TestApp, market: &TestMarket) {
    app.app.market.refresh().await.unwrap();
    let terms: SourceTerms = app.app.market.snapshot().sources[&market.source_id].terms.clone();
    app.setup().revise_source(market.source_id, 1, SourceTerms { test: true, ..terms }).await.unwrap();
}

async fn send(app: &TestApp, market: &TestMarket, path: &str, number: usize, postal_code: &str, ping: Value) -> Value {
    let mut body = lead(number);
    body["postal_code"] = json!(postal_code);
    if !ping.is_null() {
        body["ping_id"] = ping;
    }
    app.client(&market.key).send_json(path, &body, None).await.unwrap().1
}

/// The postal code says what a test is answered, whatever the market looks like; real mistakes are still named.
#[tokio::test(flavor = "multi_thread")]
async fn the_postal_code_says_the_answer() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let margin = Some(Margin::Amount { amount_minor: 50 });
        let market = app.market(Selling { margin, ..Selling::default() }).await;
        trying(&app, &market).await;
        for (code, status, check) in [
            ("10115", "sold", Value::Null),
            ("10111", "rejected", json!("DUPLICATE")),
            ("10112", "rejected", json!("SUPPRESSION")),
            ("10113", "rejected", json!("CONSENT")),
            ("10114", "unsold", json!("NO_BUYER")),
            ("10116", "sold", Value::Null),
        ] {
            let answer = send(&app, &market, "/v1/leads", 1, code, Value::Null).await;
            assert_eq!((&answer["status"], &answer["check"]), (&json!(status), &check), "{code}: {answer}");
            assert_eq!(answer["test"], true);
            let ping = send(&app, &market, "/v1/pings", 1, code, Value::Null).await;
            assert_eq!(ping["status"], if code == "10114" { "refused" } else { "offered" }, "{ping}");
            if ping["status"] == "offered" {
                let post = send(&app, &market, "/v1/posts", 1, code, ping["ping_id"].clone()).await;
                let lapses = code == "10116";
                assert_eq!(post["status"], if lapses { "unsold" } else { status }, "{code}: {post}");
                if post["status"] == "sold" {
                    assert_eq!(post["price"], ping["price"], "what was promised is answered");
                }
            }
        }
        let mut wrong = lead(1);
        wrong["email"] = json!("nobody");
        let (_, answer) = app.client(&market.key).send_json("/v1/leads", &wrong, None).await.unwrap();
        assert_eq!((&answer["check"], &answer["problems"][0]["field"]), (&json!("FIELDS"), &json!("email")));
        app.finish().await;
    }
}

/// A test goes to contracts in test mode and no other, moves no money, fills no cap, makes nobody a duplicate and is in
/// no figure; the doctor finds nothing wrong and every decision comes out the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_test_leaves_no_mark_on_the_market() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let live = app.buyer("Live", 100_000, vec![daily(1)]).await;
        let destinations = vec![app.webhook(live, "/live").await];
        app.contract(market.campaign_id, live, "live", ContractTerms { destinations, ..terms(1_000) }).await;
        let trying_buyer = app.buyer("Trying", 0, vec![daily(1)]).await;
        let verdicts = [("none", Verdict::None), ("sync", Verdict::Sync)];
        for (name, verdict) in verdicts {
            let destinations = vec![app.webhook(trying_buyer, &format!("/{name}")).await];
            let agreed = ContractTerms { destinations, verdict, test: true, caps: vec![daily(0)], ..terms(2_000) };
            app.contract(market.campaign_id, trying_buyer, name, agreed).await;
        }
        let before = app.store().read(OPERATE).totals().await.unwrap();
        trying(&app, &market).await;
        let mut leads = Vec::new();
        for number in 0..4 {
            // The same person again and again: a test makes nobody a duplicate.
            let answer = send(&app, &market, "/v1/leads", 1, &format!("1011{}", number % 2 * 5), Value::Null).await;
            app.clock.advance(chrono::Duration::minutes(2));
            assert_eq!(answer["status"], "sold", "{answer}");
            leads.push(answer["lead_id"].as_str().unwrap().parse::<LeadId>().unwrap());
        }
        app.idle().await;
        assert_eq!(app.receiver.received(), 4, "one delivery per test");
        for body in app.receiver.bodies() {
            let event: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!((&event["data"]["test"], &event["data"]["price"]["amount_minor"]), (&json!(true), &json!(0)));
            assert_ne!(event["data"]["contract"]["name"], "live");
        }
        let after = app.store().read(OPERATE).totals().await.unwrap();
        assert_eq!(format!("{before:?}"), format!("{after:?}"), "no figure has moved");
        let explained = app.app.market.explain(leads[0]).await.unwrap().unwrap();
        assert!(explained.test);
        let decision = explained.decisions.last().unwrap();
        let refused = decision.contracts.iter().find(|entry| entry.contract == "live").unwrap();
        assert_eq!(refused.verdict.refusal.as_ref().unwrap().check.as_str(), "TEST_MODE");
        let verified = app.app.market.verify_all(|_| {}).await.unwrap();
        assert_eq!(verified.differing, 0, "{verified:?}");
        // `finish` runs the doctor. A real lead of the same person is sold to the live contract, and to no test.
        let terms: SourceTerms = app.app.market.snapshot().sources[&market.source_id].terms.clone();
        app.setup().revise_source(market.source_id, 2, SourceTerms { test: false, ..terms }).await.unwrap();
        let real = send(&app, &market, "/v1/leads", 1, "10117", Value::Null).await;
        app.idle().await;
        assert_eq!((&real["status"], &real["test"]), (&json!("sold"), &Value::Null), "{real}");
        let event: Value = serde_json::from_slice(app.receiver.bodies().last().unwrap()).unwrap();
        assert_eq!((&event["data"]["contract"]["name"], &event["data"]["test"]), (&json!("live"), &json!(false)));
        app.finish().await;
    }
}

/// A destination serves tests or leads, never both.
#[tokio::test(flavor = "multi_thread")]
async fn a_destination_serves_one_of_both() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("Buyer", 100_000, vec![]).await;
        let at = app.webhook(buyer, "/crm").await;
        let agreed = |test| ContractTerms { destinations: vec![at], test, ..terms(1_000) };
        let contract = app.contract(market.campaign_id, buyer, "tries", agreed(true)).await;
        let new = |test| NewContract {
            campaign_id: market.campaign_id,
            buyer_id: buyer,
            name: "other".into(),
            terms: agreed(test),
        };
        let refused = app.setup().create_contract(new(false)).await.unwrap_err();
        let SetupError::Problems(problems) = refused else { panic!("{refused:?}") };
        assert_eq!((problems[0].field.as_str(), problems[0].code.as_str()), ("destinations.0", "TEST_MODE"));
        // Going live takes the destination along; from then on no test may name it.
        app.setup().revise_contract(contract, 1, agreed(false)).await.unwrap();
        assert!(app.setup().create_contract(new(true)).await.is_err());
        app.setup().create_contract(new(false)).await.unwrap();
        app.finish().await;
    }
}

async fn tested(app: &TestApp, market: &TestMarket, number: usize, postal_code: &str) -> (LeadId, Value) {
    let answer = send(app, market, "/v1/leads", number, postal_code, Value::Null).await;
    (answer["lead_id"].as_str().unwrap().parse().unwrap(), answer["status"].clone())
}

async fn explained(app: &TestApp, lead: LeadId) -> Explanation {
    app.app.market.explain(lead).await.unwrap().unwrap()
}

/// A test whose postal code asks for an answer without a sale asks no buyer for a bid; any other asks those in test mode.
#[tokio::test(flavor = "multi_thread")]
async fn a_test_that_nobody_buys_asks_nobody() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let auction = Some(AuctionTerms { deadline_ms: 2_000, ..AuctionTerms::default() });
        let selling =
            Selling { sale_mode: SaleMode::Exclusive, method: Method::Auction, auction, ..Selling::default() };
        let market = app.market(selling).await;
        let buyer = app.buyer("Buyer", 0, vec![]).await;
        let ping = Some(app.asked_at(buyer, "/bids", Bidding::Bid(Offer::of("50"))).await);
        app.contract(market.campaign_id, buyer, "tries", ContractTerms { ping, test: true, ..terms(1) }).await;
        trying(&app, &market).await;
        assert_eq!(tested(&app, &market, 1, "10115").await.1, "sold");
        assert_eq!(app.bidder.asked().len(), 1);
        assert_eq!(tested(&app, &market, 2, "10114").await.1, "unsold");
        assert_eq!(app.bidder.asked().len(), 1, "its answer was known before");
        app.finish().await;
    }
}

/// Whoever complains about a test is told that it is one.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_complains_about_a_test() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("Buyer", 0, vec![]).await;
        app.contract(market.campaign_id, buyer, "tries", ContractTerms { test: true, ..terms(1_000) }).await;
        trying(&app, &market).await;
        let (lead, _) = tested(&app, &market, 1, "10115").await;
        let found = explained(&app, lead).await;
        let sold = found.steps.iter().find(|step| step.kind == "SOLD").unwrap();
        let sale_id = sold.detail["sale_id"].as_str().unwrap().parse().unwrap();
        let new = NewComplaint { sale_id, reason: ComplaintReason::Duplicate, evidence: None };
        let refused = app.app.market.open_complaint(OPERATE, new).await.unwrap_err();
        let ComplaintError::Problems(problems) = refused else { panic!("{refused:?}") };
        let named: Vec<_> = problems.iter().map(|problem| (problem.field.as_str(), problem.code.as_str())).collect();
        assert_eq!(named, [("sale_id", "TEST_MODE")], "{problems:?}");
        app.finish().await;
    }
}

/// A test stays what it was answered when it is offered again: it waits for nobody, and nobody gets it whom its postal
/// code keeps from it.
#[tokio::test(flavor = "multi_thread")]
async fn a_test_that_is_offered_again_does_not_wait() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling { retry_minutes: 600, ..Selling::default() }).await;
        trying(&app, &market).await;
        let (sold, _) = tested(&app, &market, 1, "10115").await;
        let (unsold, _) = tested(&app, &market, 2, "10114").await;
        let states = [(sold, LeadState::Sold), (unsold, LeadState::Unsold)];
        for (lead, state) in states {
            app.app.market.place_again(lead).await.unwrap();
            assert_eq!(explained(&app, lead).await.state, state);
        }
        let buyer = app.buyer("Buyer", 0, vec![]).await;
        let destinations = vec![app.webhook(buyer, "/tries").await];
        app.receiver.program("/tries", Behaviour::Reject { reason: "no".into() });
        let agreed = ContractTerms { destinations, verdict: Verdict::Sync, test: true, ..terms(1_000) };
        app.contract(market.campaign_id, buyer, "tries", agreed).await;
        for (lead, state) in states {
            app.app.market.place_again(lead).await.unwrap();
            app.idle().await;
            assert_eq!(explained(&app, lead).await.state, state, "refused, or kept from the buyer");
        }
        assert_eq!(app.receiver.received(), 1, "only the one that may be sold is delivered");
        let verified = app.app.market.verify_all(|_| {}).await.unwrap();
        assert_eq!(verified.differing, 0, "{verified:?}");
        app.finish().await;
    }
}
