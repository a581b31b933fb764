//! What is wrong is named by code and by its path in the input.

use leadyard_tests::{TestApp, on_both};
use leadyard_types::Role;
use serde_json::{Value, json};

use super::{Made, done, market, told, wrong};
use crate::people::{Asking, People as _};

/// Each of these, sent alone on top of what is right, is refused with this code at this path.
type Wrong<'a> = Vec<(Value, &'a str, &'a str)>;

async fn each(by: &Asking, name: &str, right: &Value, wrongs: Wrong<'_>) {
    for (fields, code, path) in wrongs {
        let mut input = right.clone();
        input.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        assert_eq!(told(by, name, input).await, wrong(code, path), "{name} {fields}");
    }
}

fn of_verticals() -> Wrong<'static> {
    let field = |extra: Value| {
        let mut field = json!({ "key": "a", "kind": "TEXT", "personal": false });
        field.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!({ "fields": [field] })
    };
    vec![
        (json!({ "key": "Solar!" }), "FORMAT", "key"),
        (json!({ "key": "solar" }), "TAKEN", "key"),
        (json!({ "name": " " }), "LENGTH", "name"),
        (field(json!({ "key": "A b", "label": "x" })), "INVALID_KEY", "fields.0.key"),
        (field(json!({ "label": " " })), "INVALID_LABEL", "fields.0.label"),
        (field(json!({ "min": 1 })), "NOT_A_NUMBER", "fields.0.min"),
        (field(json!({ "maxLengthChars": -1 })), "OUT_OF_RANGE", "fields.0.maxLengthChars"),
    ]
}

fn of_campaigns() -> Wrong<'static> {
    let stage = |extra: Value| {
        let mut stage = json!({ "key": "main", "method": "AUCTION" });
        stage.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!({ "stages": [stage] })
    };
    vec![
        (json!({ "name": "" }), "LENGTH", "name"),
        (json!({ "name": "Solar DE" }), "TAKEN", "name"),
        (json!({ "country": "de" }), "FORMAT", "country"),
        (json!({ "currency": "euro" }), "INVALID_CURRENCY", "currency"),
        (json!({ "timeZone": null }), "REQUIRED", "timeZone"),
        (json!({ "status": null }), "REQUIRED", "status"),
        (json!({ "saleMode": { "mode": "SHARED" } }), "REQUIRED", "saleMode.maxSales"),
        (json!({ "saleMode": { "mode": "SHARED", "maxSales": 0 } }), "OUT_OF_RANGE", "saleMode.maxSales"),
        (json!({ "saleMode": { "mode": "EXCLUSIVE", "maxSales": 2 } }), "NOT_ALLOWED", "saleMode.maxSales"),
        (json!({ "stages": [] }), "REQUIRED", "stages"),
        (stage(json!({ "auction": { "deadlineMs": 10 } })), "OUT_OF_RANGE", "stages.0.auction.deadlineMs"),
        (stage(json!({ "auction": { "reserveMinor": -1 } })), "OUT_OF_RANGE", "stages.0.auction.reserveMinor"),
        (stage(json!({ "holdForWindow": true })), "NOT_ALLOWED", "stages.0.holdForWindow"),
        (stage(json!({ "maxSales": -1 })), "OUT_OF_RANGE", "stages.0.maxSales"),
        (stage(json!({ "method": "WATERFALL", "auction": {} })), "NOT_ALLOWED", "stages.0.auction"),
        (
            json!({ "stages": [{ "key": "a", "method": "WEIGHTED" }, { "key": "a", "method": "WEIGHTED" }] }),
            "DUPLICATE",
            "stages",
        ),
        (
            json!({ "split": { "key": "x", "percent": 100, "stages": [{ "key": "main", "method": "WEIGHTED" }] } }),
            "OUT_OF_RANGE",
            "split.percent",
        ),
        (json!({ "split": { "key": "x", "percent": 10, "stages": [] } }), "REQUIRED", "split.stages"),
        (json!({ "floorMinor": -1 }), "OUT_OF_RANGE", "floorMinor"),
        (json!({ "consent": { "maxAgeHours": -1 } }), "OUT_OF_RANGE", "consent.maxAgeHours"),
        (json!({ "duplicates": { "fields": ["nose"] } }), "UNKNOWN_FIELD", "duplicates.fields"),
        (json!({ "duplicates": { "windowDays": 36_501 } }), "OUT_OF_RANGE", "duplicates.windowDays"),
        (json!({ "duplicates": { "windowDays": 2_000_000_000 } }), "OUT_OF_RANGE", "duplicates.windowDays"),
        (json!({ "caps": [{ "period": "DAY" }] }), "REQUIRED", "caps.0"),
        (json!({ "caps": [{ "period": "DAY", "count": -1 }] }), "OUT_OF_RANGE", "caps.0.count"),
        (json!({ "unsold": { "retryWindowMinutes": 5 } }), "OUT_OF_RANGE", "unsold.retryEveryMinutes"),
        (
            json!({ "aged": { "afterMinutes": 5, "untilDays": 9, "offerEveryMinutes": 1 } }),
            "OUT_OF_RANGE",
            "aged.offerEveryMinutes",
        ),
        (
            json!({ "aged": { "afterMinutes": 5, "untilDays": 9, "steps": [{ "afterDays": 1, "percent": "much" }] } }),
            "FORMAT",
            "aged.steps.0.percent",
        ),
        (
            json!({ "complaintPolicy": { "windowDays": 9, "clawbackDays": 1 } }),
            "OUT_OF_RANGE",
            "complaintPolicy.clawbackDays",
        ),
        (json!({ "margin": { "percent": "100" } }), "OUT_OF_RANGE", "margin"),
        (json!({ "quoteHoldsSeconds": 1 }), "OUT_OF_RANGE", "quoteHoldsSeconds"),
        (json!({ "redirects": { "soldUrl": "javascript:alert(1)" } }), "INVALID_URL", "redirects.soldUrl"),
    ]
}

fn of_sources() -> Wrong<'static> {
    let rule = |when: Value| json!({ "payoutRules": [{ "name": "r", "when": when, "priceMinor": 1 }] });
    vec![
        (json!({ "name": "Site" }), "TAKEN", "name"),
        (json!({ "cost": { "kind": "PER_LEAD" } }), "REQUIRED", "cost.amountMinor"),
        (json!({ "cost": { "kind": "PER_LEAD", "amountMinor": -1 } }), "OUT_OF_RANGE", "cost.amountMinor"),
        (json!({ "cost": { "kind": "AD_SPEND", "amountMinor": 1 } }), "NOT_ALLOWED", "cost.amountMinor"),
        (json!({ "cost": { "kind": "REVENUE_SHARE" } }), "REQUIRED", "cost.percent"),
        (json!({ "cost": { "kind": "REVENUE_SHARE", "percent": "101" } }), "OUT_OF_RANGE", "cost.percent"),
        (
            rule(json!({ "any": [{ "matches": { "field": "email", "pattern": "(" } }] })),
            "INVALID_PATTERN",
            "payoutRules.0.when.any.0",
        ),
        (rule(json!({ "exists": "nose" })), "UNKNOWN_FIELD", "payoutRules.0.when"),
        (json!({ "caps": [{ "period": "DAY", "amountMinor": 5 }] }), "NOT_ALLOWED", "caps"),
        (json!({ "leastPayoutMinor": -1 }), "OUT_OF_RANGE", "leastPayoutMinor"),
        (json!({ "pingLimits": { "perDay": -1 } }), "OUT_OF_RANGE", "pingLimits.perDay"),
        (
            json!({ "schedule": { "timeZone": "UTC", "windows": [{ "weekday": "MONDAY", "from": "9", "to": "10:00" }] } }),
            "FORMAT",
            "schedule.windows.0.from",
        ),
    ]
}

fn of_contracts(made: &Made) -> Wrong<'_> {
    let rule = |field: &str, when: Value| json!({ field: [{ "name": "r", "when": when, "priceMinor": 1 }] });
    let absent = "00000000-0000-0000-0000-000000000001";
    vec![
        (json!({ "name": "" }), "LENGTH", "name"),
        (json!({ "campaignId": made.buyer }), "NOT_FOUND", "campaignId"),
        (json!({ "buyerId": made.campaign }), "NOT_FOUND", "buyerId"),
        (json!({ "stage": "nowhere" }), "UNKNOWN_STAGE", "stage"),
        (json!({ "priceMinor": -1 }), "OUT_OF_RANGE", "priceMinor"),
        (json!({ "priority": -1 }), "OUT_OF_RANGE", "priority"),
        (
            rule("priceRules", json!({ "not": { "matches": { "field": "email", "pattern": "(" } } })),
            "INVALID_PATTERN",
            "priceRules.0.when.not",
        ),
        (
            json!({ "agedPriceRules": [] , "filter": { "all": [{ "exists": "email" }, { "matches": { "field": "email", "pattern": "(" } }] } }),
            "INVALID_PATTERN",
            "filter.all.1",
        ),
        (json!({ "filter": { "consentMaxHours": -1 } }), "OUT_OF_RANGE", "filter.consentMaxHours"),
        (rule("agedPriceRules", json!({ "exists": "email" })), "NOT_ALLOWED", "agedPriceRules"),
        (json!({ "sharedPercents": ["80", "x"] }), "FORMAT", "sharedPercents.1"),
        (json!({ "sharedPercents": ["0"] }), "OUT_OF_RANGE", "sharedPercents"),
        (json!({ "sourcesAllowed": [made.source, format!("Source:{absent}")] }), "NOT_FOUND", "sourcesAllowed.1"),
        (json!({ "sourcesDenied": [made.buyer] }), "NOT_FOUND", "sourcesDenied.0"),
        (json!({ "destinationIds": [made.destination, made.destination] }), "DUPLICATE", "destinationIds.1"),
        (json!({ "destinationIds": [format!("Destination:{absent}")] }), "NOT_FOUND", "destinationIds.0"),
        (json!({ "verdict": "SYNC" }), "REQUIRED", "destinationIds"),
        (json!({ "outsideHours": "WAIT", "waitAtMostMinutes": 5 }), "NOT_ALLOWED", "outsideHours"),
        (json!({ "waitAtMostMinutes": 5 }), "NOT_ALLOWED", "waitAtMostMinutes"),
        (json!({ "unknownWindowMinutes": 0 }), "OUT_OF_RANGE", "unknownWindowMinutes"),
        (json!({ "margin": { "amountMinor": -1 } }), "OUT_OF_RANGE", "margin"),
    ]
}

fn of_destinations(made: &Made) -> Wrong<'_> {
    let webhook = |settings: Value| json!({ "settings": { "webhook": settings } });
    vec![
        (json!({ "buyerId": made.campaign }), "NOT_FOUND", "buyerId"),
        (json!({ "name": "" }), "LENGTH", "name"),
        (webhook(json!({ "url": "ftp://x.example" })), "INVALID_URL", "settings.webhook.url"),
        (webhook(json!({ "url": "https://x.example", "timeoutMs": 1 })), "OUT_OF_RANGE", "settings.webhook.timeoutMs"),
        (
            webhook(json!({ "url": "https://x.example", "headers": [{ "name": "A" }] })),
            "REQUIRED",
            "settings.webhook.headers.0.value",
        ),
        (
            webhook(json!({ "url": "https://x.example", "headers": [{ "name": "A b", "value": "x" }] })),
            "INVALID_HEADER",
            "settings.webhook.headers.0",
        ),
        (
            webhook(json!({ "url": "https://x.example", "template": "{{ nobody }}" })),
            "TEMPLATE_UNKNOWN_NAME",
            "settings.webhook.template",
        ),
        (
            json!({ "settings": { "email": { "to": ["nobody"], "subject": "x", "body": "y" } } }),
            "INVALID_EMAIL",
            "settings.email.to.0",
        ),
        (
            json!({ "settings": { "ping": { "url": "https://x.example", "answer": { "price": {} } } } }),
            "REQUIRED",
            "settings.ping.answer.price",
        ),
    ]
}

/// Whatever can be wrong in an input of set-up is named by its code at its path, as the input spells it; nothing is made.
#[tokio::test(flavor = "multi_thread")]
async fn every_problem_is_named_where_it_is() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let manager = app.staff(Role::Manager).await;
        let made = market(&app, &manager).await;
        let right = json!({ "key": "another", "name": "Another", "fields": [] });
        each(&manager, "verticalCreate", &right, of_verticals()).await;
        let right = json!({ "verticalId": made.vertical, "name": "Another", "country": "DE", "currency": "EUR",
            "stages": [{ "key": "main", "method": "WATERFALL" }] });
        each(&manager, "campaignCreate", &right, of_campaigns()).await;
        let not_there = vec![(json!({ "verticalId": made.campaign }), "NOT_FOUND", "verticalId")];
        each(&manager, "campaignCreate", &right, not_there).await;
        let right = json!({ "supplierId": made.supplier, "campaignId": made.campaign, "name": "Another", "cost": { "kind": "PER_LEAD", "amountMinor": 1 } });
        each(&manager, "sourceCreate", &right, of_sources()).await;
        let right = json!({ "name": "Another" });
        let wrongs = || vec![(json!({ "name": "" }), "LENGTH", "name")];
        each(&manager, "supplierCreate", &right, wrongs()).await;
        each(&manager, "supplierCreate", &right, vec![(json!({ "name": "Sun Media" }), "TAKEN", "name")]).await;
        each(&manager, "buyerCreate", &right, wrongs()).await;
        let buyers = vec![
            (json!({ "name": "Sunny" }), "TAKEN", "name"),
            (json!({ "groupId": made.buyer }), "NOT_FOUND", "groupId"),
            (json!({ "wallets": [{ "currency": "gold" }] }), "INVALID_CURRENCY", "wallets.0.currency"),
            (json!({ "wallets": [{ "currency": "EUR", "creditLimitMinor": -1 }] }), "OUT_OF_RANGE", "wallets"),
            (json!({ "wallets": [{ "currency": "EUR", "creditLimitMinor": 1 }] }), "NOT_ALLOWED", "wallets"),
        ];
        each(&manager, "buyerCreate", &right, buyers).await;
        let right = json!({ "campaignId": made.campaign, "buyerId": made.buyer, "name": "Another", "stage": "main", "priceMinor": 1 });
        each(&manager, "contractCreate", &right, of_contracts(&made)).await;
        let right = json!({ "buyerId": made.buyer, "name": "Another", "settings": { "portal": true } });
        each(&manager, "destinationCreate", &right, of_destinations(&made)).await;
        assert_eq!(told(&manager, "sourceKeyCreate", json!({ "sourceId": made.buyer, "label": "x" })).await, wrong("NOT_FOUND", "sourceId"));
        assert_eq!(told(&manager, "sourceKeyCreate", json!({ "sourceId": made.source, "label": "" })).await, wrong("LENGTH", "label"));
        let counts = manager.ask("{ verticals(first: 9) { totalCount } campaigns(first: 9) { totalCount } sources(first: 9) { totalCount }
            buyers(first: 9) { totalCount } contracts(first: 9) { totalCount } suppliers(first: 9) { totalCount } }", json!({})).await;
        assert!(counts.as_object().unwrap().values().all(|list| list["totalCount"] == 1), "nothing was made: {counts}");
        app.finish().await;
    })
    .await;
}

/// Of what stands: a version that is not the current one is told with it, what is in use stays, what has ended stays so, a
/// foreign id answers as an absent one, and no other role changes anything.
#[tokio::test(flavor = "multi_thread")]
async fn what_stands_is_kept_from_mistakes() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let manager = app.staff(Role::Manager).await;
        let made = market(&app, &manager).await;
        let updates = [
            ("verticalUpdate", "verticalId", "vertical", &made.vertical),
            ("campaignUpdate", "campaignId", "campaign", &made.campaign),
            ("supplierUpdate", "supplierId", "supplier", &made.supplier),
            ("sourceUpdate", "sourceId", "source", &made.source),
            ("buyerUpdate", "buyerId", "buyer", &made.buyer),
            ("contractUpdate", "contractId", "contract", &made.contract),
            ("destinationUpdate", "destinationId", "destination", &made.destination),
        ];
        let anybody = [
            app.staff(Role::Analyst).await,
            app.staff(Role::Finance).await,
            app.buyer_user(made.buyer.as_str().unwrap().rsplit(':').next().unwrap().parse::<uuid::Uuid>().unwrap().into()).await,
        ];
        for (name, key, noun, id) in updates {
            let question = |id: &Value, version: i32| {
                let input = json!({ key: id, "version": version, "name": "Renamed" });
                let (first, rest) = name.split_at(1);
                let kind = format!("{}{rest}Input", first.to_uppercase());
                (format!("mutation($input: {kind}!) {{ {name}(input: $input) {{ {noun} {{ id }} userErrors {{ code field message }} }} }}"), json!({ "input": input }))
            };
            let (text, stale) = question(id, 7);
            let answer = manager.ask(&text, stale.clone()).await;
            let error = &answer[name]["userErrors"][0];
            assert_eq!((&error["code"], &error["field"]), (&json!("STALE_VERSION"), &json!(["input", "version"])), "{answer}");
            assert!(error["message"].as_str().unwrap().contains("version 1"), "{answer}");
            let (prefix, _) = id.as_str().unwrap().split_once(':').unwrap();
            let absent = question(&json!(format!("{prefix}:00000000-0000-0000-0000-000000000001")), 1).1;
            let foreign = question(if noun == "buyer" { &made.campaign } else { &made.buyer }, 1).1;
            let seen = manager.text(&text, absent).await;
            assert_eq!(seen, manager.text(&text, foreign).await);
            assert!(seen.contains("NOT_FOUND") && seen.contains(key), "{seen}");
            for other in &anybody {
                let refused = other.raw(&text, question(id, 1).1).await;
                assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN", "{name}: {refused}");
            }
        }
        let moved = json!({ "campaignId": made.campaign, "version": 1, "stages": [{ "key": "other", "method": "WATERFALL" }] });
        assert_eq!(told(&manager, "campaignUpdate", moved).await, wrong("IN_USE", "stages"));
        let duplicates = json!({ "campaignId": made.campaign, "version": 1, "duplicates": { "fields": ["phone"] } });
        done(&manager, "campaignUpdate", duplicates, "campaign { id }").await;
        let gone = json!({ "verticalId": made.vertical, "version": 1, "fields": [] });
        assert_eq!(told(&manager, "verticalUpdate", gone).await, wrong("IN_USE", "fields"));
        let end = json!({ "contractId": made.contract, "version": 1, "status": "ARCHIVED" });
        done(&manager, "contractUpdate", end, "contract { id }").await;
        let again = json!({ "contractId": made.contract, "version": 2, "status": "ACTIVE" });
        assert_eq!(told(&manager, "contractUpdate", again).await, wrong("INVALID_TRANSITION", "status"));
        let portal = json!({ "buyerId": made.buyer, "name": "Portal", "settings": { "portal": true } });
        let portal = done(&manager, "destinationCreate", portal, "destination { id }").await["destination"]["id"].clone();
        let rotate = json!({ "destinationId": portal, "version": 1 });
        assert_eq!(told(&manager, "destinationSecretRotate", rotate).await, wrong("NO_SECRET", "destinationId"));
        app.finish().await;
    })
    .await;
}
