//! Auctions: fixed prices and live bids together (domain page, section 3; decisions 19). Pure and exact: everything is
//! compared in whole numbers, so the order in which bids come changes nothing.
//!
//! Bids rank by what they are expected to bring: the price less the share that is usually complained about. Ties: higher
//! price → lower complaint rate → longest without a sale → contract id.

use std::cmp::{Ordering, Reverse};

use leadyard_types::{ContractId, DecidedBy};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A whole, in the unit of complaint rates: millionths.
pub const WHOLE_PPM: u32 = 1_000_000;

/// The weight of the prior of a complaint rate, in sales.
const PRIOR_SALES: i64 = 20;
/// What the prior says of them: one in twenty is complained about.
const PRIOR_COMPLAINTS: i64 = 1;

/// A buyer's expected complaint rate in millionths, smoothed: (upheld + 1) ÷ (sales + 20), so that a buyer who never
/// bought counts as one in twenty, and a single complaint does not decide auctions. Rounded down, below a whole.
#[must_use]
pub fn complaint_ppm(upheld: i64, sales: i64) -> u32 {
    let (upheld, sales) = (upheld.max(0).min(sales.max(0)), sales.max(0));
    let whole = i128::from(WHOLE_PPM);
    let rate = i128::from(upheld + PRIOR_COMPLAINTS) * whole / i128::from(sales.saturating_add(PRIOR_SALES));
    u32::try_from(rate.min(whole - 1)).unwrap_or(WHOLE_PPM - 1)
}

/// A price in an auction: a live bid, or a contract's fixed price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bid {
    /// The contract.
    pub contract_id: ContractId,
    /// Its buyer's group; a group never buys the same lead twice.
    pub group_id: Uuid,
    /// What it pays to be the only buyer (or, where the number of buyers makes no difference, at all), minor units.
    pub price_minor: Option<i64>,
    /// What it pays where two, three … buy, minor units; the last holds for more. Empty: it does not share.
    pub shared_minor: Vec<Option<i64>>,
    /// Its buyer's expected complaint rate, millionths.
    pub complaint_ppm: u32,
    /// The number of its last sale in the stage; a contract that never sold has waited longest.
    pub last_sale_no: Option<i64>,
}

impl Bid {
    /// What it pays as one of so many buyers; `None` if it does not want that.
    #[must_use]
    pub fn price(&self, legs: usize) -> Option<i64> {
        match legs {
            0 => None,
            1 => self.price_minor,
            _ => self.shared_minor.get(legs - 2).or(self.shared_minor.last()).copied().flatten(),
        }
    }

    /// What a price of this bid is expected to bring, in millionths of a minor unit.
    #[must_use]
    pub fn net(&self, price_minor: i64) -> i128 {
        i128::from(price_minor) * i128::from(WHOLE_PPM.saturating_sub(self.complaint_ppm))
    }

    /// The order at given prices: the better first.
    fn compare(&self, price_minor: i64, other: &Self, other_price_minor: i64) -> (Ordering, DecidedBy) {
        let keys = [
            (Reverse(self.net(price_minor)).cmp(&Reverse(other.net(other_price_minor))), DecidedBy::Net),
            (Reverse(price_minor).cmp(&Reverse(other_price_minor)), DecidedBy::Price),
            (self.complaint_ppm.cmp(&other.complaint_ppm), DecidedBy::ComplaintRate),
            // No sale at all sorts before any number.
            (self.last_sale_no.cmp(&other.last_sale_no), DecidedBy::LongestWithoutSale),
        ];
        let decided = keys.into_iter().find(|(order, _)| order.is_ne());
        decided.unwrap_or((self.contract_id.cmp(&other.contract_id), DecidedBy::ContractId))
    }
}

/// The bids that want to be the only buyer, the best first, as positions in `bids`.
#[must_use]
pub fn rank(bids: &[Bid]) -> Vec<usize> {
    let mut ranking: Vec<(usize, i64)> =
        bids.iter().enumerate().filter_map(|(position, bid)| Some((position, bid.price(1)?))).collect();
    ranking.sort_by(|(a, a_price), (b, b_price)| bids[*a].compare(*a_price, &bids[*b], *b_price).0);
    ranking.into_iter().map(|(position, _)| position).collect()
}

/// What put the bid at `winner` before the one at `other`; `None` if one of them makes no offer.
#[must_use]
pub fn decided_by(bids: &[Bid], winner: usize, other: usize) -> Option<DecidedBy> {
    let (winner, other) = (bids.get(winner)?, bids.get(other)?);
    Some(winner.compare(winner.price(1)?, other, other.price(1)?).1)
}

/// The least price, minor units, at which `bid` ranks before a rival at the rival's price. Never below 0.
#[must_use]
pub fn winning_price(bid: &Bid, rival: &Bid, rival_price_minor: i64) -> i64 {
    let share = i128::from(WHOLE_PPM.saturating_sub(bid.complaint_ppm)).max(1);
    let needed = rival.net(rival_price_minor).max(0);
    // The least price that brings at least as much; at exactly as much the ties decide.
    let equal = i64::try_from((needed + share - 1) / share).unwrap_or(i64::MAX);
    if bid.compare(equal, rival, rival_price_minor).0.is_lt() { equal } else { equal.saturating_add(1) }
}

/// The second price (decisions 19): the least price with which the winner would still rank before the runner-up, plus
/// the increment, at most its own bid; without a runner-up, and in any case, at least the larger of floor and reserve.
#[must_use]
pub fn second_price(
    winner: &Bid,
    runner_up: Option<(&Bid, i64)>,
    own_price_minor: i64,
    increment_minor: i64,
    least_minor: i64,
) -> i64 {
    let beaten = runner_up
        .map_or(0, |(rival, price)| winning_price(winner, rival, price).saturating_add(increment_minor.max(0)));
    beaten.max(least_minor).min(own_price_minor)
}

#[cfg(test)]
#[path = "auction_tests.rs"]
mod tests;
