//! A lead sold to one contract at one price.

use sea_orm::entity::prelude::*;

/// A lead sold to one contract at one price.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sale")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub lead_id: Uuid,
    pub decision_id: Uuid,
    pub campaign_id: Uuid,
    pub source_id: Uuid,
    pub supplier_id: Uuid,
    pub buyer_id: Uuid,
    pub group_id: Uuid,
    pub contract_id: Uuid,
    pub contract_revision_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub stage: String,
    pub leg: i64,
    pub exclusive: bool,
    #[sea_orm(column_type = "Text")]
    pub verdict: String,
    #[sea_orm(column_type = "Text")]
    pub state: String,
    pub counted: bool,
    #[sea_orm(column_type = "Text")]
    pub currency: String,
    pub price_minor: i64,
    pub payout_minor: i64,
    #[sea_orm(column_type = "Text")]
    pub day: String,
    pub sold_at: DateTimeUtc,
    pub state_since: DateTimeUtc,
    #[sea_orm(column_type = "Text", nullable)]
    pub reference: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub reason: Option<String>,
    pub test: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
