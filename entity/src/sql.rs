//! Small helpers for set-based statements that both databases understand.

use std::collections::BTreeMap;

use sea_orm::sea_query::extension::postgres::PgFunc;
use sea_orm::sea_query::{ArrayType, Expr, ExprTrait};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, IdenStatic,
    IntoActiveModel, Iterable, ModelTrait, Statement, Value,
};
use uuid::Uuid;

use crate::error::StoreResult;
use crate::store::Write;

/// The most values bound in one statement: below SQLite's limit of 32,766 and PostgreSQL's of 65,535.
const MAX_VALUES: usize = 30_000;

/// The most values of one statement over rows. Longer ones gain nothing, and each that is kept prepared takes more memory.
const INSERTED_VALUES: usize = 4_096;

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

/// Whether a column is one of some ids. On PostgreSQL they are one array: a list would be planned value by value.
pub(crate) fn among<C: ColumnTrait>(backend: DbBackend, column: C, ids: &[Uuid]) -> Expr {
    let values: Vec<Value> = ids.iter().map(|id| Value::from(*id)).collect();
    if backend == DbBackend::Postgres {
        let ids = Value::Array(ArrayType::Uuid, Some(Box::new(values)));
        return Expr::col(column.as_column_ref()).eq(PgFunc::any(Expr::value(ids)));
    }
    column.is_in(filled_up(&values))
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
        {
            self.note(sql);
            self.store.faults().ran(sql);
        }
        let done = self.transaction.execute_raw(statement(self.backend(), sql, values)).await;
        self.counted(done).map(|done| done.rows_affected())
    }

    /// An answer of the database; where transactions were in each other's way, tests count it.
    fn counted<T>(&self, answer: Result<T, sea_orm::DbErr>) -> StoreResult<T> {
        let answer = answer.map_err(crate::StoreError::from);
        #[cfg(feature = "testing")]
        if answer.as_ref().is_err_and(crate::StoreError::is_transient) {
            self.store.faults().collided();
        }
        answer
    }

    /// Reads rows into a type.
    pub(crate) async fn all<T: FromQueryResult>(&self, sql: &str, values: Vec<Value>) -> StoreResult<Vec<T>> {
        #[cfg(feature = "testing")]
        self.store.faults().ran(sql);
        self.counted(T::find_by_statement(statement(self.backend(), sql, values)).all(&self.transaction).await)
    }

    /// Reads rows whose key is in a list, in chunks that the database can bind. `sql` holds `{}` for the list.
    pub(crate) async fn all_in<T: FromQueryResult>(&self, sql: &str, keys: Vec<Value>) -> StoreResult<Vec<T>> {
        self.all_in_with(sql, &[], keys).await
    }

    /// The same, for a statement that binds other values before the list.
    pub(crate) async fn all_in_with<T: FromQueryResult>(
        &self,
        sql: &str,
        before: &[Value],
        keys: Vec<Value>,
    ) -> StoreResult<Vec<T>> {
        let mut rows = Vec::new();
        for chunk in keys.chunks(MAX_VALUES - before.len()) {
            let keys = filled_up(chunk);
            let sql = sql.replacen("{}", &marks(keys.len()), 1);
            rows.extend(self.all::<T>(&sql, [before, &keys].concat()).await?);
        }
        Ok(rows)
    }

    /// Reads the rows that some keys of `width` values each name. `sql` holds `{}` where the keys stand as the rows of a
    /// `VALUES` list; whoever joins it finds by index what a list of single values would only find by one column.
    pub(crate) async fn all_of<T: FromQueryResult>(
        &self,
        sql: &str,
        width: usize,
        keys: Vec<Value>,
    ) -> StoreResult<Vec<T>> {
        let width = width.max(1);
        let mut rows = Vec::new();
        for chunk in keys.chunks(MAX_VALUES / width * width) {
            let count = chunk.len() / width;
            let size = count.next_power_of_two().min(MAX_VALUES / width);
            let places = vec![format!("({})", marks(width)); size].join(",");
            // Keys of NULL find nothing: they only keep the lengths of statements few.
            let empty = chunk.iter().take(width).map(Value::as_null).cycle().take((size - count) * width);
            let values = chunk.iter().cloned().chain(empty).collect();
            rows.extend(self.all::<T>(&sql.replacen("{}", &places, 1), values).await?);
        }
        Ok(rows)
    }

    /// Runs a statement over rows of `width` values each, as few times as fit. `sql` holds `{}` where the rows stand as a
    /// query. Answers how many rows it touched.
    ///
    /// The rows are filled up to a power of two with empty ones that a limit keeps from being reached: so a statement
    /// has few lengths, the database keeps each prepared, and one of a length that was not seen before is no slower than
    /// several short ones.
    pub(crate) async fn run_over(&self, sql: &str, width: usize, rows: Vec<Value>) -> StoreResult<u64> {
        let most = statement_rows(usize::MAX, INSERTED_VALUES / width.max(1));
        let mut touched = 0;
        for chunk in rows.chunks(most * width.max(1)) {
            let count = chunk.len() / width.max(1);
            let size = count.next_power_of_two();
            let places = vec![format!("({})", marks(width)); size].join(",");
            // SQLite plans a statement anew whenever a bare parameter that limits it is bound; a sum is no bare parameter.
            let table = format!("SELECT * FROM (VALUES {places}) AS given LIMIT ? + 0");
            let empty = chunk.iter().take(width).map(Value::as_null).cycle().take((size - count) * width);
            let limit = Value::from(i64::try_from(count).unwrap_or(i64::MAX));
            let values = chunk.iter().cloned().chain(empty).chain([limit]).collect();
            touched += self.run(&sql.replacen("{}", &table, 1), values).await?;
        }
        Ok(touched)
    }

    /// Inserts whole rows, in few statements.
    pub(crate) async fn insert_all<E>(&self, rows: Vec<E::Model>) -> StoreResult<()>
    where
        E: EntityTrait,
        E::Model: IntoActiveModel<E::ActiveModel> + ModelTrait<Entity = E>,
    {
        let columns: Vec<String> = E::Column::iter().map(|column| format!("\"{}\"", column.as_str())).collect();
        let mut values = Vec::with_capacity(rows.len() * columns.len());
        for row in rows {
            let mut row = row.into_active_model();
            values.extend(E::Column::iter().filter_map(|column| row.take(column).into_value()));
        }
        let sql = format!("INSERT INTO {} ({}) {{}}", E::default().table_name(), columns.join(","));
        self.run_over(&sql, columns.len(), values).await.map(|_| ())
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

/// How many of the rows that are left the next statement takes: a power of two. Every length is a statement of its own
/// that the database keeps prepared, some hundred kilobytes each; powers of two are few, and are used again.
fn statement_rows(left: usize, most: usize) -> usize {
    1 << left.min(most).max(1).ilog2()
}

/// A list of keys filled up with its last one to a power of two, for the same reason: a key twice finds nothing twice.
fn filled_up(keys: &[Value]) -> Vec<Value> {
    let mut keys = keys.to_vec();
    if let Some(last) = keys.last().cloned() {
        // Never shorter: more than a statement binds is the database's to refuse, not ours to forget.
        keys.resize(keys.len().next_power_of_two().min(MAX_VALUES).max(keys.len()), last);
    }
    keys
}

/// Adds up amounts per key, in key order (so that rows are always touched in the same order).
pub(crate) fn summed<K: Ord, I: IntoIterator<Item = (K, i64)>>(items: I) -> BTreeMap<K, i64> {
    let mut sums = BTreeMap::new();
    for (key, amount) in items {
        *sums.entry(key).or_insert(0) += amount;
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the number of rows, all are taken, within the limit, in statements of few lengths.
    #[test]
    fn statements_have_few_lengths() {
        let mut lengths = std::collections::BTreeSet::new();
        for rows in 1..=1_500 {
            let (mut left, mut statements) = (rows, 0);
            while left > 0 {
                let size = statement_rows(left, 700);
                assert!(size <= std::cmp::min(700, left));
                lengths.insert(size);
                (left, statements) = (left - size, statements + 1);
            }
            assert!(statements <= 11, "{rows} rows take {statements} statements");
        }
        assert_eq!(lengths.len(), 10);
        let beyond = (30_001, 30_001);
        for (keys, filled) in [(0, 0), (1, 1), (3, 4), (512, 512), (513, 1_024), (29_999, MAX_VALUES), beyond] {
            let keys: Vec<Value> = (0..keys).map(|key: i32| key.into()).collect();
            let more = filled_up(&keys);
            assert_eq!((more.len(), more.last()), (filled, keys.last()));
        }
    }
}
