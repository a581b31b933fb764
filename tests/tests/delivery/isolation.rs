//! One destination that hangs, drips or never ends does not delay the others, even at the same host.

use leadyard_connectors::fake::Behaviour;
use leadyard_tests::market::{Selling, terms};
use leadyard_tests::{OPERATE, eventually, on_both};
use leadyard_types::{DeliveryId, Method};

use crate::{buyer, deliveries_of, offer, start, totals};

/// Three destinations never come to an end, each with more work than it may have in hand; the fourth gets everything
/// before any of theirs has ended, and none of them has more in hand than it may.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_destination_delays_nobody_else() {
    const LEADS: usize = 18;
    on_both(async |database| {
        let mut app = start(database).await;
        let market = app.market(Selling { method: Method::RoundRobin, ..Selling::default() }).await;
        let slow = [("hangs", Behaviour::Hang), ("drips", Behaviour::Drip), ("holds", Behaviour::Hold)];
        for (name, behaviour) in slow {
            buyer(&app, &market, name, terms(1_000)).await;
            app.receiver.program(&format!("/{name}"), behaviour);
        }
        let good = buyer(&app, &market, "good", terms(1_000)).await;
        // Nobody works yet: what is slow will be found first.
        drop(app.app.jobs.take());
        let mut leads = Vec::new();
        for number in 0..4 * LEADS {
            leads.push(offer(&app, &market, number).await);
        }
        app.work();
        let read = app.store().read(OPERATE);
        eventually("the good one has everything", async || totals(&app).await.accepted == LEADS as i64).await;
        let ended = "SELECT COUNT(*) AS figure FROM attempt a JOIN delivery d ON d.id = a.delivery_id
                     WHERE d.state <> 'ACCEPTED' AND a.finished_at IS NOT NULL";
        assert_eq!(read.figure(ended).await.unwrap(), 0, "it did not wait for the others");
        let crowded = "SELECT COUNT(*) AS figure FROM (SELECT lane FROM task WHERE lease_id IS NOT NULL
                       GROUP BY lane HAVING COUNT(*) > 16) x";
        assert_eq!(read.figure(crowded).await.unwrap(), 0);
        // The workers go away; their successors find destinations that were mended.
        drop(app.app.jobs.take());
        for name in ["hangs", "drips", "holds"] {
            app.receiver.program(&format!("/{name}"), Behaviour::Accept);
        }
        app.clock.advance(chrono::Duration::seconds(21));
        app.app.market.free_expired_leases().await.unwrap();
        app.work();
        app.idle().await;
        assert_eq!(totals(&app).await.accepted, 4 * LEADS as i64);
        for lead in leads {
            for delivery in deliveries_of(&app, lead).await {
                let arrivals = app.receiver.arrivals_of(DeliveryId(delivery.id));
                assert!((1..=2).contains(&arrivals) && (arrivals == 1 || delivery.destination_id != good.0));
            }
        }
        app.finish().await;
    })
    .await;
}
