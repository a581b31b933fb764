//! GraphQL as front-end teams meet it: over HTTP, on both databases, for every kind of caller.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

mod accounts;
mod audit;
mod bidding;
mod columns;
mod complaints;
mod configuration;
mod consents;
mod conversions;
mod destination_test;
mod documents;
mod entries;
mod experiments;
mod filters;
mod finance;
mod invitations;
mod keys;
mod lists;
mod mail;
mod operations;
mod people;
mod scalars;
mod sessions;
mod setup;
mod sign_in;
mod simulation;
mod statements;
mod statistics;
mod suppression;
mod texts;

use leadyard_tests::market::{Selling, lead, terms};
use leadyard_tests::{TestApp, TestDatabase};
use leadyard_types::{Role, SaleMode};
use people::{People, ids};
use serde_json::{Value, json};

/// One lead goes the whole way and every noun it touches can be read in one question by staff, with the decision and the
/// profit and loss from the ledger.
#[tokio::test(flavor = "multi_thread")]
async fn a_lead_is_visible_from_door_to_books() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("Sunny", 100_000, vec![]).await;
        let mut agreed = terms(4_250);
        agreed.destinations = vec![app.webhook(buyer, "/hook").await];
        app.contract(market.campaign_id, buyer, "all", agreed).await;
        let poor = app.buyer("Poor", 0, vec![]).await;
        app.contract(market.campaign_id, poor, "none", terms(9_000)).await;
        let staff = app.staff(Role::Admin).await;

        let submitted = app.client(&market.key).graphql(SUBMIT, json!({ "input": submission(1) }), None).await.unwrap();
        let submission = &submitted.1["data"]["leadSubmit"]["submission"];
        assert_eq!(
            (&submission["state"], &submission["payout"]["amount"]),
            (&json!("SOLD"), &json!("5.00")),
            "{submitted:?}"
        );
        app.idle().await;

        let answer = staff.ask(WHOLE_LEAD, json!({ "id": submission["lead"]["id"] })).await;
        let lead = &answer["lead"];
        assert_eq!((&lead["door"], &lead["campaign"]["vertical"]["key"]), (&json!("GRAPHQL"), &json!("test")));
        let email = lead["fields"].as_array().unwrap().iter().find(|field| field["key"] == "email").unwrap();
        assert_eq!(
            (&email["value"], &email["personal"], &email["masked"]),
            (&json!("person1@mail.example.com"), &json!(true), &json!(false))
        );
        let sale = &lead["sales"][0];
        assert_eq!(
            (&sale["price"]["amountMinor"], &sale["price"]["amount"], &sale["buyer"]["name"]),
            (&json!("4250"), &json!("42.50"), &json!("Sunny"))
        );
        assert_eq!(sale["deliveries"][0]["attempts"][0]["outcome"], "ACCEPTED");
        let kinds: Vec<&str> =
            lead["timeline"].as_array().unwrap().iter().filter_map(|event| event["kind"].as_str()).collect();
        assert_eq!(kinds, ["RECEIVED", "SOLD", "DELIVERED"]);
        let contracts = lead["decision"]["contracts"].as_array().unwrap();
        let found: Vec<(Option<&str>, Option<&str>)> = contracts
            .iter()
            .map(|entry| (entry["contract"]["name"].as_str(), entry["refusal"]["check"].as_str()))
            .collect();
        assert_eq!(found, [(Some("all"), None), (Some("none"), Some("BALANCE"))], "{lead}");
        assert_eq!(sale["buyer"]["wallets"][0]["available"]["amount"], "957.50");

        for by in ["CAMPAIGN", "SOURCE", "BUYER", "CONTRACT", "DAY"] {
            let answer = staff.ask(PROFIT, json!({ "by": by })).await;
            let lines = answer["profitAndLoss"].as_array().unwrap();
            assert_eq!(lines.len(), 1, "{by}: {answer}");
            assert_eq!(
                (&lines[0]["revenue"]["amountMinor"], &lines[0]["profit"]["amountMinor"]),
                (&json!("4250"), &json!("3750")),
                "{by}"
            );
            if let Some(id) = lines[0]["id"].as_str() {
                let named = staff
                    .ask(
                        "query($id: ID!) { node(id: $id) { id __typename ... on Buyer { name } } }",
                        json!({ "id": id }),
                    )
                    .await;
                assert_eq!(named["node"]["id"], id);
            }
        }
        app.finish().await;
    }
}

/// A buyer sees its own purchases and nothing else; what belongs to others and what does not exist answer byte for byte
/// the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_sees_its_own() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling { sale_mode: SaleMode::Shared { max: 2 }, ..Selling::default() }).await;
        let (mine, theirs) = (app.buyer("Mine", 1_500, vec![]).await, app.buyer("Theirs", 100_000, vec![]).await);
        app.contract(market.campaign_id, mine, "mine", terms(1_000)).await;
        app.contract(market.campaign_id, theirs, "theirs", terms(2_000)).await;
        let client = app.client(&market.key);
        for number in 1..=3 {
            client.send_json("/v1/leads", &lead(number), None).await.unwrap();
        }
        let (staff, user) = (app.staff(Role::Manager).await, app.buyer_user(mine).await);
        let all = staff.ask(EVERYTHING, json!({})).await;
        let own = user.ask(EVERYTHING, json!({})).await;
        assert_eq!((ids(&all["leads"]).len(), ids(&own["leads"]).len()), (3, 1), "one lead was paid for");
        assert_eq!((ids(&all["sales"]).len(), ids(&own["sales"]).len()), (4, 1));
        assert_eq!(
            (ids(&own["buyers"]).len(), ids(&own["contracts"]).len(), &own["sales"]["totalCount"]),
            (1, 1, &json!(1))
        );
        let email = own["leads"]["nodes"][0]["fields"]
            .as_array()
            .unwrap()
            .iter()
            .find(|field| field["key"] == "email")
            .unwrap();
        assert_eq!(email["masked"], false, "a buyer sees the person it bought");

        // Every id that staff see and the buyer does not is, for the buyer, an id that does not exist.
        for list in ["leads", "sales", "buyers", "contracts", "deliveries"] {
            let own: Vec<String> = ids(&own[list]);
            for foreign in ids(&all[list]).into_iter().filter(|id| !own.contains(id)) {
                let (kind, _) = foreign.split_once(':').unwrap();
                let absent = format!("{kind}:00000000-0000-0000-0000-000000000001");
                let node = "query($id: ID!) { node(id: $id) { id } }";
                let seen = user.raw(node, json!({ "id": foreign })).await;
                assert_eq!(seen, user.raw(node, json!({ "id": absent })).await, "{foreign}");
            }
        }
        let sale = |buyer: &str| {
            format!("{{ sales(first: 5, filter: {{ buyerIds: [\"{buyer}\"] }}) {{ totalCount nodes {{ id }} }} }}")
        };
        let foreign = user.raw(&sale(&format!("Buyer:{theirs}")), json!({})).await;
        assert_eq!(foreign, user.raw(&sale("Buyer:00000000-0000-0000-0000-000000000001"), json!({})).await);
        for forbidden in [
            "{ leads(first: 1) { nodes { decision { id } } } }",
            "{ leads(first: 1) { nodes { supplier { name } } } }",
            "{ sales(first: 1) { nodes { payout { amount } } } }",
            "{ campaigns(first: 1) { nodes { floor { amount } } } }",
            PROFIT,
        ] {
            let answer = user.raw(forbidden, json!({ "by": "DAY" })).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{forbidden}: {answer}");
            assert!(answer["data"].is_null());
        }
        app.finish().await;
    }
}

/// Analysts, finance and suppliers see leads without the people behind them; personal values never leave the store for
/// them.
#[tokio::test(flavor = "multi_thread")]
async fn people_are_masked_for_those_who_do_not_need_them() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let mut body = lead(1);
        body["consent"] = json!({ "text": "I agree, says person1", "purposes": ["call"], "ip": "192.0.2.7" });
        app.client(&market.key).send_json("/v1/leads", &body, None).await.unwrap();
        let question =
            "{ leads(first: 1) { nodes { fields { key value email phone postalCode masked } consent { text purposes }
            decision { contracts { contractName } } } } }";
        let plain = "{ leads(first: 1) { nodes { fields { key value email phone postalCode masked } consent { text purposes } } } }";
        for role in [Role::Analyst, Role::Finance] {
            let answer = app.staff(role).await.raw(question, json!({})).await.to_string();
            assert!(!answer.contains("person1") && !answer.contains("2000001"), "{role}: {answer}");
            assert!(answer.contains("10115"), "what is not personal is shown: {answer}");
        }
        let supplier = app.supplier_user(market.source_id).await.raw(plain, json!({})).await;
        assert!(!supplier.to_string().contains("person1"), "{supplier}");
        assert_eq!(supplier["data"]["leads"]["nodes"][0]["consent"]["purposes"][0], "call");
        let fields = |answer: &Value| answer["data"]["leads"]["nodes"][0]["fields"].clone();
        let field = |key: &str, value: Value, masked: bool| {
            let of = |kind: &str| if key == kind { value.clone() } else { Value::Null };
            json!({ "key": key, "value": value, "email": of("email"), "phone": of("phone"), "postalCode": of("postal_code"),
                "masked": masked })
        };
        let code = field("postal_code", json!("10115"), false);
        let masked = [field("email", Value::Null, true), field("phone", Value::Null, true), code.clone()];
        assert_eq!(fields(&supplier), json!(masked));
        let manager = app.staff(Role::Manager).await.raw(question, json!({})).await;
        let email = field("email", json!("person1@mail.example.com"), false);
        assert_eq!(fields(&manager), json!([email, field("phone", json!("+49302000001"), false), code]));
        assert!(manager.to_string().contains("I agree"), "{manager}");
        app.finish().await;
    }
}

/// Pages neither repeat nor skip a row, forward and backward, alone and inside other things, however many rows share a
/// moment.
#[tokio::test(flavor = "multi_thread")]
async fn pages_neither_repeat_nor_skip() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("Buyer", 1_000_000, vec![]).await;
        app.contract(market.campaign_id, buyer, "a", terms(1_000)).await;
        let client = app.client(&market.key);
        for number in 0..23 {
            // Several at the same moment: only the id tells them apart.
            if number % 4 == 0 {
                app.clock.advance(chrono::Duration::microseconds(1));
            }
            client.send_json("/v1/leads", &lead(number), None).await.unwrap();
        }
        let staff = app.staff(Role::Admin).await;
        let all = ids(&staff.ask("{ leads(first: 100) { totalCount nodes { id } } }", json!({})).await["leads"]);
        assert_eq!(all.len(), 23);
        for (list, direction, cursor, place) in
            [("leads", "first", "after", "endCursor"), ("leads", "last", "before", "startCursor")]
        {
            let question = format!(
                "query($n: Int, $c: String) {{ leads({direction}: $n, {cursor}: $c) {{ nodes {{ id }} edges {{ cursor }}
                 pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"
            );
            let (mut seen, mut at) = (Vec::new(), Value::Null);
            loop {
                let page = staff.ask(&question, json!({ "n": 5, "c": at })).await[list].take();
                let found = ids(&page);
                let more = if direction == "first" { "hasNextPage" } else { "hasPreviousPage" };
                if direction == "first" {
                    seen.extend(found)
                } else {
                    seen.splice(0..0, found);
                }
                if page["pageInfo"][more] == json!(false) {
                    break;
                }
                at = page["pageInfo"][place].clone();
            }
            assert_eq!(seen, all, "{direction}");
        }
        let inside = "query($c: String) { buyers(first: 1) { nodes { sales(first: 10, after: $c, orderBy: OLDEST) { totalCount nodes { id } pageInfo { endCursor hasNextPage } } wallets { transfers(first: 100) { totalCount nodes { id kind } } } } } }";
        let (mut seen, mut at) = (Vec::new(), Value::Null);
        loop {
            let mut answer = staff.ask(inside, json!({ "c": at })).await;
            let buyer = answer["buyers"]["nodes"][0].take();
            seen.extend(ids(&buyer["sales"]));
            assert_eq!(
                (&buyer["sales"]["totalCount"], &buyer["wallets"][0]["transfers"]["totalCount"]),
                (&json!(23), &json!(24))
            );
            if buyer["sales"]["pageInfo"]["hasNextPage"] == json!(false) {
                break;
            }
            at = buyer["sales"]["pageInfo"]["endCursor"].clone();
        }
        let sorted: std::collections::BTreeSet<&String> = seen.iter().collect();
        assert_eq!((seen.len(), sorted.len()), (23, 23));
        for (arguments, code) in [
            ("first: 5, after: \"nonsense\"", "CURSOR_INVALID"),
            ("first: 5, after: \"00000000000000000000000000000007n5\"", "CURSOR_INVALID"),
        ] {
            let answer = staff.raw(&format!("{{ leads({arguments}) {{ nodes {{ id }} }} }}"), json!({})).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{answer}");
        }
        app.finish().await;
    }
}

/// A nested question costs as many statements for a hundred leads as for ten: one per level, never one per row.
#[tokio::test(flavor = "multi_thread")]
async fn statements_follow_levels_not_rows() {
    for database in TestDatabase::both().await {
        let mut app = TestApp::start(database).await;
        let market = app.market(Selling { sale_mode: SaleMode::Shared { max: 3 }, ..Selling::default() }).await;
        for name in ["a", "b", "c"] {
            let buyer = app.buyer(name, 1_000_000, vec![]).await;
            let mut agreed = terms(1_000);
            agreed.destinations = vec![app.webhook(buyer, &format!("/{name}")).await];
            app.contract(market.campaign_id, buyer, name, agreed).await;
        }
        let client = app.client(&market.key);
        for number in 0..100 {
            client.send_json("/v1/leads", &lead(number), None).await.unwrap();
        }
        let staff = app.staff(Role::Admin).await;
        app.rest().await;
        // What a front end asks for its list of leads, for as many as a page holds; and everything, for as many as may be,
        // with what writes down whom the answer shows.
        for (question, sizes, most) in [(TYPICAL, [10, 100, 10, 100], 15), (NESTED, [2, 20, 2, 20], 44)] {
            let mut counts = Vec::new();
            for first in sizes {
                let before = app.store().statements();
                let answer = staff.ask(question, json!({ "n": first })).await;
                counts.push(app.store().statements() - before);
                assert_eq!(answer["leads"]["nodes"].as_array().unwrap().len(), first);
            }
            assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
            assert!(counts[0] <= most, "{counts:?}");
        }
        app.finish().await;
    }
}

/// Signing in: only the right password opens, the answer never says what was wrong, and a session ends when it is ended.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_open_and_end() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let staff = app.staff(Role::Admin).await;
        let viewer = staff.ask("{ viewer { user { email role } buyer { name } } }", json!({})).await;
        assert_eq!(viewer["viewer"]["user"]["role"], "ADMIN");
        let create = "mutation($input: SessionCreateInput!) { sessionCreate(input: $input) { session { token } userErrors { code field message } } }";
        let wrong = [
            json!({ "email": "admin@staff.example", "password": "wrong" }),
            json!({ "email": "nobody@staff.example", "password": "wrong" }),
        ];
        let mut answers = Vec::new();
        for input in wrong {
            answers
                .push(app.client("").graphql(create, json!({ "input": input }), None).await.unwrap().1["data"].take());
        }
        assert_eq!(answers[0], answers[1]);
        assert_eq!(answers[0]["sessionCreate"]["userErrors"][0]["code"], "SIGN_IN_FAILED");
        let ended = staff.ask("mutation { sessionEnd { ended } }", json!({})).await;
        assert_eq!(ended["sessionEnd"]["ended"], true);
        let (status, answer) =
            app.client("").graphql("{ viewer { user { id } } }", json!({}), Some(staff.token())).await.unwrap();
        assert_eq!((status, &answer["errors"][0]["extensions"]["code"]), (401, &json!("UNAUTHENTICATED")));
        let (status, answer) =
            app.client("").graphql("{ leads(first: 1) { nodes { id } } }", json!({}), Some("")).await.unwrap();
        assert_eq!((status, &answer["errors"][0]["extensions"]["code"]), (401, &json!("UNAUTHENTICATED")), "{answer}");
        app.finish().await;
    }
}

/// What staff do has its effect once, says what is wrong by field, and is refused to those who may not.
#[tokio::test(flavor = "multi_thread")]
async fn mutations_say_what_to_put_right() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("Buyer", 0, vec![]).await;
        app.contract(market.campaign_id, buyer, "a", terms(1_000)).await;
        let finance = app.staff(Role::Finance).await;
        let input = |amount: Value, key: &str| json!({ "input": { "buyerId": format!("Buyer:{buyer}"), "amountMinor": amount, "currency": "EUR", "idempotencyKey": key } });
        let first = finance.ask(TOP_UP, input(json!("5000"), "k")).await;
        let again = finance.ask(TOP_UP, input(json!(5000), "k")).await;
        assert_eq!((&first["walletTopUp"]["moved"], &again["walletTopUp"]["moved"]), (&json!(true), &json!(false)));
        assert_eq!(again["walletTopUp"]["wallet"]["balance"]["amount"], "50.00");
        for (variables, code, field) in [
            (input(json!("0"), "z"), "OUT_OF_RANGE", "amountMinor"),
            (input(json!("6000"), "k"), "IDEMPOTENCY_KEY_REUSED", "idempotencyKey"),
            (input(json!("6000"), ""), "REQUIRED", "idempotencyKey"),
        ] {
            let answer = finance.ask(TOP_UP, variables).await;
            let error = &answer["walletTopUp"]["userErrors"][0];
            assert_eq!((&error["code"], &error["field"]), (&json!(code), &json!(["input", field])), "{answer}");
        }
        let manager = app.staff(Role::Manager).await.raw(TOP_UP, input(json!("1"), "m")).await;
        assert_eq!(manager["errors"][0]["extensions"]["code"], "FORBIDDEN");
        let text = finance.raw(TOP_UP, input(json!("geheim"), "x")).await;
        assert!(text["errors"][0].is_object() && !text.to_string().contains("geheim"), "{text}");

        let source = app.client(&market.key);
        let mut wrong = submission(5);
        wrong["fields"][0]["value"] = json!("nobody");
        wrong["fields"].as_array_mut().unwrap().push(json!({ "key": "postal_code", "value": "10115" }));
        let (_, answer) = source.graphql(SUBMIT, json!({ "input": wrong }), None).await.unwrap();
        let problems: Vec<(&str, &str)> = answer["data"]["leadSubmit"]["submission"]["problems"]
            .as_array()
            .unwrap()
            .iter()
            .map(|problem| (problem["field"].as_str().unwrap(), problem["code"].as_str().unwrap()))
            .collect();
        assert!(
            problems.contains(&("email", "INVALID_EMAIL")) && problems.contains(&("postal_code", "REPEATED")),
            "{answer}"
        );
        let mut elsewhere = submission(6);
        elsewhere["sourceId"] = json!("Source:00000000-0000-0000-0000-000000000001");
        let (_, answer) = source.graphql(SUBMIT, json!({ "input": elsewhere }), None).await.unwrap();
        assert_eq!(answer["data"]["leadSubmit"]["userErrors"][0]["code"], "NOT_FOUND");
        let mut named = submission(7);
        named["sourceId"] = json!(format!("Source:{}", market.source_id));
        let manager = app.staff(Role::Manager).await.ask(SUBMIT, json!({ "input": named })).await;
        assert_eq!(manager["leadSubmit"]["submission"]["state"], "SOLD", "{manager}");
        let replay = "mutation { deliveryReplay(input: { deliveryId: \"Delivery:00000000-0000-0000-0000-000000000001\" }) { userErrors { code } } }";
        assert_eq!(
            app.staff(Role::Manager).await.ask(replay, json!({})).await["deliveryReplay"]["userErrors"][0]["code"],
            "NOT_FOUND"
        );
        app.finish().await;
    }
}

/// The door takes one JSON document by POST, and answers hostile ones at once without repeating them.
#[tokio::test(flavor = "multi_thread")]
async fn the_door_refuses_what_is_not_graphql() {
    let app = TestApp::start(TestDatabase::sqlite()).await;
    let client = app.client("");
    assert_eq!(client.get("/graphql?query={viewer{user{id}}}").await.unwrap().status, 405);
    let json = "application/json";
    for (kind, body, status, code) in [
        ("application/x-www-form-urlencoded", "query=mutation".to_owned(), 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("text/plain", "{}".to_owned(), 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("multipart/form-data; boundary=x", "--x".to_owned(), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (json, "{".to_owned(), 400, "MALFORMED_JSON"),
        (json, "[{\"query\":\"{viewer{user{id}}}\"}]".to_owned(), 400, "BATCH_NOT_SUPPORTED"),
        (json, "{}".to_owned(), 400, "QUERY_MISSING"),
        (json, "{\"query\":1}".to_owned(), 400, "INVALID_REQUEST"),
        (json, "{\"query\":\"{a}\",\"variables\":[]}".to_owned(), 400, "INVALID_REQUEST"),
        (
            json,
            json!({ "query": format!("{{a(x:{}{})}}", "[".repeat(2_000), "]".repeat(2_000)) }).to_string(),
            200,
            "DOCUMENT_TOO_DEEP",
        ),
        (json, json!({ "query": "{ secret-4711 " }).to_string(), 200, "GRAPHQL_PARSE_FAILED"),
        (json, json!({ "query": "{ nothing }" }).to_string(), 200, "GRAPHQL_VALIDATION_FAILED"),
        (
            json,
            json!({ "query": "query A { viewer { user { id } } } query B { __typename }" }).to_string(),
            200,
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (json, "x".repeat(70_000), 413, "BODY_TOO_LARGE"),
    ] {
        let answer = client.post("/graphql", kind, vec![], body.clone().into_bytes()).await.unwrap();
        let read: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status, &read["errors"][0]["extensions"]["code"]), (status, &json!(code)), "{body} {read}");
        assert!(!read.to_string().contains("4711"), "{read}");
    }
    let own = vec![("accept".to_owned(), "application/graphql-response+json".to_owned())];
    let answer =
        client.post("/graphql", json, own, json!({ "query": "{ nothing }" }).to_string().into_bytes()).await.unwrap();
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (400, Some("application/graphql-response+json; charset=utf-8"))
    );
    app.finish().await;
}

/// Two things that older engines got wrong: an omitted variable is not null, and fields come in the order of the query.
#[tokio::test(flavor = "multi_thread")]
async fn the_engine_keeps_order_and_omissions() {
    let app = TestApp::start(TestDatabase::sqlite()).await;
    let market = app.market(Selling::default()).await;
    app.client(&market.key).send_json("/v1/leads", &lead(1), None).await.unwrap();
    let staff = app.staff(Role::Admin).await;
    let question = "query($f: LeadFilter) { leads(first: 1, filter: $f) { nodes { z: state a: campaign { name id } receivedAt id } totalCount } viewer { user { role } } }";
    let answer = staff.text(question, json!({})).await;
    let places: Vec<usize> = ["\"z\"", "\"a\"", "\"name\"", "\"receivedAt\"", "\"totalCount\"", "\"viewer\""]
        .iter()
        .map(|key| answer.find(key).unwrap_or_else(|| panic!("{key} in {answer}")))
        .collect();
    assert!(places.is_sorted(), "{answer}");
    assert!(answer.contains("\"totalCount\":1"), "an omitted filter restricts nothing: {answer}");
    app.finish().await;
}

/// The questions that the demo prints are answered.
#[tokio::test(flavor = "multi_thread")]
async fn the_demos_questions_are_answered() {
    let app = TestApp::start(TestDatabase::sqlite()).await;
    let market = app.market(Selling::default()).await;
    app.client(&market.key).send_json("/v1/leads", &lead(1), None).await.unwrap();
    let staff = app.staff(Role::Admin).await;
    for (about, question) in leadyard::demo::tour::QUESTIONS {
        let answer = staff.ask(question, json!({})).await;
        assert!(answer.is_object(), "{about}: {answer}");
    }
    app.finish().await;
}

fn submission(number: usize) -> Value {
    let fields = lead(number);
    let fields: Vec<Value> =
        fields.as_object().unwrap().iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
    json!({ "fields": fields })
}

const SUBMIT: &str = "mutation($input: LeadSubmitInput!) { leadSubmit(input: $input) {
    submission { state check message payout { amount } problems { field code message } redirectUrl repeated lead { id } }
    userErrors { code field message } } }";

const TOP_UP: &str = "mutation($input: WalletCreditInput!) { walletTopUp(input: $input) {
    moved wallet { balance { amount } } userErrors { code field message } } }";

const PROFIT: &str =
    "query($by: ProfitBy!) { profitAndLoss(range: { since: \"2026-01-01\", until: \"2026-12-31\" }, by: $by) {
    id name revenue { amountMinor } credits { amountMinor } payout { amountMinor } profit { amountMinor } } }";

const EVERYTHING: &str = "{
    leads(first: 100) { nodes { id fields { key value masked } } }
    sales(first: 100) { totalCount nodes { id price { amount } lead { id } buyer { name } contract { name } } }
    buyers(first: 100) { nodes { id wallets { balance { amount } } } }
    contracts(first: 100) { nodes { id price { amount } } }
    deliveries(first: 100) { nodes { id } } }";

const WHOLE_LEAD: &str = "query($id: ID!) { lead(id: $id) {
    id state door reason receivedAt campaign { name vertical { key fields { key label } } } source { name supplier { name owed { amount } } }
    fields { key label value personal masked }
    timeline { kind at detail { name value } }
    decision { no outcome decidedAt contracts { rank stage price { amount } contract { name } buyer { name } refusal { check message seen { name value } } } }
    sales { state price { amountMinor amount currency } payout { amount } contract { name }
        buyer { name wallets { balance { amount } available { amount } transfers(first: 5) { nodes { kind amount { amount } sale { id } } } } }
        deliveries { state attemptCount destination { name kind } attempts { number outcome statusCode durationMs } } } } }";

const TYPICAL: &str = "query($n: Int!) { leads(first: $n) { nodes {
    id state receivedAt campaign { name } source { name supplier { name } }
    sales { price { amount } buyer { name } contract { name } deliveries { state } } } pageInfo { hasNextPage } } }";

const NESTED: &str = "query($n: Int!) { leads(first: $n) { nodes {
    id fields { key value } campaign { name vertical { name } } source { name supplier { name } } timeline { kind }
    decision { number contracts { contract { name } buyer { name } refusal { check } } }
    sales { price { amount } buyer { name wallets { balance { amount } } contracts(first: 2) { totalCount nodes { name price { amount } } } }
        contract { name destinations { name } } deliveries { state destination { name } attempts { outcome } } } } } }";
