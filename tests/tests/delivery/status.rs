//! A buyer whose answer was lost is asked what became of the lead: what it says settles the sale once, what it does not
//! say settles nothing.

use chrono::Duration;
use leadyard_connectors::fake::Behaviour;
use leadyard_market::setup::NewDestination;
use leadyard_market::simulation::SimulationRequest;
use leadyard_tests::market::{Selling, TestMarket, terms};
use leadyard_tests::{OPERATE, TestApp, on_both};
use leadyard_types::{ContractTerms, DeliveryId, DestinationKind, LeadId, Verdict};
use serde_json::{Value, json};

use crate::{asking, attempts_of, charges, deliveries_of, delivery_of, held, offer, sales_of, start};

/// A buyer who answers posts at `/{name}`, and questions about them at `/{name}/status`; both signed.
pub(crate) async fn questioned(app: &TestApp, market: &TestMarket, name: &str, more: Value) -> ContractTerms {
    let buyer = app.buyer(name, 1_000_000, vec![]).await;
    let paths = [format!("/{name}"), format!("/{name}/status")];
    let mut query = json!({ "url": app.receiver.url(&format!("{}?id={{{{ delivery_id }}}}", paths[1])) });
    query.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let timeout_ms = query.as_object_mut().unwrap().remove("post_timeout_ms").unwrap_or(json!(30_000));
    let config = json!({ "url": app.receiver.url(&paths[0]), "timeout_ms": timeout_ms, "status_query": query });
    let new = NewDestination { buyer_id: buyer, name: name.into(), kind: DestinationKind::Webhook, config };
    let made = app.setup().create_destination(new).await.unwrap();
    for path in &paths {
        app.receiver.require_signature(path, made.secret.clone().map(Into::into).into_iter().collect());
    }
    let terms = ContractTerms { verdict: Verdict::Sync, destinations: vec![made.id], ..terms(1_000) };
    app.contract(market.campaign_id, buyer, name, terms.clone()).await;
    terms
}

/// The states of a lead's sales, by leg.
pub(crate) async fn states(app: &TestApp, lead: LeadId) -> Vec<String> {
    sales_of(app, lead).await.into_iter().map(|sale| sale.state).collect()
}

/// Every decision comes out the same, and history as it was.
pub(crate) async fn reproduces(app: &TestApp) {
    let verified = app.app.market.verify_all(|_| {}).await.unwrap();
    assert!(verified.checked > 0 && verified.differing == 0, "{verified:?}");
    let found = app.app.market.simulate(SimulationRequest::default(), |_| {}).await.unwrap();
    assert_eq!((found.inputs_differing, found.changed_leads, found.repriced_leads), (0, 0, 0), "{found:?}");
    assert!(found.assumed_verdicts.is_empty(), "{found:?}");
}

/// Who said it, as the last step of that kind in the lead's timeline tells.
pub(crate) async fn told_by(app: &TestApp, lead: LeadId, kind: &str) -> String {
    let steps = app.app.market.explain(lead).await.unwrap().unwrap().steps;
    let step = steps.into_iter().rfind(|step| step.kind == kind).unwrap();
    step.detail["by"].as_str().unwrap().to_owned()
}

fn lost() -> Behaviour {
    Behaviour::CloseAfterReading { times: u32::MAX }
}

/// The answer is lost and the buyer, who took the lead, says so when it is asked: sold once, charged once, nothing held,
/// and the question stands in the log beside the post.
#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_that_took_the_lead_says_so() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling::default()).await;
        questioned(&app, &market, "a", json!({ "headers": [["x-key", "k"]] })).await;
        app.receiver.program("/a", lost());
        app.receiver.program("/a/status", Behaviour::Known);
        let lead = offer(&app, &market, 1).await;
        app.idle().await;
        assert_eq!((states(&app, lead).await, held(&app).await), (vec!["UNKNOWN".to_owned()], 1_000));
        assert_eq!(app.receiver.received_at("/a/status"), 0, "not before ten seconds are over");
        app.clock.advance(Duration::seconds(10));
        app.idle().await;
        assert_eq!(states(&app, lead).await, ["SOLD"]);
        assert_eq!((charges(&app).await, held(&app).await), (1, 0));
        assert_eq!(told_by(&app, lead, "SOLD").await, "STATUS_QUERY");
        let delivery = delivery_of(&app, lead).await;
        assert_eq!((delivery.state.as_str(), delivery.attempts), ("ACCEPTED", 2));
        let attempts = attempts_of(&app, DeliveryId(delivery.id)).await;
        let log: Vec<_> = attempts.iter().map(|row| (row.kind.as_str(), row.outcome.as_deref().unwrap())).collect();
        assert_eq!(log, [("SEND", "UNKNOWN"), ("STATUS_QUERY", "ACCEPTED")]);
        assert!(attempts[1].answer.as_ref().unwrap().contains("accepted"));
        let question = app.receiver.messages().pop().unwrap();
        assert_eq!(question.id, Some(delivery.id.to_string()));
        assert!(question.body.is_empty() && question.headers.contains(&("x-key".into(), "k".into())));
        app.clock.advance(Duration::hours(2));
        app.app.market.reconcile().await.unwrap();
        app.idle().await;
        assert_eq!(app.receiver.received_at("/a/status"), 1, "it is not asked again");
        assert_eq!(app.receiver.forged(), 0);
        reproduces(&app).await;
        app.finish().await;
    })
    .await;
}

/// A refusal, or that it was a duplicate, frees the money and the next contract has its turn.
#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_that_refused_makes_room_for_the_next() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling::default()).await;
        questioned(&app, &market, "a", json!({})).await;
        asking(&app, "b", 2, &market).await;
        let reason = "person1@mail.example.com is too far".to_owned();
        for (number, answer, kept) in
            [(1, Behaviour::Reject { reason }, "*** is too far"), (2, Behaviour::Duplicate, "the buyer had it already")]
        {
            app.receiver.program("/a", lost());
            app.receiver.program("/a/status", answer);
            let lead = offer(&app, &market, number).await;
            app.idle().await;
            app.clock.advance(Duration::seconds(10));
            app.idle().await;
            assert_eq!(states(&app, lead).await, ["REJECTED", "SOLD"]);
            assert_eq!(sales_of(&app, lead).await[0].reason.as_deref(), Some(kept));
            assert_eq!((charges(&app).await, held(&app).await), (number as i64, 0));
            assert_eq!(deliveries_of(&app, lead).await[0].state, "REJECTED");
        }
        reproduces(&app).await;
        app.finish().await;
    })
    .await;
}

/// What says nothing settles nothing: the buyer is asked ever more seldom, a last time before the window ends, and then
/// the window decides. The reconciler does not ask beside it.
#[tokio::test(flavor = "multi_thread")]
async fn nonsense_stays_unknown_until_the_window_ends() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling::default()).await;
        questioned(&app, &market, "a", json!({})).await;
        app.receiver.program("/a", lost());
        let nonsense = Behaviour::Answer { status: 200, headers: vec![], body: r#"{"status":"pending"}"#.into() };
        app.receiver.program("/a/status", nonsense);
        let lead = offer(&app, &market, 1).await;
        app.idle().await;
        let mut asked = 0;
        // Ten seconds, half a minute, two and ten minutes after each other; and a minute before the end of the hour.
        for seconds in [10, 30, 120, 600, 2_780] {
            app.clock.advance(Duration::seconds(seconds - 1));
            app.app.market.reconcile().await.unwrap();
            app.idle().await;
            assert_eq!(app.receiver.received_at("/a/status"), asked, "after {seconds} s");
            app.clock.advance(Duration::seconds(1));
            app.idle().await;
            asked += 1;
            assert_eq!(app.receiver.received_at("/a/status"), asked, "after {seconds} s");
            assert_eq!((states(&app, lead).await, held(&app).await), (vec!["UNKNOWN".to_owned()], 1_000));
        }
        app.clock.advance(Duration::seconds(60));
        app.idle().await;
        assert_eq!((states(&app, lead).await, held(&app).await), (vec!["UNKNOWN_EXPIRED".to_owned()], 0));
        assert_eq!((app.receiver.received_at("/a/status"), charges(&app).await), (asked, 0));
        assert_eq!(told_by(&app, lead, "SALE_EXPIRED").await, "WINDOW");
        let attempts = attempts_of(&app, DeliveryId(delivery_of(&app, lead).await.id)).await;
        assert!(attempts[1..].iter().all(|row| row.outcome.as_deref() == Some("UNKNOWN") && row.error.is_some()));
        reproduces(&app).await;
        app.finish().await;
    })
    .await;
}

/// That a buyer knows no such lead proves that it never got it only where that was agreed, and not before the time that
/// was agreed.
#[tokio::test(flavor = "multi_thread")]
async fn absence_proves_only_what_was_agreed() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling::default()).await;
        let answer = json!({ "accepted": { "path": "status", "equals": "accepted" }, "absent": { "statuses": [404] } });
        let more = json!({ "answer": answer, "absent_proves_after_minutes": 2, "post_timeout_ms": 500 });
        questioned(&app, &market, "a", more).await;
        asking(&app, "b", 2, &market).await;
        app.receiver.program("/a", Behaviour::Hang);
        app.receiver.program("/a/status", Behaviour::Known);
        let lead = offer(&app, &market, 1).await;
        app.idle().await;
        for (seconds, expected) in [(10, vec!["UNKNOWN"]), (30, vec!["UNKNOWN"]), (120, vec!["REJECTED", "SOLD"])] {
            app.clock.advance(Duration::seconds(seconds));
            app.idle().await;
            assert_eq!(states(&app, lead).await, expected, "after {seconds} s more");
        }
        assert_eq!((charges(&app).await, held(&app).await), (1, 0));
        reproduces(&app).await;

        let plain = app.campaign_beside(&market, "Plain", Selling::default()).await;
        questioned(&app, &plain, "c", json!({ "answer": answer, "post_timeout_ms": 500 })).await;
        app.receiver.program("/c", Behaviour::Hang);
        app.receiver.program("/c/status", Behaviour::Known);
        let lead = offer(&app, &plain, 2).await;
        app.idle().await;
        app.clock.advance(Duration::minutes(30));
        app.idle().await;
        assert_eq!((states(&app, lead).await, held(&app).await), (vec!["UNKNOWN".to_owned()], 1_000));
        app.clock.advance(Duration::minutes(30));
        app.finish().await;
    })
    .await;
}

/// A hostile status costs a bounded time and nothing else: it is no verdict, and the buyer's leads do not wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_status_is_harmless() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling::default()).await;
        questioned(&app, &market, "a", json!({ "timeout_ms": 500 })).await;
        let redirect = Behaviour::Answer {
            status: 302,
            headers: vec![("location".into(), app.receiver.url("/elsewhere"))],
            body: r#"{"status":"accepted"}"#.into(),
        };
        let hostile = [Behaviour::Endless, Behaviour::Drip, Behaviour::Hang, lost(), redirect];
        for (number, behaviour) in hostile.into_iter().enumerate() {
            app.receiver.program("/a", Behaviour::CloseAfterReading { times: 1 });
            app.receiver.program("/a/status", behaviour);
            let lead = offer(&app, &market, 2 * number).await;
            app.idle().await;
            app.clock.advance(Duration::seconds(10));
            let next = offer(&app, &market, 2 * number + 1).await;
            app.idle().await;
            assert_eq!((states(&app, lead).await, held(&app).await), (vec!["UNKNOWN".to_owned()], 1_000));
            assert_eq!(states(&app, next).await, ["SOLD"]);
            let attempts = attempts_of(&app, DeliveryId(delivery_of(&app, lead).await.id)).await;
            let last = attempts.last().unwrap();
            assert_eq!((last.kind.as_str(), last.outcome.as_deref()), ("STATUS_QUERY", Some("UNKNOWN")));
            assert!(last.answer.as_ref().is_none_or(|answer| answer.chars().count() <= 200));
            let sale = sales_of(&app, lead).await[0].id.into();
            assert!(app.app.market.resolve_unknown(OPERATE, sale, false).await.unwrap());
            app.idle().await;
        }
        assert_eq!(app.receiver.received_at("/elsewhere"), 0, "no redirect is followed");
        app.clock.advance(Duration::hours(2));
        app.finish().await;
    })
    .await;
}
