//! What finance sets by hand.

use leadyard_tests::market::{Selling, lead, terms};
use leadyard_tests::{TestApp, on_both};
use leadyard_types::Role;
use serde_json::{Value, json};

use crate::people::{Asking, People};

const LIMIT: &str = "mutation($input: WalletCreditLimitSetInput!) { walletCreditLimitSet(input: $input) {
    wallet { creditLimit { amountMinor } available { amountMinor } } userErrors { code field } } }";

const SPEND: &str =
    "mutation($input: AdSpendSetInput!) { adSpendSet(input: $input) { changed userErrors { code field } } }";

async fn set(by: &Asking, question: &str, field: &str, input: Value) -> Value {
    by.ask(question, json!({ "input": input })).await[field].take()
}

/// A credit limit lets a buyer buy below zero, does not go below what is used of it, and is set by finance alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_credit_limit_is_set() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("Buyer", 500, vec![]).await;
        app.contract(market.campaign_id, buyer, "all", terms(3_000)).await;
        let finance = app.staff(Role::Finance).await;
        let input = |limit: i64, currency: &str| json!({ "buyerId": format!("Buyer:{buyer}"), "creditLimitMinor": limit.to_string(), "currency": currency });
        let wallet = set(&finance, LIMIT, "walletCreditLimitSet", input(2_500, "EUR")).await["wallet"].take();
        assert_eq!(
            wallet,
            json!({ "creditLimit": { "amountMinor": "2500" }, "available": { "amountMinor": "3000" } })
        );
        let answer = app.client(&market.key).send_json("/v1/leads", &lead(1), None).await.unwrap();
        assert_eq!(answer.1["status"], "sold");
        for (input, code, field) in [
            (input(2_499, "EUR"), "IN_USE", "creditLimitMinor"),
            (input(-1, "EUR"), "OUT_OF_RANGE", "creditLimitMinor"),
            (input(1, "EURO"), "INVALID_CURRENCY", "currency"),
            (json!({ "buyerId": "Buyer:00000000-0000-0000-0000-000000000001", "creditLimitMinor": "1", "currency": "EUR" }), "NOT_FOUND", "buyerId"),
        ] {
            let answer = set(&finance, LIMIT, "walletCreditLimitSet", input.clone()).await;
            assert_eq!(answer["userErrors"], json!([{ "code": code, "field": ["input", field] }]), "{input}");
            assert!(answer["wallet"].is_null());
        }
        let manager = app.staff(Role::Manager).await.raw(LIMIT, json!({ "input": input(0, "EUR") })).await;
        assert_eq!(manager["errors"][0]["extensions"]["code"], "FORBIDDEN");
        app.finish().await;
    })
    .await;
}

/// Ad spend is a day's total: the same again changes nothing, a corrected one books the difference, and the profit and loss
/// tells it.
#[tokio::test(flavor = "multi_thread")]
async fn ad_spend_is_a_total() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let finance = app.staff(Role::Finance).await;
        let spent = "{ profitAndLoss(range: { since: \"2026-06-30\", until: \"2026-06-30\" }, by: SOURCE) { adSpend { amountMinor } } }";
        for (total, changed) in [(1_000, true), (1_000, false), (700, true)] {
            let input = json!({ "sourceId": format!("Source:{}", market.source_id), "day": "2026-06-30", "amountMinor": total.to_string() });
            let answer = set(&finance, SPEND, "adSpendSet", input).await;
            assert_eq!(answer, json!({ "changed": changed, "userErrors": [] }));
            let told = finance.ask(spent, json!({})).await;
            assert_eq!(told["profitAndLoss"][0]["adSpend"]["amountMinor"], total.to_string());
        }
        let days = |since: &str, until: &str| {
            format!("{{ sources(first: 1) {{ nodes {{ adSpend(range: {{ since: \"{since}\", until: \"{until}\" }}) {{ day amount {{ amount currency }} }} }} }} }}")
        };
        let spent = json!([{ "day": "2026-06-30", "amount": { "amount": "7.00", "currency": "EUR" } }]);
        for (since, until, expected) in
            [("2026-06-30", "2026-06-30", &spent), ("2026-01-01", "2026-12-31", &spent), ("2026-07-01", "2026-07-31", &json!([]))]
        {
            let told = finance.ask(&days(since, until), json!({})).await;
            assert_eq!(told["sources"]["nodes"][0]["adSpend"], *expected, "{since} {until}");
        }
        let long = finance.raw(&days("2026-01-01", "2027-01-02"), json!({})).await;
        assert_eq!(long["errors"][0]["extensions"]["code"], "RANGE_INVALID");
        let input = json!({ "sourceId": "Source:00000000-0000-0000-0000-000000000001", "day": "2026-06-30", "amountMinor": "1" });
        let answer = set(&finance, SPEND, "adSpendSet", input).await;
        assert_eq!(answer["userErrors"], json!([{ "code": "NOT_FOUND", "field": ["input", "sourceId"] }]));
        app.finish().await;
    })
    .await;
}
