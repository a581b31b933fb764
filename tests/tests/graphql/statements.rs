//! Statements, holds and transfers: whatever is asked for is what the ledger says, line by line and to the cent.

use chrono::{Days, NaiveDate, TimeZone as _};
use chrono_tz::Tz;
use leadyard_connectors::fake::Behaviour;
use leadyard_entity::model::{hold, hold_resolution, ledger_account, ledger_transfer};
use leadyard_entity::read::{HoldFilter, PageArgs, TimeOrder, TransferFilter};
use leadyard_market::finance;
use leadyard_tests::market::{Selling, lead, terms};
use leadyard_tests::{OPERATE, TestApp, on_both};
use leadyard_types::{BuyerId, Currency, Money, Role, SupplierId, Timestamp, Verdict};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::people::{Asking, People};
use crate::statistics::{Dice, busy_week, minor};

const LINES: &str = "totalCount pageInfo { endCursor hasNextPage startCursor hasPreviousPage } nodes {
    at kind transferKind change { amountMinor } balance { amountMinor } }";

/// The ledger as it lies in the store.
struct Ledger {
    accounts: Vec<ledger_account::Model>,
    transfers: Vec<ledger_transfer::Model>,
    /// What moved what is held: account, moment and how much.
    held: Vec<(Uuid, Timestamp, i64)>,
}

impl Ledger {
    async fn read(app: &TestApp) -> Self {
        let read = app.store().read(OPERATE);
        let all = PageArgs { limit: 100_000, backward: false, after: None, before: None };
        let every = TransferFilter::default();
        let transfers = read.page::<ledger_transfer::Entity>(&every, TimeOrder::Oldest, &all).await.unwrap().rows;
        let holds = read.page::<hold::Entity>(&HoldFilter::default(), TimeOrder::Oldest, &all).await.unwrap().rows;
        let ids: Vec<Uuid> = holds.iter().map(|row| row.id).collect();
        let ends = read.by_ids::<hold_resolution::Entity>(&ids).await.unwrap();
        let mut held = Vec::new();
        for row in holds {
            held.push((row.account_id, row.created_at, row.amount_minor));
            held.extend(ends.get(&row.id).map(|end| (row.account_id, end.resolved_at, -row.amount_minor)));
        }
        let sides = transfers.iter().flat_map(|row| [row.debit_account_id, row.credit_account_id]);
        let ids: Vec<Uuid> = sides.collect();
        let accounts = read.by_ids::<ledger_account::Entity>(&ids).await.unwrap().into_values().collect();
        Self { accounts, transfers, held }
    }

    fn account(&self, owner: Uuid) -> Uuid {
        self.accounts.iter().find(|account| account.owner_id == owner).unwrap().id
    }

    /// What every transfer of an account did to it, oldest first.
    fn changes(&self, account: Uuid) -> impl Iterator<Item = (Timestamp, i64)> {
        self.transfers.iter().filter_map(move |row| match account {
            id if id == row.debit_account_id => Some((row.posted_at, -row.amount_minor)),
            id if id == row.credit_account_id => Some((row.posted_at, row.amount_minor)),
            _ => None,
        })
    }

    fn balance_at(&self, account: Uuid, moment: Timestamp) -> i64 {
        self.changes(account).filter(|(at, _)| *at < moment).map(|(_, change)| change).sum()
    }

    fn held_at(&self, account: Uuid, moment: Timestamp) -> i64 {
        self.held.iter().filter(|(id, at, _)| *id == account && *at < moment).map(|(_, _, change)| change).sum()
    }
}

/// Midnight somewhere; where midnight comes twice, the first.
fn midnight(day: NaiveDate, zone: Tz) -> Timestamp {
    zone.from_local_datetime(&day.and_hms_opt(0, 0, 0).unwrap()).earliest().unwrap().to_utc()
}

/// Of how much money something is.
fn amount(money: &Value) -> i64 {
    money["amountMinor"].as_str().unwrap().parse().unwrap()
}

fn owner(id: &Value) -> Uuid {
    id.as_str().unwrap().split_once(':').unwrap().1.parse().unwrap()
}

fn moment(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

fn range(days: (NaiveDate, NaiveDate), zone: Tz) -> Value {
    json!({ "days": { "since": days.0.to_string(), "until": days.1.to_string() }, "timeZone": zone.name() })
}

/// All lines of the one statement of something, page by page.
async fn all_lines(by: &Asking, noun: &str, id: &Value, range: &Value, order: &str) -> Vec<Value> {
    let (mut lines, mut after) = (Vec::new(), Value::Null);
    loop {
        let question = format!(
            "query($id: ID!, $range: StatementRange!, $after: String) {{ {noun}(id: $id) {{ statement(range: $range) {{
             entries(first: 7, after: $after, orderBy: {order}) {{ {LINES} }} }} }} }}"
        );
        let mut answer = by.ask(&question, json!({ "id": id, "range": range, "after": after })).await;
        let mut page = answer[noun]["statement"][0]["entries"].take();
        lines.append(page["nodes"].as_array_mut().unwrap());
        if page["pageInfo"]["hasNextPage"] == json!(false) {
            assert_eq!(page["totalCount"], json!(lines.len()));
            return lines;
        }
        after = page["pageInfo"]["endCursor"].take();
    }
}

/// Money that moves at odd moments beside a busy week: top-ups, and a supplier that is paid in part.
async fn moving(app: &TestApp) -> Vec<BuyerId> {
    let (buyers, _) = busy_week(app).await;
    for (number, buyer) in buyers.iter().enumerate() {
        app.clock.advance(chrono::Duration::minutes(431));
        let (money, key) =
            (Money::new(5_000 + i64::try_from(number).unwrap(), Currency::EUR), format!("more {number}"));
        finance::top_up(app.store(), OPERATE, *buyer, money, &key, "more").await.unwrap();
    }
    let sources = app.app.market.refresh().await.unwrap();
    let mut suppliers: Vec<SupplierId> = sources.sources.values().map(|source| source.supplier_id).collect();
    suppliers.sort();
    for (number, supplier) in suppliers.into_iter().enumerate() {
        app.clock.advance(chrono::Duration::minutes(77));
        let (money, key) = (Money::new(333, Currency::EUR), format!("paid {number}"));
        finance::settle_supplier(app.store(), OPERATE, supplier, money, &key, "in part").await.unwrap();
    }
    buyers
}

/// Opening balance and every movement make the closing balance, whatever the days and the time zone, and all of it is what
/// the ledger says of that moment; the whole of it is the balance that is stored.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_the_ledger() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        moving(&app).await;
        let (finance, ledger) = (app.staff(Role::Finance).await, Ledger::read(&app).await);
        let mut dice = Dice(11);
        let mut moved = 0;
        for zone in ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Auckland"] {
            let zone: Tz = zone.parse().unwrap();
            for _ in 0..6 {
                let since = NaiveDate::from_ymd_opt(2026, 6, 28).unwrap() + Days::new(dice.below(16));
                let until = since + Days::new(dice.below(9));
                let range = range((since, until), zone);
                for noun in ["buyer", "supplier"] {
                    let question = format!(
                        "query($range: StatementRange!) {{ {noun}s(first: 3) {{ nodes {{ id statement(range: $range) {{
                         since until opening {{ amountMinor }} closing {{ amountMinor }}
                         totals {{ transferKind count change {{ amountMinor }} }}
                         entries(first: 60) {{ {LINES} }} }} }} }} }}"
                    );
                    let answer = finance.ask(&question, json!({ "range": range })).await;
                    for node in answer[format!("{noun}s")]["nodes"].as_array().unwrap() {
                        let (account, statement) = (ledger.account(owner(&node["id"])), &node["statement"][0]);
                        let (start, end) = (midnight(since, zone), midnight(until + Days::new(1), zone));
                        assert_eq!((moment(&statement["since"]), moment(&statement["until"])), (start, end));
                        let (opening, closing) = (minor(statement, "opening"), minor(statement, "closing"));
                        assert_eq!(opening, ledger.balance_at(account, start), "{noun} {since} {zone}");
                        assert_eq!(closing, ledger.balance_at(account, end), "{noun} {until} {zone}");
                        let totals: i64 =
                            statement["totals"].as_array().unwrap().iter().map(|total| minor(total, "change")).sum();
                        assert_eq!(opening + totals, closing);
                        let mut stands = opening;
                        for line in statement["entries"]["nodes"].as_array().unwrap() {
                            stands += minor(line, "change");
                            assert_eq!(stands, minor(line, "balance"));
                            assert!((start..end).contains(&moment(&line["at"])), "{line}");
                            moved += 1;
                        }
                        assert_eq!(stands, closing, "{statement}");
                    }
                }
            }
        }
        assert!(moved > 500, "{moved} movements were looked at");

        let everything = range(("2026-01-01".parse().unwrap(), "2026-12-31".parse().unwrap()), Tz::UTC);
        let question = "query($range: StatementRange!) { buyers(first: 9) { nodes { id wallets { balance { amountMinor } }
            statement(range: $range) { opening { amountMinor } closing { amountMinor } } } }
            suppliers(first: 9) { nodes { id owed { amountMinor } statement(range: $range) { closing { amountMinor } } } } }";
        let answer = finance.ask(question, json!({ "range": everything })).await;
        for node in answer["buyers"]["nodes"].as_array().unwrap() {
            let statement = &node["statement"][0];
            assert_eq!((minor(statement, "opening"), minor(statement, "closing")), (0, minor(&node["wallets"][0], "balance")));
        }
        for node in answer["suppliers"]["nodes"].as_array().unwrap() {
            assert_eq!(node["statement"][0]["closing"]["amountMinor"], node["owed"][0]["amountMinor"]);
            let lines = all_lines(&finance, "supplier", &node["id"], &everything, "OLDEST").await;
            let account = ledger.account(owner(&node["id"]));
            let told: Vec<(Timestamp, i64)> =
                lines.iter().map(|line| (moment(&line["at"]), minor(line, "change"))).collect();
            let mut booked: Vec<(Timestamp, i64)> = ledger.changes(account).collect();
            // Lines of one moment have no order that anybody could know.
            let (mut told, moments) = (told.clone(), told.iter().map(|(at, _)| *at).collect::<Vec<_>>());
            assert!(moments.is_sorted());
            told.sort_unstable();
            booked.sort_unstable();
            assert_eq!(told, booked);
            let mut newest = all_lines(&finance, "supplier", &node["id"], &everything, "NEWEST").await;
            newest.reverse();
            assert_eq!(newest, lines, "the same lines the other way round");
            let question = format!(
                "query($id: ID!, $range: StatementRange!, $before: String) {{ supplier(id: $id) {{ statement(range: $range) {{
                 entries(last: 5, before: $before) {{ {LINES} }} }} }} }}"
            );
            let (mut before, mut end) = (Value::Null, lines.len());
            for _ in 0..2 {
                let answer = finance.ask(&question, json!({ "id": node["id"], "range": everything, "before": before })).await;
                let page = &answer["supplier"]["statement"][0]["entries"];
                assert_eq!(page["nodes"].as_array().unwrap(), &lines[end - 5..end], "from the end on");
                assert_eq!((&page["pageInfo"]["hasPreviousPage"], &page["pageInfo"]["hasNextPage"]), (&json!(true), &json!(end < lines.len())));
                (before, end) = (page["pageInfo"]["startCursor"].clone(), end - 5);
            }
        }
        app.finish().await;
    })
    .await;
}

/// Money that is held shows as it comes and goes, without moving the balance; a hold says how it ended and what was posted.
#[tokio::test(flavor = "multi_thread")]
async fn holds_stand_in_the_statement() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("Asked", 100_000, vec![]).await;
        let hook = app.webhook(buyer, "/asked").await;
        let agreed = leadyard_types::ContractTerms { verdict: Verdict::Sync, destinations: vec![hook], ..terms(1_700) };
        app.contract(market.campaign_id, buyer, "asked", agreed).await;
        let client = app.client(&market.key);
        for (number, behaviour) in [
            Behaviour::Accept,
            Behaviour::Reject { reason: "no".into() },
            Behaviour::CloseAfterReading { times: 9 },
        ]
        .into_iter()
        .enumerate()
        {
            app.clock.advance(chrono::Duration::hours(5));
            app.receiver.program("/asked", behaviour);
            client.send_json("/v1/leads", &lead(number), None).await.unwrap();
            app.idle().await;
        }
        let (finance, user) = (app.staff(Role::Finance).await, app.buyer_user(buyer).await);
        let question = "{ holds(first: 9, orderBy: OLDEST) { totalCount nodes { id state amount { amountMinor } endedAt
            sale { state hold { id } transfers { kind } } transfers { kind amount { amountMinor } entries { account change { amountMinor } } }
            wallet { held { amountMinor } holds(first: 9, orderBy: OLDEST) { totalCount nodes { id } } } } } }";
        let told = finance.ask(question, json!({})).await["holds"].take();
        let states: Vec<&str> = told["nodes"].as_array().unwrap().iter().map(|node| node["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["POSTED", "VOIDED", "OPEN"], "{told}");
        let posted = &told["nodes"][0];
        assert_eq!((&posted["transfers"][0]["kind"], minor(&posted["transfers"][0], "amount")), (&json!("SALE"), 1_700));
        let sides = &posted["transfers"][0]["entries"];
        assert_eq!((&sides[0]["account"], minor(&sides[0], "change"), minor(&sides[1], "change")), (&json!("BUYER_WALLET"), -1_700, 1_700));
        assert_eq!((&told["nodes"][1]["transfers"], minor(&posted["wallet"], "held")), (&json!([]), 1_700));
        assert_eq!(posted["sale"]["hold"]["id"], posted["id"]);
        for (filter, found) in [("state: [OPEN]", 1), ("state: [OPEN, VOIDED]", 2), ("state: [POSTED]", 1)] {
            let question = format!("{{ holds(first: 9, filter: {{ {filter} }}) {{ totalCount }} }}");
            assert_eq!(finance.ask(&question, json!({})).await["holds"]["totalCount"], found, "{filter}");
        }
        // A buyer sees its own holds, and the sales of them that are final.
        let own = user.ask("{ holds(first: 9, orderBy: OLDEST) { nodes { state sale { id } } } }", json!({})).await;
        let sales: Vec<bool> = own["holds"]["nodes"].as_array().unwrap().iter().map(|node| node["sale"].is_object()).collect();
        assert_eq!(sales, [true, false, false]);

        let ledger = Ledger::read(&app).await;
        let account = ledger.account(buyer.0);
        let question = format!(
            "query($range: StatementRange!, $filter: StatementEntryFilter) {{ buyers(first: 1) {{ nodes {{
             statement(range: $range) {{ until openingHeld {{ amountMinor }} closingHeld {{ amountMinor }} closing {{ amountMinor }}
             entries(first: 50, filter: $filter) {{ {LINES} }}
             held: entries(first: 50, filter: $filter) {{ nodes {{ heldChange {{ amountMinor }} held {{ amountMinor }}
                 hold {{ state }} transfer {{ kind }} sale {{ id }} lead {{ id }} }} }} }} }} }} }}"
        );
        for zone in [Tz::UTC, Tz::Asia__Kathmandu, Tz::America__New_York] {
            let day = |text: &str| text.parse::<NaiveDate>().unwrap();
            for days in [("2026-07-01", "2026-07-01"), ("2026-07-01", "2026-07-02"), ("2026-07-02", "2026-07-03")] {
                let days = (day(days.0), day(days.1));
                let asked = json!({ "range": range(days, zone) });
                for by in [&finance, &user] {
                    let statement = by.ask(&question, asked.clone()).await["buyers"]["nodes"][0]["statement"][0].take();
                    let (start, end) = (midnight(days.0, zone), midnight(days.1 + Days::new(1), zone));
                    assert_eq!(minor(&statement, "openingHeld"), ledger.held_at(account, start));
                    assert_eq!(minor(&statement, "closingHeld"), ledger.held_at(account, end));
                    assert_eq!(minor(&statement, "closing"), ledger.balance_at(account, end));
                    let mut held = minor(&statement, "openingHeld");
                    for line in statement["held"]["nodes"].as_array().unwrap() {
                        held += minor(line, "heldChange");
                        assert_eq!(held, minor(line, "held"));
                        assert_ne!(line["hold"].is_null(), line["transfer"].is_null(), "one of them: {line}");
                    }
                    assert_eq!(held, minor(&statement, "closingHeld"));
                }
            }
        }
        let everything = range(("2026-01-01".parse().unwrap(), "2026-12-31".parse().unwrap()), Tz::UTC);
        for (filter, kinds) in [
            (json!(null), vec!["TRANSFER", "HOLD", "HOLD_POSTED", "TRANSFER", "HOLD", "HOLD_VOIDED", "HOLD"]),
            (json!({ "kind": ["HOLD", "HOLD_VOIDED"] }), vec!["HOLD", "HOLD", "HOLD_VOIDED", "HOLD"]),
            (json!({ "kind": ["TRANSFER", "HOLD_POSTED"] }), vec!["TRANSFER", "HOLD_POSTED", "TRANSFER"]),
            (json!({ "transferKind": ["SALE"] }), vec!["TRANSFER"]),
            (json!({ "kind": ["HOLD"], "transferKind": ["SALE"] }), vec![]),
        ] {
            let answer = finance.ask(&question, json!({ "range": everything, "filter": filter })).await;
            let entries = &answer["buyers"]["nodes"][0]["statement"][0]["entries"];
            let nodes = entries["nodes"].as_array().unwrap();
            let told: Vec<&str> = nodes.iter().map(|line| line["kind"].as_str().unwrap()).collect();
            assert_eq!((told, &entries["totalCount"]), (kinds.clone(), &json!(kinds.len())), "{filter}");
        }
        // The unknown one is settled, so that nothing is left behind.
        let sale = &finance.ask("{ sales(first: 1, filter: { state: [UNKNOWN] }) { nodes { id } } }", json!({})).await["sales"]["nodes"][0]["id"];
        let resolve = "mutation($input: SaleResolveUnknownInput!) { saleResolveUnknown(input: $input) { userErrors { code } } }";
        finance.ask(resolve, json!({ "input": { "saleId": sale, "accepted": true } })).await;
        let open = finance.ask("{ holds(first: 9, filter: { state: [OPEN] }) { totalCount } }", json!({})).await;
        assert_eq!(open["holds"]["totalCount"], 0);
        app.finish().await;
    })
    .await;
}

/// What a supplier is owed grows and shrinks piece by piece to what it is in the end, and is the ledger's at every seam.
#[tokio::test(flavor = "multi_thread")]
async fn payables_are_the_ledger() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        moving(&app).await;
        let ledger = Ledger::read(&app).await;
        let source = *app.app.market.refresh().await.unwrap().sources.keys().next().unwrap();
        let (finance, supplier) = (app.staff(Role::Finance).await, app.supplier_user(source).await);
        let question = "query($range: StatisticsRange!) { suppliers(first: 9) { nodes { id owed { amountMinor } payables(range: $range) {
            currency opening { amountMinor } total { ...F } points { start end figures { ...F } } } } } }
            fragment F on PayableFigures { payouts { amountMinor } clawbacks { amountMinor } settlements { amountMinor } other { amountMinor } closing { amountMinor } }";
        let parts = ["payouts", "clawbacks", "settlements", "other"];
        for (interval, zone) in [("DAY", "Europe/Berlin"), ("WEEK", "America/New_York"), ("MONTH", "Asia/Kathmandu"), ("HOUR", "UTC")] {
            let range = json!({ "range": { "days": { "since": "2026-07-03", "until": "2026-07-20" }, "interval": interval, "timeZone": zone } });
            let answer = finance.ask(question, range.clone()).await;
            for node in answer["suppliers"]["nodes"].as_array().unwrap() {
                let (account, payables) = (ledger.account(owner(&node["id"])), &node["payables"][0]);
                let points = payables["points"].as_array().unwrap();
                assert_eq!(minor(payables, "opening"), ledger.balance_at(account, moment(&points[0]["start"])));
                let mut owed = minor(payables, "opening");
                for point in points {
                    owed += parts.iter().map(|part| minor(&point["figures"], part)).sum::<i64>();
                    assert_eq!(owed, minor(&point["figures"], "closing"));
                    assert_eq!(owed, ledger.balance_at(account, moment(&point["end"])), "{interval} {zone}");
                }
                assert_eq!((owed, minor(&payables["total"], "closing")), (amount(&node["owed"][0]), owed));
                for part in parts {
                    let sum: i64 = points.iter().map(|point| minor(&point["figures"], part)).sum();
                    assert_eq!(sum, minor(&payables["total"], part), "{part}");
                }
                assert!(minor(&payables["total"], "payouts") > 0 && minor(&payables["total"], "settlements") == -333);
            }
            // A supplier reads the same of itself, and nothing of others.
            let own = supplier.ask(question, range).await;
            let nodes = own["suppliers"]["nodes"].as_array().unwrap();
            assert_eq!(nodes.len(), 1);
            assert!(answer["suppliers"]["nodes"].as_array().unwrap().contains(&nodes[0]));
        }
        app.finish().await;
    })
    .await;
}

/// Paying a supplier is booked once, never more than it is owed, and only by who moves money.
#[tokio::test(flavor = "multi_thread")]
async fn suppliers_are_paid_once() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        moving(&app).await;
        let finance = app.staff(Role::Finance).await;
        let settle = "mutation($input: SupplierSettleInput!) { supplierSettle(input: $input) { moved supplier { owed { amountMinor } } userErrors { code field } } }";
        let node = finance.ask("{ suppliers(first: 1) { nodes { id owed { amountMinor } } } }", json!({})).await["suppliers"]["nodes"][0].take();
        let owed = amount(&node["owed"][0]);
        let input = |amount: i64, key: &str, currency: &str| {
            json!({ "input": { "supplierId": node["id"], "amountMinor": amount, "currency": currency, "idempotencyKey": key } })
        };
        for moved in [true, false] {
            let done = finance.ask(settle, input(100, "once", "EUR")).await["supplierSettle"].take();
            assert_eq!((&done["moved"], &done["supplier"]["owed"][0]["amountMinor"]), (&json!(moved), &json!((owed - 100).to_string())));
        }
        for (amount, key, currency, code, field) in [
            (owed, "more", "EUR", "MORE_THAN_OWED", "amountMinor"),
            (1, "other", "USD", "MORE_THAN_OWED", "amountMinor"),
            (0, "none", "EUR", "OUT_OF_RANGE", "amountMinor"),
            (200, "once", "EUR", "IDEMPOTENCY_KEY_REUSED", "idempotencyKey"),
            (1, "x", "EURO", "INVALID_CURRENCY", "currency"),
        ] {
            let done = finance.ask(settle, input(amount, key, currency)).await["supplierSettle"].take();
            assert_eq!(done["userErrors"], json!([{ "code": code, "field": ["input", field] }]), "{done}");
        }
        let manager = app.staff(Role::Manager).await.raw(settle, input(1, "m", "EUR")).await;
        assert_eq!(manager["errors"][0]["extensions"]["code"], "FORBIDDEN");
        app.finish().await;
    })
    .await;
}

/// Transfers are found by who they are about, by wallet, kind and time; both sides of each add up to zero.
#[tokio::test(flavor = "multi_thread")]
async fn transfers_are_found() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let buyers = moving(&app).await;
        let (finance, ledger) = (app.staff(Role::Finance).await, Ledger::read(&app).await);
        let wallet = format!("Wallet:{}", ledger.account(buyers[0].0));
        let count = async |filter: Value| {
            let question = "query($filter: TransferFilter) { transfers(first: 100, filter: $filter) { totalCount nodes {
                kind day postedBy { role } buyer { name } lead { id } entries { account wallet { id } supplier { id } change { amountMinor } } } } }";
            let mut answer = finance.ask(question, json!({ "filter": filter })).await;
            for node in answer["transfers"]["nodes"].as_array().unwrap() {
                let sides = node["entries"].as_array().unwrap();
                assert_eq!((sides.len(), sides.iter().map(|side| minor(side, "change")).sum::<i64>()), (2, 0), "{node}");
            }
            (answer["transfers"]["totalCount"].as_u64().unwrap(), answer["transfers"].take())
        };
        let counted = |fits: &dyn Fn(&ledger_transfer::Model) -> bool| ledger.transfers.iter().filter(|row| fits(row)).count() as u64;
        assert_eq!(count(json!({})).await.0, counted(&|_| true));
        let touches = |row: &ledger_transfer::Model| {
            let account = ledger.account(buyers[0].0);
            row.debit_account_id == account || row.credit_account_id == account
        };
        assert_eq!(count(json!({ "walletIds": [wallet] })).await.0, counted(&touches));
        let sales = |row: &ledger_transfer::Model| touches(row) && row.kind == "SALE";
        assert_eq!(count(json!({ "walletIds": [wallet], "kind": ["SALE"] })).await.0, counted(&sales));
        let of_buyer = |row: &ledger_transfer::Model| row.buyer_id == Some(buyers[1].0);
        assert_eq!(count(json!({ "buyerIds": [format!("Buyer:{}", buyers[1])] })).await.0, counted(&of_buyer));
        let since: Timestamp = "2026-07-04T00:00:00Z".parse().unwrap();
        assert_eq!(count(json!({ "postedSince": since })).await.0, counted(&|row| row.posted_at >= since));
        let by_hand = count(json!({ "kind": ["MANUAL_CREDIT"] })).await.1;
        assert_eq!(by_hand["nodes"][0]["postedBy"]["role"], "FINANCE");
        for role in [Role::Manager, Role::Analyst] {
            let refused = app.staff(role).await.raw("{ transfers(first: 1) { totalCount } }", json!({})).await;
            assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN", "{role}");
        }
        app.finish().await;
    })
    .await;
}

/// Statements are for the buyer itself and for finance; others' are as if they were not there, and wrong ranges are told.
#[tokio::test(flavor = "multi_thread")]
async fn statements_are_for_their_owners() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let buyers = moving(&app).await;
        let (user, manager) = (app.buyer_user(buyers[0]).await, app.staff(Role::Manager).await);
        let asked = |days: (&str, &str), zone: &str| {
            json!({ "range": { "days": { "since": days.0, "until": days.1 }, "timeZone": zone } })
        };
        let question = "query($range: StatementRange!) { buyers(first: 9) { nodes { id statement(range: $range) {
            closing { amountMinor } entries(first: 3) { nodes { lead { id } sale { id } transfer { id } memo } } } } } }";
        let july = asked(("2026-07-01", "2026-07-31"), "UTC");
        let own = user.ask(question, july.clone()).await;
        assert_eq!(own["buyers"]["nodes"].as_array().unwrap().len(), 1);
        let code = |answer: Value| answer["errors"][0]["extensions"]["code"].clone();
        assert_eq!(code(manager.raw(question, july.clone()).await), "FORBIDDEN");
        let source = *app.app.market.refresh().await.unwrap().sources.keys().next().unwrap();
        let supplier = app.supplier_user(source).await;
        let held = "query($range: StatementRange!) { suppliers(first: 9) { nodes { statement(range: $range) { openingHeld { amountMinor } } } } }";
        assert_eq!(code(supplier.raw(held, july).await), "FORBIDDEN");
        for (days, zone, expected) in [
            (("2026-07-02", "2026-07-01"), "UTC", "RANGE_INVALID"),
            (("2026-07-01", "2026-07-01"), "Mars/Olympus", "BAD_USER_INPUT"),
        ] {
            assert_eq!(code(user.raw(question, asked(days, zone)).await), expected);
        }
        let all = "query($range: StatementRange!) { buyers(first: 9) { nodes { statement(range: $range) { closing { amountMinor } entries(first: 1) { totalCount } } } } }";
        let whole = user.ask(all, asked(("2026-01-01", "2027-01-01"), "UTC")).await;
        let some = user.ask(all, asked(("2026-06-01", "2026-12-31"), "UTC")).await;
        assert_eq!(whole, some, "a leap year's days at once");
        for days in [("2026-01-01", "2027-01-02"), ("0001-01-01", "9999-12-31")] {
            assert_eq!(code(user.raw(all, asked(days, "UTC")).await), "RANGE_INVALID");
        }
        let cursor = "query($range: StatementRange!) { buyers(first: 1) { nodes { statement(range: $range) { entries(first: 1, after: \"00000000000000000000000000000007n5\") { totalCount } } } } }";
        assert_eq!(code(user.raw(cursor, asked(("2026-07-01", "2026-07-01"), "UTC")).await), "CURSOR_INVALID");
        app.finish().await;
    })
    .await;
}

/// Statements over many different days are asked for in several requests: each is a sum over a history of its own. How
/// many accounts and pages are asked for, and how often the same days, does not matter.
#[tokio::test(flavor = "multi_thread")]
async fn statements_over_few_periods_are_worked_out_together() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        moving(&app).await;
        let finance = app.staff(Role::Finance).await;
        let asked = |days: std::ops::RangeInclusive<u32>, zone: &str| {
            let one = |day: u32| {
                format!(
                    "d{day}: statement(range: {{ days: {{ since: \"2026-07-{day:02}\", until: \"2026-07-{day:02}\" }}, timeZone: \"{zone}\" }})
                     {{ closing {{ amountMinor }} }} "
                )
            };
            days.map(one).collect::<String>()
        };
        let of = |buyers: &str, suppliers: &str| {
            format!("{{ buyers(first: 2) {{ nodes {{ {buyers} }} }} suppliers(first: 1) {{ nodes {{ id {suppliers} }} }} }}")
        };
        let (twelve, six) = (asked(1..=12, "UTC"), asked(7..=12, "UTC"));
        for (question, fits) in [
            (of(&twelve, &six), true),
            (of(&asked(1..=13, "UTC"), ""), false),
            (of(&twelve, &asked(13..=13, "UTC")), false),
            (of(&asked(1..=6, "UTC"), &asked(1..=6, "Asia/Kathmandu")), true),
            (of(&asked(1..=7, "UTC"), &asked(1..=7, "Asia/Kathmandu")), false),
        ] {
            let answer = finance.raw(&question, json!({})).await;
            let expected = if fits { Value::Null } else { json!("TOO_MANY_PERIODS") };
            assert_eq!(answer["errors"][0]["extensions"]["code"], expected, "{question}: {answer}");
        }
        app.finish().await;
    })
    .await;
}

/// The statements of many cost as many statements of the database as that of one.
#[tokio::test(flavor = "multi_thread")]
async fn statements_of_many_are_read_together() {
    on_both(async |database| {
        let mut app = TestApp::start(database).await;
        moving(&app).await;
        let finance = app.staff(Role::Finance).await;
        app.rest().await;
        let of_buyers = "query($n: Int!, $range: StatementRange!) {
            buyers(first: $n) { nodes { statement(range: $range) { closing { amountMinor } totals { count }
                entries(first: 20) { totalCount nodes { sale { id } lead { id } transfer { entries { account wallet { id } } }
                    hold { state transfers { id } } } } } } } }";
        let of_suppliers = "query($n: Int!, $range: StatementRange!, $pieces: StatisticsRange!) {
            suppliers(first: $n) { nodes { statement(range: $range) { closing { amountMinor } entries(first: 20) { nodes { at } } }
                payables(range: $pieces) { total { closing { amountMinor } } } } } }";
        let days = json!({ "since": "2026-07-01", "until": "2026-07-31" });
        for (noun, question, most) in [("buyers", of_buyers, 3), ("suppliers", of_suppliers, 2)] {
            let mut counts = Vec::new();
            for n in [1, most, 1, most] {
                let mut variables = json!({ "n": n, "range": { "days": days, "timeZone": "UTC" } });
                if noun == "suppliers" {
                    variables["pieces"] = json!({ "days": days });
                }
                let before = app.store().statements();
                let answer = finance.ask(question, variables).await;
                counts.push(app.store().statements() - before);
                assert_eq!(answer[noun]["nodes"].as_array().unwrap().len(), n);
            }
            assert!(counts.iter().all(|count| *count == counts[0]), "{noun} {counts:?}");
        }
        app.work();
        app.finish().await;
    })
    .await;
}
