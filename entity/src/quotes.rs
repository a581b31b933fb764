//! Quotes: what suppliers were promised when they pinged, how often they may ping, and which lead a quote became.

use std::collections::{BTreeSet, HashMap};

use leadyard_types::quote::PingPeriod;
use leadyard_types::{BidSeen, ContractId, LeadId, PingVerdict, QuoteId, SourceId, Timestamp};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, Value};
use uuid::Uuid;

use crate::error::{StoreError, StoreResult};
use crate::model::{ping, quote};
use crate::pings::bid_seen;
use crate::sql::marks;
use crate::store::{Read, Write};

/// How many quotes one transaction forgets: each may have a dozen pings.
const QUOTES_AT_ONCE: i64 = 500;

/// A limit on a source's pings, and the time it holds for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PingLimit {
    /// The period.
    pub period: PingPeriod,
    /// When its time began.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// The most pings in it.
    pub most: u32,
}

#[derive(FromQueryResult)]
struct Counted {
    count: i64,
}

#[derive(FromQueryResult)]
struct PromiseRow {
    lead_id: Uuid,
    promise_minor: i64,
}

impl Read {
    /// A quote, if the principal may see it.
    pub async fn quote(&self, id: QuoteId) -> StoreResult<Option<quote::Model>> {
        Ok(self.select::<quote::Entity>().filter(quote::Column::Id.eq(id.0)).one(self.connection()).await?)
    }

    /// The quote that became a lead. Only for explanations by the system.
    pub async fn quote_of_lead(&self, lead: LeadId) -> StoreResult<Option<quote::Model>> {
        Ok(quote::Entity::find().filter(quote::Column::LeadId.eq(lead.0)).one(self.connection()).await?)
    }

    /// Every ping of a quote, in the order they were sent. Only for the system.
    pub async fn pings_of_quote(&self, id: QuoteId) -> StoreResult<Vec<ping::Model>> {
        let rows = ping::Entity::find().filter(ping::Column::QuoteId.eq(id.0)).order_by_asc(ping::Column::AskedAt);
        Ok(rows.order_by_asc(ping::Column::Id).all(self.connection()).await?)
    }

    /// The bids a quote was made of that still hold. Only for placement.
    pub async fn bids_of_quote(&self, id: QuoteId, now: Timestamp) -> StoreResult<HashMap<ContractId, BidSeen>> {
        let holds = |row: &ping::Model| {
            row.verdict == PingVerdict::Bid.as_str() && row.expires_at.is_some_and(|until| until > now)
        };
        let rows = self.pings_of_quote(id).await?;
        rows.iter().filter(|row| holds(row)).map(|row| Ok((ContractId(row.contract_id), bid_seen(row)?))).collect()
    }
}

impl Write {
    /// Counts a ping against its source's limits; answers the first that is full. The caller gives up the transaction
    /// then, so that nothing was counted. Counters whose time has passed are forgotten.
    pub async fn count_ping(&self, source: SourceId, limits: &[PingLimit]) -> StoreResult<Result<(), PingLimit>> {
        for limit in limits {
            let (period, begins) = (limit.period.as_str(), limit.starts_at);
            let sql = "INSERT INTO ping_counter (source_id, period, starts_at, count) VALUES (?, ?, ?, 1)
                       ON CONFLICT (source_id, period, starts_at) DO UPDATE SET count = ping_counter.count + 1
                       WHERE ping_counter.count < ? RETURNING count";
            let values = vec![source.0.into(), period.into(), begins.into(), i64::from(limit.most).into()];
            let counted: Vec<Counted> = if limit.most == 0 { Vec::new() } else { self.all(sql, values).await? };
            match counted.first() {
                None => return Ok(Err(*limit)),
                Some(Counted { count: 1 }) => {
                    let values = vec![source.0.into(), period.into(), begins.into()];
                    let sql = "DELETE FROM ping_counter WHERE source_id = ? AND period = ? AND starts_at < ?";
                    self.run(sql, values).await?;
                }
                Some(_) => {}
            }
        }
        Ok(Ok(()))
    }

    /// Stores a quote with the pings it was made of.
    pub async fn store_quote(&self, row: quote::Model, pings: Vec<ping::Model>) -> StoreResult<()> {
        self.insert_all::<quote::Entity>(vec![row]).await?;
        self.insert_all::<ping::Entity>(pings).await
    }

    /// Forgets some quotes that became no lead and whose promise ended before a moment (refused ones were asked for before
    /// it), the oldest first, with their pings; and what was counted before it. Answers how many quotes: call again until
    /// it is none.
    pub async fn prune_quotes(&self, before: Timestamp) -> StoreResult<u64> {
        #[derive(FromQueryResult)]
        struct Row {
            id: Uuid,
        }
        // The conditions are those of the index `quote_unused`.
        let lock = if self.locks() { " FOR UPDATE SKIP LOCKED" } else { "" };
        let sql = format!(
            "SELECT id FROM quote WHERE lead_id IS NULL AND COALESCE(expires_at, asked_at) < ?
             ORDER BY COALESCE(expires_at, asked_at) LIMIT ?{lock}"
        );
        let rows: Vec<Row> = self.all(&sql, vec![before.into(), QUOTES_AT_ONCE.into()]).await?;
        let keys: Vec<Value> = rows.iter().map(|row| row.id.into()).collect();
        if !keys.is_empty() {
            self.run(&format!("DELETE FROM ping WHERE quote_id IN ({})", marks(keys.len())), keys.clone()).await?;
            self.run(&format!("DELETE FROM quote WHERE id IN ({})", marks(keys.len())), keys).await?;
        }
        self.run("DELETE FROM ping_counter WHERE starts_at < ?", vec![before.into()]).await?;
        Ok(rows.len() as u64)
    }

    /// What the suppliers of these leads were promised, minor units, where they pinged.
    pub async fn promises(&self, leads: &BTreeSet<LeadId>) -> StoreResult<HashMap<LeadId, i64>> {
        let sql = "SELECT lead_id, promise_minor FROM quote WHERE promise_minor IS NOT NULL AND lead_id IN ({})";
        let rows: Vec<PromiseRow> = self.all_in(sql, leads.iter().map(|lead| Value::from(lead.0)).collect()).await?;
        Ok(rows.into_iter().map(|row| (LeadId(row.lead_id), row.promise_minor)).collect())
    }

    /// Notes which lead each quote became, and with it the bids. A quote becomes one lead, once.
    pub(crate) async fn use_quotes(&self, used: &[(QuoteId, LeadId)]) -> StoreResult<()> {
        let now = self.store.clock().now();
        let rows = used.iter().flat_map(|(quote, lead)| [Value::from(quote.0), lead.0.into(), now.into()]);
        let sql = "WITH used (id, lead_id, at) AS ({}) UPDATE quote SET lead_id = used.lead_id, posted_at = used.at
                   FROM used WHERE quote.id = used.id AND quote.lead_id IS NULL";
        if self.run_over(sql, 3, rows.collect()).await? != used.len() as u64 {
            return Err(StoreError::corrupt("a quote that became a lead before"));
        }
        let rows = used.iter().flat_map(|(quote, lead)| [Value::from(quote.0), lead.0.into()]);
        let sql = "WITH used (id, lead_id) AS ({}) UPDATE ping SET lead_id = used.lead_id FROM used
                   WHERE ping.quote_id = used.id";
        self.run_over(sql, 2, rows.collect()).await.map(|_| ())
    }
}
