//! Complaints: opened by buyers, decided by staff, and what they move.

use chrono::Duration;
use leadyard_market::complaints::ComplaintDecision;
use leadyard_tests::market::{Selling, daily, lead, terms};
use leadyard_tests::{OPERATE, TestApp, TestDatabase};
use leadyard_types::{ComplaintId, Role, SaleMode};
use serde_json::{Value, json};

use crate::people::{Asking, People, ids};

const OPEN: &str = "mutation($input: ComplaintOpenInput!) { complaintOpen(input: $input) {
    complaint { id state reason evidence hasEvidence credit { amount } } userErrors { code field } } }";

const DECIDE: &str = "mutation($input: ComplaintDecideInput!) { complaintDecide(input: $input) {
    complaint { id state credit { amountMinor } clawback { amountMinor } note decidedAt } userErrors { code field } } }";

async fn open(by: &Asking, sale: &Value, reason: &str, evidence: Option<&str>) -> Value {
    let input = json!({ "saleId": sale, "reason": reason, "evidence": evidence });
    by.ask(OPEN, json!({ "input": input })).await["complaintOpen"].take()
}

async fn decide(by: &Asking, complaint: &Value, verdict: &str, credit: Option<i64>) -> Value {
    let mut input = json!({ "complaintId": complaint, "verdict": verdict, "note": "as agreed with person1" });
    if let Some(credit) = credit {
        input["creditMinor"] = json!(credit);
    }
    by.ask(DECIDE, json!({ "input": input })).await["complaintDecide"].take()
}

/// The first problem: code and field.
fn problem(answer: &Value) -> (String, String) {
    assert!(answer["complaint"].is_null(), "{answer}");
    let error = &answer["userErrors"][0];
    (error["code"].as_str().unwrap_or_default().to_owned(), error["field"][1].as_str().unwrap_or_default().to_owned())
}

fn wrong(code: &str, field: &str) -> (String, String) {
    (code.to_owned(), field.to_owned())
}

/// The sales that somebody sees, oldest first.
pub(crate) async fn sales_of(by: &Asking) -> Vec<Value> {
    let answer = by.ask("{ sales(first: 100, orderBy: OLDEST) { nodes { id } } }", json!({})).await;
    ids(&answer["sales"]).into_iter().map(Value::from).collect()
}

/// A complaint goes its whole way: opened by the buyer, credited in parts that never exceed the price, the supplier's share
/// taken back in proportion, every step in timeline and profit and loss, and what was written readable only by those
/// who may see the person.
#[tokio::test(flavor = "multi_thread")]
async fn a_complaint_is_credited_and_clawed_back() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let (buyer, other) = (app.buyer("Buyer", 10_000, vec![]).await, app.buyer("Other", 0, vec![]).await);
        app.contract(market.campaign_id, buyer, "all", terms(3_000)).await;
        app.client(&market.key).send_json("/v1/leads", &lead(1), None).await.unwrap();
        let (user, foreign) = (app.buyer_user(buyer).await, app.buyer_user(other).await);
        let finance = app.staff(Role::Finance).await;
        let sale = sales_of(&user).await.remove(0);

        let absent = json!("Sale:00000000-0000-0000-0000-000000000001");
        assert_eq!(open(&foreign, &sale, "DUPLICATE", None).await, open(&foreign, &absent, "DUPLICATE", None).await);
        assert_eq!(problem(&open(&user, &sale, "OTHER", Some("  ")).await), wrong("REQUIRED", "evidence"));
        assert_eq!(
            problem(&open(&user, &sale, "OTHER", Some(&"x".repeat(2_001))).await),
            wrong("TOO_LONG", "evidence")
        );
        let opened = open(&user, &sale, "WRONG_CONTACT", Some("the number is person2's")).await;
        assert_eq!(
            (&opened["complaint"]["state"], &opened["complaint"]["evidence"]),
            (&json!("OPEN"), &json!("the number is person2's")),
            "{opened}"
        );
        assert_eq!(problem(&open(&user, &sale, "DUPLICATE", None).await), wrong("ALREADY_OPEN", "saleId"));
        let complaint = opened["complaint"]["id"].clone();

        assert_eq!(
            problem(&decide(&finance, &complaint, "UPHOLD", Some(3_001)).await),
            wrong("OUT_OF_RANGE", "creditMinor")
        );
        assert_eq!(
            problem(&decide(&finance, &complaint, "REFUSE", Some(1)).await),
            wrong("NOT_ALLOWED", "creditMinor")
        );
        let decided = decide(&finance, &complaint, "UPHOLD", Some(1_200)).await;
        assert_eq!(
            (&decided["complaint"]["credit"]["amountMinor"], &decided["complaint"]["clawback"]["amountMinor"]),
            (&json!("1200"), &json!("200")),
            "{decided}"
        );
        assert!(decided["complaint"]["note"].is_null(), "finance sees no personal data: {decided}");
        assert_eq!(
            problem(&decide(&finance, &complaint, "REFUSE", None).await),
            wrong("ALREADY_DECIDED", "complaintId")
        );

        // The rest, by a second complaint; then nothing is left to complain about.
        let second = open(&finance, &sale, "UNREACHABLE", None).await["complaint"]["id"].clone();
        let decided = decide(&finance, &second, "UPHOLD", None).await;
        assert_eq!(decided["complaint"]["credit"]["amountMinor"], "1800");
        assert_eq!(problem(&open(&user, &sale, "DUPLICATE", None).await), wrong("NOTHING_LEFT", "saleId"));

        let question = "query($sale: ID!) { sale(id: $sale) { buyer { wallets { balance { amountMinor } } }
            complaints { state note evidence credit { amountMinor } } lead { id } } }";
        let seen = user.ask(question, json!({ "sale": sale })).await;
        assert_eq!(seen["sale"]["buyer"]["wallets"][0]["balance"]["amountMinor"], "10000");
        assert_eq!(seen["sale"]["complaints"][0]["note"], "as agreed with person1");
        let masked = app.staff(Role::Analyst).await.ask(question, json!({ "sale": sale })).await.to_string();
        assert!(!masked.contains("person"), "{masked}");

        let admin = app.staff(Role::Admin).await;
        let timeline = "query($id: ID!) { lead(id: $id) { timeline { kind } } profitAndLoss(by: BUYER,
            range: { since: \"2026-01-01\", until: \"2026-12-31\" }) { revenue { amountMinor } credits { amountMinor }
            payout { amountMinor } profit { amountMinor } } }";
        let seen = admin.ask(timeline, json!({ "id": seen["sale"]["lead"]["id"] })).await;
        let kinds: Vec<&str> =
            seen["lead"]["timeline"].as_array().unwrap().iter().filter_map(|e| e["kind"].as_str()).collect();
        assert_eq!(kinds[2..], ["COMPLAINT_OPENED", "COMPLAINT_DECIDED", "COMPLAINT_OPENED", "COMPLAINT_DECIDED"]);
        assert_eq!(
            seen["profitAndLoss"][0],
            json!({ "revenue": { "amountMinor": "3000" }, "credits": { "amountMinor": "3000" },
                "payout": { "amountMinor": "0" }, "profit": { "amountMinor": "0" } })
        );
        app.finish().await;
    }
}

/// The window counts from the sale, by the terms under which it was sold: changing the campaign later changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn the_window_is_that_of_the_sale() {
    let app = TestApp::start(TestDatabase::sqlite()).await;
    let market = app.market(Selling::default()).await;
    let buyer = app.buyer("Buyer", 10_000, vec![]).await;
    app.contract(market.campaign_id, buyer, "all", terms(1_000)).await;
    for number in 1..=2 {
        app.client(&market.key).send_json("/v1/leads", &lead(number), None).await.unwrap();
    }
    let snapshot = app.app.market.refresh().await.unwrap();
    let mut changed = snapshot.campaigns[&market.campaign_id].terms.clone();
    changed.complaints.window_days = 0;
    changed.complaints.reasons.clear();
    app.setup().revise_campaign(market.campaign_id, 1, changed).await.unwrap();
    let user = app.buyer_user(buyer).await;
    let sales = sales_of(&user).await;
    app.clock.advance(Duration::days(14) - Duration::hours(1));
    let user_again = app.buyer_user(buyer).await;
    assert!(open(&user_again, &sales[0], "DUPLICATE", None).await["complaint"]["id"].is_string());
    app.clock.advance(Duration::hours(2));
    let late = app.buyer_user(buyer).await;
    assert_eq!(problem(&open(&late, &sales[1], "DUPLICATE", None).await), wrong("WINDOW_CLOSED", "saleId"));
    app.finish().await;
}

/// The legs of a shared lead are credited each on its own; the one payout is taken back in proportion to all of them.
#[tokio::test(flavor = "multi_thread")]
async fn legs_share_the_clawback() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling { sale_mode: SaleMode::Shared { max: 3 }, ..Selling::default() }).await;
        for (name, price) in [("a", 1_000), ("b", 2_000), ("c", 3_000)] {
            let buyer = app.buyer(name, 10_000, vec![]).await;
            app.contract(market.campaign_id, buyer, name, terms(price)).await;
        }
        app.client(&market.key).send_json("/v1/leads", &lead(1), None).await.unwrap();
        let manager = app.staff(Role::Manager).await;
        let mut taken = 0;
        for sale in sales_of(&manager).await {
            let complaint = open(&manager, &sale, "FRAUD", None).await["complaint"]["id"].clone();
            let decided = decide(&manager, &complaint, "UPHOLD", None).await;
            let text = decided["complaint"]["clawback"]["amountMinor"].as_str().unwrap_or_else(|| panic!("{decided}"));
            taken += text.parse::<i64>().unwrap();
        }
        assert_eq!(taken, 500, "the whole payout, once");
        app.finish().await;
    }
}

/// A credited complaint gives the cap's count back only where the contract says so, and only when all was credited.
#[tokio::test(flavor = "multi_thread")]
async fn a_credit_frees_the_cap_where_agreed() {
    for database in TestDatabase::both().await {
        for (frees, credit, sold) in [(true, None, 2), (true, Some(500), 1), (false, None, 1)] {
            let app = TestApp::start(match &database {
                TestDatabase::Sqlite(_) => TestDatabase::sqlite(),
                TestDatabase::Postgres(_) => TestDatabase::postgres().await.unwrap(),
            })
            .await;
            let market = app.market(Selling::default()).await;
            let buyer = app.buyer("Buyer", 10_000, vec![]).await;
            let mut agreed = terms(1_000);
            (agreed.caps, agreed.credit_frees_cap) = (vec![daily(1)], frees);
            app.contract(market.campaign_id, buyer, "one a day", agreed).await;
            let client = app.client(&market.key);
            client.send_json("/v1/leads", &lead(1), None).await.unwrap();
            let manager = app.staff(Role::Manager).await;
            let sale = sales_of(&manager).await.remove(0);
            let complaint = open(&manager, &sale, "FRAUD", None).await["complaint"]["id"].clone();
            decide(&manager, &complaint, "UPHOLD", credit).await;
            for number in 2..=3 {
                client.send_json("/v1/leads", &lead(number), None).await.unwrap();
            }
            assert_eq!(sales_of(&manager).await.len(), sold, "frees {frees}, credit {credit:?}");
            app.finish().await;
        }
        database.remove().await;
    }
}

/// However many decide at once, a complaint is decided once and a price is credited once.
#[tokio::test(flavor = "multi_thread")]
async fn decisions_at_once_credit_once() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("Buyer", 10_000, vec![]).await;
        app.contract(market.campaign_id, buyer, "all", terms(1_000)).await;
        app.client(&market.key).send_json("/v1/leads", &lead(1), None).await.unwrap();
        let manager = app.staff(Role::Manager).await;
        let sale = sales_of(&manager).await.remove(0);
        let opened = (0..8).map(|_| open(&manager, &sale, "DUPLICATE", None));
        let opened: Vec<Value> = futures_util::future::join_all(opened).await;
        let ids: Vec<&str> = opened.iter().filter_map(|answer| answer["complaint"]["id"].as_str()).collect();
        assert_eq!(ids.len(), 1, "{opened:?}");
        let id: ComplaintId = ids[0].strip_prefix("Complaint:").unwrap().parse().unwrap();
        let decisions = (0..16).map(|number| {
            let decision =
                ComplaintDecision { complaint_id: id, upheld: number % 2 == 0, credit_minor: None, note: None };
            app.app.market.decide_complaint(OPERATE, decision)
        });
        let done = futures_util::future::join_all(decisions).await;
        assert_eq!(done.iter().filter(|decided| decided.is_ok()).count(), 1, "{done:?}");
        app.finish().await;
    }
}
