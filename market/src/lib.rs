//! The business: intake → placement → settlement. Pure rules in [`rules`], and the use cases around them, which do
//! load → decide → write.
//!
//! No framework and no database library is known here: the store is reached through `leadyard-entity`, the outside
//! world through `leadyard-connectors`.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod asking;
mod auctioneer;
pub mod auctions;
mod batcher;
mod bidders;
pub mod complaints;
pub mod configuration;
pub mod conversions;
mod defects;
pub mod delivery;
pub mod doctor;
pub mod draft;
pub mod eligibility;
pub mod experiment;
pub mod explain;
pub mod finance;
mod floor;
pub mod import;
pub mod intake;
pub mod lookup;
pub mod market;
pub mod patience;
pub mod people;
pub mod placement;
pub mod quoting;
pub mod reconcile;
pub mod rules;
pub mod settlement;
pub mod setup;
pub mod simulation;
pub mod snapshot;
pub mod standing;
pub mod statement;
pub mod statistics;
pub mod suppression;
pub mod territory;
pub mod verify;
pub mod waiting;

pub use delivery::{Courier, Failure, LaneHealth};
pub use intake::IntakeError;
pub use market::{Market, MarketSettings};
pub use quoting::QuoteError;
