//! The words every room shares: typed ids, money, time, terms, verdicts, lead payloads.
//!
//! This crate knows no framework and does no I/O. `entity`, `connectors` and `market` stand on it, so that a contract's
//! terms, a lead's fields or a delivery's outcome mean the same thing wherever they are read.

pub mod auction;
pub mod bounds;
pub mod complaint;
pub mod decision;
pub mod delivery;
pub mod field;
pub mod filter;
pub mod id;
pub mod lead;
pub mod ledger;
pub mod mail;
pub mod money;
pub mod principal;
pub mod quote;
pub mod sale;
pub mod scope;
pub mod split;
pub mod task;
pub mod terms;
pub mod time;

pub use auction::{AuctionTerms, BidSeen, DecidedBy, Margin, OnSold, PingVerdict, Pricing};
pub use bounds::{BuyerBounds, BuyerSettings, PriceBounds};
pub use complaint::{ComplaintReason, ComplaintState, ConversionKind};
pub use decision::{Check, ContractVerdict, Refusal};
pub use delivery::{AttemptKind, DeliveryOutcome, DeliveryState, DestinationKind};
pub use field::{FieldDefinition, FieldKind, FieldProblem, FieldValue, Fields, Required};
pub use filter::Filter;
pub use id::*;
pub use lead::{Consent, Door, LeadAnswer, LeadDraft, LeadState};
pub use ledger::{AccountKind, HoldEnd, HoldState, TransferKind};
pub use mail::MailState;
pub use money::{Currency, Money, Percent};
pub use principal::{Principal, Role, SystemTask};
pub use quote::{PingLimits, QuoteAnswer, QuoteState};
pub use sale::{BuyerVerdict, SaleState, SettledBy, Verdict};
pub use scope::{KeyScope, KeyScopes};
pub use split::{Plan, PlanDrawn, PlanSeen, StageSplit};
pub use task::TaskPayload;
pub use terms::{
    BuyerTerms, CampaignTerms, Cap, CapPeriod, ContractTerms, CostModel, Method, PriceRule, SaleMode, Schedule,
    SourceTerms, Stage, Status,
};
pub use time::{Clock, Ids, ManualClock, RandomIds, SeededIds, SystemClock, Timestamp};

/// A step that the state of a thing does not allow, for example selling a lead that was rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a {noun} that is {from} cannot become {to}")]
pub struct InvalidTransition {
    /// What was to change, in the trade's word.
    pub noun: &'static str,
    /// The state it is in.
    pub from: &'static str,
    /// The state that was asked for.
    pub to: &'static str,
}

/// A word stored in the database that this version does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not a known {noun}")]
pub struct UnknownWord {
    /// What the word should have named.
    pub noun: &'static str,
    /// The word found.
    pub value: String,
}

/// Declares an enum of published words: `as_str`, `FromStr`, `Display`, serde and `ALL` use the same spelling
/// everywhere (database, API, log field).
#[macro_export]
macro_rules! words {
    ($(#[$meta:meta])* $vis:vis enum $name:ident ($noun:literal) { $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        $vis enum $name { $($(#[$vmeta])* #[serde(rename = $word)] $variant),+ }
        impl $name {
            /// Every word, in the order they are documented.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];
            /// The published spelling, as stored and as answered.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(self.as_str()) }
        }
        impl std::str::FromStr for $name {
            type Err = $crate::UnknownWord;
            fn from_str(value: &str) -> Result<Self, Self::Err> {
                match value {
                    $($word => Ok($name::$variant),)+
                    _ => Err($crate::UnknownWord { noun: $noun, value: value.to_owned() }),
                }
            }
        }
    };
}
