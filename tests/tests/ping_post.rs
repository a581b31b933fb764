//! Ping-post as suppliers meet it: a price is promised for a lead without the person, and kept when the lead is sent.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::sync::Arc;

use leadyard_connectors::fake::{Behaviour, Bidding, Offer};
use leadyard_entity::model::{ping, quote};
use leadyard_tests::market::{Selling, TestMarket, lead, terms};
use leadyard_tests::{OPERATE, TestApp, TestDatabase};
use leadyard_types::{
    AuctionTerms, Check, ContractTerms, CostModel, FieldValue, Filter, Margin, Method, Percent, PingLimits, SaleMode,
    SourceTerms, Verdict,
};
use serde_json::{Value, json};

const MARGIN: Option<Margin> = Some(Margin::Amount { amount_minor: 900 });

async fn ping(app: &TestApp, market: &TestMarket, body: &Value) -> (u16, Value) {
    app.client(&market.key).send_json("/v1/pings", body, None).await.unwrap()
}

/// The lead of a number, for a ping.
fn posted(number: usize, ping: &Value) -> Value {
    let mut body = lead(number);
    body["ping_id"] = ping["ping_id"].clone();
    body
}

async fn post(app: &TestApp, market: &TestMarket, body: &Value) -> (u16, Value) {
    app.client(&market.key).send_json("/v1/posts", body, None).await.unwrap()
}

/// What a ping may know.
fn known() -> Value {
    json!({ "postal_code": "10115", "size": 120 })
}

async fn every_decision_is_the_same_again(app: &TestApp) {
    let verified = app.app.market.verify_all(|_| {}).await.unwrap();
    assert_eq!(verified.differing, 0, "{verified:?}");
    assert!(verified.checked > 0);
}

/// A price is promised, the lead is sold by it, and the supplier earns exactly it. The same post gets the first answer,
/// another lead for the same ping does not.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_promised_is_paid() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling { margin: MARGIN, ..Selling::default() }).await;
        let buyer = app.buyer("Buyer", 100_000, vec![]).await;
        app.contract(market.campaign_id, buyer, "a", terms(4_500)).await;
        let (status, offered) = ping(&app, &market, &known()).await;
        assert_eq!((status, &offered["status"]), (200, &json!("offered")), "{offered}");
        assert_eq!(offered["price"], json!({ "amount_minor": 3_600, "currency": "EUR" }));
        assert_eq!(offered["legs"].as_array().unwrap().len(), 1);
        let (status, sold) = post(&app, &market, &posted(1, &offered)).await;
        assert_eq!((status, &sold["status"], &sold["price"]), (200, &json!("sold"), &offered["price"]), "{sold}");
        assert_eq!(sold["ping_id"], offered["ping_id"]);
        let (_, again) = post(&app, &market, &posted(1, &offered)).await;
        assert_eq!((&again["lead_id"], &again["repeated"]), (&sold["lead_id"], &json!(true)));
        app.clock.advance(chrono::Duration::hours(1));
        let (_, late) = post(&app, &market, &posted(1, &offered)).await;
        assert_eq!((&late["lead_id"], &late["repeated"]), (&sold["lead_id"], &json!(true)), "however late");
        let (status, other) = post(&app, &market, &posted(2, &offered)).await;
        assert_eq!((status, &other["code"]), (409, &json!("PING_USED")));
        every_decision_is_the_same_again(&app).await;
        let explained = app.app.market.explain(sold["lead_id"].as_str().unwrap().parse().unwrap()).await.unwrap();
        assert_eq!(explained.unwrap().decisions.len(), 1);
        app.finish().await;
    }
}

/// What tells who the person is serves to ask buyers in hashes, and is nowhere afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn a_ping_stores_nobody() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let selling = Selling { method: Method::Auction, auction: Some(AuctionTerms::default()), ..Selling::default() };
        let market = app.market(Selling { margin: MARGIN, ..selling }).await;
        let buyer = app.buyer("Buyer", 100_000, vec![]).await;
        let asked = Some(app.asked_at(buyer, "/ask", Bidding::Bid(Offer::of("60"))).await);
        app.contract(market.campaign_id, buyer, "a", ContractTerms { ping: asked, ..terms(1) }).await;
        let mut body = lead(77);
        body["consent"] = json!({ "text": "person77 agrees", "ip": "192.0.2.77" });
        let (_, offered) = ping(&app, &market, &body).await;
        assert_eq!(offered["price"]["amount_minor"], 5_100, "{offered}");
        let read = app.store().read(OPERATE);
        let id: leadyard_types::QuoteId = offered["ping_id"].as_str().unwrap().parse().unwrap();
        let quote: quote::Model = read.quote(id).await.unwrap().unwrap();
        let pings: Vec<ping::Model> = read.pings_of_quote(id).await.unwrap();
        assert_eq!(pings.len(), 1);
        for text in [format!("{quote:?}"), format!("{pings:?}")] {
            for personal in ["person77", "2000077", "192.0.2.77"] {
                assert!(!text.contains(personal), "{personal} in {text}");
            }
        }
        for asked in app.bidder.asked() {
            assert!(!String::from_utf8_lossy(&asked.body).contains("person77"));
        }
        app.finish().await;
    }
}

/// The bids of the ping serve the post: nobody is asked twice. A winner that refuses makes room for the next bid that
/// keeps the promise; one that does not keep it is no better than none.
#[tokio::test(flavor = "multi_thread")]
async fn the_post_needs_no_second_auction() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let selling = Selling { method: Method::Auction, auction: Some(AuctionTerms::default()), ..Selling::default() };
        let market = app.market(Selling { margin: MARGIN, retry_minutes: 60, ..selling }).await;
        let reject = || Behaviour::Reject { reason: "no".into() };
        for (name, price, behaviour) in
            [("first", "50.00", reject()), ("same", "50.00", Behaviour::Accept), ("less", "49.99", Behaviour::Accept)]
        {
            let buyer = app.buyer(name, 1_000_000, vec![]).await;
            let ping = Some(app.asked_at(buyer, &format!("/ask/{name}"), Bidding::Bid(Offer::of(price))).await);
            let destinations = vec![app.webhook(buyer, &format!("/{name}")).await];
            app.receiver.program(&format!("/{name}"), behaviour);
            let agreed = ContractTerms { ping, destinations, verdict: Verdict::Sync, ..terms(1) };
            app.contract(market.campaign_id, buyer, name, agreed).await;
        }
        let (_, offered) = ping(&app, &market, &known()).await;
        assert_eq!((&offered["price"]["amount_minor"], app.bidder.count()), (&json!(4_100), 3));
        let (_, sold) = post(&app, &market, &posted(1, &offered)).await;
        app.idle().await;
        assert_eq!((&sold["status"], &sold["price"]["amount_minor"]), (&json!("sold"), &json!(4_100)), "{sold}");
        assert_eq!(app.bidder.count(), 3, "nobody was asked again");
        app.receiver.program("/same", reject());
        let (_, offered) = ping(&app, &market, &known()).await;
        let (_, lapsed) = post(&app, &market, &posted(2, &offered)).await;
        app.idle().await;
        let id = lapsed["lead_id"].as_str().unwrap().parse().unwrap();
        let told = app.app.market.explain(id).await.unwrap().unwrap();
        assert_eq!(told.steps.last().unwrap().detail["check"], "PROMISE_LAPSED", "{lapsed}");
        let decision = told.decisions.last().unwrap();
        let less = decision.contracts.iter().find(|entry| entry.contract == "less").unwrap();
        assert_eq!(less.verdict.refusal.as_ref().unwrap().check, Check::Floor);
        every_decision_is_the_same_again(&app).await;
        app.finish().await;
    }
}

/// A promise that has ended, was never made, is another's, or was priced otherwise is told apart, and nothing is stored.
#[tokio::test(flavor = "multi_thread")]
async fn posts_without_a_promise_are_told_why() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling { margin: MARGIN, ..Selling::default() }).await;
        let other = app.campaign_beside(&market, "Other", Selling::default()).await;
        let buyer = app.buyer("Buyer", 100_000, vec![]).await;
        let berlin = Filter::Equals { field: "postal_code".into(), value: FieldValue::text("10115") };
        app.contract(market.campaign_id, buyer, "a", ContractTerms { filter: Some(berlin), ..terms(4_500) }).await;
        let (_, refused) = ping(&app, &market, &json!({ "postal_code": "80331" })).await;
        assert_eq!((&refused["status"], &refused["check"]), (&json!("refused"), &json!("NO_BUYER")), "{refused}");
        let (_, wrong) = ping(&app, &market, &json!({ "postal_code": "1", "size": "big", "colour": "red" })).await;
        assert_eq!((&wrong["check"], wrong["problems"].as_array().unwrap().len()), (&json!("FIELDS"), 3), "{wrong}");
        let (_, offered) = ping(&app, &market, &known()).await;
        let refusal = async |body: Value| {
            let (status, problem) = post(&app, &market, &body).await;
            (status, problem["code"].as_str().unwrap_or_default().to_owned(), problem["problems"].clone())
        };
        let with = |id: Value| {
            let mut body = lead(1);
            body["ping_id"] = id;
            body
        };
        let (status, code, problems) = refusal(lead(1)).await;
        assert_eq!((status, code.as_str(), &problems[0]["field"]), (400, "PING_ID_EXPECTED", &json!("ping_id")));
        assert_eq!(refusal(with(json!("yes"))).await.1, "PING_ID_EXPECTED");
        assert_eq!(refusal(with(json!("00000000-0000-4000-8000-000000000000"))).await.1, "PING_UNKNOWN");
        assert_eq!(refusal(with(refused["ping_id"].clone())).await.1, "PING_REFUSED");
        let (_, foreign) = post(&app, &other, &with(offered["ping_id"].clone())).await;
        assert_eq!(foreign["code"], "PING_UNKNOWN", "another source's ping is no ping");
        let mut changed = posted(1, &offered);
        changed["size"] = json!(121);
        changed["postal_code"] = json!("20095");
        let (status, code, problems) = refusal(changed).await;
        assert_eq!((status, code.as_str()), (422, "PING_CHANGED"));
        let named: Vec<&str> =
            problems.as_array().unwrap().iter().filter_map(|problem| problem["field"].as_str()).collect();
        assert_eq!(named, ["postal_code", "size"]);
        // Left out, what was priced is taken from the ping; written otherwise, it is the same.
        let mut same = posted(1, &offered);
        same.as_object_mut().unwrap().remove("postal_code");
        same["size"] = json!(" 120 ");
        let (_, sold) = post(&app, &market, &same).await;
        assert_eq!(sold["status"], "sold", "{sold}");
        let (_, offered) = ping(&app, &market, &known()).await;
        app.clock.advance(chrono::Duration::seconds(301));
        let (status, code, _) = refusal(posted(2, &offered)).await;
        assert_eq!((status, code.as_str()), (410, "PING_EXPIRED"));
        app.finish().await;
    }
}

/// Consent, suppression and duplicates are checked when the lead is sent, and a lead they reject was posted all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_post_goes_through_every_check() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling { margin: MARGIN, ..Selling::default() }).await;
        let buyer = app.buyer("Buyer", 100_000, vec![]).await;
        app.contract(market.campaign_id, buyer, "a", terms(4_500)).await;
        let (_, first) = ping(&app, &market, &lead(5)).await;
        let (_, second) = ping(&app, &market, &lead(5)).await;
        assert_ne!(first["ping_id"], second["ping_id"], "every ping is a new one");
        assert_eq!(post(&app, &market, &posted(5, &first)).await.1["status"], "sold");
        let (_, twice) = post(&app, &market, &posted(5, &second)).await;
        assert_eq!((&twice["status"], &twice["check"]), (&json!("rejected"), &json!("DUPLICATE")), "{twice}");
        app.finish().await;
    }
}

/// Pings have limits of their own, exact however many come at once, and leads do not feel them.
#[tokio::test(flavor = "multi_thread")]
async fn ping_limits_are_exact() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling { margin: MARGIN, ..Selling::default() }).await;
        let buyer = app.buyer("Buyer", 1_000_000, vec![]).await;
        app.contract(market.campaign_id, buyer, "a", terms(4_500)).await;
        app.app.market.refresh().await.unwrap();
        let terms: SourceTerms = app.app.market.snapshot().sources[&market.source_id].terms.clone();
        let limited = SourceTerms { ping_limits: PingLimits { per_minute: Some(10), per_day: Some(15) }, ..terms };
        app.setup().revise_source(market.source_id, 1, limited).await.unwrap();
        let client = Arc::new(app.client(&market.key));
        let burst = async || {
            let mut pings = tokio::task::JoinSet::new();
            for _ in 0..30 {
                let client = Arc::clone(&client);
                pings.spawn(async move { client.send_json("/v1/pings", &known(), None).await.unwrap() });
            }
            let answers = pings.join_all().await;
            let full: Vec<&Value> = answers.iter().filter(|(status, _)| *status == 429).map(|(_, body)| body).collect();
            assert!(full.iter().all(|problem| problem["code"] == "PING_LIMIT"), "{full:?}");
            answers.iter().filter(|(status, body)| *status == 200 && body["status"] == "offered").count()
        };
        assert_eq!(burst().await, 10, "ten in this minute");
        app.clock.advance(chrono::Duration::seconds(60));
        assert_eq!(burst().await, 5, "and fifteen in this day");
        let (_, sold) = client.send_json("/v1/leads", &lead(1), None).await.unwrap();
        assert_eq!(sold["status"], "sold");
        let answer =
            client.post("/v1/pings", "application/json", Vec::new(), known().to_string().into_bytes()).await.unwrap();
        let after = answer.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after"));
        assert!(after.unwrap().1.parse::<u64>().unwrap() > 3_600, "{after:?}");
        app.finish().await;
    }
}

/// Forty posts of one ping at once are one lead.
#[tokio::test(flavor = "multi_thread")]
async fn a_ping_is_posted_once() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling { margin: MARGIN, ..Selling::default() }).await;
        let buyer = app.buyer("Buyer", 1_000_000, vec![]).await;
        app.contract(market.campaign_id, buyer, "a", terms(4_500)).await;
        let (_, offered) = ping(&app, &market, &known()).await;
        let client = Arc::new(app.client(&market.key));
        let mut posts = tokio::task::JoinSet::new();
        for number in 0..40 {
            let (client, body) = (Arc::clone(&client), posted(number % 2, &offered));
            posts.spawn(async move { client.send_json("/v1/posts", &body, None).await.unwrap() });
        }
        let answers = posts.join_all().await;
        let leads: std::collections::BTreeSet<String> =
            answers.iter().filter(|(status, _)| *status == 200).map(|(_, body)| body["lead_id"].to_string()).collect();
        assert_eq!(leads.len(), 1, "{answers:?}");
        assert!(answers.iter().all(|(status, body)| *status == 200 || body["code"] == "PING_USED"), "{answers:?}");
        app.finish().await;
    }
}

/// A shared lead is promised in legs, and its post keeps their sum; an own cost model and the source's least price are
/// kept too.
#[tokio::test(flavor = "multi_thread")]
async fn legs_and_cost_models() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let percent = Margin::Percent { percent: Percent(20.into()) };
        let shared = Selling { sale_mode: SaleMode::Shared { max: 2 }, margin: Some(percent), ..Selling::default() };
        let market = app.market(shared).await;
        for (name, price) in [("a", 3_000), ("b", 2_000)] {
            let buyer = app.buyer(name, 1_000_000, vec![]).await;
            app.contract(market.campaign_id, buyer, name, terms(price)).await;
        }
        let (_, offered) = ping(&app, &market, &known()).await;
        let legs: Vec<i64> =
            offered["legs"].as_array().unwrap().iter().map(|leg| leg["amount_minor"].as_i64().unwrap()).collect();
        assert_eq!((legs, &offered["price"]["amount_minor"]), (vec![2_400, 1_600], &json!(4_000)));
        let (_, sold) = post(&app, &market, &posted(1, &offered)).await;
        assert_eq!((&sold["status"], &sold["price"]["amount_minor"]), (&json!("sold"), &json!(4_000)));

        let cost = CostModel::PerSoldLead { amount_minor: 700 };
        let fixed = app.campaign_beside(&market, "Fixed", Selling { cost, ..Selling::default() }).await;
        let buyer = app.buyer("c", 1_000_000, vec![]).await;
        app.contract(fixed.campaign_id, buyer, "c", terms(1_000)).await;
        let (_, offered) = ping(&app, &fixed, &known()).await;
        assert_eq!(offered["price"]["amount_minor"], 700, "{offered}");
        assert_eq!(post(&app, &fixed, &posted(2, &offered)).await.1["price"]["amount_minor"], 700);
        app.app.market.refresh().await.unwrap();
        let terms: SourceTerms = app.app.market.snapshot().sources[&fixed.source_id].terms.clone();
        let proud = SourceTerms { least_payout_minor: Some(701), ..terms };
        app.setup().revise_source(fixed.source_id, 1, proud).await.unwrap();
        let (_, refused) = ping(&app, &fixed, &known()).await;
        assert_eq!((&refused["status"], &refused["check"]), (&json!("refused"), &json!("FLOOR")));
        app.finish().await;
    }
}

/// Quotes of long ago that became no lead are forgotten with their bids and counters; what became a lead stays with it, and
/// so does what ended lately.
#[tokio::test(flavor = "multi_thread")]
async fn unused_quotes_are_forgotten() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let auction = Some(AuctionTerms { deadline_ms: 2_000, ..AuctionTerms::default() });
        let market = app.market(Selling { method: Method::Auction, auction, ..Selling::default() }).await;
        let buyer = app.buyer("Buyer", 1_000_000, vec![]).await;
        let asked = Some(app.asked_at(buyer, "/bids", Bidding::Bid(Offer::of("50"))).await);
        app.contract(market.campaign_id, buyer, "bids", ContractTerms { ping: asked, ..terms(1) }).await;
        let (_, used) = ping(&app, &market, &known()).await;
        let (_, unused) = ping(&app, &market, &known()).await;
        let (_, refused) = ping(&app, &market, &json!({ "size": 5_000 })).await;
        assert_eq!((&unused["status"], &refused["status"]), (&json!("offered"), &json!("refused")));
        assert_eq!(post(&app, &market, &posted(1, &used)).await.1["status"], "sold");
        app.idle().await;
        app.clock.advance(chrono::Duration::days(29));
        let (_, late) = ping(&app, &market, &known()).await;
        app.app.market.prune().await.unwrap();
        let left = async || {
            let mut left = Vec::new();
            for quoted in [&used, &unused, &refused, &late] {
                let id = quoted["ping_id"].as_str().unwrap().parse().unwrap();
                let system = app.store().read(OPERATE);
                let bids = system.pings_of_quote(id).await.unwrap().len();
                left.push((system.quote(id).await.unwrap().is_some(), bids));
            }
            left
        };
        assert_eq!(left().await, [(true, 1), (true, 1), (true, 0), (true, 1)], "kept for a month");
        app.clock.advance(chrono::Duration::days(2));
        assert!(app.app.market.prune().await.unwrap() >= 2);
        assert_eq!(left().await, [(true, 1), (false, 0), (false, 0), (true, 1)]);
        every_decision_is_the_same_again(&app).await;
        app.finish().await;
    }
}
