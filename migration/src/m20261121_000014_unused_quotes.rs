//! Quotes that became no lead, by the end of what they promised: those that are forgotten.

use sea_orm_migration::prelude::*;

/// The index of quotes that became no lead.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = "CREATE INDEX quote_unused ON quote (COALESCE(expires_at, asked_at)) WHERE lead_id IS NULL";
        manager.get_connection().execute_unprepared(sql).await.map(|_| ())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP INDEX quote_unused").await.map(|_| ())
    }
}
