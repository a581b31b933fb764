//! The audit as administrators read it: who did what, who came in, and who of the staff saw whom.

use leadyard_tests::market::{Selling, lead, terms};
use leadyard_tests::{TestApp, on_both};
use leadyard_types::Role;
use serde_json::{Value, json};

use crate::people::{Asking, People, ids, signed_in};

const ENTRIES: &str = "query($filter: AuditFilter, $after: String, $first: Int!) {
    auditEntries(first: $first, after: $after, filter: $filter) {
        nodes { number actor action noun subjectId detail user { id } } pageInfo { hasNextPage endCursor } }
    auditChain { intact lines firstBroken } }";

async fn entries(admin: &Asking, filter: Value) -> Vec<Value> {
    let answer = admin.ask(ENTRIES, json!({ "filter": filter, "first": 100 })).await;
    assert_eq!(answer["auditChain"]["intact"], true, "{answer}");
    answer["auditEntries"]["nodes"].as_array().unwrap().clone()
}

/// Whatever staff see of people stands in the audit: one line for a request, with everybody it showed; masked values,
/// what a buyer sees of its own, and questions that show nobody leave none. It costs no more statements for more people.
#[tokio::test(flavor = "multi_thread")]
async fn what_staff_see_is_written_down() {
    on_both(async |database| {
        let mut app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("Buyer", 100_000, vec![]).await;
        app.contract(market.campaign_id, buyer, "all", terms(1_000)).await;
        for number in 1..=3 {
            app.client(&market.key).send_json("/v1/leads", &lead(number), None).await.unwrap();
        }
        let (admin, manager) = (app.staff(Role::Admin).await, app.staff(Role::Manager).await);
        let shown = "query($first: Int!) { leads(first: $first) { nodes { id fields { key value } } } }";
        let user = app.buyer_user(buyer).await;
        for nobody in [&app.staff(Role::Analyst).await, &app.staff(Role::Finance).await, &user] {
            nobody.ask(shown, json!({ "first": 3 })).await;
        }
        manager.ask("{ leads(first: 3) { nodes { id state } } }", json!({})).await;
        let views = json!({ "action": "view" });
        assert_eq!(entries(&admin, views.clone()).await.len(), 0);

        app.rest().await;
        let mut costs = Vec::new();
        for first in [1, 3] {
            let before = app.store().statements();
            let seen = ids(&manager.ask(shown, json!({ "first": first })).await["leads"]);
            costs.push(app.store().statements() - before);
            let lines = entries(&admin, views.clone()).await;
            let detail: Value = serde_json::from_str(lines[0]["detail"].as_str().unwrap()).unwrap();
            assert_eq!(detail["leads"].as_array().unwrap().len(), first);
            for id in seen {
                assert!(
                    detail["leads"].as_array().unwrap().contains(&json!(id.trim_start_matches("Lead:"))),
                    "{detail}"
                );
                assert!(!entries(&admin, json!({ "subjectId": id, "action": "view" })).await.is_empty());
            }
        }
        assert_eq!(costs[0], costs[1], "statements follow levels, not people");
        let scans = app.store().scans().await.unwrap().into_iter().filter(|scan| scan.contains("audit_seen"));
        assert_eq!(scans.collect::<Vec<_>>(), Vec::<String>::new(), "who was seen is found by an index");
        let lines = entries(&admin, views).await;
        assert_eq!(lines.len(), 2, "one line for a request");
        let who = manager.ask("{ viewer { user { id } } }", json!({})).await["viewer"]["user"]["id"].take();
        assert!(lines.iter().all(|line| line["user"]["id"] == who), "{lines:?}");
        app.finish().await;
    })
    .await;
}

/// Signing in stands in the audit with the reason that nobody else is told; the list is paged and filtered; and it is for
/// administrators alone.
#[tokio::test(flavor = "multi_thread")]
async fn administrators_read_who_came_in() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let (admin, manager) = (app.staff(Role::Admin).await, app.staff(Role::Manager).await);
        assert!(signed_in(&app, "manager@staff.example", "wrong horse battery staple").await.is_none());
        assert!(signed_in(&app, "nobody@staff.example", "wrong horse battery staple").await.is_none());
        let refused = entries(&admin, json!({ "action": "sign_in_refused" })).await;
        let why: Vec<&str> = refused.iter().filter_map(|line| line["detail"].as_str()).take(2).collect();
        assert_eq!(why, [r#"{"why":"UNKNOWN"}"#, r#"{"why":"WRONG_PASSWORD"}"#]);
        let manager_id = manager.ask("{ viewer { user { id } } }", json!({})).await["viewer"]["user"]["id"].take();
        let of_manager = entries(&admin, json!({ "subjectId": manager_id, "action": "sign_in" })).await;
        assert_eq!(of_manager.len(), 1, "{of_manager:?}");
        let all = entries(&admin, Value::Null).await;
        assert!(!all.iter().any(|line| line.to_string().contains('@')), "no addresses: {all:?}");

        let (mut numbers, mut after) = (Vec::new(), Value::Null);
        loop {
            let page = admin.ask(ENTRIES, json!({ "first": 2, "after": after })).await["auditEntries"].take();
            numbers.extend(page["nodes"].as_array().unwrap().iter().map(|line| line["number"].as_i64().unwrap()));
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        let count = i64::try_from(numbers.len()).unwrap();
        assert_eq!(numbers, (1..=count).rev().collect::<Vec<_>>(), "newest first, without gaps");
        for (first, code) in [(0, "PAGE_SIZE_INVALID"), (101, "PAGE_SIZE_INVALID")] {
            let answer = admin.raw(ENTRIES, json!({ "first": first })).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{answer}");
        }
        let answer = manager.raw(ENTRIES, json!({ "first": 1 })).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{answer}");
        app.finish().await;
    })
    .await;
}
