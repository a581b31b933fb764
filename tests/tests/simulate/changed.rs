//! A change is priced: every figure here was worked out by hand from the rules.

use chrono::Duration;
use leadyard_connectors::fake::{Behaviour, Bidding, Offer};
use leadyard_market::complaints::{ComplaintDecision, NewComplaint};
use leadyard_market::draft::{Draft, DraftContract};
use leadyard_market::simulation::{ChangedLead, SaleShown, Simulation, SimulationError, SimulationRequest};
use leadyard_tests::market::{Selling, TestMarket, daily, terms};
use leadyard_tests::{OPERATE, TestApp, on_both};
use leadyard_types::{
    AuctionTerms, BuyerId, BuyerTerms, ComplaintReason, ContractId, ContractTerms, FieldValue, Filter, Method, SaleId,
    SaleMode, Status, Timestamp, Verdict,
};
use uuid::Uuid;

use crate::{send, simulate, start, unchanged};

/// A contract of a test, with what a draft has to know of it.
struct Made {
    id: ContractId,
    buyer_id: BuyerId,
    name: &'static str,
    terms: ContractTerms,
}

impl Made {
    fn with(&self, market: &TestMarket, change: impl FnOnce(&mut ContractTerms)) -> (ContractId, DraftContract) {
        let mut terms = self.terms.clone();
        change(&mut terms);
        let (name, buyer_id) = (self.name.to_owned(), self.buyer_id);
        (self.id, DraftContract { name, campaign_id: market.campaign_id, buyer_id, terms })
    }
}

async fn contract(app: &TestApp, market: &TestMarket, name: &'static str, money: i64, terms: ContractTerms) -> Made {
    let buyer_id = app.buyer(name, money, vec![]).await;
    let id = app.contract(market.campaign_id, buyer_id, name, terms.clone()).await;
    Made { id, buyer_id, name, terms }
}

/// A contract whose buyer is asked for a verdict.
async fn asking(app: &TestApp, market: &TestMarket, name: &'static str, priority: u32, answer: Behaviour) -> Made {
    let buyer_id = app.buyer(name, 100_000, vec![]).await;
    let destinations = vec![app.webhook(buyer_id, &format!("/{name}")).await];
    app.receiver.program(&format!("/{name}"), answer);
    let terms = ContractTerms { destinations, verdict: Verdict::Sync, priority, ..terms(1_000) };
    let id = app.contract(market.campaign_id, buyer_id, name, terms.clone()).await;
    Made { id, buyer_id, name, terms }
}

fn drafted(contracts: impl IntoIterator<Item = (ContractId, DraftContract)>) -> Draft {
    Draft { contracts: contracts.into_iter().collect(), ..Draft::default() }
}

async fn under(app: &TestApp, draft: Draft, since: Option<Timestamp>) -> Simulation {
    simulate(app, SimulationRequest { since, draft, ..SimulationRequest::default() }).await
}

/// Contracts and what they pay.
type Names<'a> = Vec<(&'a str, i64)>;

fn names(sales: &[SaleShown]) -> Names<'_> {
    sales.iter().map(|sale| (sale.contract.as_str(), sale.price_minor)).collect()
}

/// Who bought before, and who would have, of every lead that goes elsewhere, in the order in which they came.
fn way(found: &Simulation) -> Vec<(Names<'_>, Names<'_>)> {
    found.changes.iter().map(|change| (names(&change.before), names(&change.after))).collect()
}

fn about<'a>(found: &'a Simulation, lead: &serde_json::Value) -> &'a ChangedLead {
    let id = lead["lead_id"].as_str().unwrap();
    found.changes.iter().find(|change| change.lead_id.to_string() == id).unwrap()
}

/// Five leads, two contracts. A pays 10.00 for two a day, B 8.00 as long as its 16.00 last, the supplier gets 5.00 per
/// sold lead: A, A, B, B, nobody. With room for three, A takes the third; B's money then lasts to the fifth.
#[tokio::test(flavor = "multi_thread")]
async fn a_wider_cap_is_priced_with_all_that_follows() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling::default()).await;
        let a = contract(&app, &market, "A", 100_000, ContractTerms { caps: vec![daily(2)], ..terms(1_000) }).await;
        contract(&app, &market, "B", 1_600, ContractTerms { priority: 2, ..terms(800) }).await;
        let mut leads = Vec::new();
        let mut third = None;
        for number in 0..5 {
            app.clock.advance(Duration::minutes(1));
            if number == 2 {
                third = Some(app.clock_now());
            }
            leads.push(send(&app, &market, number).await);
        }
        let draft = drafted([a.with(&market, |terms| terms.caps = vec![daily(3)])]);
        // What came before the span counts in it: the same follows from the third lead on.
        for (since, revenue, sold) in [(None, (3_600, 4_600), (4, 5)), (third, (1_600, 2_600), (2, 3))] {
            let found = under(&app, draft.clone(), since).await;
            let [sums] = &found.currencies[..] else { panic!("{found:?}") };
            assert_eq!((sums.revenue.before, sums.revenue.after), revenue, "{since:?}");
            assert_eq!((sums.payout.delta, sums.profit.delta), (500, 500));
            assert_eq!((found.revenue_delta_minor, found.profit_delta_minor), (Some(1_000), Some(500)));
            assert_eq!((found.sold_leads.before, found.sold_leads.after), sold);
            assert_eq!((found.changed_leads, found.repriced_leads), (2, 0));
            let third = about(&found, &leads[2]);
            assert_eq!((names(&third.before), names(&third.after)), (vec![("B", 800)], vec![("A", 1_000)]));
            let why = "B: A comes first by priority; A buys at 10.00 EUR, before: the contract's cap is reached (sold this day: 2 of 2)";
            assert_eq!(third.reason, why);
            let fifth = about(&found, &leads[4]);
            assert_eq!((names(&fifth.before), names(&fifth.after)), (vec![], vec![("B", 800)]));
            assert!(fifth.reason.contains("the buyer's available balance does not cover the price"), "{}", fifth.reason);
        }
        let found = under(&app, draft, None).await;
        assert_eq!((found.sales_rate_basis_points.before, found.sales_rate_basis_points.after), (8_000, 10_000));
        let of_a = found.contracts.iter().find(|entry| entry.id == a.id).unwrap();
        assert_eq!((of_a.sales.before, of_a.sales.after, of_a.revenue_minor.delta), (2, 3, 1_000));
        assert!(!found.buyers.iter().any(|entry| entry.name == "B" && entry.revenue_minor.delta != 0));
        app.finish().await;
    })
    .await;
}

/// Another price for the same leads: nobody goes elsewhere, and the sums change by exactly it. An edit that came later in
/// history does not undo the draft.
#[tokio::test(flavor = "multi_thread")]
async fn a_price_is_priced() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling::default()).await;
        let a = contract(&app, &market, "A", 100_000, terms(1_000)).await;
        send(&app, &market, 0).await;
        app.setup().revise_contract(a.id, 1, terms(1_050)).await.unwrap();
        send(&app, &market, 1).await;
        unchanged(&app, None, None).await;
        let found = under(&app, drafted([a.with(&market, |terms| terms.price_minor = 1_200)]), None).await;
        assert_eq!((found.revenue_delta_minor, found.profit_delta_minor), (Some(200 + 150), Some(350)));
        assert_eq!((found.changed_leads, found.repriced_leads, found.inputs_differing), (0, 2, 2));
        app.finish().await;
    })
    .await;
}

/// A filter's reason names what it saw of the lead, but never what says who the person is.
#[tokio::test(flavor = "multi_thread")]
async fn reasons_name_no_person() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling::default()).await;
        let a = contract(&app, &market, "A", 100_000, terms(1_000)).await;
        send(&app, &market, 0).await;
        for (field, shown) in [("email", "email: •••"), ("postal_code", "postal_code: 10115")] {
            let value = FieldValue::text("other");
            let filter = Filter::Equals { field: field.into(), value };
            let found = under(&app, drafted([a.with(&market, |terms| terms.filter = Some(filter))]), None).await;
            let reason = &found.changes[0].reason;
            assert!(reason.contains(shown) && !reason.contains("person0"), "{reason}");
        }
        app.finish().await;
    })
    .await;
}

/// A full credit of a sale that would not have happened falls away with it; the supplier's share is not taken back.
#[tokio::test(flavor = "multi_thread")]
async fn credits_fall_away_with_their_sales() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling::default()).await;
        let a = contract(&app, &market, "A", 1_000, terms(1_000)).await;
        contract(&app, &market, "B", 100_000, ContractTerms { priority: 2, ..terms(800) }).await;
        send(&app, &market, 0).await;
        let sale_id = SaleId(app.store().read(OPERATE).ids("SELECT id FROM sale").await.unwrap()[0]);
        let new = NewComplaint { sale_id, reason: ComplaintReason::WrongContact, evidence: None };
        let complaint_id = app.app.market.open_complaint(OPERATE, new).await.unwrap();
        let decision = ComplaintDecision { complaint_id, upheld: true, credit_minor: None, note: None };
        app.app.market.decide_complaint(OPERATE, decision).await.unwrap();
        // A has its money back and buys again.
        send(&app, &market, 1).await;
        unchanged(&app, None, None).await;
        let found = under(&app, drafted([a.with(&market, |terms| terms.status = Status::Paused)]), None).await;
        let [sums] = &found.currencies[..] else { panic!("{found:?}") };
        assert_eq!((sums.revenue.before, sums.revenue.after), (2_000, 1_600));
        assert_eq!((sums.credits.before, sums.credits.after), (1_000, 0));
        assert_eq!((sums.clawbacks.before, sums.clawbacks.after), (500, 0));
        let lost = "A: the contract does not buy at the moment (status: PAUSED)";
        assert!(found.changes.iter().all(|change| change.reason.starts_with(lost)), "{:?}", found.changes);
        app.finish().await;
    })
    .await;
}

/// Verdicts: a recorded one is used again, wherever the lead now comes to its buyer; one that nobody recorded is taken as
/// an acceptance, and said.
#[tokio::test(flavor = "multi_thread")]
async fn verdicts_are_used_again_or_assumed() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling::default()).await;
        let no = asking(&app, &market, "no", 1, Behaviour::Reject { reason: "no".into() }).await;
        let yes = asking(&app, &market, "yes", 2, Behaviour::Accept).await;
        let never = asking(&app, &market, "never", 3, Behaviour::Accept).await;
        let lead = send(&app, &market, 0).await;
        app.idle().await;
        unchanged(&app, None, None).await;

        // Who accepted second accepts first; the refusal is not needed any more.
        let found = under(&app, drafted([yes.with(&market, |terms| terms.priority = 0)]), None).await;
        assert_eq!((found.changed_leads, found.assumed_verdicts.len()), (0, 0), "{:?}", found.changes);
        assert_eq!(found.not_replayed.decisions_fallen_away, 1);

        // Who was never asked is taken to accept, and named.
        let found = under(&app, drafted([never.with(&market, |terms| terms.priority = 0)]), None).await;
        assert_eq!(way(&found), [(vec![("yes", 1_000)], vec![("never", 1_000)])]);
        assert_eq!(
            found.assumed_verdicts.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [lead["lead_id"].as_str().unwrap()]
        );

        // The one who refused comes second now: it refuses again at once, and the lead goes on.
        let closed = yes.with(&market, |terms| terms.caps = vec![daily(0)]);
        let first = never.with(&market, |terms| (terms.priority, terms.price_minor) = (2, 1_100));
        let found = under(&app, drafted([closed, first]), None).await;
        assert_eq!(way(&found), [(vec![("yes", 1_000)], vec![("never", 1_100)])]);
        let nobody = never.with(&market, |terms| terms.status = Status::Paused);
        let closed = yes.with(&market, |terms| terms.caps = vec![daily(0)]);
        let found = under(&app, drafted([closed, nobody]), None).await;
        assert_eq!(way(&found), [(vec![("yes", 1_000)], vec![])]);
        assert_eq!(found.sold_leads.after, 0);
        assert!(no.terms.priority == 1 && found.assumed_verdicts.is_empty());
        app.finish().await;
    })
    .await;
}

/// Auctions: recorded bids are used again, with the price that would have won; a bid that nobody recorded is unknown, and
/// its contract takes no part.
#[tokio::test(flavor = "multi_thread")]
async fn bids_are_used_again_or_unknown() {
    on_both(async |database| {
        let app = start(database).await;
        let auction = Some(AuctionTerms { deadline_ms: 10_000, ..AuctionTerms::default() });
        let market = app.market(Selling { method: Method::Auction, auction, ..Selling::default() }).await;
        let buyer = app.buyer("bidder", 100_000, vec![]).await;
        let ping = Some(app.asked_at(buyer, "/ask", Bidding::Bid(Offer::of("50.00"))).await);
        app.contract(market.campaign_id, buyer, "bidder", ContractTerms { ping, ..terms(1) }).await;
        let fixed = contract(&app, &market, "fixed", 100_000, terms(4_000)).await;
        let silent = app.buyer("silent", 100_000, vec![]).await;
        let ping = Some(app.asked_at(silent, "/silent", Bidding::Bid(Offer::of("99.00"))).await);
        let paused = ContractTerms { ping, status: Status::Paused, ..terms(1) };
        let id = app.contract(market.campaign_id, silent, "silent", paused.clone()).await;
        let silent = Made { id, buyer_id: silent, name: "silent", terms: paused };
        let lead = send(&app, &market, 0).await;
        unchanged(&app, None, None).await;

        let found = under(&app, drafted([fixed.with(&market, |terms| terms.price_minor = 6_000)]), None).await;
        assert_eq!(way(&found), [(vec![("bidder", 5_000)], vec![("fixed", 6_000)])]);
        assert_eq!(found.revenue_delta_minor, Some(1_000));
        // Of equal bids the older contract's or another key decides: the least that would have won is the same or one more.
        let why = &found.changes[0].reason;
        assert!(why.starts_with("bidder: outbid by fixed, 60.0"), "{why}");
        assert!(why.contains("fixed buys at 60.00 EUR, before: outbid by bidder, 50.0"), "{why}");

        let found = under(&app, drafted([silent.with(&market, |terms| terms.status = Status::Active)]), None).await;
        assert_eq!((found.changed_leads, found.unknown_bids.len()), (0, 1));
        assert_eq!(found.unknown_bids[0].lead_id.to_string(), lead["lead_id"].as_str().unwrap());
        assert_eq!(found.unknown_bids[0].contracts, [silent.id]);
        app.finish().await;
    })
    .await;
}

/// A contract that does not exist yet, of a buyer that does not: it takes part, and that its money is assumed is said.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_yet_takes_part() {
    on_both(async |database| {
        let app = start(database).await;
        let market = app.market(Selling { sale_mode: SaleMode::Shared { max: 2 }, ..Selling::default() }).await;
        contract(&app, &market, "A", 100_000, terms(1_000)).await;
        app.clock.advance(Duration::minutes(1));
        send(&app, &market, 0).await;
        let (id, buyer_id) = (ContractId(Uuid::from_u128(7)), BuyerId(Uuid::from_u128(8)));
        let (name, campaign_id) = ("new".to_owned(), market.campaign_id);
        let mut draft = drafted([(id, DraftContract { name, campaign_id, buyer_id, terms: terms(700) })]);
        let (time_zone, status) = (chrono_tz::Tz::UTC, Status::Active);
        draft.buyers.insert(buyer_id, BuyerTerms { status, time_zone, group: None, caps: vec![] });
        let found = under(&app, draft, None).await;
        assert_eq!(way(&found), [(vec![("A", 1_000)], vec![("A", 1_000), ("new", 700)])]);
        assert_eq!(found.assumed_balances, [buyer_id]);
        // A fixed amount per sold lead is paid once, however often the lead is sold.
        assert_eq!((found.revenue_delta_minor, found.profit_delta_minor), (Some(700), Some(700)));

        let request = SimulationRequest { decisions_max: Some(0), ..SimulationRequest::default() };
        let refused = app.app.market.simulate(request, |_| {}).await;
        assert!(matches!(refused, Err(SimulationError::TooLong { found: 1, most: 0 })), "{refused:?}");
        let mut nowhere = Draft::default();
        let campaign_id = leadyard_types::CampaignId(Uuid::from_u128(9));
        let contract = DraftContract { name: "x".into(), campaign_id, buyer_id, terms: terms(1) };
        nowhere.contracts.insert(id, contract);
        let request = SimulationRequest { draft: nowhere, ..SimulationRequest::default() };
        let refused = app.app.market.simulate(request, |_| {}).await;
        assert!(matches!(refused, Err(SimulationError::Draft(_))), "{refused:?}");
        app.finish().await;
    })
    .await;
}
