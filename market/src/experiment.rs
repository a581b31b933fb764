//! Experiments: what two plans of stages brought, and whether the difference could be chance.

use std::collections::HashMap;

use chrono::NaiveDate;
use leadyard_entity::reports::{PlanSums, SplitAsked};
use leadyard_entity::{Read, StoreResult};
use leadyard_types::{CampaignId, CampaignTerms, Plan};
use serde::Serialize;

use crate::rules::chance::{Proportion, RARE, Sums, of_means, of_proportions};
use crate::rules::zone::{day_start, days_later, storable_day};

/// What one plan brought so far. Amounts are minor units of the campaign's currency; ad spend belongs to no lead and is
/// not in them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PlanFigures {
    /// The plan.
    pub plan: Plan,
    /// Leads that were offered by it.
    pub leads: i64,
    /// Leads that were sold, once or several times.
    pub sold_leads: i64,
    /// Sales that stand.
    pub sales: i64,
    /// What they earned.
    pub revenue_minor: i64,
    /// What was credited back.
    pub credits_minor: i64,
    /// What suppliers earned, less what was taken back.
    pub payout_minor: i64,
    /// Revenue less credits and payout.
    pub profit_minor: i64,
    /// Sold leads of all leads, 0 to 1.
    pub sales_rate: Option<f64>,
    /// Between which rates the true one lies in 95 of 100 such samples (Wilson's interval).
    pub sales_rate_between: Option<(f64, f64)>,
    /// Revenue per sale, minor units, rounded.
    pub average_price_minor: Option<i64>,
    /// Profit per lead, minor units, rounded.
    pub profit_per_lead_minor: Option<i64>,
}

/// How two plans compare in one figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// How often chance alone makes at least such a difference, 0 to 1; absent where there are too few leads to tell.
    pub chance: Option<f64>,
    /// The plan that is better, where chance hardly explains it.
    pub better: Option<Plan>,
    /// What that means, in a sentence.
    pub says: String,
}

/// What an experiment brought.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SplitReport {
    /// The experiment.
    pub split: String,
    /// The plans, A first.
    pub plans: [PlanFigures; 2],
    /// The share of leads that are sold (two proportions, pooled).
    pub sales_rate: Comparison,
    /// What a lead brings, unsold ones included (two means whose deviations differ).
    pub profit_per_lead: Comparison,
}

/// Which of a campaign's leads are meant: those received on these days of its time zone, both included.
#[must_use]
pub fn asked(
    (campaign_id, terms): (CampaignId, &CampaignTerms),
    split: String,
    since: Option<NaiveDate>,
    until: Option<NaiveDate>,
) -> SplitAsked {
    // Years of four digits: all that the databases compare alike.
    let first = since.unwrap_or(NaiveDate::from_ymd_opt(1970, 1, 1).unwrap_or_default());
    let last = until.unwrap_or(NaiveDate::from_ymd_opt(9998, 12, 30).unwrap_or_default());
    let (first, last) = (storable_day(first), storable_day(last));
    let (since, until) = (day_start(first, terms.time_zone), day_start(days_later(last, 1), terms.time_zone));
    SplitAsked { campaign_id, split, since, until }
}

/// The reports of experiments, in the order asked; one statement however many there are.
pub async fn split_reports(read: &Read, asked: &[SplitAsked]) -> StoreResult<Vec<SplitReport>> {
    let sums = read.split_sums(asked).await?;
    Ok(asked.iter().zip(sums).map(|(asked, sums)| report(asked.split.clone(), &sums)).collect())
}

fn report(split: String, sums: &HashMap<Plan, PlanSums>) -> SplitReport {
    let of = |plan: Plan| sums.get(&plan).copied().unwrap_or_default();
    let (a, b) = (of(Plan::A), of(Plan::B));
    let plans = [figures(Plan::A, a), figures(Plan::B, b)];
    let sold = of_proportions(sold_of(a), sold_of(b));
    let better_sold = sold_of(a).share().partial_cmp(&sold_of(b).share());
    let profit = of_means(profits_of(a), profits_of(b));
    // Compared as fractions, since what is shown is rounded.
    let [left, right] = [(a, b), (b, a)].map(|(own, other)| i128::from(profit_minor(own)) * i128::from(other.leads));
    SplitReport {
        split,
        plans,
        sales_rate: comparison("sells a larger share of its leads", sold, better_sold),
        profit_per_lead: comparison("earns more per lead", profit, Some(left.cmp(&right))),
    }
}

fn sold_of(sums: PlanSums) -> Proportion {
    Proportion { of: sums.leads, got: sums.sold_leads }
}

fn profit_minor(sums: PlanSums) -> i64 {
    sums.revenue_minor - sums.credits_minor - sums.payout_minor
}

fn profits_of(sums: PlanSums) -> Sums {
    Sums { count: sums.leads, sum: profit_minor(sums), squares: sums.profit_squares }
}

fn figures(plan: Plan, sums: PlanSums) -> PlanFigures {
    let profit_minor = profit_minor(sums);
    PlanFigures {
        plan,
        leads: sums.leads,
        sold_leads: sums.sold_leads,
        sales: sums.sales,
        revenue_minor: sums.revenue_minor,
        credits_minor: sums.credits_minor,
        payout_minor: sums.payout_minor,
        profit_minor,
        sales_rate: sold_of(sums).share(),
        sales_rate_between: sold_of(sums).interval(),
        average_price_minor: per(sums.revenue_minor, sums.sales),
        profit_per_lead_minor: per(profit_minor, sums.leads),
    }
}

/// So much for each of so many, rounded half to even.
fn per(amount_minor: i64, count: i64) -> Option<i64> {
    use rust_decimal::Decimal;
    let each = Decimal::from(amount_minor).checked_div(Decimal::from(count))?;
    i64::try_from(each.round().mantissa()).ok()
}

fn comparison(better_at: &str, chance: Option<f64>, order: Option<std::cmp::Ordering>) -> Comparison {
    let ahead = match order {
        Some(std::cmp::Ordering::Greater) => Some(Plan::A),
        Some(std::cmp::Ordering::Less) => Some(Plan::B),
        _ => None,
    };
    let (better, says) = match (chance, ahead) {
        (None, _) => (None, "there are too few leads to tell the plans apart".to_owned()),
        (Some(_), None) => (None, "the plans are equal".to_owned()),
        (Some(p), Some(plan)) if p < RARE => {
            let less = if p < 0.001 { "less than 0.1".to_owned() } else { format!("{:.1}", p * 100.0) };
            (
                Some(plan),
                format!("plan {plan} {better_at}: chance alone makes such a difference in {less} of 100 cases"),
            )
        }
        (Some(p), Some(_)) => {
            let often = format!("{:.0}", p * 100.0);
            (None, format!("the difference could be chance: it alone makes such a one in {often} of 100 cases"))
        }
    };
    Comparison { chance, better, says }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(leads: i64, sold: i64, price: i64) -> PlanSums {
        let profit = i128::from(price);
        PlanSums {
            leads,
            sold_leads: sold,
            sales: sold,
            revenue_minor: sold * price,
            profit_squares: profit * profit * i128::from(sold),
            ..PlanSums::default()
        }
    }

    fn of(a: PlanSums, b: PlanSums) -> SplitReport {
        report("test".into(), &[(Plan::A, a), (Plan::B, b)].into())
    }

    /// A small difference could be chance, a large one is not, and of few leads nothing is said.
    #[test]
    fn the_report_says_what_can_be_said() {
        let small = of(sums(1_000, 500, 1_000), sums(1_000, 510, 1_000));
        assert_eq!((small.sales_rate.better, small.profit_per_lead.better), (None, None));
        assert!(small.sales_rate.says.contains("could be chance"), "{}", small.sales_rate.says);
        let large = of(sums(1_000, 500, 1_000), sums(1_000, 600, 1_000));
        assert_eq!((large.sales_rate.better, large.profit_per_lead.better), (Some(Plan::B), Some(Plan::B)));
        let few = of(sums(10, 9, 1_000), sums(10, 1, 1_000));
        assert_eq!((few.sales_rate.chance, few.profit_per_lead.chance), (None, None));
        assert!(few.sales_rate.says.contains("too few"));
        assert_eq!(of(PlanSums::default(), PlanSums::default()).plans[0].profit_per_lead_minor, None);
    }

    /// Fewer sales at better prices: worse by the one figure, better by the other.
    #[test]
    fn the_two_figures_may_disagree() {
        let found = of(sums(2_000, 1_200, 1_000), sums(2_000, 1_000, 2_000));
        assert_eq!((found.sales_rate.better, found.profit_per_lead.better), (Some(Plan::A), Some(Plan::B)));
        assert_eq!(found.plans[1].average_price_minor, Some(2_000));
        assert_eq!(found.plans[1].profit_per_lead_minor, Some(1_000));
    }
}
