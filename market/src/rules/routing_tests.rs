use leadyard_types::{AuctionTerms, Cap, CapPeriod, Currency, Margin, Method, Percent, Pricing};
use proptest::prelude::*;

use super::*;
use crate::rules::cap::bucket_of;

const STAGE: &str = "main";

fn candidate(number: u128, group: u128, weight: u32) -> Candidate {
    Candidate {
        contract_id: ContractId(Uuid::from_u128(number)),
        buyer_id: BuyerId(Uuid::from_u128(number)),
        group_id: Uuid::from_u128(group),
        revision_id: RevisionId(Uuid::nil()),
        stage: STAGE.to_owned(),
        priority: 1,
        weight,
        created_at: Timestamp::UNIX_EPOCH,
        exclusivity: Exclusivity::Any,
        verdict: Verdict::None,
        price: Money::new(1_000, Currency::EUR),
        price_rule: None,
        shared_minor: Vec::new(),
        asks: false,
        bid: None,
        complaint_ppm: 0,
        already_sold: None,
        consent: None,
        contract_caps: Vec::new(),
        own_caps: Vec::new(),
        buyer_caps: Vec::new(),
        available_minor: 1_000,
        share: None,
    }
}

fn input(max: u8, method: Method, candidates: Vec<Candidate>) -> RoutingInput {
    RoutingInput {
        sale_mode: SaleMode::Shared { max },
        legs_taken: 0,
        floor_minor: 0,
        promise_minor: None,
        campaign_caps: Vec::new(),
        stages: vec![Stage::new(STAGE, method)],
        plan: None,
        rotations: BTreeMap::new(),
        candidates,
        offered_until: None,
        waiting: Vec::new(),
    }
}

/// Routes a lead, turns the rotation for every winner, and names them.
fn sell(input: &mut RoutingInput) -> Vec<ContractId> {
    let routing = route(input);
    let mut rotation = input.rotations.remove(STAGE).unwrap_or_default();
    let winners: Vec<_> = routing.winners.iter().map(|winner| input.candidates[winner.position].contract_id).collect();
    for winner in &winners {
        input.turn(&input.stages[0], &routing.verdicts, &mut rotation, *winner);
    }
    input.rotations.insert(STAGE.to_owned(), rotation);
    winners
}

/// Two places, weights 50, 30 and 20: a place in every lead for the first, 0.6 and 0.4 for the others.
#[test]
fn places_are_shared_out_by_weight() {
    let weights = [50, 30, 20];
    let mut input = input(2, Method::Weighted, (0..3).map(|at| candidate(at, at, weights[at as usize])).collect());
    let names: Vec<Vec<u128>> =
        (0..5).map(|_| sell(&mut input).iter().map(|contract| contract.0.as_u128()).collect()).collect();
    let second: Vec<u128> = names.iter().map(|winners| winners[1]).collect();
    assert!(names.iter().all(|winners| winners[0] == 0 && winners.len() == 2), "{names:?}");
    assert_eq!(second, [1, 2, 1, 1, 2]);
}

/// One buyer whose weight asks for more than every lead gets one place of each, and does not starve the others.
#[test]
fn nobody_gets_more_than_every_lead() {
    let weights = [1_000, 1, 1];
    let mut input = input(2, Method::Weighted, (0..3).map(|at| candidate(at, at, weights[at as usize])).collect());
    let mut sold = BTreeMap::<_, u32>::new();
    for _ in 0..100 {
        sell(&mut input).into_iter().for_each(|winner| *sold.entry(winner.0.as_u128()).or_default() += 1);
    }
    assert_eq!(sold, BTreeMap::from([(0, 100), (1, 50), (2, 50)]));
}

/// A place that cannot be given goes to the next: the campaign's cap on money leaves out only who is too dear.
#[test]
fn what_one_may_not_take_the_next_gets() {
    let mut input = input(2, Method::Weighted, (0..3).map(|at| candidate(at, at, 1)).collect());
    input.candidates[1].price = Money::new(1_500, Currency::EUR);
    input.candidates[1].available_minor = 1_500;
    let cap = Cap { period: CapPeriod::Total, count: None, amount_minor: Some(2_000) };
    let bucket = bucket_of(cap.period, Timestamp::UNIX_EPOCH, chrono_tz::Tz::UTC);
    input.campaign_caps = vec![CapUse { cap, bucket, count: 0, amount_minor: 0 }];
    let winners: Vec<u128> = sell(&mut input).iter().map(|contract| contract.0.as_u128()).collect();
    assert_eq!(winners, [0, 2]);
}

/// The promise after every lead, for leads of so many places and buyers of these weights.
fn assert_promise(weights: &[u32], places: u8, leads: i128) {
    let candidates = (0u128..).zip(weights).map(|(number, weight)| candidate(number, number, *weight)).collect();
    let mut input = input(places, Method::Weighted, candidates);
    let mut sold = vec![0i128; weights.len()];
    for lead in 1..=leads {
        let winners = sell(&mut input);
        winners.iter().for_each(|winner| sold[usize::try_from(winner.0.as_u128()).unwrap()] += 1);
        for (at, (of, sum)) in targets(weights, usize::from(places)).into_iter().enumerate() {
            let distance = sold[at] * sum - of * lead;
            assert!(distance.abs() < sum, "{at} of {weights:?} for {places} after {lead}: {sold:?}");
        }
    }
}

/// Where earliest deadlines alone break the promise.
#[test]
fn ties_of_the_deadline_are_broken_by_the_room_afterwards() {
    assert_promise(&[2, 2, 3, 3], 3, 60);
    assert_promise(&[2, 8, 4, 2, 5, 5], 4, 60);
    // The last tie: how long a shift would last.
    assert_promise(&[3, 3, 3, 4, 4, 8], 5, 60);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A weighted sale to several: long-run shares are |sold − target| < 1 after every lead, nobody has a lead twice,
    /// every place is sold while there is somebody to buy it, and the order of the candidates does not matter.
    #[test]
    fn shared_leads_are_shared_out_exactly(
        weights in prop::collection::vec(prop_oneof![1u32..4, 1u32..60, Just(u32::MAX)], 2..12),
        max in 2u8..6, leads in 1usize..200, rotate in 0usize..12,
    ) {
        let places = usize::from(max).min(weights.len());
        let candidates: Vec<_> = (0u128..).zip(&weights).map(|(number, weight)| candidate(number, number, *weight)).collect();
        let mut shuffled = candidates.clone();
        shuffled.rotate_left(rotate % weights.len());
        let (mut input, mut shuffled) = (input(max, Method::Weighted, candidates), input(max, Method::Weighted, shuffled));
        let mut sold = vec![0i128; weights.len()];
        for lead in 1..=leads {
            let winners = sell(&mut input);
            prop_assert_eq!(&winners, &sell(&mut shuffled));
            prop_assert_eq!(winners.iter().collect::<BTreeSet<_>>().len(), places);
            winners.iter().for_each(|winner| sold[usize::try_from(winner.0.as_u128()).unwrap()] += 1);
            for (at, (of, sum)) in targets(&weights, places).into_iter().enumerate() {
                let distance = sold[at] * sum - of * i128::try_from(lead).unwrap();
                prop_assert!(distance.abs() < sum, "{at} of {weights:?} for {places} after {lead}: {sold:?}");
            }
        }
    }

    /// Whatever changes from lead to lead, nobody has a lead twice, no group either, and nobody drifts away from the sum
    /// of its targets.
    #[test]
    fn shared_leads_go_to_different_groups(
        weights in prop::collection::vec(1u32..50, 3..10),
        groups in prop::collection::vec(0u128..10, 10),
        sets in prop::collection::vec((prop::collection::vec(prop::bool::weighted(0.7), 10), 1u8..5), 1..150),
        grouped in any::<bool>(),
    ) {
        let mut input = input(1, Method::Weighted, Vec::new());
        let (mut sold, mut target) = (vec![0.0; weights.len()], vec![0.0; weights.len()]);
        for (present, max) in sets {
            let set: Vec<usize> = (0..weights.len()).filter(|at| present[*at]).collect();
            let group = |at: usize| if grouped { groups[at] } else { at as u128 };
            input.sale_mode = SaleMode::Shared { max };
            input.candidates = set.iter().map(|at| candidate(*at as u128, group(*at), weights[*at])).collect();
            let winners = sell(&mut input);
            let different: BTreeSet<u128> = set.iter().map(|at| group(*at)).collect();
            let won: BTreeSet<u128> =
                winners.iter().map(|winner| group(usize::try_from(winner.0.as_u128()).unwrap())).collect();
            prop_assert_eq!(winners.len(), won.len());
            prop_assert_eq!(winners.len(), usize::from(max).min(different.len()));
            winners.iter().for_each(|winner| sold[usize::try_from(winner.0.as_u128()).unwrap()] += 1.0);
            let own: Vec<u32> = set.iter().map(|at| weights[*at]).collect();
            for (at, (of, sum)) in set.iter().zip(targets(&own, usize::from(max).min(own.len()))) {
                target[*at] += of as f64 / sum as f64;
            }
        }
        for at in 0..weights.len() {
            prop_assert!(grouped || (sold[at] - target[at]).abs() < 3.0, "{at}: {} of {}", sold[at], target[at]);
        }
    }
}

/// What everybody's share of a lead should be, as the rule words it: the weight over the sum of the weights times the
/// places, at most one, and what is over to the others.
fn targets(weights: &[u32], places: usize) -> Vec<(i128, i128)> {
    let mut full = vec![false; weights.len()];
    loop {
        let open = || (0..weights.len()).filter(|at| !full[*at]);
        let sum: i128 = open().map(|at| i128::from(weights[at])).sum();
        let left = i128::try_from(places - full.iter().filter(|full| **full).count()).unwrap();
        let over: Vec<usize> = open().filter(|at| left * i128::from(weights[*at]) >= sum).collect();
        if over.is_empty() {
            let share = |at: usize| if full[at] { (1, 1) } else { (left * i128::from(weights[at]), sum) };
            return (0..weights.len()).map(share).collect();
        }
        over.into_iter().for_each(|at| full[at] = true);
    }
}

/// A cap or the balance that alone stood in the way is told to have done so; one that did not, is not.
#[test]
fn what_alone_stood_in_the_way_is_told() {
    let period = CapPeriod::Day;
    let full = |count| CapUse {
        cap: Cap { period, count: Some(1), amount_minor: None },
        bucket: bucket_of(period, Timestamp::UNIX_EPOCH, chrono_tz::Tz::UTC),
        count,
        amount_minor: 0,
    };
    let capped = Candidate { contract_caps: vec![full(1)], ..candidate(1, 1, 1) };
    let poor = Candidate { available_minor: 0, ..candidate(2, 2, 1) };
    let both = Candidate { buyer_caps: vec![full(1)], available_minor: 0, ..candidate(3, 3, 1) };
    let mut input = input(3, Method::Waterfall, vec![capped, poor, both, candidate(4, 4, 1)]);
    let told = |input: &RoutingInput| -> Vec<bool> {
        let mut verdicts = route(input).verdicts;
        add_counterfactuals(input, &mut verdicts);
        let alone = |refusal: &Refusal| refusal.seen.iter().any(|seen| seen.name == "but for this");
        verdicts.iter().map(|verdict| verdict.refusal.as_ref().is_some_and(alone)).collect()
    };
    assert_eq!(told(&input), [true, true, false, false]);
    input.campaign_caps = vec![full(1)];
    assert_eq!(told(&input), [true, false, false, true], "the campaign's cap refuses them all");
}

fn any_method() -> impl Strategy<Value = Method> {
    prop::sample::select(vec![Method::Waterfall, Method::RoundRobin, Method::Weighted, Method::Auction])
}

fn any_share() -> impl Strategy<Value = SupplierShare> {
    let percent = || (0i64..=10_000).prop_map(|basis| Percent(rust_decimal::Decimal::new(basis, 2)));
    prop_oneof![
        percent().prop_map(|percent| SupplierShare::LessMargin { margin: Margin::Percent { percent } }),
        (0i64..2_000).prop_map(|amount_minor| SupplierShare::LessMargin { margin: Margin::Amount { amount_minor } }),
        percent().prop_map(|percent| SupplierShare::Share { percent }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// A promise is kept or nothing is sold, whatever is sold and to how many: the supplier gets at least what it was
    /// promised, and the buyers pay at least as much. What was promised for the very same market is always kept.
    #[test]
    fn a_promise_is_kept_or_nothing_sells(
        prices in prop::collection::vec((1i64..6_000, any_share()), 1..8),
        sale_mode in prop_oneof![
            Just(SaleMode::Exclusive), (2u8..4).prop_map(|max| SaleMode::Shared { max }),
            (2u8..4).prop_map(|max| SaleMode::Best { max }),
        ],
        method in any_method(), second in any::<bool>(), promise in 0i64..6_000,
    ) {
        let method = if matches!(sale_mode, SaleMode::Best { .. }) { Method::Auction } else { method };
        let candidates = (1u128..).zip(&prices).map(|(number, (price, share))| Candidate {
            price: Money::new(*price, Currency::EUR),
            available_minor: 10_000,
            share: Some(*share),
            ..candidate(number, number, 1)
        });
        let pricing = if second { Pricing::Second } else { Pricing::First };
        let auction = (method == Method::Auction).then(|| AuctionTerms { pricing, ..AuctionTerms::default() });
        let free = RoutingInput {
            sale_mode,
            stages: vec![Stage { auction, ..Stage::new(STAGE, method) }],
            ..input(1, method, candidates.collect())
        };
        let sales = |input: &RoutingInput| -> Vec<(SupplierShare, i64)> {
            let winners = route(input).winners;
            winners.iter().map(|won| (input.candidates[won.position].share.unwrap(), won.price_minor)).collect()
        };
        let promised = RoutingInput { promise_minor: Some(promise), ..free.clone() };
        let made = sales(&promised);
        if !made.is_empty() {
            prop_assert!(made.iter().map(|(share, price)| share.of(*price)).sum::<i64>() >= promise);
            prop_assert!(made.iter().map(|(_, price)| price).sum::<i64>() >= promise);
        }
        if let Ok(quoted) = crate::rules::quote::quote(&free, &route(&free), None) {
            let held = RoutingInput { promise_minor: Some(quoted.promise_minor()), ..free.clone() };
            prop_assert!(!sales(&held).is_empty(), "promised {} and not kept", quoted.promise_minor());
        }
    }
}

/// A buyer's own cap holds beside the contract's, for every price, and is named as its own.
#[test]
fn a_buyers_own_cap_is_named() {
    let at: Timestamp = "2026-07-06T12:00:00Z".parse().unwrap();
    let used = |limit| CapUse {
        cap: Cap { period: CapPeriod::Day, count: Some(limit), amount_minor: None },
        bucket: bucket_of(CapPeriod::Day, at, chrono_tz::Tz::UTC),
        count: 3,
        amount_minor: 3_000,
    };
    let capped = |agreed, own| {
        let one = Candidate { contract_caps: vec![used(agreed)], own_caps: vec![used(own)], ..candidate(1, 1, 1) };
        let input = input(1, Method::Waterfall, vec![one]);
        let mut verdicts = route(&input).verdicts;
        add_counterfactuals(&input, &mut verdicts);
        verdicts.remove(0).refusal.map(|refusal| (refusal.message, refusal.seen.len()))
    };
    assert_eq!(capped(4, 4), None);
    assert_eq!(capped(4, 3), Some(("the buyer's own cap on the contract is reached".to_owned(), 2)));
    assert_eq!(capped(3, 3), Some(("the contract's cap is reached".to_owned(), 2)));
    let text = serde_json::to_string(&candidate(1, 1, 1)).unwrap();
    assert!(!text.contains("own_caps"), "decisions without own caps are written as ever");
}
