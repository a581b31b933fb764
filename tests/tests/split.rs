//! Experiments between two plans of stages: who gets which plan, that plans do not touch each other, and the report.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;

use leadyard_connectors::fake::{Behaviour, Bidding, Offer};
use leadyard_market::experiment::{SplitReport, asked, split_reports};
use leadyard_tests::market::{Selling, TestMarket, lead, terms};
use leadyard_tests::{OPERATE, TestApp, TestDatabase};
use leadyard_types::{
    AuctionTerms, CostModel, LeadId, Method, Percent, Plan, PlanSeen, SaleMode, Stage, StageSplit, Verdict,
};

fn half(key: &str, stages: Vec<Stage>) -> Option<StageSplit> {
    Some(StageSplit { key: key.into(), percent: 50, stages })
}

async fn send(app: &TestApp, market: &TestMarket, body: &serde_json::Value) -> (LeadId, String) {
    let (status, answer) = app.client(&market.key).send_json("/v1/leads", body, None).await.unwrap();
    assert_eq!(status, 200, "{answer}");
    (answer["lead_id"].as_str().unwrap().parse().unwrap(), answer["status"].as_str().unwrap().to_owned())
}

/// The plans of a lead's decisions, in their order.
async fn plans(app: &TestApp, lead: LeadId) -> Vec<Option<PlanSeen>> {
    let explained = app.app.market.explain(lead).await.unwrap().unwrap();
    explained.decisions.into_iter().map(|decision| decision.plan).collect()
}

async fn report(app: &TestApp, market: &TestMarket, split: &str) -> SplitReport {
    let snapshot = app.app.market.refresh().await.unwrap();
    let campaign = &snapshot.campaigns[&market.campaign_id];
    let wanted = asked((campaign.id, &campaign.terms), split.into(), None, None);
    split_reports(&app.store().read(OPERATE), &[wanted]).await.unwrap().remove(0)
}

/// Every lead is sold by its plan's stages only, the report adds up to the books to the last unit, and decisions verify.
#[tokio::test(flavor = "multi_thread")]
async fn leads_follow_their_plan_and_the_report_adds_up() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let cost = CostModel::RevenueShare { percent: Percent(50.into()) };
        let market = app.market(Selling { cost, ..Selling::default() }).await;
        app.revise_campaign(market.campaign_id, |terms| {
            terms.split =
                half("dear first", vec![Stage::new("dear", Method::Waterfall), Stage::new("main", Method::Waterfall)]);
        })
        .await;
        let buyer = app.buyer("Buyer", 10_000_000, vec![]).await;
        app.contract(market.campaign_id, buyer, "plain", terms(1_000)).await;
        let dear = leadyard_types::ContractTerms { stage: "dear".into(), ..terms(3_001) };
        app.contract(market.campaign_id, buyer, "dear", dear).await;
        let mut expected = BTreeMap::from([(Plan::A, 0), (Plan::B, 0)]);
        for number in 0..80 {
            let (id, status) = send(&app, &market, &lead(number)).await;
            assert_eq!(status, "sold");
            let explained = app.app.market.explain(id).await.unwrap().unwrap().decisions.remove(0);
            let plan = explained.plan.clone().unwrap().plan;
            let winner = explained.contracts.iter().find(|entry| entry.verdict.refusal.is_none()).unwrap();
            assert_eq!(winner.contract, if plan == Plan::A { "plain" } else { "dear" }, "{explained:?}");
            let other = explained.contracts.iter().find(|entry| entry.verdict.refusal.is_some()).unwrap();
            let message = &other.verdict.refusal.as_ref().unwrap().message;
            assert_eq!(message.contains("plan has no such stage"), plan == Plan::A, "{message}");
            *expected.get_mut(&plan).unwrap() += 1;
        }
        assert!(expected.values().all(|count| (20..=60).contains(count)), "{expected:?}");
        let found = report(&app, &market, "dear first").await;
        for figures in &found.plans {
            let price = if figures.plan == Plan::A { 1_000 } else { 3_001 };
            // Half to even: 1500.5 is 1500.
            let payout = if figures.plan == Plan::A { 500 } else { 1_500 };
            let leads = expected[&figures.plan];
            assert_eq!((figures.leads, figures.sold_leads, figures.sales), (leads, leads, leads));
            assert_eq!((figures.revenue_minor, figures.payout_minor), (leads * price, leads * payout));
            assert_eq!(figures.average_price_minor, Some(price));
            assert_eq!(figures.profit_per_lead_minor, Some(price - payout));
        }
        // All are sold: too few are not. What a lead brings never varies within a plan, so the difference is certain.
        assert_eq!((found.sales_rate.better, found.sales_rate.chance), (None, None));
        assert_eq!(found.profit_per_lead.better, expected.values().all(|count| *count >= 30).then_some(Plan::B));
        assert_eq!(app.app.market.verify_all(|_| ()).await.unwrap().differing, 0);
        app.finish().await;
    }
}

/// The same person gets the same plan whatever else it says, a queued lead keeps its plan when the share is changed, and
/// another experiment draws anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_lead_keeps_its_plan() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling { retry_minutes: 60, ..Selling::default() }).await;
        let stages = || vec![Stage::new("b", Method::Waterfall)];
        app.revise_campaign(market.campaign_id, |terms| {
            terms.split = half("one", stages());
            terms.duplicates.fields.clear();
        })
        .await;
        let mut queued = Vec::new();
        for number in 0..12 {
            let (first, status) = send(&app, &market, &lead(number)).await;
            assert_eq!(status, "queued");
            let mut again = lead(number);
            again["size"] = 7.into();
            let (second, _) = send(&app, &market, &again).await;
            let (a, b) = (plans(&app, first).await, plans(&app, second).await);
            assert_eq!(a, b, "one person, two enquiries");
            queued.push((first, a[0].clone().unwrap()));
        }
        let set = |percent| {
            app.revise_campaign(market.campaign_id, move |terms| {
                if let Some(split) = &mut terms.split {
                    split.percent = percent;
                }
            })
        };
        set(99).await;
        app.app.market.place_again(queued[0].0).await.unwrap();
        for (id, drawn) in &queued {
            app.app.market.place_again(*id).await.unwrap();
            if let Some(Some(later)) = plans(&app, *id).await.get(1) {
                assert_eq!((&later.plan, &later.drawn), (&drawn.plan, &None), "kept");
            }
        }
        app.revise_campaign(market.campaign_id, |terms| terms.split = half("two", stages())).await;
        let buyer = app.buyer("Buyer", 1_000_000, vec![]).await;
        app.contract(market.campaign_id, buyer, "a", terms(1_000)).await;
        app.contract(
            market.campaign_id,
            buyer,
            "b",
            leadyard_types::ContractTerms { stage: "b".into(), ..terms(1_000) },
        )
        .await;
        for (id, _) in &queued {
            app.app.market.place_again(*id).await.unwrap();
            let all = plans(&app, *id).await;
            // The edits woke the leads that wait: a worker may have offered them before.
            let first = all.iter().flatten().find(|seen| seen.split == "two").unwrap();
            assert!(first.drawn.is_some(), "another experiment draws anew");
            assert_eq!(
                all.last().unwrap().as_ref().map(|last| (&last.split, last.plan)),
                Some((&first.split, first.plan))
            );
        }
        app.idle().await;
        app.finish().await;
    }
}

/// Two plans with a stage of the same key take turns apart, also where the buyer's verdict turns the rotation.
#[tokio::test(flavor = "multi_thread")]
async fn plans_rotate_apart() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling { method: Method::RoundRobin, ..Selling::default() }).await;
        app.revise_campaign(market.campaign_id, |terms| {
            terms.split = half("same key", vec![Stage::new("main", Method::RoundRobin)]);
        })
        .await;
        for name in ["a", "b", "c"] {
            let buyer = app.buyer(name, 1_000_000, vec![]).await;
            let destinations = vec![app.webhook(buyer, &format!("/{name}")).await];
            app.receiver.program(&format!("/{name}"), Behaviour::Accept);
            let verdict = if name == "b" { Verdict::Sync } else { Verdict::None };
            let agreed = leadyard_types::ContractTerms { destinations, verdict, ..terms(1_000) };
            app.contract(market.campaign_id, buyer, name, agreed).await;
        }
        let mut bought: BTreeMap<Plan, Vec<String>> = BTreeMap::new();
        for number in 0..40 {
            let (id, status) = send(&app, &market, &lead(number)).await;
            assert_eq!(status, "sold");
            let decision = app.app.market.explain(id).await.unwrap().unwrap().decisions.remove(0);
            let winner = decision.contracts.into_iter().find(|entry| entry.verdict.refusal.is_none()).unwrap();
            bought.entry(decision.plan.unwrap().plan).or_default().push(winner.contract);
        }
        for (plan, buyers) in bought {
            let turns: Vec<String> =
                ["a", "b", "c"].iter().cycle().take(buyers.len()).map(|name| (*name).into()).collect();
            assert_eq!(buyers, turns, "plan {plan} has turns of its own");
        }
        assert_eq!(app.app.market.verify_all(|_| ()).await.unwrap().differing, 0);
        app.finish().await;
    }
}

/// Plan A sells at fixed prices, plan B auctions in a stage of the same key: whoever bids is asked in plan B only.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_may_auction_what_the_other_sells_at_fixed_prices() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling { sale_mode: SaleMode::Exclusive, ..Selling::default() }).await;
        app.revise_campaign(market.campaign_id, |terms| {
            // A busy machine is no slow bidder.
            let auction = Some(AuctionTerms { deadline_ms: 29_000, ..AuctionTerms::default() });
            terms.split = half("auction", vec![Stage { auction, ..Stage::new("main", Method::Auction) }]);
        })
        .await;
        let buyer = app.buyer("Bidder", 1_000_000, vec![]).await;
        let ping = Some(app.asked_at(buyer, "/bids", Bidding::Bid(Offer::of("25.00"))).await);
        app.contract(market.campaign_id, buyer, "bids", leadyard_types::ContractTerms { ping, ..terms(1_000) }).await;
        app.app.market.refresh().await.unwrap();
        for number in 0..16 {
            let (id, _) = send(&app, &market, &lead(number)).await;
            let decision = app.app.market.explain(id).await.unwrap().unwrap().decisions.remove(0);
            let verdict = &decision.contracts[0].verdict;
            let expected = if decision.plan.unwrap().plan == Plan::A { (1_000, false) } else { (2_500, true) };
            assert_eq!((verdict.price_minor, verdict.bid.is_some()), expected);
        }
        assert_eq!(app.app.market.verify_all(|_| ()).await.unwrap().differing, 0);
        app.finish().await;
    }
}
