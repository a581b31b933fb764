//! Values with a format: e-mail addresses, telephone numbers, postal codes, time zones, days and amounts.

use leadyard_tests::market::Selling;
use leadyard_tests::{TestApp, TestDatabase};
use leadyard_types::Role;
use serde_json::{Value, json};

use crate::people::{Asking, People as _};

/// What is told of a value that is none of its scalar: the code, the place in the arguments, and the text.
async fn told(by: &Asking, question: &str, variables: Value) -> (Value, Value, String) {
    let answer = by.raw(question, variables).await;
    assert!(answer["data"].is_null(), "nothing ran: {answer}");
    let error = &answer["errors"][0];
    let (code, place) = (error["extensions"]["code"].clone(), error["extensions"]["argument"].clone());
    (code, place, error["message"].as_str().unwrap().to_owned())
}

/// A value that is none of its scalar is an error of the request, wherever it stands and however it is sent: it names the
/// place, says what is expected and repeats nothing of what was sent; nothing is done. What is well formed and not right
/// here is told in the payload.
#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_is_none_of_its_scalar_is_named_by_its_place() {
    let app = TestApp::start(TestDatabase::sqlite()).await;
    let staff = app.staff(Role::Admin).await;
    let buyer = "mutation($input: BuyerCreateInput!) { buyerCreate(input: $input) { userErrors { code } } }";
    let contract = "mutation($input: ContractUpdateInput!) { contractUpdate(input: $input) { userErrors { code } } }";
    let profit = "query($range: DayRange!) { profitAndLoss(by: CAMPAIGN, range: $range) { leads } }";
    let sun = |extra: Value| {
        let mut input = json!({ "name": "Sun" });
        input.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!({ "input": input })
    };
    let leads = "query($filter: LeadFilter) { leads(first: 1, filter: $filter) { totalCount } }";
    let filter = |filter: Value| json!({ "input": { "contractId": "x", "version": 1, "filter": filter } });
    let zone = |zone: &str| json!({ "time": { "timeZone": zone, "windows": [] } });
    for (question, variables, place, expected) in [
        (buyer, sun(json!({ "email": "secret" })), vec!["input", "email"], "name@example.com"),
        (buyer, sun(json!({ "email": 5 })), vec!["input", "email"], "name@example.com"),
        (buyer, sun(json!({ "timeZone": "secret" })), vec!["input", "timeZone"], "Europe/Berlin"),
        (
            buyer,
            sun(json!({ "wallets": [{ "currency": "EUR" }, { "currency": "USD", "creditLimitMinor": "secret" }] })),
            vec!["input", "wallets", "1", "creditLimitMinor"],
            "1250",
        ),
        (
            contract,
            filter(json!({ "all": [{ "postalCodes": ["01067", "secret!"] }] })),
            vec!["input", "filter", "all", "0", "postalCodes", "1"],
            "01067",
        ),
        (
            contract,
            filter(json!({ "radius": { "postalCode": 1067, "km": 5 } })),
            vec!["input", "filter", "radius", "postalCode"],
            "as a text",
        ),
        (contract, filter(zone("Berlin")), vec!["input", "filter", "time", "timeZone"], "Europe/Berlin"),
        (
            profit,
            json!({ "range": { "since": "secret", "until": "2026-07-01" } }),
            vec!["range", "since"],
            "2026-11-21",
        ),
        (
            leads,
            json!({ "filter": { "receivedSince": "secret" } }),
            vec!["filter", "receivedSince"],
            "2026-11-21T10:00:00Z",
        ),
        (leads, json!({ "filter": { "receivedUntil": 5 } }), vec!["filter", "receivedUntil"], "RFC 3339"),
    ] {
        let (code, at, message) = told(&staff, question, variables.clone()).await;
        assert_eq!((code, at), (json!("BAD_USER_INPUT"), json!(place)), "{variables}");
        assert!(message.contains(expected) && !message.contains("secret"), "{variables}: {message}");
    }
    for (written, place) in
        [("contact: { phone: \"030 secret\" }", "phone"), ("contact: { email: \"secret\" }", "email")]
    {
        let question = format!("{{ leadsOfContact({written}, first: 1) {{ totalCount }} }}");
        let (code, at, message) = told(&staff, &question, json!({})).await;
        assert_eq!((code, at), (json!("BAD_USER_INPUT"), json!(["contact", place])));
        assert!(!message.contains("secret"), "{message}");
    }
    let none = staff.ask("{ buyers(first: 1) { totalCount } }", json!({})).await;
    assert_eq!(none["buyers"]["totalCount"], 0);

    let market = app.market(Selling::default()).await;
    let input = json!({ "input": { "name": "Sun", "email": " Sales@Sun.Example ", "timeZone": "Europe/Vienna" } });
    let made = staff.ask(&buyer.replace("userErrors", "buyer { id email timeZone } userErrors"), input).await;
    let buyer = &made["buyerCreate"]["buyer"];
    assert_eq!((&buyer["email"], &buyer["timeZone"]), (&json!("sales@sun.example"), &json!("Europe/Vienna")));
    // A code can be one, and not of this country: that is for the campaign to say.
    let agreed =
        "mutation($input: ContractCreateInput!) { contractCreate(input: $input) { userErrors { code field } } }";
    let input = json!({ "input": { "campaignId": format!("Campaign:{}", market.campaign_id), "buyerId": buyer["id"], "name": "x",
        "stage": "main", "priceMinor": "1", "filter": { "postalCodes": ["1010"] } } });
    let told = staff.ask(agreed, input).await;
    assert_eq!(told["contractCreate"]["userErrors"][0]["code"], "INVALID_VALUE", "{told}");
    app.finish().await;
}
