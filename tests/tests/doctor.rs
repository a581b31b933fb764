//! The doctor's proofs can fail: for each of them a fault is planted past the database's own rules, and exactly that
//! proof fails and names the row.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;
use std::sync::Arc;

use leadyard::demo::people::Dice;
use leadyard_connectors::fake::Behaviour;
use leadyard_entity::MasterKeys;
use leadyard_entity::testing::{id_of, plant_faults};
use leadyard_market::complaints::{ComplaintDecision, NewComplaint};
use leadyard_market::doctor::{Report, examine};
use leadyard_tests::market::{Selling, daily, lead, terms};
use leadyard_tests::{OPERATE, TestApp, TestDatabase};
use leadyard_types::{
    ComplaintReason, ContractTerms, Ids, ManualClock, RandomIds, SaleId, SaleMode, SourceTerms, Status, Verdict,
};
use serde_json::json;
use uuid::Uuid;

/// A market with one of everything: `a` bought with caps and a webhook, `b` without either, `c` lost its answer; one
/// lead was shared and complained about, one awaits an answer, one was rejected.
async fn market(database: TestDatabase) -> (TestDatabase, MasterKeys, Arc<ManualClock>) {
    let url = database.url();
    let app = TestApp::start(database).await;
    let selling = Selling { sale_mode: SaleMode::Shared { max: 2 }, ..Selling::default() };
    let market = app.market(selling).await;
    let source = SourceTerms { caps: vec![daily(100)], ..SourceTerms::new(selling.cost) };
    app.setup().revise_source(market.source_id, 1, source).await.unwrap();
    let a = app.buyer("a", 100_000, vec![daily(50)]).await;
    let destinations = vec![app.webhook(a, "/a").await];
    let capped = ContractTerms { caps: vec![daily(40)], priority: 2, destinations, ..terms(1_000) };
    app.contract(market.campaign_id, a, "a", capped).await;
    let b = app.buyer("b", 70_000, vec![]).await;
    let contract_b = app.contract(market.campaign_id, b, "b", ContractTerms { priority: 3, ..terms(900) }).await;
    let client = app.client(&market.key);
    let (_, answer) = client.send_json("/v1/leads", &lead(1), None).await.unwrap();
    assert_eq!(answer["status"], "sold", "{answer}");
    app.setup().set_contract_status(contract_b, 1, Status::Paused).await.unwrap();
    let c = app.buyer("c", 50_000, vec![]).await;
    let destinations = vec![app.webhook(c, "/c").await];
    app.receiver.program("/c", Behaviour::CloseAfterReading { times: 1 });
    let asks = ContractTerms { verdict: Verdict::Sync, destinations, ..terms(1_100) };
    app.contract(market.campaign_id, c, "c", asks).await;
    let (_, answer) = client.send_json("/v1/leads", &lead(2), None).await.unwrap();
    assert_eq!(answer["status"], "sold", "{answer}");
    let (_, answer) = client.send_json("/v1/leads", &json!({ "email": "nobody" }), None).await.unwrap();
    assert_eq!(answer["status"], "rejected", "{answer}");
    let sale = id_of(&url, SOLD_TO_A).await.unwrap();
    let complaint = NewComplaint { sale_id: SaleId(sale), reason: ComplaintReason::Duplicate, evidence: None };
    let complaint_id = app.app.market.open_complaint(OPERATE, complaint).await.unwrap();
    let decision = ComplaintDecision { complaint_id, upheld: true, credit_minor: Some(400), note: None };
    app.app.market.decide_complaint(OPERATE, decision).await.unwrap();
    let write = app.store().write(OPERATE).await.unwrap();
    write.audit_view(&[Uuid::from_u128(1), Uuid::from_u128(2)].into(), &[complaint_id.0].into()).await.unwrap();
    let _ = write.commit().await.unwrap();
    let (keys, clock) = (app.master_keys.clone(), app.clock.clone());
    (app.finish_and_keep().await, keys, clock)
}

/// A fault: the proof it breaks, what finds the row that is named, and the statements that plant it. `{row}` is that
/// row's id, `{new}` one that nothing has.
struct Planted {
    proof: &'static str,
    row: Row,
    sql: Vec<&'static str>,
}

enum Row {
    /// Named by its id.
    Id(&'static str),
    /// Named by `{new}`.
    New,
    /// Named in words.
    Text(&'static str),
}

const SOLD_TO_A: &str = "SELECT s.id FROM sale s JOIN buyer b ON b.id = s.buyer_id WHERE b.name = 'a' ORDER BY s.id";
const SOLD_TO_B: &str = "SELECT s.id FROM sale s JOIN buyer b ON b.id = s.buyer_id WHERE b.name = 'b'";
const UNKNOWN: &str = "SELECT id FROM sale WHERE state = 'UNKNOWN'";
const SHARED_LEAD: &str = "SELECT s.lead_id FROM sale s JOIN buyer b ON b.id = s.buyer_id WHERE b.name = 'b'";
const WALLET_OF_B: &str = "SELECT l.id FROM ledger_account l JOIN buyer b ON b.id = l.owner_id WHERE l.kind = 'BUYER_WALLET' AND b.name = 'b'";

fn faults() -> Vec<Planted> {
    [money(), sales(), work()].into_iter().flatten().collect()
}

fn money() -> Vec<Planted> {
    vec![
        Planted {
            proof: "no sale is credited beyond its price",
            row: Row::Id("SELECT sale_id FROM complaint"),
            sql: vec![
                "UPDATE complaint SET credit_minor = 1001",
                "UPDATE ledger_transfer SET amount_minor = 1001 WHERE kind = 'COMPLAINT_CREDIT'",
                "UPDATE ledger_account SET balance_minor = balance_minor - 601 WHERE kind = 'CREDITS'",
                "UPDATE ledger_account SET balance_minor = balance_minor + 601 WHERE kind = 'BUYER_WALLET'
                 AND owner_id = (SELECT id FROM buyer WHERE name = 'a')",
            ],
        },
        Planted {
            proof: "every complaint moved the money it says",
            row: Row::Id("SELECT id FROM complaint"),
            sql: vec!["UPDATE complaint SET credit_minor = credit_minor - 1"],
        },
        Planted {
            proof: "nothing is taken back that was not paid out",
            row: Row::Id("SELECT lead_id FROM complaint"),
            sql: vec![
                "UPDATE ledger_account SET balance_minor = balance_minor + (SELECT 501 - amount_minor FROM ledger_transfer
                 WHERE kind = 'CLAWBACK') * CASE kind WHEN 'PAYOUT_COST' THEN 1 ELSE -1 END
                 WHERE kind IN ('PAYOUT_COST', 'SUPPLIER_PAYABLE')",
                "UPDATE complaint SET clawback_minor = 501",
                "UPDATE ledger_transfer SET amount_minor = 501 WHERE kind = 'CLAWBACK'",
            ],
        },
        Planted {
            proof: "every view of personal data is found by whom it showed",
            row: Row::Text("audit 20"),
            sql: vec!["DELETE FROM audit_seen WHERE subject_id IN (SELECT id FROM complaint)"],
        },
        Planted {
            // Money leaves one currency for another: every account still agrees with its transfers.
            proof: "every currency's balances sum to zero",
            row: Row::Text("USD"),
            sql: vec![
                "INSERT INTO ledger_account (id, kind, owner_id, currency, balance_minor, held_minor, credit_limit_minor, created_at)
                 SELECT {new}, kind, owner_id, 'USD', -70000, 0, 0, created_at FROM ledger_account WHERE kind = 'CASH'",
                "UPDATE ledger_transfer SET debit_account_id = {new} WHERE amount_minor = 70000",
                "UPDATE ledger_account SET balance_minor = balance_minor + 70000 WHERE kind = 'CASH' AND currency = 'EUR'",
            ],
        },
        Planted {
            proof: "every stored balance equals the sum of its transfers",
            row: Row::Id("SELECT id FROM ledger_account WHERE kind = 'REVENUE'"),
            sql: vec![
                "UPDATE ledger_account SET balance_minor = balance_minor + 1 WHERE id = {row}",
                "UPDATE ledger_account SET balance_minor = balance_minor - 1 WHERE kind = 'PAYOUT_COST'",
            ],
        },
        Planted {
            proof: "what is held equals the open holds",
            row: Row::Id(WALLET_OF_B),
            sql: vec!["UPDATE ledger_account SET held_minor = held_minor + 5 WHERE id = {row}"],
        },
        Planted {
            proof: "open holds belong to sales that await an answer",
            row: Row::Id("SELECT h.id FROM hold h JOIN sale s ON s.id = h.sale_id WHERE s.state = 'UNKNOWN'"),
            sql: vec!["UPDATE sale SET state = 'REJECTED' WHERE state = 'UNKNOWN'"],
        },
        Planted {
            proof: "sales that await an answer have an open hold",
            row: Row::Id(UNKNOWN),
            sql: vec![
                "INSERT INTO hold_resolution (hold_id, kind, resolved_at) SELECT id, 'VOIDED', created_at FROM hold WHERE sale_id = {row}",
                "UPDATE ledger_account SET held_minor = 0 WHERE id IN (SELECT account_id FROM hold WHERE sale_id = {row})",
            ],
        },
        Planted {
            proof: "no wallet is overdrawn",
            row: Row::Id(WALLET_OF_B),
            sql: vec![
                "UPDATE ledger_transfer SET amount_minor = 1 WHERE amount_minor = 70000",
                "UPDATE ledger_account SET balance_minor = balance_minor - 69999 WHERE id = {row}",
                "UPDATE ledger_account SET balance_minor = balance_minor + 69999 WHERE kind = 'CASH'",
            ],
        },
        Planted {
            proof: "every sold sale was charged once, at its price",
            row: Row::Id(SOLD_TO_B),
            sql: vec!["UPDATE sale SET price_minor = price_minor + 1 WHERE id = {row}"],
        },
        Planted {
            proof: "no sale was charged that is not sold",
            row: Row::Id("SELECT id FROM ledger_transfer WHERE kind = 'SALE' AND amount_minor = 900"),
            sql: vec!["UPDATE sale SET state = 'REJECTED' WHERE price_minor = 900"],
        },
        Planted {
            proof: "every sold sale paid its supplier once",
            row: Row::Id(SOLD_TO_A),
            sql: vec!["UPDATE sale SET payout_minor = payout_minor + 1 WHERE id = {row}"],
        },
    ]
}

fn sales() -> Vec<Planted> {
    let counter = |sql, row| Planted { proof: "cap counters equal the sales log", row, sql: vec![sql] };
    let owner = |table: &'static str| match table {
        "contract" => Row::Id("SELECT id FROM contract WHERE name = 'a'"),
        "buyer" => Row::Id("SELECT id FROM buyer WHERE name = 'a'"),
        _ => Row::Id("SELECT id FROM source"),
    };
    vec![
        counter("UPDATE cap_counter SET count = count + 1 WHERE owner_id = {row}", owner("contract")),
        counter("UPDATE cap_counter SET amount_minor = amount_minor - 1 WHERE owner_id = {row}", owner("buyer")),
        counter("UPDATE cap_counter SET count = count - 1 WHERE owner_id = {row}", owner("source")),
        counter("UPDATE cap_counter SET owner_id = {new} WHERE owner_id IN (SELECT id FROM contract)", Row::New),
        counter("UPDATE sale SET counted = FALSE WHERE price_minor = 1000", owner("contract")),
        counter("UPDATE lead SET accepted = TRUE WHERE state = 'REJECTED'", owner("source")),
        Planted {
            proof: "no exclusive lead is sold twice",
            row: Row::Id(SHARED_LEAD),
            sql: vec![
                "DROP INDEX sale_exclusive_once",
                "UPDATE sale SET exclusive = TRUE WHERE lead_id = {row} AND price_minor = 900",
            ],
        },
        Planted {
            proof: "no lead is sold twice to a buyer or group",
            row: Row::Id(SHARED_LEAD),
            sql: vec![
                "DROP INDEX sale_once_per_group",
                "UPDATE sale SET group_id = (SELECT id FROM buyer WHERE name = 'a') WHERE lead_id = {row}",
            ],
        },
        Planted {
            proof: "a lead is sold exactly if it has a sold sale",
            row: Row::Id("SELECT id FROM lead WHERE state = 'REJECTED'"),
            sql: vec!["UPDATE lead SET state = 'SOLD' WHERE id = {row}"],
        },
        Planted {
            proof: "a lead is sold exactly if it has a sold sale",
            row: Row::Id(SHARED_LEAD),
            sql: vec!["UPDATE lead SET state = 'UNSOLD' WHERE id = {row}"],
        },
        Planted {
            proof: "every sale has its lead's decision",
            row: Row::Id(SOLD_TO_B),
            sql: vec!["DELETE FROM decision WHERE id IN (SELECT decision_id FROM sale WHERE id = {row})"],
        },
        Planted {
            proof: "every sale has its lead's decision",
            row: Row::Id(SOLD_TO_B),
            sql: vec![
                "UPDATE sale SET decision_id = (SELECT decision_id FROM sale WHERE state = 'UNKNOWN') WHERE id = {row}",
            ],
        },
        Planted {
            proof: "every decision has its lead's inputs and revisions",
            row: Row::Id("SELECT decision_id FROM sale WHERE price_minor = 900"),
            sql: vec!["UPDATE decision SET source_revision_id = {new} WHERE id = {row}"],
        },
        Planted {
            proof: "every decision has its lead's inputs and revisions",
            row: Row::Id("SELECT decision_id FROM sale WHERE price_minor = 900"),
            sql: vec!["UPDATE decision SET campaign_revision_id = {new} WHERE id = {row}"],
        },
    ]
}

fn work() -> Vec<Planted> {
    let delivery_to_a = "SELECT d.id FROM delivery d JOIN sale s ON s.id = d.sale_id WHERE s.price_minor = 1000";
    vec![
        Planted {
            proof: "every delivery belongs to a sale",
            row: Row::New,
            sql: vec![
                "INSERT INTO delivery (id, sale_id, lead_id, buyer_id, destination_id, state, attempts, created_at)
                 SELECT {new}, {new}, d.lead_id, d.buyer_id, d.destination_id, d.state, d.attempts, d.created_at
                 FROM delivery d JOIN sale s ON s.id = d.sale_id WHERE s.state = 'UNKNOWN'",
            ],
        },
        Planted {
            proof: "every delivery belongs to a sale",
            row: Row::Id(delivery_to_a),
            sql: vec!["UPDATE delivery SET buyer_id = (SELECT id FROM buyer WHERE name = 'b') WHERE id = {row}"],
        },
        Planted {
            proof: "every sold sale is delivered somewhere",
            row: Row::Id(SOLD_TO_A),
            sql: vec!["DELETE FROM delivery WHERE sale_id = {row}"],
        },
        Planted {
            proof: "no task was given up",
            row: Row::New,
            sql: vec![
                "INSERT INTO task (id, kind, lane, payload, run_at, attempts, dead_at, created_at)
                 SELECT {new}, kind, lane, payload, run_at, attempts, run_at, created_at FROM task",
            ],
        },
        Planted {
            proof: "the audit chain is whole",
            row: Row::Text("audit 3"),
            sql: vec!["UPDATE audit SET detail = '[3]' WHERE no = 3"],
        },
    ]
}

/// On SQLite a row that breaks a rule of its table is found too.
fn sqlite_fault() -> Planted {
    Planted {
        proof: "SQLite writes ahead, fully synchronous, and is sound",
        row: Row::Text("quick_check"),
        sql: vec![
            "INSERT INTO ad_spend (source_id, day, amount_minor, recorded_at) SELECT id, '2026-07-01', -1, created_at FROM source",
        ],
    }
}

/// An id as a statement writes it.
fn literal(database: &TestDatabase, id: Uuid) -> String {
    match database {
        TestDatabase::Sqlite(_) => format!("x'{}'", id.simple()),
        TestDatabase::Postgres(_) => format!("CAST('{id}' AS UUID)"),
    }
}

async fn report(database: &TestDatabase, keys: &MasterKeys, clock: &Arc<ManualClock>) -> Report {
    let store = database.open(keys.clone(), Arc::clone(clock)).await;
    let report = examine(&store).await.unwrap();
    store.close().await;
    report
}

/// Every proof the doctor claims has a fault here that breaks it, and it alone, on both databases.
#[tokio::test(flavor = "multi_thread")]
async fn every_proof_finds_its_fault_and_names_the_row() {
    for database in TestDatabase::both().await {
        let (original, keys, clock) = market(database).await;
        let whole = report(&original, &keys, &clock).await;
        assert!(whole.ok, "{whole:?}");
        let mut unbroken: BTreeSet<String> = whole.proofs.into_iter().map(|proof| proof.name).collect();
        let sqlite = matches!(original, TestDatabase::Sqlite(_)).then(sqlite_fault);
        for fault in faults().into_iter().chain(sqlite) {
            let database = original.copy().await;
            let new = RandomIds.uuid();
            let named = match fault.row {
                Row::Id(sql) => id_of(&database.url(), sql).await.unwrap().to_string(),
                Row::New => new.to_string(),
                Row::Text(text) => text.to_owned(),
            };
            let mut statements: Vec<String> =
                fault.sql.iter().map(|sql| sql.replace("{new}", &literal(&database, new))).collect();
            if let Ok(id) = named.parse() {
                statements.iter_mut().for_each(|sql| *sql = sql.replace("{row}", &literal(&database, id)));
            }
            assert!(plant_faults(&database.url(), &statements).await.unwrap() > 0, "nothing planted: {statements:?}");
            let report = report(&database, &keys, &clock).await;
            let broken: Vec<_> = report.proofs.iter().filter(|proof| !proof.ok).collect();
            assert_eq!(broken.iter().map(|proof| proof.name.as_str()).collect::<Vec<_>>(), [fault.proof], "{report:?}");
            let rows = &broken[0].rows;
            assert!(rows.iter().any(|row| row.ends_with(&named)), "{named} is not among {rows:?}");
            assert!(!report.ok && broken[0].faults > 0 && broken[0].advice.is_some());
            unbroken.remove(fault.proof);
            database.remove().await;
        }
        assert!(unbroken.is_empty(), "nothing was planted against: {unbroken:?}");
        original.remove().await;
    }
}

/// A change of an audit of so many rows, at a place: what does it, and which row is named.
fn tamper(dice: &mut Dice, rows: u64) -> (Vec<String>, String) {
    let at = 1 + dice.below(rows);
    let changed = [
        "at = '1999-01-01 00:00:00+00:00'",
        "actor = 'system:NOBODY'",
        "action = 'nothing'",
        "noun = 'nobody'",
        "detail = '[]'",
        "previous = hash",
        "hash = previous",
    ];
    match dice.below(9) {
        0 => (vec![format!("DELETE FROM audit WHERE no = {at}")], format!("audit {at}")),
        1 => {
            let other = 1 + (at + dice.below(rows - 1)) % rows;
            let swap = [(at, 0), (other, at), (0, other)]
                .map(|(from, to)| format!("UPDATE audit SET no = {to} WHERE no = {from}"));
            (swap.to_vec(), format!("audit {}", at.min(other)))
        }
        2 => {
            // One put in, the rest moved on by one; upwards by way of negative numbers, which none has.
            let statements = vec![
                format!("UPDATE audit SET no = -no - 1 WHERE no >= {at}"),
                "UPDATE audit SET no = -no WHERE no < 0".to_owned(),
                format!(
                    "INSERT INTO audit (no, at, actor, action, noun, noun_id, detail, previous, hash)
                     SELECT {at}, at, actor, action, noun, noun_id, detail, previous, hash FROM audit WHERE no = {}",
                    if at == 1 { 2 } else { at - 1 }
                ),
                "UPDATE market_state SET value = value + 1 WHERE name = 'audit_no'".to_owned(),
            ];
            (statements, format!("audit {at}"))
        }
        3 => (vec![format!("DELETE FROM audit WHERE no >= {at}")], format!("audit {at}")),
        4 => {
            let statement = format!("UPDATE market_state SET value = {} WHERE name = 'audit_no'", at - 1);
            (vec![statement], format!("audit {at}"))
        }
        _ => {
            let column = changed[usize::try_from(dice.below(7)).unwrap()];
            (vec![format!("UPDATE audit SET {column} WHERE no = {at}")], format!("audit {at}"))
        }
    }
}

/// 200 seeded edits, deletions, swaps, insertions and cuts of the audit: each is found, and the first row concerned is
/// named (security page of the design, figure R21).
#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_the_audit_is_found() {
    const ROWS: u64 = 400;
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        for batch in 0..4 {
            let write = app.store().write(OPERATE).await.unwrap();
            for row in 0..100 {
                write.audit("test", "row", Some(RandomIds.uuid()), &json!({ "row": batch * 100 + row })).await.unwrap();
            }
            let _ = write.commit().await.unwrap();
        }
        let (keys, clock) = (app.master_keys.clone(), app.clock.clone());
        let database = app.finish_and_keep().await;
        let url = database.url();
        let keep = "CREATE TABLE kept AS SELECT * FROM audit".to_owned();
        plant_faults(&url, &[keep]).await.unwrap();
        let mend = [
            "DELETE FROM audit".to_owned(),
            "INSERT INTO audit SELECT * FROM kept".to_owned(),
            format!("UPDATE market_state SET value = {ROWS} WHERE name = 'audit_no'"),
        ];
        let store = database.open(keys, clock).await;
        let chain = async || store.read(OPERATE).audit_chain().await.unwrap();
        let mut dice = Dice::new(21);
        for _ in 0..200 {
            let (statements, named) = tamper(&mut dice, ROWS);
            plant_faults(&url, &statements).await.unwrap();
            let broken = chain().await.first_broken.map(|no| format!("audit {no}"));
            assert_eq!(broken, Some(named), "{statements:?}");
            plant_faults(&url, &mend).await.unwrap();
            let whole = chain().await;
            assert_eq!((whole.rows, whole.first_broken), (i64::try_from(ROWS).unwrap(), None));
        }
        store.close().await;
        database.remove().await;
    }
}
