use leadyard_types::field::UnknownFields;
use leadyard_types::{FieldDefinition, FieldKind, FieldValue, Required, Schedule};
use proptest::prelude::*;

use super::*;
use crate::rules::filter::tests::any_filter;

/// Terms as they were written before buyers could set anything.
const BEFORE: &str = r#"{"status":"ACTIVE","stage":"main","priority":1,"weight":1,"exclusivity":"ANY","price_minor":1000,"caps":[{"period":"DAY","count":5}],"consent_names_buyer":false,"verdict":"NONE","destinations":[],"credit_frees_cap":false,"unknown_window_minutes":1440}"#;

fn terms() -> ContractTerms {
    serde_json::from_str(BEFORE).unwrap()
}

fn any_cap() -> impl Strategy<Value = Cap> {
    let period =
        prop_oneof![Just(CapPeriod::Hour), Just(CapPeriod::Day), Just(CapPeriod::Week), Just(CapPeriod::Total)];
    (period, prop::option::of(0u32..20), prop::option::of(0i64..20)).prop_map(|(period, count, amount_minor)| Cap {
        period,
        count,
        amount_minor,
    })
}

fn any_caps() -> impl Strategy<Value = Vec<Cap>> {
    prop::collection::vec(any_cap(), 0..4).prop_map(|mut caps| {
        caps.retain(|cap| cap.count.is_some() || cap.amount_minor.is_some());
        caps.sort_by_key(|cap| cap.period.as_str());
        caps.dedup_by_key(|cap| cap.period);
        caps
    })
}

fn any_keys() -> impl Strategy<Value = Vec<String>> {
    let key = prop_oneof![
        "[xyz]".prop_map(String::from),
        prop::sample::select(KEYS_OF_EVERY_LEAD.to_vec()).prop_map(String::from)
    ];
    prop::collection::vec(key, 0..6)
}

pub(crate) fn any_bounds() -> impl Strategy<Value = BuyerBounds> {
    let price = (0i64..100, 0i64..100, 1i64..30).prop_map(|(min_minor, more, step_minor)| PriceBounds {
        min_minor,
        max_minor: min_minor + more,
        step_minor,
    });
    (prop::option::of(price), any_caps(), any_keys(), any::<bool>(), any::<bool>()).prop_map(
        |(price, caps, filter_keys, schedule, pause)| BuyerBounds { price, caps, filter_keys, schedule, pause },
    )
}

pub(crate) fn any_settings(schedule: impl Strategy<Value = Schedule>) -> impl Strategy<Value = BuyerSettings> {
    let price = prop::option::of(0i64..250);
    (price, any_caps(), prop::option::of(any_filter()), prop::option::of(schedule), prop::bool::weighted(0.2)).prop_map(
        |(price_minor, caps, filter, schedule, paused)| BuyerSettings { price_minor, caps, filter, schedule, paused },
    )
}

fn never() -> Schedule {
    Schedule { time_zone: chrono_tz::Tz::UTC, windows: Vec::new() }
}

fn any_agreement() -> impl Strategy<Value = ContractTerms> {
    (any_caps(), prop::option::weighted(0.9, any_bounds()), any_settings(Just(never()))).prop_map(
        |(caps, buyer_bounds, buyer_settings)| ContractTerms { caps, buyer_bounds, buyer_settings, ..terms() },
    )
}

/// The limit a list of caps sets on a period: none is the greatest.
fn limits(caps: &[Cap], period: CapPeriod) -> (i64, i64) {
    let cap = of_period(caps, period);
    (
        cap.and_then(|cap| cap.count).map_or(i64::MAX, i64::from),
        cap.and_then(|cap| cap.amount_minor).unwrap_or(i64::MAX),
    )
}

proptest! {
    /// A buyer's price that holds lies within its bounds, on one of their steps, and so never below a floor they keep.
    #[test]
    fn a_price_that_holds_is_within_its_bounds(terms in any_agreement(), floor_minor in 0i64..50) {
        let held = effective(&terms);
        let Some(price) = held.own.price_minor else {
            prop_assert_eq!(held.price_minor, terms.price_minor);
            return Ok(());
        };
        let bounds = terms.buyer_bounds.as_ref().and_then(|bounds| bounds.price).unwrap();
        prop_assert_eq!(held.price_minor, price);
        prop_assert!((bounds.min_minor..=bounds.max_minor).contains(&price));
        prop_assert_eq!((price - bounds.min_minor) % bounds.step_minor, 0);
        if bounds.min_minor >= floor_minor {
            prop_assert!(price >= floor_minor);
        }
        let set = terms.buyer_settings.price_minor.unwrap();
        if price_problem(terms.buyer_bounds.as_ref(), floor_minor, set).is_none() {
            prop_assert_eq!(price, set, "what was allowed when it was set holds as it was set");
            prop_assert!(price >= floor_minor);
        }
    }

    /// A buyer's caps that hold never exceed the operator's nor their bounds, and are never looser than what it set.
    #[test]
    fn caps_that_hold_are_within_the_operators(terms in any_agreement()) {
        let held = effective(&terms).own.caps;
        for cap in &held {
            let own = limits(&held, cap.period);
            for of in [&terms.caps, &terms.buyer_settings.caps] {
                let most = limits(of, cap.period);
                prop_assert!(cap.count.is_none() || own.0 <= most.0, "{held:?} {of:?}");
                prop_assert!(cap.amount_minor.is_none() || own.1 <= most.1, "{held:?} {of:?}");
            }
            let most = of_period(&terms.buyer_bounds.as_ref().unwrap().caps, cap.period).unwrap();
            prop_assert!(cap.count.is_none_or(|count| count <= most.count.unwrap()));
            prop_assert!(cap.amount_minor.is_none_or(|amount| amount <= most.amount_minor.unwrap()));
        }
        if cap_problems(terms.buyer_bounds.as_ref(), &terms.caps, &terms.buyer_settings.caps).is_empty() {
            prop_assert_eq!(&held, &terms.buyer_settings.caps, "what is allowed holds as it was set");
        }
    }

    /// A filter holds as it was set, or not at all: exactly if every key it looks at is open.
    #[test]
    fn a_filter_holds_whole_or_not_at_all(terms in any_agreement()) {
        let held = effective(&terms).own.filter;
        let keys = terms.buyer_bounds.as_ref().map(|bounds| &bounds.filter_keys);
        let allowed = |set: &&Filter| keys.is_some_and(|keys| forbidden_keys(set, keys, "filter").is_empty());
        prop_assert_eq!(held.as_ref(), terms.buyer_settings.filter.as_ref().filter(allowed));
    }

    /// Whatever was set: what is not open does not hold, and without bounds nothing does.
    #[test]
    fn what_is_not_open_does_not_hold(terms in any_agreement()) {
        let held = effective(&terms).own;
        let bounds = terms.buyer_bounds.clone().unwrap_or_default();
        prop_assert!(bounds.pause || !held.paused);
        prop_assert!(bounds.schedule || held.schedule.is_none());
        prop_assert!(bounds.price.is_some() || held.price_minor.is_none());
        let closed = effective(&ContractTerms { buyer_bounds: None, ..terms.clone() });
        prop_assert!(closed.own.is_empty() && closed.price_minor == terms.price_minor);
    }

    /// Settings and bounds come back from a revision as they were written.
    #[test]
    fn a_revision_keeps_them(terms in any_agreement()) {
        let text = serde_json::to_string(&terms).unwrap();
        prop_assert_eq!(&serde_json::from_str::<ContractTerms>(&text).unwrap(), &terms);
    }
}

/// Revisions from before are read and written again to the byte, and nothing of them is the buyer's.
#[test]
fn old_revisions_stay_as_they_are() {
    assert_eq!(serde_json::to_string(&terms()).unwrap(), BEFORE);
    let held = effective(&terms());
    assert!(held.own.is_empty() && held.price_minor == 1_000);
}

/// An operator who tightens bounds moves what the buyer set to the nearest that is allowed.
#[test]
fn tightened_bounds_move_what_was_set() {
    let priced = |min_minor, max_minor, step_minor| {
        let price = Some(PriceBounds { min_minor, max_minor, step_minor });
        let buyer_settings = BuyerSettings { price_minor: Some(1_730), ..BuyerSettings::default() };
        let buyer_bounds = Some(BuyerBounds { price, ..BuyerBounds::default() });
        effective(&ContractTerms { buyer_bounds, buyer_settings, ..terms() }).price_minor
    };
    let moved = [priced(500, 9_000, 1), priced(500, 1_500, 1), priced(2_000, 3_000, 1), priced(1_000, 9_000, 500)];
    assert_eq!(moved, [1_730, 1_500, 2_000, 1_500]);
}

/// Whatever is not allowed is told with its field and with what would be right.
#[test]
fn what_would_be_right_is_told() {
    let day = |count, amount_minor| Cap { period: CapPeriod::Day, count, amount_minor };
    let bounds = BuyerBounds {
        price: Some(PriceBounds { min_minor: 1_000, max_minor: 3_000, step_minor: 50 }),
        caps: vec![day(Some(20), None)],
        filter_keys: vec!["state".into(), "size".into()],
        ..BuyerBounds::default()
    };
    let told = |problem: FieldProblem| format!("{} {}: {}", problem.field, problem.code, problem.message);
    let price = |floor, price| price_problem(Some(&bounds), floor, price).map(told).unwrap_or_default();
    let range = "1000 to 3000 minor units are expected, counted from 1000 in steps of 50";
    assert_eq!(price(0, 3_050), format!("price_minor OUT_OF_RANGE: {range}"));
    assert_eq!(price(0, 1_075), format!("price_minor STEP: {range}"));
    assert!(price(1_200, 1_150).contains("OUT_OF_RANGE: 1200 to 3000"), "the floor rose since");
    assert_eq!(price(1_200, 1_200), "");
    let caps =
        |caps: &[Cap]| cap_problems(Some(&bounds), &terms().caps, caps).into_iter().map(told).collect::<Vec<_>>();
    assert_eq!(caps(&[day(Some(5), None)]), [""; 0]);
    assert_eq!(caps(&[day(Some(6), None)]), ["caps.0.count OUT_OF_RANGE: at most 5 is expected"]);
    assert_eq!(
        caps(&[Cap { period: CapPeriod::Week, ..day(Some(1), None) }])[0],
        "caps.0.period NOT_ALLOWED: a cap per DAY is expected"
    );
    assert!(caps(&[day(None, Some(1))])[0].starts_with("caps.0.amount_minor NOT_ALLOWED"));
    let equals = |field: &str| Filter::Equals { field: field.into(), value: FieldValue::text("1") };
    let filter = Filter::All { of: vec![equals("size"), Filter::Not { of: Box::new(equals("email")) }] };
    let found: Vec<_> = filter_problems(Some(&bounds), &filter).into_iter().map(told).collect();
    assert_eq!(found, ["filter.of.1.of NOT_ALLOWED: a filter by state, size is expected, not by email"]);
    for closed in [
        price_problem(None, 0, 1),
        cap_problems(None, &[], &[day(Some(1), None)]).pop(),
        filter_problems(None, &filter).pop(),
        schedule_problem(Some(&bounds)),
        pause_problem(Some(&bounds)),
    ] {
        assert_eq!(closed.unwrap().code, "NOT_ALLOWED");
    }
}

/// Bounds keep the floor, and let nobody filter by what says who a person is.
#[test]
fn bounds_keep_floor_and_people() {
    let vertical = VerticalTerms {
        fields: vec![
            FieldDefinition::new("email", FieldKind::Email, Required::Post, true),
            FieldDefinition::new("size", FieldKind::Integer, Required::Never, false),
        ],
        unknown_fields: UnknownFields::Keep,
    };
    let found = |bounds: &BuyerBounds, asks| {
        let problems = check_bounds(bounds, 500, asks, &vertical);
        problems.into_iter().map(|problem| format!("{} {}", problem.field, problem.code)).collect::<Vec<_>>()
    };
    let priced = |min_minor, max_minor, step_minor| BuyerBounds {
        price: Some(PriceBounds { min_minor, max_minor, step_minor }),
        ..BuyerBounds::default()
    };
    assert_eq!(found(&priced(500, 500, 1), false), [""; 0]);
    assert_eq!(
        found(&priced(499, 498, 0), false),
        ["price.min_minor OUT_OF_RANGE", "price.max_minor OUT_OF_RANGE", "price.step_minor OUT_OF_RANGE"]
    );
    assert_eq!(found(&priced(500, 500, 1), true), ["price NOT_ALLOWED"]);
    let keys = ["size", "postal_code", "email", "unheard_of"].map(str::to_owned).to_vec();
    let keyed = BuyerBounds { filter_keys: keys, ..BuyerBounds::default() };
    assert_eq!(found(&keyed, false), ["filter_keys.2 UNKNOWN_FIELD", "filter_keys.3 UNKNOWN_FIELD"]);
}
