//! Importing leads: every row takes the same way as a lead from any other door, in the file's order, many at once.

use std::collections::{BTreeMap, VecDeque};
use std::io::{Read, Seek};

use leadyard_types::{Check, FieldProblem, LeadAnswer, LeadDraft, LeadState, Principal, Refusal, SourceId};
use serde::Serialize;
use tokio::sync::oneshot;

use super::mapping::Mapping;
use super::refused::{Refused, RefusedRow};
use super::shape::Shape;
use super::table::{Table, TableOptions};
use super::{ImportError, Progress, finish, refuse};
use crate::intake::{IntakeError, Offered, Prepared, prepare};
use crate::market::Market;
use crate::placement::{Job, Work};
use crate::snapshot::Snapshot;

/// The most rows under way at once: two transactions' worth, so that the next is made ready while one commits.
const ROWS_UNDER_WAY_MAX: usize = 1_024;
/// How often progress is told, in rows.
const PROGRESS_ROWS: u64 = 256;

/// What to import.
pub struct LeadImport<'a> {
    /// The market that takes the leads.
    pub market: &'a Market,
    /// On whose behalf.
    pub principal: Principal,
    /// The source they count as.
    pub source_id: SourceId,
    /// How the columns become leads.
    pub mapping: &'a Mapping,
    /// Check the rows as far as possible, and store nothing.
    pub dry_run: bool,
}

/// What came of an import. `rows` = `broken` + `repeated` + `received`, and `received` is the sum of the states.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LeadSummary {
    /// The file's SHA-256.
    pub file_hash: String,
    /// Whether nothing was stored.
    pub dry_run: bool,
    /// Rows that are not blank.
    pub rows: u64,
    /// Rows that could not be read.
    pub broken: u64,
    /// Rows taken in before.
    pub repeated: u64,
    /// Rows taken in before, but with another mapping: nothing was changed.
    pub changed: u64,
    /// Leads taken in now.
    pub received: u64,
    /// Refused by a check.
    pub rejected: u64,
    /// By which check.
    pub rejected_by: BTreeMap<String, u64>,
    /// What was wrong with the rows that are listed as refused, rows refused before included: `CHECK field: CODE`, and
    /// how often.
    pub reasons: BTreeMap<String, u64>,
    /// Set aside for a person to look at.
    pub quarantined: u64,
    /// Sold.
    pub sold: u64,
    /// Nobody bought them.
    pub unsold: u64,
    /// To be offered again.
    pub queued: u64,
    /// Offered to buyers who answer; the workers finish them.
    pub pending: u64,
    /// The most rows kept in memory at once.
    pub rows_under_way_max: usize,
}

/// A row whose answer is awaited.
struct UnderWay {
    line: u64,
    external_id: Option<String>,
    answer: Answer,
}

enum Answer {
    Awaited(oneshot::Receiver<Result<LeadAnswer, IntakeError>>),
    /// The row could not be read. It waits for its turn all the same: refused rows are listed in the file's order.
    Broken(RefusedRow),
    /// A dry run knows what it knows at once.
    Dry(Option<(Refusal, Vec<FieldProblem>)>),
}

/// Imports leads.
///
/// # Errors
/// A file or mapping that cannot be used, an unknown source, a store that fails.
pub async fn import_leads<R: Read + Seek>(
    plan: &LeadImport<'_>,
    file: R,
    refused: &mut dyn Refused,
    progress: &mut dyn Progress,
) -> Result<LeadSummary, ImportError> {
    if !crate::eligibility::may_send(plan.principal, plan.source_id) {
        return Err(ImportError::Unknown("source"));
    }
    let snapshot = plan.market.refresh().await?;
    let mut table = Table::open(file, &plan.mapping.table_options())?;
    let shape = shape(plan, &snapshot, &table.columns)?;
    let mut import = Import {
        plan,
        shape,
        refused,
        under_way: VecDeque::with_capacity(ROWS_UNDER_WAY_MAX),
        summary: LeadSummary { file_hash: table.facts.hash(), dry_run: plan.dry_run, ..LeadSummary::default() },
    };
    while let Some(row) = table.next_row()? {
        import.summary.rows += 1;
        match row {
            Ok(row) => import.begin(row.line, &row.values).await?,
            Err(broken) => {
                let (line, row) = (broken.line, RefusedRow::from(broken));
                import.queue(UnderWay { line, external_id: None, answer: Answer::Broken(row) }).await?;
            }
        }
        if import.summary.rows.is_multiple_of(PROGRESS_ROWS) {
            progress.at(table.read_bytes(), table.facts.bytes, import.summary.rows);
        }
    }
    while let Some(row) = import.under_way.pop_front() {
        import.end(row).await?;
    }
    import.record().await?;
    finish(import.refused, progress, table.facts.bytes, import.summary.rows)?;
    Ok(import.summary)
}

impl Mapping {
    pub(super) fn table_options(&self) -> TableOptions {
        TableOptions { delimiter: self.delimiter, encoding: self.encoding.clone(), columns: self.columns.clone() }
    }
}

fn shape(plan: &LeadImport<'_>, snapshot: &Snapshot, columns: &[String]) -> Result<Shape, ImportError> {
    let source = snapshot.sources.get(&plan.source_id);
    let campaign = source.and_then(|source| snapshot.campaigns.get(&source.campaign_id));
    let campaign = campaign.ok_or(ImportError::Unknown("source"))?;
    let vertical = snapshot.verticals.get(&campaign.vertical_id).ok_or(ImportError::Unknown("vertical"))?;
    Shape::compile(plan.mapping, columns, &vertical.terms, campaign.terms.time_zone)
        .map_err(|problems| ImportError::misfit(problems, columns))
}

struct Import<'a> {
    plan: &'a LeadImport<'a>,
    shape: Shape,
    refused: &'a mut dyn Refused,
    under_way: VecDeque<UnderWay>,
    summary: LeadSummary,
}

impl Import<'_> {
    /// Puts a row's lead into the writer's queue, in the file's order.
    async fn begin(&mut self, line: u64, values: &[String]) -> Result<(), ImportError> {
        let key = format!("{}:{line}", self.summary.file_hash);
        let draft = self.shape.draft(values, self.plan.source_id, key);
        let external_id = draft.external_id.clone();
        let prepared = self.prepare(draft)?;
        let answer = if self.plan.dry_run {
            Answer::Dry(known_refusal(&prepared))
        } else {
            let (reply, answer) = oneshot::channel();
            let job = Job { work: Work::New(Box::new(prepared)), reply };
            self.plan.market.queue.send(job).await.map_err(|_| stopped())?;
            Answer::Awaited(answer)
        };
        self.queue(UnderWay { line, external_id, answer }).await
    }

    /// Adds a row to those under way; ends the oldest where that makes too many.
    async fn queue(&mut self, row: UnderWay) -> Result<(), ImportError> {
        self.under_way.push_back(row);
        if self.under_way.len() > ROWS_UNDER_WAY_MAX
            && let Some(oldest) = self.under_way.pop_front()
        {
            self.end(oldest).await?;
        }
        self.summary.rows_under_way_max = self.summary.rows_under_way_max.max(self.under_way.len());
        Ok(())
    }

    fn prepare(&self, draft: LeadDraft) -> Result<Prepared, ImportError> {
        let market = self.plan.market;
        let snapshot = market.snapshot();
        prepare(&snapshot, market.store.keyring(), draft, market.clock().now(), Offered::Sent).map_err(|error| {
            match error {
                IntakeError::Store(error) => error.into(),
                _ => ImportError::Unknown("source"),
            }
        })
    }

    /// Counts a row's answer.
    async fn end(&mut self, row: UnderWay) -> Result<(), ImportError> {
        let UnderWay { line, external_id, answer } = row;
        let answer = match answer {
            Answer::Broken(row) => {
                self.summary.broken += 1;
                return self.refuse(&row);
            }
            Answer::Dry(None) => {
                self.summary.received += 1;
                return Ok(());
            }
            Answer::Dry(Some((refusal, problems))) => {
                self.summary.received += 1;
                self.count_rejected(refusal.check);
                let row = refused_row(line, refusal.check, &refusal.message, problems);
                return self.refuse(&RefusedRow { external_id, ..row });
            }
            Answer::Awaited(answer) => answer.await.map_err(|_| stopped())?,
        };
        match answer {
            Ok(answer) if answer.repeated => return self.repeated(line, external_id, answer),
            Ok(answer) => return self.received(line, external_id, answer),
            Err(IntakeError::KeyReused) => {
                self.summary.repeated += 1;
                self.summary.changed += 1;
                let message = "this row was imported before with another mapping; nothing was changed";
                let problems = vec![FieldProblem::new("", "IMPORTED_BEFORE", message)];
                self.refuse(&RefusedRow { external_id, ..RefusedRow::format(line, problems) })?;
            }
            Err(IntakeError::Store(error)) if !error.is_transient() => {
                tracing::error!(%error, line, "a row could not be stored");
                self.summary.broken += 1;
                let problems = vec![FieldProblem::new("", "NOT_STORED", "the row could not be stored; see the log")];
                self.refuse(&RefusedRow { external_id, ..RefusedRow::format(line, problems) })?;
            }
            Err(IntakeError::Store(error)) => return Err(error.into()),
            Err(IntakeError::UnknownSource) => return Err(ImportError::Unknown("source")),
            Err(IntakeError::Busy { .. }) => return Err(stopped()),
        }
        Ok(())
    }

    fn received(&mut self, line: u64, external_id: Option<String>, answer: LeadAnswer) -> Result<(), ImportError> {
        let summary = &mut self.summary;
        summary.received += 1;
        match answer.state {
            LeadState::Sold => summary.sold += 1,
            LeadState::Unsold | LeadState::Aged => summary.unsold += 1,
            LeadState::Queued => summary.queued += 1,
            LeadState::Received => summary.pending += 1,
            LeadState::Quarantined => summary.quarantined += 1,
            LeadState::Rejected => {
                self.count_rejected(answer.check.unwrap_or(Check::Fields));
                return self.list(line, external_id, answer);
            }
        }
        Ok(())
    }

    /// A row taken in before is not counted again. Where it was refused it is listed again, so that the file of refused
    /// rows is whole even if the first import was cut off.
    fn repeated(&mut self, line: u64, external_id: Option<String>, answer: LeadAnswer) -> Result<(), ImportError> {
        self.summary.repeated += 1;
        if answer.state == LeadState::Rejected { self.list(line, external_id, answer) } else { Ok(()) }
    }

    fn list(&mut self, line: u64, external_id: Option<String>, answer: LeadAnswer) -> Result<(), ImportError> {
        let lead_id = Some(answer.lead_id.to_string());
        let message = answer.message.unwrap_or_default();
        let row = refused_row(line, answer.check.unwrap_or(Check::Fields), &message, answer.problems);
        self.refuse(&RefusedRow { external_id, lead_id, ..row })
    }

    fn refuse(&mut self, row: &RefusedRow) -> Result<(), ImportError> {
        for problem in &row.problems {
            let reason = format!("{} {}", row.check, problem.named());
            *self.summary.reasons.entry(reason).or_insert(0) += 1;
        }
        refuse(self.refused, row)
    }

    fn count_rejected(&mut self, check: Check) {
        self.summary.rejected += 1;
        *self.summary.rejected_by.entry(check.as_str().to_owned()).or_insert(0) += 1;
    }

    /// Notes in the audit that a file was imported.
    async fn record(&self) -> Result<(), ImportError> {
        if self.plan.dry_run {
            return Ok(());
        }
        let summary = &self.summary;
        let detail = serde_json::json!({
            "file_hash": summary.file_hash, "rows": summary.rows, "received": summary.received, "repeated": summary.repeated,
        });
        let write = self.plan.market.store.write(self.plan.principal).await?;
        write.audit("import_leads", "source", Some(self.plan.source_id.0), &detail).await?;
        let _ = write.commit().await?;
        Ok(())
    }
}

/// A lead that a check refused: its problems, or what the check says where it is not about fields.
fn refused_row(line: u64, check: Check, message: &str, mut problems: Vec<FieldProblem>) -> RefusedRow {
    if problems.is_empty() {
        problems.push(FieldProblem::new("", check.as_str(), message));
    }
    RefusedRow { line, check: check.as_str().to_owned(), problems, external_id: None, lead_id: None }
}

/// The writer is gone: the process is stopping.
fn stopped() -> ImportError {
    ImportError::Store(leadyard_entity::StoreError::Unavailable("the market is stopping".to_owned()))
}

/// The first of the checks that need no database: source (without caps), fields, consent.
fn known_refusal(prepared: &Prepared) -> Option<(Refusal, Vec<FieldProblem>)> {
    if let Some(refusal) = &prepared.source_refusal {
        return Some((refusal.clone(), Vec::new()));
    }
    if !prepared.problems.is_empty() {
        let refusal = Refusal::new(Check::Fields, "some fields are missing or wrong");
        return Some((refusal, prepared.problems.clone()));
    }
    prepared.consent_refusal.clone().map(|refusal| (refusal, Vec::new()))
}
