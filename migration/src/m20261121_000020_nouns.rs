//! What the nouns of the API need: suppression entries with an id, when a destination was tried out, and indexes of lists.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::dialect::sql;

/// The columns and indexes.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The SQL of a file, with an id of the database's own making where a row brings none.
fn spelt(text: &str, backend: DbBackend) -> String {
    let new_id = if backend == DbBackend::Sqlite { "(randomblob(16))" } else { "gen_random_uuid()" };
    sql(&text.replace(":new_id", new_id), backend)
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let text = spelt(include_str!("nouns/nouns.sql"), manager.get_database_backend());
        manager.get_connection().execute_unprepared(&text).await.map(|_| ())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let text = spelt(include_str!("nouns/back.sql"), manager.get_database_backend());
        manager.get_connection().execute_unprepared(&text).await.map(|_| ())
    }
}
