//! The schema on both databases: migrations go up, down and up again, and what is append-only stays.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use leadyard_entity::testing::{differences, migrate_up_down_up};
use leadyard_tests::market::{Selling, lead, terms};
use leadyard_tests::{OPERATE, TestApp, TestDatabase};

/// Migrations go up, down and up again.
#[tokio::test(flavor = "multi_thread")]
async fn migrations_go_up_down_and_up() {
    for database in TestDatabase::both().await {
        let mode = if matches!(database, TestDatabase::Sqlite(_)) { "?mode=rwc" } else { "" };
        migrate_up_down_up(&format!("{}{mode}", database.url())).await.unwrap();
        database.remove().await;
    }
}

/// What the entities say of every table, its columns, their types, keys and nulls is what the migrations make.
#[tokio::test(flavor = "multi_thread")]
async fn entities_and_schema_agree() {
    for database in TestDatabase::both().await {
        let mode = if matches!(database, TestDatabase::Sqlite(_)) { "?mode=rwc" } else { "" };
        let found = differences(&format!("{}{mode}", database.url())).await.unwrap();
        assert!(found.is_empty(), "{found:#?}");
        database.remove().await;
    }
}

/// The database itself refuses to change or delete what is append-only, on both engines.
#[tokio::test(flavor = "multi_thread")]
async fn append_only_tables_refuse_changes() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("Buyer", 100_000, vec![]).await;
        app.contract(market.campaign_id, buyer, "a", terms(1_000)).await;
        app.client(&market.key).send_json("/v1/leads", &lead(1), None).await.unwrap();
        for table in ["revision", "ledger_transfer", "decision", "lead_event", "audit"] {
            for sql in [format!("DELETE FROM {table}"), format!("UPDATE {table} SET {}", own_column(table))] {
                let write = app.store().write(OPERATE).await.unwrap();
                assert!(write.plant(&sql).await.is_err(), "{sql} went through");
                let _ = write.rollback().await;
            }
        }
        app.finish().await;
    }
}

fn own_column(table: &str) -> &'static str {
    match table {
        "revision" => "terms = terms",
        "ledger_transfer" => "amount_minor = amount_minor",
        "decision" => "outcome = outcome",
        "lead_event" => "kind = kind",
        _ => "action = action",
    }
}
