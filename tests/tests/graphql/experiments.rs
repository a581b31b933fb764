//! Experiments as staff see them.

use leadyard_tests::market::{Selling, lead, terms};
use leadyard_tests::{TestApp, TestDatabase};
use leadyard_types::{Method, Role, Stage, StageSplit};
use serde_json::json;

use super::people::People;

const REPORT: &str = "query($since: Date!, $until: Date!) { campaigns(first: 10) { nodes { split { key percent stages { key } }
    splitReport(range: { since: $since, until: $until }) { split plans { plan leads soldLeads revenue { amountMinor } salesRate }
    salesRate { chance better says } profitPerLead { says } } } } }";

/// The report counts the leads of the days asked for, the decision says which plan and why, and a campaign without an
/// experiment has no report.
#[tokio::test(flavor = "multi_thread")]
async fn staff_read_an_experiment() {
    for database in TestDatabase::both().await {
        let app = TestApp::start(database).await;
        let market = app.market(Selling::default()).await;
        let other = app.campaign_beside(&market, "Whole", Selling::default()).await;
        app.revise_campaign(market.campaign_id, |terms| {
            let stages = vec![Stage::new("main", Method::Waterfall)];
            terms.split = Some(StageSplit { key: "test".into(), percent: 50, stages });
        })
        .await;
        let buyer = app.buyer("Buyer", 1_000_000, vec![]).await;
        app.contract(market.campaign_id, buyer, "a", terms(1_000)).await;
        app.contract(other.campaign_id, buyer, "b", terms(1_000)).await;
        for number in 0..10 {
            app.client(&market.key).send_json("/v1/leads", &lead(number), None).await.unwrap();
        }
        app.client(&other.key).send_json("/v1/leads", &lead(50), None).await.unwrap();
        let staff = app.staff(Role::Analyst).await;
        for (since, until, leads) in [("2026-07-01", "2026-07-01", 10), ("2026-07-02", "2026-08-01", 0)] {
            let answer = staff.ask(REPORT, json!({ "since": since, "until": until })).await;
            let nodes = answer["campaigns"]["nodes"].as_array().unwrap();
            let (whole, split) = nodes.iter().partition::<Vec<_>, _>(|node| node["split"].is_null());
            assert!(whole[0]["splitReport"].is_null());
            let plans = split[0]["splitReport"]["plans"].as_array().unwrap();
            let counted: Vec<&str> = plans.iter().filter_map(|plan| plan["plan"].as_str()).collect();
            assert_eq!(counted, ["A", "B"]);
            let sum: i64 = plans.iter().filter_map(|plan| plan["leads"].as_i64()).sum();
            assert_eq!(sum, leads, "{answer}");
            let says = split[0]["splitReport"]["salesRate"]["says"].as_str().unwrap();
            assert!(says.contains("too few"), "{says}");
        }
        let query = "{ leads(first: 20) { nodes { split plan decision { plan { plan place percent text } } } } }";
        let answer = staff.ask(query, json!({})).await;
        let nodes = answer["leads"]["nodes"].as_array().unwrap();
        let divided: Vec<_> = nodes.iter().filter(|node| !node["plan"].is_null()).collect();
        assert_eq!(divided.len(), 10);
        for node in divided {
            let seen = &node["decision"]["plan"];
            assert_eq!(seen["plan"], node["plan"]);
            let (place, percent) = (seen["place"].as_i64().unwrap(), seen["percent"].as_i64().unwrap());
            assert_eq!(seen["plan"] == "B", place < percent);
            assert!(seen["text"].as_str().unwrap().contains(&format!("{place} of ")));
        }
        app.finish().await;
    }
}
