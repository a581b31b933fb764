//! The configuration as text: what is exported brings the market back, a plan hides nothing, an apply is all or nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

mod garbage;
mod random;

use leadyard::demo;
use leadyard::market_file::{parse, write};
use leadyard_connectors::fake::Bidding;
use leadyard_entity::model::revision;
use leadyard_market::configuration::{Plan, Secret, Secrets, export};
use leadyard_market::setup::{Applied, ApplyError, NewDestination, OwnChange, Setup, SetupError};
use leadyard_tests::market::{Selling, lead, terms};
use leadyard_tests::{OPERATE, TestApp, TestDatabase, on_both};
use leadyard_types::{
    BuyerTerms, ContractTerms, DestinationKind, Filter, Principal, Role, Status, SystemTask, UserId, Verdict,
};
use secrecy::ExposeSecret as _;
use serde_json::json;
use uuid::Uuid;

async fn text_of(setup: &Setup) -> String {
    write(&export(&setup.standing().await.unwrap(), None))
}

async fn plan(setup: &Setup, text: &str) -> Result<Plan, ApplyError> {
    setup.plan(&parse(text)?, &Secrets::new()).await
}

/// Plans a text and applies it at once.
async fn apply(setup: &Setup, text: &str) -> Result<Applied, ApplyError> {
    let document = parse(text)?;
    let shown = setup.plan(&document, &Secrets::new()).await?;
    setup.apply(&document, &Secrets::new(), &shown).await
}

fn told(plan: &Plan) -> String {
    plan.changes.iter().map(|change| format!("{change}\n")).collect()
}

async fn version(app: &TestApp) -> i64 {
    app.store().read(OPERATE).config_version().await.unwrap().config
}

/// A market with one of everything: what the demo has, a group, several contracts of one name, filters that name
/// sources, a buyer that is asked for bids, something archived, and texts that are hard to write.
async fn rich_market(app: &TestApp) {
    demo::market::make(app.store(), app.policy.clone(), &app.receiver).await.unwrap();
    let market = app.market(Selling::default()).await;
    let setup = app.setup();
    let group = setup.create_buyer_group("Gruppe \"Nord\" \\ 1").await.unwrap();
    let buyer = app.buyer("Käufer # 1", 0, Vec::new()).await;
    let grouped = BuyerTerms {
        status: Status::Active,
        time_zone: chrono_tz::Tz::Europe__Berlin,
        group: Some(group),
        caps: Vec::new(),
    };
    setup.revise_buyer(buyer, 1, grouped).await.unwrap();
    let first = app.webhook(buyer, "/same").await;
    let config = json!({
        "url": app.receiver.url("/same"), "content_type": "text/plain", "template": "{{ lead_id }}\n\"\"\"quoted\"\"\"\\ \"",
        "status_query": { "url": app.receiver.url("/same/{{ delivery_id }}"), "answer": { "absent": { "statuses": [404] } } },
    });
    let new = NewDestination { buyer_id: buyer, name: "/same".into(), kind: DestinationKind::Webhook, config };
    setup.create_destination(new).await.unwrap();
    app.asked_at(buyer, "/bids", Bidding::Silent).await;
    let picky = Filter::Any {
        of: vec![
            Filter::Sources { sources: vec![market.source_id] },
            Filter::Not { of: Box::new(Filter::Matches { field: "email".into(), pattern: r"^\d+\.x@".into() }) },
        ],
    };
    let contract = ContractTerms {
        filter: Some(picky),
        sources_allowed: vec![market.source_id],
        destinations: vec![first],
        verdict: Verdict::Sync,
        ..terms(1_234)
    };
    app.contract(market.campaign_id, buyer, "twin", contract.clone()).await;
    let twin = app.contract(market.campaign_id, buyer, "twin", contract).await;
    setup.set_contract_status(twin, 1, Status::Archived).await.unwrap();
}

/// What is exported, applied to an empty database, is the same market under the same ids: its export is the same to the
/// byte. Applied again, there is nothing to change and nothing is written.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_brings_the_market_back() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        rich_market(&app).await;
        let text = text_of(&app.setup()).await;
        assert!(plan(&app.setup(), &text).await.unwrap().changes.is_empty());

        let other = TestApp::start(TestDatabase::sqlite()).await;
        let setup = Setup::new(other.store(), OPERATE, app.policy.clone());
        let applied = apply(&setup, &text).await.unwrap();
        assert_eq!(applied.new, app.setup().standing().await.unwrap().count());
        assert_eq!(text_of(&setup).await, text);
        let before = version(&other).await;
        let again = apply(&setup, &text).await.unwrap();
        assert_eq!((again.new, again.changed, version(&other).await), (0, 0, before));
        other.finish().await;
        app.finish().await;
    })
    .await;
}

/// A status query's settings are planned and applied like all others; what may be a secret in it is neither written out nor
/// shown, is kept where it is said to be, and wrong ones are named by field.
#[tokio::test(flavor = "multi_thread")]
async fn a_status_query_is_configuration() {
    let app = TestApp::start(TestDatabase::sqlite()).await;
    let buyer = app.buyer("Buyer", 0, Vec::new()).await;
    let query = json!({ "url": app.receiver.url("/status/{{ sale_id }}"), "headers": [["x-key", "hunter2hunter2"]] });
    let config = json!({ "url": app.receiver.url("/in"), "status_query": query });
    let new = NewDestination { buyer_id: buyer, name: "CRM".into(), kind: DestinationKind::Webhook, config };
    let id = app.setup().create_destination(new).await.unwrap().id;
    let text = text_of(&app.setup()).await;
    assert!(text.contains("/status/{{ sale_id }}") && !text.contains("hunter2"), "{text}");
    assert!(plan(&app.setup(), &text).await.unwrap().changes.is_empty());
    let more = text.replace("/status/{{ sale_id }}", "/status/{{ lead_id }}");
    let shown = told(&plan(&app.setup(), &more).await.unwrap());
    assert!(shown.contains("status_query") && !shown.contains("hunter2"), "{shown}");
    apply(&app.setup(), &more).await.unwrap();
    let row =
        app.store().read(OPERATE).by_id::<leadyard_entity::model::destination::Entity>(id.0).await.unwrap().unwrap();
    assert!(row.config.contains("/status/{{ lead_id }}") && row.config.contains("hunter2hunter2"), "{}", row.config);
    // The README's example, as it stands there.
    let readme = include_str!("../../../README.md");
    let block = readme.split("```toml").find(|block| block.contains("status_query")).unwrap();
    let example: String = block.split("```").next().unwrap().replace("\n  ", "\n").replace("Sonnendach", "Buyer");
    let document = parse(&example).unwrap();
    let key = (Secret::Env("CRM_KEY".into()), Ok("Bearer k".to_owned().into()));
    let planned = app.setup().plan(&document, &Secrets::from([key])).await.unwrap();
    assert!(told(&planned).contains("absent_proves_after_minutes"), "{}", told(&planned));
    let wrong = text.replace("/status/{{ sale_id }}", "/status/{{ fields.email }}");
    let refused = plan(&app.setup(), &wrong).await.unwrap_err().to_string();
    assert!(refused.contains("status_query.url") && refused.contains("INVALID_URL"), "{refused}");
    app.finish().await;
}

/// A part of the market, as a person would write it, is enough; references are found by name, new things are made, and
/// the leads that come next are sold by it, in this process and in others.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_is_planned_applied_and_acts_at_once() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("Buyer", 1_000_000, Vec::new()).await;
        app.buyer("Rich", 1_000_000, Vec::new()).await;
        app.contract(market.campaign_id, buyer, "A", terms(4_500)).await;
        let other = app.another_process(None).await;
        let client = app.client(&market.key);
        let price = async |number: usize| {
            let (_, answer) = client.send_json("/v1/leads", &lead(number), None).await.unwrap();
            answer["price"]["amount_minor"].as_i64()
        };
        assert_eq!(price(1).await, Some(500));
        let text = r#"
            [[contract]]
            name = "A"
            price_minor = 4900
            filter = { op = "sources", sources = ["Source"] }

            [[source]]
            name = "Source"
            cost = { model = "PER_SOLD_LEAD", amount_minor = 700 }

            [[contract]]
            name = "B"
            campaign = "Test"
            buyer = "Rich"
            status = "ACTIVE"
            stage = "main"
            priority = 2
            weight = 1
            exclusivity = "ANY"
            price_minor = 100
            verdict = "NONE"
            destinations = []
        "#;
        let shown = told(&plan(&app.setup(), text).await.unwrap());
        assert_eq!(
            shown,
            "~ source \"Source\" cost.amount_minor 500 → 700\n~ contract \"A\"\n    price_minor 4500 → 4900\n    \
             filter {\"op\":\"sources\",\"sources\":[\"Source\"]}\n+ contract \"B\"\n    name \"B\"\n    campaign \
             \"Test\"\n    buyer \"Rich\"\n    status \"ACTIVE\"\n    stage \"main\"\n    priority 2\n    weight 1\n    \
             exclusivity \"ANY\"\n    price_minor 100\n    consent_names_buyer false\n    verdict \"NONE\"\n    \
             destinations []\n    credit_frees_cap false\n    unknown_window_minutes 1440\n"
        );
        let applied = apply(&app.setup(), text).await.unwrap();
        assert_eq!((applied.new, applied.changed), (1, 2));
        assert_eq!(price(2).await, Some(700));
        // Another process learnt of it by the version it checks.
        let snapshot = other.market.refresh().await.unwrap();
        assert_eq!(snapshot.version.config, applied.version);
        let ended = "[[contract]]\nname = \"A\"\nstatus = \"ARCHIVED\"";
        assert_eq!(told(&plan(&app.setup(), ended).await.unwrap()), "~ contract \"A\" status \"ACTIVE\" → \"ARCHIVED\"\n");
        apply(&app.setup(), ended).await.unwrap();
        assert_eq!(app.store().read(OPERATE).totals().await.unwrap().sales, 2);
        let (_, answer) = client.send_json("/v1/leads", &lead(3), None).await.unwrap();
        assert_eq!(answer["status"], "sold", "the other contract is left: {answer}");
        let back = "[[contract]]\nname = \"A\"\nstatus = \"ACTIVE\"";
        let refused = plan(&app.setup(), back).await.unwrap_err().to_string();
        assert!(refused.contains("line 3: contract \"A\": status: ") && refused.contains("INVALID_TRANSITION"), "{refused}");
        other.stop().await;
        app.finish().await;
    })
    .await;
}

/// A field that is left out stays; `none` and empty lists take away; names are changed by id, also for each other's.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_out_stays() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let (one, two) = (app.buyer("One", 0, Vec::new()).await, app.buyer("Two", 0, Vec::new()).await);
        let filter = Some(Filter::Exists { field: "size".into() });
        let terms = ContractTerms { filter, caps: vec![leadyard_tests::market::daily(5)], ..terms(1_000) };
        app.contract(market.campaign_id, one, "A", terms).await;
        let setup = app.setup();
        let told_by = async |text: &str| told(&plan(&setup, text).await.unwrap());
        assert_eq!(told_by("[[contract]]\nname = \"A\"").await, "");
        assert_eq!(
            told_by("[[contract]]\nname = \"A\"\ncaps = []\nnone = [\"filter\", \"schedule\"]").await,
            "~ contract \"A\"\n    filter {\"field\":\"size\",\"op\":\"exists\"} → nothing\n    \
             caps [{\"count\":5,\"period\":\"DAY\"}] → nothing\n"
        );
        let swap = format!("[[buyer]]\nid = \"{one}\"\nname = \"Two\"\n[[buyer]]\nid = \"{two}\"\nname = \"One\"");
        assert_eq!(
            told_by(&swap).await,
            "~ buyer \"One\" name \"One\" → \"Two\"\n~ buyer \"Two\" name \"Two\" → \"One\"\n"
        );
        apply(&setup, &swap).await.unwrap();
        let buyers = app.app.market.refresh().await.unwrap().buyers.clone();
        assert_eq!((buyers[&one].name.as_str(), buyers[&two].name.as_str()), ("Two", "One"));
        // The contract stayed with its buyer, which now has the other name.
        assert!(text_of(&setup).await.contains("name = \"A\"\ncampaign = \"Test\"\nbuyer = \"Two\"\n"));
        let supplier =
            "[[supplier]]\nname = \"Supplier of Test\"\nemail = \"new@mail.example.com\"\nstatus = \"PAUSED\"";
        apply(&setup, supplier).await.unwrap();
        assert_eq!(told_by(supplier).await, "");
        let vertical = "[[vertical]]\nkey = \"test\"\nname = \"Tested\"";
        assert_eq!(told_by(vertical).await, "~ vertical \"test\" name \"Test\" → \"Tested\"\n");
        apply(&setup, vertical).await.unwrap();
        assert_eq!(told_by(vertical).await, "");
        app.finish().await;
    })
    .await;
}

/// An address that stands since before there was a rule for it goes through an export and back, and stays where something
/// else is changed; a new one is as the rule says.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_address_stays() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        app.market(Selling::default()).await;
        app.buyer("Buyer", 0, Vec::new()).await;
        let write = app.store().write(OPERATE).await.unwrap();
        assert_eq!(write.plant("UPDATE buyer SET email = 'Ada <ada@b.example>'").await.unwrap(), 1);
        assert_eq!(write.plant("UPDATE supplier SET email = 'nobody'").await.unwrap(), 1);
        let _ = write.commit().await.unwrap();
        let setup = app.setup();
        let text = text_of(&setup).await;
        assert!(text.contains("Ada <ada@b.example>") && text.contains("\"nobody\""), "{text}");
        assert_eq!(told(&plan(&setup, &text).await.unwrap()), "");
        let paused = "[[supplier]]\nname = \"Supplier of Test\"\nemail = \"nobody\"\nstatus = \"PAUSED\"";
        apply(&setup, paused).await.unwrap();
        let changed = "[[supplier]]\nname = \"Supplier of Test\"\nemail = \"somebody\"";
        let refused = plan(&setup, changed).await.unwrap_err().to_string();
        assert!(refused.contains("INVALID_EMAIL"), "{refused}");
        let host = "[[supplier]]\nname = \"Supplier of Test\"\nemail = \"leads@intranet\"";
        apply(&setup, host).await.unwrap();
        app.finish().await;
    })
    .await;
}

/// Stages and contracts that only fit together are changed together; one without the other is refused.
#[tokio::test(flavor = "multi_thread")]
async fn what_fits_only_together_is_applied_together() {
    let app = TestApp::start(TestDatabase::sqlite()).await;
    let market = app.market(Selling::default()).await;
    let buyer = app.buyer("Buyer", 0, Vec::new()).await;
    app.contract(market.campaign_id, buyer, "A", terms(1_000)).await;
    let stages = "[[campaign]]\nname = \"Test\"\nstages = [{ key = \"next\", method = \"WATERFALL\" }]\n";
    let moved = "[[contract]]\nname = \"A\"\nstage = \"next\"\n";
    let refused = plan(&app.setup(), stages).await.unwrap_err().to_string();
    assert_eq!(
        refused,
        "line 3: campaign \"Test\": stages: contracts take part in the stage `main`: move them first (IN_USE)"
    );
    let refused = plan(&app.setup(), moved).await.unwrap_err().to_string();
    assert_eq!(refused, "line 3: contract \"A\": stage: the campaign has no stage `next` (UNKNOWN_STAGE)");
    let applied = apply(&app.setup(), &format!("{stages}{moved}")).await.unwrap();
    assert_eq!((applied.new, applied.changed), (0, 2));
    app.finish().await;
}

/// Who applies is in the audit and in the revisions; only those who run the market may plan at all.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_on_record_who_applied() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("Buyer", 0, Vec::new()).await;
        let contract = app.contract(market.campaign_id, buyer, "A", terms(1_000)).await;
        let text = "[[contract]]\nname = \"A\"\nprice_minor = 1100";
        let staff = |role: Role| Principal::Staff { user_id: UserId(Uuid::from_u128(7)), role, key: None };
        for principal in [
            staff(Role::Analyst),
            staff(Role::Finance),
            Principal::Buyer {
                user_id: UserId(Uuid::from_u128(7)),
                role: Role::BuyerAdmin,
                buyer_id: buyer,
                key: None,
            },
            Principal::Source { source_id: market.source_id },
            Principal::System(SystemTask::Deliver),
        ] {
            let setup = Setup::new(app.store(), principal, app.policy.clone());
            let refused = plan(&setup, text).await.unwrap_err();
            assert!(matches!(refused, ApplyError::Setup(SetupError::NotAllowed)), "{principal:?}: {refused}");
        }
        let manager = Setup::new(app.store(), staff(Role::Manager), app.policy.clone());
        let rows = app.store().read(OPERATE).audit_chain().await.unwrap().rows;
        apply(&manager, text).await.unwrap();
        let standing = app.store().read(OPERATE).whole_configuration().await.unwrap();
        let head = standing.heads.contracts.iter().find(|head| head.id == contract.0).unwrap();
        let revision = app.store().read(OPERATE).by_id::<revision::Entity>(head.revision_id).await.unwrap().unwrap();
        assert_eq!((revision.created_by, revision.version), (staff(Role::Manager).audit_name(), 2));
        // One line for the contract, one for the whole.
        assert_eq!(app.store().read(OPERATE).audit_chain().await.unwrap().rows, rows + 2);
        app.finish().await;
    })
    .await;
}

/// Of two applies of plans for one version, one wins; the other is told, and nothing of it is written.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_applies_one_wins() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let buyer = app.buyer("Buyer", 0, Vec::new()).await;
        app.contract(market.campaign_id, buyer, "A", terms(1_000)).await;
        app.contract(market.campaign_id, buyer, "B", terms(1_000)).await;
        let other = app.another_process(None).await;
        let theirs = Setup::new(other.market.store(), OPERATE, app.policy.clone());
        let texts = ["A", "B"].map(|name| format!("[[contract]]\nname = \"{name}\"\nprice_minor = 2000"));
        let documents = texts.map(|text| parse(&text).unwrap());
        let ours = app.setup();
        let secrets = Secrets::new();
        let plans =
            [ours.plan(&documents[0], &secrets).await.unwrap(), theirs.plan(&documents[1], &secrets).await.unwrap()];
        assert_eq!(plans[0].version, plans[1].version);
        let (one, two) = tokio::join!(
            Box::pin(ours.apply(&documents[0], &secrets, &plans[0])),
            Box::pin(theirs.apply(&documents[1], &secrets, &plans[1]))
        );
        let won = [one.is_ok(), two.is_ok()];
        assert!(won[0] != won[1], "{one:?} {two:?}");
        let told = [one.err(), two.err()].into_iter().flatten().next().unwrap();
        assert!(matches!(&told, ApplyError::Changed { planned, current } if *current == planned + 1), "{told}");
        assert_eq!(text_of(&ours).await.matches("price_minor = 2000").count(), 1);
        assert_eq!(version(&app).await, plans[0].version + 1);
        other.stop().await;
        app.finish().await;
    })
    .await;
}

/// Secrets are not exported. What is kept stays; something new takes them from where the document says; they are neither
/// in the plan nor lost on the way.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_stay_where_they_are() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let buyer = app.buyer("Buyer", 0, Vec::new()).await;
        let secret_settings = json!({
            "url": format!("{}?key=HUNTER2", app.receiver.url("/crm")), "timeout_ms": 5_000,
            "headers": [["X-Tenant", "HUNTER3"], ["Authorization", "Bearer HUNTER4"]],
        });
        let new = NewDestination {
            buyer_id: buyer,
            name: "CRM".into(),
            kind: DestinationKind::Webhook,
            config: secret_settings.clone(),
        };
        let made = app.setup().create_destination(new).await.unwrap();
        let signing = made.secret.unwrap();
        let text = text_of(&app.setup()).await;
        assert!(!text.contains("HUNTER") && !text.contains(&signing), "{text}");

        // One header goes, another setting changes: the rest is kept, whatever its place.
        let changed =
            text.replace("[\"X-Tenant\", { kept = true }], ", "").replace("timeout_ms = 5000", "timeout_ms = 6000");
        let shown = plan(&app.setup(), &changed).await.unwrap();
        assert!(!told(&shown).contains("HUNTER") && !serde_json::to_string(&shown).unwrap().contains("HUNTER"));
        assert!(told(&shown).contains("config.timeout_ms 5000 → 6000"), "{}", told(&shown));
        apply(&app.setup(), &changed).await.unwrap();
        let row = app.store().read(OPERATE).whole_configuration().await.unwrap().destinations.remove(0);
        let stored: serde_json::Value = serde_json::from_str(&row.config).unwrap();
        assert_eq!(stored["headers"], json!([["Authorization", "Bearer HUNTER4"]]));
        assert_eq!(stored["url"], secret_settings["url"]);
        assert_eq!(app.store().destination_secrets(&row).unwrap()[0].expose_secret(), signing);

        // In an empty database nothing is kept, which is said; named places are read.
        let other = TestApp::start(TestDatabase::sqlite()).await;
        let setup = Setup::new(other.store(), OPERATE, app.policy.clone());
        let refused = plan(&setup, &changed).await.unwrap_err().to_string();
        assert_eq!(refused.matches("nothing is kept here").count(), 2, "{refused}");
        let named = changed
            .replace("url = { kept = true }", "url = { env = \"CRM_URL\" }")
            .replace("{ kept = true }", "{ file = \"token.txt\" }")
            .replace("[destination.config]", "secret_env = \"CRM_SECRET\"\n[destination.config]");
        let document = parse(&named).unwrap();
        let mut secrets: Secrets =
            document.secrets().into_iter().map(|secret| (secret, Err("it is not set".to_owned()))).collect();
        let refused = setup.plan(&document, &secrets).await.unwrap_err().to_string();
        assert_eq!(refused.matches("SECRET_MISSING").count(), 3, "{refused}");
        secrets.insert(Secret::Env("CRM_URL".into()), Ok(app.receiver.url("/crm").into()));
        secrets.insert(Secret::File("token.txt".into()), Ok("Bearer HUNTER5".to_owned().into()));
        secrets.insert(Secret::Env("CRM_SECRET".into()), Ok("short".to_owned().into()));
        let refused = setup.plan(&document, &secrets).await.unwrap_err().to_string();
        assert!(refused.contains("secret_env: ") && refused.contains("INVALID_SECRET"), "{refused}");
        secrets.insert(Secret::Env("CRM_SECRET".into()), Ok(signing.clone().into()));
        let shown = setup.plan(&document, &secrets).await.unwrap();
        assert!(told(&shown).contains("secret from the environment's CRM_SECRET"), "{}", told(&shown));
        assert!(!told(&shown).contains("HUNTER"));
        let applied = setup.apply(&document, &secrets, &shown).await.unwrap();
        assert!(applied.secrets.is_empty(), "the secret that was given is not shown");
        let row = other.store().read(OPERATE).whole_configuration().await.unwrap().destinations.remove(0);
        assert_eq!(other.store().destination_secrets(&row).unwrap()[0].expose_secret(), signing);
        assert!(row.config.contains("HUNTER5"));
        assert!(setup.plan(&document, &secrets).await.unwrap().changes.is_empty());
        other.finish().await;
        app.finish().await;
    })
    .await;
}

/// One campaign is exported with everything it needs, and with nothing of others.
#[tokio::test(flavor = "multi_thread")]
async fn one_campaign_is_exported_alone() {
    let app = TestApp::start(TestDatabase::sqlite()).await;
    rich_market(&app).await;
    let standing = app.setup().standing().await.unwrap();
    let campaign = standing.campaign("Solar Germany").unwrap();
    let text = write(&export(&standing, Some(campaign)));
    for there in ["Hanse Solar standard", "demo-solar", "SunSearch Media", "/hanse-solar"] {
        assert!(text.contains(there), "{there}");
    }
    for elsewhere in ["demo-legal", "Budget Legal", "HealthCompare", "Gruppe"] {
        assert!(!text.contains(elsewhere), "{elsewhere}");
    }
    let other = TestApp::start(TestDatabase::sqlite()).await;
    apply(&Setup::new(other.store(), OPERATE, app.policy.clone()), &text).await.unwrap();
    assert!(standing.campaign("Solar").unwrap_err().contains("there is: Health insurance Germany, "));
    other.finish().await;
    app.finish().await;
}

/// A destination that a worker set aside since the plan was made is not taken up again unseen.
#[tokio::test(flavor = "multi_thread")]
async fn a_destination_set_aside_meanwhile_is_noticed() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let buyer = app.buyer("Buyer", 0, Vec::new()).await;
        let id = app.webhook(buyer, "/crm").await;
        let setup = app.setup();
        let document = parse(&text_of(&setup).await.replace("timeout_ms = 30000", "timeout_ms = 20000")).unwrap();
        let shown = setup.plan(&document, &Secrets::new()).await.unwrap();
        assert_eq!(shown.changes.len(), 1);
        let write = app.store().write(Principal::System(SystemTask::Deliver)).await.unwrap();
        let mut row = write.lock_destination(id).await.unwrap().unwrap();
        (row.status, row.version) = ("PAUSED".into(), row.version + 1);
        write.save_destination(&row).await.unwrap();
        let _ = write.commit().await.unwrap();
        let refused = setup.apply(&document, &Secrets::new(), &shown).await.unwrap_err();
        assert!(matches!(refused, ApplyError::Changed { .. }), "{refused}");
        app.finish().await;
    })
    .await;
}

/// What a buyer set by itself is exported, and not taken back by a file that was written before.
#[tokio::test(flavor = "multi_thread")]
async fn what_buyers_set_is_not_taken_back() {
    let app = TestApp::start(TestDatabase::sqlite()).await;
    let market = app.market(Selling::default()).await;
    let buyer = app.buyer("Buyer", 0, Vec::new()).await;
    let contract = app.contract(market.campaign_id, buyer, "A", terms(1_000)).await;
    let bounds = "[[contract]]\nname = \"A\"\nbuyer_bounds = { pause = true }";
    apply(&app.setup(), bounds).await.unwrap();
    let before = text_of(&app.setup()).await;
    assert!(!before.contains("buyer_settings = "), "{before}");
    let own =
        Principal::Buyer { user_id: UserId(Uuid::from_u128(7)), role: Role::BuyerAdmin, buyer_id: buyer, key: None };
    let theirs = Setup::new(app.store(), own, app.policy.clone());
    theirs.set_own(contract, None, OwnChange::Paused(true)).await.unwrap();
    assert!(plan(&app.setup(), &before).await.unwrap().changes.is_empty());
    let after = text_of(&app.setup()).await;
    assert!(after.contains("buyer_settings = { paused = true }"), "{after}");
    let taken = plan(&app.setup(), "[[contract]]\nname = \"A\"\nnone = [\"buyer_settings\"]").await.unwrap();
    assert_eq!(told(&taken), "~ contract \"A\" buyer_settings {\"paused\":true} → nothing\n");
    app.finish().await;
}
