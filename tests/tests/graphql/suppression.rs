//! The suppression list: who is on it is refused, who is taken off is taken in again, and it never says who anybody is.

use std::sync::Arc;

use leadyard_market::suppression::Suppressing;
use leadyard_tests::market::{Selling, lead, terms};
use leadyard_tests::{OPERATE, TestApp, on_both};
use leadyard_types::Role;
use serde_json::{Value, json};

use crate::people::{Asking, People, ids};

const ADD: &str = "mutation($input: SuppressionEntryCreateInput!) { suppressionEntryCreate(input: $input) {
    entry { id kind campaign { id } reason createdBy { role } createdAt } created userErrors { code field message } } }";
const ADD_MANY: &str = "mutation($input: SuppressionEntriesCreateInput!) { suppressionEntriesCreate(input: $input) {
    entries { id kind } createdCount userErrors { code field } } }";
const REMOVE: &str = "mutation($input: SuppressionEntryRemoveInput!) { suppressionEntryRemove(input: $input) {
    removedId userErrors { code field } } }";
const REMOVE_MANY: &str = "mutation($input: SuppressionEntriesRemoveInput!) { suppressionEntriesRemove(input: $input) {
    removedIds userErrors { code field } } }";
const LIST: &str = "query($filter: SuppressionEntryFilter) { suppressionEntries(first: 100, filter: $filter) {
    totalCount nodes { id kind reason campaign { id } } } }";

async fn done(by: &Asking, question: &str, input: Value) -> Value {
    let answer = by.ask(question, json!({ "input": input })).await;
    answer.as_object().unwrap().values().next().unwrap().clone()
}

async fn found(by: &Asking, filter: Value) -> Vec<String> {
    ids(&by.ask(LIST, json!({ "filter": filter })).await["suppressionEntries"])
}

/// The same new contacts may be added by many at once, each in an order of its own: all succeed, none as a victim of another,
/// and each contact is new once.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_list_is_added_by_many_at_once() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        for round in 0..5 {
            let contacts: Vec<String> = (0..300).map(|number| format!("p{round}.{number}@mail.example.com")).collect();
            let mut adding = tokio::task::JoinSet::new();
            for caller in 0..6 {
                let (market, mut contacts) = (Arc::clone(&app.app.market), contacts.clone());
                contacts.rotate_left(caller * 50);
                if caller % 2 == 1 {
                    contacts.reverse();
                }
                adding.spawn(async move {
                    let asked =
                        Suppressing { contacts: &contacts, campaign: None, country: None, reason: "asked us to" };
                    let added = market.suppress(OPERATE, asked).await.unwrap();
                    assert_eq!(added.entries.len(), 300);
                    added.new
                });
            }
            assert_eq!(adding.join_all().await.into_iter().sum::<u64>(), 300);
        }
        app.finish().await;
    })
    .await;
}

/// However an address or number is written, whoever is on the list is refused with the check's name, everywhere or in one
/// campaign; off the list they are taken in. The audit says who did it and why, and nothing says whom it was about.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_on_the_list_is_refused() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let beside = app.campaign_beside(&market, "Beside", Selling::default()).await;
        let buyer = app.buyer("Buyer", 1_000_000, vec![]).await;
        for campaign in [market.campaign_id, beside.campaign_id] {
            app.contract(campaign, buyer, "all", terms(1_000)).await;
        }
        let (manager, admin) = (app.staff(Role::Manager).await, app.staff(Role::Admin).await);
        let send = async |key: &str, number: usize| {
            let (_, answer) = app.client(key).send_json("/v1/leads", &lead(number), None).await.unwrap();
            (answer["status"].clone(), answer["check"].clone())
        };
        let everywhere = done(&manager, ADD, json!({ "contact": " Person1@Mail.example.com ", "reason": "asked us to" })).await;
        let entry = &everywhere["entry"];
        assert_eq!(
            (&everywhere["created"], &entry["kind"], &entry["createdBy"]["role"], &entry["campaign"]),
            (&json!(true), &json!("EMAIL"), &json!("MANAGER"), &Value::Null)
        );
        let again = done(&manager, ADD, json!({ "contact": "person1@mail.example.com", "reason": "once more" })).await;
        assert_eq!((&again["created"], &again["entry"]["id"]), (&json!(false), &entry["id"]), "one entry each");
        let campaign = format!("Campaign:{}", market.campaign_id);
        let local = done(&manager, ADD, json!({ "contact": "030 2000002", "campaignId": campaign, "reason": "court" })).await;
        assert_eq!((&local["entry"]["kind"], &local["entry"]["campaign"]["id"]), (&json!("PHONE"), &json!(campaign)));

        let refused = (json!("rejected"), json!("SUPPRESSION"));
        assert_eq!((send(&market.key, 1).await, send(&beside.key, 1).await), (refused.clone(), refused.clone()));
        assert_eq!(send(&market.key, 2).await, refused);
        assert_eq!(send(&beside.key, 2).await.0, "sold", "for one campaign only");
        assert_eq!(send(&market.key, 3).await.0, "sold");

        let own = |value: &Value| vec![value["entry"]["id"].as_str().unwrap().to_owned()];
        for (filter, expected) in [
            (json!({ "contact": { "email": "PERSON1@mail.example.com" } }), own(&everywhere)),
            (json!({ "contact": { "phone": "+49 30 2000002" } }), own(&local)),
            (json!({ "contact": { "email": "nobody@mail.example.com" } }), vec![]),
            (json!({ "kind": "PHONE" }), own(&local)),
            (json!({ "campaignIds": [campaign] }), own(&local)),
            (json!({ "everywhere": true }), own(&everywhere)),
            (json!({ "everywhere": false }), own(&local)),
            (json!({ "createdUntil": "2026-01-01T00:00:00Z" }), vec![]),
        ] {
            assert_eq!(found(&manager, filter.clone()).await, expected, "{filter}");
        }

        let remove = |id: &Value, reason: &str| json!({ "suppressionEntryId": id, "reason": reason });
        let gone = done(&manager, REMOVE, remove(&entry["id"], "a mistake")).await;
        assert_eq!(gone["removedId"], entry["id"]);
        let twice = done(&manager, REMOVE, remove(&entry["id"], "a mistake")).await;
        assert_eq!(twice["userErrors"], json!([{ "code": "NOT_FOUND", "field": ["input", "suppressionEntryId"] }]));
        // Not the answer of a moment ago once more.
        app.clock.advance(chrono::Duration::minutes(2));
        assert_eq!(send(&beside.key, 1).await.0, "sold", "taken in again");
        let node = "query($id: ID!) { node(id: $id) { id } suppressionEntry(id: $id) { id } }";
        let answer = admin.ask(node, json!({ "id": entry["id"] })).await;
        assert_eq!(answer, json!({ "node": null, "suppressionEntry": null }));

        let audit = admin.ask("{ auditEntries(first: 50, filter: { noun: \"suppression_entry\" }) { nodes { action user { role } detail } } }", json!({})).await;
        let lines = audit["auditEntries"]["nodes"].as_array().unwrap();
        let actions: Vec<&str> = lines.iter().map(|line| line["action"].as_str().unwrap()).collect();
        assert_eq!(actions, ["unsuppress", "suppress", "suppress"]);
        assert!(lines[0]["detail"].as_str().unwrap().contains("a mistake"));
        // What is stored about it, anywhere, holds no contact.
        let stored = app.store().read(leadyard_tests::OPERATE).contents().await.unwrap();
        for table in ["suppression_entry", "audit"] {
            let rows = stored[table].to_lowercase();
            assert!(!rows.contains("person1") && !rows.contains("2000002"), "{table}: {rows}");
        }
        app.finish().await;
    })
    .await;
}

/// Many at once: all or none, each problem by its place; what is removed and what was not there is told. Only who runs the
/// market sees and changes the list.
#[tokio::test(flavor = "multi_thread")]
async fn lists_are_added_and_removed_together() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        app.market(Selling::default()).await;
        let manager = app.staff(Role::Manager).await;
        let contacts: Vec<String> = (0..400).map(|number| format!("many{number}@mail.example.com")).collect();
        let many = |contacts: &[String]| json!({ "contacts": contacts, "reason": "list of the year" });
        let added = done(&manager, ADD_MANY, many(&contacts)).await;
        assert_eq!((&added["createdCount"], added["entries"].as_array().unwrap().len()), (&json!(400), 400));
        let more = [&contacts[390..], &["more@mail.example.com".to_owned()]].concat();
        let added = done(&manager, ADD_MANY, many(&more)).await;
        assert_eq!((&added["createdCount"], added["entries"].as_array().unwrap().len()), (&json!(1), 11));

        let problem = |code: &str, field: &[&str]| {
            let path: Vec<&str> = ["input"].into_iter().chain(field.iter().copied()).collect();
            json!({ "code": code, "field": path })
        };
        for (input, problems) in [
            (many(&[]), vec![problem("OUT_OF_RANGE", &["contacts"])]),
            (many(&vec!["a@mail.example.com".to_owned(); 501]), vec![problem("OUT_OF_RANGE", &["contacts"])]),
            (
                many(&["new@mail.example.com".into(), "nobody".into(), "030 2000001".into()]),
                vec![problem("INVALID_EMAIL", &["contacts", "1"]), problem("INVALID_PHONE", &["contacts", "2"])],
            ),
            (json!({ "contacts": ["new@mail.example.com"], "reason": " " }), vec![problem("REQUIRED", &["reason"])]),
            (
                json!({ "contacts": ["030 2000001"], "reason": "x", "country": "Germany" }),
                vec![problem("FORMAT", &["country"]), problem("INVALID_PHONE", &["contacts", "0"])],
            ),
            (
                json!({ "contacts": ["new@mail.example.com"], "reason": "x", "campaignId": "Campaign:00000000-0000-0000-0000-000000000001" }),
                vec![problem("NOT_FOUND", &["campaignId"])],
            ),
        ] {
            let answer = done(&manager, ADD_MANY, input.clone()).await;
            assert_eq!((&answer["userErrors"], &answer["createdCount"]), (&json!(problems), &json!(0)), "{input}");
        }
        assert_eq!(found(&manager, json!({ "contact": { "email": "new@mail.example.com" } })).await, Vec::<String>::new(), "none");
        let german = done(&manager, ADD, json!({ "contact": "030 2000001", "reason": "x", "country": "de" })).await;
        assert_eq!(german["created"], true, "{german}");
        let broken = done(&manager, ADD, json!({ "contact": "geheim", "reason": "x" })).await;
        assert_eq!(broken["userErrors"][0]["field"], json!(["input", "contact"]));
        assert!(!broken.to_string().contains("geheim"), "{broken}");

        let all = found(&manager, json!({ "contact": { "email": "many7@mail.example.com" } })).await;
        let wanted = json!({ "suppressionEntryIds": [all[0], "SuppressionEntry:00000000-0000-0000-0000-000000000001", "x"], "reason": "old" });
        let removed = done(&manager, REMOVE_MANY, wanted).await;
        let missing = |place: &str| problem("NOT_FOUND", &["suppressionEntryIds", place]);
        assert_eq!((&removed["removedIds"], &removed["userErrors"]), (&json!([all[0]]), &json!([missing("1"), missing("2")])));
        let none = done(&manager, REMOVE_MANY, json!({ "suppressionEntryIds": [], "reason": "old" })).await;
        assert_eq!(none["userErrors"], json!([problem("OUT_OF_RANGE", &["suppressionEntryIds"])]));
        for role in [Role::Finance, Role::Analyst] {
            let answer = app.staff(role).await.raw(LIST, json!({})).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
        }
        app.finish().await;
    })
    .await;
}
