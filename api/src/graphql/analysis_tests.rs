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

/// What is more work than reading rows costs more, and the table of it names fields that there are.
#[test]
fn sums_over_histories_weigh_what_they_are() {
    let cost = |inside: &str| ask(&format!("{{ buyers(first: 10) {{ nodes {{ {inside} }} }} }}"), "staff", &Json::Null);
    let range = "(range: { days: { since: \"2026-07-01\", until: \"2026-07-31\" } })";
    assert_eq!(cost("id").unwrap(), 1 + 10 * (1 + 1));
    // Five statements are guessed for a buyer, as of every list without a size.
    assert_eq!(cost(&format!("statement{range} {{ since }}")).unwrap(), 1 + 10 * (1 + 100 + 5));
    let entries = format!("statement{range} {{ entries(first: 4) {{ nodes {{ at }} }} }}");
    assert_eq!(cost(&entries).unwrap(), 1 + 10 * (1 + 100 + 5 * (20 + 4 * 2)));
    for (of, name, weight) in WEIGHTS {
        assert!(shape().field(of, name).is_some() && weight > 1, "{of}.{name}");
    }
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

/// So many of something, numbered.
fn many(count: usize, one: impl Fn(usize) -> String) -> String {
    (0..count).map(one).collect()
}

/// What the engine would look at again and again is counted with everything put in place: spreads of nothing, all
/// operations, values, and fields that stand beside each other at every brace around them.
#[test]
fn what_the_engine_repeats_is_counted() {
    let spread = |name: &str| format!("...{name} ").repeat(60);
    let fan = format!(
        "{{{}}} fragment A on Query{{{}}} fragment B on Query{{{}}} fragment C on Query{{...Nowhere}}",
        spread("A"),
        spread("B"),
        spread("C")
    );
    assert_eq!(code(&fan, "staff"), "DOCUMENT_TOO_LARGE");
    let operations = many(100, |n| format!("query q{n} {{ ...F }} "));
    let fields = many(40, |n| format!("a{n}: __typename "));
    assert_eq!(code(&format!("{operations} fragment F on Query {{ {fields} }}"), "staff"), "DOCUMENT_TOO_LARGE");
    let values = many(500, |n| format!("$v{n} "));
    let value = format!("{operations} fragment F on Query {{ node(id: [{values}]) {{ id }} }}");
    assert_eq!(code(&value, "staff"), "DOCUMENT_TOO_LARGE");
    let around =
        format!("{{ {}{}{} }}", "... { ".repeat(30), many(1_100, |n| format!("a{n}: __typename ")), "}".repeat(30));
    assert_eq!(code(&around, "staff"), "DOCUMENT_TOO_LARGE");
    let arguments =
        format!("{{ {} x: viewer({}) {{ a }} }}", "x: viewer { a } ".repeat(900), many(40, |n| format!("a{n}: 1 ")));
    assert_eq!(code(&arguments, "staff"), "DOCUMENT_TOO_LARGE");
    let defined = format!("query({}) {{ __typename }}", many(201, |n| format!("$v{n}: Int ")));
    assert_eq!(code(&defined, "staff"), "DOCUMENT_TOO_LARGE");
    assert_eq!(code("{ __typename } fragment F on Query { __typename }", "staff"), "GRAPHQL_VALIDATION_FAILED");
}

/// A variable counts wherever it is named, with everything in it; named once, whatever fits a body may pass.
#[test]
fn variables_count_where_they_are_named() {
    let named = |times| format!("query($v: ID!) {{ {} }}", many(times, |n| format!("a{n}: node(id: $v) {{ id }} ")));
    let numbers = |count: usize| serde_json::json!({ "v": vec![0; count] });
    assert_eq!(ask(&named(2), "staff", &numbers(25_000)).unwrap_err().code, "DOCUMENT_TOO_LARGE");
    assert!(ask(&named(1), "staff", &numbers(25_000)).is_ok());
    let text = serde_json::json!({ "v": "x".repeat(30_000) });
    assert_eq!(ask(&named(100), "staff", &text).unwrap_err().code, "DOCUMENT_TOO_LARGE");
    assert!(ask(&named(10), "staff", &text).is_ok());
    let default = format!(
        "query($v: [Int] = [{}]) {{ {} }}",
        "0 ".repeat(2_000),
        many(30, |n| format!("a{n}: node(id: $v) {{ id }} "))
    );
    assert_eq!(code(&default, "staff"), "DOCUMENT_TOO_LARGE");
}

/// Of what compares a password one runs per document, however it is spread; and not more than a hundred mutations.
#[test]
fn mutations_are_bounded() {
    let sign_in = "sessionCreate(input: {email: \"a\", password: \"b\"}) { session { id } }";
    for (document, allowed) in [
        (format!("mutation {{ {sign_in} }}"), true),
        (format!("mutation {{ a: {sign_in} b: {sign_in} }}"), false),
        (format!("mutation {{ ...F ...F }} fragment F on Mutation {{ {sign_in} }}"), false),
        (
            format!("mutation {{ ... {{ a: {sign_in} }} b: passwordReset(input: {{}}) {{ userErrors {{ code }} }} }}"),
            false,
        ),
        (format!("mutation {{ {} }}", many(100, |n| format!("a{n}: sessionEnd {{ ended }} "))), true),
        (format!("mutation {{ {} }}", many(101, |n| format!("a{n}: sessionEnd {{ ended }} "))), false),
    ] {
        let answered = ask(&document, "staff", &Json::Null).map_err(|refused| refused.code);
        assert_eq!(answered.is_ok(), allowed, "{document}: {answered:?}");
        assert!(allowed || answered == Err("DOCUMENT_TOO_LARGE"), "{document}");
    }
}

/// The schema may be asked for all of itself, as tools do, and not in circles.
#[test]
fn the_schema_is_not_walked_in_circles() {
    let looks = |document: &str| {
        let shape = shape();
        let staff = leadyard_types::Principal::Staff {
            user_id: uuid::Uuid::nil().into(),
            role: leadyard_types::Role::Admin,
            key: None,
        };
        let (audience, variables) = (Audience::of(Some(staff)), Map::new());
        let question = Question { shape: &shape, audience, scopes: None, introspection: true, variables: &variables };
        analyse(&parse_query(document).unwrap(), None, &question).map_err(|refused| refused.code)
    };
    // What GraphiQL asks.
    let of_type = format!("kind name {}{}", "ofType { kind name ".repeat(9), "}".repeat(9));
    let value = format!("name description type {{ {of_type} }} defaultValue isDeprecated deprecationReason");
    let whole = format!(
        "{{ __schema {{ queryType {{ name }} mutationType {{ name }} types {{ kind name description
           fields(includeDeprecated: true) {{ name description args(includeDeprecated: true) {{ {value} }}
             type {{ {of_type} }} isDeprecated deprecationReason }}
           inputFields {{ {value} }} interfaces {{ {of_type} }} enumValues {{ name description isDeprecated }}
           possibleTypes {{ {of_type} }} }}
         directives {{ name description locations args {{ {value} }} }} }} }}"
    );
    assert!(looks(&whole).is_ok(), "{:?}", looks(&whole));
    let circle = |times| {
        format!("{{ __schema {{ types {{ {}name{} }} }} }}", "fields { type { ".repeat(times), "} }".repeat(times))
    };
    assert!(looks(&circle(2)).is_ok());
    assert_eq!(looks(&circle(4)), Err("COST_TOO_HIGH"));
    let fragments = "{ __schema { types { ...A } } } fragment A on __Type { fields { type { ...B } } }
        fragment B on __Type { fields { type { ...C } } } fragment C on __Type { fields { type { fields { type { name } } } } }";
    assert_eq!(looks(fragments), Err("COST_TOO_HIGH"));
}
