//! What people look for in lists: every filter finds what it says, and tells nobody what is not theirs.

use leadyard_tests::market::{Selling, lead, terms};
use leadyard_tests::{TestApp, on_both};
use leadyard_types::{Role, SaleMode};
use serde_json::{Value, json};

use crate::people::{Asking, People, ids};

/// How many rows of a list a filter finds.
async fn found(by: &Asking, noun: &str, filter: Value) -> usize {
    let mut kind = noun.strip_suffix('s').unwrap().to_owned();
    if noun == "deliveries" {
        kind = "delivery".to_owned();
    }
    let (first, rest) = kind.split_at(1);
    let question = format!(
        "query($f: {}{rest}Filter) {{ {noun}(first: 100, filter: $f) {{ totalCount nodes {{ id }} }} }}",
        first.to_uppercase()
    );
    let answer = by.ask(&question, json!({ "f": filter })).await;
    let rows = ids(&answer[noun]).len();
    assert_eq!(answer[noun]["totalCount"], rows, "what is counted is what is listed: {noun} {filter}");
    rows
}

/// Leads, sales, deliveries and things with names are found by what people know of them. What others paid for a lead is no
/// way to find out: filters over sales look only at those the caller sees.
#[tokio::test(flavor = "multi_thread")]
async fn lists_are_filtered_within_what_is_visible() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let market = app.market(Selling { sale_mode: SaleMode::Shared { max: 2 }, ..Selling::default() }).await;
        let (dear, cheap) =
            (app.buyer("Dear 100%_a", 100_000, vec![]).await, app.buyer("Cheap", 100_000, vec![]).await);
        for (buyer, name, price) in [(dear, "north", 3_000), (cheap, "south", 1_000)] {
            let mut agreed = terms(price);
            agreed.destinations = vec![app.webhook(buyer, &format!("/{name}")).await];
            app.contract(market.campaign_id, buyer, name, agreed).await;
        }
        for number in 1..=3 {
            app.client(&market.key).send_json("/v1/leads", &lead(number), None).await.unwrap();
        }
        app.idle().await;
        let staff = app.staff(Role::Manager).await;
        let contracts = staff.ask("{ contracts(first: 9) { nodes { id } } }", json!({})).await;
        let north = ids(&contracts["contracts"]).remove(0);
        for (noun, filter, expected) in [
            ("leads", json!({ "contractIds": [north] }), 3),
            ("leads", json!({ "priceMinMinor": "3001" }), 0),
            ("leads", json!({ "priceMinMinor": "1001", "priceMaxMinor": "3000" }), 3),
            ("deliveries", json!({ "contractIds": [north] }), 3),
            ("deliveries", json!({ "contractIds": [north], "state": ["DEAD"] }), 0),
            ("sales", json!({ "contractIds": [north] }), 3),
            ("complaints", json!({ "contractIds": [north] }), 0),
            ("contracts", json!({ "name": "ORT" }), 1),
            ("buyers", json!({ "name": "0%_" }), 1),
            ("buyers", json!({ "name": "_" }), 1),
            ("buyers", json!({ "name": "a\\" }), 0),
            ("buyers", json!({ "name": "e", "status": ["ACTIVE"] }), 2),
            ("buyers", json!({ "name": "e", "status": ["PAUSED"] }), 0),
            ("campaigns", json!({ "name": "nowhere" }), 0),
            ("sources", json!({ "name": "SOURCE" }), 1),
            ("suppliers", json!({ "status": ["ARCHIVED"] }), 0),
        ] {
            assert_eq!(found(&staff, noun, filter.clone()).await, expected, "{noun} {filter}");
        }
        let prices =
            staff.ask("{ sales(first: 9, orderBy: CHEAPEST) { nodes { price { amountMinor } } } }", json!({})).await;
        let prices: Vec<i64> = prices["sales"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|sale| sale["price"]["amountMinor"].as_str().unwrap().parse().unwrap())
            .collect();
        assert_eq!(prices, [1_000, 1_000, 1_000, 3_000, 3_000, 3_000]);

        // The cheap buyer has all three leads. What the dear one paid, and that it bought at all, stays with the dear one.
        let user = app.buyer_user(cheap).await;
        assert_eq!(found(&user, "leads", json!({ "priceMaxMinor": "1000" })).await, 3);
        for hidden in [json!({ "priceMinMinor": "1001" }), json!({ "contractIds": [north] })] {
            assert_eq!(found(&user, "leads", hidden).await, 0);
        }
        let supplier = app.supplier_user(market.source_id).await;
        assert_eq!(found(&supplier, "leads", json!({})).await, 3);
        assert_eq!(found(&supplier, "leads", json!({ "priceMinMinor": "0" })).await, 0);
        app.finish().await;
    })
    .await;
}

/// A name is found by a part of it whatever the case, beyond ASCII too, and as it is typed: on both databases alike.
#[tokio::test(flavor = "multi_thread")]
async fn names_are_found_whatever_their_case() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        for name in ["Öl GmbH", "ÖL & GAS", "Heizöl Müller", "Straße 7", "Ωmega", "İstanbul", "Oel AG"] {
            app.buyer(name, 1_000, vec![]).await;
        }
        let staff = app.staff(Role::Manager).await;
        for (part, names) in [
            ("Öl", 3),
            ("öl", 3),
            ("ÖL", 3),
            ("Öl GmbH", 1),
            ("öl gMBh", 1),
            ("ÖL GMBH", 1),
            ("öl & gas", 1),
            ("HEIZÖL MÜLLER", 1),
            ("müller", 1),
            ("straße", 1),
            ("ωM", 1),
            ("ΩMEGA", 1),
            ("İst", 1),
            ("İSTANBUL", 1),
            ("ol", 0),
            ("oEL", 1),
            ("ä", 0),
            ("ö%", 0),
            ("_l", 0),
        ] {
            assert_eq!(found(&staff, "buyers", json!({ "name": part })).await, names, "{part}");
        }
        app.finish().await;
    })
    .await;
}

/// Staff who may see people find a person's leads by the whole address or number, however it is written; nobody else may ask.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_found_by_the_whole_contact() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        for number in 1..=3 {
            app.client(&market.key).send_json("/v1/leads", &lead(number), None).await.unwrap();
        }
        let question = "query($c: ContactInput!) { leadsOfContact(contact: $c, first: 9) { totalCount nodes { id fields { key value } } } }";
        let staff = app.staff(Role::Manager).await;
        for (contact, expected) in [
            (json!({ "email": "person2@mail.example.com" }), 1),
            (json!({ "email": "  Person2@MAIL.example.com " }), 1),
            (json!({ "email": "person2@mail.example" }), 0),
            (json!({ "email": "person%@mail.example.com" }), 0),
            (json!({ "phone": "+49 30 2000002" }), 1),
            (json!({ "phone": "+49 30 2000012" }), 0),
        ] {
            let answer = staff.ask(question, json!({ "c": contact })).await;
            assert_eq!(answer["leadsOfContact"]["totalCount"], expected, "{contact}");
        }
        for role in [Role::Analyst, Role::Finance] {
            let answer = app.staff(role).await.raw(question, json!({ "c": { "email": "person2@mail.example.com" } })).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{role:?}");
        }
        app.finish().await;
    })
    .await;
}
