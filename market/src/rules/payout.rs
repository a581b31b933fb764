//! What a supplier earns, and what is taken back (domain page, section 4; decisions 16).
//!
//! Every amount is in minor units and rounds half to even once per line; the remainder stays with the operator.

use leadyard_types::{CostModel, FieldProblem, PriceRule};
use rust_decimal::Decimal;

use super::facts::{LeadFacts, PostalCentres};
use super::price::CompiledPrices;
use super::promise::SupplierShare;

/// A source's cost model with the exceptions from a fixed amount, compiled.
#[derive(Debug, Clone)]
pub struct CompiledPayout {
    cost: CostModel,
    /// The fixed amount and its exceptions; 0 where the model has none.
    fixed: CompiledPrices,
}

impl CompiledPayout {
    /// Compiles a source's terms for a campaign in `country`.
    ///
    /// # Errors
    /// Everything that is wrong: negative amounts, a share outside 0 to 100 percent, rules where nothing is fixed.
    pub fn compile(
        cost: CostModel,
        rules: &[PriceRule],
        country: &str,
        postal: &dyn PostalCentres,
    ) -> Result<Self, Vec<FieldProblem>> {
        let fixed_minor = fixed(cost);
        let mut problems = Vec::new();
        if let CostModel::RevenueShare { percent } = cost
            && !(Decimal::ZERO..=Decimal::ONE_HUNDRED).contains(&percent.0)
        {
            problems.push(FieldProblem::new("cost.percent", "OUT_OF_RANGE", "a share lies between 0 and 100 percent"));
        }
        if fixed_minor.is_none() && !rules.is_empty() {
            let message = "exceptions are for PER_LEAD and PER_SOLD_LEAD, where the amount is fixed";
            problems.push(FieldProblem::new("payout_rules", "NOT_ALLOWED", message));
        }
        match CompiledPrices::compile(fixed_minor.unwrap_or(0), rules, country, postal) {
            Ok(fixed) if problems.is_empty() => return Ok(Self { cost, fixed }),
            Ok(_) => {}
            Err(found) => problems.extend(found.into_iter().map(in_source_terms)),
        }
        Err(problems)
    }
}

/// The path of a price's problem, as a source's terms call it.
fn in_source_terms(problem: FieldProblem) -> FieldProblem {
    let field = match problem.field.as_str() {
        "price_minor" => "cost.amount_minor".to_owned(),
        other => other.replacen("price_rules", "payout_rules", 1),
    };
    FieldProblem { field, ..problem }
}

fn fixed(cost: CostModel) -> Option<i64> {
    match cost {
        CostModel::PerLead { amount_minor } | CostModel::PerSoldLead { amount_minor } => Some(amount_minor),
        CostModel::RevenueShare { .. } | CostModel::AdSpend => None,
    }
}

impl CompiledPayout {
    /// What the supplier gets of a sale where no margin is agreed: by the cost model.
    #[must_use]
    pub fn share(&self, facts: &LeadFacts) -> SupplierShare {
        match self.cost {
            CostModel::PerLead { .. } | CostModel::PerSoldLead { .. } => {
                SupplierShare::Fixed { amount_minor: self.fixed.price(facts).0 }
            }
            CostModel::RevenueShare { percent } => SupplierShare::Share { percent },
            CostModel::AdSpend => SupplierShare::Fixed { amount_minor: 0 },
        }
    }
}

/// What an accepted lead (one that passed checks 1–7) earns at once, minor units, and the rule that set it. 0 unless
/// the model pays per accepted lead.
#[must_use]
pub fn payout_for_accepted<'a>(payout: &'a CompiledPayout, facts: &LeadFacts) -> (i64, Option<&'a str>) {
    match payout.cost {
        CostModel::PerLead { .. } => payout.fixed.price(facts),
        CostModel::PerSoldLead { .. } | CostModel::RevenueShare { .. } | CostModel::AdSpend => (0, None),
    }
}

/// What one sale earns, minor units, and the rule that set it. A fixed amount per sold lead is paid once, however often
/// the lead is sold: `already_paid_for_lead` says it was. A share is paid for each sale.
#[must_use]
pub fn payout_for_sale<'a>(
    payout: &'a CompiledPayout,
    facts: &LeadFacts,
    price_minor: i64,
    already_paid_for_lead: bool,
) -> (i64, Option<&'a str>) {
    match payout.cost {
        CostModel::PerSoldLead { .. } if !already_paid_for_lead => payout.fixed.price(facts),
        // A share of at most 100 percent always fits; were it not to, the price is the most there is to share.
        CostModel::RevenueShare { percent } => (percent.of(price_minor).unwrap_or(price_minor), None),
        CostModel::PerSoldLead { .. } | CostModel::PerLead { .. } | CostModel::AdSpend => (0, None),
    }
}

/// What is taken back of a payout when credits were given: payout × credits ÷ the sum of the legs' prices (decisions
/// 16), rounded half to even, never more than the payout. `credit_minor` is the sum of all the lead's credits.
#[must_use]
pub fn clawback(payout_minor: i64, credit_minor: i64, legs_price_sum_minor: i64) -> i64 {
    if payout_minor <= 0 || credit_minor <= 0 || legs_price_sum_minor <= 0 {
        return 0;
    }
    let (product, sum) = (i128::from(payout_minor) * i128::from(credit_minor), i128::from(legs_price_sum_minor));
    let (whole, twice_rest) = (product / sum, 2 * (product % sum));
    let up = twice_rest > sum || (twice_rest == sum && whole % 2 == 1);
    i64::try_from(whole + i128::from(up)).unwrap_or(i64::MAX).min(payout_minor)
}

/// What a lead's credits, now `credit_minor` in all, take back beyond what was taken back before. Several credits never
/// take back more than one of their total, nor more than the payout, even where legs were sold in between.
#[must_use]
pub fn clawback_next(payout_minor: i64, clawed_back_minor: i64, credit_minor: i64, legs_price_sum_minor: i64) -> i64 {
    (clawback(payout_minor, credit_minor, legs_price_sum_minor) - clawed_back_minor.max(0)).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::facts::NoPostalCentres;
    use crate::rules::fixtures::facts;
    use leadyard_types::{FieldValue, Filter, Percent};
    use proptest::prelude::*;

    fn compiled(cost: CostModel, rules: &[PriceRule]) -> CompiledPayout {
        CompiledPayout::compile(cost, rules, "DE", &NoPostalCentres).unwrap()
    }

    fn rule() -> PriceRule {
        PriceRule { name: "roof".into(), when: Filter::Exists { field: "roof".into() }, price_minor: 900 }
    }

    /// Per accepted lead: paid once, at acceptance, by the last rule that matches.
    #[test]
    fn accepted_leads_are_paid_at_once() {
        let payout = compiled(CostModel::PerLead { amount_minor: 500 }, &[rule()]);
        assert_eq!(payout_for_accepted(&payout, &facts(&[])), (500, None));
        assert_eq!(payout_for_accepted(&payout, &facts(&[("roof", FieldValue::text("flat"))])), (900, Some("roof")));
        assert_eq!(payout_for_sale(&payout, &facts(&[]), 10_000, false), (0, None));
    }

    /// Per sold lead: once, however often it is sold (decisions 16).
    #[test]
    fn sold_leads_are_paid_once() {
        let payout = compiled(CostModel::PerSoldLead { amount_minor: 500 }, &[rule()]);
        assert_eq!(payout_for_accepted(&payout, &facts(&[])), (0, None));
        assert_eq!(payout_for_sale(&payout, &facts(&[]), 10_000, false), (500, None));
        assert_eq!(payout_for_sale(&payout, &facts(&[]), 10_000, true), (0, None));
    }

    /// Shares are paid per sale, half to even; ad spend is nothing per lead.
    #[test]
    fn shares_round_half_to_even() {
        let share = |percent: i64| compiled(CostModel::RevenueShare { percent: Percent(Decimal::from(percent)) }, &[]);
        assert_eq!(payout_for_sale(&share(50), &facts(&[]), 25, true), (12, None));
        assert_eq!(payout_for_sale(&share(50), &facts(&[]), 27, false), (14, None));
        assert_eq!(payout_for_sale(&share(100), &facts(&[]), i64::MAX, false), (i64::MAX, None));
        assert_eq!(payout_for_sale(&compiled(CostModel::AdSpend, &[]), &facts(&[]), 27, false), (0, None));
    }

    /// What cannot be right is named.
    #[test]
    fn bad_terms_are_named() {
        let fields = |cost, rules: &[PriceRule]| {
            let problems = CompiledPayout::compile(cost, rules, "DE", &NoPostalCentres).unwrap_err();
            problems.into_iter().map(|problem| problem.field).collect::<Vec<_>>()
        };
        let share = CostModel::RevenueShare { percent: Percent(Decimal::from(101)) };
        assert_eq!(fields(share, &[rule()]), ["cost.percent", "payout_rules"]);
        let negative = PriceRule { price_minor: -1, ..rule() };
        assert_eq!(
            fields(CostModel::PerLead { amount_minor: -1 }, &[negative]),
            ["cost.amount_minor", "payout_rules.0.price_minor"]
        );
    }

    /// Clawback = payout × credits ÷ sum of the legs' prices (decisions 16).
    #[test]
    fn clawback_is_in_proportion() {
        assert_eq!(clawback(600, 1_000, 3_000), 200);
        assert_eq!(clawback(600, 3_000, 3_000), 600);
        assert_eq!(clawback(3, 1, 2), 2);
        assert_eq!(clawback(5, 1, 2), 2);
        assert_eq!(clawback(600, 9_000, 3_000), 600);
        assert_eq!((clawback(0, 1, 1), clawback(1, 0, 1), clawback(1, 1, 0)), (0, 0, 0));
        assert_eq!(clawback(i64::MAX, i64::MAX, i64::MAX), i64::MAX);
    }

    proptest! {
        /// Several credits take back what one of their sum would, never more than the payout, never a negative amount.
        #[test]
        fn several_clawbacks_never_exceed_the_payout(
            payout in 0i64..100_000, credits in prop::collection::vec(1i64..5_000, 1..8), extra in 0i64..5_000,
        ) {
            let legs_sum: i64 = credits.iter().sum::<i64>() + extra;
            let (mut credited, mut taken) = (0, 0);
            for credit in credits {
                credited += credit;
                let next = clawback_next(payout, taken, credited, legs_sum);
                prop_assert!(next >= 0);
                taken += next;
                prop_assert_eq!(taken, clawback(payout, credited, legs_sum));
            }
            prop_assert!(taken <= payout);
        }
    }
}
