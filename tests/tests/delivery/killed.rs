//! Workers that are killed, and workers that are told to stop: what they had in hand goes on elsewhere, under the same id,
//! and nobody is charged twice.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use leadyard_connectors::fake::Behaviour;
use leadyard_entity::{Engine, MasterKeys};
use leadyard_jobs::JobsOptions;
use leadyard_market::MarketSettings;
use leadyard_tests::market::{Selling, terms};
use leadyard_tests::{OPERATE, TestApp, TestOptions, eventually, on_both};
use leadyard_types::{DeliveryId, LeadId, SystemClock};

use crate::{asking, attempts_of, buyer, charges, delivery_of, held, offer, sales_of, send, start, totals};

/// A serving process, killed at the latest when the test ends.
struct Process(Child);

impl Process {
    /// Starts the real binary beside the test's own application.
    fn start(app: &TestApp, keys: &std::path::Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leadyard-under-test"));
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--lease-seconds", "1"])
            .args(["--allow-destination", &app.receiver.address().to_string()])
            .env("DATABASE_URL", app.store().url())
            .env("LEADYARD_MASTER_KEY_FILE", keys)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    /// SIGKILL: no word, no clean end.
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process is killed with kill -9 while receivers have its posts and have not answered. Another takes the work up (on
/// SQLite its successor): sold leads arrive again under the same id, buyers who were asked are not asked again and their
/// money stays held, and every sale is charged once.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_loses_nothing_and_charges_nothing_twice() {
    const SOLD: usize = 6;
    const ASKED: usize = 3;
    on_both(async |database| {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("master.key");
        let options = TestOptions {
            master_keys: Some(MasterKeys::load_or_create(&keys).unwrap()),
            market: MarketSettings { verdict_wait: Duration::ZERO, ..MarketSettings::default() },
            ..TestOptions::default()
        };
        let mut app = TestApp::start_with(database, options).await;
        // The processes have the machine's clock.
        app.clock.advance_to(leadyard_types::Clock::now(&SystemClock));
        let market = app.market(Selling::default()).await;
        let beside = app.campaign_beside(&market, "Beside", Selling::default()).await;
        buyer(&app, &market, "sold", terms(1_000)).await;
        asking(&app, "asked", 1, &beside).await;
        app.receiver.program("/sold", Behaviour::Hold);
        app.receiver.program("/asked", Behaviour::Hold);
        app.rest().await;
        let sold = send(&app, &market, 0..SOLD, "sold").await;
        let mut asked = Vec::new();
        for number in 0..ASKED {
            asked.push(offer(&app, &beside, 100 + number).await);
        }
        let first = Process::start(&app, &keys);
        eventually("receivers have it all", async || app.receiver.received() == (SOLD + ASKED) as u64).await;
        let shares = app.store().engine() == Engine::Postgres;
        let waiting = shares.then(|| Process::start(&app, &keys));
        app.receiver.program("/sold", Behaviour::Accept);
        app.receiver.program("/asked", Behaviour::Accept);
        first.kill();
        let second = waiting.unwrap_or_else(|| Process::start(&app, &keys));
        eventually("everything has come to an end", async || {
            let read = app.store().read(OPERATE);
            !read.any_due_or_running().await.unwrap() && totals(&app).await.accepted == SOLD as i64
        })
        .await;
        for lead in sold {
            assert_eq!(history(&app, lead).await, (2, "SOLD".into(), vec!["UNKNOWN".into(), "ACCEPTED".into()]));
        }
        for lead in asked {
            assert_eq!(history(&app, lead).await, (1, "UNKNOWN".into(), vec!["UNKNOWN".into()]));
        }
        assert_eq!(app.receiver.unique(), SOLD + ASKED);
        assert_eq!((charges(&app).await, held(&app).await), (SOLD as i64, 1_000 * ASKED as i64));
        second.kill();
        app.finish().await;
    })
    .await;
}

/// How often a lead's delivery arrived, where its sale stands, and what its attempts came to.
async fn history(app: &TestApp, lead: LeadId) -> (u32, String, Vec<String>) {
    let id = DeliveryId(delivery_of(app, lead).await.id);
    let outcomes = attempts_of(app, id).await.into_iter().map(|attempt| attempt.outcome.unwrap_or_default());
    (app.receiver.arrivals_of(id), sales_of(app, lead).await.remove(0).state, outcomes.collect())
}

/// Workers that stop let what they have begun come to an end, begin nothing new, and give back the rest as if they had
/// never had it.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_what_has_begun_and_gives_back_the_rest() {
    on_both(async |database| {
        let jobs = JobsOptions { per_lane: 2, ..TestOptions::default().jobs };
        let mut app = TestApp::start_with(database, TestOptions { jobs, ..TestOptions::default() }).await;
        let market = app.market(Selling::default()).await;
        buyer(&app, &market, "a", terms(1_000)).await;
        app.receiver.program("/a", Behaviour::Hold);
        let leads = send(&app, &market, 0..5, "sold").await;
        eventually("two have begun", async || app.receiver.received() == 2).await;
        let mut stopping = Box::pin(app.app.jobs.take().unwrap().shutdown());
        tokio::select! {
            biased;
            () = &mut stopping => panic!("two have not come to an end"),
            () = std::future::ready(()) => {}
        }
        app.receiver.let_go();
        stopping.await;
        assert_eq!((app.receiver.received(), totals(&app).await.accepted), (2, 2));
        let leased = "SELECT COUNT(*) AS figure FROM task WHERE lease_id IS NOT NULL OR attempts > 0";
        assert_eq!(app.store().read(OPERATE).figure(leased).await.unwrap(), 0);
        app.receiver.program("/a", Behaviour::Accept);
        app.work();
        app.idle().await;
        for lead in leads {
            assert_eq!(history(&app, lead).await, (1, "SOLD".into(), vec!["ACCEPTED".into()]));
        }
        app.finish().await;
    })
    .await;
}

/// What does not come to an end within the grace period is given back at once, not when its lease is over: a sold lead
/// goes again, and whether a buyer who was asked has the lead is unknown.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_ever() {
    on_both(async |database| {
        let jobs = JobsOptions { drain: Duration::from_millis(50), ..TestOptions::default().jobs };
        let market = MarketSettings { verdict_wait: Duration::ZERO, ..MarketSettings::default() };
        let options = TestOptions { jobs, market, ..TestOptions::default() };
        let mut app = TestApp::start_with(database, options).await;
        let market = app.market(Selling::default()).await;
        let beside = app.campaign_beside(&market, "Beside", Selling::default()).await;
        buyer(&app, &market, "sold", terms(1_000)).await;
        asking(&app, "asked", 1, &beside).await;
        app.receiver.program("/sold", Behaviour::Hold);
        app.receiver.program("/asked", Behaviour::Hold);
        let (sold, asked) = (send(&app, &market, 0..1, "sold").await[0], offer(&app, &beside, 1).await);
        eventually("both have begun", async || app.receiver.received() == 2).await;
        app.app.jobs.take().unwrap().shutdown().await;
        let leased = "SELECT COUNT(*) AS figure FROM task WHERE lease_id IS NOT NULL";
        assert_eq!(app.store().read(OPERATE).figure(leased).await.unwrap(), 0);
        app.receiver.program("/sold", Behaviour::Accept);
        app.receiver.program("/asked", Behaviour::Accept);
        app.work();
        app.idle().await;
        assert_eq!(history(&app, sold).await, (2, "SOLD".into(), vec!["UNKNOWN".into(), "ACCEPTED".into()]));
        assert_eq!(history(&app, asked).await, (1, "UNKNOWN".into(), vec!["UNKNOWN".into()]));
        assert_eq!((charges(&app).await, held(&app).await), (1, 1_000));
        app.finish().await;
    })
    .await;
}

/// A worker that was too slow lost its lease to another. A buyer's clear answer, given once, is the truth all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_clear_answer_counts_though_the_lease_was_lost() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling::default()).await;
        asking(&app, "a", 1, &market).await;
        app.receiver.program("/a", Behaviour::Hold);
        let lead = offer(&app, &market, 1).await;
        eventually("the buyer is asked", async || app.receiver.received() == 1).await;
        // Time jumps ahead of the worker, which could renew its lease, and whoever comes first frees it.
        let unknown = async || sales_of(&app, lead).await[0].state == "UNKNOWN";
        loop {
            app.clock.advance(chrono::Duration::seconds(21));
            if app.app.market.free_expired_leases().await.unwrap() == 1 || unknown().await {
                break;
            }
        }
        eventually("another worker finds it", unknown).await;
        assert_eq!(held(&app).await, 1_000);
        app.receiver.let_go();
        eventually("the answer counts", async || sales_of(&app, lead).await[0].state == "SOLD").await;
        assert_eq!(history(&app, lead).await, (1, "SOLD".into(), vec!["ACCEPTED".into()]));
        assert_eq!((charges(&app).await, held(&app).await), (1, 0));
        app.finish().await;
    })
    .await;
}
