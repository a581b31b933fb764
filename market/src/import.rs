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
    /// The file cannot be read.
    #[error("the file cannot be read")]
    File(#[from] std::io::Error),
    /// The file of refused rows cannot be written.
    #[error("the refused rows cannot be written")]
    Refused(#[source] std::io::Error),
    /// There is nothing in the file.
    #[error("the file is empty: a line of headings is expected")]
    Empty,
    /// The line of headings is broken.
    #[error("the headings, line {}: {}", .0.line, .0.message)]
    Headings(rows::BrokenRow),
    /// The mapping does not fit the file or the vertical.
    #[error("the mapping does not fit:{}", listed(problems, columns))]
    Mapping {
        /// Everything that is wrong, by its place in the mapping.
        problems: Vec<FieldProblem>,
        /// The file's columns, where something is wrong with them.
        columns: Vec<String>,
    },
    /// There is no such thing.
    #[error("there is no such {0}")]
    Unknown(&'static str),
    /// More than can be added up at once.
    #[error("more than {0} figures: split the file")]
    TooMany(usize),
    /// The store failed.
    #[error("the import stopped; run it again, what was taken is not taken twice")]
    Store(#[from] StoreError),
}

/// The most columns a message lists.
const LISTED_MAX: usize = 40;

/// One problem a line, then the columns there are.
fn listed(problems: &[FieldProblem], columns: &[String]) -> String {
    let mut lines: Vec<String> = problems
        .iter()
        .map(|problem| format!("\n  {}: {} ({})", problem.field, problem.message, problem.code))
        .collect();
    if !columns.is_empty() {
        let names: Vec<String> = columns.iter().take(LISTED_MAX).map(|column| format!("`{column}`")).collect();
        let more = columns.len().saturating_sub(LISTED_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        lines.push(format!("\n  the file's columns: {}{more}", names.join(", ")));
    }
    lines.concat()
}

impl ImportError {
    /// A mapping or a table that does not fit; the columns are told where one of them was looked for.
    fn misfit(problems: Vec<FieldProblem>, columns: &[String]) -> Self {
        let is_column =
            |problem: &FieldProblem| ["UNKNOWN_COLUMN", "AMBIGUOUS_COLUMN"].contains(&problem.code.as_str());
        let columns = if problems.iter().any(is_column) { columns.to_vec() } else { Vec::new() };
        Self::Mapping { problems, columns }
    }
}

fn refuse(refused: &mut dyn Refused, row: &RefusedRow) -> Result<(), ImportError> {
    refused.refuse(row).map_err(ImportError::Refused)
}

/// Ends an import: the last refused rows are written, and whoever watches is told that it is done.
fn finish(refused: &mut dyn Refused, progress: &mut dyn Progress, bytes: u64, rows: u64) -> Result<(), ImportError> {
    refused.finish().map_err(ImportError::Refused)?;
    progress.at(bytes, bytes, rows);
    Ok(())
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
