//! What a supplier was quoted when it pinged.

use sea_orm::entity::prelude::*;

/// What a supplier was quoted when it pinged.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "quote")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub source_id: Uuid,
    pub supplier_id: Uuid,
    pub campaign_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub state: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub reason: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub fields: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub subid: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub currency: String,
    pub promise_minor: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub legs: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub data: Option<String>,
    pub asked_at: DateTimeUtc,
    pub expires_at: Option<DateTimeUtc>,
    #[sea_orm(unique)]
    pub lead_id: Option<Uuid>,
    pub posted_at: Option<DateTimeUtc>,
    pub test: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
