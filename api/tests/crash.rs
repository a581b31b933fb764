//! Kill -9 of a serving process under load: what was acknowledged is there, nothing is taken or charged twice, the books
//! balance (domain page, section 2: a lead is stored before it is answered).
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]
#![allow(clippy::print_stdout, reason = "a skipped test says so")]

mod common;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::time::Duration;

use common::{Place, last_json, text};
use leadyard::app::open_store;
use leadyard::demo::market::make;
use leadyard_connectors::fake::FakeReceiver;
use leadyard_connectors::{OutboundPolicy, install_crypto};
use leadyard_entity::Store;
use leadyard_market::doctor::examine;
use leadyard_types::{LeadId, Principal, SystemTask};

/// How many kills, where the environment does not say otherwise in [`KILLS_VARIABLE`].
const KILLS: u64 = 6;
const KILLS_VARIABLE: &str = "LEADYARD_TEST_KILLS";
/// Demos that send at the same time.
const CLIENTS: u64 = 4;
/// Leads each of them sends for every kill: enough that they outlast it.
const LEADS_PER_KILL: u64 = 30;
const OPERATE: Principal = Principal::System(SystemTask::Operate);

/// Starts the server and waits until it says where it serves.
fn serve(place: &Place, listen: &str, receiver: SocketAddr) -> (Child, SocketAddr) {
    let mut child = place
        .leadyard(&["serve", "--listen", listen, "--allow-destination", &receiver.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().rsplit("http://").next().unwrap().parse();
    (child, address.unwrap_or_else(|_| panic!("the server said where it serves: {line}")))
}

/// Starts a demo that sends its leads to the server, each until it is acknowledged.
fn send(place: &Place, server: SocketAddr, key: &str, seed: u64, leads: u64) -> Child {
    let (server, seed, leads) = (format!("http://{server}"), seed.to_string(), leads.to_string());
    place
        .leadyard(&["demo", "--server", &server, "--leads", &leads, "--seed", &seed, "--json"])
        .env("LEADYARD_API_KEY", key)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

async fn received(store: &Store) -> i64 {
    store.read(OPERATE).totals().await.unwrap().received
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_nothing_and_charges_nothing_twice() {
    install_crypto();
    let kills = std::env::var(KILLS_VARIABLE).map_or(KILLS, |kills| kills.parse().unwrap());
    let leads = kills * LEADS_PER_KILL;
    let total = i64::try_from(CLIENTS * leads).unwrap();
    for place in Place::both().await {
        let receiver = FakeReceiver::start().await.unwrap();
        let store = open_store(&place.config()).await.unwrap();
        let policy = OutboundPolicy::new(false).allowing(receiver.address());
        let key = make(&store, policy, &receiver).await.unwrap().sources[0].key.clone();

        let (mut server, address) = serve(&place, "127.0.0.1:0", receiver.address());
        let clients: Vec<Child> = (1..=CLIENTS).map(|seed| send(&place, address, &key, seed, leads)).collect();
        for kill in 0..kills {
            let before = received(&store).await;
            // Some leads first, however slow the machine is; then at no moment in particular.
            while received(&store).await < total.min(before + 8) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            tokio::time::sleep(Duration::from_millis(kill * 17 % 50)).await;
            server.kill().unwrap();
            server.wait().unwrap();
            (server, _) = serve(&place, &address.to_string(), receiver.address());
        }
        assert!(received(&store).await < total, "every kill was under load");
        let (mut acknowledged, mut tries) = (BTreeSet::new(), 0);
        for client in clients {
            let output = client.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", text(&output.stderr));
            let report = last_json(&text(&output.stdout));
            tries += report["tries"].as_u64().unwrap();
            let ids = report["lead_ids"].as_array().unwrap();
            acknowledged.extend(ids.iter().map(|id| id.as_str().unwrap().parse::<LeadId>().unwrap()));
        }
        server.kill().unwrap();
        server.wait().unwrap();

        assert!(tries > CLIENTS * leads, "no kill interrupted a sender: {tries} tries");
        assert_eq!(acknowledged.len() as u64, CLIENTS * leads, "every lead was acknowledged, as a lead of its own");
        let read = store.read(OPERATE);
        for id in &acknowledged {
            assert!(read.lead_standing(*id).await.unwrap().is_some(), "lead {id} was acknowledged and is missing");
        }
        // Leads that were stored while the answer was lost were found again by their key.
        assert_eq!(received(&store).await, total);
        let report = examine(&store).await.unwrap();
        let broken: Vec<_> = report.proofs.iter().filter(|proof| !proof.ok).collect();
        assert!(broken.is_empty(), "after {kills} kills: {broken:?}");
        assert_eq!(report.ledger_sum, 0);
        let sold = read.totals().await.unwrap().sold;
        assert!(sold > 0);
        println!(
            "{kills} kills: {} leads acknowledged in {tries} tries, none missing, {sold} sold, ledger sum 0",
            acknowledged.len()
        );
        store.close().await;
        place.remove().await;
    }
}
