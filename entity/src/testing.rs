//! Databases of their own for tests (feature `testing`).

mod contents;
mod schema;

use std::collections::{BTreeSet, VecDeque};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use leadyard_migration::{Migrator, MigratorTrait};
use sea_orm::{ColumnTrait, ConnectionTrait, Database, EntityTrait, FromQueryResult, QueryFilter, Statement};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor};

use crate::error::{StoreError, StoreResult};
use crate::sql::statement;
use crate::store::{Engine, Read, Store, Write};

pub use schema::differences;

/// A PostgreSQL database made for one test.
#[derive(Debug)]
pub struct OwnDatabase {
    server_url: String,
    name: String,
}

impl OwnDatabase {
    /// Makes a database on the server that `server_url` names (an address of some database of it).
    pub async fn create(server_url: &str) -> StoreResult<Self> {
        let own = Self::named(server_url)?;
        own.on_server("CREATE DATABASE", "").await?;
        // No test pulls the server's plug, and waiting for its disk is most of what tests do.
        own.on_server("ALTER DATABASE", " SET synchronous_commit TO off").await?;
        Ok(own)
    }

    fn named(server_url: &str) -> StoreResult<Self> {
        let random = crate::keyring::random_bytes()?;
        let name: String = random.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { server_url: server_url.to_owned(), name: format!("leadyard_test_{name}") })
    }

    /// Its address. On loopback nothing is encrypted: a test makes hundreds of connections, and each would read the
    /// machine's root certificates.
    #[must_use]
    pub fn url(&self) -> String {
        let server = self.server_url.rsplit_once('/').map_or(self.server_url.as_str(), |(server, _)| server);
        let is_local = ["@127.0.0.1", "@localhost", "@[::1]"].iter().any(|host| server.contains(host));
        let mode = if is_local { "?sslmode=disable" } else { "" };
        format!("{server}/{}{mode}", self.name)
    }

    /// Removes it, whoever is still connected.
    pub async fn remove(self) -> StoreResult<()> {
        self.on_server("DROP DATABASE", " WITH (FORCE)").await
    }

    /// A copy of it as it is now. Nobody may be connected to it.
    pub async fn copy(&self) -> StoreResult<Self> {
        let copy = Self::named(&self.server_url)?;
        copy.on_server("CREATE DATABASE", &format!(" TEMPLATE {}", self.name)).await?;
        Ok(copy)
    }

    async fn on_server(&self, verb: &str, how: &str) -> StoreResult<()> {
        let server = Database::connect(self.server_url.as_str()).await?;
        server.execute_unprepared(&format!("{verb} {}{how}", self.name)).await?;
        server.close().await?;
        Ok(())
    }
}

/// Creates an empty database on a server and answers its address.
pub async fn create_database(server_url: &str, name: &str) -> StoreResult<String> {
    on_server(server_url, &format!("CREATE DATABASE {}", plain(name)?)).await?;
    let (address, _) =
        server_url.rsplit_once('/').ok_or_else(|| StoreError::Fault("an address has a path".to_owned()))?;
    Ok(format!("{address}/{name}"))
}

/// Drops a database, whoever still uses it.
pub async fn drop_database(server_url: &str, name: &str) -> StoreResult<()> {
    on_server(server_url, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", plain(name)?)).await
}

/// Names cannot be bound, so only harmless ones are taken.
fn plain(name: &str) -> StoreResult<&str> {
    let harmless = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if harmless { Ok(name) } else { Err(StoreError::Fault("a test database has a plain name".to_owned())) }
}

async fn on_server(server_url: &str, sql: &str) -> StoreResult<()> {
    let mut connection = PgConnectOptions::from_str(server_url)?.connect().await?;
    connection.execute(sqlx::AssertSqlSafe(sql.to_owned())).await?;
    Ok(())
}

/// Brings an empty database's schema up by so many migrations only, as an older version would have.
pub async fn migrate_some(url: &str, migrations: u32) -> StoreResult<()> {
    let database = Database::connect(url).await?;
    Migrator::up(&database, Some(migrations)).await?;
    database.close().await?;
    Ok(())
}

/// What a database consists of, one line each: on SQLite every statement that made it and every migration that ran, on
/// PostgreSQL the migrations.
pub async fn schema_of(url: &str) -> StoreResult<Vec<String>> {
    let database = Database::connect(url).await?;
    let made = "SELECT coalesce(sql, name) AS line FROM sqlite_master UNION ALL ";
    let made = if url.starts_with("sqlite:") { made } else { "" };
    let sql = format!("{made}SELECT version AS line FROM seaql_migrations ORDER BY line");
    let rows = database.query_all_raw(Statement::from_string(database.get_database_backend(), sql)).await?;
    let lines = rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>();
    database.close().await?;
    Ok(lines?)
}

/// Brings a database's schema up, down again, and up again.
pub async fn migrate_up_down_up(url: &str) -> StoreResult<()> {
    let database = Database::connect(url).await?;
    Migrator::up(&database, None).await?;
    Migrator::down(&database, None).await?;
    Migrator::up(&database, None).await?;
    database.close().await?;
    Ok(())
}

/// How a commit fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitFault {
    /// The connection broke before: nothing has happened.
    Before,
    /// The connection broke after: it has happened, and nobody was told.
    After,
    /// The program itself broke off after: it has happened, and whoever committed does not know.
    Defect,
}

impl CommitFault {
    #[allow(clippy::panic, reason = "a defect, planted by a test")]
    pub(crate) fn break_off() -> ! {
        panic!("a defect, planted by a test");
    }

    pub(crate) fn error() -> StoreError {
        StoreError::Unavailable("the connection broke, as planted by a test".to_owned())
    }
}

/// The commits that are to fail, and how often transactions were in each other's way.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    planted: Mutex<Vec<(&'static str, VecDeque<CommitFault>)>>,
    collisions: AtomicU64,
    ran: Mutex<BTreeSet<String>>,
}

impl Faults {
    /// How this commit fails, if it does.
    pub(crate) fn next(&self, write: &Write) -> Option<CommitFault> {
        let done = write.done.lock().unwrap_or_else(PoisonError::into_inner);
        let mut faults = self.planted.lock().unwrap_or_else(PoisonError::into_inner);
        let planted = faults.iter_mut().find(|(part, _)| done.iter().any(|sql| sql.contains(part)))?;
        planted.1.pop_front()
    }

    /// Remembers a statement of a transaction.
    pub(crate) fn ran(&self, sql: &str) {
        let mut ran = self.ran.lock().unwrap_or_else(PoisonError::into_inner);
        if !ran.contains(sql) {
            ran.insert(sql.to_owned());
        }
    }

    pub(crate) fn collided(&self) {
        self.collisions.fetch_add(1, Ordering::SeqCst);
    }
}

impl Store {
    /// Makes the next commits of transactions that ran a statement with this part in it fail, in this order.
    pub fn fail_commits(&self, part: &'static str, faults: impl IntoIterator<Item = CommitFault>) {
        let mut planted = self.faults().planted.lock().unwrap_or_else(PoisonError::into_inner);
        planted.retain(|(known, _)| *known != part);
        planted.push((part, faults.into_iter().collect()));
    }

    /// How many commits are still to fail.
    #[must_use]
    pub fn commits_to_fail(&self) -> usize {
        let planted = self.faults().planted.lock().unwrap_or_else(PoisonError::into_inner);
        planted.iter().map(|(_, faults)| faults.len()).sum()
    }

    /// What the transactions of this process, and lists inside others, read row by row instead of by an index, with the
    /// statement, as SQLite plans it; lists that are given with a statement, and tables of fixed size, left out. Nothing on PostgreSQL, whose plans
    /// follow the sizes of tables.
    pub async fn scans(&self) -> StoreResult<Vec<String>> {
        #[derive(FromQueryResult)]
        struct Row {
            detail: String,
        }
        if self.engine() != Engine::Sqlite {
            return Ok(Vec::new());
        }
        let ran = self.faults().ran.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let read = self.read(leadyard_types::Principal::System(leadyard_types::SystemTask::Operate));
        let mut scans = Vec::new();
        // SQLite's plan of an insert also shows how children without a parent would be found, which it looks for only
        // where there are some.
        for sql in ran.into_iter().filter(|sql| !sql.trim_start().starts_with("INSERT")) {
            let explain = statement(read.backend(), &format!("EXPLAIN QUERY PLAN {sql}"), Vec::new());
            let plan = Row::find_by_statement(explain).all(read.connection()).await?;
            let scanned = plan.iter().filter_map(|row| row.detail.strip_prefix("SCAN "));
            let harmless = |what: &str| {
                what.contains("CONSTANT ROW")
                    || what.ends_with("-ROW VALUES CLAUSE")
                    || what.starts_with('(')
                    || matches!(what, "given" | "change" | "parents" | "market_state")
            };
            scans.extend(scanned.filter(|what| !harmless(what)).map(|what| format!("{what} in {sql}")));
        }
        Ok(scans)
    }

    /// The statements that ran with this in their text.
    #[must_use]
    pub fn ran_with(&self, part: &str) -> Vec<String> {
        let ran = self.faults().ran.lock().unwrap_or_else(PoisonError::into_inner);
        ran.iter().filter(|sql| sql.contains(part)).cloned().collect()
    }

    /// How many statements of writers failed because transactions were in each other's way: deadlocks, for the most part.
    #[must_use]
    pub fn collisions(&self) -> u64 {
        self.faults().collisions.load(Ordering::SeqCst)
    }
}

impl Read {
    /// A figure that no other query gives, for tests; `sql` names it `figure`.
    pub async fn figure(&self, sql: &str) -> StoreResult<i64> {
        #[derive(FromQueryResult)]
        struct Row {
            figure: i64,
        }
        let found = Row::find_by_statement(statement(self.backend(), sql, vec![])).one(self.connection()).await?;
        Ok(found.map_or(0, |row| row.figure))
    }

    /// The ids that a query answers, for tests; `sql` names them `id`.
    pub async fn ids(&self, sql: &str) -> StoreResult<Vec<uuid::Uuid>> {
        #[derive(FromQueryResult)]
        struct Row {
            id: uuid::Uuid,
        }
        let found = Row::find_by_statement(statement(self.backend(), sql, vec![])).all(self.connection()).await?;
        Ok(found.into_iter().map(|row| row.id).collect())
    }

    /// The rotation of the stages of this name, if there is one; of several campaigns', any.
    pub async fn rotation(&self, stage: &str) -> StoreResult<Option<String>> {
        use crate::model::stage_rotation::{Column, Entity};
        let found = Entity::find().filter(Column::Stage.eq(stage)).one(self.connection()).await?;
        Ok(found.map(|row| row.state))
    }

    /// How many transactions of this database wait for a lock. SQLite's are not seen waiting.
    pub async fn waiting_for_locks(&self) -> StoreResult<i64> {
        if self.store().engine() == Engine::Sqlite {
            return Ok(0);
        }
        self.figure(
            "SELECT COUNT(*) AS figure FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .await
    }
}

impl Write {
    /// Remembers a statement.
    pub(crate) fn note(&self, sql: &str) {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).push(sql.to_owned());
    }

    /// Runs any statement, for tests that plant faults.
    pub async fn plant(&self, sql: &str) -> StoreResult<u64> {
        let statement = Statement::from_string(self.backend(), sql.to_owned());
        let done =
            sea_orm::ConnectionTrait::execute_raw(&self.transaction, statement).await.map_err(StoreError::from)?;
        Ok(done.rows_affected())
    }
}

/// Runs statements past the rules of a database, as somebody with direct access to it could: no trigger fires and no
/// foreign key, check or unique index stands in the way that a statement does not name. Answers how many rows changed.
pub async fn plant_faults(url: &str, statements: &[String]) -> StoreResult<u64> {
    if url.starts_with("sqlite:") {
        plant_in_sqlite(url, statements).await
    } else {
        plant_in_postgres(url, statements).await
    }
}

async fn plant_in_sqlite(url: &str, statements: &[String]) -> StoreResult<u64> {
    let options = SqliteConnectOptions::from_str(url)?.foreign_keys(false).pragma("ignore_check_constraints", "on");
    let mut connection = options.connect().await?;
    connection.execute("BEGIN IMMEDIATE").await?;
    let triggers: Vec<(String, String)> =
        sqlx::query_as("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetch_all(&mut connection).await?;
    for (name, _) in &triggers {
        connection.execute(sqlx::AssertSqlSafe(format!("DROP TRIGGER {name}"))).await?;
    }
    let mut changed = 0;
    for sql in statements {
        changed += connection.execute(sqlx::AssertSqlSafe(sql.clone())).await?.rows_affected();
    }
    for (_, sql) in triggers {
        connection.execute(sqlx::AssertSqlSafe(sql)).await?;
    }
    connection.execute("COMMIT").await?;
    connection.close().await?;
    Ok(changed)
}

async fn plant_in_postgres(url: &str, statements: &[String]) -> StoreResult<u64> {
    let mut connection = PgConnectOptions::from_str(url)?.connect().await?;
    // A replica applies what it is told: its triggers and foreign keys rest.
    connection.execute("SET session_replication_role = replica; SET synchronous_commit = off; BEGIN").await?;
    let mut changed = 0;
    for sql in statements {
        changed += connection.execute(sqlx::AssertSqlSafe(sql.clone())).await?.rows_affected();
    }
    connection.execute("COMMIT").await?;
    connection.close().await?;
    Ok(changed)
}

/// The id that a query answers first.
pub async fn id_of(url: &str, sql: &str) -> StoreResult<uuid::Uuid> {
    let database = Database::connect(url).await?;
    let row = database.query_one_raw(Statement::from_string(database.get_database_backend(), sql.to_owned())).await?;
    let id = row.map(|row| row.try_get_by_index(0)).transpose()?;
    database.close().await?;
    id.ok_or_else(|| StoreError::Fault(format!("nothing is found by: {sql}")))
}
