//! A buyer says by itself what became of a lead, at the address that came with the post: once, whoever else says it at the
//! same time, and nobody else can.

use chrono::Duration;
use leadyard_connectors::fake::{Behaviour, Message};
use leadyard_connectors::http::OutboundAnswer;
use leadyard_entity::Engine;
use leadyard_jobs::JobsOptions;
use leadyard_tests::market::{Selling, TestMarket, terms};
use leadyard_tests::{OPERATE, TestApp, eventually, on_both};
use leadyard_types::{ContractTerms, LeadId, SaleId, Verdict};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::status::{questioned, reproduces, states, told_by};
use crate::{asking, charges, deliveries_of, held, offer, sales_of, start};

/// The path at which a lead's buyer calls back, as its post said.
fn callback(app: &TestApp, lead: LeadId) -> String {
    let of_lead = |message: &Message| {
        let body: Value = serde_json::from_slice(&message.body).ok()?;
        (body["data"]["lead_id"] == lead.to_string())
            .then(|| body["data"]["callback_url"].as_str().map(str::to_owned))?
    };
    let url = app.receiver.messages().iter().rev().find_map(of_lead).unwrap();
    let server = format!("http://{}", app.server.as_ref().unwrap().address);
    url.strip_prefix(&server).unwrap().to_owned()
}

async fn say(app: &TestApp, path: &str, verdict: Value) -> (u16, Value) {
    app.client("").send_json(path, &verdict, None).await.unwrap()
}

/// A lead whose buyer took it, and whose answer was lost.
async fn unknown(app: &TestApp, market: &TestMarket, name: &str, number: usize) -> LeadId {
    app.receiver.program(&format!("/{name}"), Behaviour::CloseAfterReading { times: u32::MAX });
    let lead = offer(app, market, number).await;
    app.idle().await;
    assert_eq!(states(app, lead).await, ["UNKNOWN"]);
    lead
}

/// Forty callbacks at once move the money once and are all answered alike; the contract's other destination gets the lead.
#[tokio::test(flavor = "multi_thread")]
async fn forty_callbacks_are_one_acceptance() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("a", 1_000_000, vec![]).await;
        let destinations = vec![app.webhook(buyer, "/a").await, app.webhook(buyer, "/crm").await];
        let terms = ContractTerms { verdict: Verdict::Sync, destinations, ..terms(1_000) };
        app.contract(market.campaign_id, buyer, "a", terms).await;
        let lead = unknown(&app, &market, "a", 1).await;
        let path = callback(&app, lead);
        let mut calls = JoinSet::new();
        for _ in 0..40 {
            let (client, path) = (app.client(""), path.clone());
            calls.spawn(async move {
                let told = json!({ "verdict": "accepted", "reference": "CRM-7" });
                client.send_json(&path, &told, None).await.unwrap()
            });
        }
        let answers = calls.join_all().await;
        let sale = sales_of(&app, lead).await.remove(0);
        let expected = (200, json!({ "sale_id": sale.id, "status": "sold" }));
        assert!(answers.iter().all(|answer| *answer == expected), "{answers:?}");
        assert_eq!((sale.state.as_str(), sale.reference.as_deref()), ("SOLD", Some("CRM-7")));
        assert_eq!((charges(&app).await, held(&app).await), (1, 0));
        assert_eq!(told_by(&app, lead, "SOLD").await, "CALLBACK");
        app.idle().await;
        let delivered: Vec<_> = deliveries_of(&app, lead).await.into_iter().map(|row| row.state).collect();
        assert_eq!(delivered, ["ACCEPTED", "ACCEPTED"]);
        assert_eq!(app.receiver.taken(), 2, "the post, and the other destination's delivery");
        reproduces(&app).await;
        app.finish().await;
    })
    .await;
}

/// What staff accept reaches every destination of the contract, as what the buyer accepts does.
#[tokio::test(flavor = "multi_thread")]
async fn what_staff_accept_reaches_every_destination() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("a", 1_000_000, vec![]).await;
        let destinations = vec![app.webhook(buyer, "/a").await, app.webhook(buyer, "/crm").await];
        let terms = ContractTerms { verdict: Verdict::Sync, destinations, ..terms(1_000) };
        app.contract(market.campaign_id, buyer, "a", terms).await;
        let lead = unknown(&app, &market, "a", 1).await;
        let sale = SaleId(sales_of(&app, lead).await[0].id);
        assert!(app.app.market.resolve_unknown(OPERATE, sale, true).await.unwrap());
        app.idle().await;
        assert_eq!(app.receiver.taken(), 2);
        assert_eq!(told_by(&app, lead, "SOLD").await, "STAFF");
        app.finish().await;
    })
    .await;
}

/// A refusal goes to the next contract, is answered alike again, and a contradicting verdict changes nothing; what the
/// buyer says about the person is not kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_stands_once_it_is_settled() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling::default()).await;
        asking(&app, "a", 1, &market).await;
        asking(&app, "b", 2, &market).await;
        let lead = unknown(&app, &market, "a", 1).await;
        let path = callback(&app, lead);
        let refusal = json!({ "verdict": "rejected", "reason": "person1@mail.example.com is ours" });
        let first = say(&app, &path, refusal.clone()).await;
        assert_eq!((first.0, &first.1["status"]), (200, &json!("rejected")));
        app.idle().await;
        assert_eq!(states(&app, lead).await, ["REJECTED", "SOLD"]);
        assert_eq!(sales_of(&app, lead).await[0].reason.as_deref(), Some("*** is ours"));
        assert_eq!(say(&app, &path, refusal).await, first);
        assert_eq!(say(&app, &path, json!({ "verdict": "duplicate" })).await, first, "no is no");
        let (status, problem) = say(&app, &path, json!({ "verdict": "accepted" })).await;
        assert_eq!((status, &problem["code"]), (409, &json!("SETTLED_OTHERWISE")));
        let sold = callback(&app, lead);
        assert_ne!(sold, path, "each sale has an address of its own");
        assert_eq!(say(&app, &sold, json!({ "verdict": "accepted" })).await.0, 200, "as the post's answer was");
        assert_eq!(say(&app, &sold, json!({ "verdict": "duplicate" })).await.0, 409);
        assert_eq!(say(&app, &sold, json!({ "verdict": "perhaps" })).await.1["problems"][0]["field"], "verdict");
        assert_eq!(say(&app, &sold, json!({ "verdict": "accepted", "reference": "a b" })).await.0, 400);
        for key in ["verdict", "reason", "reference"] {
            let mut body = json!({ "verdict": "accepted" });
            body[key] = json!("a\0b");
            let (status, problem) = say(&app, &sold, body).await;
            assert_eq!((status, &problem["problems"][0]["field"]), (400, &json!(key)), "{problem}");
            assert_eq!(problem["problems"][0]["code"], "CONTROL_CHARACTER", "{problem}");
        }
        assert_eq!(states(&app, lead).await, ["REJECTED", "SOLD"]);
        assert_eq!((charges(&app).await, held(&app).await), (1, 0));
        reproduces(&app).await;
        app.finish().await;
    })
    .await;
}

/// After the window a late acceptance is charged by a transfer of its own, once, if the wallet still covers it; a late
/// refusal finds nothing to do.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_acceptance_is_charged_once() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling::default()).await;
        asking(&app, "a", 1, &market).await;
        let poor = app.campaign_beside(&market, "Poor", Selling::default()).await;
        let buyer = app.buyer("poor", 1_000, vec![]).await;
        let destinations = vec![app.webhook(buyer, "/poor").await];
        let agreed = ContractTerms { verdict: Verdict::Sync, destinations, ..terms(1_000) };
        app.contract(poor.campaign_id, buyer, "poor", agreed).await;
        let (late, unpaid) = (unknown(&app, &market, "a", 1).await, unknown(&app, &poor, "poor", 2).await);
        let (path, unpaid_path) = (callback(&app, late), callback(&app, unpaid));
        app.clock.advance(Duration::minutes(61));
        app.idle().await;
        assert_eq!(states(&app, late).await, ["UNKNOWN_EXPIRED"]);
        assert_eq!(say(&app, &path, json!({ "verdict": "rejected" })).await.1["status"], "unknown_expired");
        // The money of the other went elsewhere meanwhile.
        let elsewhere = app.campaign_beside(&market, "Elsewhere", Selling::default()).await;
        app.contract(elsewhere.campaign_id, buyer, "at once", terms(1_000)).await;
        crate::send(&app, &elsewhere, 3..4, "sold").await;
        app.idle().await;
        let (status, problem) = say(&app, &unpaid_path, json!({ "verdict": "accepted" })).await;
        assert_eq!((status, &problem["code"]), (409, &json!("NOT_COVERED")), "{problem}");
        assert_eq!(states(&app, unpaid).await, ["UNKNOWN_EXPIRED"]);
        let before = charges(&app).await;
        for _ in 0..3 {
            assert_eq!(say(&app, &path, json!({ "verdict": "accepted" })).await.1["status"], "sold");
        }
        assert_eq!((states(&app, late).await, charges(&app).await - before), (vec!["SOLD".to_owned()], 1));
        assert_eq!(say(&app, &path, json!({ "verdict": "rejected" })).await.0, 409);
        reproduces(&app).await;
        app.finish().await;
    })
    .await;
}

/// What a stranger sees of an answer.
fn seen(answer: &OutboundAnswer) -> (u16, String, Vec<(String, String)>) {
    let changes = |name: &str| name == "date" || name.starts_with("ratelimit-");
    let headers = answer.headers.iter().filter(|(name, _)| !changes(name)).cloned().collect();
    (answer.status, String::from_utf8_lossy(&answer.body).into_owned(), headers)
}

/// Who does not know a sale's address learns nothing: wrong, foreign and absent ones are answered alike byte for byte,
/// whatever is sent, and so is a sale that is called back by nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_learns_nothing() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling::default()).await;
        asking(&app, "a", 1, &market).await;
        let leads = [unknown(&app, &market, "a", 1).await, unknown(&app, &market, "a", 2).await];
        let other = app.campaign_beside(&market, "Plain", Selling::default()).await;
        crate::buyer(&app, &other, "plain", terms(1_000)).await;
        let plain = crate::send(&app, &other, 3..4, "sold").await[0];
        let [mine, foreign] = leads.map(|lead| callback(&app, lead));
        let reference = |path: &str| path.split('/').nth(3).unwrap().to_owned();
        let (mine_id, foreign_hash) = (reference(&mine)[..32].to_owned(), reference(&foreign)[32..].to_owned());
        let of_plain = SaleId(sales_of(&app, plain).await[0].id);
        let of_plain = app.app.market.callback_url(of_plain).unwrap();
        let absent = app.app.market.callback_url(SaleId(uuid::Uuid::from_u128(7))).unwrap();
        let known = |url: &str| reference(&url[url.find("/v1/").unwrap()..]);
        let mut answers = Vec::new();
        for reference in [
            format!("{mine_id}{foreign_hash}"),
            format!("{mine_id}{}", "0".repeat(64)),
            reference(&mine).to_uppercase(),
            reference(&mine)[..95].to_owned(),
            known(&absent),
            known(&of_plain),
            "x".to_owned(),
            "%00".to_owned(),
            "\u{e9}".repeat(48),
        ] {
            for (kind, body) in [("application/json", r#"{"verdict":"accepted"}"#), ("text/plain", "{")] {
                let path = format!("/v1/sales/{reference}/verdict");
                let answer = app.client("").post(&path, kind, vec![], body.into()).await.unwrap();
                answers.push(seen(&answer));
            }
        }
        assert!(answers.iter().all(|answer| answer.0 == 404 && *answer == answers[0]), "{answers:?}");
        assert_eq!((charges(&app).await, held(&app).await), (1, 2_000));
        // Who knows it is told what is wrong, and is bounded like everybody.
        let long = format!("{{\"verdict\":\"rejected\",\"reason\":\"{}\"}}", "x".repeat(70_000));
        for (kind, body, status) in [
            ("text/plain", "x".to_owned(), 415),
            ("application/json", "{".to_owned(), 400),
            ("application/json", long, 413),
        ] {
            assert_eq!(app.client("").post(&mine, kind, vec![], body.into()).await.unwrap().status, status);
        }
        for path in [mine, foreign] {
            assert_eq!(say(&app, &path, json!({ "verdict": "accepted" })).await.0, 200);
        }
        assert_eq!((charges(&app).await, held(&app).await), (3, 0));
        app.finish().await;
    })
    .await;
}

/// A buyer that calls back before it answers the post is believed; its answer then changes nothing, whatever it says.
#[tokio::test(flavor = "multi_thread")]
async fn a_callback_may_come_before_the_answer() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling::default()).await;
        asking(&app, "a", 1, &market).await;
        asking(&app, "b", 2, &market).await;
        for (number, verdict, expected) in [(1, "accepted", vec!["SOLD"]), (2, "rejected", vec!["REJECTED", "SOLD"])] {
            app.receiver.program("/a", Behaviour::Hold);
            let lead = offer(&app, &market, number).await;
            eventually("the post arrives", async || app.receiver.received_at("/a") == 1).await;
            assert_eq!(states(&app, lead).await, ["PENDING"]);
            let path = callback(&app, lead);
            assert_eq!(say(&app, &path, json!({ "verdict": verdict })).await.0, 200);
            assert_eq!(states(&app, lead).await[0], expected[0]);
            app.receiver.let_go();
            app.idle().await;
            assert_eq!(states(&app, lead).await, expected);
            assert_eq!(deliveries_of(&app, lead).await[0].state, verdict.to_uppercase());
            assert_eq!(say(&app, &path, json!({ "verdict": verdict })).await.0, 200);
            assert_eq!((charges(&app).await, held(&app).await), (number as i64, 0));
        }
        reproduces(&app).await;
        app.finish().await;
    })
    .await;
}

/// Callback, staff, status query and the end of the window at once, in two processes where there can be two: every hold
/// ends once, every sale that stands is charged once, and the books are even.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_says_it_first_settles_it() {
    const SALES: usize = 12;
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling::default()).await;
        questioned(&app, &market, "a", json!({})).await;
        app.receiver.program("/a/status", Behaviour::Known);
        let mut leads = Vec::new();
        for number in 0..SALES {
            // One after the other, with an answer in between: so many lost ones in a row would park the lane.
            leads.push(unknown(&app, &market, "a", 2 * number).await);
            app.receiver.program("/a", Behaviour::Accept);
            offer(&app, &market, 2 * number + 1).await;
            app.idle().await;
        }
        let between = charges(&app).await;
        assert_eq!((usize::try_from(between).unwrap(), held(&app).await), (SALES, SALES as i64 * 1_000));
        let paths: Vec<String> = leads.iter().map(|lead| callback(&app, *lead)).collect();
        // SQLite has one process.
        let other = match app.store().engine() {
            Engine::Postgres => Some(app.another_process(Some(JobsOptions::default())).await),
            Engine::Sqlite => None,
        };
        // Questions are due, and then windows end, while everybody speaks.
        app.clock.advance(Duration::minutes(59));
        let mut said = JoinSet::new();
        for (index, (lead, path)) in leads.iter().zip(paths).enumerate() {
            let sale = SaleId(sales_of(&app, *lead).await[0].id);
            for verdict in ["accepted", "rejected"] {
                let (client, path) = (app.client(""), path.clone());
                said.spawn(async move {
                    let (status, _) = client.send_json(&path, &json!({ "verdict": verdict }), None).await.unwrap();
                    assert!(matches!(status, 200 | 409), "{status}");
                });
            }
            let staff = other.as_ref().map_or(&app.app.market, |other| &other.market).clone();
            said.spawn(async move {
                staff.resolve_unknown(OPERATE, sale, index % 2 == 0).await.unwrap();
            });
        }
        app.clock.advance(Duration::minutes(1));
        said.join_all().await;
        app.idle().await;
        let mut sold = 0;
        for lead in &leads {
            let found = states(&app, *lead).await;
            assert!(found.iter().all(|state| ["SOLD", "REJECTED", "UNKNOWN_EXPIRED"].contains(&state.as_str())));
            sold += found.iter().filter(|state| *state == "SOLD").count();
        }
        assert_eq!((charges(&app).await - between, held(&app).await), (i64::try_from(sold).unwrap(), 0));
        let ended = "SELECT COUNT(*) AS figure FROM hold_resolution";
        assert_eq!(app.store().read(OPERATE).figure(ended).await.unwrap(), 2 * SALES as i64);
        if let Some(other) = other {
            assert_eq!(app.store().collisions() + other.market.store().collisions(), 0);
            other.stop().await;
        }
        reproduces(&app).await;
        app.finish().await;
    })
    .await;
}
