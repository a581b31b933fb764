//! The quote: what a supplier is promised, from the sale that would be made now (decisions 19 and 21).

use leadyard_types::{Check, Money, Refusal, Timestamp};

use super::promise::{SupplierShare, kept_together, legs};
use super::routing::{Routing, RoutingInput};

/// What a supplier is promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quoted {
    /// What it gets of each sale, minor units.
    pub legs: Vec<i64>,
    /// When the first bid behind it ends, if one does.
    pub bids_end: Option<Timestamp>,
}

impl Quoted {
    /// What it gets in all, minor units.
    #[must_use]
    pub fn promise_minor(&self) -> i64 {
        self.legs.iter().sum()
    }
}

/// What is promised for a lead that would be routed so, or why nothing is. `least_minor` is the least the supplier sells
/// for.
///
/// # Errors
/// The check that refuses.
pub fn quote(input: &RoutingInput, routing: &Routing, least_minor: Option<i64>) -> Result<Quoted, Refusal> {
    let winners = || routing.winners.iter().map(|winner| (&input.candidates[winner.position], winner.price_minor));
    let sales: Vec<(SupplierShare, i64)> =
        winners().filter_map(|(candidate, price)| Some((candidate.share?, price))).collect();
    if sales.is_empty() {
        return Err(Refusal::new(Check::NoBuyer, "no buyer takes this lead at the moment"));
    }
    let bids_end = winners().filter_map(|(candidate, _)| candidate.bid.as_ref()?.expires_at).min();
    let quoted = Quoted { legs: legs(&sales, false), bids_end };
    let promise = quoted.promise_minor();
    let is_fixed = sales.iter().any(|(share, _)| matches!(share, SupplierShare::Fixed { .. }));
    let least = least_minor.unwrap_or(0).max(i64::from(!is_fixed));
    if !kept_together(&sales, promise) || promise < least {
        let refusal = Refusal::new(Check::Floor, "the best price at the moment is less than this lead costs");
        let currency = input.candidates.first().map(|candidate| candidate.price.currency);
        return Err(match currency.filter(|_| least_minor.is_some()) {
            Some(currency) => refusal.seeing("least", Money::new(least, currency).to_string()),
            None => refusal,
        });
    }
    Ok(quoted)
}
