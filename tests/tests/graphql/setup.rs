//! Setting a market up and changing it through GraphQL alone.

mod bulk;
mod changes;
mod problems;
mod whole;

use leadyard_tests::TestApp;
use serde_json::{Value, json};

use crate::people::Asking;

/// Calls a mutation with an input; answers its payload.
pub(crate) async fn call(by: &Asking, name: &str, kind: &str, input: Value, wanted: &str) -> Value {
    let question = format!(
        "mutation($input: {kind}!) {{ {name}(input: $input) {{ {wanted} userErrors {{ code field message }} }} }}"
    );
    by.ask(&question, json!({ "input": input })).await[name].take()
}

/// Calls `fooCreate`, `fooUpdate` …, whose input is called like it; nothing is to be put right.
pub(crate) async fn done(by: &Asking, name: &str, input: Value, wanted: &str) -> Value {
    let answer = call(by, name, &input_of(name), input, wanted).await;
    assert_eq!(answer["userErrors"], json!([]), "{name}: {answer}");
    answer
}

/// The same where something is to be put right: codes with the paths from `input` on.
pub(crate) async fn told(by: &Asking, name: &str, input: Value) -> Vec<(String, String)> {
    let answer = call(by, name, &input_of(name), input, "").await;
    let spelt = |error: &Value| {
        let path: Vec<&str> = error["field"].as_array().unwrap().iter().skip(1).filter_map(Value::as_str).collect();
        (error["code"].as_str().unwrap().to_owned(), path.join("."))
    };
    answer["userErrors"].as_array().unwrap().iter().map(spelt).collect()
}

pub(crate) fn wrong(code: &str, path: &str) -> Vec<(String, String)> {
    vec![(code.to_owned(), path.to_owned())]
}

fn input_of(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    format!("{}{rest}Input", first.to_uppercase())
}

/// The ids of a small market.
pub(crate) struct Made {
    pub(crate) vertical: Value,
    pub(crate) campaign: Value,
    pub(crate) supplier: Value,
    pub(crate) source: Value,
    pub(crate) key: String,
    pub(crate) buyer: Value,
    pub(crate) destination: Value,
    pub(crate) contract: Value,
}

/// Makes a vertical, a campaign, a supplier with source and key, a buyer with a webhook, and a contract.
pub(crate) async fn market(app: &TestApp, by: &Asking) -> Made {
    let id = |answer: Value, noun: &str| answer[noun]["id"].clone();
    let fields = json!([
        { "key": "email", "kind": "EMAIL", "required": "POST", "personal": true },
        { "key": "phone", "kind": "PHONE", "personal": true },
        { "key": "postal_code", "kind": "POSTAL_CODE", "required": "POST", "personal": false },
    ]);
    let input = json!({ "key": "solar", "name": "Solar", "fields": fields });
    let vertical = id(done(by, "verticalCreate", input, "vertical { id }").await, "vertical");
    let input = json!({ "verticalId": vertical, "name": "Solar DE", "country": "DE", "currency": "EUR",
        "timeZone": "Europe/Berlin", "stages": [{ "key": "main", "method": "WATERFALL" }],
        "complaintPolicy": { "windowDays": 14, "reasons": ["UNREACHABLE"], "clawback": true } });
    let campaign = id(done(by, "campaignCreate", input, "campaign { id }").await, "campaign");
    let input = json!({ "name": "Sun Media", "email": "sun@media.example" });
    let supplier = id(done(by, "supplierCreate", input, "supplier { id }").await, "supplier");
    let input = json!({ "supplierId": supplier, "campaignId": campaign, "name": "Site",
        "cost": { "kind": "PER_SOLD_LEAD", "amountMinor": "500" } });
    let source = id(done(by, "sourceCreate", input, "source { id }").await, "source");
    let input = json!({ "sourceId": source, "label": "first" });
    let key = done(by, "sourceKeyCreate", input, "secret sourceKey { beginsWith }").await;
    let secret = key["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with(key["sourceKey"]["beginsWith"].as_str().unwrap()), "{key}");
    let input = json!({ "name": "Sunny", "timeZone": "Europe/Berlin", "wallets": [{ "currency": "EUR" }] });
    let buyer = id(done(by, "buyerCreate", input, "buyer { id }").await, "buyer");
    let webhook = json!({ "url": app.receiver.url("/hook"), "timeoutMs": 30_000 });
    let input = json!({ "buyerId": buyer, "name": "CRM", "settings": { "webhook": webhook } });
    let made = done(by, "destinationCreate", input, "destination { id } secret").await;
    let signing = made["secret"].as_str().unwrap().to_owned();
    app.receiver.require_signature("/hook", vec![signing.into()]);
    let destination = id(made, "destination");
    let input = json!({ "campaignId": campaign, "buyerId": buyer, "name": "Everything", "stage": "main",
        "priceMinor": "4500", "destinationIds": [destination] });
    let contract = id(done(by, "contractCreate", input, "contract { id }").await, "contract");
    Made { vertical, campaign, supplier, source, key: secret, buyer, destination, contract }
}
