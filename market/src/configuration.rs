//! The configuration as a document: exported, compared with what stands, and applied.
//!
//! A document holds entries (a campaign, a contract …) in the words of the terms. It changes what it names and nothing
//! else: a field that is left out stays as it is, and so does whatever has no entry; what ends is set to `ARCHIVED`.
//! Things refer to each other by name where that is unique, by id otherwise. How a document is spelt as text is the
//! business of whoever reads and writes files; here it is JSON with the lines it came from. All of this is pure: reading
//! what stands and writing what changes is the set-up's.

mod check;
mod diff;
mod document;
mod export;
mod merge;
mod names;
mod plan;
mod secrets;
mod shape;
mod standing;

pub use diff::Difference;
pub use document::{Document, Entry, Fields, Noun, Problem, Problems, Secret, Secrets};
pub use export::export;
pub use plan::{Change, Plan, draft, plan};
pub use shape::field_order;
pub use standing::Standing;

pub(crate) use shape::{head_text, typed};
