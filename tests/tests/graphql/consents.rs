//! Consents and conversions as things of their own.

use leadyard_entity::conversions::NewConversion;
use leadyard_tests::market::{Selling, lead, terms};
use leadyard_tests::{OPERATE, TestApp, on_both};
use leadyard_types::{ConversionKind, Role};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::people::{People, ids};

const CONSENTS: &str = "query($filter: ConsentFilter) { consents(first: 50, orderBy: OLDEST, filter: $filter) { totalCount nodes {
    id text textVersion givenAt pageUrl ip purposes recipients certificateUrls basis recordedAt countsUntil lead { id } } } }";

/// Evidence is found by what it says, shows the person only to who may see people, and goes with its lead.
#[tokio::test(flavor = "multi_thread")]
async fn evidence_is_found_and_masked() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        app.revise_campaign(market.campaign_id, |terms| terms.consent.max_age_hours = Some(48)).await;
        let buyer = app.buyer("Buyer", 1_000, vec![]).await;
        app.contract(market.campaign_id, buyer, "all", terms(1_000)).await;
        let client = app.client(&market.key);
        for number in 1..=3 {
            app.clock.advance(chrono::Duration::minutes(1));
            let mut body = lead(number);
            body["consent"] = json!({ "text": format!("I am person{number}"), "text_version": format!("v{}", number.min(2)), "ip": "192.0.2.7",
                "purposes": if number == 1 { json!(["call"]) } else { json!(["call", "call_back"]) }, "given_at": "2026-07-01T09:00:00Z",
                "page_url": format!("https://person{number}.example/"), "recipients": ["Sunny"], "certificate_urls": ["https://cert.example/person"] });
            client.send_json("/v1/leads", &body, None).await.unwrap();
        }
        client.send_json("/v1/leads", &lead(4), None).await.unwrap();
        let (manager, analyst) = (app.staff(Role::Manager).await, app.staff(Role::Analyst).await);
        let seen = manager.ask(CONSENTS, json!({})).await["consents"].take();
        assert_eq!(seen["totalCount"], 3);
        let first = &seen["nodes"][0];
        assert_eq!(
            (&first["text"], &first["ip"], &first["certificateUrls"][0], &first["countsUntil"]),
            (&json!("I am person1"), &json!("192.0.2.7"), &json!("https://cert.example/person"), &json!("2026-07-03T09:00:00+00:00"))
        );
        let masked = analyst.ask(CONSENTS, json!({})).await["consents"].take();
        let text = masked.to_string();
        assert!(!text.contains("person") && !text.contains("192.0.2.7"), "{text}");
        assert_eq!((&masked["nodes"][0]["textVersion"], &masked["nodes"][0]["recipients"]), (&json!("v1"), &json!(["Sunny"])));
        let id = |place: usize| seen["nodes"][place]["id"].as_str().unwrap().to_owned();
        for (filter, expected) in [
            (json!({ "textVersion": "v2" }), vec![id(1), id(2)]),
            (json!({ "purpose": "call" }), vec![id(0), id(1), id(2)]),
            (json!({ "purpose": "call_back" }), vec![id(1), id(2)]),
            (json!({ "purpose": "back" }), vec![]),
            (json!({ "purpose": "%" }), vec![]),
            (json!({ "purpose": "CALL" }), vec![]),
            (json!({ "purpose": "Call_Back" }), vec![]),
            (json!({ "purpose": "" }), vec![]),
            (json!({ "textVersion": "V2" }), vec![]),
            (json!({ "basis": "x" }), vec![]),
            (json!({ "campaignIds": [format!("Campaign:{}", market.campaign_id)] }), vec![id(0), id(1), id(2)]),
            (json!({ "campaignIds": ["Campaign:00000000-0000-0000-0000-000000000001"] }), vec![]),
            (json!({ "givenSince": "2026-07-01T09:00:01Z" }), vec![]),
            (json!({ "recordedSince": seen["nodes"][2]["recordedAt"] }), vec![id(2)]),
        ] {
            let answer = manager.ask(CONSENTS, json!({ "filter": filter })).await;
            assert_eq!(ids(&answer["consents"]), expected, "{filter}");
        }
        for text in ["textVersion", "basis", "purpose"] {
            let answer = manager.raw(CONSENTS, json!({ "filter": { text: "x".repeat(2_049) } })).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], "TEXT_TOO_LONG", "{text}");
            assert_eq!(manager.ask(CONSENTS, json!({ "filter": { text: "x".repeat(2_048) } })).await["consents"]["totalCount"], 0);
        }
        // Whoever sees the lead sees its evidence, by the lead and by its own id; nobody else does.
        let user = app.buyer_user(buyer).await;
        let own = user.ask("{ leads(first: 9) { nodes { consent { id text lead { id } } } } }", json!({})).await;
        assert_eq!((own["leads"]["nodes"].as_array().unwrap().len(), &own["leads"]["nodes"][0]["consent"]["text"]), (1, &json!("I am person1")));
        let node = "query($id: ID!) { node(id: $id) { ... on Consent { ip } } }";
        assert_eq!(user.ask(node, json!({ "id": id(0) })).await["node"]["ip"], "192.0.2.7");
        assert_eq!(user.ask(node, json!({ "id": id(1) })).await["node"], Value::Null);
        let supplier = app.supplier_user(market.source_id).await;
        assert_eq!(supplier.ask(node, json!({ "id": id(1) })).await["node"]["ip"], Value::Null);
        // Who of the staff saw it is written down.
        let admin = app.staff(Role::Admin).await;
        let views = admin.ask("{ auditEntries(first: 1, filter: { action: \"view\" }) { nodes { user { role } } } }", json!({})).await;
        assert_eq!(views["auditEntries"]["nodes"][0]["user"]["role"], "MANAGER");
        app.finish().await;
    })
    .await;
}

/// What buyers report is found by kind, campaign and sale, and is the buyer's own.
#[tokio::test(flavor = "multi_thread")]
async fn conversions_are_found() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let (one, other) = (app.buyer("One", 1_000, vec![]).await, app.buyer("Other", 100_000, vec![]).await);
        for buyer in [one, other] {
            app.contract(market.campaign_id, buyer, "all", terms(1_000)).await;
        }
        for number in 1..=3 {
            app.client(&market.key).send_json("/v1/leads", &lead(number), None).await.unwrap();
        }
        let staff = app.staff(Role::Analyst).await;
        let sold = staff.ask("{ sales(first: 9) { nodes { id lead { id } buyer { id } } } }", json!({})).await;
        let plain = |value: &Value| value.as_str().unwrap().split_once(':').unwrap().1.parse::<Uuid>().unwrap();
        let sales = sold["sales"]["nodes"].as_array().unwrap();
        let reported: Vec<NewConversion> = sales
            .iter()
            .map(|sale| NewConversion {
                sale_id: plain(&sale["id"]).into(),
                lead_id: plain(&sale["lead"]["id"]).into(),
                buyer_id: plain(&sale["buyer"]["id"]).into(),
                kind: if plain(&sale["buyer"]["id"]) == one.0 { ConversionKind::Won } else { ConversionKind::Lost },
                value_minor: Some(50_000),
                happened_at: app.clock_now(),
            })
            .collect();
        let write = app.store().write(OPERATE).await.unwrap();
        assert_eq!(write.add_conversions(&reported).await.unwrap(), 3);
        let _ = write.commit().await.unwrap();
        let list = "query($filter: ConversionFilter) { conversions(first: 9, filter: $filter) { totalCount nodes { id kind value { amount } buyer { id } sale { conversions { id } } } } }";
        for (filter, count) in [
            (json!({}), 3),
            (json!({ "kind": ["WON"] }), 1),
            (json!({ "buyerIds": [format!("Buyer:{other}")] }), 2),
            (json!({ "saleId": sales[0]["id"] }), 1),
            (json!({ "campaignIds": [format!("Campaign:{}", market.campaign_id)] }), 3),
            (json!({ "reportedUntil": "2026-01-01T00:00:00Z" }), 0),
        ] {
            let answer = staff.ask(list, json!({ "filter": filter })).await["conversions"].take();
            assert_eq!(answer["totalCount"], count, "{filter}");
            for node in answer["nodes"].as_array().unwrap() {
                assert_eq!((&node["value"]["amount"], &node["sale"]["conversions"][0]["id"]), (&json!("500.00"), &node["id"]));
            }
        }
        let own = app.buyer_user(one).await.ask(list, json!({})).await["conversions"].take();
        assert_eq!((&own["totalCount"], &own["nodes"][0]["kind"]), (&json!(1), &json!("WON")));
        app.finish().await;
    })
    .await;
}
