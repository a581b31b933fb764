//! Decisions: the published checks, in their order, and what a routing run says about every contract.

use serde::{Deserialize, Serialize};

use crate::auction::{BidSeen, DecidedBy};
use crate::id::{BuyerId, ContractId, RevisionId};
use crate::words;

words! {
    /// The checks of the domain page, in the published order; live intake, explanation and simulation share it.
    pub enum Check("check") {
        /// 1: source and campaign active, source hours, source caps.
        Source = "SOURCE",
        /// 2: fields known, typed, required.
        Fields = "FIELDS",
        /// 3: suppression lists.
        Suppression = "SUPPRESSION",
        /// 4: consent present, not expired, purpose fits.
        Consent = "CONSENT",
        /// 5: duplicate.
        Duplicate = "DUPLICATE",
        /// 6: paid verifications.
        Verification = "VERIFICATION",
        /// 7: score and its threshold.
        Score = "SCORE",
        /// 8: contract active.
        ContractActive = "CONTRACT_ACTIVE",
        /// 8: buyer active.
        BuyerActive = "BUYER_ACTIVE",
        /// 8: tests go to contracts in test mode, and to those only.
        TestMode = "TEST_MODE",
        /// 8: within the contract's hours.
        Hours = "HOURS",
        /// 8: the contract's filters.
        Filters = "FILTERS",
        /// 8: source allowed or denied.
        SourceList = "SOURCE_LIST",
        /// 8: not sold to this buyer or its group before.
        AlreadySold = "ALREADY_SOLD",
        /// 8: the consent names the buyer, if asked.
        ConsentNamesBuyer = "CONSENT_NAMES_BUYER",
        /// 8: caps of contract, buyer and campaign.
        Caps = "CAPS",
        /// 8: available balance.
        Balance = "BALANCE",
        /// 8: the buyer, asked for a bid, made none in time.
        Bid = "BID",
        /// 9: the campaign's floor.
        Floor = "FLOOR",
        /// 9: the contract takes part in a stage of the campaign, and its exclusivity fits the sale mode.
        Stage = "STAGE",
        /// 9: eligible, but another contract was chosen.
        NotChosen = "NOT_CHOSEN",
        /// 9: the buyer answered no to the post.
        BuyerRefused = "BUYER_REFUSED",
        /// Nobody bought the lead.
        NoBuyer = "NO_BUYER",
        /// Nobody bought the lead at a price that keeps what its supplier was promised.
        PromiseLapsed = "PROMISE_LAPSED",
    }
}

/// Something seen by a check: its name and its value, as shown to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// What was looked at, for example `sold today` or `postal_code`.
    pub name: String,
    /// What was found, for example `50 of 50`.
    pub value: String,
}

impl Seen {
    /// A value seen.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// Why a check said no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Which check.
    pub check: Check,
    /// A sentence for a person.
    pub message: String,
    /// The values it saw.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<Seen>,
}

impl Refusal {
    /// A refusal without values.
    pub fn new(check: Check, message: impl Into<String>) -> Self {
        Self { check, message: message.into(), seen: Vec::new() }
    }

    /// Adds a value that was seen.
    #[must_use]
    pub fn seeing(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.seen.push(Seen::new(name, value));
        self
    }
}

/// What a routing run says about one contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractVerdict {
    /// The contract.
    pub contract_id: ContractId,
    /// Its buyer.
    pub buyer_id: BuyerId,
    /// The revision of its terms that was used.
    pub revision_id: RevisionId,
    /// The stage it took part in.
    pub stage: String,
    /// The price for this lead, minor units, and the name of the rule that set it.
    pub price_minor: i64,
    /// The price rule that matched last, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_rule: Option<String>,
    /// Its place in the stage's order, 1 first, if it was eligible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<u32>,
    /// What its buyer answered when asked for a bid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bid: Option<BidSeen>,
    /// What put it before the next in an auction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<DecidedBy>,
    /// The least price at which it would have won the auction it lost, minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub would_win_at_minor: Option<i64>,
    /// Why not; absent for a winner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
}
