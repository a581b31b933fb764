//! Methods: in which order a stage's eligible contracts are tried (domain page, section 3; decisions 3 and 18).
//!
//! The order never depends on the order in which the candidates come. Rotation state is a sequence of sales per stage,
//! never timestamps; only a sale moves it, so a refusal, a cap or a simulation leaves it alone.
//!
//! What is kept, and the columns it needs:
//!
//! | row | columns |
//! |---|---|
//! | per (campaign, stage) | `sale_no`, and of the run `no`, `sold`, `weight_sum`, `size`, `places` ([`StageState::sale_no`], [`Run`]) |
//! | per (campaign, stage, contract) | `sold`, `last_sale_no`, `credit_micro`, `run_no`, `run_weight`, `run_sold` ([`MemberState`]) |
//!
//! All are whole numbers of at most 64 bits. Everything from `run_no` on serves WEIGHTED stages only
//! ([`super::weighted`]); the other methods never touch it. Load the stage's row (locked) with all its contracts' rows,
//! ask [`order`], and after a sale write the stage's row and those that [`StageState::on_sale`] names.

use std::collections::BTreeMap;

use leadyard_types::{ContractId, Method, Timestamp};
use serde::{Deserialize, Serialize};

use super::weighted;
use super::weighted::shared::Places;

/// A contract that may buy the lead, as a stage sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// The contract.
    pub contract_id: ContractId,
    /// 1 comes first in a waterfall.
    pub priority: u32,
    /// The share in a weighted stage; 0 = none.
    pub weight: u32,
    /// When the contract was made.
    pub created_at: Timestamp,
    /// How many leads it bought in this stage.
    pub sold: i64,
    /// The number of its last sale in this stage's sequence.
    pub last_sale_no: Option<i64>,
}

/// The present run of a weighted stage: the leads sold since its eligible set last changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its number, 1 for the first; 0 before any sale.
    pub no: i64,
    /// Sales in it.
    pub sold: i64,
    /// The sum of the weights of its contracts; of shared leads, of those that do not get a place in every lead.
    pub weight_sum: i64,
    /// How many contracts it has.
    pub size: i64,
    /// The places of each of its leads, where they are shared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub places: Option<Places>,
}

/// What a stage knows of one contract.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberState {
    /// Sales in this stage.
    pub sold: i64,
    /// The number of the last one.
    pub last_sale_no: Option<i64>,
    /// What it was owed, in millionths of a lead, when the run `run_no` began (or, if that run is over, when it ended).
    pub credit_micro: i64,
    /// The last run it took part in.
    pub run_no: i64,
    /// Its weight in that run.
    pub run_weight: u32,
    /// Its sales in that run.
    pub run_sold: i64,
}

/// The rotation state of one stage of one campaign.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageState {
    /// How many sales the stage made: the number of the last one.
    pub sale_no: i64,
    /// The present run.
    pub run: Run,
    /// Its contracts that ever sold or were weighed; one that is absent has no history.
    pub members: BTreeMap<ContractId, MemberState>,
}

impl StageState {
    /// A contract as the stage sees it now.
    #[must_use]
    pub fn member(&self, contract_id: ContractId, priority: u32, weight: u32, created_at: Timestamp) -> Member {
        let known = self.members.get(&contract_id).copied().unwrap_or_default();
        Member { contract_id, priority, weight, created_at, sold: known.sold, last_sale_no: known.last_sale_no }
    }

    /// The state as far as the order among these contracts depends on it: what a decision among them stores.
    #[must_use]
    pub fn among(&self, contracts: impl IntoIterator<Item = ContractId>) -> Self {
        let known = |id| Some((id, *self.members.get(&id)?));
        Self { sale_no: self.sale_no, run: self.run, members: contracts.into_iter().filter_map(known).collect() }
    }

    /// A sale was made: `eligible` are the contracts that could have bought (those that refused the lead, or had it before,
    /// left out), `winner` the one that did. A shared lead has several `places`, and each that is sold is a sale, among
    /// the same eligible contracts. Returns the contracts whose state changed, ascending.
    pub fn on_sale(&mut self, method: Method, eligible: &[Member], places: u8, winner: ContractId) -> Vec<ContractId> {
        let mut changed = vec![winner];
        if method == Method::Weighted {
            changed.extend(weighted::enter_run(self, eligible, places));
            self.run.sold += 1;
        }
        self.sale_no += 1;
        let state = self.members.entry(winner).or_default();
        state.sold += 1;
        state.last_sale_no = Some(self.sale_no);
        if method == Method::Weighted {
            state.run_sold += 1;
        }
        changed.sort_unstable();
        changed.dedup();
        changed
    }
}

/// The eligible contracts in the order in which they are tried for the `places` of a lead (one, if it is exclusive), as
/// positions in `eligible`.
///
/// - WATERFALL: by priority, then contract creation, then id.
/// - ROUND_ROBIN: never served first, then who was served longest ago; then creation, then id.
/// - WEIGHTED: see [`super::weighted`]; contracts of weight 0 are left out.
///
/// The order holds through all the places: ranked again after each winner, with the winner left out, the others come in
/// the same order. (Who won goes last in a rotation, and nobody else's turn changes; of weighted shares, see
/// [`weighted::shared`].) Where a place cannot be given, the next in the order takes it. When a buyer refuses later, the
/// lead is ranked again without it: its share passes to those that remain.
#[must_use]
pub fn order(method: Method, eligible: &[Member], state: &StageState, places: u8) -> Vec<usize> {
    let mut ranking: Vec<usize> = (0..eligible.len()).collect();
    let age = |at: usize| (eligible[at].created_at, eligible[at].contract_id);
    match method {
        Method::Waterfall => ranking.sort_by_key(|&at| (eligible[at].priority, age(at))),
        // Never served (`None`) sorts before every number.
        Method::RoundRobin => ranking.sort_by_key(|&at| (eligible[at].last_sale_no, age(at))),
        Method::Weighted => ranking = weighted::order(eligible, state, places),
        // Bids decide ([`super::auction`]); without them the longest without a sale comes first.
        Method::Auction => ranking.sort_by_key(|&at| (eligible[at].last_sale_no, eligible[at].contract_id)),
    }
    ranking
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn id(number: u128) -> ContractId {
        ContractId(Uuid::from_u128(number))
    }

    fn member(number: u128, priority: u32, last_sale_no: Option<i64>, created_second: i64) -> Member {
        let created_at = Timestamp::from_timestamp(created_second, 0).unwrap();
        Member { contract_id: id(number), priority, weight: 1, created_at, sold: 0, last_sale_no }
    }

    fn ids(method: Method, eligible: &[Member], state: &StageState) -> Vec<u128> {
        ids_of(method, eligible, state, 1)
    }

    fn ids_of(method: Method, eligible: &[Member], state: &StageState, places: u8) -> Vec<u128> {
        order(method, eligible, state, places).into_iter().map(|at| eligible[at].contract_id.0.as_u128()).collect()
    }

    /// Waterfall: priority, then creation, then id.
    #[test]
    fn waterfall_goes_by_priority() {
        let eligible = [member(1, 2, None, 0), member(2, 1, None, 9), member(4, 1, None, 5), member(3, 1, None, 5)];
        assert_eq!(ids(Method::Waterfall, &eligible, &StageState::default()), [3, 4, 2, 1]);
    }

    /// Round robin: never served first, then the longest without; ties by creation, then id.
    #[test]
    fn round_robin_serves_the_longest_waiting() {
        let eligible =
            [member(1, 1, Some(7), 0), member(2, 1, None, 9), member(3, 1, Some(2), 1), member(4, 1, None, 8)];
        assert_eq!(ids(Method::RoundRobin, &eligible, &StageState::default()), [4, 2, 3, 1]);
    }

    /// Round robin after a pause: one lead, then in turn; nobody catches up.
    #[test]
    fn round_robin_does_not_catch_up() {
        let mut state = StageState::default();
        let mut sell = |numbers: &[u128]| {
            let eligible: Vec<_> =
                numbers.iter().map(|number| state.member(id(*number), 1, 1, Timestamp::UNIX_EPOCH)).collect();
            let winner = eligible[order(Method::RoundRobin, &eligible, &state, 1)[0]].contract_id;
            assert_eq!(state.on_sale(Method::RoundRobin, &eligible, 1, winner), [winner]);
            winner.0.as_u128()
        };
        assert_eq!([sell(&[1, 2, 3]), sell(&[1, 2, 3]), sell(&[1, 2, 3])], [1, 2, 3]);
        let paused: Vec<_> = (0..10).map(|_| sell(&[1, 2])).collect();
        assert_eq!(paused, [1, 2, 1, 2, 1, 2, 1, 2, 1, 2]);
        assert_eq!([sell(&[1, 2, 3]), sell(&[1, 2, 3]), sell(&[1, 2, 3]), sell(&[1, 2, 3])], [3, 1, 2, 3]);
    }

    proptest! {
        /// The order does not depend on the order of the candidates, whatever the method.
        #[test]
        fn candidates_come_in_any_order(
            members in prop::collection::btree_map(0u128..30, (0u32..4, 0u32..5, prop::option::of(0i64..9), 0i64..3), 0..12),
            history in prop::collection::vec(0usize..12, 0..20), rotate in 0usize..12, places in 1u8..5,
        ) {
            let mut eligible: Vec<_> = members
                .iter()
                .map(|(number, &(priority, weight, last, created))| Member { weight, ..member(*number, priority, last, created) })
                .collect();
            let mut state = StageState::default();
            let weighted: Vec<_> = eligible.iter().filter(|member| member.weight > 0).copied().collect();
            for at in history {
                if let Some(winner) = weighted.get(at) {
                    state.on_sale(Method::Weighted, &weighted, places, winner.contract_id);
                }
            }
            let all = |eligible: &[Member]| Method::ALL.iter().map(|method| ids_of(*method, eligible, &state, places)).collect::<Vec<_>>();
            let before = all(&eligible);
            if !eligible.is_empty() {
                let middle = rotate % eligible.len();
                eligible.rotate_left(middle);
                eligible.swap(0, middle);
            }
            prop_assert_eq!(all(&eligible), before);
        }

        /// Round robin is fair: while the eligible set is stable, nobody is ever more than one sale ahead of another.
        #[test]
        fn round_robin_is_fair(size in 1u128..9, before in prop::collection::vec(prop::collection::vec(0u128..9, 1..5), 0..12)) {
            let mut state = StageState::default();
            let mut sell = |numbers: &[u128]| {
                let eligible: Vec<_> =
                    numbers.iter().map(|number| state.member(id(*number), 1, 1, Timestamp::UNIX_EPOCH)).collect();
                let winner = eligible[order(Method::RoundRobin, &eligible, &state, 1)[0]].contract_id;
                state.on_sale(Method::RoundRobin, &eligible, 1, winner);
                winner
            };
            for numbers in before {
                sell(&numbers);
            }
            let all: Vec<u128> = (0..size).collect();
            let mut sold = BTreeMap::<_, i64>::new();
            for _ in 0..5 * size {
                *sold.entry(sell(&all)).or_default() += 1;
                let counts: Vec<_> = all.iter().map(|number| sold.get(&id(*number)).copied().unwrap_or(0)).collect();
                prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1);
            }
        }
    }
}
