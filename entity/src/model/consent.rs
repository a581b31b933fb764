//! Evidence that a lead may be passed on.

use sea_orm::entity::prelude::*;

/// Evidence that a lead may be passed on.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "consent")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub lead_id: Uuid,
    #[sea_orm(column_type = "Text", nullable)]
    pub text_version: Option<String>,
    pub given_at: Option<DateTimeUtc>,
    #[sea_orm(column_type = "Text", nullable)]
    pub basis: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub purposes: String,
    #[sea_orm(column_type = "Text")]
    pub recipients: String,
    pub sealed: Vec<u8>,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
