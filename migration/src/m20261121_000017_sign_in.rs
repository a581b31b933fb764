//! The second factor, and patience with those who guess.

use sea_orm_migration::prelude::*;

use crate::dialect::sql;

/// The tables, and the columns of users.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let text = sql(include_str!("sign_in/sign_in.sql"), manager.get_database_backend());
        manager.get_connection().execute_unprepared(&text).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut statements: Vec<String> = Vec::new();
        statements.extend(["sign_in_place", "recovery_code"].map(|table| format!("DROP TABLE {table};")));
        statements.extend(
            ["totp_step", "totp_since", "totp_secret"]
                .map(|column| format!("ALTER TABLE user_account DROP COLUMN {column};")),
        );
        manager.get_connection().execute_unprepared(&statements.concat()).await?;
        Ok(())
    }
}
