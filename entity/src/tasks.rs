//! The task table: background work, written in the transaction that caused it.
//!
//! A worker *claims* tasks under a lease. Every claim counts as an attempt, so that tasks whose workers die are counted
//! too. Whatever a worker writes about a task is fenced by its lease: a worker that was too slow, and whose task was
//! claimed again, changes nothing.

mod claim;
mod inspect;

pub use claim::{Claim, Ended, Lease, LeasedTask};
pub use inspect::DeadTask;

use std::collections::BTreeSet;

use chrono::Duration;
use leadyard_types::{TaskId, TaskPayload, Timestamp};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::error::{StoreError, StoreResult};
use crate::sql::{marks, statement};
use crate::store::{Read, Write};

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
        for chunk in tasks.chunks(3_000) {
            let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 7);
            for task in chunk {
                let payload = serde_json::to_string(&task.payload).map_err(StoreError::corrupt)?;
                values.extend([
                    Value::from(self.store.ids().uuid()),
                    task.payload.kind().into(),
                    task.lane.as_str().into(),
                    payload.into(),
                    task.dedupe_key.clone().into(),
                    task.run_at.into(),
                    now.into(),
                ]);
            }
            let rows = vec!["(?,?,?,?,?,?,0,?)"; chunk.len()].join(",");
            let sql = format!(
                "INSERT INTO task (id, kind, lane, payload, dedupe_key, run_at, attempts, created_at) VALUES {rows}
                 ON CONFLICT (dedupe_key) DO NOTHING"
            );
            self.run(&sql, values).await?;
        }
        self.tasks += tasks.len();
        Ok(())
    }
}

/// A task that this worker holds until `leased_until`. Whoever finishes it must still hold the lease.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The task.
    pub id: TaskId,
    /// The lease.
    pub lease: Uuid,
    /// What is asked; `None` if this version does not know it.
    pub payload: Option<TaskPayload>,
    /// Its lane.
    pub lane: String,
    /// How often it was claimed, this time included; crashed workers count.
    pub attempts: i64,
    /// When it was due.
    pub run_at: Timestamp,
}

/// How a claimed task ends.
#[derive(Debug, Clone)]
pub enum TaskEnd {
    /// Done: the row goes.
    Done,
    /// To be tried again.
    Again {
        /// Not before.
        run_at: Timestamp,
        /// Why.
        error: Option<String>,
    },
    /// Given up; kept for people to look at.
    Dead {
        /// Why.
        error: String,
    },
}

/// How many due tasks one claim looks at, so that one lane's backlog does not hide the others for long.
const CLAIM_WINDOW: u64 = 2_000;

#[derive(FromQueryResult)]
struct ClaimedRow {
    id: Uuid,
    payload: String,
    lane: String,
    attempts: i64,
    run_at: Timestamp,
}

impl Write {
    /// Claims due tasks: at most `limit`, at most `per_lane` of one lane, none of the busy lanes.
    pub async fn claim(
        &self,
        limit: usize,
        per_lane: usize,
        busy: &BTreeSet<String>,
        lease_for: Duration,
    ) -> StoreResult<Vec<Claimed>> {
        let now = self.store.clock().now();
        let lease = self.store.ids().uuid();
        let not_busy = if busy.is_empty() { String::new() } else { format!("AND lane NOT IN ({})", marks(busy.len())) };
        let lock = if self.is_postgres() { "FOR UPDATE SKIP LOCKED" } else { "" };
        let sql = format!(
            "WITH due AS (SELECT id, lane, run_at FROM task WHERE dead_at IS NULL AND lease_id IS NULL AND run_at <= ? {not_busy}
                          ORDER BY run_at, id LIMIT {CLAIM_WINDOW} {lock}),
                  ranked AS (SELECT id, run_at, ROW_NUMBER() OVER (PARTITION BY lane ORDER BY run_at, id) AS place FROM due),
                  chosen AS (SELECT id FROM ranked WHERE place <= ? ORDER BY run_at, id LIMIT ?)
             UPDATE task SET lease_id = ?, leased_until = ?, attempts = attempts + 1 WHERE id IN (SELECT id FROM chosen)
             RETURNING id, payload, lane, attempts, run_at"
        );
        let mut values: Vec<Value> = vec![now.into()];
        values.extend(busy.iter().map(|lane| Value::from(lane.as_str())));
        values.extend([count(per_lane), count(limit), lease.into(), (now + lease_for).into()]);
        let mut rows: Vec<ClaimedRow> = self.all(&sql, values).await?;
        rows.sort_by_key(|row| (row.run_at, row.id));
        Ok(rows
            .into_iter()
            .map(|row| Claimed {
                id: TaskId(row.id),
                lease,
                payload: serde_json::from_str(&row.payload).ok(),
                lane: row.lane,
                attempts: row.attempts,
                run_at: row.run_at,
            })
            .collect())
    }

    /// Ends a claimed task. Answers false if the lease was lost meanwhile: then nothing else may be committed either.
    pub async fn end_task(&self, task: &Claimed, end: &TaskEnd) -> StoreResult<bool> {
        let fence = [Value::from(task.id.0), Value::from(task.lease)];
        let now = self.store.clock().now();
        let touched = match end {
            TaskEnd::Done => self.run("DELETE FROM task WHERE id = ? AND lease_id = ?", fence.to_vec()).await?,
            TaskEnd::Again { run_at, error } => {
                let mut values = vec![(*run_at).into(), error.clone().into()];
                values.extend(fence);
                let sql = "UPDATE task SET run_at = ?, last_error = ?, lease_id = NULL, leased_until = NULL WHERE id = ? AND lease_id = ?";
                self.run(sql, values).await?
            }
            TaskEnd::Dead { error } => {
                let mut values = vec![now.into(), error.as_str().into()];
                values.extend(fence);
                let sql = "UPDATE task SET dead_at = ?, last_error = ?, lease_id = NULL, leased_until = NULL WHERE id = ? AND lease_id = ?";
                self.run(sql, values).await?
            }
        };
        Ok(touched == 1)
    }

    /// Frees tasks whose worker went away.
    pub async fn free_expired_leases(&self) -> StoreResult<u64> {
        let now = self.store.clock().now();
        let sql =
            "UPDATE task SET lease_id = NULL, leased_until = NULL WHERE lease_id IS NOT NULL AND leased_until < ?";
        self.run(sql, vec![now.into()]).await
    }

    /// Frees every lease of this process's own claims, at its orderly end or, on SQLite, at its start.
    pub async fn free_all_leases(&self) -> StoreResult<u64> {
        self.run("UPDATE task SET lease_id = NULL, leased_until = NULL WHERE lease_id IS NOT NULL", vec![]).await
    }
}

/// What waits in the task table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromQueryResult)]
pub struct TaskCounts {
    /// Due or running now.
    pub due: i64,
    /// Not due yet.
    pub later: i64,
    /// Given up.
    pub dead: i64,
}

impl Read {
    /// What waits.
    pub async fn task_counts(&self) -> StoreResult<TaskCounts> {
        let now = self.store.clock().now();
        let sql = "SELECT CAST(COALESCE(SUM(CASE WHEN dead_at IS NULL AND (run_at <= ? OR lease_id IS NOT NULL) THEN 1 ELSE 0 END), 0) AS BIGINT) AS due,
                   CAST(COALESCE(SUM(CASE WHEN dead_at IS NULL AND run_at > ? AND lease_id IS NULL THEN 1 ELSE 0 END), 0) AS BIGINT) AS later,
                   CAST(COALESCE(SUM(CASE WHEN dead_at IS NOT NULL THEN 1 ELSE 0 END), 0) AS BIGINT) AS dead FROM task";
        let statement = statement(self.backend(), sql, vec![now.into(), now.into()]);
        Ok(TaskCounts::find_by_statement(statement).one(self.connection()).await?.unwrap_or_default())
    }

    /// When the next task is due, if one waits.
    pub async fn next_task_at(&self) -> StoreResult<Option<Timestamp>> {
        #[derive(FromQueryResult)]
        struct Next {
            run_at: Timestamp,
        }
        let sql = "SELECT run_at FROM task WHERE dead_at IS NULL AND lease_id IS NULL ORDER BY run_at LIMIT 1";
        let next = Next::find_by_statement(statement(self.backend(), sql, vec![])).one(self.connection()).await?;
        Ok(next.map(|next| next.run_at))
    }
}

fn count(number: usize) -> Value {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}
