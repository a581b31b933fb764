//! Matching one lead against the running contracts of a campaign: the bitmap index beside the plain loop.
//!
//! `cargo bench -p leadyard-market --bench matching`. Before anything is measured, the index must give exactly what the
//! plain loop gives, for every lead; a figure for wrong answers does not count.

#![allow(missing_docs, reason = "criterion's macros make public items")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a bench may stop and may print")]

use std::hint::black_box;
use std::sync::Arc;
use tokio::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use leadyard_market::rules::facts::{Centre, LeadFacts, PostalCentres, PostalPlace, PostalTable};
use leadyard_market::rules::filter::CompiledFilter;
use leadyard_market::rules::index::{ContractIndex, IndexEntry, Scratch};
use leadyard_types::{Consent, ContractId, FieldValue, Filter, SourceId, Timestamp};
use uuid::Uuid;

/// SplitMix64: the same world in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }

    fn number(&mut self, limit: i64) -> i64 {
        i64::try_from(self.below(limit.unsigned_abs())).unwrap()
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }
}

const STATES: &[&str] =
    &["BW", "BY", "BE", "BB", "HB", "HH", "HE", "MV", "NI", "NW", "RP", "SL", "SN", "ST", "SH", "TH"];
const ROOFS: &[&str] = &["pitched", "flat", "shed", "other"];

/// Ten thousand codes, spread over a country of Germany's size.
struct World {
    codes: Vec<String>,
    table: PostalTable,
}

impl World {
    fn new(dice: &mut Dice) -> Self {
        let codes: Vec<String> = (0..10_000).map(|number| format!("{:05}", 1000 + 9 * number)).collect();
        let mut table = PostalTable::with_capacity(codes.len());
        for (place, code) in codes.iter().enumerate() {
            let degrees = |from: f64, tenths_of_millionths: u64| from + tenths_of_millionths as f64 / 1e4;
            let centre =
                Centre { latitude: degrees(47.3, dice.below(77_000)), longitude: degrees(5.9, dice.below(91_000)) };
            let state_code = STATES[place * STATES.len() / codes.len()].to_owned();
            assert!(table.insert("DE", code, &PostalPlace { centre, state_code, state: String::new() }));
        }
        Self { codes, table }
    }

    fn code(&self, dice: &mut Dice) -> String {
        self.codes[usize::try_from(dice.below(self.codes.len() as u64)).unwrap()].clone()
    }
}

fn place(world: &World, dice: &mut Dice) -> Option<Filter> {
    let several = |dice: &mut Dice, most: u64| 1 + dice.below(most);
    Some(match dice.below(10) {
        0 => return None,
        1..=3 => Filter::States { states: (0..several(dice, 4)).map(|_| dice.one(STATES).to_owned()).collect() },
        4..=5 => {
            let prefixes = (0..several(dice, 6)).map(|_| format!("{:02}", 1 + dice.below(90))).collect();
            Filter::PostalPrefixes { prefixes }
        }
        6..=7 => Filter::PostalCodes { codes: (0..several(dice, 150)).map(|_| world.code(dice)).collect() },
        _ => {
            let km = [20, 50, 100, 150][usize::try_from(dice.below(4)).unwrap()];
            Filter::Radius { postal_code: world.code(dice), km }
        }
    })
}

fn filter(world: &World, dice: &mut Dice) -> Filter {
    let mut of: Vec<Filter> = place(world, dice).into_iter().collect();
    if dice.below(10) < 6 {
        let values = (0..1 + dice.below(2)).map(|_| FieldValue::text(dice.one(ROOFS))).collect();
        of.push(Filter::In { field: "roof".into(), values });
    }
    if dice.below(10) < 5 {
        of.push(Filter::Equals { field: "owner".into(), value: FieldValue::Boolean(true) });
    }
    if dice.below(10) < 5 {
        let min = Some(FieldValue::Integer(dice.number(12)));
        of.push(Filter::Range { field: "kwp".into(), min, max: None });
    }
    if dice.below(10) < 2 {
        of.push(Filter::ConsentAge { max_hours: 24 });
    }
    if dice.below(10) < 2 {
        let values = vec![FieldValue::text("gmbh")];
        of.push(Filter::Not { of: Box::new(Filter::In { field: "kind".into(), values }) });
    }
    // One in twenty matches text, one in fifty has alternatives that are not looked up but verified.
    if dice.below(20) == 0 {
        of.push(Filter::Matches { field: "name".into(), pattern: "^[A-M]".into() });
    }
    if dice.below(50) == 0 {
        let large = Filter::Range { field: "kwp".into(), min: Some(FieldValue::Integer(10)), max: None };
        let flat = Filter::Equals { field: "roof".into(), value: FieldValue::text("flat") };
        let both = Filter::All { of: vec![large, Filter::States { states: vec!["BY".into()] }] };
        of.push(Filter::Any { of: vec![both, flat] });
    }
    Filter::All { of }
}

fn entries(world: &World, dice: &mut Dice, count: u128) -> Vec<IndexEntry> {
    let contract = |number: u128| {
        let compiled = CompiledFilter::compile(&filter(world, dice), "DE", &world.table).unwrap();
        let denied = if dice.below(10) == 0 { vec![SourceId(Uuid::from_u128(1))] } else { vec![] };
        let contract = ContractId(Uuid::from_u128(number));
        IndexEntry { contract, filter: Some(Arc::new(compiled)), sources_allowed: vec![], sources_denied: denied }
    };
    (0..count).map(contract).collect()
}

fn lead(world: &World, dice: &mut Dice) -> LeadFacts {
    let code = world.code(dice);
    let place = world.table.lookup("DE", &code).unwrap();
    let received_at = Timestamp::from_timestamp(1_783_339_200, 0).unwrap();
    let given_at = received_at - chrono::TimeDelta::hours(dice.number(48));
    let fields = [
        ("roof", FieldValue::text(dice.one(ROOFS))),
        ("owner", FieldValue::Boolean(dice.below(3) > 0)),
        ("kwp", FieldValue::Text(format!("{}.5", dice.below(20)))),
        ("kind", FieldValue::text(dice.one(&["private", "private", "gmbh"]))),
        ("name", FieldValue::text(dice.one(&["Anna", "Zoe"]))),
    ];
    LeadFacts {
        fields: fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        country: "DE".into(),
        postal_code: Some(code),
        state: Some(place.state_code),
        centre: Some(place.centre),
        consent: Some(Consent { given_at: Some(given_at), ..Consent::default() }),
        score: None,
        source_id: SourceId(Uuid::from_u128(u128::from(dice.below(5)))),
        subid: None,
        received_at,
        age_minutes: 0,
    }
}

fn plain_loop(entries: &[IndexEntry], lead: &LeadFacts) -> Vec<u32> {
    (0..).zip(entries).filter(|(_, entry)| entry.wants(lead)).map(|(position, _)| position).collect()
}

/// Median and 99th percentile over the leads, each taken alone, in nanoseconds.
fn print_percentiles(index: &ContractIndex, leads: &[LeadFacts]) {
    let mut scratch = Scratch::default();
    let mut nanoseconds = Vec::new();
    for lead in leads.iter().cycle().take(20_000) {
        let start = Instant::now();
        black_box(index.candidates_into(black_box(lead), &mut scratch));
        nanoseconds.push(start.elapsed().as_nanos());
    }
    nanoseconds.sort_unstable();
    let at = |share: usize| nanoseconds[nanoseconds.len() * share / 100];
    println!("index of {} contracts: p50 {} ns, p99 {} ns per lead", index.len(), at(50), at(99));
}

fn matching(criterion: &mut Criterion) {
    let mut dice = Dice(7);
    let world = World::new(&mut dice);
    let leads: Vec<_> = (0..500).map(|_| lead(&world, &mut dice)).collect();
    // `cargo test --benches` only shows that it works; `cargo bench` says so.
    let is_measured = std::env::args().any(|argument| argument == "--bench");
    let counts: &[u128] = if is_measured { &[10_000, 100_000] } else { &[500] };
    for &count in counts {
        let entries = entries(&world, &mut dice, count);
        let index = ContractIndex::build(&entries);
        let mut scratch = Scratch::default();
        let mut matched = 0;
        for lead in &leads {
            let found = index.candidates_into(lead, &mut scratch);
            assert_eq!(found, plain_loop(&entries, lead), "the index must give what the plain loop gives");
            matched += found.len();
        }
        println!("{count} contracts: {} match a lead on average", matched / leads.len());
        print_percentiles(&index, &leads);
        measure(criterion, count, &entries, &index, &leads);
    }
}

fn measure(criterion: &mut Criterion, count: u128, entries: &[IndexEntry], index: &ContractIndex, leads: &[LeadFacts]) {
    let mut group = criterion.benchmark_group(format!("matching/{count}"));
    let mut scratch = Scratch::default();
    let mut next = leads.iter().cycle();
    group.bench_function("index", |bencher| {
        bencher.iter(|| index.candidates_into(next.next().unwrap(), &mut scratch).len());
    });
    group.sample_size(10);
    group.bench_function("plain loop", |bencher| bencher.iter(|| plain_loop(entries, next.next().unwrap()).len()));
    let mut changing = index.clone();
    let mut changed = entries.iter().cycle();
    group.bench_function("replace one contract", |bencher| {
        bencher.iter(|| changing.upsert(changed.next().unwrap().clone()));
    });
    // What an edit costs a running market: leads under way keep the index they began with.
    group.bench_function("replace one contract in a copy", |bencher| {
        bencher.iter(|| index.clone().upsert(changed.next().unwrap().clone()));
    });
    group.finish();
}

criterion_group!(benches, matching);
criterion_main!(benches);
