//! The first schema: the market, people, leads, money and work.

use sea_orm_migration::prelude::*;

use crate::dialect::{append_only, sql};

/// The tables in the order they are created.
const FILES: [&str; 5] = [
    include_str!("first/market.sql"),
    include_str!("first/people.sql"),
    include_str!("first/leads.sql"),
    include_str!("first/money.sql"),
    include_str!("first/work.sql"),
];

/// Tables whose rows are never changed or deleted.
const APPEND_ONLY: [&str; 7] =
    ["revision", "ledger_transfer", "hold_resolution", "decision", "lead_event", "consent", "audit"];

/// The function PostgreSQL's append-only triggers call.
const REFUSE_CHANGE: &str = "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation'; END $$;";

/// The first schema.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let (connection, backend) = (manager.get_connection(), manager.get_database_backend());
        for file in FILES {
            connection.execute_unprepared(&sql(file, backend)).await?;
        }
        if backend == sea_orm_migration::sea_orm::DbBackend::Postgres {
            connection.execute_unprepared(REFUSE_CHANGE).await?;
        }
        for table in APPEND_ONLY {
            connection.execute_unprepared(&append_only(table, backend)).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let (connection, backend) = (manager.get_connection(), manager.get_database_backend());
        for table in tables().rev() {
            connection.execute_unprepared(&format!("DROP TABLE {table};")).await?;
        }
        if backend == sea_orm_migration::sea_orm::DbBackend::Postgres {
            connection.execute_unprepared("DROP FUNCTION refuse_change();").await?;
        }
        Ok(())
    }
}

/// The names of the tables, in the order they are created.
fn tables() -> impl DoubleEndedIterator<Item = &'static str> {
    let names: Vec<&str> = FILES
        .iter()
        .flat_map(|file| file.lines())
        .filter_map(|line| line.strip_prefix("CREATE TABLE ")?.strip_suffix(" ("))
        .collect();
    names.into_iter()
}
