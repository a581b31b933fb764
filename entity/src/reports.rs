//! Figures derived from the ledger and the tables: profit and loss, and what became of leads.

mod series;
mod split;

use sea_orm::FromQueryResult;

use crate::error::StoreResult;
use crate::sql::{marks, statement};
use crate::store::Read;

pub use series::{SeriesOf, SeriesRow};
pub use split::{PlanSums, SplitAsked};

/// The most lines of one report.
pub const LINES_MAX: u32 = 10_000;

/// By what profit and loss is grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProfitBy {
    /// Campaigns.
    Campaign,
    /// Sources.
    Source,
    /// Buyers.
    Buyer,
    /// Contracts.
    Contract,
    /// Days of the campaigns' time zones.
    Day,
}

impl ProfitBy {
    const fn key(self) -> &'static str {
        match self {
            Self::Campaign => "t.campaign_id",
            Self::Source => "t.source_id",
            Self::Buyer => "t.buyer_id",
            Self::Contract => "t.contract_id",
            Self::Day => "t.day",
        }
    }

    /// The table that names the group; days name themselves.
    const fn table(self) -> Option<&'static str> {
        match self {
            Self::Campaign => Some("campaign"),
            Self::Source => Some("source"),
            Self::Buyer => Some("buyer"),
            Self::Contract => Some("contract"),
            Self::Day => None,
        }
    }
}

/// One line of profit and loss, minor units.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct ProfitLine {
    /// The group; `None` for days and for movements that belong to none.
    pub id: Option<uuid::Uuid>,
    /// The group's name; `None` for movements that belong to none.
    pub name: Option<String>,
    /// The currency.
    pub currency: String,
    /// What sales earned.
    pub revenue_minor: i64,
    /// What was credited back.
    pub credits_minor: i64,
    /// What suppliers earned, less what was taken back.
    pub payout_minor: i64,
    /// What ad platforms were paid.
    pub ad_spend_minor: i64,
}

impl ProfitLine {
    /// Revenue less credits, payouts and ad spend.
    #[must_use]
    pub const fn profit_minor(&self) -> i64 {
        self.revenue_minor - self.credits_minor - self.payout_minor - self.ad_spend_minor
    }
}

/// A line of one campaign's profit and loss.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct CampaignLine {
    /// The campaign.
    pub campaign_id: uuid::Uuid,
    /// The line.
    #[sea_orm(nested)]
    pub line: ProfitLine,
}

/// What became of leads and deliveries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromQueryResult)]
pub struct Totals {
    /// Every lead taken in.
    pub received: i64,
    /// Refused by a check.
    pub rejected: i64,
    /// Set aside.
    pub quarantined: i64,
    /// Sold at least once.
    pub sold: i64,
    /// Sold to nobody.
    pub unsold: i64,
    /// Still offered, or awaiting a buyer's answer.
    pub queued: i64,
    /// Final sales.
    pub sales: i64,
    /// Complaints opened.
    pub complaints: i64,
    /// Complaints decided for the buyer.
    pub upheld: i64,
    /// Complaints decided against the buyer.
    pub refused: i64,
    /// Deliveries taken.
    pub accepted: i64,
    /// Deliveries given up or refused.
    pub failed: i64,
    /// Deliveries under way, or whose answer was lost.
    pub pending: i64,
}

impl Read {
    /// Profit and loss between two days (both included, `YYYY-MM-DD`), one grouped statement over the ledger.
    pub async fn profit_and_loss(&self, since: &str, until: &str, by: ProfitBy) -> StoreResult<Vec<ProfitLine>> {
        let statement = statement(self.backend(), &self.profit_sql(by, 0), vec![since.into(), until.into()]);
        Ok(ProfitLine::find_by_statement(statement).all(self.connection()).await?)
    }

    /// The same of several campaigns, one statement however many. One more than [`LINES_MAX`] means that
    /// there are too many to be told: a part of a campaign's lines would look like all of them.
    pub async fn profit_and_loss_of(
        &self,
        campaigns: &[uuid::Uuid],
        since: &str,
        until: &str,
        by: ProfitBy,
    ) -> StoreResult<Vec<CampaignLine>> {
        if campaigns.is_empty() {
            return Ok(Vec::new());
        }
        let days = [since.into(), until.into()];
        let values = days.into_iter().chain(campaigns.iter().map(|id| sea_orm::Value::from(*id))).collect();
        self.rows(&self.profit_sql(by, campaigns.len()), values).await
    }

    /// Profit and loss of so many campaigns, each for itself; of everything where it is none.
    fn profit_sql(&self, by: ProfitBy, campaigns: usize) -> String {
        let sum =
            |condition: &str| format!("CAST(SUM(CASE WHEN {condition} THEN t.amount_minor ELSE 0 END) AS BIGINT)");
        let sums = format!(
            "SELECT {campaign} {key} AS grouped, t.currency AS currency, {revenue} AS revenue_minor, {credits} AS credits_minor,
             {payout} - {clawback} AS payout_minor, {spend} - {unspent} AS ad_spend_minor FROM ledger_transfer t
             WHERE t.day >= ? AND t.day <= ? AND t.kind IN ('SALE', 'COMPLAINT_CREDIT', 'MANUAL_CREDIT', 'PAYOUT', 'CLAWBACK', 'AD_SPEND', 'REVERSAL')
             {only} GROUP BY {groups}",
            key = by.key(),
            campaign = if campaigns == 0 { "" } else { "t.campaign_id AS campaign_id," },
            only = if campaigns == 0 { String::new() } else { format!("AND t.campaign_id IN ({})", marks(campaigns)) },
            groups = if campaigns == 0 { "1, 2" } else { "1, 2, 3" },
            revenue = sum("t.kind = 'SALE'"),
            credits = sum("t.kind IN ('COMPLAINT_CREDIT', 'MANUAL_CREDIT')"),
            payout = sum("t.kind = 'PAYOUT'"),
            clawback = sum("t.kind = 'CLAWBACK'"),
            spend = sum("t.kind = 'AD_SPEND'"),
            // A figure corrected downwards.
            unspent = sum(
                "t.kind = 'REVERSAL' AND t.credit_account_id IN (SELECT id FROM ledger_account WHERE kind = 'AD_SPEND_COST')"
            ),
        );
        // Names are looked up once per group, after the sums.
        let campaign = if campaigns == 0 { "" } else { "s.campaign_id, " };
        let figures =
            format!("{campaign}s.currency, s.revenue_minor, s.credits_minor, s.payout_minor, s.ad_spend_minor");
        // One more of campaigns' lines than are taken: so it is seen that there are too many.
        let most = if campaigns == 0 { LINES_MAX } else { LINES_MAX + 1 };
        let no_id = if self.store.engine() == crate::Engine::Postgres { "CAST(NULL AS UUID)" } else { "NULL" };
        match by.table() {
            Some(table) => format!(
                "SELECT s.grouped AS id, n.name AS name, {figures} FROM ({sums}) s
                 LEFT JOIN {table} n ON n.id = s.grouped ORDER BY n.name, s.currency, s.grouped LIMIT {most}"
            ),
            None => format!(
                "SELECT {no_id} AS id, s.grouped AS name, {figures} FROM ({sums}) s
                 ORDER BY s.grouped, s.currency LIMIT {most}"
            ),
        }
    }

    /// What became of everything.
    pub async fn totals(&self) -> StoreResult<Totals> {
        let leads = |state: &str| format!("(SELECT COUNT(*) FROM lead WHERE NOT test AND state IN ({state}))");
        let deliveries = |state: &str| {
            format!(
                "(SELECT COUNT(*) FROM delivery d WHERE state IN ({state}) AND NOT EXISTS
             (SELECT 1 FROM sale s WHERE s.id = d.sale_id AND s.test))"
            )
        };
        let sql = format!(
            "SELECT (SELECT COUNT(*) FROM lead WHERE NOT test) AS received, {} AS rejected, {} AS quarantined, {} AS sold, {} AS unsold, {} AS queued,
             (SELECT COUNT(*) FROM sale WHERE state = 'SOLD' AND NOT test) AS sales, (SELECT COUNT(*) FROM complaint) AS complaints,
             (SELECT COUNT(*) FROM complaint WHERE state = 'UPHELD') AS upheld, (SELECT COUNT(*) FROM complaint WHERE state = 'REFUSED') AS refused,
             {} AS accepted, {} AS failed, {} AS pending",
            leads("'REJECTED'"),
            leads("'QUARANTINED'"),
            leads("'SOLD'"),
            leads("'UNSOLD', 'AGED'"),
            leads("'QUEUED', 'RECEIVED'"),
            deliveries("'ACCEPTED'"),
            deliveries("'DEAD', 'REJECTED'"),
            deliveries("'PENDING', 'UNKNOWN'"),
        );
        let found = Totals::find_by_statement(statement(self.backend(), &sql, vec![])).one(self.connection()).await?;
        Ok(found.unwrap_or_default())
    }
}
