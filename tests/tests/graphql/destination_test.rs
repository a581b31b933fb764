//! Destinations that are tried out: the real way out, a made-up lead, and nothing that comes of it.

use leadyard_connectors::fake::{Behaviour, Bidding, Offer};
use leadyard_market::setup::{DestinationChange, NewDestination};
use leadyard_tests::market::{Selling, terms};
use leadyard_tests::{OPERATE, TestApp, on_both};
use leadyard_types::{ContractTerms, DestinationId, DestinationKind, Method, Role, Status, Verdict};
use serde_json::{Value, json};

use crate::people::{Asking, People};

const TRY: &str = "mutation($input: DestinationTestInput!) { destinationTest(input: $input) {
    test { statusCode durationMs answer destination { id status }
        delivery { verdict outcome error reason reference retryAfterSeconds }
        ping { verdict price { amount currency } sharedPrices { amount } reason reference holdsSeconds } }
    userErrors { code field } } }";

async fn tried(app: &TestApp, by: &Asking, id: DestinationId) -> Value {
    app.clock.advance(chrono::Duration::seconds(10));
    let input = json!({ "input": { "destinationId": format!("Destination:{id}") } });
    by.ask(TRY, input).await["destinationTest"].take()
}

fn problem(answer: &Value) -> (Value, Value) {
    (answer["userErrors"][0]["code"].clone(), answer["test"].clone())
}

/// What the destination answers is told as the connector reads it; it gets a lead that says that it is a test, signed as
/// always; and nothing changes but the note that it was tried and the audit.
#[tokio::test(flavor = "multi_thread")]
async fn a_destination_is_tried_out() {
    on_both(async |database| {
        let mut app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("Sunny", 1_000, vec![]).await;
        let (told, asked) = (app.webhook(buyer, "/told").await, app.webhook(buyer, "/asked").await);
        app.contract(market.campaign_id, buyer, "told", ContractTerms { destinations: vec![told], ..terms(4_200) })
            .await;
        let sync = ContractTerms { verdict: Verdict::Sync, destinations: vec![asked], ..terms(4_300) };
        app.contract(market.campaign_id, buyer, "asked", sync).await;
        let manager = app.staff(Role::Manager).await;
        app.rest().await;
        let stored = async || {
            let mut tables = app.store().read(OPERATE).contents().await.unwrap();
            tables.retain(|table, _| {
                !["session", "worker", "audit", "destination", "market_state"].contains(&table.as_str())
            });
            tables
        };
        let before = stored().await;

        let came = tried(&app, &manager, told).await;
        let test = &came["test"];
        assert_eq!(
            (&test["statusCode"], &test["delivery"]["outcome"], &test["delivery"]["verdict"], &test["ping"]),
            (&json!(200), &json!("ACCEPTED"), &json!("NONE"), &Value::Null),
            "{came}"
        );
        let message: Value = serde_json::from_slice(&app.receiver.messages()[0].body).unwrap();
        assert_eq!(
            (&message["data"]["test"], &message["data"]["fields"]["email"], &message["data"]["contract"]["name"]),
            (&json!(true), &json!("test@example.com"), &json!("told")),
            "{message}"
        );
        assert_eq!((app.receiver.forged(), &message["data"]["price"]["amount"]), (0, &json!("42.00")), "signed");

        for (behaviour, outcome, reason) in [
            (Behaviour::Reject { reason: "full, says test@example.com".into() }, "REJECTED", Some("full")),
            (Behaviour::Duplicate, "DUPLICATE", None),
            (Behaviour::Accept, "ACCEPTED", None),
            (Behaviour::CloseAfterReading { times: 1 }, "UNKNOWN", None),
        ] {
            app.receiver.program("/asked", behaviour);
            let came = tried(&app, &manager, asked).await;
            let delivery = &came["test"]["delivery"];
            assert_eq!((&delivery["verdict"], &delivery["outcome"]), (&json!("SYNC"), &json!(outcome)), "{came}");
            assert!(reason.is_none_or(|reason| delivery["reason"].as_str().unwrap().contains(reason)), "{came}");
            assert!(!came.to_string().contains("test@example.com"), "redacted: {came}");
        }
        app.receiver.program("/told", Behaviour::Fail { status: 500, times: 9 });
        assert_eq!(tried(&app, &manager, told).await["test"]["delivery"]["outcome"], "RETRY");

        assert_eq!(stored().await, before, "nothing came of it");
        let admin = app.staff(Role::Admin).await;
        let audit = admin
            .ask(
                "{ auditEntries(first: 50, filter: { action: \"try_out\" }) { nodes { user { role } subjectId } } }",
                json!({}),
            )
            .await;
        let lines = audit["auditEntries"]["nodes"].as_array().unwrap();
        assert_eq!((lines.len(), &lines[0]["user"]["role"]), (6, &json!("MANAGER")));
        app.work();
        app.finish().await;
    })
    .await;
}

/// A ping is asked as in an auction, and the adapter's reading is told with the price it would bid.
#[tokio::test(flavor = "multi_thread")]
async fn a_bidder_is_tried_out() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let market = app.market(Selling { method: Method::Auction, ..Selling::default() }).await;
        let buyer = app.buyer("Bidder", 0, vec![]).await;
        let place = app.asked_at(buyer, "/bids", Bidding::Bid(Offer::of("15.50"))).await;
        app.contract(market.campaign_id, buyer, "bids", ContractTerms { ping: Some(place), ..terms(1_000) }).await;
        let manager = app.staff(Role::Manager).await;
        let input = json!({ "input": { "destinationId": format!("Destination:{place}") } });
        let whole = manager.ask(&TRY.replace("holdsSeconds", "holdsSeconds request"), input).await;
        let came = whole["destinationTest"]["test"].clone();
        assert_eq!(
            (&came["ping"]["verdict"], &came["ping"]["price"], &came["delivery"]),
            (&json!("BID"), &json!({ "amount": "15.50", "currency": "EUR" }), &Value::Null),
            "{came}"
        );
        let request = came["ping"]["request"].as_str().unwrap();
        assert!(request.contains("10115") && !request.contains("test@example.com"), "no person in a ping: {request}");
        app.bidder.program("/bids", Bidding::NoBid { reason: "full".into() });
        let came = tried(&app, &manager, place).await["test"].take();
        assert_eq!((&came["ping"]["verdict"], &came["ping"]["reason"]), (&json!("NO_BID"), &json!("full")));
        app.bidder.program("/bids", Bidding::WrongCurrency);
        assert_eq!(tried(&app, &manager, place).await["test"]["ping"]["verdict"], "INVALID");
        app.finish().await;
    })
    .await;
}

/// Once in ten seconds whoever asks, never where it may not go, never for others: a buyer's administrator tries its own.
#[tokio::test(flavor = "multi_thread")]
async fn trying_out_is_bounded() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        app.market(Selling::default()).await;
        let (mine, theirs) = (app.buyer("Mine", 0, vec![]).await, app.buyer("Theirs", 0, vec![]).await);
        let (own, foreign) = (app.webhook(mine, "/own").await, app.webhook(theirs, "/foreign").await);
        let manager = app.staff(Role::Manager).await;
        let user = app.buyer_admin(mine).await;
        let nothing = (json!("NOT_FOUND"), Value::Null);
        assert_eq!(problem(&tried(&app, &user, foreign).await), nothing);
        assert_eq!(problem(&tried(&app, &user, uuid::Uuid::from_u128(1).into()).await), nothing);
        assert_eq!(app.receiver.received(), 0);
        // Without a contract it is sent what anybody might send.
        let came = tried(&app, &user, own).await;
        assert_eq!(came["test"]["delivery"]["outcome"], "ACCEPTED", "{came}");
        let input = json!({ "input": { "destinationId": format!("Destination:{own}") } });
        let at_once = futures_util::future::join_all((0..8).map(|_| manager.ask(TRY, input.clone()))).await;
        assert!(at_once.iter().all(|answer| answer["destinationTest"]["userErrors"][0]["code"] == "TOO_SOON"));
        app.clock.advance(chrono::Duration::seconds(10));
        let at_once = futures_util::future::join_all((0..8).map(|_| manager.ask(TRY, input.clone()))).await;
        let sent = at_once.iter().filter(|answer| answer["destinationTest"]["test"].is_object()).count();
        assert_eq!((sent, app.receiver.received_at("/own")), (1, 2), "of eight at once one is sent");
        let request = "mutation($input: DestinationTestInput!) { destinationTest(input: $input) { test { ping { request } } userErrors { code } } }";
        assert_eq!(user.raw(request, input.clone()).await["errors"][0]["extensions"]["code"], "FORBIDDEN");
        for role in [Role::Finance, Role::Analyst] {
            let refused = app.staff(role).await.raw(TRY, input.clone()).await;
            assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN");
        }

        // An address that was allowed when it was written down is not reached all the same.
        let new = NewDestination { buyer_id: mine, name: "portal".into(), kind: DestinationKind::Portal, config: json!({}) };
        let portal = app.setup().create_destination(new).await.unwrap().id;
        assert_eq!(tried(&app, &user, portal).await["test"]["delivery"]["outcome"], "ACCEPTED");
        let write = app.store().write(OPERATE).await.unwrap();
        write.plant("UPDATE destination SET config = '{\"url\":\"http://127.0.0.1:9/x\"}' WHERE name = '/foreign'").await.unwrap();
        let _ = write.commit().await.unwrap();
        let came = tried(&app, &manager, foreign).await;
        assert_eq!((&came["test"]["statusCode"], &came["test"]["delivery"]["outcome"]), (&Value::Null, &json!("MISCONFIGURED")), "{came}");
        app.setup().revise_destination(own, 1, DestinationChange { status: Some(Status::Archived), ..Default::default() }).await.unwrap();
        assert_eq!(problem(&tried(&app, &manager, own).await), (json!("NOT_POSSIBLE"), Value::Null));
        app.finish().await;
    })
    .await;
}
