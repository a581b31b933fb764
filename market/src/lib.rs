//! The business: intake, placement, settlement; pure rules and the use cases around them.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod rules;
