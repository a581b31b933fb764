//! What two plans of an experiment brought.

use std::collections::HashMap;

use leadyard_types::{CampaignId, Plan, Timestamp};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::error::{StoreError, StoreResult};
use crate::store::Read;

/// Of which experiment figures are asked: its leads that were received from a moment on, up to another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SplitAsked {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// The experiment's key.
    pub split: String,
    /// The first moment.
    pub since: Timestamp,
    /// The first moment that is not meant any more.
    pub until: Timestamp,
}

/// What the leads of one plan brought so far, minor units of the campaign's currency. Ad spend belongs to no lead.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlanSums {
    /// Leads that were offered.
    pub leads: i64,
    /// Leads that were sold, once or several times.
    pub sold_leads: i64,
    /// Sales that stand.
    pub sales: i64,
    /// What they earned.
    pub revenue_minor: i64,
    /// What was credited back.
    pub credits_minor: i64,
    /// What suppliers earned, less what was taken back.
    pub payout_minor: i64,
    /// The sum of the squares of every lead's revenue less credits and payout.
    pub profit_squares: i128,
}

#[derive(FromQueryResult)]
struct Row {
    place: i64,
    plan: String,
    leads: i64,
    sold_leads: i64,
    sales: i64,
    revenue_minor: i64,
    credits_minor: i64,
    payout_minor: i64,
    squares_high: i64,
    squares_middle: i64,
    squares_low: i64,
}

/// A square of 64 bits does not hold sums of squares, so profits are squared in parts: `high × 65536 + low`.
const PART: i128 = 65_536;

impl Read {
    /// What each plan brought, in the order of what is asked; one statement over leads, sales and the ledger.
    pub async fn split_sums(&self, asked: &[SplitAsked]) -> StoreResult<Vec<HashMap<Plan, PlanSums>>> {
        let mut sums = vec![HashMap::new(); asked.len()];
        if asked.is_empty() {
            return Ok(sums);
        }
        let amount =
            |kinds: &str| format!("CAST(SUM(CASE WHEN t.kind IN ({kinds}) THEN t.amount_minor ELSE 0 END) AS BIGINT)");
        let whole = |figure: &str| format!("CAST(SUM({figure}) AS BIGINT)");
        let sql = format!(
            "WITH wanted (place, campaign_id, split, since, until) AS (VALUES {rows}),
             cohort AS (
               SELECT wanted.place, lead.id, lead.plan, lead.state FROM wanted JOIN lead
               ON lead.campaign_id = wanted.campaign_id AND lead.split = wanted.split AND lead.split IS NOT NULL AND NOT lead.test
               AND lead.received_at >= wanted.since AND lead.received_at < wanted.until),
             booked AS (
               SELECT c.place, c.id, {revenue} AS revenue, {credits} AS credits, {payout} - {clawback} AS payout
               FROM cohort c JOIN ledger_transfer t ON t.lead_id = c.id GROUP BY c.place, c.id),
             brought AS (
               SELECT c.place, c.plan, CASE WHEN c.state = 'SOLD' THEN 1 ELSE 0 END AS sold,
               (SELECT COUNT(*) FROM sale s WHERE s.lead_id = c.id AND s.state = 'SOLD') AS sales,
               COALESCE(b.revenue, 0) AS revenue, COALESCE(b.credits, 0) AS credits, COALESCE(b.payout, 0) AS payout,
               COALESCE(b.revenue - b.credits - b.payout, 0) AS profit
               FROM cohort c LEFT JOIN booked b ON b.place = c.place AND b.id = c.id)
             SELECT place, plan, COUNT(*) AS leads, {sold} AS sold_leads, {sales} AS sales, {revenues} AS revenue_minor,
             {credited} AS credits_minor, {paid} AS payout_minor, {high} AS squares_high, {middle} AS squares_middle,
             {low} AS squares_low FROM brought GROUP BY place, plan",
            rows = vec!["(?,?,?,?,?)"; asked.len()].join(","),
            revenue = amount("'SALE'"),
            credits = amount("'COMPLAINT_CREDIT', 'MANUAL_CREDIT'"),
            payout = amount("'PAYOUT'"),
            clawback = amount("'CLAWBACK'"),
            sold = whole("sold"),
            sales = whole("sales"),
            revenues = whole("revenue"),
            credited = whole("credits"),
            paid = whole("payout"),
            high = whole("(profit / 65536) * (profit / 65536)"),
            middle = whole("(profit / 65536) * (profit % 65536)"),
            low = whole("(profit % 65536) * (profit % 65536)"),
        );
        let values = asked.iter().zip(0_i64..).flat_map(|(asked, place)| {
            let id: Value = asked.campaign_id.0.into();
            [place.into(), id, asked.split.as_str().into(), asked.since.into(), asked.until.into()]
        });
        for row in self.rows::<Row>(&sql, values.collect()).await? {
            let plan: Plan = row.plan.parse().map_err(StoreError::corrupt)?;
            let [high, middle, low] = [row.squares_high, row.squares_middle, row.squares_low].map(i128::from);
            let found = PlanSums {
                leads: row.leads,
                sold_leads: row.sold_leads,
                sales: row.sales,
                revenue_minor: row.revenue_minor,
                credits_minor: row.credits_minor,
                payout_minor: row.payout_minor,
                profit_squares: high * PART * PART + 2 * middle * PART + low,
            };
            if let Some(plans) = usize::try_from(row.place).ok().and_then(|place| sums.get_mut(place)) {
                plans.insert(plan, found);
            }
        }
        Ok(sums)
    }

    /// The experiments that a campaign's leads took part in.
    pub async fn splits_of(&self, campaign: CampaignId) -> StoreResult<Vec<String>> {
        #[derive(FromQueryResult)]
        struct Row {
            split: String,
        }
        let sql = "SELECT DISTINCT split FROM lead WHERE campaign_id = ? AND split IS NOT NULL ORDER BY split";
        let rows: Vec<Row> = self.rows(sql, vec![Uuid::from(campaign).into()]).await?;
        Ok(rows.into_iter().map(|row| row.split).collect())
    }
}
