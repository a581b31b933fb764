//! Whatever is written can be read again, and says the same.

use std::collections::BTreeMap;

use chrono::Weekday;
use chrono_tz::Tz;
use leadyard_connectors::OutboundPolicy;
use leadyard_market::configuration::{Document, Entry, Fields, Noun, Secrets, Standing, draft, export, plan};
use leadyard_types::terms::{Exclusivity, Window};
use leadyard_types::{
    Cap, CapPeriod, ContractId, ContractTerms, FieldValue, Filter, Margin, Percent, PriceRule, RandomIds, Schedule,
    Status,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{parse, write};

/// Any text, with what is hard to write among it.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z \"'\\\\\n\r\t#={}\\[\\]\u{0}\u{7f}\u{85}\u{2028}äß€𝄞]{0,40}",
        "\"{0,5}\n?\"{0,5}\\\\?\"{0,4}",
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        (-1e12..1e12f64).prop_map(Value::from),
        any_text().prop_map(Value::String),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::Array),
            btree_map(any_text(), inner, 0..6).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_noun() -> impl Strategy<Value = Noun> {
    proptest::sample::select(Noun::ALL)
}

fn schedule() -> impl Strategy<Value = Schedule> {
    let day = proptest::sample::select(&[Weekday::Mon, Weekday::Wed, Weekday::Sun]);
    let window = (day, 0..700u16, 701..1_440u16).prop_map(|(weekday, from_minute, to_minute)| Window {
        weekday,
        from_minute,
        to_minute,
    });
    let zone = proptest::sample::select(&[Tz::UTC, Tz::Europe__Berlin, Tz::America__New_York]);
    // One window a day at most: windows of a day may not overlap.
    (zone, vec(window, 0..3)).prop_map(|(time_zone, mut windows)| {
        windows.sort_by_key(|window| window.weekday.num_days_from_monday());
        windows.dedup_by_key(|window| window.weekday);
        Schedule { time_zone, windows }
    })
}

fn filter(source: leadyard_types::SourceId) -> impl Strategy<Value = Filter> {
    let field = proptest::sample::select(&["size", "state", "owner", "ort"]).prop_map(str::to_owned);
    let texts = vec("[a-zäöü \"'\\\\]{1,12}[a-z]", 1..5);
    let value = prop_oneof![
        any::<bool>().prop_map(FieldValue::Boolean),
        any::<i32>().prop_map(|number| FieldValue::Integer(number.into())),
        "[a-zäöü \"'\\\\]{1,12}[a-z]".prop_map(FieldValue::Text),
    ];
    let leaf = prop_oneof![
        (field.clone(), value).prop_map(|(field, value)| Filter::Equals { field, value }),
        (field.clone(), texts).prop_map(|(field, texts)| {
            Filter::In { field, values: texts.into_iter().map(FieldValue::Text).collect() }
        }),
        (field.clone(), 0..50i64, 50..99i64).prop_map(|(field, min, max)| Filter::Range {
            field,
            min: Some(FieldValue::Integer(min)),
            max: Some(FieldValue::Integer(max)),
        }),
        field.prop_map(|field| Filter::Exists { field }),
        vec("[0-9]{2,4}", 1..40).prop_map(|prefixes| Filter::PostalPrefixes { prefixes }),
        (1..500u32).prop_map(|km| Filter::Radius { postal_code: "10115".into(), km }),
        (1..500u32).prop_map(|max_hours| Filter::ConsentAge { max_hours }),
        Just(Filter::Sources { sources: vec![source] }),
        schedule()
            .prop_filter("a time that never comes is no condition", |it| !it.windows.is_empty())
            .prop_map(|schedule| Filter::Time { schedule }),
    ];
    leaf.prop_recursive(8, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|of| Filter::All { of }),
            vec(inner.clone(), 1..4).prop_map(|of| Filter::Any { of }),
            inner.prop_map(|of| Filter::Not { of: Box::new(of) }),
        ]
    })
}

fn contract(source: leadyard_types::SourceId) -> impl Strategy<Value = ContractTerms> {
    let rule = ("[^\u{0}-\u{1f}]{1,20}[a-z]", filter(source), 0..90_000i64)
        .prop_map(|(name, when, price_minor)| PriceRule { name, when, price_minor });
    let cap = (1..50u32, proptest::option::of(1..50_000i64)).prop_map(|(count, amount_minor)| Cap {
        period: CapPeriod::Week,
        count: Some(count),
        amount_minor,
    });
    let margin = prop_oneof![
        (0..99i64).prop_map(|percent| Margin::Percent { percent: Percent(percent.into()) }),
        (0..500i64).prop_map(|amount_minor| Margin::Amount { amount_minor }),
    ];
    let parts = (
        (proptest::option::of(filter(source)), vec(rule, 0..3), vec(cap, 0..2)),
        (proptest::option::of(schedule()), proptest::option::of(margin), any::<bool>()),
        (0..90_000i64, proptest::sample::select(Status::ALL), proptest::sample::select(Exclusivity::ALL)),
    );
    parts.prop_map(
        move |((filter, price_rules, caps), (schedule, margin, named), (price_minor, status, exclusivity))| {
            ContractTerms {
                filter,
                price_rules,
                caps,
                schedule,
                margin,
                status,
                exclusivity,
                consent_names_buyer: named,
                sources_denied: if named { vec![source] } else { Vec::new() },
                ..leadyard_tests::market::terms(price_minor)
            }
        },
    )
}

/// A market with one campaign, whose source has a known id.
const BASE: &str = r#"
[[vertical]]
key = "v"
name = "V"
unknown_fields = "KEEP"
fields = []
[[supplier]]
name = "S"
[[campaign]]
name = "C"
vertical = "v"
country = "DE"
currency = "EUR"
status = "ACTIVE"
time_zone = "Europe/Berlin"
sale_mode = { mode = "EXCLUSIVE" }
stages = [{ key = "main", method = "WATERFALL" }]
floor_minor = 0
consent = { required = false }
duplicates = { fields = [], matching = "ANY", window_days = 1, scope = "CAMPAIGN" }
unsold = { retry_window_minutes = 0, retry_every_minutes = 0 }
complaints = { window_days = 1, reasons = [], clawback = false }
[[source]]
id = "00000000-0000-4000-8000-000000000001"
name = "Quelle \"1\""
campaign = "C"
supplier = "S"
status = "ACTIVE"
cost = { model = "REVENUE_SHARE", percent = "62.5" }
[[buyer]]
name = "B"
status = "ACTIVE"
time_zone = "UTC"
"#;

fn source() -> leadyard_types::SourceId {
    "00000000-0000-4000-8000-000000000001".parse().unwrap()
}

fn planned(document: &Document, standing: &Standing) -> leadyard_market::configuration::Plan {
    plan(document, standing, &Secrets::new(), &RandomIds, &OutboundPolicy::new(true))
        .unwrap_or_else(|error| panic!("{error}"))
}

fn contract_entry(name: &str, terms: &ContractTerms) -> Entry {
    let mut fields: Map<String, Value> = serde_json::to_value(terms).unwrap().as_object().unwrap().clone();
    fields.extend([
        ("name".to_owned(), json!(name)),
        ("campaign".to_owned(), json!("C")),
        ("buyer".to_owned(), json!("B")),
    ]);
    Entry { noun: Noun::Contract, line: 0, fields, lines: BTreeMap::new() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    /// Every document reads as it was written, whatever texts it holds.
    #[test]
    fn what_is_written_is_read(entries in vec((any_noun(), btree_map("[a-z_]{1,8}|config", any_value(), 0..6)), 1..5)) {
        let entries: Vec<Entry> = entries
            .into_iter()
            .map(|(noun, fields)| Entry { noun, line: 0, fields: fields.into_iter().collect::<Fields>(), lines: BTreeMap::new() })
            .collect();
        let text = write(&Document { entries: entries.clone() });
        let read = parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let fields = |entries: &[Entry]| entries.iter().map(|entry| (entry.noun, entry.fields.clone())).collect::<Vec<_>>();
        prop_assert_eq!(fields(&read.entries), fields(&entries), "{}", text);
    }

    /// Any contract survives export, text and reading; the text is stable, and changes nothing where it was exported.
    #[test]
    fn any_contract_survives(one in contract(source()), other in contract(source())) {
        let base = planned(&parse(BASE).unwrap(), &Standing::default()).after().clone();
        let document = Document { entries: vec![contract_entry("A", &one), contract_entry("A \"2\" \\ #", &other)] };
        let market = planned(&document, &base).after().clone();
        let text = write(&export(&market, None));
        let read = parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        prop_assert!(planned(&read, &market).changes.is_empty());
        let again = planned(&read, &Standing::default());
        prop_assert_eq!(again.after(), &market);
        prop_assert_eq!(write(&export(again.after(), None)), text);

        // A draft has the very terms that were written down.
        let drafted = draft(&read, &base, &RandomIds, &OutboundPolicy::new(true)).unwrap();
        let terms: BTreeMap<&str, &ContractTerms> =
            drafted.contracts.values().map(|contract| (contract.name.as_str(), &contract.terms)).collect();
        prop_assert_eq!(terms, BTreeMap::from([("A", &one), ("A \"2\" \\ #", &other)]));
        prop_assert!(drafted.campaigns.is_empty() && drafted.sources.is_empty() && drafted.buyers.is_empty());
    }
}

/// A draft lists what differs, by the ids of what stands, and what only has another name is no other agreement.
#[test]
fn a_draft_lists_what_differs() {
    let base = planned(&parse(BASE).unwrap(), &Standing::default()).after().clone();
    let document = Document { entries: vec![contract_entry("A", &leadyard_tests::market::terms(1_000))] };
    let plan = planned(&document, &base);
    let id = ContractId(plan.changes[0].id);
    let text = "[[contract]]\nname = \"A\"\nprice_minor = 1100\n[[source]]\nname = \"Quelle \\\"1\\\"\"\n\
        least_payout_minor = 5\n[[campaign]]\nname = \"C\"\nfloor_minor = 7\n[[buyer]]\nname = \"B\"\nemail = \"b@mail.example.com\"";
    let drafted = draft(&parse(text).unwrap(), plan.after(), &RandomIds, &OutboundPolicy::new(true)).unwrap();
    assert_eq!(drafted.contracts.keys().collect::<Vec<_>>(), [&id]);
    assert_eq!(drafted.contracts[&id].terms, leadyard_tests::market::terms(1_100));
    assert_eq!(drafted.sources[&source()].least_payout_minor, Some(5));
    assert_eq!(drafted.campaigns.values().map(|terms| terms.floor_minor).collect::<Vec<_>>(), [7]);
    assert!(drafted.buyers.is_empty());
    let wrong = draft(&parse("[[buyer]]\nname = \"X\"").unwrap(), plan.after(), &RandomIds, &OutboundPolicy::new(true));
    assert!(wrong.unwrap_err().to_string().starts_with("line 1: buyer \"X\": "));
}

/// The deepest filter that may be agreed can be written and read.
#[test]
fn the_deepest_filter_survives() {
    let mut filter = Filter::Exists { field: "size".into() };
    for level in 1..leadyard_market::rules::filter::DEPTH_MAX {
        filter = if level % 2 == 0 { Filter::Not { of: Box::new(filter) } } else { Filter::All { of: vec![filter] } };
    }
    let rule = PriceRule { name: "deep".into(), when: filter.clone(), price_minor: 5 };
    let terms = ContractTerms { filter: Some(filter), price_rules: vec![rule], ..leadyard_tests::market::terms(1) };
    let base = planned(&parse(BASE).unwrap(), &Standing::default()).after().clone();
    let market = planned(&Document { entries: vec![contract_entry("A", &terms)] }, &base).after().clone();
    let read = parse(&write(&export(&market, None))).unwrap_or_else(|error| panic!("{error}"));
    assert!(planned(&read, &market).changes.is_empty());
}
