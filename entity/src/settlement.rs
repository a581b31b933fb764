//! Settling sales whose buyers answer: sale, hold and lead move on under the locks of the caller.

use leadyard_types::ledger::HoldEnd;
use leadyard_types::{AccountId, Check, LeadId, LeadState, RevisionId, SaleId, SaleState};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::error::{StoreError, StoreResult};
use crate::model::{delivery, hold, sale};
use crate::store::Write;

#[derive(FromQueryResult)]
struct Text {
    text: String,
}

/// A delivery that asks for a verdict, and its destination.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Asking {
    /// The delivery.
    pub delivery_id: Uuid,
    /// The destination.
    pub destination_id: Uuid,
    /// What kind of place it is.
    pub kind: String,
    /// Its settings as JSON.
    pub config: String,
}

impl Write {
    /// Adds deliveries.
    pub async fn add_deliveries(&self, rows: Vec<delivery::Model>) -> StoreResult<()> {
        self.insert_all::<delivery::Entity>(rows).await
    }

    /// A sale, read inside the transaction.
    pub async fn sale(&self, id: SaleId) -> StoreResult<Option<sale::Model>> {
        let rows = self.all("SELECT * FROM sale WHERE id = ?", vec![id.0.into()]).await?;
        Ok(rows.into_iter().next())
    }

    /// The delivery that asks for a sale's verdict, and where. While the sale is not final it has no other.
    pub async fn asking_delivery(&self, sale: SaleId) -> StoreResult<Option<Asking>> {
        let sql = "SELECT d.id AS delivery_id, p.id AS destination_id, p.kind, p.config
                   FROM delivery d JOIN destination p ON p.id = d.destination_id
                   WHERE d.sale_id = ? ORDER BY d.created_at, d.id LIMIT 1";
        Ok(self.all::<Asking>(sql, vec![sale.0.into()]).await?.into_iter().next())
    }

    /// A revision's terms as JSON: what was agreed then, whatever is agreed now.
    pub async fn revision_terms(&self, id: RevisionId) -> StoreResult<String> {
        let rows: Vec<Text> = self.all("SELECT terms AS text FROM revision WHERE id = ?", vec![id.0.into()]).await?;
        rows.into_iter().next().map(|row| row.text).ok_or_else(|| StoreError::corrupt("revision"))
    }

    /// What the decision behind a sale saw, as it was stored.
    pub async fn decision_data(&self, decision: Uuid) -> StoreResult<String> {
        let rows: Vec<Text> = self.all("SELECT data AS text FROM decision WHERE id = ?", vec![decision.into()]).await?;
        rows.into_iter().next().map(|row| row.text).ok_or_else(|| StoreError::corrupt("decision"))
    }

    /// The terms of the source that a decision used, as JSON.
    pub async fn source_terms_of(&self, decision: Uuid) -> StoreResult<String> {
        let sql =
            "SELECT r.terms AS text FROM decision d JOIN revision r ON r.id = d.source_revision_id WHERE d.id = ?";
        let rows: Vec<Text> = self.all(sql, vec![decision.into()]).await?;
        rows.into_iter().next().map(|row| row.text).ok_or_else(|| StoreError::corrupt("decision"))
    }

    /// A lead's sales by leg, read inside the transaction.
    pub async fn legs(&self, lead: LeadId) -> StoreResult<Vec<sale::Model>> {
        self.all("SELECT * FROM sale WHERE lead_id = ? ORDER BY leg", vec![lead.0.into()]).await
    }

    /// Says what a sale earns its supplier, minor units.
    pub async fn set_payout(&self, id: SaleId, payout_minor: i64) -> StoreResult<()> {
        let sql = "UPDATE sale SET payout_minor = ? WHERE id = ?";
        self.run(sql, vec![payout_minor.into(), id.0.into()]).await.map(|_| ())
    }

    /// Moves a sale on.
    pub async fn move_sale(
        &self,
        id: SaleId,
        state: SaleState,
        counted: bool,
        reference: Option<String>,
        reason: Option<String>,
    ) -> StoreResult<()> {
        let now = self.store.clock().now();
        let sql = "UPDATE sale SET state = ?, counted = ?, state_since = ?, reference = COALESCE(?, reference),
                   reason = COALESCE(?, reason) WHERE id = ?";
        let values =
            vec![state.as_str().into(), counted.into(), now.into(), reference.into(), reason.into(), id.0.into()];
        self.run(sql, values).await.map(|_| ())
    }

    /// The hold of a sale, if it is still open.
    pub async fn open_hold(&self, sale: SaleId) -> StoreResult<Option<hold::Model>> {
        let sql = "SELECT h.* FROM hold h LEFT JOIN hold_resolution r ON r.hold_id = h.id
                   WHERE h.sale_id = ? AND r.hold_id IS NULL";
        Ok(self.all::<hold::Model>(sql, vec![sale.0.into()]).await?.into_iter().next())
    }

    /// Resolves a hold: the money is not held any more. Answers false if somebody was first; a hold ends once.
    pub async fn resolve_hold(&self, hold: &hold::Model, end: HoldEnd) -> StoreResult<bool> {
        let now = self.store.clock().now();
        let sql = "INSERT INTO hold_resolution (hold_id, kind, resolved_at) VALUES (?, ?, ?) ON CONFLICT (hold_id) DO NOTHING";
        if self.run(sql, vec![hold.id.into(), end.as_str().into(), now.into()]).await? != 1 {
            return Ok(false);
        }
        self.change_held([(AccountId(hold.account_id), -hold.amount_minor)]).await?;
        Ok(true)
    }

    /// Sets a lead's state, if it is in one of those expected.
    pub async fn move_lead(
        &self,
        id: LeadId,
        from: &[LeadState],
        to: LeadState,
        reason: Option<Check>,
    ) -> StoreResult<bool> {
        let now = self.store.clock().now();
        let sql = format!(
            "UPDATE lead SET state = ?, reason = ?, state_since = ?, offer_at = NULL WHERE id = ? AND state IN ({})",
            crate::sql::marks(from.len())
        );
        let mut values =
            vec![to.as_str().into(), reason.map(|check| check.as_str().to_owned()).into(), now.into(), id.0.into()];
        values.extend(from.iter().map(|state| state.as_str().into()));
        Ok(self.run(&sql, values).await? == 1)
    }
}
