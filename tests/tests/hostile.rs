//! Hostile intake: whatever comes through a door is answered with what was wrong, by status, code and field; nothing
//! panics, nothing is answered 5xx, and a good lead sent at the same moment gets through.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::net::SocketAddr;
use std::time::Duration;

use leadyard_connectors::LeadSender;
use leadyard_connectors::http::OutboundAnswer;
use leadyard_entity::auth::NewUser;
use leadyard_tests::market::{Selling, TestMarket, lead, terms};
use leadyard_tests::{OPERATE, TestApp, TestDatabase};
use leadyard_types::Role;
use leadyard_types::field::UnknownFields;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

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

/// Bodies that are not a lead at all.
fn bodies() -> Vec<(&'static str, &'static str, Vec<u8>, Answer)> {
    let nested = |open: &str, close: &str| format!("{{\"email\":{}1{}}}", open.repeat(10_000), close.repeat(10_000));
    let malformed = Refused(400, "MALFORMED_JSON");
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        ("half an object", JSON, text("{\"email\":"), malformed),
        ("nothing", JSON, Vec::new(), malformed),
        ("two objects", JSON, text("{} {}"), malformed),
        ("a comma too many", JSON, text("{\"email\":\"a@b.de\",}"), malformed),
        ("single quotes", JSON, text("{'email':'a@b.de'}"), malformed),
        ("a comment", JSON, text("{\"email\":\"a@b.de\"} // lead"), malformed),
        ("NaN", JSON, text("{\"size\":NaN}"), malformed),
        ("a number beyond floats", JSON, text("{\"size\":1e999}"), malformed),
        ("half a surrogate pair", JSON, text("{\"email\":\"\\ud800\"}"), malformed),
        ("a raw NUL", JSON, text("{\"email\":\"a\0@b.de\"}"), malformed),
        ("lists 10,000 deep", JSON, nested("[", "]").into_bytes(), malformed),
        ("objects 10,000 deep", JSON, nested("{\"a\":", "}").into_bytes(), malformed),
        ("a byte order mark", JSON, text("\u{feff}{}"), malformed),
        ("UTF-16", JSON, vec![0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00], Refused(400, "INVALID_UTF8")),
        ("Latin-1", JSON, b"{\"email\":\"M\xfcller\"}".to_vec(), Refused(400, "INVALID_UTF8")),
        ("an overlong encoding", JSON, b"{\"email\":\"\xc0\xaf\"}".to_vec(), Refused(400, "INVALID_UTF8")),
        ("a list", JSON, text("[]"), Refused(400, "NOT_AN_OBJECT")),
        ("a list of leads", JSON, text("[{\"email\":\"a@b.de\"}]"), Refused(400, "NOT_AN_OBJECT")),
        ("a text", JSON, text("\"lead\""), Refused(400, "NOT_AN_OBJECT")),
        ("null", JSON, text("null"), Refused(400, "NOT_AN_OBJECT")),
        ("10 MB of x", JSON, vec![b'x'; 10_000_000], Refused(413, "BODY_TOO_LARGE")),
        ("one byte too many", JSON, vec![b' '; 64 * 1024 + 1], Refused(413, "BODY_TOO_LARGE")),
        ("10 MB of form", FORM, vec![b'a'; 10_000_000], Refused(413, "BODY_TOO_LARGE")),
        ("as many blanks as fit", JSON, vec![b' '; 64 * 1024], malformed),
        ("a form key in Latin-1", FORM, b"n%FCme=x".to_vec(), Refused(400, "INVALID_UTF8")),
        ("plain text", "text/plain", text("email=a"), Refused(415, "UNSUPPORTED_MEDIA_TYPE")),
        ("multipart", "multipart/form-data; boundary=x", text("--x--"), Refused(415, "UNSUPPORTED_MEDIA_TYPE")),
        ("XML", "application/xml", text("<lead/>"), Refused(415, "UNSUPPORTED_MEDIA_TYPE")),
        ("no content type", "", text("{}"), Refused(415, "UNSUPPORTED_MEDIA_TYPE")),
        ("a form as JSON", JSON, text("email=a%40b.de"), malformed),
    ]
}

/// Leads with something wrong in them, as JSON text.
fn leads() -> Vec<(&'static str, String, Answer)> {
    let good = r#""email":"ada@mail.example.com","postal_code":"10115""#;
    let with = |more: &str| format!("{{{good},{more}}}");
    let instead = |email: &str| format!("{{\"email\":{email},\"postal_code\":\"10115\"}}");
    let many = (0..201).map(|number| format!("\"f{number}\":1")).collect::<Vec<_>>().join(",");
    let beside = (0..3_000).map(|number| format!("\"f{number}\":1")).collect::<Vec<_>>().join(",");
    vec![
        ("a list for a text", instead("[\"a@b.de\"]"), Rejected("email", "WRONG_TYPE")),
        ("an object for a text", instead("{}"), Rejected("email", "WRONG_TYPE")),
        ("a number for an e-mail", instead("5"), Rejected("email", "INVALID_EMAIL")),
        ("true for an e-mail", instead("true"), Rejected("email", "INVALID_EMAIL")),
        ("null", instead("null"), Rejected("email", "REQUIRED")),
        ("blanks", instead("\"  \\u00a0\""), Rejected("email", "REQUIRED")),
        ("a NUL in a field", instead("\"a\\u0000@b.de\""), Rejected("email", "CONTROL_CHARACTER")),
        ("a line break in an e-mail", instead("\"a@b.de\\nBcc: c@d.de\""), Rejected("email", "CONTROL_CHARACTER")),
        ("an endless e-mail", instead(&format!("\"{}@b.de\"", "a".repeat(5_000))), Rejected("email", "TOO_LONG")),
        ("a NUL in a mark", with(r#""subid":"a\u0000b""#), Rejected("subid", "CONTROL_CHARACTER")),
        ("a NUL in an id", with(r#""external_id":"\u0000""#), Rejected("external_id", "CONTROL_CHARACTER")),
        ("an endless mark", with(&format!("\"subid\":\"{}\"", "x".repeat(201))), Rejected("subid", "TOO_LONG")),
        ("a list for a mark", with(r#""subid":["a"]"#), Rejected("subid", "WRONG_TYPE")),
        (
            "an id that lost digits",
            with(r#""external_id":123456789012345678901234"#),
            Rejected("external_id", "WRONG_TYPE"),
        ),
        (
            "a NUL in a consent",
            with(r#""consent":{"text_version":"\u0000"}"#),
            Rejected("consent.text_version", "CONTROL_CHARACTER"),
        ),
        ("a NUL in a basis", with(r#""consent":{"basis":"a\u0000"}"#), Rejected("consent.basis", "CONTROL_CHARACTER")),
        (
            "a NUL in a purpose",
            with(r#""consent":{"purposes":["\u0000"]}"#),
            Rejected("consent.purposes", "CONTROL_CHARACTER"),
        ),
        ("a NUL in a key", with(r#""what\u0000":1"#), Rejected("what", "UNKNOWN_FIELD")),
        ("a list for a consent", with(r#""consent":[1]"#), Rejected("consent", "WRONG_SHAPE")),
        ("a text for a list", with(r#""consent":{"purposes":"call"}"#), Rejected("consent.purposes", "WRONG_TYPE")),
        (
            "a number for a moment",
            with(r#""consent":{"given_at":1782900000}"#),
            Rejected("consent.given_at", "INVALID_TIME"),
        ),
        (
            "a moment without a zone",
            with(r#""consent":{"given_at":"2026-07-01T10:00:00"}"#),
            Rejected("consent.given_at", "INVALID_TIME"),
        ),
        (
            "an ancient consent",
            with(r#""consent":{"given_at":"0001-01-01T00:00:00Z"}"#),
            Rejected("consent.given_at", "OUT_OF_RANGE"),
        ),
        (
            "a far future consent",
            with(r#""consent":{"given_at":"9999-12-31T23:59:59Z"}"#),
            Rejected("consent.given_at", "OUT_OF_RANGE"),
        ),
        ("tomorrow's consent", with(r#""consent":{"given_at":"2026-07-02T10:00:00Z"}"#), Check("CONSENT")),
        (
            "a consent key misspelt",
            with(r#""consent":{"givenAt":"2026-07-01T10:00:00Z"}"#),
            Rejected("consent.givenAt", "UNKNOWN_KEY"),
        ),
        ("a future enquiry", with(r#""enquired_at":"2999-01-01T00:00:00Z""#), Rejected("enquired_at", "IN_FUTURE")),
        (
            "an ancient enquiry",
            with(r#""enquired_at":"-0044-03-15T00:00:00Z""#),
            Rejected("enquired_at", "INVALID_TIME"),
        ),
        (
            "last century's enquiry",
            with(r#""enquired_at":"1999-12-31T23:59:59Z""#),
            Rejected("enquired_at", "OUT_OF_RANGE"),
        ),
        (
            "a leap second that was none",
            with(r#""enquired_at":"2026-06-30T25:00:00Z""#),
            Rejected("enquired_at", "INVALID_TIME"),
        ),
        ("a huge integer", with(r#""size":123456789012345678901234567890"#), Rejected("size", "INVALID_INTEGER")),
        ("the largest integer", with(r#""size":18446744073709551615"#), Rejected("size", "OUT_OF_RANGE")),
        ("a huge integer as text", with(r#""size":"99999999999999999999999""#), Rejected("size", "OUT_OF_RANGE")),
        ("a negative zero", with(r#""size":-0.0"#), Rejected("size", "INVALID_INTEGER")),
        ("a fraction", with(r#""size":1.5"#), Rejected("size", "INVALID_INTEGER")),
        ("Arabic digits", with(r#""size":"٣""#), Rejected("size", "INVALID_INTEGER")),
        ("a day that never was", with(r#""born":"30.02.1980""#), Rejected("born", "INVALID_DATE")),
        ("an ancient birthday", with(r#""born":"1850-01-01""#), Rejected("born", "OUT_OF_RANGE")),
        ("a birthday to come", with(r#""born":"2999-01-01""#), Rejected("born", "OUT_OF_RANGE")),
        ("a repeated field", with(r#""email":"eve@mail.example.com""#), Rejected("email", "REPEATED")),
        ("a repeated mark", with(r#""subid":"a","subid":"a""#), Rejected("subid", "REPEATED")),
        ("a repeated consent", with(r#""consent":{"ip":"a","ip":"b"}"#), Rejected("consent.ip", "REPEATED")),
        ("fields that are none", r#"{"fields":5}"#.into(), Rejected("fields", "WRONG_TYPE")),
        ("a field beside fields", format!("{{\"fields\":{{{good}}},\"size\":1}}"), Rejected("size", "UNKNOWN_KEY")),
        ("too many fields", with(&many), Rejected("fields", "TOO_MANY_FIELDS")),
        ("endless keys beside fields", format!("{{\"fields\":{{{good}}},{beside}}}"), Rejected("f0", "UNKNOWN_KEY")),
        ("endless repetition", with(&vec!["\"size\":1"; 5_000].join(",")), Rejected("size", "REPEATED")),
        ("a key without a name", with(r#""":1"#), Rejected("", "UNKNOWN_FIELD")),
        ("an unknown field", with(r#""shoe":"44""#), Rejected("shoe", "UNKNOWN_FIELD")),
        ("a field of the prototype", with(r#""__proto__":{"admin":true}"#), Rejected("__proto__", "UNKNOWN_FIELD")),
    ]
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
        let wrong = leads().into_iter().map(|(what, body, answer)| (what, JSON, body.into_bytes(), answer));
        for (number, (what, kind, body, wanted)) in bodies().into_iter().chain(wrong).enumerate() {
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

/// What people of each country write, and what is stored: `(country, field, written, stored or the code)`.
const HABITS: &[(&str, &str, &str, Result<&str, &str>)] = &[
    ("DE", "phone", "030 / 123 456", Ok("+4930123456")),
    ("DE", "phone", "(0)30-123456", Ok("+4930123456")),
    ("DE", "phone", "0049 (0) 30 123456", Ok("+4930123456")),
    ("DE", "phone", "+49.171.1234567", Ok("+491711234567")),
    ("DE", "phone", "0171/1234567", Ok("+491711234567")),
    ("DE", "phone", "+41 44 668 18 00", Ok("+41446681800")),
    ("DE", "phone", "12", Err("INVALID_PHONE")),
    ("DE", "phone", "030 123456 or 0171 1234567", Err("INVALID_PHONE")),
    ("DE", "postal_code", "01067", Ok("01067")),
    ("DE", "postal_code", "D-01067", Ok("01067")),
    ("DE", "postal_code", "DE 01067", Ok("01067")),
    ("DE", "postal_code", "1067", Err("INVALID_POSTAL_CODE")),
    ("DE", "postal_code", "10115 Berlin", Err("INVALID_POSTAL_CODE")),
    ("DE", "born", "1.2.1980", Ok("1980-02-01")),
    ("DE", "born", "02/01/1980", Err("INVALID_DATE")),
    ("DE", "size", "1 000", Ok("1000")),
    ("DE", "size", "1.000", Err("INVALID_INTEGER")),
    ("AT", "phone", "01 51444-0", Ok("+431514440")),
    ("AT", "phone", "0664/1234567", Ok("+436641234567")),
    ("AT", "postal_code", "A-1010", Ok("1010")),
    ("AT", "postal_code", "10115", Err("INVALID_POSTAL_CODE")),
    ("CH", "phone", "044 668 18 00", Ok("+41446681800")),
    ("CH", "postal_code", "CH-8001", Ok("8001")),
    ("US", "phone", "(212) 555-2368", Ok("+12125552368")),
    ("US", "phone", "212.555.2368", Ok("+12125552368")),
    ("US", "phone", "1-212-555-2368", Ok("+12125552368")),
    ("US", "phone", "1-800-FLOWERS", Err("INVALID_PHONE")),
    ("US", "phone", "555-2368", Err("INVALID_PHONE")),
    ("US", "postal_code", "02108", Ok("02108")),
    ("US", "postal_code", "02108-1234", Ok("02108")),
    ("US", "postal_code", "021081234", Ok("02108")),
    ("US", "postal_code", "2108", Err("INVALID_POSTAL_CODE")),
    ("US", "born", "11/21/1980", Ok("1980-11-21")),
    ("US", "born", "21/11/1980", Err("INVALID_DATE")),
    ("GB", "phone", "020 7946 0018", Ok("+442079460018")),
    ("GB", "phone", "+44 (0)7911 123456", Ok("+447911123456")),
    ("GB", "postal_code", "sw1a1aa", Ok("SW1A 1AA")),
    ("GB", "postal_code", "M1  1AE", Ok("M1 1AE")),
    ("GB", "postal_code", "12345", Err("INVALID_POSTAL_CODE")),
    ("FR", "phone", "01 42 68 53 00", Ok("+33142685300")),
    ("FR", "phone", "06.12.34.56.78", Ok("+33612345678")),
    ("FR", "postal_code", "F-75001", Ok("75001")),
    ("FR", "postal_code", "01000", Ok("01000")),
    ("NL", "phone", "020-6241111", Ok("+31206241111")),
    ("NL", "phone", "06 12345678", Ok("+31612345678")),
    ("NL", "postal_code", "1012ab", Ok("1012 AB")),
    ("NL", "postal_code", "NL-1012 AB", Ok("1012 AB")),
    ("NL", "postal_code", "1012", Err("INVALID_POSTAL_CODE")),
    ("BE", "phone", "02 555 12 12", Ok("+3225551212")),
    ("BE", "postal_code", "B-1000", Ok("1000")),
    ("LU", "postal_code", "L-1009", Ok("1009")),
    ("IT", "phone", "06 6982", Ok("+39066982")),
    ("IT", "phone", "347 1234567", Ok("+393471234567")),
    ("IT", "postal_code", "00184", Ok("00184")),
    ("IT", "postal_code", "I-00184", Ok("00184")),
    ("ES", "phone", "912 345 678", Ok("+34912345678")),
    ("ES", "postal_code", "E-28001", Ok("28001")),
    ("CA", "phone", "(416) 555-0123", Ok("+14165550123")),
    ("CA", "postal_code", "k1a-0b1", Ok("K1A 0B1")),
    ("PL", "phone", "22 621 02 15", Ok("+48226210215")),
    ("PL", "postal_code", "00-950", Ok("00-950")),
    ("SE", "phone", "08-123 456 78", Ok("+46812345678")),
    ("SE", "postal_code", "113 51", Ok("113 51")),
    ("DK", "phone", "32 12 34 56", Ok("+4532123456")),
    ("DK", "postal_code", "DK-2100", Ok("2100")),
    ("IE", "phone", "01 677 8899", Ok("+35316778899")),
    ("IE", "postal_code", "d02 af30", Ok("D02 AF30")),
    ("AU", "phone", "(02) 9374 4000", Ok("+61293744000")),
    ("AU", "postal_code", "2000", Ok("2000")),
    ("JP", "phone", "03-3224-9999", Ok("+81332249999")),
    ("JP", "postal_code", "100-0001", Ok("100-0001")),
    ("IN", "phone", "098765 43210", Ok("+919876543210")),
    ("IN", "postal_code", "110 001", Ok("110 001")),
    ("BR", "phone", "(11) 3071-3131", Ok("+551130713131")),
    ("BR", "postal_code", "01310-100", Ok("01310-100")),
    ("DE", "email", " Ada.Lovelace+x@Mail.Example.COM ", Ok("ada.lovelace+x@mail.example.com")),
    ("DE", "email", "o'neil@mail.example.com", Ok("o'neil@mail.example.com")),
    ("DE", "email", "ada@müller.example", Ok("ada@müller.example")),
    ("FR", "email", "ада@почта.example", Ok("ада@почта.example")),
    ("DE", "email", "ada@localhost", Err("INVALID_EMAIL")),
    ("DE", "email", "ada@@mail.example.com", Err("INVALID_EMAIL")),
    ("DE", "email", "ada@mail..example.com", Err("INVALID_EMAIL")),
    ("DE", "email", ".ada@mail.example.com", Err("INVALID_EMAIL")),
    ("DE", "email", "Ada <ada@mail.example.com>", Err("INVALID_EMAIL")),
    ("DE", "email", "ada@mail.example.com, eve@mail.example.com", Err("INVALID_EMAIL")),
    ("DE", "email", "ada@[127.0.0.1]", Err("INVALID_EMAIL")),
    ("DE", "email", "ada at mail.example.com", Err("INVALID_EMAIL")),
    ("DE", "email", "ada@mail.example.com\u{200b}", Ok("ada@mail.example.com")),
];

/// E-mail addresses, telephone numbers, postal codes and dates in the habits of many countries: each is stored in one
/// spelling, or named.
#[tokio::test(flavor = "multi_thread")]
async fn every_country_has_its_habits() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let mut markets = std::collections::BTreeMap::new();
        for (country, field, written, wanted) in HABITS {
            if !markets.contains_key(country) {
                markets.insert(country, app.market_in(Selling::default(), country, UnknownFields::Refuse).await);
            }
            let postal_code = HABITS.iter().find_map(|habit| match habit {
                (of, "postal_code", written, Ok(_)) if of == country => Some(*written),
                _ => None,
            });
            let mut body = json!({ "email": "ada@mail.example.com", "postal_code": postal_code.unwrap() });
            body[*field] = json!(written);
            let answer = post(&app.client(&markets[country].key), JSON, body.to_string().into_bytes()).await;
            let what = format!("{country} {field} {written}");
            let answered: Value = serde_json::from_slice(&answer.body).unwrap();
            match wanted {
                Ok(stored) => {
                    assert_eq!(answered["problems"], json!([]), "{what}: {answered}");
                    let id = answered["lead_id"].as_str().unwrap().parse().unwrap();
                    let contents = app.store().read(OPERATE).lead_contents(&[id]).await.unwrap();
                    let value = contents[&id].fields[*field].value.as_ref().unwrap();
                    assert_eq!(&value.to_text(), stored, "{what}");
                }
                Err(code) => check(&what, &answer, Rejected(field, code)),
            }
        }
        app.finish().await;
    }
}

/// Sends bytes as they are and reads until the server closes, which it does within its limits.
async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (mut read, mut write) = stream.split();
    let mut answer = Vec::new();
    // A server that refuses closes before everything is sent.
    let sending = async {
        let _ = write.write_all(bytes).await;
        let _ = write.shutdown().await;
    };
    let (_, done) = tokio::join!(sending, timeout(Duration::from_secs(20), read.read_to_end(&mut answer)));
    done.expect("the server never closed").ok();
    String::from_utf8_lossy(&answer).into_owned()
}

/// The status of an HTTP answer; none where the connection was just closed.
fn status_of(answer: &str) -> Option<u16> {
    answer.strip_prefix("HTTP/1.1 ").or_else(|| answer.strip_prefix("HTTP/1.0 "))?.get(..3)?.parse().ok()
}

/// What is no HTTP is refused or hung up on, and the next request is served.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_is_hung_up_on() {
    let app = TestApp::start(TestDatabase::sqlite()).await;
    let market = market(&app, UnknownFields::Refuse).await;
    let client = app.client(&market.key);
    let address = app.server.as_ref().unwrap().address;
    let head = "POST /v1/leads HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    let with = |more: &str| format!("{head}authorization: Bearer {}\r\n{more}", market.key).into_bytes();
    let without = |more: &str| format!("{head}{more}").into_bytes();
    let endless = format!("x-a: {}\r\n", "a".repeat(60_000));
    for (number, (what, bytes, wanted)) in [
        ("nothing", Vec::new(), None),
        ("noise", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), Some(400)),
        ("a line", b"hello\r\n\r\n".to_vec(), Some(400)),
        ("an old version", b"GET /\r\n\r\n".to_vec(), Some(400)),
        ("a new version", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), Some(400)),
        ("a NUL in the head", with("x-a: \0\r\n\r\n"), Some(400)),
        ("an endless head", with(&endless), Some(431)),
        ("endless heads", with(&format!("{}\r\n", "x-a: b\r\n".repeat(500))), Some(431)),
        ("two lengths", with("content-length: 2\r\ncontent-length: 3\r\n\r\n{}"), Some(400)),
        ("no length", with("content-length: x\r\n\r\n{}"), Some(400)),
        ("a negative length", with("content-length: -1\r\n\r\n{}"), Some(400)),
        ("a length beyond numbers", with("content-length: 99999999999999999999\r\n\r\n{}"), Some(400)),
        ("a terabyte announced", with("content-length: 1099511627776\r\n\r\n{}"), Some(413)),
        ("a length and chunks", with("content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}"), Some(400)),
        ("chunks that are none", with("transfer-encoding: chunked\r\n\r\nxyz\r\n{}"), Some(400)),
        ("half a body", with("content-length: 100\r\n\r\n{\"email\":"), Some(400)),
        ("no key", without("content-length: 2\r\n\r\n{}"), Some(401)),
        ("a key in no alphabet", without("authorization: Bearer \u{fc}\r\ncontent-length: 2\r\n\r\n{}"), Some(401)),
    ]
    .into_iter()
    .enumerate()
    {
        let good = lead(number);
        let (answer, good) = tokio::join!(raw(address, &bytes), client.send_json("/v1/leads", &good, None));
        let status = status_of(&answer);
        assert!(status == wanted || status.is_none(), "{what}: {answer}");
        assert!(status.is_some() || wanted.is_none() || answer.is_empty(), "{what}: {answer}");
        assert_eq!(good.unwrap().1["status"], "sold", "beside {what}");
    }
    app.finish().await;
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,12}",
        any::<String>(),
        "[\\x00-\\x1f]{1,4}",
        Just("\u{0}".to_owned()),
        Just("a@b.de".to_owned()),
        "[0-9]{1,30}",
        "[-+0-9:TZ.]{1,30}",
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any_text().prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((any_key(), inner), 0..6)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// Keys that mean something at a door, and keys that do not.
fn any_key() -> impl Strategy<Value = String> {
    let known = [
        "email",
        "phone",
        "postal_code",
        "born",
        "size",
        "fields",
        "consent",
        "subid",
        "external_id",
        "enquired_at",
        "given_at",
        "text_version",
        "purposes",
        "basis",
        "query",
        "variables",
        "operationName",
    ];
    prop_oneof![4 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => any_text()]
}

/// A body and the type it claims to be of.
fn any_body() -> impl Strategy<Value = (String, Vec<u8>)> {
    let kind = prop_oneof![6 => Just(JSON.to_owned()), 3 => Just(FORM.to_owned()), 1 => "[ -~]{0,30}"];
    let pairs = prop::collection::vec((any_key(), any_text()), 0..8);
    let form = pairs.prop_map(|pairs| {
        pairs.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("&").into_bytes()
    });
    let object = prop::collection::vec((any_key(), any_json()), 0..10)
        .prop_map(|pairs| Value::Object(pairs.into_iter().collect()).to_string().into_bytes());
    let lead = prop::collection::vec((any_key(), any_json()), 0..4).prop_map(|pairs| {
        let mut body = json!({ "email": "ada@mail.example.com", "postal_code": "10115" });
        body.as_object_mut().unwrap().extend(pairs);
        body.to_string().into_bytes()
    });
    let noise = prop::collection::vec(any::<u8>(), 0..300);
    (kind, prop_oneof![1 => noise, 3 => object, 3 => lead, 2 => form])
}

/// Whatever bytes come to whatever door, nothing is answered 5xx, and the database's own limits are never reached.
#[test]
fn no_bytes_at_any_door_are_a_fault_of_ours() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let databases = runtime.block_on(TestDatabase::both());
    for database in databases {
        let app = runtime.block_on(TestApp::start(database));
        let market = runtime.block_on(market(&app, UnknownFields::Keep));
        let (client, address) = (app.client(&market.key), app.server.as_ref().unwrap().address);
        let doors = ["/v1/leads".to_owned(), format!("/f/{}", market.form_key), "/graphql".to_owned()];
        let strategy = (any_body(), "/[ -~]{0,30}", prop::collection::vec(any::<u8>(), 0..200));
        let mut runner =
            TestRunner::new(ProptestConfig { cases: 250, failure_persistence: None, ..ProptestConfig::default() });
        let result = runner.run(&strategy, |((kind, body), path, noise)| {
            runtime.block_on(async {
                for door in doors.iter().chain([&path]) {
                    // A path or a type that is no HTTP does not leave the client.
                    if let Ok(answer) = client.post(door, &kind, vec![], body.clone()).await {
                        prop_assert!(answer.status < 500, "{} at {door}: {:?}", answer.status, answer.body);
                    }
                }
                let noise = [b"POST /v1/leads HTTP/1.1\r\n".as_slice(), &noise, b"\r\n\r\n"].concat();
                let answer = raw(address, &noise).await;
                prop_assert!(status_of(&answer).is_none_or(|status| status < 500), "{answer}");
                Ok(())
            })
        });
        result.unwrap();
        runtime.block_on(app.finish());
    }
}
