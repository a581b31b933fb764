//! Who covers what, and what stands in a buyer's way: against real leads, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

#[path = "graphql/people.rs"]
#[allow(dead_code, reason = "what questions about leads need is not all needed here")]
mod people;

use std::io::Cursor;

use leadyard_market::import::import_postal_codes;
use leadyard_market::territory::{Territory, TerritoryError, TerritoryQuestion};
use leadyard_tests::market::{Selling, TestMarket, lead, terms};
use leadyard_tests::{OPERATE, TestApp, TestDatabase};
use leadyard_types::{ContractTerms, FieldValue, Filter, Role, Status};
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
    "query($campaign: ID, $country: String, $region: [String!], $draft: [String!], $paused: Boolean) {
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
        let answer = staff.ask(QUESTION, json!({ "country": "de", "draft": ["prefix:2"], "paused": false })).await;
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
        let one = staff.ask(QUESTION, json!({ "campaign": campaign, "draft": ["prefix:2"] })).await;
        assert_eq!(one, answer);

        let refused = [
            (json!({ "campaign": campaign, "region": ["town:Berlin"] }), "AREA_INVALID"),
            (json!({ "campaign": campaign, "region": ["range:1-20"] }), "AREA_INVALID"),
            (json!({ "campaign": campaign, "draft": ["state:BE", "radius:99999:5"] }), "CODE_UNKNOWN"),
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
