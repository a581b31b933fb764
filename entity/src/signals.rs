//! Waking workers: every commit that adds tasks tells the workers of its own process, and on PostgreSQL those of all
//! others. Signals are never needed for anything to be done: workers also look by themselves now and then.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use sqlx::postgres::PgListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::error::StoreResult;
use crate::store::{Engine, Store};

/// PostgreSQL's channel; each database has its own.
const CHANNEL: &str = "leadyard_tasks";

/// The pause after an announcement: commits in between share the next one. (Each takes a lock of the whole server's, which
/// is also why it is not part of the transaction that added the tasks.)
const GATHER: Duration = Duration::from_millis(5);

/// How this process tells and is told.
#[derive(Debug)]
pub(crate) struct Signals {
    due: Arc<Notify>,
    announce: Arc<Notify>,
    /// What this process is called in its announcements, so that it does not listen to itself.
    process: String,
    announcer: Option<JoinHandle<()>>,
}

impl Signals {
    pub(crate) fn start(engine: Engine, connection: &DatabaseConnection) -> StoreResult<Self> {
        let random = crate::keyring::random_bytes()?;
        let process: String = random.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let announce = Arc::new(Notify::new());
        let announcer = (engine == Engine::Postgres)
            .then(|| tokio::spawn(announcer(connection.clone(), Arc::clone(&announce), process.clone())));
        Ok(Self { due: Arc::new(Notify::new()), announce, process, announcer })
    }

    pub(crate) fn tasks_are_due(&self) {
        self.due.notify_one();
        self.announce.notify_one();
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        if let Some(announcer) = &self.announcer {
            announcer.abort();
        }
    }
}

async fn announcer(connection: DatabaseConnection, announce: Arc<Notify>, process: String) {
    let sql = "SELECT pg_notify($1, $2)";
    loop {
        announce.notified().await;
        let values = [CHANNEL.into(), process.as_str().into()];
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
        if let Err(error) = connection.execute_raw(statement).await {
            tracing::debug!(%error, "other processes were not told of due tasks; they look by themselves");
        }
        tokio::time::sleep(GATHER).await;
    }
}

impl Store {
    /// Notified when tasks may be due: after every commit of this process that added some. Workers wait on it.
    #[must_use]
    pub fn tasks_due(&self) -> &Arc<Notify> {
        &self.signals().due
    }

    /// Wakes the workers of all processes, where tasks are due for another reason than that they were added.
    pub fn wake_workers(&self) {
        self.signals().tasks_are_due();
    }

    /// Begins to listen to the other processes of this database; `None` on SQLite, which has only this one.
    pub async fn listen(&self) -> StoreResult<Option<TaskListener>> {
        if self.engine() == Engine::Sqlite {
            return Ok(None);
        }
        let mut listener = PgListener::connect(self.url()).await?;
        listener.listen(CHANNEL).await?;
        Ok(Some(TaskListener { listener, own: self.signals().process.clone() }))
    }
}

/// An ear for the other processes: a connection of its own.
pub struct TaskListener {
    listener: PgListener,
    own: String,
}

impl std::fmt::Debug for TaskListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskListener").finish_non_exhaustive()
    }
}

impl TaskListener {
    /// Waits until another process says that tasks are due, or may have said so while the connection was lost.
    pub async fn heard(&mut self) -> StoreResult<()> {
        loop {
            match self.listener.try_recv().await? {
                Some(heard) if heard.payload() == self.own => {}
                Some(_) | None => return Ok(()),
            }
        }
    }
}
