//! Placement: the one writer takes whatever leads wait (group commit) and decides them in one short transaction.
//!
//! Under load leads share a transaction, under no load nobody waits. A batch that fails for one row's data is split
//! into singles, so that only the guilty lead fails.

mod batch;
mod decide;
mod looks;
mod outcome;
mod rows;
mod times;

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use leadyard_entity::ledger::AccountKey;
use leadyard_entity::{StoreError, StoreResult, Write};
use leadyard_types::{AccountId, LeadAnswer, LeadId, LeadState, Money, Principal, SystemTask};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::asking::Asked;
use crate::defects::caught;
use crate::intake::{IntakeError, Prepared, prepare};
use crate::market::{ComplaintRates, Market};
use crate::snapshot::Snapshot;

pub(crate) use batch::{Batch, Wallet, counter_key};
pub(crate) use decide::{Moment, Rejection, Screened, Screening, takes_a_place, test_payout_minor};
pub(crate) use looks::{Look, looker};
pub(crate) use rows::{Seen, Subject, outcome_word, payout_of};
pub use times::PlacementTimes;
use times::Step;
pub(crate) use times::Watch;

/// What is to be placed.
pub(crate) enum Work {
    /// A lead that just arrived.
    New(Box<Prepared>),
    /// A stored lead, offered again.
    Again(LeadId, Asked),
}

/// Work and who waits for its answer.
pub(crate) struct Job {
    pub(crate) work: Work,
    pub(crate) reply: oneshot::Sender<Result<LeadAnswer, IntakeError>>,
}

/// What a batch is loaded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It will be written.
    Place,
    /// It is only looked at.
    Look,
}

/// What a batch stands on.
pub(crate) struct Ground {
    pub(crate) transaction: Write,
    /// The configuration that the transaction sees.
    pub(crate) snapshot: Arc<Snapshot>,
    rates: Arc<ComplaintRates>,
}

/// A batch that is written and not committed yet.
struct Written {
    transaction: Write,
    answers: Vec<Result<LeadAnswer, IntakeError>>,
    accounts: HashMap<AccountKey, AccountId>,
    /// When it was.
    at: Instant,
}

/// How often a batch is decided again because the configuration changed under it, before it is given up as busy.
const MAX_REFRESHES: usize = 8;

/// The writer: ends when the market is dropped.
pub(crate) async fn writer(market: Weak<Market>, mut jobs: mpsc::Receiver<Job>) {
    let mut batch = Vec::new();
    loop {
        let limit = market.upgrade().map_or(1, |market| market.settings.batch_leads.max(1));
        if jobs.recv_many(&mut batch, limit).await == 0 {
            return;
        }
        let Some(market) = market.upgrade() else { return };
        Box::pin(market.place_jobs(std::mem::take(&mut batch))).await;
    }
}

impl Market {
    async fn place_jobs(&self, jobs: Vec<Job>) {
        let (mut work, replies): (Vec<Work>, Vec<_>) = jobs.into_iter().map(|job| (job.work, job.reply)).unzip();
        match self.place_batch(&mut work).await {
            Ok(answers) => answers.into_iter().zip(replies).for_each(|(answer, reply)| send(reply, answer)),
            Err(error) if work.len() > 1 && !error.is_transient() => {
                tracing::warn!(%error, leads = work.len(), "a batch failed; its leads are placed one by one");
                for (work, reply) in work.into_iter().zip(replies) {
                    let result = self.place_batch(&mut [work]).await;
                    let answer = result.map_or_else(
                        |error| Err(IntakeError::Store(error)),
                        |mut answers| answers.pop().unwrap_or_else(|| Err(StoreError::corrupt("no answer").into())),
                    );
                    send(reply, answer);
                }
            }
            Err(error) => {
                tracing::error!(%error, leads = work.len(), "leads could not be placed");
                replies.into_iter().for_each(|reply| send(reply, Err(error.again().into())));
            }
        }
    }

    /// One transaction: lock, load, decide, write, commit. A defect that breaks it off is an error of these leads: the
    /// transaction ends with it, and the writer goes on. Where it broke while committing nobody knows what is stored:
    /// whoever comes back gets the answer that is.
    async fn place_batch(&self, work: &mut [Work]) -> StoreResult<Vec<Result<LeadAnswer, IntakeError>>> {
        let written = caught(Box::pin(self.write_batch(work)), StoreError::Fault).await?;
        caught(Box::pin(self.commit_batch(written)), StoreError::Unavailable).await
    }

    /// Everything but the commit.
    async fn write_batch(&self, work: &mut [Work]) -> StoreResult<Written> {
        let began = Instant::now();
        let ground = self.ground(work, Purpose::Place).await?;
        let batch = Batch::load(self, &ground, work).await?;
        let loaded = self.watched(Step::Load, began);
        let accounts = batch.accounts.clone();
        let (writes, answers) = batch.decide()?;
        let decided = self.watched(Step::Decide, loaded);
        let mut transaction = ground.transaction;
        transaction.apply_placement(writes).await?;
        let at = self.watched(Step::Write, decided);
        Ok(Written { transaction, answers, accounts, at })
    }

    async fn commit_batch(&self, written: Written) -> StoreResult<Vec<Result<LeadAnswer, IntakeError>>> {
        let Written { transaction, answers, accounts, at } = written;
        let _ = transaction.commit().await?;
        self.watched(Step::Commit, at);
        self.watch.add_batch(answers.len());
        self.remember_accounts(accounts);
        Ok(answers)
    }

    /// Begins a transaction for work: by the configuration as it is, and with the work prepared by it.
    pub(crate) async fn ground(&self, work: &mut [Work], purpose: Purpose) -> StoreResult<Ground> {
        for _ in 0..MAX_REFRESHES {
            let snapshot = self.snapshot();
            let rates = self.complaint_rates(&snapshot).await?;
            let principal = Principal::System(SystemTask::Place);
            let transaction = match purpose {
                Purpose::Place => self.store.write(principal).await?,
                Purpose::Look => self.store.look(principal).await?,
            };
            if transaction.config_version().await? == snapshot.version {
                // What was said of a lead by an older configuration is said again: an edit acts at once.
                self.prepare_again(work, &snapshot);
                return Ok(Ground { transaction, snapshot, rates });
            }
            transaction.rollback().await?;
            self.refresh().await?;
        }
        Err(StoreError::Unavailable("the configuration keeps changing".to_owned()))
    }

    /// Counts a step that has just ended; answers its end.
    fn watched(&self, step: Step, began: Instant) -> Instant {
        let ended = Instant::now();
        self.watch.add(step, ended - began);
        ended
    }

    /// What the writer has done since the process started, and what it spent on it.
    #[must_use]
    pub fn placement_times(&self) -> PlacementTimes {
        self.watch.times()
    }

    /// Prepares leads that an older configuration prepared, keeping the moment they arrived.
    pub(crate) fn prepare_again(&self, work: &mut [Work], snapshot: &Arc<Snapshot>) {
        for work in work {
            if let Work::New(prepared) = work
                && prepared.version != snapshot.version
            {
                let (draft, received_at, offered) = (prepared.draft.clone(), prepared.received_at, prepared.offered);
                if let Ok(fresh) = prepare(snapshot, self.store.keyring(), draft, received_at, offered) {
                    let asked = std::mem::take(&mut prepared.asked);
                    **prepared = Prepared { asked, ..fresh };
                }
            }
        }
    }

    /// How a lead stands now, in the form of its first answer.
    pub(crate) async fn answer_of(&self, first: &LeadAnswer) -> StoreResult<LeadAnswer> {
        let standing = self.store.read(Principal::System(SystemTask::Place)).lead_standing(first.lead_id).await?;
        let Some(standing) = standing else { return Err(StoreError::corrupt("an answered lead is missing")) };
        let mut answer = first.clone();
        answer.state = standing.state;
        let snapshot = self.snapshot();
        let Some(campaign) = snapshot.campaigns.get(&standing.campaign_id) else { return Ok(answer) };
        let payout = standing.payout_minor;
        answer.payout = (payout > 0).then(|| Money::new(payout, campaign.currency));
        answer.redirect_url = decide::redirect(campaign, standing.state == LeadState::Sold);
        Ok(answer)
    }
}

fn send(reply: oneshot::Sender<Result<LeadAnswer, IntakeError>>, answer: Result<LeadAnswer, IntakeError>) {
    // Whoever asked may have gone: the lead is stored all the same, and the same request gets this answer again.
    let _ = reply.send(answer);
}
