//! Indexes for lists inside other things: each list is read from its own beginning, in its own order. The id is the last
//! key, as in every list; without it PostgreSQL rather walks through the list of everybody.

use sea_orm_migration::prelude::*;

/// Name, table, the columns of the index that was there, and those that are wanted.
const REPLACED: [(&str, &str, &str, &str); 8] = [
    ("sale_buyer", "sale", "buyer_id, sold_at", "buyer_id, sold_at, id"),
    ("sale_contract", "sale", "contract_id, sold_at", "contract_id, sold_at, id"),
    ("complaint_buyer", "complaint", "buyer_id, opened_at", "buyer_id, opened_at, id"),
    ("ledger_transfer_debit", "ledger_transfer", "debit_account_id, posted_at", "debit_account_id, posted_at, id"),
    ("ledger_transfer_credit", "ledger_transfer", "credit_account_id, posted_at", "credit_account_id, posted_at, id"),
    ("hold_account", "hold", "account_id, created_at", "account_id, created_at, id"),
    ("contract_campaign", "contract", "campaign_id", "campaign_id, name, id"),
    ("contract_buyer", "contract", "buyer_id", "buyer_id, name, id"),
];

/// Name, table and columns.
const NEW: [(&str, &str, &str); 2] =
    [("source_campaign", "source", "campaign_id, name, id"), ("source_supplier", "source", "supplier_id, name, id")];

/// The indexes.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, table, _, wanted) in REPLACED {
            replace(manager, name, table, wanted).await?;
        }
        for (name, table, columns) in NEW {
            let sql = format!("CREATE INDEX {name} ON {table} ({columns});");
            manager.get_connection().execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, ..) in NEW {
            manager.get_connection().execute_unprepared(&format!("DROP INDEX {name};")).await?;
        }
        for (name, table, before, _) in REPLACED {
            replace(manager, name, table, before).await?;
        }
        Ok(())
    }
}

async fn replace(manager: &SchemaManager<'_>, name: &str, table: &str, columns: &str) -> Result<(), DbErr> {
    for sql in [format!("DROP INDEX {name};"), format!("CREATE INDEX {name} ON {table} ({columns});")] {
        manager.get_connection().execute_unprepared(&sql).await?;
    }
    Ok(())
}
