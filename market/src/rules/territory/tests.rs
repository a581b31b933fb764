use std::collections::BTreeSet;
use std::sync::LazyLock;

use leadyard_types::{FieldValue, Filter};
use proptest::prelude::*;

use super::*;
use crate::rules::facts::{Centre, LeadFacts, PostalCentres, PostalPlace, PostalTable};
use crate::rules::fixtures::facts;
use crate::rules::postal;

/// Sixty codes on a grid of half degrees in four states, one of them without a name.
static TABLE: LazyLock<PostalTable> = LazyLock::new(|| {
    let mut table = PostalTable::default();
    for number in 0..60u32 {
        let centre =
            Centre { latitude: 48.0 + f64::from(number % 8) / 2.0, longitude: 8.0 + f64::from(number / 8) / 2.0 };
        let state_code = ["BE", "13", "BY", ""][number as usize % 4].to_owned();
        let place = PostalPlace { centre, state_code, state: String::new() };
        assert!(table.insert("DE", &code(number), &place));
    }
    assert!(table.insert(
        "AT",
        "1010",
        &PostalPlace {
            centre: Centre { latitude: 48.2, longitude: 16.4 },
            state_code: "9".into(),
            state: String::new()
        }
    ));
    table
});

fn code(number: u32) -> String {
    format!("{:05}", 1_000 + 937 * number)
}

static GROUND: LazyLock<Ground> = LazyLock::new(|| Ground::new("DE", &TABLE, Some("plz")));

/// A lead from each code, as it looks to routing.
static LEADS: LazyLock<Vec<LeadFacts>> = LazyLock::new(|| (0..60).map(|number| lead(&code(number))).collect());

fn compile(filter: &Filter) -> CompiledFilter {
    CompiledFilter::compile(filter, "DE", &*TABLE).unwrap()
}

fn lead(code: &str) -> LeadFacts {
    let place = TABLE.lookup("DE", code).unwrap();
    let mut lead = facts(&[("plz", FieldValue::text(code))]);
    lead.state = crate::rules::facts::state_of("DE", &place);
    lead.centre = Some(place.centre);
    lead.postal_code = Some(code.to_owned());
    lead
}

/// Whether a lead passes with further fields.
fn passes(filter: &CompiledFilter, lead: &LeadFacts, given: &[(String, FieldValue)]) -> bool {
    let mut lead = lead.clone();
    lead.fields.extend(given.iter().cloned());
    filter.matches(&lead)
}

fn any_place() -> impl Strategy<Value = Filter> {
    let number = || 0u32..60;
    prop_oneof![
        prop::collection::vec(number(), 1..20)
            .prop_map(|codes| Filter::PostalCodes { codes: codes.into_iter().map(code).collect() }),
        prop::collection::vec((number(), 1usize..6), 1..4).prop_map(|found| Filter::PostalPrefixes {
            prefixes: found.into_iter().map(|(number, chars)| code(number)[..chars].to_owned()).collect()
        }),
        (number(), number()).prop_map(|(a, b)| Filter::PostalRange { from: code(a.min(b)), to: code(a.max(b)) }),
        prop::collection::vec(prop::sample::select(vec!["BE", "SN", "Bayern", "HH"]), 1..3)
            .prop_map(|states| Filter::States { states: states.into_iter().map(str::to_owned).collect() }),
        prop::sample::select(vec!["DE", "AT"])
            .prop_map(|country| Filter::Countries { countries: vec![country.into()] }),
        (number(), prop_oneof![0u32..400, 400u32..20_000])
            .prop_map(|(number, km)| Filter::Radius { postal_code: code(number), km }),
        Just(Filter::Radius { postal_code: "99999".into(), km: 20_000 }),
        (number(), 1usize..6).prop_map(|(number, chars)| {
            Filter::Matches { field: "plz".into(), pattern: format!("^{}", &code(number)[..chars]) }
        }),
    ]
}

/// A field that is asked about, from a small world of values: brute force is over all of them.
fn any_field() -> impl Strategy<Value = Filter> {
    let field = || prop::sample::select(vec!["a", "b", "c"]).prop_map(str::to_owned);
    prop_oneof![
        (field(), 0i64..3).prop_map(|(field, value)| Filter::Equals { field, value: FieldValue::Integer(value) }),
        (field(), 0i64..3).prop_map(|(field, min)| Filter::Range {
            field,
            min: Some(FieldValue::Integer(min)),
            max: None
        }),
        field().prop_map(|field| Filter::Exists { field }),
    ]
}

fn any_filter() -> impl Strategy<Value = Filter> {
    prop_oneof![2 => any_place(), 1 => any_field()].prop_recursive(4, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|of| Filter::All { of }),
            prop::collection::vec(inner.clone(), 0..4).prop_map(|of| Filter::Any { of }),
            inner.prop_map(|of| Filter::Not { of: Box::new(of) }),
        ]
    })
}

/// A filter in which every other field is asked about once: then three values lose nothing.
fn named_apart(filter: Filter, next: &mut u32) -> Filter {
    let mut each = |of: Vec<Filter>| of.into_iter().map(|part| named_apart(part, next)).collect();
    match filter {
        Filter::All { of } => Filter::All { of: each(of) },
        Filter::Any { of } => Filter::Any { of: each(of) },
        Filter::Not { of } => Filter::Not { of: Box::new(named_apart(*of, next)) },
        Filter::Equals { .. } | Filter::Range { .. } | Filter::Exists { .. } => {
            *next += 1;
            Filter::Exists { field: format!("field{next}") }
        }
        place => place,
    }
}

/// Every combination of absent, 0, 1 and 2 in three fields.
fn values() -> Vec<Vec<(String, FieldValue)>> {
    let all = 0..64;
    let given = |all: i64| {
        let fields = ["a", "b", "c"].into_iter().zip([all % 4, all / 4 % 4, all / 16]);
        fields
            .filter(|(_, value)| *value < 3)
            .map(|(field, value)| (field.to_owned(), FieldValue::Integer(value)))
            .collect()
    };
    all.map(given).collect()
}

fn codes(ground: &Ground, area: &Area) -> BTreeSet<String> {
    area.iter().map(|code| ground.shown(code).to_owned()).collect()
}

proptest! {
    /// Three values agree with brute force: what is sure holds for every lead from the code, what cannot be never does.
    #[test]
    fn three_values_agree_with_every_lead(filter in any_filter()) {
        let (ground, compiled) = (&*GROUND, compile(&filter));
        let coverage = ground.coverage(Some(&compiled));
        let values = values();
        prop_assert!(coverage.must.without(&coverage.could).len() == 0);
        for (at, from) in LEADS.iter().enumerate() {
            let outcomes: BTreeSet<bool> =
                values.iter().map(|given| passes(&compiled, from, given)).collect();
            prop_assert!(!coverage.must.contains(at) || outcomes == BTreeSet::from([true]), "{at} must");
            prop_assert!(coverage.could.contains(at) || outcomes == BTreeSet::from([false]), "{at} cannot");
        }
    }

    /// Where no field is asked about twice, a conditional code is one on which leads do differ.
    #[test]
    fn conditional_is_where_leads_differ(filter in any_filter()) {
        let mut fields = 0;
        let filter = named_apart(filter, &mut fields);
        prop_assume!(fields <= 8);
        let (ground, compiled) = (&*GROUND, compile(&filter));
        let coverage = ground.coverage(Some(&compiled));
        for (at, from) in LEADS.iter().enumerate() {
            let given = |bits: u32| -> Vec<(String, FieldValue)> {
                let set = (1..=fields).filter(|field| bits >> (field - 1) & 1 == 1);
                set.map(|field| (format!("field{field}"), FieldValue::Boolean(true))).collect()
            };
            let outcomes: BTreeSet<bool> =
                (0..1u32 << fields).map(|bits| passes(&compiled, from, &given(bits))).collect();
            let found = (coverage.could.contains(at), coverage.must.contains(at));
            prop_assert_eq!(found, (outcomes.contains(&true), !outcomes.contains(&false)), "{}", at);
        }
    }

    /// The survey is what counting by hand gives: overlaps are the same from both sides, and covered and open codes are
    /// the region, each once.
    #[test]
    fn a_survey_is_what_counting_gives(
        buyers in prop::collection::vec(prop::collection::vec(prop::option::of(any_filter()), 0..3), 0..7),
        region in prop::option::of(any_place()),
        draft in prop::option::of(any_filter()),
        most in 0usize..30,
    ) {
        let ground = &*GROUND;
        let compiled: Vec<Vec<_>> = buyers
            .iter()
            .map(|filters| filters.iter().map(|filter| filter.as_ref().map(|filter| Arc::new(compile(filter)))).collect())
            .collect();
        let (region, draft) = (region.as_ref().map(compile), draft.as_ref().map(compile));
        let question = Question { ground, region: region.as_ref(), buyers: &compiled, draft: draft.as_ref(), most };
        let mut steps = Vec::new();
        let survey = survey(&question, &mut |done, of| steps.push((done, of)));
        prop_assert!(steps.iter().all(|(done, of)| done <= of) && steps.windows(2).all(|pair| pair[0].0 <= pair[1].0));

        let within = codes(ground, &ground.coverage(region.as_ref()).could);
        let of = |filter: Option<&CompiledFilter>| -> BTreeSet<String> {
            codes(ground, &ground.coverage(filter).could).intersection(&within).cloned().collect()
        };
        let areas: Vec<BTreeSet<String>> = compiled
            .iter()
            .map(|filters| filters.iter().flat_map(|filter| of(filter.as_deref())).collect())
            .collect();
        let covered: BTreeSet<String> = areas.iter().flatten().cloned().collect();
        let open: u32 = survey.holes.iter().map(|hole| hole.codes).sum();
        prop_assert_eq!(survey.codes as usize, within.len());
        prop_assert_eq!(survey.covered as usize, covered.len());
        prop_assert_eq!(survey.covered + open, survey.codes);
        for hole in &survey.holes {
            prop_assert_eq!(hole.prefixes.iter().map(|prefix| prefix.codes).sum::<u32>(), hole.codes);
            prop_assert!(hole.examples.iter().all(|code| within.contains(code) && !covered.contains(code)));
        }
        for (at, buyer) in survey.buyers.iter().enumerate() {
            prop_assert_eq!(buyer.extent.codes as usize, areas[at].len());
            let others: BTreeSet<&String> =
                areas.iter().enumerate().filter(|(other, _)| *other != at).flat_map(|(_, area)| area).collect();
            prop_assert_eq!(buyer.alone as usize, areas[at].iter().filter(|code| !others.contains(code)).count());
        }

        let mut pairs: Vec<(Reverse<usize>, [usize; 2])> = Vec::new();
        for a in 0..areas.len() {
            for b in a + 1..areas.len() {
                let common = areas[a].intersection(&areas[b]).count();
                prop_assert_eq!(common, areas[b].intersection(&areas[a]).count());
                if common > 0 {
                    pairs.push((Reverse(common), [a, b]));
                }
            }
        }
        pairs.sort_unstable();
        prop_assert_eq!(survey.overlaps_total, u64::try_from(pairs.len()).unwrap());
        let named: Vec<_> =
            survey.overlaps.iter().map(|overlap| (Reverse(overlap.codes as usize), overlap.buyers)).collect();
        prop_assert_eq!(&named, &pairs[..pairs.len().min(most)]);
        for Overlap { buyers: [a, b], contracts, examples, .. } in &survey.overlaps {
            prop_assert!(examples.iter().all(|code| areas[*a].contains(code) && areas[*b].contains(code)));
            for (contract, filter) in compiled[*a].iter().enumerate() {
                let meets = of(filter.as_deref()).intersection(&areas[*b]).count() > 0;
                prop_assert_eq!(contracts[0].contains(&contract), meets);
            }
        }
        if let (Some(found), Some(draft)) = (&survey.draft, &draft) {
            let area = of(Some(draft));
            prop_assert_eq!(found.codes as usize, area.len());
            prop_assert_eq!(found.fills as usize, area.difference(&covered).count());
            prop_assert_eq!(found.meets_total, areas.iter().filter(|other| !other.is_disjoint(&area)).count());
            for (buyer, common, _) in &found.meets {
                prop_assert_eq!(*common as usize, areas[*buyer].intersection(&area).count());
            }
        }
    }
}

/// A whole country of real codes: what a circle holds is what measuring every code gives.
#[test]
#[allow(clippy::print_stdout, reason = "a skipped test says so")]
fn real_circles_hold_what_measuring_gives() {
    let Some(path) = std::env::var_os("LEADYARD_TEST_DATA") else {
        println!("skipped: LEADYARD_TEST_DATA is not set");
        return;
    };
    let file = std::path::Path::new(&path).join("postal/DE.tsv");
    let Ok(text) = std::fs::read_to_string(&file) else {
        println!("skipped: there is no {}", file.display());
        return;
    };
    let mut table = PostalTable::default();
    for line in text.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let centre = Centre { latitude: columns[5].parse().unwrap(), longitude: columns[6].parse().unwrap() };
        table.insert(
            "DE",
            columns[1],
            &PostalPlace { centre, state_code: columns[4].into(), state: columns[3].into() },
        );
    }
    let ground = Ground::new("DE", &table, None);
    assert_eq!(ground.len(), table.len());
    for (centre, km) in [("10115", 0), ("10115", 25), ("78467", 90), ("01067", 300), ("25980", 1_500)] {
        let filter = Filter::Radius { postal_code: centre.into(), km };
        let compiled = CompiledFilter::compile(&filter, "DE", &table).unwrap();
        let found = codes(&ground, &ground.coverage(Some(&compiled)).could);
        let mut measured = BTreeSet::new();
        for (code, place) in table.places_of("DE") {
            let mut lead = facts(&[]);
            (lead.postal_code, lead.centre) = (Some(code.clone()), Some(place.centre));
            if compiled.matches(&lead) {
                measured.insert(postal::canonical("DE", &code).unwrap());
            }
        }
        assert!(!found.is_empty(), "{centre} {km}");
        assert_eq!(found, measured, "{centre} {km}");
    }
}
