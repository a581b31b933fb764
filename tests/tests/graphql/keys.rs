//! API keys of users: a part of what their user may do, shown once, replaced without a gap, ended at once.

use chrono::Duration;
use futures_util::FutureExt as _;
use leadyard::http::rates::RateLimits;
use leadyard::http::server::ServerLimits;
use leadyard_connectors::LeadSender;
use leadyard_entity::testing::plant_faults;
use leadyard_tests::market::{Selling, lead, terms};
use leadyard_tests::{OPERATE, TestApp, TestDatabase, on_both};
use leadyard_types::{KeyScope, Role};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::people::{Asking, People, signed_in};

const PASSWORD: &str = "correct horse battery staple";
const CREATE: &str = "mutation($input: ApiKeyCreateInput!) { apiKeyCreate(input: $input) {
    apiKey { id name scopes beginsWith state createdAt expiresAt lastUsedAt user { email } } secret
    userErrors { code field } } }";
const ROTATE: &str = "mutation($input: ApiKeyRotateInput!) { apiKeyRotate(input: $input) {
    apiKey { id name scopes expiresAt } secret userErrors { code field } } }";
const REVOKE: &str = "mutation($input: ApiKeyRevokeInput!) { apiKeyRevoke(input: $input) {
    apiKey { id state revokedAt } userErrors { code field message } } }";
const KEYS: &str = "query($filter: ApiKeyFilter) { apiKeys(first: 100, filter: $filter) {
    totalCount nodes { id name state lastUsedAt user { email } } } }";
const VIEWER: &str = "{ viewer { user { id name role } apiKey { id name scopes } } }";

/// Makes a key, and answers what was answered.
async fn made(who: &Asking, scopes: &[KeyScope], expires_at: Option<&str>) -> Value {
    let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    let input = json!({ "input": { "name": "robot", "scopes": scopes, "expiresAt": expires_at } });
    who.ask(CREATE, input).await["apiKeyCreate"].take()
}

/// Somebody who asks with a new key of a user.
async fn robot(app: &TestApp, who: &Asking, scopes: &[KeyScope]) -> Asking {
    let made = made(who, scopes, None).await;
    Asking::with(app.client(""), made["secret"].as_str().unwrap())
}

fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or("")
}

async fn is_in(who: &Asking) -> bool {
    code(&who.raw(VIEWER, json!({})).await) != "UNAUTHENTICATED"
}

/// What stands for each kind of field and of mutation: a document, and the scopes with which it runs.
const KINDS: [(&str, &[KeyScope]); 20] = [
    ("{ campaigns(first: 1) { nodes { id status } } }", &[KeyScope::Market, KeyScope::Setup]),
    ("{ contracts(first: 1) { nodes { price { amount } } } }", &[KeyScope::Market, KeyScope::Setup]),
    ("{ standing(buyerId: \"{buyer}\") { verdict } }", &[KeyScope::Market]),
    ("{ configuration }", &[KeyScope::Setup]),
    ("{ leads(first: 1) { nodes { receivedAt timeline { kind } } } }", &[KeyScope::Leads]),
    ("{ leads(first: 1) { nodes { fields { value } } } }", &[]),
    ("{ node(id: \"{lead}\") { ... on Lead { fields { value } consent { text } } } }", &[KeyScope::Persons]),
    ("{ sales(first: 1) { nodes { price { amount } } } }", &[KeyScope::Leads]),
    ("{ deliveries(first: 1) { nodes { state attempts { outcome } } } }", &[KeyScope::Leads, KeyScope::Delivery]),
    ("{ buyers(first: 1) { nodes { wallets { balance { amount } } } } }", &[]),
    (
        "{ node(id: \"{buyer}\") { ... on Buyer { wallets { balance { amount } } } } }",
        &[KeyScope::Books, KeyScope::Money],
    ),
    (
        "{ profitAndLoss(range: { since: \"2026-01-01\", until: \"2026-12-31\" }, by: BUYER) { id } }",
        &[KeyScope::Books],
    ),
    ("{ users(first: 1) { nodes { email } } }", &[KeyScope::People]),
    ("{ auditEntries(first: 1) { nodes { action } } }", &[KeyScope::People]),
    (
        "mutation { verticalCreate(input: { key: \"k\", name: \"\", fields: [] }) { userErrors { code } } }",
        &[KeyScope::Setup],
    ),
    ("mutation { leadSubmit(input: { fields: [] }) { userErrors { code } } }", &[KeyScope::Submit]),
    ("mutation { deliveryReplay(input: { deliveryId: \"x\" }) { userErrors { code } } }", &[KeyScope::Delivery]),
    (
        "mutation { walletTopUp(input: { buyerId: \"x\", amountMinor: \"1\", currency: \"EUR\", idempotencyKey: \"k\" }) { userErrors { code } } }",
        &[KeyScope::Money],
    ),
    ("mutation { userInvite(input: { email: \"a@b.example\", role: ANALYST }) { userErrors { code } } }", &[]),
    ("mutation { apiKeyCreate(input: { name: \"more\", scopes: [LEADS] }) { userErrors { code } } }", &[]),
];

/// Each scope opens what is its own and nothing else; every scope together opens what the role may but what needs a person;
/// and no scope opens what the role may not.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_does_what_its_scopes_say() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("Buyer", 100_000, vec![]).await;
        app.contract(market.campaign_id, buyer, "a", terms(1_000)).await;
        let (_, sent) = app.client(&market.key).send_json("/v1/leads", &lead(1), None).await.unwrap();
        let admin = app.staff(Role::Admin).await;
        let lead = format!("Lead:{}", sent["lead_id"].as_str().unwrap_or_else(|| panic!("{sent}")));
        let spelt = |text: &str| text.replace("{lead}", &lead).replace("{buyer}", &format!("Buyer:{buyer}"));
        let mut robots = Vec::new();
        for scope in KeyScope::ALL {
            robots.push((vec![*scope], robot(&app, &admin, &[*scope]).await));
        }
        robots.push((KeyScope::ALL.to_vec(), robot(&app, &admin, KeyScope::ALL).await));
        for (text, needed) in KINDS {
            let text = spelt(text);
            let as_admin = admin.raw(&text, json!({})).await;
            assert!(!["OUT_OF_SCOPE", "FORBIDDEN", "GRAPHQL_VALIDATION_FAILED"].contains(&code(&as_admin)), "{as_admin}");
            for (scopes, robot) in &robots {
                let answer = robot.raw(&text, json!({})).await;
                let every = scopes.len() == KeyScope::ALL.len();
                let person = text.contains("userInvite") || text.contains("apiKeyCreate");
                let runs = if every { !person } else { needed.contains(&scopes[0]) };
                assert_eq!(code(&answer) != "OUT_OF_SCOPE", runs, "{scopes:?}: {text}: {answer}");
                // With a scope it answers as the person is answered.
                if runs && text.starts_with('{') && !text.contains("audit") {
                    assert_eq!(answer, admin.raw(&text, json!({})).await, "{scopes:?}");
                }
            }
        }
        let analyst = app.staff(Role::Analyst).await;
        let every = robot(&app, &analyst, KeyScope::ALL).await;
        for text in ["{ users(first: 1) { nodes { id } } }", "mutation { walletTopUp(input: { buyerId: \"x\", amountMinor: \"1\", currency: \"EUR\", idempotencyKey: \"k\" }) { userErrors { code } } }"] {
            assert_eq!(code(&every.raw(text, json!({})).await), "FORBIDDEN", "{text}");
        }
        let masked = "{ leads(first: 1) { nodes { fields { key value masked } } } }";
        assert_eq!(every.ask(masked, json!({})).await, analyst.ask(masked, json!({})).await);
        app.finish().await;
    })
    .await;
}

/// A key is shown once, is listed with its last use, says what is wrong with what was asked for, and is nobody's at the
/// suppliers' doors. What it does stands in the audit with its id.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_and_used() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        app.buyer("Buyer", 0, vec![]).await;
        let admin = app.staff(Role::Admin).await;
        let new = made(&admin, &[KeyScope::People, KeyScope::Setup], None).await;
        let secret = new["secret"].as_str().unwrap();
        let key = &new["apiKey"];
        assert!(secret.starts_with(key["beginsWith"].as_str().unwrap()), "{new}");
        assert_eq!((&key["scopes"], &key["state"]), (&json!(["SETUP", "PEOPLE"]), &json!("ACTIVE")));
        assert_eq!((&key["lastUsedAt"], &key["user"]["email"]), (&Value::Null, &json!("admin@staff.example")));
        let robot = Asking::with(app.client(""), secret);
        let viewer = robot.ask(VIEWER, json!({})).await["viewer"].take();
        assert_eq!((&viewer["apiKey"]["id"], &viewer["user"]["role"]), (&key["id"], &json!("ADMIN")));
        app.idle().await;
        app.clock.advance(Duration::seconds(30));
        robot.ask(VIEWER, json!({})).await;
        app.idle().await;
        let listed = admin.ask(KEYS, json!({})).await["apiKeys"].take();
        assert_eq!((&listed["totalCount"], &listed["nodes"][0]["lastUsedAt"]), (&json!(1), &json!("2026-07-01T10:00:00+00:00")));
        assert!(!admin.text(KEYS, json!({})).await.contains(secret), "it is shown once");

        let vertical = "mutation { supplierCreate(input: { name: \"By a key\" }) { supplier { id } userErrors { code } } }";
        let made_by_key = robot.ask(vertical, json!({})).await["supplierCreate"]["supplier"]["id"].take();
        let entries = "query($filter: AuditFilter) { auditEntries(first: 10, filter: $filter) { nodes { actor action detail } } }";
        let told = admin.ask(entries, json!({ "filter": { "subjectId": made_by_key } })).await;
        let id = key["id"].as_str().unwrap().trim_start_matches("ApiKey:");
        assert!(told["auditEntries"]["nodes"][0]["detail"].as_str().unwrap().contains(id), "{told}");
        let told = admin.ask(entries, json!({ "filter": { "subjectId": key["id"] } })).await;
        assert_eq!(told["auditEntries"]["nodes"][0]["action"], "create");
        assert!(!told.to_string().contains(&secret[21..]), "no secret in the audit");

        let (status, _) = app.client(secret).send_json("/v1/leads", &lead(1), None).await.unwrap();
        assert_eq!(status, 401, "suppliers' doors take sources' keys");
        let soon = "2026-07-01T10:00:00Z";
        for (input, wrong) in [
            (json!({ "name": " ", "scopes": ["LEADS"] }), ("LENGTH", "name")),
            (json!({ "name": "a", "scopes": [] }), ("REQUIRED", "scopes")),
            (json!({ "name": "a", "scopes": ["LEADS"], "expiresAt": soon }), ("OUT_OF_RANGE", "expiresAt")),
            (json!({ "name": "a", "scopes": ["LEADS"], "expiresAt": "2037-01-01T00:00:00Z" }), ("OUT_OF_RANGE", "expiresAt")),
        ] {
            let answer = admin.ask(CREATE, json!({ "input": input })).await["apiKeyCreate"].take();
            let error = &answer["userErrors"][0];
            assert_eq!((&error["code"], &error["field"][1]), (&json!(wrong.0), &json!(wrong.1)), "{answer}");
        }
        for _ in 1..20 {
            assert!(made(&admin, &[KeyScope::Leads], None).await["secret"].is_string());
        }
        assert_eq!(made(&admin, &[KeyScope::Leads], None).await["userErrors"][0]["code"], "TOO_MANY_KEYS");
        app.finish().await;
    })
    .await;
}

/// A key ends when it was to end. A rotated key and its successor both open until the stated moment, then the successor
/// alone, which has the same name and scopes and lives as long as the old one was made for.
#[tokio::test(flavor = "multi_thread")]
async fn keys_end_and_are_replaced_without_a_gap() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let user = app.staff(Role::Manager).await;
        let old = made(&user, &[KeyScope::Leads, KeyScope::Books], Some("2026-07-03T10:00:00Z")).await;
        let (old_id, old) =
            (old["apiKey"]["id"].clone(), Asking::with(app.client(""), old["secret"].as_str().unwrap()));
        app.clock.advance(Duration::hours(1));
        let user = signed_in(&app, "manager@staff.example", PASSWORD).await.unwrap();
        let rotate = async |until: &str| {
            let input = json!({ "input": { "apiKeyId": old_id, "oldUntil": until } });
            user.ask(ROTATE, input).await["apiKeyRotate"].take()
        };
        for wrong in ["2026-07-01T11:00:00Z", "2026-08-01T00:00:00Z"] {
            assert_eq!(rotate(wrong).await["userErrors"][0]["code"], "OUT_OF_RANGE", "{wrong}");
        }
        let new = rotate("2026-07-01T13:00:00Z").await;
        assert_eq!((&new["apiKey"]["name"], &new["apiKey"]["scopes"]), (&json!("robot"), &json!(["LEADS", "BOOKS"])));
        assert_eq!(new["apiKey"]["expiresAt"], "2026-07-03T11:00:00+00:00");
        let new = Asking::with(app.client(""), new["secret"].as_str().unwrap());
        assert!(is_in(&old).await && is_in(&new).await);
        app.clock.advance(Duration::minutes(119));
        assert!(is_in(&old).await && is_in(&new).await, "both, until the stated moment");
        app.clock.advance(Duration::minutes(1));
        assert!(!is_in(&old).await && is_in(&new).await, "from then on the successor alone");
        let again = rotate("2026-07-01T14:00:00Z").await;
        assert_eq!(again["userErrors"][0]["code"], "NOT_FOUND", "what ended is not replaced: {again}");
        app.clock.advance(Duration::hours(46));
        assert!(!is_in(&new).await, "it lived as long as the old one was made for");
        let user = signed_in(&app, "manager@staff.example", PASSWORD).await.unwrap();
        let active = user.ask(KEYS, json!({ "filter": { "active": true } })).await;
        assert_eq!(active["apiKeys"]["totalCount"], 0);
        let states = user.ask(KEYS, json!({})).await["apiKeys"]["nodes"].take();
        assert!(states.as_array().unwrap().iter().all(|key| key["state"] == "EXPIRED"), "{states}");
        app.finish().await;
    })
    .await;
}

/// A key has one successor: whoever rotates it again by mistake gets no second one that would end with the overlap. Once the
/// successor was revoked there may be another, and it lives as long as the first key was made for.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_has_one_successor() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let user = app.staff(Role::Manager).await;
        let old = made(&user, &[KeyScope::Leads], Some("2026-07-03T10:00:00Z")).await["apiKey"]["id"].take();
        let rotate = "mutation($input: ApiKeyRotateInput!) { apiKeyRotate(input: $input) {
            apiKey { id beginsWith expiresAt } userErrors { code field message } } }";
        let rotated = async |id: &Value, until: Option<&str>| {
            let input = json!({ "input": { "apiKeyId": id, "oldUntil": until } });
            user.ask(rotate, input).await["apiKeyRotate"].take()
        };
        let ends = async |id: &Value| {
            let keys = user.ask("{ apiKeys(first: 100) { nodes { id expiresAt } } }", json!({})).await;
            let keys = keys["apiKeys"]["nodes"].as_array().unwrap().clone();
            keys.into_iter().find(|key| key["id"] == *id).unwrap()["expiresAt"].take()
        };
        app.clock.advance(Duration::hours(1));
        let (one, other) = tokio::join!(rotated(&old, None), rotated(&old, None));
        let (first, refused) = if one["apiKey"].is_null() { (other, one) } else { (one, other) };
        assert_eq!(first["apiKey"]["expiresAt"], "2026-07-03T11:00:00+00:00", "{first}");
        assert_eq!(ends(&old).await, "2026-07-02T11:00:00+00:00");
        let error = &refused["userErrors"][0];
        assert_eq!((&error["code"], &error["field"][1]), (&json!("ALREADY_ROTATED"), &json!("apiKeyId")), "{refused}");
        let (told, begins) = (error["message"].as_str().unwrap(), first["apiKey"]["beginsWith"].as_str().unwrap());
        assert!(told.contains(begins) && told.contains("revoke it"), "{told}");
        assert_eq!(ends(&old).await, "2026-07-02T11:00:00+00:00", "what is refused changes nothing");

        let revoked = user.ask(REVOKE, json!({ "input": { "apiKeyId": first["apiKey"]["id"] } })).await;
        assert_eq!(revoked["apiKeyRevoke"]["apiKey"]["state"], "REVOKED");
        app.clock.advance(Duration::hours(1));
        let second = rotated(&old, Some("2026-07-20T10:00:00Z")).await;
        assert_eq!(second["apiKey"]["expiresAt"], "2026-07-03T12:00:00+00:00", "two days, not an overlap: {second}");
        assert_eq!(ends(&old).await, "2026-07-03T10:00:00+00:00", "never longer than it was made for");
        // A successor is a key like any other, and has a successor of its own.
        assert!(rotated(&second["apiKey"]["id"], None).await["userErrors"][0].is_null());
        assert_eq!(rotated(&old, None).await["userErrors"][0]["code"], "ALREADY_ROTATED");

        // One that never ends has a successor that never ends.
        let endless = made(&user, &[KeyScope::Leads], None).await["apiKey"]["id"].take();
        let first = rotated(&endless, None).await;
        user.ask(REVOKE, json!({ "input": { "apiKeyId": first["apiKey"]["id"] } })).await;
        assert!(
            first["apiKey"]["expiresAt"].is_null() && rotated(&endless, None).await["apiKey"]["expiresAt"].is_null()
        );
        app.finish().await;
    })
    .await;
}

/// Keys that were replaced count too: no chain of successors grows without end. All of them end with their user, each with a
/// line in the audit.
#[tokio::test(flavor = "multi_thread")]
async fn successors_are_counted() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let (admin, user) = (app.staff(Role::Admin).await, app.staff(Role::Manager).await);
        let mut id = made(&user, &[KeyScope::Leads], None).await["apiKey"]["id"].take();
        let until = "2026-07-20T10:00:00Z";
        for _ in 1..40 {
            let input = json!({ "input": { "apiKeyId": id, "oldUntil": until } });
            let rotated = user.ask(ROTATE, input).await["apiKeyRotate"].take();
            assert!(rotated["secret"].is_string(), "{rotated}");
            id = rotated["apiKey"]["id"].clone();
        }
        let input = json!({ "input": { "apiKeyId": id, "oldUntil": until } });
        let error = user.ask(ROTATE, input).await["apiKeyRotate"]["userErrors"][0].take();
        assert_eq!((&error["code"], &error["field"][1]), (&json!("TOO_MANY_KEYS"), &json!("apiKeyId")));
        let active = json!({ "filter": { "active": true } });
        assert_eq!(admin.ask(KEYS, active.clone()).await["apiKeys"]["totalCount"], 40);
        let user = user.ask(VIEWER, json!({})).await["viewer"]["user"]["id"].take();
        let disable = "mutation($id: ID!) { userDisable(input: { userId: $id }) { userErrors { code } } }";
        admin.ask(disable, json!({ "id": user })).await;
        assert_eq!(admin.ask(KEYS, active).await["apiKeys"]["totalCount"], 0);
        let entries = "query($id: ID!) { auditEntries(first: 5, filter: { subjectId: $id }) { nodes { action } } }";
        let told = admin.ask(entries, json!({ "id": id })).await["auditEntries"]["nodes"].take();
        assert!(told.to_string().contains("\"revoke\""), "{told}");
        app.finish().await;
    })
    .await;
}

/// Whoever asks with a key waits for nobody who writes: that the key was used is noted beside, and told afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn noting_a_use_keeps_nobody_waiting() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let admin = app.staff(Role::Admin).await;
        let robot = robot(&app, &admin, &[KeyScope::Market]).await;
        // SQLite's only writer, and PostgreSQL's lock of the key's row.
        let write = app.store().write(OPERATE).await.unwrap();
        assert!(write.plant("UPDATE api_key SET label = label").await.unwrap() > 0);
        let asked = futures_util::future::join_all((0..5).map(|_| is_in(&robot)));
        let asked = tokio::time::timeout(std::time::Duration::from_secs(20), asked).await.expect("somebody waits");
        assert_eq!(asked, [true; 5]);
        assert!(app.store().key_uses_noted().now_or_never().is_none(), "whoever closes the store waits for it");
        write.rollback().await.unwrap();
        app.idle().await;
        app.clock.advance(Duration::seconds(59));
        assert!(is_in(&robot).await);
        app.idle().await;
        let listed = admin.ask(KEYS, json!({})).await["apiKeys"]["nodes"].take();
        assert_eq!(listed[0]["lastUsedAt"], "2026-07-01T10:00:00+00:00", "to the minute");
        app.clock.advance(Duration::seconds(1));
        assert!(is_in(&robot).await);
        app.idle().await;
        let listed = admin.ask(KEYS, json!({})).await["apiKeys"]["nodes"].take();
        assert_eq!(listed[0]["lastUsedAt"], "2026-07-01T10:01:00+00:00");
        app.finish().await;
    })
    .await;
}

/// A key that is revoked opens nothing from then on, and so does every key of a user who is shut out, for good. Another
/// role counts at once. Somebody else's key answers as one that does not exist.
#[tokio::test(flavor = "multi_thread")]
async fn keys_end_at_once() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let (mine, theirs) = (app.buyer("Mine", 0, vec![]).await, app.buyer("Theirs", 0, vec![]).await);
        let admin = app.staff(Role::Admin).await;
        let (own, other, analyst) =
            (app.buyer_user(mine).await, app.buyer_user(theirs).await, app.staff(Role::Analyst).await);
        let mut keys = Vec::new();
        for who in [&own, &other, &analyst] {
            let made = made(who, &[KeyScope::Market], None).await;
            keys.push((made["apiKey"]["id"].clone(), Asking::with(app.client(""), made["secret"].as_str().unwrap())));
        }
        let absent = json!("ApiKey:00000000-0000-0000-0000-000000000001");
        let one = "query($id: ID!) { apiKey(id: $id) { name } node(id: $id) { id } }";
        for (who, foreign) in [(&own, 1), (&own, 2), (&other, 0), (&analyst, 0)] {
            let (foreign, revoke) = (&keys[foreign].0, |id: &Value| json!({ "input": { "apiKeyId": id } }));
            assert_eq!(who.text(one, json!({ "id": foreign })).await, who.text(one, json!({ "id": absent })).await);
            assert_eq!(who.text(REVOKE, revoke(foreign)).await, who.text(REVOKE, revoke(&absent)).await);
            let rotate = |id: &Value| json!({ "input": { "apiKeyId": id } });
            assert_eq!(who.text(ROTATE, rotate(foreign)).await, who.text(ROTATE, rotate(&absent)).await);
        }
        // An administrator sees and ends others' keys, and does not get them shown.
        assert_eq!(admin.ask(KEYS, json!({})).await["apiKeys"]["totalCount"], 3);
        let input = |at: usize| json!({ "input": { "apiKeyId": keys[at].0 } });
        assert_eq!(admin.ask(ROTATE, input(0)).await["apiKeyRotate"]["userErrors"][0]["code"], "NOT_FOUND");
        assert!(is_in(&keys[1].1).await);
        assert_eq!(admin.ask(REVOKE, input(1)).await["apiKeyRevoke"]["apiKey"]["state"], "REVOKED");
        assert!(!is_in(&keys[1].1).await);
        assert_eq!(admin.ask(REVOKE, input(1)).await["apiKeyRevoke"]["userErrors"][0]["code"], "NOT_FOUND");

        // A buyer's administrator does so for the buyer's own users.
        let role = "mutation($id: ID!, $role: Role!) { userUpdate(input: { userId: $id, role: $role }) { userErrors { code } } }";
        let id_of = async |who: &Asking| who.ask(VIEWER, json!({})).await["viewer"]["user"]["id"].take();
        let own_id = id_of(&own).await;
        assert_eq!(code(&keys[0].1.raw("{ users(first: 1) { nodes { id } } }", json!({})).await), "FORBIDDEN");
        admin.ask(role, json!({ "id": own_id, "role": "BUYER_ADMIN" })).await;
        assert_eq!(code(&keys[0].1.raw("{ users(first: 1) { nodes { id } } }", json!({})).await), "OUT_OF_SCOPE");
        assert_eq!(own.ask(KEYS, json!({})).await["apiKeys"]["totalCount"], 1);

        let disable = "mutation($id: ID!) { userDisable(input: { userId: $id }) { userErrors { code } } }";
        let enable = "mutation($id: ID!) { userEnable(input: { userId: $id }) { userErrors { code } } }";
        admin.ask(disable, json!({ "id": own_id })).await;
        assert!(!is_in(&keys[0].1).await);
        admin.ask(enable, json!({ "id": own_id })).await;
        assert!(!is_in(&keys[0].1).await, "what ended stays ended");
        app.finish().await;
    })
    .await;
}

/// A made-up key asks the database nothing, whoever guesses is barred for a while, and whose key is known stays in. A
/// session's own pages are closed to keys: a cookie holds no key. A key from before there were checksums still opens.
#[tokio::test(flavor = "multi_thread")]
async fn guessing_keys_leads_nowhere() {
    on_both(async |database| {
        let url = database.url();
        let is_sqlite = matches!(database, TestDatabase::Sqlite(_));
        let mut app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let admin = app.staff(Role::Admin).await;
        let secret = made(&admin, &[KeyScope::Leads], None).await["secret"].as_str().unwrap().to_owned();
        let robot = Asking::with(app.client(""), &secret);
        assert!(is_in(&robot).await);
        app.rest().await;
        let before = app.store().statements();
        let (head, tail) = secret.split_at(secret.len() - 1);
        let other = if tail == "0" { "1" } else { "0" };
        for guess in [format!("{head}{other}"), head.to_owned(), format!("{secret}0"), "ly_live_0_0".to_owned()] {
            assert!(!is_in(&Asking::with(app.client(""), &guess)).await, "{guess}");
        }
        assert_eq!(app.store().statements(), before, "their checksums tell");

        let rates = RateLimits { failures_per_minute: 5, ..RateLimits::default() };
        let server = app.serve_within(ServerLimits { rates: Some(rates), ..ServerLimits::default() }).await;
        let client = LeadSender::new(&format!("http://{}", server.address), None).unwrap();
        let body = json!({ "query": VIEWER }).to_string().into_bytes();
        let ask = async |key: &str| {
            let from = ("x-forwarded-for".to_owned(), "198.51.100.9".to_owned());
            let client = client.with_api_key(key.to_owned().into());
            client.post("/graphql", "application/json", vec![from], body.clone()).await.unwrap().status
        };
        assert_eq!(ask(&secret).await, 200);
        let mut statuses = Vec::new();
        for number in 0..12 {
            statuses.push(ask(&format!("ly_live_{number:012}_{}", "0".repeat(48))).await);
        }
        assert_eq!((statuses[0], statuses[11]), (401, 429), "{statuses:?}");
        assert_eq!(ask(&secret).await, 200, "whose key was right before stays in");
        server.shutdown().await;

        let headers = vec![
            ("cookie".to_owned(), format!("__Host-leadyard={secret}")),
            ("sec-fetch-site".to_owned(), "same-origin".to_owned()),
        ];
        let answer = app.client("").post("/graphql", "application/json", headers, body).await.unwrap();
        assert!(String::from_utf8_lossy(&answer.body).contains("UNAUTHENTICATED"));

        // A plain hash, as it was stored once.
        let id = market.source_id.0;
        let old = "0".repeat(48);
        let (hash, of) = if is_sqlite {
            (format!("X'{}'", sha256(&old)), format!("X'{}'", id.simple()))
        } else {
            (format!("'\\x{}'", sha256(&old)), format!("'{id}'"))
        };
        let plant =
            format!("UPDATE api_key SET public_id = '0123456789ab', secret_hash = {hash} WHERE source_id = {of}");
        plant_faults(&url, &[plant]).await.unwrap();
        assert!(app.store().authenticate(&format!("ly_live_0123456789ab_{old}")).await.unwrap().is_some());
        app.work();
        app.finish().await;
    })
    .await;
}
