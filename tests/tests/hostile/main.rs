//! Hostile intake: whatever comes through a door is answered with what was wrong, by status, code and field; nothing
//! panics, nothing is answered 5xx, and a good lead sent at the same moment gets through.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

mod connections;
mod habits;
mod noise;
mod samples;

use leadyard_connectors::LeadSender;
use leadyard_connectors::http::OutboundAnswer;
use leadyard_entity::auth::NewUser;
use leadyard_tests::market::{Selling, TestMarket, lead, terms};
use leadyard_tests::{OPERATE, TestApp, TestDatabase};
use leadyard_types::Role;
use leadyard_types::field::UnknownFields;
use serde_json::{Value, json};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// What a bad request is answered.
#[derive(Debug, Clone, Copy)]
enum Answer {
    /// Nothing was stored: status and code.
    Refused(u16, &'static str),
    /// Stored and rejected for its fields, among them this field with this code.
    Rejected(&'static str, &'static str),
    /// Stored, and rejected by another check.
    Check(&'static str),
    /// Nothing wrong with it after all.
    Taken,
}
use Answer::{Check, Refused, Rejected, Taken};

/// A market that buys everything it is offered.
async fn market(app: &TestApp, unknown_fields: UnknownFields) -> TestMarket {
    let market = app.market_in(Selling::default(), "DE", unknown_fields).await;
    let buyer = app.buyer("Buyer", 100_000_000, vec![]).await;
    app.contract(market.campaign_id, buyer, "a", terms(1_000)).await;
    market
}

fn check(what: &str, answer: &OutboundAnswer, wanted: Answer) {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    let shown = String::from_utf8_lossy(&answer.body);
    assert!(shown.len() < 32 * 1024, "{what}: an answer of {} bytes", shown.len());
    match wanted {
        Refused(status, code) => {
            assert_eq!((answer.status, body["code"].as_str()), (status, Some(code)), "{what}: {shown}");
            assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{what}");
            assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{what}: {shown}");
        }
        Rejected(field, code) => {
            let found = (answer.status, body["status"].as_str(), body["check"].as_str());
            assert_eq!(found, (200, Some("rejected"), Some("FIELDS")), "{what}: {shown}");
            let problems = body["problems"].as_array().unwrap();
            let named = problems.iter().any(|problem| problem["field"] == field && problem["code"] == code);
            assert!(named, "{what}: {field} {code} is not among {shown}");
        }
        Check(check) => {
            let found = (answer.status, body["status"].as_str(), body["check"].as_str());
            assert_eq!(found, (200, Some("rejected"), Some(check)), "{what}: {shown}");
        }
        Taken => assert_eq!((answer.status, body["status"].as_str()), (200, Some("sold")), "{what}: {shown}"),
    }
}

/// The key goes with every request; without a content type none is sent.
async fn post(client: &LeadSender, kind: &str, body: Vec<u8>) -> OutboundAnswer {
    client.post("/v1/leads", kind, vec![], body).await.unwrap()
}

/// Every bad body is named, and a good lead sent at the same moment is sold.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named_and_good_leads_get_through() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = market(&app, UnknownFields::Refuse).await;
        let client = app.client(&market.key);
        let wrong = samples::leads().into_iter().map(|(what, body, answer)| (what, JSON, body.into_bytes(), answer));
        for (number, (what, kind, body, wanted)) in samples::bodies().into_iter().chain(wrong).enumerate() {
            let good = lead(number);
            let (bad, good) = tokio::join!(post(&client, kind, body), client.send_json("/v1/leads", &good, None));
            check(what, &bad, wanted);
            let (status, answer) = good.unwrap();
            assert_eq!((status, &answer["status"]), (200, &json!("sold")), "beside {what}: {answer}");
        }
        app.finish().await;
    }
}

/// Unknown fields are kept as text where the vertical says so; what no text can hold is named all the same.
#[tokio::test(flavor = "multi_thread")]
async fn unknown_fields_are_kept_where_the_vertical_says_so() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = market(&app, UnknownFields::Keep).await;
        let client = app.client(&market.key);
        let good = r#""email":"ada@mail.example.com","postal_code":"10115""#;
        for (what, more, wanted) in [
            ("a nested field", r#""shoe":{"size":44}"#, Rejected("shoe", "WRONG_TYPE")),
            ("a NUL in an unknown field", r#""shoe":"a\u0000b""#, Rejected("shoe", "CONTROL_CHARACTER")),
            ("a NUL in an unknown key", r#""sh\u0000oe":"x""#, Rejected("shoe", "INVALID_KEY")),
            ("a key without a name", r#""":1"#, Rejected("", "INVALID_KEY")),
            ("a number without its digits", r#""shoe":12345678901234567890123"#, Rejected("shoe", "OUT_OF_RANGE")),
            ("a shoe", r#""shoe":"44 ½","ключ":true,"__proto__":"x""#, Taken),
        ] {
            let answer = post(&client, JSON, format!("{{{good},{more}}}").into_bytes()).await;
            check(what, &answer, wanted);
            let body: Value = serde_json::from_slice(&answer.body).unwrap();
            let id = body["lead_id"].as_str().unwrap().parse().unwrap();
            let contents = app.store().read(OPERATE).lead_contents(&[id]).await.unwrap().remove(&id).unwrap();
            if matches!(wanted, Taken) {
                let kept = |key: &str| contents.fields[key].value.as_ref().unwrap().to_text().into_owned();
                assert_eq!((kept("shoe"), kept("ключ"), kept("__proto__")), ("44 ½".into(), "true".into(), "x".into()));
            }
        }
        app.finish().await;
    }
}

/// Forms, at both doors: repeated fields, other encodings, NULs, programs that fill in everything.
#[tokio::test(flavor = "multi_thread")]
async fn forms_are_as_strict() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = market(&app, UnknownFields::Refuse).await;
        let (client, visitor) = (app.client(&market.key), app.client(""));
        let path = format!("/f/{}", market.form_key);
        let good = "email=ada%40mail.example.com&postal_code=10115";
        for (what, more, wanted) in [
            ("a repeated field", "&email=eve%40mail.example.com", Rejected("email", "REPEATED")),
            ("a repeated mark", "&subid=1&subid=2", Rejected("subid", "REPEATED")),
            ("a NUL", "&subid=%00", Rejected("subid", "CONTROL_CHARACTER")),
            ("a NUL in a field", "&phone=030%00123456", Rejected("phone", "CONTROL_CHARACTER")),
            ("Latin-1", "&born=%FC", Rejected("born", "INVALID_UTF8")),
            ("a script", "&%3Cscript%3E=1", Rejected("<script>", "UNKNOWN_FIELD")),
            (
                "a consent with a NUL",
                "&consent_text_version=%00",
                Rejected("consent.text_version", "CONTROL_CHARACTER"),
            ),
            ("a consent of yesterday", "&consent_given_at=yesterday", Rejected("consent.given_at", "INVALID_TIME")),
        ] {
            let body = format!("{good}{more}");
            check(what, &post(&client, FORM, body.clone().into_bytes()).await, wanted);
            let shown = visitor.post(&path, FORM, vec![], body.into_bytes()).await.unwrap();
            let page = String::from_utf8(shown.body.to_vec()).unwrap();
            assert_eq!(shown.status, 422, "{what}: {page}");
            assert!(!page.contains("<script>"), "{what}: {page}");
        }
        let trapped = visitor.post(&path, FORM, vec![], format!("{good}&website_url=x").into_bytes()).await.unwrap();
        assert_eq!(trapped.status, 422);
        for (path, status) in [("/f/%FF", 404), ("/f/%00", 404), ("/f/", 404), ("/f/a/b", 404), ("/v1/leads/", 404)] {
            let answer = visitor.post(path, FORM, vec![], good.as_bytes().to_vec()).await.unwrap();
            check(path, &answer, Refused(status, "NOT_FOUND"));
        }
        let answer = visitor.get("/v1/leads").await.unwrap();
        check("GET of the door", &answer, Refused(405, "METHOD_NOT_ALLOWED"));
        assert_eq!(answer.header("allow"), Some("POST"));
        app.finish().await;
    }
}

/// Keys: missing, made up, of somebody who is no source, expired, revoked; and idempotency keys used again.
#[tokio::test(flavor = "multi_thread")]
async fn wrong_keys_open_nothing() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = market(&app, UnknownFields::Refuse).await;
        let write = app.store().write(OPERATE).await.unwrap();
        let (email, password) = ("boss@mail.example.com".to_owned(), "correct horse battery".to_owned());
        let user = NewUser {
            email: email.clone(),
            name: "Boss".into(),
            role: Role::Admin,
            buyer_id: None,
            supplier_id: None,
            password: password.clone(),
        };
        write.create_user(user).await.unwrap();
        let expired = write.create_key(market.source_id, "expired").await.unwrap();
        let revoked = write.create_key(market.source_id, "revoked").await.unwrap();
        for (label, column) in [("expired", "expires_at"), ("revoked", "revoked_at")] {
            let sql = format!("UPDATE api_key SET {column} = '2026-07-01 09:59:59+00:00' WHERE label = '{label}'");
            assert_eq!(write.plant(&sql).await.unwrap(), 1);
        }
        let _ = write.commit().await.unwrap();
        let session = app.store().sign_in(&email, &password).await.unwrap().unwrap().token;
        let cut = market.key[..market.key.len() - 1].to_owned();
        let other = market.key.replace("ly_live_", "ly_test_");
        for (what, key, wanted) in [
            ("no key", "", Refused(401, "UNAUTHORISED")),
            ("half a key", "ly_live_", Refused(401, "UNAUTHORISED")),
            ("a made-up key", "ly_live_0123456789ab_00", Refused(401, "UNAUTHORISED")),
            ("a key but for its end", &cut, Refused(401, "UNAUTHORISED")),
            ("a key of another kind", &other, Refused(401, "UNAUTHORISED")),
            ("an expired key", &expired, Refused(401, "UNAUTHORISED")),
            ("a revoked key", &revoked, Refused(401, "UNAUTHORISED")),
            ("an endless key", &"x".repeat(20_000), Refused(401, "UNAUTHORISED")),
            ("a key to inject with", "ly_live_' OR 1=1 --_x", Refused(401, "UNAUTHORISED")),
            ("somebody who is no source", &session, Refused(403, "NOT_A_SOURCE")),
        ] {
            check(what, &post(&app.client(key), JSON, lead(1).to_string().into_bytes()).await, wanted);
        }
        let client = app.client(&market.key);
        let keyed = async |key: &str, number: usize| {
            let headers = vec![("idempotency-key".to_owned(), key.to_owned())];
            client.post("/v1/leads", JSON, headers, lead(number).to_string().into_bytes()).await.unwrap()
        };
        check("a first lead", &keyed("k", 1).await, Taken);
        check("the same again", &keyed("k", 1).await, Taken);
        check("another body", &keyed("k", 2).await, Refused(409, "IDEMPOTENCY_KEY_REUSED"));
        check("an empty key", &keyed("", 3).await, Refused(400, "INVALID_IDEMPOTENCY_KEY"));
        check("an endless key", &keyed(&"k".repeat(201), 3).await, Refused(400, "INVALID_IDEMPOTENCY_KEY"));
        check("a key in no alphabet", &keyed("ключ", 3).await, Refused(400, "INVALID_IDEMPOTENCY_KEY"));
        check("the longest key", &keyed(&"k".repeat(200), 4).await, Taken);
        app.finish().await;
    }
}
