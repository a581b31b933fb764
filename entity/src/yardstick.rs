//! The yardstick: what SQL written by hand reaches with the same rows. `leadyard bench` is measured against it, and
//! nothing else uses it.
//!
//! A sample of leads that were really placed and sold is read back, table by table; the yardstick then inserts the same
//! rows with new ids and hashes: same columns, same sizes, same indexes, same durability, same driver. It looks for
//! duplicates, suppressions and repeated requests, takes the money only from who has it and the cap only where there is
//! room. It is spared everything else: parsing, normalising, sealing, matching, explaining; the rows are made before
//! the clock starts. It is also spared what would make it queue: decision numbers are given to it, and the operator's and
//! suppliers' stored balances (rows that every lead touches) are left alone.

mod rows;
mod scratch;

use leadyard_types::Ids;
use sea_orm::{ConnectionTrait, DatabaseConnection, FromQueryResult, Statement, TransactionTrait, Value};

use crate::error::{StoreError, StoreResult};
use crate::sql::{marks, statement};
use crate::store::{Engine, StoreOptions, connect};

pub use rows::{LeadRows, Sample};
pub use scratch::Scratch;

use rows::{TABLES, Table};

/// A connection to the yardstick's own database.
#[derive(Debug, Clone)]
pub struct Yardstick {
    engine: Engine,
    writer: DatabaseConnection,
    reader: DatabaseConnection,
    /// The statement of a whole lead (PostgreSQL).
    one: String,
}

/// What the whole statement of one lead answers.
#[derive(Debug, FromQueryResult)]
struct Done {
    seen: i64,
    charged: i64,
    capped: i64,
}

#[derive(Debug, FromQueryResult)]
struct Number {
    number: i64,
}

#[derive(Debug, FromQueryResult)]
struct Text {
    text: String,
}

impl Yardstick {
    /// Opens a database whose schema is up to date, with the settings that a store uses.
    pub async fn open(options: &StoreOptions) -> StoreResult<Self> {
        let (engine, writer, reader) = connect(options).await?;
        Ok(Self { engine, writer, reader, one: one_statement() })
    }

    /// Closes it.
    pub async fn close(self) -> StoreResult<()> {
        self.reader.close().await?;
        Ok(self.writer.close().await?)
    }

    /// Which database it is.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// What a reader of figures should know of the database: name and value.
    pub async fn settings(&self) -> StoreResult<Vec<(String, String)>> {
        let asked: &[(&str, &str)] = match self.engine {
            Engine::Sqlite => &[
                ("sqlite", "SELECT sqlite_version() AS text"),
                ("journal_mode", "SELECT journal_mode AS text FROM pragma_journal_mode"),
                ("synchronous", "SELECT CAST(synchronous AS TEXT) AS text FROM pragma_synchronous"),
                ("page_size", "SELECT CAST(page_size AS TEXT) AS text FROM pragma_page_size"),
            ],
            Engine::Postgres => &[
                ("postgresql", "SELECT current_setting('server_version') AS text"),
                ("fsync", "SELECT current_setting('fsync') AS text"),
                ("synchronous_commit", "SELECT current_setting('synchronous_commit') AS text"),
                ("full_page_writes", "SELECT current_setting('full_page_writes') AS text"),
                ("wal_sync_method", "SELECT current_setting('wal_sync_method') AS text"),
                ("shared_buffers", "SELECT current_setting('shared_buffers') AS text"),
            ],
        };
        let mut settings = Vec::with_capacity(asked.len());
        for (name, sql) in asked {
            let row = Text::find_by_statement(self.statement(sql, vec![])).one(&self.writer).await?;
            settings.push(((*name).to_owned(), row.map(|row| row.text).unwrap_or_default()));
        }
        Ok(settings)
    }

    /// The processes that serve this database (PostgreSQL), for counting what they use.
    pub async fn server_processes(&self) -> StoreResult<Vec<i64>> {
        if self.engine == Engine::Sqlite {
            return Ok(Vec::new());
        }
        let sql = "SELECT CAST(pid AS BIGINT) AS number FROM pg_stat_activity WHERE datname = current_database()";
        let rows = Number::find_by_statement(self.statement(sql, vec![])).all(&self.reader).await?;
        Ok(rows.into_iter().map(|row| row.number).collect())
    }

    /// How many rows there are in each table that a lead writes.
    pub async fn counts(&self) -> StoreResult<Vec<(&'static str, i64)>> {
        let mut counts = Vec::new();
        for table in TABLES.iter().map(|table| (table)()) {
            let sql = format!("SELECT COUNT(*) AS number FROM {}", table.name);
            let row = Number::find_by_statement(self.statement(&sql, vec![])).one(&self.reader).await?;
            counts.push((table.name, row.map_or(0, |row| row.number)));
        }
        Ok(counts)
    }

    /// A sample of leads that were sold once, with every row they left. The sample is of this database.
    pub async fn sample(&self, limit: u64) -> StoreResult<Sample> {
        Sample::read(&self.reader, limit).await
    }

    /// The largest decision number of the database.
    pub async fn last_decision_no(&self) -> StoreResult<i64> {
        let sql = "SELECT COALESCE(MAX(no), 0) AS number FROM decision";
        let row = Number::find_by_statement(self.statement(sql, vec![])).one(&self.reader).await?;
        Ok(row.map_or(0, |row| row.number))
    }

    /// Commits one lead: on PostgreSQL in one statement and one round trip, on SQLite in one transaction.
    pub async fn place_one(&self, lead: &LeadRows) -> StoreResult<()> {
        if self.engine == Engine::Sqlite {
            return self.place_batch(std::slice::from_ref(lead)).await;
        }
        let backend = sea_orm::DbBackend::Postgres;
        let asked = Statement::from_sql_and_values(backend, self.one.as_str(), lead.for_one_statement());
        let done = Done::find_by_statement(asked).one(&self.writer).await?;
        done.filter(|done| (done.seen, done.charged, done.capped) == (0, 1, 1)).map(|_| ()).ok_or_else(wrong)
    }

    /// Commits several leads in one transaction, every table in one statement.
    #[allow(clippy::disallowed_methods, reason = "the yardstick is not the store: it has no principal and no audit")]
    pub async fn place_batch(&self, leads: &[LeadRows]) -> StoreResult<()> {
        let mode = (self.engine == Engine::Sqlite).then_some(sea_orm::SqliteTransactionMode::Immediate);
        let options = sea_orm::TransactionOptions { sqlite_transaction_mode: mode, ..Default::default() };
        let transaction = self.writer.begin_with_options(options).await?;
        for (sql, values) in rows::lookups(leads) {
            let found = Number::find_by_statement(self.statement(&sql, values)).one(&transaction).await?;
            found.filter(|found| found.number == 0).ok_or_else(wrong)?;
        }
        for (sql, values) in rows::inserts(leads) {
            transaction.execute_raw(self.statement(&sql, values)).await?;
        }
        for (sql, values, wanted) in rows::guarded(leads) {
            let done = transaction.execute_raw(self.statement(&sql, values)).await?;
            if done.rows_affected() != wanted {
                return Err(wrong());
            }
        }
        Ok(transaction.commit().await?)
    }

    /// The transaction of one lead as a script, values and all (SQLite): for measuring a start.
    #[must_use]
    pub fn script(&self, lead: &LeadRows) -> String {
        let leads = std::slice::from_ref(lead);
        let guarded = rows::guarded(leads).into_iter().map(|(sql, values, _)| (sql, values));
        let written = rows::inserts(leads).into_iter().chain(guarded).map(|(sql, values)| {
            let values = values.into_iter().map(|value| match value {
                // As the driver binds them.
                Value::Uuid(Some(id)) => Value::from(id.as_bytes().to_vec()),
                other => other,
            });
            format!("{};\n", self.statement(&sql, values.collect()))
        });
        format!("BEGIN IMMEDIATE;\n{}COMMIT;\n", written.collect::<String>())
    }

    /// Runs a script.
    pub async fn run_script(&self, script: &str) -> StoreResult<()> {
        self.writer.execute_unprepared(script).await?;
        Ok(())
    }

    fn statement(&self, sql: &str, values: Vec<Value>) -> Statement {
        let backend = match self.engine {
            Engine::Sqlite => sea_orm::DbBackend::Sqlite,
            Engine::Postgres => sea_orm::DbBackend::Postgres,
        };
        statement(backend, sql, values)
    }
}

/// New rows for so many leads, each like one of the sample.
pub fn renew(sample: &Sample, count: usize, first_no: i64, ids: &dyn Ids) -> StoreResult<Vec<LeadRows>> {
    (first_no..).take(count).zip(sample.leads().iter().cycle()).map(|(no, lead)| lead.renewed(no, ids)).collect()
}

fn wrong() -> StoreError {
    StoreError::corrupt("the yardstick's lead was not placed as it should have been")
}

/// The whole of one lead in one statement, as PostgreSQL takes it.
fn one_statement() -> String {
    let mut parts = vec![
        format!(
            "seen AS (SELECT (SELECT COUNT(*) FROM lead_fingerprint WHERE hash IN ({two}))
               + (SELECT COUNT(*) FROM suppression_entry WHERE hash IN ({two}))
               + (SELECT COUNT(*) FROM idempotency_record WHERE scope = ? AND key = ?) AS number)",
            two = marks(2)
        ),
        "charged AS (UPDATE ledger_account SET balance_minor = balance_minor - ?
           WHERE id = ? AND balance_minor - held_minor + credit_limit_minor >= ? RETURNING 1)"
            .to_owned(),
        format!("capped AS ({} RETURNING 1)", rows::count_statement(1)),
    ];
    for Table { name, columns, rows } in TABLES.iter().map(|table| (table)()) {
        let values = vec![format!("({})", marks(columns.len())); rows].join(",");
        parts.push(format!("{name}_row AS (INSERT INTO {name} ({}) VALUES {values})", rows::listed(&columns)));
    }
    let sql = format!(
        "WITH {} SELECT (SELECT number FROM seen) AS seen, (SELECT COUNT(*) FROM charged) AS charged,
         (SELECT COUNT(*) FROM capped) AS capped",
        parts.join(",\n")
    );
    statement(sea_orm::DbBackend::Postgres, &sql, vec![]).sql
}
