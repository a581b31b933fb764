//! A delivery to a parked destination waits, and goes when the destination is taken up again.

use leadyard_connectors::fake::Behaviour;
use leadyard_entity::Engine;
use leadyard_entity::deliveries::{DestinationNews, SettledAttempt};
use leadyard_entity::model::destination;
use leadyard_entity::tasks::TaskEnd;
use leadyard_market::setup::{DestinationChange, SetupError};
use leadyard_tests::market::{Selling, terms};
use leadyard_tests::{OPERATE, TestApp, eventually, on_both};
use leadyard_types::{DeliveryId, DeliveryState, DestinationId, Status};

use crate::{DELIVER, buyer, claim, delivery_of, send, start, steps_of, totals};

async fn destination(app: &TestApp, id: DestinationId) -> destination::Model {
    app.store().read(OPERATE).by_id::<destination::Entity>(id.0).await.unwrap().unwrap()
}

async fn change(app: &TestApp, id: DestinationId, change: DestinationChange) {
    let version = destination(app, id).await.version;
    app.setup().revise_destination(id, version, change).await.unwrap();
}

/// A destination that says it is gone is parked; what is sold to it waits without a task and without an attempt, and
/// arrives once when it is taken up again, by whichever of the two ways.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_parked_destination_goes_when_it_is_taken_up() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling::default()).await;
        let id = buyer(&app, &market, "gone", terms(1_000)).await;
        for (round, by_setup) in [(0, false), (1, true)] {
            app.receiver.program("/gone", Behaviour::Gone);
            let mut leads = send(&app, &market, round * 10..round * 10 + 1, "sold").await;
            app.idle().await;
            assert_eq!(destination(&app, id).await.status, Status::Paused.as_str());
            leads.extend(send(&app, &market, round * 10 + 1..round * 10 + 5, "sold").await);
            app.idle().await;
            assert_eq!((totals(&app).await.pending, delivery_of(&app, leads[4]).await.attempts), (5, 0));
            let waits = DeliveryId(delivery_of(&app, leads[4]).await.id);
            assert!(!app.app.market.replay_delivery(OPERATE, waits).await.unwrap(), "it waits for its destination");
            app.receiver.program("/gone", Behaviour::Accept);
            if by_setup {
                change(&app, id, DestinationChange { status: Some(Status::Active), ..Default::default() }).await;
            } else {
                assert!(app.app.market.resume_destination(OPERATE, id).await.unwrap());
            }
            app.idle().await;
            let totals = totals(&app).await;
            assert_eq!((totals.accepted, totals.pending, totals.failed), (5 * (round as i64 + 1), 0, 0));
            for lead in leads {
                assert_eq!(app.receiver.taken_of(DeliveryId(delivery_of(&app, lead).await.id)), 1);
            }
        }
        app.finish().await;
    })
    .await;
}

/// A worker found the destination parked; before it wrote that down, somebody took the destination up again, and found
/// the worker's task. The task stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_does_not_fall_between_parking_and_resuming() {
    on_both(async |database| {
        let mut app = start(database).await;
        let market = app.market(Selling::default()).await;
        let id = buyer(&app, &market, "a", terms(1_000)).await;
        app.rest().await;
        let lead = send(&app, &market, 0..1, "sold").await[0];
        change(&app, id, DestinationChange { status: Some(Status::Paused), ..Default::default() }).await;
        let task = claim(app.store()).await.remove(0);
        assert!(app.app.market.resume_destination(OPERATE, id).await.unwrap());
        let write = app.store().write(DELIVER).await.unwrap();
        let waits = SettledAttempt {
            held: task.held(),
            task_end: TaskEnd::Parked,
            attempt: None,
            delivery_id: DeliveryId(delivery_of(&app, lead).await.id),
            state: DeliveryState::Pending,
            next_attempt_at: None,
            reference: None,
            lead_id: lead,
            event: None,
            destination_id: id,
            news: DestinationNews::None,
        };
        assert_eq!(write.settle_attempts(vec![waits]).await.unwrap().len(), 1);
        let _ = write.commit().await.unwrap();
        let again = claim(app.store()).await;
        assert_eq!(again.iter().map(|task| task.attempts).collect::<Vec<_>>(), [1], "due at once, and nothing counted");
        let write = app.store().write(DELIVER).await.unwrap();
        write.end_task(&again[0], &TaskEnd::Released).await.unwrap();
        let _ = write.commit().await.unwrap();
        app.work();
        app.idle().await;
        assert_eq!(totals(&app).await.accepted, 1);
        app.finish().await;
    })
    .await;
}

/// A destination's row that a worker has just parked is not written over by somebody who read it before.
#[tokio::test(flavor = "multi_thread")]
async fn a_parking_is_not_written_over() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling::default()).await;
        let id = buyer(&app, &market, "gone", terms(1_000)).await;
        let version = destination(&app, id).await.version;
        let parking = app.store().write(DELIVER).await.unwrap();
        parking.plant("UPDATE destination SET status = 'PAUSED', version = version + 1").await.unwrap();
        let setup = app.setup();
        let renamed = DestinationChange { name: Some("other".into()), ..Default::default() };
        let renaming = tokio::spawn(async move { setup.revise_destination(id, version, renamed).await });
        if app.store().engine() == Engine::Postgres {
            let read = app.store().read(OPERATE);
            eventually("the change waits", async || read.waiting_for_locks().await.unwrap() == 1).await;
        }
        let _ = parking.commit().await.unwrap();
        assert!(matches!(renaming.await.unwrap(), Err(SetupError::StaleVersion { current }) if current == version + 1));
        assert_eq!(destination(&app, id).await.status, Status::Paused.as_str());
        app.finish().await;
    })
    .await;
}

/// A destination that keeps failing gets pauses; as soon as somebody changes it, what waits for it goes, without waiting
/// for the pause to be over.
#[tokio::test(flavor = "multi_thread")]
async fn a_mended_destination_is_tried_at_once() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling::default()).await;
        let id = buyer(&app, &market, "down", terms(1_000)).await;
        app.receiver.program("/down", Behaviour::Fail { status: 500, times: u32::MAX });
        send(&app, &market, 0..8, "sold").await;
        app.idle().await;
        let tried = app.receiver.received();
        assert!(tried >= 5, "{tried}");
        // The breaker is open: nothing of what is sold now is tried.
        send(&app, &market, 10..13, "sold").await;
        app.idle().await;
        assert_eq!(app.receiver.received(), tried);
        app.receiver.program("/down", Behaviour::Accept);
        change(&app, id, DestinationChange { status: Some(Status::Active), ..Default::default() }).await;
        app.idle().await;
        let totals = totals(&app).await;
        assert_eq!((totals.accepted, totals.pending), (11, 0));
        app.finish().await;
    })
    .await;
}

/// What waits for an ended destination is given up, visibly; so is what was waiting when it ended.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_waits_for_an_ended_destination() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling::default()).await;
        let id = buyer(&app, &market, "gone", terms(1_000)).await;
        app.receiver.program("/gone", Behaviour::Gone);
        let lead = send(&app, &market, 0..1, "sold").await[0];
        app.idle().await;
        change(&app, id, DestinationChange { status: Some(Status::Archived), ..Default::default() }).await;
        app.idle().await;
        assert_eq!(delivery_of(&app, lead).await.state, DeliveryState::Dead.as_str());
        assert_eq!(steps_of(&app, lead).await.last().unwrap(), "DELIVERY_DEAD");
        app.finish().await;
    })
    .await;
}

/// Staff need not wait for the schedule: a delivery that waits for its next attempt goes now.
#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_delivery_is_replayed_at_once() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling::default()).await;
        buyer(&app, &market, "hiccup", terms(1_000)).await;
        app.receiver.program("/hiccup", Behaviour::Fail { status: 500, times: 1 });
        let lead = send(&app, &market, 0..1, "sold").await[0];
        app.idle().await;
        let id = DeliveryId(delivery_of(&app, lead).await.id);
        assert_eq!(totals(&app).await.pending, 1);
        assert!(app.app.market.replay_delivery(OPERATE, id).await.unwrap());
        app.idle().await;
        assert_eq!((app.receiver.arrivals_of(id), app.receiver.taken_of(id)), (2, 1));
        assert_eq!(delivery_of(&app, lead).await.state, DeliveryState::Accepted.as_str());
        app.finish().await;
    })
    .await;
}
