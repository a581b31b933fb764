//! Quotes: what a supplier is told when it offers a lead before it sends it.

use serde::{Deserialize, Serialize};

use crate::decision::Check;
use crate::field::FieldProblem;
use crate::id::QuoteId;
use crate::money::Money;
use crate::time::Timestamp;
use crate::words;

words! {
    /// What came of a supplier's ping.
    pub enum QuoteState("quote state") {
        /// A price was promised.
        Offered = "OFFERED",
        /// Nothing was promised.
        Refused = "REFUSED",
    }
}

words! {
    /// The period over which a source's pings are counted.
    pub enum PingPeriod("ping period") {
        /// The minute.
        Minute = "MINUTE",
        /// The campaign's day.
        Day = "DAY",
    }
}

/// How often a source may ping, apart from its caps on leads. No limit = absent, `0` = it may not ping.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PingLimits {
    /// The most pings in a minute of the clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_minute: Option<u32>,
    /// The most pings in a day of the campaign's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_day: Option<u32>,
}

impl PingLimits {
    /// Whether nothing is limited.
    #[must_use]
    pub fn are_none(&self) -> bool {
        self.per_minute.is_none() && self.per_day.is_none()
    }
}

/// What the supplier is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuoteAnswer {
    /// By which the post refers to it.
    pub quote_id: QuoteId,
    /// Whether a price is promised.
    pub state: QuoteState,
    /// What the supplier is promised for each sale: one where the lead goes to one buyer.
    pub legs: Vec<Money>,
    /// What it is promised in all.
    pub price: Option<Money>,
    /// Until when.
    pub expires_at: Option<Timestamp>,
    /// The check that refused.
    pub check: Option<Check>,
    /// What it says, for a person.
    pub message: Option<String>,
    /// Every problem of the fields, if that was the check.
    pub problems: Vec<FieldProblem>,
    /// True if it was a test.
    pub test: bool,
}
