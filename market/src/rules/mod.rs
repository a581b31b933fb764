//! The rules of the market, pure: no async, no database, no clock, no I/O. The same inputs give the same answer, so
//! that any decision can be replayed exactly.
//!
//! One subject per file. Use cases load the inputs, ask a rule, and write what it said.

pub mod aged;
pub mod auction;
pub mod best;
pub mod bounds;
pub mod cap;
pub mod chance;
pub mod complaint;
pub mod consent;
pub mod distance;
pub mod duplicate;
pub mod facts;
pub mod filter;
pub mod index;
pub mod letter;
pub mod marks;
pub mod method;
pub mod normalise;
pub mod payout;
pub mod people;
pub mod phone;
pub mod postal;
pub mod price;
pub mod promise;
pub mod quote;
pub mod region;
pub mod routing;
pub mod sample;
pub mod schedule;
pub mod split;
pub mod standing;
pub mod territory;
pub mod trial;
pub mod value;
pub mod vertical;
pub mod waiting;
pub mod weighted;

pub(crate) mod chunks;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod intervals;
mod leaf;
mod text;
pub(crate) mod zone;
