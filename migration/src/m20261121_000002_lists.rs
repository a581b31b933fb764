//! Indexes for the lists people look through, newest first.

use sea_orm_migration::prelude::*;

/// Name, table and columns. The id is the second key of every list, so that pages never repeat or skip a row.
const INDEXES: [(&str, &str, &str); 6] = [
    ("sale_sold", "sale", "sold_at, id"),
    ("sale_source", "sale", "source_id, sold_at"),
    ("lead_supplier", "lead", "supplier_id, received_at"),
    ("lead_external", "lead", "external_id"),
    ("delivery_created", "delivery", "created_at, id"),
    ("ledger_transfer_buyer", "ledger_transfer", "buyer_id, day"),
];

/// The indexes.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, table, columns) in INDEXES {
            let sql = format!("CREATE INDEX {name} ON {table} ({columns});");
            manager.get_connection().execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, ..) in INDEXES.iter().rev() {
            manager.get_connection().execute_unprepared(&format!("DROP INDEX {name};")).await?;
        }
        Ok(())
    }
}
