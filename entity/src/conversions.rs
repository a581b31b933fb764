//! Conversions: what buyers report about leads they bought. Each kind is kept once per sale.

use std::collections::BTreeSet;

use leadyard_types::lead::LeadEventKind;
use leadyard_types::{BuyerId, CampaignId, ConversionKind, LeadId, SaleId, SourceId, Timestamp};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::error::StoreResult;
use crate::placement::NewEvent;
use crate::sql::{marks, statement};
use crate::store::{Read, Write};

/// The most conversions written by one statement: eight values each, below what both databases bind.
const CONVERSIONS_PER_STATEMENT: usize = 2_000;
/// The most keys looked up by one statement.
const KEYS_PER_STATEMENT: usize = 10_000;

/// A sale that stands, found by its lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoldSale {
    /// The sale.
    pub sale_id: SaleId,
    /// Its lead.
    pub lead_id: LeadId,
    /// Who bought.
    pub buyer_id: BuyerId,
    /// In which campaign.
    pub campaign_id: CampaignId,
    /// The supplier's id of the lead.
    pub external_id: Option<String>,
}

/// A conversion to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewConversion {
    /// The sale.
    pub sale_id: SaleId,
    /// Its lead.
    pub lead_id: LeadId,
    /// Who reports it.
    pub buyer_id: BuyerId,
    /// What happened.
    pub kind: ConversionKind,
    /// What it was worth, minor units of the campaign's currency.
    pub value_minor: Option<i64>,
    /// When.
    pub happened_at: Timestamp,
}

#[derive(FromQueryResult)]
struct SaleRow {
    id: Uuid,
    lead_id: Uuid,
    buyer_id: Uuid,
    campaign_id: Uuid,
    external_id: Option<String>,
}

impl From<SaleRow> for SoldSale {
    fn from(row: SaleRow) -> Self {
        Self {
            sale_id: SaleId(row.id),
            lead_id: LeadId(row.lead_id),
            buyer_id: BuyerId(row.buyer_id),
            campaign_id: CampaignId(row.campaign_id),
            external_id: row.external_id,
        }
    }
}

const SOLD: &str =
    "SELECT s.id, s.lead_id, s.buyer_id, s.campaign_id, l.external_id FROM sale s JOIN lead l ON l.id = s.lead_id
     WHERE s.state = 'SOLD'";

impl Read {
    /// The sales that stand of these leads.
    pub async fn sold_sales(&self, leads: &BTreeSet<LeadId>) -> StoreResult<Vec<SoldSale>> {
        let keys: Vec<Value> = leads.iter().map(|lead| Value::from(lead.0)).collect();
        self.sold_where("l.id", None, &keys).await
    }

    /// The sales that stand of the leads that a source sent under these ids of its own.
    pub async fn sold_sales_by_external_id(
        &self,
        source: SourceId,
        external_ids: &BTreeSet<String>,
    ) -> StoreResult<Vec<SoldSale>> {
        let keys: Vec<Value> = external_ids.iter().map(|id| Value::from(id.as_str())).collect();
        self.sold_where("l.external_id", Some(source), &keys).await
    }

    async fn sold_where(&self, column: &str, source: Option<SourceId>, keys: &[Value]) -> StoreResult<Vec<SoldSale>> {
        let mut found = Vec::new();
        for chunk in keys.chunks(KEYS_PER_STATEMENT) {
            let of_source = if source.is_some() { "l.source_id = ? AND " } else { "" };
            let sql = format!("{SOLD} AND {of_source}{column} IN ({}) ORDER BY s.lead_id, s.leg", marks(chunk.len()));
            let values = source.map(|id| Value::from(id.0)).into_iter().chain(chunk.iter().cloned()).collect();
            let rows =
                SaleRow::find_by_statement(statement(self.backend(), &sql, values)).all(self.connection()).await?;
            found.extend(rows.into_iter().map(SoldSale::from));
        }
        Ok(found)
    }
}

impl Write {
    /// Keeps conversions that are new, with a step in each lead's timeline; answers how many were.
    pub async fn add_conversions(&self, conversions: &[NewConversion]) -> StoreResult<u64> {
        #[derive(FromQueryResult)]
        struct Added {
            lead_id: Uuid,
            sale_id: Uuid,
            kind: String,
        }
        // Timelines are numbered: nobody else may write to these leads' meanwhile.
        self.lock_leads(&conversions.iter().map(|conversion| conversion.lead_id).collect()).await?;
        let reported_at = self.store.clock().now();
        let mut added: Vec<Added> = Vec::new();
        for chunk in conversions.chunks(CONVERSIONS_PER_STATEMENT) {
            let rows = vec!["(?, ?, ?, ?, ?, ?, ?, ?)"; chunk.len()].join(", ");
            let sql = format!(
                "INSERT INTO conversion (id, sale_id, lead_id, buyer_id, kind, value_minor, happened_at, reported_at)
                 VALUES {rows} ON CONFLICT (sale_id, kind) DO NOTHING RETURNING lead_id, sale_id, kind"
            );
            let values = chunk.iter().flat_map(|conversion| -> [Value; 8] {
                [
                    self.store.ids().uuid().into(),
                    conversion.sale_id.0.into(),
                    conversion.lead_id.0.into(),
                    conversion.buyer_id.0.into(),
                    conversion.kind.as_str().into(),
                    conversion.value_minor.into(),
                    conversion.happened_at.into(),
                    reported_at.into(),
                ]
            });
            added.extend(self.all::<Added>(&sql, values.collect()).await?);
        }
        let events: Vec<NewEvent> = added
            .iter()
            .map(|row| NewEvent {
                lead_id: LeadId(row.lead_id),
                kind: LeadEventKind::ConversionReported,
                detail: serde_json::json!({ "sale_id": row.sale_id, "kind": row.kind }),
            })
            .collect();
        self.add_events(&events).await?;
        Ok(added.len() as u64)
    }
}
