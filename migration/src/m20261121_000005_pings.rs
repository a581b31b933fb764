//! Buyers asked for bids.

use sea_orm_migration::prelude::*;

use crate::dialect::sql;

/// The table of pings.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let text = sql(include_str!("pings/pings.sql"), manager.get_database_backend());
        manager.get_connection().execute_unprepared(&text).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP TABLE ping;").await?;
        Ok(())
    }
}
