//! What is stored of one lead's life: the lead itself, its timeline and its decisions.

use leadyard_types::LeadId;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::error::{StoreError, StoreResult};
use crate::model::{consent, decision, lead, lead_event, person};
use crate::placement::UnsealedLead;
use crate::store::Read;

impl Read {
    /// A lead with everything known of it in the clear. Only for the system itself.
    pub async fn unsealed_lead(&self, id: LeadId) -> StoreResult<Option<UnsealedLead>> {
        let db = self.connection();
        let Some(row) = lead::Entity::find_by_id(id.0).one(db).await? else { return Ok(None) };
        let person =
            person::Entity::find_by_id(row.person_id).one(db).await?.ok_or_else(|| StoreError::corrupt("person"))?;
        let consent = consent::Entity::find().filter(consent::Column::LeadId.eq(row.id)).one(db).await?;
        UnsealedLead::open(self.store.keyring(), row, &person, consent).map(Some)
    }

    /// A lead's decisions, oldest first.
    pub async fn decisions_of(&self, id: LeadId) -> StoreResult<Vec<decision::Model>> {
        let find = decision::Entity::find().filter(decision::Column::LeadId.eq(id.0));
        Ok(find.order_by_asc(decision::Column::Number).all(self.connection()).await?)
    }

    /// The decisions behind a place in their order, at most so many.
    pub async fn decisions_after(&self, no: i64, limit: u64) -> StoreResult<Vec<decision::Model>> {
        let find = decision::Entity::find().filter(decision::Column::No.gt(no));
        Ok(find.order_by_asc(decision::Column::No).limit(limit).all(self.connection()).await?)
    }

    /// A lead's timeline, oldest first.
    pub async fn events_of(&self, id: LeadId) -> StoreResult<Vec<lead_event::Model>> {
        let find = lead_event::Entity::find().filter(lead_event::Column::LeadId.eq(id.0));
        Ok(find.order_by_asc(lead_event::Column::Seq).all(self.connection()).await?)
    }
}
