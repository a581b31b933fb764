//! What is asked to see how a buyer stands: the last leads of its campaigns, how they were decided, what its caps hold.

use std::collections::HashMap;

use leadyard_types::{BuyerId, CampaignId, Timestamp};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::configuration::Head;
use crate::error::StoreResult;
use crate::model::decision;
use crate::placement::{CounterKey, CounterUse, Counters};
use crate::sql::marks;
use crate::store::{Engine, Read};

/// Selects put together in one statement: below what SQLite takes.
const SELECTS_MAX: usize = 100;

#[derive(FromQueryResult)]
struct Id {
    id: Uuid,
}

#[derive(FromQueryResult)]
struct Stored {
    owner_id: Uuid,
    period: String,
    starts_at: Timestamp,
    count: i64,
    amount_minor: i64,
}

#[derive(FromQueryResult)]
struct Counted {
    place: i64,
    count: i64,
    amount_minor: i64,
}

impl Read {
    /// A buyer and its contracts, once for every revision of their terms, oldest first: contracts, then the buyer. Only
    /// for the system itself. Two statements.
    pub async fn buyer_history(&self, buyer: BuyerId) -> StoreResult<(Vec<Head>, Vec<Head>)> {
        let id = if self.store().engine() == Engine::Postgres { "CAST(NULL AS UUID)" } else { "NULL" };
        let history = |table: &str, parent: &str, owner: &str, condition: &str| {
            format!(
                "SELECT h.id, h.name, {parent} AS parent_id, {owner} AS owner_id, CAST(NULL AS TEXT) AS key,
                 CAST(NULL AS TEXT) AS currency, h.created_at, r.id AS revision_id, r.no, r.terms
                 FROM {table} h JOIN revision r ON r.noun = '{table}' AND r.noun_id = h.id
                 WHERE {condition} = ? ORDER BY h.id, r.no"
            )
        };
        let contracts = history("contract", "h.campaign_id", "h.buyer_id", "h.buyer_id");
        let buyers = history("buyer", id, id, "h.id");
        Ok((self.rows(&contracts, vec![buyer.0.into()]).await?, self.rows(&buyers, vec![buyer.0.into()]).await?))
    }

    /// The last so many leads of each campaign that passed the checks, in no order. One statement.
    pub async fn last_accepted_leads(&self, campaigns: &[CampaignId], each: u32) -> StoreResult<Vec<Uuid>> {
        let mut found = Vec::new();
        for campaigns in campaigns.chunks(SELECTS_MAX) {
            let one = |place: usize| {
                format!(
                    "SELECT id FROM (SELECT id FROM lead WHERE campaign_id = ? AND accepted
                     ORDER BY received_at DESC, id DESC LIMIT ?) AS last_{place}"
                )
            };
            let sql: Vec<String> = (0..campaigns.len()).map(one).collect();
            let values = campaigns.iter().flat_map(|campaign| [campaign.0.into(), i64::from(each).into()]);
            let rows: Vec<Id> = self.rows(&sql.join(" UNION ALL "), values.collect()).await?;
            found.extend(rows.into_iter().map(|row| row.id));
        }
        Ok(found)
    }

    /// The last decision about each of these leads, in no order. One statement. Only for the system itself.
    pub async fn last_decisions_of(&self, leads: &[Uuid]) -> StoreResult<Vec<decision::Model>> {
        if leads.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT d.* FROM decision d JOIN lead l ON l.id = d.lead_id AND l.decisions = d.number WHERE l.id IN ({})",
            marks(leads.len())
        );
        self.rows(&sql, leads.iter().map(|lead| Value::from(*lead)).collect()).await
    }

    /// What is used of these buckets; one whose counter does not exist yet is counted from the sales. Two statements
    /// for a hundred buckets. Only sales are counted: sources have none.
    pub async fn cap_uses(&self, keys: &[CounterKey]) -> StoreResult<Counters> {
        let mut uses = Counters::new();
        if keys.is_empty() {
            return Ok(uses);
        }
        let sql = format!(
            "SELECT owner_id, period, starts_at, count, amount_minor FROM cap_counter WHERE owner_id IN ({})",
            marks(keys.len())
        );
        let owners = keys.iter().map(|key| Value::from(key.owner.id())).collect();
        let stored: Vec<Stored> = self.rows(&sql, owners).await?;
        let stored: HashMap<(Uuid, String, Timestamp), Stored> =
            stored.into_iter().map(|row| ((row.owner_id, row.period.clone(), row.starts_at), row)).collect();
        let mut missing = Vec::new();
        for key in keys {
            match stored.get(&(key.owner.id(), key.period.as_str().to_owned(), key.starts_at)) {
                Some(Stored { count, amount_minor, .. }) => {
                    uses.insert(*key, CounterUse { count: *count, amount_minor: *amount_minor });
                }
                None => missing.push(*key),
            }
        }
        for missing in missing.chunks(SELECTS_MAX) {
            uses.extend(self.counted(missing).await?);
        }
        Ok(uses)
    }

    async fn counted(&self, keys: &[CounterKey]) -> StoreResult<Counters> {
        let one = |(place, key): (usize, &CounterKey)| {
            format!(
                "SELECT CAST({place} AS BIGINT) AS place, COUNT(*) AS count,
                 CAST(COALESCE(SUM(price_minor), 0) AS BIGINT) AS amount_minor FROM sale
                 WHERE counted AND {} = ? AND sold_at >= ? AND sold_at < ?",
                key.owner.sale_column()
            )
        };
        let sql: Vec<String> = keys.iter().enumerate().map(one).collect();
        let values = keys.iter().flat_map(|key| [key.owner.id().into(), key.starts_at.into(), key.ends_at.into()]);
        let rows: Vec<Counted> = self.rows(&sql.join(" UNION ALL "), values.collect()).await?;
        let key = |row: &Counted| keys.get(usize::try_from(row.place).ok()?).copied();
        let used = |row: Counted| Some((key(&row)?, CounterUse { count: row.count, amount_minor: row.amount_minor }));
        Ok(rows.into_iter().filter_map(used).collect())
    }
}
