//! Complaints: who may still complain, why, and how much can be credited (domain page, section 4).

use chrono::TimeDelta;
use leadyard_types::terms::ComplaintPolicy;
use leadyard_types::{ComplaintReason, FieldProblem, Timestamp};

use super::payout::clawback_next;
use super::text::listed;

/// Whether a complaint about a sale may be opened now: its reason is one the policy takes, and the window (its edge
/// included) is open.
///
/// # Errors
/// Everything that stands in the way.
pub fn check_complaint(
    policy: &ComplaintPolicy,
    reason: ComplaintReason,
    sold_at: Timestamp,
    now: Timestamp,
) -> Result<(), Vec<FieldProblem>> {
    let mut problems = Vec::new();
    if !policy.reasons.contains(&reason) {
        let message = match policy.reasons.as_slice() {
            [] => "this campaign takes no complaints".to_owned(),
            reasons => format!("the reasons taken are: {}", listed(reasons)),
        };
        problems.push(FieldProblem::new("reason", "NOT_ALLOWED", message));
    }
    if now > window_ends_at(policy, sold_at) {
        let message = format!("complaints are taken within {} days of the sale", policy.window_days);
        problems.push(FieldProblem::new("sale_id", "WINDOW_CLOSED", message));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// The last moment at which a complaint may be opened.
#[must_use]
pub fn window_ends_at(policy: &ComplaintPolicy, sold_at: Timestamp) -> Timestamp {
    let window = TimeDelta::try_days(i64::from(policy.window_days)).unwrap_or(TimeDelta::MAX);
    sold_at.checked_add_signed(window).unwrap_or(Timestamp::MAX_UTC)
}

/// Whether so much may be credited for a sale: more than nothing, and together with what was credited before at most
/// its price (minor units).
///
/// # Errors
/// What would be right.
pub fn check_credit(price_minor: i64, credited_before_minor: i64, credit_minor: i64) -> Result<(), FieldProblem> {
    let left_minor = price_minor.saturating_sub(credited_before_minor.max(0));
    if left_minor <= 0 {
        return Err(FieldProblem::new("credit_minor", "NOTHING_LEFT", "the whole price has been credited already"));
    }
    if credit_minor <= 0 || credit_minor > left_minor {
        let message = format!("a credit lies between 1 and {left_minor} minor units, what is left of the price");
        return Err(FieldProblem::new("credit_minor", "OUT_OF_RANGE", message));
    }
    Ok(())
}

/// Whether a supplier's payout may still be taken back (the edge included).
#[must_use]
pub fn clawback_is_open(policy: &ComplaintPolicy, sold_at: Timestamp, now: Timestamp) -> bool {
    let end = |days: u32| {
        let window = TimeDelta::try_days(i64::from(days)).unwrap_or(TimeDelta::MAX);
        sold_at.checked_add_signed(window).unwrap_or(Timestamp::MAX_UTC)
    };
    policy.clawback && policy.clawback_days.is_none_or(|days| now <= end(days))
}

/// The figures a credit is decided by, minor units. A shared lead's sales are its legs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CreditFigures {
    /// The sale's price.
    pub price_minor: i64,
    /// What was credited for the sale before.
    pub credited_for_sale_minor: i64,
    /// What was credited for all the lead's sales before.
    pub credited_for_lead_minor: i64,
    /// What all the lead's sales cost their buyers.
    pub legs_price_sum_minor: i64,
    /// What the supplier earned by the lead.
    pub payout_minor: i64,
    /// What was taken back from the supplier before.
    pub clawed_back_minor: i64,
}

/// What an upheld complaint gives the buyer and takes back from the supplier, minor units. Unless an amount is asked
/// for, everything that is left of the price is credited.
///
/// # Errors
/// What would be right, where the amount is not possible.
pub fn credit_and_clawback(
    figures: &CreditFigures,
    asked_minor: Option<i64>,
    clawback_open: bool,
) -> Result<(i64, i64), FieldProblem> {
    let before = figures.credited_for_sale_minor.max(0);
    let credit_minor = asked_minor.unwrap_or_else(|| figures.price_minor.saturating_sub(before));
    check_credit(figures.price_minor, before, credit_minor)?;
    let clawback_minor = if clawback_open {
        let credited = figures.credited_for_lead_minor.saturating_add(credit_minor);
        clawback_next(figures.payout_minor, figures.clawed_back_minor, credited, figures.legs_price_sum_minor)
    } else {
        0
    };
    Ok((credit_minor, clawback_minor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn policy(window_days: u32, reasons: &[ComplaintReason]) -> ComplaintPolicy {
        ComplaintPolicy { window_days, reasons: reasons.to_vec(), clawback: true, clawback_days: None }
    }

    fn codes(policy: &ComplaintPolicy, reason: ComplaintReason, seconds_later: i64) -> Vec<String> {
        let sold_at: Timestamp = "2026-07-06T12:00:00Z".parse().unwrap();
        let checked = check_complaint(policy, reason, sold_at, sold_at + TimeDelta::seconds(seconds_later));
        checked.err().unwrap_or_default().into_iter().map(|problem| problem.code).collect()
    }

    /// Reason and window are checked together; the window's edge is included.
    #[test]
    fn reason_and_window_are_checked() {
        let week = policy(7, &[ComplaintReason::Duplicate]);
        assert_eq!(codes(&week, ComplaintReason::Duplicate, 7 * 86_400), Vec::<String>::new());
        assert_eq!(codes(&week, ComplaintReason::Duplicate, 7 * 86_400 + 1), ["WINDOW_CLOSED"]);
        assert_eq!(codes(&week, ComplaintReason::Fraud, 7 * 86_400 + 1), ["NOT_ALLOWED", "WINDOW_CLOSED"]);
        assert_eq!(codes(&policy(0, &[]), ComplaintReason::Other, 0), ["NOT_ALLOWED"]);
        assert!(codes(&policy(u32::MAX, &[ComplaintReason::Other]), ComplaintReason::Other, 86_400).is_empty());
    }

    /// A credit lies in (0, price].
    #[test]
    fn a_credit_is_more_than_nothing_and_at_most_the_price() {
        let code = |price, before, credit| check_credit(price, before, credit).err().map(|problem| problem.code);
        assert_eq!(code(1000, 0, 1000), None);
        assert_eq!(code(1000, 0, 1).as_deref(), None);
        assert_eq!(code(1000, 0, 0).as_deref(), Some("OUT_OF_RANGE"));
        assert_eq!(code(1000, 0, -1).as_deref(), Some("OUT_OF_RANGE"));
        assert_eq!(code(1000, 400, 601).as_deref(), Some("OUT_OF_RANGE"));
        assert_eq!(code(1000, 1000, 1).as_deref(), Some("NOTHING_LEFT"));
        assert_eq!(code(0, 0, 1).as_deref(), Some("NOTHING_LEFT"));
    }

    proptest! {
        /// Whatever is asked for in whatever order, the credits of a sale never exceed its price.
        #[test]
        fn several_credits_never_exceed_the_price(price in 0i64..10_000, asked in prop::collection::vec(-100i64..5_000, 0..20)) {
            let mut credited = 0;
            for credit in asked {
                if check_credit(price, credited, credit).is_ok() {
                    credited += credit;
                }
            }
            prop_assert!((0..=price).contains(&credited));
        }

        /// However a shared lead's legs are credited, nobody gets back more than was paid, and the supplier keeps its
        /// payout in proportion to what was not credited.
        #[test]
        fn legs_are_credited_and_clawed_back_within_bounds(
            prices in prop::collection::vec(1i64..10_000, 1..5), payout in 0i64..20_000,
            asked in prop::collection::vec((0usize..5, prop::option::of(1i64..10_000)), 0..20),
        ) {
            let sum: i64 = prices.iter().sum();
            let (mut credited, mut clawed) = (vec![0i64; prices.len()], 0);
            for (leg, amount) in asked {
                let leg = leg % prices.len();
                let figures = CreditFigures {
                    price_minor: prices[leg],
                    credited_for_sale_minor: credited[leg],
                    credited_for_lead_minor: credited.iter().sum(),
                    legs_price_sum_minor: sum,
                    payout_minor: payout,
                    clawed_back_minor: clawed,
                };
                if let Ok((credit, back)) = credit_and_clawback(&figures, amount, true) {
                    credited[leg] += credit;
                    clawed += back;
                }
            }
            prop_assert!(credited.iter().zip(&prices).all(|(credited, price)| credited <= price));
            prop_assert_eq!(clawed, super::super::payout::clawback(payout, credited.iter().sum(), sum));
        }
    }

    /// The supplier's window is its own; its edge is included, and without one it never closes.
    #[test]
    fn the_suppliers_window() {
        let sold_at: Timestamp = "2026-07-06T12:00:00Z".parse().unwrap();
        let open = |days: Option<u32>, later: i64| {
            let policy = ComplaintPolicy { clawback_days: days, ..policy(7, &[]) };
            clawback_is_open(&policy, sold_at, sold_at + TimeDelta::seconds(later))
        };
        assert_eq!((open(Some(1), 86_400), open(Some(1), 86_401), open(None, 1 << 33)), (true, false, true));
        assert!(!clawback_is_open(&ComplaintPolicy { clawback: false, ..policy(7, &[]) }, sold_at, sold_at));
    }
}
