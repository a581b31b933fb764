//! What a buyer reports about a lead later.

use sea_orm::entity::prelude::*;

/// What a buyer reports about a lead later.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "conversion")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub sale_id: Uuid,
    pub lead_id: Uuid,
    pub buyer_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    pub value_minor: Option<i64>,
    pub happened_at: DateTimeUtc,
    pub reported_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
