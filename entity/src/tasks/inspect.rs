//! Looking at the task table without taking anything.

use leadyard_types::{TaskId, Timestamp};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::error::StoreResult;
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

/// A task that was given up, as far as what it was for has to be brought to an end.
#[derive(Debug, Clone)]
pub struct GivenUpTask {
    /// The task.
    pub id: TaskId,
    /// Its key: what it was for, whichever version wrote it.
    pub dedupe_key: String,
    /// Why.
    pub error: Option<String>,
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

#[derive(FromQueryResult)]
struct Found {
    #[allow(dead_code, reason = "only whether there is a row counts")]
    found: i64,
}

#[derive(FromQueryResult)]
struct Moment {
    moment: Option<Timestamp>,
}

#[derive(FromQueryResult)]
struct GivenUpRow {
    id: Uuid,
    dedupe_key: String,
    last_error: Option<String>,
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
    /// What waits.
    pub async fn task_counts(&self) -> StoreResult<TaskCounts> {
        let now = self.store.clock().now();
        let sum =
            |condition: &str| format!("CAST(COALESCE(SUM(CASE WHEN {condition} THEN 1 ELSE 0 END), 0) AS BIGINT)");
        let sql = format!(
            "SELECT {} AS due, {} AS later, {} AS dead FROM task",
            sum("dead_at IS NULL AND (run_at <= ? OR lease_id IS NOT NULL)"),
            sum("dead_at IS NULL AND run_at > ? AND lease_id IS NULL"),
            sum("dead_at IS NOT NULL"),
        );
        let rows: Vec<TaskCounts> = self.rows(&sql, vec![now.into(), now.into()]).await?;
        Ok(rows.into_iter().next().unwrap_or_default())
    }

    /// Whether anything is due or being worked on, by any worker of any process.
    pub async fn any_due_or_running(&self) -> StoreResult<bool> {
        let sql = "SELECT CAST(1 AS BIGINT) AS found FROM task
                   WHERE dead_at IS NULL AND (lease_id IS NOT NULL OR run_at <= ?) LIMIT 1";
        Ok(!self.rows::<Found>(sql, vec![self.store.clock().now().into()]).await?.is_empty())
    }

    /// When the next waiting task is due; in the past if one is due already.
    pub async fn next_task_at(&self) -> StoreResult<Option<Timestamp>> {
        let sql = "SELECT MIN(run_at) AS moment FROM task WHERE dead_at IS NULL AND lease_id IS NULL";
        Ok(self.rows::<Moment>(sql, vec![]).await?.into_iter().next().and_then(|row| row.moment))
    }

    /// Tasks with keys that were given up, in id order after one of them.
    pub async fn given_up_tasks(&self, after: Option<TaskId>, limit: u32) -> StoreResult<Vec<GivenUpTask>> {
        let sql = "SELECT id, dedupe_key, last_error FROM task
                   WHERE dead_at IS NOT NULL AND dedupe_key IS NOT NULL AND id > ? ORDER BY id LIMIT ?";
        let after = after.map_or(Uuid::nil(), |id| id.0);
        let rows: Vec<GivenUpRow> = self.rows(sql, vec![after.into(), i64::from(limit).into()]).await?;
        let given_up = rows.into_iter().map(|row| GivenUpTask {
            id: TaskId(row.id),
            dedupe_key: row.dedupe_key,
            error: row.last_error,
        });
        Ok(given_up.collect())
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
