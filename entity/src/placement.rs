//! What placing leads reads and writes: everything set-based, for a batch of leads in one transaction.

mod counters;
mod lookups;
mod writes;

pub use counters::{CapOwner, CounterKey, CounterUse, Counters};
pub use lookups::{FingerprintHit, LeadStanding, PriorSale, StoredAnswer};
pub use writes::{LeadUpdate, NewEvent, PlacementWrites, UnsealedLead};
pub(crate) use writes::{open_consent, open_fields, person_key};
