//! Operations that are known beforehand: named by hash, from a file alone, and where told so, nothing else.

use std::path::Path;
use std::sync::Arc;

use leadyard::graphql::{GraphqlState, Operations, router};
use leadyard::http::server::Server;
use leadyard_connectors::LeadSender;
use leadyard_tests::{TestApp, TestDatabase};
use leadyard_types::Role;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::people::People;

const VIEWER: &str = "query Viewer { viewer { user { role } } }";
const LEADS: &str =
    "query Leads($n: Int!) { leads(first: $n) { nodes { id } } }\nquery Sales { sales(first: 1) { nodes { id } } }";

fn hash(document: &str) -> String {
    Sha256::digest(document.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file as GraphQL Code Generator writes it.
fn file(folder: &Path, documents: &[(String, &str)]) -> std::path::PathBuf {
    let path = folder.join("persisted-documents.json");
    let documents: serde_json::Map<String, Value> =
        documents.iter().map(|(hash, text)| (hash.clone(), (*text).into())).collect();
    std::fs::write(&path, Value::from(documents).to_string()).unwrap();
    path
}

fn both() -> [(String, &'static str); 2] {
    [(hash(VIEWER), VIEWER), (hash(LEADS), LEADS)]
}

async fn serve(app: &TestApp, operations: Operations) -> Server {
    let state = GraphqlState::new(Arc::clone(&app.app.market), app.policy.clone(), true, Arc::new(operations)).unwrap();
    Server::start("127.0.0.1:0".parse().unwrap(), router(state)).await.unwrap()
}

/// Posts a body; answers the status for clients of their own media type, and the body.
async fn post(server: &Server, token: &str, body: Value) -> (u16, Value) {
    let client = LeadSender::new(&format!("http://{}", server.address), Some(token.to_owned().into())).unwrap();
    let accept = vec![("accept".to_owned(), "application/graphql-response+json".to_owned())];
    let answer = client.post("/graphql", "application/json", accept, body.to_string().into_bytes()).await.unwrap();
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

fn apollo(hash: &str) -> Value {
    json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": hash } } })
}

/// A document runs by its hash in both spellings; an unknown hash asks for the text, which then runs and is not kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_document_runs_by_its_hash() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::start(TestDatabase::sqlite()).await;
    let staff = app.staff(Role::Admin).await;
    let operations = Operations::read(&file(folder.path(), &both()), false).await.unwrap();
    let server = serve(&app, operations).await;
    let post = async |body: Value| post(&server, staff.token(), body).await;

    for body in [
        apollo(&hash(VIEWER)),
        json!({ "documentId": hash(VIEWER) }),
        json!({ "documentId": format!("sha256:{}", hash(VIEWER)), "query": null }),
    ] {
        let (status, answer) = post(body).await;
        assert_eq!((status, &answer["data"]["viewer"]["user"]["role"]), (200, &json!("ADMIN")), "{answer}");
    }
    let named = json!({ "documentId": hash(LEADS), "operationName": "Leads", "variables": { "n": 3 } });
    let (_, answer) = post(named).await;
    assert_eq!(answer["data"], json!({ "leads": { "nodes": [] } }), "{answer}");

    let other = "{ viewer { user { email } } }";
    let mut with_text = apollo(&hash(other));
    with_text["query"] = other.into();
    for round in 0..2 {
        let (status, answer) = post(apollo(&hash(other))).await;
        assert_eq!(
            (status, &answer["errors"][0]["extensions"]["code"], &answer["errors"][0]["message"]),
            (400, &json!("PERSISTED_QUERY_NOT_FOUND"), &json!("PersistedQueryNotFound")),
            "round {round}: nothing is registered by sending it"
        );
        let (status, answer) = post(with_text.clone()).await;
        assert_eq!((status, &answer["errors"]), (200, &Value::Null));
    }
    for body in [
        json!({}),
        json!({ "query": "" }),
        json!({ "extensions": { "persistedQuery": { "version": 2, "sha256Hash": hash(VIEWER) } } }),
        json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": 7 } } }),
    ] {
        let (status, answer) = post(body).await;
        assert_eq!((status, &answer["errors"][0]["extensions"]["code"]), (400, &json!("QUERY_MISSING")), "{answer}");
    }
    server.shutdown().await;
    app.finish().await;
}

/// Where only the file's operations are allowed, they run by hash and by text, under the rules of every other; nothing else
/// runs, not even a question about the schema.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_else_runs_where_only_these_are_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::start(TestDatabase::sqlite()).await;
    let staff = app.staff(Role::Admin).await;
    let operations = Operations::read(&file(folder.path(), &both()), true).await.unwrap();
    let server = serve(&app, operations).await;

    for body in [apollo(&hash(VIEWER)), json!({ "query": VIEWER })] {
        let (status, answer) = post(&server, staff.token(), body).await;
        assert_eq!((status, &answer["data"]["viewer"]["user"]["role"]), (200, &json!("ADMIN")), "{answer}");
    }
    let too_many = json!({ "documentId": hash(LEADS), "operationName": "Leads", "variables": { "n": 1000 } });
    let (_, answer) = post(&server, staff.token(), too_many).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "PAGE_SIZE_INVALID", "{answer}");
    for body in [
        json!({ "query": format!("{VIEWER} ") }),
        json!({ "query": "{ __schema { types { name } } }" }),
        apollo(&hash("{ viewer { user { email } } }")),
    ] {
        let (status, answer) = post(&server, staff.token(), body).await;
        assert_eq!(
            (status, &answer["errors"][0]["extensions"]["code"]),
            (403, &json!("OPERATION_NOT_ALLOWED")),
            "{answer}"
        );
    }
    server.shutdown().await;
    // Without a file a client learns that it has to send texts.
    let server = serve(&app, Operations::default()).await;
    let (_, answer) = post(&server, staff.token(), apollo(&hash(VIEWER))).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "PERSISTED_QUERY_NOT_SUPPORTED", "{answer}");
    server.shutdown().await;
    app.finish().await;
}

/// A file with a document that could never run is refused before anything is served, with the document's name and place.
#[tokio::test]
async fn a_document_that_cannot_run_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let unknown_field = "query Old {\n  viewer { user { shoeSize } }\n}";
    let wrong_variable = "query Wrong { leads(first: $n) { nodes { id } } }";
    for (key, document, expected) in [
        (hash(unknown_field), unknown_field, ["Old", "line 2", "shoeSize"]),
        (hash(wrong_variable), wrong_variable, ["Wrong", "line 1", "n"]),
        (hash("query {"), "query {", [&hash("query {")[..8], "expected", "1:"]),
        ("da39a3ee".to_owned(), VIEWER, ["Viewer", "SHA-256", "hashAlgorithm"]),
    ] {
        let path = file(folder.path(), &[(hash(LEADS), LEADS), (key, document)]);
        let error = format!("{:#}", Operations::read(&path, true).await.unwrap_err());
        for part in expected {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert!(!error.contains("Leads"), "what fits is not named: {error}");
    }
    std::fs::write(folder.path().join("list.json"), "[]").unwrap();
    let error = format!("{:#}", Operations::read(&folder.path().join("list.json"), true).await.unwrap_err());
    assert!(error.contains("list.json"), "{error}");
}
