//! Deliveries: what a worker needs to make one attempt, and what it writes afterwards.

use leadyard_types::{DeliveryId, DeliveryOutcome, DeliveryState, DestinationId, SaleId, Status, Timestamp};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use secrecy::SecretString;

use crate::error::{StoreError, StoreResult};
use crate::model::{
    attempt, buyer, campaign, consent, contract, delivery, destination, hold, hold_resolution, lead, person, sale,
};
use crate::placement::UnsealedLead;
use crate::store::{Read, Write};

/// Everything about one delivery, in the clear.
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
}

/// One attempt as it is stored: nothing in it is about the person.
#[derive(Debug, Clone)]
pub struct AttemptRecord {
    /// 1 = the first.
    pub number: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// What it came to.
    pub outcome: DeliveryOutcome,
    /// The status of the answer.
    pub status_code: Option<i64>,
    /// How long it took.
    pub duration_ms: i64,
    /// A redacted excerpt of the answer.
    pub answer: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
}

impl Read {
    /// Everything about a delivery, in a fixed number of look-ups by key; `None` if it is gone.
    pub async fn delivery_facts(&self, id: DeliveryId) -> StoreResult<Option<DeliveryFacts>> {
        let db = self.connection();
        let missing = |noun: &str| StoreError::corrupt(format!("delivery {id}: its {noun} is missing"));
        let Some(delivery) = delivery::Entity::find_by_id(id.0).one(db).await? else { return Ok(None) };
        let sale = sale::Entity::find_by_id(delivery.sale_id).one(db).await?.ok_or_else(|| missing("sale"))?;
        let row = lead::Entity::find_by_id(delivery.lead_id).one(db).await?.ok_or_else(|| missing("lead"))?;
        let person = person::Entity::find_by_id(row.person_id).one(db).await?.ok_or_else(|| missing("person"))?;
        let consent = consent::Entity::find().filter(consent::Column::LeadId.eq(row.id)).one(db).await?;
        let destination = destination::Entity::find_by_id(delivery.destination_id)
            .one(db)
            .await?
            .ok_or_else(|| missing("destination"))?;
        let campaign =
            campaign::Entity::find_by_id(sale.campaign_id).one(db).await?.ok_or_else(|| missing("campaign"))?;
        let contract =
            contract::Entity::find_by_id(sale.contract_id).one(db).await?.ok_or_else(|| missing("contract"))?;
        let buyer = buyer::Entity::find_by_id(sale.buyer_id).one(db).await?.ok_or_else(|| missing("buyer"))?;
        let secrets = self.store.destination_secrets(&destination)?;
        let lead = UnsealedLead::open(self.store.keyring(), row, &person, consent)?;
        let names = [campaign.name, contract.name, buyer.name];
        Ok(Some(DeliveryFacts { delivery, sale, lead, destination, secrets, names }))
    }

    /// A sale by id.
    pub async fn sale(&self, id: SaleId) -> StoreResult<Option<sale::Model>> {
        Ok(sale::Entity::find_by_id(id.0).one(self.connection()).await?)
    }
}

impl Write {
    /// Records an attempt.
    pub async fn add_attempt(&self, delivery: DeliveryId, record: AttemptRecord) -> StoreResult<()> {
        let row = attempt::Model {
            id: self.store.ids().uuid(),
            delivery_id: delivery.0,
            number: record.number,
            started_at: record.started_at,
            finished_at: Some(self.store.clock().now()),
            outcome: Some(record.outcome.as_str().to_owned()),
            status_code: record.status_code,
            duration_ms: Some(record.duration_ms),
            answer: record.answer,
            error: record.error,
        };
        self.insert_all::<attempt::Entity>(vec![row]).await
    }

    /// Moves a delivery on after an attempt.
    pub async fn move_delivery(
        &self,
        id: DeliveryId,
        state: DeliveryState,
        attempts: i64,
        next_attempt_at: Option<Timestamp>,
        reference: Option<String>,
    ) -> StoreResult<()> {
        let finished = state.is_final().then(|| self.store.clock().now());
        let sql = "UPDATE delivery SET state = ?, attempts = ?, next_attempt_at = ?, finished_at = ?,
                   reference = COALESCE(?, reference) WHERE id = ?";
        let values = vec![
            state.as_str().into(),
            attempts.into(),
            next_attempt_at.into(),
            finished.into(),
            reference.into(),
            id.0.into(),
        ];
        self.run(sql, values).await.map(|_| ())
    }

    /// A delivery, locked.
    pub async fn lock_delivery(&self, id: DeliveryId) -> StoreResult<Option<delivery::Model>> {
        let lock = if self.is_postgres() { " FOR UPDATE" } else { "" };
        let rows = self.all(&format!("SELECT * FROM delivery WHERE id = ?{lock}"), vec![id.0.into()]).await?;
        Ok(rows.into_iter().next())
    }

    /// Notes how a destination does: the beginning of a failing spell, or its end.
    pub async fn note_destination(&self, id: DestinationId, failing: bool) -> StoreResult<()> {
        let now = self.store.clock().now();
        let (sql, values) = if failing {
            (
                "UPDATE destination SET failing_since = ? WHERE id = ? AND failing_since IS NULL",
                vec![now.into(), id.0.into()],
            )
        } else {
            (
                "UPDATE destination SET failing_since = NULL WHERE id = ? AND failing_since IS NOT NULL",
                vec![id.0.into()],
            )
        };
        self.run(sql, values).await.map(|_| ())
    }

    /// Parks a destination and leaves a notice for its owner.
    pub async fn park_destination(&self, id: DestinationId, notice: &str) -> StoreResult<()> {
        let sql = "UPDATE destination SET status = ?, notice = ? WHERE id = ?";
        self.run(sql, vec![Status::Paused.as_str().into(), notice.into(), id.0.into()]).await.map(|_| ())
    }

    /// Adds deliveries.
    pub async fn add_deliveries(&self, rows: Vec<delivery::Model>) -> StoreResult<()> {
        self.insert_all::<delivery::Entity>(rows).await
    }

    /// A sale, read inside the transaction.
    pub async fn sale(&self, id: SaleId) -> StoreResult<Option<sale::Model>> {
        let rows = self.all("SELECT * FROM sale WHERE id = ?", vec![id.0.into()]).await?;
        Ok(rows.into_iter().next())
    }

    /// Moves a sale on.
    pub async fn move_sale(
        &self,
        id: SaleId,
        state: leadyard_types::SaleState,
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
        let sql = "SELECT h.* FROM hold h LEFT JOIN hold_resolution r ON r.hold_id = h.id WHERE h.sale_id = ? AND r.hold_id IS NULL";
        Ok(self.all::<hold::Model>(sql, vec![sale.0.into()]).await?.into_iter().next())
    }

    /// Resolves a hold, once: the money is not held any more.
    pub async fn resolve_hold(&self, hold: &hold::Model, end: leadyard_types::ledger::HoldEnd) -> StoreResult<()> {
        let row = hold_resolution::Model {
            hold_id: hold.id,
            kind: end.as_str().to_owned(),
            resolved_at: self.store.clock().now(),
        };
        self.insert_all::<hold_resolution::Entity>(vec![row]).await?;
        self.change_held([(leadyard_types::AccountId(hold.account_id), -hold.amount_minor)]).await
    }

    /// Sets a lead's state, if it is in the one expected.
    pub async fn move_lead(
        &self,
        id: leadyard_types::LeadId,
        from: leadyard_types::LeadState,
        to: leadyard_types::LeadState,
        reason: Option<leadyard_types::Check>,
    ) -> StoreResult<bool> {
        let now = self.store.clock().now();
        let sql = "UPDATE lead SET state = ?, reason = ?, state_since = ? WHERE id = ? AND state = ?";
        let values = vec![
            to.as_str().into(),
            reason.map(|check| check.as_str().to_owned()).into(),
            now.into(),
            id.0.into(),
            from.as_str().into(),
        ];
        Ok(self.run(sql, values).await? == 1)
    }
}
