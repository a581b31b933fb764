//! Reads for people outside: always through the scoped select of [`crate::scope`], in a constant number of statements
//! however many rows are asked for.

mod contents;
mod lists;
mod page;
mod part;
mod records;

use std::collections::HashMap;

use leadyard_types::CampaignTerms;
use leadyard_types::terms::ComplaintPolicy;
use sea_orm::{ColumnTrait, EntityTrait, Iterable, ModelTrait, PrimaryKeyToColumn, QueryFilter, QueryOrder, Value};
use uuid::Uuid;

use crate::error::{StoreError, StoreResult};
use crate::model::{
    attempt, campaign, consent, conversion, decision, delivery, hold, lead_event, ledger_account, ledger_transfer,
    revision, sale,
};
use crate::scope::Scoped;
use crate::sql::among;
use crate::store::Read;

pub use contents::{LeadContents, LeadFieldValue, consent_shows_a_person};
pub use lists::{
    ApiKeyFilter, BuyerFilter, CampaignFilter, ComplaintFilter, ContractFilter, DeliveryFilter, InvitationFilter,
    LeadFilter, LeadOrder, NameOrder, SaleFilter, SaleOrder, SourceFilter, SupplierFilter, TimeOrder, TransferFilter,
    UserFilter,
};
pub(crate) use page::moment_of;
pub use page::{Cursor, Listed, Page, PageArgs, SortValue};
pub use part::{Columns, NotRead, Part, Parted};
pub use records::{ConsentFilter, ConversionFilter, HoldFilter, SuppressionFilter};

/// What a campaign's terms tell everybody who takes part in it.
#[derive(Debug, Clone)]
pub struct OpenTerms {
    /// The IANA time zone of its days and caps.
    pub time_zone: String,
    /// When and why buyers may complain.
    pub complaints: ComplaintPolicy,
}

/// A list of lists, by whom the inner lists belong to.
pub type ByParent<M> = HashMap<Uuid, Vec<M>>;

impl Read {
    /// Rows by their ids; what is absent or not visible is left out.
    pub async fn by_ids<E: Scoped>(&self, ids: &[Uuid]) -> StoreResult<HashMap<Uuid, E::Model>>
    where
        E::Model: Send,
    {
        let Some(key) = E::PrimaryKey::iter().next().map(PrimaryKeyToColumn::into_column) else {
            return Ok(HashMap::new());
        };
        let rows = self.select::<E>().filter(among(self.backend(), key, ids)).all(self.connection()).await?;
        Ok(rows.into_iter().filter_map(|row| Some((uuid_of(row.get(key))?, row))).collect())
    }

    /// One row by its id.
    pub async fn by_id<E: Scoped>(&self, id: Uuid) -> StoreResult<Option<E::Model>>
    where
        E::Model: Send,
    {
        Ok(self.by_ids::<E>(&[id]).await?.remove(&id))
    }

    async fn children<E: Scoped>(
        &self,
        parent: E::Column,
        ids: &[Uuid],
        order: E::Column,
    ) -> StoreResult<ByParent<E::Model>>
    where
        E::Model: Send,
    {
        let select = self.select::<E>().filter(among(self.backend(), parent, ids)).order_by_asc(order);
        let mut lists: ByParent<E::Model> = HashMap::new();
        for row in select.all(self.connection()).await? {
            if let Some(owner) = uuid_of(row.get(parent)) {
                lists.entry(owner).or_default().push(row);
            }
        }
        Ok(lists)
    }

    /// The steps of leads' timelines, oldest first.
    pub async fn events_of_leads(&self, leads: &[Uuid]) -> StoreResult<ByParent<lead_event::Model>> {
        self.children::<lead_event::Entity>(lead_event::Column::LeadId, leads, lead_event::Column::Seq).await
    }

    /// The decisions about leads, oldest first.
    pub async fn decisions_of_leads(&self, leads: &[Uuid]) -> StoreResult<ByParent<decision::Model>> {
        self.children::<decision::Entity>(decision::Column::LeadId, leads, decision::Column::Number).await
    }

    /// The sales of leads, by leg.
    pub async fn sales_of_leads(&self, leads: &[Uuid]) -> StoreResult<ByParent<sale::Model>> {
        self.children::<sale::Entity>(sale::Column::LeadId, leads, sale::Column::Leg).await
    }

    /// The consents of leads; a lead has one at most.
    pub async fn consents_of_leads(&self, leads: &[Uuid]) -> StoreResult<ByParent<consent::Model>> {
        self.children::<consent::Entity>(consent::Column::LeadId, leads, consent::Column::CreatedAt).await
    }

    /// The holds of sales; a sale has one at most.
    pub async fn holds_of_sales(&self, sales: &[Uuid]) -> StoreResult<ByParent<hold::Model>> {
        self.children::<hold::Entity>(hold::Column::SaleId, sales, hold::Column::CreatedAt).await
    }

    /// The transfers about sales, oldest first.
    pub async fn transfers_of_sales(&self, sales: &[Uuid]) -> StoreResult<ByParent<ledger_transfer::Model>> {
        use ledger_transfer::{Column, Entity};
        // Transfers are found by their leads, which are indexed.
        let mut leads = sea_orm::sea_query::Query::select();
        let sold = among(self.backend(), sale::Column::Id, sales);
        leads.column(sale::Column::LeadId).from(sale::Entity).and_where(sold);
        let select = self.select::<Entity>().filter(Column::LeadId.in_subquery(leads));
        let select = select.filter(among(self.backend(), Column::SaleId, sales));
        let rows = select.order_by_asc(Column::PostedAt).order_by_asc(Column::Id).all(self.connection()).await?;
        let mut lists: ByParent<ledger_transfer::Model> = HashMap::new();
        for row in rows {
            lists.entry(row.sale_id.unwrap_or_default()).or_default().push(row);
        }
        Ok(lists)
    }

    /// What buyers reported about sales, oldest first.
    pub async fn conversions_of_sales(&self, sales: &[Uuid]) -> StoreResult<ByParent<conversion::Model>> {
        use conversion::{Column, Entity};
        self.children::<Entity>(Column::SaleId, sales, Column::HappenedAt).await
    }

    /// The deliveries of sales, oldest first.
    pub async fn deliveries_of_sales(&self, sales: &[Uuid]) -> StoreResult<ByParent<delivery::Model>> {
        self.children::<delivery::Entity>(delivery::Column::SaleId, sales, delivery::Column::CreatedAt).await
    }

    /// The attempts of deliveries, in order.
    pub async fn attempts_of_deliveries(&self, deliveries: &[Uuid]) -> StoreResult<ByParent<attempt::Model>> {
        self.children::<attempt::Entity>(attempt::Column::DeliveryId, deliveries, attempt::Column::Number).await
    }

    /// The complaints about sales, oldest first.
    pub async fn complaints_of_sales(&self, sales: &[Uuid]) -> StoreResult<ByParent<crate::model::complaint::Model>> {
        use crate::model::complaint::{Column, Entity};
        self.children::<Entity>(Column::SaleId, sales, Column::OpenedAt).await
    }

    /// The destinations of buyers, oldest first.
    pub async fn destinations_of_buyers(
        &self,
        buyers: &[Uuid],
    ) -> StoreResult<ByParent<crate::model::destination::Model>> {
        use crate::model::destination::{Column, Entity};
        self.children::<Entity>(Column::BuyerId, buyers, Column::CreatedAt).await
    }

    /// What of their terms campaigns tell everybody who takes part in them; what is absent or not visible is left out.
    pub async fn open_terms_of_campaigns(&self, campaigns: &[Uuid]) -> StoreResult<HashMap<Uuid, OpenTerms>> {
        let visible = self.by_ids::<campaign::Entity>(campaigns).await?;
        let revisions: Vec<Uuid> = visible.values().map(|row| row.revision_id).collect();
        // The terms themselves are the operator's: they do not leave this room.
        let these = among(self.backend(), revision::Column::Id, &revisions);
        let rows = revision::Entity::find().filter(these).all(self.connection()).await?;
        rows.into_iter()
            .map(|row| {
                let terms: CampaignTerms = serde_json::from_str(&row.terms).map_err(StoreError::corrupt)?;
                let open = OpenTerms { time_zone: terms.time_zone.to_string(), complaints: terms.complaints };
                Ok((row.noun_id, open))
            })
            .collect()
    }

    /// The accounts of owners (a buyer's wallets, what a supplier is owed), by currency.
    pub async fn accounts_of(&self, owners: &[Uuid]) -> StoreResult<ByParent<ledger_account::Model>> {
        self.children::<ledger_account::Entity>(
            ledger_account::Column::OwnerId,
            owners,
            ledger_account::Column::Currency,
        )
        .await
    }
}

/// The id in a column; a column that holds none gives `None`.
pub(crate) fn uuid_of(value: Value) -> Option<Uuid> {
    match value {
        Value::Uuid(id) => id.map(uuid_from),
        _ => None,
    }
}

fn uuid_from(id: impl Into<Uuid>) -> Uuid {
    id.into()
}

/// What ORDER BY needs to be said twice.
pub(crate) fn ordered<E: EntityTrait>(
    select: sea_orm::Select<E>,
    column: E::Column,
    id: E::Column,
    descending: bool,
) -> sea_orm::Select<E> {
    let direction = if descending { sea_orm::Order::Desc } else { sea_orm::Order::Asc };
    select.order_by(column, direction.clone()).order_by(id, direction)
}
