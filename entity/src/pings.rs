//! Pings: where buyers are asked, what they answered, and which bids still hold.

use std::collections::{BTreeSet, HashMap};

use leadyard_types::{BidSeen, ContractId, DestinationId, LeadId, PingId, PingVerdict, Status, Timestamp};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, Value};
use uuid::Uuid;

use crate::error::{StoreError, StoreResult};
use crate::model::{destination, ping};
use crate::sql::{among, marks};
use crate::store::{Read, Write};

impl Read {
    /// The destinations at which buyers are asked, those left out that are set aside or ended. Only for placement.
    pub async fn bidders(&self, destinations: &BTreeSet<DestinationId>) -> StoreResult<Vec<destination::Model>> {
        debug_assert!(matches!(self.principal, leadyard_types::Principal::System(_)), "only the system asks buyers");
        let ids: Vec<Uuid> = destinations.iter().map(|id| id.0).collect();
        let found = destination::Entity::find()
            .filter(among(self.backend(), destination::Column::Id, &ids))
            .filter(destination::Column::Status.eq(Status::Active.as_str()));
        Ok(found.all(self.connection()).await?)
    }

    /// Every ping of a lead, in the order they were sent. Only for explanations by the system.
    pub async fn pings_of_lead(&self, lead: LeadId) -> StoreResult<Vec<ping::Model>> {
        let rows = ping::Entity::find().filter(ping::Column::LeadId.eq(lead.0)).order_by_asc(ping::Column::AskedAt);
        Ok(rows.order_by_asc(ping::Column::Id).all(self.connection()).await?)
    }
}

/// A ping's answer as a routing run sees it.
pub fn bid_seen(row: &ping::Model) -> StoreResult<BidSeen> {
    Ok(BidSeen {
        ping_id: PingId(row.id),
        verdict: row.verdict.parse().map_err(StoreError::corrupt)?,
        price_minor: row.price_minor,
        shared_minor: serde_json::from_str(&row.shared_minor).map_err(StoreError::corrupt)?,
        reason: row.reason.clone(),
        expires_at: row.expires_at,
    })
}

impl Write {
    /// The answers about stored leads that still hold, the newest of each contract: bids until they end, and a no until the
    /// contract is agreed anew, since nobody is asked twice without a cause.
    pub async fn standing_bids(
        &self,
        leads: &BTreeSet<LeadId>,
        now: Timestamp,
    ) -> StoreResult<HashMap<LeadId, HashMap<ContractId, BidSeen>>> {
        let sql = format!(
            "SELECT ping.* FROM ping JOIN contract ON contract.id = ping.contract_id
             JOIN revision ON revision.id = contract.revision_id WHERE ping.lead_id IN ({})
             AND ((ping.verdict = ? AND ping.expires_at > ?)
               OR (ping.verdict IN (?, ?) AND ping.asked_at >= revision.created_at))
             ORDER BY ping.asked_at, ping.id",
            marks(leads.len())
        );
        let mut standing: HashMap<LeadId, HashMap<ContractId, BidSeen>> = HashMap::new();
        if leads.is_empty() {
            return Ok(standing);
        }
        let mut values: Vec<Value> = leads.iter().map(|lead| Value::from(lead.0)).collect();
        values.extend([PingVerdict::Bid.as_str().into(), now.into()]);
        values.extend([PingVerdict::NoBid.as_str().into(), PingVerdict::Duplicate.as_str().into()]);
        for row in self.all::<ping::Model>(&sql, values).await? {
            let lead = LeadId(row.lead_id.unwrap_or(Uuid::nil()));
            standing.entry(lead).or_default().insert(ContractId(row.contract_id), bid_seen(&row)?);
        }
        Ok(standing)
    }
}
