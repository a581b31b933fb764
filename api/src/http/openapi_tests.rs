/// `openapi.json` is what suppliers' developers generate their clients from: it changes only on purpose.
#[test]
fn the_committed_description_is_the_description() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == super::text().unwrap(),
        "openapi.json is not up to date: cargo run -- openapi > openapi.json, and look at the difference"
    );
}

/// A door is opened with its description or not at all: nothing is added to the router beside it.
#[test]
fn no_door_is_opened_without_its_description() {
    let source = include_str!("../http.rs");
    for past in [".route(", "Router::new(", ".merge(", ".nest("] {
        assert!(!source.contains(past), "http.rs opens a door with `{past}`: use .routes(routes!(…)) in doors()");
    }
}

/// Whoever reads it learns something: every operation has a sentence, every answer too, and ids are not given twice.
#[test]
fn everything_is_described() {
    let document = serde_json::to_value(super::document()).unwrap();
    let mut ids = std::collections::BTreeSet::new();
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
    for operation in operations {
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id.to_owned()), "{id} is there twice");
        let summary = operation["summary"].as_str().unwrap_or_default();
        assert!(summary.ends_with('.') && !summary.contains('\n'), "{id}: one sentence on one line: {summary:?}");
        for (status, answer) in operation["responses"].as_object().unwrap() {
            assert!(answer["description"].as_str().is_some_and(|text| text.len() > 5), "{id} {status}");
        }
    }
    assert!(ids.len() >= 9);
}
