//! Versions of suppliers and of buyer groups: a change names the version it was made from.

use sea_orm_migration::prelude::*;

use crate::dialect::sql;

/// How often they were changed.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The tables that have no revisions to count.
const TABLES: [&str; 2] = ["supplier", "buyer_group"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES {
            let text = format!("ALTER TABLE {table} ADD COLUMN version :int NOT NULL DEFAULT 1;");
            manager.get_connection().execute_unprepared(&sql(&text, manager.get_database_backend())).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES {
            manager.get_connection().execute_unprepared(&format!("ALTER TABLE {table} DROP COLUMN version;")).await?;
        }
        Ok(())
    }
}
