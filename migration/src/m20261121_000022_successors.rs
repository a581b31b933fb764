//! Keys that were replaced: by which key, and when they would have ended without it.

use sea_orm_migration::prelude::*;

use crate::dialect::sql;

/// Null where a key has no successor. An overlap's end stands in `expires_at` then, what the key was made for here.
const COLUMNS: [(&str, &str); 2] = [("successor_id", ":id"), ("made_until", ":time")];

/// The columns.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (column, kind) in COLUMNS {
            let add = format!("ALTER TABLE api_key ADD COLUMN {column} {kind};");
            manager.get_connection().execute_unprepared(&sql(&add, manager.get_database_backend())).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (column, _) in COLUMNS.iter().rev() {
            manager.get_connection().execute_unprepared(&format!("ALTER TABLE api_key DROP COLUMN {column};")).await?;
        }
        Ok(())
    }
}
