//! What suppliers are quoted, and how often they ping.

use sea_orm_migration::prelude::*;

use crate::dialect::sql;

/// The tables of quotes and ping limits.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let text = sql(include_str!("quotes/quotes.sql"), manager.get_database_backend());
        manager.get_connection().execute_unprepared(&text).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP TABLE ping_counter; DROP TABLE quote;").await?;
        Ok(())
    }
}
