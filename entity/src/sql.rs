//! Small helpers for set-based statements that both databases understand.

use std::collections::BTreeMap;

use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, IntoActiveModel, Iterable, ModelTrait,
    Statement, Value,
};

use crate::error::StoreResult;
use crate::store::Write;

/// The most values bound in one statement: below SQLite's limit of 32,766 and PostgreSQL's of 65,535.
const MAX_VALUES: usize = 30_000;

/// A statement written with `?` for every value, whatever the database.
pub(crate) fn statement(backend: DbBackend, sql: &str, values: Vec<Value>) -> Statement {
    if backend != DbBackend::Postgres {
        return Statement::from_sql_and_values(backend, sql, values);
    }
    let mut numbered = String::with_capacity(sql.len() + values.len() * 2);
    let mut number = 0;
    for character in sql.chars() {
        if character == '?' {
            number += 1;
            numbered.push('$');
            numbered.push_str(&number.to_string());
        } else {
            numbered.push(character);
        }
    }
    Statement::from_sql_and_values(backend, numbered, values)
}

/// `?,?,?` for a list of so many values.
pub(crate) fn marks(count: usize) -> String {
    vec!["?"; count].join(",")
}

impl crate::store::Read {
    pub(crate) fn backend(&self) -> DbBackend {
        if self.store.engine() == crate::Engine::Postgres { DbBackend::Postgres } else { DbBackend::Sqlite }
    }
}

impl Write {
    pub(crate) fn backend(&self) -> DbBackend {
        if self.is_postgres() { DbBackend::Postgres } else { DbBackend::Sqlite }
    }

    /// Runs a statement; answers how many rows it touched.
    pub(crate) async fn run(&self, sql: &str, values: Vec<Value>) -> StoreResult<u64> {
        #[cfg(feature = "testing")]
        self.note(sql);
        Ok(self.transaction.execute_raw(statement(self.backend(), sql, values)).await?.rows_affected())
    }

    /// Reads rows into a type.
    pub(crate) async fn all<T: FromQueryResult>(&self, sql: &str, values: Vec<Value>) -> StoreResult<Vec<T>> {
        Ok(T::find_by_statement(statement(self.backend(), sql, values)).all(&self.transaction).await?)
    }

    /// Reads rows whose key is in a list, in chunks that the database can bind. `sql` holds `{}` for the list.
    pub(crate) async fn all_in<T: FromQueryResult>(&self, sql: &str, keys: Vec<Value>) -> StoreResult<Vec<T>> {
        let mut rows = Vec::new();
        for chunk in keys.chunks(MAX_VALUES) {
            rows.extend(self.all::<T>(&sql.replacen("{}", &marks(chunk.len()), 1), chunk.to_vec()).await?);
        }
        Ok(rows)
    }

    /// Inserts whole rows, as few statements as fit.
    pub(crate) async fn insert_all<E>(&self, rows: Vec<E::Model>) -> StoreResult<()>
    where
        E: EntityTrait,
        E::Model: IntoActiveModel<E::ActiveModel> + ModelTrait<Entity = E>,
        E::ActiveModel: Send,
    {
        let per_statement = MAX_VALUES / E::Column::iter().count().max(1);
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let chunk: Vec<E::ActiveModel> =
                rows.by_ref().take(per_statement).map(|row| row.into_active_model().reset_all()).collect();
            #[cfg(feature = "testing")]
            self.note(&format!("INSERT INTO {}", E::default().table_name()));
            E::insert_many(chunk).exec_without_returning(&self.transaction).await?;
        }
        Ok(())
    }

    /// Takes the next `count` numbers of a named counter and answers the first. The row stays locked until the
    /// transaction ends, so numbers follow the order of commits.
    pub(crate) async fn take_numbers(&self, name: &str, count: i64) -> StoreResult<i64> {
        #[derive(FromQueryResult)]
        struct Taken {
            value: i64,
        }
        let taken: Vec<Taken> = self
            .all(
                "UPDATE market_state SET value = value + ? WHERE name = ? RETURNING value",
                vec![count.into(), name.into()],
            )
            .await?;
        let last = taken.first().map(|row| row.value).ok_or_else(|| crate::StoreError::corrupt("market_state"))?;
        Ok(last - count + 1)
    }

    /// Takes `count` decision numbers and answers the first. Call it last: it orders whole transactions.
    pub async fn next_decision_nos(&self, count: usize) -> StoreResult<i64> {
        self.take_numbers("decision_no", i64::try_from(count).unwrap_or(i64::MAX)).await
    }
}

/// Adds up amounts per key, in key order (so that rows are always touched in the same order).
pub(crate) fn summed<K: Ord, I: IntoIterator<Item = (K, i64)>>(items: I) -> BTreeMap<K, i64> {
    let mut sums = BTreeMap::new();
    for (key, amount) in items {
        *sums.entry(key).or_insert(0) += amount;
    }
    sums
}
