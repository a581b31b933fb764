//! What a buyer answered is not lost, and not settled twice, because the database is away for a moment.

use std::time::Duration;

use chrono::Duration as Span;
use leadyard_connectors::fake::Behaviour;
use leadyard_entity::testing::CommitFault::{After, Before};
use leadyard_jobs::JobsOptions;
use leadyard_tests::market::{Selling, terms};
use leadyard_tests::{OPERATE, TestApp, TestDatabase, TestOptions, eventually, on_both};
use leadyard_types::{DeliveryId, LeadId, Method, SaleId};

use crate::{asking, attempts_of, buyer, charges, delivery_of, held, offer, plant, sales_of, send, start, steps_of};

/// What every settling of an attempt writes, and every beginning of one.
const SETTLING: &str = "UPDATE attempt SET finished_at";
const BEGINNING: &str = "INSERT INTO attempt";

/// The only sale's state, and the outcomes of its delivery's attempts.
async fn standing(app: &TestApp, lead: LeadId) -> (String, Vec<Option<String>>) {
    let id = DeliveryId(delivery_of(app, lead).await.id);
    assert_eq!(app.receiver.arrivals_of(id), 1, "the buyer was asked once");
    let outcomes = attempts_of(app, id).await.into_iter().map(|attempt| attempt.outcome).collect();
    (sales_of(app, lead).await.remove(0).state, outcomes)
}

/// Commits fail before and after they happened while the buyer's answer is settled: it counts, once.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_outlives_a_database_that_is_away() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling::default()).await;
        asking(&app, "a", 1, &market).await;
        app.store().fail_commits(SETTLING, [Before, Before, After]);
        let accepted = offer(&app, &market, 1).await;
        app.idle().await;
        assert_eq!(app.store().commits_to_fail(), 0);
        assert_eq!(standing(&app, accepted).await, ("SOLD".into(), vec![Some("ACCEPTED".into())]));
        assert_eq!((charges(&app).await, held(&app).await), (1, 0));
        assert_eq!(steps_of(&app, accepted).await.iter().filter(|step| *step == "SOLD").count(), 1);
        app.receiver.program("/a", Behaviour::Reject { reason: "no".into() });
        app.store().fail_commits(SETTLING, [Before, After]);
        let refused = offer(&app, &market, 2).await;
        app.idle().await;
        assert_eq!(standing(&app, refused).await, ("REJECTED".into(), vec![Some("REJECTED".into())]));
        assert_eq!((charges(&app).await, held(&app).await), (1, 0));
        app.finish().await;
    })
    .await;
}

/// The beginning of an attempt was committed and nobody was told: nothing was sent yet, so it is sent, once.
#[tokio::test(flavor = "multi_thread")]
async fn a_beginning_whose_commit_was_lost_is_no_interruption() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling::default()).await;
        asking(&app, "a", 1, &market).await;
        app.store().fail_commits(BEGINNING, [Before, After]);
        let lead = offer(&app, &market, 1).await;
        app.idle().await;
        assert_eq!(app.store().commits_to_fail(), 0);
        assert_eq!(standing(&app, lead).await, ("SOLD".into(), vec![Some("ACCEPTED".into())]));
        assert_eq!(delivery_of(&app, lead).await.attempts, 1);
        app.finish().await;
    })
    .await;
}

/// A sold lead's delivery is not sent again only because its end could not be written down at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_written_down_once() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling::default()).await;
        buyer(&app, &market, "a", terms(1_000)).await;
        app.store().fail_commits(SETTLING, [Before, After]);
        let lead = send(&app, &market, 0..1, "sold").await[0];
        app.idle().await;
        assert_eq!(app.store().commits_to_fail(), 0);
        assert_eq!(standing(&app, lead).await, ("SOLD".into(), vec![Some("ACCEPTED".into())]));
        assert_eq!(steps_of(&app, lead).await.iter().filter(|step| *step == "DELIVERED").count(), 1);
        app.finish().await;
    })
    .await;
}

/// The database stays away until the worker is gone: whether the buyer has the lead is unknown, its money stays held, it
/// is not asked again, and its late answer is still taken.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_written_down_is_unknown() {
    on_both(async |database| {
        let mut app = start(database).await;
        let market = app.market(Selling::default()).await;
        asking(&app, "a", 1, &market).await;
        app.store().fail_commits(SETTLING, std::iter::repeat_n(Before, 1_000));
        let lead = offer(&app, &market, 1).await;
        eventually("settling is tried", async || app.store().commits_to_fail() < 998).await;
        drop(app.app.jobs.take());
        app.store().fail_commits(SETTLING, []);
        app.clock.advance(Span::seconds(21));
        assert_eq!(app.app.market.free_expired_leases().await.unwrap(), 1);
        app.work();
        app.idle().await;
        assert_eq!(standing(&app, lead).await, ("UNKNOWN".into(), vec![Some("UNKNOWN".into())]));
        assert_eq!((charges(&app).await, held(&app).await), (0, 1_000));
        let sale = SaleId(sales_of(&app, lead).await[0].id);
        assert!(app.app.market.resolve_unknown(OPERATE, sale, true).await.unwrap());
        assert_eq!((charges(&app).await, held(&app).await), (1, 0));
        app.finish().await;
    })
    .await;
}

/// An answer that cannot be settled for another reason than the database's absence is kept for people to see, and the
/// sale is unknown: no money moves, none is freed.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_does_not_fit_the_books_is_unknown() {
    on_both(async |database| {
        let mut app = start(database).await;
        let market = app.market(Selling { method: Method::RoundRobin, ..Selling::default() }).await;
        asking(&app, "a", 1, &market).await;
        offer(&app, &market, 1).await;
        app.rest().await;
        let lead = offer(&app, &market, 2).await;
        plant(&app, "UPDATE stage_rotation SET state = 'x' || state").await;
        app.work();
        app.idle().await;
        assert_eq!(standing(&app, lead).await, ("UNKNOWN".into(), vec![Some("ACCEPTED".into())]));
        assert_eq!((charges(&app).await, held(&app).await), (1, 1_000));
        plant(&app, "UPDATE stage_rotation SET state = substr(state, 2)").await;
        let sale = SaleId(sales_of(&app, lead).await[0].id);
        assert!(app.app.market.resolve_unknown(OPERATE, sale, true).await.unwrap());
        assert_eq!((charges(&app).await, held(&app).await), (2, 0));
        app.finish().await;
    })
    .await;
}

/// While the database is away nothing is given up, and nothing uses up its schedule.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_given_up_because_the_database_is_away() {
    on_both(async |database| {
        let jobs = JobsOptions { patience: Duration::ZERO, ..TestOptions::default().jobs };
        let app = TestApp::start_with(database, TestOptions { jobs, ..TestOptions::default() }).await;
        let market = app.market(Selling::default()).await;
        buyer(&app, &market, "a", terms(1_000)).await;
        app.store().fail_commits(BEGINNING, std::iter::repeat_n(Before, 15));
        let lead = send(&app, &market, 0..1, "sold").await[0];
        while app.store().commits_to_fail() > 0 {
            app.idle().await;
            app.clock.advance(Span::minutes(6));
        }
        app.idle().await;
        assert_eq!(standing(&app, lead).await, ("SOLD".into(), vec![Some("ACCEPTED".into())]));
        assert_eq!(delivery_of(&app, lead).await.state, "ACCEPTED");
        app.finish().await;
    })
    .await;
}

/// PostgreSQL ends the connection that settles, as a restart or a failover does: the answer counts, once.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_outlives_its_connection() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let mut app = start(database).await;
    let market = app.market(Selling::default()).await;
    asking(&app, "a", 1, &market).await;
    app.rest().await;
    let lead = offer(&app, &market, 1).await;
    // Settling needs the campaign, which somebody holds.
    let campaign = app.store().write(OPERATE).await.unwrap();
    campaign.plant("SELECT id FROM campaign FOR UPDATE").await.unwrap();
    app.work();
    let read = app.store().read(OPERATE);
    let mut cut = 0;
    while cut < 2 {
        eventually("settling waits", async || read.waiting_for_locks().await.unwrap() == 1).await;
        let waiting = "SELECT COUNT(CASE WHEN pg_terminate_backend(pid) THEN 1 END) AS figure FROM pg_stat_activity
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        cut += read.figure(waiting).await.unwrap();
    }
    eventually("settling waits again", async || read.waiting_for_locks().await.unwrap() == 1).await;
    campaign.rollback().await.unwrap();
    app.idle().await;
    assert_eq!(standing(&app, lead).await, ("SOLD".into(), vec![Some("ACCEPTED".into())]));
    assert_eq!((charges(&app).await, held(&app).await), (1, 0));
    app.finish().await;
}
