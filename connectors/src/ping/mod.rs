//! Asking buyers for bids: a ping carries what the vertical does not call personal, and hashes where a buyer asks for
//! them; the answer is read by an adapter that each destination describes.

use std::collections::BTreeMap;
use std::time::Duration;

use leadyard_types::{Currency, Fields, PingId, PingVerdict};

/// What a buyer is asked about.
#[derive(Debug, Clone)]
pub struct PingPackage {
    /// The ping's id: the buyer gets it back with the post.
    pub id: PingId,
    /// The vertical's key.
    pub vertical: String,
    /// The campaign's name.
    pub campaign: String,
    /// ISO 3166, two letters.
    pub country: String,
    /// In which the buyer bids.
    pub currency: Currency,
    /// The fields that are not personal, normalised.
    pub fields: Fields,
    /// Normalised personal values by field, only ever sent as hashes and only where the destination names the field.
    pub contacts: BTreeMap<String, String>,
    /// The most buyers the lead goes to; 1 is exclusive.
    pub places: u8,
    /// Whether it is a test.
    pub test: bool,
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PingAnswered {
    /// In the published word.
    pub verdict: PingVerdict,
    /// The bid to be the only buyer (or at all), minor units.
    pub price_minor: Option<i64>,
    /// The bids where two, three … buy, minor units; the last holds for more.
    pub shared_minor: Vec<i64>,
    /// The buyer's mark of the ping; goes back with the post.
    pub reference: Option<String>,
    /// Why there is no bid.
    pub reason: Option<String>,
    /// How long the bid holds, where the buyer says so.
    pub holds_for: Option<Duration>,
    /// The HTTP status, where there was one.
    pub status_code: Option<u16>,
    /// How long it took.
    pub took: Duration,
    /// What was sent; no personal value is in it.
    pub request: String,
    /// The beginning of what was answered, without personal values and secrets.
    pub answer: Option<String>,
}

impl PingAnswered {
    /// An answer without a bid.
    #[must_use]
    pub fn without_bid(verdict: PingVerdict, reason: impl Into<String>) -> Self {
        Self {
            verdict,
            price_minor: None,
            shared_minor: Vec::new(),
            reference: None,
            reason: Some(reason.into()),
            holds_for: None,
            status_code: None,
            took: Duration::ZERO,
            request: String::new(),
            answer: None,
        }
    }
}
