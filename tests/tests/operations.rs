//! What whoever runs leadyard looks at: health, readiness, metrics.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::sync::Arc;

use leadyard::app::App;
use leadyard::http::server::{Server, ServerLimits};
use leadyard_connectors::LeadSender;
use leadyard_entity::Engine;
use leadyard_entity::testing::plant_faults;
use leadyard_market::{Market, MarketSettings};
use leadyard_tests::market::{Selling, lead, terms};
use leadyard_tests::{TestApp, TestDatabase, eventually};
use serde_json::{Value, json};

async fn get(client: &LeadSender, path: &str) -> (u16, Value) {
    let answer = client.get(path).await.unwrap();
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

async fn workers(client: &LeadSender) -> (u16, Value) {
    let (status, answer) = get(client, "/health/ready").await;
    (status, answer["checks"]["workers"].clone())
}

/// Ready is who reaches the database and whose workers give signs of life; live is who answers.
#[tokio::test(flavor = "multi_thread")]
async fn readiness_is_database_and_workers() {
    for database in TestDatabase::both().await {
        let url = database.url();
        let mut app = TestApp::start(database).await;
        let client = app.client("");
        eventually("the workers are seen", async || workers(&client).await == (200, json!("ok"))).await;
        let (_, answer) = get(&client, "/health/ready").await;
        let checks = json!({ "database": "ok", "placement": "ok", "workers": "ok" });
        assert_eq!(answer, json!({ "status": "ready", "checks": checks }));
        let silent = "UPDATE worker SET seen_at = '2026-07-01 09:59:00+00:00'".to_owned();
        plant_faults(&url, &[silent]).await.unwrap();
        assert_eq!(workers(&client).await, (503, json!("silent")));
        app.rest().await;
        assert_eq!(workers(&client).await, (503, json!("none")), "they say when they end");
        // Whoever only serves is ready all the same.
        let server = app.serve_within(ServerLimits::default()).await;
        let other = LeadSender::new(&format!("http://{}", server.address), None).unwrap();
        assert_eq!(workers(&other).await, (200, json!("none")));
        server.shutdown().await;
        app.work();
        eventually("the workers are seen again", async || workers(&client).await == (200, json!("ok"))).await;
        // Without its table the database answers, and says no.
        plant_faults(&url, &["ALTER TABLE market_state RENAME TO elsewhere".to_owned()]).await.unwrap();
        let (status, answer) = get(&client, "/health/ready").await;
        assert_eq!((status, &answer["checks"]["database"]), (503, &json!("failed")), "{answer}");
        assert_eq!(get(&client, "/health/live").await, (200, json!({ "status": "live" })));
        plant_faults(&url, &["ALTER TABLE elsewhere RENAME TO market_state".to_owned()]).await.unwrap();
        app.finish().await;
    }
}

/// A process whose leads nobody places any more is not ready, whatever else it can do.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_places_nothing_is_not_ready() {
    for database in TestDatabase::both().await {
        let mut app = TestApp::start(database).await;
        app.rest().await;
        // Its tasks end with the threads they run on.
        let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let starting = Market::start(app.store().clone(), MarketSettings::default());
        let market = threads.spawn(starting).await.unwrap().unwrap();
        assert!(market.places());
        threads.shutdown_background();
        eventually("its tasks have ended", async || !market.places()).await;
        let (connectors, operations) = (Arc::clone(&app.app.connectors), Arc::default());
        let broken = App { market, connectors, jobs: None, metrics_token: None, operations };
        let router = broken.router(app.policy.clone(), true).unwrap();
        let server = Server::start("127.0.0.1:0".parse().unwrap(), router).await.unwrap();
        let client = LeadSender::new(&format!("http://{}", server.address), None).unwrap();
        let (status, answer) = get(&client, "/health/ready").await;
        assert_eq!((status, &answer["checks"]["placement"]), (503, &json!("ended")), "{answer}");
        if app.store().engine() == Engine::Sqlite {
            // On PostgreSQL a connection that was opened there may have ended, too.
            let checks = json!({ "database": "ok", "placement": "ended", "workers": "none" });
            assert_eq!(answer, json!({ "status": "not_ready", "checks": checks }));
        }
        assert_eq!(get(&client, "/health/live").await, (200, json!({ "status": "live" })));
        server.shutdown().await;
        app.finish().await;
    }
}

/// The value of a metric, by its name with labels as Prometheus writes them.
fn metric(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

async fn metrics(client: &LeadSender) -> String {
    let answer = client.get("/metrics").await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    String::from_utf8(answer.body.to_vec()).unwrap()
}

/// Leads, requests and tasks are counted, and nothing that anybody sent stands among the metrics.
#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_and_name_nobody() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("Zaphod Brothers", 100_000, vec![]).await;
        app.contract(market.campaign_id, buyer, "a", terms(1_000)).await;
        let client = app.client(&market.key);
        let before = metrics(&client).await;
        let leads = r#"leadyard_leads_total{door="REST",state="SOLD"}"#;
        let requests = r#"leadyard_http_requests_total{route="/v1/leads",method="POST",status="200"}"#;
        for number in 0..5 {
            let mut body = lead(number);
            body["email"] = json!(format!("zaphod{number}@beeblebrox.example.com"));
            body["subid"] = json!("zaphod-sub");
            client.send_json("/v1/leads", &body, Some("zaphod-key")).await.unwrap();
            let key = format!("zaphod-{number}");
            assert_eq!(client.send_json("/v1/leads", &body, Some(&key)).await.unwrap().0, 200);
        }
        client.get("/zaphod/nowhere?zaphod=1").await.unwrap();
        client.get(&format!("/f/{}", market.form_key)).await.unwrap();
        let after = metrics(&client).await;
        let more = |name: &str| metric(&after, name).unwrap_or(0.0) - metric(&before, name).unwrap_or(0.0);
        // Other tests count in the same process.
        assert!(more(leads) >= 1.0, "{after}");
        assert!(more(requests) >= 6.0, "{after}");
        assert!(more("leadyard_http_request_seconds_count{route=\"/v1/leads\"}") >= 6.0, "{after}");
        assert!(more(r#"leadyard_http_requests_total{route="none",method="GET",status="404"}"#) >= 1.0, "{after}");
        assert!(metric(&after, r#"leadyard_tasks{state="dead"}"#) == Some(0.0), "{after}");
        assert!(metric(&after, "leadyard_http_connections").unwrap() >= 1.0, "{after}");
        assert!(metric(&after, "leadyard_leads_waiting").is_some() && after.contains("# HELP"), "{after}");
        let ids = [market.form_key.clone(), market.source_id.to_string(), buyer.to_string(), market.key.clone()];
        for marker in ["zaphod", "beeblebrox", "10115", "Zaphod"].into_iter().chain(ids.iter().map(String::as_str)) {
            assert!(!after.contains(marker), "{marker} stands among the metrics");
        }
        app.finish().await;
    }
}

/// The metrics are for this machine; whoever comes from elsewhere needs the token, and without it finds nothing.
#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_for_this_machine_or_the_token() {
    let mut app = TestApp::start(TestDatabase::sqlite()).await;
    let token = "a token of enough letters";
    app.app.metrics_token = Some(token.to_owned().into());
    let server = app.serve_within(ServerLimits::default()).await;
    let status = async |key: &str, forwarded: bool| {
        let key = (!key.is_empty()).then(|| key.to_owned().into());
        let client = LeadSender::new(&format!("http://{}", server.address), key).unwrap();
        if !forwarded {
            return client.get("/metrics").await.unwrap().status;
        }
        let headers = vec![("x-forwarded-for".to_owned(), "127.0.0.1, 203.0.113.7".to_owned())];
        client.get_with("/metrics", headers).await.unwrap().status
    };
    assert_eq!(status("", false).await, 200);
    assert_eq!(status(token, false).await, 200);
    assert_eq!(status("", true).await, 404);
    assert_eq!(status("a token of other letters!", true).await, 404);
    assert_eq!(status(token, true).await, 200);
    server.shutdown().await;
    app.finish().await;
}
