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

/// A configuration that was planned is applied whole, with the secrets it made; not where something changed since, and
/// whatever is wrong with the text is told by its line.
#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_is_applied_as_planned() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let manager = app.staff(Role::Manager).await;
        market(&app, &manager).await;
        let wanted = "version created changed secrets { destination secret } problems { line code }";
        let apply = async |text: &str, version: Option<i64>| {
            let input = json!({ "text": text, "version": version });
            call(&manager, "configurationApply", "ConfigurationApplyInput", input, wanted).await
        };
        let hook = app.receiver.url("/second");
        let text = format!(
            "[[contract]]\nname = \"Everything\"\nprice_minor = 4900\n[[destination]]\nname = \"Second\"\nbuyer = \"Sunny\"\n\
             kind = \"WEBHOOK\"\nconfig = {{ url = \"{hook}\" }}"
        );
        let question = "query($text: String!) { configurationPlan(text: $text) { version } }";
        let planned = manager.ask(question, json!({ "text": text })).await["configurationPlan"]["version"].as_i64();
        let stale = apply(&text, planned.map(|version| version - 1)).await;
        assert_eq!(stale["userErrors"][0]["code"], "STALE_VERSION", "{stale}");
        let applied = apply(&text, planned).await;
        assert_eq!((&applied["created"], &applied["changed"]), (&json!(1), &json!(1)), "{applied}");
        assert_eq!(applied["secrets"][0]["destination"], "Second of Sunny");
        assert!(applied["secrets"][0]["secret"].as_str().unwrap().starts_with("whsec_"));
        let prices = manager.ask("{ contracts(first: 5) { nodes { price { amountMinor } } } }", json!({})).await;
        assert_eq!(prices["contracts"]["nodes"][0]["price"]["amountMinor"], "4900");
        let wrong = apply("[[contract]]\nname = \"Everything\"\nprice_minor = \"much\"", None).await;
        assert_eq!(wrong["problems"], json!([{ "line": 3, "code": "WRONG_TYPE" }]), "{wrong}");
        assert_eq!((&wrong["version"], &wrong["userErrors"][0]["field"]), (&Value::Null, &json!(["input", "text"])));
        app.finish().await;
    })
    .await;
}

/// Deliveries are sent again together: those that ended are, and what cannot be is told with its place.
#[tokio::test(flavor = "multi_thread")]
async fn deliveries_are_sent_again_together() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let manager = app.staff(Role::Manager).await;
        let finance = app.staff(Role::Finance).await;
        let made = market(&app, &manager).await;
        let money = json!({ "buyerId": made.buyer, "amountMinor": "9000", "currency": "EUR", "idempotencyKey": "k" });
        let kind = "WalletCreditInput";
        call(&finance, "walletTopUp", kind, money, "moved").await;
        for number in 1..=2 {
            app.client(&made.key).send_json("/v1/leads", &leadyard_tests::market::lead(number), None).await.unwrap();
        }
        app.idle().await;
        let list = "{ deliveries(first: 5, orderBy: OLDEST) { nodes { id attemptCount } } }";
        let before = manager.ask(list, json!({})).await["deliveries"]["nodes"].take();
        let ids = json!([before[0]["id"], made.buyer, before[1]["id"]]);
        let input = json!({ "ids": ids });
        let wanted = "deliveries { id }";
        let sent = call(&manager, "deliveriesReplay", "DeliveriesReplayInput", input, wanted).await;
        assert_eq!(sent["deliveries"], json!([{ "id": before[0]["id"] }, { "id": before[1]["id"] }]), "{sent}");
        let error = &sent["userErrors"][0];
        assert_eq!((&error["code"], &error["field"]), (&json!("NOT_FOUND"), &json!(["input", "ids", "1"])));
        app.idle().await;
        let after = manager.ask(list, json!({})).await["deliveries"]["nodes"].take();
        for place in 0..2 {
            let more = after[place]["attemptCount"].as_i64().unwrap() - before[place]["attemptCount"].as_i64().unwrap();
            assert!(more >= 1, "{after}");
        }
        app.finish().await;
    })
    .await;
}
