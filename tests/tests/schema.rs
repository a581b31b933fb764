//! The schema on both databases: migrations go up, down and up again, and what is append-only stays.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::sync::Arc;

use leadyard_entity::audit::AuditFilter;
use leadyard_entity::testing::{differences, migrate_some, migrate_up_down_up, plant_faults, schema_of};
use leadyard_entity::{MasterKeys, Store, StoreOptions, StoreResult};
use leadyard_tests::market::{Selling, lead, terms};
use leadyard_tests::{OPERATE, TestApp, TestDatabase};
use leadyard_types::{ManualClock, RandomIds, Timestamp};

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

async fn open(database: &TestDatabase, master_keys: &MasterKeys) -> StoreResult<Store> {
    let clock = Arc::new(ManualClock::starting_at(Timestamp::UNIX_EPOCH));
    let options = StoreOptions { url: database.url(), max_connections: 4, master_keys: master_keys.clone() };
    Store::open(options, clock, Arc::new(RandomIds)).await
}

/// A start whose migrations are cut short leaves nothing half done: on SQLite the file is as it was before, on PostgreSQL each
/// migration ran whole or not at all. The next start brings the schema up to date.
#[tokio::test(flavor = "multi_thread")]
async fn migrations_that_are_cut_short_are_made_up_for() {
    for database in TestDatabase::both().await {
        let keys = MasterKeys::generate().unwrap();
        let is_sqlite = matches!(database, TestDatabase::Sqlite(_));
        migrate_some(&format!("{}{}", database.url(), if is_sqlite { "?mode=rwc" } else { "" }), 5).await.unwrap();
        // What the last migration makes late, after other statements of its own, is in its way.
        let url = database.url();
        plant_faults(&url, &["CREATE TABLE source_campaign (id INTEGER)".to_owned()]).await.unwrap();
        let before = schema_of(&url).await.unwrap();
        for _ in 0..2 {
            assert!(open(&database, &keys).await.is_err(), "it was not cut short");
            let left = schema_of(&url).await.unwrap();
            if is_sqlite {
                assert_eq!(left, before);
            }
        }
        plant_faults(&url, &["DROP TABLE source_campaign".to_owned()]).await.unwrap();
        open(&database, &keys).await.unwrap().close().await;
        let found = differences(&url).await.unwrap();
        assert!(found.is_empty(), "{found:#?}");
        database.remove().await;
    }
}

/// Views that were recorded before they were found by whom they showed are found, too: by leads and complaints alike.
#[tokio::test(flavor = "multi_thread")]
async fn views_recorded_before_are_found() {
    const BEFORE: u32 = 18;
    let (lead, other, complaint) = (uuid::Uuid::from_u128(1), uuid::Uuid::from_u128(2), uuid::Uuid::from_u128(3));
    for database in TestDatabase::both().await {
        let keys = MasterKeys::generate().unwrap();
        let is_sqlite = matches!(database, TestDatabase::Sqlite(_));
        migrate_some(&format!("{}{}", database.url(), if is_sqlite { "?mode=rwc" } else { "" }), BEFORE).await.unwrap();
        let line = |no: u32, action: &str, detail: &str| {
            let (at, bytes) = ("'2026-11-01T10:00:00.000000+00:00'", if is_sqlite { "x'00'" } else { "'\\x00'" });
            format!(
                "INSERT INTO audit (no, at, actor, action, noun, detail, previous, hash)
                 VALUES ({no}, {at}, 'user:x', '{action}', 'lead', '{detail}', {bytes}, {bytes})"
            )
        };
        let lines = [
            line(1, "view", &format!(r#"{{"by_key":"k","complaints":["{complaint}"],"leads":["{lead}","{other}"]}}"#)),
            line(2, "revise", &format!(r#"{{"leads":["{lead}"]}}"#)),
            line(3, "view", &format!(r#"{{"complaints":[],"leads":["{lead}"]}}"#)),
        ];
        plant_faults(&database.url(), &lines).await.unwrap();
        let store = open(&database, &keys).await.unwrap();
        for (subject, expected) in
            [(lead, vec![3, 1]), (other, vec![1]), (complaint, vec![1]), (uuid::Uuid::nil(), vec![])]
        {
            let filter = AuditFilter { subject: Some(subject), ..AuditFilter::default() };
            let found = store.read(OPERATE).audit_entries(&filter, None, 10).await.unwrap();
            assert_eq!(found.iter().map(|line| line.no).collect::<Vec<_>>(), expected);
        }
        store.close().await;
        database.remove().await;
    }
}

/// Processes that start at the same moment on an empty database take turns, and all of them come up.
#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_together_take_turns() {
    for database in TestDatabase::both().await {
        let keys = MasterKeys::generate().unwrap();
        let (a, b, c) = tokio::join!(open(&database, &keys), open(&database, &keys), open(&database, &keys));
        for store in [a, b, c] {
            store.unwrap().close().await;
        }
        let found = differences(&database.url()).await.unwrap();
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
        let write = app.store().write(OPERATE).await.unwrap();
        write.audit_view(&[uuid::Uuid::nil()].into(), &[].into()).await.unwrap();
        let _ = write.commit().await.unwrap();
        for table in ["revision", "ledger_transfer", "decision", "lead_event", "audit", "audit_seen"] {
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
        "audit_seen" => "no = no",
        _ => "action = action",
    }
}
