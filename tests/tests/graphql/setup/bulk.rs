//! Many at once.

use leadyard_tests::{TestApp, on_both};
use leadyard_types::Role;
use serde_json::{Value, json};

use super::{call, done, market, wrong};
use crate::people::People as _;

/// The status of many contracts is set together: what cannot be done of them is told with its place, the rest is done, and
/// what has the status already stays at its version.
#[tokio::test(flavor = "multi_thread")]
async fn many_contracts_are_paused_together() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let manager = app.staff(Role::Manager).await;
        let made = market(&app, &manager).await;
        let mut ids = vec![made.contract.clone()];
        for name in ["b", "ended"] {
            let input = json!({ "campaignId": made.campaign, "buyerId": made.buyer, "name": name, "stage": "main", "priceMinor": 1000 });
            ids.push(done(&manager, "contractCreate", input, "contract { id }").await["contract"]["id"].clone());
        }
        let set = async |ids: &[Value], status: &str| {
            let input = json!({ "ids": ids, "status": status });
            call(&manager, "contractsStatusSet", "ContractsStatusSetInput", input, "contracts { id status version }").await
        };
        let ended = set(&ids[2..], "ARCHIVED").await;
        assert_eq!((&ended["userErrors"], &ended["contracts"][0]["version"]), (&json!([]), &json!(2)));
        ids.insert(1, made.buyer.clone());
        ids.push(json!("Contract:00000000-0000-0000-0000-000000000001"));
        ids.push(made.contract.clone());
        let paused = set(&ids, "PAUSED").await;
        let seen: Vec<_> = paused["contracts"].as_array().unwrap().iter().map(|one| (&one["id"], &one["status"], &one["version"])).collect();
        assert_eq!(seen, [(&ids[0], &json!("PAUSED"), &json!(2)), (&ids[2], &json!("PAUSED"), &json!(2))]);
        let told: Vec<_> = paused["userErrors"].as_array().unwrap().iter().map(|one| (one["code"].as_str().unwrap(), one["field"].clone())).collect();
        let at = |place: &str| json!(["input", "ids", place]);
        assert_eq!(told, [("NOT_FOUND", at("1")), ("INVALID_TRANSITION", at("3")), ("NOT_FOUND", at("4"))]);
        assert_eq!(paused["userErrors"][0]["message"], paused["userErrors"][2]["message"], "foreign is absent");
        assert_eq!(set(&ids[..1], "PAUSED").await["contracts"][0]["version"], 2, "nothing changed");
        for many in [vec![], vec![made.contract.clone(); 101]] {
            let refused = set(&many, "PAUSED").await;
            assert_eq!(refused["userErrors"][0]["code"], wrong("OUT_OF_RANGE", "ids")[0].0);
        }
        app.finish().await;
    })
    .await;
}
