//! The configuration as text over GraphQL: who runs the market reads and plans; nobody changes anything by it.

use leadyard_tests::market::{Selling, terms};
use leadyard_tests::{OPERATE, TestApp, on_both};
use leadyard_types::Role;
use serde_json::{Value, json};

use crate::people::People as _;

const PLAN: &str = "query($text: String!) { configurationPlan(text: $text) { version words
    changes { action noun name fields { path before after } } problems { line at field code message } } }";

#[tokio::test(flavor = "multi_thread")]
async fn who_runs_the_market_reads_and_plans() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        app.campaign_beside(&market, "Another", Selling::default()).await;
        let buyer = app.buyer("Buyer", 0, vec![]).await;
        app.contract(market.campaign_id, buyer, "A", terms(4_500)).await;
        let manager = app.staff(Role::Manager).await;
        let answer = manager.ask("{ configuration campaigns(first: 9) { nodes { id name } } }", json!({})).await;
        let text = answer["configuration"].as_str().unwrap();
        assert!(text.contains("name = \"A\"") && text.contains("name = \"Another\""));
        let nodes = answer["campaigns"]["nodes"].as_array().unwrap();
        let id = &nodes.iter().find(|node| node["name"] == "Another").unwrap()["id"];
        let only = manager.ask("query($id: ID) { configuration(campaignId: $id) }", json!({ "id": id })).await;
        let only = only["configuration"].as_str().unwrap();
        assert!(!only.contains("name = \"A\"") && only.contains("name = \"Another\""));

        let before = app.store().read(OPERATE).config_version().await.unwrap();
        let edited = text.replace("price_minor = 4500", "price_minor = 4900");
        let planned = &manager.ask(PLAN, json!({ "text": edited })).await["configurationPlan"];
        assert_eq!(planned["words"], "~ contract \"A\" price_minor 4500 → 4900\n");
        assert_eq!(
            planned["changes"],
            json!([{ "action": "CHANGE", "noun": "contract", "name": "A",
                "fields": [{ "path": "price_minor", "before": "4500", "after": "4900" }] }])
        );
        assert_eq!((&planned["version"], &planned["problems"]), (&json!(before.config), &json!([])));
        let wrong = "[[contract]]\nname = \"A\"\nprice_minor = \"x\"\n[[destination]]\nname = \"New\"\nbuyer = \"Buyer\"\n\
            kind = \"WEBHOOK\"\nconfig = { url = { env = \"PATH\" } }";
        let planned = &manager.ask(PLAN, json!({ "text": wrong })).await["configurationPlan"];
        let told: Vec<(&Value, &Value)> = planned["problems"]
            .as_array()
            .unwrap()
            .iter()
            .map(|problem| (&problem["line"], &problem["code"]))
            .collect();
        // The server's environment is nobody's to look into from outside.
        assert_eq!(told, [(&json!(3), &json!("WRONG_TYPE")), (&json!(8), &json!("SECRET_MISSING"))], "{planned}");
        assert_eq!(app.store().read(OPERATE).config_version().await.unwrap(), before, "nothing was written");

        for other in [app.staff(Role::Analyst).await, app.staff(Role::Finance).await, app.buyer_user(buyer).await] {
            for question in ["{ configuration }", "{ configurationPlan(text: \"\") { version } }"] {
                let answer = other.raw(question, json!({})).await;
                assert!(answer["data"].is_null() && answer["errors"][0]["extensions"]["code"].is_string(), "{answer}");
            }
        }
        app.finish().await;
    })
    .await;
}
