//! Importing files: leads, postal codes, conversions, suppression lists, ad spend.
//!
//! A file of any size is read in constant memory; a bad row is reported by its number and stops nothing; running an
//! import again is safe.

mod ad_spend;
mod conversions;
mod leads;
pub mod mapping;
mod postal;
mod refused;
pub mod rows;
mod shape;
mod suppression;
mod table;
pub mod text;

use leadyard_entity::StoreError;
use leadyard_types::FieldProblem;

pub use ad_spend::{AdSpendSummary, import_ad_spend};
pub use conversions::{ConversionSummary, import_conversions};
pub use leads::{LeadImport, LeadSummary, import_leads};
pub use mapping::Mapping;
pub use postal::{PostalSummary, import_postal_codes};
pub use refused::{Refused, RefusedFile, RefusedRow, harmless};
pub use suppression::{SuppressionImport, SuppressionSummary, import_suppression};
pub use table::{Table, TableOptions};

/// Why an import ended early. What was taken before stays, and running it again does not take it twice.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read, or the file of refused rows cannot be written.
    #[error("the file failed: {0}")]
    File(#[from] std::io::Error),
    /// There is nothing in the file.
    #[error("the file is empty: a line of headings is expected")]
    Empty,
    /// The line of headings is broken.
    #[error("the headings, line {}: {}", .0.line, .0.message)]
    Headings(rows::BrokenRow),
    /// The mapping does not fit the file or the vertical.
    #[error("the mapping does not fit: {}", listed(.0))]
    Mapping(Vec<FieldProblem>),
    /// There is no such thing.
    #[error("there is no such {0}")]
    Unknown(&'static str),
    /// The store failed.
    #[error("the import stopped; run it again, what was taken is not taken twice: {0}")]
    Store(#[from] StoreError),
}

fn listed(problems: &[FieldProblem]) -> String {
    problems.iter().map(|problem| format!("{}: {}", problem.field, problem.message)).collect::<Vec<_>>().join("; ")
}

/// Who watches an import.
pub trait Progress {
    /// How far it is: bytes of the file read, of how many, and rows done.
    fn at(&mut self, read_bytes: u64, all_bytes: u64, rows: u64);
}

/// Nobody watches.
impl Progress for () {
    fn at(&mut self, _: u64, _: u64, _: u64) {}
}
