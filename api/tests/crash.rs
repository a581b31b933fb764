//! Kill -9 of a serving process under load: what was acknowledged is there, nothing is charged twice, the books balance
//! (domain page, section 2: a lead is stored before it is answered).
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use leadyard::app::open_store;
use leadyard::config::{CommonArgs, Config};
use leadyard::demo::market::make;
use leadyard::demo::people::{Dice, Quality, Topic, enquiry};
use leadyard_connectors::fake::FakeReceiver;
use leadyard_connectors::{LeadSender, OutboundPolicy, install_crypto};
use leadyard_market::doctor::examine;
use leadyard_types::{LeadId, Principal, SystemTask};
use serde_json::Value;
use tokio::sync::Mutex;

const KILLS: u64 = 20;
const OPERATE: Principal = Principal::System(SystemTask::Operate);

fn config(folder: &Path) -> Config {
    let url = format!("sqlite://{}", folder.join("crash.sqlite").display());
    Config::load(&CommonArgs { database_url: Some(url), ..CommonArgs::default() }).unwrap()
}

/// Starts the real binary and waits until it says where it serves.
fn serve(config: &Config, receiver: SocketAddr) -> (Child, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_leadyard"))
        .args(["serve", "--listen", "127.0.0.1:0", "--allow-destination", &receiver.to_string()])
        .env("DATABASE_URL", &config.database_url)
        .env("LEADYARD_MASTER_KEY_FILE", &config.master_key_file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().rsplit(' ').next().unwrap().to_owned();
    (child, url)
}

/// Sends leads with eight clients until the server is gone; remembers what was acknowledged.
async fn send(url: &str, key: &str, round: u64, acknowledged: &Arc<Mutex<BTreeSet<String>>>) {
    let sender = Arc::new(LeadSender::new(url, Some(key.to_owned().into())).unwrap());
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..8 {
        let (sender, acknowledged) = (Arc::clone(&sender), Arc::clone(acknowledged));
        clients.spawn(async move {
            let quality = Quality { broken: 2, no_consent: 0, repeated: 0 };
            for number in 0..10_000 {
                let number = (round * 8 + client) * 10_000 + number;
                let body = enquiry(&mut Dice::new(number), Topic::Solar, quality, number, "2026-01-01T00:00:00Z");
                let key = format!("crash-{number}");
                match sender.send_json("/v1/leads", &body, Some(&key)).await {
                    Ok((200, answer)) => acknowledged.lock().await.insert(text(&answer["lead_id"])),
                    _ => return,
                };
            }
        });
    }
    while clients.join_next().await.is_some() {}
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_nothing_and_charges_nothing_twice() {
    install_crypto();
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let receiver = FakeReceiver::start().await.unwrap();
    let store = open_store(&config).await.unwrap();
    let policy = OutboundPolicy::new(false).allowing(receiver.address());
    let key = make(&store, policy, &receiver).await.unwrap().sources[0].key.clone();
    store.close().await;
    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    for round in 0..KILLS {
        let (mut child, url) = serve(&config, receiver.address());
        let before = acknowledged.lock().await.len();
        let seen = Arc::clone(&acknowledged);
        let killer = tokio::spawn(async move {
            // Some leads first, however slow the machine is; then at no moment in particular.
            while seen.lock().await.len() < before + 8 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            tokio::time::sleep(Duration::from_millis(round * 17 % 100)).await;
            child.kill().unwrap();
            child.wait().unwrap();
        });
        send(&url, &key, round, &acknowledged).await;
        killer.await.unwrap();
    }
    let store = open_store(&config).await.unwrap();
    let acknowledged = acknowledged.lock().await;
    assert!(acknowledged.len() > 100, "only {} leads were acknowledged", acknowledged.len());
    let read = store.read(OPERATE);
    for id in acknowledged.iter() {
        let id: LeadId = id.parse().unwrap();
        assert!(read.lead_standing(id).await.unwrap().is_some(), "lead {id} was acknowledged and is missing");
    }
    let report = examine(&store).await.unwrap();
    let broken: Vec<_> = report.proofs.iter().filter(|proof| !proof.ok).collect();
    assert!(broken.is_empty(), "after {KILLS} kills: {broken:?}");
    println!(
        "{KILLS} kills, {} leads acknowledged, none missing, ledger sum {}",
        acknowledged.len(),
        report.ledger_sum
    );
}
