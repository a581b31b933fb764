//! The task table: background work, written in the transaction that caused it.
//!
//! A worker *claims* tasks under a lease. Every claim counts as an attempt, so that tasks whose workers die are counted
//! too. Whatever a worker writes about a task is fenced by its lease: a worker that was too slow, and whose task was
//! claimed again, changes nothing.

mod claim;
mod inspect;

pub use claim::{Claim, Claimed, Lease, TaskEnd, TaskStanding};
pub use inspect::{DeadTask, GivenUpTask, TaskCounts};

use leadyard_types::{TaskPayload, Timestamp};
use sea_orm::Value;

use crate::error::{StoreError, StoreResult};
use crate::store::Write;

/// A piece of work to be done after the commit.
#[derive(Debug, Clone)]
pub struct NewTask {
    /// What is asked; ids only.
    pub payload: TaskPayload,
    /// Work of one lane shares its limits: a destination, or `place`.
    pub lane: String,
    /// Not before.
    pub run_at: Timestamp,
    /// While a task with this key waits, another is not added.
    pub dedupe_key: Option<String>,
}

impl Write {
    /// Adds tasks; those whose key is waiting already are left out.
    pub async fn add_tasks(&mut self, tasks: &[NewTask]) -> StoreResult<()> {
        let now = self.store.clock().now();
        let mut rows: Vec<Value> = Vec::with_capacity(tasks.len() * 8);
        for task in tasks {
            let payload = serde_json::to_string(&task.payload).map_err(StoreError::corrupt)?;
            rows.extend([
                Value::from(self.store.ids().uuid()),
                task.payload.kind().into(),
                task.lane.as_str().into(),
                payload.into(),
                task.dedupe_key.clone().into(),
                task.run_at.into(),
                0_i64.into(),
                now.into(),
            ]);
        }
        let sql = "INSERT INTO task (id, kind, lane, payload, dedupe_key, run_at, attempts, created_at) {}
             ON CONFLICT (dedupe_key) DO NOTHING";
        self.run_over(sql, 8, rows).await?;
        self.tasks += tasks.len();
        Ok(())
    }
}
