//! `leadyard bench` runs, counts, proves and cleans up. What it measures is nobody's business here: times say nothing about
//! a build under test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

/// Runs the real binary, as small as it goes, with these goals.
fn bench(folder: &Path, database_url: Option<&str>, goals: &[&str]) -> Value {
    let output = run(folder, database_url, goals);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|wrong| panic!("{wrong}: {error}"))
}

fn run(folder: &Path, database_url: Option<&str>, goals: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leadyard"));
    command.args(["bench", "--json", "--smoke"]).args(goals);
    command.arg("--dir").arg(folder).current_dir(folder).env_remove("DATABASE_URL");
    if let Some(url) = database_url {
        command.env("DATABASE_URL", url).env("LEADYARD_MASTER_KEY_FILE", folder.join("key"));
    }
    command.output().unwrap()
}

/// A median with its spread, above zero and in order.
fn assert_spread(value: &Value) {
    let [low, median, high] = ["low", "median", "high"].map(|key| value[key].as_f64().unwrap());
    assert!(0.0 < low && low <= median && median <= high, "{value}");
}

/// The shape that scripts read, the same on both databases.
fn assert_shape(seen: &Value, goals: &[&str]) {
    assert_eq!((&seen["books_ok"], &seen["ledger_sum"]), (&json!(true), &json!(0)));
    assert_eq!(seen["size"], json!({ "leads": 25, "rounds": 2, "clients": 5 }));
    assert!(seen["machine"]["cores"].as_u64().unwrap() > 0);
    let intake = &seen["intake"];
    assert_spread(&intake["ours"]["per_second"]);
    let ids: Vec<&str> = intake["goals"].as_array().unwrap().iter().map(|goal| goal["id"].as_str().unwrap()).collect();
    assert_eq!(ids, goals);
    for goal in intake["goals"].as_array().unwrap() {
        assert_spread(&goal["ratio"]);
        assert_spread(&goal["against"]["per_second"]);
        assert!(["reached", "enough", "missed"].contains(&goal["verdict"].as_str().unwrap()), "{goal}");
    }
    let writer = intake["ours"]["writer"].as_object().unwrap();
    let percent: f64 = writer.values().map(|value| value.as_f64().unwrap()).sum();
    assert!((percent - 100.0).abs() < 1.0, "{writer:?}");
    // What one sold lead leaves, on both sides.
    assert_eq!(
        intake["rows_per_lead"],
        json!({ "person": 1.0, "lead": 1.0, "lead_fingerprint": 2.0, "consent": 1.0, "lead_event": 2.0, "decision": 1.0,
            "sale": 1.0, "delivery": 1.0, "ledger_transfer": 2.0, "task": 1.0, "idempotency_record": 1.0 })
    );
    assert!(!intake["held_back_by"].as_str().unwrap().is_empty());
}

/// On SQLite: both sides are durable, and the start is measured too. The folder is left as it was.
#[test]
fn on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let seen = bench(folder.path(), None, &["p3", "p17"]);
    assert_shape(&seen, &["P3"]);
    // 2 is FULL.
    let database = &seen["intake"]["database"];
    assert_eq!((&database["journal_mode"], &database["synchronous"]), (&json!("wal"), &json!("2")));
    for measured in ["serving_ms", "first_lead_ms", "by_hand_ms", "ratio"] {
        assert_spread(&seen["start"][measured]);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the bench cleans up after itself");
}

/// On PostgreSQL, in databases of its own, which go with it.
#[test]
fn on_postgres() {
    let Ok(url) = std::env::var("LEADYARD_TEST_POSTGRES") else {
        println!("SKIPPED on PostgreSQL: LEADYARD_TEST_POSTGRES is not set");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let seen = bench(folder.path(), Some(&url), &["p1", "p8"]);
    assert_shape(&seen, &["P1", "P1 batches"]);
    assert_eq!(seen["intake"]["database"]["synchronous_commit"], "on");
    assert_eq!(seen["start"], Value::Null);
    assert_auctions(&seen["auction"]);
}

/// Every bid counts that was sent in time, by the bidders' own stamps, and the highest wins: else the bench fails.
fn assert_auctions(auction: &Value) {
    for measured in ["after_last_bid_ms", "overshoot_ms", "whole_lead_ms"] {
        for percentile in ["p50", "p99", "max"] {
            assert_spread(&auction[measured][percentile]);
        }
    }
    assert_spread(&auction["began_per_second"]);
    let bids = &auction["bids"];
    assert_eq!((&auction["id"], &bids["auctions"], &bids["wrong_winners"]), (&json!("P8"), &json!(100), &json!(0)));
    assert_eq!(bids["counted"], bids["sent_in_time"]);
    let asks = ["sent_in_time", "at_the_edge", "without_bid"].map(|key| bids[key].as_u64().unwrap());
    assert!(asks[0] > 0 && asks.iter().sum::<u64>() == 1_000, "{bids}");
}

/// Auctions and hostile bidders are measured by name, in a database of their own, and nothing else is.
#[test]
fn auctions_and_hostile_bidders() {
    let folder = tempfile::tempdir().unwrap();
    let seen = bench(folder.path(), None, &["p8", "hostile"]);
    assert_eq!((&seen["books_ok"], &seen["ledger_sum"], &seen["intake"]), (&json!(true), &json!(0), &Value::Null));
    assert_auctions(&seen["auction"]);
    let sorts = seen["hostile"]["sorts"].as_array().unwrap();
    assert_eq!(sorts.len(), 10);
    for sort in sorts {
        assert!(sort["took_ms"]["max"].as_f64().unwrap() > 0.0, "{sort}");
        let bids = &sort["bids"];
        assert_eq!((&bids["auctions"], &bids["late_but_counted"]), (&json!(10), &json!(0)), "{sort}");
        assert_eq!(bids["counted"], bids["sent_in_time"], "{sort}");
        // Whoever never ends an answer is waited for until the deadline.
        let silent = ["never answers", "one byte a second"].contains(&sort["name"].as_str().unwrap());
        assert!(!silent || sort["overshoot_ms"].is_object(), "{sort}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the bench cleans up after itself");
}

/// What cannot be measured is said at once: a goal that does not exist, and one that needs the other database.
#[test]
fn a_wrong_goal_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for (goal, wanted) in
        [("p9", "[possible values: p1, p3, p8, p12, p17, hostile, documents]"), ("p1", "P1 is measured on PostgreSQL")]
    {
        let output = run(folder.path(), None, &[goal]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(wanted), "{error}");
    }
}

/// Every sort of hostile document is answered without a death, and an honest client is answered beside them: else the
/// bench fails. How fast is not looked at.
#[test]
fn hostile_documents() {
    let folder = tempfile::tempdir().unwrap();
    let seen = bench(folder.path(), None, &["documents"]);
    assert_eq!((&seen["books_ok"], &seen["auction"]), (&json!(true), &Value::Null));
    let sorts = seen["documents"]["sorts"].as_array().unwrap();
    assert!(sorts.len() > 30);
    for sort in sorts {
        let answers: Vec<&str> = sort["answers"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(!answers.is_empty() && answers.iter().all(|answer| !answer.starts_with('5')), "{sort}");
        assert!(sort["took_ms"]["max"].as_f64().unwrap() > 0.0, "{sort}");
    }
    let beside = seen["documents"]["beside"].as_array().unwrap();
    assert_eq!(beside.len(), 2);
    for attackers in beside {
        assert_spread(&attackers["ratio"]);
        assert_spread(&attackers["attacks_per_second"]);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the bench cleans up after itself");
}

/// A nested read needs PostgreSQL; whichever peer is not there is skipped and said so, and those that are there answer
/// the same: else the bench fails.
#[test]
fn a_nested_read() {
    let Ok(url) = std::env::var("LEADYARD_TEST_POSTGRES") else {
        println!("SKIPPED on PostgreSQL: LEADYARD_TEST_POSTGRES is not set");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let seen = bench(folder.path(), Some(&url), &["p12"]);
    assert_spread(&seen["nested"]["ours"]["per_second"]);
    let peers = seen["nested"]["peers"].as_array().unwrap();
    assert_eq!(peers.len(), 3);
    for peer in peers {
        assert!(peer["skipped"].as_str().unwrap().contains("--peers"), "{peer}");
    }
    let output = run(folder.path(), None, &["p12"]);
    assert!(!output.status.success(), "SQLite has no peers");
}
