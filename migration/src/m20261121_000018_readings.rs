//! Indexes for figures over time and for what people look for in lists.

use sea_orm_migration::prelude::*;

/// Name, and what is indexed. Money is placed in time by the moment it was booked.
const INDEXES: [(&str, &str); 4] = [
    ("ledger_transfer_posted", "ledger_transfer (posted_at, id)"),
    ("lead_subid", "lead (subid, received_at) WHERE subid IS NOT NULL"),
    ("sale_price", "sale (price_minor, id)"),
    ("hold_account", "hold (account_id, created_at)"),
];

/// The indexes.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, of) in INDEXES {
            manager.get_connection().execute_unprepared(&format!("CREATE INDEX {name} ON {of};")).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, _) in INDEXES.iter().rev() {
            manager.get_connection().execute_unprepared(&format!("DROP INDEX {name};")).await?;
        }
        Ok(())
    }
}
