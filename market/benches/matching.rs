//! Matching one lead against the running contracts of a campaign: the bitmap index beside the plain loop, with the hours
//! that are shut, the caps that are full and the wallets that are empty as bits; what placement asks of its snapshot; and
//! what an edit of one contract costs beside leads under way.
//!
//! `cargo bench -p leadyard-market --bench matching`. Before anything is measured, the index must give exactly what the
//! plain loop gives, for every lead; a figure for wrong answers does not count.

#![allow(missing_docs, reason = "criterion's macros make public items")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a bench may stop and may print")]

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use tokio::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use leadyard_market::rules::facts::{Centre, LeadFacts, PostalCentres, PostalPlace, PostalTable};
use leadyard_market::rules::filter::CompiledFilter;
use leadyard_market::rules::index::{ContractIndex, IndexEntry, Positions, Scratch};
use leadyard_market::rules::price::CompiledPrices;
use leadyard_market::rules::schedule::is_open;
use leadyard_market::rules::territory::{Ground, Question, survey};
use leadyard_market::snapshot::{Buyer, CampaignContracts, Contract};
use leadyard_types::terms::Window;
use leadyard_types::{
    BuyerId, BuyerTerms, CampaignId, Consent, ContractId, ContractTerms, FieldValue, Filter, RevisionId, Schedule,
    SourceId, Status, Timestamp,
};
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
    // One in twenty matches text, one in fifty has alternatives of several conditions, one in five hundred one that must be
    // asked contract by contract: it wants one of two conditions about a field not to be met.
    if dice.below(20) == 0 {
        of.push(Filter::Matches { field: "name".into(), pattern: "^[A-M]".into() });
    }
    if dice.below(50) == 0 {
        let large = Filter::Range { field: "kwp".into(), min: Some(FieldValue::Integer(10)), max: None };
        let flat = Filter::Equals { field: "roof".into(), value: FieldValue::text("flat") };
        let both = Filter::All { of: vec![large, Filter::States { states: vec!["BY".into()] }] };
        of.push(Filter::Any { of: vec![both, flat] });
    }
    if dice.below(500) == 0 {
        let shed = Filter::Equals { field: "roof".into(), value: FieldValue::text("shed") };
        let given = Filter::Exists { field: "roof".into() };
        of.push(Filter::Not { of: Box::new(Filter::All { of: vec![shed, given] }) });
    }
    Filter::All { of }
}

/// A contract of the bench: what the index sees of it, its hours, and whether its caps or its buyer's wallet let it buy.
struct Member {
    entry: IndexEntry,
    schedule: Option<Schedule>,
    is_full: bool,
    is_broke: bool,
}

impl Member {
    /// The plain rule.
    fn buys(&self, lead: &LeadFacts) -> bool {
        self.entry.wants(lead)
            && self.schedule.as_ref().is_none_or(|hours| is_open(hours, lead.received_at))
            && !self.is_full
            && !self.is_broke
    }
}

/// Hours of office days, from one of a few beginnings to one of a few ends; one contract in three has some.
fn schedule(dice: &mut Dice) -> Option<Schedule> {
    if dice.below(3) > 0 {
        return None;
    }
    let (from, hours) = (u16::try_from(7 + dice.below(5)).unwrap(), u16::try_from(4 + dice.below(8)).unwrap());
    let days = [chrono::Weekday::Mon, chrono::Weekday::Tue, chrono::Weekday::Wed, chrono::Weekday::Thu];
    let window = |weekday| Window { weekday, from_minute: from * 60, to_minute: (from + hours) * 60 };
    Some(Schedule { time_zone: chrono_tz::Tz::Europe__Berlin, windows: days.into_iter().map(window).collect() })
}

fn members(world: &World, dice: &mut Dice, count: u128) -> Vec<Member> {
    let member = |number: u128| {
        let compiled = CompiledFilter::compile(&filter(world, dice), "DE", &world.table).unwrap();
        let denied = if dice.below(10) == 0 { vec![SourceId(Uuid::from_u128(1))] } else { vec![] };
        let contract = ContractId(Uuid::from_u128(number));
        let entry =
            IndexEntry { contract, filter: Some(Arc::new(compiled)), sources_allowed: vec![], sources_denied: denied };
        // One cap in ten is full, one wallet in twenty empty.
        Member { entry, schedule: schedule(dice), is_full: dice.below(10) == 0, is_broke: dice.below(20) == 0 }
    };
    (0..count).map(member).collect()
}

/// Shut, full and broke, by position.
fn out_of_the_question(members: &[Member], now: Timestamp) -> [Positions; 3] {
    let mut out = [Positions::default(), Positions::default(), Positions::default()];
    for (position, member) in (0..).zip(members) {
        let shut = member.schedule.as_ref().is_some_and(|hours| !is_open(hours, now));
        for (set, is_in) in out.iter_mut().zip([shut, member.is_full, member.is_broke]) {
            set.set(position, is_in);
        }
    }
    out
}

/// The member as a snapshot holds it.
fn contract(member: &Member) -> Contract {
    let IndexEntry { contract, filter, sources_allowed, sources_denied } = member.entry.clone();
    let schedule = member.schedule.clone();
    let terms = ContractTerms { sources_allowed, sources_denied, schedule, ..ContractTerms::new("main", 1_000) };
    Contract {
        id: contract,
        name: contract.to_string(),
        campaign_id: CampaignId(Uuid::nil()),
        buyer_id: BuyerId(Uuid::from_u128(contract.0.as_u128() % 2_000)),
        created_at: Timestamp::UNIX_EPOCH,
        revision_id: RevisionId(contract.0),
        prices: CompiledPrices::compile(terms.price_minor, &[], "DE", &PostalTable::default()).unwrap(),
        terms,
        filter,
        own: None,
        aged: None,
    }
}

fn buyers() -> HashMap<BuyerId, Arc<Buyer>> {
    let terms =
        BuyerTerms { status: Status::Active, time_zone: chrono_tz::Tz::Europe__Berlin, group: None, caps: Vec::new() };
    let buyer = |number| {
        let id = BuyerId(Uuid::from_u128(number));
        (id, Arc::new(Buyer { id, name: number.to_string(), terms: terms.clone() }))
    };
    (0..2_000).map(buyer).collect()
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
        test: false,
        age_minutes: 0,
    }
}

fn plain_loop(members: &[Member], lead: &LeadFacts) -> Vec<u32> {
    (0..).zip(members).filter(|(_, member)| member.buys(lead)).map(|(position, _)| position).collect()
}

/// Median and 99th percentile of something done for each lead alone, in nanoseconds.
fn print_percentiles(what: &str, leads: &[LeadFacts], mut each: impl FnMut(&LeadFacts)) {
    let mut nanoseconds = Vec::new();
    for lead in leads.iter().cycle().take(20_000) {
        let start = Instant::now();
        each(black_box(lead));
        nanoseconds.push(start.elapsed().as_nanos());
    }
    nanoseconds.sort_unstable();
    let at = |share: usize| nanoseconds[nanoseconds.len() * share / 100];
    println!("{what}: p50 {} ns, p99 {} ns per lead", at(50), at(99));
}

fn matching(criterion: &mut Criterion) {
    let mut dice = Dice(7);
    let world = World::new(&mut dice);
    let leads: Vec<_> = (0..500).map(|_| lead(&world, &mut dice)).collect();
    let buyers = buyers();
    // `cargo test --benches` only shows that it works; `cargo bench` says so.
    let is_measured = std::env::args().any(|argument| argument == "--bench");
    let counts: &[u128] = if is_measured { &[10_000, 100_000] } else { &[500] };
    for &count in counts {
        let members = members(&world, &mut dice, count);
        let entries: Vec<IndexEntry> = members.iter().map(|member| member.entry.clone()).collect();
        let start = Instant::now();
        let index = ContractIndex::build(&entries);
        println!("{count} contracts: index built in {} ms", start.elapsed().as_millis());
        let mut contracts = CampaignContracts::default();
        members.iter().for_each(|member| contracts.put(contract(member)));
        let now = leads[0].received_at;
        let out = out_of_the_question(&members, now);
        let out: Vec<&Positions> = out.iter().collect();
        let mut scratch = Scratch::default();
        let mut matched = 0;
        for lead in &leads {
            let found = index.candidates_without(lead, &out, &mut scratch);
            assert_eq!(found, plain_loop(&members, lead), "the index must give what the plain loop gives");
            matched += found.len();
            // Placement asks without caps and balances: those are its transaction's to judge, and a decision names them.
            let fits: Vec<ContractId> =
                contracts.fitting(&buyers, lead, now, &mut scratch).iter().map(|(contract, _)| contract.id).collect();
            let open = |member: &&Member| member.schedule.as_ref().is_none_or(|hours| is_open(hours, now));
            let asked = members.iter().filter(|member| member.entry.wants(lead)).filter(open);
            assert_eq!(fits, asked.map(|member| member.entry.contract).collect::<Vec<_>>());
        }
        println!("{count} contracts: {} match a lead on average", matched / leads.len());
        print_percentiles(&format!("{count} contracts, filters alone"), &leads, |lead| {
            black_box(index.candidates_into(lead, &mut scratch));
        });
        print_percentiles(&format!("{count} contracts, with hours, caps and balance"), &leads, |lead| {
            black_box(index.candidates_without(lead, &out, &mut scratch));
        });
        print_percentiles(&format!("{count} contracts, as placement asks"), &leads, |lead| {
            black_box(contracts.fitting(&buyers, lead, now, &mut scratch));
        });
        // Everybody against everybody: billions of pairs at the larger count, which would say nothing new.
        if count <= 10_000 {
            print_survey(&world, &members);
        }
        measure(criterion, &members, &index, &out, &leads);
        measure_edits(criterion, &members, &contracts);
    }
}

/// How long a survey of everybody's territory takes, each contract of a buyer of its own.
fn print_survey(world: &World, members: &[Member]) {
    let start = Instant::now();
    let ground = Ground::new("DE", &world.table, None);
    let buyers: Vec<Vec<_>> = members.iter().map(|member| vec![member.entry.filter.clone()]).collect();
    let question = Question { ground: &ground, region: None, buyers: &buyers, draft: None, most: 20 };
    let found = survey(&question, &mut |_, _| {});
    let took = start.elapsed().as_millis();
    println!("{} contracts, territories: {} pairs meet, in {took} ms", members.len(), found.overlaps_total);
}

fn measure(
    criterion: &mut Criterion,
    members: &[Member],
    index: &ContractIndex,
    out: &[&Positions],
    leads: &[LeadFacts],
) {
    let mut group = criterion.benchmark_group(format!("matching/{}", members.len()));
    let mut scratch = Scratch::default();
    let mut next = leads.iter().cycle();
    group.bench_function("index", |bencher| {
        bencher.iter(|| index.candidates_without(next.next().unwrap(), out, &mut scratch).len());
    });
    group.sample_size(10);
    group.bench_function("plain loop", |bencher| bencher.iter(|| plain_loop(members, next.next().unwrap()).len()));
    let mut changing = index.clone();
    let mut changed = members.iter().cycle();
    group.bench_function("replace one contract", |bencher| {
        bencher.iter(|| changing.upsert(changed.next().unwrap().entry.clone()));
    });
    group.finish();
}

/// What an edit costs a running market: leads under way keep the contracts they began with.
fn measure_edits(criterion: &mut Criterion, members: &[Member], contracts: &CampaignContracts) {
    let mut changed = members.iter().cycle();
    let mut edit = || {
        let mut copy = contracts.clone();
        copy.put(contract(changed.next().unwrap()));
        copy
    };
    let mut microseconds: Vec<u128> = (0..500)
        .map(|_| {
            let start = Instant::now();
            let copy = edit();
            let took = start.elapsed().as_micros();
            drop(black_box(copy));
            took
        })
        .collect();
    microseconds.sort_unstable();
    let (p50, p99, most) = (microseconds[250], microseconds[495], microseconds[499]);
    println!("{} contracts, an edit: p50 {p50} µs, p99 {p99} µs, at most {most} µs", members.len());
    let mut group = criterion.benchmark_group(format!("matching/{}", members.len()));
    group.sample_size(10);
    group.bench_function("edit one contract", |bencher| bencher.iter(&mut edit));
    group.finish();
}

criterion_group!(benches, matching);
criterion_main!(benches);
