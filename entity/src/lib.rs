//! SeaORM models, one file per table, and the only queries and transactions there are.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod audit;
pub mod auth;
pub mod complaints;
pub mod configuration;
pub mod conversions;
pub mod deliveries;
pub mod demo;
pub mod doctor;
pub mod error;
pub mod finance;
pub mod history;
pub mod keyring;
pub mod ledger;
pub mod model;
pub mod pings;
pub mod placement;
pub mod postal;
pub mod quotes;
pub mod read;
pub mod reconcile;
pub mod replay;
pub mod reports;
pub mod scope;
pub mod settlement;
pub mod setup;
mod signals;
mod sql;
mod standing;
pub mod statements;
pub mod store;
pub mod suppression;
pub mod tasks;
#[cfg(feature = "testing")]
pub mod testing;
pub mod waiting;
pub mod workers;
pub mod yardstick;

pub use error::{StoreError, StoreResult};
pub use keyring::{IndexHash, Keyring, MasterKeys};
pub use signals::TaskListener;
pub use store::{Engine, Read, Store, StoreOptions, TasksDue, Write};
