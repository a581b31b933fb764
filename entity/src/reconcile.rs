//! What reconcilers look for: things that were left in between, and records nobody needs any more.

use leadyard_types::{DeliveryId, DestinationId, LeadId, SaleId, SaleState, Timestamp};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::error::{StoreError, StoreResult};
use crate::store::{Engine, Read, Write};

/// How many records one statement forgets.
const PRUNED_AT_ONCE: i64 = 5_000;

/// A sale whose verdict is not known yet.
#[derive(Debug, Clone, Copy)]
pub struct WaitingSale {
    /// The sale.
    pub sale_id: SaleId,
    /// PENDING or UNKNOWN.
    pub state: SaleState,
    /// Since when.
    pub state_since: Timestamp,
    /// The delivery that asks.
    pub delivery_id: DeliveryId,
    /// Whom it asks.
    pub destination_id: DestinationId,
}

#[derive(FromQueryResult)]
struct WaitingRow {
    sale_id: Uuid,
    state: String,
    state_since: Timestamp,
    delivery_id: Uuid,
    destination_id: Uuid,
}

#[derive(FromQueryResult)]
struct IdRow {
    id: Uuid,
}

#[derive(FromQueryResult)]
struct Found {
    #[allow(dead_code, reason = "only whether there is a row counts")]
    found: i64,
}

impl Read {
    /// Whether a lease is over: cheap, so that the writer is left alone where none is.
    pub async fn any_expired_lease(&self) -> StoreResult<bool> {
        let sql = "SELECT CAST(1 AS BIGINT) AS found FROM task
                   WHERE lease_id IS NOT NULL AND leased_until <= ? LIMIT 1";
        Ok(!self.rows::<Found>(sql, vec![self.store.clock().now().into()]).await?.is_empty())
    }

    /// Sales that wait for a verdict since before a moment, in id order after one of them.
    pub async fn waiting_sales(
        &self,
        before: Timestamp,
        after: Option<SaleId>,
        limit: u32,
    ) -> StoreResult<Vec<WaitingSale>> {
        // The condition is that of the index `sale_waiting`.
        let sql = "SELECT s.id AS sale_id, s.state, s.state_since, d.id AS delivery_id, d.destination_id
                   FROM sale s JOIN delivery d ON d.sale_id = s.id
                   WHERE s.state IN ('PENDING', 'UNKNOWN') AND s.state_since < ? AND s.id > ?
                   ORDER BY s.id LIMIT ?";
        let after = after.map_or(Uuid::nil(), |id| id.0);
        let rows: Vec<WaitingRow> = self.rows(sql, vec![before.into(), after.into(), i64::from(limit).into()]).await?;
        rows.into_iter()
            .map(|row| {
                Ok(WaitingSale {
                    sale_id: SaleId(row.sale_id),
                    state: row.state.parse().map_err(StoreError::corrupt)?,
                    state_since: row.state_since,
                    delivery_id: DeliveryId(row.delivery_id),
                    destination_id: DestinationId(row.destination_id),
                })
            })
            .collect()
    }

    /// Leads that no task will offer again though they wait for it: queued ones, and those whose last buyer refused.
    pub async fn queued_without_task(&self, before: Timestamp, limit: u32) -> StoreResult<Vec<LeadId>> {
        let (id, asked) = if self.store.engine() == Engine::Postgres {
            ("CAST(lead.id AS TEXT)", "CAST(task.payload AS JSON) ->> 'lead_id'")
        } else {
            ("lower(hex(lead.id))", "replace(json_extract(task.payload, '$.lead_id'), '-', '')")
        };
        let sql = format!(
            "SELECT id FROM lead WHERE state_since < ? AND (state = 'QUEUED' OR (state = 'AGED' AND offer_at IS NOT NULL) OR (state = 'RECEIVED' AND NOT EXISTS
               (SELECT 1 FROM sale WHERE sale.lead_id = lead.id AND sale.state IN ('PENDING', 'UNKNOWN'))))
             AND {id} NOT IN (SELECT {asked} FROM task WHERE kind = 'place.v1' AND dead_at IS NULL)
             ORDER BY received_at, id LIMIT ?"
        );
        let rows: Vec<IdRow> = self.rows(&sql, vec![before.into(), i64::from(limit).into()]).await?;
        Ok(rows.into_iter().map(|row| LeadId(row.id)).collect())
    }
}

impl Write {
    /// Forgets answers of requests: those with keys made before `keyed_before`, those recognised by their body made
    /// before `bodies_before`. Answers how many; call again until it is none.
    pub async fn prune_answers(&self, keyed_before: Timestamp, bodies_before: Timestamp) -> StoreResult<u64> {
        let sql = "DELETE FROM idempotency_record WHERE (scope, key) IN (
                     SELECT scope, key FROM idempotency_record
                     WHERE created_at < ? OR (created_at < ? AND scope LIKE '%:body')
                     ORDER BY created_at LIMIT ?)";
        self.run(sql, vec![keyed_before.into(), bodies_before.into(), PRUNED_AT_ONCE.into()]).await
    }
}
