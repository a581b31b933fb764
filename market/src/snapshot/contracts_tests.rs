use std::collections::BTreeMap;

use leadyard_types::terms::{Exclusivity, OutsideHours, PriceRule, Stage, Window};
use leadyard_types::{
    BuyerTerms, CampaignId, Cap, CapPeriod, ContractId, ContractTerms, Currency, Filter, Method, Money, RevisionId,
    SaleMode, Schedule, SourceId, Verdict,
};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::rules::cap::{CapUse, bucket_of};
use crate::rules::filter::CompiledFilter;
use crate::rules::filter::tests::{any_facts, any_filter, any_world};
use crate::rules::fixtures::facts;
use crate::rules::method::StageState;
use crate::rules::price::CompiledPrices;
use crate::rules::routing::{Candidate, RoutingInput, route};

const BUYERS: u128 = 4;

fn any_status() -> impl Strategy<Value = Status> {
    prop_oneof![6 => Just(Status::Active), 1 => Just(Status::Paused), 1 => Just(Status::Archived)]
}

fn any_schedule() -> impl Strategy<Value = Schedule> {
    // The leads' Monday noon lies in some of these windows and not in others; no window at all means never.
    prop::collection::vec((0u16..1_439, prop::bool::ANY), 0..3).prop_map(|windows| {
        let window = |(from_minute, monday)| {
            let weekday = if monday { chrono::Weekday::Mon } else { chrono::Weekday::Tue };
            Window { weekday, from_minute, to_minute: 1_440 }
        };
        Schedule { time_zone: chrono_tz::Tz::UTC, windows: windows.into_iter().map(window).collect() }
    })
}

/// Terms that take every lead.
fn terms() -> ContractTerms {
    ContractTerms {
        status: Status::Active,
        stage: "main".into(),
        priority: 1,
        weight: 1,
        exclusivity: Exclusivity::Any,
        price_minor: 10,
        price_rules: Vec::new(),
        shared_percents: Vec::new(),
        ping: None,
        margin: None,
        filter: None,
        sources_allowed: Vec::new(),
        sources_denied: Vec::new(),
        caps: Vec::new(),
        schedule: None,
        outside_hours: OutsideHours::Next,
        wait_at_most_minutes: None,
        consent_names_buyer: false,
        verdict: Verdict::None,
        destinations: Vec::new(),
        credit_frees_cap: false,
        unknown_window_minutes: 60,
    }
}

fn any_terms() -> impl Strategy<Value = ContractTerms> {
    let sources = || prop::collection::vec((0u128..3).prop_map(|number| SourceId(Uuid::from_u128(number))), 0..2);
    let rules = prop::collection::vec((any_filter(), 0i64..50), 0..2);
    let place = ("main|rest|gone", 1u32..4, 0u32..4, prop::bool::ANY, 0i64..40, 0u32..3);
    let when = (any_status(), prop::option::weighted(0.3, any_schedule()), prop::bool::ANY);
    (prop::option::weighted(0.8, any_filter()), sources(), sources(), rules, place, when).prop_map(
        |(filter, sources_allowed, sources_denied, rules, place, (status, schedule, consent_names_buyer))| {
            let (stage, priority, weight, exclusive, price_minor, cap) = place;
            let rule = |(when, price_minor)| PriceRule { name: "rule".into(), when, price_minor };
            ContractTerms {
                status,
                stage,
                priority,
                weight,
                exclusivity: if exclusive { Exclusivity::ExclusiveOnly } else { Exclusivity::Any },
                price_minor,
                price_rules: rules.into_iter().map(rule).collect(),
                filter,
                sources_allowed,
                sources_denied,
                caps: vec![Cap { period: CapPeriod::Day, count: Some(cap), amount_minor: None }],
                schedule,
                consent_names_buyer,
                ..terms()
            }
        },
    )
}

fn contract(number: u128, revision: u128, terms: ContractTerms) -> Contract {
    let compile = |filter: &Filter| Arc::new(CompiledFilter::compile(filter, "DE", &any_world()).unwrap());
    Contract {
        id: ContractId(Uuid::from_u128(number)),
        name: number.to_string(),
        campaign_id: CampaignId(Uuid::nil()),
        // The last has no buyer that is known: it is never asked.
        buyer_id: BuyerId(Uuid::from_u128(number % (BUYERS + 1))),
        created_at: Timestamp::UNIX_EPOCH,
        revision_id: RevisionId(Uuid::from_u128(revision)),
        filter: terms.filter.as_ref().map(compile),
        prices: CompiledPrices::compile(terms.price_minor, &terms.price_rules, "DE", &any_world()).unwrap(),
        terms,
    }
}

fn buyers(statuses: &[Status]) -> HashMap<BuyerId, Arc<Buyer>> {
    let buyer = |(number, status): (u128, &Status)| {
        let terms =
            BuyerTerms { status: *status, time_zone: chrono_tz::Tz::Europe__Berlin, group: None, caps: Vec::new() };
        Arc::new(Buyer { id: BuyerId(Uuid::from_u128(number)), name: format!("buyer {number}"), terms })
    };
    (0..).zip(statuses).map(buyer).map(|buyer| (buyer.id, buyer)).collect()
}

/// What asking every contract in turn gives, as an explanation does.
fn plain_loop(
    all: &BTreeMap<ContractId, Arc<Contract>>,
    buyers: &HashMap<BuyerId, Arc<Buyer>>,
    facts: &LeadFacts,
    now: Timestamp,
) -> Vec<Fit> {
    let known =
        all.values().filter_map(|contract| Some((Arc::clone(contract), Arc::clone(buyers.get(&contract.buyer_id)?))));
    known.filter(|(contract, buyer)| eligibility::refusal(contract, buyer, facts, now).is_none()).collect()
}

/// The input of a decision over these contracts, and what it comes to, as stored.
fn decision(fits: &[Fit], facts: &LeadFacts, now: Timestamp) -> (String, String) {
    let candidate = |(contract, buyer): &Fit| {
        let (price_minor, rule) = contract.prices.price(facts);
        let used = |cap: &Cap| CapUse {
            cap: *cap,
            bucket: bucket_of(cap.period, now, buyer.terms.time_zone),
            count: 1,
            amount_minor: 0,
        };
        Candidate {
            contract_id: contract.id,
            buyer_id: buyer.id,
            group_id: buyer.group_id(),
            revision_id: contract.revision_id,
            stage: contract.terms.stage.clone(),
            priority: contract.terms.priority,
            weight: contract.terms.weight,
            created_at: contract.created_at,
            exclusivity: contract.terms.exclusivity,
            verdict: contract.terms.verdict,
            price: Money::new(price_minor, Currency::EUR),
            price_rule: rule.map(str::to_owned),

            shared_minor: Vec::new(),
            asks: false,
            bid: None,
            complaint_ppm: 0,
            already_sold: None,
            consent: eligibility::consent_refusal(contract, buyer, facts),
            contract_caps: contract.terms.caps.iter().map(used).collect(),
            buyer_caps: Vec::new(),
            available_minor: 30,
            share: None,
        }
    };
    let stage = |key: &str, method| Stage::new(key, method);
    let input = RoutingInput {
        sale_mode: SaleMode::Shared { max: 2 },
        legs_taken: 0,
        floor_minor: 5,

        promise_minor: None,
        campaign_caps: Vec::new(),
        stages: vec![stage("main", Method::Weighted), stage("rest", Method::RoundRobin)],
        plan: None,
        rotations: BTreeMap::from([("main".to_owned(), StageState::default())]),
        candidates: fits.iter().map(candidate).collect(),
        waiting: Vec::new(),
    };
    let routing = route(&input);
    let verdicts = serde_json::to_string(&(routing.winners, routing.verdicts)).unwrap();
    (serde_json::to_string(&input).unwrap(), verdicts)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Placement's contracts are exactly those that no static check refuses, in id order, and the decision over them
    /// is the same to the byte: after any edits, with missing fields, and whatever buyers and hours say.
    #[test]
    fn the_index_decides_what_asking_every_contract_decides(
        puts in prop::collection::vec((0u128..40, any_terms()), 1..70),
        statuses in prop::collection::vec(any_status(), usize::try_from(BUYERS).unwrap()),
        leads in prop::collection::vec(any_facts(), 1..8),
        minutes in 0i64..3_000,
    ) {
        let buyers = buyers(&statuses);
        let now = facts(&[]).received_at + chrono::TimeDelta::minutes(minutes);
        let mut all = BTreeMap::new();
        let mut indexed = CampaignContracts::default();
        let mut scratch = Scratch::default();
        for (revision, (number, terms)) in (1u128..).zip(puts) {
            indexed.put(contract(number, revision, terms.clone()));
            all.insert(ContractId(Uuid::from_u128(number)), Arc::new(contract(number, revision, terms)));
        }
        for lead in &leads {
            let found = indexed.fitting(&buyers, lead, now, &mut scratch);
            let asked = plain_loop(&all, &buyers, lead, now);
            let named = |fits: &[Fit]| fits.iter().map(|(contract, buyer)| (contract.id, contract.revision_id, buyer.id)).collect::<Vec<_>>();
            prop_assert_eq!(named(&found), named(&asked));
            prop_assert_eq!(decision(&found, lead, now), decision(&asked, lead, now));
        }
    }
}

/// An edit is visible at once and leaves the snapshot it was made from as it was; a contract that stops is gone.
#[test]
fn an_edit_acts_at_once_and_only_in_its_own_snapshot() {
    let buyers = buyers(&[Status::Active; 4]);
    let now = facts(&[]).received_at;
    let terms = |text: &str, status| {
        let filter = Some(serde_json::from_str(text).unwrap());
        ContractTerms { status, filter, ..terms() }
    };
    let ids = |contracts: &CampaignContracts| {
        let fits = contracts.fitting(&buyers, &facts(&[]), now, &mut Scratch::default());
        fits.iter().map(|(contract, _)| contract.id.0.as_u128()).collect::<Vec<_>>()
    };
    let (takes, refuses) = (r#"{"op":"countries","countries":["DE"]}"#, r#"{"op":"exists","field":"x"}"#);
    let mut contracts = CampaignContracts::default();
    for number in [9, 3, 6] {
        contracts.put(contract(number, 1, terms(takes, Status::Active)));
    }
    assert_eq!(ids(&contracts), [3, 6]);
    let before = contracts.clone();
    contracts.put(contract(3, 2, terms(refuses, Status::Active)));
    contracts.put(contract(6, 2, terms(takes, Status::Paused)));
    contracts.put(contract(1, 1, terms(takes, Status::Active)));
    assert_eq!((ids(&contracts), ids(&before)), (vec![1], vec![3, 6]));
    contracts.put(contract(6, 3, terms(takes, Status::Active)));
    assert_eq!(ids(&contracts), [1, 6]);
}
