//! A movement of money between two accounts.

use sea_orm::entity::prelude::*;

/// A movement of money between two accounts.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "ledger_transfer")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    pub debit_account_id: Uuid,
    pub credit_account_id: Uuid,
    pub amount_minor: i64,
    #[sea_orm(column_type = "Text")]
    pub currency: String,
    pub sale_id: Option<Uuid>,
    pub lead_id: Option<Uuid>,
    pub complaint_id: Option<Uuid>,
    pub campaign_id: Option<Uuid>,
    pub source_id: Option<Uuid>,
    pub supplier_id: Option<Uuid>,
    pub buyer_id: Option<Uuid>,
    pub contract_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub day: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub memo: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub created_by: String,
    pub posted_at: DateTimeUtc,
    #[sea_orm(column_type = "Text")]
    pub idempotency_key: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
