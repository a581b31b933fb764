//! The demo's market and its people, from a seed: the same seed gives the same market and the same enquiries.

pub mod complaints;
pub mod market;
pub mod people;
pub mod tour;
