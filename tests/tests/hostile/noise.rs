//! Arbitrary bytes at every door.

use leadyard_tests::{TestApp, TestDatabase};
use leadyard_types::field::UnknownFields;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::connections::{raw, status_of};
use crate::{FORM, JSON, market};

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
