//! A buyer asked for a bid.

use sea_orm::entity::prelude::*;

/// A buyer asked for a bid.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "ping")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub lead_id: Option<Uuid>,
    pub quote_id: Option<Uuid>,
    pub campaign_id: Uuid,
    pub contract_id: Uuid,
    pub buyer_id: Uuid,
    pub destination_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub stage: String,
    #[sea_orm(column_type = "Text")]
    pub verdict: String,
    #[sea_orm(column_type = "Text")]
    pub currency: String,
    pub price_minor: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub shared_minor: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub reference: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub reason: Option<String>,
    pub status_code: Option<i64>,
    pub took_ms: i64,
    #[sea_orm(column_type = "Text")]
    pub request: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub answer: Option<String>,
    pub asked_at: DateTimeUtc,
    pub expires_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
