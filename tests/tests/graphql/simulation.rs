//! Simulation as staff ask for it.

use leadyard_tests::market::{Selling, terms};
use leadyard_tests::{TestApp, TestDatabase};
use leadyard_types::{ContractTerms, Role};
use serde_json::{Value, json};

use crate::people::People;

const SIMULATE: &str = "mutation($input: SimulateInput!) { simulate(input: $input) {
    simulation { leads decisions inputsDiffering changedLeads repricedLeads soldLeads { before after delta }
      salesRateBasisPoints { before } sums { revenue { before { amount currency } after { amount } delta { amountMinor } }
      payout { after { amount } } profit { after { amount } } }
      buyers { id name sales { after } } contracts { name revenue { after { amount } } }
      changes { leadId reason before { contractName } after { contractName price { amount } } }
      limits { assumedVerdicts unknownBids waitingWithoutHistory } }
    userErrors { code field } } }";

/// Staff of every role may simulate, nobody else; what is answered is history's own where nothing is changed.
#[tokio::test(flavor = "multi_thread")]
async fn staff_simulate() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("Buyer", 2_000, vec![]).await;
        app.contract(market.campaign_id, buyer, "all", ContractTerms { priority: 2, ..terms(1_000) }).await;
        for number in 0..3 {
            let lead = leadyard_tests::market::lead(number);
            app.client(&market.key).send_json("/v1/leads", &lead, None).await.unwrap();
        }
        let analyst = app.staff(Role::Analyst).await;
        let answer = analyst.ask(SIMULATE, json!({ "input": {} })).await;
        let found = &answer["simulate"]["simulation"];
        assert_eq!(
            (&found["leads"], &found["decisions"], &found["inputsDiffering"]),
            (&json!(3), &json!(3), &json!(0))
        );
        assert_eq!(found["soldLeads"], json!({ "before": 2, "after": 2, "delta": 0 }));
        assert_eq!(found["salesRateBasisPoints"]["before"], 6_666);
        let sums = &found["sums"][0];
        assert_eq!(sums["revenue"]["before"], json!({ "amount": "20.00", "currency": "EUR" }));
        assert_eq!(
            (&sums["payout"]["after"]["amount"], &sums["profit"]["after"]["amount"]),
            (&json!("10.00"), &json!("10.00"))
        );
        assert_eq!((&found["changes"], &found["contracts"][0]["name"]), (&json!([]), &json!("all")), "{found}");

        let change = "[[contract]]\nname = \"all\"\nprice_minor = 900\n";
        let answer = analyst.ask(SIMULATE, json!({ "input": { "change": change } })).await;
        let found = &answer["simulate"]["simulation"];
        assert_eq!(found["sums"][0]["revenue"]["delta"]["amountMinor"], "-200", "{answer}");
        assert_eq!((&found["changedLeads"], &found["repricedLeads"]), (&json!(0), &json!(2)));
        let answer = analyst.ask(SIMULATE, json!({ "input": { "change": "[[contract]]\nprice = [" } })).await;
        assert_eq!(answer["simulate"]["userErrors"][0]["field"], json!(["input", "change"]), "{answer}");
        assert_eq!(answer["simulate"]["userErrors"][0]["code"], "SYNTAX", "{answer}");

        let wrong = json!({ "input": { "since": "2026-07-02T00:00:00Z", "until": "2026-07-01T00:00:00Z" } });
        let refused = analyst.ask(SIMULATE, wrong).await;
        let error = &refused["simulate"]["userErrors"][0];
        assert_eq!((&error["code"], &error["field"]), (&json!("OUT_OF_RANGE"), &json!(["input", "until"])));
        assert_eq!(refused["simulate"]["simulation"], Value::Null);
        let outside = app.buyer_user(buyer).await;
        let refused = outside.raw(SIMULATE, json!({ "input": {} })).await;
        assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN", "{refused}");
        app.finish().await;
    }
}
