//! What a buyer sets on its contract by itself, and the bounds within which the operator lets it.
//!
//! The operator's terms and the buyer's settings stand side by side in the contract's terms; which of the buyer's settings
//! hold is one rule of the market, by which every part of it goes.

use serde::{Deserialize, Serialize};

use crate::filter::Filter;
use crate::terms::{Cap, Schedule};

/// Which prices a buyer may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceBounds {
    /// The least, minor units; not below the campaign's floor.
    pub min_minor: i64,
    /// The most, minor units.
    pub max_minor: i64,
    /// Counted from the least in steps of so many minor units.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub step_minor: i64,
}

const fn one() -> i64 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the serialiser asks by reference")]
const fn is_one(step: &i64) -> bool {
    *step == 1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the serialiser asks by reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// What a buyer may set on its contract, and within which limits. What is absent it may not set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuyerBounds {
    /// Its price: what it bids where no price rule matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<PriceBounds>,
    /// Its own caps: the periods, and the most it may set for each. Beside them the contract's caps hold as ever.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caps: Vec<Cap>,
    /// Its own filter: by which keys it may restrict. Keys are the vertical's fields that are not personal, and
    /// `postal_code`, `state`, `country`, `consent_age`, `score`, `source`, `time`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filter_keys: Vec<String>,
    /// Its own hours, within the contract's.
    #[serde(default, skip_serializing_if = "is_false")]
    pub schedule: bool,
    /// Whether it may pause, and end its own pause.
    #[serde(default, skip_serializing_if = "is_false")]
    pub pause: bool,
}

/// What a buyer set. All of it but the price can only narrow what the contract buys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuyerSettings {
    /// Its price where no price rule matches, minor units; absent = the contract's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_minor: Option<i64>,
    /// Its own caps, counted in the same buckets as the contract's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caps: Vec<Cap>,
    /// Which leads of those that the contract's filter lets through; absent = all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// When, within the contract's hours; absent = always then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// Whether it paused. The contract's status is another matter.
    #[serde(default, skip_serializing_if = "is_false")]
    pub paused: bool,
}

impl BuyerSettings {
    /// Whether nothing is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
