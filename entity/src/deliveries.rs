//! Deliveries: what a worker needs to make attempts, and what it writes before and after them. Everything takes many
//! deliveries at once, in a fixed number of statements.

mod attempts;

use std::collections::HashMap;

use leadyard_types::{DeliveryId, DeliveryState, DestinationId, LeadId, SaleId, Status, Timestamp};
use sea_orm::{FromQueryResult, Value};
use secrecy::SecretString;
use uuid::Uuid;

use crate::error::{StoreError, StoreResult};
use crate::model::{consent, delivery, destination, lead, person, ping, sale};
use crate::placement::UnsealedLead;
use crate::sql::marks;
use crate::store::{Read, Write};

pub use attempts::{AttemptEnd, Begin, Begun, DestinationNews, SettledAttempt};

/// Keys per statement.
const CHUNK: usize = 4_000;

/// Everything about one delivery, in the clear. Never logged, never stored as it is.
#[derive(Debug, Clone)]
pub struct DeliveryFacts {
    /// The delivery.
    pub delivery: delivery::Model,
    /// Its sale.
    pub sale: sale::Model,
    /// The lead.
    pub lead: UnsealedLead,
    /// Where it goes.
    pub destination: destination::Model,
    /// The destination's signing secrets, the newest first: two while one is being replaced.
    pub secrets: Vec<SecretString>,
    /// The names a receiver knows: campaign, contract, buyer.
    pub names: [String; 3],
    /// The bid by which it was sold, where the buyer was asked for one.
    pub ping: Option<ping::Model>,
}

#[derive(FromQueryResult)]
struct NamedRow {
    id: Uuid,
    name: String,
}

#[derive(FromQueryResult)]
struct WaitingRow {
    id: Uuid,
    destination_id: Uuid,
}

impl Read {
    /// Reads rows whose key is in a list. `sql` holds `{}` for the list.
    async fn all_in<T: FromQueryResult>(&self, sql: &str, keys: impl Iterator<Item = Uuid>) -> StoreResult<Vec<T>> {
        let mut keys: Vec<Uuid> = keys.collect();
        keys.sort_unstable();
        keys.dedup();
        let mut rows = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(CHUNK) {
            let values = chunk.iter().map(|key| Value::from(*key)).collect();
            rows.extend(self.rows::<T>(&sql.replacen("{}", &marks(chunk.len()), 1), values).await?);
        }
        Ok(rows)
    }

    async fn names(&self, table: &str, keys: impl Iterator<Item = Uuid>) -> StoreResult<HashMap<Uuid, String>> {
        let sql = format!("SELECT id, name FROM {table} WHERE id IN ({{}})");
        Ok(self.all_in::<NamedRow>(&sql, keys).await?.into_iter().map(|row| (row.id, row.name)).collect())
    }

    /// Everything about these deliveries, in ten statements however many they are; those that are gone are left out.
    /// Only for the workers.
    pub async fn delivery_facts(&self, ids: &[DeliveryId]) -> StoreResult<Vec<DeliveryFacts>> {
        debug_assert!(matches!(self.principal, leadyard_types::Principal::System(_)), "only workers unseal leads");
        let deliveries: Vec<delivery::Model> =
            self.all_in("SELECT * FROM delivery WHERE id IN ({})", ids.iter().map(|id| id.0)).await?;
        let sales: Vec<sale::Model> =
            self.all_in("SELECT * FROM sale WHERE id IN ({})", deliveries.iter().map(|row| row.sale_id)).await?;
        let leads: Vec<lead::Model> =
            self.all_in("SELECT * FROM lead WHERE id IN ({})", deliveries.iter().map(|row| row.lead_id)).await?;
        let people: Vec<person::Model> =
            self.all_in("SELECT * FROM person WHERE id IN ({})", leads.iter().map(|row| row.person_id)).await?;
        let consents: Vec<consent::Model> =
            self.all_in("SELECT * FROM consent WHERE lead_id IN ({})", leads.iter().map(|row| row.id)).await?;
        let destinations: Vec<destination::Model> = self
            .all_in("SELECT * FROM destination WHERE id IN ({})", deliveries.iter().map(|row| row.destination_id))
            .await?;
        let pings: Vec<ping::Model> = self
            .all_in(
                "SELECT * FROM ping WHERE verdict = 'BID' AND lead_id IN ({}) ORDER BY asked_at, id",
                sales.iter().map(|row| row.lead_id),
            )
            .await?;
        let joined = Joined {
            // Of several the newest: the one a sale was decided by, since a bid is asked for once per run.
            pings: pings.into_iter().map(|row| ((row.lead_id.unwrap_or_default(), row.contract_id), row)).collect(),
            campaigns: self.names("campaign", sales.iter().map(|row| row.campaign_id)).await?,
            contracts: self.names("contract", sales.iter().map(|row| row.contract_id)).await?,
            buyers: self.names("buyer", sales.iter().map(|row| row.buyer_id)).await?,
            sales: sales.into_iter().map(|row| (row.id, row)).collect(),
            leads: leads.into_iter().map(|row| (row.id, row)).collect(),
            people: people.into_iter().map(|row| (row.id, row)).collect(),
            consents: consents.into_iter().map(|row| (row.lead_id, row)).collect(),
            destinations: destinations.into_iter().map(|row| (row.id, row)).collect(),
        };
        deliveries.into_iter().map(|row| self.facts(row, &joined)).collect()
    }

    fn facts(&self, delivery: delivery::Model, joined: &Joined) -> StoreResult<DeliveryFacts> {
        let id = delivery.id;
        let missing = |noun: &str| StoreError::corrupt(format!("delivery {id}: its {noun} is missing"));
        let sale = joined.sales.get(&delivery.sale_id).cloned().ok_or_else(|| missing("sale"))?;
        let row = joined.leads.get(&delivery.lead_id).cloned().ok_or_else(|| missing("lead"))?;
        let person = joined.people.get(&row.person_id).ok_or_else(|| missing("person"))?;
        let consent = joined.consents.get(&row.id).cloned();
        let destination =
            joined.destinations.get(&delivery.destination_id).cloned().ok_or_else(|| missing("destination"))?;
        let secrets = self.store.destination_secrets(&destination)?;
        let name =
            |names: &HashMap<Uuid, String>, id: Uuid, noun: &str| names.get(&id).cloned().ok_or_else(|| missing(noun));
        let names = [
            name(&joined.campaigns, sale.campaign_id, "campaign")?,
            name(&joined.contracts, sale.contract_id, "contract")?,
            name(&joined.buyers, sale.buyer_id, "buyer")?,
        ];
        let lead = UnsealedLead::open(self.store.keyring(), row, person, consent)?;
        let ping = joined.pings.get(&(sale.lead_id, sale.contract_id)).cloned();
        Ok(DeliveryFacts { delivery, sale, lead, destination, secrets, names, ping })
    }

    /// Whether a delivery has an attempt that never came to an end.
    pub async fn any_open_attempt(&self, id: DeliveryId) -> StoreResult<bool> {
        let sql = "SELECT id, delivery_id AS destination_id FROM attempt WHERE delivery_id = ? AND finished_at IS NULL LIMIT 1";
        Ok(!self.rows::<WaitingRow>(sql, vec![id.0.into()]).await?.is_empty())
    }

    /// The versions of these destinations as they are now.
    pub async fn destination_versions(
        &self,
        ids: impl IntoIterator<Item = DestinationId>,
    ) -> StoreResult<HashMap<DestinationId, i64>> {
        #[derive(FromQueryResult)]
        struct Versioned {
            id: Uuid,
            version: i64,
        }
        let sql = "SELECT id, version FROM destination WHERE id IN ({})";
        let rows: Vec<Versioned> = self.all_in(sql, ids.into_iter().map(|id| id.0)).await?;
        Ok(rows.into_iter().map(|row| (DestinationId(row.id), row.version)).collect())
    }

    /// Deliveries to active destinations that should have been tried before a moment, in id order after one of them:
    /// their tasks may be missing.
    pub async fn overdue_deliveries(
        &self,
        before: Timestamp,
        after: Option<DeliveryId>,
        limit: u32,
    ) -> StoreResult<Vec<(DeliveryId, DestinationId)>> {
        let sql = "SELECT d.id, d.destination_id FROM delivery d
                   JOIN destination p ON p.id = d.destination_id AND p.status = 'ACTIVE'
                   JOIN sale s ON s.id = d.sale_id AND s.state = 'SOLD'
                   WHERE d.state = 'PENDING' AND d.created_at < ? AND (d.next_attempt_at IS NULL OR d.next_attempt_at < ?)
                   AND d.id > ? ORDER BY d.id LIMIT ?";
        let after = after.map_or(Uuid::nil(), |id| id.0);
        let values = vec![before.into(), before.into(), after.into(), i64::from(limit).into()];
        let rows: Vec<WaitingRow> = self.rows(sql, values).await?;
        Ok(rows.into_iter().map(|row| (DeliveryId(row.id), DestinationId(row.destination_id))).collect())
    }
}

/// Rows by id.
struct Joined {
    sales: HashMap<Uuid, sale::Model>,
    leads: HashMap<Uuid, lead::Model>,
    people: HashMap<Uuid, person::Model>,
    consents: HashMap<Uuid, consent::Model>,
    destinations: HashMap<Uuid, destination::Model>,
    /// The bids, by lead and contract.
    pings: HashMap<(Uuid, Uuid), ping::Model>,
    campaigns: HashMap<Uuid, String>,
    contracts: HashMap<Uuid, String>,
    buyers: HashMap<Uuid, String>,
}

impl Write {
    /// A delivery, locked.
    pub async fn lock_delivery(&self, id: DeliveryId) -> StoreResult<Option<delivery::Model>> {
        let lock = if self.is_postgres() { " FOR NO KEY UPDATE" } else { "" };
        let rows = self.all(&format!("SELECT * FROM delivery WHERE id = ?{lock}"), vec![id.0.into()]).await?;
        Ok(rows.into_iter().next())
    }

    /// The lead a delivery belongs to, which never changes: so that the lead can be locked before the delivery.
    pub async fn lead_of_delivery(&self, id: DeliveryId) -> StoreResult<Option<LeadId>> {
        let rows: Vec<delivery::Model> = self.all("SELECT * FROM delivery WHERE id = ?", vec![id.0.into()]).await?;
        Ok(rows.first().map(|row| LeadId(row.lead_id)))
    }

    /// Moves a delivery on by hand: one that waits then waits for an attempt now, one that does not has ended now.
    pub async fn move_delivery(&self, id: DeliveryId, state: DeliveryState) -> StoreResult<()> {
        let now = self.store.clock().now();
        let (next_at, ended_at) = if state.is_final() { (None, Some(now)) } else { (Some(now), None) };
        let sql = "UPDATE delivery SET state = ?, next_attempt_at = ?, finished_at = ? WHERE id = ?";
        self.run(sql, vec![state.as_str().into(), next_at.into(), ended_at.into(), id.0.into()]).await.map(|_| ())
    }

    /// Moves the delivery that asked for a sale's verdict on, when the verdict comes by another way. Called before the sale
    /// gets further deliveries: they wait for their turn.
    pub async fn settle_asking_delivery(&self, sale: SaleId, state: DeliveryState) -> StoreResult<()> {
        let now = self.store.clock().now();
        let sql = "UPDATE delivery SET state = ?, next_attempt_at = NULL, finished_at = ?
                   WHERE sale_id = ? AND state IN ('UNKNOWN', 'PENDING')";
        self.run(sql, vec![state.as_str().into(), now.into(), sale.0.into()]).await.map(|_| ())
    }

    /// A destination, locked. Whoever takes one up holds it before looking for what waits, and a worker that lets a
    /// delivery wait looks at it first (see [`Write::settle_attempts`]): so none falls in between.
    pub async fn lock_destination(&self, id: DestinationId) -> StoreResult<Option<destination::Model>> {
        let lock = if self.is_postgres() { " FOR NO KEY UPDATE" } else { "" };
        let rows = self.all(&format!("SELECT * FROM destination WHERE id = ?{lock}"), vec![id.0.into()]).await?;
        Ok(rows.into_iter().next())
    }

    /// Notes that a destination is tried out now; answers false where it was less than so long ago. Whoever is first wins,
    /// in whichever process.
    pub async fn mark_tested(&self, id: DestinationId, apart: chrono::Duration) -> StoreResult<bool> {
        let now = self.store.clock().now();
        let sql = "UPDATE destination SET tested_at = ? WHERE id = ? AND (tested_at IS NULL OR tested_at <= ?)";
        Ok(self.run(sql, vec![now.into(), id.0.into(), (now - apart).into()]).await? == 1)
    }

    /// Takes a parked destination up again; answers false if it is not parked.
    pub async fn resume_destination(&self, id: DestinationId) -> StoreResult<bool> {
        let sql = "UPDATE destination SET status = ?, notice = NULL, failing_since = NULL, version = version + 1
                   WHERE id = ? AND status = ?";
        let values = vec![Status::Active.as_str().into(), id.0.into(), Status::Paused.as_str().into()];
        Ok(self.run(sql, values).await? == 1)
    }

    /// The deliveries that wait for a destination, oldest first, after one of them.
    pub async fn waiting_deliveries(
        &self,
        destination: DestinationId,
        after: Option<DeliveryId>,
        limit: u32,
    ) -> StoreResult<Vec<DeliveryId>> {
        let sql = "SELECT d.id, d.destination_id FROM delivery d JOIN sale s ON s.id = d.sale_id AND s.state = 'SOLD'
                   WHERE d.destination_id = ? AND d.state = 'PENDING' AND d.id > ? ORDER BY d.id LIMIT ?";
        let after = after.map_or(Uuid::nil(), |id| id.0);
        let rows: Vec<WaitingRow> =
            self.all(sql, vec![destination.0.into(), after.into(), i64::from(limit).into()]).await?;
        Ok(rows.into_iter().map(|row| DeliveryId(row.id)).collect())
    }
}
