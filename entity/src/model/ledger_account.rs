//! An account and its cached balance.

use sea_orm::entity::prelude::*;

/// An account and its cached balance.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "ledger_account")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    pub owner_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub currency: String,
    pub balance_minor: i64,
    pub held_minor: i64,
    pub credit_limit_minor: i64,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
