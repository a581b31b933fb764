//! Tests: leads, sales and quotes that are none of the business.

use sea_orm_migration::prelude::*;

use crate::dialect::sql;

/// The mark of a test.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The tables that have it.
const TABLES: [&str; 3] = ["lead", "sale", "quote"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES {
            let is_sqlite = manager.get_database_backend() == sea_orm_migration::sea_orm::DbBackend::Sqlite;
            let no = if is_sqlite { "0" } else { "FALSE" };
            let text = format!("ALTER TABLE {table} ADD COLUMN test :bool NOT NULL DEFAULT {no};");
            manager.get_connection().execute_unprepared(&sql(&text, manager.get_database_backend())).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES {
            manager.get_connection().execute_unprepared(&format!("ALTER TABLE {table} DROP COLUMN test;")).await?;
        }
        Ok(())
    }
}
