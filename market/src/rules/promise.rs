//! What a supplier is promised when it pings, and what keeps the promise when it posts (decisions 19 and 21).
//!
//! The quote is what the supplier gets of the sale that would be made now: the price less the operator's margin, or what
//! its cost model pays. At the post a sale keeps the promise if the supplier gets at least as much, and the operator does
//! not pay more than it takes.

use leadyard_types::{Margin, Percent};
use serde::{Deserialize, Serialize};

/// What a supplier gets of a sale's price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "gets", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SupplierShare {
    /// The price less what the operator keeps.
    LessMargin {
        /// What the operator keeps.
        margin: Margin,
    },
    /// A share of the price.
    Share {
        /// The supplier's share.
        percent: Percent,
    },
    /// The same whatever the price, once per lead.
    Fixed {
        /// Minor units.
        amount_minor: i64,
    },
}

impl SupplierShare {
    /// What the supplier gets of a price, minor units, never negative. Split by subtraction: margin and share together
    /// are the price.
    #[must_use]
    pub fn of(self, price_minor: i64) -> i64 {
        match self {
            Self::LessMargin { margin: Margin::Percent { percent } } => {
                price_minor - percent.of(price_minor).unwrap_or(price_minor).clamp(0, price_minor.max(0))
            }
            Self::LessMargin { margin: Margin::Amount { amount_minor } } => {
                price_minor.saturating_sub(amount_minor).max(0)
            }
            Self::Share { percent } => percent.of(price_minor).unwrap_or(price_minor),
            Self::Fixed { amount_minor } => amount_minor,
        }
    }

    /// Whether a sale at a price, alone, keeps what was promised.
    #[must_use]
    pub fn keeps(self, price_minor: i64, promise_minor: i64) -> bool {
        price_minor >= promise_minor && self.of(price_minor) >= promise_minor
    }

    /// The least price that keeps a promise; `None` where none up to `most_minor` does. What the supplier gets never
    /// falls as the price rises, so it is found by halving.
    #[must_use]
    pub fn least_price(self, promise_minor: i64, most_minor: i64) -> Option<i64> {
        let (mut low, mut high) = (promise_minor.max(0), most_minor);
        if low > high || !self.keeps(high, promise_minor) {
            return None;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if self.keeps(middle, promise_minor) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Some(low)
    }
}

/// What several sales of one lead bring its supplier, minor units, in their order: a fixed amount comes once, with the
/// first. `paid` says that it came before.
#[must_use]
pub fn legs(sales: &[(SupplierShare, i64)], paid: bool) -> Vec<i64> {
    let mut paid = paid;
    let leg = |(share, price): &(SupplierShare, i64)| match share {
        SupplierShare::Fixed { .. } if paid => 0,
        SupplierShare::Fixed { amount_minor } => {
            paid = true;
            *amount_minor
        }
        share => share.of(*price),
    };
    sales.iter().map(leg).collect()
}

/// Whether sales made together keep what was promised: the supplier gets it, and it does not exceed the prices.
#[must_use]
pub fn kept_together(sales: &[(SupplierShare, i64)], promise_minor: i64) -> bool {
    let prices: i64 = sales.iter().map(|(_, price)| price).sum();
    prices >= promise_minor && legs(sales, false).iter().sum::<i64>() >= promise_minor
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    const MOST: i64 = 1_000_000_000;

    fn shares() -> impl Strategy<Value = SupplierShare> {
        let percent = || (0_i64..10_000).prop_map(|basis| Percent(Decimal::new(basis, 2)));
        prop_oneof![
            percent().prop_map(|percent| SupplierShare::LessMargin { margin: Margin::Percent { percent } }),
            (0_i64..20_000)
                .prop_map(|amount_minor| SupplierShare::LessMargin { margin: Margin::Amount { amount_minor } }),
            percent().prop_map(|percent| SupplierShare::Share { percent }),
            (0_i64..20_000).prop_map(|amount_minor| SupplierShare::Fixed { amount_minor }),
        ]
    }

    /// Margin and share are the price, to the cent, and halves go to the even neighbour once.
    #[test]
    fn margins_are_subtracted() {
        let half =
            |basis| SupplierShare::LessMargin { margin: Margin::Percent { percent: Percent(Decimal::new(basis, 1)) } };
        assert_eq!((half(200).of(4_500), half(125).of(4_100), half(500).of(5)), (3_600, 3_588, 3));
        let fixed = SupplierShare::LessMargin { margin: Margin::Amount { amount_minor: 700 } };
        assert_eq!((fixed.of(4_500), fixed.of(700), fixed.of(300)), (3_800, 0, 0));
        assert_eq!(SupplierShare::Share { percent: Percent(60.into()) }.of(4_501), 2_701);
        assert_eq!(SupplierShare::Fixed { amount_minor: 900 }.of(4_500), 900);
    }

    /// A fixed amount is promised once, however many buy; shares are promised for each sale.
    #[test]
    fn fixed_amounts_come_once() {
        let fixed = SupplierShare::Fixed { amount_minor: 900 };
        let share = SupplierShare::Share { percent: Percent(50.into()) };
        assert_eq!(legs(&[(share, 2_000), (fixed, 2_000), (fixed, 1_000)], false), [1_000, 900, 0]);
        assert_eq!(legs(&[(fixed, 2_000), (share, 1_000)], true), [0, 500]);
        assert!(kept_together(&[(share, 2_000), (share, 1_000)], 1_500));
        assert!(!kept_together(&[(share, 2_000), (share, 1_000)], 1_501));
        assert!(!kept_together(&[(fixed, 500)], 900), "the operator does not pay more than it takes");
    }

    proptest! {
        /// The least price keeps the promise, one less does not, and every higher one does.
        #[test]
        fn the_least_price_is_the_least(share in shares(), promise in 0_i64..100_000, more in 0_i64..100_000) {
            match share.least_price(promise, MOST) {
                Some(least) => {
                    prop_assert!(share.keeps(least, promise));
                    prop_assert!(share.keeps((least + more).min(MOST), promise));
                    prop_assert!(least == promise.max(0) || !share.keeps(least - 1, promise));
                }
                None => prop_assert!(!share.keeps(MOST, promise)),
            }
        }

        /// What was quoted for a sale is kept by the same sale, alone and together with others.
        #[test]
        fn a_quote_is_kept_by_the_sale_it_came_from(
            sales in prop::collection::vec((shares(), 0_i64..50_000), 1..5),
        ) {
            let quoted: i64 = legs(&sales, false).iter().sum();
            let prices: i64 = sales.iter().map(|(_, price)| price).sum();
            prop_assert_eq!(kept_together(&sales, quoted), prices >= quoted);
            let (share, price) = sales[0];
            let alone = share.of(price);
            prop_assert_eq!(share.keeps(price, alone), price >= alone);
        }
    }
}
