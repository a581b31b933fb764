//! Conversions as buyers report them.

use leadyard_tests::market::{Selling, lead, terms};
use leadyard_tests::{TestApp, TestDatabase};
use leadyard_types::{Role, SaleMode};
use serde_json::{Value, json};

use crate::complaints::sales_of;
use crate::people::{Asking, People};

const REPORT: &str = "mutation($input: ConversionsReportInput!) { conversionsReport(input: $input) { reportedCount
    conversions { id kind happenedAt value { amountMinor } sale { id } } userErrors { code field } } }";

async fn report(by: &Asking, conversions: Value) -> Value {
    by.ask(REPORT, json!({ "input": { "conversions": conversions } })).await["conversionsReport"].take()
}

/// A buyer reports what became of its leads, all of a report or nothing of it; what was told before stays as it was told
/// first, and another buyer's sale is no sale at all.
#[tokio::test(flavor = "multi_thread")]
async fn buyers_report_what_became_of_leads() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling { sale_mode: SaleMode::Shared { max: 2 }, ..Selling::default() }).await;
        let (buyer, other) = (app.buyer("Buyer", 100_000, vec![]).await, app.buyer("Other", 100_000, vec![]).await);
        app.contract(market.campaign_id, buyer, "one", terms(3_000)).await;
        app.contract(market.campaign_id, other, "two", terms(2_900)).await;
        for number in 1..=2 {
            app.client(&market.key).send_json("/v1/leads", &lead(number), None).await.unwrap();
        }
        let (user, foreign) = (app.buyer_user(buyer).await, app.buyer_user(other).await);
        let (sales, theirs) = (sales_of(&user).await, sales_of(&foreign).await);
        assert_eq!((sales.len(), theirs.len()), (2, 2));

        // One wrong, nothing kept; every problem has its place. Foreign and absent are told alike.
        let absent = json!("Sale:00000000-0000-0000-0000-000000000001");
        let refused = report(
            &user,
            json!([
                { "saleId": sales[0], "kind": "CONTACTED" },
                { "saleId": theirs[0], "kind": "WON" },
                { "saleId": absent, "kind": "WON" },
                { "saleId": "nonsense", "kind": "WON" },
                { "saleId": sales[1], "kind": "WON", "valueMinor": "-1" },
                { "saleId": sales[1], "kind": "LOST", "happenedAt": "2999-01-01T00:00:00Z" },
            ]),
        )
        .await;
        let told = |code: &str, place: usize, field: &str| json!({ "code": code, "field": ["input", "conversions", place.to_string(), field] });
        let problems = json!([
            told("NOT_FOUND", 1, "saleId"),
            told("NOT_FOUND", 2, "saleId"),
            told("NOT_FOUND", 3, "saleId"),
            told("OUT_OF_RANGE", 4, "valueMinor"),
            told("IN_FUTURE", 5, "happenedAt"),
        ]);
        assert_eq!(refused["userErrors"], problems);
        let count = "{ conversions(first: 1) { totalCount } }";
        assert_eq!(user.ask(count, json!({})).await["conversions"]["totalCount"], 0);
        let none = report(&user, json!([])).await;
        assert_eq!(none["userErrors"], json!([{ "code": "OUT_OF_RANGE", "field": ["input", "conversions"] }]));

        // Kept once per sale and kind, twice in one report or sent again.
        let said = json!([
            { "saleId": sales[0], "kind": "CONTACTED", "happenedAt": "2026-01-02T03:04:05Z" },
            { "saleId": sales[1], "kind": "WON", "valueMinor": "50000" },
            { "saleId": sales[1], "kind": "WON", "valueMinor": "60000" },
        ]);
        let first = report(&user, said.clone()).await;
        assert_eq!((&first["reportedCount"], &first["userErrors"]), (&json!(2), &json!([])), "{first}");
        assert_eq!(first["conversions"][0]["happenedAt"], "2026-01-02T03:04:05+00:00");
        assert_eq!(
            (&first["conversions"][1]["sale"]["id"], &first["conversions"][1]["value"]["amountMinor"]),
            (&sales[1], &json!("50000"))
        );
        let again = report(&user, said).await;
        assert_eq!((&again["reportedCount"], &again["conversions"]), (&json!(0), &first["conversions"]));

        // Staff reports for the buyer; the lead's timeline has every step, and the audit who told it.
        let manager = app.staff(Role::Manager).await;
        let by_staff = report(&manager, json!([{ "saleId": sales[0], "kind": "LOST" }])).await;
        assert_eq!(by_staff["reportedCount"], 1, "{by_staff}");
        let seen = manager
            .ask("query($id: ID!) { sale(id: $id) { lead { timeline { kind } } } }", json!({ "id": sales[0] }))
            .await;
        let steps = seen["sale"]["lead"]["timeline"].to_string();
        assert_eq!(steps.matches("CONVERSION_REPORTED").count(), 2, "{steps}");
        let audit = "{ auditEntries(first: 9, filter: { action: \"report\" }) { nodes { noun } } }";
        let lines = app.staff(Role::Admin).await.ask(audit, json!({})).await["auditEntries"]["nodes"].take();
        assert_eq!(lines, json!([{ "noun": "conversion" }, { "noun": "conversion" }]));
        app.finish().await;
    }
}
