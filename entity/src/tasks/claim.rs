//! Claiming tasks, and ending claims.

use std::collections::{BTreeMap, HashSet};

use leadyard_types::{Principal, TaskId, TaskPayload, Timestamp};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::error::StoreResult;
use crate::sql::marks;
use crate::store::Write;

/// How many due tasks one claim looks at: enough to pass over those of lanes that are nearly full, few enough to stay
/// quick with a million due.
const WINDOW: i64 = 1_000;

/// The longest error text kept with a task.
const ERROR_CHARS: usize = 300;

/// Rows per statement where each binds a handful of values.
const CHUNK: usize = 4_000;

/// The right to work on a task, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lease {
    /// The task.
    pub task_id: TaskId,
    /// The claim it was taken by.
    pub lease_id: Uuid,
}

/// A task that a worker holds. Whoever ends it must still hold the lease.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The task.
    pub id: TaskId,
    /// The claim it was taken by.
    pub lease: Uuid,
    /// What is asked; `None` if this version cannot read it.
    pub payload: Option<TaskPayload>,
    /// Its lane.
    pub lane: String,
    /// When it was due.
    pub run_at: Timestamp,
    /// How often it was claimed, this time included; crashed workers count.
    pub attempts: i64,
}

impl Claimed {
    /// The right to work on it.
    #[must_use]
    pub const fn held(&self) -> Lease {
        Lease { task_id: self.id, lease_id: self.lease }
    }
}

/// What a worker can take.
#[derive(Debug, Clone)]
pub struct Claim<'a> {
    /// The id of the claim, never used before.
    pub lease_id: Uuid,
    /// The most tasks.
    pub limit: usize,
    /// The most tasks of one lane that may run at once.
    pub per_lane: usize,
    /// How many tasks of a lane run already.
    pub running: &'a BTreeMap<String, usize>,
    /// Lanes that take nothing now.
    pub skip: &'a [String],
    /// Lanes without a limit of their own.
    pub unlimited: &'a [&'a str],
    /// Until when the tasks belong to the worker.
    pub leased_until: Timestamp,
}

/// How a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskStanding {
    /// Nobody works on it yet.
    Waiting,
    /// Somebody works on it.
    UnderWay,
    /// It was given up.
    Dead,
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
        /// Why; never personal data.
        error: Option<String>,
    },
    /// Given back without having begun: the attempt does not count.
    Released,
    /// To be tried again, though nothing was done yet: the attempt does not count.
    Postponed {
        /// Not before.
        run_at: Timestamp,
        /// Why; never personal data.
        error: Option<String>,
    },
    /// It waits for its destination: gone while that is parked, since taking it up again gives what waits a new task.
    Parked,
    /// Given up; kept for people to look at.
    Dead {
        /// Why; never personal data.
        error: String,
    },
}

/// A task that is to be tried again.
struct Retry<'a> {
    lease: Lease,
    run_at: Timestamp,
    error: Option<&'a str>,
    /// 1 where the attempt does not count.
    uncounted: i64,
}

#[derive(FromQueryResult)]
struct ClaimedRow {
    id: Uuid,
    lane: String,
    payload: String,
    run_at: Timestamp,
    attempts: i64,
}

#[derive(FromQueryResult)]
struct KeyRow {
    dedupe_key: String,
}

#[derive(FromQueryResult)]
struct IdRow {
    id: Uuid,
}

impl Write {
    fn assert_worker(&self) {
        debug_assert!(matches!(self.principal, Principal::System(_)), "tasks are the workers' business");
    }

    /// Takes due tasks in order of `(run_at, id)`, in one statement. Several workers never take the same task, and a
    /// lane that is full or skipped never holds up the others.
    pub async fn claim(&self, claim: &Claim<'_>) -> StoreResult<Vec<Claimed>> {
        self.assert_worker();
        let now = self.store.clock().now();
        let full = claim
            .running
            .iter()
            .filter(|(lane, count)| **count >= claim.per_lane && !claim.unlimited.contains(&lane.as_str()))
            .map(|(lane, _)| lane.as_str());
        let closed: Vec<&str> = claim.skip.iter().map(String::as_str).chain(full).collect();
        let mut values: Vec<Value> = Vec::new();
        // An empty list of rows is no SQL: nobody's lane is named "".
        values.extend([Value::from(""), Value::from(0_i64)]);
        for (lane, count) in claim.running {
            values.extend([Value::from(lane.as_str()), Value::from(to_i64(*count))]);
        }
        values.push(now.into());
        values.extend(closed.iter().map(|lane| Value::from(*lane)));
        values.push(WINDOW.max(to_i64(claim.limit)).into());
        values.push(to_i64(claim.per_lane).into());
        values.extend(claim.unlimited.iter().map(|lane| Value::from(*lane)));
        values.push(to_i64(claim.limit).into());
        values.extend([claim.lease_id.into(), claim.leased_until.into()]);
        let sql = format!(
            "WITH busy(lane, running) AS (VALUES {busy}),
             candidate AS (
               SELECT id, lane, run_at FROM task
               WHERE dead_at IS NULL AND lease_id IS NULL AND run_at <= ? {closed}
               ORDER BY run_at, id LIMIT ? {lock}),
             ranked AS (
               SELECT c.id, c.lane, c.run_at,
                 ROW_NUMBER() OVER (PARTITION BY c.lane ORDER BY c.run_at, c.id) + COALESCE(b.running, 0) AS place
               FROM candidate c LEFT JOIN busy b ON b.lane = c.lane),
             chosen AS (
               SELECT id FROM ranked WHERE place <= ? {unlimited} ORDER BY run_at, id LIMIT ?)
             UPDATE task SET lease_id = ?, leased_until = ?, attempts = attempts + 1
             WHERE id IN (SELECT id FROM chosen)
             RETURNING id, lane, payload, run_at, attempts",
            busy = vec!["(?,?)"; claim.running.len() + 1].join(","),
            closed =
                if closed.is_empty() { String::new() } else { format!("AND lane NOT IN ({})", marks(closed.len())) },
            lock = if self.is_postgres() { "FOR UPDATE SKIP LOCKED" } else { "" },
            unlimited = if claim.unlimited.is_empty() {
                String::new()
            } else {
                format!("OR lane IN ({})", marks(claim.unlimited.len()))
            },
        );
        let mut rows = self.all::<ClaimedRow>(&sql, values).await?;
        rows.sort_by_key(|row| (row.run_at, row.id));
        let leased = rows.into_iter().map(|row| Claimed {
            id: TaskId(row.id),
            lease: claim.lease_id,
            payload: serde_json::from_str(&row.payload).ok(),
            lane: row.lane,
            run_at: row.run_at,
            attempts: row.attempts,
        });
        Ok(leased.collect())
    }

    /// Which of these leases still hold; their tasks stay locked until the transaction ends.
    pub async fn held(&self, leases: &[Lease]) -> StoreResult<HashSet<TaskId>> {
        let lock = if self.is_postgres() { " FOR UPDATE" } else { "" };
        let mut held = HashSet::with_capacity(leases.len());
        for chunk in leases.chunks(CHUNK) {
            let sql = format!("SELECT id FROM task WHERE {} ORDER BY id{lock}", pairs(chunk.len()));
            held.extend(self.all::<IdRow>(&sql, pair_values(chunk)).await?.into_iter().map(|row| TaskId(row.id)));
        }
        Ok(held)
    }

    /// Ends one claimed task. Answers false if the lease was lost meanwhile: then nothing else may be committed either.
    pub async fn end_task(&self, task: &Claimed, end: &TaskEnd) -> StoreResult<bool> {
        Ok(self.end_tasks(&[(task.held(), end.clone())]).await? == 1)
    }

    /// Ends claimed tasks, a statement per kind of end. Those whose lease is over are left alone; answers how many were
    /// ended.
    pub async fn end_tasks(&self, ended: &[(Lease, TaskEnd)]) -> StoreResult<u64> {
        if self.is_postgres() && ended.len() > 1 {
            // In id order, as everybody locks tasks.
            self.held(&ended.iter().map(|(lease, _)| *lease).collect::<Vec<_>>()).await?;
        }
        self.finish_tasks(ended).await
    }

    /// Ends claimed tasks that the caller holds.
    pub(crate) async fn finish_tasks(&self, ended: &[(Lease, TaskEnd)]) -> StoreResult<u64> {
        self.assert_worker();
        let (mut done, mut released, mut retried, mut buried) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (lease, end) in ended {
            match end {
                TaskEnd::Done | TaskEnd::Parked => done.push(*lease),
                TaskEnd::Released => released.push(*lease),
                TaskEnd::Again { run_at, error } => {
                    retried.push(Retry { lease: *lease, run_at: *run_at, error: error.as_deref(), uncounted: 0 });
                }
                TaskEnd::Postponed { run_at, error } => {
                    retried.push(Retry { lease: *lease, run_at: *run_at, error: error.as_deref(), uncounted: 1 });
                }
                TaskEnd::Dead { error } => buried.push((*lease, error.as_str())),
            }
        }
        Ok(self.acknowledge(&done).await?
            + self.release(&released).await?
            + self.retry(&retried).await?
            + self.bury(&buried).await?)
    }

    /// Removes tasks that are done.
    pub async fn acknowledge(&self, leases: &[Lease]) -> StoreResult<u64> {
        let mut count = 0;
        for chunk in leases.chunks(CHUNK) {
            count += self.run(&format!("DELETE FROM task WHERE {}", pairs(chunk.len())), pair_values(chunk)).await?;
        }
        Ok(count)
    }

    /// Gives back tasks that were not begun.
    async fn release(&self, leases: &[Lease]) -> StoreResult<u64> {
        let mut count = 0;
        for chunk in leases.chunks(CHUNK) {
            let sql = format!(
                "UPDATE task SET lease_id = NULL, leased_until = NULL, attempts = attempts - 1 WHERE {}",
                pairs(chunk.len())
            );
            count += self.run(&sql, pair_values(chunk)).await?;
        }
        Ok(count)
    }

    async fn retry(&self, retries: &[Retry<'_>]) -> StoreResult<u64> {
        let mut count = 0;
        for chunk in retries.chunks(CHUNK) {
            let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 5);
            for retry in chunk {
                values.extend([
                    Value::from(retry.lease.task_id.0),
                    retry.lease.lease_id.into(),
                    retry.run_at.into(),
                    retry.error.map(shortened).into(),
                    retry.uncounted.into(),
                ]);
            }
            let sql = format!(
                "WITH again(id, lease_id, run_at, error, uncounted) AS (VALUES {})
                 UPDATE task SET lease_id = NULL, leased_until = NULL, run_at = again.run_at, last_error = again.error,
                   attempts = attempts - again.uncounted
                 FROM again WHERE task.id = again.id AND task.lease_id = again.lease_id",
                vec!["(?,?,?,?,?)"; chunk.len()].join(",")
            );
            count += self.run(&sql, values).await?;
        }
        Ok(count)
    }

    async fn bury(&self, buried: &[(Lease, &str)]) -> StoreResult<u64> {
        let now = self.store.clock().now();
        let mut count = 0;
        for chunk in buried.chunks(CHUNK) {
            let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 3 + 1);
            for (lease, error) in chunk {
                values.extend([Value::from(lease.task_id.0), lease.lease_id.into(), shortened(error).into()]);
            }
            values.push(now.into());
            let sql = format!(
                "WITH dead(id, lease_id, error) AS (VALUES {})
                 UPDATE task SET lease_id = NULL, leased_until = NULL, dead_at = ?, last_error = dead.error
                 FROM dead WHERE task.id = dead.id AND task.lease_id = dead.lease_id",
                vec!["(?,?,?)"; chunk.len()].join(",")
            );
            count += self.run(&sql, values).await?;
        }
        Ok(count)
    }

    /// Gives tasks back whose workers died or were too slow; answers how many.
    pub async fn free_expired_leases(&self) -> StoreResult<u64> {
        self.assert_worker();
        let now = self.store.clock().now();
        // Whoever holds a task at this moment is just ending it.
        let lock = if self.is_postgres() { "FOR UPDATE SKIP LOCKED" } else { "" };
        let sql = format!(
            "UPDATE task SET lease_id = NULL, leased_until = NULL WHERE id IN
             (SELECT id FROM task WHERE lease_id IS NOT NULL AND leased_until <= ? ORDER BY id {lock})"
        );
        self.run(&sql, vec![now.into()]).await
    }

    /// Frees every lease: on SQLite, at the start of its only process, nobody can hold one.
    pub async fn free_all_leases(&self) -> StoreResult<u64> {
        self.assert_worker();
        self.run("UPDATE task SET lease_id = NULL, leased_until = NULL WHERE lease_id IS NOT NULL", vec![]).await
    }

    /// Makes leases last longer, for tasks that still run.
    pub async fn renew_leases(&self, leases: &[Lease], leased_until: Timestamp) -> StoreResult<u64> {
        self.assert_worker();
        // Whoever holds a task at this moment is just ending it.
        let lock = if self.is_postgres() { "FOR UPDATE SKIP LOCKED" } else { "" };
        let mut count = 0;
        for chunk in leases.chunks(CHUNK) {
            let mut values = vec![Value::from(leased_until)];
            values.extend(pair_values(chunk));
            let sql = format!(
                "UPDATE task SET leased_until = ? WHERE id IN (SELECT id FROM task WHERE {} ORDER BY id {lock})",
                pairs(chunk.len())
            );
            count += self.run(&sql, values).await?;
        }
        Ok(count)
    }

    /// Puts off the due tasks of lanes that are parked, oldest first and not more than one claim would look at, so that
    /// neither claims nor those who wait for the next due task stumble over them.
    pub async fn defer_lanes(&self, parked: &[(String, Timestamp)]) -> StoreResult<u64> {
        self.assert_worker();
        if parked.is_empty() {
            return Ok(0);
        }
        let mut values: Vec<Value> = Vec::with_capacity(parked.len() * 3 + 2);
        for (lane, until) in parked {
            values.extend([Value::from(lane.as_str()), (*until).into()]);
        }
        values.push(self.store.clock().now().into());
        values.extend(parked.iter().map(|(lane, _)| Value::from(lane.as_str())));
        values.push(WINDOW.into());
        let sql = format!(
            "WITH parked(lane, until) AS (VALUES {rows}),
             due AS (
               SELECT id FROM task WHERE dead_at IS NULL AND lease_id IS NULL AND run_at <= ? AND lane IN ({lanes})
               ORDER BY run_at, id LIMIT ? {lock})
             UPDATE task SET run_at = parked.until FROM parked
             WHERE task.lane = parked.lane AND task.id IN (SELECT id FROM due)",
            rows = vec!["(?,?)"; parked.len()].join(","),
            lanes = marks(parked.len()),
            lock = if self.is_postgres() { "FOR UPDATE SKIP LOCKED" } else { "" },
        );
        self.run(&sql, values).await
    }

    /// Locks the task with a key, if there is one, and says how it stands. One that somebody is claiming or ending at this
    /// moment is under way: nobody is waited for.
    pub async fn lock_task(&self, dedupe_key: &str) -> StoreResult<Option<TaskStanding>> {
        #[derive(FromQueryResult)]
        struct Row {
            lease_id: Option<Uuid>,
            dead_at: Option<Timestamp>,
        }
        let lock = if self.is_postgres() { " FOR UPDATE SKIP LOCKED" } else { "" };
        let sql = "SELECT lease_id, dead_at FROM task WHERE dedupe_key = ?";
        let locked: Vec<Row> = self.all(&format!("{sql}{lock}"), vec![dedupe_key.into()]).await?;
        if locked.is_empty() && self.is_postgres() {
            let seen: Vec<Row> = self.all(sql, vec![dedupe_key.into()]).await?;
            return Ok((!seen.is_empty()).then_some(TaskStanding::UnderWay));
        }
        Ok(locked.first().map(|row| match row {
            Row { dead_at: Some(_), .. } => TaskStanding::Dead,
            Row { lease_id: Some(_), .. } => TaskStanding::UnderWay,
            _ => TaskStanding::Waiting,
        }))
    }

    /// Removes tasks with these keys that nobody works on, dead ones included, so that they can be added anew.
    pub async fn remove_waiting(&self, dedupe_keys: &[String]) -> StoreResult<u64> {
        let mut count = 0;
        for chunk in dedupe_keys.chunks(CHUNK) {
            let sql = format!("DELETE FROM task WHERE lease_id IS NULL AND dedupe_key IN ({})", marks(chunk.len()));
            count += self.run(&sql, chunk.iter().map(|key| Value::from(key.as_str())).collect()).await?;
        }
        Ok(count)
    }

    /// Gives tasks that were given up before a moment another run of attempts, due now: for work that must come to an end.
    pub async fn revive_tasks(&self, dedupe_keys: &[String], before: Timestamp) -> StoreResult<u64> {
        let now = self.store.clock().now();
        let mut count = 0;
        for chunk in dedupe_keys.chunks(CHUNK) {
            let sql = format!(
                "UPDATE task SET dead_at = NULL, attempts = 0, run_at = ? WHERE dead_at < ? AND dedupe_key IN ({})",
                marks(chunk.len())
            );
            let mut values: Vec<Value> = vec![now.into(), before.into()];
            values.extend(chunk.iter().map(|key| Value::from(key.as_str())));
            count += self.run(&sql, values).await?;
        }
        Ok(count)
    }

    /// Which of these keys there are tasks for, dead ones included.
    pub async fn known_keys(&self, dedupe_keys: &[String]) -> StoreResult<HashSet<String>> {
        let mut known = HashSet::with_capacity(dedupe_keys.len());
        for chunk in dedupe_keys.chunks(CHUNK) {
            let sql = format!("SELECT dedupe_key FROM task WHERE dedupe_key IN ({})", marks(chunk.len()));
            let values = chunk.iter().map(|key| Value::from(key.as_str())).collect();
            known.extend(self.all::<KeyRow>(&sql, values).await?.into_iter().map(|row| row.dedupe_key));
        }
        Ok(known)
    }

    /// Forgets dead tasks that died before a moment.
    pub async fn prune_dead_tasks(&self, before: Timestamp) -> StoreResult<u64> {
        self.assert_worker();
        self.run("DELETE FROM task WHERE dead_at IS NOT NULL AND dead_at < ?", vec![before.into()]).await
    }
}

fn to_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn shortened(error: &str) -> String {
    error.chars().take(ERROR_CHARS).collect()
}

/// The condition that names tasks by id and lease.
fn pairs(count: usize) -> String {
    format!("(id, lease_id) IN (VALUES {})", vec!["(?,?)"; count].join(","))
}

fn pair_values(leases: &[Lease]) -> Vec<Value> {
    leases.iter().flat_map(|lease| [Value::from(lease.task_id.0), lease.lease_id.into()]).collect()
}
