//! Texts and moments that one of the databases cannot hold: both refuse them alike, with what is right.

use leadyard_tests::market::{Selling, lead};
use leadyard_tests::{TestApp, on_both};
use leadyard_types::Role;
use serde_json::{Value, json};

use crate::people::People as _;

fn code(answer: &Value) -> &Value {
    &answer["errors"][0]["extensions"]["code"]
}

/// A document with U+0000 in a text, or in what it names, does not run: written as itself or escaped, in a variable, in a
/// key, in the document, wherever the text would go.
#[tokio::test(flavor = "multi_thread")]
async fn a_nul_is_refused_before_anything_runs() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let admin = app.staff(Role::Admin).await;
        let create = "mutation($input: BuyerCreateInput!) { buyerCreate(input: $input) { userErrors { code } } }";
        let submit = "mutation($input: LeadSubmitInput!) { leadSubmit(input: $input) { submission { state } userErrors { code } } }";
        let source = format!("Source:{}", market.source_id);
        let sent = |more: Value| {
            let mut input = json!({ "sourceId": source, "fields": [{ "key": "email", "value": "a@mail.example.com" }] });
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({ "input": input })
        };
        for (question, variables) in [
            (create, json!({ "input": { "name": "a\0b" } })),
            (submit, sent(json!({ "subid": "\0" }))),
            (submit, sent(json!({ "idempotencyKey": "k\0" }))),
            (submit, sent(json!({ "fields": [{ "key": "email\0", "value": "a" }] }))),
            (submit, sent(json!({ "consent": { "purposes": ["call\0"] } }))),
            ("query($f: BuyerFilter) { buyers(first: 1, filter: $f) { totalCount } }", json!({ "f": { "name": "\0" } })),
            ("query($f: LeadFilter) { leads(first: 1, filter: $f) { totalCount } }", json!({ "f": { "subid": "\0" } })),
            ("query($f: ConsentFilter) { consents(first: 1, filter: $f) { totalCount } }", json!({ "f": { "purpose": "\0" } })),
            ("{ buyers(first: 1, filter: { name: \"a\\u0000\" }) { totalCount } }", json!({})),
            ("{ buyers(first: 1, filter: { name: \"a\0\" }) { totalCount } }", json!({})),
            ("{ buyers(first: 1, filter: { name: \"\"\"a\0\"\"\" }) { totalCount } }", json!({})),
            ("query($n: String = \"\\u0000\") { buyers(first: 1, filter: { name: $n }) { totalCount } }", json!({})),
            ("query($id: ID!) { node(id: $id) { id } }", json!({ "id": "Buyer:\0" })),
            ("{ buyers(first: 1, orderBy: NAME, after: \"00000000000000000000000000000007s\\u0000\") { totalCount } }", json!({})),
        ] {
            let answer = admin.raw(question, variables.clone()).await;
            assert_eq!((code(&answer), &answer["data"]), (&json!("NUL_CHARACTER"), &Value::Null), "{question} {variables}: {answer}");
        }
        // What only looks like one, and characters that both databases hold.
        let near = json!({ "f": { "name": "\\u0000 \u{1}" } });
        let found = admin.ask("query($f: BuyerFilter) { buyers(first: 1, filter: $f) { totalCount } }", near).await;
        assert_eq!(found["buyers"]["totalCount"], 0);
        let none = admin.ask("{ buyers(first: 1) { totalCount } leads(first: 1) { totalCount } }", json!({})).await;
        assert_eq!((&none["buyers"]["totalCount"], &none["leads"]["totalCount"]), (&json!(0), &json!(0)));
        // At the other doors a lead is kept, and says what was wrong with it; a key is refused by its form.
        let client = app.client(&market.key);
        let mut body = lead(1);
        body["subid"] = json!("a\0");
        let (status, answer) = client.send_json("/v1/leads", &body, None).await.unwrap();
        assert_eq!((status, &answer["problems"][0]["code"]), (200, &json!("CONTROL_CHARACTER")), "{answer}");
        app.finish().await;
    })
    .await;
}

/// Names are lines that people read: no control character stands in one, whoever gets it.
#[tokio::test(flavor = "multi_thread")]
async fn names_are_lines_to_read() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let admin = app.staff(Role::Admin).await;
        for noun in ["buyer", "supplier"] {
            let kind = if noun == "buyer" { "Buyer" } else { "Supplier" };
            let create = format!("mutation($input: {kind}CreateInput!) {{ {noun}Create(input: $input) {{ userErrors {{ code field }} }} }}");
            for (name, told) in [
                ("Sun\u{7}", json!([{ "code": "CONTROL_CHARACTER", "field": ["input", "name"] }])),
                ("Sun\nSubject: x", json!([{ "code": "CONTROL_CHARACTER", "field": ["input", "name"] }])),
                ("\u{1b}[31mSun", json!([{ "code": "CONTROL_CHARACTER", "field": ["input", "name"] }])),
                (" \n ", json!([{ "code": "LENGTH", "field": ["input", "name"] }])),
                ("Söhne & Töchter 日本 \u{1f31e}", json!([])),
            ] {
                let answer = admin.ask(&create, json!({ "input": { "name": name } })).await;
                assert_eq!(answer[format!("{noun}Create")]["userErrors"], told, "{noun} {name:?}");
            }
        }
        app.finish().await;
    })
    .await;
}

/// Days and moments of years that no database sorts are no dates; those at the edge of what is held are answered; a cursor
/// with a moment beyond was never handed out.
#[tokio::test(flavor = "multi_thread")]
async fn days_at_the_ends_of_time_are_answered() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        app.buyer("Sun", 1_000, vec![]).await;
        let admin = app.staff(Role::Admin).await;
        let statistics = "query($range: StatisticsRange!) { buyers(first: 1) { nodes { statistics(range: $range) { points { start } } } }
            suppliers(first: 1) { nodes { payables(range: $range) { points { start } } } } }";
        let statement = "query($range: StatementRange!) { buyers(first: 1) { nodes { statement(range: $range) { since entries(first: 1) { totalCount } } } } }";
        for day in ["0001-01-01", "9999-12-31"] {
            let days = json!({ "since": day, "until": day });
            for zone in ["UTC", "Pacific/Kiritimati", "Etc/GMT+12"] {
                for interval in ["HOUR", "MONTH"] {
                    let range = json!({ "range": { "days": days, "interval": interval, "timeZone": zone } });
                    let answer = admin.ask(statistics, range).await;
                    assert!(answer["buyers"]["nodes"][0]["statistics"][0]["points"][0]["start"].is_string(), "{answer}");
                }
                admin.ask(statement, json!({ "range": { "days": days, "timeZone": zone } })).await;
            }
            let profit = "query($range: DayRange!) { profitAndLoss(by: DAY, range: $range) { name } }";
            admin.ask(profit, json!({ "range": days })).await;
        }
        for day in ["0000-12-31", "-9999-01-1", "-99999-1-1"] {
            let range = json!({ "range": { "days": { "since": day, "until": "2026-07-01" } } });
            assert_eq!(code(&admin.raw(statistics, range).await), "BAD_USER_INPUT", "{day}");
        }
        let leads = "query($f: LeadFilter) { leads(first: 1, filter: $f) { totalCount } }";
        for moment in ["-99999-01-01T00:00:00Z", "+10000-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00"] {
            for side in ["receivedSince", "receivedUntil"] {
                assert_eq!(code(&admin.raw(leads, json!({ "f": { side: moment } })).await), "BAD_USER_INPUT", "{moment}");
            }
        }
        app.client(&market.key).send_json("/v1/leads", &lead(1), None).await.unwrap();
        for (since, found) in [("0001-01-01T00:00:00Z", 1), ("9999-12-31T23:59:59Z", 0)] {
            let answer = admin.ask(leads, json!({ "f": { "receivedSince": since } })).await;
            assert_eq!(answer["leads"]["totalCount"], found, "{since}");
        }
        for micros in ["9223372036854775807", "-9223372036854775808", "253402300800000000", "-62135596800000001"] {
            let cursor = format!("00000000000000000000000000000007t{micros}");
            let question = "query($c: String) { leads(first: 1, after: $c) { nodes { id } } }";
            assert_eq!(code(&admin.raw(question, json!({ "c": cursor })).await), "CURSOR_INVALID", "{micros}");
            let question = "query($range: StatementRange!, $c: String) { buyers(first: 1) { nodes { statement(range: $range) { entries(first: 1, after: $c) { totalCount } } } } }";
            let cursor = format!("00000000000000000000000000000007s{micros}p2");
            let variables = json!({ "c": cursor, "range": { "days": { "since": "2026-07-01", "until": "2026-07-01" } } });
            assert_eq!(code(&admin.raw(question, variables).await), "CURSOR_INVALID", "{micros}");
        }
        app.finish().await;
    })
    .await;
}
