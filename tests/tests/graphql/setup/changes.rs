//! What updates change, and what they leave alone.

use leadyard_tests::{OPERATE, TestApp, on_both};
use leadyard_types::Role;
use serde_json::{Value, json};

use super::{done, market, told, wrong};
use crate::people::People as _;

const CAMPAIGN: &str = "campaign { version name status timeZone saleMode maxSales floor { amountMinor }
    stages { key method onSold maxSales holdForWindow auction { pricing increment { amountMinor } reserve { amountMinor } deadlineMs } }
    split { key percent stages { key } } caps { period count amount { amountMinor } }
    consent { required maxAgeHours purposes } duplicates { fields matching windowDays scope }
    unsold { retryWindowMinutes retryEveryMinutes } aged { afterMinutes untilDays floor { amountMinor } offerEveryMinutes steps { afterDays percent } }
    complaintPolicy { windowDays reasons clawback clawbackDays } margin { percent amount { amountMinor } } quoteHoldsSeconds
    redirects { soldUrl otherUrl } }";

const SOURCE: &str =
    "source { version name status costKind costAmount { amountMinor } costPercent caps { period count }
    payoutRules { name when price { amountMinor } } schedule { timeZone windows { weekday from to } } margin { percent }
    leastPayout { amountMinor } test pingLimits { perMinute perDay } }";

const BUYER: &str = "buyer { version name email status timeZone group { id name } caps { period count amountMinor } }";

const CONTRACT: &str = "contract { version name status stage priority weight exclusivity price { amountMinor }
    priceRules { name when price { amountMinor } } sharedPercents pingDestination { id } margin { amount { amountMinor } } test filter
    sourcesAllowed { id } sourcesDenied { id } caps { period count } schedule { timeZone windows { weekday from to } }
    outsideHours waitAtMostMinutes buysAged agedPriceRules { name when price { amountMinor } } consentNamesBuyer verdict
    destinations { id } creditFreesCap unknownWindowMinutes }";

/// Sends all of `all` to something that stands at `version` 1, then an update that says nothing, then one whose nullable
/// fields are null; answers what stood after each.
async fn set_kept_cleared(
    by: &crate::people::Asking,
    (name, id, noun): (&str, (&str, &Value), &str),
    (all, cleared): (Value, Value),
    wanted: &str,
) -> [Value; 3] {
    let mut seen = Vec::new();
    for (at, fields) in [(1, all), (2, json!({})), (3, cleared)] {
        let mut input = json!({ id.0: id.1, "version": at });
        input.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        seen.push(done(by, name, input, wanted).await[noun].take());
    }
    seen.try_into().unwrap()
}

/// The same but for the version.
fn same(one: &Value, other: &Value) {
    let but = |value: &Value| {
        let mut fields = value.as_object().unwrap().clone();
        fields.remove("version");
        fields
    };
    assert_eq!(but(one), but(other));
}

fn hours() -> Value {
    json!({ "timeZone": "Europe/Berlin", "windows": [{ "weekday": "MONDAY", "from": "09:00", "to": "17:30" }] })
}

/// Everything that is agreed of a campaign is set and read back; what is left out of an update stays, what is null is
/// cleared, and objects are laid over what stands.
#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_is_changed_in_parts() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let manager = app.staff(Role::Manager).await;
        let made = market(&app, &manager).await;
        let auction = json!({ "key": "bids", "method": "AUCTION", "onSold": "CONTINUE", "maxSales": 2,
            "auction": { "pricing": "SECOND", "incrementMinor": "10", "reserveMinor": "700", "deadlineMs": 900 } });
        let all = json!({ "name": "Solar Germany", "status": "PAUSED", "timeZone": "Europe/Vienna",
            "saleMode": { "mode": "SHARED", "maxSales": 3 }, "stages": [auction, { "key": "main", "method": "WEIGHTED" }],
            "split": { "key": "order", "percent": 20, "stages": [{ "key": "main", "method": "ROUND_ROBIN" }] },
            "floorMinor": "400", "caps": [{ "period": "DAY", "count": 9, "amountMinor": "90000" }],
            "consent": { "required": true, "maxAgeHours": 48, "purposes": ["call"] },
            "duplicates": { "fields": ["email"], "matching": "ALL", "windowDays": 30, "scope": "OPERATOR" },
            "unsold": { "retryWindowMinutes": 60, "retryEveryMinutes": 5 },
            "aged": { "afterMinutes": 120, "untilDays": 90, "floorMinor": "50", "offerEveryMinutes": 45, "steps": [{ "afterDays": 7, "percent": "12.5" }] },
            "complaintPolicy": { "windowDays": 7, "reasons": ["FRAUD", "OTHER"], "clawback": false, "clawbackDays": 8 },
            "margin": { "percent": "20" }, "quoteHoldsSeconds": 60,
            "redirects": { "soldUrl": "https://a.example/thanks", "otherUrl": "https://a.example/sorry" } });
        let cleared = json!({ "split": null, "floorMinor": null, "caps": null, "aged": null, "margin": null, "quoteHoldsSeconds": null,
            "consent": { "maxAgeHours": null }, "duplicates": { "fields": null }, "complaintPolicy": { "clawbackDays": null },
            "redirects": { "otherUrl": null } });
        let campaign = ("campaignUpdate", ("campaignId", &made.campaign), "campaign");
        let [set, kept, cleared] = set_kept_cleared(&manager, campaign, (all, cleared), CAMPAIGN).await;
        same(&set, &kept);
        assert_eq!((&set["version"], &kept["version"], &cleared["version"]), (&json!(2), &json!(3), &json!(4)));
        assert_eq!(set["stages"][0], json!({ "key": "bids", "method": "AUCTION", "onSold": "CONTINUE", "maxSales": 2, "holdForWindow": false,
            "auction": { "pricing": "SECOND", "increment": { "amountMinor": "10" }, "reserve": { "amountMinor": "700" }, "deadlineMs": 900 } }));
        assert_eq!((&set["saleMode"], &set["maxSales"], &set["split"]["percent"]), (&json!("SHARED"), &json!(3), &json!(20)));
        assert_eq!(set["duplicates"], json!({ "fields": ["email"], "matching": "ALL", "windowDays": 30, "scope": "OPERATOR" }));
        assert_eq!(set["aged"], json!({ "afterMinutes": 120, "untilDays": 90, "floor": { "amountMinor": "50" }, "offerEveryMinutes": 45,
            "steps": [{ "afterDays": 7, "percent": "12.5" }] }));
        assert_eq!(set["margin"], json!({ "percent": "20", "amount": null }));
        for nothing in ["split", "aged", "margin", "quoteHoldsSeconds"] {
            assert_eq!(cleared[nothing], Value::Null, "{nothing}");
        }
        assert_eq!((&cleared["caps"], &cleared["floor"]["amountMinor"]), (&json!([]), &json!("0")));
        assert_eq!(cleared["consent"], json!({ "required": true, "maxAgeHours": null, "purposes": ["call"] }), "the rest stays");
        assert_eq!(cleared["redirects"], json!({ "soldUrl": "https://a.example/thanks", "otherUrl": null }));
        assert_eq!(cleared["complaintPolicy"]["windowDays"], 7);

        // A variable that is not sent is left out, not null.
        let question = "mutation($id: ID!, $v: Int!, $zone: String, $floor: MinorUnits) { campaignUpdate(input: {
            campaignId: $id, version: $v, timeZone: $zone, floorMinor: $floor, name: \"Again\" }) { campaign { name timeZone version } userErrors { code } } }";
        let answer = manager.ask(question, json!({ "id": made.campaign, "v": 4 })).await;
        assert_eq!(answer["campaignUpdate"], json!({ "campaign": { "name": "Again", "timeZone": "Europe/Vienna", "version": 5 }, "userErrors": [] }));
        app.finish().await;
    })
    .await;
}

/// The same of sources, buyers with their groups, suppliers and verticals.
#[tokio::test(flavor = "multi_thread")]
async fn others_are_changed_in_parts() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let manager = app.staff(Role::Manager).await;
        let made = market(&app, &manager).await;
        let berlin = json!({ "postalPrefixes": ["10"] });
        let all = json!({ "name": "Site 2", "status": "PAUSED", "cost": { "kind": "PER_LEAD", "amountMinor": "250" },
            "payoutRules": [{ "name": "Berlin", "when": berlin, "priceMinor": "300" }], "caps": [{ "period": "HOUR", "count": 4 }],
            "schedule": hours(), "margin": { "percent": "10" }, "leastPayoutMinor": "100", "test": true,
            "pingLimits": { "perMinute": 10, "perDay": 1000 } });
        let cleared = json!({ "payoutRules": null, "caps": null, "schedule": null, "margin": null, "leastPayoutMinor": null, "test": null,
            "pingLimits": { "perMinute": null } });
        let source = ("sourceUpdate", ("sourceId", &made.source), "source");
        let [set, kept, cleared] = set_kept_cleared(&manager, source, (all, cleared), SOURCE).await;
        same(&set, &kept);
        assert_eq!(set["payoutRules"], json!([{ "name": "Berlin", "when": berlin, "price": { "amountMinor": "300" } }]));
        assert_eq!((&set["schedule"], &set["costKind"]), (&hours(), &json!("PER_LEAD")));
        assert_eq!((&cleared["payoutRules"], &cleared["schedule"], &cleared["leastPayout"]), (&json!([]), &Value::Null, &Value::Null));
        assert_eq!((&cleared["pingLimits"], &cleared["test"]), (&json!({ "perMinute": null, "perDay": 1000 }), &json!(false)));

        let group = done(&manager, "buyerGroupCreate", json!({ "name": "North" }), "buyerGroup { id version }").await;
        let group = group["buyerGroup"]["id"].clone();
        let rename = json!({ "buyerGroupId": group, "version": 1, "name": "South" });
        let renamed = done(&manager, "buyerGroupUpdate", rename.clone(), "buyerGroup { name version }").await;
        assert_eq!(renamed["buyerGroup"], json!({ "name": "South", "version": 2 }));
        assert_eq!(told(&manager, "buyerGroupUpdate", rename).await, wrong("STALE_VERSION", "version"));
        let all = json!({ "name": "Sunny 2", "email": "a@b.example", "timeZone": "Europe/Paris", "groupId": group,
            "caps": [{ "period": "WEEK", "amountMinor": "5000" }] });
        let cleared = json!({ "email": null, "groupId": null, "caps": null });
        let buyer = ("buyerUpdate", ("buyerId", &made.buyer), "buyer");
        let [set, kept, cleared] = set_kept_cleared(&manager, buyer, (all, cleared), BUYER).await;
        same(&set, &kept);
        assert_eq!((&set["group"]["name"], &set["email"]), (&json!("South"), &json!("a@b.example")));
        assert_eq!((&cleared["group"], &cleared["email"], &cleared["caps"]), (&Value::Null, &Value::Null, &json!([])));
        assert_eq!((&cleared["name"], &cleared["timeZone"]), (&json!("Sunny 2"), &json!("Europe/Paris")));

        let all = json!({ "name": "Moon Media", "email": "moon@media.example", "status": "PAUSED" });
        let supplier = ("supplierUpdate", ("supplierId", &made.supplier), "supplier");
        let wanted = "supplier { version name email status }";
        let [set, kept, cleared] = set_kept_cleared(&manager, supplier, (all, json!({ "email": null })), wanted).await;
        same(&set, &kept);
        assert_eq!(cleared, json!({ "version": 4, "name": "Moon Media", "email": null, "status": "PAUSED" }));

        let fields = json!([{ "key": "roof_area", "kind": "DECIMAL", "personal": false, "min": "1", "max": "5000000000", "required": "PING" },
            { "key": "zip", "kind": "TEXT", "personal": false, "pattern": "[0-9]{5}", "maxLengthChars": 5, "allowed": ["10115"] }]);
        let all = json!({ "key": "solar_de", "name": "Solar power", "fields": fields, "unknownFields": "KEEP" });
        let vertical = ("verticalUpdate", ("verticalId", &made.vertical), "vertical");
        let wanted = "vertical { version key name unknownFields fields { key label kind required personal min max pattern maxLengthChars allowed } }";
        let [set, kept, _] = set_kept_cleared(&manager, vertical, (all, json!({})), wanted).await;
        same(&set, &kept);
        assert_eq!((&set["key"], &set["fields"][0]["label"], &set["fields"][0]["max"]), (&json!("solar_de"), &json!("roof area"), &json!("5000000000")));
        assert_eq!((&set["fields"][1]["pattern"], &set["fields"][1]["maxLengthChars"]), (&json!("[0-9]{5}"), &json!(5)));
        app.finish().await;
    })
    .await;
}

/// Everything that is agreed of a contract, with its conditions; each change is a revision by whoever made it, with its row
/// in the audit.
#[tokio::test(flavor = "multi_thread")]
async fn a_contract_is_changed_in_parts() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let manager = app.staff(Role::Manager).await;
        let made = market(&app, &manager).await;
        let ping = json!({ "buyerId": made.buyer, "name": "Asked", "settings": { "ping": { "url": app.bidder.url("/ask") } } });
        let ping = done(&manager, "destinationCreate", ping, "destination { id }").await["destination"]["id"].clone();
        let stages = json!([{ "key": "main", "method": "AUCTION" }]);
        let input = json!({ "campaignId": made.campaign, "version": 1, "stages": stages });
        done(&manager, "campaignUpdate", input, "campaign { version }").await;
        let filter = json!({ "all": [{ "any": [{ "postalPrefixes": ["1"] }, { "sources": [made.source] }] },
            { "not": { "equals": { "field": "postal_code", "value": "10117" } } }, { "leadAge": { "minHours": null, "maxHours": 5 } }] });
        let all = json!({ "name": "Berlin", "status": "PAUSED", "priority": 4, "weight": 7, "exclusivity": "EXCLUSIVE_ONLY", "priceMinor": "5100",
            "priceRules": [{ "name": "near", "when": filter, "priceMinor": "6000" }], "sharedPercents": ["80", "62.5"],
            "pingDestinationId": ping, "margin": { "amountMinor": "150" }, "filter": filter,
            "sourcesAllowed": [made.source], "caps": [{ "period": "DAY", "count": 3 }], "schedule": hours(), "outsideHours": "WAIT",
            "waitAtMostMinutes": 90, "buysAged": true, "agedPriceRules": [{ "name": "old", "when": filter, "priceMinor": "100" }],
            "consentNamesBuyer": true, "verdict": "SYNC", "creditFreesCap": true, "unknownWindowMinutes": 45 });
        let cleared = json!({ "priority": null, "priceRules": null, "sharedPercents": null, "pingDestinationId": null, "margin": null, "filter": null,
            "sourcesAllowed": null, "caps": null, "schedule": null, "outsideHours": null, "waitAtMostMinutes": null, "buysAged": null,
            "agedPriceRules": null, "consentNamesBuyer": null, "verdict": null, "destinationIds": null, "creditFreesCap": null,
            "unknownWindowMinutes": null });
        let contract = ("contractUpdate", ("contractId", &made.contract), "contract");
        let [set, kept, cleared] = set_kept_cleared(&manager, contract, (all, cleared), CONTRACT).await;
        same(&set, &kept);
        assert_eq!((&set["filter"], &set["priceRules"][0]["when"]), (&filter, &filter));
        assert_eq!((&set["pingDestination"]["id"], &set["destinations"][0]["id"]), (&ping, &made.destination));
        assert_eq!((&set["sharedPercents"], &set["sourcesAllowed"][0]["id"]), (&json!(["80", "62.5"]), &made.source));
        for nothing in ["filter", "pingDestination", "margin", "schedule", "waitAtMostMinutes"] {
            assert_eq!(cleared[nothing], Value::Null, "{nothing}");
        }
        for empty in ["priceRules", "sharedPercents", "sourcesAllowed", "caps", "destinations", "agedPriceRules"] {
            assert_eq!(cleared[empty], json!([]), "{empty}");
        }
        assert_eq!((&cleared["unknownWindowMinutes"], &cleared["verdict"], &cleared["weight"]), (&json!(1440), &json!("NONE"), &json!(7)));
        assert_eq!((&cleared["name"], &cleared["price"]["amountMinor"]), (&json!("Berlin"), &json!("5100")));

        let read = app.store().read(OPERATE);
        let by_user = "SELECT COUNT(*) AS figure FROM revision WHERE noun = 'contract' AND created_by LIKE 'user:%'";
        let revisions = read.figure(by_user).await.unwrap();
        let by_user = "SELECT COUNT(*) AS figure FROM audit WHERE noun = 'contract' AND actor LIKE 'user:%'";
        let audited = read.figure(by_user).await.unwrap();
        assert_eq!((revisions, audited), (4, 4));
        app.finish().await;
    })
    .await;
}
