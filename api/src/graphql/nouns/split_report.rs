//! Experiments: how a campaign divides its leads between two plans of stages, and what each brought.

use async_graphql::{Result, SimpleObject};
use leadyard_market::experiment::{Comparison as Compared, PlanFigures, SplitReport as Report};
use leadyard_types::{Currency, PlanSeen, StageSplit};

use super::super::scalars::Money;
use super::super::words::Plan;
use super::campaign_terms::Stage;
use super::{int, money};

/// An experiment: a share of the leads is sold by other stages, plan B.
#[derive(Debug, SimpleObject)]
pub(crate) struct Split {
    /// The experiment's name; under another one leads are divided anew.
    key: String,
    /// The share of plan B in percent.
    percent: i32,
    /// Plan B's stages, in the order in which they are tried.
    stages: Vec<Stage>,
}

impl Split {
    pub(super) fn of(split: &StageSplit, currency: Currency) -> Self {
        Self {
            key: split.key.clone(),
            percent: int(split.percent),
            stages: split.stages.iter().map(|stage| Stage::of(stage, currency)).collect(),
        }
    }
}

/// Which plan of an experiment a routing run followed, and why.
#[derive(Debug, SimpleObject)]
pub(crate) struct DecisionPlan {
    /// The experiment.
    split: String,
    /// Which of the two plans of stages, `A` or `B`.
    plan: Plan,
    /// The place the lead drew, 0 to 99; absent where it kept the plan it got before.
    place: Option<i32>,
    /// The places below this were plan B's.
    percent: Option<i32>,
    /// The same as people say it: `plan B of `auction`: 37 of 0–49`.
    text: String,
}

impl From<&PlanSeen> for DecisionPlan {
    fn from(seen: &PlanSeen) -> Self {
        Self {
            split: seen.split.clone(),
            plan: seen.plan.into(),
            place: seen.drawn.map(|drawn| int(drawn.place)),
            percent: seen.drawn.map(|drawn| int(drawn.percent)),
            text: seen.to_string(),
        }
    }
}

/// What one plan brought so far. Ad spend belongs to no lead and is not in these figures.
#[derive(Debug, SimpleObject)]
pub(crate) struct PlanReport {
    /// Which of the two plans of stages, `A` or `B`.
    plan: Plan,
    /// Leads that were offered by it.
    leads: i32,
    /// Leads that were sold, once or several times.
    sold_leads: i32,
    /// Sales that stand.
    sales: i32,
    /// What sales earned.
    revenue: Money,
    /// What was credited back to buyers.
    credits: Money,
    /// What suppliers earned, less what was taken back.
    payout: Money,
    /// Revenue less credits and payout.
    profit: Money,
    /// Sold leads of all leads, 0 to 1; absent without leads.
    sales_rate: Option<f64>,
    /// The true rate lies above this in 95 of 100 such samples, or below the next (Wilson's interval).
    sales_rate_low: Option<f64>,
    /// The upper end of that interval.
    sales_rate_high: Option<f64>,
    /// Revenue per sale.
    average_price: Option<Money>,
    /// Profit per lead, unsold ones included.
    profit_per_lead: Option<Money>,
}

impl PlanReport {
    fn of(figures: &PlanFigures, currency: &str) -> Result<Self> {
        let amount = |minor| money(minor, currency);
        Ok(Self {
            plan: figures.plan.into(),
            leads: int(figures.leads),
            sold_leads: int(figures.sold_leads),
            sales: int(figures.sales),
            revenue: amount(figures.revenue_minor)?,
            credits: amount(figures.credits_minor)?,
            payout: amount(figures.payout_minor)?,
            profit: amount(figures.profit_minor)?,
            sales_rate: figures.sales_rate,
            sales_rate_low: figures.sales_rate_between.map(|(low, _)| low),
            sales_rate_high: figures.sales_rate_between.map(|(_, high)| high),
            average_price: figures.average_price_minor.map(amount).transpose()?,
            profit_per_lead: figures.profit_per_lead_minor.map(amount).transpose()?,
        })
    }
}

/// How the two plans compare in one figure.
#[derive(Debug, SimpleObject)]
pub(crate) struct Comparison {
    /// How often chance alone makes at least such a difference, 0 to 1; absent where there are too few leads to tell.
    chance: Option<f64>,
    /// The plan that is better, where chance hardly explains the difference.
    better: Option<Plan>,
    /// What that means, in a sentence.
    says: String,
}

impl From<&Compared> for Comparison {
    fn from(compared: &Compared) -> Self {
        Self { chance: compared.chance, better: compared.better.map(Into::into), says: compared.says.clone() }
    }
}

/// What an experiment brought.
#[derive(Debug, SimpleObject)]
pub(crate) struct SplitReport {
    /// The experiment.
    split: String,
    /// The plans, A first.
    plans: Vec<PlanReport>,
    /// The share of leads that are sold.
    sales_rate: Comparison,
    /// What a lead brings, unsold ones included.
    profit_per_lead: Comparison,
}

impl SplitReport {
    pub(super) fn of(report: &Report, currency: &str) -> Result<Self> {
        Ok(Self {
            split: report.split.clone(),
            plans: report.plans.iter().map(|plan| PlanReport::of(plan, currency)).collect::<Result<_>>()?,
            sales_rate: (&report.sales_rate).into(),
            profit_per_lead: (&report.profit_per_lead).into(),
        })
    }
}
