//! Figures over time: what every plot adds up to is what the ledger says.

use chrono::Duration;
use leadyard_tests::market::{Selling, lead, terms};
use leadyard_tests::{TestApp, on_both};
use leadyard_types::{BuyerId, Role, SaleMode};
use serde_json::{Value, json};

use crate::people::{Asking, People, ids};

const FIGURES: &str = "{ leads soldLeads sales complaints complaintRate revenue { amountMinor } credits { amountMinor }
    payout { amountMinor } profit { amountMinor } averagePrice { amountMinor } }";

/// A question for the statistics of all things of a noun.
fn of_all(noun: &str) -> String {
    format!(
        "query($range: StatisticsRange!) {{ {noun}(first: 20) {{ nodes {{ id name
         statistics(range: $range) {{ currency total {FIGURES} points {{ start end figures {FIGURES} }} }} }} }} }}"
    )
}

fn range(interval: &str, zone: &str) -> Value {
    json!({ "range": { "days": { "since": "2026-06-25", "until": "2026-07-20" }, "interval": interval, "timeZone": zone } })
}

pub(crate) fn minor(figures: &Value, name: &str) -> i64 {
    figures[name]["amountMinor"].as_str().unwrap().parse().unwrap()
}

/// The same numbers every time.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Two campaigns, three buyers with odd prices, leads at odd hours of a week, some complained about and credited in part,
/// and money given back as a gesture. Answers the buyers and how many leads came in.
pub(crate) async fn busy_week(app: &TestApp) -> (Vec<BuyerId>, u64) {
    let selling = || Selling { sale_mode: SaleMode::Shared { max: 2 }, ..Selling::default() };
    let market = app.market(selling()).await;
    let beside = app.campaign_beside(&market, "Beside", selling()).await;
    let mut buyers = Vec::new();
    for (name, price) in [("Anna", 1_237), ("Bert", 2_311), ("Carl", 999)] {
        let buyer = app.buyer(name, 10_000_000, vec![]).await;
        app.contract(market.campaign_id, buyer, name, terms(price)).await;
        app.contract(beside.campaign_id, buyer, &format!("{name} beside"), terms(price + 11)).await;
        buyers.push(buyer);
    }
    let mut dice = Dice(7);
    let (one, other) = (app.client(&market.key), app.client(&beside.key));
    for number in 0..36 {
        app.clock.advance(Duration::minutes(i64::try_from(dice.below(600)).unwrap()));
        let client = if dice.below(3) == 0 { &other } else { &one };
        client.send_json("/v1/leads", &lead(number), None).await.unwrap();
    }
    let finance = app.staff(Role::Finance).await;
    let sales = finance.ask("{ sales(first: 100) { nodes { id price { amountMinor } } } }", json!({})).await;
    for sale in sales["sales"]["nodes"].as_array().unwrap().iter().step_by(5) {
        let open = "mutation($input: ComplaintOpenInput!) { complaintOpen(input: $input) { complaint { id } userErrors { code } } }";
        let input = json!({ "input": { "saleId": sale["id"], "reason": "WRONG_CONTACT" } });
        let opened = finance.ask(open, input).await;
        app.clock.advance(Duration::minutes(11));
        let decide = "mutation($input: ComplaintDecideInput!) { complaintDecide(input: $input) { complaint { id } userErrors { code } } }";
        let credit = 1 + dice.below(minor(sale, "price").unsigned_abs());
        let id = &opened["complaintOpen"]["complaint"]["id"];
        let input = json!({ "input": { "complaintId": id, "verdict": "UPHOLD", "creditMinor": credit } });
        let decided = finance.ask(decide, input).await;
        assert!(decided["complaintDecide"]["complaint"]["id"].is_string(), "{decided}");
    }
    let gesture = "mutation($input: WalletCreditInput!) { walletCredit(input: $input) { moved userErrors { code } } }";
    let buyer = ids(&finance.ask("{ buyers(first: 1) { nodes { id } } }", json!({})).await["buyers"]).remove(0);
    let input =
        json!({ "input": { "buyerId": buyer, "amountMinor": "77", "currency": "EUR", "idempotencyKey": "sorry" } });
    assert_eq!(finance.ask(gesture, input).await["walletCredit"]["moved"], true);
    (buyers, 36)
}

/// A series whose points follow each other without a gap and add up to its total.
fn total_of(series: &Value) -> &Value {
    let (points, total) = (series["points"].as_array().unwrap(), &series["total"]);
    assert!(points.windows(2).all(|pair| pair[0]["end"] == pair[1]["start"]), "{series}");
    for name in ["revenue", "credits", "payout", "profit"] {
        let sum: i64 = points.iter().map(|point| minor(&point["figures"], name)).sum();
        assert_eq!(sum, minor(total, name), "{name}");
    }
    for name in ["leads", "soldLeads", "sales", "complaints"] {
        let sum: i64 = points.iter().map(|point| point["figures"][name].as_i64().unwrap()).sum();
        assert_eq!(Some(sum), total[name].as_i64(), "{name}");
    }
    total
}

/// What the profit and loss says of something, by its id: revenue, credits, payout.
async fn booked(staff: &Asking, by: &str, id: &Value) -> [i64; 3] {
    let question =
        "query($by: ProfitBy!) { profitAndLoss(range: { since: \"2026-01-01\", until: \"2026-12-31\" }, by: $by) {
        id revenue { amountMinor } credits { amountMinor } payout { amountMinor } } }";
    let answer = staff.ask(question, json!({ "by": by })).await;
    let lines = answer["profitAndLoss"].as_array().unwrap();
    let line = lines.iter().find(|line| line["id"] == *id);
    line.map_or([0; 3], |line| ["revenue", "credits", "payout"].map(|figure| minor(line, figure)))
}

/// However time is cut, and in whatever zone, the plots of every noun add up to the ledger's own profit and loss, to the
/// cent, and count every lead and sale once.
#[tokio::test(flavor = "multi_thread")]
async fn plots_add_up_to_the_ledger() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let (_, leads) = busy_week(&app).await;
        let staff = app.staff(Role::Analyst).await;
        let sales = staff.ask("{ sales(first: 1, filter: { state: [SOLD] }) { totalCount } }", json!({})).await;
        let complaints = staff.ask("{ complaints(first: 1) { totalCount } }", json!({})).await;
        for (noun, by) in
            [("buyers", "BUYER"), ("contracts", "CONTRACT"), ("campaigns", "CAMPAIGN"), ("sources", "SOURCE")]
        {
            let mut counted = [0; 3];
            for (interval, zone) in
                [("HOUR", "Asia/Kathmandu"), ("DAY", "Europe/Berlin"), ("WEEK", "America/New_York"), ("MONTH", "UTC")]
            {
                counted = [0; 3];
                let answer = staff.ask(&of_all(noun), range(interval, zone)).await;
                for node in answer[noun]["nodes"].as_array().unwrap() {
                    let series = if noun == "buyers" { &node["statistics"][0] } else { &node["statistics"] };
                    let total = total_of(series);
                    let told = ["revenue", "credits", "payout"].map(|name| minor(total, name));
                    assert_eq!(told, booked(&staff, by, &node["id"]).await, "{noun} {interval} {}", node["name"]);
                    assert_eq!(minor(total, "profit"), told[0] - told[1] - told[2]);
                    for (sum, name) in counted.iter_mut().zip(["leads", "sales", "complaints"]) {
                        *sum += total[name].as_u64().unwrap();
                    }
                }
            }
            let sold = sales["sales"]["totalCount"].as_u64().unwrap();
            let came = if matches!(noun, "buyers" | "contracts") { sold } else { leads };
            assert_eq!(counted, [came, sold, complaints["complaints"]["totalCount"].as_u64().unwrap()], "{noun}");
        }
        // A campaign's own profit and loss are the lines of the whole one that are its own.
        let question = "{ campaigns(first: 9) { nodes { id profitAndLoss(range: { since: \"2026-01-01\", until: \"2026-12-31\" }, by: BUYER) {
            name revenue { amountMinor } credits { amountMinor } payout { amountMinor } } } } }";
        for node in staff.ask(question, json!({})).await["campaigns"]["nodes"].as_array().unwrap() {
            let lines = node["profitAndLoss"].as_array().unwrap();
            let sums = ["revenue", "credits", "payout"]
                .map(|name| lines.iter().map(|line| minor(line, name)).sum::<i64>());
            assert_eq!(sums, booked(&staff, "CAMPAIGN", &node["id"]).await, "{node}");
            assert_eq!(lines.len(), 2, "a line for each buyer that bought: {node}");
        }
        app.finish().await;
    })
    .await;
}

/// A buyer has the figures of its own purchases and nothing of what suppliers earn; a supplier those of its leads; a range
/// that makes no plot is refused by name.
#[tokio::test(flavor = "multi_thread")]
async fn everybody_has_their_own_figures() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let (buyers, leads) = busy_week(&app).await;
        let user = app.buyer_user(buyers[0]).await;
        let question = "query($range: StatisticsRange!) {
            buyers(first: 9) { nodes { name statistics(range: $range) { total { sales revenue { amountMinor } } } } }
            contracts(first: 9) { nodes { statistics(range: $range) { total { sales } } } } sales(first: 1) { totalCount } }";
        let own = user.ask(question, range("DAY", "UTC")).await;
        assert_eq!(own["buyers"]["nodes"].as_array().unwrap().len(), 1);
        assert_eq!(own["buyers"]["nodes"][0]["statistics"][0]["total"]["sales"], own["sales"]["totalCount"]);
        let by_contract: i64 = own["contracts"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["statistics"]["total"]["sales"].as_i64().unwrap())
            .sum();
        assert_eq!(Some(by_contract), own["sales"]["totalCount"].as_i64());
        let code = |answer: Value| answer["errors"][0]["extensions"]["code"].clone();
        let hidden = "query($range: StatisticsRange!) { buyers(first: 9) { nodes { statistics(range: $range) { total { FIGURE { amountMinor } } } } } }";
        for figure in ["payout", "profit"] {
            assert_eq!(code(user.raw(&hidden.replace("FIGURE", figure), range("DAY", "UTC")).await), "FORBIDDEN");
        }
        let of_campaigns = "query($range: StatisticsRange!) { campaigns(first: 9) { nodes { statistics(range: $range) { total { leads } } } } }";
        assert_eq!(code(user.raw(of_campaigns, range("DAY", "UTC")).await), "FORBIDDEN");

        let source = *app.app.market.refresh().await.unwrap().sources.keys().next().unwrap();
        let supplier = app.supplier_user(source).await;
        let question = "query($range: StatisticsRange!) { sources(first: 9) { nodes { statistics(range: $range) { total { leads soldLeads } } } } }";
        let sent = supplier.ask(question, range("WEEK", "UTC")).await;
        let nodes = sent["sources"]["nodes"].as_array().unwrap();
        let total: u64 = nodes.iter().map(|node| node["statistics"]["total"]["leads"].as_u64().unwrap()).sum();
        assert!(total > 0 && total <= leads, "{sent}");

        for (days, interval, zone, expected) in [
            (("2026-01-01", "2026-12-31"), "HOUR", "UTC", "TOO_MANY_POINTS"),
            (("2026-07-02", "2026-07-01"), "DAY", "UTC", "RANGE_INVALID"),
            (("2026-07-01", "2026-07-01"), "DAY", "Mars/Olympus", "BAD_USER_INPUT"),
        ] {
            let range = json!({ "range": { "days": { "since": days.0, "until": days.1 }, "interval": interval, "timeZone": zone } });
            assert_eq!(code(user.raw(&of_all("buyers").replace(FIGURES, "{ sales }"), range).await), expected);
        }
        app.finish().await;
    })
    .await;
}

/// The plots of many cost as many statements as those of one.
#[tokio::test(flavor = "multi_thread")]
async fn plots_of_many_are_one_statement() {
    on_both(async |database| {
        let mut app = TestApp::start(database).await;
        busy_week(&app).await;
        let staff = app.staff(Role::Analyst).await;
        app.rest().await;
        let question = "query($n: Int!, $range: StatisticsRange!) { contracts(first: $n) { nodes {
            statistics(range: $range) { total { sales } } campaign { statistics(range: $range) { total { leads } }
            profitAndLoss(range: { since: \"2026-01-01\", until: \"2026-12-31\" }, by: DAY) { name } } } } }";
        let mut counts = Vec::new();
        for n in [1, 6, 1, 6] {
            let mut variables = range("DAY", "UTC");
            variables["n"] = json!(n);
            let before = app.store().statements();
            let answer = staff.ask(question, variables).await;
            counts.push(app.store().statements() - before);
            assert_eq!(answer["contracts"]["nodes"].as_array().unwrap().len(), n);
        }
        assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
        app.finish().await;
    })
    .await;
}
