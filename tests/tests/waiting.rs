//! Leads that nobody buys at once: they wait for windows, are woken by what makes them sellable, and are sold once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use chrono::{Duration, Weekday};
use leadyard_connectors::fake::{Behaviour, Bidding, Offer};
use leadyard_entity::reports::ProfitBy;
use leadyard_jobs::JobsOptions;
use leadyard_market::complaints::{ComplaintDecision, NewComplaint};
use leadyard_market::explain::Explanation;
use leadyard_market::{MarketSettings, finance};
use leadyard_tests::market::{Selling, TestMarket, lead, terms};
use leadyard_tests::{OPERATE, TestApp, TestDatabase, TestOptions};
use leadyard_types::terms::{AgedPolicy, AgedStep, OutsideHours, Window};
use leadyard_types::{
    AuctionTerms, BuyerId, Check, ComplaintReason, ContractTerms, CostModel, Currency, Filter, LeadId, LeadState,
    Method, Money, Percent, PriceRule, Schedule, Timestamp, Verdict,
};

/// The clock of a test starts on a Wednesday, at noon in Berlin.
fn afternoon(from_hour: u16) -> Option<Schedule> {
    let window = Window { weekday: Weekday::Wed, from_minute: from_hour * 60, to_minute: 18 * 60 };
    Some(Schedule { time_zone: chrono_tz::Tz::Europe__Berlin, windows: vec![window] })
}

fn patient(price_minor: i64, minutes: u32) -> ContractTerms {
    ContractTerms {
        schedule: afternoon(14),
        outside_hours: OutsideHours::Wait,
        wait_at_most_minutes: Some(minutes),
        ..terms(price_minor)
    }
}

fn utc(text: &str) -> Timestamp {
    text.parse().unwrap()
}

async fn send(app: &TestApp, market: &TestMarket, number: usize) -> (LeadId, String) {
    let (status, answer) = app.client(&market.key).send_json("/v1/leads", &lead(number), None).await.unwrap();
    assert_eq!(status, 200, "{answer}");
    (answer["lead_id"].as_str().unwrap().parse().unwrap(), answer["status"].as_str().unwrap().to_owned())
}

async fn explained(app: &TestApp, lead: LeadId) -> Explanation {
    app.app.market.explain(lead).await.unwrap().unwrap()
}

async fn pass(app: &TestApp, minutes: i64) {
    app.clock.advance(Duration::minutes(minutes));
    app.idle().await;
}

async fn top_up(app: &TestApp, buyer: BuyerId, key: &str) {
    finance::top_up(app.store(), OPERATE, buyer, Money::new(1_000_000, Currency::EUR), key, "test").await.unwrap();
}

/// A lead waits for a contract that is only outside its hours, is offered when the window opens and not before, and the
/// explanation says for whom it waits, until when.
#[tokio::test(flavor = "multi_thread")]
async fn a_lead_waits_for_a_window() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("Buyer", 1_000_000, vec![]).await;
        let early = app.contract(market.campaign_id, buyer, "early", patient(1_000, 121)).await;
        let (id, status) = send(&app, &market, 1).await;
        assert_eq!(status, "queued");
        let found = explained(&app, id).await;
        let waits = found.decisions[0].waits.unwrap();
        assert_eq!((waits.contract_id, waits.opens_at, waits.held), (early, utc("2026-07-01T12:00:00Z"), false));
        let refusal = found.decisions[0].contracts[0].verdict.refusal.clone().unwrap();
        assert!(refusal.seen.iter().any(|seen| seen.name == "opens at"), "{refusal:?}");
        assert_eq!(found.steps.last().unwrap().detail["waits_for"]["contract_id"], early.to_string());
        pass(&app, 119).await;
        let found = explained(&app, id).await;
        assert_eq!((found.state, found.decisions.len()), (LeadState::Queued, 1), "nobody looked in between");
        pass(&app, 1).await;
        let found = explained(&app, id).await;
        assert_eq!((found.state, found.decisions.len()), (LeadState::Sold, 2));
        // Too long for the contract: not waited for.
        app.clock.advance(Duration::days(1));
        assert_eq!(send(&app, &market, 2).await.1, "unsold");
        assert_eq!(app.app.market.verify_all(|_| ()).await.unwrap().differing, 0);
        app.finish().await;
    }
}

/// Whoever buys now comes first, unless the waterfall holds the lead for the contract ahead; where that refuses in the
/// end, the next one has its turn.
#[tokio::test(flavor = "multi_thread")]
async fn a_lead_is_held_only_where_the_stage_says_so() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let (first, second) = (app.buyer("First", 3_000, vec![]).await, app.buyer("Second", 1_000_000, vec![]).await);
        app.contract(market.campaign_id, first, "first", patient(3_000, 240)).await;
        app.contract(market.campaign_id, second, "second", ContractTerms { priority: 2, ..terms(1_000) }).await;
        assert_eq!(send(&app, &market, 1).await.1, "sold");
        app.revise_campaign(market.campaign_id, |terms| terms.stages[0].hold_for_window = true).await;
        let (held, status) = send(&app, &market, 2).await;
        assert_eq!(status, "queued");
        let (other, _) = send(&app, &market, 3).await;
        assert!(explained(&app, held).await.decisions[0].waits.unwrap().held);
        pass(&app, 120).await;
        // The first has money for one: the other lead goes to the second.
        let mut prices = Vec::new();
        for id in [held, other] {
            let found = explained(&app, id).await;
            let sold = found.steps.iter().find(|step| step.kind == "SOLD").unwrap();
            prices.push(sold.detail["price_minor"].as_i64().unwrap());
        }
        prices.sort_unstable();
        assert_eq!(prices, [1_000, 3_000]);
        assert_eq!(app.app.market.verify_all(|_| ()).await.unwrap().differing, 0);
        app.finish().await;
    }
}

/// Looking again at a lead of which nothing is new writes no decision; money for a buyer and an edit wake those that wait
/// at once, without the clock.
#[tokio::test(flavor = "multi_thread")]
async fn what_makes_leads_sellable_wakes_them() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling { retry_minutes: 600, ..Selling::default() }).await;
        let buyer = app.buyer("Buyer", 0, vec![]).await;
        app.contract(market.campaign_id, buyer, "poor", terms(1_000)).await;
        let (id, status) = send(&app, &market, 1).await;
        assert_eq!(status, "queued");
        for _ in 0..5 {
            pass(&app, 60).await;
        }
        let found = explained(&app, id).await;
        assert_eq!((found.state, found.decisions.len()), (LeadState::Queued, 1), "nothing was new");
        top_up(&app, buyer, "money").await;
        app.idle().await;
        let found = explained(&app, id).await;
        assert_eq!((found.state, found.decisions.len()), (LeadState::Sold, 2), "woken by money");
        // An edit: the price falls below what is left, then the contract is set right again.
        app.revise_campaign(market.campaign_id, |terms| terms.floor_minor = 5_000).await;
        let (id, status) = send(&app, &market, 2).await;
        assert_eq!(status, "queued");
        app.revise_campaign(market.campaign_id, |terms| terms.floor_minor = 100).await;
        app.idle().await;
        assert_eq!(explained(&app, id).await.state, LeadState::Sold, "woken by an edit");
        assert_eq!(app.app.market.verify_all(|_| ()).await.unwrap().differing, 0);
        app.finish().await;
    }
}

/// Two processes work on the same waiting leads, each woken several times: every lead is sold once, and nothing is left.
#[tokio::test(flavor = "multi_thread")]
async fn waiting_leads_are_sold_once_whoever_wakes_them() {
    for database in TestDatabase::both().await {
        let is_postgres = matches!(database, TestDatabase::Postgres(_));
        let app = TestApp::start(database).await;
        let market = app.market(Selling { retry_minutes: 600, ..Selling::default() }).await;
        let buyer = app.buyer("Buyer", 0, vec![]).await;
        app.contract(market.campaign_id, buyer, "poor", terms(1_000)).await;
        let mut leads = Vec::new();
        for number in 0..40 {
            leads.push(send(&app, &market, number).await.0);
        }
        let other = if is_postgres { Some(app.another_process(Some(JobsOptions::default())).await) } else { None };
        for key in ["one", "two", "three"] {
            top_up(&app, buyer, key).await;
        }
        for lead in &leads {
            // And somebody asks for each by hand.
            app.app.market.place_again(*lead).await.unwrap();
        }
        app.idle().await;
        let totals = app.store().read(OPERATE).totals().await.unwrap();
        assert_eq!((totals.sold, totals.sales, totals.queued), (40, 40, 0));
        for lead in &leads {
            assert_eq!(explained(&app, *lead).await.decisions.len(), 2, "one that refused, one that sold");
        }
        if let Some(jobs) = other.and_then(|other| other.jobs) {
            jobs.shutdown().await;
        }
        app.finish().await;
    }
}

/// A buyer who said no to a lead is not asked again as it waits, until its contract is agreed anew.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_again_without_a_cause() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let auction = Some(AuctionTerms { deadline_ms: 29_000, ..AuctionTerms::default() });
        let selling = Selling { method: Method::Auction, auction, retry_minutes: 600, ..Selling::default() };
        let market = app.market(selling).await;
        let buyer = app.buyer("Buyer", 1_000_000, vec![]).await;
        let ping = Some(app.asked_at(buyer, "/bids", Bidding::NoBid { reason: "not today".into() }).await);
        let agreed = ContractTerms { ping, ..terms(1_000) };
        let contract = app.contract(market.campaign_id, buyer, "bids", agreed.clone()).await;
        let (id, status) = send(&app, &market, 1).await;
        assert_eq!(status, "queued");
        for _ in 0..4 {
            pass(&app, 60).await;
        }
        let asked = async || app.store().read(OPERATE).pings_of_lead(id).await.unwrap().len();
        assert_eq!((asked().await, explained(&app, id).await.decisions.len()), (1, 1));
        app.bidder.program("/bids", Bidding::Bid(Offer::of("20.00")));
        pass(&app, 60).await;
        assert_eq!(asked().await, 1, "it said no");
        app.setup().revise_contract(contract, 1, ContractTerms { priority: 2, ..agreed }).await.unwrap();
        app.idle().await;
        assert_eq!((asked().await, explained(&app, id).await.state), (2, LeadState::Sold));
        app.finish().await;
    }
}

fn ageing() -> AgedPolicy {
    let step = |after_days, percent: i64| AgedStep { after_days, percent: Percent(percent.into()) };
    let steps = vec![step(1, 50), step(3, 20)];
    AgedPolicy { after_minutes: 600, until_days: 5, floor_minor: 0, offer_every_minutes: 1_440, steps }
}

fn aged_buyer(price_minor: i64, minutes: i64) -> ContractTerms {
    // Only at an age of so many hours or more.
    let hours = Some(u32::try_from(minutes / 60).unwrap());
    ContractTerms {
        buys_aged: true,
        filter: Some(Filter::LeadAge { min_hours: hours, max_hours: None }),
        ..terms(price_minor)
    }
}

/// A lead that nobody bought ages, is offered for less and less to contracts that buy aged leads and to no others, is paid
/// to the supplier as any other, and stays aged where nobody wants it.
#[tokio::test(flavor = "multi_thread")]
async fn unsold_leads_age_and_are_sold_for_less() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let cost = CostModel::RevenueShare { percent: Percent(50.into()) };
        let market = app.market(Selling { retry_minutes: 60, cost, ..Selling::default() }).await;
        app.revise_campaign(market.campaign_id, |terms| terms.aged = Some(ageing())).await;
        let (fresh, old) = (app.buyer("Fresh", 0, vec![]).await, app.buyer("Old", 1_000_000, vec![]).await);
        app.contract(market.campaign_id, fresh, "fresh", terms(2_000)).await;
        app.contract(market.campaign_id, old, "old", aged_buyer(2_001, 24 * 60)).await;
        let (id, status) = send(&app, &market, 1).await;
        assert_eq!(status, "queued");
        pass(&app, 60).await;
        assert_eq!(explained(&app, id).await.state, LeadState::Unsold);
        app.app.market.age_unsold().await.unwrap();
        assert_eq!(explained(&app, id).await.state, LeadState::Unsold, "not old enough");
        pass(&app, 540).await;
        top_up(&app, fresh, "money").await;
        assert_eq!(app.app.market.age_unsold().await.unwrap(), 1);
        assert_eq!(app.app.market.age_unsold().await.unwrap(), 0);
        app.idle().await;
        let found = explained(&app, id).await;
        assert_eq!(found.state, LeadState::Aged);
        let last = found.decisions.last().unwrap();
        let refused = |name: &str| {
            let entry = last.contracts.iter().find(|entry| entry.contract == name).unwrap();
            entry.verdict.refusal.as_ref().map(|refusal| refusal.check)
        };
        assert_eq!((refused("fresh"), refused("old")), (Some(Check::Aged), Some(Check::Filters)), "{last:?}");
        // A day old: half the price, which the filter wants, too.
        pass(&app, 14 * 60).await;
        let found = explained(&app, id).await;
        assert_eq!(found.state, LeadState::Sold);
        let decision = found.decisions.last().unwrap();
        let bought = decision.contracts.iter().find(|entry| entry.verdict.refusal.is_none()).unwrap();
        assert_eq!((bought.contract.as_str(), bought.verdict.price_minor), ("old", 1_000), "1000.5 is 1000");
        assert_eq!(bought.verdict.price_rule.as_deref(), Some("aged: 50 %"));
        let books = app.store().read(OPERATE);
        let lines = books.profit_and_loss("0000", "9999", ProfitBy::Campaign).await.unwrap();
        assert_eq!((lines[0].revenue_minor, lines[0].payout_minor), (1_000, 500));
        assert_eq!(app.app.market.verify_all(|_| ()).await.unwrap().differing, 0);
        app.finish().await;
    }
}

/// A contract's own rules for aged leads come first, a buyer who refuses an aged lead gives it back as an aged one, and
/// what nobody wants is offered no more in the end.
#[tokio::test(flavor = "multi_thread")]
async fn aged_leads_end() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        app.revise_campaign(market.campaign_id, |terms| terms.aged = Some(ageing())).await;
        let picky = app.buyer("Picky", 1_000_000, vec![]).await;
        let destinations = vec![app.webhook(picky, "/picky").await];
        app.receiver.program("/picky", Behaviour::Reject { reason: "too old".into() });
        let rule = PriceRule {
            name: "three days".into(),
            when: Filter::LeadAge { min_hours: Some(72), max_hours: None },
            price_minor: 333,
        };
        let agreed = ContractTerms {
            destinations,
            verdict: Verdict::Sync,
            aged_price_rules: vec![rule],
            ..aged_buyer(2_000, 72 * 60)
        };
        app.contract(market.campaign_id, picky, "picky", agreed).await;
        let (id, status) = send(&app, &market, 1).await;
        assert_eq!(status, "unsold");
        pass(&app, 600).await;
        app.app.market.age_unsold().await.unwrap();
        app.idle().await;
        for _ in 0..6 {
            pass(&app, 24 * 60).await;
            assert_eq!(explained(&app, id).await.state, LeadState::Aged);
        }
        let found = explained(&app, id).await;
        let offered: Vec<i64> = found
            .steps
            .iter()
            .filter(|step| step.kind == "OFFERED")
            .filter_map(|step| step.detail["price_minor"].as_i64())
            .collect();
        assert_eq!(offered, [333], "offered once, at its own price");
        assert_eq!(app.app.market.wake_waiting(market.campaign_id).await.unwrap(), 0, "it waits for nothing any more");
        let totals = app.store().read(OPERATE).totals().await.unwrap();
        assert_eq!((totals.received, totals.unsold, totals.queued), (1, 1, 0));
        assert_eq!(app.app.market.verify_all(|_| ()).await.unwrap().differing, 0);
        app.finish().await;
    }
}

/// Money that comes back to a buyer (a hold that ends, a complaint's credit) wakes the leads that wait, within a minute and
/// long before their turn.
#[tokio::test(flavor = "multi_thread")]
async fn money_that_comes_back_wakes_leads() {
    for database in TestDatabase::both().await {
        let at_once = MarketSettings { verdict_wait: std::time::Duration::ZERO, ..MarketSettings::default() };
        let app = TestApp::start_with(database, TestOptions { market: at_once, ..TestOptions::default() }).await;
        let market = app.market(Selling { retry_minutes: 600, ..Selling::default() }).await;
        let buyer = app.buyer("Buyer", 1_000, vec![]).await;
        let destinations = vec![app.webhook(buyer, "/crm").await];
        let agreed = ContractTerms { destinations, verdict: Verdict::Sync, ..terms(1_000) };
        app.contract(market.campaign_id, buyer, "has money for one", agreed).await;
        app.receiver.program("/crm", Behaviour::CloseAfterReading { times: 1 });
        send(&app, &market, 1).await;
        app.idle().await;
        pass(&app, 5).await;
        let (second, status) = send(&app, &market, 2).await;
        assert_eq!(status, "queued", "the first one's answer was lost: its money is held");
        for minutes in [10, 10, 10, 10, 10, 5] {
            pass(&app, minutes).await;
        }
        assert_eq!(explained(&app, second).await.state, LeadState::Queued, "its turn is in five minutes");
        pass(&app, 1).await;
        let found = explained(&app, second).await;
        assert_eq!(found.state, LeadState::Sold, "the hold has ended");

        let (third, status) = send(&app, &market, 3).await;
        assert_eq!(status, "queued");
        let sold = found.steps.iter().find(|step| step.kind == "SOLD").unwrap();
        let sale_id = sold.detail["sale_id"].as_str().unwrap().parse().unwrap();
        let new = NewComplaint { sale_id, reason: ComplaintReason::Duplicate, evidence: None };
        let complaint_id = app.app.market.open_complaint(OPERATE, new).await.unwrap();
        let decision = ComplaintDecision { complaint_id, upheld: true, credit_minor: None, note: None };
        app.app.market.decide_complaint(OPERATE, decision).await.unwrap();
        pass(&app, 1).await;
        assert_eq!(explained(&app, third).await.state, LeadState::Sold, "the credit has come");
        assert_eq!(app.app.market.verify_all(|_| ()).await.unwrap().differing, 0);
        app.finish().await;
    }
}
