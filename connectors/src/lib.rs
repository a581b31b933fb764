//! The outside world: one guarded HTTP client and a folder per remote system.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod crypto;
pub mod http;
pub mod package;
pub mod redact;
pub mod schedule;
pub mod template;

pub use crypto::install_crypto;
