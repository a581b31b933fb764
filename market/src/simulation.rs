//! Simulating: historic leads under other terms (domain page; `decisions` 3 and 6 of the design).
//!
//! The one order of decisions is walked from its beginning. Before the span everything is repeated as it was, so that
//! caps, wallets and rotations stand at its first decision exactly as they stood then. From there on every decision is
//! made again by the rules of placement, and what it changes carries on: room in caps, balances, turns, who was sold to
//! before. Checks 1 to 5 are facts of history, as are recorded bids and verdicts. What nobody recorded is not guessed:
//! it is reported.
//!
//! Nothing is written.

mod caps;
mod lead;
mod reason;
mod report;
mod run;
mod standing;
mod world;

use std::collections::HashMap;

use leadyard_entity::{IndexHash, Read, StoreError, StoreResult};
use leadyard_types::{CampaignId, Principal, SystemTask, Timestamp};
use uuid::Uuid;

use crate::draft::Draft;
use crate::market::Market;
use crate::rules::duplicate::fingerprint_fields;
use report::report;
pub use report::{
    ChangedLead, Compared, CurrencySums, Difference, NotReplayed, SaleShown, SalesOf, Simulation, UnknownBids,
};
use run::{Page, Run, Span, revisions};
use standing::{Revisions, Standing};

/// How many decisions are read at once.
const PAGE: u64 = 500;

/// What is to be simulated.
#[derive(Debug, Clone, Default)]
pub struct SimulationRequest {
    /// From when on; `None` = the beginning.
    pub since: Option<Timestamp>,
    /// Until before when; `None` = the end.
    pub until: Option<Timestamp>,
    /// The terms that differ; none = history itself.
    pub draft: Draft,
    /// The most decisions that are walked through, from the beginning of history on; `None` = any number.
    pub decisions_max: Option<u64>,
}

/// Why nothing was simulated.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// The span ends before it begins.
    #[error("until must be after since")]
    EmptySpan,
    /// History is longer than is walked here.
    #[error(
        "there are {found} decisions, and at most {most} are walked through here; the command line has no such bound"
    )]
    TooLong {
        /// How many there are.
        found: u64,
        /// How many are walked through.
        most: u64,
    },
    /// The draft names something that is not there, or says something that cannot be compiled.
    #[error("the draft cannot be simulated: {0}")]
    Draft(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Market {
    /// Replays history under a draft and compares. `progress` is told how many more decisions are done. The steps
    /// between reads run beside the workers. Writes nothing.
    pub async fn simulate(
        &self,
        request: SimulationRequest,
        mut progress: impl FnMut(u64),
    ) -> Result<Simulation, SimulationError> {
        let span = Span { since: request.since, until: request.until };
        if span.since.zip(span.until).is_some_and(|(since, until)| until <= since) {
            return Err(SimulationError::EmptySpan);
        }
        let snapshot = self.refresh().await?;
        let read = self.store.read(Principal::System(SystemTask::Place));
        if let Some(most) = request.decisions_max {
            let found = read.count_decisions().await?;
            if found > most {
                return Err(SimulationError::TooLong { found, most });
            }
        }
        // Whatever comes while this runs is left out.
        let last_no = read.last_decision_no().await?;
        let campaigns: Vec<CampaignId> = snapshot.campaigns.keys().copied().collect();
        let history = read.terms_history(&campaigns, last_no + 1).await?;
        let standing = Standing::new(snapshot, history, request.draft);
        let limits = read.credit_limits().await?;
        let mut changes = read.wallet_changes().await?;
        let mut run = Run::new(span, standing, changes.clone());
        run.open_wallets(limits);
        changes.retain(|change| change.no.is_none_or(|no| no <= last_no));
        run.wallet_changes = changes.into();
        let mut after = i64::MIN;
        loop {
            let page = self.page(&read, &mut run, after, last_no).await?;
            let Some(last) = page.decisions.last() else { break };
            after = last.no;
            let count = u64::try_from(page.decisions.len()).unwrap_or(PAGE);
            let over = page.decisions.iter().all(|decision| span.has_ended(decision.decided_at));
            run = aside(move || run.walk(page).map(|()| run)).await?;
            progress(count);
            if over {
                break;
            }
        }
        run.settle_before(i64::MAX);
        let leads = read.count_received(span.since, span.until).await?;
        Ok(aside(move || Ok(report(run, leads))).await?)
    }

    /// The next decisions with everything they depend on, in a fixed number of statements.
    async fn page(&self, read: &Read, run: &mut Run, after: i64, last_no: i64) -> StoreResult<Page> {
        let mut page = Page { decisions: read.decisions_after(after, PAGE).await?, ..Page::default() };
        page.decisions.retain(|decision| decision.no <= last_no);
        let mut fresh: Vec<Uuid> = page.decisions.iter().filter(|one| !run.knows(one)).map(|one| one.lead_id).collect();
        fresh.sort_unstable();
        fresh.dedup();
        page.sales = read.sales_of_leads(&fresh).await?;
        page.events = read.sale_events(&fresh).await?;
        page.events.retain(|event| event.no <= last_no);
        page.events.sort_by_key(|event| event.no);
        let span = run.span;
        let inside = |at: Timestamp| span.has_begun(at) && !span.has_ended(at);
        let replayed = || page.decisions.iter().filter(|decision| inside(decision.decided_at));
        let mut wanted: Vec<Uuid> = replayed().map(|decision| decision.lead_id).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let leads = read.open_leads(&wanted).await?.into_iter().map(|lead| (lead.row.id, lead));
        page.leads = leads.collect();
        let used: Vec<Revisions> =
            replayed().filter_map(|decision| Some(revisions(decision, page.leads.get(&decision.lead_id)?))).collect();
        let terms = read.terms_of_revisions(&run.standing.unknown(&used)).await?;
        run.standing.learn(&terms, &used)?;
        for about in replayed() {
            let Some(lead) = page.leads.get(&about.lead_id) else { continue };
            let (campaign, _) = run.standing.historic(&revisions(about, lead))?;
            let keyring = self.store.keyring();
            let fields = fingerprint_fields(&campaign.terms.duplicates, &lead.fields).into_iter();
            let hashes: Vec<IndexHash> = fields.map(|(field, value)| keyring.index_hash(&field, &value)).collect();
            page.fingerprints.insert(about.lead_id, hashes);
        }
        let mut hashes: Vec<IndexHash> = page.fingerprints.values().flatten().copied().collect();
        hashes.sort_unstable();
        hashes.dedup();
        page.hits = if hashes.is_empty() { HashMap::new() } else { read.fingerprints(&hashes).await? };
        Ok(page)
    }
}

/// Runs a step that computes for long beside the workers, so that they go on.
async fn aside<T: Send + 'static>(step: impl FnOnce() -> StoreResult<T> + Send + 'static) -> StoreResult<T> {
    match tokio::task::spawn_blocking(step).await {
        Ok(done) => done,
        Err(error) => Err(StoreError::Fault(format!("a simulation ended early: {error}"))),
    }
}
