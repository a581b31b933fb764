//! From nothing to the books.

use leadyard_tests::market::lead;
use leadyard_tests::{TestApp, on_both};
use leadyard_types::Role;
use serde_json::json;

use super::{done, market, told, wrong};
use crate::people::{People as _, ids};

/// A market is made of nothing through GraphQL alone; a lead sent with its key is sold, delivered under the secret that was
/// shown, complained about and credited, and stands in the books.
#[tokio::test(flavor = "multi_thread")]
async fn a_market_is_made_of_nothing() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let (manager, finance) = (app.staff(Role::Manager).await, app.staff(Role::Finance).await);
        let made = market(&app, &manager).await;
        let money = json!({ "buyerId": made.buyer, "amountMinor": "100000", "currency": "EUR", "idempotencyKey": "k" });
        let question =
            "mutation($input: WalletCreditInput!) { walletTopUp(input: $input) { moved userErrors { code } } }";
        assert_eq!(finance.ask(question, json!({ "input": money })).await["walletTopUp"]["moved"], true);

        let answer = app.client(&made.key).send_json("/v1/leads", &lead(1), None).await.unwrap();
        assert_eq!(answer.1["status"], "sold", "{answer:?}");
        app.idle().await;
        let sales =
            manager.ask("{ sales(first: 1) { nodes { id price { amount } deliveries { state } } } }", json!({})).await;
        let sale = &sales["sales"]["nodes"][0];
        assert_eq!((&sale["price"]["amount"], &sale["deliveries"][0]["state"]), (&json!("45.00"), &json!("ACCEPTED")));

        let open = json!({ "saleId": sale["id"], "reason": "UNREACHABLE" });
        let complaint = done(&finance, "complaintOpen", open, "complaint { id }").await["complaint"]["id"].clone();
        let decide = json!({ "complaintId": complaint, "verdict": "UPHOLD" });
        let decided = done(&finance, "complaintDecide", decide, "complaint { credit { amount } }").await;
        assert_eq!(decided["complaint"]["credit"]["amount"], "45.00");
        let books = finance.ask(crate::PROFIT, json!({ "by": "CONTRACT" })).await;
        let line = &books["profitAndLoss"][0];
        assert_eq!(
            (&line["name"], &line["revenue"]["amountMinor"], &line["credits"]["amountMinor"]),
            (&json!("Everything"), &json!("4500"), &json!("4500")),
            "{books}"
        );
        app.finish().await;
    })
    .await;
}

/// A source's keys: two at most, listed without their secrets, and one that is revoked opens nothing any more.
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_shown_once_and_end_at_once() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let manager = app.staff(Role::Manager).await;
        let made = market(&app, &manager).await;
        let second = json!({ "sourceId": made.source, "label": "second" });
        let key = done(&manager, "sourceKeyCreate", second.clone(), "secret sourceKey { id }").await;
        assert_eq!(told(&manager, "sourceKeyCreate", second).await, wrong("TOO_MANY_KEYS", "sourceId"));
        let list =
            "query($id: ID!) { source(id: $id) { keys { id label beginsWith createdAt revokedAt source { name } } } }";
        let listed = manager.ask(list, json!({ "id": made.source })).await["source"]["keys"].take();
        let labels: Vec<_> = listed.as_array().unwrap().iter().map(|key| key["label"].clone()).collect();
        assert_eq!(labels.len(), 2, "{listed}");
        let secret = key["secret"].as_str().unwrap();
        assert!(!listed.to_string().contains(secret.rsplit('_').next().unwrap()), "a secret is shown once");

        let client = app.client(secret);
        assert_eq!(client.send_json("/v1/leads", &lead(1), None).await.unwrap().0, 200);
        let revoke = json!({ "sourceKeyId": key["sourceKey"]["id"] });
        let ended = done(&manager, "sourceKeyRevoke", revoke.clone(), "sourceKey { revokedAt }").await;
        assert!(ended["sourceKey"]["revokedAt"].is_string(), "{ended}");
        assert_eq!(client.send_json("/v1/leads", &lead(2), None).await.unwrap().0, 401);
        assert_eq!(told(&manager, "sourceKeyRevoke", revoke).await, wrong("NOT_FOUND", "sourceKeyId"));
        let node = "query($id: ID!) { node(id: $id) { id } }";
        let seen = manager.ask(node, json!({ "id": key["sourceKey"]["id"] })).await;
        assert_eq!(seen["node"]["id"], key["sourceKey"]["id"]);
        app.finish().await;
    })
    .await;
}

/// A webhook's new secret signs beside the old one; what may be a secret is never shown again, and stays where only its
/// name is sent.
#[tokio::test(flavor = "multi_thread")]
async fn settings_keep_their_secrets() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let manager = app.staff(Role::Manager).await;
        let made = market(&app, &manager).await;
        let headers = json!([{ "name": "X-Api-Key", "value": "geheim-4711" }]);
        let input = json!({ "destinationId": made.destination, "version": 1, "settings": { "webhook": { "headers": headers } } });
        let wanted = "destination { version webhook { url headers { name value } template timeoutMs method } email { to } }";
        let changed = done(&manager, "destinationUpdate", input, wanted).await["destination"].take();
        assert_eq!(changed["webhook"]["url"], app.receiver.url("/hook"), "what was left out stays");
        assert_eq!(changed["webhook"]["headers"], json!([{ "name": "X-Api-Key", "value": null }]));
        assert_eq!((&changed["version"], &changed["email"]), (&json!(2), &json!(null)));
        let input = json!({ "destinationId": made.destination, "version": 2,
            "settings": { "webhook": { "headers": [{ "name": "x-api-key" }], "method": "PUT" } } });
        done(&manager, "destinationUpdate", input, wanted).await;
        let stored = app.store().read(leadyard_tests::OPERATE);
        let id = made.destination.as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
        let row = stored.by_id::<leadyard_entity::model::destination::Entity>(id).await.unwrap().unwrap();
        assert!(row.config.contains("geheim-4711") && row.config.contains("PUT"), "{}", row.config);

        let rotate = json!({ "destinationId": made.destination, "version": 3 });
        let rotated = done(&manager, "destinationSecretRotate", rotate.clone(), "secret destination { version }").await;
        assert!(rotated["secret"].as_str().unwrap().starts_with("whsec_"), "{rotated}");
        assert_eq!(told(&manager, "destinationSecretRotate", rotate).await, wrong("STALE_VERSION", "version"));

        // A place where a buyer is asked, with everything that is read back as it was sent.
        let answer = json!({ "format": "JSON", "statuses": [200], "success": { "path": "ok", "equals": ["true"] },
            "price": { "path": "bid.price", "pattern": "[0-9.]+" }, "unit": "MINOR", "decimals": "DOT", "expires": { "path": "until" } });
        let ping = json!({ "url": app.bidder.url("/ask"), "preset": "LEADYARD", "timeoutMs": 800, "answer": answer,
            "mapping": [{ "name": "zip", "value": { "field": "postal_code" } }, { "name": "key", "value": { "text": "geheim-4712" } },
                { "name": "id", "value": { "fact": "PING_ID" } }],
            "hashes": [{ "field": "phone", "name": "phone_hash", "algorithm": "SHA256" }] });
        let input = json!({ "buyerId": made.buyer, "name": "Asked", "settings": { "ping": ping } });
        let wanted = "secret destination { kind ping { preset timeoutMs mapping { name field isConstant constant fact }
            hashes { field algorithm } answer { format statuses success { path equals } price { path pattern } unit decimals expires { path } } } }";
        let asked = done(&manager, "destinationCreate", input, wanted).await;
        let read = &asked["destination"]["ping"];
        assert_eq!((&read["preset"], &read["timeoutMs"], &read["hashes"][0]["algorithm"]), (&json!("LEADYARD"), &json!(800), &json!("SHA256")));
        assert_eq!(read["answer"]["price"], json!({ "path": "bid.price", "pattern": "[0-9.]+" }));
        assert_eq!((&read["mapping"][1]["isConstant"], &read["mapping"][1]["constant"]), (&json!(true), &json!(null)));
        assert_eq!(read["mapping"][2]["fact"], "PING_ID");
        let mail = json!({ "to": ["desk@buyer.example"], "subject": "A lead", "body": "{{ lead_id }}" });
        for settings in [json!({ "email": mail }), json!({ "portal": true })] {
            let input = json!({ "buyerId": made.buyer, "name": "Another", "settings": settings });
            let other = done(&manager, "destinationCreate", input, "secret destination { kind email { to replyTo } }").await;
            assert_eq!(other["secret"], json!(null), "{other}");
        }
        let input = json!({ "destinationId": made.destination, "version": 4, "settings": { "email": { "subject": "x" } } });
        assert_eq!(told(&manager, "destinationUpdate", input).await, wrong("NOT_ALLOWED", "settings"));
        let pause = json!({ "destinationId": made.destination, "version": 4, "status": "PAUSED" });
        let paused = done(&manager, "destinationUpdate", pause, "destination { status }").await;
        assert_eq!(paused["destination"]["status"], "PAUSED");
        let groups = manager.ask("{ buyerGroups(first: 5) { nodes { id } } }", json!({})).await;
        assert!(ids(&groups["buyerGroups"]).is_empty());
        app.finish().await;
    })
    .await;
}
