//! Compares the entities with the schema that the migrations make.

use std::collections::BTreeMap;

use leadyard_migration::{Migrator, MigratorTrait};
use sea_orm::{
    ColumnTrait, ColumnType, Database, DatabaseConnection, DbBackend, EntityTrait, FromQueryResult, IdenStatic,
    Iterable, PrimaryKeyToColumn, Statement,
};

use crate::error::StoreResult;
use crate::model::{
    ad_spend, api_key, attempt, audit, audit_seen, buyer, buyer_group, campaign, cap_counter, complaint, consent,
    contract, conversion, data_key, decision, delivery, destination, hold, hold_resolution, idempotency_record,
    invitation, lead, lead_event, lead_fingerprint, ledger_account, ledger_transfer, market_state, password_reset,
    person, ping, ping_counter, postal_code, quote, recovery_code, reset_request, revision, sale, session,
    sign_in_place, source, stage_rotation, supplier, suppression_entry, task, user_account, vertical, worker,
};

/// A column: its type as the database calls it, whether it may be null, whether it is part of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Column {
    kind: String,
    nullable: bool,
    key: bool,
}

/// Tables with their columns.
type Tables = BTreeMap<String, BTreeMap<String, Column>>;

/// Migrates an empty database, and answers what the entities and its schema do not agree on, in sentences.
pub async fn differences(url: &str) -> StoreResult<Vec<String>> {
    let database = Database::connect(url).await?;
    Migrator::up(&database, None).await?;
    let (expected, found) = (of_entities(database.get_database_backend()), of_database(&database).await?);
    database.close().await?;
    Ok(compare(&expected, &found))
}

fn compare(expected: &Tables, found: &Tables) -> Vec<String> {
    let mut differences = Vec::new();
    for name in found.keys().filter(|name| !expected.contains_key(*name)) {
        differences.push(format!("the table {name} has no entity"));
    }
    for (name, columns) in expected {
        let Some(there) = found.get(name) else {
            differences.push(format!("the entity {name} has no table"));
            continue;
        };
        for column in there.keys().filter(|column| !columns.contains_key(*column)) {
            differences.push(format!("{name}.{column} is not in the entity"));
        }
        for (column, wanted) in columns {
            match there.get(column) {
                None => differences.push(format!("{name}.{column} is not in the table")),
                Some(is) if is != wanted => {
                    differences.push(format!("{name}.{column}: the entity says {wanted:?}, the table {is:?}"));
                }
                Some(_) => {}
            }
        }
    }
    differences
}

macro_rules! tables {
    ($backend:expr, $($table:ident),+ $(,)?) => {
        BTreeMap::from([$(table::<$table::Entity>($backend)),+])
    };
}

/// What the entities say. A table that is missing here is found in the database.
fn of_entities(backend: DbBackend) -> Tables {
    tables!(
        backend,
        ad_spend,
        api_key,
        attempt,
        audit,
        audit_seen,
        buyer,
        buyer_group,
        campaign,
        cap_counter,
        complaint,
        consent,
        contract,
        conversion,
        data_key,
        decision,
        delivery,
        destination,
        hold,
        hold_resolution,
        idempotency_record,
        invitation,
        lead,
        lead_event,
        lead_fingerprint,
        ledger_account,
        ledger_transfer,
        market_state,
        password_reset,
        person,
        ping,
        ping_counter,
        postal_code,
        quote,
        recovery_code,
        reset_request,
        revision,
        sale,
        session,
        sign_in_place,
        source,
        stage_rotation,
        supplier,
        suppression_entry,
        task,
        user_account,
        vertical,
        worker,
    )
}

fn table<E: EntityTrait>(backend: DbBackend) -> (String, BTreeMap<String, Column>) {
    let keys: Vec<String> = E::PrimaryKey::iter().map(|key| key.into_column().as_str().to_owned()).collect();
    let columns = E::Column::iter().map(|column| {
        let (name, definition) = (column.as_str().to_owned(), column.def());
        let key = keys.contains(&name);
        let kind = kind(definition.get_column_type(), backend);
        (name, Column { kind, nullable: definition.is_null(), key })
    });
    (E::default().table_name().to_owned(), columns.collect())
}

/// How a database spells a type of an entity.
fn kind(column: &ColumnType, backend: DbBackend) -> String {
    let (sqlite, postgres) = match column {
        ColumnType::Uuid => ("BLOB", "uuid"),
        ColumnType::Binary(_) | ColumnType::VarBinary(_) | ColumnType::Blob => ("BLOB", "bytea"),
        ColumnType::Text | ColumnType::String(_) => ("TEXT", "text"),
        ColumnType::BigInteger => ("INTEGER", "bigint"),
        ColumnType::Boolean => ("INTEGER", "boolean"),
        ColumnType::Double => ("REAL", "double precision"),
        ColumnType::TimestampWithTimeZone => ("TEXT", "timestamp with time zone"),
        other => return format!("{other:?}"),
    };
    (if backend == DbBackend::Sqlite { sqlite } else { postgres }).to_owned()
}

#[derive(FromQueryResult)]
struct Described {
    table_name: String,
    column_name: String,
    kind: String,
    nullable: i64,
    key: i64,
}

/// What the database says.
async fn of_database(database: &DatabaseConnection) -> StoreResult<Tables> {
    let backend = database.get_database_backend();
    let sql = if backend == DbBackend::Sqlite { SQLITE } else { POSTGRES };
    let rows = Described::find_by_statement(Statement::from_string(backend, sql)).all(database).await?;
    let mut tables = Tables::new();
    for row in rows {
        let column = Column { kind: row.kind, nullable: row.nullable != 0, key: row.key != 0 };
        tables.entry(row.table_name).or_default().insert(row.column_name, column);
    }
    Ok(tables)
}

const SQLITE: &str = r#"SELECT t.name AS table_name, c.name AS column_name, upper(c.type) AS kind,
    1 - c."notnull" AS nullable, min(c.pk, 1) AS "key"
    FROM sqlite_schema t JOIN pragma_table_info(t.name) c
    WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name NOT LIKE 'seaql_%'"#;

const POSTGRES: &str = r#"SELECT c.table_name::text AS table_name, c.column_name::text AS column_name,
    c.data_type::text AS kind, CASE c.is_nullable WHEN 'YES' THEN 1 ELSE 0 END::bigint AS nullable,
    CASE WHEN k.column_name IS NULL THEN 0 ELSE 1 END::bigint AS "key"
    FROM information_schema.columns c
    LEFT JOIN (SELECT u.table_name, u.column_name FROM information_schema.key_column_usage u
               JOIN information_schema.table_constraints n ON n.constraint_name = u.constraint_name
                AND n.table_schema = u.table_schema AND n.table_name = u.table_name
               WHERE n.constraint_type = 'PRIMARY KEY' AND u.table_schema = 'public') k
      ON k.table_name = c.table_name AND k.column_name = c.column_name
    WHERE c.table_schema = 'public' AND c.table_name NOT LIKE 'seaql_%'"#;

#[cfg(test)]
mod tests {
    use super::*;

    /// Every kind of disagreement is told.
    #[test]
    fn disagreements_are_told() {
        let expected = of_entities(DbBackend::Sqlite);
        let mut found = expected.clone();
        assert!(compare(&expected, &found).is_empty());
        found.insert("stray".into(), BTreeMap::new());
        let lead = found.get_mut("lead").unwrap();
        let column = lead.remove("state").unwrap();
        lead.insert("stray".into(), column);
        lead.get_mut("reason").unwrap().nullable = false;
        found.remove("sale");
        assert_eq!(compare(&expected, &found).len(), 5);
    }
}
