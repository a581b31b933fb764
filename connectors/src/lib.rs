//! The outside world: one guarded HTTP client and a folder per remote system.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod attempted;
mod crypto;
#[cfg(any(test, feature = "fake"))]
pub mod fake;
pub mod http;
pub mod package;
pub mod redact;
pub mod schedule;
pub mod template;
pub mod webhook;

pub use attempted::Attempted;
pub use crypto::install_crypto;
