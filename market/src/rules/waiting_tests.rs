use std::collections::BTreeMap;

use chrono::Duration;
use leadyard_types::terms::{Exclusivity, Stage, UnsoldPolicy};
use leadyard_types::{BuyerId, Check, ContractId, Currency, Method, Money, RevisionId, SaleMode, Timestamp, Verdict};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::rules::routing::{Candidate, RoutingInput, Waiting, route};

fn at(minutes: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + Duration::minutes(minutes)
}

fn candidate(number: u128, priority: u32, available_minor: i64) -> Candidate {
    Candidate {
        contract_id: ContractId(Uuid::from_u128(number)),
        buyer_id: BuyerId(Uuid::from_u128(number)),
        group_id: Uuid::from_u128(number),
        revision_id: RevisionId(Uuid::from_u128(number)),
        stage: "main".into(),
        priority,
        weight: 1,
        created_at: Timestamp::UNIX_EPOCH,
        exclusivity: Exclusivity::Any,
        verdict: Verdict::None,
        price: Money::new(100, Currency::EUR),
        shared_minor: Vec::new(),
        asks: false,
        bid: None,
        complaint_ppm: 0,
        price_rule: None,
        already_sold: None,
        consent: None,
        contract_caps: Vec::new(),
        own_caps: Vec::new(),
        buyer_caps: Vec::new(),
        available_minor,
        share: None,
    }
}

/// Contracts that buy now and contracts outside their hours: priority, whether their money does, and when they open.
fn input(hold: bool, open: &[(u32, bool)], closed: &[(u32, bool, i64)]) -> RoutingInput {
    let money = |rich: bool| if rich { 1_000 } else { 0 };
    let stage = Stage { hold_for_window: hold, ..Stage::new("main", Method::Waterfall) };
    RoutingInput {
        sale_mode: SaleMode::Exclusive,
        legs_taken: 0,
        floor_minor: 0,
        promise_minor: None,
        campaign_caps: Vec::new(),
        stages: vec![stage, Stage::new("rest", Method::Waterfall)],
        plan: None,
        rotations: BTreeMap::new(),
        candidates: (1..).zip(open).map(|(number, (turn, rich))| candidate(number, *turn, money(*rich))).collect(),
        offered_until: None,
        waiting: (100..)
            .zip(closed)
            .map(|(number, (turn, rich, opens))| Waiting {
                candidate: candidate(number, *turn, money(*rich)),
                opens_at: at(*opens),
            })
            .collect(),
    }
}

/// A lead is held back only by a stage that says so, only from contracts behind, and only for one that would buy.
#[test]
fn a_lead_is_held_back_where_the_stage_says_so() {
    let held = route(&input(true, &[(2, true)], &[(1, true, 30)]));
    assert!(held.winners.is_empty());
    assert_eq!(held.waits.map(|waits| (waits.opens_at, waits.held)), Some((at(30), true)));
    let refusal = held.verdicts[0].refusal.clone().unwrap();
    assert_eq!((refusal.check, refusal.seen[0].name.as_str()), (Check::NotChosen, "opens at"));
    for sold in [
        input(false, &[(2, true)], &[(1, true, 30)]),
        input(true, &[(1, true)], &[(2, true, 30)]),
        input(true, &[(2, true)], &[(1, false, 30)]),
    ] {
        let routing = route(&sold);
        assert_eq!((routing.winners.len(), routing.waits), (1, None));
    }
    let mut taken = input(true, &[(2, true)], &[(1, true, 30)]);
    taken.legs_taken = 1;
    assert_eq!(route(&taken).waits, None, "a lead that is sold waits for nobody");
    // Later stages are held back too.
    let mut later = input(true, &[(1, true)], &[(9, true, 30)]);
    later.candidates[0].stage = "rest".into();
    assert!(route(&later).winners.is_empty());
}

/// Without contracts that are waited for, an input is stored as it always was.
#[test]
fn inputs_without_waiting_are_stored_as_before() {
    let text = serde_json::to_string(&input(false, &[(1, true)], &[])).unwrap();
    assert!(!text.contains("waiting") && !text.contains("hold_for_window"), "{text}");
}

/// The same refusals at the same terms are nothing new, whatever else moved; another refusal, price or wait is.
#[test]
fn only_what_matters_is_new() {
    let same = |a: &RoutingInput, b: &RoutingInput| nothing_new((a, &route(a)), (b, &route(b)));
    let before = input(false, &[(1, false), (2, false)], &[]);
    let mut poorer = before.clone();
    poorer.candidates[0].available_minor = -5;
    assert!(same(&before, &poorer));
    let mut dearer = before.clone();
    dearer.candidates[0].price = Money::new(101, Currency::EUR);
    assert!(!same(&before, &dearer));
    let mut below = before.clone();
    (below.candidates[0].available_minor, below.floor_minor) = (1_000, 500);
    assert!(!same(&before, &below), "another check refuses");
    assert!(!same(&before, &input(false, &[(1, false)], &[])), "a contract went");
    assert!(!same(&before, &input(false, &[(1, false), (2, false)], &[(3, true, 10)])), "it waits now");
    assert!(!same(&before, &input(false, &[(1, true), (2, false)], &[])), "somebody buys");
}

proptest! {
    /// Waiting never takes a lead from a buyer who pays now, unless a stage holds it back; then exactly the first in turn
    /// of all that buy or would buy decides.
    #[test]
    fn who_waits_takes_nothing_from_who_buys(
        hold: bool,
        open in prop::collection::vec((0u32..6, any::<bool>()), 0..5),
        closed in prop::collection::vec((0u32..6, any::<bool>(), 1i64..900), 0..5),
    ) {
        let routing = route(&input(hold, &open, &closed));
        let buys = route(&input(false, &open, &[])).winners;
        let opener = closed.iter().filter(|(_, rich, _)| *rich).map(|(_, _, opens)| *opens).min();
        // Numbers from 100 on are behind the others of the same priority.
        let buyer = open.iter().filter(|(_, rich)| *rich).map(|(turn, _)| (*turn, 0)).min();
        let holder = closed.iter().filter(|(_, rich, _)| *rich).map(|(turn, ..)| (*turn, 1)).min();
        let held = hold && holder.is_some() && buyer.is_none_or(|buyer| holder < Some(buyer));
        prop_assert_eq!(routing.waits.is_some_and(|waits| waits.held), held);
        if held {
            prop_assert!(routing.winners.is_empty());
        } else {
            prop_assert_eq!(&routing.winners, &buys);
            let waits = routing.waits.map(|waits| waits.opens_at);
            prop_assert_eq!(waits, opener.filter(|_| buys.is_empty()).map(at));
        }
    }

    /// The next offer comes later than now and not after the end; it is the window's opening or a look on the way, and it
    /// ends: offered so often, a lead is unsold in the end.
    #[test]
    fn offers_come_to_an_end(
        window in 0u32..500, every in 0u32..90, opens in prop::option::of(1i64..1_000), most in prop::option::of(1u32..1_500),
    ) {
        let policy = UnsoldPolicy { retry_window_minutes: window, retry_every_minutes: every };
        let (mut now, mut until, mut count) = (at(0), None, 0);
        loop {
            let unsold = Unsold { received_at: at(0), now, until, policy };
            let opens_at = opens.map(at).filter(|opens_at| unsold.waits_for(*opens_at, most));
            let Some(next) = unsold.next_offer(opens_at) else { break };
            prop_assert!(next.at > now && next.at <= next.until);
            prop_assert!(opens_at.is_none_or(|opens_at| next.at <= opens_at), "the opening is not slept through");
            (now, until, count) = (next.at, Some(next.until), count + 1);
            prop_assert!(count <= 1_502);
        }
        let waited = opens.is_some_and(|opens| most.map_or(opens <= i64::from(window), |most| opens <= i64::from(most)));
        prop_assert_eq!(count > 0, window > 0 || waited);
        let last = if waited { opens.unwrap_or(0).max(i64::from(window)) } else { i64::from(window) };
        prop_assert_eq!(now, at(last));
    }
}
