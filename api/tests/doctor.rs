//! `leadyard doctor` as it is run: what it prints, and how it ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::path::Path;
use std::process::{Command, Output};

use leadyard::app::open_store;
use leadyard::config::{CommonArgs, Config};
use leadyard::demo::market::make;
use leadyard_connectors::fake::FakeReceiver;
use leadyard_connectors::{OutboundPolicy, install_crypto};
use leadyard_entity::testing::plant_faults;
use serde_json::Value;

fn doctor(url: &str, folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_leadyard"))
        .arg("doctor")
        .args(args)
        .env("DATABASE_URL", url)
        .env_remove("LEADYARD_MASTER_KEY_FILE")
        .current_dir(folder)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A whole database ends well; a fault ends in failure, with the proof, the row and the advice, for people and as JSON.
#[tokio::test(flavor = "multi_thread")]
async fn the_command_says_what_is_wrong_and_fails() {
    install_crypto();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("doctor.sqlite").display());
    let config = Config::load(&CommonArgs { database_url: Some(url.clone()), ..CommonArgs::default() }).unwrap();
    let receiver = FakeReceiver::start().await.unwrap();
    let store = open_store(&config).await.unwrap();
    let policy = OutboundPolicy::new(false).allowing(receiver.address());
    make(&store, policy, &receiver).await.unwrap();
    store.close().await;

    let well = doctor(&url, folder.path(), &["--json"]);
    assert!(well.status.success(), "{well:?}");
    let report: Value = serde_json::from_slice(&well.stdout).unwrap();
    assert_eq!((&report["ok"], &report["ledger_sum"]), (&Value::Bool(true), &Value::from(0)));
    assert!(report["proofs"].as_array().unwrap().len() >= 19 && report["audit_rows"].as_i64().unwrap() > 0, "{report}");

    let fault = "UPDATE audit SET action = 'nothing' WHERE no = 2".to_owned();
    assert_eq!(plant_faults(&url, &[fault]).await.unwrap(), 1);
    let ill = doctor(&url, folder.path(), &["--json"]);
    assert_eq!(ill.status.code(), Some(1), "{ill:?}");
    let report: Value = serde_json::from_slice(&ill.stdout).unwrap();
    let broken: Vec<&Value> =
        report["proofs"].as_array().unwrap().iter().filter(|proof| proof["ok"] == false).collect();
    assert_eq!((broken.len(), &broken[0]["rows"][0]), (1, &Value::from("audit 2")), "{broken:?}");

    let shown = doctor(&url, folder.path(), &[]);
    assert_eq!(shown.status.code(), Some(1));
    let shown = text(&shown.stdout);
    assert!(shown.contains("WRONG the audit chain is whole") && shown.contains("audit 2\n"), "{shown}");

    let nowhere = doctor("mysql://nowhere", folder.path(), &[]);
    assert!(!nowhere.status.success());
    assert!(text(&nowhere.stderr).contains("sqlite: or postgres:"), "{nowhere:?}");
}
