//! Attempts: begun and committed before anything is sent, ended together with all that follows from them.
//!
//! An attempt that began and has no end when its task is claimed again was interrupted: whether it arrived is unknown.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use leadyard_types::{
    AttemptId, AttemptKind, DeliveryId, DeliveryOutcome, DeliveryState, DestinationId, LeadId, Status, TaskId,
    Timestamp,
};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use super::CHUNK;
use crate::error::StoreResult;
use crate::model::{attempt, delivery};
use crate::placement::NewEvent;
use crate::sql::marks;
use crate::store::Write;
use crate::tasks::{Lease, TaskEnd};

/// Security of the receivers: after so many days of nothing but failures an endpoint is parked.
const FAILING_DAYS_MAX: i64 = 5;

/// An attempt to be begun.
#[derive(Debug, Clone, Copy)]
pub struct Begin {
    /// The right to make it.
    pub held: Lease,
    /// Its id, never used before: beginning it once more, because the answer of the first time was lost, is no second
    /// attempt.
    pub attempt_id: AttemptId,
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// Whether the receiver recognises a repetition, so that an interrupted attempt may be made again.
    pub repeatable: bool,
}

/// What became of the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// Committed: now it may be sent.
    Started {
        /// Which of its delivery's, 1 = the first.
        number: i64,
    },
    /// An earlier attempt was interrupted, and repeating it is not safe.
    Interrupted,
    /// The delivery waits for nothing any more.
    Settled,
    /// The lease is over.
    Lost,
}

/// How an attempt ended: nothing in it is about the person.
#[derive(Debug, Clone)]
pub struct AttemptEnd {
    /// What it came to.
    pub outcome: DeliveryOutcome,
    /// The status of the answer.
    pub status_code: Option<i64>,
    /// How long it took.
    pub duration_ms: i64,
    /// A redacted excerpt of the answer.
    pub answer: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
}

/// What an attempt says about its destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DestinationNews {
    /// Nothing.
    None,
    /// It takes leads.
    Well,
    /// It does not answer as it should.
    Failing,
    /// It must not be asked any more until somebody mends it: the notice says why.
    Park(String),
}

/// An attempt's end with everything that follows from it.
#[derive(Debug, Clone)]
pub struct SettledAttempt {
    /// The right to settle it.
    pub held: Lease,
    /// How its task ends.
    pub task_end: TaskEnd,
    /// The attempt, if one was begun, and how it ended.
    pub attempt: Option<(AttemptId, AttemptEnd)>,
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// Where the delivery stands then.
    pub state: DeliveryState,
    /// When it is tried again.
    pub next_attempt_at: Option<Timestamp>,
    /// The receiver's own mark.
    pub reference: Option<String>,
    /// The lead.
    pub lead_id: LeadId,
    /// A step in the lead's timeline.
    pub event: Option<NewEvent>,
    /// The destination.
    pub destination_id: DestinationId,
    /// What was learnt of it.
    pub news: DestinationNews,
}

#[derive(FromQueryResult)]
struct OpenAttempt {
    id: Uuid,
    delivery_id: Uuid,
    number: i64,
}

#[derive(FromQueryResult)]
struct InterruptedRow {
    delivery_id: Uuid,
}

#[derive(FromQueryResult)]
struct DestinationRow {
    id: Uuid,
    status: String,
    failing_since: Option<Timestamp>,
}

impl Write {
    /// Begins attempts: for each of them a row, committed before it is sent. Answers in the same order.
    pub async fn begin_attempts(&self, begins: &[Begin]) -> StoreResult<Vec<Begun>> {
        let now = self.store.clock().now();
        let held = self.held(&begins.iter().map(|begin| begin.held).collect::<Vec<_>>()).await?;
        let mine: Vec<&Begin> = begins.iter().filter(|begin| held.contains(&begin.held.task_id)).collect();
        let lock = if self.is_postgres() { " FOR NO KEY UPDATE" } else { "" };
        let ids: Vec<Value> = mine.iter().map(|begin| begin.delivery_id.0.into()).collect();
        let sql = format!("SELECT * FROM delivery WHERE id IN ({{}}) AND state = 'PENDING' ORDER BY id{lock}");
        let rows: Vec<delivery::Model> = self.all_in(&sql, ids).await?;
        let waiting: HashMap<Uuid, i64> = rows.into_iter().map(|row| (row.id, row.attempts)).collect();
        let open = self.open_attempts(waiting.keys().copied()).await?;
        let own: HashMap<Uuid, i64> = mine
            .iter()
            .filter_map(|begin| open.iter().find(|row| row.id == begin.attempt_id.0))
            .map(|row| (row.id, row.number))
            .collect();
        let others: Vec<DeliveryId> =
            open.iter().filter(|row| !own.contains_key(&row.id)).map(|row| DeliveryId(row.delivery_id)).collect();
        let interrupted = self.end_interrupted(&others).await?;
        let mut begun = Vec::with_capacity(begins.len());
        let mut attempts = Vec::with_capacity(mine.len());
        for begin in begins {
            let id = begin.delivery_id.0;
            begun.push(match waiting.get(&id) {
                _ if !held.contains(&begin.held.task_id) => Begun::Lost,
                None => Begun::Settled,
                Some(_) if interrupted.contains(&id) && !begin.repeatable => Begun::Interrupted,
                Some(made) => match own.get(&begin.attempt_id.0) {
                    Some(number) => Begun::Started { number: *number },
                    None => {
                        attempts.push(attempt_row(begin, made + 1, AttemptKind::Send, now));
                        Begun::Started { number: made + 1 }
                    }
                },
            });
        }
        let ids: Vec<Value> = attempts.iter().map(|row| row.delivery_id.into()).collect();
        for chunk in ids.chunks(CHUNK) {
            let sql = format!("UPDATE delivery SET attempts = attempts + 1 WHERE id IN ({})", marks(chunk.len()));
            self.run(&sql, chunk.to_vec()).await?;
        }
        self.insert_all::<attempt::Entity>(attempts).await?;
        Ok(begun)
    }

    /// Begins a query about a delivery whose answer was lost: an attempt like any other, that sends no lead. One whose
    /// worker went away has ended, and asking again is safe.
    pub async fn begin_query(&self, begin: &Begin) -> StoreResult<Begun> {
        let now = self.store.clock().now();
        if !self.held(&[begin.held]).await?.contains(&begin.held.task_id) {
            return Ok(Begun::Lost);
        }
        let unknown = self.lock_delivery(begin.delivery_id).await?;
        let unknown = unknown.filter(|row| row.state == DeliveryState::Unknown.as_str());
        let Some(row) = unknown else { return Ok(Begun::Settled) };
        let open = self.open_attempts([row.id].into_iter()).await?;
        if let Some(own) = open.iter().find(|open| open.id == begin.attempt_id.0) {
            return Ok(Begun::Started { number: own.number });
        }
        self.end_interrupted(&[begin.delivery_id]).await?;
        let number = row.attempts + 1;
        self.run("UPDATE delivery SET attempts = attempts + 1 WHERE id = ?", vec![row.id.into()]).await?;
        let begun = attempt_row(begin, number, AttemptKind::StatusQuery, now);
        self.insert_all::<attempt::Entity>(vec![begun]).await?;
        Ok(Begun::Started { number })
    }

    /// Attempts of these deliveries that began and never ended.
    async fn open_attempts(&self, deliveries: impl Iterator<Item = Uuid>) -> StoreResult<Vec<OpenAttempt>> {
        let sql = "SELECT id, delivery_id, number FROM attempt WHERE finished_at IS NULL AND delivery_id IN ({})";
        self.all_in(sql, deliveries.map(Value::from).collect()).await
    }

    /// Ends attempts whose worker went away: what they came to is unknown. Answers their deliveries.
    pub async fn end_interrupted(&self, deliveries: &[DeliveryId]) -> StoreResult<HashSet<Uuid>> {
        let now = self.store.clock().now();
        let mut interrupted = HashSet::new();
        for chunk in deliveries.chunks(CHUNK) {
            let sql = format!(
                "UPDATE attempt SET finished_at = ?, outcome = ?, error = ?
                 WHERE finished_at IS NULL AND delivery_id IN ({}) RETURNING delivery_id",
                marks(chunk.len())
            );
            let mut values: Vec<Value> = vec![
                now.into(),
                DeliveryOutcome::Unknown.as_str().into(),
                "the worker went away before an answer was recorded".into(),
            ];
            values.extend(chunk.iter().map(|id| Value::from(id.0)));
            let rows: Vec<InterruptedRow> = self.all(&sql, values).await?;
            interrupted.extend(rows.into_iter().map(|row| row.delivery_id));
        }
        Ok(interrupted)
    }

    /// Settles attempts with their deliveries, tasks, destinations and timelines. Those whose lease is over are left
    /// alone; answers the tasks that were settled.
    pub async fn settle_attempts(&self, settled: Vec<SettledAttempt>) -> StoreResult<HashSet<TaskId>> {
        let leads: BTreeSet<LeadId> = settled.iter().filter(|one| one.event.is_some()).map(|one| one.lead_id).collect();
        self.hold_leads(&leads).await?;
        let held = self.held(&settled.iter().map(|one| one.held).collect::<Vec<_>>()).await?;
        let mine: Vec<SettledAttempt> = settled.into_iter().filter(|one| held.contains(&one.held.task_id)).collect();
        for chunk in mine.chunks(CHUNK / 2) {
            self.end_attempts(chunk).await?;
            self.move_deliveries(chunk).await?;
        }
        let taken_up = self.note_destinations(&mine).await?;
        let events: Vec<NewEvent> = mine.iter().filter_map(|one| one.event.clone()).collect();
        if !events.is_empty() {
            self.append_events(&events).await?;
        }
        let now = self.store.clock().now();
        let ends = mine.into_iter().map(|one| match one.task_end {
            TaskEnd::Parked if taken_up.contains(&one.destination_id.0) => {
                (one.held, TaskEnd::Postponed { run_at: now, error: None })
            }
            end => (one.held, end),
        });
        self.finish_tasks(&ends.collect::<Vec<_>>()).await?;
        Ok(held)
    }

    async fn end_attempts(&self, settled: &[SettledAttempt]) -> StoreResult<()> {
        let ended: Vec<&(AttemptId, AttemptEnd)> = settled.iter().filter_map(|one| one.attempt.as_ref()).collect();
        self.write_ends(&ended).await
    }

    /// Says how an attempt ended, also one that was taken for interrupted, since its answer came after all.
    pub async fn correct_attempt(&self, id: AttemptId, end: AttemptEnd) -> StoreResult<()> {
        self.write_ends(&[&(id, end)]).await
    }

    async fn write_ends(&self, ended: &[&(AttemptId, AttemptEnd)]) -> StoreResult<()> {
        let now = self.store.clock().now();
        if ended.is_empty() {
            return Ok(());
        }
        let mut values: Vec<Value> = Vec::with_capacity(ended.len() * 6 + 1);
        for (id, end) in ended {
            values.extend([
                Value::from(id.0),
                end.outcome.as_str().into(),
                end.status_code.into(),
                end.duration_ms.into(),
                end.answer.clone().into(),
                end.error.clone().into(),
            ]);
        }
        values.push(now.into());
        let sql = format!(
            "WITH ended(id, outcome, status_code, duration_ms, answer, error) AS (VALUES {})
             UPDATE attempt SET finished_at = ?, outcome = ended.outcome, status_code = ended.status_code,
               duration_ms = ended.duration_ms, answer = ended.answer, error = ended.error
             FROM ended WHERE attempt.id = ended.id",
            vec!["(?,?,?,?,?,?)"; ended.len()].join(",")
        );
        self.run(&sql, values).await.map(|_| ())
    }

    async fn move_deliveries(&self, settled: &[SettledAttempt]) -> StoreResult<()> {
        if settled.is_empty() {
            return Ok(());
        }
        let now = self.store.clock().now();
        let mut values: Vec<Value> = Vec::with_capacity(settled.len() * 5);
        for one in settled {
            values.extend([
                Value::from(one.delivery_id.0),
                one.state.as_str().into(),
                one.next_attempt_at.into(),
                one.state.is_final().then_some(now).into(),
                one.reference.clone().into(),
            ]);
        }
        let sql = format!(
            "WITH moved(id, state, next_attempt_at, finished_at, reference) AS (VALUES {})
             UPDATE delivery SET state = moved.state, next_attempt_at = moved.next_attempt_at,
               finished_at = moved.finished_at, reference = COALESCE(moved.reference, delivery.reference)
             FROM moved WHERE delivery.id = moved.id",
            vec!["(?,?,?,?,?)"; settled.len()].join(",")
        );
        self.run(&sql, values).await.map(|_| ())
    }

    /// Keeps what was learnt of destinations. Most of the time nothing changes, and nothing is written.
    ///
    /// Answers those that deliveries are about to wait for and that are not parked any more. The others stay parked until
    /// this transaction ends: whoever takes one up then finds the delivery waiting, so none falls in between.
    async fn note_destinations(&self, settled: &[SettledAttempt]) -> StoreResult<HashSet<Uuid>> {
        let waits = settled.iter().filter(|one| matches!(one.task_end, TaskEnd::Parked));
        let waits: BTreeSet<Uuid> = waits.map(|one| one.destination_id.0).collect();
        let mut news: BTreeMap<Uuid, &DestinationNews> = BTreeMap::new();
        for one in settled.iter().filter(|one| one.news != DestinationNews::None) {
            // The last word counts, but nothing said after it takes a parking back.
            let entry = news.entry(one.destination_id.0).or_insert(&one.news);
            if !matches!(entry, DestinationNews::Park(_)) {
                *entry = &one.news;
            }
        }
        let now = self.store.clock().now();
        let columns = "SELECT id, status, failing_since FROM destination WHERE id IN ({})";
        let keys = news.keys().map(|id| Value::from(*id)).collect();
        let rows: Vec<DestinationRow> = self.all_in(columns, keys).await?;
        let changing = rows.iter().filter(|row| changes(row, news.get(&row.id).copied(), now));
        let locked: BTreeSet<Uuid> = changing.map(|row| row.id).chain(waits.iter().copied()).collect();
        let lock = if self.is_postgres() { " FOR NO KEY UPDATE" } else { "" };
        let sql = format!("{columns} ORDER BY id{lock}");
        let rows: Vec<DestinationRow> = self.all_in(&sql, locked.into_iter().map(Value::from).collect()).await?;
        let mut taken_up = HashSet::new();
        for row in rows {
            let parked = match news.get(&row.id) {
                Some(news) => self.note_destination(&row, news).await?,
                None => row.status == Status::Paused.as_str(),
            };
            if waits.contains(&row.id) && !parked {
                taken_up.insert(row.id);
            }
        }
        Ok(taken_up)
    }

    /// Answers whether the destination is parked now.
    async fn note_destination(&self, row: &DestinationRow, news: &DestinationNews) -> StoreResult<bool> {
        let was_parked = row.status == Status::Paused.as_str();
        let now = self.store.clock().now();
        let since = row.failing_since.unwrap_or(now);
        let notice = match news {
            DestinationNews::Park(notice) => Some(notice.clone()),
            DestinationNews::Failing if fails_too_long(since, now) => {
                Some(format!("it failed for {FAILING_DAYS_MAX} days; mend it and take it up again"))
            }
            _ => None,
        };
        if let Some(notice) = notice {
            tracing::warn!(destination = %row.id, notice, "a destination is parked");
            let sql = "UPDATE destination SET status = ?, notice = ?, failing_since = ?, version = version + 1
                       WHERE id = ? AND status = ?";
            let (paused, active) = (Status::Paused.as_str(), Status::Active.as_str());
            let values = vec![paused.into(), notice.into(), since.into(), row.id.into(), active.into()];
            return Ok(self.run(sql, values).await? == 1 || was_parked);
        }
        let since = (*news == DestinationNews::Failing).then_some(since);
        let sql = "UPDATE destination SET failing_since = ? WHERE id = ?";
        self.run(sql, vec![since.into(), row.id.into()]).await?;
        Ok(was_parked)
    }
}

/// Whether news change a destination's row.
fn changes(row: &DestinationRow, news: Option<&DestinationNews>, now: Timestamp) -> bool {
    let active = row.status == Status::Active.as_str();
    match news {
        None | Some(DestinationNews::None) => false,
        Some(DestinationNews::Well) => row.failing_since.is_some(),
        Some(DestinationNews::Failing) => active && row.failing_since.is_none_or(|since| fails_too_long(since, now)),
        Some(DestinationNews::Park(_)) => active,
    }
}

fn fails_too_long(since: Timestamp, now: Timestamp) -> bool {
    now - since >= chrono::Duration::days(FAILING_DAYS_MAX)
}

fn attempt_row(begin: &Begin, number: i64, kind: AttemptKind, now: Timestamp) -> attempt::Model {
    attempt::Model {
        id: begin.attempt_id.0,
        delivery_id: begin.delivery_id.0,
        number,
        kind: kind.as_str().to_owned(),
        started_at: now,
        finished_at: None,
        outcome: None,
        status_code: None,
        duration_ms: None,
        answer: None,
        error: None,
    }
}
