use proptest::prelude::*;

use super::*;

fn open() -> Now {
    Now {
        campaign: Status::Active,
        contract: Status::Active,
        buyer: Status::Active,
        missing_stage: None,
        opens_at: Some(Timestamp::UNIX_EPOCH),
        caps: Vec::new(),
        short: None,
        parked: Vec::new(),
    }
}

fn refused(check: Check) -> Outcome {
    Outcome::Refused(check, format!("{check} says so"))
}

/// A lead as it is tallied: missed by a condition, or matched with an outcome.
fn any_lead() -> impl Strategy<Value = Result<Outcome, &'static str>> {
    prop_oneof![
        prop::sample::select(vec!["state must be BE", "roof must be flat"]).prop_map(Err),
        Just(Ok(Outcome::Sold)),
        prop::option::of(0i64..1_000).prop_map(|gap| Ok(Outcome::Lost(gap))),
        prop::sample::select(vec![Check::Caps, Check::Balance, Check::AlreadySold])
            .prop_map(|check| Ok(refused(check))),
        Just(Ok(Outcome::OtherTerms)),
        Just(Ok(Outcome::Unknown)),
    ]
}

fn tally(leads: &[Result<Outcome, &str>]) -> Tally {
    let mut tally = Tally::default();
    for lead in leads {
        match lead {
            Ok(outcome) => tally.matched(outcome.clone()),
            Err(condition) => tally.miss(condition),
        }
    }
    tally
}

proptest! {
    /// Every lead is counted once: missed or matched, and every matched one by what came of it. The median is one of the
    /// gaps, with as many below as above.
    #[test]
    fn every_lead_is_counted_once(leads in prop::collection::vec(any_lead(), 0..60)) {
        let tally = tally(&leads);
        let missed: u32 = tally.misses().iter().map(|(_, leads)| leads).sum();
        let stopped: u32 = tally.refused().iter().map(|refused| refused.leads).sum();
        prop_assert_eq!(tally.leads as usize, leads.len());
        prop_assert_eq!(tally.matched + missed, tally.leads);
        prop_assert_eq!(tally.sold + tally.lost + stopped + tally.other_terms + tally.unknown, tally.matched);
        prop_assert!(tally.misses().is_sorted_by_key(|(_, leads)| std::cmp::Reverse(*leads)));
        let gaps: Vec<i64> = leads.iter().filter_map(|lead| if let Ok(Outcome::Lost(gap)) = lead { *gap } else { None }).collect();
        match tally.lost_by_minor() {
            None => prop_assert!(gaps.is_empty()),
            Some(median) => {
                let below = gaps.iter().filter(|gap| **gap < median).count();
                let above = gaps.iter().filter(|gap| **gap > median).count();
                prop_assert!(gaps.contains(&median) && below <= gaps.len() / 2 && above <= gaps.len() / 2);
            }
        }
    }

    /// What is switched off or used up is said before anything about leads, and there is always one thing said.
    #[test]
    fn what_stops_everything_comes_first(leads in prop::collection::vec(any_lead(), 0..30)) {
        let tally = tally(&leads);
        prop_assert!(!verdict(&open(), &tally).message.is_empty());
        let off = Now { contract: Status::Paused, short: Some(("1.00 EUR".into(), "2.00 EUR".into())), ..open() };
        prop_assert_eq!(verdict(&off, &tally).code, "CONTRACT_ACTIVE");
        let poor = Now { contract: Status::Active, ..off };
        prop_assert_eq!(verdict(&poor, &tally).code, "BALANCE");
        let closed = Now { opens_at: None, ..poor };
        prop_assert_eq!(verdict(&closed, &tally).code, "HOURS");
    }
}

/// Of what leads say, the most frequent is told, with the condition in words.
#[test]
fn the_most_frequent_is_told() {
    let missed = tally(&[Err("roof must be flat"), Err("state must be BE"), Err("state must be BE")]);
    let said = verdict(&open(), &missed);
    assert_eq!(said.code, "FILTERS");
    assert!(
        said.message.contains("None of the last 3 leads") && said.message.contains("2 fail because state must be BE")
    );
    let lost = tally(&[Ok(Outcome::Lost(Some(300))), Ok(Outcome::Lost(Some(100))), Ok(Outcome::Sold), Err("x")]);
    assert_eq!((verdict(&open(), &lost).code.as_str(), lost.lost_by_minor()), ("NOT_CHOSEN", Some(100)));
    let stopped =
        tally(&[Ok(refused(Check::ConsentNamesBuyer)), Ok(refused(Check::ConsentNamesBuyer)), Ok(Outcome::Sold)]);
    assert_eq!(verdict(&open(), &stopped).code, "CONSENT_NAMES_BUYER");
    assert_eq!(verdict(&open(), &tally(&[Ok(Outcome::Sold), Ok(Outcome::Lost(None))])).code, "NONE");
    assert_eq!(verdict(&open(), &tally(&[])).code, "NO_LEADS");
    assert_eq!(verdict(&open(), &tally(&[Ok(Outcome::OtherTerms)])).code, "NO_LEADS");
}

/// A full cap is told with what it holds and when it resets.
#[test]
fn a_full_cap_says_when_it_resets() {
    let cap = |full: Option<&str>, resets_at| CapSeen {
        owner: "buyer",
        period: CapPeriod::Day,
        resets_at,
        full: full.map(str::to_owned),
    };
    let resets = "2026-07-02T22:00:00Z".parse().unwrap();
    let now = Now { caps: vec![cap(None, None), cap(Some("50 of 50"), Some(resets))], ..open() };
    let said = verdict(&now, &Tally::default());
    assert_eq!(said.code, "CAPS");
    assert!(
        said.message.starts_with("The buyer's cap per day is used up (50 of 50). It resets at 2026-07-02 22:00 UTC."),
        "{}",
        said.message
    );
}
