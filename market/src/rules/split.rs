//! Experiments: which of two plans of stages a lead gets.
//!
//! The plan is a function of the experiment's name and of who the lead is about, and of nothing else: the same person
//! gets the same plan, no process has to remember anything, and another name divides people anew. Whoever raises plan B's
//! share moves leads from A to B only, and lowering it from B to A only.

use leadyard_types::{Plan, PlanDrawn, PlanSeen, StageSplit};
use sha2::{Digest, Sha256};

/// How many places there are: plan B's share is in whole percent.
const PLACES: u128 = 100;

/// The place of somebody in an experiment, 0 to 99, evenly spread and independent of other experiments.
#[must_use]
pub fn place_in(split: &str, identity: &[u8]) -> u8 {
    // The length keeps the name and the identity apart.
    let length = u64::try_from(split.len()).unwrap_or(u64::MAX).to_be_bytes();
    let hash = Sha256::new().chain_update(length).chain_update(split).chain_update(identity).finalize();
    let (first, _) = hash.split_at(8);
    let drawn = first.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    u8::try_from((u128::from(drawn) * PLACES) >> 64).unwrap_or_default()
}

/// The plan a lead gets: the one it got before in this experiment, otherwise the one it draws.
#[must_use]
pub fn plan_of(split: &StageSplit, identity: &[u8], before: Option<(&str, Plan)>) -> PlanSeen {
    if let Some((_, plan)) = before.filter(|(key, _)| *key == split.key) {
        return PlanSeen::kept(split.key.clone(), plan);
    }
    let (place, percent) = (place_in(&split.key, identity), split.percent);
    let plan = if place < percent { Plan::B } else { Plan::A };
    PlanSeen { split: split.key.clone(), plan, drawn: Some(PlanDrawn { place, percent }) }
}

/// The plan of a lead that is lived through again: the place it drew is a fact, and the experiment's share decides.
#[must_use]
pub fn plan_again(split: &StageSplit, seen: &PlanSeen) -> Option<PlanSeen> {
    if seen.split != split.key {
        return None;
    }
    let Some(PlanDrawn { place, .. }) = seen.drawn else { return Some(seen.clone()) };
    let plan = if place < split.percent { Plan::B } else { Plan::A };
    let drawn = Some(PlanDrawn { place, percent: split.percent });
    Some(PlanSeen { split: split.key.clone(), plan, drawn })
}

/// Under which name a stage's rotation is kept: plan B's turns are its own, also where it has a stage of the same key, or
/// one plan's sales would move the other's.
#[must_use]
pub fn rotation_key(plan: Option<&PlanSeen>, stage: &str) -> String {
    match plan {
        // No key of a stage has a control character.
        Some(seen) if seen.plan == Plan::B => format!("{}\u{1f}{stage}", seen.split),
        _ => stage.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(key: &str, percent: u8) -> StageSplit {
        StageSplit { key: key.into(), percent, stages: Vec::new() }
    }

    fn plan(key: &str, percent: u8, identity: u64) -> Plan {
        plan_of(&split(key, percent), &identity.to_be_bytes(), None).plan
    }

    /// The explanation names the plan, the place and whose places they were.
    #[test]
    fn a_plan_says_why() {
        let seen =
            |place, plan| PlanSeen { split: "auction".into(), plan, drawn: Some(PlanDrawn { place, percent: 50 }) };
        assert_eq!(seen(37, Plan::B).to_string(), "plan B of `auction`: 37 of 0–49");
        assert_eq!(seen(50, Plan::A).to_string(), "plan A of `auction`: 50 of 50–99");
        assert_eq!(PlanSeen::kept("auction".into(), Plan::B).to_string(), "plan B of `auction`, as before");
    }

    /// A lead keeps its plan whatever becomes of the share, and draws anew in another experiment.
    #[test]
    fn a_plan_is_kept_within_its_experiment() {
        let kept = |key: &str, percent, before| plan_of(&split(key, percent), b"somebody", Some((before, Plan::B)));
        assert_eq!(kept("one", 1, "one"), PlanSeen::kept("one".into(), Plan::B));
        assert_eq!(kept("two", 1, "one").drawn.map(|drawn| drawn.percent), Some(1));
    }

    /// The rotation of the campaign's own stages keeps its name with an experiment and without; plan B's has its own.
    #[test]
    fn plans_take_turns_apart() {
        let seen = |plan| PlanSeen::kept("test".into(), plan);
        assert_eq!(rotation_key(None, "main"), "main");
        assert_eq!(rotation_key(Some(&seen(Plan::A)), "main"), "main");
        assert_ne!(rotation_key(Some(&seen(Plan::B)), "main"), "main");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// Of 10,000 people plan B gets its share, within five standard deviations of the binomial distribution.
        #[test]
        fn the_share_is_kept(key in "[a-z]{1,12}", percent in 1u8..100, start in 0u64..u64::MAX / 2) {
            const PEOPLE: u64 = 10_000;
            let got = (start..start + PEOPLE).filter(|person| plan(&key, percent, *person) == Plan::B).count();
            let share = f64::from(percent) / 100.0;
            let (mean, deviation) = (10_000.0 * share, (10_000.0 * share * (1.0 - share)).sqrt());
            let got = f64::from(u32::try_from(got).unwrap());
            prop_assert!((got - mean).abs() <= 5.0 * deviation, "{got} of {mean} ± {deviation}");
        }

        /// Another share moves only the leads it must: from A to B where it grows, and nobody else.
        #[test]
        fn the_share_moves_nobody_else(key in "[a-z]{0,12}", less in 1u8..100, more in 1u8..100, person: u64) {
            let (less, more) = (less.min(more), less.max(more));
            let (before, after) = (plan(&key, less, person), plan(&key, more, person));
            prop_assert!(before == after || (before, after) == (Plan::A, Plan::B));
            let place = place_in(&key, &person.to_be_bytes());
            prop_assert_eq!(before != after, (less..more).contains(&place));
        }

        /// Two experiments divide people independently: of plan B's in the one, half are plan B's in the other.
        #[test]
        fn experiments_do_not_depend_on_each_other(first in "[a-z]{1,8}", second in "[A-Z]{1,8}", start in 0u64..u64::MAX / 2) {
            let both = (start..start + 10_000).filter(|person| plan(&first, 50, *person) == Plan::B);
            let (all, shared) = both.fold((0_u32, 0_u32), |(all, shared), person| {
                (all + 1, shared + u32::from(plan(&second, 50, person) == Plan::B))
            });
            let (mean, deviation) = (f64::from(all) / 2.0, (f64::from(all) / 4.0).sqrt());
            prop_assert!((f64::from(shared) - mean).abs() <= 5.0 * deviation, "{shared} of {all}");
        }
    }
}
