use super::*;
use async_graphql::parser::parse_query;

fn shape() -> Shape {
    Shape::read(&crate::graphql::sdl()).unwrap()
}

fn ask(document: &str, caller: &str, variables: &Json) -> Result<u64, Refused> {
    let shape = shape();
    let none = Map::new();
    let variables = variables.as_object().unwrap_or(&none);
    let audience = match caller {
        "anonymous" => Audience::of(None),
        "buyer" => Audience::of(Some(leadyard_types::Principal::Buyer {
            user_id: uuid::Uuid::nil().into(),
            role: leadyard_types::Role::BuyerUser,
            buyer_id: uuid::Uuid::nil().into(),
            key: None,
        })),
        _ => Audience::of(Some(leadyard_types::Principal::Staff {
            user_id: uuid::Uuid::nil().into(),
            role: leadyard_types::Role::Admin,
            key: None,
        })),
    };
    let question = Question { shape: &shape, audience, scopes: None, introspection: false, variables };
    analyse(&parse_query(document).unwrap(), None, &question)
}

fn code(document: &str, caller: &str) -> &'static str {
    ask(document, caller, &Json::Null).unwrap_err().code
}

/// Fragments that spread each other a million times are looked at once, and refused by what they amount to.
#[test]
fn fragment_fans_are_refused_in_linear_time() {
    let spread = |name: &str| format!("...{name} ").repeat(60);
    let document = format!(
        "{{ leads(first: 1) {{ nodes {{ {} }} }} }}
         fragment A on Lead {{ {} }} fragment B on Lead {{ {} }} fragment C on Lead {{ {} }} fragment D on Lead {{ id }}",
        spread("A"),
        spread("B"),
        spread("C"),
        spread("D")
    );
    assert_eq!(code(&document, "staff"), "DOCUMENT_TOO_LARGE");
    assert_eq!(code("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }", "staff"), "FRAGMENT_CYCLE");
    let chain: String = (0..90).map(|n| format!("fragment F{n} on Query {{ ...F{} }} ", n + 1)).collect();
    assert_eq!(
        code(&format!("{{ ...F0 }} {chain} fragment F90 on Query {{ viewer {{ user {{ id }} }} }}"), "staff"),
        "DOCUMENT_TOO_DEEP"
    );
}

/// A fragment's depth counts wherever it is spread, not only where it was met first.
#[test]
fn depth_counts_at_every_spread() {
    let deep = |levels: usize| format!("{}id{}", "decision { lead { ".repeat(levels), " } }".repeat(levels));
    let document = format!(
        "{{ a: leads(first: 1) {{ nodes {{ ...Deep }} }} b: leads(first: 1) {{ nodes {{ {}...Deep{} }} }} }}
         fragment Deep on Lead {{ {} }}",
        "decision { lead { ".repeat(10),
        " } }".repeat(10),
        deep(9)
    );
    assert_eq!(code(&document, "staff"), "DOCUMENT_TOO_DEEP");
}

/// Pages name their size, once, in bounds; a negative or missing one is never free.
#[test]
fn pages_name_their_size() {
    for (arguments, expected) in [
        ("", "PAGE_SIZE_REQUIRED"),
        ("(first: null)", "PAGE_SIZE_REQUIRED"),
        ("(first: 1, last: 1)", "PAGE_SIZE_REQUIRED"),
        ("(first: 0)", "PAGE_SIZE_INVALID"),
        ("(first: -5)", "PAGE_SIZE_INVALID"),
        ("(first: 101)", "PAGE_SIZE_INVALID"),
        ("(last: 99999999999999999999)", "PAGE_SIZE_INVALID"),
        ("(first: \"10\")", "PAGE_SIZE_INVALID"),
    ] {
        assert_eq!(code(&format!("{{ leads{arguments} {{ nodes {{ id }} }} }}"), "staff"), expected, "{arguments}");
    }
    let by_variable = "query($n: Int = 3) { leads(first: $n) { nodes { __typename } } }";
    let cost = |variables| ask(by_variable, "staff", &variables);
    assert_eq!(cost(serde_json::json!({ "n": 100 })), Ok(201));
    assert_eq!(cost(serde_json::json!({})), Ok(7));
    assert_eq!(cost(serde_json::json!({ "n": -1 })).unwrap_err().code, "PAGE_SIZE_INVALID");
    assert_eq!(cost(serde_json::json!({ "n": null })).unwrap_err().code, "PAGE_SIZE_REQUIRED");
}

/// Pages in pages multiply.
#[test]
fn what_costs_too_much_is_refused() {
    let document = "{ buyers(first: 100) { nodes { sales(first: 100) { nodes { id lead { id fields { key } } } } } } }";
    assert_eq!(code(document, "staff"), "COST_TOO_HIGH");
    let aliases: String = (0..4_000).map(|n| format!("a{n}: __typename ")).collect();
    assert_eq!(code(&format!("{{ {aliases} }}"), "staff"), "DOCUMENT_TOO_LARGE");
    let directives = "@skip(if: false) ".repeat(101);
    assert_eq!(code(&format!("{{ viewer {directives} {{ user {{ id }} }} }}"), "staff"), "DOCUMENT_TOO_LARGE");
}

/// The table holds through aliases, fragments, inline fragments and `node`.
#[test]
fn fields_are_refused_however_they_are_asked_for() {
    for document in [
        "{ leads(first: 1) { nodes { x: decision { id } } } }",
        "{ leads(first: 1) { nodes { ... { decision { id } } } } }",
        "{ leads(first: 1) { edges { node { ...F } } } } fragment F on Lead { decision { id } }",
        "{ node(id: \"Lead:1\") { ... on Lead { decision { id } } } }",
        "{ node(id: \"Campaign:1\") { ... on Campaign { floor { amount } } } }",
        "mutation { walletTopUp(input: {}) { moved } }",
    ] {
        assert_eq!(code(document, "buyer"), "FORBIDDEN", "{document}");
        assert_eq!(code(document, "anonymous"), "UNAUTHENTICATED", "{document}");
        assert!(ask(document, "staff", &Json::Null).is_ok(), "{document}");
    }
    assert_eq!(code("{ __schema { types { name } } }", "buyer"), "INTROSPECTION_DISABLED");
}
