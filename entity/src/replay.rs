//! What a replay of history reads besides decisions: everything else that moved money and capacity, with its place in
//! the one order of decisions. Nothing here writes.

use std::collections::HashMap;

use leadyard_types::lead::LeadEventKind;
use leadyard_types::{BuyerId, CampaignId, ComplaintState, Currency, LeadId, Principal, SaleId, Timestamp};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, PaginatorTrait, QueryFilter, QueryOrder, Value};
use serde::Deserialize;
use uuid::Uuid;

use crate::error::{StoreError, StoreResult};
use crate::keyring::IndexHash;
use crate::model::{audit, decision, lead, lead_fingerprint, ledger_account, revision};
use crate::placement::FingerprintHit;
use crate::sql::{among, marks};
use crate::store::Read;

/// What a buyer may spend changed, by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalletChange {
    /// Its place in the order of decisions; `None` where it was not kept yet.
    pub no: Option<i64>,
    /// When.
    pub at: Timestamp,
    /// Whose wallet.
    pub buyer: BuyerId,
    /// Which.
    pub currency: Currency,
    /// What came in, minor units.
    pub paid_minor: i64,
    /// What the credit limit grew by, minor units.
    pub limit_minor: i64,
}

/// What became of a sale after its decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaleTurn {
    /// The buyer accepted.
    Accepted,
    /// The buyer refused; what was held is free.
    Refused,
    /// The answer was lost.
    Lost,
    /// The window of a lost answer ended; what was held is free.
    Expired,
    /// A complaint was decided: what was credited and what was taken back from the supplier, minor units.
    Complaint {
        /// To the buyer.
        credit_minor: i64,
        /// From the supplier.
        clawback_minor: i64,
    },
}

/// A turn of a sale, with its place in the order of decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaleEvent {
    /// Its place.
    pub no: i64,
    /// The lead.
    pub lead_id: LeadId,
    /// The sale.
    pub sale_id: SaleId,
    /// What happened.
    pub turn: SaleTurn,
}

/// The figures that finance left in the audit.
#[derive(Deserialize)]
struct Moved {
    no: Option<i64>,
    currency: Currency,
    #[serde(default)]
    amount_minor: i64,
    #[serde(default)]
    before_minor: i64,
    #[serde(default)]
    after_minor: i64,
}

/// The figures that settlements and complaints left in a lead's timeline. Sales that were final at once have no number:
/// they are part of their decision.
#[derive(Deserialize)]
struct Turned {
    no: Option<i64>,
    sale_id: SaleId,
    state: Option<ComplaintState>,
    #[serde(default)]
    credit_minor: i64,
    #[serde(default)]
    clawback_minor: i64,
}

#[derive(FromQueryResult)]
struct EventRow {
    lead_id: Uuid,
    kind: String,
    detail: String,
}

#[derive(FromQueryResult)]
struct Value64 {
    value: i64,
}

impl Read {
    /// The newest number of the order of decisions.
    pub async fn last_decision_no(&self) -> StoreResult<i64> {
        let rows: Vec<Value64> = self.rows("SELECT value FROM market_state WHERE name = 'decision_no'", vec![]).await?;
        Ok(rows.first().map_or(0, |row| row.value))
    }

    /// How many decisions there are.
    pub async fn count_decisions(&self) -> StoreResult<u64> {
        Ok(decision::Entity::find().count(self.connection()).await?)
    }

    /// How many leads were received from one moment on until before another, tests left out.
    pub async fn count_received(&self, since: Option<Timestamp>, until: Option<Timestamp>) -> StoreResult<u64> {
        let mut find = lead::Entity::find().filter(lead::Column::Test.eq(false));
        if let Some(since) = since {
            find = find.filter(lead::Column::ReceivedAt.gte(since));
        }
        if let Some(until) = until {
            find = find.filter(lead::Column::ReceivedAt.lt(until));
        }
        Ok(find.count(self.connection()).await?)
    }

    /// Everything by which people changed what buyers may spend, in its order. Only for the system itself.
    pub async fn wallet_changes(&self) -> StoreResult<Vec<WalletChange>> {
        debug_assert!(matches!(self.principal, Principal::System(_)), "history is read by the system");
        let find = audit::Entity::find()
            .filter(audit::Column::Noun.eq("buyer"))
            .filter(audit::Column::Action.is_in(["move_money", "set_credit_limit"]))
            .order_by_asc(audit::Column::No);
        let rows = find.all(self.connection()).await?;
        let changes = rows.into_iter().filter_map(|row| {
            let buyer = BuyerId(row.noun_id?);
            let moved: Moved = match serde_json::from_str(&row.detail) {
                Ok(moved) => moved,
                Err(error) => return Some(Err(StoreError::corrupt(error))),
            };
            let (no, currency) = (moved.no, moved.currency);
            let (paid_minor, limit_minor) = (moved.amount_minor, moved.after_minor - moved.before_minor);
            Some(Ok(WalletChange { no, at: row.at, buyer, currency, paid_minor, limit_minor }))
        });
        changes.collect()
    }

    /// How far each wallet may go below zero now, minor units.
    pub async fn credit_limits(&self) -> StoreResult<HashMap<(BuyerId, Currency), i64>> {
        let find = ledger_account::Entity::find().filter(ledger_account::Column::Kind.eq("BUYER_WALLET"));
        let rows = find.all(self.connection()).await?.into_iter();
        rows.map(|row| {
            let currency = row.currency.parse().map_err(StoreError::corrupt)?;
            Ok(((BuyerId(row.owner_id), currency), row.credit_limit_minor))
        })
        .collect()
    }

    /// What became of some leads' sales after their decisions.
    pub async fn sale_events(&self, leads: &[Uuid]) -> StoreResult<Vec<SaleEvent>> {
        if leads.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT lead_id, kind, detail FROM lead_event WHERE kind IN
             ('SOLD', 'SALE_REJECTED', 'SALE_UNKNOWN', 'SALE_EXPIRED', 'COMPLAINT_DECIDED') AND lead_id IN ({})",
            marks(leads.len())
        );
        let rows: Vec<EventRow> = self.rows(&sql, leads.iter().map(|id| Value::from(*id)).collect()).await?;
        let mut events = Vec::new();
        for row in rows {
            let turned: Turned = serde_json::from_str(&row.detail).map_err(StoreError::corrupt)?;
            let (Some(no), Some(turn)) = (turned.no, turn(&row.kind, &turned)?) else { continue };
            events.push(SaleEvent { no, lead_id: LeadId(row.lead_id), sale_id: turned.sale_id, turn });
        }
        Ok(events)
    }

    /// The terms of revisions, as JSON.
    pub async fn terms_of_revisions(&self, ids: &[Uuid]) -> StoreResult<HashMap<Uuid, String>> {
        let rows = revision::Entity::find()
            .filter(among(self.backend(), revision::Column::Id, ids))
            .all(self.connection())
            .await?;
        Ok(rows.into_iter().map(|row| (row.id, row.terms)).collect())
    }

    /// The leads with these fingerprints, by fingerprint. Only for the system itself.
    pub async fn fingerprints(&self, hashes: &[IndexHash]) -> StoreResult<HashMap<IndexHash, Vec<FingerprintHit>>> {
        debug_assert!(matches!(self.principal, Principal::System(_)), "history is read by the system");
        let find = lead_fingerprint::Entity::find()
            .filter(lead_fingerprint::Column::Hash.is_in(hashes.iter().map(|hash| hash.to_vec())));
        let mut hits: HashMap<IndexHash, Vec<FingerprintHit>> = HashMap::new();
        for row in find.all(self.connection()).await? {
            let hash = row.hash.try_into().map_err(|_| StoreError::corrupt("a keyed hash has a wrong length"))?;
            let (lead_id, campaign_id) = (LeadId(row.lead_id), CampaignId(row.campaign_id));
            let hit = FingerprintHit { hash, lead_id, campaign_id, received_at: row.received_at };
            hits.entry(hash).or_default().push(hit);
        }
        Ok(hits)
    }
}

fn turn(kind: &str, turned: &Turned) -> StoreResult<Option<SaleTurn>> {
    let (credit_minor, clawback_minor) = (turned.credit_minor, turned.clawback_minor);
    Ok(match kind.parse().map_err(StoreError::corrupt)? {
        LeadEventKind::Sold => Some(SaleTurn::Accepted),
        LeadEventKind::SaleRejected => Some(SaleTurn::Refused),
        LeadEventKind::SaleUnknown => Some(SaleTurn::Lost),
        LeadEventKind::SaleExpired => Some(SaleTurn::Expired),
        LeadEventKind::ComplaintDecided if turned.state == Some(ComplaintState::Upheld) => {
            Some(SaleTurn::Complaint { credit_minor, clawback_minor })
        }
        _ => None,
    })
}
