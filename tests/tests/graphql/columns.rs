//! Of wide rows only the columns are read that a question needs: what it shows is the same, whatever else it asks for.

use leadyard_tests::{TestApp, on_both};
use leadyard_types::Role;
use serde_json::{Value, json};

use crate::people::{Asking, People};
use crate::statistics::busy_week;

/// The fields of a type: their arguments, and what they lead to.
const FIELDS: &str = "query($name: String!) { __type(name: $name) { fields { name args { name type { kind } }
    type { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } }";

/// A field by itself, with what makes its value tell something: the leaves of what it leads to, or the ids of a list.
async fn alone(staff: &Asking, field: &Value) -> Option<String> {
    let name = field["name"].as_str().unwrap();
    let mut of = &field["type"];
    while !of["ofType"].is_null() {
        of = &of["ofType"];
    }
    if of["kind"] == "SCALAR" || of["kind"] == "ENUM" {
        return Some(name.to_owned());
    }
    let inner = of["name"].as_str().unwrap();
    if name == "statistics" {
        let days = "days: { since: \"2026-01-01\", until: \"2026-03-01\" }";
        return Some(format!("{name}(range: {{ {days}, interval: MONTH }}) {{ currency }}"));
    }
    if inner.ends_with("Connection") {
        return Some(format!("{name}(first: 3) {{ nodes {{ id }} }}"));
    }
    if field["args"].as_array().unwrap().iter().any(|arg| arg["type"]["kind"] == "NON_NULL") {
        return None;
    }
    let told = staff.ask(FIELDS, json!({ "name": inner })).await;
    let fields = told["__type"]["fields"].as_array().unwrap().iter();
    let leaf = |field: &&Value| {
        let of = if field["type"]["ofType"].is_null() { &field["type"] } else { &field["type"]["ofType"] };
        field["args"].as_array().unwrap().is_empty() && (of["kind"] == "SCALAR" || of["kind"] == "ENUM")
    };
    let leaves: Vec<&str> = fields.filter(leaf).map(|field| field["name"].as_str().unwrap()).collect();
    Some(format!("{name} {{ __typename {} }}", leaves.join(" ")))
}

/// The items a place of the API shows, in its order.
fn items(answer: &Value, found: &mut Vec<Value>) {
    match answer {
        Value::Object(fields) if fields.contains_key("ITEM") => found.push(answer.clone()),
        Value::Object(fields) => fields.values().for_each(|inner| items(inner, found)),
        Value::Array(list) => list.iter().for_each(|inner| items(inner, found)),
        _ => {}
    }
}

async fn shown(staff: &Asking, place: &str, fields: &str) -> Vec<Value> {
    let question = place.replace("{}", &format!("{{ ITEM: __typename {fields} }}"));
    let mut found = Vec::new();
    items(&staff.ask(&question, json!({})).await, &mut found);
    assert!(!found.is_empty(), "{question} shows nothing");
    found
}

/// Every field of the types that stand on wide rows, asked for alone and beside all others, through every sort of place:
/// lists, lists inside other things, their edges, fragments, and single things that others name.
#[tokio::test(flavor = "multi_thread")]
async fn a_field_is_the_same_alone_and_beside_all_others() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        busy_week(&app).await;
        let staff = app.staff(Role::Admin).await;
        for (name, places) in [
            (
                "Sale",
                [
                    "{ sales(first: 3, orderBy: PRICE) { nodes {} } }",
                    "{ buyers(first: 3) { nodes { sales(first: 2) { edges { node {} } } } } }",
                    "{ complaints(first: 3) { nodes { sale {} } } }",
                    "{ leads(first: 4) { nodes { sales {} } } }",
                ],
            ),
            (
                "Lead",
                [
                    "{ leads(first: 3) { edges { node {} } } }",
                    "{ sales(first: 3) { nodes { lead {} } } }",
                    "{ leads(first: 2) { ...page } } fragment page on LeadConnection { nodes { ...item } }
                    fragment item on Lead {}",
                    "{ leads(first: 2) { nodes { id } edges { node { ... on Lead {} } } } }",
                ],
            ),
            (
                "Contract",
                [
                    "{ contracts(first: 3) { nodes {} } }",
                    "{ campaigns(first: 2) { nodes { contracts(first: 2) { nodes {} } } } }",
                    "{ sales(first: 3) { nodes { contract {} } } }",
                    "{ buyers(first: 2) { nodes { contracts(last: 1, orderBy: NEWEST) { edges { node {} } } } } }",
                ],
            ),
        ] {
            let told = staff.ask(FIELDS, json!({ "name": name })).await;
            let mut fields = Vec::new();
            for field in told["__type"]["fields"].as_array().unwrap() {
                let Some(text) = alone(&staff, field).await else { continue };
                fields.push((field["name"].as_str().unwrap().to_owned(), text));
            }
            assert!(fields.len() > 20, "{name} has {} fields", fields.len());
            let all = fields.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(" ");
            for place in places {
                let whole = shown(&staff, place, &all).await;
                for (field, text) in &fields {
                    let alone = shown(&staff, place, text).await;
                    let of = |found: &[Value]| found.iter().map(|item| item[field].clone()).collect::<Vec<_>>();
                    assert_eq!(of(&alone), of(&whole), "{name}.{field} in {place}");
                }
            }
        }
        // One thing shown twice, with other columns each time, by names of their own and by one.
        let twice = "{ sales(first: 3) { nodes { a: lead { state } b: lead { receivedAt subid }
            lead { id state } lead { receivedAt } } } }";
        for sale in staff.ask(twice, json!({})).await["sales"]["nodes"].as_array().unwrap() {
            let (state, received) = (&sale["a"]["state"], &sale["b"]["receivedAt"]);
            assert_eq!((state, received), (&sale["lead"]["state"], &sale["lead"]["receivedAt"]));
            assert!(state.is_string() && received.is_string());
        }
        // By its id, as one of many kinds.
        let ids = staff.ask("{ sales(first: 1) { nodes { id lead { id } contract { id } } } }", json!({})).await;
        let sale = &ids["sales"]["nodes"][0];
        let kinds = "query($id: ID!) { node(id: $id) { ... on Sale { state soldAt } ... on Lead { state receivedAt }
            ... on Contract { name } } }";
        for (id, field) in
            [(&sale["id"], "soldAt"), (&sale["lead"]["id"], "receivedAt"), (&sale["contract"]["id"], "name")]
        {
            assert!(staff.ask(kinds, json!({ "id": id })).await["node"][field].is_string(), "{id}");
        }
        app.finish().await;
    })
    .await;
}

/// What is not asked for is not read: neither in lists of their own nor inside others, nor of what others name.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_shown_is_not_read() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        busy_week(&app).await;
        let staff = app.staff(Role::Admin).await;
        let question =
            "{ leads(first: 2) { nodes { state } edges { node { door } } } sales(first: 2) { nodes { lead { subid } } }
            buyers(first: 2) { nodes { sales(first: 2) { nodes { leg } } } } }";
        staff.ask(question, json!({})).await;
        let of = |table: &str, column: &str| -> Vec<String> {
            let ran = app.store().ran_with(&format!("FROM \"{table}\""));
            ran.into_iter().filter(|sql| sql.starts_with("SELECT") && sql.contains(&format!("\"{column}\""))).collect()
        };
        for (table, column) in
            [("lead", "sealed_fields"), ("lead", "fields"), ("lead", "reason"), ("sale", "reference")]
        {
            assert_eq!(of(table, column), Vec::<String>::new(), "{table}.{column} was read");
        }
        for (table, column) in [("lead", "state"), ("lead", "door"), ("lead", "subid"), ("sale", "leg")] {
            assert!(!of(table, column).is_empty(), "{table}.{column} is read where nobody sees it");
        }
        app.finish().await;
    })
    .await;
}
