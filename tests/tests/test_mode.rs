//! Test mode: a supplier and a buyer try the way through without anything being billed, capped, counted or delivered to
//! where leads go.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use leadyard_market::setup::{NewContract, SetupError};
use leadyard_tests::market::{Selling, TestMarket, daily, lead, terms};
use leadyard_tests::{OPERATE, TestApp, TestDatabase};
use leadyard_types::{ContractTerms, LeadId, Margin, SourceTerms, Verdict};
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
