//! The words of auctions and pings: what a stage says about its auction, and what buyers answer when they are asked.

use serde::{Deserialize, Serialize};

use crate::id::PingId;
use crate::money::Percent;
use crate::time::Timestamp;
use crate::words;

words! {
    /// What happens after a stage that sold.
    pub enum OnSold("rule after a sale") {
        /// Later stages are not tried.
        Stop = "STOP",
        /// Later stages fill the places that are left.
        Continue = "CONTINUE",
    }
}

words! {
    /// What the winner of an auction pays.
    pub enum Pricing("pricing") {
        /// Its own bid.
        First = "FIRST",
        /// The least with which it would still win, plus the increment.
        Second = "SECOND",
    }
}

words! {
    /// What put one bid before the next: the published order of ties.
    pub enum DecidedBy("deciding key") {
        /// What it is expected to bring, net of complaints.
        Net = "NET",
        /// The higher price.
        Price = "PRICE",
        /// The lower complaint rate.
        ComplaintRate = "COMPLAINT_RATE",
        /// The longest time without a sale.
        LongestWithoutSale = "LONGEST_WITHOUT_SALE",
        /// The contract's id: nothing else told them apart.
        ContractId = "CONTRACT_ID",
    }
}

words! {
    /// What came of asking a buyer for a bid.
    pub enum PingVerdict("ping verdict") {
        /// A bid, in time and understood.
        Bid = "BID",
        /// The buyer does not want the lead.
        NoBid = "NO_BID",
        /// The buyer has the person already.
        Duplicate = "DUPLICATE",
        /// The answer is not understood, or its price is absurd, negative or of another currency.
        Invalid = "INVALID",
        /// No answer in time; what came later never won.
        Late = "LATE",
        /// The buyer could not be reached, or answered with an error.
        Failed = "FAILED",
    }
}

/// What a campaign says about a stage's auction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuctionTerms {
    /// What the winner pays.
    pub pricing: Pricing,
    /// Added to a second price, minor units.
    #[serde(default)]
    pub increment_minor: i64,
    /// The least a second price comes to, minor units; the floor holds besides.
    #[serde(default)]
    pub reserve_minor: i64,
    /// How long buyers have to answer a ping, milliseconds.
    #[serde(default = "default_deadline_ms")]
    pub deadline_ms: u32,
}

/// Time for a handshake over the sea and a buyer's own decision, while a visitor waits.
const fn default_deadline_ms() -> u32 {
    3_000
}

impl Default for AuctionTerms {
    fn default() -> Self {
        Self { pricing: Pricing::First, increment_minor: 0, reserve_minor: 0, deadline_ms: default_deadline_ms() }
    }
}

/// What the operator keeps of a price when it quotes a supplier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "SCREAMING_SNAKE_CASE", deny_unknown_fields)]
pub enum Margin {
    /// A share of the price.
    Percent {
        /// The operator's share.
        percent: Percent,
    },
    /// A fixed amount.
    Amount {
        /// Minor units.
        amount_minor: i64,
    },
}

/// What a routing run saw of a buyer's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BidSeen {
    /// The ping.
    pub ping_id: PingId,
    /// What came of it.
    pub verdict: PingVerdict,
    /// The price to be the only buyer (or at all), minor units of the campaign's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_minor: Option<i64>,
    /// The prices where two, three … buy, minor units; the last holds for more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_minor: Vec<i64>,
    /// Why there is no bid, in the buyer's words or ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the bid ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}
