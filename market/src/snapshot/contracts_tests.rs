use std::collections::BTreeMap;

use leadyard_entity::configuration::Head;
use leadyard_types::terms::{Exclusivity, PriceRule, Stage, Window};
use leadyard_types::{
    BuyerBounds, BuyerSettings, BuyerTerms, Cap, CapPeriod, ContractId, ContractTerms, Currency, Filter, Method, Money,
    SaleMode, Schedule, SourceId, Status,
};
use proptest::prelude::*;
use uuid::Uuid;

use super::super::contract as compiled;
use super::*;
use crate::rules::bounds::tests::{any_bounds, any_settings};
use crate::rules::cap::{CapUse, bucket_of};
use crate::rules::filter::tests::{any_facts, any_filter, any_world};
use crate::rules::fixtures::facts;
use crate::rules::method::StageState;
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
    ContractTerms { unknown_window_minutes: 60, ..ContractTerms::new("main", 10) }
}

fn any_terms() -> impl Strategy<Value = ContractTerms> {
    let sources = || prop::collection::vec((0u128..3).prop_map(|number| SourceId(Uuid::from_u128(number))), 0..2);
    let rules = prop::collection::vec((any_filter(), 0i64..50), 0..2);
    let own = (prop::option::of(any_bounds()), any_settings(any_schedule()));
    let place = ("main|rest|gone", 1u32..4, 0u32..4, prop::bool::ANY, 0i64..40, 0u32..3);
    let when = (any_status(), prop::option::weighted(0.3, any_schedule()), prop::bool::ANY, own);
    (prop::option::weighted(0.8, any_filter()), sources(), sources(), rules, place, when).prop_map(
        |(filter, sources_allowed, sources_denied, rules, place, (status, schedule, consent_names_buyer, own))| {
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
                buyer_bounds: own.0,
                buyer_settings: own.1,
                ..terms()
            }
        },
    )
}

fn contract(number: u128, revision: u128, terms: &ContractTerms) -> Contract {
    let head = Head {
        id: Uuid::from_u128(number),
        name: number.to_string(),
        parent_id: Some(Uuid::nil()),
        // The last has no buyer that is known: it is never asked.
        owner_id: Some(Uuid::from_u128(number % (BUYERS + 1))),
        key: None,
        currency: None,
        created_at: Timestamp::UNIX_EPOCH,
        revision_id: Uuid::from_u128(revision),
        no: 1,
        terms: serde_json::to_string(terms).unwrap(),
    };
    compiled(&head, "DE", &any_world()).unwrap()
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
            own_caps: contract.own_caps().iter().map(used).collect(),
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
        aged: None,
        offered_until: None,
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
            indexed.put(contract(number, revision, &terms));
            all.insert(ContractId(Uuid::from_u128(number)), Arc::new(contract(number, revision, &terms)));
            // Leads come between the edits, and edits are made in copies.
            if revision % 3 == 0 {
                let _ = indexed.fitting(&buyers, &leads[0], now, &mut scratch);
                indexed = indexed.clone();
            }
        }
        for (lead, later) in leads.iter().zip([0, 0, 1, 30, 0].into_iter().cycle()) {
            let now = now + chrono::TimeDelta::minutes(later);
            let found = indexed.fitting(&buyers, lead, now, &mut scratch);
            let asked = plain_loop(&all, &buyers, lead, now);
            let named = |fits: &[Fit]| fits.iter().map(|(contract, buyer)| (contract.id, contract.revision_id, buyer.id)).collect::<Vec<_>>();
            prop_assert_eq!(named(&found), named(&asked));
            prop_assert_eq!(decision(&found, lead, now), decision(&asked, lead, now));
        }
    }
}

proptest! {
    /// Whatever a buyer sets, within whatever bounds: its contract never fits a lead that the operator's own terms refuse.
    #[test]
    fn a_buyer_only_narrows(terms in any_terms(), leads in prop::collection::vec(any_facts(), 1..8)) {
        let agreed = ContractTerms { buyer_bounds: None, ..terms.clone() };
        let (set, agreed) = (contract(1, 2, &terms), contract(1, 1, &agreed));
        let buyer = &buyers(&[Status::Active; 4])[&BuyerId(Uuid::from_u128(1))];
        let now = facts(&[]).received_at;
        for lead in &leads {
            if eligibility::refusal(&agreed, buyer, lead, now).is_some() {
                prop_assert!(eligibility::refusal(&set, buyer, lead, now).is_some());
            }
        }
    }
}

/// An explanation says whose setting refused.
#[test]
fn an_explanation_says_whose_setting_refused() {
    let filter: Filter = serde_json::from_str(r#"{"op":"exists","field":"x"}"#).unwrap();
    let never = Schedule { time_zone: chrono_tz::Tz::UTC, windows: Vec::new() };
    let open = BuyerBounds { filter_keys: vec!["x".into()], schedule: true, pause: true, ..BuyerBounds::default() };
    let said = |buyer_settings, agreed: ContractTerms| {
        let terms = ContractTerms { buyer_bounds: Some(open.clone()), buyer_settings, ..agreed };
        let buyer = &buyers(&[Status::Active; 4])[&BuyerId(Uuid::from_u128(1))];
        let lead = facts(&[]);
        eligibility::refusal(&contract(1, 1, &terms), buyer, &lead, lead.received_at).unwrap().message
    };
    let own = BuyerSettings::default;
    let filtered = || BuyerSettings { filter: Some(filter.clone()), ..own() };
    assert_eq!(said(filtered(), terms()), "the buyer's own filter: x must be given");
    assert_eq!(said(filtered(), ContractTerms { filter: Some(filter.clone()), ..terms() }), "x must be given");
    let hours = BuyerSettings { schedule: Some(never), ..own() };
    assert_eq!(said(hours, terms()), "outside the buyer's own hours");
    let paused = || BuyerSettings { paused: true, ..own() };
    assert_eq!(said(paused(), terms()), "the buyer paused the contract itself");
    let both = ContractTerms { status: Status::Paused, ..terms() };
    assert_eq!(said(paused(), both), "the contract does not buy at the moment");
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
        contracts.put(contract(number, 1, &terms(takes, Status::Active)));
    }
    assert_eq!(ids(&contracts), [3, 6]);
    let before = contracts.clone();
    contracts.put(contract(3, 2, &terms(refuses, Status::Active)));
    contracts.put(contract(6, 2, &terms(takes, Status::Paused)));
    contracts.put(contract(1, 1, &terms(takes, Status::Active)));
    assert_eq!((ids(&contracts), ids(&before)), (vec![1], vec![3, 6]));
    contracts.put(contract(6, 3, &terms(takes, Status::Active)));
    assert_eq!(ids(&contracts), [1, 6]);
}
