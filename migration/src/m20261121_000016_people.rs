//! Invitations, password resets, and what is known of sessions.

use sea_orm_migration::prelude::*;

use crate::dialect::sql;

/// The tables, and the columns of sessions.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let text = sql(include_str!("people/people.sql"), manager.get_database_backend());
        manager.get_connection().execute_unprepared(&text).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut statements: Vec<String> = Vec::new();
        statements.extend(["user_name", "user_age"].map(|index| format!("DROP INDEX {index};")));
        statements.extend(
            ["agent", "address", "last_used_at"].map(|column| format!("ALTER TABLE session DROP COLUMN {column};")),
        );
        statements.extend(["password_reset", "invitation"].map(|table| format!("DROP TABLE {table};")));
        manager.get_connection().execute_unprepared(&statements.concat()).await?;
        Ok(())
    }
}
