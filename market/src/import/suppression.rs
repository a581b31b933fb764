//! Importing suppression lists: who must not be taken in. Only keyed hashes are kept.

use std::collections::BTreeSet;
use std::io::{Read, Seek};

use leadyard_entity::suppression::Suppressed;
use leadyard_types::{CampaignId, FieldKind, FieldProblem, Principal};
use serde::Serialize;

use super::postal::may_set_up;
use super::refused::{Refused, RefusedRow};
use super::table::{Table, TableOptions};
use super::{ImportError, Progress, finish, refuse};
use crate::market::Market;
use crate::rules::value;
use crate::suppression::{contact_kind, suppressed};

/// Entries written by one transaction.
const ENTRIES_PER_TRANSACTION: usize = 2_000;
/// Headings of columns that hold a way to reach somebody; which way is told by the value.
const HEADINGS: [&str; 12] = [
    "email",
    "e-mail",
    "e_mail",
    "mail",
    "phone",
    "telephone",
    "phone_number",
    "tel",
    "mobile",
    "telefon",
    "contact",
    "value",
];

/// What to import.
pub struct SuppressionImport<'a> {
    /// The market.
    pub market: &'a Market,
    /// On whose behalf.
    pub principal: Principal,
    /// Only for this campaign; everywhere where not given.
    pub campaign_id: Option<CampaignId>,
    /// The country of phone numbers without a country code; the campaign's where not given.
    pub country: Option<String>,
    /// Why, for the record.
    pub reason: String,
}

/// What came of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SuppressionSummary {
    /// Rows that are not blank.
    pub rows: u64,
    /// Rows that could not be used.
    pub broken: u64,
    /// Addresses and numbers added now.
    pub added: u64,
    /// Those on the list before, and repetitions in the file.
    pub repeated: u64,
}

/// Imports a list of e-mail addresses and phone numbers: columns headed `email` and `phone`, or one column without
/// headings.
///
/// # Errors
/// A file that cannot be used, an unknown campaign, a store that fails, a caller who may not.
pub async fn import_suppression<R: Read + Seek>(
    plan: &SuppressionImport<'_>,
    file: R,
    refused: &mut dyn Refused,
    progress: &mut dyn Progress,
) -> Result<SuppressionSummary, ImportError> {
    if !may_set_up(plan.principal) {
        return Err(ImportError::Unknown("import for your role"));
    }
    let snapshot = plan.market.refresh().await?;
    let campaign = plan.campaign_id.map(|id| snapshot.campaigns.get(&id).ok_or(ImportError::Unknown("campaign")));
    let campaign = campaign.transpose()?;
    let country =
        plan.country.clone().or_else(|| campaign.map(|campaign| campaign.country.clone())).unwrap_or_default();
    let mut table = Table::open(file, &TableOptions::default())?;
    let mut list = List { plan, country, entries: BTreeSet::new(), values: 0, summary: SuppressionSummary::default() };
    let columns: Vec<usize> = HEADINGS.iter().filter_map(|heading| table.position(heading)).collect();
    let columns = match (columns.is_empty(), table.columns.clone().as_slice()) {
        (false, _) => columns,
        // One column without headings: the first line is an entry already.
        (true, [first]) => {
            table.without_headings();
            list.take(1, &[first.as_str()], refused)?;
            vec![0]
        }
        (true, _) => {
            let message = "a column headed `email` or `phone` is expected";
            let problem = FieldProblem::new("email", "UNKNOWN_COLUMN", message);
            return Err(ImportError::misfit(vec![problem], &[]));
        }
    };
    while let Some(row) = table.next_row()? {
        match row {
            Ok(row) => {
                let values: Vec<&str> =
                    columns.iter().filter_map(|at| row.values.get(*at).map(|value| value.trim())).collect();
                list.take(row.line, &values, refused)?;
            }
            Err(broken) => {
                list.summary.rows += 1;
                list.summary.broken += 1;
                refuse(refused, &broken.into())?;
            }
        }
        if list.entries.len() >= ENTRIES_PER_TRANSACTION {
            list.write().await?;
            progress.at(table.read_bytes(), table.facts.bytes, list.summary.rows);
        }
    }
    list.write().await?;
    finish(refused, progress, table.facts.bytes, list.summary.rows)?;
    list.record(&table.facts.hash()).await?;
    Ok(list.summary)
}

struct List<'a> {
    plan: &'a SuppressionImport<'a>,
    country: String,
    entries: BTreeSet<Suppressed>,
    values: u64,
    summary: SuppressionSummary,
}

impl List<'_> {
    /// Takes a row: every way to reach somebody in it, or none if one cannot be read.
    fn take(&mut self, line: u64, values: &[&str], refused: &mut dyn Refused) -> Result<(), ImportError> {
        self.summary.rows += 1;
        let given = values.iter().filter(|value| !value.is_empty());
        let entries: Result<Vec<Suppressed>, FieldProblem> = given.map(|value| self.entry(value)).collect();
        match entries {
            Ok(entries) if entries.is_empty() => {
                let problem = FieldProblem::new("", "REQUIRED", "an e-mail address or a phone number is expected");
                self.refuse(line, problem, refused)
            }
            Ok(entries) => {
                self.values += entries.len() as u64;
                self.entries.extend(entries);
                Ok(())
            }
            Err(problem) => self.refuse(line, problem, refused),
        }
    }

    fn refuse(&mut self, line: u64, problem: FieldProblem, refused: &mut dyn Refused) -> Result<(), ImportError> {
        self.summary.broken += 1;
        refuse(refused, &RefusedRow::format(line, vec![problem]))
    }

    /// The keyed hash of a value, normalised as check 2 does it.
    fn entry(&self, text: &str) -> Result<Suppressed, FieldProblem> {
        let kind = contact_kind(text);
        let name = if kind == FieldKind::Phone { "phone" } else { "email" };
        let problem = |fault: value::Fault| match kind {
            FieldKind::Phone if self.country.is_empty() => {
                let message = "an e-mail address, or a number with its country code, is expected; --country says where \
                               numbers without one belong";
                FieldProblem::new(name, fault.code, message)
            }
            _ => FieldProblem::new(name, fault.code, fault.message),
        };
        suppressed(self.plan.market.store.keyring(), text, &self.country).map_err(problem)
    }

    async fn write(&mut self) -> Result<(), ImportError> {
        let entries: Vec<Suppressed> = std::mem::take(&mut self.entries).into_iter().collect();
        let values = std::mem::take(&mut self.values);
        if entries.is_empty() {
            return Ok(());
        }
        let write = self.plan.market.store.write(self.plan.principal).await?;
        let added = write.suppress(&entries, self.plan.campaign_id, &self.plan.reason).await?;
        let _ = write.commit().await?;
        self.summary.added += added;
        self.summary.repeated += values - added;
        Ok(())
    }

    async fn record(&self, file_hash: &str) -> Result<(), ImportError> {
        let detail = serde_json::json!({ "file_hash": file_hash, "added": self.summary.added });
        let write = self.plan.market.store.write(self.plan.principal).await?;
        write.audit("import", "suppression", self.plan.campaign_id.map(|id| id.0), &detail).await?;
        let _ = write.commit().await?;
        Ok(())
    }
}
