//! The weighted method: earliest-deadline fair shares over this lead's eligible contracts (decisions 18). How a lead that is
//! sold to several divides among them is in [`shared`].
//!
//! **The rule.** A contract's share is its weight over the sum of the eligible weights. Its target is what its share
//! should have brought it so far. A contract is *due* when its target with this lead is more than it has; of those that
//! are due, the one whose target reaches its next whole lead first is chosen (its *deadline*), ties by contract id. All
//! arithmetic is exact, in whole numbers.
//!
//! **Runs.** Filters, caps, hours and balances make the eligible set change from lead to lead. A *run* is the sales since
//! it last changed (contracts or weights). Two things are kept of every contract:
//! - its sales in the present run. Within a run, |sold − target| < 1 for every contract after every sale, counted from the
//!   run's start. This is never given up for anything;
//! - its *credit*: target minus sold over all earlier runs it was eligible in, with the shares renormalised over each
//!   run's set. Due and deadline are reckoned with it, so that shares come out right even when the set changes with
//!   every lead and no run is longer than one (a plain restart would give every lead to the greatest weight).
//!
//! **No catching up.** A contract that is paused, capped or closed is not in the set: its target does not grow, so it
//! is owed nothing for the time it was away. A new contract starts with no credit. A credit is at most two leads either way
//! when a run begins, so what happened before never buys more than that.
//!
//! **Why both hold.** Give every contract the slot numbers of the run in which its k-th lead may fall: after slot
//! `(k−1)/share` (due) and by slot `⌈k/share⌉` (deadline). The promise |sold − target| < 1 is that every lead falls into its
//! span. Since the shares add up to one, the spans that lie within any stretch of slots are never more than its
//! slots, so always picking the due contract with the earliest deadline keeps the promise (it is the classic
//! earliest-deadline schedule of unit jobs). Another pick keeps it too, as long as no stretch from here to the picked
//! one's deadline is already full of others' leads. `first_full_slot` finds the first that is, and the credit chooses
//! among those whose deadline is not after it. The first slot of a run is always free: the others' leads due by slot d are
//! at most ⌊d × (1 − share)⌋ < d. Without credits the pick is the plain rule's.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use leadyard_types::ContractId;

use self::shared::{Places, Share};
use super::method::{Member, MemberState, Run, StageState};

#[path = "weighted/shared.rs"]
pub mod shared;

/// Credits are kept in millionths of a lead.
const CREDIT_SCALE: i128 = 1_000_000;
/// The most a contract is owed, or owes, when a run begins: two leads. With random sets, runs and weights credits stay
/// below one and a half, so this only stops what nobody has seen.
const CREDIT_MAX_MICRO: i64 = 2_000_000;
/// How many of the others' leads are looked at before a pick out of order counts as unsafe; it bounds the time a lead
/// takes, never the promise.
const LOOKAHEAD_MAX: usize = 1_000;

/// A contract of the eligible set, in exact numbers.
struct Entrant {
    /// Its position in the candidates.
    at: usize,
    id: ContractId,
    weight: i128,
    /// Sales in the present run.
    sold: i128,
    /// Target minus sold, credit included, times [`CREDIT_SCALE`] times the sum of weights.
    owed: i128,
}

/// The present run as this eligible set sees it: its own, or a new one that begins with this lead.
struct Field {
    entrants: Vec<Entrant>,
    /// Sales in the run.
    sold: i128,
    weight_sum: i128,
}

impl Field {
    fn new(eligible: &[Member], state: &StageState, goes_on: bool) -> Self {
        let members = || eligible.iter().enumerate().filter(|(_, member)| member.weight > 0);
        let weight_sum: i128 = members().map(|(_, member)| i128::from(member.weight)).sum();
        let run_sold = if goes_on { i128::from(state.run.sold) } else { 0 };
        let entrant = |(at, member): (usize, &Member)| {
            let known = standing(state, member, goes_on);
            let (sold, credit) = (i128::from(known.run_sold), known.credit_micro);
            let weight = i128::from(member.weight);
            let owed = i128::from(credit) * weight_sum + CREDIT_SCALE * (weight * run_sold - sold * weight_sum);
            Entrant { at, id: member.contract_id, weight, sold, owed }
        };
        Self { entrants: members().map(entrant).collect(), sold: run_sold, weight_sum }
    }

    /// Whether this lead would not take the contract past its target by one or more, counted in the run.
    fn may_take(&self, entrant: &Entrant) -> bool {
        entrant.weight * (self.sold + 1) > entrant.sold * self.weight_sum
    }

    /// The slot of the run by which the contract's `ahead`-th next lead must have come, counted in the run.
    fn deadline_slot(&self, entrant: &Entrant, ahead: i128) -> i128 {
        ((entrant.sold + ahead) * self.weight_sum + entrant.weight - 1).div_euclid(entrant.weight)
    }

    /// Due first, then by deadline, both with the credit; ties by contract id.
    fn compare(&self, a: &Entrant, b: &Entrant) -> Ordering {
        let is_due = |entrant: &Entrant| entrant.owed + CREDIT_SCALE * entrant.weight > 0;
        // Leads until the target reaches the next whole one: (scale × sum − owed) ÷ (scale × weight), cross-multiplied.
        let wait = |entrant: &Entrant| CREDIT_SCALE * self.weight_sum - entrant.owed;
        let by_deadline = (wait(a) * b.weight).cmp(&(wait(b) * a.weight));
        is_due(b).cmp(&is_due(a)).then(by_deadline).then(a.id.cmp(&b.id))
    }
}

/// The eligible contracts in the order in which they get the places of a lead, as positions in `eligible`; weight 0 never.
pub(crate) fn order(eligible: &[Member], state: &StageState, places: u8) -> Vec<usize> {
    let divided = shared::divide(eligible, places);
    let goes_on = is_present_run(state, eligible, divided.map(|(places, _)| places));
    match divided {
        Some(divided) => shared::order(eligible, divided, state, goes_on, |member| standing(state, member, goes_on)),
        None => order_exclusive(eligible, state, goes_on),
    }
}

/// A contract's sales in the run that this lead belongs to, and its credit when that run began.
fn standing(state: &StageState, member: &Member, goes_on: bool) -> MemberState {
    let known = state.members.get(&member.contract_id).copied().unwrap_or_default();
    if goes_on { known } else { MemberState { run_sold: 0, credit_micro: credit_now(&known, &state.run), ..known } }
}

/// The order for a lead that goes to one.
fn order_exclusive(eligible: &[Member], state: &StageState, goes_on: bool) -> Vec<usize> {
    let mut field = Field::new(eligible, state, goes_on);
    let mut entrants = std::mem::take(&mut field.entrants);
    entrants.sort_by(|a, b| field.compare(a, b));
    field.entrants = entrants;
    let chosen = chosen(&field);
    let mut ranking: Vec<usize> = field.entrants.iter().map(|entrant| entrant.at).collect();
    if let Some(first) = ranking.get_mut(..=chosen) {
        first.rotate_right(1);
    }
    ranking
}

/// The position, among the sorted entrants, of the one that gets the lead: the first that may take it without breaking
/// the run's promise.
fn chosen(field: &Field) -> usize {
    let candidates = || field.entrants.iter().enumerate().filter(|(_, entrant)| field.may_take(entrant));
    let Some((preferred, entrant)) = candidates().next() else { return 0 };
    if field.sold == 0 {
        return preferred;
    }
    let Some(full_slot) = first_full_slot(field, field.deadline_slot(entrant, 1)) else { return preferred };
    let in_time = candidates().find(|(_, entrant)| field.deadline_slot(entrant, 1) <= full_slot);
    let earliest = || candidates().min_by_key(|(_, entrant)| (field.deadline_slot(entrant, 1), entrant.id));
    in_time.or_else(earliest).map_or(0, |(position, _)| position)
}

/// The first slot before `horizon` up to which, from the next one on, every slot is needed for leads that must have come by
/// it: only a contract with a deadline up to it may take the next slot.
fn first_full_slot(field: &Field, horizon: i128) -> Option<i128> {
    let mut leads: BinaryHeap<Reverse<(i128, usize, i128)>> = BinaryHeap::new();
    for (position, entrant) in field.entrants.iter().enumerate() {
        let slot = field.deadline_slot(entrant, 1);
        if slot < horizon {
            leads.push(Reverse((slot, position, 1)));
        }
    }
    let mut due_by: i128 = 0;
    let mut seen = 0;
    while let Some(Reverse((slot, position, ahead))) = leads.pop() {
        due_by += 1;
        seen += 1;
        if due_by >= slot - field.sold || seen >= LOOKAHEAD_MAX {
            return Some(slot);
        }
        let next = field.deadline_slot(&field.entrants[position], ahead + 1);
        if next < horizon {
            leads.push(Reverse((next, position, ahead + 1)));
        }
    }
    None
}

/// Whether the eligible set, with its weights and places, is that of the present run.
fn is_present_run(state: &StageState, eligible: &[Member], places: Option<Places>) -> bool {
    let run = &state.run;
    let mut size = 0;
    for member in eligible.iter().filter(|member| member.weight > 0) {
        let known = state.members.get(&member.contract_id);
        if known.is_none_or(|known| known.run_no != run.no || known.run_weight != member.weight) {
            return false;
        }
        size += 1;
    }
    run.no > 0 && size == run.size && run.places == places
}

/// A contract's share of every sale of its run.
fn share_of_sales(weight: u32, run: &Run) -> Share {
    match run.places {
        Some(places) => {
            let of_leads = places.share(weight, run.weight_sum);
            Share { sum: of_leads.sum * i128::from(places.count), ..of_leads }
        }
        None => Share { of: i128::from(weight), sum: i128::from(run.weight_sum) },
    }
}

/// What a contract is owed when a new run begins: its credit, and what the present run added if it took part in it.
fn credit_now(known: &MemberState, run: &Run) -> i64 {
    let share = share_of_sales(known.run_weight, run);
    if known.run_no != run.no || share.sum <= 0 {
        return known.credit_micro;
    }
    let owed = share.of * i128::from(run.sold) - i128::from(known.run_sold) * share.sum;
    // To the nearest millionth of a lead.
    let added = (2 * CREDIT_SCALE * owed + share.sum).div_euclid(2 * share.sum);
    let credit = i64::try_from(i128::from(known.credit_micro) + added).unwrap_or(0);
    credit.clamp(-CREDIT_MAX_MICRO, CREDIT_MAX_MICRO)
}

/// Makes the eligible set's run the present one: nothing changes if it is, else the old run's credits are settled and a
/// new run begins. Returns the contracts whose state changed.
pub(crate) fn enter_run(state: &mut StageState, eligible: &[Member], places: u8) -> Vec<ContractId> {
    let divided = shared::divide(eligible, places);
    let places = divided.map(|(places, _)| places);
    if is_present_run(state, eligible, places) {
        return Vec::new();
    }
    let old = state.run;
    let mut changed = Vec::new();
    for (id, known) in state.members.iter_mut().filter(|(_, known)| known.run_no == old.no) {
        // The run's number stays, but no run will have it again, so nothing is settled twice.
        known.credit_micro = credit_now(known, &old);
        known.run_sold = 0;
        changed.push(*id);
    }
    let members = || eligible.iter().filter(|member| member.weight > 0);
    let all = || members().map(|member| i64::from(member.weight)).sum();
    let weight_sum = divided.map_or_else(all, |(_, rest)| rest);
    let size = i64::try_from(members().count()).unwrap_or(i64::MAX);
    state.run = Run { no: old.no + 1, sold: 0, weight_sum, size, places };
    for member in members() {
        let known = state.members.entry(member.contract_id).or_default();
        known.run_no = state.run.no;
        known.run_weight = member.weight;
        known.run_sold = 0;
        changed.push(member.contract_id);
    }
    changed
}

#[cfg(test)]
#[path = "weighted_tests.rs"]
mod tests;
