//! Who covers what, and what stands in a buyer's way: against real leads, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

#[path = "graphql/people.rs"]
#[allow(dead_code, reason = "what questions about leads need is not all needed here")]
mod people;

use std::io::Cursor;

use leadyard_market::import::import_postal_codes;
use leadyard_market::standing::ContractStanding;
use leadyard_market::territory::{Territory, TerritoryError, TerritoryQuestion};
use leadyard_tests::market::{Selling, TestMarket, daily, lead, terms};
use leadyard_tests::{OPERATE, TestApp, TestDatabase};
use leadyard_types::{
    AuctionTerms, BuyerId, Cap, CapPeriod, Check, ContractTerms, FieldValue, Filter, LeadId, Method, Role, Schedule,
    Status,
};
use people::People;
use serde_json::{Value, json};

/// Three codes of Berlin, two of Potsdam, two of Dresden, one of Hamburg.
const CODES: &str = "country\tpostal_code\tplace\tstate\tstate_code\tlatitude\tlongitude
DE\t10115\tBerlin\tBerlin\t16\t52.5323\t13.3846
DE\t10117\tBerlin\tBerlin\t16\t52.5170\t13.3872
DE\t10119\tBerlin\tBerlin\tBE\t52.5305\t13.4053
DE\t14467\tPotsdam\tBrandenburg\t11\t52.4009\t13.0591
DE\t14469\tPotsdam\tBrandenburg\t11\t52.4149\t13.0297
DE\t01067\tDresden\tSaxony\t13\t51.0600\t13.7211
DE\t01069\tDresden\tSachsen\tSN\t51.0400\t13.7400
DE\t20095\tHamburg\tHamburg\t04\t53.5511\t10.0006
";

async fn bring_in_codes(app: &TestApp) {
    let summary = import_postal_codes(app.store(), OPERATE, Cursor::new(CODES), &mut Vec::new(), &mut ()).await;
    summary.unwrap();
}

fn states(states: &[&str]) -> Filter {
    Filter::States { states: states.iter().map(|&state| state.into()).collect() }
}

/// Eastern states; a circle around Berlin for larger ones only; Hamburg, set aside.
async fn market(app: &TestApp) -> TestMarket {
    bring_in_codes(app).await;
    let market = app.market(Selling::default()).await;
    let large = Filter::Range { field: "size".into(), min: Some(FieldValue::Integer(5)), max: None };
    let circle = Filter::Radius { postal_code: "10115".into(), km: 27 };
    let hamburg = Filter::PostalPrefixes { prefixes: vec!["20".into()] };
    for (name, filter, status) in [
        ("East", states(&["BB", "Saxony"]), Status::Active),
        ("Circle", Filter::All { of: vec![circle, large] }, Status::Active),
        ("North", hamburg, Status::Paused),
    ] {
        let buyer = app.buyer(name, 1_000_000, vec![]).await;
        let terms = ContractTerms { filter: Some(filter), status, ..terms(1_000) };
        app.contract(market.campaign_id, buyer, &format!("{name} all"), terms).await;
    }
    market
}

async fn ask(app: &TestApp, market: &TestMarket, question: TerritoryQuestion) -> Territory {
    let question = TerritoryQuestion { most: 10, ..question };
    let mut found = app.app.market.territories(&[market.campaign_id], &question, |_, _| {}).await.unwrap();
    assert_eq!(found.len(), 1);
    let found = found.remove(0);
    assert_eq!(found.covered + found.open, found.codes);
    found
}

fn areas(areas: &[&str]) -> Vec<String> {
    areas.iter().map(|&area| area.into()).collect()
}

/// Covered codes are those from which a lead is bought, where nothing else stands in its way; open ones are those from
/// which none is. What is set aside counts when asked for, and a draft shows whom it meets and what it fills.
#[tokio::test(flavor = "multi_thread")]
async fn a_territory_is_where_leads_are_bought() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = market(&app).await;

        let found = ask(&app, &market, TerritoryQuestion::default()).await;
        assert_eq!((found.codes, found.covered, found.conditional, found.open), (8, 7, 3, 1));
        let buyers: Vec<_> =
            found.buyers.iter().map(|it| (it.buyer.as_str(), it.codes, it.conditional, it.alone)).collect();
        // Potsdam's 14467 lies 26.5 km from 10115, 14469 lies 27.4 km.
        assert_eq!(buyers, [("Circle", 4, 4, 3), ("East", 4, 0, 3)]);
        assert_eq!(found.overlaps_total, 1);
        assert_eq!((found.overlaps[0].codes, found.overlaps[0].examples.clone()), (1, vec!["14467".to_owned()]));
        let holes: Vec<_> = found.holes.iter().map(|hole| (hole.state.as_deref(), hole.codes, hole.of)).collect();
        assert_eq!(holes, [(Some("HH"), 1, 1)]);

        // Real leads say the same.
        let client = app.client(&market.key);
        let mut sold = 0;
        for (number, line) in CODES.lines().skip(1).enumerate() {
            let mut body = lead(number);
            body["postal_code"] = line.split('\t').nth(1).into();
            body["size"] = json!(10);
            let (_, answer) = client.send_json("/v1/leads", &body, None).await.unwrap();
            assert_eq!(answer["status"] == "sold", !line.contains("Hamburg"), "{line}: {answer}");
            sold += u32::from(answer["status"] == "sold");
        }
        assert_eq!(sold, found.covered);

        let paused =
            ask(&app, &market, TerritoryQuestion { include_paused: true, ..TerritoryQuestion::default() }).await;
        assert_eq!((paused.open, paused.holes.len()), (0, 0));
        let north = paused.buyers.iter().find(|buyer| buyer.buyer == "North").unwrap();
        assert_eq!((north.codes, north.contracts[0].status), (1, Status::Paused));

        let draft = areas(&["codes:20095,99999", "radius:14467:10"]);
        let drafted = ask(&app, &market, TerritoryQuestion { draft, ..TerritoryQuestion::default() }).await;
        let draft = drafted.draft.unwrap();
        assert_eq!((draft.codes, draft.fills, draft.fill_examples), (3, 1, vec!["20095".to_owned()]));
        let meets: Vec<_> = draft.meets.iter().map(|meets| (meets.buyer.as_str(), meets.codes)).collect();
        assert_eq!((meets, draft.meets_total), (vec![("East", 2), ("Circle", 1)], 2));
        assert_eq!((draft.unknown_codes, draft.unknown_total), (vec!["99999".to_owned()], 1));

        let region = areas(&["state:BE"]);
        let berlin = ask(&app, &market, TerritoryQuestion { region, ..TerritoryQuestion::default() }).await;
        assert_eq!((berlin.codes, berlin.covered, berlin.conditional), (3, 3, 3));
        app.finish().await;
    }
}

const QUESTION: &str =
    "query($campaign: ID, $country: String, $region: [AreaInput!], $draft: [AreaInput!], $paused: Boolean) {
  territories(campaignId: $campaign, country: $country, region: $region, draft: $draft, includePaused: $paused) {
    campaign { name } codes covered conditional open buyersTotal overlapsTotal
    buyers { buyer { name } codes conditional alone contracts { contract { name } status codes conditional } }
    overlaps { codes examples buyers { buyer { name } contractNames } }
    holes { state name codes of examples prefixes { prefix codes of } }
    draft { codes fills fillExamples meetsTotal unknownCodes meets { codes examples buyer { name } } }
  }
}";

/// Staff ask the same over GraphQL, for a campaign or a country; buyers may not. What is wrong is named by code.
#[tokio::test(flavor = "multi_thread")]
async fn staff_ask_for_territories() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let empty = app.market_in(Selling::default(), "AT", leadyard_types::field::UnknownFields::Refuse).await;
        let market = market(&app).await;
        let staff = app.staff(Role::Analyst).await;
        let campaign = format!("Campaign:{}", market.campaign_id);
        let answer =
            staff.ask(QUESTION, json!({ "country": "de", "draft": [{ "prefixes": ["2"] }], "paused": false })).await;
        let found = &answer["territories"][0];
        assert_eq!(
            (&found["campaign"]["name"], &found["covered"], &found["open"]),
            (&json!("Test"), &json!(7), &json!(1))
        );
        assert_eq!(found["buyers"][0]["buyer"]["name"], "Circle");
        assert_eq!(found["overlaps"][0]["buyers"][1]["contractNames"], json!(["East all"]));
        let hole = json!({ "state": "HH", "name": "Hamburg", "codes": 1, "of": 1, "examples": ["20095"],
                           "prefixes": [{ "prefix": "20", "codes": 1, "of": 1 }] });
        assert_eq!(found["holes"], json!([hole]));
        assert_eq!((&found["draft"]["fills"], &found["draft"]["meetsTotal"]), (&json!(1), &json!(0)));
        let one = staff.ask(QUESTION, json!({ "campaign": campaign, "draft": [{ "prefixes": ["2"] }] })).await;
        assert_eq!(one, answer);

        let refused = [
            (
                json!({ "campaign": campaign, "region": [{ "radius": { "postalCode": "10115", "km": -1 } }] }),
                "AREA_INVALID",
            ),
            (json!({ "campaign": campaign, "region": [{ "range": { "from": "10", "to": "200" } }] }), "AREA_INVALID"),
            (
                json!({ "campaign": campaign, "draft": [{ "states": ["BE"] }, { "radius": { "postalCode": "99999", "km": 5 } }] }),
                "CODE_UNKNOWN",
            ),
            (json!({ "campaign": format!("Campaign:{}", empty.campaign_id) }), "NO_POSTAL_CODES"),
            (json!({ "campaign": "Campaign:00000000-0000-0000-0000-000000000001" }), "NOT_FOUND"),
            (json!({ "campaign": campaign, "country": "DE" }), "ARGUMENT_INVALID"),
            (json!({}), "ARGUMENT_INVALID"),
        ];
        for (variables, code) in refused {
            let answer = staff.raw(QUESTION, variables.clone()).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{variables}: {answer}");
        }
        assert_eq!(staff.ask(QUESTION, json!({ "country": "FR" })).await["territories"], json!([]));

        let buyer = app.app.market.snapshot().buyers.values().find(|buyer| buyer.name == "East").unwrap().id;
        let user = app.buyer_user(buyer).await;
        let answer: Value = user.raw(QUESTION, json!({ "campaign": campaign })).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{answer}");
        app.finish().await;
    }
}

/// The command's own errors say what would be right.
#[tokio::test]
async fn a_wrong_area_says_what_would_be_right() {
    let app = TestApp::start(TestDatabase::sqlite()).await;
    let market = market(&app).await;
    for (area, said) in [
        ("plz:10", "`plz:10` is not an area: an area is state:BE"),
        ("codes:1067", "a postal code of DE has 5 digits, leading zeros included"),
        ("radius:12345:5", "12345 is not in the postal data of DE"),
    ] {
        let question = TerritoryQuestion { region: areas(&[area]), ..TerritoryQuestion::default() };
        let error = app.app.market.territories(&[market.campaign_id], &question, |_, _| {}).await.unwrap_err();
        assert!(matches!(error, TerritoryError::Problem(_)) && error.to_string().contains(said), "{area}: {error}");
    }
    app.finish().await;
}

/// Two leads a day at most; larger ones only; too little money; set aside.
async fn crowd(app: &TestApp) -> (TestMarket, Vec<BuyerId>) {
    let market = app.market(Selling::default()).await;
    let large = Filter::Range { field: "size".into(), min: Some(FieldValue::Integer(5)), max: None };
    let mut buyers = Vec::new();
    for (priority, (name, money_minor, more)) in (1..).zip([
        ("First", 100_000, ContractTerms { caps: vec![daily(2)], ..terms(1_000) }),
        ("Second", 100_000, ContractTerms { filter: Some(large), ..terms(900) }),
        ("Poor", 100, terms(800)),
        ("Asleep", 100_000, ContractTerms { status: Status::Paused, ..terms(700) }),
    ]) {
        let buyer = app.buyer(name, money_minor, vec![]).await;
        let destinations = vec![app.webhook(buyer, &format!("/{name}")).await];
        app.contract(market.campaign_id, buyer, name, ContractTerms { priority, destinations, ..more }).await;
        buyers.push(buyer);
    }
    (market, buyers)
}

async fn send(app: &TestApp, market: &TestMarket, number: usize, size: u32) -> LeadId {
    let mut body = lead(number);
    body["size"] = json!(size);
    let (_, answer) = app.client(&market.key).send_json("/v1/leads", &body, None).await.unwrap();
    app.clock.advance(chrono::Duration::seconds(1));
    answer["lead_id"].as_str().unwrap().parse().unwrap()
}

async fn standing(app: &TestApp, buyer: BuyerId) -> ContractStanding {
    let standing = app.app.market.standing(buyer, 500).await.unwrap().unwrap();
    let last = &standing.contracts[0].last;
    let missed: u32 = last.missed.iter().map(|missed| missed.leads).sum();
    let refused: u32 = last.refused.iter().map(|refused| refused.leads).sum();
    assert_eq!(last.matched + missed, last.leads, "{last:?}");
    assert_eq!(last.sold + last.lost + refused + last.other_terms + last.unknown, last.matched, "{last:?}");
    standing.contracts.into_iter().next().unwrap()
}

/// What stands in each buyer's way is told from what was decided: a cap that is full, a filter, an empty wallet, a pause,
/// a contract that came late; and what stopped none.
#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_a_buyers_way_is_told() {
    for database in TestDatabase::both().await {
        let mut app = TestApp::start(database).await;
        let (market, buyers) = crowd(&app).await;
        for number in 0..6 {
            send(&app, &market, number, if number % 2 == 0 { 10 } else { 1 }).await;
        }
        app.rest().await;
        let mut statements = Vec::new();
        for leads in [6, 2, 6] {
            let before = app.store().statements();
            app.app.market.standing(buyers[0], leads).await.unwrap();
            statements.push(app.store().statements() - before);
        }
        assert_eq!(statements[1], statements[2], "as many statements for two leads as for six");
        app.work();
        let [first, second, poor, asleep] = <[BuyerId; 4]>::try_from(buyers).unwrap();

        let found = standing(&app, first).await;
        assert_eq!((found.last.leads, found.last.sold, found.last.refused[0].leads), (6, 2, 4));
        assert_eq!((found.last.refused[0].check, found.obstacle.as_str()), (Check::Caps, "CAPS"));
        let cap = &found.caps[0];
        assert_eq!((cap.owner.as_str(), cap.count, cap.count_max, cap.full), ("contract", 2, Some(2), true));
        let midnight = "2026-07-01T22:00:00Z".parse().unwrap();
        assert_eq!(cap.resets_at, Some(midnight), "of Berlin");
        assert_eq!((found.available.amount_minor, found.destinations[0].status.as_str()), (98_000, "ACTIVE"));

        let found = standing(&app, second).await;
        assert_eq!((found.last.matched, found.last.sold, found.last.lost), (3, 2, 1));
        assert_eq!(
            (found.last.missed[0].condition.as_str(), found.last.missed[0].leads),
            ("size must be at least 5", 3)
        );
        assert_eq!(found.obstacle, "NONE");

        let found = standing(&app, poor).await;
        assert_eq!((found.last.refused[0].check, found.last.refused[0].leads), (Check::Balance, 6));
        assert!(found.verdict.contains("1.00 EUR does not cover the price of 8.00 EUR"), "{}", found.verdict);

        let found = standing(&app, asleep).await;
        assert_eq!((found.last.refused[0].check, found.obstacle.as_str()), (Check::ContractActive, "CONTRACT_ACTIVE"));

        let late = app.buyer("Late", 100_000, vec![]).await;
        let closed = Schedule { time_zone: chrono_tz::Tz::Europe__Berlin, windows: Vec::new() };
        app.contract(market.campaign_id, late, "late", ContractTerms { schedule: Some(closed), ..terms(1_000) }).await;
        let found = standing(&app, late).await;
        assert_eq!((found.last.matched, found.last.other_terms, found.obstacle.as_str()), (6, 6, "HOURS"));
        // The next day the cap is open again, and nothing stands in the way.
        app.clock.advance(chrono::Duration::days(1));
        let found = standing(&app, first).await;
        assert_eq!((found.caps[0].count, found.caps[0].full, found.obstacle.as_str()), (0, false, "CAPS"));
        assert!(found.verdict.contains("Of the last 6 leads 6 fit; 4 of these fail"), "{}", found.verdict);
        let nobody = app.buyer("Nobody", 0, vec![]).await;
        let empty = app.app.market.standing(nobody, 500).await.unwrap().unwrap();
        assert!(empty.contracts.is_empty() && empty.verdict.contains("no contract"));
        app.finish().await;
    }
}

/// By how much an auction was lost is what the decision says would have won; its loser is told to bid more.
#[tokio::test(flavor = "multi_thread")]
async fn lost_auctions_say_by_how_much() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let auction = Some(AuctionTerms::default());
        let market = app.market(Selling { method: Method::Auction, auction, ..Selling::default() }).await;
        let mut buyers = Vec::new();
        for (name, price) in [("High", 1_300), ("Low", 1_000)] {
            let buyer = app.buyer(name, 100_000, vec![]).await;
            app.contract(market.campaign_id, buyer, name, terms(price)).await;
            buyers.push(buyer);
        }
        let mut gaps = Vec::new();
        for number in 0..5 {
            let lead = send(&app, &market, number, 1).await;
            let explained = app.app.market.explain(lead).await.unwrap().unwrap();
            let loser = explained.decisions[0].contracts.iter().find(|entry| entry.buyer == "Low").unwrap();
            gaps.push(loser.verdict.would_win_at_minor.unwrap() - loser.verdict.price_minor);
        }
        gaps.sort_unstable();
        let found = standing(&app, buyers[1]).await;
        assert_eq!((found.last.lost, found.last.auctions_lost, found.last.lost_by_minor), (5, 5, Some(gaps[2])));
        assert!(
            found.obstacle == "NOT_CHOSEN" && found.verdict.contains("A higher bid wins more"),
            "{}",
            found.verdict
        );
        app.finish().await;
    }
}

const STANDING: &str = "query($id: ID!) { standing(buyerId: $id) { verdict buyer { name } contracts {
    contract { name } campaign { name } stageExists openNow opensAt obstacle verdict available { amount }
    caps { owner period count countMax amount { amount } amountMax { amount } resetsAt full }
    destinations { name kind status failingSince notice }
    last { leads matched sold lost otherTerms unknown missed { condition leads } refused { check message leads } }
} } }";

/// A buyer sees how it stands itself, and nothing of others: no rival, no rival's price, no figure of the campaign's own.
#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_sees_only_how_it_stands_itself() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let (market, buyers) = crowd(&app).await;
        app.clock.advance(chrono::Duration::seconds(1));
        for number in 0..4 {
            send(&app, &market, number, 10).await;
        }
        let id = |buyer: BuyerId| json!({ "id": format!("Buyer:{buyer}") });
        let staff = app.staff(Role::Analyst).await;
        let user = app.buyer_user(buyers[1]).await;
        let own = user.ask(STANDING, id(buyers[1])).await;
        assert_eq!(own, staff.ask(STANDING, id(buyers[1])).await);
        let last = &own["standing"]["contracts"][0]["last"];
        assert_eq!((&last["sold"], &last["lost"]), (&json!(2), &json!(2)));
        assert!(!own.to_string().contains("First"), "{own}");
        let absent = json!({ "id": "Buyer:00000000-0000-0000-0000-000000000001" });
        assert_eq!(user.raw(STANDING, id(buyers[0])).await, user.raw(STANDING, absent).await);
        for field in ["last { lostBy { amount } }", "last { auctionsLost }", "campaignCaps { countMax }"] {
            let question = format!("query($id: ID!) {{ standing(buyerId: $id) {{ contracts {{ {field} }} }} }}");
            let answer = user.raw(&question, id(buyers[1])).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{answer}");
            staff.ask(&question, id(buyers[1])).await;
        }

        let mut terms = app.app.market.snapshot().campaigns[&market.campaign_id].terms.clone();
        terms.caps = vec![Cap { period: CapPeriod::Day, count: Some(4), amount_minor: None }];
        app.setup().revise_campaign(market.campaign_id, 1, terms).await.unwrap();
        let full = user.ask(STANDING, id(buyers[1])).await;
        let contract = &full["standing"]["contracts"][0];
        assert_eq!((&contract["obstacle"], &contract["caps"]), (&json!("CAPS"), &json!([])));
        assert!(!full.to_string().contains("4 of 4"), "{full}");
        assert!(staff.ask(STANDING, id(buyers[1])).await.to_string().contains("4 of 4"));
        app.finish().await;
    }
}
