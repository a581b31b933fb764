//! The store: one database, opened once, reached only through a principal.
//!
//! - [`Store::read`] gives a [`Read`]er whose queries are already scoped to the caller.
//! - [`Store::write`] opens a write transaction (immediate on SQLite). What it writes commits together or not at all.
//!
//! There is no other way to a row from outside this room.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use leadyard_migration::{Migrator, MigratorTrait};
use leadyard_types::{Clock, Ids, Principal};
use sea_orm::{
    AccessMode, DatabaseConnection, DatabaseTransaction, DbBackend, IsolationLevel, SqliteTransactionMode,
    SqlxPostgresConnector, SqlxSqliteConnector, TransactionOptions, TransactionTrait,
};
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions, PgSslMode};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

use crate::error::{StoreError, StoreResult};
use crate::keyring::{Keyring, MasterKeys};
use crate::signals::Signals;

/// How many readers SQLite gets beside its one writer.
const SQLITE_READERS: u32 = 8;
/// What each connection to SQLite keeps of the file in memory at most, as the pragma takes it: 32 MiB. The system's own
/// cache holds the rest.
const SQLITE_CACHE: &str = "-32768";
/// How many rows SQLite's thread may read ahead of who asked: handing over many at once saves waking each other for
/// every few.
const SQLITE_ROWS_AHEAD: usize = 1_024;
/// How long a caller waits for a connection before it is told that the database is not available.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// What SQLite calls a file that another has locked (the low byte of its codes).
const SQLITE_BUSY: u32 = 5;
/// How often a new file is opened that another process makes at this moment.
const SQLITE_OPEN_TRIES: u32 = 100;
/// The pause in between: five seconds in all, as long as a statement waits for another's.
const SQLITE_OPEN_PAUSE: Duration = Duration::from_millis(50);
/// How often a process that starts waits for another that migrates the file, five seconds each: two minutes.
const SQLITE_MIGRATION_TURNS: u32 = 24;

/// How to open a store.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// `sqlite://path` (created if missing) or `postgres://…`.
    pub url: String,
    /// The most connections to PostgreSQL.
    pub max_connections: u32,
    /// The keys that wrap all others.
    pub master_keys: MasterKeys,
}

/// Which database it is; differences between the two live in this room and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// One file, one writer.
    Sqlite,
    /// A server, any number of processes.
    Postgres,
}

/// An opened database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    engine: Engine,
    writer: DatabaseConnection,
    reader: DatabaseConnection,
    url: String,
    keyring: Keyring,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    statements: Arc<AtomicU64>,
    signals: Signals,
    key_lookups: crate::auth::KeyLookups,
    key_uses: crate::auth::KeyUses,
    hashing: crate::auth::Hashing,
    #[cfg(feature = "testing")]
    pub(crate) faults: crate::testing::Faults,
}

impl Store {
    /// Opens the database, brings its schema up to date and loads its keys.
    pub async fn open(options: StoreOptions, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> StoreResult<Self> {
        let (engine, mut writer, mut reader) = connect(&options).await?;
        let statements = Arc::new(AtomicU64::new(0));
        for connection in [&mut writer, &mut reader] {
            let statements = Arc::clone(&statements);
            connection.set_metric_callback(move |_| {
                statements.fetch_add(1, Ordering::Relaxed);
            });
        }
        migrate(&writer, engine).await?;
        let signals = Signals::start(engine, &writer)?;
        let keyring = Keyring::open(&writer, options.master_keys, clock.now()).await?;
        Ok(Self {
            inner: Arc::new(Inner {
                engine,
                writer,
                reader,
                url: options.url,
                keyring,
                clock,
                ids,
                statements,
                signals,
                key_lookups: crate::auth::KeyLookups::default(),
                key_uses: crate::auth::KeyUses::default(),
                hashing: crate::auth::Hashing::default(),
                #[cfg(feature = "testing")]
                faults: crate::testing::Faults::default(),
            }),
        })
    }

    pub(crate) fn signals(&self) -> &Signals {
        &self.inner.signals
    }

    #[cfg(feature = "testing")]
    pub(crate) fn faults(&self) -> &crate::testing::Faults {
        &self.inner.faults
    }

    /// Which database it is.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.inner.engine
    }

    /// The address it was opened with.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// The keys.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.inner.keyring
    }

    /// The clock the store was opened with.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// The ids the store was opened with.
    #[must_use]
    pub fn ids(&self) -> &Arc<dyn Ids> {
        &self.inner.ids
    }

    pub(crate) fn key_lookups(&self) -> &crate::auth::KeyLookups {
        &self.inner.key_lookups
    }

    pub(crate) fn key_uses(&self) -> &crate::auth::KeyUses {
        &self.inner.key_uses
    }

    pub(crate) fn hashing(&self) -> &crate::auth::Hashing {
        &self.inner.hashing
    }

    /// How many statements this process has sent to the database: what a request costs is counted by it.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.inner.statements.load(Ordering::Relaxed)
    }

    /// The connection that writes, for what happens to the schema as a whole.
    pub(crate) fn writer(&self) -> &DatabaseConnection {
        &self.inner.writer
    }

    /// A reader on behalf of a principal.
    #[must_use]
    pub fn read(&self, principal: Principal) -> Read {
        Read { store: self.clone(), principal }
    }

    /// A write transaction on behalf of a principal. On SQLite it is immediate and the only one of its process.
    #[allow(clippy::disallowed_methods, reason = "the one place where write transactions begin")]
    pub async fn write(&self, principal: Principal) -> StoreResult<Write> {
        let transaction = self
            .inner
            .writer
            .begin_with_options(TransactionOptions {
                isolation_level: None,
                access_mode: Some(AccessMode::ReadWrite).filter(|_| self.inner.engine == Engine::Postgres),
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            })
            .await?;
        Ok(self.transaction(transaction, principal, false))
    }

    /// A transaction that only looks, at one moment: it locks nobody out, and the database refuses whatever it would
    /// write. On SQLite it leaves the one writer to others.
    #[allow(clippy::disallowed_methods, reason = "the one place where transactions begin that only look")]
    pub async fn look(&self, principal: Principal) -> StoreResult<Write> {
        let is_postgres = self.inner.engine == Engine::Postgres;
        let options = TransactionOptions {
            isolation_level: Some(IsolationLevel::RepeatableRead).filter(|_| is_postgres),
            access_mode: Some(AccessMode::ReadOnly).filter(|_| is_postgres),
            sqlite_transaction_mode: Some(SqliteTransactionMode::Deferred),
        };
        let transaction = self.inner.reader.begin_with_options(options).await?;
        Ok(self.transaction(transaction, principal, true))
    }

    fn transaction(&self, transaction: DatabaseTransaction, principal: Principal, looks: bool) -> Write {
        Write {
            store: self.clone(),
            transaction,
            principal,
            looks,
            tasks: 0,
            audits: std::sync::Mutex::default(),
            #[cfg(feature = "testing")]
            done: std::sync::Mutex::default(),
        }
    }

    /// Closes the connections; what is committed is safe without it.
    pub async fn close(&self) {
        self.key_uses_noted().await;
        for connection in [&self.inner.reader, &self.inner.writer] {
            if let Err(error) = connection.clone().close().await {
                tracing::debug!(%error, "a connection did not close cleanly");
            }
        }
    }
}

/// A reader on behalf of a principal. Its queries are in the modules `scope` and `read`.
#[derive(Debug, Clone)]
pub struct Read {
    pub(crate) store: Store,
    pub(crate) principal: Principal,
}

impl Read {
    pub(crate) fn connection(&self) -> &DatabaseConnection {
        &self.store.inner.reader
    }

    /// On whose behalf.
    #[must_use]
    pub fn principal(&self) -> Principal {
        self.principal
    }

    /// The store it reads.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }
}

/// A write transaction on behalf of a principal. Dropped without [`Write::commit`], nothing has happened.
#[derive(Debug)]
pub struct Write {
    pub(crate) store: Store,
    pub(crate) transaction: DatabaseTransaction,
    pub(crate) principal: Principal,
    looks: bool,
    /// How many tasks were added.
    pub(crate) tasks: usize,
    /// What the audit will say, in order.
    pub(crate) audits: std::sync::Mutex<Vec<crate::audit::NewAudit>>,
    /// Its statements, so that a test can make this very commit fail.
    #[cfg(feature = "testing")]
    pub(crate) done: std::sync::Mutex<Vec<String>>,
}

/// What a commit leaves to be done: the number of tasks added. The workers know already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TasksDue(pub usize);

impl Write {
    /// On whose behalf.
    #[must_use]
    pub fn principal(&self) -> Principal {
        self.principal
    }

    /// The store it writes.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.store.engine() == Engine::Postgres
    }

    /// Whether it only looks: see [`Store::look`].
    #[must_use]
    pub fn looks(&self) -> bool {
        self.looks
    }

    /// Whether rows are locked as they are read: on SQLite whoever writes is alone, and who only looks is in nobody's way.
    pub(crate) fn locks(&self) -> bool {
        self.is_postgres() && !self.looks
    }

    /// Commits. Only after this has anything happened. Where tasks were added, workers are woken.
    pub async fn commit(self) -> StoreResult<TasksDue> {
        self.write_audits().await?;
        #[cfg(feature = "testing")]
        let fault = self.store.faults().next(&self);
        #[cfg(feature = "testing")]
        if fault == Some(crate::testing::CommitFault::Before) {
            return Err(crate::testing::CommitFault::error());
        }
        self.transaction.commit().await?;
        if self.tasks > 0 {
            self.store.signals().tasks_are_due();
        }
        #[cfg(feature = "testing")]
        match fault {
            Some(crate::testing::CommitFault::After) => return Err(crate::testing::CommitFault::error()),
            Some(crate::testing::CommitFault::Defect) => crate::testing::CommitFault::break_off(),
            Some(crate::testing::CommitFault::Before) | None => {}
        }
        Ok(TasksDue(self.tasks))
    }

    /// Gives everything up.
    pub async fn rollback(self) -> StoreResult<()> {
        self.transaction.rollback().await?;
        Ok(())
    }
}

pub(crate) async fn connect(options: &StoreOptions) -> StoreResult<(Engine, DatabaseConnection, DatabaseConnection)> {
    if options.url.starts_with("sqlite:") {
        let (writer, reader) = connect_sqlite(&options.url).await?;
        return Ok((Engine::Sqlite, writer, reader));
    }
    if options.url.starts_with("postgres:") || options.url.starts_with("postgresql:") {
        let connection = connect_postgres(options).await?;
        return Ok((Engine::Postgres, connection.clone(), connection));
    }
    Err(StoreError::Fault(
        "the database address must begin with sqlite: or postgres:, for example sqlite://leadyard.sqlite".to_owned(),
    ))
}

/// One writer and several readers: a pool of writers only queues on SQLite's lock, with a far worse latency.
async fn connect_sqlite(url: &str) -> StoreResult<(DatabaseConnection, DatabaseConnection)> {
    let options = SqliteConnectOptions::from_str(url)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // An acknowledged lead survives power loss.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .statement_cache_capacity(512)
        .row_buffer_size(SQLITE_ROWS_AHEAD)
        .pragma("cache_size", SQLITE_CACHE)
        .pragma("temp_store", "memory")
        .optimize_on_close(true, None);
    if let Some(folder) = options.get_filename().parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let failed = |error| StoreError::Fault(format!("the folder {} cannot be made: {error}", folder.display()));
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let writer = open_sqlite(1, options.clone()).await?;
    let reader = open_sqlite(SQLITE_READERS, options.pragma("query_only", "on")).await?;
    Ok((SqlxSqliteConnector::from_sqlx_sqlite_pool(writer), SqlxSqliteConnector::from_sqlx_sqlite_pool(reader)))
}

/// Opens a file. Another process that makes it at this moment holds it for an instant, and SQLite does not wait by itself
/// where the kind of the journal changes.
async fn open_sqlite(connections: u32, options: SqliteConnectOptions) -> StoreResult<SqlitePool> {
    let is_busy = |error: &sqlx::Error| {
        let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
        code.is_some_and(|code| code & 0xff == SQLITE_BUSY)
    };
    let mut tries = 1;
    loop {
        let pool = SqlitePoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE_TIMEOUT);
        match pool.connect_with(options.clone()).await {
            Err(error) if is_busy(&error) && tries < SQLITE_OPEN_TRIES => tries += 1,
            opened => return Ok(opened?),
        }
        tokio::time::sleep(SQLITE_OPEN_PAUSE).await;
    }
}

async fn connect_postgres(options: &StoreOptions) -> StoreResult<DatabaseConnection> {
    let connect = PgConnectOptions::from_str(&options.url)?
        .application_name("leadyard")
        .statement_cache_capacity(512)
        .options([("timezone", "UTC")]);
    let pool = PgPoolOptions::new()
        .max_connections(options.max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(plain_at_home(connect).await)
        .await?;
    Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
}

/// Without TLS to a server on this machine that takes it so, unless the address asks for TLS: a seventh of the processor that
/// reading takes would go into hiding bytes from nobody, and statements of more than 16 KB wait (sqlx issue 4335).
async fn plain_at_home(connect: PgConnectOptions) -> PgConnectOptions {
    let host = connect.get_host();
    let at_home = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if !at_home || !matches!(connect.get_ssl_mode(), PgSslMode::Prefer) {
        return connect;
    }
    let plain = connect.clone().ssl_mode(PgSslMode::Disable);
    // It is only asked; that closing ends badly harms nobody.
    let asked = async {
        let connection = PgConnection::connect_with(&plain).await?;
        let _ = connection.close().await;
        Ok::<_, sqlx::Error>(())
    };
    match tokio::time::timeout(ACQUIRE_TIMEOUT, asked).await {
        Ok(Ok(())) => plain,
        Ok(Err(_)) | Err(_) => connect,
    }
}

/// Brings the schema up to date. Several processes may start at once: they take turns.
async fn migrate(connection: &DatabaseConnection, engine: Engine) -> StoreResult<()> {
    use sea_orm::ConnectionTrait;
    /// Any number, as long as nobody else uses it in this database ("leadyard" as letters of a telephone).
    const MIGRATION_LOCK: i64 = 53_239_273;
    if engine == Engine::Sqlite {
        return migrate_sqlite(connection).await;
    }
    // The lock belongs to a transaction of its own, so that it ends even if this process does.
    #[allow(clippy::disallowed_methods, reason = "held only while migrating, before any store exists")]
    let guard = connection.begin().await?;
    guard
        .execute_raw(sea_orm::Statement::from_string(
            DbBackend::Postgres,
            format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"),
        ))
        .await?;
    Migrator::up(connection, None).await?;
    guard.commit().await?;
    Ok(())
}

/// All that is missing in one transaction: a start that is cut short leaves the file as it was, and the next begins anew.
async fn migrate_sqlite(connection: &DatabaseConnection) -> StoreResult<()> {
    // A start with nothing to do waits for nobody who writes.
    if Migrator::get_pending_migrations_read_only(connection).await?.is_empty() {
        return Ok(());
    }
    let turn = turn_to_migrate(connection).await?;
    // What is missing is looked up again: another process may have had its turn meanwhile.
    Migrator::up(&turn, None).await?;
    Ok(turn.commit().await?)
}

/// A process that migrates a large file takes longer than SQLite lets others wait.
async fn turn_to_migrate(connection: &DatabaseConnection) -> StoreResult<DatabaseTransaction> {
    let mut waited = 1;
    loop {
        let options = TransactionOptions {
            isolation_level: None,
            access_mode: None,
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        };
        #[allow(clippy::disallowed_methods, reason = "held only while migrating, before any store exists")]
        let turn = connection.begin_with_options(options).await.map_err(StoreError::from);
        match turn {
            Err(error) if error.is_transient() && waited < SQLITE_MIGRATION_TURNS => waited += 1,
            turn => return turn,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server on this machine that takes a connection and never says anything holds nobody up for ever: it is connected to
    /// as the address says.
    #[tokio::test(start_paused = true)]
    async fn a_silent_server_is_not_waited_for() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("postgres://someone@{}/leads", listener.local_addr().unwrap());
        let asked = plain_at_home(PgConnectOptions::from_str(&url).unwrap()).await;
        assert!(matches!(asked.get_ssl_mode(), PgSslMode::Prefer));
    }
}
