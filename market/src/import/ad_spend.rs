//! Importing ad spend: what a source's ads cost per day. A corrected figure books the difference.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use chrono::NaiveDate;
use leadyard_types::{FieldProblem, Principal, Role, SourceId};
use serde::Serialize;

use super::conversions::minor;
use super::refused::{Refused, RefusedRow};
use super::rows::Row;
use super::table::{Table, TableOptions};
use super::{ImportError, Progress, finish, refuse};
use crate::finance::{AdSpendLine, FinanceError, record_ad_spend};
use crate::market::Market;
use crate::snapshot::{Snapshot, Source};

/// The most figures in a file: ten years of days for a hundred sources.
const FIGURES_MAX: usize = 400_000;
/// Figures written by one transaction.
const FIGURES_PER_TRANSACTION: usize = 1_000;

/// What came of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AdSpendSummary {
    /// Rows that are not blank.
    pub rows: u64,
    /// Rows that could not be used.
    pub broken: u64,
    /// Figures of a source and day that were new or differed.
    pub booked: u64,
    /// Figures known before.
    pub repeated: u64,
}

/// Imports ad spend: headings `day` and `amount`, and `source` (name or id) where no source is given. Several rows of
/// a source and day are added up.
///
/// # Errors
/// A file that cannot be used, an unknown source, a store that fails, a caller who may not.
pub async fn import_ad_spend<R: Read + Seek>(
    market: &Market,
    principal: Principal,
    source_id: Option<SourceId>,
    file: R,
    refused: &mut dyn Refused,
    progress: &mut dyn Progress,
) -> Result<AdSpendSummary, ImportError> {
    match principal {
        Principal::System(_) | Principal::Staff { role: Role::Admin | Role::Finance, .. } => {}
        _ => return Err(ImportError::Unknown("import for your role")),
    }
    let snapshot = market.refresh().await?;
    if source_id.is_some_and(|id| !snapshot.sources.contains_key(&id)) {
        return Err(ImportError::Unknown("source"));
    }
    let mut table = Table::open(file, &TableOptions::default())?;
    let column = |name: &str| {
        let message =
            "headings `day`, `amount` and, where no source is named for the whole file, `source` are expected";
        let problem = FieldProblem::new(name, "UNKNOWN_COLUMN", message);
        table.position(name).ok_or(ImportError::misfit(vec![problem], &table.columns))
    };
    let columns = Columns {
        day: column("day").or_else(|_| column("date"))?,
        amount: column("amount").or_else(|_| column("cost"))?,
        source: if source_id.is_some() { None } else { Some(column("source")?) },
    };
    let mut summary = AdSpendSummary::default();
    let mut figures: BTreeMap<(SourceId, NaiveDate), i64> = BTreeMap::new();
    while let Some(row) = table.next_row()? {
        summary.rows += 1;
        let figure = match row {
            Ok(row) => {
                let line = row.line;
                figure(&snapshot, source_id, &columns, &row).map_err(|problem| RefusedRow::format(line, vec![problem]))
            }
            Err(broken) => Err(broken.into()),
        };
        match figure {
            Ok(line) if figures.len() < FIGURES_MAX => {
                let sum = figures.entry((line.source_id, line.day)).or_insert(0);
                *sum = sum.saturating_add(line.amount_minor);
            }
            Ok(_) => return Err(ImportError::TooMany(FIGURES_MAX)),
            Err(row) => {
                summary.broken += 1;
                refuse(refused, &row)?;
            }
        }
        if summary.rows % 1_024 == 0 {
            progress.at(table.read_bytes(), table.facts.bytes, summary.rows);
        }
    }
    let lines: Vec<AdSpendLine> = figures
        .into_iter()
        .map(|((source_id, day), amount_minor)| AdSpendLine { source_id, day, amount_minor })
        .collect();
    for chunk in lines.chunks(FIGURES_PER_TRANSACTION) {
        let booked = record_ad_spend(&market.store, principal, chunk).await.map_err(not_booked)? as u64;
        summary.booked += booked;
        summary.repeated += chunk.len() as u64 - booked;
    }
    finish(refused, progress, table.facts.bytes, summary.rows)?;
    Ok(summary)
}

struct Columns {
    day: usize,
    amount: usize,
    source: Option<usize>,
}

fn not_booked(error: FinanceError) -> ImportError {
    match error {
        FinanceError::Store(error) => error.into(),
        FinanceError::Problems(problems) => ImportError::misfit(problems, &[]),
        FinanceError::NotFound(noun) => ImportError::Unknown(noun),
        _ => ImportError::Unknown("import for your role"),
    }
}

fn figure(
    snapshot: &Snapshot,
    source_id: Option<SourceId>,
    columns: &Columns,
    row: &Row,
) -> Result<AdSpendLine, FieldProblem> {
    let get = |at: usize| row.values.get(at).map_or("", |value| value.trim());
    let source = match (source_id, columns.source) {
        (Some(id), _) => snapshot.sources.get(&id).map(AsRef::as_ref),
        (None, Some(at)) => named(snapshot, get(at)),
        (None, None) => None,
    };
    let source = source.ok_or_else(|| FieldProblem::new("source", "UNKNOWN_SOURCE", "there is no such source"))?;
    let campaign = snapshot.campaigns.get(&source.campaign_id);
    let campaign = campaign.ok_or_else(|| FieldProblem::new("source", "UNKNOWN_SOURCE", "its campaign is gone"))?;
    let text = get(columns.day);
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").or_else(|_| NaiveDate::parse_from_str(text, "%d.%m.%Y"));
    let wrong = |_| FieldProblem::new("day", "INVALID_DATE", "a day such as 2026-11-21 or 21.11.2026 is expected");
    Ok(AdSpendLine {
        source_id: source.id,
        day: day.map_err(wrong)?,
        amount_minor: minor(get(columns.amount), campaign.currency)?,
    })
}

/// A source by its id, or by its name where only one has it.
fn named<'a>(snapshot: &'a Snapshot, text: &str) -> Option<&'a Source> {
    if let Ok(id) = text.parse::<SourceId>() {
        return snapshot.sources.get(&id).map(AsRef::as_ref);
    }
    let mut found = snapshot.sources.values().filter(|source| source.name == text);
    let first = found.next()?;
    found.next().is_none().then_some(first.as_ref())
}
