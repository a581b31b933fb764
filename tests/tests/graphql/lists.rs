//! Lists inside other things: read together, they are the lists that each of them is alone.

use leadyard_tests::{TestApp, on_both};
use leadyard_types::Role;
use serde_json::{Value, json};

use crate::people::People;
use crate::statistics::busy_week;

/// The question for both: the lists of all buyers at once, and one buyer's alone.
const TOGETHER: &str = "query($first: Int, $last: Int, $after: String, $before: String, $order: SaleOrder!) {
    buyers(first: 20) { nodes { id sales(first: $first, last: $last, after: $after, before: $before, orderBy: $order) {
        edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage } } } } }";
const ALONE: &str = "query($id: ID!, $first: Int, $last: Int, $after: String, $before: String, $order: SaleOrder!) {
    sales(filter: { buyerIds: [$id] }, first: $first, last: $last, after: $after, before: $before, orderBy: $order) {
        edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage } } }";

/// Every page of every order, forward and backward, is the same whether one list is read or the lists of all; and no list
/// inside another thing is read from end to end for it.
#[tokio::test(flavor = "multi_thread")]
async fn lists_read_together_are_the_lists_alone() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        busy_week(&app).await;
        let staff = app.staff(Role::Admin).await;
        for order in ["NEWEST", "OLDEST", "PRICE", "CHEAPEST"] {
            let whole = staff.ask(TOGETHER, json!({ "first": 100, "order": order })).await;
            let cursor = whole["buyers"]["nodes"][0]["sales"]["edges"][3]["cursor"].clone();
            for page in [
                json!({ "first": 4, "order": order }),
                json!({ "last": 3, "order": order }),
                json!({ "first": 100, "order": order }),
                json!({ "first": 5, "after": cursor, "order": order }),
                json!({ "last": 2, "before": cursor, "order": order }),
            ] {
                let together = staff.ask(TOGETHER, page.clone()).await;
                let buyers = together["buyers"]["nodes"].as_array().unwrap();
                assert_eq!(buyers.len(), 3);
                let mut found = 0;
                for buyer in buyers {
                    let mut asked = page.clone();
                    asked["id"] = buyer["id"].clone();
                    let alone = staff.ask(ALONE, asked).await;
                    assert_eq!(buyer["sales"], alone["sales"], "{page}");
                    found += buyer["sales"]["edges"].as_array().map_or(0, Vec::len);
                }
                assert!(found > 0, "{page} finds nothing anywhere");
            }
        }
        let many = "{ campaigns(first: 20) { nodes { contracts(first: 5) { nodes { sales(first: 3) { nodes { id } } } }
            sources(first: 3) { nodes { id } } } } buyers(first: 20) { nodes { complaints(first: 3) { nodes { id } }
            wallets { transfers(first: 4) { nodes { id } } holds(first: 4) { nodes { id } } } } } }";
        assert_ne!(staff.ask(many, Value::Null).await, Value::Null);
        let inside = app.store().scans().await.unwrap().into_iter().filter(|scan| scan.contains("\"listed\""));
        assert_eq!(inside.collect::<Vec<_>>(), Vec::<String>::new());
        app.finish().await;
    })
    .await;
}
