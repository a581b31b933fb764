//! The weighted method where one lead is sold to several.
//!
//! **The rule.** A lead has as many *places* as it may be sold to, and nobody takes two of them. A contract's share of a
//! lead is its weight over the sum of the weights, times the places; who would get more than a whole lead gets a whole
//! one of each, and the others divide the places that are left. Its target is what its share should have brought it so
//! far. The places are given one after the other: a contract is *due* when its target with this lead is more than it has,
//! and of those that are due and have no place yet the one whose target reaches its next whole lead first comes next.
//!
//! **The promise.** While the same contracts, with the same weights, are eligible from the beginning, |sold − target| < 1
//! for every contract after every lead. Only the first lead is not enough for that; ties of the deadline are broken by how
//! much room a contract has afterwards. This is the schedule PD² for several processors (Anderson and Srinivasan, 2004:
//! "Mixed Pfair/ERfair scheduling of asynchronous periodic tasks"), which keeps every deadline that can be kept: a lead is a
//! slot, a place a processor, a contract a task. Plain earliest deadlines are not enough for three places and more.
//!
//! **Runs.** As for exclusive leads, a changed set begins a new run, and what a contract is owed from earlier runs is its
//! credit. The first lead of a run goes by the credits, so that shares come out right when the set changes with every
//! lead; from the second on the run's own targets decide, which it then keeps to less than two leads.
//!
//! Contracts of one buyer group count as one for a lead: when one of them has a place, the other's passes to whoever comes
//! next, so that the promise holds where no two of a group are eligible.

use std::cmp::Ordering;

use leadyard_types::ContractId;
use serde::{Deserialize, Serialize};

use super::CREDIT_SCALE;
use crate::rules::method::{Member, MemberState, StageState};

/// How a run divides the places of its leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Places {
    /// Places of one lead: at least two.
    pub count: i64,
    /// How many contracts get a place in every lead.
    pub full: i64,
    /// Their least weight.
    pub full_weight: u32,
}

/// A share of every lead, exact: at most one lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) of: i128,
    pub(super) sum: i128,
}

/// The places of a lead among these contracts, and the sum of the weights that divide what the full ones leave; `None`
/// where it goes to one.
pub(super) fn divide(eligible: &[Member], places: u8) -> Option<(Places, i64)> {
    let mut weights: Vec<u32> = eligible.iter().map(|member| member.weight).filter(|weight| *weight > 0).collect();
    let count = usize::from(places).min(weights.len());
    if count < 2 {
        return None;
    }
    weights.sort_unstable_by(|a, b| b.cmp(a));
    let mut rest: i64 = weights.iter().map(|weight| i64::from(*weight)).sum();
    let mut divided = Places { count: i64::try_from(count).unwrap_or(i64::MAX), full: 0, full_weight: u32::MAX };
    for weight in weights {
        if divided.full == divided.count || (divided.count - divided.full) * i64::from(weight) < rest {
            break;
        }
        divided.full += 1;
        divided.full_weight = weight;
        rest -= i64::from(weight);
    }
    Some((divided, rest))
}

impl Places {
    /// A contract's share of every lead. `rest` is the sum of the weights that are not full.
    pub(super) fn share(self, weight: u32, rest: i64) -> Share {
        if self.full > 0 && weight >= self.full_weight {
            return Share { of: 1, sum: 1 };
        }
        Share { of: i128::from(self.count - self.full) * i128::from(weight), sum: i128::from(rest) }
    }
}

/// A contract of the eligible set.
struct Entrant {
    /// Its position in the candidates.
    at: usize,
    id: ContractId,
    share: Share,
    /// Sales in the present run.
    sold: i128,
    /// What it was owed when the run began, in [`CREDIT_SCALE`]ths of a lead.
    credit: i128,
}

/// The order in which the places of a lead are given, as positions in `eligible`: first those that get one, then those
/// that follow if one of them falls away. `known` gives a contract's sales in the present run and its credit.
pub(super) fn order(
    eligible: &[Member],
    (places, rest): (Places, i64),
    state: &StageState,
    goes_on: bool,
    known: impl Fn(&Member) -> MemberState,
) -> Vec<usize> {
    let entrant = |(at, member): (usize, &Member)| {
        let known = known(member);
        Entrant {
            at,
            id: member.contract_id,
            share: places.share(member.weight, rest),
            sold: i128::from(known.run_sold),
            credit: i128::from(known.credit_micro),
        }
    };
    let weighed = eligible.iter().enumerate().filter(|(_, member)| member.weight > 0);
    let mut entrants: Vec<Entrant> = weighed.map(entrant).collect();
    let sold = if goes_on { state.run.sold } else { 0 };
    let is_first = sold < places.count;
    if is_first && entrants.iter().any(|entrant| entrant.credit != 0) {
        entrants.sort_by(Entrant::by_credit);
    } else {
        let lead = i128::from(sold / places.count);
        entrants.sort_by_cached_key(|entrant| entrant.urgency(lead));
    }
    entrants.into_iter().map(|entrant| entrant.at).collect()
}

/// What comes first in a lead, ascending: not due?, the lead by which it must have its next, may the one after it not come
/// as early as that?, how long a shift of its leads would last (the longer the sooner), contract.
type Urgency = (bool, i128, bool, i128, ContractId);

impl Entrant {
    /// The place in a lead of the run, which counts its leads from 0.
    fn urgency(&self, lead: i128) -> Urgency {
        let Share { of, sum } = self.share;
        if of == sum {
            return (false, 0, false, 0, self.id);
        }
        let due = of * (lead + 1) > self.sold * sum;
        let wanted = (self.sold + 1) * sum;
        let deadline = ceil(wanted, of);
        let overlaps = wanted % of != 0;
        // Who gets more than every other lead: the lead in which a shift of its leads by one comes to an end at last.
        let shift = if 2 * of >= sum { ceil(ceil(deadline * (sum - of), sum) * sum, sum - of) } else { 0 };
        (!due, deadline, !overlaps, -shift, self.id)
    }

    /// In the first lead of a run: those with a place in every lead, then who is due with what it is owed, then by
    /// when its target reaches the next whole lead.
    fn by_credit(&self, other: &Self) -> Ordering {
        let is_full = |entrant: &Self| entrant.share.of == entrant.share.sum;
        let owed = |entrant: &Self| (entrant.credit - CREDIT_SCALE * entrant.sold) * entrant.share.sum;
        let is_due = |entrant: &Self| owed(entrant) + CREDIT_SCALE * entrant.share.of > 0;
        let wait = |entrant: &Self| CREDIT_SCALE * entrant.share.sum - owed(entrant);
        let by_deadline = (wait(self) * other.share.of).cmp(&(wait(other) * self.share.of));
        is_full(other)
            .cmp(&is_full(self))
            .then(is_due(other).cmp(&is_due(self)))
            .then(by_deadline)
            .then(self.id.cmp(&other.id))
    }
}

/// Rounded up; both above zero.
fn ceil(of: i128, by: i128) -> i128 {
    (of + by - 1).div_euclid(by)
}
