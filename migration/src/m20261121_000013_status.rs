//! Attempts that ask what became of a lead, beside those that send it.

use sea_orm_migration::prelude::*;

use crate::dialect::sql;

/// What an attempt did.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let text = "ALTER TABLE attempt ADD COLUMN kind TEXT NOT NULL DEFAULT 'SEND';";
        manager.get_connection().execute_unprepared(&sql(text, manager.get_database_backend())).await.map(|_| ())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("ALTER TABLE attempt DROP COLUMN kind;").await.map(|_| ())
    }
}
