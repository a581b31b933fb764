//! A person's enquiry.

use sea_orm::entity::prelude::*;

/// A person's enquiry.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "lead")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub campaign_id: Uuid,
    pub source_id: Uuid,
    pub supplier_id: Uuid,
    pub person_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub door: String,
    #[sea_orm(column_type = "Text")]
    pub state: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub reason: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub fields: String,
    pub sealed_fields: Option<Vec<u8>>,
    #[sea_orm(column_type = "Text", nullable)]
    pub subid: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub external_id: Option<String>,
    pub accepted: bool,
    pub score: Option<i64>,
    pub enquired_at: DateTimeUtc,
    pub received_at: DateTimeUtc,
    pub state_since: DateTimeUtc,
    pub retry_until: Option<DateTimeUtc>,
    pub decisions: i64,
    #[sea_orm(column_type = "Text", nullable)]
    pub split: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub plan: Option<String>,
    pub offer_at: Option<DateTimeUtc>,
    pub test: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
