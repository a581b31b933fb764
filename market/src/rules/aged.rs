//! Aged leads: what nobody bought in time is offered for less, to contracts that buy aged leads (`decisions` 12 of the
//! design).
//!
//! The price of an aged lead is the last of the contract's own rules for aged leads that matches, else its ordinary price
//! times the campaign's percentage for that age, rounded half to even once. Buyers are not asked for bids about aged leads.

use chrono::Duration;
use leadyard_types::terms::{AgedPolicy, AgedStep};
use leadyard_types::{Percent, Timestamp, time};

/// Minutes of a day.
const DAY_MINUTES: i64 = 24 * 60;

/// The share of the ordinary price that holds at an age; the whole where no step has begun.
#[must_use]
pub fn percent(policy: &AgedPolicy, age_minutes: i64) -> Percent {
    let begun = policy.steps.iter().filter(|step| i64::from(step.after_days) * DAY_MINUTES <= age_minutes);
    begun.max_by_key(|step| step.after_days).map_or(Percent(100.into()), |step| step.percent)
}

/// The price of an aged lead, minor units, and what set it.
#[must_use]
pub fn price(
    own: Option<(i64, &str)>,
    (ordinary_minor, rule): (i64, Option<&str>),
    share: Percent,
) -> (i64, Option<String>) {
    if let Some((price_minor, name)) = own {
        return (price_minor, Some(name.to_owned()));
    }
    if share == Percent(100.into()) {
        return (ordinary_minor, rule.map(str::to_owned));
    }
    let name = format!("aged: {} %", share.0.normalize());
    (share.of(ordinary_minor).unwrap_or(ordinary_minor), Some(name))
}

/// When an aged lead is offered again: as often as the campaign says, and when its price falls. `None` once its time is
/// over.
#[must_use]
pub fn next_offer(policy: &AgedPolicy, received_at: Timestamp, now: Timestamp, until: Timestamp) -> Option<Timestamp> {
    let look = time::after(now, Duration::minutes(i64::from(policy.offer_every_minutes.max(1))));
    let falls = |step: &AgedStep| time::after(received_at, Duration::days(i64::from(step.after_days)));
    let steps = policy.steps.iter().map(falls);
    steps.chain([look]).filter(|at| *at > now && *at < until).min()
}

/// Until when an aged lead is offered.
#[must_use]
pub fn until(policy: &AgedPolicy, received_at: Timestamp) -> Timestamp {
    time::after(received_at, Duration::days(i64::from(policy.until_days)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn policy(steps: &[(u32, i64)], until_days: u32, offer_every_minutes: u32) -> AgedPolicy {
        let step = |(after_days, percent): &(u32, i64)| AgedStep {
            after_days: *after_days,
            percent: Percent((*percent).into()),
        };
        AgedPolicy {
            after_minutes: 60,
            until_days,
            floor_minor: 0,
            offer_every_minutes,
            steps: steps.iter().map(step).collect(),
        }
    }

    /// The contract's own rule comes first, then the step of the age, then the ordinary price with its rule.
    #[test]
    fn prices_fall_with_age() {
        let policy = policy(&[(1, 60), (7, 25)], 30, 60);
        let at = |days: i64| percent(&policy, days * DAY_MINUTES).0;
        assert_eq!([at(0), at(1), at(6), at(7), at(29)], [100.into(), 60.into(), 60.into(), 25.into(), 25.into()]);
        let share = Percent(25.into());
        assert_eq!(price(Some((700, "own")), (1_000, None), share), (700, Some("own".into())));
        assert_eq!(price(None, (1_010, Some("roof")), share), (252, Some("aged: 25 %".into())), "252.5 is 252");
        assert_eq!(price(None, (1_010, Some("roof")), Percent(100.into())), (1_010, Some("roof".into())));
    }

    /// Whatever an older set-up says, there is a moment for it.
    #[test]
    fn spans_beyond_all_calendars_have_an_end() {
        let policy = policy(&[(4_000_000_000, 50)], 4_000_000_000, u32::MAX);
        let (now, end) = (Timestamp::UNIX_EPOCH, until(&policy, Timestamp::UNIX_EPOCH));
        assert_eq!(end, time::LATEST);
        assert_eq!(next_offer(&policy, now, now, end), None);
    }

    proptest! {
        /// Offers come later and later, end before the end, and every fall of the price is met to the minute.
        #[test]
        fn every_fall_of_the_price_is_offered(
            steps in prop::collection::btree_map(0u32..40, 1i64..100, 0..4), until_days in 1u32..40, every in 30u32..3_000,
            starts in 1i64..3_000,
        ) {
            let steps: Vec<(u32, i64)> = steps.into_iter().collect();
            let policy = policy(&steps, until_days, every);
            let received_at = Timestamp::UNIX_EPOCH;
            let end = until(&policy, received_at);
            let (mut now, mut offered) = (received_at + Duration::minutes(starts), Vec::new());
            while let Some(next) = next_offer(&policy, received_at, now, end) {
                prop_assert!(next > now && next < end);
                prop_assert!(next - now <= Duration::minutes(i64::from(every)));
                offered.push(next);
                now = next;
            }
            for (after_days, _) in steps {
                let falls = received_at + Duration::days(i64::from(after_days));
                let passed = falls > received_at + Duration::minutes(starts) && falls < end;
                prop_assert!(!passed || offered.contains(&falls));
            }
        }
    }
}
