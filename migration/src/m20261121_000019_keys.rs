//! Keys of users, what is sent to people by mail, and the audit by what it is about and by whom.

use sea_orm_migration::prelude::*;

use crate::dialect::sql;

/// The columns, the table and the indexes.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let text = sql(include_str!("keys/keys.sql"), manager.get_database_backend());
        manager.get_connection().execute_unprepared(&text).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut statements: Vec<String> = Vec::new();
        statements.extend(
            ["audit_actor", "audit_subject", "api_key_age", "api_key_user"].map(|index| format!("DROP INDEX {index};")),
        );
        statements.push("DROP TABLE reset_request;".to_owned());
        statements.extend(
            [("invitation", "mailed_at"), ("invitation", "mail"), ("api_key", "scopes")]
                .map(|(table, column)| format!("ALTER TABLE {table} DROP COLUMN {column};")),
        );
        manager.get_connection().execute_unprepared(&statements.concat()).await?;
        Ok(())
    }
}
