//! Leads that wait to be offered again: finding them, and bringing their turn forward.

use std::collections::BTreeSet;

use leadyard_types::{BuyerId, CampaignId, LeadId, Timestamp};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::error::StoreResult;
use crate::sql::marks;
use crate::store::Write;

/// How many leads have their turn brought forward in one transaction.
const WOKEN_AT_ONCE: i64 = 500;

#[derive(FromQueryResult)]
struct IdRow {
    id: Uuid,
}

/// A lead that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiter {
    /// The lead.
    pub lead_id: LeadId,
    /// When it is to be offered again.
    pub offer_at: Timestamp,
}

impl Write {
    /// Which of these campaigns have leads that wait.
    pub async fn campaigns_that_wait(&self, campaigns: &BTreeSet<CampaignId>) -> StoreResult<Vec<CampaignId>> {
        let sql = "SELECT campaign.id FROM campaign WHERE campaign.id IN ({}) AND EXISTS
                   (SELECT 1 FROM lead WHERE lead.campaign_id = campaign.id AND lead.offer_at IS NOT NULL)";
        let keys = campaigns.iter().map(|id| Value::from(id.0)).collect();
        let rows: Vec<IdRow> = self.all_in(sql, keys).await?;
        Ok(rows.into_iter().map(|row| CampaignId(row.id)).collect())
    }

    /// The campaigns in which a buyer has contracts.
    pub async fn campaigns_of_buyer(&self, buyer: BuyerId) -> StoreResult<BTreeSet<CampaignId>> {
        let sql = "SELECT DISTINCT campaign_id AS id FROM contract WHERE buyer_id = ?";
        let rows: Vec<IdRow> = self.all(sql, vec![buyer.0.into()]).await?;
        Ok(rows.into_iter().map(|row| CampaignId(row.id)).collect())
    }

    /// Takes some leads of a campaign that wait for a later moment, and makes it their turn now; they stay locked until
    /// this transaction ends. Answers them as they waited: none is the end.
    pub async fn call_waiters(&self, campaign: CampaignId, now: Timestamp) -> StoreResult<Vec<Waiter>> {
        #[derive(FromQueryResult)]
        struct Row {
            id: Uuid,
            offer_at: Option<Timestamp>,
        }
        let sql = "SELECT id FROM lead WHERE campaign_id = ? AND offer_at > ? ORDER BY offer_at, id LIMIT ?";
        let found: Vec<IdRow> = self.all(sql, vec![campaign.0.into(), now.into(), WOKEN_AT_ONCE.into()]).await?;
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let lock = if self.is_postgres() { " FOR NO KEY UPDATE" } else { "" };
        let keys: Vec<Value> = found.iter().map(|row| row.id.into()).collect();
        // Whoever is placing one of them ends first; then it may have another turn, or none.
        let sql = format!("SELECT id, offer_at FROM lead WHERE id IN ({}) ORDER BY id{lock}", marks(keys.len()));
        let rows: Vec<Row> = self.all(&sql, keys.clone()).await?;
        let sql = format!("UPDATE lead SET offer_at = ? WHERE id IN ({}) AND offer_at > ?", marks(keys.len()));
        let values = [Value::from(now)].into_iter().chain(keys).chain([now.into()]).collect();
        self.run(&sql, values).await?;
        let waiter = |row: Row| Some(Waiter { lead_id: LeadId(row.id), offer_at: row.offer_at? });
        Ok(rows.into_iter().filter_map(waiter).collect())
    }

    /// Makes tasks due now that nobody works on.
    pub async fn hurry_tasks(&self, dedupe_keys: &[String], now: Timestamp) -> StoreResult<u64> {
        if dedupe_keys.is_empty() {
            return Ok(0);
        }
        let lock = if self.is_postgres() { " FOR UPDATE SKIP LOCKED" } else { "" };
        let sql = format!(
            "UPDATE task SET run_at = ? WHERE id IN (SELECT id FROM task
             WHERE dedupe_key IN ({}) AND lease_id IS NULL AND dead_at IS NULL AND run_at > ? ORDER BY id{lock})",
            marks(dedupe_keys.len())
        );
        let keys = dedupe_keys.iter().map(|key| Value::from(key.as_str()));
        let values = [Value::from(now)].into_iter().chain(keys).chain([now.into()]).collect();
        self.run(&sql, values).await
    }
}
