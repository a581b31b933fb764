//! Who buys after a refusal, and what a sale that was asked for counts (domain page, section 3; `decisions` 16 and 18).

use chrono::Duration;
use leadyard_connectors::fake::Behaviour;
use leadyard_market::rules::method::StageState;
use leadyard_tests::market::{Selling, TestMarket, terms};
use leadyard_tests::{OPERATE, TestApp, on_both};
use leadyard_types::{BuyerId, ContractId, ContractTerms, CostModel, Method, Percent, SaleId, SaleMode, Verdict};

use crate::{offer, sales_of, start};

/// A contract of a buyer of its own.
async fn contract(app: &TestApp, market: &TestMarket, name: &str, weight: u32, verdict: Verdict) -> ContractId {
    let buyer: BuyerId = app.buyer(name, 1_000_000, vec![]).await;
    let destination = app.webhook(buyer, &format!("/{name}")).await;
    let terms = ContractTerms { destinations: vec![destination], weight, verdict, ..terms(1_000) };
    app.contract(market.campaign_id, buyer, name, terms).await
}

/// Offers a lead and answers to which contracts it went, in order, the last of them being the buyer.
async fn way(app: &TestApp, market: &TestMarket, number: usize) -> Vec<ContractId> {
    let lead = offer(app, market, number).await;
    app.idle().await;
    sales_of(app, lead).await.into_iter().map(|sale| ContractId(sale.contract_id)).collect()
}

async fn rotation(app: &TestApp) -> StageState {
    let stored = app.store().read(OPERATE).rotation("main").await.unwrap();
    serde_json::from_str(&stored.unwrap()).unwrap()
}

async fn paid(app: &TestApp) -> i64 {
    let sql =
        "SELECT CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT) AS figure FROM ledger_transfer WHERE kind = 'PAYOUT'";
    app.store().read(OPERATE).figure(sql).await.unwrap()
}

/// Round robin: a refusal does not count for the buyer and does not turn the rotation: who refuses is asked first again,
/// and the others take turns.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_does_not_turn_a_round_robin() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling { method: Method::RoundRobin, ..Selling::default() }).await;
        let [a, b, c] = [
            contract(&app, &market, "a", 1, Verdict::Sync).await,
            contract(&app, &market, "b", 1, Verdict::Sync).await,
            contract(&app, &market, "c", 1, Verdict::None).await,
        ];
        app.receiver.program("/a", Behaviour::Reject { reason: "no".into() });
        for (number, winner) in [b, c, b, c, b].into_iter().enumerate() {
            assert_eq!(way(&app, &market, number).await, [a, winner]);
        }
        let turned = rotation(&app).await;
        assert_eq!(turned.sale_no, 5);
        assert!(!turned.members.contains_key(&a) && turned.members[&b].sold == 3 && turned.members[&c].sold == 2);
        app.receiver.program("/a", Behaviour::Accept);
        assert_eq!([way(&app, &market, 10).await, way(&app, &market, 11).await], [vec![a], vec![c]]);
        app.finish().await;
    })
    .await;
}

/// Weighted: buyers that are asked get the same shares, in the same order, as buyers that are not.
#[tokio::test(flavor = "multi_thread")]
async fn accepted_sales_count_like_others_in_a_weighted_stage() {
    const LEADS: usize = 16;
    on_both(async |database| {
        let app = start(database).await;
        let selling = Selling { method: Method::Weighted, ..Selling::default() };
        let asked = app.market(selling).await;
        let others = app.campaign_beside(&asked, "Others", selling).await;
        let weights = [("a", 5), ("b", 2), ("c", 1)];
        let mut members: [Vec<ContractId>; 2] = Default::default();
        for (name, weight) in weights {
            members[0].push(contract(&app, &asked, name, weight, Verdict::Sync).await);
            members[1].push(contract(&app, &others, &format!("other-{name}"), weight, Verdict::None).await);
        }
        let mut sold = [0; 3];
        for number in 0..LEADS {
            let place = |ids: &[ContractId], way: &[ContractId]| ids.iter().position(|id| *id == way[0]).unwrap();
            let winner = place(&members[0], &way(&app, &asked, number).await);
            assert_eq!(winner, place(&members[1], &way(&app, &others, number).await), "lead {number}");
            sold[winner] += 1;
            for ((_, weight), sold) in weights.iter().zip(sold) {
                let target = f64::from(*weight) * (number + 1) as f64 / 8.0;
                assert!((f64::from(sold) - target).abs() < 1.0, "lead {number}: {sold} of {target}");
            }
        }
        assert_eq!(sold, [10, 4, 2]);
        app.finish().await;
    })
    .await;
}

/// Weighted, with one that refuses: it has sold nothing, its share passes to those that remain.
#[tokio::test(flavor = "multi_thread")]
async fn the_share_of_one_that_refuses_passes_to_the_others() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling { method: Method::Weighted, ..Selling::default() }).await;
        let mut ids = Vec::new();
        for (name, weight) in [("a", 2), ("b", 3), ("c", 1)] {
            ids.push(contract(&app, &market, name, weight, Verdict::Sync).await);
        }
        app.receiver.program("/a", Behaviour::Reject { reason: "no".into() });
        for number in 0..16 {
            let way = way(&app, &market, number).await;
            assert_ne!(way.last(), Some(&ids[0]));
        }
        let sold = |rotation: &StageState, at: usize| rotation.members.get(&ids[at]).map_or(0, |member| member.sold);
        let turned = rotation(&app).await;
        assert_eq!((turned.sale_no, sold(&turned, 0)), (16, 0));
        // Three to one between those that remain, up to the two leads a credit is worth.
        assert!((10..=14).contains(&sold(&turned, 1)), "{turned:?}");
        app.finish().await;
    })
    .await;
}

/// A sale counts among the contracts that could have bought when it was decided, whenever it is accepted: a contract made
/// since then had no share in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_acceptance_counts_among_those_of_its_decision() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling { method: Method::Weighted, ..Selling::default() }).await;
        let a = contract(&app, &market, "a", 3, Verdict::Sync).await;
        contract(&app, &market, "b", 1, Verdict::Sync).await;
        app.receiver.program("/a", Behaviour::CloseAfterReading { times: 1 });
        let lead = offer(&app, &market, 0).await;
        app.idle().await;
        assert!(app.store().read(OPERATE).rotation("main").await.unwrap().is_none(), "nothing is sold yet");
        contract(&app, &market, "c", 4, Verdict::Sync).await;
        app.clock.advance(Duration::minutes(5));
        let sale = SaleId(sales_of(&app, lead).await[0].id);
        assert!(app.app.market.resolve_unknown(OPERATE, sale, true).await.unwrap());
        let turned = rotation(&app).await;
        assert_eq!((turned.sale_no, turned.run.size, turned.run.weight_sum), (1, 2, 4));
        assert_eq!(turned.members[&a].sold, 1);
        app.finish().await;
    })
    .await;
}

/// The supplier of a shared lead is paid once per sold lead, whichever of its buyers takes it.
#[tokio::test(flavor = "multi_thread")]
async fn a_shared_lead_is_paid_for_once_whoever_takes_it() {
    let no = || Behaviour::Reject { reason: "no".into() };
    on_both(async |database| {
        let app = start(database).await;
        let sale_mode = SaleMode::Shared { max: 2 };
        let market = app.market(Selling { sale_mode, ..Selling::default() }).await;
        contract(&app, &market, "a", 1, Verdict::Sync).await;
        contract(&app, &market, "b", 1, Verdict::Sync).await;
        let mut paid_before = 0;
        for (number, (a, b), sold) in [
            (0, (Behaviour::Accept, Behaviour::Accept), 2),
            (1, (no(), Behaviour::Accept), 1),
            (2, (Behaviour::Accept, no()), 1),
        ] {
            app.receiver.program("/a", a);
            app.receiver.program("/b", b);
            let lead = offer(&app, &market, number).await;
            app.idle().await;
            let legs = sales_of(&app, lead).await;
            assert_eq!(legs.iter().filter(|sale| sale.state == "SOLD").count(), sold);
            assert_eq!(paid(&app).await - paid_before, 500, "lead {number}: {legs:?}");
            paid_before += 500;
        }
        // One that does not answer stands before the other refuses.
        let shared = app.campaign_beside(&market, "Mixed", Selling { sale_mode, ..Selling::default() }).await;
        contract(&app, &shared, "asked", 1, Verdict::Sync).await;
        contract(&app, &shared, "silent", 1, Verdict::None).await;
        app.receiver.program("/asked", no());
        offer(&app, &shared, 20).await;
        app.idle().await;
        assert_eq!(paid(&app).await - paid_before, 500);
        app.finish().await;
    })
    .await;
}

/// A share of the revenue is earned with each sale that is accepted.
#[tokio::test(flavor = "multi_thread")]
async fn a_share_is_earned_with_each_acceptance() {
    on_both(async |database| {
        let app = start(database).await;
        let cost = CostModel::RevenueShare { percent: Percent(30.into()) };
        let selling = Selling { sale_mode: SaleMode::Shared { max: 2 }, cost, ..Selling::default() };
        let market = app.market(selling).await;
        contract(&app, &market, "a", 1, Verdict::Sync).await;
        contract(&app, &market, "b", 1, Verdict::Sync).await;
        offer(&app, &market, 0).await;
        app.idle().await;
        assert_eq!(paid(&app).await, 600);
        app.receiver.program("/a", Behaviour::Reject { reason: "no".into() });
        offer(&app, &market, 1).await;
        app.idle().await;
        assert_eq!(paid(&app).await, 900);
        app.finish().await;
    })
    .await;
}
