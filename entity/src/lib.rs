//! SeaORM models, one file per table, and the only queries and transactions there are.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod error;
pub mod keyring;
pub mod model;
pub mod store;

pub use error::{StoreError, StoreResult};
pub use keyring::{IndexHash, Keyring, MasterKeys};
pub use store::{Engine, Read, Store, StoreOptions, TasksDue, Write};
