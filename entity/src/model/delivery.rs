//! The duty to bring one sale to one destination.

use sea_orm::entity::prelude::*;

/// The duty to bring one sale to one destination.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "delivery")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub sale_id: Uuid,
    pub lead_id: Uuid,
    pub buyer_id: Uuid,
    pub destination_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub state: String,
    pub attempts: i64,
    pub next_attempt_at: Option<DateTimeUtc>,
    #[sea_orm(column_type = "Text", nullable)]
    pub reference: Option<String>,
    pub created_at: DateTimeUtc,
    pub finished_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
