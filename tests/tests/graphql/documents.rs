//! Hostile documents over HTTP: each is answered with a code, by the time the next question is answered as before.

use std::time::Duration;

use leadyard::http::server::ServerLimits;
use leadyard_tests::market::{Selling, lead};
use leadyard_tests::{TestApp, TestDatabase};
use leadyard_types::Role;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::people::People;

/// So many of something, numbered.
fn many(count: usize, one: impl Fn(usize) -> String) -> String {
    (0..count).map(one).collect()
}

/// Documents that would keep a core busy for seconds, or take hundreds of megabytes, and the code each is answered with.
fn documents() -> Vec<(&'static str, String, Value, &'static str)> {
    let spread = |name: &str| format!("...{name} ").repeat(60);
    let fan = |last: &str| {
        let (a, b, c) = (spread("A"), spread("B"), spread("C"));
        format!("{{{a}}} fragment A on Query{{{b}}} fragment B on Query{{{c}}} fragment C on Query{{{last}}}")
    };
    let operations = many(100, |n| format!("query q{n}{{...F}}"));
    let named = format!("query($v:ID!){{{}}}", many(600, |n| format!("a{n}:node(id:$v){{id}}")));
    let circle = "fields{type{".repeat(10) + "name" + &"}}".repeat(10);
    let none = Value::Null;
    vec![
        ("a fan of fragments", fan("__typename"), none.clone(), "DOCUMENT_TOO_LARGE"),
        ("a fan of nothing", fan("...Nowhere"), none.clone(), "DOCUMENT_TOO_LARGE"),
        (
            "fragments nobody spreads",
            format!(
                "{{__typename}} fragment U on Query{{{}}} fragment F on Viewer{{{}}}",
                many(600, |n| format!("a{n}:viewer{{...F}}")),
                many(600, |n| format!("x:{} ", if n % 2 == 0 { "user" } else { "buyer" }))
            ),
            none.clone(),
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            "a hundred operations of one fragment",
            format!("{operations}fragment F on Query{{node(id:[{}]){{id}}}}", many(1_000, |n| format!("$v{n} "))),
            none.clone(),
            "DOCUMENT_TOO_LARGE",
        ),
        (
            "one name at thirty braces",
            format!(
                "{{{}{}{}}}",
                "...{".repeat(30),
                many(900, |n| if n % 2 == 0 { "x:viewer{a}".into() } else { "x:node(id:1){b}".into() }),
                "}".repeat(30)
            ),
            none.clone(),
            "DOCUMENT_TOO_LARGE",
        ),
        ("a large variable everywhere", named, json!({ "v": vec![0; 20_000] }), "DOCUMENT_TOO_LARGE"),
        (
            "sign-ins by the hundred",
            format!(
                "mutation{{{}}}",
                many(300, |n| format!("a{n}:sessionCreate(input:{{email:\"a\",password:\"b\"}}){{session{{id}}}}"))
            ),
            none.clone(),
            "DOCUMENT_TOO_LARGE",
        ),
        ("the schema in circles", format!("{{__schema{{types{{{circle}}}}}}}"), none, "COST_TOO_HIGH"),
    ]
}

/// Whoever sends them, signed in or not, is answered with the code, and of many problems with the first.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_documents_are_answered() {
    let app = TestApp::start(TestDatabase::sqlite()).await;
    let market = app.market(Selling::default()).await;
    app.client(&market.key).send_json("/v1/leads", &lead(1), None).await.unwrap();
    let staff = app.staff(Role::Admin).await;
    for (what, document, variables, code) in documents() {
        for token in [Some(staff.token()), None] {
            let (_, answer) = app.client("").graphql(&document, variables.clone(), token).await.unwrap();
            let told = &answer["errors"][0]["extensions"]["code"];
            // Nobody may hear first that the field is not for them.
            assert!(told == code || (token.is_none() && told == "UNAUTHENTICATED"), "{what}: {answer}");
            assert!(answer["data"].is_null(), "{what}");
        }
        assert_eq!(
            staff.ask("{ leads(first: 1) { totalCount } }", json!({})).await["leads"]["totalCount"],
            1,
            "{what}"
        );
    }
    let wrong = format!("{{{}}}", many(500, |n| format!("nothing{n} ")));
    let answer = staff.raw(&wrong, json!({})).await;
    assert_eq!(answer["errors"].as_array().unwrap().len(), 20, "{answer}");
    app.finish().await;
}

/// What the whole schema is asked for by tools is answered.
#[tokio::test(flavor = "multi_thread")]
async fn the_schema_tells_all_of_itself() {
    let app = TestApp::start(TestDatabase::sqlite()).await;
    let staff = app.staff(Role::Admin).await;
    let of_type = format!("kind name {}{}", "ofType { kind name ".repeat(9), "}".repeat(9));
    let question = format!(
        "{{ __schema {{ types {{ name fields {{ name args {{ name type {{ {of_type} }} }} type {{ {of_type} }} }}
           inputFields {{ name type {{ {of_type} }} }} enumValues {{ name }} possibleTypes {{ {of_type} }} }} }} }}"
    );
    let answer = staff.ask(&question, json!({})).await;
    assert!(answer["__schema"]["types"].as_array().unwrap().len() > 300);
    app.finish().await;
}

/// Bodies that are ambiguous, late or broken are told apart.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_told_apart() {
    let app = TestApp::start(TestDatabase::sqlite()).await;
    let client = app.client("");
    for (body, code) in [
        (&br#"{"query":"{viewer{a}}","query":"{__typename}"}"#[..], "INVALID_REQUEST"),
        (br#"{"query":"{a}","variables":{},"variables":{}}"#, "INVALID_REQUEST"),
        (b"{\"query\":\"{viewer{\xff\xfe}}\"}", "MALFORMED_JSON"),
        (br#"{"query":"{viewer{\ud800}}"}"#, "MALFORMED_JSON"),
        (br#" [{"query":"{a}"}]"#, "BATCH_NOT_SUPPORTED"),
        (b"[", "MALFORMED_JSON"),
        (b"", "MALFORMED_JSON"),
        (b"\"{a}\"", "INVALID_REQUEST"),
    ] {
        let answer = client.post("/graphql", "application/json", vec![], body.to_vec()).await.unwrap();
        let read: Value = serde_json::from_slice(&answer.body).unwrap();
        let told = (answer.status, read["errors"][0]["extensions"]["code"].as_str().unwrap());
        assert_eq!(told, (400, code), "{}", String::from_utf8_lossy(body));
    }
    let limits = ServerLimits { body_timeout: Duration::from_millis(200), ..ServerLimits::default() };
    let server = app.serve_within(limits).await;
    let head = "POST /graphql HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    for (ends, status, code) in [(false, "408", "BODY_TOO_SLOW"), (true, "400", "BODY_BROKEN")] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        if ends {
            stream.shutdown().await.unwrap();
        }
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer);
        // Whoever hangs up in the middle may hear nothing.
        assert!(answer.contains(status) && answer.contains(code) || (ends && answer.is_empty()), "{answer}");
    }
    server.shutdown().await;
    app.finish().await;
}
