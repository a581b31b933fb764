//! The best sale of a lead (decisions 20): the dearer of selling it to one and of sharing it among at most so many, by
//! the sum of what the prices are expected to bring.
//!
//! The number of buyers sets everybody's price, so for each number the optimum is the best bid of each group, and of
//! those the dearest: exact, and linear in the number of bids but for sorting them. Ties: exclusive, then fewer buyers,
//! then contract ids.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use uuid::Uuid;

use super::auction::Bid;

/// A way to sell a lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sale {
    /// The buyers as positions in the bids, in the order of their contract ids.
    pub legs: Vec<usize>,
    /// What it is expected to bring, in millionths of a minor unit.
    pub net: i128,
}

/// The best way and the one that came next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Best {
    /// How the lead is sold.
    pub sale: Sale,
    /// What would have been done without it: the best sale to other buyers or another number of them.
    pub runner_up: Option<Sale>,
}

/// The best sale to at most `max` buyers of different groups; `None` if nobody offers anything.
#[must_use]
pub fn best_sale(bids: &[Bid], max: usize) -> Option<Best> {
    let mut ways: Vec<Sale> = (1..=max.min(bids.len())).flat_map(|legs| two_best(bids, legs)).collect();
    ways.sort_by_cached_key(|sale| key(bids, sale));
    let mut ways = ways.into_iter();
    Some(Best { sale: ways.next()?, runner_up: ways.next() })
}

/// The better sale first: brings more, fewer buyers, lower ids.
fn key(bids: &[Bid], sale: &Sale) -> (Reverse<i128>, usize, Vec<Uuid>) {
    (Reverse(sale.net), sale.legs.len(), sale.legs.iter().map(|leg| bids[*leg].contract_id.0).collect())
}

/// The best sale to exactly so many buyers, and the next best.
fn two_best(bids: &[Bid], legs: usize) -> Vec<Sale> {
    let groups = by_group(bids, legs);
    if groups.len() < legs {
        return Vec::new();
    }
    let (chosen, rest) = groups.split_at(legs);
    let first: Vec<usize> = chosen.iter().map(|group| group[0]).collect();
    // The next best set differs in one buyer: a group's own next bid, or the best of the groups left out.
    let mut others: Vec<Vec<usize>> = Vec::new();
    for (place, group) in chosen.iter().enumerate() {
        let instead = group.get(1).copied().into_iter().chain(rest.first().map(|group| group[0]));
        others.extend(instead.map(|leg| {
            let mut set = first.clone();
            set[place] = leg;
            set
        }));
    }
    let mut sales: Vec<Sale> = others.into_iter().map(|set| sale(bids, set)).collect();
    sales.sort_by_cached_key(|sale| key(bids, sale));
    sales.truncate(1);
    sales.insert(0, sale(bids, first));
    sales
}

/// Each group's bids as one of so many buyers, the best first; the groups by their best bid.
fn by_group(bids: &[Bid], legs: usize) -> Vec<Vec<usize>> {
    let order = |at: &usize| {
        let bid = &bids[*at];
        (Reverse(bid.price(legs).map(|price| bid.net(price))), bid.contract_id)
    };
    let mut groups: BTreeMap<Uuid, Vec<usize>> = BTreeMap::new();
    for (position, bid) in bids.iter().enumerate().filter(|(_, bid)| bid.price(legs).is_some()) {
        groups.entry(bid.group_id).or_default().push(position);
    }
    let mut groups: Vec<Vec<usize>> = groups.into_values().collect();
    groups.iter_mut().for_each(|group| group.sort_by_key(order));
    groups.sort_by_key(|group| order(&group[0]));
    groups
}

fn sale(bids: &[Bid], mut legs: Vec<usize>) -> Sale {
    legs.sort_by_key(|leg| bids[*leg].contract_id);
    let net = legs.iter().filter_map(|leg| Some(bids[*leg].net(bids[*leg].price(legs.len())?))).sum();
    Sale { legs, net }
}

#[cfg(test)]
mod tests {
    use leadyard_types::ContractId;
    use proptest::prelude::*;

    use super::*;

    fn bid(number: u128, group: u128, alone: Option<i64>, shared: &[i64]) -> Bid {
        Bid {
            contract_id: ContractId(Uuid::from_u128(number)),
            group_id: Uuid::from_u128(group),
            price_minor: alone,
            shared_minor: shared.iter().copied().map(Some).collect(),
            complaint_ppm: 0,
            last_sale_no: None,
        }
    }

    fn bids() -> impl Strategy<Value = Vec<Bid>> {
        let price = || prop::option::of(0i64..6);
        let one = (1u128..5, price(), prop::collection::vec(price(), 0..3), prop::sample::select(vec![0, 250_000]));
        prop::collection::vec(one, 0..8).prop_map(|list| {
            let made = list.into_iter().zip(1u128..).map(|((group, alone, shared, ppm), number)| Bid {
                shared_minor: shared,
                complaint_ppm: ppm,
                ..bid(number, group, alone, &[])
            });
            made.collect()
        })
    }

    /// Every set of at most `max` buyers of different groups who all want it, the best first.
    fn all_ways(bids: &[Bid], max: usize) -> Vec<Sale> {
        let mut ways = Vec::new();
        for mask in 1u32..(1 << bids.len()) {
            let legs: Vec<usize> = (0..bids.len()).filter(|at| mask & (1 << at) != 0).collect();
            let mut groups: Vec<Uuid> = legs.iter().map(|at| bids[*at].group_id).collect();
            groups.sort_unstable();
            groups.dedup();
            let wanted = legs.iter().all(|at| bids[*at].price(legs.len()).is_some());
            if legs.len() <= max && groups.len() == legs.len() && wanted {
                ways.push(sale(bids, legs));
            }
        }
        ways.sort_by_cached_key(|sale| key(bids, sale));
        ways
    }

    /// One that pays more alone than two together wins, and the other way round.
    #[test]
    fn exclusive_against_shared() {
        let list = [bid(1, 1, Some(900), &[]), bid(2, 2, Some(500), &[400]), bid(3, 3, None, &[450])];
        assert_eq!(best_sale(&list, 3).unwrap().sale.legs, [0]);
        let best = best_sale(&[bid(1, 1, Some(849), &[]), list[1].clone(), list[2].clone()], 3).unwrap();
        assert_eq!((best.sale.legs, best.runner_up.unwrap().legs), (vec![1, 2], vec![0]));
        // A tie goes to the exclusive sale; whoever shares only is never alone; without room nobody shares.
        assert_eq!(
            best_sale(&[bid(1, 1, Some(850), &[]), list[1].clone(), list[2].clone()], 3).unwrap().sale.legs,
            [0]
        );
        assert_eq!(best_sale(&[list[2].clone()], 3), None);
        assert_eq!(best_sale(&list[1..], 1).unwrap().sale.legs, [0]);
        assert_eq!(best_sale(&[], 3), None);
    }

    /// Prices fall with every further buyer: more are taken only while that pays.
    #[test]
    fn prices_by_number_of_buyers() {
        let list: Vec<Bid> = (1..=4).map(|number| bid(number, number, Some(100), &[60, 45, 20])).collect();
        assert_eq!(best_sale(&list, 4).unwrap().sale.legs.len(), 3, "3 × 45 beats 100, 2 × 60 and 4 × 20");
    }

    proptest! {
        /// The exact optimum and the exact runner-up, against trying every set.
        #[test]
        fn the_optimum_is_exact(list in bids(), max in 0usize..6) {
            let ways = all_ways(&list, max);
            let best = best_sale(&list, max);
            prop_assert_eq!(best.as_ref().map(|best| &best.sale), ways.first());
            prop_assert_eq!(best.as_ref().and_then(|best| best.runner_up.as_ref()), ways.get(1));
        }
    }
}
