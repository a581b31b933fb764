use super::*;
use crate::rules::filter::tests::{any_facts, any_filter, any_world};
use crate::rules::fixtures::facts;
use leadyard_types::{FieldValue, Filter};
use proptest::prelude::*;
use uuid::Uuid;

fn id(number: u128) -> ContractId {
    ContractId(Uuid::from_u128(number))
}

fn entry(number: u128, filter: Option<&Filter>) -> IndexEntry {
    let compiled = filter.map(|filter| CompiledFilter::compile(filter, "DE", &any_world()).unwrap());
    IndexEntry { contract: id(number), filter: compiled.map(Arc::new), sources_allowed: vec![], sources_denied: vec![] }
}

/// What asking every contract in turn gives.
fn plain_loop(index: &ContractIndex, facts: &LeadFacts) -> Vec<u32> {
    let positions = 0..u32::try_from(index.slots.len()).unwrap();
    positions.filter(|position| index.entry(*position).is_some_and(|entry| entry.wants(facts))).collect()
}

fn any_entry(numbers: std::ops::Range<u128>) -> impl Strategy<Value = IndexEntry> {
    let sources = || prop::collection::vec((0u128..3).prop_map(|number| SourceId(Uuid::from_u128(number))), 0..2);
    (numbers, prop::option::of(any_filter()), sources(), sources()).prop_map(|(number, filter, allowed, denied)| {
        IndexEntry { sources_allowed: allowed, sources_denied: denied, ..entry(number, filter.as_ref()) }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The index gives exactly what asking every filter and source list gives, after any inserts, replacements and
    /// removals, and as if it had been built from what is left.
    #[test]
    fn the_index_equals_the_plain_loop(
        first in prop::collection::vec(any_entry(0..60), 0..80),
        steps in prop::collection::vec((any_entry(0..90), any::<bool>()), 0..40),
        leads in prop::collection::vec(any_facts(), 1..12),
    ) {
        let mut index = ContractIndex::build(&first);
        let before = index.clone();
        let answers: Vec<_> = leads.iter().map(|lead| plain_loop(&before, lead)).collect();
        for (entry, insert) in steps {
            if insert { index.upsert(entry); } else { index.remove(entry.contract); }
        }
        // Edits of a copy leave the original as it was.
        for (lead, answer) in leads.iter().zip(&answers) {
            prop_assert_eq!(&before.candidates(lead), answer);
        }
        let mut scratch = Scratch::default();
        for lead in leads {
            let found = index.candidates_into(&lead, &mut scratch).to_vec();
            prop_assert_eq!(&found, &plain_loop(&index, &lead));
            prop_assert_eq!(&found, &index.candidates(&lead));
            let left: Vec<_> = index.slots.iter().flatten().map(|slot| slot.entry.clone()).collect();
            let fresh = ContractIndex::build(&left);
            let named = |index: &ContractIndex, found: &[u32]| {
                let mut names: Vec<_> = found.iter().map(|position| index.entry(*position).unwrap().contract).collect();
                names.sort();
                names
            };
            prop_assert_eq!(named(&fresh, &fresh.candidates(&lead)), named(&index, &found));
        }
    }
}

fn json(text: &str) -> Filter {
    serde_json::from_str(text).unwrap()
}

/// A contract keeps its position while it is replaced, and a freed position is used again.
#[test]
fn positions_are_kept_and_used_again() {
    let mut index = ContractIndex::build(&[entry(1, None), entry(2, None), entry(3, None)]);
    assert_eq!(index.upsert(entry(2, Some(&json(r#"{"op":"exists","field":"x"}"#)))), 1);
    assert_eq!(index.candidates(&facts(&[])), [0, 2]);
    assert_eq!((index.remove(id(1)), index.remove(id(1))), (Some(0), None));
    assert_eq!((index.position(id(1)), index.len(), index.is_empty()), (None, 2, false));
    assert_eq!(index.upsert(entry(9, None)), 0);
    assert_eq!(index.upsert(entry(10, None)), 3);
    assert_eq!(index.candidates(&facts(&[("x", FieldValue::Integer(1))])), [0, 1, 2, 3]);
    assert_eq!(index.entry(0).map(|entry| entry.contract), Some(id(9)));
    assert!(index.entry(4).is_none());
}

/// What can be looked up is not asked contract by contract: lists, ranges, places, alternatives, also of several
/// conditions each, negations of these.
#[test]
fn common_filters_are_looked_up() {
    let common = r#"{"op":"all","of":[
        {"op":"any","of":[{"op":"states","states":["BE"]},{"op":"radius","postal_code":"10115","km":50},{"op":"postal_prefixes","prefixes":["1"]}]},
        {"op":"postal_range","from":"10000","to":"19999"},
        {"op":"in","field":"roof","values":["flat","pitched"]},
        {"op":"range","field":"kwp","min":5},
        {"op":"not","of":{"op":"any","of":[{"op":"equals","field":"owner","value":false},{"op":"postal_codes","codes":["10117"]}]}},
        {"op":"score","min":50},{"op":"consent_age","max_hours":24}
    ]}"#;
    let index = ContractIndex::build(&[entry(1, Some(&json(common)))]);
    assert!(index.verify.is_empty());
    let mixed = r#"{"op":"any","of":[{"op":"exists","field":"a"},{"op":"states","states":["BE"]}]}"#;
    assert!(ContractIndex::build(&[entry(1, Some(&json(mixed)))]).verify.is_empty());
    let of_several = r#"{"op":"any","of":[{"op":"exists","field":"a"},{"op":"all","of":[
        {"op":"exists","field":"b"},{"op":"not","of":{"op":"all","of":[{"op":"not","of":{"op":"score","min":50}}]}}]}]}"#;
    assert!(ContractIndex::build(&[entry(1, Some(&json(of_several)))]).verify.is_empty());
    let unmet = r#"{"op":"any","of":[{"op":"exists","field":"a"},{"op":"not","of":{"op":"exists","field":"b"}}]}"#;
    assert!(ContractIndex::build(&[entry(1, Some(&json(unmet)))]).verify.is_empty());
    let unmet_twice =
        r#"{"op":"not","of":{"op":"all","of":[{"op":"in","field":"b","values":["x"]},{"op":"exists","field":"b"}]}}"#;
    assert!(!ContractIndex::build(&[entry(1, Some(&json(unmet_twice)))]).verify.is_empty());
}

/// More ranges and more conditions than have room are asked one by one, not lost.
#[test]
fn what_has_no_room_is_asked() {
    let range = |min: i64| Filter::Range {
        field: "x".into(),
        min: Some(FieldValue::Integer(min)),
        max: Some(FieldValue::Integer(min + 3)),
    };
    let entries: Vec<_> =
        (0..800).map(|number| entry(u128::try_from(number).unwrap(), Some(&range(7 * number)))).collect();
    let index = ContractIndex::build(&entries);
    assert!(!index.verify.is_empty());
    for value in [0, 3, 4, 7 * 799 + 3, 7 * 400] {
        let lead = facts(&[("x", FieldValue::Integer(value))]);
        assert_eq!(index.candidates(&lead), plain_loop(&index, &lead), "{value}");
    }
    let many = Filter::All { of: (0..6).map(range).collect() };
    let index = ContractIndex::build(&[entry(1, Some(&many))]);
    assert_eq!(index.candidates(&facts(&[("x", FieldValue::Integer(4))])), Vec::<u32>::new());
    assert_eq!(index.candidates(&facts(&[("x", FieldValue::text("5"))])), Vec::<u32>::new());
    let three = Filter::All { of: (0..3).map(range).collect() };
    let index = ContractIndex::build(&[entry(1, Some(&three))]);
    assert_eq!(index.candidates(&facts(&[("x", FieldValue::Integer(3))])), [0]);
}

/// Source lists hold even where a filter uses up every layer of its subject.
#[test]
fn source_lists_hold_beyond_the_layers() {
    let sources =
        |numbers: &[u128]| numbers.iter().map(|number| SourceId(Uuid::from_u128(*number))).collect::<Vec<_>>();
    let all = Filter::All { of: vec![Filter::Sources { sources: sources(&[1, 2]) }; LAYERS_MAX + 1] };
    let listed = |allowed: &[u128]| IndexEntry { sources_allowed: sources(allowed), ..entry(1, Some(&all)) };
    assert_eq!(ContractIndex::build(&[listed(&[2])]).candidates(&facts(&[])), Vec::<u32>::new());
    assert_eq!(ContractIndex::build(&[listed(&[1])]).candidates(&facts(&[])), [0]);
}
