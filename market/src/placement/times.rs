//! Where the writer's time goes: counted for whoever looks for what holds placement back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What the writer has done since the process started, and what it spent on it, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacementTimes {
    /// Transactions.
    pub batches: u64,
    /// Leads in them.
    pub leads: u64,
    /// Waiting for the database to begin and for locks, and loading what decisions depend on.
    pub load_us: u64,
    /// Deciding.
    pub decide_us: u64,
    /// Writing rows.
    pub write_us: u64,
    /// Committing.
    pub commit_us: u64,
}

impl PlacementTimes {
    /// What was added since an earlier look.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            batches: self.batches - earlier.batches,
            leads: self.leads - earlier.leads,
            load_us: self.load_us - earlier.load_us,
            decide_us: self.decide_us - earlier.decide_us,
            write_us: self.write_us - earlier.write_us,
            commit_us: self.commit_us - earlier.commit_us,
        }
    }

    /// How long the writer was busy.
    #[must_use]
    pub fn busy_us(&self) -> u64 {
        self.load_us + self.decide_us + self.write_us + self.commit_us
    }
}

/// A step of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Load,
    Decide,
    Write,
    Commit,
}

/// The running counts.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    batches: AtomicU64,
    leads: AtomicU64,
    steps: [AtomicU64; 4],
}

impl Watch {
    pub(super) fn add(&self, step: Step, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.steps[step as usize].fetch_add(micros, Ordering::Relaxed);
    }

    pub(super) fn add_batch(&self, leads: usize) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.leads.fetch_add(leads as u64, Ordering::Relaxed);
    }

    pub(crate) fn times(&self) -> PlacementTimes {
        let [load_us, decide_us, write_us, commit_us] = [0, 1, 2, 3].map(|at| self.steps[at].load(Ordering::Relaxed));
        let (batches, leads) = (self.batches.load(Ordering::Relaxed), self.leads.load(Ordering::Relaxed));
        PlacementTimes { batches, leads, load_us, decide_us, write_us, commit_us }
    }
}
