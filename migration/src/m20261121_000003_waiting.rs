//! An index for the reconciler: sales that wait for a verdict, of which there are few among many.

use sea_orm_migration::prelude::*;

/// The index.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = "CREATE INDEX sale_waiting ON sale (id) WHERE state IN ('PENDING', 'UNKNOWN');";
        manager.get_connection().execute_unprepared(sql).await.map(|_| ())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP INDEX sale_waiting;").await.map(|_| ())
    }
}
