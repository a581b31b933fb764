//! Experiments between two plans of stages, and leads that wait.

use sea_orm_migration::prelude::*;

use crate::dialect::sql;

/// The columns of leads, and their indexes.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let text = sql(include_str!("stages/stages.sql"), manager.get_database_backend());
        manager.get_connection().execute_unprepared(&text).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for index in ["lead_unsold", "lead_waiting", "lead_split"] {
            manager.get_connection().execute_unprepared(&format!("DROP INDEX {index};")).await?;
        }
        for column in ["offer_at", "plan", "split"] {
            manager.get_connection().execute_unprepared(&format!("ALTER TABLE lead DROP COLUMN {column};")).await?;
        }
        Ok(())
    }
}
