//! The description of the HTTP doors is true: what it gives as examples is taken, and what is answered is what it says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::time::Duration;

use leadyard_connectors::LeadSender;
use leadyard_connectors::fake::Behaviour;
use leadyard_market::MarketSettings;
use leadyard_tests::market::{Selling, TestMarket, lead, terms};
use leadyard_tests::{TestApp, TestDatabase, TestOptions};
use leadyard_types::{ContractTerms, Verdict};
use serde_json::{Value, json};

fn document() -> Value {
    serde_json::from_str(&leadyard::http::openapi::text().unwrap()).unwrap()
}

/// How a value differs from a schema, as far as the description uses schemas. A key that is not described is a difference.
fn differences(document: &Value, schema: &Value, value: &Value, path: &str) -> Vec<String> {
    let inside = |schema: &Value, value: &Value, path: &str| differences(document, schema, value, path);
    if let Some(reference) = schema["$ref"].as_str() {
        let found = document.pointer(reference.trim_start_matches('#'));
        return found
            .map_or_else(|| vec![format!("{path}: {reference} is nowhere")], |found| inside(found, value, path));
    }
    if let Some(alternatives) = schema["oneOf"].as_array() {
        let all: Vec<_> = alternatives.iter().map(|schema| inside(schema, value, path)).collect();
        return if all.iter().any(Vec::is_empty) { Vec::new() } else { all.concat() };
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => vec![kind],
    };
    let mut found = Vec::new();
    if !kinds.contains(&kind) {
        return vec![format!("{path}: {kind}, not {kinds:?}")];
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        found.push(format!("{path}: {value} is none of the words"));
    }
    match (schema["format"].as_str(), value.as_str()) {
        (Some("uuid"), Some(text)) if text.parse::<uuid::Uuid>().is_err() => found.push(format!("{path}: no id")),
        (Some("date-time"), Some(text)) if chrono::DateTime::parse_from_rfc3339(text).is_err() => {
            found.push(format!("{path}: no moment"));
        }
        _ => {}
    }
    if let Some(items) = value.as_array() {
        let items = items.iter().enumerate();
        found.extend(items.flat_map(|(place, item)| inside(&schema["items"], item, &format!("{path}.{place}"))));
    }
    if let Some(map) = value.as_object() {
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        found.extend(required.filter(|key| !map.contains_key(*key)).map(|key| format!("{path}.{key}: missing")));
        for (key, value) in map {
            let here = format!("{path}.{key}");
            match schema["properties"].get(key).or_else(|| schema.get("additionalProperties")) {
                Some(schema) => found.extend(inside(schema, value, &here)),
                None => found.push(format!("{here}: not described")),
            }
        }
    }
    found
}

/// The measure itself finds what is wrong: kinds, words, formats, missing and undescribed keys, however deep.
#[test]
fn the_measure_finds_what_is_wrong() {
    let document = document();
    let schema = &document["components"]["schemas"]["LeadAnswered"];
    let right = json!({ "lead_id": "01890a5d-ac96-774b-bcce-b302099a8057", "status": "sold", "check": null,
        "message": null, "problems": [], "price": { "amount_minor": 500, "currency": "EUR" }, "redirect_url": null,
        "repeated": false });
    assert_eq!(differences(&document, schema, &right, "x"), [""; 0]);
    for (pointer, wrong) in [
        ("/status", json!("bought")),
        ("/lead_id", json!("1")),
        ("/check", json!("nobody")),
        ("/problems", json!([{ "field": "email", "code": "REQUIRED" }])),
        ("/price/amount_minor", json!("5.00")),
        ("/repeated", json!(null)),
        ("/price", json!({ "amount_minor": 1, "currency": "EUR", "secret": 1 })),
    ] {
        let mut value = right.clone();
        *value.pointer_mut(pointer).unwrap() = wrong;
        assert!(!differences(&document, schema, &value, "x").is_empty(), "{pointer}");
    }
    let mut more = right.clone();
    more["undescribed"] = json!(1);
    assert_eq!(differences(&document, schema, &more, "x"), ["x.undescribed: not described"]);
    more.as_object_mut().unwrap().remove("status");
    assert_eq!(differences(&document, schema, &more, "x").len(), 2);
}

/// The example of an operation, which its own schema takes.
fn example(document: &Value, path: &str) -> Value {
    let content = &document["paths"][path]["post"]["requestBody"]["content"]["application/json"];
    let example = content["example"].clone();
    assert_eq!(differences(document, &content["schema"], &example, path), [""; 0]);
    example
}

/// Whether an answer is one that the description knows.
fn check(document: &Value, (method, path): (&str, &str), status: u16, answer: &Value) {
    let known = &document["paths"][path][method]["responses"][status.to_string()]["content"];
    let media = if status < 300 || path == "/health/ready" { "application/json" } else { "application/problem+json" };
    assert!(known[media].is_object(), "{method} {path} is not described to answer {status} {media}: {answer}");
    assert_eq!(differences(document, &known[media]["schema"], answer, path), [""; 0], "{answer}");
}

async fn send(document: &Value, client: &LeadSender, path: &str, body: &Value) -> (u16, Value) {
    let (status, answer) = client.send_json(path, body, None).await.unwrap();
    check(document, ("post", path), status, &answer);
    (status, answer)
}

/// An application whose suppliers are not kept waiting for verdicts.
async fn start(database: TestDatabase) -> TestApp {
    let market = MarketSettings { verdict_wait: Duration::ZERO, ..MarketSettings::default() };
    TestApp::start_with(database, TestOptions { market, ..TestOptions::default() }).await
}

/// Where the buyer of a lead calls back who answers posts, and whose answer was lost.
async fn called_back(app: &TestApp, market: &TestMarket) -> String {
    let asked = app.campaign_beside(market, "Asked", Selling::default()).await;
    let buyer = app.buyer("Asked", 100_000, vec![]).await;
    let destinations = vec![app.webhook(buyer, "/asked").await];
    app.receiver.program("/asked", Behaviour::CloseAfterReading { times: u32::MAX });
    let terms = ContractTerms { verdict: Verdict::Sync, destinations, ..terms(1_000) };
    app.contract(asked.campaign_id, buyer, "asked", terms).await;
    app.client(&asked.key).send_json("/v1/leads", &lead(900), None).await.unwrap();
    app.idle().await;
    let posted: Value = serde_json::from_slice(app.receiver.bodies().last().unwrap()).unwrap();
    let url = posted["data"]["callback_url"].as_str().unwrap();
    url[url.find("/v1/").unwrap()..].to_owned()
}

/// What the description gives as examples sells; and leads that are refused, wrong keys and pings that are gone are answered
/// as it says.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_described_is_what_happens() {
    for database in TestDatabase::both().await {
        let app = start(database).await;
        let market: TestMarket = app.market(Selling::default()).await;
        let buyer = app.buyer("Buyer", 100_000, vec![]).await;
        app.contract(market.campaign_id, buyer, "all", terms(1_000)).await;
        let document = document();
        let (client, stranger) = (app.client(&market.key), app.client("ly_live_00000000000000000000000000000000_no"));

        let (status, sold) = send(&document, &client, "/v1/leads", &example(&document, "/v1/leads")).await;
        assert_eq!((status, &sold["status"], &sold["price"]["amount_minor"]), (200, &json!("sold"), &json!(500)));
        let (_, rejected) = send(&document, &client, "/v1/leads", &json!({ "fields": { "email": "x" } })).await;
        assert_eq!((&rejected["status"], &rejected["check"]), (&json!("rejected"), &json!("FIELDS")));
        assert_eq!(send(&document, &client, "/v1/leads", &json!([1])).await.0, 400);
        for path in ["/v1/leads", "/v1/pings", "/v1/posts"] {
            assert_eq!(send(&document, &stranger, path, &json!({})).await.0, 401);
        }

        let (_, promised) = send(&document, &client, "/v1/pings", &example(&document, "/v1/pings")).await;
        assert_eq!(promised["status"], "offered", "{promised}");
        let mut post = example(&document, "/v1/posts");
        assert_eq!(send(&document, &client, "/v1/posts", &post).await.0, 404, "the example's ping is nobody's");
        post["ping_id"] = promised["ping_id"].clone();
        post["fields"]["email"] = json!("grace@mail.example.com");
        post["fields"]["phone"] = json!("030 7654321");
        let mut changed = post.clone();
        changed["fields"]["postal_code"] = json!("20095");
        assert_eq!(send(&document, &client, "/v1/posts", &changed).await.0, 422);
        // The ping came without a mark, so the post may have none that was priced.
        post["subid"] = example(&document, "/v1/pings")["subid"].clone();
        let (status, posted) = send(&document, &client, "/v1/posts", &post).await;
        assert_eq!((status, &posted["status"], &posted["ping_id"]), (200, &json!("sold"), &promised["ping_id"]));
        let (_, refused) = send(&document, &client, "/v1/pings", &json!({ "fields": { "size": "many" } })).await;
        assert_eq!(refused["status"], "refused");

        let path = "/v1/sales/{reference}/verdict";
        let (at, stranger) = (called_back(&app, &market).await, "/v1/sales/0/verdict");
        let refusal = json!({ "verdict": "rejected" });
        let told = [(&at, example(&document, path), 200), (&at, refusal.clone(), 409), (&at, json!([]), 400)];
        for (at, body, expected) in told.into_iter().chain([(&stranger.to_owned(), refusal, 404)]) {
            let (status, answer) = app.client("").send_json(at, &body, None).await.unwrap();
            assert_eq!(status, expected, "{answer}");
            check(&document, ("post", path), status, &answer);
        }
        app.finish().await;
    }
}

/// Every operation that is described is there, and the description that is served is the one that is committed, without a
/// key.
#[tokio::test(flavor = "multi_thread")]
async fn every_operation_is_there() {
    let app = start(TestDatabase::sqlite()).await;
    let market = app.market(Selling::default()).await;
    let callback = called_back(&app, &market).await;
    let document = document();
    let client = app.client("");
    for (path, operations) in document["paths"].as_object().unwrap() {
        let at = path.replace("{form}", &market.form_key).replace("/v1/sales/{reference}/verdict", &callback);
        for method in operations.as_object().unwrap().keys() {
            let status = match method.as_str() {
                "get" => client.get(&at).await.unwrap().status,
                "post" => client.post(&at, "text/plain", vec![], Vec::new()).await.unwrap().status,
                other => panic!("{other} {path}: ask it here"),
            };
            assert!(!matches!(status, 404 | 405), "{method} {path} answered {status}");
            let described = operations[method]["responses"].as_object().unwrap();
            assert!(described.contains_key(&status.to_string()), "{method} {path} answered {status}");
        }
    }
    let served = client.get("/v1/openapi.json").await.unwrap();
    assert_eq!(String::from_utf8_lossy(&served.body), leadyard::http::openapi::text().unwrap());
    for path in ["/health/live", "/health/ready"] {
        let answer = client.get(path).await.unwrap();
        check(&document, ("get", path), answer.status, &serde_json::from_slice(&answer.body).unwrap());
    }
    // The answer that was lost stays so.
    app.clock.advance(chrono::Duration::hours(1));
    app.finish().await;
}
