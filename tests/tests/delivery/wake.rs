//! Work that is added wakes the workers, in whichever process they are: nobody waits for the next look.

use std::time::Duration;

use leadyard_jobs::JobsOptions;
use leadyard_market::setup::DestinationChange;
use leadyard_tests::market::{Selling, terms};
use leadyard_tests::{OPERATE, TestApp, TestDatabase, TestOptions, eventually, on_both};
use leadyard_types::Status;

use crate::{buyer, plant, send};

/// Workers that look by themselves only once in a test's life: at its beginning.
const DEAF: JobsOptions = JobsOptions {
    concurrency: 16,
    per_lane: 16,
    poll: Duration::from_secs(60 * 60),
    lease: Duration::from_secs(20),
    patience: Duration::from_secs(60),
    drain: Duration::from_secs(20),
};

async fn start(database: TestDatabase) -> TestApp {
    TestApp::start_with(database, TestOptions { jobs: DEAF, ..TestOptions::default() }).await
}

/// Whatever adds a task wakes the workers of its own process: a sale, and a destination that is taken up again.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_wakes_its_own_workers() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling::default()).await;
        let id = buyer(&app, &market, "a", terms(1_000)).await;
        send(&app, &market, 0..1, "sold").await;
        eventually("the lead arrives", async || app.receiver.received() == 1).await;
        let setup = app.setup();
        let status = |status| DestinationChange { status: Some(status), ..Default::default() };
        setup.revise_destination(id, 1, status(Status::Paused)).await.unwrap();
        send(&app, &market, 1..2, "sold").await;
        let read = app.store().read(OPERATE);
        eventually("it waits", async || !read.any_due_or_running().await.unwrap()).await;
        setup.revise_destination(id, 2, status(Status::Active)).await.unwrap();
        eventually("the lead arrives", async || app.receiver.received() == 2).await;
        app.finish().await;
    })
    .await;
}

/// A claim looks at more tasks than it takes, and what it looks at is hidden from other processes for that moment: they
/// look again soon.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_only_looked_at_is_found() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let mut app = start(database).await;
    let market = app.market(Selling::default()).await;
    buyer(&app, &market, "a", terms(1_000)).await;
    app.rest().await;
    send(&app, &market, 0..1, "sold").await;
    let looking = app.store().write(OPERATE).await.unwrap();
    assert_eq!(looking.plant("SELECT id FROM task FOR UPDATE").await.unwrap(), 1);
    let worker = app.another_process(Some(DEAF)).await;
    let (store, started) = (worker.market.store().clone(), worker.market.store().statements());
    eventually("it has looked", async || store.statements() >= started + 12).await;
    looking.rollback().await.unwrap();
    eventually("the lead arrives", async || app.receiver.received() == 1).await;
    worker.stop().await;
    app.finish().await;
}

/// A task that one process adds wakes the workers of another, also after they lost their connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_wakes_the_workers_of_other_processes() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let mut app = start(database).await;
    let market = app.market(Selling::default()).await;
    buyer(&app, &market, "a", terms(1_000)).await;
    app.rest().await;
    let worker = app.another_process(Some(DEAF)).await;
    send(&app, &market, 0..1, "sold").await;
    eventually("the lead arrives", async || app.receiver.received() == 1).await;
    // Idle now: only what is heard can wake the worker.
    let read = app.store().read(OPERATE);
    eventually("nothing is left", async || !read.any_due_or_running().await.unwrap()).await;
    send(&app, &market, 1..2, "sold").await;
    eventually("the lead arrives", async || app.receiver.received() == 2).await;
    plant(&app, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'").await;
    send(&app, &market, 2..3, "sold").await;
    eventually("the lead arrives", async || app.receiver.received() == 3).await;
    worker.stop().await;
    app.finish().await;
}
