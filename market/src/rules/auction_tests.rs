use proptest::prelude::*;

use super::*;

fn bid(number: u128, price: i64, ppm: u32, last: Option<i64>) -> Bid {
    Bid {
        contract_id: ContractId(Uuid::from_u128(number)),
        group_id: Uuid::from_u128(number),
        price_minor: Some(price),
        shared_minor: Vec::new(),
        complaint_ppm: ppm,
        last_sale_no: last,
    }
}

fn bids() -> impl Strategy<Value = Vec<Bid>> {
    // Few different values, so that every tie comes up.
    let one = (0i64..6, prop::sample::select(vec![0, 50_000, 500_000]), prop::option::of(0i64..3));
    prop::collection::vec(one, 1..8).prop_map(|list| {
        let made = list.into_iter().zip(1..).map(|((price, ppm, last), number)| bid(number, price * 100, ppm, last));
        made.collect()
    })
}

/// Who never bought counts as one in twenty; the rate stays below a whole, whatever the figures.
#[test]
fn rates_are_smoothed() {
    assert_eq!(complaint_ppm(0, 0), 50_000);
    assert_eq!(complaint_ppm(0, 180), 5_000);
    assert_eq!(complaint_ppm(19, 20), 500_000);
    assert_eq!(complaint_ppm(-5, -5), 50_000);
    assert!(complaint_ppm(i64::MAX - 1, i64::MAX - 1) < WHOLE_PPM);
}

/// The published order of ties, and the key that decided is told.
#[test]
fn ties_fall_in_the_published_order() {
    for (winner, loser, key) in [
        (bid(9, 100, 0, None), bid(1, 99, 0, None), DecidedBy::Net),
        // 200 at half and 100 at none bring the same.
        (bid(9, 200, 500_000, None), bid(1, 100, 0, None), DecidedBy::Price),
        (bid(9, 0, 1, None), bid(1, 0, 2, None), DecidedBy::ComplaintRate),
        (bid(9, 100, 0, None), bid(1, 100, 0, Some(0)), DecidedBy::LongestWithoutSale),
        (bid(9, 100, 0, Some(1)), bid(1, 100, 0, Some(2)), DecidedBy::LongestWithoutSale),
        (bid(1, 100, 0, None), bid(2, 100, 0, None), DecidedBy::ContractId),
    ] {
        let list = [loser, winner];
        assert_eq!(rank(&list), [1, 0], "{list:?}");
        assert_eq!(decided_by(&list, 1, 0), Some(key));
    }
}

/// A complaint costs: the dearer bid loses to one that keeps what it pays.
#[test]
fn bids_rank_net_of_complaints() {
    assert_eq!(rank(&[bid(1, 1_000, 300_000, None), bid(2, 800, 50_000, None)]), [1, 0]);
}

/// The examples of the rule: runner-up plus increment, at most the own bid, at least floor and reserve.
#[test]
fn second_prices() {
    let (winner, rival) = (bid(1, 5_000, 0, None), bid(2, 4_100, 0, None));
    // At 4100 the two tie, and the winner's contract is older: 4100 is enough.
    assert_eq!(second_price(&winner, Some((&rival, 4_100)), 5_000, 1, 0), 4_101);
    let winner = bid(3, 5_000, 0, None);
    assert_eq!(second_price(&winner, Some((&rival, 4_100)), 5_000, 0, 0), 4_101);
    assert_eq!(second_price(&winner, Some((&rival, 4_100)), 5_000, 5_000, 0), 5_000);
    assert_eq!(second_price(&winner, None, 5_000, 100, 1_500), 1_500);
    assert_eq!(second_price(&winner, None, 5_000, 100, 0), 0);
    assert_eq!(second_price(&winner, Some((&rival, 4_100)), 5_000, 0, 4_500), 4_500);
    // Whoever is complained about more must beat the other's expected price.
    assert_eq!(second_price(&bid(3, 9_000, 500_000, None), Some((&rival, 4_100)), 9_000, 0, 0), 8_200);
}

proptest! {
    /// Whatever the order in which the bids come, the same bids rank in the same order.
    #[test]
    fn the_order_of_arrival_does_not_matter(list in bids(), turn in 0usize..8) {
        let mut turned = list.clone();
        let places = turn % list.len();
        turned.rotate_left(places);
        let ids = |list: &[Bid]| rank(list).into_iter().map(|at| list[at].contract_id).collect::<Vec<_>>();
        prop_assert_eq!(ids(&list), ids(&turned));
    }

    /// The second price is the least that still wins: with it the winner ranks first, with one unit less it does not.
    #[test]
    fn the_second_price_is_the_least_that_wins(list in bids()) {
        let ranking = rank(&list);
        if let [winner, runner_up, ..] = ranking[..] {
            let least = winning_price(&list[winner], &list[runner_up], list[runner_up].price_minor.unwrap());
            prop_assert!(least <= list[winner].price_minor.unwrap());
            let first_at = |price: i64| {
                let mut changed = list.clone();
                changed[winner].price_minor = Some(price);
                rank(&changed)[0] == winner
            };
            prop_assert!(first_at(least));
            prop_assert!(least == 0 || !first_at(least - 1));
        }
    }

    /// Nobody pays more than it bid, nor less than floor and reserve allow, unless it bid less itself.
    #[test]
    fn nobody_pays_more_than_it_bid(list in bids(), increment in -5i64..50, least in 0i64..300) {
        let ranking = rank(&list);
        let winner = &list[ranking[0]];
        let runner_up = ranking.get(1).map(|at| (&list[*at], list[*at].price_minor.unwrap()));
        let own = winner.price_minor.unwrap();
        let price = second_price(winner, runner_up, own, increment, least);
        prop_assert!(price <= own && price >= least.min(own));
    }
}
