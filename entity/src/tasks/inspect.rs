//! Looking at the task table without taking anything.

use leadyard_types::{TaskId, Timestamp};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::error::{StoreError, StoreResult};
use crate::store::Read;

/// A task that was given up.
#[derive(Debug, Clone)]
pub struct DeadTask {
    /// The task.
    pub id: TaskId,
    /// What it asked, by its tag.
    pub kind: String,
    /// Its lane.
    pub lane: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When it was given up.
    pub dead_at: Timestamp,
    /// Why.
    pub error: Option<String>,
}

#[derive(FromQueryResult)]
struct Count {
    count: i64,
}

#[derive(FromQueryResult)]
struct Moment {
    moment: Option<Timestamp>,
}

#[derive(FromQueryResult)]
struct DeadRow {
    id: Uuid,
    kind: String,
    lane: String,
    attempts: i64,
    dead_at: Timestamp,
    last_error: Option<String>,
}

impl Read {
    async fn task_count(&self, condition: &str, now: Timestamp) -> StoreResult<i64> {
        let sql = format!("SELECT COUNT(*) AS count FROM task WHERE dead_at IS NULL AND {condition}");
        let rows: Vec<Count> = self.rows(&sql, vec![now.into()]).await?;
        rows.first().map(|row| row.count).ok_or_else(|| StoreError::corrupt("task"))
    }

    /// How many tasks wait and are due.
    pub async fn due_count(&self) -> StoreResult<i64> {
        self.task_count("lease_id IS NULL AND run_at <= ?", self.store.clock().now()).await
    }

    /// Whether a task waits and is due: cheap, so that idle workers leave the writer alone.
    pub async fn any_due(&self) -> StoreResult<bool> {
        let sql = "SELECT CAST(1 AS BIGINT) AS count FROM task
                   WHERE dead_at IS NULL AND lease_id IS NULL AND run_at <= ? LIMIT 1";
        Ok(!self.rows::<Count>(sql, vec![self.store.clock().now().into()]).await?.is_empty())
    }

    /// Whether anything is due or being worked on, by any worker of any process.
    pub async fn any_due_or_running(&self) -> StoreResult<bool> {
        let sql = "SELECT CAST(1 AS BIGINT) AS count FROM task
                   WHERE dead_at IS NULL AND (lease_id IS NOT NULL OR run_at <= ?) LIMIT 1";
        Ok(!self.rows::<Count>(sql, vec![self.store.clock().now().into()]).await?.is_empty())
    }

    /// When the next waiting task is due; past if one is due already.
    pub async fn next_run_at(&self) -> StoreResult<Option<Timestamp>> {
        let sql = "SELECT MIN(run_at) AS moment FROM task WHERE dead_at IS NULL AND lease_id IS NULL";
        Ok(self.rows::<Moment>(sql, vec![]).await?.into_iter().next().and_then(|row| row.moment))
    }

    /// Tasks that were given up, the latest first.
    pub async fn dead_tasks(&self, limit: u32) -> StoreResult<Vec<DeadTask>> {
        let sql = "SELECT id, kind, lane, attempts, dead_at, last_error FROM task
                   WHERE dead_at IS NOT NULL ORDER BY dead_at DESC, id DESC LIMIT ?";
        let rows: Vec<DeadRow> = self.rows(sql, vec![i64::from(limit).into()]).await?;
        let dead = rows.into_iter().map(|row| DeadTask {
            id: TaskId(row.id),
            kind: row.kind,
            lane: row.lane,
            attempts: row.attempts,
            dead_at: row.dead_at,
            error: row.last_error,
        });
        Ok(dead.collect())
    }
}
