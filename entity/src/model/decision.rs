//! The record of one routing run.

use sea_orm::entity::prelude::*;

/// The record of one routing run.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "decision")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub no: i64,
    pub lead_id: Uuid,
    pub number: i64,
    pub rules_version: i64,
    pub campaign_revision_id: Uuid,
    pub source_revision_id: Uuid,
    pub postal_version: i64,
    #[sea_orm(column_type = "Text")]
    pub outcome: String,
    #[sea_orm(column_type = "Text")]
    pub data: String,
    pub decided_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
