//! What is given up comes to an end, visibly, and can be sent again: nothing waits for a task that will not come.

use chrono::Duration;
use leadyard_connectors::fake::Behaviour;
use leadyard_entity::deliveries::Begin;
use leadyard_tests::market::{Selling, terms};
use leadyard_tests::{OPERATE, TestApp, on_both};
use leadyard_types::{AttemptId, DeliveryId, LeadId, SaleId, TaskPayload};

use crate::{
    DELIVER, asking, attempts_of, buyer, claim, courier, delivery_of, held, offer, plant, sales_of, send, start,
    steps_of,
};

/// Longer than any pause after a failure of our own.
const LATER: Duration = Duration::minutes(6);

/// Makes leads unreadable, and readable again.
const SPOIL: &str = "UPDATE lead SET fields = 'x' || fields";
const MEND: &str = "UPDATE lead SET fields = substr(fields, 2)";

/// Lets time pass until nothing is left to try.
async fn pass(app: &TestApp, rounds: usize, pause: Duration) {
    for _ in 0..rounds {
        app.clock.advance(pause);
        app.idle().await;
    }
}

/// The delivery of the lead was given up; it is replayed and arrives.
async fn given_up_and_replayed(app: &TestApp, lead: LeadId) {
    let delivery = delivery_of(app, lead).await;
    assert_eq!((delivery.state.as_str(), delivery.finished_at.is_some()), ("DEAD", true));
    assert_eq!(delivery.next_attempt_at, None);
    assert_eq!(steps_of(app, lead).await.last().unwrap(), "DELIVERY_DEAD");
    let id = DeliveryId(delivery.id);
    assert!(attempts_of(app, id).await.iter().all(|attempt| attempt.finished_at.is_some()));
    assert!(app.app.market.replay_delivery(OPERATE, id).await.unwrap());
    app.idle().await;
    // A destination that kept failing has its pause first.
    pass(app, 1, LATER).await;
    assert_eq!(delivery_of(app, lead).await.state, "ACCEPTED");
    assert_eq!(app.receiver.taken_of(id), 1);
}

/// Claims what is due and begins the attempt that asks about a lead, as a worker does that then goes away.
async fn claim_begun(app: &TestApp, lead: LeadId) -> DeliveryId {
    let id = DeliveryId(delivery_of(app, lead).await.id);
    let tasks = claim(app.store()).await;
    let asks = |payload| matches!(payload, Some(TaskPayload::Post { delivery_id, .. }) if delivery_id == id);
    let task = tasks.iter().find(|task| asks(task.payload)).unwrap();
    let write = app.store().write(DELIVER).await.unwrap();
    let attempt_id = AttemptId(app.store().ids().uuid());
    let begin = Begin { held: task.held(), attempt_id, delivery_id: id, repeatable: false };
    write.begin_attempts(&[begin]).await.unwrap();
    let _ = write.commit().await.unwrap();
    id
}

/// A receiver that is down for longer than the schedule.
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_used_up_its_schedule_is_dead() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling::default()).await;
        buyer(&app, &market, "down", terms(1_000)).await;
        app.receiver.program("/down", Behaviour::Fail { status: 500, times: u32::MAX });
        let lead = send(&app, &market, 0..1, "sold").await[0];
        app.idle().await;
        while let Some(next) = delivery_of(&app, lead).await.next_attempt_at {
            app.clock.advance_to(next);
            app.idle().await;
        }
        assert_eq!(app.receiver.arrivals_of(DeliveryId(delivery_of(&app, lead).await.id)), 10);
        app.receiver.program("/down", Behaviour::Accept);
        given_up_and_replayed(&app, lead).await;
        app.finish().await;
    })
    .await;
}

/// What is stored cannot be read: not the receiver's fault, and not tried for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_cannot_be_read_is_given_up() {
    on_both(async |database| {
        let mut app = start(database).await;
        let market = app.market(Selling::default()).await;
        buyer(&app, &market, "a", terms(1_000)).await;
        app.rest().await;
        let lead = send(&app, &market, 0..1, "sold").await[0];
        plant(&app, SPOIL).await;
        app.work();
        pass(&app, 12, LATER).await;
        let dead = app.store().read(OPERATE).dead_tasks(10).await.unwrap();
        assert_eq!(dead.iter().map(|task| task.attempts).collect::<Vec<_>>(), [10]);
        plant(&app, MEND).await;
        given_up_and_replayed(&app, lead).await;
        app.finish().await;
    })
    .await;
}

/// Settings that no connector understands are not tried again at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_destination_of_no_known_kind_is_misconfigured() {
    on_both(async |database| {
        let mut app = start(database).await;
        let market = app.market(Selling::default()).await;
        buyer(&app, &market, "a", terms(1_000)).await;
        app.rest().await;
        let lead = send(&app, &market, 0..1, "sold").await[0];
        plant(&app, "UPDATE destination SET kind = 'PIGEON'").await;
        app.work();
        app.idle().await;
        assert_eq!(delivery_of(&app, lead).await.attempts, 1);
        plant(&app, "UPDATE destination SET kind = 'WEBHOOK'").await;
        given_up_and_replayed(&app, lead).await;
        app.finish().await;
    })
    .await;
}

/// A buyer that cannot be asked certainly got nothing: its hold ends and the next contract has its turn. If an attempt
/// was interrupted it may have the lead: then the verdict is unknown, and its money stays held.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_cannot_be_asked_is_given_up() {
    on_both(async |database| {
        let mut app = start(database).await;
        let market = app.market(Selling::default()).await;
        asking(&app, "a", 1, &market).await;
        asking(&app, "b", 2, &market).await;
        app.rest().await;
        let [first, second] = [offer(&app, &market, 1).await, offer(&app, &market, 2).await];
        let begun = claim_begun(&app, second).await;
        plant(&app, SPOIL).await;
        app.clock.advance(Duration::seconds(21));
        assert_eq!(app.app.market.free_expired_leases().await.unwrap(), 2);
        app.work();
        pass(&app, 12, LATER).await;
        let states = |sales: Vec<leadyard_entity::model::sale::Model>| -> Vec<String> {
            sales.into_iter().map(|sale| sale.state).collect()
        };
        assert_eq!(states(sales_of(&app, first).await), ["REJECTED"]);
        assert_eq!(states(sales_of(&app, second).await), ["UNKNOWN"]);
        assert_eq!(held(&app).await, 1_000);
        assert_eq!(attempts_of(&app, begun).await[0].outcome.as_deref(), Some("UNKNOWN"));
        // What could not be read can be read again: the first lead finds its next buyer, and staff settle the second.
        plant(&app, MEND).await;
        pass(&app, 2, LATER).await;
        assert_eq!(states(sales_of(&app, first).await), ["REJECTED", "SOLD"]);
        let unknown = SaleId(sales_of(&app, second).await[0].id);
        assert!(app.app.market.resolve_unknown(OPERATE, unknown, true).await.unwrap());
        assert_eq!(held(&app).await, 0);
        plant(&app, "DELETE FROM task WHERE dead_at IS NOT NULL").await;
        app.finish().await;
    })
    .await;
}

/// A task that this version cannot read is left to processes of another for a while; in the end its delivery is given up
/// all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_of_an_unknown_version_does_not_leave_its_delivery_waiting() {
    on_both(async |database| {
        let mut app = start(database).await;
        let market = app.market(Selling::default()).await;
        buyer(&app, &market, "a", terms(1_000)).await;
        app.rest().await;
        let lead = send(&app, &market, 0..1, "sold").await[0];
        plant(&app, "UPDATE task SET payload = replace(payload, 'deliver.v1', 'deliver.v9')").await;
        app.work();
        pass(&app, 30, Duration::seconds(61)).await;
        assert_eq!(app.store().read(OPERATE).task_counts().await.unwrap().dead, 0);
        pass(&app, 31, Duration::seconds(61)).await;
        // Workers reconcile now and then, too; without them it can be seen.
        app.rest().await;
        app.app.market.reconcile().await.unwrap();
        assert_eq!(app.app.market.reconcile().await.unwrap().given_up, 0);
        app.work();
        given_up_and_replayed(&app, lead).await;
        app.finish().await;
    })
    .await;
}

/// Whatever gave a task up, the reconciler ends what it was for: a delivery is dead, a question unknown; a hold's end
/// gets another run of attempts.
#[tokio::test(flavor = "multi_thread")]
async fn the_reconciler_ends_what_dead_tasks_were_for() {
    const BURY: &str = "UPDATE task SET dead_at = created_at, lease_id = NULL, leased_until = NULL";
    on_both(async |database| {
        let mut app = start(database).await;
        let market = app.market(Selling::default()).await;
        asking(&app, "a", 1, &market).await;
        app.rest().await;
        let offered = offer(&app, &market, 1).await;
        plant(&app, BURY).await;
        assert_eq!(app.app.market.reconcile().await.unwrap().given_up, 1);
        assert_eq!(sales_of(&app, offered).await[0].state, "UNKNOWN");
        assert_eq!((delivery_of(&app, offered).await.state.as_str(), held(&app).await), ("UNKNOWN", 1_000));
        plant(&app, BURY).await;
        app.clock.advance(Duration::minutes(121));
        let dead = async || app.store().read(OPERATE).task_counts().await.unwrap().dead;
        assert_eq!(dead().await, 2);
        app.app.market.reconcile().await.unwrap();
        assert_eq!(dead().await, 1, "the question stays dead, its end lives");
        app.work();
        app.idle().await;
        assert_eq!((sales_of(&app, offered).await[0].state.as_str(), held(&app).await), ("UNKNOWN_EXPIRED", 0));
        plant(&app, "DELETE FROM task WHERE dead_at IS NOT NULL").await;
        app.finish().await;
    })
    .await;
}

/// A lead whose buyer refused, and that no task will offer again, is found.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_lead_is_offered_again_even_if_its_task_is_missing() {
    on_both(async |database| {
        let mut app = start(database).await;
        let market = app.market(Selling::default()).await;
        asking(&app, "no", 1, &market).await;
        asking(&app, "yes", 2, &market).await;
        app.receiver.program("/no", Behaviour::Reject { reason: "no".into() });
        app.rest().await;
        let offered = offer(&app, &market, 1).await;
        let courier = courier(&app);
        for task in claim(app.store()).await {
            courier.run(&task).await;
        }
        assert_eq!(sales_of(&app, offered).await[0].state, "REJECTED");
        plant(&app, "DELETE FROM task WHERE kind = 'place.v1'").await;
        app.clock.advance(Duration::minutes(11));
        assert_eq!(app.app.market.reconcile().await.unwrap().tasks, 1);
        app.work();
        app.idle().await;
        assert_eq!(sales_of(&app, offered).await[1].state, "SOLD");
        app.finish().await;
    })
    .await;
}
