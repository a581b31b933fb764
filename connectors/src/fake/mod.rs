//! Remote systems for the demo and the tests: real servers on loopback, programmable, with counters to check against.
//!
//! They are proven by somebody else's clients (plain reqwest and lettre, in this room's tests).

mod behaviour;
mod bidder;
mod receiver;
mod server;
mod smtp;
#[cfg(test)]
mod tests;

pub use behaviour::Behaviour;
pub use bidder::{Asked, Bidding, Computing, FakeBidder, Offer};
pub use receiver::{FakeReceiver, Message};
pub use smtp::{FakeSmtp, Mail, SmtpBehaviour};
