//! What a buyer may set on its contract by itself, and how much of what it set holds.
//!
//! [`effective`] is the one place where the operator's terms and the buyer's settings meet: the snapshot is compiled by it,
//! and eligibility, placement, explanations and verification go by the snapshot. A setting whose bounds were taken back does
//! not count, one outside bounds that were tightened later counts as the nearest that is allowed. Beside all of them the
//! operator's own filter, caps, hours and status hold unchanged, so that a buyer can only narrow.

use leadyard_types::bounds::{BuyerBounds, BuyerSettings, PriceBounds};
use leadyard_types::terms::VerticalTerms;
use leadyard_types::{Cap, CapPeriod, ContractTerms, FieldProblem, Filter};

use super::cap::check_caps;
use super::schedule::check_schedule;

/// What filters may look at beside the vertical's fields.
const KEYS_OF_EVERY_LEAD: [&str; 7] = ["postal_code", "state", "country", "consent_age", "score", "source", "time"];
/// More keys than a vertical has fields.
const KEYS_MAX: usize = 200;
/// The dearest lead, minor units, as for a contract's price.
const PRICE_MINOR_MAX: i64 = 1_000_000_000;

/// What holds of a contract's price and of its buyer's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// The price where no price rule matches, minor units.
    pub price_minor: i64,
    /// The buyer's settings as far as they hold, each beside the operator's. The price is there if it is the buyer's.
    pub own: BuyerSettings,
}

/// What holds of a contract's terms. Pure; the same terms give the same answer in every process and for ever.
#[must_use]
pub fn effective(terms: &ContractTerms) -> Effective {
    let settings = &terms.buyer_settings;
    let Some(bounds) = &terms.buyer_bounds else {
        return Effective { price_minor: terms.price_minor, own: BuyerSettings::default() };
    };
    let price = settings.price_minor.zip(bounds.price.as_ref()).map(|(price, bounds)| nearest(bounds, price));
    let lets = |filter: &&Filter| forbidden_keys(filter, &bounds.filter_keys, "filter").is_empty();
    let own = BuyerSettings {
        price_minor: price,
        caps: settings.caps.iter().filter_map(|cap| tightened(cap, bounds, &terms.caps)).collect(),
        filter: settings.filter.as_ref().filter(lets).cloned(),
        schedule: settings.schedule.as_ref().filter(|_| bounds.schedule).cloned(),
        paused: settings.paused && bounds.pause,
    };
    Effective { price_minor: price.unwrap_or(terms.price_minor), own }
}

/// The allowed price nearest to one; between two steps the lower.
fn nearest(bounds: &PriceBounds, price_minor: i64) -> i64 {
    let clamped = price_minor.clamp(bounds.min_minor, bounds.max_minor.max(bounds.min_minor));
    let step = bounds.step_minor.max(1);
    bounds.min_minor + clamped.saturating_sub(bounds.min_minor) / step * step
}

fn of_period(caps: &[Cap], period: CapPeriod) -> Option<&Cap> {
    caps.iter().find(|cap| cap.period == period)
}

/// The least of the limits there are.
fn least<T: Ord + Copy>(limits: [Option<T>; 2]) -> Option<T> {
    limits.into_iter().flatten().min()
}

/// A buyer's cap within its bounds and the contract's own; `None` where it may not set one.
fn tightened(own: &Cap, bounds: &BuyerBounds, agreed: &[Cap]) -> Option<Cap> {
    let most = of_period(&bounds.caps, own.period)?;
    let agreed = of_period(agreed, own.period);
    let count = own.count.zip(most.count).map(|(own, most)| own.min(most));
    let amount_minor = own.amount_minor.zip(most.amount_minor).map(|(own, most)| own.min(most));
    let cap = Cap {
        period: own.period,
        count: count.and_then(|own| least([Some(own), agreed.and_then(|cap| cap.count)])),
        amount_minor: amount_minor.and_then(|own| least([Some(own), agreed.and_then(|cap| cap.amount_minor)])),
    };
    (cap.count.is_some() || cap.amount_minor.is_some()).then_some(cap)
}

/// The key of what a condition looks at; `None` for the ones that hold others.
fn key(filter: &Filter) -> Option<&str> {
    match filter {
        Filter::All { .. } | Filter::Any { .. } | Filter::Not { .. } => None,
        Filter::Equals { field, .. }
        | Filter::In { field, .. }
        | Filter::Range { field, .. }
        | Filter::Matches { field, .. }
        | Filter::Exists { field } => Some(field),
        Filter::PostalCodes { .. }
        | Filter::PostalPrefixes { .. }
        | Filter::PostalRange { .. }
        | Filter::Radius { .. } => Some("postal_code"),
        Filter::States { .. } => Some("state"),
        Filter::Countries { .. } => Some("country"),
        Filter::ConsentAge { .. } => Some("consent_age"),
        Filter::LeadAge { .. } => Some("lead_age"),
        Filter::Score { .. } => Some("score"),
        Filter::Sources { .. } => Some("source"),
        Filter::Time { .. } => Some("time"),
    }
}

/// The conditions on other keys than these, each with its path.
fn forbidden_keys(filter: &Filter, allowed: &[String], path: &str) -> Vec<FieldProblem> {
    match filter {
        Filter::All { of } | Filter::Any { of } => {
            let parts = of.iter().enumerate();
            parts.flat_map(|(place, part)| forbidden_keys(part, allowed, &format!("{path}.of.{place}"))).collect()
        }
        Filter::Not { of } => forbidden_keys(of, allowed, &format!("{path}.of")),
        leaf => match key(leaf) {
            Some(key) if !allowed.iter().any(|allowed| allowed == key) => {
                let keys = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
                vec![FieldProblem::new(path, "NOT_ALLOWED", format!("a filter by {keys} is expected, not by {key}"))]
            }
            _ => Vec::new(),
        },
    }
}

fn not_open(field: &str, what: &str) -> FieldProblem {
    FieldProblem::new(field, "NOT_ALLOWED", format!("the operator does not let {what} be set by the buyer"))
}

/// What is wrong with a price that a buyer sets. `floor_minor` is the campaign's.
#[must_use]
pub fn price_problem(bounds: Option<&BuyerBounds>, floor_minor: i64, price_minor: i64) -> Option<FieldProblem> {
    let Some(bounds) = bounds.and_then(|bounds| bounds.price) else {
        return Some(not_open("price_minor", "the price"));
    };
    let (min, max) = (bounds.min_minor.max(floor_minor), bounds.max_minor);
    let steps = if bounds.step_minor > 1 {
        format!(", counted from {} in steps of {}", bounds.min_minor, bounds.step_minor)
    } else {
        String::new()
    };
    let range = format!("{min} to {max} minor units are expected{steps}");
    if !(min..=max).contains(&price_minor) {
        return Some(FieldProblem::new("price_minor", "OUT_OF_RANGE", range));
    }
    (nearest(&bounds, price_minor) != price_minor).then(|| FieldProblem::new("price_minor", "STEP", range))
}

/// What is wrong with caps that a buyer sets beside the contract's.
#[must_use]
pub fn cap_problems(bounds: Option<&BuyerBounds>, agreed: &[Cap], own: &[Cap]) -> Vec<FieldProblem> {
    let mut problems = check_caps(own);
    let open = bounds.map_or(&[][..], |bounds| &bounds.caps);
    if open.is_empty() && !own.is_empty() {
        return vec![not_open("caps", "caps")];
    }
    for (position, cap) in own.iter().enumerate() {
        let Some(most) = of_period(open, cap.period) else {
            let periods: Vec<&str> = open.iter().map(|cap| cap.period.as_str()).collect();
            let message = format!("a cap per {} is expected", periods.join(" or "));
            problems.push(FieldProblem::new(format!("caps.{position}.period"), "NOT_ALLOWED", message));
            continue;
        };
        let agreed = of_period(agreed, cap.period);
        let counts =
            (cap.count.map(i64::from), most.count.map(i64::from), agreed.and_then(|cap| cap.count).map(i64::from));
        let amounts = (cap.amount_minor, most.amount_minor, agreed.and_then(|cap| cap.amount_minor));
        for (name, (own, most, agreed)) in [("count", counts), ("amount_minor", amounts)] {
            let Some(own) = own else { continue };
            let field = format!("caps.{position}.{name}");
            let Some(most) = most else {
                problems.push(not_open(&field, "this limit"));
                continue;
            };
            let most = most.min(agreed.unwrap_or(i64::MAX));
            if own > most {
                problems.push(FieldProblem::new(field, "OUT_OF_RANGE", format!("at most {most} is expected")));
            }
        }
    }
    problems
}

/// What is wrong with the keys that a buyer's filter looks at. What else may be wrong is found by compiling it.
#[must_use]
pub fn filter_problems(bounds: Option<&BuyerBounds>, filter: &Filter) -> Vec<FieldProblem> {
    let allowed = bounds.map_or(&[][..], |bounds| &bounds.filter_keys);
    if allowed.is_empty() {
        return vec![not_open("filter", "a filter")];
    }
    forbidden_keys(filter, allowed, "filter")
}

/// Whether a buyer may set hours.
#[must_use]
pub fn schedule_problem(bounds: Option<&BuyerBounds>) -> Option<FieldProblem> {
    (!bounds.is_some_and(|bounds| bounds.schedule)).then(|| not_open("schedule", "hours"))
}

/// Whether a buyer may pause its contract and end its pause.
#[must_use]
pub fn pause_problem(bounds: Option<&BuyerBounds>) -> Option<FieldProblem> {
    (!bounds.is_some_and(|bounds| bounds.pause)).then(|| not_open("contract_id", "a pause"))
}

/// What is wrong with bounds, each with its path from the bounds on. `asks`: the buyer is asked for a bid lead by lead.
#[must_use]
pub fn check_bounds(bounds: &BuyerBounds, floor_minor: i64, asks: bool, vertical: &VerticalTerms) -> Vec<FieldProblem> {
    let mut problems = check_caps(&bounds.caps);
    if let Some(price) = bounds.price {
        if asks {
            let message = "the buyer is asked for its bid lead by lead: there is no price to be set beside that";
            problems.push(FieldProblem::new("price", "NOT_ALLOWED", message));
        }
        if !(floor_minor.max(0)..=PRICE_MINOR_MAX).contains(&price.min_minor) {
            let message = format!("{floor_minor} (the campaign's floor) to {PRICE_MINOR_MAX} minor units are expected");
            problems.push(FieldProblem::new("price.min_minor", "OUT_OF_RANGE", message));
        }
        if !(price.min_minor..=PRICE_MINOR_MAX).contains(&price.max_minor) {
            let message = format!("{} (the least) to {PRICE_MINOR_MAX} minor units are expected", price.min_minor);
            problems.push(FieldProblem::new("price.max_minor", "OUT_OF_RANGE", message));
        }
        if !(1..=PRICE_MINOR_MAX).contains(&price.step_minor) {
            let message = "1 or more minor units are expected";
            problems.push(FieldProblem::new("price.step_minor", "OUT_OF_RANGE", message));
        }
    }
    if bounds.filter_keys.len() > KEYS_MAX {
        let message = format!("at most {KEYS_MAX} keys are expected");
        problems.push(FieldProblem::new("filter_keys", "TOO_MANY", message));
    }
    // A filter by what says who the person is would let a buyer find out about people it did not buy.
    let open = |key: &str| vertical.fields.iter().any(|field| field.key == key && !field.personal);
    for (position, key) in bounds.filter_keys.iter().enumerate().take(KEYS_MAX) {
        if !KEYS_OF_EVERY_LEAD.contains(&key.as_str()) && !open(key) {
            let message = format!(
                "one of the vertical's fields that are not personal, or one of {} is expected",
                KEYS_OF_EVERY_LEAD.join(", ")
            );
            problems.push(FieldProblem::new(format!("filter_keys.{position}"), "UNKNOWN_FIELD", message));
        }
    }
    problems
}

/// What is wrong with settings in themselves, whatever the bounds: caps and hours. (Filters are found out by compiling.)
#[must_use]
pub fn check_settings(settings: &BuyerSettings) -> Vec<FieldProblem> {
    let mut problems = check_caps(&settings.caps);
    if let Some(schedule) = &settings.schedule {
        let found = check_schedule(schedule).into_iter();
        problems.extend(found.map(|found| FieldProblem { field: format!("schedule.{}", found.field), ..found }));
    }
    if settings.price_minor.is_some_and(|price| !(0..=PRICE_MINOR_MAX).contains(&price)) {
        let message = format!("0 to {PRICE_MINOR_MAX} minor units are expected");
        problems.push(FieldProblem::new("price_minor", "OUT_OF_RANGE", message));
    }
    problems
}

#[cfg(test)]
#[path = "bounds_tests.rs"]
pub(crate) mod tests;
