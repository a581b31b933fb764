//! What a buyer sets on its contract by itself: within the operator's bounds, at once, and never anybody else's.

use leadyard::http::server::Server;
use leadyard_connectors::LeadSender;
use leadyard_market::explain::DecisionExplained;
use leadyard_tests::market::{Selling, TestMarket, daily, lead, terms};
use leadyard_tests::{OPERATE, TestApp, TestDatabase, on_both};
use leadyard_types::{
    AuctionTerms, BuyerBounds, BuyerId, BuyerSettings, ContractId, ContractTerms, LeadId, Method, PriceBounds, Role,
    Status,
};
use serde_json::{Value, json};

use crate::people::{Asking, People};

const CONTRACT: &str = "contract { version status
    bounds { price { min { amountMinor } max { amountMinor } step { amountMinor } } caps { period count } filterKeys pause }
    ownSettings { price { amountMinor } caps { period count } filter schedule { timeZone } paused }
    effective { price { amountMinor } caps { period count } filter paused } }
    userErrors { code field message }";

/// Does one thing with a contract.
async fn act(by: &Asking, what: &str, contract: ContractId, more: Value) -> Value {
    let mut answer = by.ask(&question(what), json!({ "input": input(&format!("Contract:{contract}"), more) })).await;
    answer[what].take()
}

fn question(what: &str) -> String {
    let (first, rest) = what.split_at(1);
    let input = format!("{}{rest}Input", first.to_uppercase());
    format!("mutation($input: {input}!) {{ {what}(input: $input) {{ {CONTRACT} }} }}")
}

fn input(contract: &str, more: Value) -> Value {
    let mut input = more;
    input["contractId"] = json!(contract);
    input
}

/// The problems: code, path and what would be right.
fn problems(answer: &Value) -> Vec<String> {
    assert!(answer["contract"].is_null(), "{answer}");
    let told = |error: &Value| {
        let path: Vec<&str> = error["field"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        format!("{} {}: {}", error["code"].as_str().unwrap(), path.join("."), error["message"].as_str().unwrap())
    };
    answer["userErrors"].as_array().unwrap().iter().map(told).collect()
}

fn done(answer: &Value) -> &Value {
    assert_eq!(answer["userErrors"], json!([]), "{answer}");
    &answer["contract"]
}

fn everything() -> Value {
    json!({
        "price": { "minMinor": 500, "maxMinor": "3000", "stepMinor": 50 },
        "caps": [{ "period": "DAY", "count": 20 }, { "period": "WEEK", "count": 100 }],
        "filterKeys": ["postal_code", "size"],
        "schedule": true,
        "pause": true,
    })
}

/// A campaign with a buyer whose contract is open to it.
async fn open_contract(app: &TestApp, market: &TestMarket, agreed: ContractTerms) -> (BuyerId, ContractId) {
    let buyer = app.buyer("Bidder", 100_000, vec![]).await;
    let contract = app.contract(market.campaign_id, buyer, "open", agreed).await;
    let admin = app.staff(Role::Admin).await;
    done(&act(&admin, "contractBoundsSet", contract, json!({ "bounds": everything() })).await);
    (buyer, contract)
}

async fn send(client: &LeadSender, number: usize) -> LeadId {
    let (_, answer) = client.send_json("/v1/leads", &lead(number), None).await.unwrap();
    answer["lead_id"].as_str().unwrap().parse().unwrap()
}

async fn decision(app: &TestApp, lead: LeadId) -> DecisionExplained {
    // It may have been placed by another process.
    app.app.market.refresh().await.unwrap();
    app.app.market.explain(lead).await.unwrap().unwrap().decisions.pop().unwrap()
}

/// Why a contract did not buy; empty if it bought.
async fn refused(app: &TestApp, lead: LeadId, contract: &str) -> String {
    let decision = decision(app, lead).await;
    let entry = decision.contracts.iter().find(|entry| entry.contract == contract).unwrap();
    entry.verdict.refusal.as_ref().map(|refusal| refusal.message.clone()).unwrap_or_default()
}

async fn audited(app: &TestApp, action: &str, detail: &str) -> i64 {
    let sql = format!(
        "SELECT COUNT(*) AS figure FROM audit WHERE noun = 'contract' AND actor LIKE 'user:%' AND action = '{action}'
         AND detail LIKE '%{detail}%'"
    );
    figure(app, &sql).await
}

async fn figure(app: &TestApp, sql: &str) -> i64 {
    app.store().read(OPERATE).figure(sql).await.unwrap()
}

async fn nothing_differs(app: &TestApp) {
    let verified = app.app.market.verify_all(|_| {}).await.unwrap();
    assert_eq!((verified.differing, &verified.differences), (0, &Vec::new()));
    assert!(verified.checked > 0);
}

/// A buyer's bid decides the very next lead, in every process; what is out of bounds is refused with what would be right;
/// bounds that are tightened move it; the audit has who, before and after; and every decision can be made again.
#[tokio::test(flavor = "multi_thread")]
async fn a_bid_acts_on_the_next_lead_in_every_process() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let auction = Some(AuctionTerms::default());
        let market = app.market(Selling { method: Method::Auction, auction, ..Selling::default() }).await;
        let other = app.another_process(None).await;
        let server =
            Server::start("127.0.0.1:0".parse().unwrap(), other.router(app.policy.clone(), true).unwrap()).await.unwrap();
        let there = LeadSender::new(&format!("http://{}", server.address), Some(market.key.clone().into())).unwrap();
        let here = app.client(&market.key);

        let rival = app.buyer("Rival", 100_000, vec![]).await;
        app.contract(market.campaign_id, rival, "fixed", terms(1_200)).await;
        let buyer = app.buyer("Bidder", 100_000, vec![]).await;
        let contract = app.contract(market.campaign_id, buyer, "open", terms(1_000)).await;
        let (admin, user) = (app.staff(Role::Admin).await, app.buyer_user(buyer).await);
        let bid = async |price: i64| act(&user, "contractBidSet", contract, json!({ "priceMinor": price })).await;

        assert_eq!(
            problems(&bid(1_500).await),
            ["NOT_ALLOWED input.priceMinor: the operator does not let the price be set by the buyer"]
        );
        let below = json!({ "bounds": { "price": { "minMinor": 99, "maxMinor": 3000 } } });
        assert_eq!(
            problems(&act(&admin, "contractBoundsSet", contract, below).await),
            ["OUT_OF_RANGE input.bounds.price.minMinor: 100 (the campaign's floor) to 1000000000 minor units are expected"]
        );
        let set = act(&admin, "contractBoundsSet", contract, json!({ "bounds": everything(), "version": 1 })).await;
        assert_eq!((&done(&set)["version"], &set["contract"]["bounds"]["price"]["step"]["amountMinor"]), (&json!(2), &json!("50")));

        assert_eq!(refused(&app, send(&there, 1).await, "fixed").await, "", "at 1000 it loses");
        for (price, code) in [(3_050, "OUT_OF_RANGE"), (450, "OUT_OF_RANGE"), (1_510, "STEP")] {
            let right = "500 to 3000 minor units are expected, counted from 500 in steps of 50";
            assert_eq!(problems(&bid(price).await), [format!("{code} input.priceMinor: {right}")]);
        }
        let set = bid(1_500).await;
        assert_eq!(done(&set)["effective"]["price"]["amountMinor"], "1500");
        let won = send(&there, 2).await;
        assert_eq!(refused(&app, won, "open").await, "", "its bid wins, in a process that knew nothing of it");
        let decided = decision(&app, won).await;
        let winner = decided.contracts.iter().find(|entry| entry.contract == "open").unwrap();
        assert_eq!(
            (winner.verdict.price_minor, winner.verdict.price_rule.as_deref()),
            (1_500, Some("the buyer's own price"))
        );
        assert_eq!(audited(&app, "set_bid", "\"after\":1500,\"before\":null").await, 1);
        assert_eq!(audited(&app, "set_bounds", "\"max_minor\":3000").await, 1);

        let mut tighter = everything();
        tighter["price"]["maxMinor"] = json!(1_250);
        let set = act(&admin, "contractBoundsSet", contract, json!({ "bounds": tighter })).await;
        let (own, held) = (&done(&set)["ownSettings"]["price"]["amountMinor"], &set["contract"]["effective"]["price"]["amountMinor"]);
        assert_eq!((own, held), (&json!("1500"), &json!("1250")), "what it set stays; what holds is the nearest allowed");
        let lead = send(&here, 3).await;
        assert_eq!(figure(&app, "SELECT MAX(price_minor) AS figure FROM sale WHERE price_minor < 1500").await, 1_250);
        assert_eq!(refused(&app, lead, "open").await, "");
        let set = act(&user, "contractBidSet", contract, json!({ "priceMinor": null })).await;
        assert_eq!(done(&set)["effective"]["price"]["amountMinor"], "1000", "the contract's price again");
        assert_eq!(refused(&app, send(&there, 4).await, "fixed").await, "");
        nothing_differs(&app).await;
        server.shutdown().await;
        other.stop().await;
        app.finish().await;
    })
    .await;
}

/// A buyer's filter, caps, hours and pause only narrow; explanations say whose they are; and neither its resuming nor
/// anything else lifts what the operator set.
#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_narrows_its_contract_and_widens_nothing() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let (buyer, contract) =
            open_contract(&app, &market, ContractTerms { caps: vec![daily(8)], ..terms(1_000) }).await;
        let user = app.buyer_user(buyer).await;
        let client = app.client(&market.key);

        let filter = |filter: Value| json!({ "filter": filter });
        let elsewhere = json!({ "not": { "postalPrefixes": ["101"] } });
        let set = act(&user, "contractFilterSet", contract, filter(elsewhere.clone())).await;
        assert_eq!(
            (&done(&set)["ownSettings"]["filter"], &set["contract"]["effective"]["filter"]),
            (&elsewhere, &elsewhere)
        );
        let message = refused(&app, send(&client, 1).await, "open").await;
        assert!(message.starts_with("the buyer's own filter: postal code must be not"), "{message}");
        let spying = json!({ "all": [{ "postalPrefixes": ["1"] },
            { "any": [{ "equals": { "field": "email", "value": "person2@mail.example.com" } }] }] });
        assert_eq!(
            problems(&act(&user, "contractFilterSet", contract, filter(spying)).await),
            ["NOT_ALLOWED input.filter.all.1.any.0: a filter by postal_code, size is expected, not by email"]
        );
        let broken = json!({ "any": [{ "range": { "field": "size", "min": "x" } }] });
        let told = problems(&act(&user, "contractFilterSet", contract, filter(broken)).await);
        assert!(told[0].contains("input.filter.any.0"), "{told:?}");
        done(&act(&user, "contractFilterSet", contract, json!({})).await);
        assert_eq!(refused(&app, send(&client, 2).await, "open").await, "");

        let caps = |count: u32| json!({ "caps": [{ "period": "DAY", "count": count }] });
        assert_eq!(
            problems(&act(&user, "contractCapsSet", contract, caps(9)).await),
            ["OUT_OF_RANGE input.caps.0.count: at most 8 is expected"]
        );
        done(&act(&user, "contractCapsSet", contract, caps(3)).await);
        for number in [3, 12] {
            assert_eq!(refused(&app, send(&client, number).await, "open").await, "", "one sold before, two more fit");
        }
        assert_eq!(
            refused(&app, send(&client, 4).await, "open").await,
            "the buyer's own cap on the contract is reached"
        );
        assert_eq!(audited(&app, "set_caps", "\"count\":3").await, 1);
        let weekly = json!({ "caps": [{ "period": "WEEK", "count": 4 }] });
        done(&act(&user, "contractCapsSet", contract, weekly).await);
        assert_eq!(refused(&app, send(&client, 10).await, "open").await, "", "three sold this week, a fourth fits");
        assert_eq!(
            refused(&app, send(&client, 11).await, "open").await,
            "the buyer's own cap on the contract is reached",
            "a period that only the buyer caps is counted too"
        );
        done(&act(&user, "contractCapsSet", contract, json!({ "caps": [] })).await);

        let never = json!({ "schedule": { "timeZone": "Europe/Berlin", "windows": [] } });
        let told = problems(
            &act(
                &user,
                "contractScheduleSet",
                contract,
                json!({ "schedule":
            { "timeZone": "Europe/Berlin", "windows": [{ "weekday": "MONDAY", "from": "9:00", "to": "24:00" }] } }),
            )
            .await,
        );
        assert_eq!(told, ["FORMAT input.schedule.windows.0.from: a time from 00:00 to 24:00 is expected"]);
        done(&act(&user, "contractScheduleSet", contract, never).await);
        assert_eq!(refused(&app, send(&client, 5).await, "open").await, "outside the buyer's own hours");
        done(&act(&user, "contractScheduleSet", contract, json!({})).await);

        let set = act(&user, "contractPause", contract, json!({})).await;
        let version = done(&set)["version"].as_i64().unwrap();
        assert_eq!(
            (&set["contract"]["status"], &set["contract"]["effective"]["paused"]),
            (&json!("ACTIVE"), &json!(true))
        );
        assert_eq!(refused(&app, send(&client, 6).await, "open").await, "the buyer paused the contract itself");
        let again = act(&user, "contractPause", contract, json!({})).await;
        assert_eq!(done(&again)["version"], version, "what changes nothing writes nothing");
        app.setup().set_contract_status(contract, version, Status::Paused).await.unwrap();
        let set = act(&user, "contractResume", contract, json!({})).await;
        assert_eq!((&done(&set)["status"], &set["contract"]["effective"]["paused"]), (&json!("PAUSED"), &json!(false)));
        assert_eq!(refused(&app, send(&client, 7).await, "open").await, "the contract does not buy at the moment");
        app.setup().set_contract_status(contract, version + 2, Status::Active).await.unwrap();
        assert_eq!(refused(&app, send(&client, 8).await, "open").await, "");
        assert_eq!(
            (audited(&app, "pause", "\"after\":true").await, audited(&app, "resume", "\"after\":false").await),
            (1, 1)
        );

        // Bounds that are taken back take everything back.
        done(&act(&user, "contractPause", contract, json!({})).await);
        let manager = app.staff(Role::Manager).await;
        let set = act(&manager, "contractBoundsSet", contract, json!({})).await;
        assert_eq!((&done(&set)["bounds"], &set["contract"]["effective"]["paused"]), (&Value::Null, &json!(false)));
        assert_eq!(refused(&app, send(&client, 9).await, "open").await, "");
        app.setup().set_contract_status(contract, version + 5, Status::Archived).await.unwrap();
        let told = problems(&act(&user, "contractResume", contract, json!({})).await);
        assert_eq!(told, ["ENDED input.contractId: the contract has ended; nothing is set on it any more"]);
        nothing_differs(&app).await;
        app.finish().await;
    })
    .await;
}

/// For a buyer the contracts of others are contracts that do not exist, byte for byte; bounds are for those who run the
/// market, and settings for the buyer alone.
#[tokio::test(flavor = "multi_thread")]
async fn others_contracts_do_not_exist() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let (buyer, contract) = open_contract(&app, &market, terms(1_000)).await;
        let stranger = app.buyer("Stranger", 0, vec![]).await;
        let (owner, stranger) = (app.buyer_user(buyer).await, app.buyer_user(stranger).await);
        let (theirs, absent) = (format!("Contract:{contract}"), "Contract:00000000-0000-0000-0000-000000000001");
        let before = figure(&app, "SELECT value AS figure FROM market_state WHERE name = 'config_version'").await;
        let changes = [
            ("contractBidSet", json!({ "priceMinor": 1500 })),
            ("contractBidSet", json!({ "priceMinor": 1 })),
            ("contractCapsSet", json!({ "caps": [] })),
            ("contractFilterSet", json!({ "version": 77 })),
            ("contractScheduleSet", json!({})),
            ("contractPause", json!({})),
            ("contractResume", json!({ "version": -1 })),
        ];
        for (what, more) in changes {
            let foreign = stranger.text(&question(what), json!({ "input": input(&theirs, more.clone()) })).await;
            let none = stranger.text(&question(what), json!({ "input": input(absent, more.clone()) })).await;
            assert_eq!(foreign, none);
            assert!(foreign.contains("NOT_FOUND"), "{foreign}");
            for role in [Role::Admin, Role::Manager, Role::Finance, Role::Analyst] {
                let answer =
                    app.staff(role).await.raw(&question(what), json!({ "input": input(&theirs, more.clone()) })).await;
                assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{role} {what}: {answer}");
            }
        }
        let bounds = json!({ "input": input(&theirs, json!({ "bounds": everything() })) });
        for by in [&owner, &stranger, &app.staff(Role::Finance).await, &app.staff(Role::Analyst).await] {
            let answer = by.raw(&question("contractBoundsSet"), bounds.clone()).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{answer}");
        }
        let after = figure(&app, "SELECT value AS figure FROM market_state WHERE name = 'config_version'").await;
        assert_eq!(before, after, "asking about others' contracts makes no process reload anything");
        app.finish().await;
    })
    .await;
}

/// Sixteen at once: of those that name the version they were decided by one is made, of the others all, each upon the one
/// before; what one sets the other does not undo.
#[tokio::test(flavor = "multi_thread")]
async fn no_change_is_lost() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let (buyer, contract) = open_contract(&app, &market, terms(1_000)).await;
        let user = app.buyer_user(buyer).await;
        let changes = (0..16).map(|number: i64| {
            let input = json!({ "priceMinor": 500 + 50 * number, "version": 2 });
            act(&user, "contractBidSet", contract, input)
        });
        let answers = futures_util::future::join_all(changes).await;
        let made: Vec<&Value> = answers.iter().filter(|answer| answer["contract"].is_object()).collect();
        assert_eq!(made.len(), 1, "{answers:?}");
        for answer in answers.iter().filter(|answer| answer["contract"].is_null()) {
            assert_eq!(
                problems(answer),
                ["STALE_VERSION input.version: it was changed meanwhile: read version 3 and decide again"]
            );
        }
        let changes = (0..16).map(|number: u32| {
            let user = &user;
            async move {
                if number.is_multiple_of(2) {
                    act(user, "contractBidSet", contract, json!({ "priceMinor": 2_000 + 50 * i64::from(number) })).await
                } else {
                    let caps = json!({ "caps": [{ "period": "DAY", "count": number }] });
                    act(user, "contractCapsSet", contract, caps).await
                }
            }
        });
        let answers = futures_util::future::join_all(changes).await;
        let mut versions: Vec<i64> = answers.iter().map(|answer| done(answer)["version"].as_i64().unwrap()).collect();
        versions.sort_unstable();
        assert_eq!(*versions.last().unwrap(), 3 + 16, "every change is a revision of its own");
        let last = act(&user, "contractPause", contract, json!({ "version": 19 })).await;
        let own = &done(&last)["ownSettings"];
        let price: i64 = own["price"]["amountMinor"].as_str().unwrap().parse().unwrap();
        assert!(price >= 2_000 && own["caps"][0]["count"].as_i64().unwrap() % 2 == 1 && own["paused"] == true, "{own}");
        let sum = audited(&app, "set_bid", "").await + audited(&app, "set_caps", "").await;
        assert_eq!(sum, 17);
        app.finish().await;
    })
    .await;
}

/// Settings that came with a contract by another door (a file, the demo) go by the same rule.
#[tokio::test(flavor = "multi_thread")]
async fn settings_of_another_door_go_by_the_same_rule() {
    let app = TestApp::start(TestDatabase::sqlite()).await;
    let market = app.market(Selling::default()).await;
    let price = Some(PriceBounds { min_minor: 500, max_minor: 900, step_minor: 1 });
    let agreed = ContractTerms {
        buyer_bounds: Some(BuyerBounds { price, ..BuyerBounds::default() }),
        buyer_settings: BuyerSettings { price_minor: Some(2_000), paused: true, ..BuyerSettings::default() },
        ..terms(1_000)
    };
    let buyer = app.buyer("Buyer", 10_000, vec![]).await;
    app.contract(market.campaign_id, buyer, "all", agreed).await;
    send(&app.client(&market.key), 1).await;
    assert_eq!(figure(&app, "SELECT price_minor AS figure FROM sale").await, 900);
    nothing_differs(&app).await;
    app.finish().await;
}

/// How a contract stands says what the buyer's own settings do, as placement goes by them.
#[tokio::test(flavor = "multi_thread")]
async fn standing_tells_of_the_buyers_own_settings() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let (buyer, contract) = open_contract(&app, &market, terms(1_000)).await;
        let user = app.buyer_user(buyer).await;
        let client = app.client(&market.key);
        let verdict = async || {
            app.app.market.refresh().await.unwrap();
            app.app.market.standing(buyer, 100).await.unwrap().unwrap().contracts.remove(0)
        };
        send(&client, 1).await;
        done(&act(&user, "contractCapsSet", contract, json!({ "caps": [{ "period": "WEEK", "count": 1 }] })).await);
        send(&client, 2).await;
        done(&act(&user, "contractBidSet", contract, json!({ "priceMinor": 1_500 })).await);
        let stands = verdict().await;
        assert!(stands.verdict.starts_with("The buyer's own cap per week is used up (1 of 1)."), "{}", stands.verdict);
        assert_eq!((stands.price.unwrap().amount_minor, stands.caps[0].owner.as_str()), (1_500, "own"));
        done(&act(&user, "contractCapsSet", contract, json!({ "caps": [] })).await);
        let nobody = json!({ "filter": { "postalPrefixes": ["9"] } });
        done(&act(&user, "contractFilterSet", contract, nobody).await);
        let stands = verdict().await;
        assert!(stands.last.missed[0].condition.starts_with("the buyer's own filter: "), "{:?}", stands.last);
        let never = json!({ "schedule": { "timeZone": "UTC", "windows": [] } });
        done(&act(&user, "contractScheduleSet", contract, never).await);
        assert_eq!((verdict().await.obstacle.as_str(), verdict().await.open_now), ("HOURS", false));
        done(&act(&user, "contractPause", contract, json!({})).await);
        assert!(verdict().await.verdict.starts_with("The buyer paused the contract itself."));
        nothing_differs(&app).await;
        app.finish().await;
    })
    .await;
}
