use leadyard_types::terms::Window;
use leadyard_types::{Consent, Schedule, SourceId};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::rules::facts::{Centre, NoPostalCentres, PostalPlace, PostalTable};
use crate::rules::fixtures::facts;

fn compile(filter: &Filter) -> CompiledFilter {
    CompiledFilter::compile(filter, "DE", &table()).unwrap()
}

fn json(text: &str) -> Filter {
    serde_json::from_str(text).unwrap()
}

fn matches(text: &str, facts: &LeadFacts) -> bool {
    let compiled = compile(&json(text));
    let passes = compiled.matches(facts);
    assert_eq!(passes, compiled.refusal(facts).is_none(), "{text}");
    passes
}

fn table() -> PostalTable {
    let mut table = PostalTable::default();
    let place = |latitude, longitude| PostalPlace {
        centre: Centre { latitude, longitude },
        state_code: String::new(),
        state: String::new(),
    };
    assert!(table.insert("DE", "10115", &place(52.5323, 13.3846)));
    assert!(table.insert("DE", "14467", &place(52.4009, 13.0591)));
    table
}

fn solar() -> LeadFacts {
    let mut lead = facts(&[
        ("roof", FieldValue::text("Pitched")),
        ("kwp", FieldValue::text("9.5")),
        ("age", FieldValue::Integer(42)),
        ("owner", FieldValue::Boolean(true)),
        ("from", FieldValue::text("2026-08-01")),
    ]);
    lead.postal_code = Some("14467".into());
    lead.state = Some("BB".into());
    lead.centre = table().lookup("DE", "14467").map(|place| place.centre);
    lead.score = Some(70);
    lead.consent =
        Some(Consent { given_at: Some(lead.received_at - chrono::TimeDelta::hours(48)), ..Consent::default() });
    lead
}

/// Equality and lists compare texts without regard to case, numbers and booleans by their value.
#[test]
fn values_compare_without_regard_to_case() {
    let lead = solar();
    assert!(matches(r#"{"op":"equals","field":"roof","value":"PITCHED"}"#, &lead));
    assert!(matches(r#"{"op":"equals","field":"age","value":42}"#, &lead));
    assert!(matches(r#"{"op":"equals","field":"owner","value":true}"#, &lead));
    assert!(matches(r#"{"op":"in","field":"roof","values":["flat","pitched"]}"#, &lead));
    assert!(matches(r#"{"op":"in","field":"roof","values":["a","b","c","d","e","f","g","h","i","Pitched"]}"#, &lead));
    assert!(!matches(r#"{"op":"in","field":"roof","values":["flat"]}"#, &lead));
    assert!(!matches(r#"{"op":"equals","field":"absent","value":"x"}"#, &lead));
}

/// Ranges include both bounds; numbers compare as numbers, dates as dates; another sort of value never matches.
#[test]
fn ranges_include_their_bounds() {
    let lead = solar();
    assert!(matches(r#"{"op":"range","field":"age","min":42,"max":42}"#, &lead));
    assert!(matches(r#"{"op":"range","field":"kwp","min":9,"max":"9.50"}"#, &lead));
    assert!(matches(r#"{"op":"range","field":"kwp","max":10}"#, &lead));
    assert!(!matches(r#"{"op":"range","field":"kwp","min":10}"#, &lead));
    assert!(matches(r#"{"op":"range","field":"from","min":"2026-08-01","max":"2026-08-01"}"#, &lead));
    assert!(!matches(r#"{"op":"range","field":"from","min":"2026-08-02"}"#, &lead));
    assert!(!matches(r#"{"op":"range","field":"roof","min":1}"#, &lead));
    assert!(!matches(r#"{"op":"range","field":"owner","min":0}"#, &lead));
}

/// Places: lists, prefixes, ranges, states by code or name, countries.
#[test]
fn places_match_as_people_write_them() {
    let lead = solar();
    assert!(matches(r#"{"op":"postal_codes","codes":["01067","14467"]}"#, &lead));
    assert!(matches(r#"{"op":"postal_prefixes","prefixes":["9","14"]}"#, &lead));
    assert!(!matches(r#"{"op":"postal_prefixes","prefixes":["144670"]}"#, &lead));
    assert!(matches(r#"{"op":"postal_range","from":"14467","to":"14482"}"#, &lead));
    assert!(!matches(r#"{"op":"postal_range","from":"1446","to":"1448"}"#, &lead));
    assert!(matches(r#"{"op":"states","states":["Berlin","Brandenburg"]}"#, &lead));
    assert!(matches(r#"{"op":"states","states":["11"]}"#, &lead));
    assert!(matches(r#"{"op":"countries","countries":["de"]}"#, &lead));
    assert!(!matches(r#"{"op":"postal_codes","codes":["14467"]}"#, &facts(&[])));
}

/// A radius goes by the great circle; an unknown code on either side does not match and says so.
#[test]
fn a_radius_says_how_far_and_what_is_unknown() {
    let lead = solar();
    assert!(matches(r#"{"op":"radius","postal_code":"10115","km":27}"#, &lead));
    let seen = |text: &str, lead: &LeadFacts| compile(&json(text)).refusal(lead).unwrap().seen[0].clone();
    let near = seen(r#"{"op":"radius","postal_code":"10115","km":26}"#, &lead);
    assert_eq!((near.name.as_str(), near.value.as_str()), ("distance", "26.5 km"));
    let unknown = seen(r#"{"op":"radius","postal_code":"99999","km":26}"#, &lead);
    assert!(unknown.value.contains("99999 is not in the postal data"), "{unknown:?}");
    assert!(!matches(r#"{"op":"radius","postal_code":"10115","km":20000}"#, &facts(&[])));
    let away = LeadFacts { centre: None, ..solar() };
    assert!(
        seen(r#"{"op":"radius","postal_code":"10115","km":20000}"#, &away).value.contains("the lead's postal code")
    );
}

/// Consent, score, source, time, presence and text.
#[test]
fn everything_known_of_a_lead_can_be_asked() {
    let lead = solar();
    assert!(matches(r#"{"op":"consent_age","max_hours":48}"#, &lead));
    assert!(!matches(r#"{"op":"consent_age","max_hours":47}"#, &lead));
    assert!(!matches(r#"{"op":"consent_age","max_hours":9999}"#, &facts(&[])));
    assert!(matches(r#"{"op":"score","min":70,"max":70}"#, &lead));
    assert!(!matches(r#"{"op":"score","min":0}"#, &facts(&[])));
    assert!(matches(r#"{"op":"sources","sources":["00000000-0000-0000-0000-000000000001"]}"#, &lead));
    assert!(matches(r#"{"op":"matches","field":"roof","pattern":"^Pit"}"#, &lead));
    assert!(matches(r#"{"op":"exists","field":"roof"}"#, &lead));
    let time = |from| Filter::Time { schedule: monday_from(from) };
    assert!(compile(&time(720)).matches(&lead));
    assert!(!compile(&time(721)).matches(&lead));
}

/// The empty `all` matches, the empty `any` does not; an absent field matches only under `not`.
#[test]
fn the_tree_is_boolean() {
    let lead = solar();
    assert!(matches(r#"{"op":"all","of":[]}"#, &lead));
    assert!(!matches(r#"{"op":"any","of":[]}"#, &lead));
    assert!(!matches(r#"{"op":"not","of":{"op":"all","of":[]}}"#, &lead));
    assert!(matches(r#"{"op":"not","of":{"op":"exists","field":"absent"}}"#, &lead));
    assert!(matches(r#"{"op":"not","of":{"op":"equals","field":"absent","value":1}}"#, &lead));
}

/// A refusal names the first condition that fails, what it wanted and what it saw; the value stands only in `seen`.
#[test]
fn a_refusal_names_the_first_failing_condition() {
    let text = r#"{"op":"all","of":[{"op":"exists","field":"roof"},
        {"op":"any","of":[{"op":"in","field":"roof","values":["flat","shed"]},{"op":"range","field":"kwp","min":10}]},
        {"op":"not","of":{"op":"states","states":["BB"]}}]}"#;
    let refusal = compile(&json(text)).refusal(&solar()).unwrap();
    assert_eq!(refusal.check, Check::Filters);
    assert_eq!(refusal.message, "roof must be one of flat, shed, or its alternative must match");
    let seen: Vec<_> = refusal.seen.iter().map(|seen| format!("{}={}", seen.name, seen.value)).collect();
    assert_eq!(seen, ["roof=Pitched", "wanted=one of flat, shed"]);
    let not = r#"{"op":"not","of":{"op":"states","states":["BB"]}}"#;
    assert_eq!(compile(&json(not)).refusal(&solar()).unwrap().message, "state must be not BB");
}

/// Everything wrong with a filter is named with its path.
#[test]
fn problems_are_named_with_their_path() {
    let text = r#"{"op":"all","of":[
        {"op":"matches","field":"a","pattern":"("},
        {"op":"range","field":"a"},
        {"op":"range","field":"a","min":"x"},
        {"op":"range","field":"a","min":2,"max":1},
        {"op":"in","field":"a","values":[]},
        {"op":"postal_codes","codes":["10115","1"]},
        {"op":"postal_range","from":"2","to":"10"},
        {"op":"countries","countries":["XX"]},
        {"op":"not","of":{"op":"exists","field":""}},
        {"op":"sources","sources":[]},
        {"op":"score","min":2,"max":1}
    ]}"#;
    let problems = CompiledFilter::compile(&json(text), "DE", &NoPostalCentres).unwrap_err();
    let found: Vec<_> = problems.iter().map(|problem| format!("{} {}", problem.field, problem.code)).collect();
    assert_eq!(
        found,
        [
            "filter.of.0 INVALID_PATTERN",
            "filter.of.1 REQUIRED",
            "filter.of.2 INVALID_RANGE",
            "filter.of.3 INVALID_RANGE",
            "filter.of.4 EMPTY_LIST",
            "filter.of.5.1 INVALID_VALUE",
            "filter.of.6 INVALID_RANGE",
            "filter.of.7.0 INVALID_VALUE",
            "filter.of.8.of REQUIRED",
            "filter.of.9 EMPTY_LIST",
            "filter.of.10 INVALID_RANGE",
        ]
    );
}

/// Depth and size are bounded.
#[test]
fn filters_are_bounded() {
    let leaf = || Filter::Exists { field: "a".into() };
    let nested = |depth| (1..depth).fold(leaf(), |inner, _| Filter::Not { of: Box::new(inner) });
    let code = |filter: &Filter| {
        CompiledFilter::compile(filter, "DE", &NoPostalCentres)
            .err()
            .map(|problems| problems.into_iter().map(|problem| problem.code).collect::<Vec<_>>())
    };
    assert_eq!(code(&nested(DEPTH_MAX)), None);
    assert_eq!(code(&nested(DEPTH_MAX + 1)), Some(vec!["TOO_DEEP".to_owned()]));
    assert_eq!(code(&Filter::Any { of: vec![leaf(); NODES_MAX - 1] }), None);
    assert_eq!(code(&Filter::Any { of: vec![leaf(); NODES_MAX + 5] }), Some(vec!["TOO_LARGE".to_owned()]));
    let codes = vec!["10115".to_owned(); VALUES_MAX / 2 + 1];
    let lists = Filter::Any { of: vec![Filter::PostalCodes { codes: codes.clone() }, Filter::PostalCodes { codes }] };
    assert_eq!(code(&lists), Some(vec!["TOO_LARGE".to_owned()]));
}

/// Fields that the vertical does not define are named, once each.
#[test]
fn undefined_fields_are_named() {
    let vertical = VerticalTerms {
        fields: vec![leadyard_types::FieldDefinition::new(
            "roof",
            leadyard_types::FieldKind::Text,
            leadyard_types::Required::Never,
            false,
        )],
        unknown_fields: leadyard_types::field::UnknownFields::Keep,
    };
    let filter = compile(&json(
        r#"{"op":"any","of":[{"op":"exists","field":"roof"},{"op":"exists","field":"rof"},{"op":"not","of":{"op":"exists","field":"rof"}}]}"#,
    ));
    assert_eq!(filter.undefined_fields(&vertical), ["rof"]);
}

pub(crate) fn any_value() -> impl Strategy<Value = FieldValue> {
    prop_oneof![
        any::<bool>().prop_map(FieldValue::Boolean),
        (0i64..5).prop_map(FieldValue::Integer),
        "[a-cA-C]{1}".prop_map(FieldValue::Text),
        (0i64..5).prop_map(|number| FieldValue::Text(format!("{number}.5"))),
        (1u32..9).prop_map(|day| FieldValue::Text(format!("2026-07-0{day}"))),
    ]
}

fn any_code() -> impl Strategy<Value = String> {
    prop_oneof![Just("10115".to_owned()), Just("14467".to_owned()), "[0-3]{5}"]
}

fn any_field() -> impl Strategy<Value = String> {
    "[xyz]"
}

/// Open on Mondays from this minute on, UTC.
fn monday_from(from_minute: u16) -> Schedule {
    let window = Window { weekday: chrono::Weekday::Mon, from_minute, to_minute: 1440 };
    Schedule { time_zone: chrono_tz::Tz::UTC, windows: vec![window] }
}

fn any_leaf() -> impl Strategy<Value = Filter> {
    let source = |number: u128| SourceId(Uuid::from_u128(number));
    prop_oneof![
        (any_field(), any_value()).prop_map(|(field, value)| Filter::Equals { field, value }),
        (any_field(), prop::collection::vec(any_value(), 1..12))
            .prop_map(|(field, values)| Filter::In { field, values }),
        (any_field(), 0i64..4, 0i64..4).prop_map(|(field, min, more)| Filter::Range {
            field,
            min: Some(FieldValue::Integer(min)),
            max: Some(FieldValue::Integer(min + more)),
        }),
        (any_field(), 1u32..9).prop_map(|(field, day)| Filter::Range {
            field,
            min: None,
            max: Some(FieldValue::Text(format!("2026-07-0{day}"))),
        }),
        (any_field(), "[ab]|[a-c]|\\^2").prop_map(|(field, pattern)| Filter::Matches { field, pattern }),
        (0u16..1439).prop_map(|from_minute| Filter::Time { schedule: monday_from(from_minute) }),
        any_field().prop_map(|field| Filter::Exists { field }),
        prop::collection::vec(any_code(), 1..10).prop_map(|codes| Filter::PostalCodes { codes }),
        prop::collection::vec("[0-3]{1,3}", 1..4).prop_map(|prefixes| Filter::PostalPrefixes { prefixes }),
        (any_code(), any_code())
            .prop_map(|(a, b)| Filter::PostalRange { from: a.clone().min(b.clone()), to: a.max(b) }),
        prop::collection::vec("BE|BB|13|Saxony|XX", 1..3).prop_map(|states| Filter::States { states }),
        prop::collection::vec("DE|AT|at", 1..3).prop_map(|countries| Filter::Countries { countries }),
        (any_code(), 0u32..60).prop_map(|(postal_code, km)| Filter::Radius { postal_code, km }),
        (0u32..100).prop_map(|max_hours| Filter::ConsentAge { max_hours }),
        (prop::option::of(0u32..3), prop::option::of(3u32..6))
            .prop_map(|(min_hours, max_hours)| Filter::LeadAge { min_hours, max_hours }),
        (0i64..100).prop_map(|min| Filter::Score { min: Some(min), max: None }),
        (0u128..3).prop_map(move |number| Filter::Sources { sources: vec![source(number)] }),
    ]
}

/// Any filter that compiles.
pub(crate) fn any_filter() -> impl Strategy<Value = Filter> {
    any_leaf().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|of| Filter::All { of }),
            prop::collection::vec(inner.clone(), 0..4).prop_map(|of| Filter::Any { of }),
            inner.prop_map(|of| Filter::Not { of: Box::new(of) }),
        ]
    })
}

/// Any lead of the same small world.
pub(crate) fn any_facts() -> impl Strategy<Value = LeadFacts> {
    let fields = prop::collection::btree_map(any_field(), any_value(), 0..4);
    let place = (prop::option::of(any_code()), prop::option::of("BE|BB|SN"), "DE|AT");
    (fields, place, prop::option::of(0i64..100), prop::option::of(0i64..100), 0u128..3).prop_map(
        |(fields, (postal_code, state, country), score, consent_hours, source)| {
            let lead = facts(&[]);
            let centre = postal_code.as_deref().and_then(|code| table().lookup("DE", code)).map(|place| place.centre);
            let given_at = consent_hours.map(|hours| lead.received_at - chrono::TimeDelta::hours(hours));
            let consent = given_at.map(|given_at| Consent { given_at: Some(given_at), ..Consent::default() });
            let source_id = SourceId(Uuid::from_u128(source));
            LeadFacts { fields, postal_code, state, country, centre, score, consent, source_id, ..lead }
        },
    )
}

/// The postal data of the same small world.
pub(crate) fn any_world() -> PostalTable {
    table()
}

/// A compiled filter as the published words define it, by plain recursion over the written one.
fn meaning(filter: &Filter, facts: &LeadFacts) -> bool {
    match filter {
        Filter::All { of } => of.iter().all(|part| meaning(part, facts)),
        Filter::Any { of } => of.iter().any(|part| meaning(part, facts)),
        Filter::Not { of } => !meaning(of, facts),
        leaf => compile(leaf).matches(facts),
    }
}

proptest! {
    /// `refusal` is absent exactly where `matches` is true, and both mean what the tree says.
    #[test]
    fn refusal_and_matches_always_agree(filter in any_filter(), lead in any_facts()) {
        let compiled = compile(&filter);
        prop_assert_eq!(compiled.matches(&lead), compiled.refusal(&lead).is_none());
        prop_assert_eq!(compiled.matches(&lead), meaning(&filter, &lead));
    }
}
