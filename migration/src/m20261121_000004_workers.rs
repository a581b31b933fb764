//! Signs of life of the workers: whether work is being done is asked of the database, whichever process does it.

use sea_orm_migration::prelude::*;

use crate::dialect::sql;

/// The table.
const WORKER: &str = "CREATE TABLE worker (
    id          :id NOT NULL PRIMARY KEY,
    started_at  :time NOT NULL,
    seen_at     :time NOT NULL
):strict;";

/// The workers.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = sql(WORKER, manager.get_database_backend());
        manager.get_connection().execute_unprepared(&sql).await.map(|_| ())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP TABLE worker;").await.map(|_| ())
    }
}
