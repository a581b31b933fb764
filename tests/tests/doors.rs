//! The suppliers' door: what is sent is answered clearly, stored, and never taken twice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use leadyard::http::rates::RateLimits;
use leadyard::http::server::ServerLimits;
use leadyard_connectors::LeadSender;
use leadyard_tests::market::{Selling, lead, terms};
use leadyard_tests::{OPERATE, TestApp, TestDatabase};
use serde_json::{Value, json};

/// The same key gets the first answer; with another body it is refused; without a key the same body counts as the same
/// request for a minute (domain page, section 2).
#[tokio::test(flavor = "multi_thread")]
async fn a_request_counts_once() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("Buyer", 100_000, vec![]).await;
        app.contract(market.campaign_id, buyer, "a", terms(1_000)).await;
        let client = app.client(&market.key);
        let (_, first) = client.send_json("/v1/leads", &lead(1), Some("k1")).await.unwrap();
        let (_, again) = client.send_json("/v1/leads", &lead(1), Some("k1")).await.unwrap();
        assert_eq!((&first["lead_id"], &again["repeated"]), (&again["lead_id"], &Value::Bool(true)));
        assert_eq!((&first["status"], &first["price"]["amount_minor"]), (&json!("sold"), &json!(500)));
        assert_eq!(first["redirect_url"], "https://thanks.example/sold");
        let (status, problem) = client.send_json("/v1/leads", &lead(2), Some("k1")).await.unwrap();
        assert_eq!((status, &problem["code"]), (409, &json!("IDEMPOTENCY_KEY_REUSED")));
        let (_, plain) = client.send_json("/v1/leads", &lead(3), None).await.unwrap();
        let (_, twin) = client.send_json("/v1/leads", &lead(3), None).await.unwrap();
        assert_eq!(plain["lead_id"], twin["lead_id"]);
        app.clock.advance(chrono::Duration::seconds(61));
        let (_, later) = client.send_json("/v1/leads", &lead(3), None).await.unwrap();
        assert_eq!((&later["status"], &later["check"]), (&json!("rejected"), &json!("DUPLICATE")));
        app.finish().await;
    }
}

/// 40 twins at once, with and without a key, are one lead each.
#[tokio::test(flavor = "multi_thread")]
async fn twins_at_once_are_one_lead() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let client = Arc::new(app.client(&market.key));
        for key in [None, Some("twin")] {
            let mut twins = tokio::task::JoinSet::new();
            for _ in 0..40 {
                let client = Arc::clone(&client);
                twins.spawn(async move {
                    client.send_json("/v1/leads", &lead(usize::from(key.is_some())), key).await.unwrap()
                });
            }
            let answers = twins.join_all().await;
            let ids: std::collections::BTreeSet<String> =
                answers.iter().map(|(status, answer)| format!("{status} {}", answer["lead_id"])).collect();
            assert_eq!(ids.len(), 1, "{ids:?}");
        }
        app.finish().await;
    }
}

/// Bad input gets a clear answer that names the field and never repeats the value; nothing panics, nothing blocks.
#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_named() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let client = app.client(&market.key);
        let with = |key: &str, value: Value| {
            let mut body = lead(7);
            body[key] = value;
            body
        };
        for (body, field, code) in [
            (with("email", json!("nobody")), "email", "INVALID_EMAIL"),
            (with("email", Value::Null), "email", "REQUIRED"),
            (with("phone", json!("12")), "phone", "INVALID_PHONE"),
            (with("postal_code", json!(1067)), "postal_code", "INVALID_POSTAL_CODE"),
            (with("size", json!(1e300)), "size", "INVALID_INTEGER"),
            (with("size", json!(10_000_000)), "size", "OUT_OF_RANGE"),
            (with("size", json!("many")), "size", "INVALID_INTEGER"),
            (with("born", json!("30.02.2026")), "born", "INVALID_DATE"),
            (with("born", json!("1850-01-01")), "born", "OUT_OF_RANGE"),
            (with("born", json!("2999-01-01")), "born", "OUT_OF_RANGE"),
            (with("shoe", json!("44")), "shoe", "UNKNOWN_FIELD"),
            (with("consent", json!([1])), "consent", "WRONG_SHAPE"),
            (with("enquired_at", json!("2999-01-01T00:00:00Z")), "enquired_at", "IN_FUTURE"),
        ] {
            let (status, answer) = client.send_json("/v1/leads", &body, None).await.unwrap();
            assert_eq!(
                (status, &answer["status"], &answer["check"]),
                (200, &json!("rejected"), &json!("FIELDS")),
                "{body} {answer}"
            );
            let problem = &answer["problems"][0];
            assert_eq!((problem["field"].as_str(), problem["code"].as_str()), (Some(field), Some(code)), "{answer}");
        }
        let both = json!({ "email": "x", "postal_code": "x" });
        let (_, answer) = client.send_json("/v1/leads", &both, None).await.unwrap();
        assert_eq!(answer["problems"].as_array().unwrap().len(), 2, "all problems at once: {answer}");
        let deep = format!("{{\"email\":{}{}}}", "[".repeat(20_000), "]".repeat(20_000));
        for (kind, body, status) in [
            ("application/json", b"{\"email\":".to_vec(), 400),
            ("application/json", b"\xff\xfe\x00".to_vec(), 400),
            ("application/json", b"[]".to_vec(), 400),
            ("application/json", deep.into_bytes(), 400),
            ("application/json", vec![b'x'; 10_000_000], 413),
            ("text/plain", b"email=a".to_vec(), 415),
        ] {
            // A server that refuses a long body early may close before all of it was sent.
            if let Ok(answer) = client.post("/v1/leads", kind, vec![], body).await {
                assert_eq!(answer.status, status);
            }
        }
        let (status, _) = app.client("ly_live_no_key").send_json("/v1/leads", &lead(1), None).await.unwrap();
        assert_eq!(status, 401);
        app.finish().await;
    }
}

/// A web form goes the same way, and its visitor is redirected where the lead was sold.
#[tokio::test(flavor = "multi_thread")]
async fn a_form_goes_the_same_way() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("Buyer", 100_000, vec![]).await;
        app.contract(market.campaign_id, buyer, "a", terms(1_000)).await;
        let client = app.client("");
        let path = format!("/f/{}", market.form_key);
        let form = "application/x-www-form-urlencoded";
        let answer =
            client.post(&path, form, vec![], "email=ada%40mail.example.com&postal_code=01067".into()).await.unwrap();
        assert_eq!((answer.status, answer.header("location")), (303, Some("https://thanks.example/sold")));
        let answer = client.post(&path, form, vec![], "email=x".into()).await.unwrap();
        assert_eq!(answer.status, 422);
        assert_eq!(client.get(&path).await.unwrap().status, 200);
        assert_eq!(client.get("/f/nothing").await.unwrap().status, 404);
        app.finish().await;
    }
}

/// An orderly end answers what is under way: whatever was stored was acknowledged, and the other way round.
#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_end_answers_what_is_under_way() {
    for database in TestDatabase::both().await {
        let mut app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let mut clients = tokio::task::JoinSet::new();
        for client in 0..32 {
            let (sender, acknowledged) = (app.client(&market.key), Arc::clone(&acknowledged));
            clients.spawn(async move {
                for number in 0..1_000 {
                    match sender.send_json("/v1/leads", &lead(client * 1_000 + number), None).await {
                        Ok((status, answer)) => assert_eq!((status, &answer["status"]), (200, &json!("unsold"))),
                        Err(_) => return,
                    }
                    acknowledged.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        while acknowledged.load(Ordering::SeqCst) < 100 {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        app.server.take().unwrap().shutdown().await;
        clients.join_all().await;
        let stored = app.store().read(OPERATE).totals().await.unwrap().received;
        assert_eq!(usize::try_from(stored).unwrap(), acknowledged.load(Ordering::SeqCst));
        app.finish().await;
    }
}

/// Who asks too often is told when to come back; others are served, and the same lead is taken then.
#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_often_comes_back_later() {
    let app = TestApp::start(TestDatabase::sqlite()).await;
    let market = app.market(Selling::default()).await;
    let rates = RateLimits {
        per_key_per_second: 2,
        per_address_per_second: 1,
        failures_per_minute: 3,
        trusted_proxies: vec![],
    };
    let server = app.serve_within(ServerLimits { rates: Some(rates), ..ServerLimits::default() }).await;
    let client = |key: &str| {
        let key = (!key.is_empty()).then(|| key.to_owned().into());
        LeadSender::new(&format!("http://{}", server.address), key).unwrap()
    };
    let from = |address: &str| vec![("x-forwarded-for".to_owned(), address.to_owned())];
    let supplier = client(&market.key);
    let mut number = 0;
    let refused = loop {
        number += 1;
        let body = lead(number).to_string().into_bytes();
        let answer = supplier.post("/v1/leads", "application/json", from("203.0.113.7"), body).await.unwrap();
        if answer.status == 429 {
            break answer;
        }
        assert_eq!((answer.status, answer.header("ratelimit-limit")), (200, Some("8")));
        assert!(number < 50, "nothing limits it");
    };
    let problem: Value = serde_json::from_slice(&refused.body).unwrap();
    assert_eq!((&problem["code"], refused.header("retry-after")), (&json!("RATE_LIMITED"), Some("1")));
    let visitor = client("");
    let form = format!("/f/{}", market.form_key);
    let kind = "application/x-www-form-urlencoded";
    let body = || b"email=eve%40mail.example.com&postal_code=10115".to_vec();
    assert_eq!(visitor.post(&form, kind, from("203.0.113.8"), body()).await.unwrap().status, 200);
    let mut limited = 0;
    for _ in 0..40 {
        limited += usize::from(visitor.post(&form, kind, from("203.0.113.9"), body()).await.unwrap().status == 429);
    }
    assert!(limited >= 5, "only {limited} of 40 were refused");
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let (status, answer) = supplier.send_json("/v1/leads", &lead(number), None).await.unwrap();
    assert_eq!((status, &answer["status"]), (200, &json!("unsold")));
    server.shutdown().await;
    app.finish().await;
}
