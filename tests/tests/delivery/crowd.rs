//! Many at once, in two processes: timelines are numbered without a gap, holds end once, and nobody waits in a ring.

use std::sync::Arc;

use chrono::Duration;
use leadyard_connectors::fake::Behaviour;
use leadyard_entity::model::sale;
use leadyard_entity::placement::NewEvent;
use leadyard_entity::{Engine, StoreResult};
use leadyard_jobs::JobsOptions;
use leadyard_market::{Market, finance};
use leadyard_tests::market::{Selling, TestMarket, terms};
use leadyard_tests::{OPERATE, TestApp, on_both};
use leadyard_types::lead::LeadEventKind;
use leadyard_types::{ContractTerms, Currency, DeliveryId, DestinationId, LeadId, Money, SaleId, Verdict};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{DELIVER, buyer, deliveries_of, held, offer, sales_of, send, start};

/// Two processes write steps of the same lead at the same time: each gets a number of its own.
#[tokio::test(flavor = "multi_thread")]
async fn steps_of_one_lead_never_clash() {
    const STEPS: usize = 24;
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling::default()).await;
        let lead = send(&app, &market, 0..1, "unsold").await[0];
        let other = app.another_process(None).await;
        let before = app.store().read(OPERATE).events_of(lead).await.unwrap().len();
        let mut writers = JoinSet::new();
        for number in 0..STEPS {
            let store = if number % 2 == 0 { app.store() } else { other.market.store() }.clone();
            writers.spawn(async move {
                let write = store.write(DELIVER).await?;
                let event = |n| NewEvent { lead_id: lead, kind: LeadEventKind::Reprocessed, detail: json!({ "n": n }) };
                write.add_events(&[event(0), event(1)]).await?;
                write.commit().await
            });
        }
        let written = writers.join_all().await.into_iter().filter(StoreResult::is_ok).count();
        assert_eq!(written, STEPS);
        let numbers = app.store().read(OPERATE).events_of(lead).await.unwrap().into_iter().map(|event| event.seq);
        assert!(numbers.eq(0..i64::try_from(before + 2 * STEPS).unwrap()));
        other.stop().await;
        app.finish().await;
    })
    .await;
}

/// A campaign whose only buyer is asked, and loses each answer.
struct Stall {
    market: TestMarket,
    destination: DestinationId,
}

async fn stalls(app: &TestApp) -> Vec<Stall> {
    let first = app.market(Selling::default()).await;
    let mut stalls = Vec::new();
    for number in 0..4 {
        let market = match number {
            0 => first.clone(),
            _ => app.campaign_beside(&first, &format!("Campaign {number}"), Selling::default()).await,
        };
        let asks = ContractTerms { verdict: Verdict::Sync, ..terms(1_000) };
        let destination = buyer(app, &market, &format!("asks{number}"), asks).await;
        app.receiver.program(&format!("/asks{number}"), Behaviour::CloseAfterReading { times: u32::MAX });
        stalls.push(Stall { market, destination });
    }
    stalls
}

/// Everything that staff and workers do to sales and deliveries, at once and twice, from two processes.
struct Crowd {
    markets: [Arc<Market>; 2],
    work: JoinSet<StoreResult<bool>>,
}

impl Crowd {
    /// Lets both processes do something.
    fn both<F, Fut>(&mut self, what: F)
    where
        F: Fn(Arc<Market>) -> Fut,
        Fut: Future<Output = StoreResult<bool>> + Send + 'static,
    {
        for market in &self.markets {
            self.work.spawn(what(Arc::clone(market)));
        }
    }

    /// How often something was done. Nothing fails.
    async fn done(self) -> usize {
        self.work.join_all().await.into_iter().filter(|done| *done.as_ref().unwrap()).count()
    }
}

async fn unknown_sales(app: &TestApp, leads: &[LeadId]) -> Vec<sale::Model> {
    let mut unknown = Vec::new();
    for lead in leads {
        unknown.extend(sales_of(app, *lead).await.into_iter().filter(|sale| sale.state == "UNKNOWN"));
    }
    unknown
}

/// Staff resolve unknown sales and replay deliveries in two processes, holds end, destinations are taken up, money comes
/// in and leads are placed, all at once: nothing fails, everything happens once, and no transaction stood in another's way.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_settles_everything_once() {
    // Fewer than park a lane.
    const UNKNOWN: usize = 4;
    on_both(async |database| {
        let app = start(database).await;
        let stalls = stalls(&app).await;
        let mut leads = Vec::new();
        for (at, stall) in stalls.iter().enumerate() {
            for number in 0..UNKNOWN {
                leads.push(offer(&app, &stall.market, at * 100 + number).await);
            }
        }
        app.idle().await;
        let unknown = unknown_sales(&app, &leads).await;
        assert_eq!((unknown.len(), held(&app).await), (4 * UNKNOWN, 4 * UNKNOWN as i64 * 1_000));
        for number in 0..4 {
            app.receiver.program(&format!("/asks{number}"), Behaviour::Accept);
        }
        // SQLite has one process.
        let other = match app.store().engine() {
            Engine::Postgres => Some(app.another_process(Some(JobsOptions::default())).await),
            Engine::Sqlite => None,
        };
        let markets = [&app.app.market, other.as_ref().map_or(&app.app.market, |other| &other.market)].map(Arc::clone);
        // A quarter of the holds end by themselves meanwhile, or are resolved before.
        app.clock.advance(Duration::minutes(61));
        let mut crowd = Crowd { markets: markets.clone(), work: JoinSet::new() };
        for (index, sale) in unknown.iter().enumerate() {
            let id = SaleId(sale.id);
            crowd.both(|market| async move { market.resolve_unknown(OPERATE, id, index % 3 != 0).await });
            let money = Money::new(1_000, Currency::EUR);
            let (buyer, store) = (sale.buyer_id.into(), app.store().clone());
            crowd.work.spawn(async move {
                let done = finance::top_up(&store, OPERATE, buyer, money, &format!("crowd {index}"), "crowd").await;
                done.map(|_| false).map_err(|error| leadyard_entity::StoreError::Fault(error.to_string()))
            });
        }
        for (at, stall) in stalls.iter().enumerate() {
            let id = stall.destination;
            crowd.both(|market| async move { market.resume_destination(OPERATE, id).await });
            for number in 50..54 {
                offer(&app, &stall.market, at * 100 + number).await;
            }
        }
        crowd.done().await;
        app.idle().await;
        assert_eq!(held(&app).await, 0);
        let states = unknown_sales(&app, &leads).await;
        assert!(states.is_empty(), "{states:?}");
        // Now all that was delivered is sent again by everybody.
        let mut crowd = Crowd { markets: markets.clone(), work: JoinSet::new() };
        let mut replayed = 0;
        for lead in &leads {
            for delivery in deliveries_of(&app, *lead).await.into_iter().filter(|row| row.state == "ACCEPTED") {
                replayed += 1;
                crowd.both(|market| async move { market.replay_delivery(OPERATE, DeliveryId(delivery.id)).await });
            }
        }
        let done = crowd.done().await;
        assert!((replayed..=2 * replayed).contains(&done), "{done} of {replayed}");
        app.idle().await;
        if let Some(other) = other {
            assert_eq!(app.store().collisions() + other.market.store().collisions(), 0);
            other.stop().await;
        }
        app.finish().await;
    })
    .await;
}
