//! Prices: the contract's own, and its exceptions; of several rules that match the **last** wins and is named (domain
//! page, section 3).

use leadyard_types::{FieldProblem, PriceRule};

use super::facts::{LeadFacts, PostalCentres};
use super::filter::CompiledFilter;

/// The most rules of one price: each is asked for every lead that gets that far.
pub const RULES_MAX: usize = 200;
/// The longest name of a rule.
const NAME_CHARS_MAX: usize = 200;

/// A price with its exceptions, compiled.
#[derive(Debug, Clone)]
pub struct CompiledPrices {
    default_minor: i64,
    /// What explanations call the price where no rule matches, if it has a name.
    default_name: Option<&'static str>,
    rules: Vec<(String, CompiledFilter, i64)>,
}

impl CompiledPrices {
    /// Compiles a price and its exceptions for a campaign in `country`.
    ///
    /// # Errors
    /// Everything that is wrong, each with its path (`price_rules.0.when.of.1`).
    pub fn compile(
        default_minor: i64,
        rules: &[PriceRule],
        country: &str,
        postal: &dyn PostalCentres,
    ) -> Result<Self, Vec<FieldProblem>> {
        let mut problems = Vec::new();
        if default_minor < 0 {
            problems.push(FieldProblem::new("price_minor", "OUT_OF_RANGE", "a price is 0 or more, in minor units"));
        }
        if rules.len() > RULES_MAX {
            problems.push(FieldProblem::new("price_rules", "TOO_MANY", format!("at most {RULES_MAX} rules are taken")));
        }
        let mut compiled = Vec::with_capacity(rules.len().min(RULES_MAX));
        for (position, rule) in rules.iter().enumerate().take(RULES_MAX) {
            check_rule(rule, position, &mut problems);
            match CompiledFilter::compile(&rule.when, country, postal) {
                Ok(when) => compiled.push((rule.name.clone(), when, rule.price_minor)),
                Err(found) => problems.extend(found.into_iter().map(|problem| FieldProblem {
                    field: problem.field.replacen("filter", &format!("price_rules.{position}.when"), 1),
                    ..problem
                })),
            }
        }
        if problems.is_empty() {
            Ok(Self { default_minor, default_name: None, rules: compiled })
        } else {
            Err(problems)
        }
    }

    /// The same prices; the one where no rule matches has a name.
    #[must_use]
    pub fn named(self, default_name: &'static str) -> Self {
        Self { default_name: Some(default_name), ..self }
    }

    /// The price that a rule sets for a lead, minor units, and the rule; `None` where none matches.
    #[must_use]
    pub fn by_rule(&self, facts: &LeadFacts) -> Option<(i64, &str)> {
        let last = self.rules.iter().rev().find(|(_, when, _)| when.matches(facts));
        last.map(|(name, _, price_minor)| (*price_minor, name.as_str()))
    }

    /// The price where no rule matches, minor units.
    #[must_use]
    pub const fn default_minor(&self) -> i64 {
        self.default_minor
    }

    /// The price for a lead, minor units, and the name of the rule that set it.
    #[must_use]
    pub fn price(&self, facts: &LeadFacts) -> (i64, Option<&str>) {
        let default = (self.default_minor, self.default_name);
        self.by_rule(facts).map_or(default, |(price_minor, name)| (price_minor, Some(name)))
    }
}

fn check_rule(rule: &PriceRule, position: usize, problems: &mut Vec<FieldProblem>) {
    let mut problem = |name: &str, code: &str, message: String| {
        problems.push(FieldProblem::new(format!("price_rules.{position}.{name}"), code, message));
    };
    if rule.name.trim().is_empty() || rule.name.chars().count() > NAME_CHARS_MAX {
        problem(
            "name",
            "REQUIRED",
            format!("a rule has a name of 1 to {NAME_CHARS_MAX} characters; explanations show it"),
        );
    }
    if rule.price_minor < 0 {
        problem("price_minor", "OUT_OF_RANGE", "a price is 0 or more, in minor units".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::facts::NoPostalCentres;
    use crate::rules::fixtures::facts;
    use leadyard_types::{FieldValue, Filter};

    fn rule(name: &str, field: &str, price_minor: i64) -> PriceRule {
        PriceRule { name: name.into(), when: Filter::Exists { field: field.into() }, price_minor }
    }

    /// The last rule that matches wins and is named; without one the contract's own price holds.
    #[test]
    fn the_last_matching_rule_wins() {
        let rules = [rule("first", "a", 200), rule("second", "b", 300), rule("third", "c", 400)];
        let prices = CompiledPrices::compile(100, &rules, "DE", &NoPostalCentres).unwrap();
        let price = |given: &[&str]| {
            let fields: Vec<_> = given.iter().map(|key| (*key, FieldValue::text("x"))).collect();
            let (price_minor, name) = prices.price(&facts(&fields));
            (price_minor, name.map(str::to_owned))
        };
        assert_eq!(price(&[]), (100, None));
        assert_eq!(price(&["a"]), (200, Some("first".into())));
        assert_eq!(price(&["a", "b"]), (300, Some("second".into())));
        assert_eq!(price(&["b", "a", "c"]), (400, Some("third".into())));
    }

    /// Every defect is named with its path.
    #[test]
    fn every_defect_is_named() {
        let rules = [rule("ok", "a", 1), rule(" ", "", -1)];
        let problems = CompiledPrices::compile(-1, &rules, "DE", &NoPostalCentres).unwrap_err();
        let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["price_minor", "price_rules.1.name", "price_rules.1.price_minor", "price_rules.1.when"]);
    }
}
